//! The shape of the YAML file, key by key.
//!
//! Their doc comments are the reference page and the descriptions in the JSON Schema, so they speak to operators. The
//! checks read the file themselves, for the sake of places and messages; tests hold the two together. Programs that
//! write configurations can fill these and serialise them.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::defaults;

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
    /// Sleep up to so long.
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

/// Sleep up to so long.
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

/// The forwarding table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fdb {
    /// MACs that each worker's table holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1024, max = 16_777_216), extend("default" = defaults::FDB_SIZE))]
    pub size: Option<u32>,
}

/// A DPDK device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// Your name for it, each once.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_.-]{1,32}$"))]
    pub name: String,
    /// PCI address such as `0000:3b:00.0`, or a DPDK virtual device such as `net_af_packet0,iface=veth0`.
    pub device: String,
    /// Largest payload of a frame in bytes, Ethernet header and tags not counted. By default 1500; with an underlay
    /// 100 more than the largest of the other ports, at least 1600, which leaves room for every encapsulation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 68, max = 9216))]
    pub mtu: Option<u16>,
    /// Receive queues. By default one per worker where the device spreads flows over queues (RSS), otherwise one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64))]
    pub rx_queues: Option<u16>,
    /// Ring sizes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub descriptors: Option<Descriptors>,
    /// Use the device's offloads (checksums, VLAN tags, multi-segment transmit) where it has them. The bytes are the
    /// same either way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub offload: Option<bool>,
    /// Most MACs learned on this port. By default only the VNI's limit holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16_777_216))]
    pub mac_limit: Option<u32>,
    /// Makes this port lead to the other VTEPs; `{}` is enough where something else gives the twin its addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub underlay: Option<Underlay>,
    /// VLANs and the VNI of each. A port may have both an underlay and VLANs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vlans: Vec<Binding>,
}

/// Ring sizes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Descriptors {
    /// Descriptors of each receive queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 64, max = 32_768), extend("default" = defaults::DESCRIPTORS))]
    pub rx: Option<u16>,
    /// Descriptors of each transmit queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 64, max = 32_768), extend("default" = defaults::DESCRIPTORS))]
    pub tx: Option<u16>,
}

/// The underlay on a port.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Underlay {
    /// 802.1Q tag of the underlay.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "untagged"))]
    pub vlan: Option<Vlan>,
    /// Name of the Linux interface that stands for this port: ARP, routing daemons, ping and tcpdump use it. By default
    /// `cw-` and the port's name, cut to 15 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 15))]
    pub twin: Option<String>,
    /// Addresses of the twin with their prefix lengths, like `10.0.0.11/24`. By default none: something else sets them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addresses: Option<OneOrMore<String>>,
    /// Default router, at most one per family. By default none: routes come from the kernel or a routing daemon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<OneOrMore<IpAddr>>,
    /// One next hop for every VTEP, without twin and kernel. For load tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<Via>,
}

/// A static next hop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Via {
    /// MAC address of the next hop.
    #[schemars(regex(pattern = r"^[0-9A-Fa-f]{1,2}([:-][0-9A-Fa-f]{1,2}){5}$"))]
    pub mac: String,
}

/// A VLAN number or the word `untagged`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Vlan {
    /// 1 to 4094.
    Number(#[schemars(range(min = 1, max = 4094))] u16),
    /// Frames without a tag or with a priority tag (VLAN 0).
    Word(UntaggedWord),
}

/// The word `untagged`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(transform = crate::schema::words)]
pub enum UntaggedWord {
    /// Frames without a tag or with a priority tag (VLAN 0).
    Untagged,
}

/// Kinds of outer tags.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = crate::schema::words)]
pub enum Tpid {
    /// 0x88a8.
    #[serde(rename = "802.1ad")]
    Service,
    /// 0x8100.
    #[serde(rename = "802.1q")]
    Customer,
}

