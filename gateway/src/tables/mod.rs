//! What a core reads to forward: compiled by control, owned by the core, replaced whole or patched by
//! [`crate::link::Update`]s. Nothing in here is shared between cores.

pub mod endpoint;
pub mod fdb;
pub mod neighbours;
pub mod numbers;
pub mod port;
pub mod rules;
pub mod segment;
pub mod template;
pub mod tunnels;

pub use endpoint::{Attachment, Endpoint, EndpointId, Place, Way};
pub use fdb::{Fdb, FdbEntry, FdbKey, Origin};
pub use neighbours::{Neighbour, Neighbours};
pub use port::{Binding, Ingress, PortTable, QinQ, UnderlaySide, VIDS, Whence};
pub use rules::{Duties, Facts, List, ListId, Rule, Rules};
pub use segment::{FloodList, Segment, SegmentId};
pub use template::Template;
pub use tunnels::{Keyed, Sources, Tunnel, TunnelKey, Tunneled, Vnis};

/// Everything a core needs besides its [`Fdb`].
///
/// Identifiers are stable over the life of the process: control never gives a number to another thing while an old use
/// of it may be about, and counts `generation`s where it must.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// By [`crate::frame::PortId`].
    pub ports: Vec<PortTable>,
    /// By [`SegmentId`]; vacant numbers hold [`Segment::default`], which no ingress map names.
    pub segments: Vec<Segment>,
    /// By [`EndpointId`]; number 0 is always vacant.
    pub endpoints: Vec<Endpoint>,
    /// Flood lists and member sets by [`segment::Rare::flood`] and [`Segment::members`]; equal ones are stored once.
    pub floods: Vec<FloodList>,
    /// (encapsulation, VNI) of a received tunnel packet to segment.
    pub vnis: Vnis,
    /// (encapsulation, outer source) of a received tunnel packet to tunnel endpoint.
    pub sources: Sources,
    /// Senders with numbers of their own.
    pub keyed: Keyed,
    /// What is ours on the underlay.
    pub underlay: tunnels::Terminus,
    /// Length of an age epoch in nanoseconds, by [`Segment::age_class`]; `u64::MAX` never ages. Never empty.
    pub ages: Vec<u64>,
    /// Access lists.
    pub rules: Rules,
}
