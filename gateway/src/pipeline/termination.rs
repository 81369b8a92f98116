//! The underlay's side of classification: tunnel packets for us, frames for the host, and everything else by name.

use std::net::IpAddr;

use config::types::Encap;

use super::classify::{Looked, Tagging};
use crate::batch::{Arrival, Class};
use crate::frame::{Checked, Frame};
use crate::tables::{EndpointId, FdbKey, PortTable, Segment, SegmentId, Tables};
use crate::verdict::DropReason;
use crate::wire::udp::Udp;
use crate::wire::{checksum, ecn, ethernet, geneve, ip, udp, vxlan, word};

/// A sender that a segment takes although nobody listed it.
pub type Stranger = (SegmentId, IpAddr, Encap);

/// The class of a frame that the underlay binding covers.
pub fn underlay<F: Frame>(
    looked: Looked<'_>,
    frame: &F,
    tagging: &Tagging,
    table: &PortTable,
    tables: &Tables,
    stranger: &mut Option<Stranger>,
) -> Class {
    let destination = ethernet::mac_word(looked.head, 0);
    let ours =
        u64::from_be_bytes([0, 0, table.mac[0], table.mac[1], table.mac[2], table.mac[3], table.mac[4], table.mac[5]]);
    if destination != ours && !ethernet::is_group(destination) {
        return Class::Drop(DropReason::NotForUs);
    }
    let at = ethernet::HEADER + usize::from(tagging.len);
    let packet = match outer(looked, at, tagging.ethertype, tables) {
        Ok(Outer::Tunnel(packet)) => packet,
        Ok(Outer::Host) => return Class::Host { tags: tagging.len },
        Err(reason) => return Class::Drop(reason),
    };
    if ethernet::is_group(destination) && !packet.to_group {
        // A packet to our address alone in a frame to many: RFC 1122 section 3.3.6 says not to take it (VX21).
        return Class::Drop(DropReason::NotForUs);
    }
    match tunnel(looked, frame, &packet, tables, stranger) {
        Ok(arrival) => Class::Bridge(arrival),
        Err(reason) => Class::Drop(reason),
    }
}

/// What an underlay frame is.
enum Outer {
    /// A packet to one of our tunnel ports.
    Tunnel(Packet),
    /// Not ours to judge.
    Host,
}

/// A tunnel packet whose IP and UDP headers are in order; offsets count from the start of the frame.
struct Packet {
    encap: Encap,
    source: IpAddr,
    /// The destination is a multicast group.
    to_group: bool,
    tos: u8,
    /// Where the addresses of the IP header stand, and how many bytes they are.
    addresses: (usize, usize),
    udp_at: usize,
    udp: Udp,
    v6: bool,
}

/// Reads the outer headers.
#[inline]
fn outer(looked: Looked<'_>, at: usize, ethertype: u16, tables: &Tables) -> Result<Outer, DropReason> {
    match ethertype {
        ethernet::IPV4 => outer_v4(looked, at, tables),
        ethernet::IPV6 => outer_v6(looked, at, tables),
        _ => Ok(Outer::Host),
    }
}

#[inline]
fn outer_v4(looked: Looked<'_>, at: usize, tables: &Tables) -> Result<Outer, DropReason> {
    let bytes = looked.head.get(at..).unwrap_or_default();
    let ip = ip::V4::parse(bytes, looked.len - at.min(looked.len)).ok_or(DropReason::BadIpHeader)?;
    if ip.protocol != ip::UDP {
        return Ok(Outer::Host);
    }
    let terminus = &tables.underlay;
    let for_us = ip.destination == terminus.source_v4 && !ip.destination.is_unspecified()
        || ip.destination.is_multicast() && terminus.groups.contains(&IpAddr::V4(ip.destination));
    if !ip.first {
        return if for_us { Err(DropReason::OuterFragment) } else { Ok(Outer::Host) };
    }
    let Some(udp) = bytes.get(ip.header_len..).and_then(Udp::parse) else {
        return if for_us { Err(DropReason::BadUdpHeader) } else { Ok(Outer::Host) };
    };
    let Some(encap) = tunnel_port(udp.destination, tables) else { return Ok(Outer::Host) };
    if !for_us {
        // The kernel must not see it: it would answer that the port is unreachable.
        return Err(DropReason::NotForUs);
    }
    match looked.meta.ip {
        Checked::Bad => return Err(DropReason::BadIpChecksum),
        Checked::Unknown => {
            let header = bytes.get(..ip.header_len).ok_or(DropReason::Split)?;
            if checksum::finish(checksum::sum(header)) != 0 {
                return Err(DropReason::BadIpChecksum);
            }
        }
        Checked::Good => {}
    }
    if ip.fragment {
        return Err(DropReason::OuterFragment);
    }
    if ip.header_len != 20 {
        return Err(DropReason::IpOptions);
    }
    if ip.source_is_impossible() || ip.source == terminus.source_v4 {
        return Err(DropReason::BadOuterSource);
    }
    if udp.len != ip.total_len - ip.header_len || udp.len < udp::HEADER {
        return Err(DropReason::BadUdpHeader);
    }
    Ok(Outer::Tunnel(Packet {
        encap,
        source: IpAddr::V4(ip.source),
        to_group: ip.destination.is_multicast(),
        tos: ip.tos,
        addresses: (at + 12, 8),
        udp_at: at + 20,
        udp,
        v6: false,
    }))
}

