//! The commonest frames in a straight line: IP behind at most one tag from a port, and tunnel packets without IP options,
//! fragments or UDP checksums to be computed from peers that are listed. What meets anything else on its way is left to
//! [`super::classify`], which knows all and gives reasons; of what this takes it says the same, and a property test holds
//! both to it.

use std::net::{Ipv4Addr, Ipv6Addr};

use config::types::Encap;

use super::termination::{admit, combined_ecn};
use crate::batch::Arrival;
use crate::frame::{Checked, Frame, RxMeta};
use crate::tables::{Binding, EndpointId, FdbKey, PortTable, Tables, Way};
use crate::wire::{checksum, ethernet, flow, geneve, ip, udp, vxlan};

/// Writes how a frame arrived; `None`, and anything written, when it is not one of the commonest.
#[inline(always)]
pub fn arrive<F: Frame>(frame: &F, table: &PortTable, tables: &Tables, arrival: &mut Arrival) -> Option<()> {
    let (head, meta) = (frame.head(), frame.meta());
    let &[.., a, b, c, d] = head.first_chunk::<16>()?;
    let tpid = u16::from_be_bytes([a, b]);
    // No VLAN is numbered 0 or 4095: nothing is bound there, and what has such a tag goes the other way.
    let bound = |tci: u16| table.customer.get(usize::from(tci & 0x0fff));
    match meta.stripped {
        None if tpid == ethernet::CUSTOMER_TAG => {
            let tci = u16::from_be_bytes([c, d]);
            arrived::<4, F>(frame, head, meta, *bound(tci)?, tci, table, tables, arrival)
        }
        None => arrived::<0, F>(frame, head, meta, table.untagged, 0, table, tables, arrival),
        Some(tci) => arrived::<0, F>(frame, head, meta, *bound(tci)?, tci, table, tables, arrival),
    }
}

