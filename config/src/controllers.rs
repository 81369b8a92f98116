//! The checked form of the section `control`: what a controller may say, and where it is heard.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::defaults;
use crate::types::{Accept, Df, Encap, Flood, Inherit, Learning, Outer, Segment, Vni};

/// Controllers that bring segments, bindings and MACs.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Controllers {
    /// An OVSDB database with the schema `hardware_vtep`.
    pub ovsdb: Option<Ovsdb>,
    /// BGP EVPN through FRR.
    pub evpn: Option<Evpn>,
}

/// An OVSDB database with the schema `hardware_vtep`, and this gateway as a physical switch in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ovsdb {
    /// Where the database is.
    pub database: OvsdbDatabase,
    /// Name of our row in `Physical_Switch`; `None` is the host's name.
    pub physical_switch: Option<String>,
    /// Its description.
    pub description: String,
    /// Its management addresses.
    pub management_ips: Vec<IpAddr>,
    /// What the database server connects to or listens on for controllers; `None` leaves what the database has.
    pub managers: Option<Vec<String>>,
    /// Indices of the ports that controllers see.
    pub ports: Vec<usize>,
    /// What a logical switch without a flood list floods to.
    pub flood_fallback: FloodFallback,
    /// How long entries stay in force while the database is away; `None` for ever.
    pub stale: Option<Duration>,
    /// Between two publications of statistics; `None` never.
    pub statistics: Option<Duration>,
}

/// BGP EVPN: FRR speaks it, and we follow FRR through devices in its namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evpn {
    /// Network namespace in which zebra runs; `None` is that of the Linux twins.
    pub namespace: Option<String>,
    /// Indices of the segments that take part.
    pub segments: Vec<usize>,
    /// UDP port that the kernel binds for the VXLAN devices; no packet goes to it.
    pub udp_port: u16,
    /// How long VTEPs and MACs stay in force when all are withdrawn at once; `None` not at all.
    pub hold: Option<Duration>,
}

/// Where the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OvsdbDatabase {
    /// An `ovsdb-server` that somebody else runs listens on this Unix socket.
    Unix(PathBuf),
    /// Or at this address and port.
    Tcp(IpAddr, u16),
    /// The gateway runs an `ovsdb-server` of its own.
    Embedded {
        /// Where its files are.
        directory: PathBuf,
        /// Key and certificates for managers of the kinds `ssl:` and `pssl:`.
        tls: Option<Tls>,
    },
}

/// Files in PEM format for TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Our private key.
    pub key: PathBuf,
    /// Our certificate.
    pub certificate: PathBuf,
    /// Certificate of the authority that peers must be signed by.
    pub ca: PathBuf,
}

/// What a logical switch without a flood list floods to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloodFallback {
    /// Every VTEP that one of its remote MACs is behind.
    Macs,
    /// No VTEP.
    Off,
}

impl Segment {
    /// A segment that no file describes: every default, no attachment, no VTEP.
    pub fn plain(name: String, encap: Encap, vni: Vni) -> Self {
        Self {
            name,
            vxlan: (encap == Encap::Vxlan).then_some(vni),
            geneve: (encap == Encap::Geneve).then_some(vni),
            encap,
            stitch: false,
            flood: Flood::Vteps(Vec::new()),
            flood_unknown: true,
            accept: Accept::Known,
            learning: Learning {
                enabled: true,
                tunnels: true,
                ageing: Some(Duration::from_secs(u64::from(defaults::AGEING))),
                limit: defaults::LEARN_LIMIT,
            },
            statics: Vec::new(),
            known: Vec::new(),
            inner_vlan_pass: false,
            suppress: false,
            neighbours: Vec::new(),
            path_mtu: crate::types::PathMtu::default(),
            access_list: None,
            outer: Outer {
                ttl: Inherit::Fixed(defaults::TTL),
                tos: Inherit::Fixed(defaults::TOS),
                df: Df::Set,
                checksum_v4: None,
                checksum_v6: true,
                zero_checksum_v6_accept: false,
                geneve_options: Vec::new(),
            },
        }
    }
}
