//! IPv4 (RFC 791) and IPv6 (RFC 8200): as outer headers, checked; as inner headers, only glanced at.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{ethernet, word};

/// UDP's protocol number.
pub const UDP: u8 = 17;
/// IPv6 fragment header.
pub const FRAGMENT: u8 = 44;

/// An outer IPv4 header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct V4 {
    /// Bytes of header.
    pub header_len: usize,
    /// Bytes of header and payload.
    pub total_len: usize,
    /// Differentiated services and ECN.
    pub tos: u8,
    /// True for a fragment, first ones included.
    pub fragment: bool,
    /// True for the first fragment or a whole packet.
    pub first: bool,
    /// Protocol.
    pub protocol: u8,
    /// Source.
    pub source: Ipv4Addr,
    /// Destination.
    pub destination: Ipv4Addr,
}

impl V4 {
    /// Reads a header; `available` is the number of bytes from its start to the end of the frame. `None` when it is cut
    /// or its version or lengths are wrong (MAL5). The checksum is not looked at.
    #[inline]
    pub fn parse(bytes: &[u8], available: usize) -> Option<Self> {
        let header: &[u8; 20] = bytes.first_chunk()?;
        let header_len = usize::from(header[0] & 0x0f) * 4;
        let total_len = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if header[0] >> 4 != 4 || header_len < 20 || total_len < header_len || total_len > available {
            return None;
        }
        let fragment = u16::from_be_bytes([header[6], header[7]]);
        Some(Self {
            header_len,
            total_len,
            tos: header[1],
            fragment: fragment & 0x3fff != 0,
            first: fragment & 0x1fff == 0,
            protocol: header[9],
            source: Ipv4Addr::new(header[12], header[13], header[14], header[15]),
            destination: Ipv4Addr::new(header[16], header[17], header[18], header[19]),
        })
    }

    /// True for a source that no host has (OIP11).
    #[inline]
    pub fn source_is_impossible(&self) -> bool {
        is_impossible_source(self.source)
    }
}

/// True for an address that no host has: network 0, loopback, multicast and above.
#[inline(always)]
pub fn is_impossible_source(address: Ipv4Addr) -> bool {
    let first = address.to_bits() >> 24;
    first == 0 || first == 127 || first >= 224
}

/// The same of IPv6: multicast, unspecified, loopback.
#[inline(always)]
pub fn is_impossible_source_v6(address: Ipv6Addr) -> bool {
    address.is_multicast() || address.is_unspecified() || address.is_loopback()
}

/// An outer IPv6 header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct V6 {
    /// Bytes of header and payload, 40 and more.
    pub total_len: usize,
    /// Traffic class (DSCP and ECN).
    pub class: u8,
    /// Next header.
    pub next: u8,
    /// Source.
    pub source: Ipv6Addr,
    /// Destination.
    pub destination: Ipv6Addr,
}

/// Bytes of an IPv6 header.
pub const V6_HEADER: usize = 40;

impl V6 {
    /// Reads a header; `available` as for [`V4::parse`].
    #[inline]
    pub fn parse(bytes: &[u8], available: usize) -> Option<Self> {
        let header: &[u8; V6_HEADER] = bytes.first_chunk()?;
        let total_len = V6_HEADER + usize::from(u16::from_be_bytes([header[4], header[5]]));
        if header[0] >> 4 != 6 || total_len > available {
            return None;
        }
        let (source, rest) = header[8..].split_first_chunk::<16>()?;
        Some(Self {
            total_len,
            class: header[0] << 4 | header[1] >> 4,
            next: header[6],
            source: Ipv6Addr::from(*source),
            destination: Ipv6Addr::from(*rest.first_chunk::<16>()?),
        })
    }

    /// True for a source that no host has (OIP11).
    #[inline]
    pub fn source_is_impossible(&self) -> bool {
        is_impossible_source_v6(self.source)
    }

    /// Follows the extension headers (OIP8): the upper protocol, where its header starts, and whether a fragment header
    /// stands in between. `None` when a header is cut or the chain is longer than 8.
    pub fn upper(&self, bytes: &[u8]) -> Option<(u8, usize, bool)> {
        let (mut next, mut at, mut fragment) = (self.next, V6_HEADER, false);
        for _ in 0..8 {
            match next {
                // Hop-by-hop, routing, destination options, mobility, HIP, shim6.
                0 | 43 | 60 | 135 | 139 | 140 => {
                    let &[following, words] = bytes.get(at..)?.first_chunk()?;
                    next = following;
                    at += 8 + usize::from(words) * 8;
                }
                FRAGMENT => {
                    next = *bytes.get(at)?;
                    at += 8;
                    fragment = true;
                }
                _ => return Some((next, at, fragment)),
            }
        }
        None
    }
}

