//! MACs that move to and fro: a loop behind our places, or two stations with one address.
//!
//! Each move is right by itself (CONFORMANCE L2d); so many of them are not, and the one who looks for lost frames should
//! hear of it. Counted are the moves of a bounded number of MACs, in one window of time after another.

use super::Nanos;
use super::hash::QuickMap;
use crate::tables::{FdbKey, Place};

/// How long moves are counted together.
pub const WINDOW: Nanos = 5_000_000_000;
/// Moves of one MAC in that time that are too many: a station, or a VM that migrates, moves once.
const MANY: u32 = 10;
/// MACs that are counted at once. A loop moves all that there are; some of them tell of it.
const COUNTED: usize = 1024;

/// What a MAC did in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moves {
    /// How often it moved.
    pub count: u32,
    /// Where it was before its last move.
    pub from: Place,
    /// Where it went then.
    pub to: Place,
}

/// Counts moves.
#[derive(Debug, Default)]
pub struct Movers {
    counts: QuickMap<FdbKey, Moves>,
    since: Nanos,
    restless: Vec<(FdbKey, Moves)>,
}

impl Movers {
    /// A MAC has moved.
    pub fn note(&mut self, key: FdbKey, from: Place, to: Place) {
        if let Some(moves) = self.counts.get_mut(&key) {
            *moves = Moves { count: moves.count.saturating_add(1), from, to };
        } else if self.counts.len() < COUNTED {
            self.counts.insert(key, Moves { count: 1, from, to });
        }
    }

    /// Time passes: now and then a window ends.
    pub fn tick(&mut self, now: Nanos) {
        if now.saturating_sub(self.since) >= WINDOW {
            self.since = now;
            self.restless = self.counts.drain().filter(|(_, moves)| moves.count >= MANY).collect();
            self.restless.sort_unstable_by_key(|(key, moves)| (std::cmp::Reverse(moves.count), *key));
        }
    }

    /// Those that moved too often in the last window, the most restless first.
    pub fn restless(&self) -> &[(FdbKey, Moves)] {
        &self.restless
    }
}
