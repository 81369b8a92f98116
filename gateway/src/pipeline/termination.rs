//! The underlay's side of classification: tunnel packets for us, frames for the host, and everything else by name.

use std::net::IpAddr;

use config::types::Encap;

use super::classify::{Looked, Tags};
use crate::batch::{Arrival, Kind};
use crate::frame::{Checked, Frame, RxMeta};
use crate::shard::Stranger;
use crate::tables::tunnels::Terminus;
use crate::tables::{EndpointId, FdbKey, Place, PortTable, Segment, SegmentId, Sources, Tables, Whence};
use crate::verdict::DropReason;
use crate::wire::udp::Udp;
use crate::wire::{checksum, ecn, ethernet, geneve, ip, udp, vxlan, word};

/// What becomes of a frame that the underlay binding covers; `destination` is its MAC address.
#[inline(always)]
pub(super) fn underlay<F: Frame>(
    looked: &Looked<'_, F>,
    tags: Tags,
    destination: u64,
    table: &PortTable,
    tables: &Tables,
    arrival: &mut Arrival,
    stranger: &mut Option<Stranger>,
) -> Kind {
    let at = ethernet::HEADER + usize::from(tags.len);
    let packet = Packet { looked, at, bytes: looked.head.get(at..).unwrap_or_default() };
    let to_group = ethernet::is_group(destination);
    if !to_group && destination != table.mac {
        return Kind::Drop(DropReason::NotForUs);
    }
    let found = match tags.ethertype {
        ethernet::IPV4 => terminate::<ip::V4, F>(packet, to_group, tables, arrival, stranger),
        ethernet::IPV6 => terminate::<ip::V6, F>(packet, to_group, tables, arrival, stranger),
        _ => Ok(Found::Other),
    };
    match found {
        Ok(Found::Tenant) => Kind::Bridge,
        Ok(Found::Other) => Kind::Host { tags: tags.len },
        Err(reason) => Kind::Drop(reason),
    }
}

/// What a packet of the underlay is.
enum Found {
    /// A tenant's frame in a tunnel.
    Tenant,
    /// Not ours to judge.
    Other,
}

/// A packet of the underlay.
struct Packet<'a, F> {
    looked: &'a Looked<'a, F>,
    /// Where it begins in the frame.
    at: usize,
    /// What the head holds of it.
    bytes: &'a [u8],
}

/// What the two families of IP headers must tell. Offsets count from the start of the packet.
trait Outer: Sized {
    const V6: bool;
    /// Where the addresses stand, and how many bytes they are.
    const ADDRESSES: (usize, usize);

    fn parse(bytes: &[u8], available: usize) -> Option<Self>;
    fn source(&self) -> IpAddr;
    fn to_group(&self) -> bool;
    fn tos(&self) -> u8;
    /// Where the UDP header would be.
    fn udp_at(&self) -> usize;
    fn total_len(&self) -> usize;
    /// True for a packet to our VTEP address or to a group that we joined.
    fn is_for_us(&self, ours: &Terminus) -> bool;
    /// True for a source that no host has (OIP11), or that we are.
    fn source_is_bad(&self, ours: &Terminus) -> bool;
    /// What to do with a packet that has no UDP header at [`Self::udp_at`]; `None` when it has one.
    fn without_udp(&self, bytes: &[u8], ours: &Terminus) -> Option<Result<Found, DropReason>>;
    /// Checks what only tunnel packets are checked for.
    fn check(&self, bytes: &[u8], meta: RxMeta) -> Result<(), DropReason>;
    /// The tunnel endpoint of the sender.
    fn sender(&self, encap: Encap, sources: &Sources) -> EndpointId;
}

impl Outer for ip::V4 {
    const V6: bool = false;
    const ADDRESSES: (usize, usize) = (12, 8);

    #[inline(always)]
    fn parse(bytes: &[u8], available: usize) -> Option<Self> {
        Self::parse(bytes, available)
    }

    fn source(&self) -> IpAddr {
        IpAddr::V4(self.source)
    }

    #[inline(always)]
    fn to_group(&self) -> bool {
        self.destination.is_multicast()
    }

    #[inline(always)]
    fn tos(&self) -> u8 {
        self.tos
    }

    #[inline(always)]
    fn udp_at(&self) -> usize {
        self.header_len
    }

