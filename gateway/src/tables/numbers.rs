//! A small open-addressed map from numbers to numbers: one flat array, linear probing, at most half full.
//!
//! Built by control, read by cores. Keys are spread by one multiplication (Fibonacci hashing).

/// A map from `K` (never `u128::MAX`) to `u32`.
#[derive(Clone, Debug)]
pub struct Numbers {
    slots: Box<[(u128, u32)]>,
    shift: u32,
    len: usize,
}

const FREE: u128 = u128::MAX;

impl Default for Numbers {
    fn default() -> Self {
        Self::with_room(0)
    }
}

impl Numbers {
    /// A map that takes `entries` entries without growing.
    pub fn with_room(entries: usize) -> Self {
        let size = (entries * 2).next_power_of_two().max(4);
        Self { slots: vec![(FREE, 0); size].into(), shift: 64 - size.trailing_zeros(), len: 0 }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True without entries.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    fn start(&self, key: u128) -> usize {
        let folded = (key as u64) ^ ((key >> 64) as u64).rotate_left(29);
        ((folded ^ (folded >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize
    }

    /// The value of `key`.
    #[inline]
    pub fn find(&self, key: u128) -> Option<u32> {
        let mask = self.slots.len() - 1;
        let mut at = self.start(key) & mask;
        loop {
            let (found, value) = self.slots[at & mask];
            if found == key {
                return Some(value);
            }
            if found == FREE {
                return None;
            }
            at = (at + 1) & mask;
        }
    }

    /// Sets the value of `key` and returns the one before; grows when half full (control only).
    pub fn insert(&mut self, key: u128, value: u32) -> Option<u32> {
        if (self.len + 1) * 2 > self.slots.len() {
            let mut larger = Self::with_room(self.slots.len());
            for &(old, value) in self.slots.iter().filter(|slot| slot.0 != FREE) {
                larger.insert(old, value);
            }
            *self = larger;
        }
        let mask = self.slots.len() - 1;
        let mut at = self.start(key) & mask;
        loop {
            let slot = &mut self.slots[at];
            if slot.0 == key {
                return Some(std::mem::replace(&mut slot.1, value));
            }
            if slot.0 == FREE {
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
        let mut map = Numbers::default();
        for key in 0..5000u128 {
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
