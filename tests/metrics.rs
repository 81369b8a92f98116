//! Metrics: the page is what OpenMetrics asks for and says what the gateway counted; its reference and the dashboard are
//! those of the code.

#[path = "metrics/openmetrics.rs"]
mod openmetrics;
mod support;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use gateway::control::measures::{DeviceLosses, Measures};
use gateway::control::view::{AppliedView, ControllerView, LinkView, PublishedView};
use gateway::costs::Meter;
use gateway::telemetry::metrics::{self, Format, page};
use openmetrics::{Family, Labels};
use support::build::{ALL, Ip, ethernet, mac, tenant, vlan};
use support::site::{Setup, Site};
use support::world::World;

const PLAIN: World = World { geneve: false, v6: false, vlan: None };
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A counter that each reading advances by 100 cycles, of which there are 10^9 a second. Each test, on its thread, has its own.
fn clock() -> u64 {
    thread_local! { static CYCLES: Cell<u64> = const { Cell::new(0) } }
    CYCLES.replace(CYCLES.get() + 100)
}

/// A gateway of two cores that has bridged, flooded, answered and dropped, and has something to say in every family.
fn busy() -> Site {
    let yaml = PLAIN.yaml(
        &["{vlan: 10, vni: 10010, access_list: a}", "{vlan: 20, vni: 10010}"],
        &[(10010, &[1, 2], "neigh_suppress: true, neighbours: [{ip: 192.0.2.5, mac: \"02:00:00:00:00:05\"}]")],
    );
    let rules = "{action: permit, protocol: 1}, {action: deny, ethertype: 0x88b5}";
    let yaml = yaml.replace("mtu: 9216", "mtu: 1400");
    let yaml = format!("{yaml}access_lists:\n  - {{name: a, rules: [{rules}]}}\n");
    let mut site = Site::with(&yaml, &Setup { workers: 2, ..Setup::default() });
    site.cores = std::mem::take(&mut site.cores)
        .into_iter()
        .map(|core| core.with_meter(Meter::new(clock, 1_000_000_000)))
        .collect();
    let ann = tenant(ALL, mac(1), (1, 2), 10);
    for _ in 0..2100 {
        site.receive("srv1", &vlan(&ann, 10));
        site.turn(0);
    }
    for at in [0, 1] {
        site.receive_at(at, "srv1", &vlan(&ann, 99));
        site.receive_at(at, "srv1", &vlan(&asks(), 10));
        site.receive_at(at, "srv1", &vlan(&ethernet(mac(7), mac(1), 0x88b5, b"none of ours"), 10));
        site.receive_at(at, "up0", &PLAIN.arriving(1, 10010, &tenant(mac(1), mac(7), (3, 4), 10)));
        // From the overlay to the overlay: its VNI and VTEP are known when it is dropped.
        site.receive_at(at, "up0", &PLAIN.arriving(1, 10010, &tenant(mac(7), mac(8), (3, 4), 10)));
    }
    site.run();
    for at in [0, 1] {
        site.receive_at(at, "srv1", &vlan(&large(), 10));
    }
    site.receive("srv1", &vlan(&asks(), 10));
    site.run();
    site.wait(2_000_000_000);
    site
}

/// Who has 192.0.2.5?
fn asks() -> Vec<u8> {
    let question = [0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 5];
    ethernet(ALL, mac(1), 0x0806, &question)
}

/// More than the underlay takes, and not to be cut, to a MAC behind a VTEP.
fn large() -> Vec<u8> {
    let ip = Ip::new("192.0.2.1", "192.0.2.2");
    ethernet(mac(7), mac(1), 0x0800, &ip.udp((1, 2), &[7; 1400], false))
}

