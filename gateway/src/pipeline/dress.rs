//! Putting on what a frame wears where it goes: tags on a port, outer headers in a tunnel.

use config::types::{Df, Encap, Inherit};

use super::termination::payload_sum;
use crate::batch::Arrival;
use crate::frame::{Frame, PortId, TxOffload};
use crate::tables::{Attachment, Endpoint, Segment, Tables, Template, Tunnel, Way};
use crate::verdict::DropReason;
use crate::wire::{checksum, ethernet, flow, udp, word};

/// Why a frame cannot go where it should.
pub type Trouble = DropReason;

/// Dresses a tenant frame for an endpoint and says through which port it leaves. `identification` is used for IPv4
/// packets that may be fragmented.
#[inline]
pub fn dress<F: Frame>(
    frame: &mut F,
    arrival: &Arrival,
    to: &Endpoint,
    tables: &Tables,
    identification: &mut u16,
) -> Result<PortId, Trouble> {
    match &to.way {
        Way::Attachment(attachment) => tag(frame, arrival, attachment, tables),
        Way::Tunnel(tunnel) => {
            let segment = tables.segments.get(arrival.segment().index()).ok_or(DropReason::NoDestination)?;
            encapsulate(frame, arrival, tunnel, segment, tables, identification)
        }
        Way::Vacant => Err(DropReason::NoDestination),
    }
}

/// Puts on the tags of an attachment (VL1, VL3, VL9).
#[inline]
fn tag<F: Frame>(
    frame: &mut F,
    arrival: &Arrival,
    attachment: &Attachment,
    tables: &Tables,
) -> Result<PortId, Trouble> {
    let port = attachment.port;
    let passed = match word(frame.head(), ethernet::ADDRESSES) {
        Some(ethertype) if ethernet::is_tag(ethertype) => ethernet::TAG,
        _ => 0,
    };
    if frame.len() > ethernet::HEADER + passed + usize::from(attachment.mtu) {
        return Err(DropReason::PortMtu);
    }
    let len = usize::from(attachment.tags_len);
    if len == 0 {
        return Ok(port);
    }
    let mut tags = attachment.tags;
    let priority = attachment.pcp.map_or(arrival.priority, |pcp| pcp << 5);
    tags[2] = tags[2] & 0x0f | priority;
    let by_device = len == ethernet::TAG && tables.ports.get(port.index()).is_some_and(|table| table.tx_vlan);
    if by_device {
        let insert = Some(u16::from_be_bytes([tags[2], tags[3]]));
        frame.set_offload(TxOffload { insert, ..TxOffload::default() });
        return Ok(port);
    }
    let head = frame.grow_front(len).ok_or(DropReason::NoHeadroom)?;
    if head.len() < len + ethernet::ADDRESSES {
        return Err(DropReason::Split);
    }
    head.copy_within(len..len + ethernet::ADDRESSES, 0);
    head[ethernet::ADDRESSES..ethernet::ADDRESSES + len].copy_from_slice(&tags[..len]);
    Ok(port)
}

/// What differs from frame to frame in an outer header.
struct Patch {
    tos: u8,
    ttl: u8,
    df: bool,
    source_port: u16,
    /// Bytes of IP header and payload.
    ip_len: u16,
    udp_len: u16,
}

/// Puts on an outer header: the template of a next hop, patched.
#[inline]
fn encapsulate<F: Frame>(
    frame: &mut F,
    arrival: &Arrival,
    tunnel: &Tunnel,
    segment: &Segment,
    tables: &Tables,
    identification: &mut u16,
) -> Result<PortId, Trouble> {
    let flow = if arrival.group == 0 { arrival.flow } else { flow_of(frame.head()) };
    let template = choose(&tunnel.hops, flow).ok_or(DropReason::NoNextHop)?;
    let (header, options): (_, &[u8]) = match tunnel.encap {
        Encap::Vxlan => (&segment.vxlan, &[]),
        Encap::Geneve => (&segment.geneve, &segment.options),
    };
    let (len, l3) = (usize::from(template.len), usize::from(template.l3));
    let ip_len = len - l3 + options.len() + frame.len();
    if ip_len > usize::from(template.mtu) {
        return Err(DropReason::UnderlayMtu);
    }
    let udp_at = len - 16;
    let patch = Patch {
        tos: tos(segment, arrival),
        ttl: match segment.ttl {
            Inherit::Fixed(ttl) => ttl,
            Inherit::Inner if arrival.inner.at == 0 => 64,
            Inherit::Inner => arrival.inner.ttl,
        },
        df: match segment.df {
            Df::Set => true,
            Df::Unset => false,
            Df::Inner => arrival.inner.df,
        },
        source_port: source_port(flow, tables),
        ip_len: ip_len as u16,
        udp_len: (ip_len - (udp_at - l3)) as u16,
    };
    let head = frame.grow_front(len + options.len()).ok_or(DropReason::NoHeadroom)?;
    lay(head, template);
    let Some((outer, rest)) = head.split_at_mut_checked(len) else { return Err(DropReason::NoHeadroom) };
    outer[len - 8..].copy_from_slice(header);
    if !options.is_empty() {
        rest[..options.len()].copy_from_slice(options);
    }
    let by_device = patch_ip(&mut outer[l3..], template, &patch, tables, identification);
    let udp = &mut outer[udp_at..];
    udp[..2].copy_from_slice(&patch.source_port.to_be_bytes());
    udp[4..6].copy_from_slice(&patch.udp_len.to_be_bytes());
    if by_device {
        frame.set_offload(TxOffload { ipv4_checksum_at: template.l3, insert: None });
    }
    if if template.v6 { segment.checksum_v6 } else { segment.checksum_v4[tunnel.encap as usize] } {
        sign(frame, template, &patch, udp_at);
    }
    Ok(template.port)
}

