//! Outer headers: what frames put on where they leave through a tunnel.

use config::types::Vni;

use super::termination::payload_sum;
use super::worn::{Worn, shift};
use crate::batch::Arrival;
use crate::frame::{Frame, PortId, TxOffload};
use crate::tables::segment::Fixed;
use crate::tables::template::{ROOM, UDP, V4, V6};
use crate::tables::{Segment, Tables, Template, Tunnel};
use crate::verdict::DropReason;
use crate::wire::{checksum, ethernet, flow, udp, word};

/// An outer header in its room, and the addresses of the tenant's frame.
const WINDOW: usize = ROOM + ethernet::ADDRESSES;

/// An outer header of a segment towards a next hop, complete but for lengths, the ECN field, the source port and checksums.
#[derive(Clone, Copy, Debug)]
pub struct Outer<'a> {
    /// All of it but for what the segment has a say in.
    template: &'a Template,
    /// The tunnel header as a number, first byte highest.
    tunnel: u64,
    /// The IP header's first bytes as numbers.
    fixed: Fixed,
    /// Sum of the IPv4 header's words, lengths and ECN field left out.
    sum: u32,
    /// Bytes of IP, UDP and tunnel headers, and of options.
    overhead: u32,
    /// Outer source ports: the first, and how many.
    ports: (u16, u32),
    /// Bytes of Geneve options.
    options: u8,
    /// A UDP checksum is computed once it is on.
    signed: bool,
}

impl<'a> Outer<'a> {
    /// That of a next hop, with what `fixed` says in its IP header.
    #[inline(always)]
    pub fn new(template: &'a Template, tunnel: &Tunnel, segment: &Segment, fixed: &Fixed, tables: &Tables) -> Self {
        let encap = tunnel.encap as usize;
        let options = if encap == 1 { segment.options_len } else { 0 };
        let header = u64::from_be_bytes(segment.headers[encap]);
        // The VNI stands in the same place in VXLAN and Geneve.
        let own = |vni: Vni| header & !(0x00ff_ffff << 8) | u64::from(vni.value()) << 8;
        Self {
            template,
            tunnel: tunnel.vni.map_or(header, own),
            fixed: *fixed,
            sum: template.ip_seed + fixed.v4_sum,
            overhead: u32::from(template.overhead) + u32::from(options),
            ports: (tables.underlay.entropy_first, tables.underlay.entropy_count),
            options,
            signed: if template.v6 { segment.checksum_v6 } else { segment.checksum_v4[encap] },
        }
    }

    /// The port that who wears it leaves through.
    #[inline(always)]
    pub fn port(&self) -> PortId {
        self.template.port
    }

    /// True when nothing but lengths, ECN field, source port and the checksum of an IPv4 header differ from frame to frame.
    #[inline(always)]
    pub fn is_plain(&self) -> bool {
        !(self.template.v6 || self.signed || self.template.by_device) && self.options == 0
    }

    /// Puts it on a tenant's frame of `len` bytes in place of what that wears, and says through which port it leaves.
    /// `PLAIN`: it [is](Self::is_plain), and the frame is from an attachment.
    ///
    /// # Errors
    ///
    /// Why it cannot; what is left to be taken off is in `worn`.
    #[inline(always)]
    pub fn put_on<const PLAIN: bool, F: Frame>(
        &self,
        frame: &mut F,
        worn: &mut Worn,
        arrival: &Arrival,
        len: usize,
        tables: &Tables,
    ) -> Result<PortId, DropReason> {
        let ip_len = len + self.overhead as usize;
        if ip_len > usize::from(self.template.mtu) {
            return Err(DropReason::UnderlayMtu);
        }
        let ip_len = ip_len as u32;
        let mut flow = arrival.flow;
        if !PLAIN && arrival.whence.group() != 0 {
            worn.take_off(frame);
            flow = flow_of(frame.head());
        }
        if !PLAIN && self.options != 0 {
            worn.take_off(frame);
            put_options(frame, arrival, tables)?;
        }
        let tags = worn.tags();
        let window = frame.grow_front_in(usize::from(self.template.len) - tags, ethernet::ADDRESSES + tags);
        let window: &mut [u8; WINDOW] = window.ok_or(DropReason::NoHeadroom)?;
        match tags {
            0 => {}
            4 => shift::<{ ROOM - 4 }, ROOM, WINDOW>(window),
            _ => shift::<{ ROOM - 8 }, ROOM, WINDOW>(window),
        }
        window[..ROOM - 8].copy_from_slice(&self.template.room[..ROOM - 8]);
        window[ROOM - 8..ROOM].copy_from_slice(&self.tunnel.to_be_bytes());
        let ecn = u32::from(if PLAIN || arrival.ecn == 0xff { arrival.tos } else { arrival.ecn } & 3);
        let udp_len = if !PLAIN && self.template.v6 {
            self.patch_v6(window, ecn, ip_len)
        } else {
            self.patch_v4(window, ecn, ip_len)
        };
        let (first, count) = self.ports;
        let source_port = first.wrapping_add(((u64::from(flow) * u64::from(count)) >> 32) as u16);
        window[UDP..UDP + 2].copy_from_slice(&source_port.to_be_bytes());
        window[UDP + 4..UDP + 6].copy_from_slice(&(udp_len as u16).to_be_bytes());
        if !PLAIN && self.signed {
            self.sign(frame, source_port, udp_len);
        }
        if !PLAIN && self.template.by_device {
            self.leave_checksum(frame);
        }
        Ok(self.port())
    }