    #[inline(always)]
    fn total_len(&self) -> usize {
        self.total_len
    }

    #[inline(always)]
    fn is_for_us(&self, ours: &Terminus) -> bool {
        self.destination == ours.source_v4 && !self.destination.is_unspecified()
            || self.destination.is_multicast() && ours.groups.contains(&IpAddr::V4(self.destination))
    }

    #[inline(always)]
    fn source_is_bad(&self, ours: &Terminus) -> bool {
        self.source_is_impossible() || self.source == ours.source_v4
    }

    #[inline(always)]
    fn without_udp(&self, _: &[u8], ours: &Terminus) -> Option<Result<Found, DropReason>> {
        if self.protocol != ip::UDP {
            Some(Ok(Found::Other))
        } else if self.first {
            None
        } else {
            Some(if self.is_for_us(ours) { Err(DropReason::OuterFragment) } else { Ok(Found::Other) })
        }
    }

    #[inline(always)]
    fn check(&self, bytes: &[u8], meta: RxMeta) -> Result<(), DropReason> {
        match meta.ip {
            Checked::Bad => return Err(DropReason::BadIpChecksum),
            Checked::Unknown => {
                let header = bytes.get(..self.header_len).ok_or(DropReason::Split)?;
                let sum = match header.first_chunk::<20>() {
                    Some(plain) if header.len() == 20 => checksum::sum_of(plain),
                    _ => checksum::sum(header),
                };
                if checksum::finish(sum) != 0 {
                    return Err(DropReason::BadIpChecksum);
                }
            }
            Checked::Good => {}
        }
        if self.fragment {
            return Err(DropReason::OuterFragment);
        }
        if self.header_len != 20 { Err(DropReason::IpOptions) } else { Ok(()) }
    }

    #[inline(always)]
    fn sender(&self, encap: Encap, sources: &Sources) -> EndpointId {
        sources.find_v4(encap, self.source)
    }
}

impl Outer for ip::V6 {
    const V6: bool = true;
    const ADDRESSES: (usize, usize) = (8, 32);

    #[inline(always)]
    fn parse(bytes: &[u8], available: usize) -> Option<Self> {
        Self::parse(bytes, available)
    }

    fn source(&self) -> IpAddr {
        IpAddr::V6(self.source)
    }

    #[inline(always)]
    fn to_group(&self) -> bool {
        self.destination.is_multicast()
    }

    #[inline(always)]
    fn tos(&self) -> u8 {
        self.class
    }

    #[inline(always)]
    fn udp_at(&self) -> usize {
        ip::V6_HEADER
    }

    #[inline(always)]
    fn total_len(&self) -> usize {
        self.total_len
    }

    #[inline(always)]
    fn is_for_us(&self, ours: &Terminus) -> bool {
        self.destination == ours.source_v6 && !self.destination.is_unspecified()
            || self.destination.is_multicast() && ours.groups.contains(&IpAddr::V6(self.destination))
    }

    #[inline(always)]
    fn source_is_bad(&self, ours: &Terminus) -> bool {
        self.source_is_impossible() || self.source == ours.source_v6
    }

    #[inline(always)]
    fn without_udp(&self, bytes: &[u8], ours: &Terminus) -> Option<Result<Found, DropReason>> {
        if self.next == ip::UDP { None } else { Some(behind_extensions(self, bytes, ours)) }
    }

    #[inline(always)]
    fn check(&self, _: &[u8], _: RxMeta) -> Result<(), DropReason> {
        Ok(())
    }

    #[inline(always)]
    fn sender(&self, encap: Encap, sources: &Sources) -> EndpointId {
        sources.find_v6(encap, self.source)
    }
}

/// Tunnel packets behind extension headers are not for the kernel either.
#[inline(never)]
fn behind_extensions(ip: &ip::V6, bytes: &[u8], ours: &Terminus) -> Result<Found, DropReason> {
    match ip.upper(bytes) {
        Some((ip::UDP, _, true)) if ip.is_for_us(ours) => Err(DropReason::OuterFragment),
        Some((ip::UDP, at, false)) => match bytes.get(at..).and_then(Udp::parse) {
            Some(udp) if tunnel_port(udp.destination, ours).is_some() => Err(DropReason::IpOptions),
            _ => Ok(Found::Other),
        },
        _ => Ok(Found::Other),
    }
}