#[inline]
fn outer_v6(looked: Looked<'_>, at: usize, tables: &Tables) -> Result<Outer, DropReason> {
    let bytes = looked.head.get(at..).unwrap_or_default();
    let ip = ip::V6::parse(bytes, looked.len - at.min(looked.len)).ok_or(DropReason::BadIpHeader)?;
    let terminus = &tables.underlay;
    let for_us = ip.destination == terminus.source_v6 && !ip.destination.is_unspecified()
        || ip.destination.is_multicast() && terminus.groups.contains(&IpAddr::V6(ip.destination));
    if ip.next != ip::UDP {
        // Tunnel packets behind extension headers are not for the kernel either.
        return match ip.upper(bytes) {
            Some((ip::UDP, _, true)) if for_us => Err(DropReason::OuterFragment),
            Some((ip::UDP, at, false)) => match bytes.get(at..).and_then(Udp::parse) {
                Some(udp) if tunnel_port(udp.destination, tables).is_some() => Err(DropReason::IpOptions),
                _ => Ok(Outer::Host),
            },
            _ => Ok(Outer::Host),
        };
    }
    let Some(udp) = bytes.get(ip::V6_HEADER..).and_then(Udp::parse) else {
        return if for_us { Err(DropReason::BadUdpHeader) } else { Ok(Outer::Host) };
    };
    let Some(encap) = tunnel_port(udp.destination, tables) else { return Ok(Outer::Host) };
    if !for_us {
        return Err(DropReason::NotForUs);
    }
    if ip.source_is_impossible() || ip.source == terminus.source_v6 {
        return Err(DropReason::BadOuterSource);
    }
    if udp.len != ip.total_len - ip::V6_HEADER || udp.len < udp::HEADER {
        return Err(DropReason::BadUdpHeader);
    }
    Ok(Outer::Tunnel(Packet {
        encap,
        source: IpAddr::V6(ip.source),
        to_group: ip.destination.is_multicast(),
        tos: ip.class,
        addresses: (at + 8, 32),
        udp_at: at + ip::V6_HEADER,
        udp,
        v6: true,
    }))
}

#[inline]
fn tunnel_port(port: u16, tables: &Tables) -> Option<Encap> {
    if port == tables.underlay.vxlan_port {
        Some(Encap::Vxlan)
    } else if port == tables.underlay.geneve_port {
        Some(Encap::Geneve)
    } else {
        None
    }
}

/// From a tunnel packet to the tenant frame in it.
#[inline]
fn tunnel<F: Frame>(
    looked: Looked<'_>,
    frame: &F,
    packet: &Packet,
    tables: &Tables,
    stranger: &mut Option<Stranger>,
) -> Result<Arrival, DropReason> {
    let at = packet.udp_at + udp::HEADER;
    let end = packet.udp_at + packet.udp.len;
    // What the head holds of the UDP payload, padding left out.
    let payload = looked.head.get(at..end.min(looked.head.len())).unwrap_or_default();
    let (vni, header_len) = match packet.encap {
        Encap::Vxlan => (vxlan::vni(payload).ok_or(DropReason::BadTunnelHeader)?, vxlan::HEADER),
        Encap::Geneve => {
            let parsed = geneve::parse(payload)?;
            (parsed.vni, parsed.len)
        }
    };
    let id = tables.vnis.find(packet.encap, vni).ok_or(DropReason::UnknownVni)?;
    let segment = tables.segments.get(id.index()).ok_or(DropReason::UnknownVni)?;
    verify_udp(looked, frame, packet, segment)?;
    let (from, generation) = sender(packet, id, segment, tables, stranger)?;
    let strip = at + header_len;
    let inner_len = end.checked_sub(strip).filter(|&len| len >= ethernet::HEADER).ok_or(DropReason::InnerRunt)?;
    let tenant = payload.get(header_len..).unwrap_or_default();
    let ethertype = word(tenant, ethernet::ADDRESSES).ok_or(DropReason::Split)?;
    let destination = ethernet::mac_word(tenant, 0);
    let source = ethernet::mac_word(tenant, 6);
    if source == 0 || ethernet::is_group(source) {
        return Err(DropReason::BadSourceMac);
    }
    if ethernet::is_link_local(destination) {
        return Err(DropReason::LinkLocal);
    }
    let inner = if ethernet::is_tag(ethertype) {
        if !segment.inner_vlan_pass {
            return Err(DropReason::InnerVlan);
        }
        let next = word(tenant, ethernet::HEADER + 2).unwrap_or(0);
        ip::inner(tenant, ethernet::HEADER + ethernet::TAG, next)
    } else {
        ip::inner(tenant, ethernet::HEADER, ethertype)
    };
    let ecn = combined_ecn(inner, packet.tos)?;
    Ok(Arrival {
        destination: FdbKey::from_word(id, destination),
        source: FdbKey::from_word(id, source),
        from,
        generation,
        group: segment.groups[packet.encap as usize],
        to_group: ethernet::is_group(destination),
        strip: strip as u16,
        tags: 0,
        priority: 0,
        ecn,
        inner,
        len: inner_len as u16,
        flow: 0,
        duties: segment.duties,
    })
}

