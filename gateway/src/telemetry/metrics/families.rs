//! Every family of metrics: its name, what it means, and where its number comes from.

mod control;
mod gateway;
mod network;
mod workers;

use self::control::{CONTROLLERS, NEXT_HOPS, RULES};
use self::gateway::{DROPS, GATEWAY, LEFT_OUT};
use self::network::{PORT_DROPS, PORTS, VLANS, VNI_DROPS, VNIS, VTEP_DROPS, VTEPS};
use self::workers::{STAGES, WORKERS};
use crate::control::measures::Measures;
use crate::costs::Stage;

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
    visitor.visit(&RULES, &measures.rules);
    visitor.visit(&NEXT_HOPS, &measures.next_hops);
    visitor.visit(&CONTROLLERS, &measures.controllers);
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
