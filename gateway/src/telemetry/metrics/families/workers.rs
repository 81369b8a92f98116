//! Families of workers.

use super::{Family, Group, Histogram, Value, counter, gauge};
use crate::control::measures::WorkerMeasure;
use crate::costs::{EVERY, SPANS, Stage};

/// Cores.
pub static WORKERS: Group<(WorkerMeasure, Option<u64>)> = Group {
    title: "Workers",
    labels: &["core"],
    values: |(worker, _)| vec![worker.core.to_string()],
    families: &[
        counter("worker_turns", "Turns of the worker's loop: each polls every queue once.", |(worker, _)| {
            Some(worker.turns)
        }),
        counter("worker_busy_turns", "Turns that found work.", |(worker, _)| Some(worker.busy_turns)),
        counter("worker_cycles", "Cycles since the worker began, sleep included.", |(worker, _)| {
            Some(worker.costs.total_cycles)
        }),
        counter(
            "worker_busy_cycles",
            "Cycles spent on turns that found work, from a sample of one turn in 1021.",
            |(worker, _)| Some(worker.costs.busy_cycles * u64::from(EVERY)),
        ),
        counter("worker_receive_frames", "Frames received from devices.", |(worker, _)| Some(worker.rx)),
        counter("worker_transmit_frames", "Frames taken by devices.", |(worker, _)| Some(worker.tx)),
        Family {
            name: "worker_burst_frames",
            help: "Frames of a burst taken from a receive queue; empty polls are not counted.",
            value: Value::Histogram(|(worker, _)| Some(bursts(worker))),
        },
        Family {
            name: "worker_burst_seconds",
            help: "How long a burst took from the device to the device, from a sample of one turn in 1021. What a frame \
                   waited in the device's queues before is not in it.",
            value: Value::Histogram(|(worker, hertz)| spans(worker, (*hertz)?)),
        },
        counter("worker_sampled_frames", "Frames of the bursts that were timed.", |(worker, _)| {
            Some(worker.costs.frames)
        }),
        counter("worker_sampled_turns", "Turns that were timed.", |(worker, _)| Some(worker.costs.turns)),
        counter(
            "worker_interrupted_turns",
            "Timed turns that took more than a millisecond and are left out: something else ran on the core.",
            |(worker, _)| Some(worker.costs.interrupted),
        ),
        counter("worker_replicated_frames", "Copies made for floods, the original not counted.", |(worker, _)| {
            Some(worker.replicated)
        }),
        counter(
            "worker_handed_over_frames",
            "Frames handed to the worker that has the transmit queue.",
            |(worker, _)| Some(worker.handed_over),
        ),
        counter("worker_taken_over_frames", "Frames taken from other workers.", |(worker, _)| Some(worker.taken_over)),
        counter("worker_learned_macs", "MACs learned and moved.", |(worker, _)| Some(worker.learned)),
        counter(
            "worker_unreported_macs",
            "Reports on MACs that found their ring full; the next frame tries again.",
            |(worker, _)| Some(worker.unreported),
        ),
        gauge("worker_backlog", "Updates that wait for room in the ring to the worker.", |(worker, _)| {
            Some(worker.backlog as f64)
        }),
    ],
};

/// A worker and a stage.
pub static STAGES: Group<(u16, Stage, u64)> = Group {
    title: "Stages of the pipeline",
    labels: &["core", "stage"],
    values: |(core, stage, _)| vec![core.to_string(), stage.label().into()],
    families: &[counter(
        "worker_stage_cycles",
        "Cycles of the bursts that were timed; divided by causeway_worker_sampled_frames_total, cycles a frame.",
        |(_, _, cycles)| Some(*cycles),
    )],
};

/// Sizes of bursts, in powers of two.
fn bursts(worker: &WorkerMeasure) -> Histogram {
    let sizes = || (0u64..).zip(&worker.bursts).skip(1);
    let between = |low: u64, high: u64| sizes().filter(|&(size, _)| low < size && size <= high).map(|(_, n)| n).sum();
    let classes = (0..7).map(|power| (f64::from(1 << power), between((1 << power) / 2, 1 << power))).collect();
    Histogram { classes, above: 0, sum: sizes().map(|(size, &count)| size * count).sum::<u64>() as f64 }
}

fn spans(worker: &WorkerMeasure, hertz: u64) -> Option<Histogram> {
    let costs = &worker.costs;
    let classes = SPANS.iter().zip(costs.spans).map(|(&nanos, count)| (nanos as f64 / 1e9, count)).collect();
    (hertz != 0).then(|| Histogram { classes, above: 0, sum: costs.burst_cycles as f64 / hertz as f64 })
}
