//! The authority on where MACs are. Cores report what they see; this rules, and every core hears the ruling.
//!
//! - The operator's entries win over a controller's, and those over learned ones; no frame moves or ages them
//!   (CONFORMANCE L2f).
//! - A learned MAC is where it was last seen: the last report taken wins, for every core alike (L2d). The same MAC in two
//!   segments is two MACs (ISO2).
//! - A learned MAC that no core has used as a source for its segment's ageing time is forgotten (L2o).
//! - Beyond a limit of the segment, the port or the attachment nothing is learned; what is known stays (L2k).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::hash_map::Entry;

use super::Nanos;
use super::hash::QuickMap;
use super::layout::Layout;
use super::limits::Limits;
use super::movers::Movers;
use crate::tables::{FdbEntry, FdbKey, Origin, Place};

/// Most MACs forgotten in one call of [`Authority::age`]; the rest follow in the next.
const FORGOTTEN_AT_ONCE: usize = 16_384;

/// What is known of a MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it is.
    pub place: Place,
    /// Who says so; never [`Origin::Fresh`].
    pub origin: Origin,
    /// A controller's that a frame on one of our ports moves there (EVPN mobility, RFC 7432 section 15).
    pub moves: bool,
    /// When a core last reported it, for learned ones.
    pub seen: Nanos,
    /// When the ageing queue looks at it next; `Nanos::MAX` never.
    due: Nanos,
}

impl Record {
    /// True for what nobody but frames said.
    pub fn is_learned(&self) -> bool {
        self.origin == Origin::Learned
    }

    /// What a core is to have. It moves what may move as it moves what was learned.
    pub fn entry(&self) -> FdbEntry {
        FdbEntry::at(self.place, if self.moves { Origin::Learned } else { self.origin })
    }
}

/// The authoritative FDB of all segments.
///
/// Functions that change where MACs are append the keys to a list: every core must hear of each, also where the truth
/// is as before, because the core that reported has put in something of its own.
#[derive(Debug, Default)]
pub struct Authority {
    records: QuickMap<FdbKey, Record>,
    /// Controller entries that stand behind the operator's.
    behind: QuickMap<FdbKey, (Place, bool)>,
    layout: Layout,
    limits: Limits,
    movers: Movers,
    queue: BinaryHeap<Reverse<(Nanos, FdbKey)>>,
}

impl Authority {
    /// A core has seen a MAC as a source at a place where it did not expect it.
    pub fn learn(&mut self, key: FdbKey, place: Place, now: Nanos, news: &mut Vec<FdbKey>) {
        news.push(key);
        if !self.layout.has(key, place) || !self.layout.learns(key, place) {
            return;
        }
        let known = self.records.get(&key).copied();
        let may = match known {
            Some(record) if record.origin > Origin::Learned && !record.moves => false,
            Some(record) if record.place == place && record.moves => false,
            Some(record) if record.origin == Origin::Learned => {
                self.limits.may_move(record.place.endpoint(), place.endpoint())
            }
            _ => !self.limits.segment_is_full(key.segment()) && !self.limits.endpoint_is_full(place.endpoint()),
        };
        if !may {
            return;
        }
        match known {
            Some(record) if record.place == place => {
                self.records.insert(key, Record { seen: now, ..record });
            }
            Some(record) => {
                self.movers.note(key, record.place, place);
                self.relocate(key, record, place, now);
            }
            None => self.insert(key, place, Origin::Learned, now),
        }
    }

    /// A MAC is seen elsewhere. A learned one keeps its turn in the ageing queue: thousands of moves a second, as a loop
    /// makes them, must not fill it.
    fn relocate(&mut self, key: FdbKey, old: Record, place: Place, now: Nanos) {
        if !old.is_learned() {
            self.remove(key);
            return self.insert(key, place, Origin::Learned, now);
        }
        self.limits.count(key.segment(), old.place.endpoint(), true, false);
        self.limits.count(key.segment(), place.endpoint(), true, true);
        self.records.insert(key, Record { place, seen: now, ..old });
    }

    /// A core has used a learned MAC as a source in a new age epoch.
    pub fn touch(&mut self, key: FdbKey, now: Nanos) {
        if let Some(record) = self.records.get_mut(&key)
            && record.origin == Origin::Learned
        {
            record.seen = now;
        }
    }

