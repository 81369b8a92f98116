//! From what is known of a frame to its fate.

use super::dress::Dress;
use super::flood::{self, flood};
use super::outbox::{HOST, Outbox};
use super::run::{Exit, crosses, cut_padding, dress, take_back};
use super::worn::Worn;
use super::{lost, suppress, too_big};
use crate::batch::{Aim, Arrival, Batch, Kind};
use crate::driver::BURST;
use crate::frame::{Frame, Pool, PortId};
use crate::link::HostFrame;
use crate::notes::Concern;
use crate::shard::Shard;
use crate::tables::{EndpointId, FdbEntry, Tables};
use crate::verdict::DropReason;

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
        Aim::Group if arrival.whence.duties().suppresses() && suppress::answer(&mut frame, arrival, port, shard) => {
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
    if arrival.whence.group() == 0 {
        return true;
    }
    tables.endpoints.get(to.index()).is_some_and(|endpoint| crosses(arrival, endpoint, tables))
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
            Dress::of(arrival, endpoint, tables).put_on(&mut frame, arrival, tables, &mut out.identification)
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
