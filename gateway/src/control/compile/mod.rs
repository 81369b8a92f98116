//! From the checked model to what a core reads. Whatever configuration knows already is worked out here, so that the
//! data path only looks up and patches.
//!
//! The cost grows with what is configured: one walk over ports, segments and flood lists.

pub mod access;
mod floods;
pub mod hops;
mod ports;
mod segments;
mod strangers;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use config::types::{Flood, Mac, Model, Remote, StaticMac};

use self::floods::Floods;
use self::hops::Underlay;
pub use self::segments::Remotes;
use super::hash::{QuickMap, Seeded};
use super::ids::{EndpointKey, Ids, SegmentKey};
use super::layout::{EndpointRules, Layout, SegmentRules};
use crate::frame::PortId;
use crate::tables::tunnels::Terminus;
use crate::tables::{Endpoint, EndpointId, FdbKey, Place, Segment, SegmentId, Tables, Tunnel, TunnelKey, Way};

/// What opening a port told: the part of its table that the configuration does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortFacts {
    /// The device's MAC.
    pub mac: Mac,
    /// Largest payload in bytes that the device was set to.
    pub mtu: u16,
    /// The device fills in the outer IPv4 header checksum.
    pub tx_ip_checksum: bool,
    /// The device inserts the VLAN tag.
    pub tx_vlan: bool,
}

/// The numbers of everything, kept from one compilation to the next.
#[derive(Debug)]
pub struct Naming {
    /// Segments. They have no generation, so their numbers come back only after all others were used.
    pub segments: Ids<SegmentKey>,
    /// Endpoints; number 0 is none.
    pub endpoints: Ids<EndpointKey>,
    /// Rules of access lists, for their counts.
    pub rules: access::Serials,
}

impl Default for Naming {
    fn default() -> Self {
        Self { segments: Ids::new(0, 1 << 16), endpoints: Ids::new(1, 0), rules: access::Serials::default() }
    }
}

/// What a compilation makes.
#[derive(Debug)]
pub struct Plan {
    /// For the cores: a copy each. Limits that are reached are not in it.
    pub tables: Tables,
    /// For the authority on MACs, which takes it.
    pub layout: Layout,
    /// Number of each of the model's segments.
    pub segments: Vec<SegmentId>,
    /// The model's index of each segment by number.
    pub indices: Vec<Option<usize>>,
    /// Number of each of the model's attachments, by port.
    pub attachments: Vec<Vec<EndpointId>>,
    /// The tunnels to remote VTEPs, those that nobody listed included.
    pub tunnels: QuickMap<TunnelKey, EndpointId>,
    /// Those of them with a number of their own.
    pub keyed: Vec<TunnelKey>,
    /// Those of them that nobody listed.
    pub strangers: BTreeSet<TunnelKey>,
    /// VTEP addresses whose next hops the kernel is to be asked for.
    pub next_hops: BTreeSet<IpAddr>,
    /// Underlay groups to be joined, by port (CONFORMANCE BUM7, BUM8: each once, however many segments share it).
    pub groups: BTreeSet<(PortId, IpAddr)>,
}

/// Compiles a model. `remotes` are those of the file's static MACs; `strangers` are VTEPs that nobody listed but that may
/// send (accept: any).
pub fn compile<'a>(
    underlay: &Underlay<'_>,
    remotes: &Remotes,
    strangers: impl Iterator<Item = &'a TunnelKey>,
    naming: &mut Naming,
) -> Plan {
    let model = underlay.model;
    naming.segments.begin();
    naming.endpoints.begin();
    let segments =
        model.segments.iter().map(|s| SegmentId(naming.segments.name(&SegmentKey::of(s)).0 as u16)).collect();
    let mut plan = Plan {
        tables: Tables::default(),
        layout: Layout::default(),
        segments,
        indices: Vec::new(),
        attachments: Vec::new(),
        tunnels: QuickMap::default(),
        keyed: Vec::new(),
        strangers: BTreeSet::new(),
        next_hops: BTreeSet::new(),
        groups: BTreeSet::new(),
    };
    // Tunnels get the low numbers: member sets are bits by number.
    for (index, segment) in model.segments.iter().enumerate() {
        if let Flood::Vteps(listed) = &segment.flood {
            listed.iter().for_each(|&remote| plan.tunnel(underlay, naming, key(remote)));
        }
        for remote in remotes.of_segment(index, segment) {
            plan.tunnel(underlay, naming, key(remote));
        }
    }
    for &stranger in strangers {
        if !plan.tunnels.contains_key(&stranger) {
            plan.strangers.insert(stranger);
            plan.tunnel(underlay, naming, stranger);
        }
    }
    let groups: Vec<_> = model.segments.iter().map(|segment| plan.group(underlay, naming, segment)).collect();
    ports::compile(&mut plan, underlay, naming);
    plan.segments(model, remotes, naming, &groups);
    ports::bind(&mut plan, underlay);
    plan.tables.underlay = terminus(model, &plan.groups);
    plan.tables.rules = access::compile(model, &mut naming.rules);
    plan.tables.endpoints.resize_with(naming.endpoints.len(), Endpoint::default);
    plan.layout.endpoints.resize(naming.endpoints.len(), None);
    plan.layout.ports = model.ports.iter().map(|port| port.mac_limit).collect();
    naming.segments.sweep();
    naming.endpoints.sweep();
    plan.outdate_vacant(naming);
    plan
}

