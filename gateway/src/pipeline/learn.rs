//! Source and destination keys against the FDB. Neither stage sees a packet.

use crate::batch::{Aim, Arrival, Batch, Kind};
use crate::link::Report;
use crate::shard::Shard;
use crate::tables::{EndpointId, FdbEntry, Origin};

/// Learns, moves and refreshes the sources of a batch.
#[inline(never)]
pub fn learn<F>(batch: &Batch<F>, shard: &mut Shard) {
    for arrival in batch.bridged() {
        source(arrival, shard);
    }
}

#[inline]
fn source(arrival: &Arrival, shard: &mut Shard) {
    let seen = FdbEntry::new(arrival.from, arrival.generation, Origin::Fresh);
    match shard.fdb.find(arrival.source) {
        Some(entry) if entry.place() == seen.place() => refresh(arrival, entry, shard),
        Some(entry) if entry.is_learned() => install(arrival, seen, true, shard),
        Some(_) => {}
        None => install(arrival, seen, false, shard),
    }
}

/// Marks a known source as used in this age epoch, and says so once an epoch.
#[inline]
fn refresh(arrival: &Arrival, entry: FdbEntry, shard: &mut Shard) {
    let Some(segment) = shard.segment(arrival.segment()) else { return };
    let epoch = shard.epochs.get(usize::from(segment.age_class)).copied().unwrap_or(0);
    if entry.mark() != epoch && entry.is_learned() && shard.report(Report::Seen(arrival.source)) {
        shard.fdb.set(arrival.source, entry.marked(epoch));
    }
}

/// Installs a new or moved source as fresh, if learning is on, and reports it. What cannot be reported is not installed:
/// the next frame tries again.
#[cold]
fn install(arrival: &Arrival, seen: FdbEntry, known: bool, shard: &mut Shard) {
    let Some(segment) = shard.segment(arrival.segment()) else { return };
    let epoch = shard.epochs.get(usize::from(segment.age_class)).copied().unwrap_or(0);
    let open = shard.endpoint(arrival.from).is_some_and(|endpoint| endpoint.learns);
    if arrival.from == EndpointId::NONE || !open || !(segment.learns || known) || shard.reports.is_full() {
        return;
    }
    let entry = seen.marked(epoch);
    if shard.fdb.insert(arrival.source, entry).is_ok() {
        shard.counters.learned += 1;
        shard.report(Report::Learned { key: arrival.source, entry });
    }
}

/// Finds where each lane goes.
#[inline(never)]
pub fn lookup<F>(batch: &mut Batch<F>, shard: &Shard) {
    let Batch { frames, kinds, arrivals, aims, .. } = batch;
    for (((_, kind), arrival), aim) in frames.iter().zip(kinds).zip(arrivals).zip(aims) {
        if *kind == Kind::Bridge {
            *aim = self::aim(arrival, shard);
        }
    }
}

/// Where an arrival goes.
#[inline(always)]
fn aim(arrival: &Arrival, shard: &Shard) -> Aim {
    if arrival.to_group() {
        return Aim::Group;
    }
    shard.find(arrival.destination).map_or(Aim::Unknown, |entry| Aim::Endpoint(entry.endpoint()))
}
