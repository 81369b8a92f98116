//! Controllers.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OneOrMore;
use crate::defaults;

/// Controllers that bring VNIs, VLAN bindings and MACs besides those of this file. What the file says stands above what
/// a controller says, and that above what is learned.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Control {
    /// OVSDB: this gateway is a hardware VTEP in a database with the schema `hardware_vtep`, as OVN, NSX and
    /// OpenStack's networking-l2gw drive it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ovsdb: Option<Ovsdb>,
    /// BGP EVPN: FRR speaks it, and the gateway follows FRR through devices in its namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evpn: Option<Evpn>,
}

/// BGP EVPN through FRR (bgpd with `advertise-all-vni`, and zebra).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Evpn {
    /// Network namespace in which zebra runs. By default that of the Linux twins (`vtep.namespace`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// VNIs that take part, by number or name. By default all with a VXLAN number and no `flood.group`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vnis: Option<OneOrMore<String>>,
    /// UDP port that the kernel binds for the VXLAN devices that FRR sees: any but those of the tunnels. No packet ever
    /// goes to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1), extend("default" = defaults::EVPN_PORT))]
    pub udp_port: Option<u16>,
    /// Seconds for which VTEPs and MACs stay in force when all are withdrawn at once, as happens when bgpd ends; 0 not at
    /// all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000), extend("default" = defaults::EVPN_HOLD))]
    pub hold: Option<u32>,
}

/// A database with the schema `hardware_vtep`, and this gateway as a physical switch in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ovsdb {
    /// Where the database is: `unix:/run/openvswitch/db.sock`, `tcp:127.0.0.1:6640`, or `embedded`: the gateway starts
    /// an `ovsdb-server` of its own and ends it with itself.
    pub database: String,
    /// Where the embedded server keeps its database (`vtep.db`) and its sockets (`vtep.sock` for `vtep-ctl`). Made when
    /// it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = defaults::OVSDB_DIRECTORY))]
    pub directory: Option<String>,
    /// Name of this gateway among the physical switches. By default the name of the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub physical_switch: Option<String>,
    /// What the controller shows beside the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = defaults::OVSDB_DESCRIPTION))]
    pub description: Option<String>,
    /// Management addresses that the controller is told. By default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub management_ips: Option<OneOrMore<IpAddr>>,
    /// Controllers of the database server, as ovsdb-server writes them: `tcp:10.0.0.5:6640` and `ssl:10.0.0.5:6640` are
    /// connected to, `ptcp:6640:127.0.0.1` and `pssl:6640` are listened on. By default what the database has stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managers: Option<OneOrMore<String>>,
    /// Key and certificates of the embedded server, for managers of the kinds `ssl:` and `pssl:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Names of the ports that controllers see and bind VLANs of. By default every port without an underlay, or, where
    /// all have one, every port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<OneOrMore<String>>,
    /// Where broadcast, unknown unicast and multicast go in a logical switch whose controller writes no flood list
    /// (`unknown-dst`): `macs` to every VTEP that one of its remote MACs is behind, as networking-l2gw needs it; `off`
    /// to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "macs"))]
    pub flood_fallback: Option<FloodFallback>,
    /// Seconds for which what the controller said stays in force while the database is away, or empty after it came
    /// back; 0 for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000), extend("default" = defaults::OVSDB_STALE))]
    pub stale: Option<u32>,
    /// Seconds between two publications of statistics; 0 never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000), extend("default" = defaults::OVSDB_STATISTICS))]
    pub statistics: Option<u32>,
}

/// Files in PEM format for TLS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Our private key.
    pub key: String,
    /// Our certificate.
    pub certificate: String,
    /// Certificate of the authority that peers must be signed by.
    pub ca: String,
}

/// Where a logical switch without a flood list floods.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(transform = crate::schema::words)]
pub enum FloodFallback {
    /// To the VTEPs of its MACs.
    Macs,
    /// Nowhere.
    Off,
}
