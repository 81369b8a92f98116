//! The Internet checksum (RFC 1071): one's-complement sums of 16-bit words in network order.

/// Sum of the words of `bytes`, an odd last byte padded with zero; 32 bits, folded once at most, to be added to others.
#[inline]
pub fn sum(bytes: &[u8]) -> u32 {
    // The order of the two bytes of a word makes no difference to the sum but its own: they are turned at the end.
    let mut wide: u64 = 0;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let word = u64::from_ne_bytes(*word);
        wide += (word & 0xffff_ffff) + (word >> 32);
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let last = u64::from_ne_bytes(last);
    turned(wide + (last & 0xffff_ffff) + (last >> 32))
}

/// [`sum`] of a length that is known when this is compiled, a multiple of 4 and at most 128 bytes.
#[inline(always)]
pub fn sum_of<const N: usize>(bytes: &[u8; N]) -> u32 {
    turned(bytes.as_chunks::<4>().0.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum())
}

/// A sum of words in the machine's order as one of words in network order, folded.
#[inline(always)]
fn turned(wide: u64) -> u32 {
    let folded = (wide & 0xffff_ffff) + (wide >> 32);
    let folded = (folded & 0xffff) + (folded >> 16);
    u32::from(u16::from_be(fold_once(folded as u32)))
}

/// True when the checksum in a header of `N` bytes (a multiple of 4, at most 128) is right; of a header that is not all zero,
/// as none with an IP version is.
#[inline(always)]
pub fn is_right<const N: usize>(header: &[u8; N]) -> bool {
    let wide: u64 = header.as_chunks::<4>().0.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum();
    // All words together are a multiple of 0xffff then: "minus zero", whatever the order of their bytes.
    wide.is_multiple_of(0xffff)
}

#[inline]
fn fold_once(sum: u32) -> u16 {
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

/// The checksum field for a sum: folded and complemented.
#[inline]
pub fn finish(sum: u32) -> u16 {
    !fold_once(sum)
}

/// The checksum field after one 16-bit word that it covers changed from `old` to `new` (RFC 1624, equation 3).
#[inline]
pub fn adjust(field: u16, old: u16, new: u16) -> u16 {
    finish(u32::from(!field) + u32::from(!old) + u32::from(new))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plainly(bytes: &[u8]) -> u16 {
        let mut sum = 0u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }

    #[test]
    fn it_agrees_with_the_plain_definition_at_every_length() {
        let bytes: Vec<u8> = (0..2000u32).map(|n| (n.wrapping_mul(2654435761) >> 13) as u8).collect();
        for len in 0..bytes.len() {
            assert_eq!(finish(sum(&bytes[..len])), plainly(&bytes[..len]), "{len} bytes");
        }
        assert_eq!(finish(sum(&[0xff; 9000])), plainly(&[0xff; 9000]));
    }

    #[test]
    fn adjusting_equals_computing_again() {
        let mut bytes = *b"causeway carries frames.";
        let before = finish(sum(&bytes));
        bytes[4..6].copy_from_slice(&[0xbe, 0xef]);
        assert_eq!(adjust(before, u16::from_be_bytes(*b"ew"), 0xbeef), finish(sum(&bytes)));
    }
}
