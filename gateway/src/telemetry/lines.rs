//! Lines under way from whoever makes them to a client that follows: a bounded number, and what found no room is counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};
use serde_json::Value;

/// Lines that wait for a slow client at most.
const ROOM: usize = 1024;

/// The end where lines go in. Clone it freely; the client is told of the end when the last one is dropped. Keep a line below
/// some 64 KiB: a client may hold 1,024 of them.
#[derive(Clone, Debug)]
pub struct Lines {
    into: Sender<Value>,
    shared: Arc<Shared>,
}

/// Why a line was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// The client is slower than the lines come. It is told how many it missed.
    Slow,
    /// The client has gone: nothing more needs to be made for it.
    Gone,
}

/// The end where they come out.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) from: Receiver<Value>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    missed: AtomicU64,
    why: OnceLock<String>,
}

impl Lines {
    /// Both ends.
    pub(super) fn new() -> (Self, Queue) {
        let (into, from) = bounded(ROOM);
        let shared = Arc::<Shared>::default();
        (Self { into, shared: Arc::clone(&shared) }, Queue { from, shared })
    }

    /// Sends a line without ever waiting.
    ///
    /// # Errors
    ///
    /// The line is lost: the client is slow, or gone.
    pub fn send(&self, line: Value) -> Result<(), Missed> {
        self.into.try_send(line).map_err(|refused| match refused {
            TrySendError::Full(_) => {
                self.shared.missed.fetch_add(1, Ordering::Relaxed);
                Missed::Slow
            }
            TrySendError::Disconnected(_) => Missed::Gone,
        })
    }

    /// Says why there will be no more lines; without it the client hears that the gateway is stopping.
    pub fn end(self, why: impl Into<String>) {
        let _ = self.shared.why.set(why.into());
    }
}

impl Queue {
    /// How many lines were missed since the last call.
    pub(super) fn missed(&self) -> u64 {
        self.shared.missed.swap(0, Ordering::Relaxed)
    }

    /// Why there are no more lines.
    pub(super) fn why(&self) -> String {
        self.shared.why.get().cloned().unwrap_or_else(|| "the gateway is stopping".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_client_holds_a_bounded_number_of_lines_and_the_rest_is_counted() {
        let (lines, queue) = Lines::new();
        for number in 0..ROOM + 5 {
            assert_eq!(lines.send(number.into()).is_ok(), number < ROOM);
        }
        assert_eq!((queue.from.len(), queue.missed(), queue.missed()), (ROOM, 5, 0));
        let other = lines.clone();
        lines.end("enough");
        assert!(queue.from.try_iter().count() == ROOM && queue.why() == "enough");
        drop(queue);
        assert_eq!(other.send(0.into()), Err(Missed::Gone));
    }
}
