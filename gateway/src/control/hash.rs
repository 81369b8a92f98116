//! Quick hashes for control's large maps.
//!
//! [`ByName`] is for keys that the operator chose: full-size flood lists name VTEPs sixteen million times. A stranger
//! chooses MACs, so [`ByMac`] has secret seeds, drawn for each map: without them nobody can tell which MACs meet.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};

/// A map by what a stranger may have chosen, MACs above all.
pub type ByMac<K, V> = std::collections::HashMap<K, V, Seeded>;

/// Hashes with seeds of its own.
#[derive(Clone, Debug)]
pub struct Seeded([u64; 2]);

impl Default for Seeded {
    /// Other seeds each time.
    fn default() -> Self {
        let random = RandomState::new();
        Self([random.hash_one(1), random.hash_one(2) | 1])
    }
}

impl BuildHasher for Seeded {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded { state: self.0[0], seed: self.0[1] }
    }
}

/// One wide multiplication a word, by a secret, both halves folded.
#[derive(Clone, Copy, Debug)]
pub struct Folded {
    state: u64,
    seed: u64,
}

impl Folded {
    #[inline]
    fn word(&mut self, word: u64) {
        let wide = u128::from(self.state ^ word) * u128::from(self.seed);
        self.state = wide as u64 ^ (wide >> 64) as u64;
    }
}

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        for word in bytes.chunks(8) {
            let mut padded = [0; 8];
            padded[..word.len()].copy_from_slice(word);
            self.word(u64::from_le_bytes(padded));
        }
        self.word(bytes.len() as u64);
    }

    #[inline]
    fn write_u8(&mut self, number: u8) {
        self.word(u64::from(number));
    }

    #[inline]
    fn write_u16(&mut self, number: u16) {
        self.word(u64::from(number));
    }

    #[inline]
    fn write_u32(&mut self, number: u32) {
        self.word(u64::from(number));
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        self.word(number);
    }

    #[inline]
    fn write_usize(&mut self, number: usize) {
        self.word(number as u64);
    }

    #[inline]
    fn finish(&self) -> u64 {
        let wide = u128::from(self.state) * u128::from(self.seed.rotate_left(32) | 1);
        wide as u64 ^ (wide >> 64) as u64
    }
}

/// A map by names from the configuration.
pub type ByName<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<Quick>>;

/// One multiplication a word.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quick(u64);

impl Quick {
    #[inline]
    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for Quick {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.word(u64::from_le_bytes(word.try_into().unwrap_or_default()));
        }
        let mut last = [0; 8];
        last[..words.remainder().len()].copy_from_slice(words.remainder());
        self.word(u64::from_le_bytes(last) ^ (words.remainder().len() as u64) << 56);
    }

    #[inline]
    fn write_u8(&mut self, number: u8) {
        self.word(u64::from(number));
    }

    #[inline]
    fn write_u32(&mut self, number: u32) {
        self.word(u64::from(number));
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        self.word(number);
    }

    #[inline]
    fn write_usize(&mut self, number: usize) {
        self.word(number as u64);
    }

    #[inline]
    fn finish(&self) -> u64 {
        // Multiplication mixes upwards only; maps look at the lowest bits, and at the highest.
        let mixed = (self.0 ^ self.0 >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ mixed >> 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::hash::{BuildHasher, BuildHasherDefault};
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    #[test]
    fn macs_in_a_row_are_spread_and_no_two_maps_alike() {
        let [one, other] = [Seeded::default(), Seeded::default()];
        assert_ne!(one.hash_one(7_u64), other.hash_one(7_u64));
        for hash in [one, other] {
            for step in [1, 1 << 20, 1 << 48] {
                let buckets: HashSet<u64> =
                    (0..8192).map(|number: u64| hash.hash_one(number * step) & 0x3fff).collect();
                assert!(buckets.len() > 5000, "{} of 8192, {step} apart", buckets.len());
                let tags: HashSet<u64> = (0..8192).map(|number: u64| hash.hash_one(number * step) >> 57).collect();
                assert_eq!(tags.len(), 128);
            }
        }
    }

    #[test]
    fn addresses_in_a_row_are_spread() {
        let hash = |address: IpAddr| BuildHasherDefault::<Quick>::default().hash_one(address);
        let v4 = (0..4096).map(|number| IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number)));
        let v6 = (0..4096).map(|number| IpAddr::V6(Ipv6Addr::from((0x2001_0db8 << 96) + number)));
        let buckets: HashSet<u64> = v4.chain(v6).map(|address| hash(address) & 0x3fff).collect();
        assert!(buckets.len() > 5000, "{}", buckets.len());
    }
}
