//! A quick hash for maps whose keys the operator chose: full-size flood lists name VTEPs sixteen million times. Not for
//! keys that a stranger can choose (MACs): those maps keep the standard, seeded hash.

use std::hash::{BuildHasherDefault, Hasher};

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
    fn addresses_in_a_row_are_spread() {
        let hash = |address: IpAddr| BuildHasherDefault::<Quick>::default().hash_one(address);
        let v4 = (0..4096).map(|number| IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number)));
        let v6 = (0..4096).map(|number| IpAddr::V6(Ipv6Addr::from((0x2001_0db8 << 96) + number)));
        let buckets: HashSet<u64> = v4.chain(v6).map(|address| hash(address) & 0x3fff).collect();
        assert!(buckets.len() > 5000, "{}", buckets.len());
    }
}
