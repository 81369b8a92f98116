//! Runs: frames in a row that go the same way. What they put on is looked up once, and they are counted together.

use super::dress::Dress;
use super::worn::Worn;
use crate::batch::{Arrival, Batch};
use crate::counters::{Counters, Tally};
use crate::driver::BURST;
use crate::frame::{Frame, PortId};
use crate::shard::Shard;
use crate::tables::{Endpoint, EndpointId, FdbEntry, Place, Segment, Tables, Way};
use crate::verdict::DropReason;
use crate::wire::{ethernet, ip};

/// Where a frame leaves.
#[derive(Clone, Copy, Debug)]
pub enum Exit {
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
pub fn dress<F: Frame>(
    batch: &mut Batch<F>,
    exits: &mut [Exit; BURST],
    shard: &mut Shard,
    identification: &mut u16,
) -> Option<PortId> {
    let Batch { frames, arrivals, found, .. } = batch;
    let Shard { tables, counters, .. } = shard;
    let (mut only, mut all) = (None, true);
    let mut lane = 0;
    while lane < frames.len().min(BURST) {
        let arrival = &arrivals[lane];
        let way = found[lane].and_then(|entry| Some((entry, reach(arrival, entry, tables)?)));
        let Some((entry, endpoint)) = way else {
            all = false;
            lane += 1;
            continue;
        };
        let end = lane + alike(&found[lane..frames.len().min(BURST)], &arrivals[lane..]);
        let lanes = (&mut frames[lane..end], &arrivals[lane..end], &mut exits[lane..end]);
        let tunnel = arrival.strip != 0;
        // The port that all leave through, if it is known.
        let (port, done) = match Dress::of(arrival, endpoint, tables) {
            Dress::Outer(outer) if outer.is_plain() && !tunnel => {
                let step = |frame: &mut F, worn: &mut Worn, arrival: &Arrival, len| {
                    outer.put_on::<true, F>(frame, worn, arrival, len, tables)
                };
                (Some(outer.port()), put_on::<false, F>(lanes, step))
            }
            Dress::Outer(outer) => {
                let step = |frame: &mut F, worn: &mut Worn, arrival: &Arrival, len| {
                    outer.put_on::<false, F>(frame, worn, arrival, len, tables)
                };
                (Some(outer.port()), put_on::<true, F>(lanes, step))
            }
            Dress::Tags(tagging) if tagging.is_plain() && tunnel => {
                let step =
                    |frame: &mut F, worn: &mut Worn, _: &Arrival, len| tagging.put_on::<true, F>(frame, worn, 0, len);
                (Some(tagging.port()), put_on::<true, F>(lanes, step))
            }
            Dress::Tags(tagging) => {
                let step = |frame: &mut F, worn: &mut Worn, arrival: &Arrival, len| {
                    tagging.put_on::<false, F>(frame, worn, arrival.priority, len)
                };
                (Some(tagging.port()), put_on::<true, F>(lanes, step))
            }
            Dress::Each(each) => {
                let step = |frame: &mut F, worn: &mut Worn, arrival: &Arrival, len| {
                    each.put_on(frame, worn, arrival, len, tables, identification)
                };
                (None, put_on::<true, F>(lanes, step))
            }
            Dress::Nothing(reason) => (None, put_on::<true, F>(lanes, |_, _, _, _| Err(reason))),
        };
        count(arrival, entry.endpoint(), done, counters);
        all &= done.refused.frames == 0 && port.is_some() && (only.is_none() || only == port);
        only = port;
        lane = end;
    }
    only.filter(|_| all)
}

/// How many lanes, from the first one on, go the same way: from one place in a segment to one other.
#[inline(always)]
fn alike(found: &[Option<FdbEntry>], arrivals: &[Arrival]) -> usize {
    let place = |entry: &Option<FdbEntry>| entry.map_or(Place::NONE, FdbEntry::place);
    let (to, first) = (place(&found[0]), &arrivals[0]);
    let mut lanes = found.iter().zip(arrivals);
    let other = lanes.position(|(entry, arrival)| {
        place(entry) != to || arrival.whence.place != first.whence.place || arrival.segment() != first.segment()
    });
    other.unwrap_or(found.len())
}

/// Frames in a row that went the same way.
#[derive(Clone, Copy)]
struct Done {
    came: Tally,
    refused: Tally,
}

/// Frames in a row, how they came in, and what becomes of them.
type Lanes<'a, F> = (&'a mut [F], &'a [Arrival], &'a mut [Exit]);