/// A VLAN of a port and its VNI. Give `vlan`, or both `outer` and `inner`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// The VLAN, or `untagged` for frames without a tag or with a priority tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<Vlan>,
    /// Outer VLAN of two tags (QinQ).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4094))]
    pub outer: Option<u16>,
    /// Inner VLAN of two tags (QinQ).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4094))]
    pub inner: Option<u16>,
    /// Kind of the outer tag: `802.1ad` is 0x88a8, `802.1q` is 0x8100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "802.1ad"))]
    pub tpid: Option<Tpid>,
    /// The VNI, one of those under `vnis`.
    #[schemars(range(max = 16_777_215))]
    pub vni: u32,
    /// Which of two segments, where `vnis` lists this VNI once per encapsulation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encap: Option<Encap>,
    /// Priority (PCP) written on frames that leave here. By default a frame keeps what it had, or has 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 7))]
    pub pcp: Option<u8>,
    /// Most MACs learned on this VLAN of this port. By default only the port's and the VNI's limits hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16_777_216))]
    pub mac_limit: Option<u32>,
}

/// A segment: one broadcast domain with a number in the overlay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// Its number, which `vlans` refer to and which tunnels carry.
    #[schemars(range(max = 16_777_215))]
    pub vni: u32,
    /// Your name for it, each once. By default its number, with the encapsulation where that alone is ambiguous.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9_.-]{1,32}$"))]
    pub name: Option<String>,
    /// Encapsulation of every VTEP for which none is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "vxlan"))]
    pub encap: Option<Encap>,
    /// Number on VXLAN tunnels where it is not `vni`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 16_777_215))]
    pub vxlan_vni: Option<u32>,
    /// Number on Geneve tunnels where it is not `vni`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 16_777_215))]
    pub geneve_vni: Option<u32>,
    /// Pass frames between VXLAN and Geneve tunnels of this segment: the gateway joins the two fabrics. Otherwise
    /// nothing goes from tunnel to tunnel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub stitch: Option<bool>,
    /// Where broadcast, unknown unicast and multicast frames go in the overlay. By default nowhere, until a controller
    /// says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flood: Option<Flood>,
    /// Flood frames to unknown MACs; otherwise they are dropped and counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub flood_unknown: Option<bool>,
    /// Whose tunnel frames are accepted: `known` (or `flood-list`) takes those of VTEPs that this segment lists, or
    /// its controller does; `any` takes those of any sender. By default `known`, and `any` with a multicast group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept: Option<Accept>,
    /// MAC learning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning: Option<Learning>,
    /// MACs that are where you say; nothing overwrites them.
    #[serde(default, rename = "static", skip_serializing_if = "Vec::is_empty")]
    pub statics: Vec<StaticMac>,
    /// VLAN tags inside of the VNI: `strip` takes off what the port has matched and drops tagged frames from tunnels;
    /// `pass` lets further tags through both ways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "strip"))]
    pub inner_vlan: Option<InnerVlan>,
    /// TTL or hop limit of outer headers, or that of the inner packet (64 for frames that are not IP).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = defaults::TTL))]
    pub ttl: Option<Ttl>,
    /// TOS or traffic class of outer headers (DSCP times four), or the DSCP of the inner packet (0 for frames that are
    /// not IP). The ECN bits are always the inner packet's (RFC 6040).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = defaults::TOS))]
    pub tos: Option<Tos>,
    /// Don't-fragment bit of outer IPv4 headers; `inherit` takes the inner IPv4 packet's and sets it for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "set"))]
    pub df: Option<Df>,
    /// UDP checksums of tunnels. Received ones are always verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
    /// Options in every Geneve header sent, 252 bytes at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<GeneveOption>,
}

/// Where frames are flooded. Give `vteps` or `group`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Flood {
    /// Head-end replication: one copy to each of these VTEPs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vteps: Option<Vec<RemoteVtep>>,
    /// One copy to this multicast group of the underlay, which the kernel joins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<IpAddr>,
    /// Name of the underlay port on which to join the group. By default the only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
}

