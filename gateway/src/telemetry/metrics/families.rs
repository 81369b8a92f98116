//! Every family of metrics: its name, what it means, and where its number comes from.

use crate::control::measures::{
    DropMeasure, GatewayMeasure, LeftOut, Measures, PortMeasure, VlanMeasure, VniMeasure, VtepMeasure, WorkerMeasure,
};
use crate::costs::{EVERY, SPANS, Stage};

/// What every name begins with.
const PREFIX: &str = "causeway_";

/// Families whose samples have the same labels: a sample of each for every row.
pub struct Group<T: 'static> {
    /// What rows there are.
    pub title: &'static str,
    /// The labels' names.
    pub labels: &'static [&'static str],
    /// The labels' values, in the same order.
    pub values: fn(&T) -> Vec<String>,
    /// The families.
    pub families: &'static [Family<T>],
}

/// One family.
pub struct Family<T: 'static> {
    /// Without the prefix, and without what the kind adds.
    name: &'static str,
    help: &'static str,
    /// Where the numbers come from.
    pub value: Value<T>,
}

/// The kind of a family and where its numbers come from.
pub enum Value<T> {
    /// Only grows.
    Counter(fn(&T) -> Option<u64>),
    /// Comes and goes.
    Gauge(fn(&T) -> Option<f64>),
    /// Words: 1, with more labels.
    Info(&'static [&'static str], fn(&T) -> Vec<String>),
    /// How many there were up to each bound.
    Histogram(fn(&T) -> Option<Histogram>),
}

/// A histogram.
pub struct Histogram {
    /// The bounds, and how many lie between one and the one before. All others lie above the last.
    pub classes: Vec<(f64, u64)>,
    /// Those above the last bound.
    pub above: u64,
    /// The sum of all values.
    pub sum: f64,
}

/// A family without its rows.
pub struct Outline {
    /// With the prefix, without what the kind adds.
    pub name: String,
    /// `counter`, `gauge`, `info` or `histogram`.
    pub kind: &'static str,
    /// What it means.
    pub help: &'static str,
    /// Names of its labels.
    pub labels: Vec<&'static str>,
    /// What rows there are.
    pub title: &'static str,
}

impl Outline {
    /// The unit that the name ends with, where it has one.
    pub fn unit(&self) -> Option<&'static str> {
        ["seconds", "bytes", "frames", "cycles", "hertz"]
            .into_iter()
            .find(|unit| self.name.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_')))
    }

    /// The names of its samples.
    pub fn samples(&self) -> Vec<String> {
        let suffixes: &[&str] = match self.kind {
            "counter" => &["_total"],
            "info" => &["_info"],
            "histogram" => &["_bucket", "_count", "_sum"],
            _ => &[""],
        };
        suffixes.iter().map(|suffix| format!("{}{suffix}", self.name)).collect()
    }
}

impl<T> Group<T> {
    /// A family without its rows.
    pub fn outline(&self, family: &Family<T>) -> Outline {
        let (kind, more): (_, &[&str]) = match family.value {
            Value::Counter(_) => ("counter", &[]),
            Value::Gauge(_) => ("gauge", &[]),
            Value::Info(more, _) => ("info", more),
            Value::Histogram(_) => ("histogram", &["le"]),
        };
        Outline {
            name: format!("{PREFIX}{}", family.name),
            kind,
            help: family.help,
            labels: self.labels.iter().chain(more).copied().collect(),
            title: self.title,
        }
    }
}

const fn counter<T>(name: &'static str, help: &'static str, value: fn(&T) -> Option<u64>) -> Family<T> {
    Family { name, help, value: Value::Counter(value) }
}

const fn gauge<T>(name: &'static str, help: &'static str, value: fn(&T) -> Option<f64>) -> Family<T> {
    Family { name, help, value: Value::Gauge(value) }
}

/// The gateway.
pub static GATEWAY: Group<GatewayMeasure> = Group {
    title: "The gateway",
    labels: &[],
    values: |_| Vec::new(),
    families: &[
        Family {
            name: "build",
            help: "Which program this is.",
            value: Value::Info(&["version"], |gateway| vec![gateway.version.clone()]),
        },
        gauge("start_time_seconds", "When the gateway started, in seconds since 1970.", |gateway| {
            Some(gateway.started)
        }),
        gauge("fdb_macs", "MACs known, all origins.", |gateway| Some(gateway.macs as f64)),
        gauge("fdb_size_macs", "MACs that a worker's table is made for (fdb.size).", |gateway| {
            Some(gateway.mac_room as f64)
        }),
        gauge("learned_vteps", "VTEPs that nobody listed, learned from their traffic (accept: any).", |gateway| {
            Some(gateway.learned_vteps as f64)
        }),
        gauge("buffers", "Packet buffers of all workers (memory.buffers).", |gateway| Some(gateway.buffers as f64)),
        gauge("buffers_in_use", "Packet buffers in use, those that wait in receive queues included.", |gateway| {
            gateway.buffers_in_use.map(|count| count as f64)
        }),
        gauge(
            "tsc_hertz",
            "Cycles of the CPU's time stamp counter in a second: what a cycle is in this page.",
            |gateway| gateway.hertz.map(|hertz| hertz as f64),
        ),
        counter(
            "unattributed_dropped_frames",
            "Dropped frames that are missing in those by VNI and VTEP, because too many of those had drops in a second.",
            |gateway| Some(gateway.unplaced),
        ),
    ],
};

