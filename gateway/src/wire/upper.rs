//! What lies behind a tenant's IP header, for access lists: protocol, ports, and which part of a fragmented packet it is.

use super::{ethernet, ip};

/// TCP's protocol number.
pub const TCP: u8 = 6;
/// In [`Upper::protocol`]: not IP, or behind headers that cannot be followed.
pub const UNKNOWN: u16 = 0x100;

/// An IP packet as access lists see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upper {
    /// 4 or 6; 0 when the frame is not IP.
    pub family: u8,
    /// Source and destination; IPv4 in the lowest 32 bits.
    pub addresses: [u128; 2],
    /// Protocol or last next-header; [`UNKNOWN`] without.
    pub protocol: u16,
    /// Source and destination port; `None` where there are none to be read, as in all fragments but the first.
    pub ports: Option<[u16; 2]>,
    /// A fragment that is not the first.
    pub later_fragment: bool,
    /// A fragment cut so that its ports or flags are hidden from a filter (RFC 1858 sections 3 and 4), or a packet that ends
    /// before its ports although its header promises more.
    pub hiding: bool,
}

impl Upper {
    const NONE: Self =
        Self { family: 0, addresses: [0; 2], protocol: UNKNOWN, ports: None, later_fragment: false, hiding: false };

    /// Reads the packet behind an Ethernet header of this type. Total: what is cut or lies is read as far as it goes.
    pub fn of(packet: &[u8], ethertype: u16) -> Self {
        match ethertype {
            ethernet::IPV4 => v4(packet).unwrap_or(Self::NONE),
            ethernet::IPV6 => v6(packet).unwrap_or(Self::NONE),
            _ => Self::NONE,
        }
    }

    /// Fills in what the upper header says. `offset` is the fragment's, in units of 8 bytes; `more` follow. `cut`: the packet
    /// goes on beyond what is there.
    fn read(mut self, payload: &[u8], offset: u16, more: bool, cut: bool) -> Self {
        let Ok(protocol) = u8::try_from(self.protocol) else {
            self.hiding = (more || cut) && offset == 0;
            return self;
        };
        self.later_fragment = offset != 0;
        let has_ports = matches!(protocol, TCP | ip::UDP | 33 | 132 | 136);
        if offset == 0 && has_ports {
            self.ports =
                payload.first_chunk().map(|&[a, b, c, d]| [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]);
            let least = if protocol == TCP { 16 } else { 8 };
            self.hiding = more && payload.len() < least || cut && self.ports.is_none();
        }
        // A second fragment that starts within the TCP header would write over the flags of the first.
        self.hiding |= protocol == TCP && offset == 1;
        self
    }
}

fn v4(packet: &[u8]) -> Option<Upper> {
    let header: &[u8; 20] = packet.first_chunk()?;
    let len = usize::from(header[0] & 15) * 4;
    if header[0] >> 4 != 4 || len < 20 {
        return None;
    }
    let promised = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let (total, cut) = (promised.min(packet.len()), promised > packet.len());
    let fragment = u16::from_be_bytes([header[6], header[7]]);
    let address = |at: usize| header[at..].first_chunk().map_or(0, |bytes| u128::from(u32::from_be_bytes(*bytes)));
    let upper =
        Upper { family: 4, addresses: [address(12), address(16)], protocol: u16::from(header[9]), ..Upper::NONE };
    Some(upper.read(packet.get(len..total).unwrap_or_default(), fragment & 0x1fff, fragment & 0x2000 != 0, cut))
}

