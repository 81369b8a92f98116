//! A burst of frames on its way through the pipeline, with what each stage found out, lane by lane.

use crate::driver::{BURST, Burst};
use crate::frame::PortId;
use crate::tables::{EndpointId, FdbEntry, FdbKey, SegmentId, Tables, Whence};
use crate::verdict::DropReason;
use crate::wire::ethernet;

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
    /// Not known yet.
    Open,
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
    /// Where it came from.
    pub whence: Whence,
    /// Entropy from the tenant's flow; 0 from a tunnel, where it is made when needed.
    pub flow: u32,
    /// Bytes of outer header in front of the tenant frame (0 from an attachment).
    pub strip: u16,
    /// Bytes of the stripped frame; what follows is padding of the outer packet. 0 keeps all.
    pub len: u16,
    /// TOS or traffic class of the tenant's IP packet; 0 when it is none.
    pub tos: u8,
    /// Bytes of VLAN tags to take out from behind the addresses (0 from a tunnel).
    pub tags: u8,
    /// PCP and DEI of the tag that the frame came with (upper four bits), 0 without.
    pub priority: u8,
    /// New ECN field of the tenant's IP header; 0xff leaves it.
    pub ecn: u8,
}

impl Arrival {
    /// The endpoint that it came from; [`EndpointId::NONE`] for a VTEP that nobody listed.
    #[inline(always)]
    pub const fn from(&self) -> EndpointId {
        self.whence.place().endpoint()
    }

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
    /// What the FDB says of where those go. Whether the endpoint is still what it was is asked when the frame goes there.
    pub(crate) found: [Option<FdbEntry>; BURST],
}

impl<F> Default for Batch<F> {
    fn default() -> Self {
        Self::of(PortId(0))
    }
}

impl Aim {
    /// Where an arrival goes of which the FDB says this.
    #[inline]
    pub fn of(arrival: &Arrival, found: Option<FdbEntry>, tables: &Tables) -> Self {
        let lives = |entry: &FdbEntry| {
            let endpoint = tables.endpoints.get(entry.endpoint().index());
            endpoint.is_some_and(|endpoint| endpoint.generation == entry.generation())
        };
        match found.filter(lives) {
            _ if arrival.to_group() => Self::Group,
            Some(entry) => Self::Endpoint(entry.endpoint()),
            None => Self::Unknown,
        }
    }
}

impl<F> Batch<F> {
    /// An empty batch of frames of a port.
    pub fn of(port: PortId) -> Self {
        Self {
            port,
            frames: Burst::with_capacity(BURST),
            kinds: [Kind::Drop(DropReason::Runt); BURST],
            arrivals: [Arrival::default(); BURST],
            found: [None; BURST],
        }
    }
}
