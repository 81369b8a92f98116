//! VXLAN (RFC 7348 section 5).
//!
//! ```text
//! |R|R|R|R|I|R|R|R|  reserved 24  |  VNI 24  | reserved 8 |
//! ```

/// Bytes of the header.
pub const HEADER: usize = 8;

/// The header of a VNI: I set, all reserved bits zero (VX1, VX2).
pub const fn header(vni: u32) -> [u8; HEADER] {
    let [_, a, b, c] = vni.to_be_bytes();
    [0x08, 0, 0, 0, a, b, c, 0]
}

/// The VNI of a received header; `None` when it is cut or the I flag is clear (VX4). Reserved bits are ignored (VX3).
#[inline]
pub fn vni(bytes: &[u8]) -> Option<u32> {
    let &[flags, _, _, _, a, b, c, d] = bytes.first_chunk()?;
    if flags & 0x08 == 0 {
        return None;
    }
    Some(u32::from_be_bytes([a, b, c, d]) >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_24_bits_go_there_and_back() {
        for vni_sent in [0, 1, 0x00ab_cdef, 0x00ff_ffff] {
            assert_eq!(vni(&header(vni_sent)), Some(vni_sent));
        }
        assert_eq!(header(0x0012_3456), [8, 0, 0, 0, 0x12, 0x34, 0x56, 0]);
    }

    #[test]
    fn reserved_bits_are_ignored_and_the_i_flag_is_required() {
        assert_eq!(vni(&[0xff, 0xff, 0xff, 0xff, 0, 0, 5, 0xff]), Some(5));
        assert_eq!(vni(&[0xf7, 0, 0, 0, 0, 0, 5, 0]), None);
        assert_eq!(vni(&[0x08, 0, 0, 0, 0, 0, 5]), None);
    }
}
