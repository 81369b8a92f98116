//! Test frames, as a server's port and as a remote VTEP send them.
//!
//! A *pair* is a station behind the servers' port and one behind the VTEP, numbered from 0. Each has a MAC of its own,
//! and the pair has UDP ports of its own, so that every hash on the way sees as many flows as there are pairs.

use std::net::IpAddr;

use config::types::Encap;

use crate::wire::{checksum, ethernet, geneve, ip, udp, vxlan};

/// What the gateway under test is configured for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    /// Tag on the servers' port; `None` is untagged.
    pub vlan: Option<u16>,
    /// Tag of the underlay; `None` is untagged.
    pub underlay_vlan: Option<u16>,
    /// Number on the tunnel.
    pub vni: u32,
    /// Encapsulation.
    pub encap: Encap,
    /// UDP port of the encapsulation.
    pub udp_port: u16,
    /// The gateway's tunnel address.
    pub gateway: IpAddr,
    /// The remote VTEP that the generator plays.
    pub vtep: IpAddr,
    /// MAC of the gateway's underlay port.
    pub gateway_mac: [u8; 6],
    /// MAC of the remote VTEP, or of the router in front of it.
    pub vtep_mac: [u8; 6],
}

/// A side of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The port with VLANs.
    Servers,
    /// The underlay.
    Fabric,
}

impl Side {
    /// Where frames that come in here go out.
    pub const fn across(self) -> Self {
        match self {
            Self::Servers => Self::Fabric,
            Self::Fabric => Self::Servers,
        }
    }

    /// MAC of the station of pair `number` on this side, as it lies on the wire.
    pub fn mac(self, number: u32) -> [u8; 6] {
        let first = match self {
            Self::Servers => 0x02,
            Self::Fabric => 0x06,
        };
        let [a, b, c, d] = number.to_be_bytes();
        [first, 0, a, b, c, d]
    }
}

/// What the end of each test frame says: it passes the gateway unchanged, whatever is put on or taken off in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Which trial the frame belongs to.
    pub trial: u16,
    /// Its number in the trial, modulo 2^32.
    pub number: u32,
    /// When it was sent, in the clock of the generator.
    pub sent: u64,
}

impl Stamp {
    /// Bytes that it takes.
    pub const LEN: usize = 14;
    /// Keeps apart what is ours from what happens to have such bytes.
    const MAGIC: u16 = 0x5ee5;

    /// As bytes.
    pub fn bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[..2].copy_from_slice(&(self.trial ^ Self::MAGIC).to_be_bytes());
        bytes[2..6].copy_from_slice(&self.number.to_be_bytes());
        bytes[6..].copy_from_slice(&self.sent.to_be_bytes());
        bytes
    }

    /// Reads the end of a frame of trial `trial`.
    pub fn of(end: &[u8], trial: u16) -> Option<Self> {
        let bytes = end.last_chunk::<{ Self::LEN }>()?;
        let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        (word(0) ^ Self::MAGIC == trial).then(|| Self {
            trial,
            number: u32::from(word(2)) << 16 | u32::from(word(4)),
            sent: u64::from_be_bytes(*bytes.last_chunk().expect("it is longer")),
        })
    }
}

/// A frame of one size that only lacks its pair and its stamp.
#[derive(Clone, Debug)]
pub struct Mould {
    bytes: Vec<u8>,
    from: Side,
    /// Where the tenant's frame begins.
    tenant: usize,
    /// Where the tenant's UDP header begins.
    ports: usize,
    /// Where the outer UDP header begins, and the IP addresses in front of it when it has a checksum.
    outer: Option<(usize, Option<usize>)>,
}

impl Mould {
    /// The shortest tenant frame: headers, a tag and the stamp (and Ethernet has no shorter ones).
    pub const SHORTEST: usize = 60;

    /// For frames that come from `side`, the tenant's frame being of `len` bytes without its FCS (at least
    /// [`Self::SHORTEST`]), its tag counted.
    pub fn new(scene: &Scene, side: Side, len: usize) -> Self {
        let len = len.max(Self::SHORTEST);
        let tag = if side == Side::Servers { scene.vlan } else { None };
        let mut tenant = ethernet_header([0; 6], [0; 6], tag, ethernet::IPV4);
        let l3 = tenant.len();
        let (from, to) = ("192.0.2.1".parse().expect("an address"), "192.0.2.2".parse().expect("an address"));
        tenant.extend(packet(from, to, len - l3, &[]));
        let ports = l3 + 20;
        if side == Side::Servers {
            return Self { bytes: tenant, from: side, tenant: 0, ports, outer: None };
        }

        let mut bytes = match scene.gateway {
            IpAddr::V4(_) => ethernet_header(scene.gateway_mac, scene.vtep_mac, scene.underlay_vlan, ethernet::IPV4),
            IpAddr::V6(_) => ethernet_header(scene.gateway_mac, scene.vtep_mac, scene.underlay_vlan, ethernet::IPV6),
        };
        let l3 = bytes.len();
        let l3_len = if scene.gateway.is_ipv4() { 20 } else { ip::V6_HEADER };
        let header = match scene.encap {
            Encap::Vxlan => vxlan::header(scene.vni),
            Encap::Geneve => geneve::header(scene.vni, &[]),
        };
        let payload: Vec<u8> = header.into_iter().chain(tenant).collect();
        bytes.extend(packet(scene.vtep, scene.gateway, l3_len + udp::HEADER + payload.len(), &payload));
        let outer = l3 + l3_len;
        bytes[outer + 2..outer + 4].copy_from_slice(&scene.udp_port.to_be_bytes());
        let addresses = scene.gateway.is_ipv6().then_some(l3 + 8);
        let tenant = outer + udp::HEADER + header.len();
        Self { bytes, from: side, tenant, ports: tenant + ports, outer: Some((outer, addresses)) }
    }

