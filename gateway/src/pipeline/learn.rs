//! Source and destination keys against the FDB. Neither stage sees a packet.

use crate::batch::{Arrival, Batch, Kind};
use crate::link::Report;
use crate::shard::Shard;
use crate::tables::{EndpointId, FdbEntry, Origin};

/// Learns, moves and refreshes the sources of a batch.
#[inline(never)]
pub fn learn<F>(batch: &Batch<F>, shard: &mut Shard) {
    for arrival in batch.bridged() {
        let known = shard.fdb.find(arrival.source);
        let epoch = shard.epochs[usize::from(arrival.age_class)];
        match known {
            // Where it was, and used in this age epoch already.
            Some(entry) if entry.place() == arrival.place && entry.mark() == epoch => {}
            Some(entry) if entry.place() == arrival.place => refresh(arrival, entry, epoch, shard),
            Some(entry) if !entry.is_learned() => {}
            _ => install(arrival, known.is_some(), epoch, shard),
        }
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
    let entry = FdbEntry::at(arrival.place, Origin::Fresh).marked(epoch);
    if shard.fdb.insert(arrival.source, entry).is_ok() {
        shard.counters.learned += 1;
        shard.report(Report::Learned { key: arrival.source, entry });
    }
}

/// With more endpoints than this what is known of each does not stay in a core's nearest cache: it is asked for ahead.
const MANY: usize = 256;

/// Finds what the FDB says of each lane's destination; of group addresses it says nothing.
#[inline(never)]
pub fn lookup<F>(batch: &mut Batch<F>, shard: &Shard) {
    let Batch { frames, kinds, arrivals, found, .. } = batch;
    let many = shard.tables.endpoints.len() > MANY;
    for (((_, kind), arrival), found) in frames.iter().zip(kinds).zip(arrivals).zip(found) {
        if *kind == Kind::Bridge {
            *found = shard.fdb.find(arrival.destination);
            if many && let Some(entry) = found {
                shard.prefetch_endpoint(entry.endpoint());
                shard.prefetch_endpoint(arrival.from());
            }
        }
    }
}
