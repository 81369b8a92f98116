//! From what is known of a frame to its fate: the only writer of packet bytes.

use super::dress::Dress;
use super::flood::{self, flood};
use super::outbox::{HOST, Outbox};
use super::worn::Worn;
use super::{lost, suppress, too_big};
use crate::batch::{Aim, Arrival, Batch, Kind};
use crate::counters::Tally;
use crate::driver::BURST;
use crate::frame::{Frame, Pool, PortId};
use crate::link::HostFrame;
use crate::notes::Concern;
use crate::shard::Shard;
use crate::tables::{Endpoint, EndpointId, FdbEntry, Place, Segment, SegmentId, Tables, Way};
use crate::verdict::DropReason;
use crate::wire::{ethernet, ip};

/// Forwards, floods, hands to the host or drops every frame of the batch.
#[inline(never)]
pub fn forward<P: Pool>(batch: &mut Batch<P::Frame>, shard: &mut Shard, pool: &mut P, out: &mut Outbox<P::Frame>) {
    let Batch { port, frames, kinds, arrivals, found } = batch;
    let port = *port;
    let mut run = Run::default();
    for (lane, mut frame) in frames.drain(..).enumerate() {
        // A batch has no more lanes than that: it spares a check.
        let lane = lane % BURST;
        let arrival = &arrivals[lane];
        let (Kind::Bridge, Some(entry)) = (kinds[lane], found[lane]) else {
            other(frame, kinds[lane], arrival, port, shard, pool, out);
            continue;
        };
        cut_padding(&mut frame, arrival);
        let mut worn = Worn::by(arrival);
        if !run.takes(arrival, entry) {
            run.count(shard);
            run = match reach(arrival, entry, &shard.tables) {
                Some(endpoint) => {
                    let dress = Dress::of(&frame, worn, arrival, endpoint, &shard.tables, &mut out.identification);
                    Run::new(arrival, entry, dress)
                }
                None => {
                    elsewhere(frame, arrival, Some(entry), port, shard, pool, out);
                    run = Run::default();
                    continue;
                }
            };
        }
        let bytes = frame.len() - worn.bytes();
        run.came.add(bytes);
        let dressed = run.dress.put_on(&mut frame, &mut worn, arrival, &shard.tables);
        if !send(frame, dressed, worn, arrival, port, entry.endpoint(), shard, out) {
            run.lost.add(bytes);
        }
    }
    run.count(shard);
}

/// Frames in a row that go the same way: they put on the same, and are counted together.
struct Run {
    segment: SegmentId,
    from: Place,
    to: Place,
    /// Others may join.
    open: bool,
    came: Tally,
    lost: Tally,
    dress: Dress,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            segment: SegmentId::default(),
            from: Place::NONE,
            to: Place::NONE,
            open: false,
            came: Tally::default(),
            lost: Tally::default(),
            dress: Dress::Nothing(DropReason::NoDestination),
        }
    }
}

impl Run {
    #[inline(always)]
    fn new(arrival: &Arrival, entry: FdbEntry, (dress, open): (Dress, bool)) -> Self {
        let (segment, from, to) = (arrival.segment(), arrival.place, entry.place());
        Self { segment, from, to, open, dress, came: Tally::default(), lost: Tally::default() }
    }

    #[inline(always)]
    fn takes(&self, arrival: &Arrival, entry: FdbEntry) -> bool {
        self.to == entry.place() && self.from == arrival.place && self.segment == arrival.segment() && self.open
    }

    /// Counts its frames.
    #[inline(never)]
    fn count(&self, shard: &mut Shard) {
        let counters = &mut shard.counters;
        let left = self.came.without(self.lost);
        if let Some(flow) = counters.segments.get_mut(self.segment.index()) {
            flow.rx.merge(self.came);
            flow.tx.merge(left);
        }
        if let Some(flow) = counters.endpoints.get_mut(self.from.endpoint().index()) {
            flow.rx.merge(self.came);
        }
        if let Some(flow) = counters.endpoints.get_mut(self.to.endpoint().index()) {
            flow.tx.merge(left);
        }
    }
}

