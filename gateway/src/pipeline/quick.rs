//! The commonest frames in a straight line: IP behind at most one tag from a port, and tunnel packets without IP options
//! or fragments from peers that are listed. What meets anything else on its way is left to
//! [`super::classify`], which knows all and gives reasons; of what this takes it says the same, and a property test holds
//! both to it.
//!
//! Headers are read as arrays whose lengths are known when this is compiled: one comparison says that all of them are
//! there, and no other follows.

use std::net::Ipv4Addr;

use config::types::Encap;

use super::peers::{Last, Peer, Source};
use super::termination::combined_ecn;
use crate::batch::Arrival;
use crate::frame::{Checked, Frame, RxMeta};
use crate::tables::{Binding, FdbKey, Ingress, PortTable, Tables};
use crate::wire::{checksum, ethernet, flow, geneve, ip, udp, vxlan};

/// Bytes that a frame must have to be looked at here: Ethernet 14, a tag 4, IPv4 20, ports 4 and a few more, well below the
/// 60 that a wire carries at least.
const FRONT: usize = 46;

/// Writes how a frame arrived; `None`, and anything written, when it is not one of the commonest. `last` is the sender of
/// the tunnel packet before this one, by the same tables.
#[inline(always)]
pub fn arrive<F: Frame>(
    frame: &F,
    table: &PortTable,
    tables: &Tables,
    last: &mut Last,
    arrival: &mut Arrival,
) -> Option<()> {
    let (head, meta) = (frame.head(), frame.meta());
    let front: &[u8; FRONT] = head.first_chunk()?;
    let [.., a, b, c, d] = *front.first_chunk::<16>()?;
    let tpid = u16::from_be_bytes([a, b]);
    // No VLAN is numbered 0 or 4095: nothing is bound there, and what has such a tag goes the other way.
    let bound = |tci: u16| table.customer.get(usize::from(tci & 0x0fff));
    match meta.stripped {
        None if tpid == ethernet::CUSTOMER_TAG => {
            let tci = u16::from_be_bytes([c, d]);
            arrived::<4, F>(frame, head, front, meta, *bound(tci)?, tci, table, tables, last, arrival)
        }
        None => arrived::<0, F>(frame, head, front, meta, table.untagged, 0, table, tables, last, arrival),
        Some(tci) => arrived::<0, F>(frame, head, front, meta, *bound(tci)?, tci, table, tables, last, arrival),
    }
}