/// Dresses each by a step that says through which port it leaves. `TUNNEL`: they may have come from one, in an outer packet
/// with its padding.
#[inline(never)]
fn put_on<const TUNNEL: bool, F: Frame>(
    (frames, arrivals, exits): Lanes<'_, F>,
    mut step: impl FnMut(&mut F, &mut Worn, &Arrival, usize) -> Result<PortId, DropReason>,
) -> Done {
    let (count, mut came, mut refused) = (frames.len() as u64, 0, Tally::default());
    for ((frame, arrival), place) in frames.iter_mut().zip(arrivals).zip(exits) {
        let mut worn = if TUNNEL { Worn::by(arrival) } else { Worn::only(arrival.tags) };
        if TUNNEL {
            cut_padding(frame, arrival);
        }
        let bytes = frame.len() - worn.bytes();
        came += bytes as u64;
        match step(frame, &mut worn, arrival, bytes) {
            Ok(exit) => *place = Exit::Port { exit, bytes: bytes as u32 },
            Err(reason) => {
                refused.add(bytes);
                worn.off(frame);
                *place = Exit::Refused(reason);
            }
        }
    }
    Done { came: Tally { frames: count, bytes: came }, refused }
}

/// Counts frames that came in, and those of them that leave.
#[inline(always)]
fn count(arrival: &Arrival, to: EndpointId, done: Done, counters: &mut Counters) {
    let left = done.came.without(done.refused);
    if let Some(flow) = counters.segments.get_mut(arrival.segment().index()) {
        flow.rx.merge(done.came);
        flow.tx.merge(left);
    }
    if let Some(flow) = counters.endpoints.get_mut(arrival.from().index()) {
        flow.rx.merge(done.came);
    }
    if let Some(flow) = counters.endpoints.get_mut(to.index()) {
        flow.tx.merge(left);
    }
}

/// A frame that was counted as leaving did not.
#[cold]
pub fn take_back(arrival: &Arrival, to: EndpointId, bytes: u32, shard: &mut Shard) {
    let one = Tally { frames: 1, bytes: u64::from(bytes) };
    if let Some(flow) = shard.counters.segments.get_mut(arrival.segment().index()) {
        flow.tx = flow.tx.without(one);
    }
    if let Some(flow) = shard.counters.endpoints.get_mut(to.index()) {
        flow.tx = flow.tx.without(one);
    }
}

/// The endpoint that the FDB names, if it is still what it was and the frame may go there: not to where it came from, nor
/// to a tunnel of the split-horizon group that it came from. Group addresses the FDB does not know.
#[inline(always)]
fn reach<'a>(arrival: &Arrival, entry: FdbEntry, tables: &'a Tables) -> Option<&'a Endpoint> {
    let endpoint = tables.endpoints.get(entry.endpoint().index())?;
    let lives = endpoint.generation == entry.generation() && !arrival.to_group();
    let away = entry.endpoint() != arrival.from() && (arrival.whence.group == 0 || crosses(arrival, endpoint, tables));
    (lives && away).then_some(endpoint)
}

/// False for a tunnel of the split-horizon group that the frame came from (L2g).
#[inline(always)]
pub fn crosses(arrival: &Arrival, to: &Endpoint, tables: &Tables) -> bool {
    let Way::Tunnel(tunnel) = &to.way else { return true };
    let groups = tables.segments.get(arrival.segment().index()).map_or([0; 2], |segment: &Segment| segment.groups);
    groups[tunnel.encap as usize] != arrival.whence.group
}

/// Cuts off what the outer packet was padded with, and gives the tenant's IP header the ECN field that it leaves with.
#[inline(always)]
pub fn cut_padding<F: Frame>(frame: &mut F, arrival: &Arrival) {
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
