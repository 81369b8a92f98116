//! From bytes to a class: the only reader of received headers.

use crate::batch::{Arrival, Batch, Class, Kind};
use crate::driver::BURST;
use crate::frame::{Frame, PortId, RxMeta};
use crate::pipeline::peers::Last;
use crate::pipeline::{quick, rules, termination};
use crate::shard::{Shard, Stranger};
use crate::tables::{Binding, Duties, FdbKey, Ingress, PortTable, Tables, Tunneled};
use crate::verdict::DropReason;
use crate::wire::{ethernet, flow, ip, word};

/// Classifies the frames of a batch and asks for the FDB lines that the next stages read.
#[inline(never)]
pub fn classify<F: Frame>(batch: &mut Batch<F>, shard: &mut Shard) {
    let underlay = shard.tables.ports.get(batch.port.index()).is_some_and(|table| table.underlay.is_some());
    let done = match (underlay, shard.tables.segments.len() > MANY) {
        (true, true) => quickly::<true, true, _>(batch, shard),
        (true, false) => quickly::<true, false, _>(batch, shard),
        (false, true) => quickly::<false, true, _>(batch, shard),
        (false, false) => quickly::<false, false, _>(batch, shard),
    };
    if !done {
        closely(batch, shard);
    }
}

/// With more segments than this what is known of each does not stay in a core's nearest cache: it is asked for ahead.
const MANY: usize = 128;

/// So many lanes ahead the segments of tunnel packets are asked for: all at once are more than a core can wait for.
const AHEAD: usize = 6;

/// Asks for the places in the map where the VNIs of tunnel packets stand.
#[inline(never)]
fn ask_for_vnis<F: Frame>(frames: &[F], numbers: &mut [Tunneled; BURST], shard: &Shard) {
    for (frame, number) in frames.iter().zip(numbers) {
        *number = quick::probable_vni(frame.head(), &shard.tables).unwrap_or(Tunneled::NONE);
        shard.tables.vnis.prefetch(*number);
    }
}

/// Takes the commonest frames; true when there were no others, and nothing else is to be asked of them. `MANY`: there are
/// many segments.
#[inline(never)]
fn quickly<const UNDERLAY: bool, const MANY: bool, F: Frame>(batch: &mut Batch<F>, shard: &Shard) -> bool {
    let Batch { port, frames, kinds, arrivals, .. } = batch;
    let Some(table) = shard.tables.ports.get(port.index()) else {
        kinds.fill(Kind::Open);
        return false;
    };
    let (mut done, mut duties, mut last) = (true, Duties::default(), Last::default());
    let mut numbers = [Tunneled::NONE; BURST];
    if UNDERLAY && MANY {
        ask_for_vnis(frames, &mut numbers, shard);
    }
    for (lane, ((frame, kind), arrival)) in frames.iter().zip(kinds).zip(arrivals).enumerate() {
        if UNDERLAY
            && MANY
            && let Some(&number) = numbers.get(lane + AHEAD)
            && number != Tunneled::NONE
            && let Some(segment) = shard.tables.vnis.of(number)
        {
            shard.prefetch_segment(segment);
        }
        *kind = match quick::arrive::<UNDERLAY, F>(frame, table, &shard.tables, &mut last, arrival) {
            Some(()) => {
                shard.fdb.prefetch(arrival.source);
                shard.fdb.prefetch(arrival.destination);
                if MANY && !UNDERLAY {
                    shard.prefetch_segment(arrival.segment());
                }
                duties.0 |= arrival.whence.duties().0;
                Kind::Bridge
            }
            None => {
                done = false;
                Kind::Open
            }
        };
    }
    done && !duties.rules()
}

/// Classifies the frames that the short way left, puts those before access lists that have some, and says so when a sender
/// is a VTEP that nobody listed.
#[inline(never)]
fn closely<F: Frame>(batch: &mut Batch<F>, shard: &mut Shard) {
    let Batch { port, frames, kinds, arrivals, .. } = batch;
    for ((frame, kind), arrival) in frames.iter().zip(kinds).zip(arrivals) {
        if *kind == Kind::Open {
            let mut stranger = None;
            *kind = match shard.tables.ports.get(port.index()) {
                Some(table) => judge(&Looked::at(frame), table, &shard.tables, arrival, &mut stranger),
                None => Kind::Drop(DropReason::UnknownVlan),
            };
            if let Some(stranger) = stranger {
                shard.report_vtep(stranger);
            }
        }
        if *kind == Kind::Bridge
            && arrival.whence.duties().rules()
            && let Some(reason) = rules::deny(frame.head(), arrival, shard)
        {
            *kind = Kind::Drop(reason);
        }
    }
}

/// The class of one frame: a function of its bytes, what the NIC said of it, and the tables.
pub fn class<F: Frame>(frame: &F, port: PortId, tables: &Tables) -> Class {
    let mut arrival = Arrival::default();
    let quickly = |table| quick::arrive::<true, F>(frame, table, tables, &mut Last::default(), &mut arrival);
    match tables.ports.get(port.index()).and_then(quickly) {
        Some(()) => Class::Bridge(arrival),
        None => class_closely(frame, port, tables),
    }
}

/// The same without the short way that the commonest frames take.
pub fn class_closely<F: Frame>(frame: &F, port: PortId, tables: &Tables) -> Class {
    let Some(table) = tables.ports.get(port.index()) else { return Class::Drop(DropReason::UnknownVlan) };
    let mut arrival = Arrival::default();
    match judge(&Looked::at(frame), table, tables, &mut arrival, &mut None) {
        Kind::Bridge => Class::Bridge(arrival),
        Kind::Host { tags } => Class::Host { tags },
        Kind::Drop(reason) => Class::Drop(reason),
        Kind::Open => unreachable!("a frame was judged"),
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

/// Says what becomes of a frame, whatever it is. Where that is [`Kind::Bridge`], `arrival` has been written: in its place, as
/// results of this size are not carried from hand to hand. `stranger` is set to a sender that a segment takes although
/// nobody listed it.
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
        Binding::Attachment(ingress) => attachment(looked, tags, ingress, addresses, tables, arrival),
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
    ingress: Ingress,
    (destination, source): (u64, u64),
    tables: &Tables,
    arrival: &mut Arrival,
) -> Result<(), DropReason> {
    if source == 0 || ethernet::is_group(source) {
        return Err(DropReason::BadSourceMac);
    }
    if ethernet::is_tag(tags.ethertype) {
        let passes = tables.segments.get(ingress.segment.index()).is_some_and(|segment| segment.inner_vlan_pass);
        if !passes {
            return Err(DropReason::InnerVlan);
        }
    }
    let at = ethernet::HEADER + usize::from(tags.len);
    let (ip_at, ip_type) = match word(looked.head, at + 2) {
        Some(behind) if ethernet::is_tag(tags.ethertype) => (at + ethernet::TAG, behind),
        _ => (at, tags.ethertype),
    };
    let flow = looked.meta().hash.unwrap_or_else(|| flow::flow(looked.head, at, tags.ethertype));
    *arrival = Arrival {
        destination: FdbKey::from_word(ingress.segment, destination),
        source: FdbKey::from_word(ingress.segment, source),
        whence: ingress.whence,
        flow,
        strip: 0,
        len: 0,
        tos: ip::inner(looked.head.get(ip_at..).unwrap_or_default(), ip_at, ip_type).tos,
        tags: tags.len,
        priority: (tags.tci >> 8) as u8 & 0xf0,
        ecn: 0xff,
    };
    Ok(())
}