    /// Lengths, ECN field and checksum of an IPv4 header; the length of what follows it.
    #[inline(always)]
    fn patch_v4(&self, window: &mut [u8; WINDOW], ecn: u32, ip_len: u32) -> u32 {
        let word = self.fixed.v4.get() + (u64::from(ecn) << 48) + (u64::from(ip_len) << 32);
        window[V4..V4 + 8].copy_from_slice(&word.to_be_bytes());
        let word = self.fixed.v4_next + u32::from(checksum::finish(self.sum + ecn + ip_len));
        window[V4 + 8..V4 + 12].copy_from_slice(&word.to_be_bytes());
        ip_len - (UDP - V4) as u32
    }

    /// Length and ECN field of an IPv6 header; the length of what follows it.
    #[inline(always)]
    fn patch_v6(&self, window: &mut [u8; WINDOW], ecn: u32, ip_len: u32) -> u32 {
        let len = ip_len - (UDP - V6) as u32;
        let word = self.fixed.v6 + (u64::from(ecn) << 52) + (u64::from(len) << 16);
        window[V6..V6 + 8].copy_from_slice(&word.to_be_bytes());
        len
    }

    /// Computes the UDP checksum over the whole frame (VX12, VX14, GN13); a result of 0 is sent as all ones (RFC 768).
    #[inline(never)]
    fn sign<F: Frame>(&self, frame: &mut F, source_port: u16, udp_len: u32) {
        let udp_at = usize::from(self.template.len) - 16;
        let payload = payload_sum(frame, udp_at + udp::HEADER, udp_len as usize - udp::HEADER);
        let field = match checksum::finish(self.template.udp_seed + 2 * udp_len + u32::from(source_port) + payload) {
            0 => 0xffff,
            field => field,
        };
        if let Some(place) = frame.head_mut().get_mut(udp_at + 6..udp_at + 8) {
            place.copy_from_slice(&field.to_be_bytes());
        }
    }

    /// Leaves the checksum of the IPv4 header to the device, which wants zero there.
    #[inline(never)]
    fn leave_checksum<F: Frame>(&self, frame: &mut F) {
        let l3 = usize::from(self.template.l3);
        if let Some(field) = frame.head_mut().get_mut(l3 + 10..l3 + 12) {
            field.fill(0);
        }
        frame.set_offload(TxOffload { ipv4_checksum_at: self.template.l3, insert: None });
    }
}

/// Puts the segment's Geneve options in front of a tenant's frame.
#[inline(never)]
fn put_options<F: Frame>(frame: &mut F, arrival: &Arrival, tables: &Tables) -> Result<(), DropReason> {
    let segment = tables.segments.get(arrival.segment().index()).ok_or(DropReason::NoDestination)?;
    let options = &segment.rare.options;
    let len = options.len();
    let head = frame.grow_front(len).ok_or(DropReason::NoHeadroom)?;
    head.get_mut(..len).ok_or(DropReason::Split)?.copy_from_slice(options);
    Ok(())
}

/// Entropy for a frame from a tunnel that goes into another.
#[cold]
pub(super) fn flow_of(tenant: &[u8]) -> u32 {
    flow::flow(tenant, ethernet::HEADER, word(tenant, ethernet::ADDRESSES).unwrap_or(0))
}
