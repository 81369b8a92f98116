//! Source and destination keys against the FDB. Neither stage sees a packet.

use crate::batch::{Arrival, Batch, Kind};
use crate::driver::BURST;
use crate::link::Report;
use crate::shard::Shard;
use crate::tables::{EndpointId, FdbEntry, Origin};

// A lane is a bit of a word.
const _: () = assert!(BURST <= u64::BITS as usize);

/// Learns, moves and refreshes the sources of a batch.
#[inline(never)]
pub fn learn<F>(batch: &Batch<F>, shard: &mut Shard) {
    let mut lanes = news(batch, shard);
    while lanes != 0 {
        teach(&batch.arrivals[lanes.trailing_zeros() as usize % BURST], shard);
        lanes &= lanes - 1;
    }
}

/// The lanes whose source is not just where it was, used in this age epoch already: hardly any, so the pass that looks at
/// all of them changes nothing.
#[inline(always)]
fn news<F>(batch: &Batch<F>, shard: &Shard) -> u64 {
    let mut lanes = 0;
    for (lane, ((_, kind), arrival)) in batch.frames.iter().zip(&batch.kinds).zip(&batch.arrivals).enumerate() {
        if *kind == Kind::Bridge {
            let epoch = shard.epochs[usize::from(arrival.whence.age_class())];
            let known = shard.fdb.find(arrival.source);
            if !known.is_some_and(|entry| entry.is_at(arrival.whence.place(), epoch)) {
                lanes = with(lanes, lane);
            }
        }
    }
    lanes
}

/// A call, so that the compiler does not make arithmetic of a branch that is hardly ever taken.
#[cold]
#[inline(never)]
fn with(lanes: u64, lane: usize) -> u64 {
    lanes | 1 << lane
}

/// Learns, moves or refreshes a source.
#[inline(never)]
fn teach(arrival: &Arrival, shard: &mut Shard) {
    // A frame before this one may have taught it.
    let known = shard.fdb.find(arrival.source);
    let epoch = shard.epochs[usize::from(arrival.whence.age_class())];
    match known {
        Some(entry) if entry.is_at(arrival.whence.place(), epoch) => {}
        Some(entry) if entry.place() == arrival.whence.place() => refresh(arrival, entry, epoch, shard),
        Some(entry) if !entry.is_learned() => {}
        _ => install(arrival, known.is_some(), epoch, shard),
    }
}

/// Marks a source as used in this age epoch, and says so if that matters.
#[inline(never)]
fn refresh(arrival: &Arrival, entry: FdbEntry, epoch: u8, shard: &mut Shard) {
    if !entry.is_learned() || shard.report(Report::Seen(arrival.source)) {
        shard.fdb.set(arrival.source, entry.marked(epoch));
    }
}

/// Installs a new or moved source as fresh, if learning is on, and reports it. What cannot be reported is not installed:
/// the next frame tries again.
#[inline(never)]
fn install(arrival: &Arrival, known: bool, epoch: u8, shard: &mut Shard) {
    let Some(segment) = shard.segment(arrival.segment()) else { return };
    let open = shard.endpoint(arrival.from()).is_some_and(|endpoint| endpoint.learns);
    if arrival.from() == EndpointId::NONE || !open || !(segment.learns || known) || shard.reports.is_full() {
        return;
    }
    let entry = FdbEntry::at(arrival.whence.place(), Origin::Fresh).marked(epoch);
    if shard.fdb.insert(arrival.source, entry).is_ok() {
        shard.counters.learned += 1;
        shard.report(Report::Learned { key: arrival.source, entry });
    }
}

/// With more endpoints than this what is known of each does not stay in a core's nearest cache: it is asked for ahead.
const MANY: usize = 256;

/// Finds what the FDB says of each lane's destination; of group addresses it says nothing, nor of what is not bridged.
#[inline(never)]
pub fn lookup<F>(batch: &mut Batch<F>, shard: &Shard) {
    let Batch { frames, kinds, arrivals, found, .. } = batch;
    let many = shard.tables.endpoints.len() > MANY;
    for (((_, kind), arrival), found) in frames.iter().zip(kinds).zip(arrivals).zip(found) {
        *found = if *kind == Kind::Bridge { shard.fdb.find(arrival.destination) } else { None };
        if many && let Some(entry) = found {
            shard.prefetch_endpoint(entry.endpoint());
            shard.prefetch_endpoint(arrival.from());
        }
    }
}
