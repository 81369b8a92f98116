//! What makes the gateway read its file again: SIGHUP, and a change of the file.
//!
//! The file is looked at once a second rather than watched through inotify: that costs a system call a second, and is right
//! for editors that replace the file, for symbolic links, configuration management and network file systems alike, where
//! events are not. A change counts when two looks in a row see the same, so a file that is half written is left alone.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use config::types::Reload;
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use gateway::complain;
use gateway::rights;

use super::ask::Orders;
use crate::run::desk::Message;

/// Between two looks at the file.
const LOOK: Duration = Duration::from_secs(1);

/// What comes to the thread that reads the file.
pub enum Wish {
    /// SIGHUP came.
    Signal,
    /// Other triggers from now on.
    Settings(Reload),
}

/// Starts the thread that reads `file` when it should. It ends when the last sender is dropped.
pub fn start(file: &Path, settings: Reload, tell: Sender<Message>) -> Result<Sender<Wish>, String> {
    let (wish, wishes) = unbounded();
    let (file, orders) = (file.to_owned(), Orders(tell));
    let follow = move || {
        rights::keep(rights::NONE);
        follow(&file, settings, &orders, &wishes);
    };
    let spawned = thread::Builder::new().name("reload".into()).spawn(follow);
    spawned.map(|_| wish).map_err(|error| format!("cannot start the thread that reads the configuration ({error})"))
}

fn follow(file: &Path, mut settings: Reload, orders: &Orders, wishes: &Receiver<Wish>) {
    let mut watch = Watch::new(file);
    loop {
        match wishes.recv_timeout(LOOK) {
            Ok(Wish::Signal) if settings.signal => {
                // What this reads need not be read again because it is new.
                watch.taken = print(file);
                reload(file, orders, "SIGHUP");
            }
            Ok(Wish::Signal) => {
                let cure = "use 'causeway apply', or set reload.signal to true";
                complain!(warn, "SIGHUP changes nothing, as the configuration says", cure; reload_signal = false);
            }
            Ok(Wish::Settings(new)) => settings = new,
            Err(RecvTimeoutError::Timeout) if settings.watch => {
                if watch.look() {
                    reload(file, orders, "the file has changed");
                }
            }
            Err(RecvTimeoutError::Timeout) => watch.taken = print(file),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn reload(file: &Path, orders: &Orders, why: &str) {
    let _ = orders.0.send(Message::Reloading);
    if let Err(refusal) = orders.reload(file) {
        complain!(
            error,
            format_args!("{why}, but the configuration that runs stays in force"),
            "correct the file; 'causeway plan' says what it would do";
            file = file.display(), error = refusal
        );
    }
    let _ = orders.0.send(Message::Reloaded);
}

/// What tells one version of a file from another: device, inode, length, and time of the last change.
type Print = Option<(u64, u64, u64, i64, i64)>;

fn print(file: &Path) -> Print {
    let data = fs::metadata(file).ok()?;
    Some((data.dev(), data.ino(), data.len(), data.mtime(), data.mtime_nsec()))
}

/// A file that is looked at.
struct Watch {
    file: PathBuf,
    taken: Print,
    seen: Print,
}

impl Watch {
    fn new(file: &Path) -> Self {
        let now = print(file);
        Self { file: file.to_owned(), taken: now, seen: now }
    }

    /// True when the file is another than the last time this was true, and has not changed since the last look.
    fn look(&mut self) -> bool {
        let now = print(&self.file);
        let rests = std::mem::replace(&mut self.seen, now) == now;
        let is_new = now.is_some() && now != self.taken;
        if rests && is_new {
            self.taken = now;
        }
        rests && is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_counts_once_and_when_it_has_settled() {
        let file = std::env::temp_dir().join(format!("causeway-{}-watched.yaml", std::process::id()));
        fs::write(&file, "one").expect("a file");
        let mut watch = Watch::new(&file);
        assert!(!watch.look() && !watch.look(), "nothing has changed");
        fs::write(&file, "three").expect("ours");
        assert!(!watch.look(), "it may still be written");
        fs::write(&file, "fifteen").expect("ours");
        assert!(!watch.look(), "it was");
        assert!(watch.look() && !watch.look(), "once");
        fs::remove_file(&file).expect("ours");
        assert!(!watch.look() && !watch.look(), "a file that is gone is no configuration");
        fs::write(&file, "fifteen").expect("ours");
        assert!(!watch.look());
        assert!(watch.look(), "it was replaced");
        fs::remove_file(&file).expect("ours");
    }
}
