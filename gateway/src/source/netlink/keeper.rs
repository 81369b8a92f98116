//! Which neighbour entries to ask the kernel for: a decision without sockets.

use std::collections::{BTreeSet, HashMap};

use super::codec::Entry;
use super::state::NextHop;

/// What is wanted, and what was asked for.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    wanted: BTreeSet<NextHop>,
    asked: BTreeSet<NextHop>,
}

/// Something to ask of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Resolve it, and keep it so.
    Keep(NextHop),
    /// Forget it.
    Remove(NextHop),
}

impl Wishes {
    /// Replaces the wishes.
    pub(super) fn want(&mut self, wanted: BTreeSet<NextHop>) {
        self.wanted = wanted;
    }

    /// What to ask for, given the kernel's entries. Static entries of the operator's are left alone, and so is whatever
    /// we did not ask for. An entry that the kernel does not manage (it is too old) is asked for again when it goes
    /// stale or fails.
    pub(super) fn actions(&self, entries: &HashMap<NextHop, Entry>) -> Vec<Action> {
        let fixed = |next_hop: &NextHop| entries.get(next_hop).is_some_and(|entry| entry.fixed);
        let idles = |next_hop: &NextHop| entries.get(next_hop).is_some_and(|entry| entry.idle && !entry.managed);
        let keep = self.wanted.iter().filter(|next_hop| !self.asked.contains(next_hop) || idles(next_hop));
        let remove = self.asked.difference(&self.wanted);
        let keep = keep.filter(|next_hop| !fixed(next_hop)).map(|next_hop| Action::Keep(*next_hop));
        keep.chain(remove.filter(|next_hop| !fixed(next_hop)).map(|next_hop| Action::Remove(*next_hop))).collect()
    }

    /// The kernel did it.
    pub(super) fn done(&mut self, action: Action) {
        match action {
            Action::Keep(next_hop) => self.asked.insert(next_hop),
            Action::Remove(next_hop) => self.asked.remove(&next_hop),
        };
    }

    /// The kernel has let go of it, perhaps because the link went down: what is wanted is asked for again.
    pub(super) fn vanished(&mut self, next_hop: NextHop) {
        self.asked.remove(&next_hop);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::PortId;

    const ENTRY: Entry = Entry { mac: None, fixed: false, managed: false, idle: false };

    fn hop(last: u8) -> NextHop {
        (PortId(0), [10, 0, 0, last].into())
    }

    fn wishes(hops: &[u8]) -> Wishes {
        let mut wishes = Wishes::default();
        wishes.want(hops.iter().map(|last| hop(*last)).collect());
        wishes
    }

    #[test]
    fn what_is_wanted_is_asked_for_once() {
        let mut wishes = wishes(&[1, 2]);
        assert_eq!(wishes.actions(&HashMap::new()), [Action::Keep(hop(1)), Action::Keep(hop(2))]);
        wishes.done(Action::Keep(hop(1)));
        wishes.done(Action::Keep(hop(2)));
        let entries = [(hop(1), Entry { managed: true, idle: true, ..ENTRY }), (hop(2), ENTRY)].into();
        assert_eq!(wishes.actions(&entries), []);
    }

    #[test]
    fn what_is_no_longer_wanted_is_removed() {
        let mut wishes = wishes(&[1]);
        wishes.done(Action::Keep(hop(1)));
        wishes.want(BTreeSet::new());
        let entries = [(hop(1), Entry { managed: true, ..ENTRY }), (hop(2), ENTRY)].into();
        assert_eq!(wishes.actions(&entries), [Action::Remove(hop(1))]);
        wishes.done(Action::Remove(hop(1)));
        assert_eq!(wishes.actions(&entries), []);
    }

    #[test]
    fn a_static_entry_is_never_touched() {
        let fixed = Entry { fixed: true, ..ENTRY };
        let mut wishes = wishes(&[1]);
        assert_eq!(wishes.actions(&[(hop(1), fixed)].into()), []);
        // Not even when it became static after we had asked for it.
        wishes.done(Action::Keep(hop(1)));
        wishes.want(BTreeSet::new());
        assert_eq!(wishes.actions(&[(hop(1), fixed)].into()), []);
    }

    #[test]
    fn an_entry_that_vanished_is_asked_for_again() {
        let mut wishes = wishes(&[1]);
        wishes.done(Action::Keep(hop(1)));
        // The kernel does not tell of an entry before it has something to say.
        assert_eq!(wishes.actions(&HashMap::new()), []);
        wishes.vanished(hop(1));
        assert_eq!(wishes.actions(&HashMap::new()), [Action::Keep(hop(1))]);
    }

    #[test]
    fn an_entry_that_an_old_kernel_does_not_manage_is_probed_when_it_idles() {
        let mut wishes = wishes(&[1]);
        assert_eq!(wishes.actions(&[(hop(1), ENTRY)].into()), [Action::Keep(hop(1))]);
        wishes.done(Action::Keep(hop(1)));
        assert_eq!(wishes.actions(&[(hop(1), ENTRY)].into()), []);
        assert_eq!(wishes.actions(&[(hop(1), Entry { idle: true, ..ENTRY })].into()), [Action::Keep(hop(1))]);
    }

    #[test]
    fn what_went_by_itself_and_is_not_wanted_is_forgotten() {
        let mut wishes = wishes(&[1]);
        wishes.done(Action::Keep(hop(1)));
        wishes.vanished(hop(1));
        wishes.want(BTreeSet::new());
        // An entry of the same address that the kernel makes later is not ours.
        assert_eq!(wishes.actions(&[(hop(1), ENTRY)].into()), []);
    }
}
