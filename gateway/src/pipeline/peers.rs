//! Who sent a tunnel packet: most packets are of the same sender as the packet before.

use std::net::{Ipv4Addr, Ipv6Addr};

use config::types::Encap;

use super::termination::admit;
use crate::tables::{EndpointId, Place, SegmentId, Tables, Tunneled, Whence};
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
    /// Of what it sends.
    number: Tunneled,
    pub(super) whence: Whence,
    pub(super) segment: SegmentId,
    /// A zero UDP checksum over IPv6 is accepted.
    pub(super) zero_v6: bool,
}

impl<A: Source> Peer<A> {
    fn nobody(source: A) -> Self {
        Self { source, number: Tunneled::NONE, whence: Whence::default(), segment: SegmentId(0), zero_v6: false }
    }

    /// Looks the next sender up, in the place of this; `None` when the long way is to say what is wrong.
    #[inline(never)]
    pub(super) fn turn_to(&mut self, source: A, number: Tunneled, tables: &Tables) -> Option<()> {
        let encap = number.encap();
        let known = self.whence.place() != Place::NONE && self.source == source;
        let place = if known && self.number.encap() == encap {
            self.whence.place()
        } else {
            let from = source.endpoint(encap, tables);
            let endpoint = tables.endpoints.get(from.index()).filter(|_| from != EndpointId::NONE)?;
            Place::new(from, endpoint.generation)
        };
        let id = tables.vnis.of(number)?;
        let segment = tables.segments.get(id.index())?;
        admit(place.endpoint(), segment, tables).ok()?;
        let whence = Whence::new(place, segment.groups[encap as usize], segment.duties, segment.age_class);
        *self = Self { source, number, whence, segment: id, zero_v6: segment.zero_v6 };
        Some(())
    }

    #[inline(always)]
    pub(super) fn is(&self, source: A, number: Tunneled) -> bool {
        self.source == source && self.number == number
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
