//! Ports: their devices, underlay and VLANs.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Encap, OneOrMore};
use crate::defaults;

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
    /// Name of the access list for frames that come in on its VLANs (not the underlay's). By default every frame passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_list: Option<String>,
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
    #[schemars(regex(pattern = r"^([0-9A-Fa-f]{1,2}([:-][0-9A-Fa-f]{1,2}){5}|[0-9A-Fa-f]{4}(\.[0-9A-Fa-f]{4}){2})$"))]
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
    /// Name of the access list for frames that come in on this VLAN. By default every frame passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_list: Option<String>,
}
