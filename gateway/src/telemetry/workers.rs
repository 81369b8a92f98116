//! `show workers` as tables: what each core did, what a frame costs on it, and which queues it has.

use super::render::wrap;
use super::table::{Side::*, Table, short};
use crate::control::view::{QueueView, WorkerView};

/// `show workers`.
pub fn workers(workers: &[WorkerView]) -> String {
    format!("{}{}{}", work(workers), costs(workers), queues(workers))
}

fn work(workers: &[WorkerView]) -> Table {
    let mut table = Table::new(&[
        ("CORE", Right),
        ("LOAD", Right),
        ("RX", Right),
        ("TX", Right),
        ("DROPPED", Right),
        ("BURST", Right),
        ("P50", Right),
        ("P99", Right),
        ("COPIES", Right),
        ("HANDED", Right),
        ("TAKEN", Right),
        ("LEARNED", Right),
        ("BACKLOG", Right),
    ]);
    for worker in workers {
        table.row([
            worker.core.to_string(),
            format!("{:.0}%", worker.load.unwrap_or(worker.busy) * 100.0),
            short(worker.rx.frames),
            short(worker.tx.frames),
            short(worker.dropped),
            format!("{:.1}", worker.burst_mean),
            worker.burst_p50.to_string(),
            worker.burst_p99.to_string(),
            short(worker.replicated),
            short(worker.handed_over),
            short(worker.taken_over),
            short(worker.learned),
            short(worker.backlog),
        ]);
    }
    table
}

/// Cycles a frame; nothing until a burst was timed.
fn costs(workers: &[WorkerView]) -> String {
    let mut table = Table::new(&[
        ("CORE", Right),
        ("BUSY CYCLES", Right),
        ("IDLE CYCLES", Right),
        ("RX", Right),
        ("CLASSIFY", Right),
        ("LEARN", Right),
        ("LOOKUP", Right),
        ("FORWARD", Right),
        ("TX", Right),
        ("ALL", Right),
        ("FRAMES", Right),
    ]);
    let mut interrupted = String::new();
    for worker in workers {
        let stage = |name: &str| worker.stages.iter().find(|stage| stage.stage == name);
        let cost = |name: &str| stage(name).map_or("-".into(), |stage| format!("{:.0}", stage.cycles_per_frame));
        let all: f64 = worker.stages.iter().map(|stage| stage.cycles_per_frame).sum();
        table.row([
            worker.core.to_string(),
            short(worker.busy_cycles),
            short(worker.idle_cycles),
            cost("rx"),
            cost("classify"),
            cost("learn"),
            cost("lookup"),
            cost("forward"),
            cost("tx"),
            if worker.stages.is_empty() { "-".into() } else { format!("{all:.0}") },
            short(worker.sampled_frames),
        ]);
        if worker.interrupted > 0 {
            let text = format!(
                "core {}: {} of the timed turns took more than a millisecond: something else runs on this core; \
                 isolate it (isolcpus, nohz_full)",
                worker.core, worker.interrupted
            );
            interrupted.push('\n');
            wrap(&text, "", &mut interrupted);
        }
    }
    if workers.iter().all(|worker| worker.busy_cycles + worker.idle_cycles == 0) {
        return String::new();
    }
    format!("\nCycles a frame by stage, from one turn in 1021 that is timed:\n{table}{interrupted}")
}

/// Which queues a core polls, and which it sends on.
fn queues(workers: &[WorkerView]) -> String {
    if workers.iter().all(|worker| worker.rx_queues.is_empty() && worker.tx_queues.is_empty()) {
        return String::new();
    }
    let list = |queues: &[QueueView]| {
        let queues: Vec<_> = queues.iter().map(|queue| format!("{}:{}", queue.port, queue.queue)).collect();
        if queues.is_empty() { "none".into() } else { queues.join(" ") }
    };
    let mut text = String::from("\nQueues (port:number):\n");
    for worker in workers {
        let (rx, tx) = (list(&worker.rx_queues), list(&worker.tx_queues));
        wrap(&format!("core {} receives from {rx}; transmits on {tx}", worker.core), "  ", &mut text);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::view::{StageView, TallyView};

    fn worker() -> WorkerView {
        let stage = |name: &str, cycles| StageView { stage: name.into(), cycles_per_frame: cycles, cycles: 0 };
        let tally = TallyView { frames: 5000, bytes: 320_000 };
        WorkerView {
            core: 2,
            turns: 1_000_000,
            busy: 0.5,
            rx: tally,
            tx: tally,
            bursts: 200,
            burst_mean: 25.0,
            burst_p50: 32,
            burst_p99: 32,
            replicated: 0,
            handed_over: 0,
            taken_over: 0,
            learned: 3,
            unreported: 0,
            dropped: 0,
            load: Some(0.75),
            busy_cycles: 3_000_000_000,
            idle_cycles: 1_000_000_000,
            stages: [("rx", 9.7), ("classify", 8.0), ("learn", 5.0), ("lookup", 5.0), ("forward", 12.0), ("tx", 10.0)]
                .map(|(name, cycles)| stage(name, cycles))
                .into(),
            sampled_frames: 4096,
            interrupted: 0,
            rx_queues: vec![QueueView { port: "up0".into(), queue: 1 }, QueueView { port: "srv1".into(), queue: 0 }],
            tx_queues: vec![QueueView { port: "up0".into(), queue: 1 }],
            backlog: 0,
        }
    }

    #[test]
    fn a_worker_says_what_a_frame_costs_and_which_queues_it_has() {
        let expected = "\
CORE  LOAD    RX    TX  DROPPED  BURST  P50  P99  COPIES  HANDED  TAKEN  LEARNED  BACKLOG
   2   75%  5000  5000        0   25.0   32   32       0       0      0        3        0

Cycles a frame by stage, from one turn in 1021 that is timed:
CORE  BUSY CYCLES  IDLE CYCLES  RX  CLASSIFY  LEARN  LOOKUP  FORWARD  TX  ALL  FRAMES
   2        3.00G        1.00G  10         8      5       5       12  10   50    4096

Queues (port:number):
  core 2 receives from up0:1 srv1:0; transmits on up0:1
";
        assert_eq!(workers(&[worker()]), expected);
    }

    #[test]
    fn tables_of_big_numbers_fit_and_an_interrupted_core_is_named() {
        let big = WorkerView {
            busy_cycles: u64::MAX / 2,
            idle_cycles: u64::MAX / 2,
            interrupted: 3,
            rx_queues: (0..40).map(|queue| QueueView { port: "a-port".into(), queue }).collect(),
            ..worker()
        };
        let text = workers(&[big]);
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        assert!(text.contains("core 2: 3 of the timed turns took more than a millisecond"), "{text}");
        assert!(text.contains("isolcpus"), "{text}");
    }
}
