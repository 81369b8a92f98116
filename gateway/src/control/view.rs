//! What `causeway show` prints: plain values with stable field names, one type per noun.
//!
//! [`super::Control`] fills them in, JSON carries them over the socket, and the command line draws tables of them. Fields
//! may be added; none is renamed or removed. Absent values are `null`. MACs are `02:00:00:00:00:05`, addresses and
//! numbers as in the configuration.

mod see;
mod watch;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::see::{
    DeviceView, HealthView, HopView, LostView, PeerView, ProblemView, VersionView, VniDrops, VtepDrops,
};
pub use self::watch::{ShotView, TraceHead, TraceLine, TraceStatus};
use crate::counters::Tally;

/// Frames and bytes (Ethernet header included, FCS not).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct TallyView {
    /// Frames.
    pub frames: u64,
    /// Bytes.
    pub bytes: u64,
}

impl From<Tally> for TallyView {
    fn from(tally: Tally) -> Self {
        Self { frames: tally.frames, bytes: tally.bytes }
    }
}

/// One line of `show ports`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortView {
    /// The operator's name.
    pub name: String,
    /// PCI address or vdev string.
    pub device: String,
    /// MAC of the device.
    pub mac: String,
    /// Largest payload in bytes.
    pub mtu: u16,
    /// Link state, where the driver's owner filled it in.
    pub link: Option<LinkView>,
    /// The underlay on this port.
    pub underlay: Option<UnderlayView>,
    /// Tags bound to VNIs.
    pub attachments: Vec<AttachmentView>,
    /// MACs known behind this port's attachments.
    pub macs: u64,
    /// Limit of learned MACs.
    pub mac_limit: Option<u32>,
    /// Received from the device.
    pub rx: TallyView,
    /// Taken by the device.
    pub tx: TallyView,
    /// Given to the Linux twin.
    pub to_host: TallyView,
    /// Sent for the Linux twin.
    pub from_host: TallyView,
    /// Dropped frames, all reasons.
    pub dropped: u64,
    /// Requests that came in here and were answered at once (`neigh_suppress`).
    #[serde(default)]
    pub answered: u64,
    /// ICMP errors made for senders here, whose packets did not fit the underlay (`path_mtu`).
    #[serde(default)]
    pub told: u64,
}

/// State of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinkView {
    /// There is a carrier.
    pub up: bool,
    /// Megabits per second; `None` when the device does not know.
    pub speed_mbps: Option<u32>,
}

/// The underlay on a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnderlayView {
    /// VLAN of the underlay; `None` is untagged.
    pub vlan: Option<u16>,
    /// Name of the Linux twin.
    pub twin: Option<String>,
    /// Addresses with prefix lengths.
    pub addresses: Vec<String>,
    /// Static next hop for every VTEP.
    pub via: Option<String>,
}

/// Tags of a port bound to a VNI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttachmentView {
    /// `10`, `untagged`, or `300.7` (outer.inner).
    pub vlan: String,
    /// Name of the segment.
    pub vni: String,
    /// Frames that came in with these tags.
    pub rx: TallyView,
    /// Frames that left with these tags.
    pub tx: TallyView,
    /// MACs known here.
    pub macs: u64,
    /// False: a limit is reached, no new MACs are learned here.
    pub learning: bool,
}

/// One line of `show vnis`: a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VniView {
    /// The operator's name of the segment.
    pub name: String,
    /// Number on VXLAN tunnels.
    pub vxlan: Option<u32>,
    /// Number on Geneve tunnels.
    pub geneve: Option<u32>,
    /// The controller that it belongs to: `ovsdb` or `evpn`.
    #[serde(default)]
    pub controller: Option<String>,
    /// Local members.
    pub ports: Vec<MemberView>,
    /// VTEPs that broadcast, unknown unicast and multicast are copied to.
    pub flood_vteps: Vec<RemoteView>,
    /// Underlay multicast group in place of copies.
    pub flood_group: Option<String>,
    /// Unknown unicast is flooded.
    pub flood_unknown: bool,
    /// `flood-list` or `any`: which senders are decapsulated.
    pub accept: String,
    /// `off`, `on`, or `full` (the limit is reached).
    pub learning: String,
    /// Seconds until an unused learned MAC is forgotten; `None` never.
    pub ageing: Option<u64>,
    /// Most learned MACs.
    pub limit: u32,
    /// Known MACs, all origins.
    pub macs: u64,
    /// Learned MACs.
    pub learned: u64,
    /// Frames that came in.
    pub rx: TallyView,
    /// Frames that went out, copies counted each.
    pub tx: TallyView,
}

/// A local member of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemberView {
    /// Port name.
    pub port: String,
    /// `10`, `untagged`, or `300.7`.
    pub vlan: String,
}

/// A remote tunnel end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct RemoteView {
    /// Its address.
    pub vtep: String,
    /// `vxlan` or `geneve`.
    pub encap: String,
    /// The VNI that packets to and from it carry, where that is not the segment's own.
    #[serde(default)]
    pub own_vni: Option<u32>,
}

