//! Ethernet II and VLAN tags (IEEE 802.3, 802.1Q section 9).
//!
//! ```text
//! | destination 6 | source 6 | (TPID 2 | PCP 3 DEI 1 VID 12)* | ethertype 2 | payload
//! ```

/// Bytes of both addresses.
pub const ADDRESSES: usize = 12;
/// Bytes of an untagged header.
pub const HEADER: usize = 14;
/// Bytes of a tag.
pub const TAG: usize = 4;

/// IPv4.
pub const IPV4: u16 = 0x0800;
/// IPv6.
pub const IPV6: u16 = 0x86dd;
/// 802.1Q customer tag.
pub const CUSTOMER_TAG: u16 = 0x8100;
/// 802.1ad service tag.
pub const SERVICE_TAG: u16 = 0x88a8;

/// True when the ethertype is that of a tag.
#[inline]
pub const fn is_tag(ethertype: u16) -> bool {
    ethertype == CUSTOMER_TAG || ethertype == SERVICE_TAG
}

/// Destination and source of a header as numbers, first byte highest.
#[inline(always)]
pub fn addresses(header: &[u8; HEADER]) -> (u64, u64) {
    // Eight bytes each, of which six count.
    let number = |eight: Option<&[u8; 8]>| eight.map_or(0, |eight| u64::from_be_bytes(*eight) >> 16);
    (number(header.first_chunk()), number(header.last_chunk()))
}

/// The ethertype of a header, or the TPID of its first tag.
#[inline(always)]
pub const fn ethertype(&[.., high, low]: &[u8; HEADER]) -> u16 {
    u16::from_be_bytes([high, low])
}

/// The six bytes from `at` on as a number, first byte highest. The caller knows that they are there; 0 when not.
#[inline(always)]
pub fn mac_word(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..).and_then(|rest| rest.first_chunk::<6>()) {
        Some(&[a, b, c, d, e, f]) => {
            u64::from(u32::from_be_bytes([a, b, c, d])) << 16 | u64::from(u16::from_be_bytes([e, f]))
        }
        None => 0,
    }
}

/// A MAC as a number, first byte highest.
#[inline(always)]
pub const fn number([a, b, c, d, e, f]: [u8; 6]) -> u64 {
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

/// The group bit of a MAC as a number.
#[inline]
pub const fn is_group(mac: u64) -> bool {
    mac >> 40 & 1 != 0
}

/// 01:80:c2:00:00:00 to 0f: frames that a bridge never relays (IEEE 802.1Q section 8.6.3).
#[inline]
pub const fn is_link_local(mac: u64) -> bool {
    mac >> 4 == 0x0180_c200_0000_u64 >> 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        let frame = [0x01, 0x80, 0xc2, 0, 0, 0x0e, 2, 0, 0, 0, 0, 9, 0x88, 0xcc];
        assert!(is_link_local(mac_word(&frame, 0)) && is_group(mac_word(&frame, 0)));
        assert_eq!(mac_word(&frame, 6), 0x0200_0000_0009);
        assert!(!is_group(mac_word(&frame, 6)) && !is_link_local(0x0180_c200_0010));
        assert_eq!(mac_word(&frame, 9), 0, "beyond the end");
    }
}
