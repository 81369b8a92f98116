//! Who sent a tunnel packet: most packets are of the same sender as the packet before.

use std::net::{Ipv4Addr, Ipv6Addr};

use config::types::Encap;

use super::termination::admit;
use crate::tables::{Duties, EndpointId, Place, SegmentId, Tables};
use crate::wire::ip;

/// The senders of the last tunnel packets.
#[derive(Debug)]
pub struct Last {
    pub(super) v4: Peer<Ipv4Addr>,
    pub(super) v6: Peer<Ipv6Addr>,
}

impl Default for Last {
    fn default() -> Self {
        Self { v4: Peer::nobody(Ipv4Addr::UNSPECIFIED), v6: Peer::nobody(Ipv6Addr::UNSPECIFIED) }
    }
}

/// A listed sender with one encapsulation and VNI, and what its frames arrive as.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer<A> {
    source: A,
    vni: u32,
    encap: Encap,
    pub(super) group: u8,
    pub(super) duties: Duties,
    pub(super) age_class: u8,
    pub(super) segment: SegmentId,
    /// [`Place::NONE`] when this is nobody.
    pub(super) place: Place,
    /// A zero UDP checksum over IPv6 is accepted.
    pub(super) zero_v6: bool,
}

impl<A: Source> Peer<A> {
    const fn nobody(source: A) -> Self {
        Self {
            source,
            vni: 0,
            encap: Encap::Vxlan,
            group: 0,
            duties: Duties(0),
            age_class: 0,
            segment: SegmentId(0),
            place: Place::NONE,
            zero_v6: false,
        }
    }

    /// Looks a sender up; `None` when the long way is to say what is wrong.
    #[inline(never)]
    pub(super) fn find(source: A, encap: Encap, vni: u32, tables: &Tables) -> Option<Self> {
        let from = source.endpoint(encap, tables);
        let endpoint = tables.endpoints.get(from.index()).filter(|_| from != EndpointId::NONE)?;
        let id = tables.vnis.find(encap, vni)?;
        let segment = tables.segments.get(id.index())?;
        admit(from, segment, tables).ok()?;
        Some(Self {
            source,
            vni,
            encap,
            group: segment.groups[encap as usize],
            duties: segment.duties,
            age_class: segment.age_class,
            segment: id,
            place: Place::new(from, endpoint.generation),
            zero_v6: segment.zero_v6,
        })
    }

    #[inline(always)]
    pub(super) fn is(&self, source: A, encap: Encap, vni: u32) -> bool {
        self.source == source && self.vni == vni && self.encap == encap && self.place != Place::NONE
    }
}

/// An outer source address.
pub(super) trait Source: Copy + PartialEq {
    const V6: bool;

    /// The endpoint; [`EndpointId::NONE`] for a sender that nobody listed, that no host can be, or that we are.
    fn endpoint(self, encap: Encap, tables: &Tables) -> EndpointId;
}

impl Source for Ipv4Addr {
    const V6: bool = false;

    fn endpoint(self, encap: Encap, tables: &Tables) -> EndpointId {
        let ours = tables.underlay.source_v4;
        if ip::is_impossible_source(self) || self == ours || ours.is_unspecified() {
            return EndpointId::NONE;
        }
        tables.sources.find_v4(encap, self)
    }
}

impl Source for Ipv6Addr {
    const V6: bool = true;

    fn endpoint(self, encap: Encap, tables: &Tables) -> EndpointId {
        let ours = tables.underlay.source_v6;
        if ip::is_impossible_source_v6(self) || self == ours || ours.is_unspecified() {
            return EndpointId::NONE;
        }
        tables.sources.find_v6(encap, self)
    }
}
