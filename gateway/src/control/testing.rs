//! A gateway without a data path: control, and cores that only apply what control tells them.

use std::net::IpAddr;

use config::types::{Mac, Model};

use super::{Control, Effects, Event, Hop, Nanos, PortFacts, Resolution};
use crate::frame::PortId;
use crate::link::{Report, Update};
use crate::tables::{EndpointId, Fdb, FdbEntry, FdbKey, Neighbours, Origin, SegmentId, Tables, TunnelKey, Way};

/// A second.
pub const SECOND: Nanos = 1_000_000_000;

/// The model of a configuration text.
pub fn model(yaml: &str) -> Model {
    match config::parse("test.yaml", yaml) {
        Ok(loaded) => loaded.model,
        Err(problems) => panic!("{problems}"),
    }
}

/// Ports whose MACs end in their number, without offloads.
pub fn facts(model: &Model) -> Vec<PortFacts> {
    let port = |(index, port): (usize, &config::types::Port)| PortFacts {
        mac: Mac([2, 0, 0, 0, 0xff, index as u8]),
        mtu: port.mtu,
        tx_ip_checksum: false,
        tx_vlan: false,
    };
    model.ports.iter().enumerate().map(port).collect()
}

/// A MAC whose last byte is `number`.
pub fn mac(number: u32) -> [u8; 6] {
    let [a, b, c, d] = number.to_be_bytes();
    [2, 0, a, b, c, d]
}

/// What a core knows.
pub struct Core {
    pub tables: Tables,
    pub fdb: Fdb,
    pub neighbours: Neighbours,
}

/// Control and its cores.
pub struct Gateway {
    pub control: Control,
    pub cores: Vec<Core>,
    pub now: Nanos,
    /// What the last round asked of the outside.
    pub effects: Effects,
}

impl Gateway {
    /// A gateway that has started.
    pub fn new(yaml: &str) -> Self {
        let model = model(yaml);
        let facts = facts(&model);
        let cores = model.workers.cores.len();
        let control = Control::new(model, facts);
        let core = |_| {
            let mut fdb = Fdb::with_room(10_000);
            control.entries().for_each(|(key, entry)| fdb.insert(key, entry).expect("there is room"));
            Core { tables: *control.tables(), fdb, neighbours: Neighbours::default() }
        };
        let cores = (0..cores).map(core).collect();
        let mut gateway = Self { control, cores, now: SECOND, effects: Effects::default() };
        gateway.round();
        gateway
    }

    /// Settles, and every core hears everything.
    pub fn round(&mut self) {
        self.effects = self.control.settle(self.now);
        for core in 0..self.cores.len() {
            while let Some(update) = self.control.next(core) {
                self.cores[core].apply(update);
            }
        }
    }

    /// A round of one event.
    pub fn event(&mut self, event: Event) {
        self.control.handle(event, self.now);
        self.round();
    }

    /// A core sees a MAC where it does not expect it: installs it and says so, unless learning is closed there.
    pub fn see(&mut self, core: usize, key: FdbKey, at: EndpointId) {
        if let Some(report) = self.cores[core].learn(key, at) {
            self.event(Event::Report { core, report });
        }
    }

    /// A core uses a learned MAC as a source in a new age epoch.
    pub fn use_again(&mut self, core: usize, key: FdbKey) {
        self.event(Event::Report { core, report: Report::Seen(key) });
    }

