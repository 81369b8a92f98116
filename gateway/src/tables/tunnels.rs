//! Tunnels: remote VTEPs, and what a received tunnel packet belongs to.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use config::types::{Encap, Vni};

use super::endpoint::EndpointId;
use super::numbers::Numbers;
use super::segment::SegmentId;
use super::template::Template;

/// A remote VTEP with one encapsulation, or a multicast group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// Its address.
    pub remote: IpAddr,
    /// Its encapsulation.
    pub encap: Encap,
    /// The number that it has for its segment, where that is not the segment's.
    pub vni: Option<Vni>,
    /// A header per next hop (ECMP: one is chosen by the inner flow); empty while there is none.
    pub hops: Vec<Template>,
}

/// Names a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TunnelKey {
    /// Remote address.
    pub remote: IpAddr,
    /// Encapsulation.
    pub encap: Encap,
    /// The number that it has for a segment, where that is not the segment's.
    pub vni: Option<Vni>,
}

impl fmt::Display for TunnelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.remote, self.encap)?;
        self.vni.map_or(Ok(()), |vni| write!(f, " vni {}", vni.value()))
    }
}

/// Senders with numbers of their own, by (encapsulation, VNI, outer source): asked only where [`Vnis`] and [`Sources`] have
/// no answer that the segment accepts.
#[derive(Clone, Debug, Default)]
pub struct Keyed(HashMap<(Encap, u32, IpAddr), (SegmentId, EndpointId)>);

impl Keyed {
    /// Adds a sender with its own number.
    pub fn insert(&mut self, sender: (Encap, u32, IpAddr), of: (SegmentId, EndpointId)) {
        self.0.insert(sender, of);
    }

    /// The same sender with the segment's number, unless it has that for another segment.
    pub fn insert_too(&mut self, sender: (Encap, u32, IpAddr), of: (SegmentId, EndpointId)) {
        self.0.entry(sender).or_insert(of);
    }

    /// The segment and the endpoint of a sender.
    pub fn find(&self, encap: Encap, vni: u32, source: IpAddr) -> Option<(SegmentId, EndpointId)> {
        if self.0.is_empty() { None } else { self.0.get(&(encap, vni, source)).copied() }
    }
}

/// What is ours on the underlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terminus {
    /// Our IPv4 tunnel source; packets to it are decapsulated. 0.0.0.0 is none.
    pub source_v4: Ipv4Addr,
    /// Our IPv6 tunnel source. `::` is none.
    pub source_v6: Ipv6Addr,
    /// Joined multicast groups.
    pub groups: Vec<IpAddr>,
    /// UDP port of VXLAN.
    pub vxlan_port: u16,
    /// UDP port of Geneve.
    pub geneve_port: u16,
    /// First outer source port.
    pub entropy_first: u16,
    /// Number of outer source ports from the first on, at least 1.
    pub entropy_count: u32,
}

impl Default for Terminus {
    fn default() -> Self {
        Self {
            source_v4: Ipv4Addr::UNSPECIFIED,
            source_v6: Ipv6Addr::UNSPECIFIED,
            groups: Vec::new(),
            vxlan_port: 4789,
            geneve_port: 6081,
            entropy_first: 49152,
            entropy_count: 16384,
        }
    }
}

/// A VNI and the encapsulation that it came in, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tunneled(u32);

impl Tunneled {
    /// None that there is; a map of VNIs is not asked for it.
    pub const NONE: Self = Self(u32::MAX);

    /// A VNI (24 bits) of an encapsulation.
    #[inline(always)]
    pub const fn new(encap: Encap, vni: u32) -> Self {
        Self(vni & 0x00ff_ffff | (encap as u32) << 24)
    }

    /// The encapsulation.
    #[inline(always)]
    pub const fn encap(self) -> Encap {
        if self.0 >> 24 == Encap::Vxlan as u32 { Encap::Vxlan } else { Encap::Geneve }
    }
}

/// (encapsulation, VNI) to segment.
#[derive(Clone, Debug, Default)]
pub struct Vnis(Numbers<u32>);

impl Vnis {
    /// Adds a number.
    pub fn insert(&mut self, encap: Encap, vni: u32, segment: SegmentId) {
        self.0.insert(Tunneled::new(encap, vni).0, u32::from(segment.0));
    }

    /// Starts loading what [`Self::of`] reads first.
    #[inline(always)]
    pub fn prefetch(&self, number: Tunneled) {
        self.0.prefetch(number.0);
    }

    /// The segment of a received VNI.
    #[inline(always)]
    pub fn of(&self, number: Tunneled) -> Option<SegmentId> {
        self.0.find(number.0).map(|number| SegmentId(number as u16))
    }

    /// The same.
    #[inline(always)]
    pub fn find(&self, encap: Encap, vni: u32) -> Option<SegmentId> {
        self.of(Tunneled::new(encap, vni))
    }
}

/// (encapsulation, outer source) to tunnel endpoint.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    v4: Numbers<u64>,
    v6: [Numbers<u128>; 2],
}

impl Sources {
    /// Adds a remote VTEP.
    pub fn insert(&mut self, key: TunnelKey, endpoint: EndpointId) {
        match key.remote {
            IpAddr::V4(address) => self.v4.insert(v4_key(key.encap, address), endpoint.0),
            IpAddr::V6(address) => self.v6[key.encap as usize].insert(u128::from(address), endpoint.0),
        };
    }

    /// The endpoint of a sender; [`EndpointId::NONE`] for one that nobody listed.
    pub fn find(&self, encap: Encap, source: IpAddr) -> EndpointId {
        match source {
            IpAddr::V4(source) => self.find_v4(encap, source),
            IpAddr::V6(source) => self.find_v6(encap, source),
        }
    }

    /// The endpoint of an IPv4 sender; [`EndpointId::NONE`] for one that nobody listed.
    #[inline(always)]
    pub fn find_v4(&self, encap: Encap, source: Ipv4Addr) -> EndpointId {
        EndpointId(self.v4.find(v4_key(encap, source)).unwrap_or(0))
    }

    /// The endpoint of an IPv6 sender; [`EndpointId::NONE`] for one that nobody listed.
    #[inline(always)]
    pub fn find_v6(&self, encap: Encap, source: Ipv6Addr) -> EndpointId {
        EndpointId(self.v6[encap as usize].find(u128::from(source)).unwrap_or(0))
    }
}

#[inline]
fn v4_key(encap: Encap, address: Ipv4Addr) -> u64 {
    u64::from(u32::from(address)) | u64::from(encap as u8) << 32
}
