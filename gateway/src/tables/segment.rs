//! Segments: one broadcast domain each.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU64;

use config::types::{Df, Inherit};

use super::endpoint::EndpointId;
use super::rules::{Duties, ListId};

/// Number of a segment in a core's tables: an index into [`super::Tables::segments`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SegmentId(pub u16);

impl SegmentId {
    /// As an index.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One segment: what every frame asks of it, in one cache line.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(align(64))]
pub struct Segment {
    /// What outer headers carry, where that is the same for all frames ([`Rare::to_be_fixed`]); `None` is true of every
    /// segment, but slower.
    pub fixed: Option<Fixed>,
    /// The 8 bytes of tunnel header, wire order, by encapsulation (VXLAN, Geneve; its option length covers the options).
    pub headers: [[u8; 8]; 2],
    /// Index into [`super::Tables::floods`] of the list whose member set says which tunnels are accepted;
    /// `u32::MAX` accepts any sender.
    pub members: u32,
    /// Split-horizon group of tunnels, by encapsulation (VXLAN, Geneve); never 0, which is the group of attachments.
    pub groups: [u8; 2],
    /// Compute the UDP checksum over IPv4, by encapsulation (VXLAN, Geneve).
    pub checksum_v4: [bool; 2],
    /// Compute the UDP checksum over IPv6.
    pub checksum_v6: bool,
    /// Accept a zero UDP checksum over IPv6.
    pub zero_v6: bool,
    /// Bytes of [`Rare::options`].
    pub options_len: u8,
    /// Index into [`super::Tables::ages`].
    pub age_class: u8,
    /// What is asked of frames that come in from tunnels.
    pub duties: Duties,
    /// New MACs are learned (configured, and the limit is not reached).
    pub learns: bool,
    /// Unknown unicast is flooded.
    pub flood_unknown: bool,
    /// Frames with a VLAN tag inside pass.
    pub inner_vlan_pass: bool,
    /// What few frames ask of it.
    pub rare: Box<Rare>,
}

const _: () = assert!(size_of::<Segment>() == 64);

/// What few frames ask of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rare {
    /// Index into [`super::Tables::floods`]: attachments of this segment and tunnels.
    pub flood: u32,
    /// Geneve options, wire order, a multiple of 4 bytes, at most 252.
    pub options: Box<[u8]>,
    /// Outer TTL or hop limit.
    pub ttl: Inherit,
    /// Outer DSCP (upper six bits).
    pub tos: Inherit,
    /// Outer DF bit.
    pub df: Df,
    /// Access list for all frames that come in.
    pub list: ListId,
    /// Senders on attachments are told when their packets do not fit the underlay.
    pub tells: bool,
    /// Who tells them, over IPv4 and IPv6; the unspecified address lets the packet's own destination speak.
    pub tellers: (Ipv4Addr, Ipv6Addr),
}

/// What the outer IP header carries besides addresses, lengths and the ECN field, as numbers that those are added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// The first eight bytes of an IPv4 header: version, TOS, length, identification, DF.
    pub v4: NonZeroU64,
    /// The next four: TTL, protocol, and a checksum of zero.
    pub v4_next: u32,
    /// The sum of the 16-bit words of both, version, protocol and length left out.
    pub v4_sum: u32,
    /// The first eight bytes of an IPv6 header: version, class, flow label, length, next header, hop limit.
    pub v6: u64,
}

impl Fixed {
    /// With this DSCP (upper six bits of `tos`), TTL, identification and DF.
    #[inline]
    pub fn new(tos: u8, ttl: u8, identification: u16, df: bool) -> Self {
        /// Version and header length.
        const VERSION: NonZeroU64 = NonZeroU64::new(0x45 << 56).unwrap();
        let (dscp, df) = ((tos & 0xfc) as u64, (df as u64) << 14);
        Self {
            v4: VERSION | (dscp << 48 | (identification as u64) << 16 | df),
            v4_next: (ttl as u32) << 24 | 17 << 16,
            v4_sum: dscp as u32 + identification as u32 + df as u32 + ((ttl as u32) << 8),
            v6: 6 << 60 | dscp << 52 | 17 << 8 | ttl as u64,
        }
    }
}

impl Segment {
    /// In `members`: any sender is accepted.
    pub const ANY: u32 = u32::MAX;
}

impl Rare {
    /// What [`Segment::fixed`] may hold by these: DF is set then.
    pub fn to_be_fixed(&self) -> Option<Fixed> {
        match (self.tos, self.ttl, self.df) {
            (Inherit::Fixed(tos), Inherit::Fixed(ttl), Df::Set) => Some(Fixed::new(tos, ttl, 0, true)),
            _ => None,
        }
    }
}

impl Default for Segment {
    fn default() -> Self {
        Self {
            fixed: None,
            headers: [[0x08, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0x65, 0x58, 0, 0, 0, 0]],
            members: Self::ANY,
            groups: [1, 1],
            checksum_v4: [false, true],
            checksum_v6: true,
            zero_v6: false,
            options_len: 0,
            age_class: 0,
            duties: Duties::default(),
            learns: false,
            flood_unknown: false,
            inner_vlan_pass: false,
            rare: Box::default(),
        }
    }
}

impl Default for Rare {
    fn default() -> Self {
        Self {
            flood: 0,
            options: Box::default(),
            ttl: Inherit::Fixed(64),
            tos: Inherit::Fixed(0),
            df: Df::Set,
            list: ListId::default(),
            tells: false,
            tellers: (Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED),
        }
    }
}

/// Where a flood goes, or which tunnels a segment accepts. Segments with equal lists share one.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct FloodList {
    /// One copy each, in this order.
    pub to: Box<[EndpointId]>,
    /// A bit for each endpoint number that is a member, lowest bit first.
    pub set: Box<[u64]>,
}

impl FloodList {
    /// The list with its bit set.
    pub fn new(to: Vec<EndpointId>) -> Self {
        let words = to.iter().map(|id| id.index() / 64 + 1).max().unwrap_or(0);
        let mut set = vec![0; words];
        for id in &to {
            set[id.index() / 64] |= 1 << (id.index() % 64);
        }
        Self { to: to.into(), set: set.into() }
    }

    /// True when `id` is in the list.
    #[inline]
    pub fn contains(&self, id: EndpointId) -> bool {
        self.set.get(id.index() / 64).is_some_and(|word| word >> (id.index() % 64) & 1 != 0)
    }
}
