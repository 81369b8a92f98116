//! A burst of frames on its way through the pipeline, with what each stage found out, lane by lane.

use crate::driver::{BURST, Burst};
use crate::frame::PortId;
use crate::tables::{Duties, EndpointId, FdbKey, SegmentId};
use crate::verdict::DropReason;
use crate::wire::ethernet;
use crate::wire::ip::Inner;

/// What classification says of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It belongs to a segment.
    Bridge(Arrival),
    /// The Linux twin takes it, with so many bytes of underlay tag taken out from behind the addresses.
    Host {
        /// 0 or 4.
        tags: u8,
    },
    /// It ends here.
    Drop(DropReason),
}

/// A [`Class`] whose arrival lies elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It belongs to a segment.
    Bridge,
    /// As [`Class::Host`].
    Host {
        /// 0 or 4.
        tags: u8,
    },
    /// It ends here.
    Drop(DropReason),
}

/// A tenant frame that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Arrival {
    /// Segment and destination MAC.
    pub destination: FdbKey,
    /// Segment and source MAC.
    pub source: FdbKey,
    /// The endpoint that it came from; [`EndpointId::NONE`] for a VTEP that nobody listed.
    pub from: EndpointId,
    /// Entropy from the tenant's flow; 0 from a tunnel, where it is made when needed.
    pub flow: u32,
    /// Bytes of outer header in front of the tenant frame (0 from an attachment).
    pub strip: u16,
    /// Bytes of the stripped frame; what follows is padding of the outer packet. 0 keeps all.
    pub len: u16,
    /// The tenant's IP header, offsets counted in the stripped frame.
    pub inner: Inner,
    /// That endpoint's generation.
    pub generation: u8,
    /// Split-horizon group that it came from; 0 for attachments, which have none.
    pub group: u8,
    /// Bytes of VLAN tags to take out from behind the addresses (0 from a tunnel).
    pub tags: u8,
    /// PCP and DEI of the tag that the frame came with (upper four bits), 0 without.
    pub priority: u8,
    /// New ECN field of the tenant's IP header; 0xff leaves it.
    pub ecn: u8,
    /// What else is asked of it than to be forwarded.
    pub duties: Duties,
}

impl Arrival {
    /// The segment.
    #[inline(always)]
    pub const fn segment(&self) -> SegmentId {
        self.source.segment()
    }

    /// The destination is a group address.
    #[inline(always)]
    pub const fn to_group(&self) -> bool {
        ethernet::is_group(self.destination.word())
    }
}

/// Where a lane goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// The FDB knows.
    Endpoint(EndpointId),
    /// Group address: everywhere in the segment.
    Group,
    /// Unknown unicast.
    Unknown,
}

/// A burst of frames of one port, and what each stage found out of the frame in each lane.
#[derive(Debug)]
pub struct Batch<F> {
    /// The port that they came from.
    pub port: PortId,
    /// The frames; emptied by [`crate::pipeline::process`].
    pub frames: Burst<F>,
    /// What becomes of them.
    pub(crate) kinds: [Kind; BURST],
    /// How those that are bridged came in.
    pub(crate) arrivals: [Arrival; BURST],
    /// Where those go.
    pub(crate) aims: [Aim; BURST],
}

impl<F> Default for Batch<F> {
    fn default() -> Self {
        Self::of(PortId(0))
    }
}

impl<F> Batch<F> {
    /// An empty batch of frames of a port.
    pub fn of(port: PortId) -> Self {
        Self {
            port,
            frames: Burst::new(),
            kinds: [Kind::Drop(DropReason::Runt); BURST],
            arrivals: [Arrival::default(); BURST],
            aims: [Aim::Unknown; BURST],
        }
    }

    /// The frames that belong to a segment.
    #[inline(always)]
    pub(crate) fn bridged(&self) -> impl Iterator<Item = &Arrival> {
        let lanes = self.frames.iter().zip(&self.kinds).zip(&self.arrivals);
        lanes.filter_map(|((_, kind), arrival)| (*kind == Kind::Bridge).then_some(arrival))
    }
}
