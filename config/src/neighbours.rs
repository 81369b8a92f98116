//! The checked form of what a segment tells its stations: who has which address, and how large a packet may be.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::types::Mac;

/// Who has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The address: one station's.
    pub address: IpAddr,
    /// Its MAC.
    pub mac: Mac,
    /// It routes (IPv6 only).
    pub router: bool,
}

/// What senders hear of packets that do not fit the underlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathMtu {
    /// They are told, by ICMP.
    pub tell: bool,
    /// In whose name, over IPv4; `None` is that of the packet's own destination.
    pub source_v4: Option<Ipv4Addr>,
    /// The same over IPv6.
    pub source_v6: Option<Ipv6Addr>,
}

impl Default for PathMtu {
    fn default() -> Self {
        Self { tell: true, source_v4: None, source_v6: None }
    }
}
