//! A bench for every byte: servers and VTEPs are wires in the test's own hands, the gateway between them is the real
//! program on real (virtual) devices. No peer, no kernel and no neighbour takes part in the underlay.

use std::net::IpAddr;

use crate::bytes::{self, Mac, Outer, Tunnel, VXLAN, mac};
use crate::config::Config;
use crate::gateway::Gateway;
use crate::lab::{Lab, Wire};

/// The next hop of every VTEP: our end of the underlay cable.
pub const NEXT_HOP: &str = "02:00:00:00:ee:fe";
pub const NEXT_HOP_MAC: Mac = mac(0xfe);

/// A gateway with an underlay wire, and what a sender of tunnel packets must know of it.
pub struct Bench {
    pub gateway: Gateway,
    pub underlay: Wire,
    pub mac: Mac,
}

impl Bench {
    pub fn start(lab: &Lab, config: &Config<'_>) -> Self {
        let underlay = lab.wire("up0");
        let gateway = Gateway::start(lab, &config.text());
        let mac = gateway.port_mac("up0");
        Self { gateway, underlay, mac }
    }

    /// A VXLAN packet to the gateway.
    pub fn vxlan(&self, from: &str, vni: u32, inner: &[u8]) -> Vec<u8> {
        self.tunnel(from, VXLAN, bytes::vxlan_header(vni), 0).wrap(inner)
    }

    pub fn tunnel(&self, from: &str, port: u16, header: Vec<u8>, tos: u8) -> Tunnel {
        let from: IpAddr = from.parse().expect("an address");
        let to = if from.is_ipv4() { "10.0.0.11" } else { "2001:db8::11" };
        let to = to.parse().expect("an address");
        let checksum = from.is_ipv6();
        Tunnel { to_mac: self.mac, from_mac: NEXT_HOP_MAC, from, to, tos, port, checksum, header }
    }

    /// The next tunnel packet that carries exactly `inner`.
    pub fn expect_inner(&self, what: &str, inner: &[u8]) -> Outer {
        self.underlay.expect(what, |frame| Outer::parse(frame).filter(|outer| outer.inner == inner))
    }
}
