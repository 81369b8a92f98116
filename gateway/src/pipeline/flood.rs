//! Replication: a copy for every endpoint of the segment's flood list but those that must not have one.
//!
//! Copies are bounded by a budget for each turn, so that one frame to 1,024 VTEPs does not hold up other queues; the rest
//! is made in the next turns, in order.

use super::forward::{concern, reaches, send_copy};
use super::outbox::{FLOODS, Outbox};
use super::watched;
use crate::batch::Arrival;
use crate::frame::{Pool, PortId};
use crate::notes::Concern;
use crate::shard::Shard;
use crate::tables::{Duties, EndpointId};
use crate::verdict::DropReason;

/// A flood that is not done.
#[derive(Debug)]
pub struct Pending<F> {
    /// The tenant's frame, stripped.
    pub frame: F,
    /// Where it came from.
    pub arrival: Arrival,
    /// The port that it came from.
    pub port: PortId,
    /// Index into the flood list of the next endpoint to look at.
    pub cursor: usize,
}

/// Makes the copies of a frame, or queues it behind the floods that wait.
#[inline(never)]
pub fn flood<P: Pool>(pending: Pending<P::Frame>, shard: &mut Shard, pool: &mut P, out: &mut Outbox<P::Frame>) {
    let rest = if out.floods.is_empty() { replicate(pending, shard, pool, out) } else { Some(pending) };
    if let Some(rest) = rest {
        if out.floods.len() < FLOODS {
            out.floods.push_back(rest);
        } else {
            shard.discard(&rest.frame, DropReason::FloodBacklog, concern(&rest.arrival, rest.port));
        }
    }
}

/// Goes on with the floods that wait, as far as the budget reaches.
pub fn resume<P: Pool>(shard: &mut Shard, pool: &mut P, out: &mut Outbox<P::Frame>) {
    if shard.is_watched() {
        return watched::resume(shard, pool, out);
    }
    while !out.floods.is_empty() && step(shard, pool, out) {}
}

/// Goes on with the oldest flood that waits; false when the budget ended before it was done.
pub(super) fn step<P: Pool>(shard: &mut Shard, pool: &mut P, out: &mut Outbox<P::Frame>) -> bool {
    let Some(pending) = out.floods.pop_front() else { return true };
    let rest = replicate(pending, shard, pool, out);
    let done = rest.is_none();
    rest.into_iter().for_each(|rest| out.floods.push_front(rest));
    done
}

/// Sends copies until the list or the budget ends; returns what is left when the budget did.
fn replicate<P: Pool>(
    pending: Pending<P::Frame>,
    shard: &mut Shard,
    pool: &mut P,
    out: &mut Outbox<P::Frame>,
) -> Option<Pending<P::Frame>> {
    let Pending { frame, arrival, port, cursor } = pending;
    let copied = Arrival { whence: arrival.whence.with(Duties(Duties::QUIET)), ..arrival };
    // The endpoint that waits for its copy: the last one gets the original.
    let mut waiting: Option<(usize, EndpointId)> = None;
    let mut next = cursor;
    while let Some((at, to)) = target(&arrival, next, shard) {
        next = at + 1;
        if let Some((from, to)) = waiting {
            if out.copies_left == 0 {
                return Some(Pending { frame, arrival, port, cursor: from });
            }
            out.copies_left -= 1;
            shard.counters.replicated += 1;
            match pool.replica(&frame) {
                Some(copy) => send_copy(copy, &copied, port, to, shard, out),
                None => shard.discard(&frame, DropReason::NoBuffer, Concern { to, ..concern(&arrival, port) }),
            }
        }
        waiting = Some((at, to));
    }
    match waiting {
        Some((_, to)) => send_copy(frame, &arrival, port, to, shard, out),
        None => shard.discard(&frame, DropReason::NoDestination, concern(&arrival, port)),
    }
    None
}

/// The first endpoint from `cursor` on that the frame may reach.
fn target(arrival: &Arrival, cursor: usize, shard: &Shard) -> Option<(usize, EndpointId)> {
    let segment = shard.segment(arrival.segment())?;
    let list = shard.tables.floods.get(segment.rare.flood as usize)?;
    list.to
        .iter()
        .enumerate()
        .skip(cursor)
        .find(|(_, to)| reaches(arrival, **to, &shard.tables))
        .map(|(at, to)| (at, *to))
}
