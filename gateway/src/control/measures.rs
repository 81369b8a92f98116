//! Everything that is measured, at one moment, for who exports it: metrics over HTTP, DPDK's telemetry socket.
//!
//! Gathering this must not keep control busy, so only as many subjects of each kind are looked at as are asked for, and
//! the numbers are put into words elsewhere.

mod gather;

use super::view::{ControllerView, LinkView, TallyView};
use crate::costs::Costs;
use crate::driver::BURST;
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
    /// Rules of access lists.
    pub rules: Vec<RuleMeasure>,
    /// Neighbours in the underlay: every state.
    pub next_hops: Vec<HopMeasure>,
    /// Controllers. Filled in by who follows them.
    pub controllers: Vec<ControllerView>,
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
    /// Addresses in segments whose MAC is known.
    pub neighbours: u64,
    /// Those that cores answer for.
    pub neighbours_answered: u64,
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
    /// Requests that came in and went back as their answers.
    pub answered: u64,
    /// ICMP errors made for senders here.
    pub told: u64,
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

/// A rule of an access list.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RuleMeasure {
    /// The list's name.
    pub list: String,
    /// Its number in the list, from 1.
    pub number: u64,
    /// What it says of the frames that it matches.
    pub permit: bool,
    /// Frames that it decided on.
    pub hits: u64,
}

impl RuleMeasure {
    /// `permit` or `deny`.
    pub fn action(&self) -> &'static str {
        if self.permit { "permit" } else { "deny" }
    }
}

/// Neighbours in the underlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HopMeasure {
    /// `resolved`, `resolving` or `static`.
    pub state: &'static str,
    /// How many.
    pub count: u64,
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
    /// `port`, `vlan`, `vni`, `vtep` or `rule`.
    pub kind: &'static str,
    /// How many.
    pub count: u64,
}
