//! The commonest frames in a straight line: IP behind at most one tag from a port, and tunnel packets without IP options
//! or fragments from peers that are listed. What meets anything else on its way is left to
//! [`super::classify`], which knows all and gives reasons; of what this takes it says the same, and a property test holds
//! both to it.
//!
//! Headers are read as arrays whose lengths are known when this is compiled: one comparison says that all fields of one are
//! there. Fields that stand together and must hold known values are read and compared as one number.

use std::net::Ipv4Addr;

use config::types::Encap;

use super::peers::{Last, Peer, Source};
use super::termination::combined_ecn;
use crate::batch::Arrival;
use crate::frame::{Checked, Frame, RxMeta};
use crate::tables::{Binding, FdbKey, Ingress, PortTable, Tables, Tunneled, VIDS};
use crate::wire::{checksum, ethernet, flow, geneve, ip, udp, vxlan, word};

/// Bytes of the front of a packet of the underlay over IPv4: ethertype 2, IPv4 20, UDP 8 and tunnel 8.
const V4_FRONT: usize = 38;

/// Writes how a frame arrived; `None`, and anything written, when it is not one of the commonest. `last` is the sender of
/// the tunnel packet before this one, by the same tables. Without `UNDERLAY` the port has none.
#[inline(always)]
pub fn arrive<const UNDERLAY: bool, F: Frame>(
    frame: &F,
    table: &PortTable,
    tables: &Tables,
    last: &mut Last,
    arrival: &mut Arrival,
) -> Option<()> {
    let (head, meta) = (frame.head(), frame.meta());
    let front: &[u8; ethernet::HEADER + 2] = head.first_chunk()?;
    let [.., a, b, c, d] = *front;
    // No VLAN is numbered 0 or 4095: nothing is bound there, and what has such a tag goes the other way.
    let bound = |tci: u16| &table.customer[usize::from(tci) % VIDS];
    let (binding, tci, tags) = match meta.stripped {
        None if [a, b] == ethernet::CUSTOMER_TAG.to_be_bytes() => {
            let tci = u16::from_be_bytes([c, d]);
            (bound(tci), tci, ethernet::TAG)
        }
        None => (&table.untagged, 0, 0),
        Some(tci) => (bound(tci), tci, 0),
    };
    let addresses = ethernet::addresses(front.first_chunk()?);
    match *binding {
        Binding::Attachment(ingress) => {
            arrival.tags = tags as u8;
            arrival.priority = (tci >> 8) as u8 & 0xf0;
            attachment(head, tags, meta, ingress, addresses, arrival)
        }
        Binding::Underlay if UNDERLAY && addresses.0 == table.mac => {
            let at = ethernet::HEADER + tags;
            arrival.strip = at as u16;
            let front: &[u8; V4_FRONT] = head.get(at - 2..)?.first_chunk()?;
            match front.first_chunk().and_then(plain_tos) {
                Some(tos) => v4(frame, front, tos, &head[at..], tables, last, arrival),
                None if front[..2] == ethernet::IPV6.to_be_bytes() => v6(frame, &head[at..], tables, last, arrival),
                None => None,
            }
        }
        _ => None,
    }
}

/// The TOS of an IPv4 header without options that begins behind these two bytes of ethertype.
#[inline(always)]
fn plain_tos(front: &[u8; 4]) -> Option<u8> {
    let [.., tos] = *front;
    let plain = u32::from_le_bytes(*front) & 0x00ff_ffff == const { u32::from_le_bytes([0x08, 0x00, 0x45, 0]) };
    plain.then_some(tos)
}

/// True for the addresses of a frame that goes to one station from one other.
#[inline(always)]
fn between_stations((destination, source): (u64, u64)) -> bool {
    source != 0 && !ethernet::is_group(destination | source)
}

