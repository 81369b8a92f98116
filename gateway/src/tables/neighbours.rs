//! Bindings of IP addresses to MACs, for the segments in which the gateway answers ARP and neighbour solicitations itself.
//!
//! A table of fixed size with linear probing. Control makes it and knows how many bindings it holds, so putting one in never
//! allocates and never fails: before it would overflow, control sends a larger one.

use std::net::{IpAddr, Ipv6Addr};

use super::segment::SegmentId;

/// Who has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Neighbour {
    /// Its MAC.
    pub mac: [u8; 6],
    /// It routes: the router flag of IPv6 advertisements.
    pub router: bool,
}

/// Segment and address, IPv4 in its IPv4-mapped form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Key {
    high: u64,
    low: u64,
    segment: SegmentId,
}

impl Key {
    #[inline]
    fn new(segment: SegmentId, address: IpAddr) -> Self {
        let wide = match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        let bits = Ipv6Addr::to_bits(wide);
        Self { high: (bits >> 64) as u64, low: bits as u64, segment }
    }

    /// A number whose upper bits are well mixed.
    #[inline]
    fn hash(self) -> u64 {
        let mixed = (self.high ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xa076_1d64_78bd_642f);
        let mixed = (mixed ^ mixed >> 32 ^ self.low).wrapping_mul(0xe703_7ed1_a0b4_28db);
        (mixed ^ mixed >> 29 ^ u64::from(self.segment.0)).wrapping_mul(0x8ebc_6af0_9c88_c6e3)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    key: Key,
    neighbour: Neighbour,
    taken: bool,
}

/// Bindings of a core.
#[derive(Clone, Debug, Default)]
pub struct Neighbours {
    /// A power of two of slots, never more than half of them taken; none at all until there is a binding.
    slots: Box<[Slot]>,
    len: usize,
}

impl Neighbours {
    /// An empty table with room for so many.
    pub fn with_room(bindings: usize) -> Self {
        let slots = if bindings == 0 { 0 } else { (bindings * 2).next_power_of_two() };
        Self { slots: vec![Slot::default(); slots].into(), len: 0 }
    }

    /// How many fit.
    pub fn room(&self) -> usize {
        self.slots.len() / 2
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    fn home(&self, key: Key) -> usize {
        // The upper bits: as many as number the slots.
        (key.hash() >> 32) as usize & (self.slots.len() - 1)
    }

    /// The slot of a key, or the free one where it belongs. The table has a free slot.
    #[inline]
    fn slot(&self, key: Key) -> usize {
        let mut at = self.home(key);
        while self.slots[at].taken && self.slots[at].key != key {
            at = (at + 1) & (self.slots.len() - 1);
        }
        at
    }

    /// Who has an address.
    #[inline]
    pub fn find(&self, segment: SegmentId, address: IpAddr) -> Option<Neighbour> {
        if self.slots.is_empty() {
            return None;
        }
        let slot = &self.slots[self.slot(Key::new(segment, address))];
        slot.taken.then_some(slot.neighbour)
    }

    /// Puts a binding in, in place of the address's last one. False, and nothing changed, when the table is full.
    pub fn insert(&mut self, segment: SegmentId, address: IpAddr, neighbour: Neighbour) -> bool {
        if self.slots.is_empty() {
            return false;
        }
        let key = Key::new(segment, address);
        let at = self.slot(key);
        if !self.slots[at].taken {
            if self.len >= self.room() {
                return false;
            }
            self.len += 1;
        }
        self.slots[at] = Slot { key, neighbour, taken: true };
        true
    }

    /// Takes a binding out, if it is there; those behind it move up.
    pub fn remove(&mut self, segment: SegmentId, address: IpAddr) {
        if self.slots.is_empty() {
            return;
        }
        let mut hole = self.slot(Key::new(segment, address));
        if !self.slots[hole].taken {
            return;
        }
        self.len -= 1;
        let mask = self.slots.len() - 1;
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            if !self.slots[at].taken {
                break;
            }
            // It may move into the hole unless its home lies between the two.
            let home = self.home(self.slots[at].key);
            if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(hole) & mask) {
                self.slots[hole] = self.slots[at];
                hole = at;
            }
        }
        self.slots[hole] = Slot::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// Against a map, with many keys for few slots.
    #[test]
    fn it_is_a_map_of_bounded_size() {
        let mut table = Neighbours::with_room(60);
        let mut map = HashMap::new();
        let mut number = 1u64;
        for _ in 0..20_000 {
            number = number.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let (segment, last) = (SegmentId((number >> 40) as u16 & 1), (number >> 48) as u8 & 63);
            let address: IpAddr = match number >> 60 & 1 {
                0 => [192, 0, 2, last].into(),
                _ => [0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(last)].into(),
            };
            if number >> 61 & 1 == 0 {
                let neighbour = Neighbour { mac: [2, 0, 0, 0, 0, (number >> 32) as u8], router: number & 1 != 0 };
                let fits = map.len() < table.room() || map.contains_key(&(segment, address));
                assert_eq!(table.insert(segment, address, neighbour), fits);
                if fits {
                    map.insert((segment, address), neighbour);
                }
            } else {
                table.remove(segment, address);
                map.remove(&(segment, address));
            }
            assert_eq!(table.len(), map.len());
            for last in 0..64 {
                let v4: IpAddr = [192, 0, 2, last].into();
                assert_eq!(table.find(segment, v4), map.get(&(segment, v4)).copied());
            }
        }
    }

    #[test]
    fn a_table_without_room_holds_nothing() {
        let mut table = Neighbours::default();
        let address = IpAddr::from([192, 0, 2, 1]);
        assert!(!table.insert(SegmentId(0), address, Neighbour::default()));
        table.remove(SegmentId(0), address);
        assert_eq!((table.find(SegmentId(0), address), table.len(), table.is_empty()), (None, 0, true));
    }
}
