//! Families of what stands beside the frames: access lists, neighbours of the underlay, controllers.

use super::{Family, Group, Value, counter, gauge};
use crate::control::measures::{HopMeasure, RuleMeasure};
use crate::control::view::ControllerView;

/// Rules of access lists.
pub static RULES: Group<RuleMeasure> = Group {
    title: "Access lists",
    labels: &["list", "rule", "action"],
    values: |rule| vec![rule.list.clone(), rule.number.to_string(), rule.action().into()],
    families: &[counter(
        "access_list_frames",
        "Frames that the rule decided on. A rule that changes starts at 0.",
        |rule| Some(rule.hits),
    )],
};

/// Neighbours in the underlay.
pub static NEXT_HOPS: Group<HopMeasure> = Group {
    title: "Neighbours in the underlay",
    labels: &["state"],
    values: |hop| vec![hop.state.into()],
    families: &[gauge(
        "next_hops",
        "Neighbours that VTEPs are behind: their MAC is resolved, asked for (resolving), or written down (static).",
        |hop| Some(hop.count as f64),
    )],
};

/// Controllers.
pub static CONTROLLERS: Group<ControllerView> = Group {
    title: "Controllers",
    labels: &["controller"],
    values: |controller| vec![controller.name.clone()],
    families: &[
        Family {
            name: "controller",
            help: "Where a controller is.",
            value: Value::Info(&["target"], |controller| vec![controller.target.clone()]),
        },
        gauge("controller_up", "1 when it is connected; with EVPN, when other VTEPs take part.", |controller| {
            Some(f64::from(u8::from(controller.state == "connected")))
        }),
        gauge(
            "controller_stale",
            "1 when it is away, or has not said everything again, and what it said before is in force.",
            |controller| Some(f64::from(u8::from(controller.stale))),
        ),
        gauge("controller_vnis", "VNIs of it that are in force.", |controller| {
            Some(controller.applied.segments as f64)
        }),
        gauge("controller_bindings", "Tags of ports that it bound to a VNI.", |controller| {
            Some(controller.applied.bindings as f64)
        }),
        gauge("controller_vteps", "Other VTEPs that it named.", |controller| Some(controller.applied.vteps as f64)),
        gauge("controller_macs", "MACs that it put behind other VTEPs.", |controller| {
            Some(controller.applied.macs as f64)
        }),
        gauge("controller_neighbours", "Addresses whose MAC it told.", |controller| {
            Some(controller.applied.neighbours as f64)
        }),
        gauge("controller_rejected_rows", "What it says and is not done; 'causeway show controllers' says why.", {
            |controller| Some(controller.rejected_rows as f64)
        }),
        gauge("controller_published_macs", "MACs on our ports that it was told.", |controller| {
            Some(controller.published.macs as f64)
        }),
        counter("controller_transactions", "Changes of ours that it took.", |controller| {
            Some(controller.published.transactions)
        }),
        counter("controller_refused_transactions", "Changes of ours that it refused; each is tried again.", {
            |controller| Some(controller.published.refused)
        }),
    ],
};