/// Drops.
pub static DROPS: Group<DropMeasure> = Group {
    title: "Drops",
    labels: &["reason"],
    values: |drop| vec![drop.reason.label().into()],
    families: &[counter(
        "dropped_frames",
        "Frames dropped for a reason, all ports; see the list of reasons.",
        |drop| Some(drop.frames),
    )],
};

/// Ports.
pub static PORTS: Group<PortMeasure> = Group {
    title: "Ports",
    labels: &["port"],
    values: |port| vec![port.name.clone()],
    families: &[
        Family {
            name: "port",
            help: "What device a port is.",
            value: Value::Info(&["device", "mac"], |port| vec![port.device.clone(), port.mac.clone()]),
        },
        gauge("port_up", "1 when the port's link is up.", |port| port.link.map(|link| link.up.into())),
        gauge("port_speed_bits_per_second", "The link's speed, where the device knows it.", |port| {
            Some(f64::from(port.link?.speed_mbps?) * 1e6)
        }),
        gauge("port_mtu_bytes", "Largest payload of a frame.", |port| Some(port.mtu as f64)),
        gauge("port_macs", "MACs known behind the port.", |port| Some(port.macs as f64)),
        counter("port_receive_frames", "Frames received from the device.", |port| Some(port.rx.frames)),
        counter("port_receive_bytes", "Bytes received from the device, without the frame check sequence.", |port| {
            Some(port.rx.bytes)
        }),
        counter("port_transmit_frames", "Frames taken by the device.", |port| Some(port.tx.frames)),
        counter("port_transmit_bytes", "Bytes taken by the device, without the frame check sequence.", |port| {
            Some(port.tx.bytes)
        }),
        counter("port_to_host_frames", "Frames given to the port's Linux twin.", |port| Some(port.to_host.frames)),
        counter("port_to_host_bytes", "Bytes given to the port's Linux twin.", |port| Some(port.to_host.bytes)),
        counter("port_from_host_frames", "Frames sent for the port's Linux twin.", |port| Some(port.from_host.frames)),
        counter("port_from_host_bytes", "Bytes sent for the port's Linux twin.", |port| Some(port.from_host.bytes)),
        counter(
            "port_device_missed_frames",
            "Frames that the device lost because its receive queues were full: the workers are too slow.",
            |port| Some(port.device_losses?.missed),
        ),
        counter(
            "port_device_no_buffer_frames",
            "Frames that the device lost because no packet buffer was free: raise memory.buffers.",
            |port| Some(port.device_losses?.no_buffer),
        ),
        counter(
            "port_device_error_frames",
            "Frames that the device received damaged: look at the cable and the transceiver.",
            |port| Some(port.device_losses?.errors),
        ),
        counter("port_device_transmit_error_frames", "Frames that the device took and could not transmit.", |port| {
            Some(port.device_losses?.tx_errors)
        }),
    ],
};

/// Drops of ports.
pub static PORT_DROPS: Group<DropMeasure> = Group {
    title: "Drops by port",
    labels: &["port", "reason"],
    values: |drop| vec![drop.whose.clone(), drop.reason.label().into()],
    families: &[counter(
        "port_dropped_frames",
        "Frames dropped that came from the port, or could not leave through it.",
        |drop| Some(drop.frames),
    )],
};

/// VLANs of ports.
pub static VLANS: Group<VlanMeasure> = Group {
    title: "VLANs of ports",
    labels: &["port", "vlan", "vni"],
    values: |vlan| vec![vlan.port.clone(), vlan.vlan.clone(), vlan.vni.clone()],
    families: &[
        counter("vlan_receive_frames", "Frames that came in with these tags.", |vlan| Some(vlan.rx.frames)),
        counter("vlan_receive_bytes", "Bytes that came in with these tags.", |vlan| Some(vlan.rx.bytes)),
        counter("vlan_transmit_frames", "Frames that left with these tags.", |vlan| Some(vlan.tx.frames)),
        counter("vlan_transmit_bytes", "Bytes that left with these tags.", |vlan| Some(vlan.tx.bytes)),
        gauge("vlan_macs", "MACs known here.", |vlan| Some(vlan.macs as f64)),
    ],
};

