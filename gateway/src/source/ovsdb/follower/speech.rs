//! What is ours in the database is said group by group, one transaction at a time: what differs is sent, what is refused
//! is tried again later. Pure.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use super::super::publish::{Group, Scene, publish};
use super::super::transaction::Transaction;

/// First pause before a transaction that was refused is tried again, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(30));

/// What was said, and what is still to be said.
#[derive(Debug, Default)]
pub struct Speech {
    /// Something may have to be said.
    pub unsaid: bool,
    under_way: Option<(Group, u64)>,
    later: HashMap<Group, Later>,
    /// What was said last and taken.
    last: HashMap<Group, u64>,
}

/// A transaction that must wait.
#[derive(Clone, Copy, Debug)]
struct Later {
    until: Instant,
    pause: Duration,
}

impl Speech {
    /// The first group that has something to say, with what it says.
    pub fn next(&mut self, scene: Scene<'_>, now: Instant) -> Option<(Group, Transaction)> {
        if self.under_way.is_some() || !self.unsaid {
            return None;
        }
        let mut waiting = false;
        for group in Group::ALL {
            if self.later.get(&group).is_some_and(|later| now < later.until) {
                waiting = true;
                continue;
            }
            let transaction = publish(group, scene);
            if transaction.is_empty() {
                continue;
            }
            let fingerprint = fingerprint(&transaction);
            if self.last.remove(&group) == Some(fingerprint) {
                // It was taken and changed nothing: do not say it over and over.
                self.wait(group, now);
                waiting = true;
                continue;
            }
            self.under_way = Some((group, fingerprint));
            return Some((group, transaction));
        }
        self.unsaid = waiting;
        None
    }

    /// The answer to what was said.
    pub fn done(&mut self, group: Group, is_taken: bool, now: Instant) {
        let Some((_, fingerprint)) = self.under_way.take() else { return };
        self.unsaid = true;
        if !is_taken {
            return self.wait(group, now);
        }
        self.later.remove(&group);
        self.last.insert(group, fingerprint);
    }

    /// True when nothing is under way.
    pub fn is_silent(&self) -> bool {
        self.under_way.is_none()
    }

    /// When something may be said again.
    pub fn next_turn(&self) -> Option<Instant> {
        let idle = self.under_way.is_none() && self.unsaid;
        self.later.values().map(|later| later.until).min().filter(|_| idle)
    }

    fn wait(&mut self, group: Group, now: Instant) {
        let pause = self.later.get(&group).map_or(RETRY.0, |later| (later.pause * 2).min(RETRY.1));
        self.later.insert(group, Later { until: now + pause, pause });
    }
}

fn fingerprint(transaction: &Transaction) -> u64 {
    let mut hasher = DefaultHasher::new();
    serde_json::Value::from(transaction.operations()).to_string().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::super::super::publish::Ours;
    use super::super::super::wanted::Wanted;
    use super::*;
    use crate::source::ovsdb::testing::{database, delete, facts};

    /// A database that takes what we say and stays as it is (a trigger of an operator, a bug) hears it now and then, not
    /// without end.
    #[test]
    fn what_was_taken_and_changed_nothing_waits() {
        let (mut db, facts, wanted, ours) = (database(), facts(), Wanted::default(), Ours::default());
        delete(&mut db, "Physical_Port", "p2");
        let scene = Scene { replica: &db, facts: &facts, wanted: &wanted, ours: &ours };
        let (mut speech, start) = (Speech { unsaid: true, ..Speech::default() }, Instant::now());
        let (group, _) = speech.next(scene, start).expect("a port is missing");
        assert_eq!(group, Group::Switch);
        assert!(speech.next(scene, start).is_none() && !speech.is_silent(), "one at a time");
        speech.done(group, true, start);
        assert!(speech.next(scene, start).is_none_or(|(other, _)| other != group));
        let again = speech.later[&group].until;
        assert_eq!(again, start + RETRY.0);
    }
}
