//! What `show drops --last`, `vteps`, `links`, `next-hops`, `health` and `version` print besides their counts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Drops of one segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VniDrops {
    /// Name of the segment.
    pub vni: String,
    /// Frames.
    pub frames: u64,
}

/// Drops of what one VTEP sent, or was to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VtepDrops {
    /// Its address.
    pub vtep: String,
    /// Frames.
    pub frames: u64,
}

/// A dropped frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LostView {
    /// Milliseconds since it was dropped.
    pub age_ms: u64,
    /// The kernel's CPU number of the worker.
    pub core: u16,
    /// Name of the port that it came in at, or was to leave through.
    pub port: String,
    /// Name of the segment, where that was known.
    pub vni: Option<String>,
    /// Where it came from: `srv1 vlan 10`, `10.0.0.12 vxlan`.
    pub from: Option<String>,
    /// Where it was on the way to.
    pub to: Option<String>,
    /// Bytes of the whole frame.
    pub length: u64,
    /// Its headers in words.
    pub headers: String,
    /// Its first 128 bytes as hexadecimal digits, as they were when it was dropped: outer headers may be off already.
    pub hex: String,
}

/// What a VTEP sends, seen in a sample of its packets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PeerView {
    /// Packets looked at: under load one of a thousand.
    pub sampled: u64,
    /// Lowest UDP source port seen.
    pub lowest_source_port: u16,
    /// Highest UDP source port seen.
    pub highest_source_port: u16,
    /// UDP checksums: `zero`, `computed`, or `both`.
    pub checksums: String,
    /// Bits that the tunnel header reserves were set in so many.
    pub reserved_bits: u64,
}

/// One line of `show links`: a port's device.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct DeviceView {
    /// The operator's name of the port.
    pub port: String,
    /// PCI address or vdev string.
    pub device: String,
    /// DPDK's driver.
    pub driver: String,
    /// MAC of the device.
    pub mac: String,
    /// There is a carrier.
    pub up: bool,
    /// Megabits per second; `null` when the device does not know.
    pub speed_mbps: Option<u32>,
    /// Both directions at once.
    pub full_duplex: bool,
    /// Largest payload in bytes.
    pub mtu: u16,
    /// NUMA node; `null` when the machine does not say.
    pub numa_node: Option<u16>,
    /// Receive queues.
    pub rx_queues: u16,
    /// Transmit queues.
    pub tx_queues: u16,
    /// What the device does for us: `rx-ip-checksum`, `rx-udp-checksum`, `rx-vlan`, `rss-hash`, `scatter`, `tx-ip-checksum`,
    /// `tx-vlan`, `multi-segment`.
    pub offloads: Vec<String>,
    /// Frames lost because the receive queues were full, by the device's own count.
    pub rx_missed: u64,
    /// Frames received with errors.
    pub rx_errors: u64,
    /// Frames lost because the pool was empty.
    pub rx_no_buffer: u64,
    /// Frames that the device could not transmit.
    pub tx_errors: u64,
}

/// One line of `show next-hops`: a neighbour in the underlay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HopView {
    /// Port that packets leave through.
    pub port: String,
    /// Its address: a router's, or the VTEP's own on the same link; `null` for a static next hop.
    pub address: Option<String>,
    /// Its MAC; `null` while it is being resolved.
    pub mac: Option<String>,
    /// `static`, `resolved` or `resolving`.
    pub state: String,
    /// VTEPs behind it: the first 64.
    pub vteps: Vec<String>,
    /// How many they are.
    pub vtep_count: u64,
}

/// What `show health` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HealthView {
    /// `ready` or `degraded`.
    pub state: String,
    /// Why it is degraded.
    pub problems: Vec<ProblemView>,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProblemView {
    /// `link`, `twin`, `vtep`, `worker`, `controller`, `metrics`, `state`, `configuration`,
    /// `fdb`, `vni` or `mac`.
    pub subject: String,
    /// Its name.
    pub name: String,
    /// What is wrong, in a sentence.
    pub problem: String,
    /// What to do.
    pub cure: String,
}

/// What `show version` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionView {
    /// Causeway's version.
    pub version: String,
    /// DPDK's version; `null` in a build without.
    pub dpdk: Option<String>,
    /// Process number of the gateway.
    pub pid: u32,
    /// Seconds since it was started.
    pub uptime: u64,
    /// Its configuration file.
    pub config: String,
    /// The kernel's CPU numbers of its workers.
    pub cores: Vec<u16>,
}
