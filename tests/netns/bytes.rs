//! Frames made and read by hand, on purpose without the gateway's own wire code: two readings of an RFC, not one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub type Mac = [u8; 6];

pub const BROADCAST: Mac = [0xff; 6];
pub const IPV4: u16 = 0x0800;
pub const IPV6: u16 = 0x86dd;
/// IEEE 802 local experimental: no kernel answers it.
pub const TEST: u16 = 0x88b5;
pub const VXLAN: u16 = 4789;
pub const GENEVE: u16 = 6081;

/// A unicast address of our own choice.
pub const fn mac(last: u8) -> Mac {
    [0x02, 0, 0, 0, 0xee, last]
}

/// An untagged Ethernet frame.
pub fn ethernet(to: Mac, from: Mac, kind: u16, payload: &[u8]) -> Vec<u8> {
    [&to[..], &from, &kind.to_be_bytes(), payload].concat()
}

/// A frame of the test ethertype with `size` bytes of payload that differ from byte to byte.
pub fn probe(to: Mac, from: Mac, size: usize, seed: u8) -> Vec<u8> {
    let payload: Vec<u8> = (0..size).map(|at| (at as u8).wrapping_mul(7).wrapping_add(seed)).collect();
    ethernet(to, from, TEST, &payload)
}

/// `frame` with a tag between the addresses and what follows.
pub fn tagged(frame: &[u8], tpid: u16, tci: u16) -> Vec<u8> {
    [&frame[..12], &tpid.to_be_bytes(), &tci.to_be_bytes(), &frame[12..]].concat()
}

/// The shorthand: an 802.1Q tag with priority 0.
pub fn vlan(frame: &[u8], vid: u16) -> Vec<u8> {
    tagged(frame, 0x8100, vid)
}

/// An inner IPv4 or IPv6 packet (UDP to the discard port) with the given TOS and TTL, valid checksums.
pub fn ip_packet(six: bool, tos: u8, ttl: u8, payload: &[u8]) -> Vec<u8> {
    let (from, to): (IpAddr, IpAddr) = if six {
        ("fd00:7::1".parse().unwrap(), "fd00:7::2".parse().unwrap())
    } else {
        ([192, 168, 7, 1].into(), [192, 168, 7, 2].into())
    };
    let udp = udp(from, to, 40_000, 9, true, payload);
    ip(from, to, tos, ttl, 0, 17, &udp)
}

/// An IP header before `payload`; `flags` is the IPv4 flags and offset word.
pub fn ip(from: IpAddr, to: IpAddr, tos: u8, ttl: u8, flags: u16, protocol: u8, payload: &[u8]) -> Vec<u8> {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut header = [0; 20];
            header[0] = 0x45;
            header[1] = tos;
            header[2..4].copy_from_slice(&u16::try_from(20 + payload.len()).unwrap().to_be_bytes());
            header[6..8].copy_from_slice(&flags.to_be_bytes());
            header[8] = ttl;
            header[9] = protocol;
            header[12..16].copy_from_slice(&from.octets());
            header[16..20].copy_from_slice(&to.octets());
            let sum = checksum(&[&header]);
            header[10..12].copy_from_slice(&sum.to_be_bytes());
            [&header[..], payload].concat()
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let mut header = [0; 40];
            header[0] = 0x60 | tos >> 4;
            header[1] = tos << 4;
            header[4..6].copy_from_slice(&u16::try_from(payload.len()).unwrap().to_be_bytes());
            header[6] = protocol;
            header[7] = ttl;
            header[8..24].copy_from_slice(&from.octets());
            header[24..40].copy_from_slice(&to.octets());
            [&header[..], payload].concat()
        }
        _ => panic!("both addresses are of one family"),
    }
}

/// A UDP datagram; without `sum` the checksum field is zero.
pub fn udp(from: IpAddr, to: IpAddr, source: u16, destination: u16, sum: bool, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap();
    let mut datagram =
        [&source.to_be_bytes()[..], &destination.to_be_bytes(), &length.to_be_bytes(), &[0, 0], payload].concat();
    if sum {
        let value = match udp_checksum(from, to, &datagram) {
            0 => 0xffff,
            value => value,
        };
        datagram[6..8].copy_from_slice(&value.to_be_bytes());
    }
    datagram
}

/// A tunnel packet from `from` to `to`, ready for the wire.
pub struct Tunnel {
    pub to_mac: Mac,
    pub from_mac: Mac,
    pub from: IpAddr,
    pub to: IpAddr,
    pub tos: u8,
    pub port: u16,
    pub checksum: bool,
    /// The VXLAN or Geneve header, options included.
    pub header: Vec<u8>,
}

impl Tunnel {
    pub fn wrap(&self, inner: &[u8]) -> Vec<u8> {
        let payload = [&self.header[..], inner].concat();
        let datagram = udp(self.from, self.to, 50_000, self.port, self.checksum, &payload);
        let kind = if self.to.is_ipv4() { IPV4 } else { IPV6 };
        ethernet(self.to_mac, self.from_mac, kind, &ip(self.from, self.to, self.tos, 64, 0x4000, 17, &datagram))
    }
}

/// A VXLAN header (RFC 7348 section 5).
pub fn vxlan_header(vni: u32) -> Vec<u8> {
    [&[8, 0, 0, 0][..], &(vni << 8).to_be_bytes()].concat()
}

