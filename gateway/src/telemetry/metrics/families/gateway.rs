//! Families of what there is one of, of drops as a whole, and of the page itself.

use super::{Family, Group, Value, counter, gauge};
use crate::control::measures::{DropMeasure, GatewayMeasure, LeftOut};

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
        gauge(
            "neighbours",
            "Addresses in VNIs whose MAC is known from the configuration or a controller (neigh_suppress).",
            |gateway| Some(gateway.neighbours as f64),
        ),
        gauge("neighbours_answered", "Those of VNIs in which the gateway answers requests for them.", |gateway| {
            Some(gateway.neighbours_answered as f64)
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

/// What the page leaves out.
pub static LEFT_OUT: Group<LeftOut> = Group {
    title: "This page",
    labels: &["kind"],
    values: |left_out| vec![left_out.kind.into()],
    families: &[gauge(
        "metrics_left_out",
        "Ports, VLANs of ports, VNIs, VTEPs and rules that have no series of their own here because of metrics.limit.",
        |left_out| Some(left_out.count as f64),
    )],
};
