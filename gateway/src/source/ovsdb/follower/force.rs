//! What of the database is in force: what it wants, and for a while what a database wanted that was lost. Pure.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use super::super::wanted::Wanted;
use crate::control::overlay::Change;

/// MACs told to control at once.
const MACS: usize = 8192;

/// What is in force.
#[derive(Debug, Default)]
pub struct Force {
    /// What the database wants; without what is kept of before.
    pub wanted: Wanted,
    /// What control has.
    pub in_force: Wanted,
    kept: Option<Kept>,
    is_stale: bool,
}

/// What a lost database wanted.
#[derive(Debug)]
struct Kept {
    wanted: Wanted,
    since: Instant,
    /// Until when that holds.
    until: Option<Instant>,
}

impl Force {
    /// The database wants this.
    pub fn want(&mut self, wanted: Wanted) -> Vec<Change> {
        self.wanted = wanted;
        let mut all = self.wanted.clone();
        match &self.kept {
            // What never expires goes once the new database says something.
            Some(Kept { until: None, .. }) if !all.segments.is_empty() => self.kept = None,
            Some(kept) => all.keep(&kept.wanted),
            None => {}
        }
        self.put(all)
    }

    /// The database is gone. What it wanted holds for `stale`, or for ever.
    pub fn lost(&mut self, stale: Option<Duration>, now: Instant) -> Vec<Change> {
        let until = stale.map(|stale| now + stale);
        self.kept = Some(Kept { wanted: self.in_force.clone(), since: now, until });
        self.mark().into_iter().collect()
    }

    /// A database was read for the first time since; a blank one is filled again piece by piece. [`Self::want`] follows.
    pub fn read(&mut self, is_blank: bool, stale: Option<Duration>, now: Instant) {
        match &mut self.kept {
            Some(kept) if is_blank => (kept.since, kept.until) = (now, stale.map(|stale| now + stale)),
            _ => self.kept = None,
        }
    }

    /// What is kept is to be kept for this long, from when it was lost.
    pub fn expire(&mut self, stale: Option<Duration>, now: Instant) {
        if let Some(kept) = &mut self.kept {
            kept.until = stale.map(|stale| (kept.since + stale).max(now));
        }
    }

    /// True when what was kept is to be kept no longer.
    pub fn is_overdue(&self, now: Instant) -> bool {
        self.until().is_some_and(|until| now >= until)
    }

    /// Forgets what was kept; `wanted` is what the database wants, if there is one.
    pub fn sweep(&mut self, wanted: Option<Wanted>) -> Vec<Change> {
        self.kept = None;
        self.want(wanted.unwrap_or_default())
    }

    /// True while something is in force that a lost database wanted.
    pub fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// When what was kept is forgotten.
    pub fn until(&self) -> Option<Instant> {
        self.kept.as_ref()?.until
    }

    /// What control is to hear so that `wanted` is in force.
    fn put(&mut self, wanted: Wanted) -> Vec<Change> {
        let before = std::mem::replace(&mut self.in_force, wanted);
        let new = &self.in_force;
        let segments = Some(new.overlay()).filter(|segments| *segments != before.overlay());
        let macs = differences(&before.macs, &new.macs);
        let neighbours = differences(&before.neighbours, &new.neighbours)
            .into_iter()
            .map(|((number, address), mac)| (number, address, mac))
            .collect();
        let macs: Vec<_> = macs.into_iter().map(|((number, mac), vtep)| (number, mac, vtep.map(Into::into))).collect();
        let mut pieces = macs.chunks(MACS);
        let first = pieces.next().unwrap_or_default().to_vec();
        let mut changes = vec![Change { segments, macs: first, neighbours, stale: None }];
        changes.extend(pieces.map(|piece| Change { macs: piece.to_vec(), ..Change::default() }));
        changes.extend(self.mark());
        changes.retain(|change| !change.is_empty());
        changes
    }

