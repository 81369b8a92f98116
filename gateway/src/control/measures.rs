//! Everything that is measured, at one moment, for who exports it: metrics over HTTP, DPDK's telemetry socket.
//!
//! Gathering this must not keep control busy, so only as many subjects of each kind are looked at as are asked for, and
//! the numbers are put into words elsewhere.

use std::collections::HashSet;

use super::Control;
use super::ids::EndpointKey;
use super::journal::Owner;
use super::view::{LinkView, TallyView};
use crate::costs::Costs;
use crate::counters::{Counters, PortCounters};
use crate::driver::BURST;
use crate::frame::PortId;
use crate::tables::{EndpointId, Way};
use crate::verdict::DropReason;

/// All of it.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Measures {
    /// What there is one of.
    pub gateway: GatewayMeasure,
    /// Dropped frames, all ports: every reason.
    pub drops: Vec<DropMeasure>,
    /// Ports.
    pub ports: Vec<PortMeasure>,
    /// Dropped frames by port: every reason for every port.
    pub port_drops: Vec<DropMeasure>,
    /// VLANs of ports.
    pub vlans: Vec<VlanMeasure>,
    /// Segments.
    pub vnis: Vec<VniMeasure>,
    /// Dropped frames by segment, as far as it was known: those that occurred.
    pub vni_drops: Vec<DropMeasure>,
    /// Remote tunnel ends.
    pub vteps: Vec<VtepMeasure>,
    /// Dropped frames by VTEP, as far as it was known: those that occurred.
    pub vtep_drops: Vec<DropMeasure>,
    /// Worker cores.
    pub workers: Vec<WorkerMeasure>,
    /// Subjects that are more than were asked for.
    pub left_out: Vec<LeftOut>,
}

/// What there is one of.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct GatewayMeasure {
    /// The program's version. Filled in by who runs it.
    pub version: String,
    /// When it started, in seconds since 1970. Filled in by who runs it.
    pub started: f64,
    /// MACs known, all origins.
    pub macs: u64,
    /// MACs that a core's table is made for.
    pub mac_room: u64,
    /// VTEPs that nobody listed.
    pub learned_vteps: u64,
    /// Packet buffers in use, all pools. Filled in by the devices' owner.
    pub buffers_in_use: Option<u64>,
    /// Packet buffers, all pools.
    pub buffers: u64,
    /// Cycles of the time stamp counter in a second. Filled in by who runs it.
    pub hertz: Option<u64>,
    /// Dropped frames that are missing in those by VNI and VTEP, because a core's notebook was full.
    pub unplaced: u64,
}

/// Dropped frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropMeasure {
    /// Whose: a port, a segment, a VTEP; empty for all.
    pub whose: String,
    /// Why.
    pub reason: DropReason,
    /// How many.
    pub frames: u64,
}

/// A port.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct PortMeasure {
    /// Its name.
    pub name: String,
    /// PCI address or vdev string.
    pub device: String,
    /// MAC of the device.
    pub mac: String,
    /// Largest payload in bytes.
    pub mtu: u64,
    /// MACs known behind it.
    pub macs: u64,
    /// Received from the device.
    pub rx: TallyView,
    /// Taken by the device.
    pub tx: TallyView,
    /// Given to the Linux twin.
    pub to_host: TallyView,
    /// Sent for the Linux twin.
    pub from_host: TallyView,
    /// Its link. Filled in by the devices' owner.
    pub link: Option<LinkView>,
    /// What the device lost. Filled in by the devices' owner.
    pub device_losses: Option<DeviceLosses>,
}

/// Frames that a device lost, so that the gateway never had them or could not get rid of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct DeviceLosses {
    /// Because its receive queues were full: the workers are too slow.
    pub missed: u64,
    /// Because they were damaged.
    pub errors: u64,
    /// Because the pool was empty.
    pub no_buffer: u64,
    /// Not transmitted.
    pub tx_errors: u64,
}

/// A VLAN of a port, bound to a segment.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct VlanMeasure {
    /// The port's name.
    pub port: String,
    /// `10`, `untagged`, or `300.7`.
    pub vlan: String,
    /// Name of the segment.
    pub vni: String,
    /// MACs known here.
    pub macs: u64,
    /// Frames that came in.
    pub rx: TallyView,
    /// Frames that left.
    pub tx: TallyView,
}

/// A segment.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct VniMeasure {
    /// Its name.
    pub name: String,
    /// Known MACs, all origins.
    pub macs: u64,
    /// Learned MACs.
    pub learned: u64,
    /// Most learned MACs.
    pub limit: u64,
    /// Frames that came in.
    pub rx: TallyView,
    /// Frames that went out, copies counted each.
    pub tx: TallyView,
}

/// A remote tunnel end, or an underlay multicast group.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct VtepMeasure {
    /// Its address.
    pub vtep: String,
    /// `vxlan` or `geneve`.
    pub encap: String,
    /// Packets reach it, as far as Linux knows.
    pub up: bool,
    /// MACs known behind it.
    pub macs: u64,
    /// Frames that came from it.
    pub rx: TallyView,
    /// Frames that went to it (inner bytes).
    pub tx: TallyView,
}

/// A worker.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerMeasure {
    /// The kernel's CPU number.
    pub core: u16,
    /// Updates that wait for room in the ring to it.
    pub backlog: u64,
    /// Turns of its loop.
    pub turns: u64,
    /// Those that found work.
    pub busy_turns: u64,
    /// Bursts by number of frames.
    pub bursts: [u64; BURST + 1],
    /// Flood copies.
    pub replicated: u64,
    /// Frames handed to the worker that has the transmit queue.
    pub handed_over: u64,
    /// Frames taken from others.
    pub taken_over: u64,
    /// MACs learned and moved.
    pub learned: u64,
    /// Reports that found their ring full.
    pub unreported: u64,
    /// Frames received.
    pub rx: u64,
    /// Frames transmitted.
    pub tx: u64,
    /// What its work costs.
    pub costs: Costs,
}

/// Subjects of a kind that are more than were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// `port`, `vlan`, `vni` or `vtep`.
    pub kind: &'static str,
    /// How many.
    pub count: u64,
}

impl Control {
    /// The state of everything when cores counted last ([`super::Event::Count`]): of each kind the first `limit`.
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
            workers: (0..self.cores.len()).map(|index| self.measure_worker(index)).collect(),
            left_out: [
                left_out("port", self.model.ports.len()),
                left_out("vlan", all_vlans),
                left_out("vni", self.model.segments.len()),
                left_out("vtep", all_vteps),
            ]
            .into(),
        }
    }

    fn measure_gateway(&self) -> GatewayMeasure {
        GatewayMeasure {
            macs: self.fdb.len() as u64,
            mac_room: self.model.fdb_size.into(),
            learned_vteps: self.strangers.iter().count() as u64,
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
        for group in all.chunk_by(|a, b| a.0 == b.0) {
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
    pub(super) fn backlog(&self, index: usize) -> u64 {
        self.news.waiting(index) as u64 + u64::from(self.cores[index].version != self.version)
    }
}