/// One line of `show vteps`: a remote tunnel end, or a multicast group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VtepView {
    /// Its address.
    pub vtep: String,
    /// `vxlan` or `geneve`.
    pub encap: String,
    /// `configured`, `controller`, `learned` (accept: any), or `group`.
    pub origin: String,
    /// The VNI that packets to and from it carry, where that is not the segment's own.
    #[serde(default)]
    pub own_vni: Option<u32>,
    /// `up`, `resolving` (no next hop's MAC is known yet), `no-route`, or `no-source` (vtep.source lacks the family).
    pub state: String,
    /// What `state` means and what to do, for all but `up`.
    pub hint: Option<String>,
    /// Next hops; several share the load.
    pub next_hops: Vec<NextHopView>,
    /// Names of the segments that flood to it or have static MACs behind it: the first 64.
    pub vnis: Vec<String>,
    /// How many those segments are.
    pub vni_count: u64,
    /// MACs known behind it.
    pub macs: u64,
    /// Seconds since a packet of it was last noticed; `null` for never. Exact while it sends alone; among many that send
    /// at full rate it is noticed now and then.
    #[serde(default)]
    pub last_seen: Option<u64>,
    /// What it sends; `null` while nothing was noticed.
    #[serde(default)]
    pub sends: Option<PeerView>,
    /// Frames that came from it.
    pub rx: TallyView,
    /// Frames that went to it (inner bytes).
    pub tx: TallyView,
}

/// A way to a VTEP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NextHopView {
    /// Port that packets leave through.
    pub port: String,
    /// Router on the way; `None` when the VTEP is on the link, and for static next hops.
    pub gateway: Option<String>,
    /// Its MAC; `None` while it is being resolved.
    pub mac: Option<String>,
    /// `static`, `group`, `resolved` or `resolving`.
    pub neighbour: String,
    /// Its share of the traffic among the next hops, 1 and up.
    #[serde(default)]
    pub weight: u16,
}

/// One line of `show fdb`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FdbView {
    /// Name of the segment.
    pub vni: String,
    /// The MAC.
    pub mac: String,
    /// The place as text: `srv1 vlan 10`, `srv1 untagged`, or `10.0.0.12 vxlan`.
    pub place: String,
    /// Port name, for local MACs.
    pub port: Option<String>,
    /// `10`, `untagged`, or `300.7`, for local MACs.
    pub vlan: Option<String>,
    /// Address, for MACs behind a VTEP.
    pub vtep: Option<String>,
    /// `vxlan` or `geneve`, for MACs behind a VTEP.
    pub encap: Option<String>,
    /// The VNI that packets to and from it carry, where that is not the segment's own.
    #[serde(default)]
    pub own_vni: Option<u32>,
    /// `static`, `controller` or `learned`.
    pub origin: String,
    /// Which controller said so: `ovsdb` or `evpn`.
    #[serde(default)]
    pub controller: Option<String>,
    /// The controller is away, and this is what it said last.
    #[serde(default)]
    pub stale: bool,
    /// Seconds since a core last reported its use, for learned MACs (exact to a quarter of the ageing time).
    pub age: Option<u64>,
}

/// One line of `show neighbours`: who has an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NeighbourView {
    /// Name of the segment.
    pub vni: String,
    /// The address.
    pub ip: String,
    /// Who has it.
    pub mac: String,
    /// It routes.
    pub router: bool,
    /// `static` or `controller`.
    pub origin: String,
    /// The segment answers requests for it (`neigh_suppress`).
    pub answered: bool,
}

/// One line of `show rules`: a rule of an access list, in the order of the lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleView {
    /// Name of the access list.
    pub list: String,
    /// Place in the list, from 1.
    pub number: u64,
    /// `permit` or `deny`.
    pub action: String,
    /// What a frame must be like, as in the configuration; empty matches all.
    pub matches: String,
    /// Frames that it decided on, on all cores.
    pub hits: u64,
    /// Where the list applies, like `srv1`, `srv1 vlan 10` or `vni 10010`.
    pub used_by: Vec<String>,
}

/// One line of `show drops`: a reason with a count other than zero (or any, when all are asked for).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DropView {
    /// The reason's label.
    pub reason: String,
    /// What happened.
    pub meaning: String,
    /// What to do.
    pub cure: String,
    /// Frames: all of them, or those of the port, VNI or VTEP that was asked for.
    pub frames: u64,
    /// Frames by port, those with a count only, in the order of the configuration. Where a port, VNI or VTEP was asked for,
    /// this and the next two have that one alone.
    pub ports: Vec<PortDrops>,
    /// Frames by segment, as far as a segment was known, by name.
    #[serde(default)]
    pub vnis: Vec<VniDrops>,
    /// Frames by VTEP that sent them or was to get them, by address.
    #[serde(default)]
    pub vteps: Vec<VtepDrops>,
    /// The frames dropped last, newest first, where they are asked for: a sample when many are dropped.
    #[serde(default)]
    pub last: Vec<LostView>,
}

