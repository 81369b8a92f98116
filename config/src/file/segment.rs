//! Segments: flooding, learning, static MACs and outer headers.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Encap, Neighbour, OneOrMore, PathMtu, Tpid, Vlan};
use crate::defaults;

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
    /// Answer ARP requests and IPv6 neighbour solicitations from ports here instead of flooding them, where `neighbours`, an
    /// `ip` of a static MAC or a controller says who has the address (ARP suppression).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub neigh_suppress: Option<bool>,
    /// Who has which IP address, for `neigh_suppress`. Stands above what a controller says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub neighbours: Vec<Neighbour>,
    /// What senders on ports hear of packets that do not fit the underlay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_mtu: Option<PathMtu>,
    /// Name of the access list for all frames that come in, from ports and from tunnels. By default every frame passes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_list: Option<String>,
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
    #[schemars(regex(pattern = r"^([0-9A-Fa-f]{1,2}([:-][0-9A-Fa-f]{1,2}){5}|[0-9A-Fa-f]{4}(\.[0-9A-Fa-f]{4}){2})$"))]
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
    /// IP addresses of the station, for `neigh_suppress`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<OneOrMore<IpAddr>>,
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
    /// Computed over IPv4. By default Geneve computes it (RFC 8926) and VXLAN sends zero (RFC 7348), each in its own tunnels.
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
