//! From two moments to rates.

use gateway::control::top::{LoadView, TopView, TrafficView};
use serde::Serialize;

/// What passed in a second, between two moments.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Rates {
    /// Seconds between them.
    pub seconds: f64,
    /// Ports, in the order of the configuration.
    pub ports: Vec<Traffic>,
    /// Segments, the busiest first.
    pub vnis: Vec<Traffic>,
    /// VTEPs, the busiest first.
    pub vteps: Vec<Traffic>,
    /// Drops a second by reason, the most frequent first.
    pub drops: Vec<Drops>,
    /// Worker cores.
    pub workers: Vec<Load>,
    /// How many ports, VNIs and VTEPs are not listed.
    pub left_out: u64,
}

/// Of a port, a segment or a VTEP, a second.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Traffic {
    pub name: String,
    pub rx_frames: f64,
    pub rx_bits: f64,
    pub tx_frames: f64,
    pub tx_bits: f64,
    pub dropped: f64,
    pub macs: u64,
    pub up: Option<bool>,
}

/// Of a reason, a second.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Drops {
    pub reason: String,
    pub frames: f64,
    /// Since the gateway started.
    pub total: u64,
}

/// Of a core.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Load {
    pub core: u16,
    /// Share of its cycles that went into turns with work, 0 to 1; of its turns where nobody measures cycles.
    pub load: f64,
    /// Frames a second.
    pub rx_frames: f64,
    pub tx_frames: f64,
    /// Frames a burst.
    pub burst: f64,
    /// Cycles a frame, of the bursts that were timed; `None` when none was.
    pub cycles_per_frame: Option<f64>,
}

impl Rates {
    /// What passed between two moments. What is new counts from zero, what was cleared as nothing.
    pub fn between(before: &TopView, after: &TopView) -> Self {
        let seconds = after.at.saturating_sub(before.at).max(1) as f64 / 1e9;
        let busiest = |mut rows: Vec<Traffic>| {
            rows.sort_by(|a, b| (b.rx_bits + b.tx_bits).total_cmp(&(a.rx_bits + a.tx_bits)));
            rows
        };
        let mut drops: Vec<Drops> = (after.drops.iter())
            .map(|drop| {
                let old = before.drops.iter().find(|old| old.reason == drop.reason).map_or(0, |old| old.frames);
                let frames = drop.frames.saturating_sub(old) as f64 / seconds;
                Drops { reason: drop.reason.clone(), frames, total: drop.frames }
            })
            .collect();
        drops.sort_by(|a, b| b.frames.total_cmp(&a.frames).then(b.total.cmp(&a.total)));
        Self {
            seconds,
            ports: traffic(&before.ports, &after.ports, seconds),
            vnis: busiest(traffic(&before.vnis, &after.vnis, seconds)),
            vteps: busiest(traffic(&before.vteps, &after.vteps, seconds)),
            drops,
            workers: after
                .workers
                .iter()
                .map(|worker| {
                    let old = before.workers.iter().find(|old| old.core == worker.core).cloned().unwrap_or_default();
                    load(&old, worker, seconds)
                })
                .collect(),
            left_out: after.left_out,
        }
    }
}

fn traffic(before: &[TrafficView], after: &[TrafficView], seconds: f64) -> Vec<Traffic> {
    let old: std::collections::HashMap<&str, &TrafficView> =
        before.iter().map(|row| (row.name.as_str(), row)).collect();
    let nothing = TrafficView::default();
    let row = |row: &TrafficView| {
        let old = old.get(row.name.as_str()).copied().unwrap_or(&nothing);
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        Traffic {
            name: row.name.clone(),
            rx_frames: rate(row.rx.frames, old.rx.frames),
            rx_bits: 8.0 * rate(row.rx.bytes, old.rx.bytes),
            tx_frames: rate(row.tx.frames, old.tx.frames),
            tx_bits: 8.0 * rate(row.tx.bytes, old.tx.bytes),
            dropped: rate(row.dropped, old.dropped),
            macs: row.macs,
            up: row.up,
        }
    };
    after.iter().map(row).collect()
}

