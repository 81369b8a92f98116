//! What makes the gateway read its file again: `causeway reload`, SIGHUP, and a change of the file.
//!
//! The file is looked at once a second rather than watched through inotify: that costs a system call a second, and is right
//! for editors that replace the file, for symbolic links, configuration management and network file systems alike, where
//! events are not. A change counts when two looks in a row see the same, so a file that is half written is left alone.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use config::types::Reload;
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use gateway::complain;
use gateway::rights;
use serde_json::json;

use super::ask::Orders;
use super::unfit::NotTaken;
use crate::run::desk::{Answer, Message};
use crate::run::warn_of;

/// Between two looks at the file.
const LOOK: Duration = Duration::from_secs(1);

/// What comes to the thread that reads the file.
pub enum Wish {
    /// SIGHUP came.
    Signal,
    /// Somebody asks for it, and waits for what came of it.
    Ask(Sender<Answer>),
    /// Another configuration is in force, or the last one was confirmed; with these triggers.
    Settings(Reload),
}

/// Starts the thread that reads `file` when it should. It ends when the last sender is dropped.
pub fn start(file: &Path, settings: Reload, tell: Sender<Message>) -> Result<Sender<Wish>, String> {
    let (wish, wishes) = unbounded();
    let own = Own { file: file.to_owned(), orders: Orders(tell), watch: Watch::new(file), is_in_force: true };
    let follow = move || {
        rights::keep(rights::NONE);
        follow(own, settings, &wishes);
    };
    let spawned = thread::Builder::new().name("reload".into()).spawn(follow);
    spawned.map(|_| wish).map_err(|error| format!("cannot start the thread that reads the configuration ({error})"))
}

fn follow(mut own: Own, mut settings: Reload, wishes: &Receiver<Wish>) {
    loop {
        match wishes.recv_timeout(LOOK) {
            Ok(Wish::Signal) if settings.signal => drop(own.reload("SIGHUP")),
            Ok(Wish::Signal) => {
                let cure = "use 'causeway reload', or set reload.signal to true";
                complain!(warn, "SIGHUP changes nothing, as the configuration says", cure; reload_signal = false);
            }
            // Who asked may have gone.
            Ok(Wish::Ask(reply)) => drop(reply.send(own.reload("'causeway reload'"))),
            Ok(Wish::Settings(new)) => {
                settings = new;
                own.look_again();
            }
            Err(RecvTimeoutError::Timeout) => match own.watch.look() {
                true if settings.watch => drop(own.reload("the file has changed")),
                true => own.look_again(),
                false => {}
            },
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// The gateway's own file.
struct Own {
    file: PathBuf,
    orders: Orders,
    watch: Watch,
    /// When it was last read it could be taken.
    is_in_force: bool,
}

impl Own {
    /// Puts it in force; what comes of it goes to the log, to the desk, and to who asked.
    fn reload(&mut self, why: &str) -> Answer {
        let began = Instant::now();
        // What this reads need not be read again because it is new.
        self.watch.taken = print(&self.file);
        if self.orders.0.send(Message::Reloading).is_err() {
            return Err("the gateway is stopping".into());
        }
        let done = self.orders.reload(&self.file);
        match &done {
            Ok(report) => warn_of(&self.file, &report.warnings),
            Err(NotTaken::Restart(report)) => warn_of(&self.file, &report.warnings),
            Err(NotTaken::Wrong(problems)) => eprintln!("{problems}"),
            Err(NotTaken::Refused(_)) => {}
        }
        if let Err(not_taken) = &done {
            complain!(
                error,
                format_args!("{why}, but the configuration that runs stays in force"),
                not_taken.cure();
                file = self.file.display(), error = not_taken.why(&self.file)
            );
        }
        self.tell(done.as_ref().err());
        let mut answer = match done {
            Ok(report) => json!(report),
            Err(NotTaken::Wrong(problems)) => {
                return Err(format!("the configuration that runs stays in force:\n{problems}"));
            }
            Err(NotTaken::Refused(why)) => return Err(why),
            Err(NotTaken::Restart(report)) => {
                let mut answer = json!(report);
                answer["refusal"] = json!(report.refusal(&self.file.display().to_string()));
                answer
            }
        };
        answer["file"] = json!(self.file.display().to_string());
        answer["took_ms"] = json!(began.elapsed().as_millis() as u64);
        Ok(answer)
    }

    /// The last time it could not be taken; that may be otherwise by now. Changes nothing.
    fn look_again(&mut self) {
        if !self.is_in_force {
            let examined = self.orders.examine(&self.file);
            self.tell(examined.err().as_ref());
        }
    }

    fn tell(&mut self, not_taken: Option<&NotTaken>) {
        self.is_in_force = not_taken.is_none();
        let problem = not_taken.map(|why| Box::new(why.problem(&self.file)));
        let _ = self.orders.0.send(Message::Reloaded(problem));
    }
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