/// The name of a tunnel.
pub fn key(remote: Remote) -> TunnelKey {
    TunnelKey { remote: remote.address, encap: remote.encap, vni: remote.vni }
}

impl Plan {
    fn tunnel(&mut self, underlay: &Underlay<'_>, naming: &mut Naming, key: TunnelKey) {
        if self.tunnels.contains_key(&key) {
            return;
        }
        let hops = underlay.hops(key);
        let (endpoint, _) = self.endpoint(naming, EndpointKey::Tunnel(key), Rest { speaks: true, ..Rest::default() });
        self.tables.endpoints[endpoint.index()].way =
            Way::Tunnel(Box::new(Tunnel { remote: key.remote, encap: key.encap, vni: key.vni, hops }));
        match key.vni {
            None => self.tables.sources.insert(key, endpoint),
            Some(_) => self.keyed.push(key),
        }
        self.tunnels.insert(key, endpoint);
        if underlay.asks_for(key.remote) {
            self.next_hops.insert(key.remote);
        }
    }

    /// Gives numbers that are not in use the generation of their next use: until a core has heard that their MACs are gone,
    /// it takes those for unknown and floods.
    fn outdate_vacant(&mut self, naming: &Naming) {
        for (number, endpoint) in (0..).zip(&mut self.tables.endpoints) {
            if matches!(endpoint.way, Way::Vacant) {
                endpoint.generation = naming.endpoints.next_generation(number);
            }
        }
    }

    /// The endpoint of a segment's multicast group, if it floods to one.
    fn group(
        &mut self,
        underlay: &Underlay<'_>,
        naming: &mut Naming,
        segment: &config::types::Segment,
    ) -> Option<EndpointId> {
        let Flood::Group { group, port } = segment.flood else { return None };
        let (key, port) = (TunnelKey { remote: group, encap: segment.encap, vni: None }, PortId(port as u8));
        let (endpoint, new) = self.endpoint(naming, EndpointKey::Group(key, port), Rest::default());
        if new {
            let hops = underlay.group_hop(key, port).into_iter().collect();
            self.tables.endpoints[endpoint.index()].way =
                Way::Tunnel(Box::new(Tunnel { remote: group, encap: segment.encap, vni: None, hops }));
            self.groups.insert((port, group));
        }
        Some(endpoint)
    }

    /// Names an endpoint and makes room for it; true when it is new in this plan.
    fn endpoint(&mut self, naming: &mut Naming, key: EndpointKey, rest: Rest) -> (EndpointId, bool) {
        let (number, generation) = naming.endpoints.name(&key);
        let index = number as usize;
        if self.tables.endpoints.len() <= index {
            self.tables.endpoints.resize_with(index + 1, Endpoint::default);
            self.layout.endpoints.resize(index + 1, None);
        }
        let Rest { port, segment, limit, speaks } = rest;
        self.tables.endpoints[index].generation = generation;
        self.tables.endpoints[index].learns = speaks;
        let new = self.layout.endpoints[index].is_none();
        self.layout.endpoints[index] = Some(EndpointRules { generation, port, segment, limit, speaks });
        (EndpointId(number), new)
    }