fn load(before: &LoadView, after: &LoadView, seconds: f64) -> Load {
    let more = |of: fn(&LoadView) -> u64| of(after).saturating_sub(of(before)) as f64;
    let share = |part: f64, whole: f64| if whole > 0.0 { (part / whole).min(1.0) } else { 0.0 };
    let cycles = more(|core| core.cycles);
    let frames = more(|core| core.rx);
    let sampled = more(|core| core.sampled_frames);
    Load {
        core: after.core,
        load: match cycles > 0.0 {
            true => share(more(|core| core.busy_cycles), cycles),
            false => share(more(|core| core.busy_turns), more(|core| core.turns)),
        },
        rx_frames: frames / seconds,
        tx_frames: more(|core| core.tx) / seconds,
        burst: frames / more(|core| core.bursts).max(1.0),
        cycles_per_frame: (sampled > 0.0).then(|| more(|core| core.sampled_cycles) / sampled),
    }
}

/// An example, for tests of how it is shown: two ports, a hundred VNIs.
#[cfg(test)]
pub fn rates() -> Rates {
    let row = |name: &str, frames: f64, up| Traffic {
        name: name.into(),
        rx_frames: frames,
        rx_bits: frames * 512.0,
        up,
        ..Traffic::default()
    };
    Rates {
        seconds: 1.0,
        ports: vec![row("up0", 1_500_000.0, Some(true)), row("srv1", 3.5, Some(false))],
        vnis: (0..100).map(|number| row(&format!("vni-{number}"), 100.0 - f64::from(number), None)).collect(),
        vteps: vec![row("10.0.0.12 vxlan", 0.0, Some(true))],
        drops: vec![Drops { reason: "unknown-vlan".into(), frames: 12.0, total: 34 }],
        workers: vec![Load { core: 2, load: 0.97, burst: 31.5, cycles_per_frame: Some(48.0), ..Load::default() }],
        left_out: 7,
    }
}

#[cfg(test)]
mod tests {
    use gateway::control::top::ReasonView;
    use gateway::control::view::TallyView;

    use super::*;

    fn row(name: &str, frames: u64) -> TrafficView {
        let rx = TallyView { frames, bytes: 100 * frames };
        TrafficView { name: name.into(), rx, dropped: frames / 10, ..TrafficView::default() }
    }

    #[test]
    fn rates_are_differences_by_time() {
        let reason = |frames| vec![ReasonView { reason: "runt".into(), frames }];
        let core = |n: u64| LoadView {
            core: 2,
            busy_cycles: 600 * n,
            cycles: 1000 * n,
            rx: 320 * n,
            bursts: 10 * n,
            sampled_frames: 32 * n,
            sampled_cycles: 3200 * n,
            ..LoadView::default()
        };
        let before = TopView {
            at: 1_000_000_000,
            vnis: vec![row("a", 10), row("b", 10), row("cleared", 500)],
            drops: reason(5),
            workers: vec![core(1)],
            ..TopView::default()
        };
        let after = TopView {
            at: 3_000_000_000,
            vnis: vec![row("a", 30), row("b", 110), row("cleared", 0), row("new", 40)],
            drops: reason(25),
            workers: vec![core(3)],
            ..TopView::default()
        };
        let rates = Rates::between(&before, &after);
        let vnis: Vec<_> = rates.vnis.iter().map(|vni| (vni.name.as_str(), vni.rx_frames, vni.rx_bits)).collect();
        assert_eq!(vnis, [("b", 50.0, 40000.0), ("new", 20.0, 16000.0), ("a", 10.0, 8000.0), ("cleared", 0.0, 0.0)]);
        assert_eq!(rates.vnis[0].dropped, 5.0);
        assert_eq!(rates.drops, [Drops { reason: "runt".into(), frames: 10.0, total: 25 }]);
        let worker = &rates.workers[0];
        assert_eq!((worker.load, worker.burst, worker.cycles_per_frame), (0.6, 32.0, Some(100.0)));
    }

    #[test]
    fn a_core_without_measures_shows_its_turns() {
        let core = |turns, busy_turns| LoadView { turns, busy_turns, ..LoadView::default() };
        let rates = load(&core(100, 10), &core(300, 60), 1.0);
        assert_eq!((rates.load, rates.cycles_per_frame), (0.25, None));
    }
}
