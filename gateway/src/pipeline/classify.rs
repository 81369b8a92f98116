//! From bytes to a class: the only reader of received headers.

use crate::batch::{Arrival, Batch, Class, Kind};
use crate::frame::{Frame, PortId, RxMeta};
use crate::pipeline::{quick, rules, termination};
use crate::shard::{Shard, Stranger};
use crate::tables::{Binding, EndpointId, FdbKey, PortTable, Tables, Way};
use crate::verdict::DropReason;
use crate::wire::{ethernet, flow, word};

/// Classifies the frames of a batch and asks for the FDB lines that the next stages read.
#[inline(never)]
pub fn classify<F: Frame>(batch: &mut Batch<F>, shard: &mut Shard) {
    let Batch { port, frames, kinds, arrivals, .. } = batch;
    for ((frame, kind), arrival) in frames.iter().zip(kinds).zip(arrivals) {
        let mut stranger = None;
        *kind = match shard.tables.ports.get(port.index()) {
            Some(table) => arrive(frame, table, &shard.tables, arrival, &mut stranger),
            None => Kind::Drop(DropReason::UnknownVlan),
        };
        if *kind == Kind::Bridge {
            let denied = if arrival.duties.rules() { rules::deny(frame.head(), arrival, shard) } else { None };
            shard.fdb.prefetch(arrival.source);
            shard.fdb.prefetch(arrival.destination);
            if let Some(reason) = denied {
                *kind = Kind::Drop(reason);
            }
        }
        if let Some(stranger) = stranger {
            shard.report_vtep(stranger);
        }
    }
}

/// The class of one frame: a function of its bytes, what the NIC said of it, and the tables.
pub fn class<F: Frame>(frame: &F, port: PortId, tables: &Tables) -> Class {
    by(arrive, frame, port, tables)
}

/// The same without the short way that the commonest frames take.
pub fn class_closely<F: Frame>(frame: &F, port: PortId, tables: &Tables) -> Class {
    let way = |frame: &F, table: &_, tables: &_, arrival: &mut _, stranger: &mut _| {
        judge(&Looked::at(frame), table, tables, arrival, stranger)
    };
    by(way, frame, port, tables)
}

fn by<F: Frame>(
    way: impl Fn(&F, &PortTable, &Tables, &mut Arrival, &mut Option<Stranger>) -> Kind,
    frame: &F,
    port: PortId,
    tables: &Tables,
) -> Class {
    let Some(table) = tables.ports.get(port.index()) else { return Class::Drop(DropReason::UnknownVlan) };
    let mut arrival = Arrival::default();
    match way(frame, table, tables, &mut arrival, &mut None) {
        Kind::Bridge => Class::Bridge(arrival),
        Kind::Host { tags } => Class::Host { tags },
        Kind::Drop(reason) => Class::Drop(reason),
    }
}

/// Where a frame's tags lead, if they do.
pub(super) fn binding<F: Frame>(frame: &F, table: &PortTable) -> Option<Binding> {
    let looked = Looked::at(frame);
    let (tpid, mut tags) = tags(&looked, looked.head.first_chunk()?).ok()?;
    match *table.binding(tpid, tags.tci).ok()? {
        Binding::Inner(index) => inner_tag(&looked, &mut tags, table, index).ok().copied(),
        binding => Some(binding),
    }
}

/// A frame that is being classified.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looked<'a, F> {
    /// The first piece.
    pub(super) head: &'a [u8],
    /// The whole, which is read beyond its head only for checksums.
    pub(super) frame: &'a F,
}

impl<'a, F: Frame> Looked<'a, F> {
    #[inline(always)]
    fn at(frame: &'a F) -> Self {
        Self { head: frame.head(), frame }
    }

    /// What the NIC said.
    #[inline(always)]
    pub(super) fn meta(&self) -> RxMeta {
        self.frame.meta()
    }

    /// Why there are less than `bytes` in the head: there are no more, or they are in another piece.
    #[cold]
    fn missing(&self, bytes: usize) -> DropReason {
        if self.frame.len() < bytes { DropReason::Runt } else { DropReason::Split }
    }
}

/// Says what becomes of a frame. Where that is [`Kind::Bridge`], `arrival` has been written: in its place, as results of
/// this size are not carried from hand to hand. `stranger` is set to a sender that a segment takes although nobody
/// listed it.
#[inline(always)]
fn arrive<F: Frame>(
    frame: &F,
    table: &PortTable,
    tables: &Tables,
    arrival: &mut Arrival,
    stranger: &mut Option<Stranger>,
) -> Kind {
    match quick::arrive(frame, table, tables, arrival) {
        Some(()) => Kind::Bridge,
        None => judge(&Looked::at(frame), table, tables, arrival, stranger),
    }
}