/// What is not for an endpoint that the FDB names.
#[inline(never)]
fn other<P: Pool>(
    mut frame: P::Frame,
    kind: Kind,
    arrival: &Arrival,
    port: PortId,
    shard: &mut Shard,
    pool: &mut P,
    out: &mut Outbox<P::Frame>,
) {
    match kind {
        Kind::Drop(reason) => lost::refuse(&frame, port, reason, shard),
        Kind::Host { tags } => host(frame, tags, port, shard, out),
        Kind::Bridge | Kind::Open => {
            cut_padding(&mut frame, arrival);
            elsewhere(frame, arrival, None, port, shard, pool, out);
        }
    }
}

/// The endpoint that the FDB names, if it is still what it was and the frame may go there: not to where it came from, nor
/// to a tunnel of the split-horizon group that it came from. Group addresses the FDB does not know.
#[inline(always)]
fn reach<'a>(arrival: &Arrival, entry: FdbEntry, tables: &'a Tables) -> Option<&'a Endpoint> {
    let endpoint = tables.endpoints.get(entry.endpoint().index())?;
    let lives = endpoint.generation == entry.generation() && !arrival.to_group();
    let away = entry.endpoint() != arrival.from() && (arrival.group == 0 || crosses(arrival, endpoint, tables));
    (lives && away).then_some(endpoint)
}

/// What does not go to the one endpoint that the FDB names: it is answered, flooded or dropped.
#[inline(never)]
fn elsewhere<P: Pool>(
    mut frame: P::Frame,
    arrival: &Arrival,
    found: Option<FdbEntry>,
    port: PortId,
    shard: &mut Shard,
    pool: &mut P,
    out: &mut Outbox<P::Frame>,
) {
    Worn::by(arrival).off(&mut frame);
    count_in(arrival, frame.len(), shard);
    match Aim::of(arrival, found, &shard.tables) {
        Aim::Endpoint(to) => shard.discard(&frame, DropReason::SplitHorizon, Concern { to, ..concern(arrival, port) }),
        Aim::Group if arrival.duties.suppresses() && suppress::answer(&mut frame, arrival, port, shard) => {
            send_copy(frame, arrival, port, arrival.from(), shard, out);
        }
        Aim::Unknown if !floods_unknown(arrival, &shard.tables) => {
            shard.discard(&frame, DropReason::UnknownUnicast, concern(arrival, port));
        }
        Aim::Unknown | Aim::Group => {
            flood(flood::Pending { frame, arrival: *arrival, port, cursor: 0 }, shard, pool, out);
        }
    }
}

/// Cuts off what the outer packet was padded with, and gives the tenant's IP header the ECN field that it leaves with.
#[inline(always)]
fn cut_padding<F: Frame>(frame: &mut F, arrival: &Arrival) {
    if arrival.strip != 0 {
        let end = usize::from(arrival.strip) + usize::from(arrival.len);
        if frame.len() > end {
            frame.truncate(end);
        }
        if arrival.ecn != 0xff {
            mark(frame, arrival);
        }
    }
}

#[inline(never)]
fn mark<F: Frame>(frame: &mut F, arrival: &Arrival) {
    if let Some(tenant) = frame.head_mut().get_mut(usize::from(arrival.strip)..) {
        let inner = ip::within(tenant, ethernet::ADDRESSES);
        ip::set_ecn(tenant, inner, arrival.ecn);
    }
}

fn count_in(arrival: &Arrival, bytes: usize, shard: &mut Shard) {
    if let Some(flow) = shard.counters.segments.get_mut(arrival.segment().index()) {
        flow.rx.add(bytes);
    }
    if let Some(flow) = shard.counters.endpoints.get_mut(arrival.from().index()) {
        flow.rx.add(bytes);
    }
}

/// Counts a tenant frame that leaves.
pub(super) fn count_out(arrival: &Arrival, to: EndpointId, bytes: usize, shard: &mut Shard) {
    if let Some(flow) = shard.counters.segments.get_mut(arrival.segment().index()) {
        flow.tx.add(bytes);
    }
    if let Some(flow) = shard.counters.endpoints.get_mut(to.index()) {
        flow.tx.add(bytes);
    }
}

#[inline]
fn floods_unknown(arrival: &Arrival, tables: &Tables) -> bool {
    tables.segments.get(arrival.segment().index()).is_some_and(|segment| segment.flood_unknown)
}

