//! A gateway for a job: its configuration, compiled as `causeway run` does it, and the frames of its stations.
//!
//! Station `n` of the *near* end sends to station `n` of the *far* end; both belong to segment `n` modulo the number of
//! segments.

use std::fmt::Write as _;

use config::types::{Encap, Mac};
use gateway::control::{Control, PortFacts};
use gateway::frame::PortId;
use gateway::load::{Mould, Scene, Side, Stamp};
use gateway::tables::Tables;
use gateway::wire::checksum;

use super::job::{Job, Way};

/// VLANs of a port.
const VLANS: usize = 4094;
/// The first VNI.
const VNI: usize = 10_000;
const NEXT_HOP: [u8; 6] = [0x02, 0xaa, 0, 0, 0, 0x12];
/// Two options of eight bytes each, as the configuration writes them and as they are on the wire.
const OPTIONS: &str = r#"[{class: 0x0103, type: 1, data: "11223344"}, {class: 0x0103, type: 2, data: "55667788"}]"#;
const OPTIONS_BYTES: [u8; 16] = [0x01, 0x03, 1, 1, 0x11, 0x22, 0x33, 0x44, 0x01, 0x03, 2, 1, 0x55, 0x66, 0x77, 0x88];

/// A side of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Where the measured frames come in.
    Near,
    /// Where their destinations are.
    Far,
}

/// A configured gateway, and what its stations send.
pub struct Site {
    job: Job,
    segments: usize,
    /// Bytes of the tenant's frames without FCS, in the order in which they are sent.
    sizes: Vec<usize>,
    /// By end, segment and size.
    moulds: [Vec<Mould>; 2],
    frame: Vec<u8>,
}

impl Site {
    /// A site of so many segments, and the tables of its cores. `sizes` are those of the tenant's frames with FCS.
    pub fn new(job: Job, segments: usize, sizes: &[usize]) -> (Self, Box<Tables>) {
        let sizes: Vec<usize> = sizes.iter().map(|size| size - 4).collect();
        let tables = control(&configuration(&job, segments)).tables();
        let mut different = sizes.clone();
        different.sort_unstable();
        different.dedup();
        let moulds = [End::Near, End::Far].map(|end| {
            let all = (0..segments).flat_map(|segment| different.iter().map(move |&size| (segment, size)));
            all.map(|(segment, size)| Mould::new(&scene(&job, segment), side(&job, end), size)).collect()
        });
        (Self { job, segments, sizes, moulds, frame: Vec::new() }, tables)
    }

    /// Segments.
    pub fn segments(&self) -> usize {
        self.segments
    }

    /// Bytes of a tenant's frame with FCS, on average.
    pub fn mean_size(&self) -> f64 {
        self.sizes.iter().sum::<usize>() as f64 / self.sizes.len() as f64 + 4.0
    }

    /// Segments whose near stations are on the same port as those of `segment`.
    pub fn segments_beside(&self, segment: usize) -> std::ops::Range<usize> {
        if side(&self.job, End::Near) == Side::Fabric {
            return 0..self.segments;
        }
        let first = segment / VLANS * VLANS;
        first..self.segments.min(first + VLANS)
    }

    /// The port where frames of station `number` come in.
    pub fn port(&self, end: End, number: u32) -> PortId {
        if side(&self.job, end) == Side::Fabric {
            return PortId(0);
        }
        let segment = number as usize % self.segments;
        let servers = self.segments.div_ceil(VLANS);
        let far = if (self.job.way, end) == (Way::Local, End::Far) { servers } else { 0 };
        PortId((1 + segment / VLANS + far) as u8)
    }

    /// The MAC of a station.
    pub fn mac(&self, end: End, number: u32) -> [u8; 6] {
        let near = side(&self.job, End::Near);
        if end == End::Near { near.mac(number) } else { near.across().mac(number) }
    }

    /// The next frame of station `number` to station `to` of the other end.
    pub fn frame(&mut self, end: End, number: u32, to: u32, turn: usize) -> &[u8] {
        let size = self.sizes[turn % self.sizes.len()];
        let moulds = &self.moulds[end as usize];
        let kinds = moulds.len() / self.segments;
        let segment = number as usize % self.segments;
        let of_segment = &moulds[segment * kinds..][..kinds];
        let across = if end == End::Near { End::Far } else { End::Near };
        let (from, to) = (self.mac(end, number), self.mac(across, to));
        let outer = |mould: &Mould| if side(&self.job, end) == Side::Fabric { mould.bytes().len() - size } else { 0 };
        // Moulds of a tunnel are longer by the outer headers: all by the same.
        let shortest = of_segment[0].bytes().len();
        let least = self.sizes.iter().copied().min().unwrap_or(size);
        let mould = of_segment
            .iter()
            .find(|mould| mould.bytes().len() == shortest - least + size)
            .expect("there is a mould of every size");
        let tenant = outer(mould);
        self.frame.clear();
        self.frame.extend_from_slice(mould.bytes());
        mould.fill(&mut self.frame, number, to, Stamp { trial: 0, number: 0, sent: 0 });
        if self.job.way == Way::Local {
            self.frame[6..12].copy_from_slice(&from);
        }
        if tenant > 0 && !self.job.sums {
            let udp = tenant - 16;
            self.frame[udp + 6..udp + 8].fill(0);
        }
        if tenant > 0 && self.job.options {
            add_options(&mut self.frame, tenant);
        }
        &self.frame
    }
}

