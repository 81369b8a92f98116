//! Access lists.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A list of rules with a name. Its first rule that matches a frame decides; a frame that none matches passes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessList {
    /// Your name for it, each once; ports, VLANs and VNIs refer to it with `access_list`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_.-]{1,32}$"))]
    pub name: String,
    /// The rules, in order.
    #[schemars(length(min = 1))]
    pub rules: Vec<AccessRule>,
}

/// A rule. It matches a frame when everything that it says fits; without anything but `action` it matches all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessRule {
    /// What happens to a frame that matches: it passes this list, or is dropped and counted as `denied`.
    pub action: Action,
    /// Source MAC, or a MAC and the mask of the bits that count, like `02:00:00:00:00:00/ff:ff:ff:00:00:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_mac: Option<String>,
    /// Destination MAC, alone or with a mask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_mac: Option<String>,
    /// Ethertype behind all VLAN tags: a number like `0x88cc`, or `ipv4`, `ipv6` or `arp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ethertype: Option<Ethertype>,
    /// Source address or prefix, like `192.0.2.0/24`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Destination address or prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// IP protocol: a number, or `tcp`, `udp`, `icmp`, `icmpv6` or `sctp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// Source port, or first and last like `1024-65535`. Goes with a protocol that has ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_port: Option<Ports>,
    /// Destination port, or first and last. Only whole packets and first fragments have ports; a first fragment too short
    /// to show them is dropped as `tiny-fragment`, and so is a TCP fragment at offset 8, which could rewrite the first
    /// (RFC 1858).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_port: Option<Ports>,
    /// With `true` only fragments other than the first match, which have no ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub fragments: Option<bool>,
}

/// What happens to a frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(transform = crate::schema::words)]
pub enum Action {
    /// It passes.
    Permit,
    /// It is dropped.
    Deny,
}

/// An ethertype.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Ethertype {
    /// By number.
    Number(#[schemars(range(min = 1536))] u16),
    /// By name.
    Word(EthertypeWord),
}

/// Ethertypes with a name.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(transform = crate::schema::words)]
pub enum EthertypeWord {
    /// 0x0800.
    Ipv4,
    /// 0x86dd.
    Ipv6,
    /// 0x0806.
    Arp,
}

/// An IP protocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Protocol {
    /// By number.
    Number(u8),
    /// By name.
    Word(ProtocolWord),
}

/// IP protocols with a name.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(transform = crate::schema::words)]
pub enum ProtocolWord {
    /// 6.
    Tcp,
    /// 17.
    Udp,
    /// 1.
    Icmp,
    /// 58.
    Icmpv6,
    /// 132.
    Sctp,
}

/// A port or a range of ports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Ports {
    /// One.
    One(u16),
    /// First and last, like `1024-65535`.
    Range(#[schemars(regex(pattern = r"^[0-9]+ *- *[0-9]+$"))] String),
}