fn measures(site: &mut Site, limit: usize) -> Measures {
    site.control.handle(gateway::control::Event::Count, site.now);
    site.run();
    let mut measures = site.control.measure(limit);
    measures.gateway.version = "1.0 \"x\" \\ \n".into();
    measures.gateway.started = 1.5e9;
    measures.gateway.hertz = Some(1_000_000_000);
    measures.gateway.buffers_in_use = Some(5);
    measures.controllers = vec![ControllerView {
        name: "ovsdb".into(),
        target: "unix:/run/openvswitch/db.sock".into(),
        state: "connected".into(),
        applied: AppliedView { segments: 1, bindings: 2, macs: 3, vteps: 4, neighbours: 5 },
        published: PublishedView { macs: 6, transactions: 7, refused: 8, ..PublishedView::default() },
        rejected_rows: 9,
        ..ControllerView::default()
    }];
    for (port, number) in measures.ports.iter_mut().zip(0u64..) {
        port.link = Some(LinkView { up: number != 1, speed_mbps: Some(10_000) });
        port.device_losses = Some(DeviceLosses { missed: number, ..DeviceLosses::default() });
    }
    measures
}

fn families(measures: &Measures) -> BTreeMap<String, Family> {
    openmetrics::read(&page(measures, Format::OpenMetrics)).unwrap_or_else(|problem| panic!("{problem}"))
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn value(families: &BTreeMap<String, Family>, family: &str, sample: &str, pairs: &[(&str, &str)]) -> f64 {
    let all = &families.get(family).unwrap_or_else(|| panic!("no {family}")).samples;
    let found = all.iter().find(|(name, found, _)| name == sample && *found == labels(pairs));
    found.unwrap_or_else(|| panic!("no {sample} {pairs:?} in {all:?}")).2
}

#[test]
fn the_page_is_strict_openmetrics_and_has_every_family() {
    let mut site = busy();
    let families = families(&measures(&mut site, 1000));
    let shown: BTreeSet<String> =
        families.values().flat_map(|family| family.samples.iter().map(|(name, ..)| name.clone())).collect();
    let all: BTreeSet<String> = metrics::names().into_iter().collect();
    assert_eq!(shown, all, "a family that the page never shows, or one that nobody listed");
    assert!(families.values().all(|family| family.help.as_ref().is_some_and(|help| help.ends_with(['.', 's']))));
}

#[test]
fn the_page_says_what_was_counted() {
    let mut site = busy();
    let measures = measures(&mut site, 1000);
    let families = families(&measures);
    let of = |family: &str, pairs: &[(&str, &str)]| value(&families, family, &format!("{family}_total"), pairs);
    let counters = site.control.counters();
    assert_eq!(of("causeway_port_receive_frames", &[("port", "srv1")]), 2109.0);
    assert_eq!(of("causeway_port_receive_frames", &[("port", "srv1")]), counters.ports[1].rx.frames as f64);
    assert_eq!(of("causeway_port_dropped_frames", &[("port", "srv1"), ("reason", "unknown-vlan")]), 2.0);
    assert_eq!(of("causeway_dropped_frames", &[("reason", "unknown-vlan")]), 2.0);
    assert_eq!(of("causeway_dropped_frames", &[("reason", "runt")]), 0.0, "a reason that did not occur is there");
    assert_eq!(of("causeway_vlan_receive_frames", &[("port", "srv1"), ("vlan", "10"), ("vni", "10010")]), 2105.0);
    assert_eq!(of("causeway_vni_receive_frames", &[("vni", "10010")]), counters.segments[0].rx.frames as f64);
    assert_eq!(of("causeway_vtep_receive_frames", &[("vtep", "10.0.1.2"), ("encap", "vxlan")]), 4.0);
    assert_eq!(of("causeway_vni_dropped_frames", &[("vni", "10010"), ("reason", "split-horizon")]), 2.0);
    assert_eq!(of("causeway_vtep_dropped_frames", &[("vtep", "10.0.1.2"), ("reason", "split-horizon")]), 2.0);
    assert_eq!(of("causeway_port_answered_frames", &[("port", "srv1")]), 3.0);
    assert_eq!(of("causeway_port_icmp_error_frames", &[("port", "srv1")]), 2.0);
    assert_eq!(of("causeway_access_list_frames", &[("list", "a"), ("rule", "1"), ("action", "permit")]), 0.0);
    assert_eq!(of("causeway_access_list_frames", &[("list", "a"), ("rule", "2"), ("action", "deny")]), 2.0);
    assert_eq!(of("causeway_controller_refused_transactions", &[("controller", "ovsdb")]), 8.0);
    let gauge = |family: &str, pairs: &[(&str, &str)]| value(&families, family, family, pairs);
    assert_eq!(gauge("causeway_next_hops", &[("state", "static")]), 1.0);
    assert_eq!(gauge("causeway_next_hops", &[("state", "resolving")]), 0.0);
    assert_eq!(gauge("causeway_neighbours", &[]), 1.0);
    assert_eq!(gauge("causeway_neighbours_answered", &[]), 1.0);
    let controller = [("controller", "ovsdb")];
    for (family, expected) in [
        ("up", 1.0),
        ("stale", 0.0),
        ("vnis", 1.0),
        ("bindings", 2.0),
        ("macs", 3.0),
        ("vteps", 4.0),
        ("neighbours", 5.0),
    ] {
        assert_eq!(gauge(&format!("causeway_controller_{family}"), &controller), expected, "{family}");
    }
    assert_eq!(gauge("causeway_controller_rejected_rows", &controller), 9.0);
    assert_eq!(gauge("causeway_port_up", &[("port", "up0")]), 1.0);
    assert_eq!(gauge("causeway_port_up", &[("port", "srv1")]), 0.0);
    assert_eq!(gauge("causeway_port_speed_bits_per_second", &[("port", "up0")]), 1e10);
    assert_eq!(gauge("causeway_fdb_macs", &[]), 3.0);
    assert_eq!(gauge("causeway_vtep_up", &[("vtep", "10.0.1.2"), ("encap", "vxlan")]), 1.0);
    let version = &families["causeway_build"].samples[0].1["version"];
    assert_eq!(version, "1.0 \"x\" \\ \n", "quotes, backslashes and line ends survive");
}

#[test]
fn histograms_add_up_to_the_frames_and_the_sampled_bursts() {
    let mut site = busy();
    let measures = measures(&mut site, 1000);
    let families = families(&measures);
    let of = |family: &str, suffix: &str| value(&families, family, &format!("{family}{suffix}"), &[("core", "0")]);
    let worker = &measures.workers[0];
    assert_eq!(of("causeway_worker_burst_frames", "_sum"), worker.rx as f64);
    assert_eq!(of("causeway_worker_burst_frames", "_count"), worker.bursts.iter().sum::<u64>() as f64);
    assert!(worker.costs.frames >= 2, "two turns in 2100 are timed");
    assert_eq!(of("causeway_worker_burst_seconds", "_count"), worker.costs.bursts() as f64);
    // Six stages of 100 cycles a burst.
    let seconds = worker.costs.bursts() as f64 * 600e-9;
    assert!((of("causeway_worker_burst_seconds", "_sum") - seconds).abs() < 1e-12);
    let stage = |stage| {
        let pairs = [("core", "0"), ("stage", stage)];
        value(&families, "causeway_worker_stage_cycles", "causeway_worker_stage_cycles_total", &pairs)
    };
    assert_eq!(stage("lookup"), worker.costs.bursts() as f64 * 100.0);
    assert_eq!(of("causeway_worker_busy_cycles", "_total"), worker.costs.busy_cycles as f64 * 1021.0);
}

#[test]
fn a_limit_bounds_the_series_and_says_what_it_left_out() {
    let mut site = busy();
    let few = measures(&mut site, 1);
    let families = families(&few);
    for (family, kind, left) in [
        ("causeway_port_up", "port", 2.0),
        ("causeway_vlan_macs", "vlan", 1.0),
        ("causeway_vtep_up", "vtep", 1.0),
        ("causeway_access_list_frames", "rule", 1.0),
    ] {
        assert_eq!(families[family].samples.len(), 1, "{family}");
        let pairs = [("kind", kind)];
        assert_eq!(value(&families, "causeway_metrics_left_out", "causeway_metrics_left_out", &pairs), left);
    }
    assert_eq!(families["causeway_vni_macs"].samples.len(), 1);
    let total =
        value(&families, "causeway_dropped_frames", "causeway_dropped_frames_total", &[("reason", "unknown-vlan")]);
    assert_eq!(total, 2.0, "the sum over all ports has those that have no series of their own");
}

/// Another reader, which is not ours: Prometheus' own client library for Python, in both formats.
#[test]
fn prometheus_reads_both_formats() {
    const READER: &str = "\
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as strict
from prometheus_client.parser import text_string_to_metric_families as plain
read = strict if sys.argv[1] == 'open' else plain
samples = [sample for family in read(sys.stdin.read()) for sample in family.samples]
print(len(samples))
";
    let has_it = |python: &&str| {
        let there = Command::new(python).args(["-c", "import prometheus_client.openmetrics.parser"]).output();
        there.is_ok_and(|output| output.status.success())
    };
    // The distribution's package belongs to the distribution's interpreter.
    let Some(python) = ["/usr/bin/python3", "python3"].into_iter().find(has_it) else {
        eprintln!("skipped: prometheus_reads_both_formats: python3-prometheus-client is not installed");
        return;
    };
    let mut site = busy();
    let measures = measures(&mut site, 1000);
    let samples: usize = families(&measures).values().map(|family| family.samples.len()).sum();
    for (format, name) in [(Format::OpenMetrics, "open"), (Format::Prometheus, "plain")] {
        let mut child = Command::new(python)
            .args(["-c", READER, name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python");
        let text = page(&measures, format);
        child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{name}: {text}");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), samples.to_string(), "{name}");
    }
}

fn holds(name: &str, expected: &str) {
    let path = format!("{ROOT}/docs/{name}");
    if std::env::var_os("CAUSEWAY_PUBLISH").is_some() {
        fs::write(&path, expected).expect("the file can be written");
    }
    let published = fs::read_to_string(&path).unwrap_or_default();
    assert!(published == expected, "docs/{name} is stale: run CAUSEWAY_PUBLISH=1 cargo test --test metrics");
}

#[test]
fn the_references_are_those_of_the_code() {
    holds("metrics.md", &metrics::reference());
    holds("drops.md", &metrics::drops());
}

/// Every `causeway_…` word of a text.
fn words(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_part(c)).filter(|word| word.starts_with("causeway_")).map(String::from).collect()
}

/// The expressions of a dashboard.
fn expressions(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (key, value) in fields {
                if (key == "expr" || key == "definition")
                    && let Some(text) = value.as_str()
                {
                    found.push(text.to_owned());
                }
                expressions(value, found);
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| expressions(item, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_asks_for_metrics_and_labels_that_exist() {
    let text = fs::read_to_string(format!("{ROOT}/docs/grafana.json")).expect("the dashboard");
    let dashboard: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let mut asked = Vec::new();
    expressions(&dashboard, &mut asked);
    assert!(asked.len() >= 15, "{asked:?}");
    let known: BTreeSet<String> = metrics::names().into_iter().collect();
    let mut site = busy();
    let families = families(&measures(&mut site, 1000));
    let labels_of: BTreeSet<&str> = families
        .values()
        .flat_map(|family| family.samples.iter().flat_map(|(_, labels, _)| labels.keys().map(String::as_str)))
        .chain(["instance", "job"])
        .collect();
    for expression in &asked {
        let unknown: Vec<_> = words(expression).difference(&known).cloned().collect();
        assert!(unknown.is_empty(), "{unknown:?} in {expression}");
        assert!(!words(expression).is_empty(), "{expression}");
        for group in expression.split("by (").skip(1) {
            let group = group.split(')').next().unwrap_or_default();
            assert!(group.split(", ").all(|label| labels_of.contains(label)), "{group} in {expression}");
        }
    }
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().expect("an id")).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
}

#[test]
fn documents_name_only_metrics_that_exist() {
    let known: BTreeSet<String> = metrics::names().into_iter().collect();
    for name in ["metrics.md", "drops.md"] {
        let text = fs::read_to_string(format!("{ROOT}/docs/{name}")).expect("a page");
        let histogram = |word: &String| known.contains(&format!("{word}_bucket"));
        let unknown: Vec<_> =
            words(&text).into_iter().filter(|word| !known.contains(word) && !histogram(word)).collect();
        assert!(unknown.is_empty(), "{name}: {unknown:?}");
    }
}
