//! Endpoints: the places that frames come from and go to.

use super::rules::ListId;
use super::segment::SegmentId;
use super::tunnels::Tunnel;
use crate::frame::PortId;

/// Number of an endpoint: an index into [`super::Tables::endpoints`], below 2^24. 0 is no endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EndpointId(pub u32);

impl EndpointId {
    /// No endpoint: an unlisted VTEP, or nothing.
    pub const NONE: Self = Self(0);

    /// As an index.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// An endpoint and its generation in one word: what the FDB says of a MAC, and an arrival of where it came from.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Place(u32);

impl Place {
    /// No endpoint.
    pub const NONE: Self = Self(0);

    /// An endpoint in one of its generations.
    #[inline(always)]
    pub const fn new(endpoint: EndpointId, generation: u8) -> Self {
        Self(endpoint.0 & 0x00ff_ffff | (generation as u32) << 24)
    }

    /// The endpoint.
    #[inline(always)]
    pub const fn endpoint(self) -> EndpointId {
        EndpointId(self.0 & 0x00ff_ffff)
    }

    /// The generation that the endpoint has, or had.
    #[inline(always)]
    pub const fn generation(self) -> u8 {
        (self.0 >> 24) as u8
    }

    /// The word: the endpoint in the lower 24 bits, the generation above.
    #[inline(always)]
    pub(super) const fn word(self) -> u32 {
        self.0
    }

    /// From [`Self::word`].
    #[inline(always)]
    pub(super) const fn from_word(word: u32) -> Self {
        Self(word)
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.endpoint().0, self.generation())
    }
}

/// An endpoint.
#[derive(Clone, Debug, Default)]
#[repr(align(32))] // So that none is in two cache lines.
pub struct Endpoint {
    /// Counts the uses of this number: FDB entries with another generation are stale and read as misses.
    pub generation: u8,
    /// No new MACs are learned here while false (limits).
    pub learns: bool,
    /// What it is.
    pub way: Way,
}

/// What an endpoint is.
#[derive(Clone, Debug, Default)]
pub enum Way {
    /// Number not in use.
    #[default]
    Vacant,
    /// Tags on a port.
    Attachment(Attachment),
    /// A remote VTEP, or an underlay multicast group.
    Tunnel(Box<Tunnel>),
}

/// Tags on a port bound to a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The port.
    pub port: PortId,
    /// The segment.
    pub segment: SegmentId,
    /// What is put behind the MAC addresses of frames that leave: 0, 4 or 8 bytes of TPID and TCI pairs in wire order,
    /// PCP and DEI zero.
    pub tags: [u8; 8],
    /// Bytes of `tags` in use: 0, 4 or 8.
    pub tags_len: u8,
    /// The device puts a single tag on.
    pub by_device: bool,
    /// PCP of frames that leave; `None` keeps the frame's.
    pub pcp: Option<u8>,
    /// Largest payload (tags not counted) in bytes that the port sends.
    pub mtu: u16,
    /// Access lists of the port and of this VLAN, for frames that come in.
    pub lists: [ListId; 2],
}
