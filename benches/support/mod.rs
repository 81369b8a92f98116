//! Cases, and the loop that times them.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use config::types::Encap;
use gateway::batch::Batch;
use gateway::driver::{BURST, Driver};
use gateway::frame::{Frame, Pool, PortId, RxMeta};
use gateway::pipeline::{self, Outbox};
use gateway::shard::Shard;
use gateway::sim::{HeapFrame, SimDriver};
use gateway::tables::template::Outline;
use gateway::tables::{
    Attachment, Binding, Duties, Endpoint, EndpointId, Fdb, FdbEntry, FdbKey, FloodList, ListId, Origin, PortTable,
    Segment, SegmentId, Tables, Template, Tunnel, TunnelKey, UnderlaySide, Way,
};
use gateway::wire::{geneve, vxlan};

/// What a case measures.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Over an IPv6 underlay.
    pub v6: bool,
    /// Geneve instead of VXLAN.
    pub geneve: bool,
    /// Where frames come from and go to.
    pub way: Direction,
}

/// Where frames come from and go to.
#[derive(Clone, Copy, PartialEq)]
pub enum Direction {
    /// From a VLAN into a tunnel.
    Encap,
    /// From a tunnel into a VLAN.
    Decap,
    /// From a VLAN into another.
    Local,
}

impl Shape {
    /// From a VLAN into a tunnel.
    pub const ENCAP: Self = Self { v6: false, geneve: false, way: Direction::Encap };
    /// From a tunnel into a VLAN.
    pub const DECAP: Self = Self { way: Direction::Decap, ..Self::ENCAP };
    /// From a VLAN into another.
    pub const LOCAL: Self = Self { way: Direction::Local, ..Self::ENCAP };
}

/// What is measured, by name.
pub const SHAPES: [(&str, Shape); 7] = [
    ("VLAN to VXLAN/IPv4", Shape::ENCAP),
    ("VXLAN/IPv4 to VLAN", Shape::DECAP),
    ("VLAN to VXLAN/IPv6", Shape { v6: true, ..Shape::ENCAP }),
    ("VXLAN/IPv6 to VLAN", Shape { v6: true, ..Shape::DECAP }),
    ("VLAN to Geneve/IPv4", Shape { geneve: true, ..Shape::ENCAP }),
    ("Geneve/IPv4 to VLAN", Shape { geneve: true, ..Shape::DECAP }),
    ("VLAN to VLAN", Shape::LOCAL),
];

/// Frames in flight in a case: more than the caches of a core hold of a small table, few enough to stay warm themselves.
const FRAMES: usize = 256;
const SERVER: PortId = PortId(0);
const UNDERLAY: PortId = PortId(1);
const VNI: u32 = 5001;

/// A gateway with one segment, and frames that cross it.
pub struct Case {
    name: String,
    shape: Shape,
    shard: Shard,
    driver: SimDriver,
    out: Outbox<HeapFrame>,
    batch: Batch<HeapFrame>,
    waiting: VecDeque<HeapFrame>,
    macs: u64,
    turn: u64,
    samples: Vec<f64>,
}

impl Case {
    /// Builds the tables and the frames.
    pub fn new(name: String, shape: Shape, macs: u64) -> Self {
        let tables = Box::new(tables(shape));
        let mut fdb = Fdb::with_room(macs as usize * 2);
        for number in 0..macs {
            let (source, destination) = ends(shape);
            let learned = |id: EndpointId| FdbEntry::new(id, 0, Origin::Learned);
            fdb.insert(FdbKey::from_word(SegmentId(0), source_mac(number)), learned(source)).expect("room");
            fdb.insert(FdbKey::from_word(SegmentId(0), destination_mac(number)), learned(destination)).expect("room");
        }
        let mut driver = SimDriver::new(2, FRAMES * 2);
        let port = if shape.way == Direction::Decap { UNDERLAY } else { SERVER };
        let waiting = (0..FRAMES as u64)
            .map(|_| {
                let meta = RxMeta { port, ..RxMeta::default() };
                driver.pool().frame(&received(shape)).expect("room").with_meta(meta)
            })
            .collect();
        let batch = Batch::of(port);
        let shard = Shard::new(tables, fdb);
        Self { name, shape, shard, driver, out: Outbox::new(2), batch, waiting, macs, turn: 1, samples: Vec::new() }
    }

    /// Runs `bursts` bursts; how many frames that were.
    #[allow(dead_code)] // Each bench is a program of its own and uses its part.
    pub fn run(&mut self, bursts: usize) -> usize {
        self.window(bursts);
        bursts * BURST
    }

