//! Signals as events.

use std::thread;
use std::time::{Duration, Instant};

use gateway::rights;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

/// How long the gateway may take to stop before another signal ends it by force.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// SIGTERM or SIGINT.
    Stop,
    /// SIGHUP.
    Reload,
}

/// Catches signals until dropped.
pub struct Watch {
    handle: Handle,
    thread: Option<thread::JoinHandle<()>>,
}

impl Watch {
    /// Calls `tell` for each signal, on a thread of its own. Another request to stop ends the process at once when the
    /// first was not followed for long. (One alone may arrive twice: from a shell and from whoever started it.)
    pub fn start(tell: impl Fn(Wish) + Send + 'static) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("cannot catch signals ({error})");
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(failed)?;
        let handle = signals.handle();
        let follow = move || {
            rights::keep(rights::NONE);
            let mut stopping: Option<Instant> = None;
            for signal in signals.forever() {
                match signal {
                    SIGHUP => tell(Wish::Reload),
                    _ if stopping.is_some_and(|since| since.elapsed() > PATIENCE) => std::process::exit(128 + signal),
                    _ => {
                        stopping.get_or_insert_with(Instant::now);
                        tell(Wish::Stop);
                    }
                }
            }
        };
        let thread = thread::Builder::new().name("signals".into()).spawn(follow).map_err(failed)?;
        Ok(Self { handle, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