/// A remote VTEP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RemoteVtep {
    /// Its address.
    Address(IpAddr),
    /// Its address and encapsulation.
    Detailed(DetailedVtep),
}

/// A remote VTEP with its own encapsulation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DetailedVtep {
    /// Its address.
    pub vtep: IpAddr,
    /// Its encapsulation. By default the segment's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encap: Option<Encap>,
}

/// MAC learning.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Learning {
    /// Learn source MACs from ports and tunnels.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub enabled: Option<bool>,
    /// Seconds without a frame after which a learned MAC is forgotten; 0 never forgets.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000), extend("default" = defaults::AGEING))]
    pub ageing: Option<u32>,
    /// Most learned MACs in the segment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 16_777_216), extend("default" = defaults::LEARN_LIMIT))]
    pub limit: Option<u32>,
}

/// A static MAC: behind a VTEP (`vtep`), or on a port (`port`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StaticMac {
    /// The station's address.
    #[schemars(regex(pattern = r"^[0-9A-Fa-f]{1,2}([:-][0-9A-Fa-f]{1,2}){5}$"))]
    pub mac: String,
    /// The VTEP that it is behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vtep: Option<IpAddr>,
    /// The VTEP's encapsulation. By default the segment's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encap: Option<Encap>,
    /// Name of the port that it is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// The VLAN on the port. By default the port's only one in this segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<Vlan>,
    /// Outer VLAN on the port (QinQ).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4094))]
    pub outer: Option<u16>,
    /// Inner VLAN on the port (QinQ).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4094))]
    pub inner: Option<u16>,
    /// Kind of the outer tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "802.1ad"))]
    pub tpid: Option<Tpid>,
}

/// What happens to VLAN tags inside of the VNI.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(transform = crate::schema::words)]
pub enum InnerVlan {
    /// None goes through.
    Strip,
    /// They go through.
    Pass,
}

/// A TTL, or the inner one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Ttl {
    /// This value.
    Number(#[schemars(range(min = 1))] u8),
    /// The inner packet's.
    Word(InheritWord),
}

/// A TOS byte, or the inner one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Tos {
    /// This value.
    Number(#[schemars(extend("multipleOf" = 4))] u8),
    /// The inner packet's.
    Word(InheritWord),
}

/// The word `inherit`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(transform = crate::schema::words)]
pub enum InheritWord {
    /// The inner packet's.
    Inherit,
}

/// UDP checksums of tunnels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Checksum {
    /// Computed over IPv4. By default only where the segment has Geneve tunnels (RFC 8926); VXLAN sends zero (RFC 7348).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv4: Option<bool>,
    /// Computed over IPv6; `false` sends zero (RFC 6935).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub ipv6: Option<bool>,
    /// Accept zero over IPv6 (RFC 6935, RFC 6936).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub accept_zero_ipv6: Option<bool>,
}

/// A Geneve option.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GeneveOption {
    /// Option class, as IANA lists them; hexadecimal like `0x0103` is fine.
    pub class: u16,
    /// Option type; from 0x80 on it is critical: who does not know it drops the frame.
    pub r#type: u8,
    /// Its data in hexadecimal, a multiple of 4 bytes, at most 124; quote it. By default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(0x)?([0-9A-Fa-f]{8}){0,31}$"))]
    pub data: Option<String>,
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

/// Whose tunnel frames are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(transform = crate::schema::words)]
pub enum Accept {
    /// Those of listed VTEPs.
    Known,
    /// The same.
    FloodList,
    /// Everybody's.
    Any,
}

/// The don't-fragment bit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(transform = crate::schema::words)]
pub enum Df {
    /// Always.
    Set,
    /// Never.
    Unset,
    /// As the inner packet.
    Inherit,
}