/// Entropy for a frame from a tunnel that goes into another.
#[cold]
fn flow_of(head: &[u8]) -> u32 {
    flow::flow(head, ethernet::HEADER, word(head, ethernet::ADDRESSES).unwrap_or(0))
}

/// The next hop of a flow.
#[inline]
pub(super) fn choose(hops: &[Template], flow: u32) -> Option<&Template> {
    match hops {
        [] => None,
        [only] => Some(only),
        many => {
            let spread = flow.wrapping_mul(0x85eb_ca6b) ^ flow >> 15;
            many.get(((u64::from(spread) * many.len() as u64) >> 32) as usize)
        }
    }
}

#[inline]
fn source_port(flow: u32, tables: &Tables) -> u16 {
    let terminus = &tables.underlay;
    terminus.entropy_first.wrapping_add(((u64::from(flow) * u64::from(terminus.entropy_count)) >> 32) as u16)
}

/// DSCP as the segment says; ECN is always the tenant's (ECN1).
#[inline]
fn tos(segment: &Segment, arrival: &Arrival) -> u8 {
    let inner = arrival.inner.tos;
    let ecn = if arrival.ecn == 0xff { inner } else { arrival.ecn };
    let dscp = match segment.tos {
        Inherit::Fixed(tos) => tos,
        Inherit::Inner => inner,
    };
    dscp & 0xfc | ecn & 3
}

/// Copies the template; each length that occurs is a copy of constant size.
#[inline]
fn lay(head: &mut [u8], template: &Template) {
    fn copy<const N: usize>(head: &mut [u8], template: &Template) {
        if let (Some(to), Some(from)) = (head.first_chunk_mut::<N>(), template.bytes.first_chunk::<N>()) {
            *to = *from;
        }
    }
    match template.len {
        50 => copy::<50>(head, template),
        54 => copy::<54>(head, template),
        70 => copy::<70>(head, template),
        _ => copy::<74>(head, template),
    }
}

/// Fills in the IP header; true when the device is to compute its checksum.
#[inline]
fn patch_ip(header: &mut [u8], template: &Template, patch: &Patch, tables: &Tables, identification: &mut u16) -> bool {
    if template.v6 {
        header[0] = 0x60 | patch.tos >> 4;
        header[1] = patch.tos << 4;
        header[4..6].copy_from_slice(&(patch.ip_len - 40).to_be_bytes());
        header[7] = patch.ttl;
        return false;
    }
    let id = if patch.df {
        0
    } else {
        *identification = identification.wrapping_add(1);
        *identification
    };
    let fragment: u16 = if patch.df { 0x4000 } else { 0 };
    header[1] = patch.tos;
    header[2..4].copy_from_slice(&patch.ip_len.to_be_bytes());
    header[4..6].copy_from_slice(&id.to_be_bytes());
    header[6..8].copy_from_slice(&fragment.to_be_bytes());
    header[8] = patch.ttl;
    if tables.ports.get(template.port.index()).is_some_and(|table| table.tx_ip_checksum) {
        return true;
    }
    let sum = template.ip_seed
        + u32::from(patch.tos)
        + u32::from(patch.ip_len)
        + u32::from(id)
        + u32::from(fragment)
        + (u32::from(patch.ttl) << 8);
    header[10..12].copy_from_slice(&checksum::finish(sum).to_be_bytes());
    false
}

/// Computes the UDP checksum over the whole frame (VX12, VX14, GN13); a result of 0 is sent as all ones (RFC 768).
fn sign<F: Frame>(frame: &mut F, template: &Template, patch: &Patch, udp_at: usize) {
    let payload = usize::from(patch.udp_len) - udp::HEADER;
    let sum = template.udp_seed
        + 2 * u32::from(patch.udp_len)
        + u32::from(patch.source_port)
        + payload_sum(frame, udp_at + udp::HEADER, payload);
    let field = match checksum::finish(sum) {
        0 => 0xffff,
        field => field,
    };
    if let Some(place) = frame.head_mut().get_mut(udp_at + 6..udp_at + 8) {
        place.copy_from_slice(&field.to_be_bytes());
    }
}
