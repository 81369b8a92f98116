//! What a VNI tells its stations: neighbours, and the path MTU.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OneOrMore;

/// A station and its address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Neighbour {
    /// The station's IP address.
    pub ip: IpAddr,
    /// The station's MAC address.
    #[schemars(regex(pattern = r"^([0-9A-Fa-f]{1,2}([:-][0-9A-Fa-f]{1,2}){5}|[0-9A-Fa-f]{4}(\.[0-9A-Fa-f]{4}){2})$"))]
    pub mac: String,
    /// It is a router: IPv6 advertisements say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub router: Option<bool>,
}

/// What senders hear of packets that do not fit the underlay.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PathMtu {
    /// Tell them the size that fits, by ICMP: fragmentation needed for IPv4 with DF, packet too big for IPv6. Either way
    /// the frame is dropped and counted as `underlay-mtu`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub tell: Option<bool>,
    /// Source of those messages: one IPv4 address, one IPv6 address, or both. By default the packet's own destination,
    /// since a bridge has no address there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<OneOrMore<IpAddr>>,
}