fn v6(packet: &[u8]) -> Option<Upper> {
    let header: &[u8; 40] = packet.first_chunk()?;
    if header[0] >> 4 != 6 {
        return None;
    }
    let promised = ip::V6_HEADER + usize::from(u16::from_be_bytes([header[4], header[5]]));
    let cut = promised > packet.len();
    let packet = packet.get(..promised.min(packet.len()))?;
    let address = |at: usize| header[at..].first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes));
    let mut upper = Upper { family: 6, addresses: [address(8), address(24)], ..Upper::NONE };
    let (mut next, mut at) = (header[6], ip::V6_HEADER);
    let (mut offset, mut more) = (0, false);
    // As many extension headers as `ip::V6::upper` follows.
    for _ in 0..8 {
        let step = match next {
            // The rest of a later fragment is data, whatever the first one held.
            _ if offset != 0 => None,
            0 | 43 | 60 | 135 | 139 | 140 => match packet.get(at..).and_then(|rest| rest.first_chunk::<2>()) {
                Some(&[following, words]) => Some((following, 8 + usize::from(words) * 8)),
                None => return Some(upper.read(&[], offset, more, cut)),
            },
            ip::FRAGMENT => match packet.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
                Some(header) => {
                    let field = u16::from_be_bytes([header[2], header[3]]);
                    (offset, more) = (field >> 3, field & 1 != 0);
                    Some((header[0], 8))
                }
                None => return Some(upper.read(&[], offset, more, cut)),
            },
            _ => None,
        };
        let Some((following, len)) = step else {
            upper.protocol = u16::from(next);
            return Some(upper.read(packet.get(at..).unwrap_or_default(), offset, more, cut));
        };
        (next, at) = (following, at + len);
    }
    Some(upper.read(&[], offset, more, cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(fragment: u16, protocol: u8, payload: usize) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, (20 + payload) as u8, 0, 1];
        packet.extend(fragment.to_be_bytes());
        packet.extend([64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        packet.extend([0, 23, 0x12, 0x34].into_iter().chain(std::iter::repeat(0)).take(payload));
        packet
    }

    #[test]
    fn ports_are_those_of_whole_packets_and_first_fragments() {
        let of = |bytes: &[u8]| Upper::of(bytes, ethernet::IPV4);
        assert_eq!(of(&packet(0, TCP, 20)).ports, Some([23, 0x1234]));
        assert_eq!(of(&packet(0x2000, TCP, 24)).ports, Some([23, 0x1234]));
        let later = of(&packet(3, TCP, 24));
        assert_eq!((later.ports, later.later_fragment, later.hiding, later.protocol), (None, true, false, 6));
        assert_eq!(of(&packet(0, 1, 24)).ports, None, "ICMP has none");
    }

    #[test]
    fn fragments_that_hide_ports_or_flags_are_found() {
        let hides =
            |fragment, protocol, payload| Upper::of(&packet(fragment, protocol, payload), ethernet::IPV4).hiding;
        assert!(hides(0x2000, TCP, 8) && !hides(0x2000, TCP, 16) && !hides(0, TCP, 8), "tiny first fragments");
        assert!(hides(1, TCP, 24) && !hides(2, TCP, 24) && !hides(1, 17, 24), "overlapping second ones");
    }

    #[test]
    fn extension_headers_are_followed_and_a_first_fragment_must_hold_the_upper_header() {
        let mut bytes = vec![0x60, 0, 0, 0, 0, 24, 60, 64];
        bytes.resize(40, 0);
        bytes.extend([ip::FRAGMENT, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend([TCP, 0, 0, 1, 0, 0, 0, 9]);
        bytes.extend([0, 22, 0, 99, 0, 0, 0, 0]);
        let of = |bytes: &[u8]| Upper::of(bytes, ethernet::IPV6);
        let upper = of(&bytes);
        assert_eq!((upper.protocol, upper.ports, upper.hiding), (6, Some([22, 99]), true));
        bytes[50..52].copy_from_slice(&[0, 0x11]);
        let upper = of(&bytes);
        assert_eq!((upper.protocol, upper.ports, upper.later_fragment), (6, None, true));
        for len in 0..bytes.len() {
            assert!(of(&bytes[..len]).ports.is_none(), "{len} bytes");
        }
        bytes[50..52].fill(0);
        assert_eq!((of(&bytes).hiding, of(&bytes[..58]).hiding), (false, true), "cut before its ports");
    }
}
