//! Finished outer headers: prepared by control, copied and patched by the pipeline.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use config::types::Encap;

use crate::frame::PortId;
use crate::wire::checksum;

/// Bytes in which the longest outer header without Geneve options has room: Ethernet 14, VLAN 4, IPv6 40, UDP 8 and tunnel 8
/// are 74.
pub const ROOM: usize = 80;
/// Where the UDP header begins in that room.
pub const UDP: usize = ROOM - 16;
/// Where an IPv4 header begins in it.
pub const V4: usize = UDP - 20;
/// Where an IPv6 header begins in it.
pub const V6: usize = UDP - 40;

/// The outer header towards one next hop, complete but for what differs from frame to frame: lengths, IPv4 header
/// checksum, TOS, TTL, DF, UDP source port and checksum, tunnel header.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(align(64))]
pub struct Template {
    /// Ethernet, VLAN tag if any, IP, UDP and 8 bytes of tunnel header, at the end of the room: whatever stands in front, the
    /// headers that are patched have one place. Bytes before them are zero.
    pub room: [u8; ROOM],
    /// Bytes in use.
    pub len: u8,
    /// Bytes in front of the IP header: 14 or 18.
    pub l3: u8,
    /// Bytes of `bytes` from the IP header on.
    pub overhead: u8,
    /// True over IPv6.
    pub v6: bool,
    /// The port that it leaves through.
    pub port: PortId,
    /// The port's device fills in the checksum of an IPv4 header.
    pub by_device: bool,
    /// Largest IP packet in bytes that the underlay takes.
    pub mtu: u16,
    /// Sum, not folded, of the IPv4 header's fixed words (version, protocol, addresses), TTL, TOS, DF and length left out.
    pub ip_seed: u32,
    /// Sum, not folded, of the UDP pseudo header and header words that are fixed (addresses, protocol, destination port).
    pub udp_seed: u32,
}

/// What a [`Template`] is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Next hop's MAC (or the group's).
    pub destination_mac: [u8; 6],
    /// Our port's MAC.
    pub source_mac: [u8; 6],
    /// Underlay VLAN, 0 for none.
    pub vlan: u16,
    /// Our address, of the family of `destination`.
    pub source: IpAddr,
    /// The remote VTEP or the group.
    pub destination: IpAddr,
    /// Which tunnel header follows.
    pub encap: Encap,
    /// UDP destination port.
    pub udp_port: u16,
    /// The port that it leaves through.
    pub port: PortId,
    /// Largest IP packet in bytes that the underlay takes.
    pub mtu: u16,
}

impl Template {
    /// Builds the header.
    ///
    /// # Panics
    ///
    /// When the addresses are of two families: control pairs them.
    pub fn new(outline: &Outline) -> Self {
        let mut bytes = [0; ROOM];
        bytes[..6].copy_from_slice(&outline.destination_mac);
        bytes[6..12].copy_from_slice(&outline.source_mac);
        let mut l3 = 12;
        if outline.vlan != 0 {
            bytes[12..14].copy_from_slice(&[0x81, 0x00]);
            bytes[14..16].copy_from_slice(&outline.vlan.to_be_bytes());
            l3 = 16;
        }
        let (v6, ip_len) = match (outline.source, outline.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                bytes[l3..l3 + 2].copy_from_slice(&[0x08, 0x00]);
                ipv4(&mut bytes[l3 + 2..], source, destination);
                (false, 20)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                bytes[l3..l3 + 2].copy_from_slice(&[0x86, 0xdd]);
                ipv6(&mut bytes[l3 + 2..], source, destination);
                (true, 40)
            }
            _ => panic!("outer source and destination are of two families"),
        };
        l3 += 2;
        let udp = l3 + ip_len;
        bytes[udp + 2..udp + 4].copy_from_slice(&outline.udp_port.to_be_bytes());
        let ip_seed = if v6 { 0 } else { checksum::sum(&bytes[l3..udp]) };
        let addresses = if v6 { &bytes[l3 + 8..l3 + 40] } else { &bytes[l3 + 12..l3 + 20] };
        let udp_seed = checksum::sum(addresses) + 17 + u32::from(outline.udp_port);
        let len = udp + 16;
        bytes.rotate_right(ROOM - len);
        Self {
            room: bytes,
            len: len as u8,
            l3: l3 as u8,
            overhead: (len - l3) as u8,
            v6,
            port: outline.port,
            by_device: false,
            mtu: outline.mtu,
            ip_seed,
            udp_seed,
        }
    }
}

impl Template {
    /// The header's bytes.
    pub fn header(&self) -> &[u8] {
        &self.room[ROOM - usize::from(self.len)..]
    }
}

/// Version, protocol and addresses; all else zero.
fn ipv4(header: &mut [u8], source: Ipv4Addr, destination: Ipv4Addr) {
    header[0] = 0x45;
    header[9] = 17;
    header[12..16].copy_from_slice(&source.octets());
    header[16..20].copy_from_slice(&destination.octets());
}

/// Version, next header and addresses; all else zero.
fn ipv6(header: &mut [u8], source: Ipv6Addr, destination: Ipv6Addr) {
    header[0] = 0x60;
    header[6] = 17;
    header[8..24].copy_from_slice(&source.octets());
    header[24..40].copy_from_slice(&destination.octets());
}
