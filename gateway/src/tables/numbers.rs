//! A small open-addressed map from numbers to numbers: one flat array, linear probing, at most half full.
//!
//! Built by control, read by cores. Keys are spread by one multiplication (Fibonacci hashing).

use crate::prefetch::prefetch;

/// What a key may be. One number is none of them and marks a free place.
pub trait Key: Copy + PartialEq {
    /// The number that is no key.
    const FREE: Self;

    /// A number of which the upper bits differ where keys do.
    fn spread(self) -> u64;
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Key for u32 {
    const FREE: Self = u32::MAX;

    #[inline(always)]
    fn spread(self) -> u64 {
        u64::from(self).wrapping_mul(GOLDEN)
    }
}

impl Key for u64 {
    const FREE: Self = u64::MAX;

    #[inline(always)]
    fn spread(self) -> u64 {
        (self ^ self >> 32).wrapping_mul(GOLDEN)
    }
}

impl Key for u128 {
    const FREE: Self = u128::MAX;

    #[inline(always)]
    fn spread(self) -> u64 {
        (self as u64 ^ ((self >> 64) as u64).rotate_left(29)).spread()
    }
}

/// A map from keys to `u32`.
#[derive(Clone, Debug)]
pub struct Numbers<K> {
    /// A power of two of them.
    slots: Box<[(K, u32)]>,
    shift: u32,
    len: usize,
}

impl<K: Key> Default for Numbers<K> {
    fn default() -> Self {
        Self::with_room(0)
    }
}

impl<K: Key> Numbers<K> {
    /// A map that takes `entries` entries without growing.
    pub fn with_room(entries: usize) -> Self {
        let size = (entries * 2).next_power_of_two().max(4);
        Self { slots: vec![(K::FREE, 0); size].into(), shift: 64 - size.trailing_zeros(), len: 0 }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True without entries.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Starts loading the place where a search for `key` begins.
    #[inline(always)]
    pub fn prefetch(&self, key: K) {
        let mask = self.slots.len() - 1;
        prefetch(&self.slots[(key.spread() >> (self.shift & 63)) as usize & mask]);
    }

    /// The value of `key`.
    #[inline(always)]
    pub fn find(&self, key: K) -> Option<u32> {
        let mask = self.slots.len() - 1;
        let mut at = (key.spread() >> (self.shift & 63)) as usize;
        loop {
            let (found, value) = self.slots[at & mask];
            if found == key {
                return Some(value);
            }
            if found == K::FREE {
                return None;
            }
            at += 1;
        }
    }

    /// Sets the value of `key` and returns the one before; grows when half full (control only).
    pub fn insert(&mut self, key: K, value: u32) -> Option<u32> {
        if (self.len + 1) * 2 > self.slots.len() {
            let mut larger = Self::with_room(self.slots.len());
            for &(old, value) in self.slots.iter().filter(|slot| slot.0 != K::FREE) {
                larger.insert(old, value);
            }
            *self = larger;
        }
        let mask = self.slots.len() - 1;
        let mut at = (key.spread() >> self.shift) as usize & mask;
        loop {
            let slot = &mut self.slots[at];
            if slot.0 == key {
                return Some(std::mem::replace(&mut slot.1, value));
            }
            if slot.0 == K::FREE {
                *slot = (key, value);
                self.len += 1;
                return None;
            }
            at = (at + 1) & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_is_found_and_nothing_else() {
        let mut map: Numbers<u128> = Numbers::default();
        for key in 0..5000 {
            assert_eq!(map.insert((key << 90) | (key * 3), key as u32), None);
        }
        assert_eq!(map.insert(0, 7), Some(0));
        assert_eq!((map.find(0), map.len()), (Some(7), 5000));
        for key in 1..5000u128 {
            assert_eq!(map.find((key << 90) | (key * 3)), Some(key as u32));
            assert_eq!(map.find(key << 90 | (key * 3 + 1)), None);
        }
    }
}
