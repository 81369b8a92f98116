//! Numbers that stay: what a thing was called yesterday it is called after every reload.
//!
//! Cores keep numbers (in FDB entries, counters, reports under way) longer than control keeps the things. So a number
//! that was freed comes back only with another generation, or, where a number has no generation (segments), after all
//! others have been used.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::IpAddr;

use config::types::{Encap, Segment, Tag, Vni};

use crate::frame::PortId;
use crate::tables::{SegmentId, TunnelKey};

/// What makes a segment the same segment after a reload: its number in its own encapsulation (CONFORMANCE ISO4: the
/// same VNI in another encapsulation is another segment), or its name when it has no number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SegmentKey {
    /// By number.
    Vni(Encap, Vni),
    /// By name.
    Name(String),
}

impl SegmentKey {
    /// The identity of a segment.
    pub fn of(segment: &Segment) -> Self {
        let vxlan = segment.vxlan.map(|vni| Self::Vni(Encap::Vxlan, vni));
        let geneve = segment.geneve.map(|vni| Self::Vni(Encap::Geneve, vni));
        let key = match segment.encap {
            Encap::Vxlan => vxlan.or(geneve),
            Encap::Geneve => geneve.or(vxlan),
        };
        key.unwrap_or_else(|| Self::Name(segment.name.clone()))
    }
}

/// What makes an endpoint the same endpoint after a reload.
///
/// The segment belongs to an attachment's identity: tags that move to another VNI are a new endpoint with a new
/// generation, so no FDB entry of the old VNI can lead a frame into the new one (CONFORMANCE ISO1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndpointKey {
    /// Tags on a port, in a segment.
    Attachment(PortId, Tag, SegmentId),
    /// A remote VTEP.
    Tunnel(TunnelKey),
    /// An underlay multicast group, sent through a port.
    Group(TunnelKey, PortId),
}

impl EndpointKey {
    /// The VTEP or group, if it is one.
    pub fn remote(&self) -> Option<IpAddr> {
        match self {
            Self::Tunnel(key) | Self::Group(key, _) => Some(key.remote),
            Self::Attachment(..) => None,
        }
    }
}

#[derive(Debug)]
struct Slot<K> {
    key: Option<K>,
    generation: u8,
    named: bool,
}

/// Numbers for keys.
///
/// A round begins with [`Self::begin`] and names every key that is in use with [`Self::name`]; [`Self::sweep`] ends it and
/// frees the others.
#[derive(Debug)]
pub struct Ids<K> {
    numbers: HashMap<K, u32>,
    slots: Vec<Slot<K>>,
    free: VecDeque<u32>,
    fresh_below: usize,
}

impl<K: Clone + Eq + Hash> Ids<K> {
    /// The first `vacant` numbers are never given out; freed numbers come back once `fresh_below` have been used.
    pub fn new(vacant: usize, fresh_below: usize) -> Self {
        let slots = (0..vacant).map(|_| Slot { key: None, generation: 0, named: false }).collect();
        Self { numbers: HashMap::new(), slots, free: VecDeque::new(), fresh_below }
    }

    /// Begins a round.
    pub fn begin(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.named = false);
    }

    /// The number of `key` and its generation; a new one when it has none.
    pub fn name(&mut self, key: &K) -> (u32, u8) {
        let number = match self.numbers.get(key) {
            Some(&number) => number,
            None => self.assign(key),
        };
        let slot = &mut self.slots[number as usize];
        slot.named = true;
        (number, slot.generation)
    }

    /// Frees the number of `key`, between rounds.
    pub fn free(&mut self, key: &K) {
        if let Some(number) = self.numbers.remove(key) {
            self.slots[number as usize].key = None;
            self.free.push_back(number);
        }
    }

    fn assign(&mut self, key: &K) -> u32 {
        let used = if self.slots.len() < self.fresh_below { None } else { self.free.pop_front() };
        let number = match used {
            Some(number) => {
                let slot = &mut self.slots[number as usize];
                slot.generation = slot.generation.wrapping_add(1);
                slot.key = Some(key.clone());
                number
            }
            None => {
                self.slots.push(Slot { key: Some(key.clone()), generation: 0, named: false });
                self.slots.len() as u32 - 1
            }
        };
        self.numbers.insert(key.clone(), number);
        number
    }

    /// Frees every number that was not named in this round.
    pub fn sweep(&mut self) {
        for (number, slot) in self.slots.iter_mut().enumerate() {
            if !slot.named
                && let Some(key) = slot.key.take()
            {
                self.numbers.remove(&key);
                self.free.push_back(number as u32);
            }
        }
    }

    /// The generation of a number's next use: no entry of an earlier one has it.
    pub fn next_generation(&self, number: u32) -> u8 {
        self.slots.get(number as usize).map_or(0, |slot| slot.generation.wrapping_add(1))
    }

    /// The number of `key`.
    pub fn find(&self, key: &K) -> Option<u32> {
        self.numbers.get(key).copied()
    }

    /// What has this number now.
    pub fn key(&self, number: u32) -> Option<&K> {
        self.slots.get(number as usize)?.key.as_ref()
    }

    /// One more than the highest number ever given out.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// True before any number is given out or kept vacant.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_its_number_as_long_as_every_round_names_it() {
        let mut ids = Ids::new(1, 0);
        assert_eq!((ids.name(&"a"), ids.name(&"b"), ids.name(&"a")), ((1, 0), (2, 0), (1, 0)));
        ids.sweep();
        ids.begin();
        assert_eq!(ids.name(&"b"), (2, 0));
        ids.sweep();
        assert_eq!((ids.find(&"a"), ids.key(1), ids.key(2)), (None, None, Some(&"b")));
    }

    #[test]
    fn a_freed_number_comes_back_with_another_generation_the_oldest_first() {
        let mut ids = Ids::new(1, 0);
        ids.name(&"a");
        ids.begin();
        ids.sweep();
        assert_eq!(ids.name(&"b"), (1, 1));
        assert_eq!(ids.len(), 2);
    }

    #[test]
    fn a_number_freed_in_a_round_is_not_given_out_in_the_same_round() {
        let mut ids = Ids::new(0, 0);
        ids.name(&"a");
        ids.begin();
        assert_eq!(ids.name(&"b"), (1, 0), "'a' may still be named in this round");
    }

    #[test]
    fn a_number_may_be_freed_between_rounds() {
        let mut ids = Ids::new(1, 0);
        ids.name(&"a");
        ids.free(&"a");
        assert_eq!((ids.find(&"a"), ids.name(&"b")), (None, (1, 1)));
        ids.sweep();
        assert_eq!(ids.key(1), Some(&"b"));
    }

    #[test]
    fn numbers_without_generation_are_used_up_before_one_comes_back() {
        let mut ids = Ids::new(0, 3);
        for (key, expected) in [("a", 0), ("b", 1), ("c", 2), ("d", 0)] {
            assert_eq!(ids.name(&key).0, expected);
            ids.begin();
            ids.sweep();
        }
    }
}
