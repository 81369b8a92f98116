//! Signs of life. A worker that hangs (in a driver, in a loop without end) cannot say so; that it is silent says it.
//!
//! Every worker writes the time that it has just read into a place of its own, a line of the cache that nobody else
//! writes and control reads twice a second: once in sixteen turns one store. Control tells who has stopped and who moves
//! again, and a service manager is only told that all is well while all of them move.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::utils::CachePadded;
use gateway::control::Nanos;

/// Silence after which a worker counts as stuck. It sleeps a tenth of a second at most and turns in microseconds.
pub const SILENCE: Nanos = 2_000_000_000;
/// When control itself looks so late, no worker is blamed: the whole process may have stood still.
const LATE: Nanos = SILENCE / 2;

/// The pulse of a worker; clones are of the same.
#[derive(Clone, Default)]
pub struct Pulse(Arc<CachePadded<AtomicU64>>);

impl Pulse {
    /// The worker moves, at `now`.
    #[inline]
    pub fn beat(&self, now: Nanos) {
        self.0.store(now.max(1), Ordering::Relaxed);
    }

    /// When it moved last; `None` before it ever did.
    fn last(&self) -> Option<Nanos> {
        Some(self.0.load(Ordering::Relaxed)).filter(|&last| last != 0)
    }
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It has not moved for so long.
    Stuck {
        /// Its core.
        core: u16,
        /// Nanoseconds since its last sign of life.
        silent: Nanos,
    },
    /// It moves again.
    Moves {
        /// Its core.
        core: u16,
        /// Nanoseconds that it did not.
        stood: Nanos,
    },
    /// The whole process stood still.
    Paused {
        /// Nanoseconds.
        stood: Nanos,
    },
}

/// Watches the pulses of all workers.
pub struct Pulses {
    workers: Vec<Worker>,
    looked: Nanos,
    /// CPU time of the process then.
    used: Nanos,
}

struct Worker {
    core: u16,
    pulse: Pulse,
    /// Its last sign of life before it stopped.
    stuck_since: Option<Nanos>,
}

impl Pulses {
    /// A pulse for the worker of each core.
    pub fn new(cores: &[u16]) -> Self {
        let worker = |&core| Worker { core, pulse: Pulse::default(), stuck_since: None };
        Self { workers: cores.iter().map(worker).collect(), looked: 0, used: 0 }
    }

    /// The pulse of a worker, for its thread.
    pub fn of(&self, worker: usize) -> Pulse {
        self.workers[worker].pulse.clone()
    }

    /// What changed since the last look. `used` is the CPU time of the process so far: control may be late because it was
    /// busy, and then nothing stood still.
    pub fn look(&mut self, now: Nanos, used: Nanos) -> Vec<Change> {
        let away = now.saturating_sub(self.looked);
        let idle = used.saturating_sub(self.used) < away / 16;
        let paused = (self.looked > 0 && away > SILENCE && idle).then_some(Change::Paused { stood: away });
        (self.looked, self.used) = (now, used);
        let workers = self.workers.iter_mut().filter_map(|worker| worker.look(now, away > LATE));
        paused.into_iter().chain(workers).collect()
    }

    /// The cores whose workers do not move, with the time of their last sign of life.
    pub fn stuck(&self) -> impl Iterator<Item = (u16, Nanos)> {
        self.workers.iter().filter_map(|worker| Some((worker.core, worker.stuck_since?)))
    }
}

impl Worker {
    fn look(&mut self, now: Nanos, late: bool) -> Option<Change> {
        let last = self.pulse.last()?;
        let silent = now.saturating_sub(last);
        match self.stuck_since {
            None if silent > SILENCE && !late => {
                self.stuck_since = Some(last);
                Some(Change::Stuck { core: self.core, silent })
            }
            Some(since) if last > since => {
                self.stuck_since = None;
                Some(Change::Moves { core: self.core, stood: last - since })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = 1_000_000_000;

    /// Looks twice a second until `to`; returns all that changed.
    fn look_until(pulses: &mut Pulses, to: Nanos) -> Vec<Change> {
        let mut changes = Vec::new();
        while pulses.looked < to {
            changes.extend(pulses.look(pulses.looked + SECOND / 2, 0));
        }
        changes
    }

    #[test]
    fn a_worker_that_stops_is_told_once_and_so_is_its_return() {
        let mut pulses = Pulses::new(&[2, 3]);
        let (one, other) = (pulses.of(0), pulses.of(1));
        assert_eq!(look_until(&mut pulses, 10 * SECOND), [], "they have not started");
        one.beat(10 * SECOND);
        for second in 10..14 {
            other.beat(second * SECOND);
            let changes = look_until(&mut pulses, (second + 1) * SECOND);
            let stuck = Change::Stuck { core: 2, silent: 5 * SECOND / 2 };
            assert_eq!(changes, if second == 12 { vec![stuck] } else { vec![] }, "at {second} s");
        }
        assert_eq!(pulses.stuck().collect::<Vec<_>>(), [(2, 10 * SECOND)]);
        other.beat(14 * SECOND);
        one.beat(14 * SECOND);
        assert_eq!(look_until(&mut pulses, 15 * SECOND), [Change::Moves { core: 2, stood: 4 * SECOND }]);
        assert_eq!(pulses.stuck().count(), 0);
    }

    #[test]
    fn a_machine_that_was_paused_blames_nobody() {
        let mut pulses = Pulses::new(&[2]);
        let pulse = pulses.of(0);
        pulse.beat(SECOND);
        assert_eq!(look_until(&mut pulses, SECOND), []);
        let stood = 59 * SECOND;
        assert_eq!(pulses.look(60 * SECOND, SECOND), [Change::Paused { stood }], "control was away as well");
        pulse.beat(60 * SECOND);
        assert_eq!(look_until(&mut pulses, 61 * SECOND), []);
        assert_eq!(pulses.look(70 * SECOND, 9 * SECOND), [], "control was busy");
    }
}
