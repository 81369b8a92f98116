//! Gathering the measures.

use std::collections::HashSet;

use super::{
    DropMeasure, GatewayMeasure, HopMeasure, LeftOut, Measures, PortMeasure, VlanMeasure, VniMeasure, VtepMeasure,
    WorkerMeasure,
};
use crate::control::Control;
use crate::control::ids::EndpointKey;
use crate::control::journal::Owner;
use crate::counters::{Counters, PortCounters};
use crate::frame::PortId;
use crate::tables::{EndpointId, Way};
use crate::verdict::DropReason;

impl Control {
    /// The state of everything when cores counted last ([`crate::control::Event::Count`]): of each kind the first `limit`.
    pub fn measure(&self, limit: usize) -> Measures {
        let counters = self.counters();
        let (vnis, vni_drops) = (self.measure_vnis(&counters, limit), self.measure_owned(limit, true));
        let (vteps, all_vteps) = self.measure_vteps(&counters, limit);
        let ports = self.model.ports.iter().enumerate().take(limit);
        let all_vlans: usize = self.model.ports.iter().map(|port| port.attachments.len()).sum();
        let drop = |whose: &str, reason, frames| DropMeasure { whose: whose.into(), reason, frames };
        let of_port = |(name, port): (&str, &PortCounters)| {
            let all = DropReason::ALL.iter();
            all.map(|&reason| drop(name, reason, port.drops[reason as usize])).collect::<Vec<_>>()
        };
        let names = self.model.ports.iter().map(|port| port.name.as_str());
        let left_out = |kind, all: usize| LeftOut { kind, count: all.saturating_sub(limit) as u64 };
        Measures {
            gateway: self.measure_gateway(),
            drops: DropReason::ALL.iter().map(|&reason| drop("", reason, counters.dropped(reason))).collect(),
            port_drops: names.zip(&counters.ports).take(limit).flat_map(of_port).collect(),
            ports: ports.map(|(index, port)| self.measure_port(PortId(index as u8), port, &counters)).collect(),
            vlans: self.measure_vlans(&counters, limit),
            vnis,
            vni_drops,
            vteps,
            vtep_drops: self.measure_owned(limit, false),
            rules: self.measure_rules(&counters).take(limit).collect(),
            next_hops: self.measure_next_hops(),
            controllers: Vec::new(),
            workers: (0..self.cores.len()).map(|index| self.measure_worker(index)).collect(),
            left_out: [
                left_out("port", self.model.ports.len()),
                left_out("vlan", all_vlans),
                left_out("vni", self.model.segments.len()),
                left_out("vtep", all_vteps),
                left_out("rule", self.model.access_lists.iter().map(|list| list.rules.len()).sum()),
            ]
            .into(),
        }
    }

    fn measure_gateway(&self) -> GatewayMeasure {
        GatewayMeasure {
            macs: self.fdb.len() as u64,
            mac_room: self.model.fdb_size.into(),
            learned_vteps: self.strangers.iter().count() as u64,
            neighbours: self.bindings.known_addresses() as u64,
            neighbours_answered: self.bindings.answered_addresses() as u64,
            buffers: u64::from(self.model.memory.buffers) * self.cores.len() as u64,
            unplaced: self.journal.unplaced,
            ..GatewayMeasure::default()
        }
    }

    fn measure_port(&self, id: PortId, port: &config::types::Port, counters: &Counters) -> PortMeasure {
        let counted = &counters.ports[id.index()];
        PortMeasure {
            name: port.name.clone(),
            device: port.device.clone(),
            mac: self.facts[id.index()].mac.to_string(),
            mtu: self.plan.tables.ports[id.index()].mtu.into(),
            macs: self.fdb.limits().at_port(id).into(),
            rx: counted.rx.into(),
            tx: counted.tx.into(),
            to_host: counted.to_host.into(),
            from_host: counted.from_host.into(),
            answered: counted.answered,
            told: counted.told,
            link: None,
            device_losses: None,
        }
    }

    fn measure_vlans(&self, counters: &Counters, limit: usize) -> Vec<VlanMeasure> {
        let of_ports = self.model.ports.iter().zip(&self.plan.attachments);
        let all = of_ports.flat_map(|(port, ids)| port.attachments.iter().zip(ids).map(move |one| (port, one)));
        all.take(limit)
            .map(|(port, (attachment, &id))| VlanMeasure {
                port: port.name.clone(),
                vlan: attachment.tag.to_string(),
                vni: self.model.segments[attachment.segment].name.clone(),
                macs: self.fdb.limits().at_endpoint(id).into(),
                rx: counters.endpoints[id.index()].rx.into(),
                tx: counters.endpoints[id.index()].tx.into(),
            })
            .collect()
    }