/// A frame with `TAG` bytes of tag in it.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // It is the caller's second half.
fn arrived<const TAG: usize, F: Frame>(
    frame: &F,
    head: &[u8],
    front: &[u8; FRONT],
    meta: RxMeta,
    binding: Binding,
    tci: u16,
    table: &PortTable,
    tables: &Tables,
    last: &mut Last,
    arrival: &mut Arrival,
) -> Option<()> {
    let ethertype = u16::from_be_bytes(*front[ethernet::ADDRESSES + TAG..].first_chunk()?);
    match binding {
        Binding::Attachment(ingress) => {
            arrival.tags = TAG as u8;
            arrival.priority = (tci >> 8) as u8 & 0xf0;
            attachment(head, front, ethernet::HEADER + TAG, meta, ingress, ethertype, arrival)
        }
        Binding::Underlay if ethernet::addresses(front.first_chunk()?).0 == ethernet::number(table.mac) => {
            let packet = head.get(ethernet::HEADER + TAG..)?;
            let available = frame.len() - ethernet::HEADER - TAG;
            arrival.strip = (ethernet::HEADER + TAG) as u16;
            match ethertype {
                ethernet::IPV4 => v4(packet, available, meta, tables, last, arrival),
                ethernet::IPV6 => v6(packet, available, meta, tables, last, arrival),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The addresses of a frame, if one with them goes to one station from one other.
#[inline(always)]
fn addresses(front: &[u8; ethernet::HEADER]) -> Option<(u64, u64)> {
    let (destination, source) = ethernet::addresses(front);
    let not = source == 0 || ethernet::is_group(destination | source);
    (!not).then_some((destination, source))
}

/// A frame of an attachment; its payload is `at` bytes from the front.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // As above.
fn attachment(
    head: &[u8],
    front: &[u8; FRONT],
    at: usize,
    meta: RxMeta,
    ingress: Ingress,
    ethertype: u16,
    arrival: &mut Arrival,
) -> Option<()> {
    let (destination, source) = addresses(front.first_chunk()?)?;
    let packet: &[u8; 24] = front[at..].first_chunk()?;
    let (tos, flow) = if ethertype == ethernet::IPV4 && packet[0] == 0x45 {
        (packet[1], flow::v4_plain(packet))
    } else {
        other(head, at, ethertype)?
    };
    arrival.tos = tos;
    arrival.flow = meta.hash.unwrap_or(flow);
    arrival.destination = FdbKey::from_word(ingress.segment, destination);
    arrival.source = FdbKey::from_word(ingress.segment, source);
    arrival.place = ingress.from;
    (arrival.strip, arrival.len) = (0, 0);
    (arrival.group, arrival.ecn) = (0, 0xff);
    arrival.duties = ingress.duties;
    arrival.age_class = ingress.age_class;
    Some(())
}

/// TOS and flow of what is not IPv4 without options, nor has a tag.
#[inline(never)]
fn other(head: &[u8], at: usize, ethertype: u16) -> Option<(u8, u32)> {
    let packet = head.get(at..)?;
    let tos = ip::inner(packet, ethernet::HEADER, ethertype).tos;
    (!ethernet::is_tag(ethertype)).then(|| (tos, flow::flow(head, at, ethertype)))
}

#[inline(never)]
fn v4(
    packet: &[u8],
    available: usize,
    meta: RxMeta,
    tables: &Tables,
    last: &mut Last,
    arrival: &mut Arrival,
) -> Option<()> {
    let (ip, rest) = packet.split_first_chunk::<20>()?;
    let total_len = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
    let fragment = u16::from_ne_bytes([ip[6], ip[7]]) & const { u16::from_ne_bytes([0x3f, 0xff]) };
    let source = u32::from_be_bytes(*ip[12..].first_chunk()?);
    let destination = Ipv4Addr::from_bits(u32::from_be_bytes(*ip[16..].first_chunk()?));
    let plain = ip[0] == 0x45 && ip[9] == ip::UDP && fragment == 0 && total_len <= available;
    if !plain || destination != tables.underlay.source_v4 {
        return None;
    }
    let right = match meta.ip {
        Checked::Good => true,
        Checked::Bad => false,
        Checked::Unknown => checksum::is_right(ip),
    };
    if !right {
        return None;
    }
    let payload = Payload {
        bytes: rest,
        len: total_len.wrapping_sub(20),
        at: 20,
        tos: ip[1],
        sum: meta.udp,
        addresses: &ip[12..],
    };
    payload.open(Ipv4Addr::from_bits(source), tables, &mut last.v4, arrival)
}

#[inline(never)]
fn v6(
    packet: &[u8],
    available: usize,
    meta: RxMeta,
    tables: &Tables,
    last: &mut Last,
    arrival: &mut Arrival,
) -> Option<()> {
    let (header, rest) = packet.split_first_chunk::<{ ip::V6_HEADER }>()?;
    let ip = ip::V6::parse(packet, available)?;
    if ip.next != ip::UDP || ip.destination != tables.underlay.source_v6 {
        return None;
    }
    let len = ip.total_len - ip::V6_HEADER;
    let (at, addresses) = (ip::V6_HEADER as u16, &header[8..]);
    let payload = Payload { bytes: rest, len, at, tos: ip.class, sum: meta.udp, addresses };
    payload.open(ip.source, tables, &mut last.v6, arrival)
}

/// Where a tunnel packet over IPv4 without a tag has its VNI, or one over IPv6; whether it is one is not asked.
#[inline(always)]
pub fn probable_vni(head: &[u8], tables: &Tables) -> Option<(Encap, u32)> {
    let v6 = *head.get(ethernet::ADDRESSES)? == 0x86;
    let udp: &[u8; 16] = head.get(if v6 { 54 } else { 34 }..)?.first_chunk()?;
    let vxlan = u16::from_be_bytes([udp[2], udp[3]]) == tables.underlay.vxlan_port;
    Some((if vxlan { Encap::Vxlan } else { Encap::Geneve }, u32::from_be_bytes([0, udp[12], udp[13], udp[14]])))
}

/// What an IP header of the underlay carries: UDP.
struct Payload<'a> {
    bytes: &'a [u8],
    /// Bytes, as the IP header says.
    len: usize,
    /// Where it begins in the packet.
    at: u16,
    /// TOS of the IP header.
    tos: u8,
    /// What the NIC says of the UDP checksum.
    sum: Checked,
    /// Both addresses of the IP header.
    addresses: &'a [u8],
}

impl<'a> Payload<'a> {
    /// The tenant's frame in a packet to us.
    #[inline(always)]
    fn open<A: Source>(self, source: A, tables: &Tables, last: &mut Peer<A>, arrival: &mut Arrival) -> Option<()> {
        let (header, bytes) = self.bytes.split_first_chunk::<{ udp::HEADER }>()?;
        let &[_, _, a, b, c, d, e, f] = header;
        if usize::from(u16::from_be_bytes([c, d])) != self.len {
            return None;
        }
        let bytes = bytes.get(..self.len.checked_sub(udp::HEADER)?)?;
        let port = u16::from_be_bytes([a, b]);
        let (encap, vni, len) = if port == tables.underlay.vxlan_port {
            (Encap::Vxlan, vxlan::vni(bytes)?, vxlan::HEADER)
        } else if port == tables.underlay.geneve_port {
            let header = geneve::parse(bytes).ok()?;
            (Encap::Geneve, header.vni, header.len)
        } else {
            return None;
        };
        if !last.is(source, encap, vni) {
            *last = Peer::find(source, encap, vni, tables)?;
        }
        let right = match self.sum {
            _ if [e, f] == [0; 2] => !A::V6 || last.zero_v6,
            Checked::Good => true,
            Checked::Bad => false,
            Checked::Unknown => self.sums_up(),
        };
        if !right {
            return None;
        }
        arrival.strip += self.at + (udp::HEADER + len) as u16;
        tenant(bytes.get(len..)?, self.tos, last, arrival)
    }
}

impl Payload<'_> {
    /// True when the UDP checksum is right; all of the payload is there.
    #[inline(never)]
    fn sums_up(&self) -> bool {
        let pseudo = checksum::sum(self.addresses) + u32::from(ip::UDP) + self.len as u32;
        self.bytes.get(..self.len).is_some_and(|all| checksum::finish(pseudo + checksum::sum(all)) == 0)
    }
}

/// The tenant's frame of a packet with this outer TOS.
#[inline(always)]
fn tenant<A>(frame: &[u8], outer_tos: u8, peer: &Peer<A>, arrival: &mut Arrival) -> Option<()> {
    let front: &[u8; ethernet::HEADER + 20] = frame.first_chunk()?;
    let ethertype = ethernet::ethertype(front.first_chunk()?);
    let (destination, source) = addresses(front.first_chunk()?)?;
    let packet = front.last_chunk::<20>()?;
    let tos = if ethertype == ethernet::IPV4 && packet[0] == 0x45 {
        Some(packet[1])
    } else if ethernet::is_tag(ethertype) {
        return None;
    } else {
        let inner = ip::within(frame, ethernet::ADDRESSES);
        (inner.at != 0).then_some(inner.tos)
    };
    arrival.ecn = combined_ecn(tos, outer_tos).ok()?;
    arrival.tos = tos.unwrap_or(0);
    arrival.destination = FdbKey::from_word(peer.segment, destination);
    arrival.source = FdbKey::from_word(peer.segment, source);
    arrival.place = peer.place;
    arrival.group = peer.group;
    (arrival.tags, arrival.priority, arrival.flow) = (0, 0, 0);
    arrival.len = frame.len() as u16;
    arrival.duties = peer.duties;
    arrival.age_class = peer.age_class;
    Some(())
}