    /// Tells whether it is stale, when that changed.
    fn mark(&mut self) -> Option<Change> {
        let stale = self.kept.is_some() && !self.in_force.segments.is_empty();
        let changed = std::mem::replace(&mut self.is_stale, stale) != stale;
        changed.then(|| Change { stale: Some(stale), ..Change::default() })
    }
}

/// What is other in `new` than in `old`; `None` is not there any more.
fn differences<K: Copy + Eq + Hash, V: Copy + Eq>(old: &HashMap<K, V>, new: &HashMap<K, V>) -> Vec<(K, Option<V>)> {
    let came = new.iter().filter(|(key, value)| old.get(key) != Some(value)).map(|(&key, &value)| (key, Some(value)));
    let went = old.keys().filter(|key| !new.contains_key(key)).map(|&key| (key, None));
    came.chain(went).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::ovsdb::testing::{database, facts, put};
    use serde_json::json;

    const MINUTE: Duration = Duration::from_secs(60);

    /// One segment, and another number of it.
    fn wanted(key: i64) -> Wanted {
        let mut db = database();
        put(&mut db, "Logical_Switch", "ls", json!({"name": "ls", "tunnel_key": key}));
        Wanted::of(&db, &facts()).expect("the switch is there")
    }

    fn numbers(force: &Force) -> Vec<u32> {
        force.in_force.segments.keys().map(|number| number.vni.value()).collect()
    }

    fn marks(changes: &[Change]) -> Vec<bool> {
        changes.iter().filter_map(|change| change.stale).collect()
    }

    #[test]
    fn what_a_lost_database_wanted_holds_until_it_is_swept() {
        let (mut force, now) = (Force::default(), Instant::now());
        assert_eq!(force.want(wanted(7)).len(), 1);
        assert!(force.want(wanted(7)).is_empty(), "nothing differs");
        assert_eq!(marks(&force.lost(Some(MINUTE), now)), [true]);
        assert!(force.is_stale() && !force.is_overdue(now));
        assert!(force.is_overdue(now + MINUTE));
        let swept = force.sweep(None);
        assert_eq!((marks(&swept), numbers(&force)), (vec![false], vec![]));
        assert_eq!(swept[0].segments.as_deref(), Some(&[][..]));
    }

    #[test]
    fn the_same_database_replaces_what_was_kept_and_a_blank_one_does_not() {
        let (mut force, now) = (Force::default(), Instant::now());
        force.want(wanted(7));
        force.lost(Some(MINUTE), now);
        force.read(true, Some(MINUTE), now + MINUTE);
        assert!(!force.is_overdue(now + MINUTE), "it counts from when the blank one came");
        assert!(force.want(Wanted::default()).is_empty());
        force.want(wanted(8));
        assert_eq!(numbers(&force), [7, 8], "what does not contradict it stays");
        force.read(false, Some(MINUTE), now);
        assert_eq!(marks(&force.want(wanted(8))), [false]);
        assert_eq!(numbers(&force), [8]);
    }

    #[test]
    fn what_never_expires_holds_until_a_new_database_says_something() {
        let (mut force, now) = (Force::default(), Instant::now());
        force.want(wanted(7));
        force.lost(None, now);
        force.read(true, None, now);
        force.want(Wanted::default());
        assert_eq!((numbers(&force), force.is_stale(), force.until()), (vec![7], true, None));
        force.want(wanted(8));
        assert_eq!((numbers(&force), force.is_stale()), (vec![8], false));
    }

    #[test]
    fn how_long_it_holds_may_change_meanwhile() {
        let (mut force, now) = (Force::default(), Instant::now());
        force.expire(Some(MINUTE), now);
        force.want(wanted(7));
        force.lost(None, now);
        force.expire(Some(2 * MINUTE), now + MINUTE);
        assert_eq!(force.until(), Some(now + 2 * MINUTE), "it counts from the loss");
        force.expire(Some(MINUTE / 2), now + MINUTE);
        assert!(force.is_overdue(now + MINUTE));
    }
}
