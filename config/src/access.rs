//! The checked form of access lists.

use std::net::IpAddr;

use crate::types::Mac;

/// A list of rules with a name; the first rule that matches decides, and what none matches passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessList {
    /// The operator's name.
    pub name: String,
    /// The rules, in order.
    pub rules: Vec<AccessRule>,
}

/// One rule: a frame matches when everything that is said fits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AccessRule {
    /// What matches passes, else it is dropped as denied.
    pub permit: bool,
    /// Source MAC and the bits of it that count.
    pub source_mac: Option<(Mac, Mac)>,
    /// Destination MAC and the bits of it that count.
    pub destination_mac: Option<(Mac, Mac)>,
    /// Ethertype behind all tags.
    pub ethertype: Option<u16>,
    /// Source prefix.
    pub source: Option<(IpAddr, u8)>,
    /// Destination prefix; of the same family.
    pub destination: Option<(IpAddr, u8)>,
    /// IP protocol.
    pub protocol: Option<u8>,
    /// First and last source port; only with a protocol that has ports.
    pub source_ports: Option<(u16, u16)>,
    /// First and last destination port; only with a protocol that has ports.
    pub destination_ports: Option<(u16, u16)>,
    /// Only fragments other than the first, which have no ports.
    pub fragments: bool,
}

impl AccessRule {
    /// A rule for every frame.
    pub const fn all(permit: bool) -> Self {
        Self {
            permit,
            source_mac: None,
            destination_mac: None,
            ethertype: None,
            source: None,
            destination: None,
            protocol: None,
            source_ports: None,
            destination_ports: None,
            fragments: false,
        }
    }
}