#[inline(always)]
fn tunnel_port(port: u16, ours: &Terminus) -> Option<Encap> {
    if port == ours.vxlan_port {
        Some(Encap::Vxlan)
    } else if port == ours.geneve_port {
        Some(Encap::Geneve)
    } else {
        None
    }
}

/// Reads the outer headers, and what is in the tunnel.
#[inline(always)]
fn terminate<O: Outer, F: Frame>(
    packet: Packet<'_, F>,
    frame_to_group: bool,
    tables: &Tables,
    arrival: &mut Arrival,
    stranger: &mut Option<Stranger>,
) -> Result<Found, DropReason> {
    let ours = &tables.underlay;
    let available = packet.looked.frame.len().saturating_sub(packet.at);
    let ip = O::parse(packet.bytes, available).ok_or(DropReason::BadIpHeader)?;
    if let Some(found) = ip.without_udp(packet.bytes, ours) {
        return found;
    }
    let for_us = ip.is_for_us(ours);
    let Some(udp) = packet.bytes.get(ip.udp_at()..).and_then(Udp::parse) else {
        return if for_us { Err(DropReason::BadUdpHeader) } else { Ok(Found::Other) };
    };
    let Some(encap) = tunnel_port(udp.destination, ours) else { return Ok(Found::Other) };
    if !for_us {
        // The kernel must not see it: it would answer that the port is unreachable.
        return Err(DropReason::NotForUs);
    }
    ip.check(packet.bytes, packet.looked.meta())?;
    if ip.source_is_bad(ours) {
        return Err(DropReason::BadOuterSource);
    }
    if udp.len != ip.total_len() - ip.udp_at() || udp.len < udp::HEADER {
        return Err(DropReason::BadUdpHeader);
    }
    if frame_to_group && !ip.to_group() {
        // A packet to our address alone in a frame to many: RFC 1122 section 3.3.6 says not to take it (VX21).
        return Err(DropReason::NotForUs);
    }
    tenant(&packet, &ip, udp, encap, tables, arrival, stranger)?;
    Ok(Found::Tenant)
}

/// From a tunnel packet to the tenant frame in it.
#[inline(always)]
fn tenant<O: Outer, F: Frame>(
    packet: &Packet<'_, F>,
    ip: &O,
    udp: Udp,
    encap: Encap,
    tables: &Tables,
    arrival: &mut Arrival,
    stranger: &mut Option<Stranger>,
) -> Result<(), DropReason> {
    let at = ip.udp_at() + udp::HEADER;
    let end = ip.udp_at() + udp.len;
    // What the head holds of the UDP payload, padding left out.
    let payload = packet.bytes.get(at..end.min(packet.bytes.len())).unwrap_or_default();
    let (vni, header_len) = match encap {
        Encap::Vxlan => (vxlan::vni(payload).ok_or(DropReason::BadTunnelHeader)?, vxlan::HEADER),
        Encap::Geneve => {
            let parsed = geneve::parse(payload)?;
            (parsed.vni, parsed.len)
        }
    };
    let (id, from) = belongs(ip, encap, vni, tables).ok_or(DropReason::UnknownVni)?;
    let segment = tables.segments.get(id.index()).ok_or(DropReason::UnknownVni)?;
    verify_udp(packet, ip, &udp, segment)?;
    admit(from, segment, tables)?;
    if from == EndpointId::NONE {
        *stranger = Some((id, ip.source(), encap));
    }
    let inner_len = (udp.len - udp::HEADER).saturating_sub(header_len);
    if inner_len < ethernet::HEADER {
        return Err(DropReason::InnerRunt);
    }
    let frame = payload.get(header_len..).unwrap_or_default();
    let front = frame.first_chunk().ok_or(DropReason::Split)?;
    let (destination, source) = ethernet::addresses(front);
    if source == 0 || ethernet::is_group(source) {
        return Err(DropReason::BadSourceMac);
    }
    if ethernet::is_link_local(destination) {
        return Err(DropReason::LinkLocal);
    }
    let inner = inner(frame, ethernet::ethertype(front), segment)?;
    let place = Place::new(from, tables.endpoints.get(from.index()).map_or(0, |endpoint| endpoint.generation));
    *arrival = Arrival {
        destination: FdbKey::from_word(id, destination),
        source: FdbKey::from_word(id, source),
        whence: Whence::new(place, segment.groups[encap as usize], segment.duties, segment.age_class),
        strip: (packet.at + at + header_len) as u16,
        tags: 0,
        priority: 0,
        ecn: combined_ecn((inner.at != 0).then_some(inner.tos), ip.tos())?,
        tos: inner.tos,
        len: inner_len as u16,
        flow: 0,
    };
    Ok(())
}

