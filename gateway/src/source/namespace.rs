//! Network namespaces: doing something inside one.
//!
//! `setns` changes the calling thread, so it only ever happens on a thread made for the purpose, which ends (or stays in
//! the namespace, for a follower). Sockets and TAPs keep the namespace in which they were opened and work from anywhere.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::source::error::UnderlayError;

/// A network namespace of the operator's choice.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Namespace {
    path: Option<PathBuf>,
}

impl Namespace {
    /// `None` is our own; a name is looked up below /run/netns (as `ip netns` does); anything with a slash is a path,
    /// such as /proc/PID/ns/net.
    pub fn new(name: Option<&str>) -> Self {
        let path = name.map(|name| if name.contains('/') { name.into() } else { Path::new("/run/netns").join(name) });
        Self { path }
    }

    /// True for our own namespace.
    pub fn is_own(&self) -> bool {
        self.path.is_none()
    }

    /// Runs `work` inside the namespace, on a thread of its own, and waits for it.
    ///
    /// # Errors
    /// What `work` returns, and before that: the namespace does not exist, or may not be entered.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> Result<T, UnderlayError> + Send) -> Result<T, UnderlayError> {
        thread::scope(|scope| {
            let thread = thread::Builder::new().name("netns".into()).spawn_scoped(scope, || {
                self.enter()?;
                work()
            });
            let thread = thread.map_err(|error| UnderlayError::refused("start a thread", error))?;
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Moves the calling thread into the namespace, for good. Only for threads that were made for it.
    pub(super) fn enter(&self) -> Result<(), UnderlayError> {
        let Some(path) = &self.path else { return Ok(()) };
        let shown = path.display().to_string();
        let file = File::open(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => UnderlayError::NoNamespace { path: shown.clone() },
            _ => UnderlayError::refused(format!("open the network namespace {shown}"), error),
        })?;
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).map_err(|errno| match errno {
            rustix::io::Errno::INVAL => UnderlayError::NotANamespace { path: shown.clone() },
            errno => UnderlayError::refused(format!("enter the network namespace {shown}"), errno),
        })
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            None => f.write_str("our own network namespace"),
            Some(path) => write!(f, "the network namespace {}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_below_run_netns_and_a_path_is_a_path() {
        assert_eq!(Namespace::new(Some("cp")).to_string(), "the network namespace /run/netns/cp");
        assert_eq!(Namespace::new(Some("/proc/1/ns/net")).to_string(), "the network namespace /proc/1/ns/net");
        assert!(Namespace::new(None).is_own());
    }

    #[test]
    fn a_missing_namespace_is_named_with_the_cure() {
        let error = Namespace::new(Some("causeway-there-is-none")).run(|| Ok(())).unwrap_err();
        assert!(matches!(error, UnderlayError::NoNamespace { .. }), "{error:?}");
        assert!(error.to_string().contains("ip netns add"), "{error}");
    }

    #[test]
    fn our_own_namespace_needs_no_permission() {
        assert_eq!(Namespace::new(None).run(|| Ok(7)).unwrap(), 7);
    }
}
