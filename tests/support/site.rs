//! A whole gateway on devices in memory: real configuration, real control, real cores; we own the clock and step them.

use std::collections::BTreeMap;

use config::types::{Mac, Model};
use gateway::control::{Control, Event, PortFacts};
use gateway::counters::Counters;
use gateway::driver::Driver;
use gateway::frame::{Pool, PortId, RxMeta};
use gateway::link::{HostFrame, Link};
use gateway::sim::{HeapFrame, SimDriver};
use gateway::tables::Fdb;
use gateway::verdict::DropReason;
use gateway::worker::{Turn, Worker, handoffs};

/// A millisecond in nanoseconds.
pub const MS: u64 = 1_000_000;
/// A second.
pub const SECOND: u64 = 1_000 * MS;

/// How a gateway is set up, besides its configuration.
#[derive(Clone)]
pub struct Setup {
    /// Worker cores.
    pub workers: usize,
    /// The devices compute IPv4 checksums and insert VLAN tags.
    pub offloads: bool,
    /// Frames in each core's pool.
    pub pool: usize,
    /// Flood copies in a turn.
    pub copies: u32,
    /// Which core has a transmit queue on which port.
    pub has_tx: fn(usize, usize) -> bool,
    /// Places in the rings between cores.
    pub handoff: usize,
    /// Places in the rings to control, and to twins.
    pub rings: (usize, usize),
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            workers: 1,
            offloads: false,
            pool: 1 << 16,
            copies: u32::MAX,
            has_tx: |_, _| true,
            handoff: 256,
            rings: (4096, 1024),
        }
    }
}

/// A gateway under test.
pub struct Site {
    pub cores: Vec<Worker<SimDriver>>,
    pub links: Vec<Link<HeapFrame>>,
    pub control: Control,
    pub now: u64,
    ports: Vec<String>,
    host: BTreeMap<u8, Vec<Vec<u8>>>,
}

/// The MAC of a port by its number.
pub fn port_mac(port: usize) -> [u8; 6] {
    [0x02, 0xca, 0xfe, 0, 0, port as u8]
}

/// The checked model of a configuration; a wrong one ends the test with its problems.
pub fn model(yaml: &str, workers: usize) -> Model {
    let mut model = match config::parse("test.yaml", yaml) {
        Ok(loaded) => loaded.model,
        Err(problems) => panic!("{problems}"),
    };
    model.workers.cores = (0..workers as u16).collect();
    model.fdb_size = model.fdb_size.min(16_384);
    model
}

impl Site {
    /// One core, everything as usual.
    pub fn new(yaml: &str) -> Self {
        Self::with(yaml, &Setup::default())
    }

    /// Set up in another way.
    pub fn with(yaml: &str, setup: &Setup) -> Self {
        let model = model(yaml, setup.workers);
        let ports: Vec<String> = model.ports.iter().map(|port| port.name.clone()).collect();
        let facts = model.ports.iter().enumerate().map(|(number, port)| PortFacts {
            mac: Mac(port_mac(number)),
            mtu: port.mtu,
            tx_ip_checksum: setup.offloads,
            tx_vlan: setup.offloads,
        });
        let (facts, fdb_size) = (facts.collect(), model.fdb_size as usize);
        let control = Control::new(model, facts);
        let has_tx: Vec<Vec<bool>> =
            (0..setup.workers).map(|core| (0..ports.len()).map(|port| (setup.has_tx)(core, port)).collect()).collect();
        let links: Vec<Link<HeapFrame>> =
            (0..setup.workers).map(|_| Link::with_sizes(setup.rings.0, setup.rings.1)).collect();
        let cores = handoffs(&has_tx, setup.handoff).into_iter().enumerate().map(|(core, handoff)| {
            let mut driver = SimDriver::new(ports.len(), setup.pool);
            for (port, has) in driver.ports.iter_mut().zip(&has_tx[core]) {
                port.has_tx = *has;
            }
            let mut fdb = Fdb::with_room(fdb_size);
            for (key, entry) in control.entries() {
                fdb.insert(key, entry).expect("the table has room");
            }
            Worker::new(driver, control.tables(), fdb, links[core].clone(), handoff, 64, setup.copies)
        });
        let cores = cores.collect();
        let mut site = Self { cores, links, control, now: SECOND, ports, host: BTreeMap::new() };
        // Who has which address: what a core hears first.
        site.step_control();
        site
    }

    /// The number of a port.
    pub fn port(&self, name: &str) -> u8 {
        self.ports.iter().position(|port| port == name).unwrap_or_else(|| panic!("no port is named '{name}'")) as u8
    }

    /// A frame waits at a port of a core.
    pub fn receive_at(&mut self, core: usize, port: &str, bytes: &[u8]) {
        let number = self.port(port);
        self.cores[core].driver_mut().receive(number, bytes);
    }

    /// A frame waits at a port of the first core.
    pub fn receive(&mut self, port: &str, bytes: &[u8]) {
        self.receive_at(0, port, bytes);
    }