    /// Times `bursts` bursts; nanoseconds a frame.
    fn window(&mut self, bursts: usize) -> f64 {
        let exit = if self.shape.way == Direction::Encap { UNDERLAY } else { PortId(0) };
        let mut spent = 0;
        for _ in 0..bursts {
            for _ in 0..BURST {
                let mut frame = self.waiting.pop_front().expect("frames");
                self.address(&mut frame);
                self.batch.frames.push(frame);
            }
            let start = Instant::now();
            counted(&mut self.batch, &mut self.shard, &mut self.driver, &mut self.out);
            spent += start.elapsed().as_nanos();
            let queue = &mut self.out.queues[exit.index()].frames;
            assert_eq!(queue.len(), BURST, "every frame must leave: {:?}", self.shard.counters);
            for frame in queue.drain(..) {
                let frame = undress(frame, self.shape);
                self.waiting.push_back(frame);
            }
        }
        spent as f64 / (bursts * BURST) as f64
    }

    /// Gives a frame the next pair of addresses.
    fn address(&mut self, frame: &mut HeapFrame) {
        self.turn = self.turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let number = (self.turn >> 33) % self.macs;
        let at = if self.shape.way == Direction::Decap { outer_len(self.shape) } else { 0 };
        let head = &mut frame.head_mut()[at..];
        head[..6].copy_from_slice(&destination_mac(number).to_be_bytes()[2..]);
        head[6..12].copy_from_slice(&source_mac(number).to_be_bytes()[2..]);
    }
}

/// The pipeline, apart from the harness for who counts instructions.
#[inline(never)]
fn counted(batch: &mut Batch<HeapFrame>, shard: &mut Shard, driver: &mut SimDriver, out: &mut Outbox<HeapFrame>) {
    pipeline::process(batch, shard, driver.pool(), out);
}

/// Interleaves the cases and prints the table.
#[allow(dead_code)] // As above.
pub fn run(cases: &mut [Case]) {
    const WINDOWS: usize = 15;
    for case in cases.iter_mut() {
        case.window(200);
    }
    for _ in 0..WINDOWS {
        for case in cases.iter_mut() {
            let sample = case.window(2000);
            case.samples.push(sample);
        }
    }
    println!("{:<40} {:>10} {:>10} {:>10}", "case (64-byte frames)", "median ns", "min", "max");
    for case in cases {
        case.samples.sort_by(f64::total_cmp);
        let (low, high) = (case.samples[0], case.samples[WINDOWS - 1]);
        println!("{:<40} {:>10.1} {low:>10.1} {high:>10.1}", case.name, case.samples[WINDOWS / 2]);
    }
}

fn source_mac(number: u64) -> u64 {
    0x0200_0000_0000 | number
}

fn destination_mac(number: u64) -> u64 {
    0x0600_0000_0000 | number
}

/// Endpoint of sources and of destinations.
fn ends(shape: Shape) -> (EndpointId, EndpointId) {
    match shape.way {
        Direction::Encap => (EndpointId(1), EndpointId(3)),
        Direction::Decap => (EndpointId(3), EndpointId(1)),
        Direction::Local => (EndpointId(1), EndpointId(2)),
    }
}

fn outer_len(shape: Shape) -> usize {
    if shape.v6 { 70 } else { 50 }
}

fn addresses(shape: Shape) -> (IpAddr, IpAddr) {
    if shape.v6 {
        let of = |last| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last));
        (of(1), of(2))
    } else {
        (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)))
    }
}

fn template(shape: Shape, turned: bool) -> Template {
    let (ours, theirs) = addresses(shape);
    let (source, destination) = if turned { (theirs, ours) } else { (ours, theirs) };
    Template::new(&Outline {
        destination_mac: [2, 0xaa, 0, 0, 0, if turned { 1 } else { 9 }],
        source_mac: [2, 0xaa, 0, 0, 0, if turned { 9 } else { 1 }],
        vlan: 0,
        source,
        destination,
        encap: if shape.geneve { Encap::Geneve } else { Encap::Vxlan },
        udp_port: if shape.geneve { 6081 } else { 4789 },
        port: UNDERLAY,
        mtu: 1600,
    })
}