/// A Geneve header with options (RFC 8926 section 3.4); `flags` is the O and C byte.
pub fn geneve_header(vni: u32, flags: u8, options: &[u8]) -> Vec<u8> {
    let words = u8::try_from(options.len() / 4).unwrap();
    [&[words, flags, 0x65, 0x58][..], &(vni << 8).to_be_bytes(), options].concat()
}

/// A tunnel packet as it was seen on the wire, taken apart; every length and checksum was right.
#[derive(Clone, Debug)]
pub struct Outer {
    pub to_mac: Mac,
    pub from_mac: Mac,
    pub vlan: Option<u16>,
    pub from: IpAddr,
    pub to: IpAddr,
    pub tos: u8,
    pub ttl: u8,
    pub dont_fragment: bool,
    pub source_port: u16,
    pub port: u16,
    /// The UDP checksum field; zero or right.
    pub checksum: u16,
    /// The first four bytes of the tunnel header and the last (all but the VNI).
    pub flags: [u8; 5],
    pub vni: u32,
    pub options: Vec<u8>,
    pub inner: Vec<u8>,
}

impl Outer {
    /// `None` when `frame` is no UDP to a tunnel port; a malformed tunnel packet is a failed test.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let mut at = 12;
        let mut tag = None;
        if frame[at..at + 2] == [0x81, 0] {
            tag = Some(u16::from_be_bytes([frame[at + 2], frame[at + 3]]));
            at += 4;
        }
        let kind = u16::from_be_bytes([frame[at], frame[at + 1]]);
        let packet = &frame[at + 2..];
        let (from, to, tos, ttl, dont_fragment, datagram) = match kind {
            IPV4 if packet[9] == 17 => read_ipv4(packet),
            IPV6 if packet[6] == 17 => read_ipv6(packet),
            _ => return None,
        };
        let port = u16::from_be_bytes([datagram[2], datagram[3]]);
        let length = usize::from(u16::from_be_bytes([datagram[4], datagram[5]]));
        let checksum = u16::from_be_bytes([datagram[6], datagram[7]]);
        if port != VXLAN && port != GENEVE {
            return None;
        }
        assert_eq!(length, datagram.len(), "the UDP length is that of the IP payload");
        assert!(checksum == 0 || udp_checksum(from, to, datagram) == 0, "wrong UDP checksum {checksum:04x}");
        let tunnel = &datagram[8..];
        let options = if port == GENEVE { usize::from(tunnel[0] & 0x3f) * 4 } else { 0 };
        Some(Self {
            to_mac: frame[..6].try_into().unwrap(),
            from_mac: frame[6..12].try_into().unwrap(),
            vlan: tag,
            from,
            to,
            tos,
            ttl,
            dont_fragment,
            source_port: u16::from_be_bytes([datagram[0], datagram[1]]),
            port,
            checksum,
            flags: [tunnel[0], tunnel[1], tunnel[2], tunnel[3], tunnel[7]],
            vni: u32::from_be_bytes([0, tunnel[4], tunnel[5], tunnel[6]]),
            options: tunnel[8..8 + options].to_vec(),
            inner: tunnel[8 + options..].to_vec(),
        })
    }
}

type Network<'a> = (IpAddr, IpAddr, u8, u8, bool, &'a [u8]);

fn read_ipv4(packet: &[u8]) -> Network<'_> {
    assert_eq!(packet[0], 0x45, "a VTEP sends no IP options");
    assert_eq!(checksum(&[&packet[..20]]), 0, "wrong IPv4 header checksum");
    let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    assert_eq!(u16::from_be_bytes([packet[6], packet[7]]) & 0x3fff, 0, "a VTEP never fragments");
    let octets = |at: usize| -> IpAddr { Ipv4Addr::from(<[u8; 4]>::try_from(&packet[at..at + 4]).unwrap()).into() };
    (octets(12), octets(16), packet[1], packet[8], packet[6] & 0x40 != 0, &packet[20..length])
}

fn read_ipv6(packet: &[u8]) -> Network<'_> {
    let length = 40 + usize::from(u16::from_be_bytes([packet[4], packet[5]]));
    let octets = |at: usize| -> IpAddr { Ipv6Addr::from(<[u8; 16]>::try_from(&packet[at..at + 16]).unwrap()).into() };
    (octets(8), octets(24), packet[0] << 4 | packet[1] >> 4, packet[7], true, &packet[40..length])
}

/// RFC 768 and RFC 8200 section 8.1; zero over a datagram whose checksum is right.
fn udp_checksum(from: IpAddr, to: IpAddr, datagram: &[u8]) -> u16 {
    let length = u32::try_from(datagram.len()).unwrap().to_be_bytes();
    let protocol = [0, 0, 0, 17];
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => checksum(&[&from.octets(), &to.octets(), &length, &protocol, datagram]),
        (IpAddr::V6(from), IpAddr::V6(to)) => checksum(&[&from.octets(), &to.octets(), &length, &protocol, datagram]),
        _ => panic!("both addresses are of one family"),
    }
}

/// RFC 1071; every piece but the last has even length.
fn checksum(pieces: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for piece in pieces {
        for pair in piece.chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
