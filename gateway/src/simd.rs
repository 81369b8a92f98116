//! Comparing several words at once, without a branch.
#![allow(unsafe_code)]

/// The entry at the place where `keys` holds `key`, all of them or-ed together if there are several places, 0 if there is
/// none.
///
/// Which place it is cannot be foretold, so a branch on each comparison is guessed wrong once in a lookup, which costs more
/// than everything else here. From comparisons and conditional moves the compiler makes such branches, as it takes the
/// entries for costly to load; SSE2, which every x86-64 has, leaves it no choice.
#[inline(always)]
pub fn entry_of(key: u64, keys: &[u64; 4], entries: &[u64; 4]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    return sse2(key, keys, entries);
    #[cfg(not(target_arch = "x86_64"))]
    return plain(key, keys, entries);
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn sse2(key: u64, keys: &[u64; 4], entries: &[u64; 4]) -> u64 {
    use std::arch::x86_64::{
        _mm_and_si128, _mm_cmpeq_epi32, _mm_cvtsi128_si64, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi64x,
        _mm_shuffle_epi32,
    };
    // SAFETY: the intrinsics work on values, and ask for nothing but SSE2, which is part of x86-64.
    unsafe {
        let pair = |words: &[u64; 4], at: usize| _mm_set_epi64x(words[at + 1] as i64, words[at] as i64);
        let key = _mm_set1_epi64x(key as i64);
        let half = |at: usize| {
            // SSE2 compares 32 bits: a word is equal when both of its halves are.
            let equal = _mm_cmpeq_epi32(pair(keys, at), key);
            let equal = _mm_and_si128(equal, _mm_shuffle_epi32::<0b10_11_00_01>(equal));
            _mm_and_si128(equal, pair(entries, at))
        };
        let found = _mm_or_si128(half(0), half(2));
        let found = _mm_or_si128(found, _mm_shuffle_epi32::<0b01_00_11_10>(found));
        _mm_cvtsi128_si64(found) as u64
    }
}

#[cfg(any(test, not(target_arch = "x86_64")))]
fn plain(key: u64, keys: &[u64; 4], entries: &[u64; 4]) -> u64 {
    keys.iter().zip(entries).filter(|(held, _)| **held == key).fold(0, |found, (_, entry)| found | entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_found_and_half_a_word_is_not_enough() {
        let keys = [0x1111_2222_3333_4444, 0x5555_2222_3333_4444, 0x1111_2222_3333_5555, u64::MAX];
        let entries = [1 << 63 | 1, 1 << 63 | 2, 3, 4];
        for (place, key) in keys.into_iter().enumerate() {
            assert_eq!(entry_of(key, &keys, &entries), entries[place]);
        }
        for key in [0, 0x5555_2222_3333_5555, 0x3333_4444_1111_2222, 0x1111_2222_3333_4445] {
            assert_eq!(entry_of(key, &keys, &entries), plain(key, &keys, &entries));
            assert_eq!(entry_of(key, &keys, &entries), 0, "{key:x}");
        }
    }
}