    /// A controller says where a MAC is (`None`: it no longer does). `moves`: a frame on a port of ours moves it there.
    pub fn assign(&mut self, key: FdbKey, place: Option<Place>, moves: bool, news: &mut Vec<FdbKey>) {
        let known = self.records.get(&key).copied();
        if known.is_some_and(|record| record.origin == Origin::Static) {
            match place {
                Some(place) => self.behind.insert(key, (place, moves)),
                None => self.behind.remove(&key),
            };
            return;
        }
        match place {
            Some(place)
                if known.is_some_and(|known| {
                    (known.origin, known.place, known.moves) == (Origin::Controller, place, moves)
                }) =>
            {
                return;
            }
            Some(place) if self.layout.has(key, place) => {
                self.remove(key);
                self.insert(key, place, Origin::Controller, 0);
                if let Some(record) = self.records.get_mut(&key) {
                    record.moves = moves;
                }
            }
            _ if known.is_some_and(|record| record.origin == Origin::Controller) => self.remove(key),
            _ => return,
        }
        news.push(key);
    }

    /// The operator says while running where a MAC is (`None`: no longer). Not for those that the configuration has.
    pub fn fix(&mut self, key: FdbKey, place: Option<Place>, news: &mut Vec<FdbKey>) {
        if let Some(record) = self.records.get(&key).filter(|record| record.origin == Origin::Controller) {
            self.behind.insert(key, (record.place, record.moves));
        }
        self.remove(key);
        news.push(key);
        match place {
            Some(place) => self.insert(key, place, Origin::Static, 0),
            None => {
                if let Some((place, moves)) = self.behind.remove(&key) {
                    self.assign(key, Some(place), moves, news);
                }
            }
        }
    }

    /// Who moved too often lately.
    pub fn movers(&self) -> &Movers {
        &self.movers
    }

    /// Forgets learned MACs that were not used for their segment's ageing time.
    pub fn age(&mut self, now: Nanos, news: &mut Vec<FdbKey>) {
        self.movers.tick(now);
        let mut forgotten = 0;
        while let Some(&Reverse((due, key))) = self.queue.peek()
            && due <= now
            && forgotten < FORGOTTEN_AT_ONCE
        {
            self.queue.pop();
            let Some(record) = self.records.get(&key).filter(|record| record.due == due) else { continue };
            match self.deadline(key, record.seen) {
                Some(deadline) if deadline <= now => {
                    self.remove(key);
                    news.push(key);
                    forgotten += 1;
                }
                deadline => self.enqueue(key, deadline),
            }
        }
    }

    fn deadline(&self, key: FdbKey, seen: Nanos) -> Option<Nanos> {
        Some(seen.saturating_add(self.layout.segment(key.segment())?.patience()?))
    }

    fn enqueue(&mut self, key: FdbKey, deadline: Option<Nanos>) {
        if let Some(record) = self.records.get_mut(&key) {
            record.due = deadline.unwrap_or(Nanos::MAX);
            if let Some(due) = deadline {
                self.queue.push(Reverse((due, key)));
            }
        }
    }

    /// Forgets these MACs (CONFORMANCE L2l: others stay).
    pub fn forget(&mut self, keys: &[FdbKey], news: &mut Vec<FdbKey>) {
        keys.iter().for_each(|&key| self.remove(key));
        news.extend_from_slice(keys);
    }

    fn remove_where(&mut self, which: impl Fn(FdbKey, &Record) -> bool, news: &mut Vec<FdbKey>) {
        let from = news.len();
        news.extend(self.records.iter().filter(|(key, record)| which(**key, record)).map(|(&key, _)| key));
        for &key in &news[from..] {
            self.remove(key);
        }
    }

    /// Goes over to the rules of a new configuration: entries of what is gone go, all others stay (CONFORMANCE CTL2).
    /// `statics` are all of the operator's entries; `None` leaves them as they are.
    ///
    /// Where the ageing time differs, learned MACs start anew: what cores have reported so far was timed by the old one.
    pub fn arrange(
        &mut self,
        layout: Layout,
        statics: Option<&QuickMap<FdbKey, Place>>,
        now: Nanos,
        news: &mut Vec<FdbKey>,
    ) {
        let stays = |key: FdbKey, record: &Record| match (record.origin, statics) {
            (Origin::Static, Some(statics)) => statics.get(&key) == Some(&record.place),
            (Origin::Static, None) => true,
            (Origin::Controller, _) => layout.has(key, record.place),
            _ => layout.has(key, record.place) && layout.learns(key, record.place),
        };
        if statics.is_some() || !self.layout.is_within(&layout) {
            self.remove_where(|key, record| !stays(key, record), news);
        }
        self.limits.arrange(&layout);
        let old = std::mem::replace(&mut self.layout, layout);
        if !self.layout.ages_like(&old) {
            self.requeue(&old, now);
        }
        if let Some(statics) = statics {
            self.set_statics(statics, news);
        }
    }