    fn segments(&mut self, model: &Model, remotes: &Remotes, naming: &Naming, groups: &[Option<EndpointId>]) {
        let ages = segments::Ages::of(model);
        let mut floods = Floods::new(self, model);
        self.tables.segments.resize(naming.segments.len(), Segment::default());
        self.layout.segments.resize(naming.segments.len(), None);
        self.indices.resize(naming.segments.len(), None);
        for (index, segment) in model.segments.iter().enumerate() {
            let id = self.segments[index];
            let (flood, members) = floods.of(&self.tunnels, (index, segment), remotes, groups[index]);
            let rules = SegmentRules {
                learning: segment.learning.enabled,
                tunnels: segment.learning.tunnels,
                limit: segment.learning.limit,
                ageing: segment.learning.ageing.map(|ageing| ageing.as_nanos() as u64),
            };
            self.tables.segments[id.index()] = segments::compile(segment, flood, members, ages.class(rules.epoch()));
            self.layout.segments[id.index()] = Some(rules);
            self.indices[id.index()] = Some(index);
            for (encap, vni) in segments::numbers(segment) {
                self.tables.vnis.insert(encap, vni.value(), id);
            }
            self.keys(segment, id);
        }
        self.tables.floods = floods.finish();
        self.tables.ages = ages.finish();
    }

    /// VTEPs with a number of their own for a segment: what they send with it, or with the segment's, is the segment's.
    fn keys(&mut self, segment: &config::types::Segment, id: SegmentId) {
        let flood = if let Flood::Vteps(remotes) = &segment.flood { &remotes[..] } else { &[] };
        for &remote in flood.iter().chain(&segment.known) {
            let Some(own) = remote.vni else { continue };
            let endpoint = self.tunnels[&key(remote)];
            let numbers = segments::numbers(segment).filter(|(encap, _)| *encap == remote.encap);
            self.tables.keyed.insert((remote.encap, own.value(), remote.address), (id, endpoint));
            for (encap, vni) in numbers {
                self.tables.keyed.insert_too((encap, vni.value(), remote.address), (id, endpoint));
            }
        }
    }

    /// The operator's MACs, by the numbers of this plan.
    pub fn statics(&self, model: &Model) -> QuickMap<FdbKey, Place> {
        let count = model.segments.iter().map(|segment| segment.statics.len()).sum();
        let mut statics = QuickMap::with_capacity_and_hasher(count, Seeded::default());
        for (segment, &id) in model.segments.iter().zip(&self.segments) {
            let placed = segment.statics.iter().filter_map(|entry| Some((entry.mac, self.static_endpoint(entry)?)));
            statics.extend(placed.map(|(mac, endpoint)| (FdbKey::new(id, mac.0), self.place(endpoint))));
        }
        statics
    }

    fn static_endpoint(&self, entry: &StaticMac) -> Option<EndpointId> {
        match entry.place {
            config::types::Place::Vtep(remote) => self.tunnels.get(&key(remote)).copied(),
            config::types::Place::Port { port, attachment } => self.attachments.get(port)?.get(attachment).copied(),
        }
    }

    /// An endpoint with its present generation.
    pub fn place(&self, endpoint: EndpointId) -> Place {
        Place::new(endpoint, self.tables.endpoints[endpoint.index()].generation)
    }
}

/// What the rules of an endpoint say besides its generation.
#[derive(Default)]
struct Rest {
    port: Option<PortId>,
    segment: Option<SegmentId>,
    limit: Option<u32>,
    speaks: bool,
}

fn terminus(model: &Model, groups: &BTreeSet<(PortId, IpAddr)>) -> Terminus {
    let joined: BTreeSet<IpAddr> = groups.iter().map(|&(_, group)| group).collect();
    let (first, last) = model.vtep.source_ports;
    Terminus {
        source_v4: model.vtep.source_v4.unwrap_or(Ipv4Addr::UNSPECIFIED),
        source_v6: model.vtep.source_v6.unwrap_or(Ipv6Addr::UNSPECIFIED),
        groups: joined.into_iter().collect(),
        vxlan_port: model.vtep.vxlan_port,
        geneve_port: model.vtep.geneve_port,
        entropy_first: first,
        entropy_count: u32::from(last.saturating_sub(first)) + 1,
    }
}

#[cfg(test)]
mod tests;