/// The tenant's new ECN field, 0xff for no change (RFC 6040 section 4.2).
#[inline]
fn combined_ecn(inner: ip::Inner, outer: u8) -> Result<u8, DropReason> {
    if inner.at == 0 {
        return Ok(0xff);
    }
    let now = ecn::decapsulated(inner.tos, outer).ok_or(DropReason::EcnCongestion)?;
    Ok(if now == inner.tos & 3 { 0xff } else { now })
}

/// The tunnel endpoint of the sender, if the segment takes it.
#[inline]
fn sender(
    packet: &Packet,
    id: SegmentId,
    segment: &Segment,
    tables: &Tables,
    stranger: &mut Option<Stranger>,
) -> Result<(EndpointId, u8), DropReason> {
    let from = match packet.source {
        IpAddr::V4(source) => tables.sources.find_v4(packet.encap, source),
        IpAddr::V6(source) => tables.sources.find_v6(packet.encap, source),
    };
    if segment.members != Segment::ANY {
        let known = tables.floods.get(segment.members as usize).is_some_and(|list| list.contains(from));
        if from == EndpointId::NONE || !known {
            return Err(DropReason::UnknownVtep);
        }
    } else if from == EndpointId::NONE {
        *stranger = Some((id, packet.source, packet.encap));
    }
    Ok((from, tables.endpoints.get(from.index()).map_or(0, |endpoint| endpoint.generation)))
}

/// Checks the outer UDP checksum (VX11, VX13, VX15, GN14, GN15).
#[inline]
fn verify_udp<F: Frame>(looked: Looked<'_>, frame: &F, packet: &Packet, segment: &Segment) -> Result<(), DropReason> {
    if packet.udp.checksum == 0 {
        return if packet.v6 && !segment.zero_v6 { Err(DropReason::ZeroUdpChecksum) } else { Ok(()) };
    }
    match looked.meta.udp {
        Checked::Good => Ok(()),
        Checked::Bad => Err(DropReason::BadUdpChecksum),
        Checked::Unknown => {
            let (at, len) = packet.addresses;
            let addresses = looked.head.get(at..at + len).ok_or(DropReason::Split)?;
            let pseudo = checksum::sum(addresses) + u32::from(ip::UDP) + packet.udp.len as u32;
            let sum = pseudo + payload_sum(frame, packet.udp_at, packet.udp.len);
            if checksum::finish(sum) == 0 { Ok(()) } else { Err(DropReason::BadUdpChecksum) }
        }
    }
}

/// Sum of `len` bytes from `at` on, over all pieces of a frame.
pub(super) fn payload_sum<F: Frame>(frame: &F, at: usize, len: usize) -> u32 {
    let head = frame.head();
    let first = head.get(at..head.len().min(at + len)).unwrap_or_default();
    let mut sum = checksum::sum(first);
    let mut done = first.len();
    frame.for_each_tail(|piece| {
        let piece = &piece[..piece.len().min(len - done)];
        // A piece that starts at an odd offset has its bytes in the other halves of the words.
        let part = checksum::sum(piece);
        sum += if done % 2 == 0 { part } else { part << 8 & 0xff00 | part >> 8 & 0xff };
        sum = (sum & 0xffff) + (sum >> 16);
        done += piece.len();
    });
    sum
}