/// A frame of an attachment.
#[inline(always)]
fn attachment(
    head: &[u8],
    tags: usize,
    meta: RxMeta,
    ingress: Ingress,
    addresses: (u64, u64),
    arrival: &mut Arrival,
) -> Option<()> {
    arrival.whence = ingress.whence;
    let front: &[u8; 26] = head.get(ethernet::ADDRESSES + tags..)?.first_chunk()?;
    if !between_stations(addresses) {
        return None;
    }
    (arrival.tos, arrival.flow) = match (front.first_chunk().and_then(plain_tos), meta.hash) {
        (Some(tos), None) => (tos, flow::v4_plain(front.last_chunk()?)),
        (Some(tos), Some(hash)) => (tos, hash),
        (None, hash) => other(head, ethernet::HEADER + tags, hash)?,
    };
    arrival.destination = FdbKey::from_word(ingress.segment, addresses.0);
    arrival.source = FdbKey::from_word(ingress.segment, addresses.1);
    (arrival.strip, arrival.len, arrival.ecn) = (0, 0, 0xff);
    Some(())
}

/// TOS and flow of what is not IPv4 without options, nor has a tag.
#[inline(never)]
fn other(head: &[u8], at: usize, hash: Option<u32>) -> Option<(u8, u32)> {
    let packet = head.get(at..)?;
    let ethertype = u16::from_be_bytes([head[at - 2], head[at - 1]]);
    let tos = ip::inner(packet, ethernet::HEADER, ethertype).tos;
    (!ethernet::is_tag(ethertype)).then(|| (tos, hash.unwrap_or_else(|| flow::flow(head, at, ethertype))))
}

/// A packet of the underlay that begins with an IPv4 header without options.
#[inline(always)]
fn v4<F: Frame>(
    frame: &F,
    front: &[u8; V4_FRONT],
    tos: u8,
    packet: &[u8],
    tables: &Tables,
    last: &mut Last,
    arrival: &mut Arrival,
) -> Option<()> {
    let (ip, tunnel): (&[u8; 20], &[u8; 16]) = (front[2..].first_chunk()?, front.last_chunk()?);
    let fragment = u16::from_ne_bytes([ip[6], ip[7]]) & const { u16::from_ne_bytes([0x3f, 0xff]) } != 0;
    let destination = Ipv4Addr::from_bits(u32::from_be_bytes(*ip[16..].first_chunk()?));
    if fragment || ip[9] != ip::UDP || destination != tables.underlay.source_v4 {
        return None;
    }
    let right = match frame.meta().ip {
        Checked::Good => true,
        Checked::Bad => false,
        Checked::Unknown => checksum::is_right(ip),
    };
    if !right {
        return None;
    }
    let source = Ipv4Addr::from_bits(u32::from_be_bytes(*ip[12..].first_chunk()?));
    let packet = packet.get(..usize::from(u16::from_be_bytes([ip[2], ip[3]])))?;
    datagram::<20, _, _>(frame, packet, tunnel, source, tos, tables, &mut last.v4, arrival)
}

/// A packet of the underlay that begins with an IPv6 header.
#[inline(never)]
fn v6<F: Frame>(frame: &F, packet: &[u8], tables: &Tables, last: &mut Last, arrival: &mut Arrival) -> Option<()> {
    let ip = ip::V6::parse(packet, packet.len())?;
    if ip.next != ip::UDP || ip.destination != tables.underlay.source_v6 {
        return None;
    }
    let packet = packet.get(..ip.total_len)?;
    let tunnel = packet.get(ip::V6_HEADER..)?.first_chunk()?;
    datagram::<{ ip::V6_HEADER }, _, _>(frame, packet, tunnel, ip.source, ip.class, tables, &mut last.v6, arrival)
}

