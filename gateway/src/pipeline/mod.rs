//! The path of a frame: four calls in the order in which they happen.

pub mod classify;
mod dress;
mod flood;
mod forward;
mod learn;
mod lost;
mod outbox;
mod outer;
mod peers;
mod quick;
mod rules;
mod run;
mod suppress;
mod tagging;
mod termination;
mod too_big;
mod watched;
mod worn;

pub use classify::classify;

pub use flood::resume;
pub use forward::forward;
pub use learn::{learn, lookup};
pub use lost::whose;
pub use outbox::{Outbox, Queue};

use crate::batch::Batch;
use crate::costs::{Meter, Stage};
use crate::frame::Pool;
use crate::shard::Shard;

/// Takes every frame of `batch` to its fate: into `out`, or dropped and counted.
pub fn process<P: Pool>(batch: &mut Batch<P::Frame>, shard: &mut Shard, pool: &mut P, out: &mut Outbox<P::Frame>) {
    if shard.is_watched() {
        return watched::process(batch, shard, pool, out);
    }
    run(batch, shard, pool, out);
}

/// The same, stage by stage with a stop watch.
#[cold]
#[inline(never)]
pub fn process_timed<P: Pool>(
    batch: &mut Batch<P::Frame>,
    shard: &mut Shard,
    pool: &mut P,
    out: &mut Outbox<P::Frame>,
    meter: &mut Meter,
) {
    classify(batch, shard);
    meter.lap(Stage::Classify);
    learn(batch, shard);
    meter.lap(Stage::Learn);
    lookup(batch, shard);
    meter.lap(Stage::Lookup);
    forward(batch, shard, pool, out);
    meter.lap(Stage::Forward);
}

/// The four stages.
#[inline(always)]
fn run<P: Pool>(batch: &mut Batch<P::Frame>, shard: &mut Shard, pool: &mut P, out: &mut Outbox<P::Frame>) {
    classify(batch, shard);
    learn(batch, shard);
    lookup(batch, shard);
    forward(batch, shard, pool, out);
}