    /// A frame before it is filled in.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The destination MAC of pair `number` on the other side, or everyone.
    pub fn destination(&self, number: Option<u32>) -> [u8; 6] {
        number.map_or([0xff; 6], |number| self.from.across().mac(number))
    }

    /// Fills in a copy of [`Self::bytes`]: from the station of pair `number` to `destination`.
    #[inline]
    pub fn fill(&self, frame: &mut [u8], number: u32, destination: [u8; 6], stamp: Stamp) {
        let Some(frame) = frame.get_mut(..self.bytes.len()) else { return };
        let tenant = &mut frame[self.tenant..];
        tenant[..6].copy_from_slice(&destination);
        tenant[6..12].copy_from_slice(&self.from.mac(number));
        let ports = [1024 + (number % 60_000) as u16, 2048 + (number / 60_000) as u16];
        for (place, port) in ports.into_iter().enumerate() {
            let at = self.ports + 2 * place;
            frame[at..at + 2].copy_from_slice(&port.to_be_bytes());
        }
        let end = frame.len() - Stamp::LEN;
        frame[end..].copy_from_slice(&stamp.bytes());
        if let Some((outer, addresses)) = self.outer {
            let source = 49_152 + (number % 16_384) as u16;
            frame[outer..outer + 2].copy_from_slice(&source.to_be_bytes());
            if let Some(addresses) = addresses {
                seal(frame, addresses, outer);
            }
        }
    }
}

/// Ethernet header, with a tag or without.
fn ethernet_header(to: [u8; 6], from: [u8; 6], tag: Option<u16>, ethertype: u16) -> Vec<u8> {
    let mut bytes = [to, from].concat();
    if let Some(vid) = tag {
        bytes.extend(ethernet::CUSTOMER_TAG.to_be_bytes());
        bytes.extend(vid.to_be_bytes());
    }
    bytes.extend(ethertype.to_be_bytes());
    bytes
}

/// An IP packet of `len` bytes with a UDP datagram that holds `payload` and zeros; no UDP checksum.
fn packet(from: IpAddr, to: IpAddr, len: usize, payload: &[u8]) -> Vec<u8> {
    let mut bytes = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let mut head = vec![0x45, 0, (len >> 8) as u8, len as u8, 0, 1, 0x40, 0, 64, ip::UDP, 0, 0];
            head.extend(from.octets());
            head.extend(to.octets());
            let field = checksum::finish(checksum::sum(&head));
            head[10..12].copy_from_slice(&field.to_be_bytes());
            head
        }
        (from, to) => {
            let inside = len - ip::V6_HEADER;
            let mut head = vec![0x60, 0, 0, 0, (inside >> 8) as u8, inside as u8, ip::UDP, 64];
            for address in [from, to] {
                head.extend(match address {
                    IpAddr::V6(address) => address.octets(),
                    IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                });
            }
            head
        }
    };
    let datagram = (len - bytes.len()) as u16;
    bytes.extend([0, 0, 0, 0]);
    bytes.extend(datagram.to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(payload);
    bytes.resize(len, 0);
    bytes
}

/// Writes the UDP checksum that IPv6 asks for (RFC 8200 section 8.1).
fn seal(frame: &mut [u8], addresses: usize, udp_at: usize) {
    frame[udp_at + 6..udp_at + 8].fill(0);
    let len = (frame.len() - udp_at) as u32;
    let sum = u64::from(checksum::sum(&frame[addresses..addresses + 32]))
        + u64::from(checksum::sum(&frame[udp_at..]))
        + u64::from(len)
        + u64::from(ip::UDP);
    let folded = (sum & 0xffff) + (sum >> 16);
    let field = match checksum::finish(((folded & 0xffff) + (folded >> 16)) as u32) {
        0 => 0xffff,
        field => field,
    };
    frame[udp_at + 6..udp_at + 8].copy_from_slice(&field.to_be_bytes());
}
