//! Frames, put together plainly.

use std::net::IpAddr;

/// A MAC of a server or peer, by a small number.
pub const fn mac(number: u8) -> [u8; 6] {
    [0x02, 0, 0, 0, 0, number]
}

/// Everybody.
pub const ALL: [u8; 6] = [0xff; 6];

/// An Ethernet frame.
pub fn ethernet(to: [u8; 6], from: [u8; 6], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&to[..], &from, &ethertype.to_be_bytes(), payload].concat()
}

/// The frame with a tag behind its addresses.
pub fn tagged(frame: &[u8], tpid: u16, tci: u16) -> Vec<u8> {
    [&frame[..12], &tpid.to_be_bytes(), &tci.to_be_bytes(), &frame[12..]].concat()
}

/// The frame with an 802.1Q tag of this VLAN.
pub fn vlan(frame: &[u8], vid: u16) -> Vec<u8> {
    tagged(frame, 0x8100, vid)
}

/// One's-complement sum of 16-bit words, as RFC 1071 says it in words.
pub fn ones_sum(parts: &[&[u8]]) -> u16 {
    let bytes = parts.concat();
    let mut sum = 0u64;
    for pair in bytes.chunks(2) {
        sum += u64::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// The pseudo header of UDP.
pub fn pseudo_header(source: IpAddr, destination: IpAddr, udp_len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for address in [source, destination] {
        match address {
            IpAddr::V4(address) => bytes.extend(address.octets()),
            IpAddr::V6(address) => bytes.extend(address.octets()),
        }
    }
    bytes.extend((udp_len as u32).to_be_bytes());
    bytes.extend([0, 0, 0, 17]);
    bytes
}

/// What an IP header says besides addresses and lengths.
#[derive(Clone, Copy, Debug)]
pub struct Ip {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub tos: u8,
    pub ttl: u8,
    /// Flags and fragment offset of IPv4.
    pub fragment: u16,
}

impl Ip {
    /// From one address to another, nothing special.
    pub fn new(source: &str, destination: &str) -> Self {
        let address = |text: &str| text.parse().unwrap_or_else(|_| panic!("'{text}' is no address"));
        Self { source: address(source), destination: address(destination), tos: 0, ttl: 64, fragment: 0x4000 }
    }

    /// The ethertype of the family.
    pub fn ethertype(&self) -> u16 {
        if self.source.is_ipv4() { 0x0800 } else { 0x86dd }
    }

    /// A packet.
    pub fn packet(&self, protocol: u8, payload: &[u8]) -> Vec<u8> {
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let mut header = vec![0x45, self.tos];
                header.extend((20 + payload.len() as u16).to_be_bytes());
                header.extend([0, 0]);
                header.extend(self.fragment.to_be_bytes());
                header.extend([self.ttl, protocol, 0, 0]);
                header.extend(source.octets());
                header.extend(destination.octets());
                let sum = !ones_sum(&[&header]);
                header[10..12].copy_from_slice(&sum.to_be_bytes());
                [&header, payload].concat()
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let mut header = vec![0x60 | self.tos >> 4, self.tos << 4, 0, 0];
                header.extend((payload.len() as u16).to_be_bytes());
                header.extend([protocol, self.ttl]);
                header.extend(source.octets());
                header.extend(destination.octets());
                [&header, payload].concat()
            }
            _ => panic!("addresses of two families"),
        }
    }

    /// A UDP packet with a right checksum, or none.
    pub fn udp(&self, ports: (u16, u16), payload: &[u8], checksum: bool) -> Vec<u8> {
        let len = payload.len() + 8;
        let mut header = Vec::new();
        header.extend(ports.0.to_be_bytes());
        header.extend(ports.1.to_be_bytes());
        header.extend((len as u16).to_be_bytes());
        header.extend([0, 0]);
        if checksum {
            let pseudo = pseudo_header(self.source, self.destination, len);
            let sum = match !ones_sum(&[&pseudo, &header, payload]) {
                0 => 0xffff,
                sum => sum,
            };
            header[6..8].copy_from_slice(&sum.to_be_bytes());
        }
        self.packet(17, &[&header, payload].concat())
    }
}

/// A tenant's frame with a UDP packet over IPv4.
pub fn tenant(to: [u8; 6], from: [u8; 6], ports: (u16, u16), size: usize) -> Vec<u8> {
    let payload: Vec<u8> = (0..size).map(|n| n as u8).collect();
    let ip = Ip { ttl: 33, ..Ip::new("192.0.2.1", "192.0.2.2") };
    ethernet(to, from, 0x0800, &ip.udp(ports, &payload, true))
}

/// A VXLAN header and a frame.
pub fn vxlan(vni: u32, frame: &[u8]) -> Vec<u8> {
    [&[8, 0, 0, 0][..], &(vni << 8).to_be_bytes(), frame].concat()
}

/// A Geneve header with options and a frame.
pub fn geneve(vni: u32, options: &[u8], frame: &[u8]) -> Vec<u8> {
    [&[(options.len() / 4) as u8, 0, 0x65, 0x58][..], &(vni << 8).to_be_bytes(), options, frame].concat()
}