/// Puts the options between the Geneve header and the tenant's frame of a packet over IPv4 without UDP checksum.
fn add_options(frame: &mut Vec<u8>, tenant: usize) {
    const L3: usize = 14;
    frame.splice(tenant..tenant, OPTIONS_BYTES);
    frame[tenant - 8] |= (OPTIONS_BYTES.len() / 4) as u8;
    let len = (frame.len() - L3) as u16;
    frame[L3 + 2..L3 + 4].copy_from_slice(&len.to_be_bytes());
    frame[L3 + 10..L3 + 12].fill(0);
    let field = checksum::finish(checksum::sum(&frame[L3..L3 + 20]));
    frame[L3 + 10..L3 + 12].copy_from_slice(&field.to_be_bytes());
    frame[L3 + 24..L3 + 26].copy_from_slice(&(len - 20).to_be_bytes());
}

/// Who is at an end.
fn side(job: &Job, end: End) -> Side {
    match (job.way, end) {
        (Way::Decap, End::Near) => Side::Fabric,
        (Way::Decap | Way::Local, End::Far) | (_, End::Near) => Side::Servers,
        (_, End::Far) => Side::Fabric,
    }
}

fn addresses(job: &Job) -> (&'static str, &'static str) {
    if job.v6 { ("2001:db8::11", "2001:db8:1::") } else { ("10.0.0.11", "10.1.") }
}

/// The address of a VTEP.
fn vtep(job: &Job, number: usize) -> String {
    let start = addresses(job).1;
    if job.v6 { format!("{start}{number:x}") } else { format!("{start}{}.{}", number >> 8, number & 0xff) }
}

fn scene(job: &Job, segment: usize) -> Scene {
    Scene {
        vlan: (job.way != Way::Untagged).then_some((1 + segment % VLANS) as u16),
        underlay_vlan: None,
        vni: (VNI + segment) as u32,
        encap: job.encap,
        udp_port: if job.encap == Encap::Vxlan { 4789 } else { 6081 },
        gateway: addresses(job).0.parse().expect("an address"),
        vtep: vtep(job, 1).parse().expect("an address"),
        gateway_mac: port_mac(0),
        vtep_mac: NEXT_HOP,
    }
}

fn port_mac(port: usize) -> [u8; 6] {
    [0x02, 0xca, 0xfe, 0, 0, port as u8]
}

/// The configuration: the underlay's port, one port for each 4,094 segments, and as many again for stations of the same
/// VLANs.
fn configuration(job: &Job, segments: usize) -> String {
    let mut yaml = format!(
        "version: 1\nvtep: {{source: \"{}\"}}\nports:\n  - {{name: up0, device: net_null0, mtu: 9216, underlay: {{via: \
         {{mac: \"{}\"}}}}}}\n",
        addresses(job).0,
        Mac(NEXT_HOP)
    );
    let servers = segments.div_ceil(VLANS);
    for port in 1..=servers * 2 {
        let first = (port - 1) % servers * VLANS;
        let vlans = (first..segments.min(first + VLANS)).map(|segment| match job.way {
            Way::Untagged => format!("{{vlan: untagged, vni: {}}}", VNI + segment),
            _ => format!("{{vlan: {}, vni: {}}}", 1 + segment % VLANS, VNI + segment),
        });
        let vlans: Vec<String> = vlans.collect();
        let vlans = if port <= servers || job.way == Way::Local { vlans.join(", ") } else { continue };
        let _ = writeln!(yaml, "  - {{name: srv{port}, device: net_null{port}, mtu: 9000, vlans: [{vlans}]}}");
    }
    let vteps: Vec<String> = (1..=job.copies()).map(|number| format!("\"{}\"", vtep(job, number))).collect();
    let vteps = vteps.join(", ");
    let options = if job.options { format!(", options: {OPTIONS}") } else { String::new() };
    let sums = format!("{{ipv4: {0}, ipv6: {0}, accept_zero_ipv6: true}}", job.sums);
    yaml.push_str("vnis:\n");
    for segment in 0..segments {
        let _ = writeln!(
            yaml,
            "  - {{vni: {}, encap: {}, flood: {{vteps: [{vteps}]}}, checksum: {sums}{options}}}",
            VNI + segment,
            job.encap
        );
    }
    yaml
}

/// Control over a gateway of one core.
fn control(yaml: &str) -> Control {
    let model = config::parse("bench.yaml", yaml).unwrap_or_else(|problems| panic!("{problems}")).model;
    let facts = model.ports.iter().enumerate().map(|(number, port)| PortFacts {
        mac: Mac(port_mac(number)),
        mtu: port.mtu,
        tx_ip_checksum: false,
        tx_vlan: false,
    });
    let facts = facts.collect();
    Control::new(model, facts)
}
