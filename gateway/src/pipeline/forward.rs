//! From what is known of a frame to its fate: the only writer of packet bytes.

use super::dress::dress;
use super::flood::{self, flood};
use super::outbox::{HOST, Outbox};
use super::{lost, suppress, too_big};
use crate::batch::{Aim, Arrival, Batch, Kind};
use crate::counters::Tally;
use crate::driver::BURST;
use crate::frame::{Frame, Pool, PortId};
use crate::link::HostFrame;
use crate::notes::Concern;
use crate::shard::Shard;
use crate::tables::{EndpointId, Segment, Tables, Way};
use crate::verdict::DropReason;
use crate::wire::{ethernet, ip};

/// Forwards, floods, hands to the host or drops every frame of the batch.
#[inline(never)]
pub fn forward<P: Pool>(batch: &mut Batch<P::Frame>, shard: &mut Shard, pool: &mut P, out: &mut Outbox<P::Frame>) {
    let Batch { port, frames, kinds, arrivals, aims } = batch;
    let port = *port;
    for (lane, mut frame) in frames.drain(..).enumerate() {
        // A batch has no more lanes than that: it spares a check.
        let lane = lane % BURST;
        match kinds[lane] {
            Kind::Drop(reason) => lost::refuse(&frame, port, reason, shard),
            Kind::Host { tags } => host(frame, tags, port, shard, out),
            Kind::Bridge => {
                let arrival = &arrivals[lane];
                strip(&mut frame, arrival);
                match aims[lane] {
                    Aim::Endpoint(to) if reaches(arrival, to, &shard.tables) => {
                        let bytes = frame.len();
                        let left = send(frame, arrival, port, to, shard, out);
                        count(arrival, to, bytes, left, shard);
                    }
                    aim => elsewhere(frame, arrival, aim, port, shard, pool, out),
                }
            }
        }
    }
}

/// What does not go to the one endpoint that the FDB names: it is answered, flooded or dropped.
#[inline(never)]
fn elsewhere<P: Pool>(
    mut frame: P::Frame,
    arrival: &Arrival,
    aim: Aim,
    port: PortId,
    shard: &mut Shard,
    pool: &mut P,
    out: &mut Outbox<P::Frame>,
) {
    count_in(arrival, frame.len(), shard);
    match aim {
        Aim::Endpoint(to) => shard.discard(&frame, DropReason::SplitHorizon, Concern { to, ..concern(arrival, port) }),
        Aim::Group if arrival.duties.suppresses() && suppress::answer(&mut frame, arrival, port, shard) => {
            send_copy(frame, arrival, port, arrival.from, shard, out);
        }
        Aim::Unknown if !floods_unknown(arrival, &shard.tables) => {
            shard.discard(&frame, DropReason::UnknownUnicast, concern(arrival, port));
        }
        Aim::Unknown | Aim::Group => {
            flood(flood::Pending { frame, arrival: *arrival, port, cursor: 0 }, shard, pool, out);
        }
    }
}

/// Takes off what the frame wore on its way in; what remains is the tenant's frame.
#[inline(always)]
fn strip<F: Frame>(frame: &mut F, arrival: &Arrival) {
    if arrival.strip != 0 {
        let end = usize::from(arrival.strip) + usize::from(arrival.len);
        if frame.len() > end {
            frame.truncate(end);
        }
        frame.trim_front(usize::from(arrival.strip));
        if arrival.ecn != 0xff {
            ip::set_ecn(frame.head_mut(), arrival.inner, arrival.ecn);
        }
    } else {
        untag(frame, arrival.tags);
    }
}

/// Takes `tags` bytes out from behind the addresses.
#[inline(always)]
fn untag<F: Frame>(frame: &mut F, tags: u8) {
    let tags = usize::from(tags);
    if tags != 0 && frame.head().len() >= ethernet::ADDRESSES + tags {
        frame.head_mut().copy_within(..ethernet::ADDRESSES, tags);
        frame.trim_front(tags);
    }
}

fn count_in(arrival: &Arrival, bytes: usize, shard: &mut Shard) {
    if let Some(flow) = shard.counters.segments.get_mut(arrival.segment().index()) {
        flow.rx.add(bytes);
    }
    if let Some(flow) = shard.counters.endpoints.get_mut(arrival.from.index()) {
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

/// Counts a tenant frame that came in and, if it left, that it did.
#[inline(always)]
fn count(arrival: &Arrival, to: EndpointId, bytes: usize, left: bool, shard: &mut Shard) {
    let counters = &mut shard.counters;
    let out = Tally { frames: u64::from(left), bytes: if left { bytes as u64 } else { 0 } };
    if let Some(flow) = counters.segments.get_mut(arrival.segment().index()) {
        flow.rx.add(bytes);
        flow.tx.merge(out);
    }
    if let Some(flow) = counters.endpoints.get_mut(arrival.from.index()) {
        flow.rx.add(bytes);
    }
    if let Some(flow) = counters.endpoints.get_mut(to.index()) {
        flow.tx.merge(out);
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
            untag(&mut frame, tags);
            out.host.push(HostFrame { port, frame });
        }
        _ => shard.discard(&frame, DropReason::HostPoliced, Concern { port, ..Concern::default() }),
    }
}

/// Whom the drop of a tenant's frame concerns.
pub(super) fn concern(arrival: &Arrival, port: PortId) -> Concern {
    Concern { port, segment: Some(arrival.segment()), from: arrival.from, to: EndpointId::NONE }
}

/// False for the endpoint that the frame came from (L2h) and for those of its split-horizon group (L2g).
#[inline(always)]
pub(super) fn reaches(arrival: &Arrival, to: EndpointId, tables: &Tables) -> bool {
    if to == arrival.from {
        return false;
    }
    if arrival.group == 0 {
        return true;
    }
    let Some(endpoint) = tables.endpoints.get(to.index()) else { return false };
    let Way::Tunnel(tunnel) = &endpoint.way else { return true };
    let groups = tables.segments.get(arrival.segment().index()).map_or([0; 2], |segment: &Segment| segment.groups);
    groups[tunnel.encap as usize] != arrival.group
}

/// Dresses a frame and queues it, or drops it; false when it was dropped.
#[inline(always)]
fn send<F: Frame>(
    mut frame: F,
    arrival: &Arrival,
    port: PortId,
    to: EndpointId,
    shard: &mut Shard,
    out: &mut Outbox<F>,
) -> bool {
    let dressed = match shard.tables.endpoints.get(to.index()) {
        Some(endpoint) => dress(&mut frame, arrival, endpoint, &shard.tables, &mut out.identification),
        None => Err(DropReason::NoDestination),
    };
    match dressed {
        Ok(exit) => match out.send(exit, frame) {
            Ok(()) => return true,
            Err(frame) => give_up(frame, DropReason::TxFull, arrival, exit, to, shard, out),
        },
        Err(reason) => give_up(frame, reason, arrival, port, to, shard, out),
    }
    false
}

/// [`send`] for a frame that has been counted on its way in.
#[inline(never)]
pub(super) fn send_copy<F: Frame>(
    frame: F,
    arrival: &Arrival,
    port: PortId,
    to: EndpointId,
    shard: &mut Shard,
    out: &mut Outbox<F>,
) {
    let bytes = frame.len();
    if send(frame, arrival, port, to, shard, out) {
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