    fn set_statics(&mut self, statics: &QuickMap<FdbKey, Place>, news: &mut Vec<FdbKey>) {
        self.records.reserve(statics.len().saturating_sub(self.records.len()));
        for (&key, &place) in statics {
            let new = Record { place, origin: Origin::Static, moves: false, seen: 0, due: Nanos::MAX };
            let before = match self.records.entry(key) {
                Entry::Occupied(known) if known.get().origin == Origin::Static => continue,
                Entry::Occupied(mut known) => Some(known.insert(new)),
                Entry::Vacant(vacant) => {
                    vacant.insert(new);
                    None
                }
            };
            if let Some(before) = before {
                if before.origin == Origin::Controller {
                    self.behind.insert(key, (before.place, before.moves));
                }
                self.limits.count(key.segment(), before.place.endpoint(), before.is_learned(), false);
            }
            self.limits.count(key.segment(), place.endpoint(), false, true);
            news.push(key);
        }
        let Self { behind, layout, .. } = self;
        behind.retain(|&key, (place, _)| layout.has(key, *place));
        let uncovered: Vec<_> = self.behind.keys().copied().filter(|key| !statics.contains_key(key)).collect();
        for key in uncovered {
            if let Some((place, moves)) = self.behind.remove(&key) {
                self.assign(key, Some(place), moves, news);
            }
        }
    }

    fn requeue(&mut self, old: &Layout, now: Nanos) {
        self.queue.clear();
        let Self { records, layout, queue, .. } = self;
        for (&key, record) in records.iter_mut().filter(|(_, record)| record.origin == Origin::Learned) {
            let Some(rules) = layout.segment(key.segment()) else { continue };
            if old.segment(key.segment()).is_none_or(|old| old.ageing != rules.ageing) {
                record.seen = now;
            }
            let deadline = rules.patience().map(|patience| record.seen.saturating_add(patience));
            record.due = deadline.unwrap_or(Nanos::MAX);
            queue.extend(deadline.map(|due| Reverse((due, key))));
        }
    }

    fn insert(&mut self, key: FdbKey, place: Place, origin: Origin, now: Nanos) {
        let learned = origin == Origin::Learned;
        self.records.insert(key, Record { place, origin, moves: false, seen: now, due: Nanos::MAX });
        self.limits.count(key.segment(), place.endpoint(), learned, true);
        if learned {
            self.enqueue(key, self.deadline(key, now));
        }
    }

    fn remove(&mut self, key: FdbKey) {
        if let Some(record) = self.records.remove(&key) {
            let learned = record.origin == Origin::Learned;
            self.limits.count(key.segment(), record.place.endpoint(), learned, false);
        }
    }

    /// What cores are to have for a MAC; `None`: nothing.
    pub fn entry(&self, key: FdbKey) -> Option<FdbEntry> {
        self.records.get(&key).map(Record::entry)
    }

    /// What is known of a MAC.
    pub fn record(&self, key: FdbKey) -> Option<&Record> {
        self.records.get(&key)
    }

    /// All that is known, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (FdbKey, &Record)> {
        self.records.iter().map(|(&key, record)| (key, record))
    }

    /// How many MACs are known.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True when none is known.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Counts and limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The rules in force.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Counts and limits, to settle them, and the rules in force.
    pub fn limits_and_layout(&mut self) -> (&mut Limits, &Layout) {
        (&mut self.limits, &self.layout)
    }
}

#[cfg(test)]
mod tests {
    use crate::control::testing::{Gateway, SECOND};

    const YAML: &str = "version: 1\nworkers: {cores: [1]}\nvtep: {source: 10.0.0.11}\nports:\n  - {name: a, device: \
                        net_null0, vlans: [{vlan: 10, vni: 1}]}\n  - {name: b, device: net_null1, vlans: [{vlan: 10, \
                        vni: 1}]}\nvnis: [{vni: 1, learning: {ageing: 40}}]\n";

    #[test]
    fn a_mac_that_moves_and_moves_takes_one_place_in_the_queue_and_ages_when_it_rests() {
        let mut gateway = Gateway::new(YAML);
        let key = gateway.key("1", 1);
        let places = [gateway.attachment("a", "10"), gateway.attachment("b", "10")];
        for number in 0..1000 {
            gateway.see(0, key, places[number % 2]);
            gateway.now += SECOND / 100;
        }
        assert_eq!(gateway.control.fdb.queue.len(), 1);
        let limits = gateway.control.fdb.limits();
        assert_eq!(places.map(|place| limits.at_endpoint(place)), [0, 1]);
        gateway.pass(30);
        assert!(gateway.agreed(key).is_some(), "it was seen within its ageing time");
        gateway.pass(60);
        assert_eq!(gateway.agreed(key), None);
    }
}