/// What the pipeline wants to know of a tenant's IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Inner {
    /// Where the IP header starts; 0 when the frame is not IP.
    pub at: u8,
    /// True for IPv6.
    pub v6: bool,
    /// TOS or traffic class; 0 when the frame is not IP.
    pub tos: u8,
    /// TTL or hop limit; 0 when the frame is not IP.
    pub ttl: u8,
    /// False only for IPv4 without DF.
    pub df: bool,
}

/// Looks at the IP header that `payload` begins with, behind an Ethernet header of `at` bytes whose last two are
/// `ethertype`.
#[inline]
pub fn inner(payload: &[u8], at: usize, ethertype: u16) -> Inner {
    let none = Inner { df: true, ..Inner::default() };
    match ethertype {
        ethernet::IPV4 => match payload.first_chunk::<20>() {
            Some(header) if header[0] >> 4 == 4 && header[0] & 15 >= 5 => {
                Inner { at: at as u8, v6: false, tos: header[1], ttl: header[8], df: header[6] & 0x40 != 0 }
            }
            _ => none,
        },
        ethernet::IPV6 => match payload.first_chunk::<40>() {
            Some(header) if header[0] >> 4 == 6 => {
                let tos = header[0] << 4 | header[1] >> 4;
                Inner { at: at as u8, v6: true, tos, ttl: header[7], df: true }
            }
            _ => none,
        },
        _ => none,
    }
}

/// [`inner`] of a frame whose ethertype stands at `at`, behind one tag if that is one's.
#[inline(never)]
pub fn within(frame: &[u8], at: usize) -> Inner {
    let first = word(frame, at).unwrap_or(0);
    let (at, ethertype) = match word(frame, at + ethernet::TAG) {
        Some(behind) if ethernet::is_tag(first) => (at + ethernet::TAG + 2, behind),
        _ => (at + 2, first),
    };
    inner(frame.get(at..).unwrap_or_default(), at, ethertype)
}

/// Writes the ECN field of the IP header that [`inner`] found, the IPv4 checksum kept right.
#[inline]
pub fn set_ecn(frame: &mut [u8], inner: Inner, ecn: u8) {
    let Some(header) = frame.get_mut(usize::from(inner.at)..) else { return };
    if inner.v6 {
        if let Some(byte) = header.get_mut(1) {
            *byte = *byte & !0x30 | (ecn & 3) << 4;
        }
    } else if let Some(header) = header.first_chunk_mut::<20>() {
        let old = u16::from_be_bytes([header[0], header[1]]);
        header[1] = header[1] & !3 | ecn & 3;
        let new = u16::from_be_bytes([header[0], header[1]]);
        let field = u16::from_be_bytes([header[10], header[11]]);
        let field = super::checksum::adjust(field, old, new);
        header[10..12].copy_from_slice(&field.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::checksum;

    fn v4() -> [u8; 20] {
        let mut header = [0x45, 2, 0, 28, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        let field = checksum::finish(checksum::sum(&header));
        header[10..12].copy_from_slice(&field.to_be_bytes());
        header
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let header = v4();
        assert!(V4::parse(&header, 28).is_some_and(|ip| ip.total_len == 28 && ip.protocol == UDP && !ip.fragment));
        assert_eq!(V4::parse(&header, 27), None);
        assert_eq!(V4::parse(&header[..19], 28), None);
        for (at, value) in [(0, 0x65), (0, 0x44), (3, 19)] {
            let mut wrong = header;
            wrong[at] = value;
            assert_eq!(V4::parse(&wrong, 28), None, "byte {at}");
        }
    }

    #[test]
    fn writing_ecn_keeps_the_checksum_right() {
        let mut frame = [0; 34];
        frame[14..].copy_from_slice(&v4());
        let found = inner(&frame[14..], 14, ethernet::IPV4);
        assert_eq!((found.at, found.tos, found.ttl, found.df), (14, 2, 64, true));
        set_ecn(&mut frame, found, 3);
        assert_eq!(frame[15], 3);
        assert_eq!(checksum::finish(checksum::sum(&frame[14..])), 0);
    }

    #[test]
    fn extension_headers_are_followed() {
        let mut bytes = [0u8; 64];
        bytes[0] = 0x60;
        bytes[5] = 24;
        bytes[6] = 0;
        bytes[40] = FRAGMENT;
        bytes[48] = UDP;
        let ip = V6::parse(&bytes, 64).expect("whole");
        assert_eq!(ip.upper(&bytes), Some((UDP, 56, true)));
        assert_eq!(ip.upper(&bytes[..40]), None);
    }
}
