//! What `causeway top` asks for once a second: the counters that rates are made of, from one moment.

use serde::{Deserialize, Serialize};

use super::view::TallyView;
use super::{Control, Nanos};
use crate::costs::EVERY;

/// Counters of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopView {
    /// When, in nanoseconds since the gateway started.
    pub at: Nanos,
    /// Ports, in the order of the configuration.
    pub ports: Vec<TrafficView>,
    /// Segments, in the order of the configuration.
    pub vnis: Vec<TrafficView>,
    /// VTEPs.
    pub vteps: Vec<TrafficView>,
    /// Reasons that occurred.
    pub drops: Vec<ReasonView>,
    /// Worker cores.
    pub workers: Vec<LoadView>,
    /// How many ports, VNIs and VTEPs are not listed, because there are more than were asked for.
    pub left_out: u64,
}

/// Traffic of a port, a segment or a VTEP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficView {
    /// Its name; a VTEP's address with its encapsulation.
    pub name: String,
    /// In.
    pub rx: TallyView,
    /// Out.
    pub tx: TallyView,
    /// Dropped frames, as far as they are known to be its own.
    pub dropped: u64,
    /// MACs known there.
    pub macs: u64,
    /// Its link is up, or it is reachable; `None` where that means nothing or nobody knows.
    pub up: Option<bool>,
}

/// Dropped frames.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonView {
    /// The reason's label.
    pub reason: String,
    /// Frames.
    pub frames: u64,
}

/// A core.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadView {
    /// The kernel's CPU number.
    pub core: u16,
    /// Cycles that went into turns with work, from a sample.
    pub busy_cycles: u64,
    /// All cycles since the worker began; 0 where nobody measures.
    pub cycles: u64,
    /// Turns of the loop.
    pub turns: u64,
    /// Those that found work.
    pub busy_turns: u64,
    /// Frames received.
    pub rx: u64,
    /// Frames transmitted.
    pub tx: u64,
    /// Bursts with frames.
    pub bursts: u64,
    /// Frames of the bursts that were timed.
    pub sampled_frames: u64,
    /// Cycles of those bursts.
    pub sampled_cycles: u64,
}

impl Control {
    /// The counters when cores counted last: of each kind the first `limit`.
    pub fn view_top(&self, limit: usize, now: Nanos) -> TopView {
        let measures = self.measure(limit);
        let sum = |drops: &[super::measures::DropMeasure], whose: &str| {
            drops.iter().filter(|drop| drop.whose == whose).map(|drop| drop.frames).sum()
        };
        let ports = measures.ports.iter().map(|port| TrafficView {
            name: port.name.clone(),
            rx: port.rx,
            tx: port.tx,
            dropped: sum(&measures.port_drops, &port.name),
            macs: port.macs,
            up: port.link.map(|link| link.up),
        });
        let mut vni_drops = std::collections::HashMap::<&str, u64>::new();
        measures.vni_drops.iter().for_each(|drop| *vni_drops.entry(&drop.whose).or_default() += drop.frames);
        let vnis = measures.vnis.iter().map(|vni| TrafficView {
            name: vni.name.clone(),
            rx: vni.rx,
            tx: vni.tx,
            dropped: vni_drops.get(vni.name.as_str()).copied().unwrap_or(0),
            macs: vni.macs,
            up: None,
        });
        let vteps = measures.vteps.iter().map(|vtep| TrafficView {
            name: format!("{} {}", vtep.vtep, vtep.encap),
            rx: vtep.rx,
            tx: vtep.tx,
            dropped: sum(&measures.vtep_drops, &vtep.vtep),
            macs: vtep.macs,
            up: Some(vtep.up),
        });
        let drops = measures.drops.iter().filter(|drop| drop.frames > 0);
        let workers = measures.workers.iter().map(|worker| LoadView {
            core: worker.core,
            busy_cycles: worker.costs.busy_cycles * u64::from(EVERY),
            cycles: worker.costs.total_cycles,
            turns: worker.turns,
            busy_turns: worker.busy_turns,
            rx: worker.rx,
            tx: worker.tx,
            bursts: worker.bursts.iter().skip(1).sum(),
            sampled_frames: worker.costs.frames,
            sampled_cycles: worker.costs.burst_cycles,
        });
        TopView {
            at: now,
            ports: ports.collect(),
            vnis: vnis.collect(),
            vteps: vteps.collect(),
            drops: drops.map(|drop| ReasonView { reason: drop.reason.label().into(), frames: drop.frames }).collect(),
            workers: workers.collect(),
            left_out: measures.left_out.iter().filter(|one| one.kind != "vlan").map(|one| one.count).sum(),
        }
    }
}
