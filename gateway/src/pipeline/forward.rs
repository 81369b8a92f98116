//! From what is known of a frame to its fate: the only writer of packet bytes.

use super::dress::Dress;
use super::flood::{self, flood};
use super::outbox::{HOST, Outbox};
use super::worn::Worn;
use super::{lost, suppress, too_big};
use crate::batch::{Aim, Arrival, Batch, Kind};
use crate::counters::{Counters, Tally};
use crate::driver::BURST;
use crate::frame::{Frame, Pool, PortId};
use crate::link::HostFrame;
use crate::notes::Concern;
use crate::shard::Shard;
use crate::tables::{Endpoint, EndpointId, FdbEntry, Segment, Tables, Way};
use crate::verdict::DropReason;
use crate::wire::{ethernet, ip};

/// Forwards, floods, hands to the host or drops every frame of the batch.
#[inline(never)]
pub fn forward<P: Pool>(batch: &mut Batch<P::Frame>, shard: &mut Shard, pool: &mut P, out: &mut Outbox<P::Frame>) {
    let mut exits = [Exit::Open; BURST];
    let only = dress(batch, &mut exits, shard, &mut out.identification);
    let Batch { port, frames, kinds, arrivals, found, .. } = batch;
    if let Some(only) = only
        && out.send_all(only, frames)
    {
        return;
    }
    let port = *port;
    for (lane, frame) in frames.drain(..).enumerate() {
        // A batch has no more lanes than that: it spares a check.
        let lane = lane % BURST;
        let arrival = &arrivals[lane];
        match exits[lane] {
            Exit::Port { exit, bytes } => {
                if let Err(frame) = out.send(exit, frame) {
                    let to = found[lane].map_or(EndpointId::NONE, FdbEntry::endpoint);
                    take_back(arrival, to, bytes, shard);
                    give_up(frame, DropReason::TxFull, arrival, exit, to, shard, out);
                }
            }
            Exit::Refused(reason) => {
                let to = found[lane].map_or(EndpointId::NONE, FdbEntry::endpoint);
                give_up(frame, reason, arrival, port, to, shard, out);
            }
            Exit::Open => other(frame, kinds[lane], arrival, found[lane], port, shard, pool, out),
        }
    }
}

/// Where a frame leaves.
#[derive(Clone, Copy, Debug)]
enum Exit {
    /// Nowhere yet: the FDB names no endpoint for it, or it is not bridged.
    Open,
    /// Through this port, dressed; with so many bytes of tenant's frame, counted.
    Port { exit: PortId, bytes: u32 },
    /// It cannot go where it should; it wears nothing.
    Refused(DropReason),
}

/// Dresses the frames that go to the one endpoint that the FDB names, and counts them, run by run: frames in a row that go
/// the same way put on the same. Returns the port that they all leave through, if there is one and they are all.
#[inline(always)]
fn dress<F: Frame>(
    batch: &mut Batch<F>,
    exits: &mut [Exit; BURST],
    shard: &mut Shard,
    identification: &mut u16,
) -> Option<PortId> {
    let Batch { frames, kinds, arrivals, found, .. } = batch;
    let Shard { tables, counters, .. } = shard;
    let (mut only, mut all) = (None, true);
    let mut lane = 0;
    while lane < frames.len().min(BURST) {
        let (arrival, kind) = (&arrivals[lane], kinds[lane]);
        let way = found[lane]
            .filter(|_| kind == Kind::Bridge)
            .and_then(|entry| Some((entry, reach(arrival, entry, tables)?)));
        let Some((entry, endpoint)) = way else {
            all = false;
            lane += 1;
            continue;
        };
        let (dress, open) = Dress::of(&frames[lane], Worn::by(arrival), arrival, endpoint, tables, identification);
        let alike = |at: &usize| {
            let same = kinds[*at] == Kind::Bridge && found[*at].is_some_and(|other| other.place() == entry.place());
            same && arrivals[*at].place == arrival.place && arrivals[*at].segment() == arrival.segment()
        };
        let end = if open {
            (lane + 1..frames.len().min(BURST)).find(|at| !alike(at)).unwrap_or(frames.len().min(BURST))
        } else {
            lane + 1
        };
        let lanes = frames[lane..end].iter_mut().zip(&arrivals[lane..end]).zip(&mut exits[lane..end]);
        let done = match &dress {
            Dress::Outer(outer) => {
                put_on(lanes, outer.port(), |frame, worn, arrival, len| outer.put_on(frame, worn, arrival, len, tables))
            }
            Dress::Tags(tagging) => put_on(lanes, tagging.port(), |frame, worn, arrival, len| {
                tagging.put_on(frame, worn, arrival.priority, len)
            }),
            Dress::Nothing(reason) => put_on(lanes, PortId(0), |_, _, _, _| Err(*reason)),
        };
        count(arrival, entry.endpoint(), done, counters);
        all &= done.came.frames == done.left.frames && only.is_none_or(|port| port == dress.port());
        only = Some(dress.port());
        lane = end;
    }
    only.filter(|_| all)
}