fn tables(shape: Shape) -> Tables {
    let attachment = |vid: u8| Endpoint {
        generation: 0,
        learns: true,
        way: Way::Attachment(Attachment {
            port: SERVER,
            segment: SegmentId(0),
            tags: [0x81, 0, 0, vid, 0, 0, 0, 0],
            tags_len: 4,
            pcp: None,
            mtu: 1500,
            duties: Duties::default(),
            lists: [ListId::default(); 2],
        }),
    };
    let encap = if shape.geneve { Encap::Geneve } else { Encap::Vxlan };
    let (ours, remote) = addresses(shape);
    let tunnel = Tunnel { remote, encap, hops: vec![template(shape, false)] };
    let mut server = PortTable::new([2, 0, 0, 0, 0, 0xfe], 1500);
    server.customer[10] = Binding::Attachment(EndpointId(1));
    server.customer[20] = Binding::Attachment(EndpointId(2));
    let mut underlay = PortTable::new([2, 0xaa, 0, 0, 0, 1], 1600);
    underlay.untagged = Binding::Underlay;
    underlay.underlay = Some(UnderlaySide { twin: true, vlan: 0, host_rate: 1000 });
    let mut tables = Tables {
        ports: vec![server, underlay],
        segments: vec![Segment {
            vxlan: vxlan::header(VNI),
            geneve: geneve::header(VNI, &[]),
            members: 0,
            learns: true,
            flood_unknown: true,
            // Checksums cost by the byte, whatever the design; this is about the path.
            checksum_v6: false,
            zero_v6: true,
            fixed: Segment::default().to_be_fixed(),
            ..Segment::default()
        }],
        endpoints: vec![
            Endpoint::default(),
            attachment(10),
            attachment(20),
            Endpoint { generation: 0, learns: true, way: Way::Tunnel(Box::new(tunnel)) },
        ],
        floods: vec![FloodList::new(vec![EndpointId(1), EndpointId(2), EndpointId(3)])],
        ages: vec![u64::MAX],
        ..Tables::default()
    };
    match ours {
        IpAddr::V4(address) => tables.underlay.source_v4 = address,
        IpAddr::V6(address) => tables.underlay.source_v6 = address,
    }
    tables.vnis.insert(encap, VNI, SegmentId(0));
    tables.sources.insert(TunnelKey { remote, encap }, EndpointId(3));
    tables
}

/// A 60-byte UDP frame (64 with FCS), tagged on a port, encapsulated on the underlay.
fn received(shape: Shape) -> Vec<u8> {
    let mut inner = vec![0; 12];
    inner.extend([0x08, 0x00, 0x45, 0, 0, 46, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
    inner.extend([0x10, 0, 0x20, 0, 0, 26, 0, 0]);
    inner.resize(60, 0x55);
    if shape.way != Direction::Decap {
        inner.splice(12..12, [0x81, 0, 0, 10]);
        inner.truncate(60);
        return inner;
    }
    let template = template(shape, true);
    let mut frame = template.bytes[..usize::from(template.len)].to_vec();
    let l3 = usize::from(template.l3);
    let ip_len = frame.len() - l3 + inner.len();
    let udp = frame.len() - 16;
    if shape.v6 {
        frame[l3 + 4..l3 + 6].copy_from_slice(&(ip_len as u16 - 40).to_be_bytes());
        frame[l3 + 7] = 64;
    } else {
        frame[l3 + 2..l3 + 4].copy_from_slice(&(ip_len as u16).to_be_bytes());
        frame[l3 + 8] = 64;
        let field = gateway::wire::checksum::finish(gateway::wire::checksum::sum(&frame[l3..l3 + 20]));
        frame[l3 + 10..l3 + 12].copy_from_slice(&field.to_be_bytes());
    }
    frame[udp] = 0xc0;
    frame[udp + 4..udp + 6].copy_from_slice(&((ip_len - (udp - l3)) as u16).to_be_bytes());
    let header = if shape.geneve { geneve::header(VNI, &[]) } else { vxlan::header(VNI) };
    frame[udp + 8..].copy_from_slice(&header);
    frame.extend(inner);
    frame
}

/// Turns a frame that left into one that comes in again.
fn undress(mut frame: HeapFrame, shape: Shape) -> HeapFrame {
    match shape.way {
        Direction::Encap => {
            frame.trim_front(outer_len(shape));
            let head = frame.grow_front(4).expect("headroom");
            head.copy_within(4..16, 0);
            head[12..16].copy_from_slice(&[0x81, 0, 0, 10]);
        }
        Direction::Local => frame.head_mut()[15] = 10,
        Direction::Decap => {
            let head = frame.head_mut();
            head.copy_within(..12, 4);
            frame.trim_front(4);
            // The outer header still stands in the headroom but for its last bytes, which the tag overwrote.
            let len = outer_len(shape);
            let whole = received(shape);
            frame.grow_front(len).expect("headroom")[..len].copy_from_slice(&whole[..len]);
        }
    }
    frame
}