    /// A frame, made by `shape` of whole bytes and what the NIC says, waits at a port of the first core.
    pub fn receive_shaped(
        &mut self,
        port: &str,
        bytes: &[u8],
        meta: RxMeta,
        shape: impl FnOnce(HeapFrame) -> HeapFrame,
    ) {
        let number = self.port(port);
        let driver = self.cores[0].driver_mut();
        let frame = driver.pool().frame(bytes).expect("the pool has a frame");
        let frame = shape(frame.with_meta(RxMeta { port: PortId(number), ..meta }));
        driver.ports[usize::from(number)].rx.push_back(frame);
    }

    /// A frame from a port's Linux twin, to the first core.
    pub fn receive_from_host(&mut self, port: &str, bytes: &[u8]) {
        let number = self.port(port);
        let frame = self.cores[0].driver_mut().pool().frame(bytes).expect("the pool has a frame");
        let sent = self.links[0].from_host.send(HostFrame { port: PortId(number), frame });
        assert!(sent.is_ok(), "the ring has room");
    }

    /// Control hears what cores have to say, settles, and tells them what is new.
    pub fn step_control(&mut self) -> bool {
        let mut busy = false;
        for (core, link) in self.links.iter().enumerate() {
            while let Some(report) = link.reports.take() {
                busy = true;
                self.control.handle(Event::Report { core, report }, self.now);
            }
        }
        self.control.settle(self.now);
        for (core, link) in self.links.iter().enumerate() {
            busy |= self.control.feed(core, &link.updates) > 0;
        }
        for link in &self.links {
            while let Some(HostFrame { port, frame }) = link.to_host.take() {
                self.host.entry(port.0).or_default().push(frame.wire());
            }
        }
        busy
    }

    /// One turn of a core.
    pub fn turn(&mut self, core: usize) -> Turn {
        self.cores[core].turn(self.now)
    }

    /// Steps cores and control in turn until nothing is left to do.
    pub fn run(&mut self) {
        for _ in 0..100_000 {
            let mut busy = false;
            for core in 0..self.cores.len() {
                busy |= self.turn(core) == Turn::Busy;
            }
            busy |= self.step_control();
            busy |= self.cores.iter_mut().any(|core| core.driver_mut().ports.iter().any(|port| !port.rx.is_empty()));
            if !busy {
                // A lap more, for what a device refused in the last.
                (0..self.cores.len()).for_each(|core| _ = self.turn(core));
                self.step_control();
                return;
            }
        }
        panic!("the gateway does not come to rest");
    }

    /// Time passes, with control's ticks on the way.
    pub fn wait(&mut self, nanos: u64) {
        let end = self.now + nanos;
        while self.now < end {
            self.now = (self.now + 100 * MS).min(end);
            self.control.handle(Event::Tick, self.now);
            self.run();
        }
    }

    /// Another configuration while running.
    pub fn reload(&mut self, yaml: &str) {
        let workers = self.cores.len();
        self.control.reload(model(yaml, workers), self.now).unwrap_or_else(|parts| panic!("{parts}"));
        self.step_control();
    }

    /// What a port sent since the last call, as it is on the wire, all cores.
    pub fn sent(&mut self, port: &str) -> Vec<Vec<u8>> {
        let number = self.port(port);
        self.cores.iter_mut().flat_map(|core| core.driver_mut().sent(number)).collect()
    }

    /// What a port's Linux twin got since the last call.
    pub fn sent_to_host(&mut self, port: &str) -> Vec<Vec<u8>> {
        self.host.remove(&self.port(port)).unwrap_or_default()
    }

    /// All that every port sent since the last call, by port and in order.
    pub fn all_sent(&mut self) -> BTreeMap<String, Vec<Vec<u8>>> {
        let mut all = BTreeMap::new();
        for name in self.ports.clone() {
            let host = self.sent_to_host(&name);
            let sent = self.sent(&name);
            all.insert(format!("{name} host"), host);
            all.insert(name, sent);
        }
        all.retain(|_, frames: &mut Vec<_>| !frames.is_empty());
        all
    }

    /// Sends a frame in at a port of the first core and returns all that comes out anywhere.
    pub fn pass(&mut self, port: &str, bytes: &[u8]) -> BTreeMap<String, Vec<Vec<u8>>> {
        self.receive(port, bytes);
        self.run();
        self.all_sent()
    }

    /// The counters of all cores together.
    pub fn counters(&self) -> Counters {
        let mut sum = Counters::new(0, 0, 0);
        self.cores.iter().for_each(|core| sum.merge(&core.shard().counters));
        sum
    }

    /// Drops by reason, those that happened only.
    pub fn drops(&self) -> BTreeMap<&'static str, u64> {
        let counters = self.counters();
        let counted = DropReason::ALL.iter().map(|&reason| (reason.label(), counters.dropped(reason)));
        counted.filter(|(_, count)| *count > 0).collect()
    }

    /// Frames of all pools that are out.
    pub fn in_use(&mut self) -> usize {
        self.cores.iter_mut().map(|core| core.driver_mut().in_use()).sum()
    }

    /// Nothing is lost and nothing is counted twice: call when the gateway rests and all that was sent has been taken.
    pub fn assert_balanced(&mut self) {
        assert_eq!(self.counters().missing(), 0, "every frame has one fate: {:?}", self.drops());
        assert_eq!(self.in_use(), 0, "every buffer is back in its pool");
    }
}