/// A frame with `TAG` bytes of tag in it.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // It is the caller's second half.
fn arrived<const TAG: usize, F: Frame>(
    frame: &F,
    head: &[u8],
    meta: RxMeta,
    binding: Binding,
    tci: u16,
    table: &PortTable,
    tables: &Tables,
    arrival: &mut Arrival,
) -> Option<()> {
    let (destination, source) = ethernet::addresses(head.first_chunk()?);
    let ethertype = u16::from_be_bytes(*head.get(ethernet::ADDRESSES + TAG..)?.first_chunk()?);
    match binding {
        Binding::Attachment(from) => {
            arrival.tags = TAG as u8;
            arrival.priority = (tci >> 8) as u8 & 0xf0;
            let key = may_be_bridged(destination, source, ethertype)?;
            attachment(head, ethernet::HEADER + TAG, meta, from, key, ethertype, tables, arrival)
        }
        Binding::Underlay if head.first_chunk() == Some(&table.mac) => {
            let packet = head.get(ethernet::HEADER + TAG..)?;
            let available = frame.len() - ethernet::HEADER - TAG;
            arrival.strip = (ethernet::HEADER + TAG) as u16;
            match ethertype {
                ethernet::IPV4 => v4(packet, available, meta.ip, meta.udp, tables, arrival),
                ethernet::IPV6 => v6(packet, available, meta.udp, tables, arrival),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The addresses, if a frame with them and without further tags is bridged.
#[inline(always)]
fn may_be_bridged(destination: u64, source: u64, ethertype: u16) -> Option<(u64, u64)> {
    let not = source == 0
        || ethernet::is_group(source)
        || ethernet::is_link_local(destination)
        || ethernet::is_tag(ethertype);
    (!not).then_some((destination, source))
}

#[inline(always)]
#[allow(clippy::too_many_arguments)] // As above.
fn attachment(
    head: &[u8],
    at: usize,
    meta: RxMeta,
    from: EndpointId,
    (destination, source): (u64, u64),
    ethertype: u16,
    tables: &Tables,
    arrival: &mut Arrival,
) -> Option<()> {
    let endpoint = tables.endpoints.get(from.index())?;
    let Way::Attachment(attachment) = &endpoint.way else { return None };
    let flow = flow::look(head, at, ethertype, &mut arrival.inner);
    arrival.flow = meta.hash.unwrap_or(flow);
    arrival.destination = FdbKey::from_word(attachment.segment, destination);
    arrival.source = FdbKey::from_word(attachment.segment, source);
    arrival.from = from;
    (arrival.strip, arrival.len) = (0, 0);
    arrival.generation = endpoint.generation;
    arrival.group = 0;
    arrival.ecn = 0xff;
    arrival.duties = attachment.duties;
    Some(())
}

#[inline(never)]
fn v4(
    packet: &[u8],
    available: usize,
    ip_sum: Checked,
    udp_sum: Checked,
    tables: &Tables,
    arrival: &mut Arrival,
) -> Option<()> {
    let (ip, rest) = packet.split_first_chunk::<20>()?;
    let ours = &tables.underlay;
    let total_len = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
    let fragment = u16::from_ne_bytes([ip[6], ip[7]]) & const { u16::from_ne_bytes([0x3f, 0xff]) };
    let source = Ipv4Addr::from_bits(u32::from_be_bytes(*ip[12..].first_chunk()?));
    let destination = Ipv4Addr::from_bits(u32::from_be_bytes(*ip[16..].first_chunk()?));
    let plain = ip[0] == 0x45 && ip[9] == ip::UDP && fragment == 0 && total_len <= available;
    let to_us = destination == ours.source_v4 && !destination.is_unspecified();
    if !plain || !to_us || ip::is_impossible_source(source) || source == ours.source_v4 {
        return None;
    }
    let right = match ip_sum {
        Checked::Good => true,
        Checked::Bad => false,
        Checked::Unknown => checksum::finish(checksum::sum_of(ip)) == 0,
    };
    if !right {
        return None;
    }
    let payload = Payload { bytes: rest, len: total_len.checked_sub(20)?, at: 20, tos: ip[1], sum: udp_sum };
    payload.open(source, tables, arrival)
}

#[inline(never)]
fn v6(packet: &[u8], available: usize, udp_sum: Checked, tables: &Tables, arrival: &mut Arrival) -> Option<()> {
    let (_, rest) = packet.split_first_chunk::<{ ip::V6_HEADER }>()?;
    let ours = &tables.underlay;
    let ip = ip::V6::parse(packet, available)?;
    let to_us = ip.destination == ours.source_v6 && !ip.destination.is_unspecified();
    if ip.next != ip::UDP || !to_us || ip.source_is_impossible() || ip.source == ours.source_v6 {
        return None;
    }
    let len = ip.total_len - ip::V6_HEADER;
    let payload = Payload { bytes: rest, len, at: ip::V6_HEADER as u16, tos: ip.class, sum: udp_sum };
    payload.open(ip.source, tables, arrival)
}

/// An outer source address.
trait Source: Copy {
    const V6: bool;
    fn endpoint(self, encap: Encap, tables: &Tables) -> EndpointId;
}

impl Source for Ipv4Addr {
    const V6: bool = false;
    #[inline(always)]
    fn endpoint(self, encap: Encap, tables: &Tables) -> EndpointId {
        tables.sources.find_v4(encap, self)
    }
}

impl Source for Ipv6Addr {
    const V6: bool = true;
    #[inline(always)]
    fn endpoint(self, encap: Encap, tables: &Tables) -> EndpointId {
        tables.sources.find_v6(encap, self)
    }
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
}

impl<'a> Payload<'a> {
    /// The tenant's frame in a packet to us.
    #[inline(always)]
    fn open<S: Source>(self, source: S, tables: &Tables, arrival: &mut Arrival) -> Option<()> {
        let (&[_, _, a, b, c, d, e, f], bytes) = self.bytes.split_first_chunk::<{ udp::HEADER }>()?;
        if usize::from(u16::from_be_bytes([c, d])) != self.len {
            return None;
        }
        let bytes = bytes.get(..self.len.checked_sub(udp::HEADER)?)?;
        let signed = [e, f] != [0; 2];
        let port = u16::from_be_bytes([a, b]);
        if port == tables.underlay.vxlan_port {
            let vni = vxlan::vni(bytes)?;
            self.tenant(bytes, signed, Encap::Vxlan, vni, vxlan::HEADER, source, tables, arrival)
        } else if port == tables.underlay.geneve_port {
            let header = geneve::parse(bytes).ok()?;
            self.tenant(bytes, signed, Encap::Geneve, header.vni, header.len, source, tables, arrival)
        } else {
            None
        }
    }

    #[inline(always)]
    #[allow(clippy::too_many_arguments)] // As above.
    fn tenant<S: Source>(
        &self,
        bytes: &'a [u8],
        signed: bool,
        encap: Encap,
        vni: u32,
        header: usize,
        source: S,
        tables: &Tables,
        arrival: &mut Arrival,
    ) -> Option<()> {
        let id = tables.vnis.find(encap, vni)?;
        let segment = tables.segments.get(id.index())?;
        if if signed { self.sum != Checked::Good } else { S::V6 && !segment.zero_v6 } {
            return None;
        }
        let from = source.endpoint(encap, tables);
        let endpoint = tables.endpoints.get(from.index()).filter(|_| from != EndpointId::NONE)?;
        admit(from, segment, tables).ok()?;
        let tenant = bytes.get(header..)?;
        let front = tenant.first_chunk()?;
        let ethertype = ethernet::ethertype(front);
        let (destination, source) = ethernet::addresses(front);
        let (destination, source) = may_be_bridged(destination, source, ethertype)?;
        let ip = tenant.get(ethernet::HEADER..)?;
        let tos = ip::glance(ip, ethertype, &mut arrival.inner);
        arrival.ecn = combined_ecn(tos, self.tos).ok()?;
        arrival.destination = FdbKey::from_word(id, destination);
        arrival.source = FdbKey::from_word(id, source);
        arrival.from = from;
        arrival.generation = endpoint.generation;
        arrival.group = segment.groups[encap as usize];
        arrival.strip += self.at + (udp::HEADER + header) as u16;
        (arrival.tags, arrival.priority, arrival.flow) = (0, 0, 0);
        arrival.len = tenant.len() as u16;
        arrival.duties = segment.duties;
        Some(())
    }
}