/// The segment and the endpoint of a tunnel packet: those of its VNI and its sender where the segment takes that sender, as
/// the short way of the commonest frames says too; otherwise those of a sender with numbers of its own.
fn belongs<O: Outer>(ip: &O, encap: Encap, vni: u32, tables: &Tables) -> Option<(SegmentId, EndpointId)> {
    let plain = tables.vnis.find(encap, vni).map(|id| (id, ip.sender(encap, &tables.sources)));
    let taken = |&(id, from): &(SegmentId, EndpointId)| {
        let segment = tables.segments.get(id.index()).filter(|_| from != EndpointId::NONE);
        segment.is_some_and(|segment| admit(from, segment, tables).is_ok())
    };
    plain.filter(taken).or_else(|| tables.keyed.find(encap, vni, ip.source())).or(plain)
}

/// The IP header of a tenant frame, behind a tag where tags may be.
fn inner(frame: &[u8], ethertype: u16, segment: &Segment) -> Result<ip::Inner, DropReason> {
    let from = |at: usize| frame.get(at..).unwrap_or_default();
    if !ethernet::is_tag(ethertype) {
        return Ok(ip::inner(from(ethernet::HEADER), ethernet::HEADER, ethertype));
    }
    if !segment.inner_vlan_pass {
        return Err(DropReason::InnerVlan);
    }
    let next = word(frame, ethernet::HEADER + 2).unwrap_or(0);
    let at = ethernet::HEADER + ethernet::TAG;
    Ok(ip::inner(from(at), at, next))
}

/// The new ECN field of a tenant's IP header with this TOS, 0xff for no change (RFC 6040 section 4.2).
#[inline(always)]
pub(super) fn combined_ecn(inner: Option<u8>, outer: u8) -> Result<u8, DropReason> {
    match inner {
        Some(inner) if (inner ^ outer) & 3 != 0 => {
            let now = ecn::decapsulated(inner, outer).ok_or(DropReason::EcnCongestion)?;
            Ok(if now == inner & 3 { 0xff } else { now })
        }
        _ => Ok(0xff),
    }
}

/// Says whether a segment takes what this endpoint sends.
#[inline(always)]
pub(super) fn admit(from: EndpointId, segment: &Segment, tables: &Tables) -> Result<(), DropReason> {
    if segment.members == Segment::ANY {
        return Ok(());
    }
    let known = tables.floods.get(segment.members as usize).is_some_and(|list| list.contains(from));
    if known && from != EndpointId::NONE { Ok(()) } else { Err(DropReason::UnknownVtep) }
}

/// Checks the outer UDP checksum (VX11, VX13, VX15, GN14, GN15).
#[inline(always)]
fn verify_udp<O: Outer, F: Frame>(
    packet: &Packet<'_, F>,
    ip: &O,
    udp: &Udp,
    segment: &Segment,
) -> Result<(), DropReason> {
    if udp.checksum == 0 {
        return if O::V6 && !segment.zero_v6 { Err(DropReason::ZeroUdpChecksum) } else { Ok(()) };
    }
    match packet.looked.meta().udp {
        Checked::Good => Ok(()),
        Checked::Bad => Err(DropReason::BadUdpChecksum),
        Checked::Unknown => sum_udp::<O, F>(packet, ip.udp_at(), udp.len),
    }
}

#[inline(never)]
fn sum_udp<O: Outer, F: Frame>(packet: &Packet<'_, F>, udp_at: usize, udp_len: usize) -> Result<(), DropReason> {
    let (at, len) = O::ADDRESSES;
    let addresses = packet.bytes.get(at..at + len).ok_or(DropReason::Split)?;
    let pseudo = checksum::sum(addresses) + u32::from(ip::UDP) + udp_len as u32;
    let sum = pseudo + payload_sum(packet.looked.frame, packet.at + udp_at, udp_len);
    if checksum::finish(sum) == 0 { Ok(()) } else { Err(DropReason::BadUdpChecksum) }
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