/// [`arrive`] for every frame that there is.
#[inline(never)]
fn judge<F: Frame>(
    looked: &Looked<'_, F>,
    table: &PortTable,
    tables: &Tables,
    arrival: &mut Arrival,
    stranger: &mut Option<Stranger>,
) -> Kind {
    let Some(front) = looked.head.first_chunk() else { return Kind::Drop(looked.missing(ethernet::HEADER)) };
    let (tpid, mut tags) = match tags(looked, front) {
        Ok(tags) => tags,
        Err(reason) => return Kind::Drop(reason),
    };
    let mut binding = match table.binding(tpid, tags.tci) {
        Ok(binding) => binding,
        Err(reason) => return Kind::Drop(reason),
    };
    if let Binding::Inner(index) = *binding {
        binding = match inner_tag(looked, &mut tags, table, index) {
            Ok(binding) => binding,
            Err(reason) => return Kind::Drop(reason),
        };
    }
    let addresses = ethernet::addresses(front);
    if ethernet::is_link_local(addresses.0) {
        return match &table.underlay {
            Some(side) if side.twin && tpid == 0 => Kind::Host { tags: 0 },
            _ => Kind::Drop(DropReason::LinkLocal),
        };
    }
    let verdict = match *binding {
        Binding::Attachment(endpoint) => attachment(looked, tags, endpoint, addresses, tables, arrival),
        Binding::Underlay => {
            return termination::underlay(looked, tags, addresses.0, table, tables, arrival, stranger);
        }
        Binding::None | Binding::Inner(_) if tpid == 0 => Err(DropReason::UntaggedNotAllowed),
        Binding::None | Binding::Inner(_) => Err(DropReason::UnknownVlan),
    };
    verdict.map_or_else(Kind::Drop, |()| Kind::Bridge)
}

/// The tags of a frame that its binding covers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tags {
    /// TCI of the outer tag, in the frame or taken off by the NIC; 0 without one.
    pub(super) tci: u16,
    /// Bytes of them that lie in the frame: 0, 4 or 8.
    pub(super) len: u8,
    /// The ethertype behind them.
    pub(super) ethertype: u16,
}

/// Reads the outer tag: the one that the NIC took off, or the first in the frame. With its TPID; 0 without a tag.
#[inline(always)]
fn tags<F: Frame>(looked: &Looked<'_, F>, front: &[u8; ethernet::HEADER]) -> Result<(u16, Tags), DropReason> {
    let ethertype = ethernet::ethertype(front);
    if let Some(tci) = looked.meta().stripped {
        return Ok((ethernet::CUSTOMER_TAG, Tags { tci, len: 0, ethertype }));
    }
    if !ethernet::is_tag(ethertype) {
        return Ok((0, Tags { tci: 0, len: 0, ethertype }));
    }
    match looked.head.first_chunk::<{ ethernet::HEADER + ethernet::TAG }>() {
        Some(&[.., a, b, c, d]) => {
            Ok((ethertype, Tags { tci: u16::from_be_bytes([a, b]), len: 4, ethertype: u16::from_be_bytes([c, d]) }))
        }
        None => Err(looked.missing(ethernet::HEADER + ethernet::TAG)),
    }
}

/// Follows an outer tag to the inner one, which then counts among the tags too.
#[inline(never)]
fn inner_tag<'a, F: Frame>(
    looked: &Looked<'_, F>,
    tags: &mut Tags,
    table: &'a PortTable,
    index: u16,
) -> Result<&'a Binding, DropReason> {
    let Some(qinq) = table.qinq.get(usize::from(index)) else { return Err(DropReason::UnknownVlan) };
    let at = ethernet::HEADER + usize::from(tags.len);
    if ethernet::is_tag(tags.ethertype) {
        let inner = word(looked.head, at).ok_or(DropReason::Runt)? & 0x0fff;
        if let Some(binding @ Binding::Attachment(_)) = qinq.inner.get(usize::from(inner)) {
            tags.ethertype = word(looked.head, at + 2).ok_or(DropReason::Runt)?;
            tags.len += 4;
            return Ok(binding);
        }
    }
    Ok(&qinq.otherwise)
}

/// A frame of an attachment.
#[inline(always)]
fn attachment<F: Frame>(
    looked: &Looked<'_, F>,
    tags: Tags,
    from: EndpointId,
    (destination, source): (u64, u64),
    tables: &Tables,
    arrival: &mut Arrival,
) -> Result<(), DropReason> {
    if source == 0 || ethernet::is_group(source) {
        return Err(DropReason::BadSourceMac);
    }
    let endpoint = tables.endpoints.get(from.index()).ok_or(DropReason::UnknownVlan)?;
    let Way::Attachment(attachment) = &endpoint.way else { return Err(DropReason::UnknownVlan) };
    if ethernet::is_tag(tags.ethertype) {
        let passes = tables.segments.get(attachment.segment.index()).is_some_and(|segment| segment.inner_vlan_pass);
        if !passes {
            return Err(DropReason::InnerVlan);
        }
    }
    let at = ethernet::HEADER + usize::from(tags.len);
    let mut flow = flow::look(looked.head, at, tags.ethertype, &mut arrival.inner);
    if let Some(hash) = looked.meta().hash {
        flow = hash;
    }
    arrival.destination = FdbKey::from_word(attachment.segment, destination);
    arrival.source = FdbKey::from_word(attachment.segment, source);
    arrival.from = from;
    arrival.flow = flow;
    (arrival.strip, arrival.len) = (0, 0);
    arrival.generation = endpoint.generation;
    arrival.group = 0;
    arrival.tags = tags.len;
    arrival.priority = (tags.tci >> 8) as u8 & 0xf0;
    arrival.ecn = 0xff;
    arrival.duties = attachment.duties;
    Ok(())
}
