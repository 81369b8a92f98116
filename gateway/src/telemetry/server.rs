//! The socket and who is let in. Whatever a client sends or fails to send, it holds one thread, one bounded buffer and a
//! bounded number of lines, and only so many clients are let in; [`super::serve`] is what happens to one of them.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::guest::{Guest, Queue};
use super::lines::Lines;
use super::serve::{Limits, Turns, send, serve};
use super::{Reply, Request};
use crate::complain;
use crate::rights;

/// Who may open the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Its group; `None` is that of the process.
    pub group: Option<u32>,
    /// Permission bits as in chmod(2).
    pub mode: u32,
}

impl Default for Access {
    fn default() -> Self {
        Self { group: None, mode: 0o660 }
    }
}

/// How requests are answered.
pub trait Answer: Send + Sync + 'static {
    /// The answer to something that is shown or done: a value, or a sentence why not.
    ///
    /// # Errors
    ///
    /// That sentence.
    fn answer(&self, request: Request) -> Result<serde_json::Value, String>;

    /// Begins to send lines of what is to be followed, from wherever they are made, until [`Lines::send`] says that the
    /// client has gone.
    ///
    /// # Errors
    ///
    /// A sentence why not.
    fn follow(&self, request: Request, lines: Lines) -> Result<(), String> {
        let _ = (request, lines);
        Err("nothing can be followed here".into())
    }
}

impl<F: Fn(Request) -> Result<serde_json::Value, String> + Send + Sync + 'static> Answer for F {
    fn answer(&self, request: Request) -> Result<serde_json::Value, String> {
        self(request)
    }
}

/// A socket that answers until it is dropped; the drop removes it.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    inode: u64,
    stop: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Server {
    /// Opens `path`. A socket that a gateway left behind is replaced; one that somebody listens on is not.
    ///
    /// # Errors
    ///
    /// One sentence with the cure.
    pub fn open(path: &Path, access: &Access, answer: impl Answer) -> Result<Self, String> {
        Self::with(path, access, answer, Limits::default())
    }

    fn with(path: &Path, access: &Access, answer: impl Answer, limits: Limits) -> Result<Self, String> {
        make_way(path)?;
        let refuse = |error: std::io::Error| {
            let cure = match error.kind() {
                ErrorKind::PermissionDenied => "run as root, or choose another place with --socket",
                ErrorKind::NotFound => "make its directory, or choose another place with --socket",
                _ => "choose another place with --socket",
            };
            format!("cannot open the socket {} ({error}); {cure}", path.display())
        };
        let listener = UnixListener::bind(path).map_err(refuse)?;
        // The group first: with the permissions and not yet the group, another one could come in.
        if let Err(error) = std::os::unix::fs::chown(path, None, access.group) {
            let _ = fs::remove_file(path);
            let shown = path.display();
            return Err(format!("cannot give {shown} to its group ({error}); run as root, or leave out api.group"));
        }
        fs::set_permissions(path, fs::Permissions::from_mode(access.mode)).map_err(refuse)?;
        let inode = fs::metadata(path).map_err(refuse)?.ino();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let acceptor = thread::Builder::new()
            .name("api".into())
            .spawn(move || {
                rights::keep(rights::NONE);
                accept(&listener, &stopped, &Arc::new(answer), limits);
            })
            .map_err(refuse)?;
        Ok(Self { path: path.to_owned(), inode, stop, acceptor: Some(acceptor) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // The acceptor waits for a client: be one. Nobody can connect when the file is gone or another's; then it
        // stays where it is until the process ends.
        let woken = fs::metadata(&self.path).is_ok_and(|file| file.ino() == self.inode)
            && UnixStream::connect(&self.path).is_ok();
        if let Some(acceptor) = self.acceptor.take().filter(|_| woken) {
            let _ = acceptor.join();
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes a socket that nobody listens on.
fn make_way(path: &Path) -> Result<(), String> {
    let shown = path.display();
    let Ok(file) = fs::symlink_metadata(path) else { return Ok(()) };
    if !file.file_type().is_socket() {
        return Err(format!("{shown} exists and is not a socket; choose another place with --socket"));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path)
            .map_err(|error| format!("cannot remove the old socket {shown} ({error}); remove it by hand")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("cannot tell who uses the socket {shown} ({error}); choose another with --socket")),
        Ok(_) => {
            Err(format!("another gateway runs on the socket {shown}; stop it, or give this one its own with --socket"))
        }
    }
}

fn accept<A: Answer>(listener: &UnixListener, stop: &AtomicBool, answer: &Arc<A>, limits: Limits) {
    let clients = Arc::new(AtomicUsize::new(0));
    let mut queue = Queue::default();
    let bodies = Arc::new(Turns::new());
    loop {
        let client = listener.accept();
        if stop.load(Ordering::Acquire) {
            return;
        }
        let (mut stream, _) = match client {
            Ok(client) => client,
            Err(error) => {
                // Out of descriptors, most likely: let some clients go.
                queue.waits("socket", &error);
                thread::sleep(Duration::from_millis(100));
                continue;
            }
        };
        let guest = Guest::new(&clients);
        if clients.load(Ordering::Relaxed) > limits.clients {
            let full = format!("more than {} clients at once; try again", limits.clients);
            let _ = send(&mut stream, &Reply::Error(full), Duration::from_millis(100));
            continue;
        }
        let (answer, bodies) = (Arc::clone(answer), Arc::clone(&bodies));
        let spawned = thread::Builder::new().name("api-client".into()).spawn(move || {
            let _guest = guest;
            if let Err(error) = serve(stream, &*answer, &bodies, limits) {
                log::debug!("a client of the socket left: {error}");
            }
        });
        if let Err(error) = spawned {
            complain!(warn, "a client of the socket was sent away", "raise the limit of threads"; error = error);
        }
    }
}

#[cfg(test)]
mod tests;