    fn measure_vnis(&self, counters: &Counters, limit: usize) -> Vec<VniMeasure> {
        let segments = self.model.segments.iter().zip(&self.plan.segments).take(limit);
        segments
            .map(|(segment, &id)| {
                let (macs, learned) = self.fdb.limits().in_segment(id);
                VniMeasure {
                    name: segment.name.clone(),
                    macs: macs.into(),
                    learned: learned.into(),
                    limit: segment.learning.limit.into(),
                    rx: counters.segments[id.index()].rx.into(),
                    tx: counters.segments[id.index()].tx.into(),
                }
            })
            .collect()
    }

    /// The first VTEPs, and how many there are. A group on several ports is one.
    fn measure_vteps(&self, counters: &Counters, limit: usize) -> (Vec<VtepMeasure>, usize) {
        let mut all = Vec::new();
        for (number, endpoint) in self.plan.tables.endpoints.iter().enumerate() {
            let Way::Tunnel(tunnel) = &endpoint.way else { continue };
            let id = EndpointId(number as u32);
            let key = match self.naming.endpoints.key(id.0) {
                Some(EndpointKey::Tunnel(key) | EndpointKey::Group(key, _)) => *key,
                _ => continue,
            };
            all.push((key, id, !tunnel.hops.is_empty()));
        }
        all.sort_unstable_by_key(|(key, id, _)| (key.remote, key.encap, id.0));
        let mut vteps: Vec<VtepMeasure> = Vec::new();
        let mut count = 0;
        // A VTEP with VNIs of its own is still one VTEP.
        for group in all.chunk_by(|(a, ..), (b, ..)| (a.remote, a.encap) == (b.remote, b.encap)) {
            count += 1;
            if count > limit {
                continue;
            }
            let (key, ..) = group[0];
            let mut vtep =
                VtepMeasure { vtep: key.remote.to_string(), encap: key.encap.to_string(), ..VtepMeasure::default() };
            for &(_, id, up) in group {
                let flow = counters.endpoints[id.index()];
                vtep.up |= up;
                vtep.macs += u64::from(self.fdb.limits().at_endpoint(id));
                vtep.rx.frames += flow.rx.frames;
                vtep.rx.bytes += flow.rx.bytes;
                vtep.tx.frames += flow.tx.frames;
                vtep.tx.bytes += flow.tx.bytes;
            }
            vteps.push(vtep);
        }
        (vteps, count)
    }

    /// Drops by segment or by VTEP, of at most `limit` of them, in order.
    fn measure_owned(&self, limit: usize, segments: bool) -> Vec<DropMeasure> {
        let first: HashSet<_> = self.model.segments.iter().take(limit).map(|segment| &segment.name).collect();
        let is_meant = |owner: &Owner| match owner {
            Owner::Vni(name) => segments && first.contains(name),
            Owner::Vtep(_) => !segments,
        };
        let mut drops: Vec<_> = self.journal.drops().filter(|(owner, ..)| is_meant(owner)).collect();
        drops.sort_unstable();
        let owned = drops.chunk_by(|a, b| a.0 == b.0).take(limit).flatten();
        owned
            .map(|&(owner, reason, frames)| DropMeasure {
                whose: match owner {
                    Owner::Vni(name) => name.clone(),
                    Owner::Vtep(address) => address.to_string(),
                },
                reason,
                frames,
            })
            .collect()
    }

    /// Neighbours in the underlay, by the state of their MACs.
    fn measure_next_hops(&self) -> Vec<HopMeasure> {
        let mut hops = HashSet::new();
        self.each_next_hop(|_, hop| _ = hops.insert(hop));
        let count = |state| hops.iter().filter(|hop| hop.state() == state).count() as u64;
        ["resolved", "resolving", "static"].map(|state| HopMeasure { state, count: count(state) }).into()
    }

    fn measure_worker(&self, index: usize) -> WorkerMeasure {
        let core = &self.cores[index];
        let counters = &*core.counters;
        WorkerMeasure {
            core: core.cpu,
            backlog: self.backlog(index),
            turns: counters.turns,
            busy_turns: counters.busy_turns,
            bursts: counters.bursts,
            replicated: counters.replicated,
            handed_over: counters.handed_over,
            taken_over: counters.taken_over,
            learned: counters.learned,
            unreported: counters.unreported,
            rx: counters.ports.iter().map(|port| port.rx.frames).sum(),
            tx: counters.ports.iter().map(|port| port.tx.frames).sum(),
            costs: counters.costs,
        }
    }

    /// Updates that wait for room in the ring to a core.
    pub(in crate::control) fn backlog(&self, index: usize) -> u64 {
        self.news.waiting(index) as u64 + u64::from(self.cores[index].version != self.version)
    }
}
