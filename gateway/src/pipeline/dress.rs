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
#[inline(always)]
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
#[inline(always)]
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
    let priority = u64::from(attachment.pcp.map_or(arrival.priority, |pcp| pcp << 5));
    // The outer tag's PCP and DEI are the upper four bits of the third byte.
    let tags = u64::from_be_bytes(attachment.tags) & !(0xf0 << 40) | priority << 40;
    match attachment.tags_len {
        0 => Ok(port),
        4 if tables.ports.get(port.index()).is_some_and(|table| table.tx_vlan) => {
            let insert = Some((tags >> 32) as u16);
            frame.set_offload(TxOffload { insert, ..TxOffload::default() });
            Ok(port)
        }
        4 => slide_in(frame, ((tags >> 32) as u32).to_be_bytes(), port),
        _ => slide_in(frame, tags.to_be_bytes(), port),
    }
}

/// Puts tags between the addresses and the rest.
#[inline(always)]
fn slide_in<const LEN: usize, F: Frame>(frame: &mut F, tags: [u8; LEN], port: PortId) -> Result<PortId, Trouble> {
    let head = frame.grow_front(LEN).ok_or(DropReason::NoHeadroom)?;
    let Some((front, rest)) = head.split_first_chunk_mut::<LEN>() else { return Err(DropReason::Split) };
    let Some(&addresses) = rest.first_chunk::<{ ethernet::ADDRESSES }>() else { return Err(DropReason::Split) };
    // The front takes the first of the address bytes, then follow the others and the tags.
    *front = addresses[..LEN].try_into().unwrap_or([0; LEN]);
    let left = ethernet::ADDRESSES - LEN;
    rest[..left].copy_from_slice(&addresses[LEN..]);
    rest[left..ethernet::ADDRESSES].copy_from_slice(&tags);
    Ok(port)
}

/// What differs from frame to frame in an outer header.
struct Patch<'a> {
    options: &'a [u8],
    /// The tunnel header.
    tunnel: [u8; 8],
    varied: Varied,
    source_port: u16,
    /// Bytes of IP header and payload.
    ip_len: u16,
    /// The UDP checksum is to be computed over IPv4, over IPv6.
    signed: [bool; 2],
}

/// What a segment may take over from a tenant's IP header.
struct Varied {
    tos: u8,
    ttl: u8,
    /// 0x4000 or 0.
    df: u16,
}

/// Puts on an outer header: the template of a next hop, patched.
#[inline(always)]
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
        Encap::Vxlan => (segment.vxlan, &[]),
        Encap::Geneve => (segment.geneve, &segment.options),
    };
    let ip_len = usize::from(template.len - template.l3) + options.len() + frame.len();
    if ip_len > usize::from(template.mtu) {
        return Err(DropReason::UnderlayMtu);
    }
    let ecn = if arrival.ecn == 0xff { arrival.inner.tos } else { arrival.ecn } & 3;
    let varied = match segment.fixed {
        Some(fixed) => Varied { tos: fixed.dscp | ecn, ttl: fixed.ttl, df: 0x4000 },
        None => vary(segment, arrival, ecn),
    };
    let patch = Patch {
        options,
        tunnel: header,
        varied,
        source_port: source_port(flow, tables),
        ip_len: ip_len as u16,
        signed: [segment.checksum_v4[tunnel.encap as usize], segment.checksum_v6],
    };
    match template.len {
        50 => lay::<50, 14, F>(frame, template, patch, identification),
        70 => lay::<70, 14, F>(frame, template, patch, identification),
        54 => lay::<54, 18, F>(frame, template, patch, identification),
        _ => lay::<74, 18, F>(frame, template, patch, identification),
    }
}

/// TOS, TTL and DF as the segment says; ECN is always the tenant's (ECN1).
#[inline(never)]
fn vary(segment: &Segment, arrival: &Arrival, ecn: u8) -> Varied {
    let dscp = match segment.tos {
        Inherit::Fixed(tos) => tos,
        Inherit::Inner => arrival.inner.tos,
    };
    let ttl = match segment.ttl {
        Inherit::Fixed(ttl) => ttl,
        Inherit::Inner if arrival.inner.at == 0 => 64,
        Inherit::Inner => arrival.inner.ttl,
    };
    let df = match segment.df {
        Df::Set => true,
        Df::Unset => false,
        Df::Inner => arrival.inner.df,
    };
    Varied { tos: dscp & 0xfc | ecn, ttl, df: u16::from(df) << 14 }
}

