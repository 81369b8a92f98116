//! The shape of the YAML file, key by key.
//!
//! Their doc comments are the reference page and the descriptions in the JSON Schema, so they speak to operators. The
//! checks read the file themselves, for the sake of places and messages; tests hold the two together. Programs that
//! write configurations can fill these and serialise them.

mod access;
mod control;
mod metrics;
mod neighbours;
mod operate;
mod port;
mod segment;

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::defaults;

pub use access::{AccessList, AccessRule, Action, Ethertype, EthertypeWord, Ports, Protocol, ProtocolWord};
pub use neighbours::{Neighbour, PathMtu};

pub use control::{Control, Evpn, FloodFallback, Ovsdb, Tls};
pub use metrics::Metrics;
pub use operate::{Reload, State};
pub use port::{Binding, Descriptors, Port, Tpid, Underlay, UntaggedWord, Via, Vlan};
pub use segment::{
    Accept, Checksum, DetailedVtep, Df, Flood, GeneveOption, InheritWord, InnerVlan, Learning, RemoteVtep, Segment,
    StaticMac, Tos, Ttl,
};

/// The configuration of a Causeway gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Version of this format.
    #[schemars(extend("const" = 1))]
    pub version: u32,
    /// Worker threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<Workers>,
    /// Memory for packets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// The gateway's own tunnel end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vtep: Option<Vtep>,
    /// The socket on which the gateway answers `causeway show` and does what it is told. Who may open it may do
    /// everything: see and change what is forwarded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<Api>,
    /// What makes the running gateway read its file again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reload: Option<Reload>,
    /// What outlives a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// The forwarding table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fdb: Option<Fdb>,
    /// DPDK devices, at least one.
    #[schemars(length(min = 1, max = 255))]
    pub ports: Vec<Port>,
    /// Segments. A VNI may be listed twice when its two entries have different encapsulations: they are two segments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 65535))]
    pub vnis: Vec<Segment>,
    /// Access lists for frames that come in. A frame must pass the list of its port, that of its VLAN there and that of its
    /// VNI, each where there is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 65534))]
    pub access_lists: Vec<AccessList>,
    /// Controllers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<Control>,
    /// Metrics for Prometheus: a page over HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Metrics>,
}

/// One value, or a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMore<T> {
    /// One.
    One(T),
    /// A list.
    More(Vec<T>),
}

/// Worker threads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Workers {
    /// CPU numbers, as the kernel counts them, or ranges like `2-5`: one pinned worker each, up to 64. Isolate them
    /// from other work in production. The default leaves core 0 to the operating system.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = [defaults::CORE]))]
    pub cores: Option<OneOrMore<Core>>,
    /// What a worker does when its queues are empty. `spin` polls on (lowest latency, the core at 100 %), for
    /// production; `sleep` dozes up to 100 microseconds at a time, for laptops and CI; `{sleep: 500}` says how long.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "spin"))]
    pub idle: Option<Idle>,
    /// Most frames taken from a queue at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64), extend("default" = defaults::BURST))]
    pub burst: Option<u16>,
    /// Most copies of flooded frames that a worker makes before it looks at its queues again. Fewer bound how long one
    /// frame to many VTEPs holds up other traffic; the copies left are made in turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65536), extend("default" = defaults::FLOOD_COPIES))]
    pub flood_copies: Option<u32>,
}

/// A core or a range of cores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Core {
    /// A CPU number.
    Number(#[schemars(range(max = 1023))] u16),
    /// First and last, like `2-5`.
    Range(#[schemars(regex(pattern = r"^[0-9]+ *- *[0-9]+$"))] String),
}

/// What an idle worker does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Idle {
    /// By word.
    Word(IdleWord),
    /// Sleep between polls.
    Sleep(IdleSleep),
}

/// Words for what an idle worker does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(transform = crate::schema::words)]
pub enum IdleWord {
    /// Poll on.
    Spin,
    /// Sleep up to 100 microseconds.
    Sleep,
}

/// Sleep between polls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdleSleep {
    /// Longest sleep in microseconds.
    #[schemars(range(min = 1, max = 100_000))]
    pub sleep: u32,
}

/// Memory for packets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Memory {
    /// `auto` takes huge pages when the host has enough free ones and warns otherwise; `require` refuses to start
    /// without; `off` never takes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "auto"))]
    pub huge_pages: Option<HugePages>,
    /// Packet buffers per worker. By default enough for the descriptors of all ports and 4096 more, rounded up to one
    /// less than a power of two.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1024, max = 16_777_215))]
    pub buffers: Option<u32>,
    /// Data room of a buffer in bytes, its headroom not counted. A frame lies in one buffer, so this must hold the
    /// largest MTU of the ports and 26 bytes. By default 2048, or what the largest MTU needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 512, max = 16_384))]
    pub buffer_size: Option<u16>,
    /// DPDK's file prefix, which tells gateways on one host apart. By default made from the process number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9_.-]{1,32}$"))]
    pub file_prefix: Option<String>,
    /// Shares packet memory with other DPDK processes of root, so that `dpdk-dumpcap` and `dpdk-pdump` work. Needs
    /// `huge_pages: require` and a mounted hugetlbfs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub shared: Option<bool>,
}

/// The gateway's own tunnel end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Vtep {
    /// Source address of tunnels: one IPv4, one IPv6, or both. An address of the underlay, or a loopback address that
    /// a routing daemon announces. By default the underlay's addresses, where each family has exactly one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<OneOrMore<IpAddr>>,
    /// UDP port of VXLAN, sent to and listened on. 8472 is what old Linux kernels use.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), extend("default" = defaults::VXLAN_PORT))]
    pub vxlan_port: Option<u16>,
    /// UDP port of Geneve, sent to and listened on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), extend("default" = defaults::GENEVE_PORT))]
    pub geneve_port: Option<u16>,
    /// First and last outer UDP source port; the inner flow picks one, so that the fabric spreads flows over its paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(inner(range(min = 1)), extend("default" = defaults::SOURCE_PORTS))]
    pub source_ports: Option<(u16, u16)>,
    /// Network namespace for the Linux twins of underlay ports: a name as `ip netns` lists it, or a path. By default
    /// the gateway's own. Kernel-backed devices (`net_af_packet`) need one that does not hold the interface itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Most VTEPs learned from traffic in segments with `accept: any`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_536), extend("default" = defaults::LEARNED_VTEPS))]
    pub learned_vteps: Option<u32>,
    /// Frames per second that each underlay port hands to the kernel (ARP, BGP, ICMP...); more are dropped and counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), extend("default" = defaults::HOST_RATE))]
    pub host_rate: Option<u32>,
}

/// Who may open the socket.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// Group of the socket: a name of /etc/group, or a number. By default that of the process, which is root's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Permissions of the socket, as `chmod` takes them: `"0600"` is for the owner alone, `"0666"` for everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^0?[67][0-7][0-7]$"), extend("default" = format!("{:04o}", defaults::API_MODE)))]
    pub mode: Option<String>,
}

/// The forwarding table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fdb {
    /// MACs that each worker's table holds: 32 bytes each, up to twice that where it is not a power of two.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1024, max = 16_777_216), extend("default" = defaults::FDB_SIZE))]
    pub size: Option<u32>,
}

/// Whether packet memory comes from huge pages.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(transform = crate::schema::words)]
pub enum HugePages {
    /// If there are.
    Auto,
    /// Or not at all.
    Require,
    /// Never.
    Off,
}

/// The encapsulations.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(transform = crate::schema::words)]
pub enum Encap {
    /// RFC 7348.
    Vxlan,
    /// RFC 8926.
    Geneve,
}