/// Drops of one port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortDrops {
    /// Port name.
    pub port: String,
    /// Frames.
    pub frames: u64,
}

/// One line of `show workers`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkerView {
    /// The kernel's CPU number.
    pub core: u16,
    /// Turns of the loop.
    pub turns: u64,
    /// Share of turns that found work, 0 to 1.
    pub busy: f64,
    /// Frames received from devices.
    pub rx: TallyView,
    /// Frames taken by devices.
    pub tx: TallyView,
    /// Received bursts with at least one frame.
    pub bursts: u64,
    /// Mean frames of those.
    pub burst_mean: f64,
    /// Half of those bursts had at most so many frames.
    pub burst_p50: u16,
    /// 99 of 100 had at most so many.
    pub burst_p99: u16,
    /// Copies made for floods.
    pub replicated: u64,
    /// Frames handed to the worker that owns a transmit queue.
    pub handed_over: u64,
    /// Frames taken from other workers.
    pub taken_over: u64,
    /// MACs learned and moved.
    pub learned: u64,
    /// Reports that found their ring full (the next frame tries again).
    pub unreported: u64,
    /// Dropped frames, all reasons.
    pub dropped: u64,
    /// Share of the core's cycles that went into turns with work, 0 to 1; `None` where nobody measures.
    #[serde(default)]
    pub load: Option<f64>,
    /// Cycles that went into turns with work (a sample of one turn in 1021, times 1021).
    #[serde(default)]
    pub busy_cycles: u64,
    /// All other cycles since the worker began, sleep included.
    #[serde(default)]
    pub idle_cycles: u64,
    /// What each stage of the pipeline costs, in the order of the path; empty until a burst was timed.
    #[serde(default)]
    pub stages: Vec<StageView>,
    /// Frames of the bursts that were timed.
    #[serde(default)]
    pub sampled_frames: u64,
    /// Timed turns that were interrupted for more than a millisecond and are left out.
    #[serde(default)]
    pub interrupted: u64,
    /// Receive queues that it polls.
    #[serde(default)]
    pub rx_queues: Vec<QueueView>,
    /// Transmit queues of its own.
    #[serde(default)]
    pub tx_queues: Vec<QueueView>,
    /// Updates that wait for room in the ring to this worker.
    pub backlog: u64,
}

/// One line of `show controllers`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ControllerView {
    /// `ovsdb` or `evpn`.
    pub name: String,
    /// Where it is, such as `unix:/run/openvswitch/db.sock` or the namespace of FRR.
    pub target: String,
    /// `connected`, `connecting`, `reading` (the database is being read), or `lost`; EVPN: `waiting` without other VTEPs.
    pub state: String,
    /// Seconds since it is in that state.
    pub since: u64,
    /// What went wrong last, and what to do.
    pub error: Option<String>,
    /// What this gateway is called there.
    pub switch: String,
    /// Seconds since it last changed something here.
    pub last_change: Option<u64>,
    /// It is away, or empty since it came back, and what it said before is in force.
    pub stale: bool,
    /// Seconds until what is stale is forgotten; `None` never.
    pub swept_in: Option<u64>,
    /// What is in force.
    pub applied: AppliedView,
    /// What we published.
    pub published: PublishedView,
    /// Rows that are not followed: the first thousand.
    pub rejected: Vec<RejectedView>,
    /// How many those rows are.
    pub rejected_rows: u64,
    /// Controllers of the database server.
    pub managers: Vec<ManagerView>,
}

/// What a controller has in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppliedView {
    /// Segments.
    pub segments: u64,
    /// Tags of ports.
    pub bindings: u64,
    /// MACs behind other VTEPs.
    pub macs: u64,
    /// Other VTEPs.
    pub vteps: u64,
    /// IP addresses with their MACs.
    pub neighbours: u64,
}

/// What was published to a controller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PublishedView {
    /// Ports.
    pub ports: u64,
    /// MACs on our ports.
    pub macs: u64,
    /// Tunnels.
    pub tunnels: u64,
    /// Transactions that were taken.
    pub transactions: u64,
    /// Transactions that were refused (each is tried again).
    pub refused: u64,
}

/// A row that is not followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RejectedView {
    /// Its table.
    pub table: String,
    /// What tells it from others.
    pub row: String,
    /// Why, and what to do.
    pub reason: String,
}

/// A controller of the database server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ManagerView {
    /// `tcp:10.0.0.5:6640`.
    pub target: String,
    /// It is connected.
    pub connected: bool,
    /// The server's words: state, last error.
    pub status: String,
}

/// What a stage of the pipeline costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StageView {
    /// `rx`, `classify`, `learn`, `lookup`, `forward` or `tx`.
    pub stage: String,
    /// Cycles a frame, the mean of the bursts that were timed.
    pub cycles_per_frame: f64,
    /// Cycles of those bursts.
    pub cycles: u64,
}

/// A queue of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueueView {
    /// The port's name.
    pub port: String,
    /// The queue's number.
    pub queue: u16,
}