/// Lays a template of `LEN` bytes, its IP header from `L3` on, in front of a frame.
#[inline(always)]
fn lay<const LEN: usize, const L3: usize, F: Frame>(
    frame: &mut F,
    template: &Template,
    patch: Patch<'_>,
    identification: &mut u16,
) -> Result<PortId, Trouble> {
    let v6 = LEN - L3 > 40;
    let head = frame.grow_front(LEN + patch.options.len()).ok_or(DropReason::NoHeadroom)?;
    let Some((outer, rest)) = head.split_first_chunk_mut::<LEN>() else { return Err(DropReason::NoHeadroom) };
    if let Some(bytes) = template.bytes.first_chunk::<LEN>() {
        *outer = *bytes;
    }
    let udp_at = LEN - 16;
    let udp_len = patch.ip_len - (udp_at - L3) as u16;
    let Varied { tos, ttl, df } = patch.varied;
    let ip = &mut outer[L3..];
    if v6 {
        ip[0] = 0x60 | tos >> 4;
        ip[1] = tos << 4;
        ip[4..6].copy_from_slice(&udp_len.to_be_bytes());
        ip[7] = ttl;
    } else {
        let id = if df == 0 { next(identification) } else { 0 };
        ip[1] = tos;
        ip[2..4].copy_from_slice(&patch.ip_len.to_be_bytes());
        ip[4..6].copy_from_slice(&id.to_be_bytes());
        ip[6..8].copy_from_slice(&df.to_be_bytes());
        ip[8] = ttl;
        let fields = u32::from(tos) + u32::from(patch.ip_len) + u32::from(id) + u32::from(df) + (u32::from(ttl) << 8);
        let field = checksum::finish(template.ip_seed + fields);
        ip[10..12].copy_from_slice(&field.to_be_bytes());
    }
    outer[udp_at..udp_at + 2].copy_from_slice(&patch.source_port.to_be_bytes());
    outer[udp_at + 4..udp_at + 6].copy_from_slice(&udp_len.to_be_bytes());
    outer[LEN - 8..].copy_from_slice(&patch.tunnel);
    if !patch.options.is_empty() {
        rest[..patch.options.len()].copy_from_slice(patch.options);
    }
    if !v6 && template.by_device {
        leave_checksum::<F>(frame, L3);
    }
    if patch.signed[usize::from(v6)] {
        sign(frame, template, patch.source_port, udp_at, udp_len);
    }
    Ok(template.port)
}

/// Leaves the checksum of the IPv4 header at `l3` to the device, which wants zero there.
#[inline(never)]
fn leave_checksum<F: Frame>(frame: &mut F, l3: usize) {
    if let Some(field) = frame.head_mut().get_mut(l3 + 10..l3 + 12) {
        field.fill(0);
    }
    frame.set_offload(TxOffload { ipv4_checksum_at: l3 as u8, insert: None });
}

/// The identification of a packet that may be fragmented (RFC 6864).
fn next(identification: &mut u16) -> u16 {
    *identification = identification.wrapping_add(1);
    *identification
}

/// Entropy for a frame from a tunnel that goes into another.
#[cold]
fn flow_of(head: &[u8]) -> u32 {
    flow::flow(head, ethernet::HEADER, word(head, ethernet::ADDRESSES).unwrap_or(0))
}

/// The next hop of a flow.
#[inline(always)]
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

#[inline(always)]
fn source_port(flow: u32, tables: &Tables) -> u16 {
    let terminus = &tables.underlay;
    terminus.entropy_first.wrapping_add(((u64::from(flow) * u64::from(terminus.entropy_count)) >> 32) as u16)
}

/// Computes the UDP checksum over the whole frame (VX12, VX14, GN13); a result of 0 is sent as all ones (RFC 768).
#[inline(never)]
fn sign<F: Frame>(frame: &mut F, template: &Template, source_port: u16, udp_at: usize, udp_len: u16) {
    let payload = usize::from(udp_len) - udp::HEADER;
    let sum = template.udp_seed
        + 2 * u32::from(udp_len)
        + u32::from(source_port)
        + payload_sum(frame, udp_at + udp::HEADER, payload);
    let field = match checksum::finish(sum) {
        0 => 0xffff,
        field => field,
    };
    if let Some(place) = frame.head_mut().get_mut(udp_at + 6..udp_at + 8) {
        place.copy_from_slice(&field.to_be_bytes());
    }
}
