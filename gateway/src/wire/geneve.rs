//! Geneve (RFC 8926 section 3.4).
//!
//! ```text
//! |Ver 2|Opt Len 6|O|C| rsvd 6 | protocol type 16 | VNI 24 | reserved 8 | options, Opt Len x 4 bytes |
//! option: | class 16 |C| type 7 |R R R| length 5 (x 4 bytes) | data |
//! ```

use crate::verdict::DropReason;

/// Bytes of the header without options.
pub const HEADER: usize = 8;
/// Bytes of options at most: 63 words.
pub const LONGEST_OPTIONS: usize = 252;
/// Transparent Ethernet bridging: the payload is an Ethernet frame.
pub const ETHERNET: u16 = 0x6558;

/// The header of a VNI with these options: version 0, O clear, C as the options say (GN1).
pub fn header(vni: u32, options: &[u8]) -> [u8; HEADER] {
    let [_, a, b, c] = vni.to_be_bytes();
    let critical = if walk(options) == Err(DropReason::CriticalOption) { 0x40 } else { 0 };
    [(options.len() / 4) as u8 & 0x3f, critical, 0x65, 0x58, a, b, c, 0]
}

/// What a received header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Network identifier.
    pub vni: u32,
    /// Bytes of header and options.
    pub len: usize,
}

/// Reads a header and walks its options; `bytes` starts at the header. Reserved bits are ignored (GN4).
///
/// # Errors
///
/// The reason to drop the packet: another version or lengths that do not add up (GN2, GN3, GN9), a control packet (GN10),
/// a payload that is not Ethernet (GN6), a critical option (GN8: we know none).
#[inline(always)]
pub fn parse(bytes: &[u8]) -> Result<Parsed, DropReason> {
    let Some(&[first, flags, type_high, type_low, a, b, c, d]) = bytes.first_chunk() else {
        return Err(DropReason::BadTunnelHeader);
    };
    if first >> 6 != 0 {
        return Err(DropReason::BadTunnelHeader);
    }
    let len = HEADER + usize::from(first & 0x3f) * 4;
    let options = bytes.get(HEADER..len).ok_or(DropReason::BadTunnelHeader)?;
    if flags & 0x80 != 0 {
        return Err(DropReason::Oam);
    }
    if flags & 0x40 != 0 {
        return Err(DropReason::CriticalOption);
    }
    if u16::from_be_bytes([type_high, type_low]) != ETHERNET {
        return Err(DropReason::NotEthernet);
    }
    if !options.is_empty() {
        walk(options)?;
    }
    Ok(Parsed { vni: u32::from_be_bytes([a, b, c, d]) >> 8, len })
}

/// Walks options to their end.
fn walk(mut options: &[u8]) -> Result<(), DropReason> {
    while let Some(&[_, _, kind, length]) = options.first_chunk() {
        let size = 4 + usize::from(length & 0x1f) * 4;
        options = options.get(size..).ok_or(DropReason::BadTunnelHeader)?;
        if kind & 0x80 != 0 {
            return Err(DropReason::CriticalOption);
        }
    }
    if options.is_empty() { Ok(()) } else { Err(DropReason::BadTunnelHeader) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_skipped_when_their_lengths_add_up() {
        let options = [0x01, 0x02, 0x03, 0xe1, 1, 2, 3, 4, 0xff, 0xff, 0x7f, 0x00];
        let mut packet = header(0x00ab_cdef, &options).to_vec();
        packet.extend(options);
        packet.extend([0; 14]);
        assert_eq!(parse(&packet), Ok(Parsed { vni: 0x00ab_cdef, len: 20 }));
        packet[0] = 2;
        packet[11] = 0x02;
        assert_eq!(parse(&packet), Err(DropReason::BadTunnelHeader), "an option longer than all options");
        packet[0] = 63;
        assert_eq!(parse(&packet), Err(DropReason::BadTunnelHeader), "options longer than the packet");
    }

    #[test]
    fn what_must_not_be_forwarded_is_refused_by_name() {
        let plain = header(5, &[]);
        assert_eq!(parse(&plain), Ok(Parsed { vni: 5, len: 8 }));
        let with = |at: usize, value: u8| {
            let mut changed = plain;
            changed[at] = value;
            parse(&changed)
        };
        assert_eq!(with(0, 0x40), Err(DropReason::BadTunnelHeader));
        assert_eq!(with(1, 0x80), Err(DropReason::Oam));
        assert_eq!(with(1, 0x40), Err(DropReason::CriticalOption));
        assert_eq!(with(1, 0x3f), Ok(Parsed { vni: 5, len: 8 }), "reserved bits");
        assert_eq!(with(7, 0xff), Ok(Parsed { vni: 5, len: 8 }), "reserved byte");
        assert_eq!(with(3, 0x59), Err(DropReason::NotEthernet));
        assert_eq!(parse(&plain[..7]), Err(DropReason::BadTunnelHeader));
        let critical = [1, 2, 0x83, 0];
        let mut packet = header(5, &critical).to_vec();
        assert_eq!(packet[1], 0x40, "C is set for a critical option");
        packet[1] = 0;
        packet.extend(critical);
        assert_eq!(parse(&packet), Err(DropReason::CriticalOption), "found by the walk");
    }
}
