//! Frames that end here: what their drop is put down to. Off the path of frames that are forwarded.

use super::classify::binding;
use crate::frame::{Frame, PortId};
use crate::notes::Concern;
use crate::shard::Shard;
use crate::tables::{Binding, EndpointId, SegmentId, Tables};
use crate::verdict::DropReason;
use crate::wire::peek::peek;

/// Drops a received frame that classification refused.
#[cold]
#[inline(never)]
pub fn refuse<F: Frame>(frame: &F, port: PortId, reason: DropReason, shard: &mut Shard) {
    let (segment, from) = whose(frame, port, &shard.tables);
    shard.refuse(frame, reason, Concern { port, segment, from, ..Concern::default() });
}

/// The segment and the endpoint that a received frame seems to be of.
pub fn whose<F: Frame>(frame: &F, port: PortId, tables: &Tables) -> (Option<SegmentId>, EndpointId) {
    let nobody = (None, EndpointId::NONE);
    let Some(table) = tables.ports.get(port.index()) else { return nobody };
    match binding(frame, table).unwrap_or(Binding::None) {
        Binding::Attachment(ingress) => (Some(ingress.segment), ingress.whence.place().endpoint()),
        Binding::Underlay => {
            let underlay = &tables.underlay;
            let Some(seen) = peek(frame.head(), underlay.vxlan_port, underlay.geneve_port) else { return nobody };
            let from = tables.sources.find(seen.encap, seen.source);
            (tables.vnis.find(seen.encap, seen.vni), from)
        }
        Binding::None | Binding::Inner(_) => nobody,
    }
}

impl Shard {
    /// Takes a look at a packet that a peer sent.
    #[cold]
    #[inline(never)]
    pub fn hear<F: Frame>(&mut self, frame: &F) {
        let underlay = &self.tables.underlay;
        let Some(seen) = peek(frame.head(), underlay.vxlan_port, underlay.geneve_port) else { return };
        let from = self.tables.sources.find(seen.encap, seen.source);
        if from != EndpointId::NONE {
            self.notes.heard(from, &seen, self.now);
        }
    }
}