/// Segments.
pub static VNIS: Group<VniMeasure> = Group {
    title: "VNIs",
    labels: &["vni"],
    values: |vni| vec![vni.name.clone()],
    families: &[
        counter("vni_receive_frames", "Frames that came in, from ports and from VTEPs.", |vni| Some(vni.rx.frames)),
        counter("vni_receive_bytes", "Bytes that came in, outer headers not counted.", |vni| Some(vni.rx.bytes)),
        counter("vni_transmit_frames", "Frames that went out, every copy of a flood counted.", |vni| {
            Some(vni.tx.frames)
        }),
        counter("vni_transmit_bytes", "Bytes that went out, outer headers not counted.", |vni| Some(vni.tx.bytes)),
        gauge("vni_macs", "MACs known, all origins.", |vni| Some(vni.macs as f64)),
        gauge("vni_learned_macs", "MACs learned from traffic.", |vni| Some(vni.learned as f64)),
        gauge("vni_learned_macs_limit", "Most MACs that may be learned (learning.limit).", |vni| {
            Some(vni.limit as f64)
        }),
    ],
};

/// Drops of segments.
pub static VNI_DROPS: Group<DropMeasure> = Group {
    title: "Drops by VNI",
    labels: &["vni", "reason"],
    values: |drop| vec![drop.whose.clone(), drop.reason.label().into()],
    families: &[counter(
        "vni_dropped_frames",
        "Frames dropped whose VNI was known by then. Reasons that did not occur are left out.",
        |drop| Some(drop.frames),
    )],
};

/// Remote tunnel ends.
pub static VTEPS: Group<VtepMeasure> = Group {
    title: "VTEPs",
    labels: &["vtep", "encap"],
    values: |vtep| vec![vtep.vtep.clone(), vtep.encap.clone()],
    families: &[
        gauge("vtep_up", "1 when the VTEP has a next hop whose MAC is known.", |vtep| Some(vtep.up.into())),
        counter("vtep_receive_frames", "Frames that came from the VTEP.", |vtep| Some(vtep.rx.frames)),
        counter("vtep_receive_bytes", "Bytes that came from the VTEP, outer headers not counted.", |vtep| {
            Some(vtep.rx.bytes)
        }),
        counter("vtep_transmit_frames", "Frames that went to the VTEP.", |vtep| Some(vtep.tx.frames)),
        counter("vtep_transmit_bytes", "Bytes that went to the VTEP, outer headers not counted.", |vtep| {
            Some(vtep.tx.bytes)
        }),
        gauge("vtep_macs", "MACs known behind the VTEP.", |vtep| Some(vtep.macs as f64)),
    ],
};

/// Drops of VTEPs.
pub static VTEP_DROPS: Group<DropMeasure> = Group {
    title: "Drops by VTEP",
    labels: &["vtep", "reason"],
    values: |drop| vec![drop.whose.clone(), drop.reason.label().into()],
    families: &[counter(
        "vtep_dropped_frames",
        "Frames dropped that came from the VTEP or were on the way to it. Reasons that did not occur are left out.",
        |drop| Some(drop.frames),
    )],
};

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

/// What the page leaves out.
pub static LEFT_OUT: Group<LeftOut> = Group {
    title: "This page",
    labels: &["kind"],
    values: |left_out| vec![left_out.kind.into()],
    families: &[gauge(
        "metrics_left_out",
        "Ports, VLANs of ports, VNIs and VTEPs that have no series of their own here because of metrics.limit.",
        |left_out| Some(left_out.count as f64),
    )],
};

/// Who looks at every group with its rows.
pub trait Visitor {
    /// Looks at a group.
    fn visit<T>(&mut self, group: &'static Group<T>, rows: &[T]);
}

/// Shows every group with its rows.
pub fn visit(measures: &Measures, visitor: &mut impl Visitor) {
    let hertz = measures.gateway.hertz;
    let workers: Vec<_> = measures.workers.iter().map(|worker| (worker.clone(), hertz)).collect();
    let stages = measures.workers.iter().flat_map(|worker| {
        Stage::ALL.into_iter().map(|stage| (worker.core, stage, worker.costs.stages[stage as usize]))
    });
    visitor.visit(&GATEWAY, std::slice::from_ref(&measures.gateway));
    visitor.visit(&DROPS, &measures.drops);
    visitor.visit(&PORTS, &measures.ports);
    visitor.visit(&PORT_DROPS, &measures.port_drops);
    visitor.visit(&VLANS, &measures.vlans);
    visitor.visit(&VNIS, &measures.vnis);
    visitor.visit(&VNI_DROPS, &measures.vni_drops);
    visitor.visit(&VTEPS, &measures.vteps);
    visitor.visit(&VTEP_DROPS, &measures.vtep_drops);
    visitor.visit(&WORKERS, &workers);
    visitor.visit(&STAGES, &stages.collect::<Vec<_>>());
    visitor.visit(&LEFT_OUT, &measures.left_out);
}

/// Shows every family without rows.
pub fn each(take: impl FnMut(Outline)) {
    struct Each<F>(F);
    impl<F: FnMut(Outline)> Visitor for Each<F> {
        fn visit<T>(&mut self, group: &'static Group<T>, _: &[T]) {
            group.families.iter().for_each(|family| (self.0)(group.outline(family)));
        }
    }
    visit(&Measures::default(), &mut Each(take));
}

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