/// Frames in a row that went the same way.
#[derive(Clone, Copy)]
struct Done {
    came: Tally,
    left: Tally,
}

#[inline(never)]
fn put_on<'a, F: Frame>(
    lanes: impl Iterator<Item = ((&'a mut F, &'a Arrival), &'a mut Exit)>,
    exit: PortId,
    dress: impl Fn(&mut F, &mut Worn, &Arrival, usize) -> Result<(), DropReason>,
) -> Done {
    let mut done = Done { came: Tally::default(), left: Tally::default() };
    for ((frame, arrival), place) in lanes {
        cut_padding(frame, arrival);
        let mut worn = Worn::by(arrival);
        let bytes = frame.len() - worn.bytes();
        done.came.add(bytes);
        match dress(frame, &mut worn, arrival, bytes) {
            Ok(()) => {
                done.left.add(bytes);
                *place = Exit::Port { exit, bytes: bytes as u32 };
            }
            Err(reason) => {
                worn.off(frame);
                *place = Exit::Refused(reason);
            }
        }
    }
    done
}

/// Counts frames that came in, and those of them that leave.
#[inline(always)]
fn count(arrival: &Arrival, to: EndpointId, done: Done, counters: &mut Counters) {
    if let Some(flow) = counters.segments.get_mut(arrival.segment().index()) {
        flow.rx.merge(done.came);
        flow.tx.merge(done.left);
    }
    if let Some(flow) = counters.endpoints.get_mut(arrival.from().index()) {
        flow.rx.merge(done.came);
    }
    if let Some(flow) = counters.endpoints.get_mut(to.index()) {
        flow.tx.merge(done.left);
    }
}

/// A frame that was counted as leaving did not.
#[cold]
fn take_back(arrival: &Arrival, to: EndpointId, bytes: u32, shard: &mut Shard) {
    let one = Tally { frames: 1, bytes: u64::from(bytes) };
    if let Some(flow) = shard.counters.segments.get_mut(arrival.segment().index()) {
        flow.tx = flow.tx.without(one);
    }
    if let Some(flow) = shard.counters.endpoints.get_mut(to.index()) {
        flow.tx = flow.tx.without(one);
    }
}

/// What does not go to an endpoint that the FDB names.
#[inline(never)]
#[allow(clippy::too_many_arguments)] // It is the caller's second half.
fn other<P: Pool>(
    mut frame: P::Frame,
    kind: Kind,
    arrival: &Arrival,
    found: Option<FdbEntry>,
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
            elsewhere(frame, arrival, found, port, shard, pool, out);
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
    let (bytes, tables) = (frame.len(), &shard.tables);
    let dressed = match tables.endpoints.get(to.index()) {
        Some(endpoint) => {
            let (dress, _) = Dress::of(&frame, Worn::NOTHING, arrival, endpoint, tables, &mut out.identification);
            dress.put_on(&mut frame, arrival, tables)
        }
        None => Err(DropReason::NoDestination),
    };
    match dressed {
        Ok(exit) => match out.send(exit, frame) {
            Ok(()) => count_out(arrival, to, bytes, shard),
            Err(frame) => give_up(frame, DropReason::TxFull, arrival, exit, to, shard, out),
        },
        Err(reason) => give_up(frame, reason, arrival, port, to, shard, out),
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
