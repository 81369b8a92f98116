//! What a controller's word costs control that holds a file of full size: 16,384 VNIs with eight VTEPs each and a million
//! static MACs behind 4,096 VTEPs, 4,094 VLANs.
//!
//! `cargo bench -p causeway-gateway --bench control`: times in milliseconds, the median of five, from the change's arrival until a core
//! has heard all of it. With `--test` once and small.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use config::types::{Encap, Flood, Mac, Model, Place, Remote, StaticMac, Tag, Vid, Vni};
use gateway::control::overlay::{Change, Controller, Number, OverlayFlood, OverlaySegment};
use gateway::control::{Control, PortFacts};
use gateway::link::{Ring, Update};

const FILE: &str = "version: 1\nworkers: {cores: [0]}\nvtep: {source: 10.0.0.11}\nfdb: {size: 2097152}\nports:\n\
                    - {name: up0, device: net_null0, underlay: {via: {mac: '02:00:00:00:00:99'}}}\n\
                    - {name: srv1, device: net_null1, vlans: [{vlan: 1, vni: 1}]}\n\
                    - {name: srv2, device: net_null2}\n\
                    vnis: [{vni: 1, flood: {vteps: [10.0.0.12]}}]\n";
/// Numbers of the controller's segments begin here.
const OTHERS: u32 = 1 << 20;
const MACS: u32 = 10_000;

fn vtep(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0x0a01_0000 + number % 4096))
}

/// So many segments with so many static MACs each.
fn file(segments: u32, macs: u32) -> Model {
    let mut model = config::parse("bench.yaml", FILE).expect("a file").model;
    let pattern = model.segments[0].clone();
    let remote = |number| Remote { address: vtep(number), encap: Encap::Vxlan, vni: None };
    model.segments = (1..=segments)
        .map(|number| {
            let mut segment = pattern.clone();
            let first = number / 2 * 8;
            segment.name = number.to_string();
            segment.vxlan = Vni::new(number);
            segment.flood = Flood::Vteps((first..first + 8).map(remote).collect());
            let mac = |index: u32| {
                let [_, a, b, c] = index.to_be_bytes();
                StaticMac { mac: Mac([2, 1, 0, a, b, c]), place: Place::Vtep(remote(first + index % 8)) }
            };
            segment.statics = (0..macs).map(mac).collect();
            segment
        })
        .collect();
    let pattern = model.ports[1].attachments[0].clone();
    model.ports[1].attachments = (1..=4094.min(segments as u16))
        .map(|vid| {
            let mut attachment = pattern.clone();
            attachment.tag = Tag::Vlan(Vid::new(vid).expect("1 to 4094"));
            attachment.segment = usize::from(vid) - 1;
            attachment
        })
        .collect();
    model
}

/// A segment of a controller, on a VLAN of srv2 and with a VTEP that only it names.
fn segment(number: u32, more: u32) -> OverlaySegment {
    let vteps: Vec<IpAddr> = (0..=more).map(|one| IpAddr::V4(Ipv4Addr::from(0x0a02_0000 + one))).collect();
    OverlaySegment {
        number: vni(number),
        name: format!("ls{number}"),
        attachments: vec![(2, Tag::Vlan(Vid::new(number as u16 + 1).expect("a VLAN")))],
        flood: OverlayFlood::All(vteps.clone()),
        known: vteps,
        learns_from_tunnels: true,
        answers: false,
        keys: Default::default(),
    }
}

fn vni(number: u32) -> Number {
    Number { encap: Encap::Vxlan, vni: Vni::new(OTHERS + number).expect("24 bits") }
}

fn macs(
    number: u32,
    count: u32,
    vtep: Option<IpAddr>,
) -> Vec<(Number, Mac, Option<gateway::control::overlay::RemoteMac>)> {
    let mac = |index: u32| {
        let [_, a, b, c] = index.to_be_bytes();
        (vni(number), Mac([2, 2, 0, a, b, c]), vtep.map(Into::into))
    };
    (0..count).map(mac).collect()
}

struct Bench {
    control: Control,
    ring: Ring<Update>,
    runs: usize,
}

impl Bench {
    /// Milliseconds until the core has heard of a change.
    fn once(&mut self, change: Change) -> f64 {
        let start = Instant::now();
        self.control.overlay(Controller::Ovsdb, change, 0);
        self.control.settle(0);
        while self.control.feed(0, &self.ring) > 0 {
            while self.ring.take().is_some() {}
        }
        start.elapsed().as_secs_f64() * 1e3
    }

    /// The median of a change that is made and unmade.
    fn measure(&mut self, what: &str, make: impl Fn() -> Change, unmake: impl Fn() -> Change) {
        let mut times: Vec<f64> = (0..self.runs)
            .map(|_| {
                let time = self.once(make());
                self.once(unmake());
                time
            })
            .collect();
        times.sort_by(f64::total_cmp);
        println!("{what:<72} {:>9.2} ms", times[times.len() / 2]);
    }
}

fn main() {
    let small = std::env::args().any(|argument| argument == "--test");
    let (segments, each, runs) = if small { (64, 4, 1) } else { (16_384, 61, 5) };
    let model = file(segments, each);
    let facts = model
        .ports
        .iter()
        .map(|_| PortFacts { mac: Mac([2; 6]), mtu: 9000, tx_ip_checksum: false, tx_vlan: false })
        .collect();
    println!("a file of {segments} VNIs with {} static MACs", segments * each);
    let start = Instant::now();
    let control = Control::new(model, facts);
    println!("{:<72} {:>9.2} ms", "the file, at the start", start.elapsed().as_secs_f64() * 1e3);
    let mut bench = Bench { control, ring: Ring::new(4096), runs };
    let only = |segments: Vec<OverlaySegment>| Change { segments: Some(segments), ..Change::default() };
    let own = vtep_of_controller();
    println!("{:<72} {:>9.2} ms", "the first segment of a controller", bench.once(only(vec![segment(0, 0)])));
    bench.measure(
        "10,000 MACs in a segment that is there",
        || Change { macs: macs(0, MACS, Some(own)), ..Change::default() },
        || Change { macs: macs(0, MACS, None), ..Change::default() },
    );
    bench.measure(
        "10,000 MACs behind a VTEP that is new with them",
        || Change {
            segments: Some(vec![segment(0, 1)]),
            macs: macs(0, MACS, Some(IpAddr::V4(Ipv4Addr::from(0x0a02_0001)))),
            ..Change::default()
        },
        || Change { segments: Some(vec![segment(0, 0)]), macs: macs(0, MACS, None), ..Change::default() },
    );
    bench.measure(
        "a segment more, with 10,000 MACs",
        || Change {
            segments: Some(vec![segment(0, 0), segment(1, 0)]),
            macs: macs(1, MACS, Some(own)),
            ..Change::default()
        },
        || only(vec![segment(0, 0)]),
    );
    bench.measure(
        "a thousand segments more",
        || only((0..1001).map(|number| segment(number, 0)).collect()),
        || only(vec![segment(0, 0)]),
    );
    bench.measure("all gone and back", || only(vec![segment(0, 0)]), || only(Vec::new()));
}

/// The first of the controller's VTEPs.
fn vtep_of_controller() -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0x0a02_0000))
}