/// A whole IP packet to us whose header takes `IP` bytes: the tenant's frame in it.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // It is the callers' second half.
fn datagram<const IP: usize, A: Source, F: Frame>(
    frame: &F,
    packet: &[u8],
    headers: &[u8; 16],
    source: A,
    tos: u8,
    tables: &Tables,
    last: &mut Peer<A>,
    arrival: &mut Arrival,
) -> Option<()> {
    let [_, _, a, b, c, d, e, f, tunnel @ ..] = headers;
    if usize::from(u16::from_be_bytes([*c, *d])) + IP != packet.len() {
        return None;
    }
    let port = u16::from_be_bytes([*a, *b]);
    let (number, len) = if port == tables.underlay.vxlan_port {
        (Tunneled::new(Encap::Vxlan, vxlan::vni(tunnel)?), vxlan::HEADER)
    } else if port == tables.underlay.geneve_port {
        let header = geneve::parse(packet.get(IP + udp::HEADER..)?).ok()?;
        (Tunneled::new(Encap::Geneve, header.vni), header.len)
    } else {
        return None;
    };
    if !last.is(source, number) {
        last.turn_to(source, number, tables)?;
    }
    let right = match frame.meta().udp {
        _ if [*e, *f] == [0; 2] => !A::V6 || last.zero_v6,
        Checked::Good => true,
        Checked::Bad => false,
        Checked::Unknown => sums_up(packet, IP),
    };
    if !right {
        return None;
    }
    let at = IP + udp::HEADER + len;
    arrival.strip += at as u16;
    tenant(packet.get(at..)?, tos, last, arrival)
}

/// True when the UDP checksum of a packet with an IP header of so many bytes is right.
#[inline(never)]
fn sums_up(packet: &[u8], ip: usize) -> bool {
    let udp_len = packet.len() - ip;
    // Both addresses stand at the end of the IP header.
    let addresses = if ip == ip::V6_HEADER { 8 } else { 12 };
    checksum::finish(u32::from(ip::UDP) + udp_len as u32 + checksum::sum(&packet[addresses..])) == 0
}

/// Where a tunnel packet over IPv4 without a tag has its VNI, or one over IPv6; whether it is one is not asked.
#[inline(always)]
pub fn probable_vni(head: &[u8], tables: &Tables) -> Option<Tunneled> {
    let v6 = *head.get(ethernet::ADDRESSES)? == 0x86;
    let udp: &[u8; 16] = head.get(if v6 { 54 } else { 34 }..)?.first_chunk()?;
    let vxlan = u16::from_be_bytes([udp[2], udp[3]]) == tables.underlay.vxlan_port;
    let vni = u32::from_be_bytes([0, udp[12], udp[13], udp[14]]);
    Some(Tunneled::new(if vxlan { Encap::Vxlan } else { Encap::Geneve }, vni))
}

/// The tenant's frame of a packet with this outer TOS.
#[inline(always)]
fn tenant<A>(frame: &[u8], outer_tos: u8, peer: &Peer<A>, arrival: &mut Arrival) -> Option<()> {
    let front: &[u8; ethernet::HEADER + 20] = frame.first_chunk()?;
    let addresses = ethernet::addresses(front.first_chunk()?);
    if !between_stations(addresses) {
        return None;
    }
    let tos = match front[ethernet::ADDRESSES..].first_chunk().and_then(plain_tos) {
        Some(tos) => Some(tos),
        None => tos_of_other(frame)?,
    };
    arrival.ecn = combined_ecn(tos, outer_tos).ok()?;
    arrival.tos = tos.unwrap_or(0);
    arrival.destination = FdbKey::from_word(peer.segment, addresses.0);
    arrival.source = FdbKey::from_word(peer.segment, addresses.1);
    arrival.whence = peer.whence;
    (arrival.tags, arrival.priority, arrival.flow) = (0, 0, 0);
    arrival.len = frame.len() as u16;
    Some(())
}

/// The TOS of what is not IPv4 without options, nor has a tag, if it has one.
#[inline(never)]
fn tos_of_other(frame: &[u8]) -> Option<Option<u8>> {
    let ethertype = word(frame, ethernet::ADDRESSES)?;
    let inner = ip::within(frame, ethernet::ADDRESSES);
    (!ethernet::is_tag(ethertype)).then(|| (inner.at != 0).then_some(inner.tos))
}