/// Hands a frame to the port's Linux twin.
#[inline(never)]
fn host<F: Frame>(mut frame: F, tags: u8, port: PortId, shard: &mut Shard, out: &mut Outbox<F>) {
    let twin = shard.tables.ports.get(port.index()).and_then(|table| table.underlay.as_ref()).is_some_and(|s| s.twin);
    if !twin {
        return shard.discard(&frame, DropReason::NoTwin, Concern { port, ..Concern::default() });
    }
    let tokens = out.host_tokens.get_mut(port.index());
    match tokens {
        Some(tokens) if *tokens > 0 && out.host.len() < HOST => {
            *tokens -= 1;
            Worn::only(tags).off(&mut frame);
            out.host.push(HostFrame { port, frame });
        }
        _ => shard.discard(&frame, DropReason::HostPoliced, Concern { port, ..Concern::default() }),
    }
}

/// Whom the drop of a tenant's frame concerns.
pub(super) fn concern(arrival: &Arrival, port: PortId) -> Concern {
    Concern { port, segment: Some(arrival.segment()), from: arrival.from(), to: EndpointId::NONE }
}

/// False for the endpoint that the frame came from (L2h) and for those of its split-horizon group (L2g).
#[inline]
pub(super) fn reaches(arrival: &Arrival, to: EndpointId, tables: &Tables) -> bool {
    if to == arrival.from() {
        return false;
    }
    if arrival.group == 0 {
        return true;
    }
    tables.endpoints.get(to.index()).is_some_and(|endpoint| crosses(arrival, endpoint, tables))
}

/// False for a tunnel of the split-horizon group that the frame came from (L2g).
#[inline(always)]
fn crosses(arrival: &Arrival, to: &Endpoint, tables: &Tables) -> bool {
    let Way::Tunnel(tunnel) = &to.way else { return true };
    let groups = tables.segments.get(arrival.segment().index()).map_or([0; 2], |segment: &Segment| segment.groups);
    groups[tunnel.encap as usize] != arrival.group
}

/// Queues a frame that has been dressed, or drops it; false when it was dropped.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // It is the caller's second half.
fn send<F: Frame>(
    mut frame: F,
    dressed: Result<PortId, DropReason>,
    worn: Worn,
    arrival: &Arrival,
    port: PortId,
    to: EndpointId,
    shard: &mut Shard,
    out: &mut Outbox<F>,
) -> bool {
    match dressed {
        Ok(exit) => match out.send(exit, frame) {
            Ok(()) => return true,
            Err(frame) => give_up(frame, DropReason::TxFull, arrival, exit, to, shard, out),
        },
        Err(reason) => {
            worn.off(&mut frame);
            give_up(frame, reason, arrival, port, to, shard, out);
        }
    }
    false
}

/// Dresses and sends a tenant's frame that wears nothing and has been counted on its way in.
#[inline(never)]
pub(super) fn send_copy<F: Frame>(
    mut frame: F,
    arrival: &Arrival,
    port: PortId,
    to: EndpointId,
    shard: &mut Shard,
    out: &mut Outbox<F>,
) {
    let (bytes, mut worn) = (frame.len(), Worn::NOTHING);
    let tables = &shard.tables;
    let dressed = match tables.endpoints.get(to.index()) {
        Some(endpoint) => {
            let (dress, _) = Dress::of(&frame, worn, arrival, endpoint, tables, &mut out.identification);
            dress.put_on(&mut frame, &mut worn, arrival, tables)
        }
        None => Err(DropReason::NoDestination),
    };
    if send(frame, dressed, worn, arrival, port, to, shard, out) {
        count_out(arrival, to, bytes, shard);
    }
}

/// Drops a frame that cannot go where it should.
#[cold]
#[inline(never)]
fn give_up<F: Frame>(
    frame: F,
    reason: DropReason,
    arrival: &Arrival,
    port: PortId,
    to: EndpointId,
    shard: &mut Shard,
    out: &mut Outbox<F>,
) {
    shard.discard(&frame, reason, Concern { to, ..concern(arrival, port) });
    if reason == DropReason::UnderlayMtu {
        too_big::tell(frame, arrival, port, to, shard, out);
    }
}
