//! VTEPs that nobody listed, met in segments that accept any sender (CONFORMANCE L2b, BUM6).

use std::collections::BTreeMap;

use super::Nanos;
use crate::tables::TunnelKey;

/// A stranger behind whom no MAC is known for this long is forgotten, so that forged senders do not use up the limit.
const PATIENCE: Nanos = 300 * 1_000_000_000;

/// Least time between two compilations for strangers' sake: a storm of forged senders must not keep control busy.
const PAUSE: Nanos = 100 * 1_000_000;

/// The strangers and when each was last of use.
#[derive(Debug, Default)]
pub struct Strangers {
    known: BTreeMap<TunnelKey, Nanos>,
    changed: bool,
    compiled: Option<Nanos>,
}

impl Strangers {
    /// Makes the acquaintance of one, unless there are `limit` already.
    pub fn meet(&mut self, key: TunnelKey, limit: usize, now: Nanos) {
        if self.known.len() < limit {
            self.changed |= self.known.insert(key, now).is_none();
        }
    }

    /// Forgets those that were of no use for long.
    pub fn age(&mut self, now: Nanos, is_useful: impl Fn(&TunnelKey) -> bool) {
        let before = self.known.len();
        self.known.retain(|key, used| {
            if is_useful(key) {
                *used = now;
            }
            now.saturating_sub(*used) < PATIENCE
        });
        self.changed |= self.known.len() != before;
    }

    /// Forgets those that `which` does not keep, without asking for a compilation.
    pub fn retain(&mut self, which: impl Fn(&TunnelKey) -> bool) {
        self.known.retain(|key, _| which(key));
    }

    /// True, once, when strangers came or went and it is time to compile.
    pub fn changed(&mut self, now: Nanos) -> bool {
        let is_time = self.compiled.is_none_or(|then| now.saturating_sub(then) >= PAUSE);
        let yes = self.changed && is_time;
        if yes {
            self.changed = false;
            self.compiled = Some(now);
        }
        yes
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = &TunnelKey> {
        self.known.keys()
    }

    /// True for a stranger.
    pub fn contains(&self, key: &TunnelKey) -> bool {
        self.known.contains_key(key)
    }
}