    /// Time passes, with ten ticks a second.
    pub fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds * 10 {
            self.now += SECOND / 10;
            self.event(Event::Tick);
        }
    }

    /// Another configuration.
    pub fn reload(&mut self, yaml: &str) {
        self.control.reload(model(yaml), self.now).expect("no restart is needed");
        self.round();
    }

    /// Linux says how a VTEP is reached: ports and MACs of its next hops.
    pub fn resolve(&mut self, vtep: &str, hops: &[(u8, Option<Mac>)]) {
        let hop = |&(port, mac)| Hop { port: PortId(port), mac, gateway: None, weight: 1 };
        let resolution = match hops {
            [] => Resolution::NoRoute,
            hops => Resolution::Hops(hops.iter().map(hop).collect()),
        };
        self.event(Event::NextHops(vec![(address(vtep), resolution)]));
    }

    /// What every core has for a MAC; they must agree.
    pub fn agreed(&self, key: FdbKey) -> Option<(EndpointId, Origin)> {
        let mut all = self.cores.iter().map(|core| core.find(key));
        let first = all.next().expect("there is a core");
        assert!(all.all(|other| other == first), "the cores disagree on {key:?}");
        first
    }

    /// A segment by name.
    pub fn segment(&self, name: &str) -> SegmentId {
        let index = self.control.model.segments.iter().position(|segment| segment.name == name);
        self.control.plan.segments[index.expect("the segment exists")]
    }

    /// A MAC in a segment.
    pub fn key(&self, segment: &str, number: u32) -> FdbKey {
        FdbKey::new(self.segment(segment), mac(number))
    }

    /// An attachment: port and tag by name.
    pub fn attachment(&self, port: &str, tag: &str) -> EndpointId {
        let ports = &self.control.model.ports;
        let index = ports.iter().position(|candidate| candidate.name == port).expect("the port exists");
        let place = ports[index].attachments.iter().position(|attachment| attachment.tag.to_string() == tag);
        self.control.plan.attachments[index][place.expect("the tag is mapped")]
    }

    /// The endpoint of a VTEP.
    pub fn tunnel(&self, vtep: &str, encap: config::types::Encap) -> Option<EndpointId> {
        self.control.plan.tunnels.get(&TunnelKey { remote: address(vtep), encap, vni: None }).copied()
    }

    /// Next hops of a VXLAN VTEP in a core's tables: port and MAC.
    pub fn hops(&self, core: usize, vtep: &str) -> Vec<(u8, [u8; 6])> {
        let id = self.tunnel(vtep, config::types::Encap::Vxlan).expect("the VTEP is known");
        let Way::Tunnel(tunnel) = &self.cores[core].tables.endpoints[id.index()].way else { panic!("not a tunnel") };
        let hop = |hop: &crate::tables::Template| {
            let mac = hop.header()[..6].try_into().expect("six bytes");
            (hop.port.0, mac)
        };
        tunnel.hops.iter().map(hop).collect()
    }
}

impl Core {
    /// What the data path does with an update.
    pub fn apply(&mut self, update: Update) {
        match update {
            Update::Tables(fitting) => self.tables = *fitting.tables,
            Update::Put(key, entry) => {
                let generation = self.tables.endpoints[entry.endpoint().index()].generation;
                assert_eq!(generation, entry.generation(), "{key:?}: the core has not heard of {entry:?}");
                self.fdb.insert(key, entry).expect("there is room");
            }
            Update::Remove(key) => {
                self.fdb.remove(key);
            }
            Update::Hops(id, hops) => match &mut self.tables.endpoints[id.index()].way {
                Way::Tunnel(tunnel) => tunnel.hops = hops,
                way => panic!("next hops for {way:?}"),
            },
            Update::Neighbours(neighbours) => self.neighbours = *neighbours,
            Update::Bind(segment, address, Some(neighbour)) => {
                assert!(self.neighbours.insert(segment, address, neighbour), "control knows that there is room");
            }
            Update::Bind(segment, address, None) => self.neighbours.remove(segment, address),
            Update::LearnInSegment(id, open) => self.tables.segments[id.index()].learns = open,
            Update::LearnAtEndpoint(id, open) => self.tables.endpoints[id.index()].learns = open,
            Update::Count(_) | Update::Notes(_) | Update::Tap(_) | Update::Untap(_) | Update::Stop => {}
        }
    }

    /// What the data path does with a source.
    pub fn learn(&mut self, key: FdbKey, at: EndpointId) -> Option<Report> {
        let endpoint = &self.tables.endpoints[at.index()];
        let entry = FdbEntry::new(at, endpoint.generation, Origin::Fresh);
        let known = self.fdb.find(key);
        let may = match known {
            Some(old) => old.place() != entry.place() && old.is_learned() && endpoint.learns,
            None => endpoint.learns && self.tables.segments[key.segment().index()].learns,
        };
        may.then(|| {
            self.fdb.insert(key, entry).expect("there is room");
            Report::Learned { key, entry }
        })
    }

    /// What a lookup finds: stale entries are none.
    fn find(&self, key: FdbKey) -> Option<(EndpointId, Origin)> {
        let entry = self.fdb.find(key)?;
        let is_live = self.tables.endpoints[entry.endpoint().index()].generation == entry.generation();
        is_live.then(|| (entry.endpoint(), entry.origin()))
    }
}

/// An address.
pub fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}
