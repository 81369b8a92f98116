//! The eight kinds of underlay that every behaviour is shown in: encapsulation, address family, VLAN or none.

use super::build::{self, Ip};
use super::outer::{self, Outer};
use super::site::{Setup, Site, port_mac};

/// A kind of underlay.
#[derive(Clone, Copy, Debug)]
pub struct World {
    pub geneve: bool,
    pub v6: bool,
    pub vlan: Option<u16>,
}

/// The next hop's MAC.
pub const HOP: [u8; 6] = [0x02, 0, 0, 0, 0xff, 0x01];

impl World {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for geneve in [false, true] {
            for v6 in [false, true] {
                for vlan in [None, Some(100)] {
                    all.push(Self { geneve, v6, vlan });
                }
            }
        }
        all
    }

    /// Our tunnel address.
    pub fn own(&self) -> &'static str {
        if self.v6 { "2001:db8::11" } else { "10.0.0.11" }
    }

    /// The address of a VTEP by a small number.
    pub fn peer(&self, number: u16) -> String {
        if self.v6 {
            format!("2001:db8:1::{number:x}")
        } else {
            format!("10.0.{}.{}", 1 + number / 250, 1 + number % 250)
        }
    }

    /// The UDP port.
    pub fn udp_port(&self) -> u16 {
        if self.geneve { 6081 } else { 4789 }
    }

    /// Bytes of the outer IP packet in front of the tenant's frame.
    pub fn overhead(&self) -> usize {
        if self.v6 { 56 } else { 36 }
    }

    /// A configuration: `up0` and `srv1`, `srv2` … with these VLANs, these VNIs, MTU 9216 on the underlay. A VNI is its
    /// number, its peers and further keys.
    pub fn yaml(&self, ports: &[&str], vnis: &[(u32, &[u16], &str)]) -> String {
        let vlan = self.vlan.map(|vlan| format!("vlan: {vlan}, ")).unwrap_or_default();
        let mut text = format!("version: 1\nvtep: {{source: \"{}\"}}\nports:\n", self.own());
        text += &format!(
            "  - {{name: up0, device: net_null0, mtu: 9216, underlay: {{{vlan}via: {{mac: \"02:00:00:00:ff:01\"}}}}}}\n"
        );
        for (number, vlans) in ports.iter().enumerate() {
            let number = number + 1;
            text += &format!("  - {{name: srv{number}, device: net_null{number}, mtu: 9000, vlans: [{vlans}]}}\n");
        }
        text += "vnis:\n";
        for (vni, peers, more) in vnis {
            let peers: Vec<String> = peers.iter().map(|&peer| format!("\"{}\"", self.peer(peer))).collect();
            let encap = if self.geneve { "geneve" } else { "vxlan" };
            let more = if more.is_empty() { String::new() } else { format!(", {more}") };
            text += &format!("  - {{vni: {vni}, encap: {encap}, flood: {{vteps: [{}]}}{more}}}\n", peers.join(", "));
        }
        text
    }

    /// The usual one: VLAN 10 of srv1 and VLAN 20 of srv2 in VNI 10010 with two VTEPs.
    pub fn usual(&self) -> String {
        self.yaml(&["{vlan: 10, vni: 10010}", "{vlan: 20, vni: 10010}"], &[(10010, &[1, 2], "")])
    }

    /// A gateway with the usual configuration.
    pub fn site(&self) -> Site {
        Site::new(&self.usual())
    }

    /// The same, set up in another way.
    pub fn site_with(&self, setup: &Setup) -> Site {
        Site::with(&self.usual(), setup)
    }

    /// A frame in a tunnel packet from a peer to us, as it comes in at the underlay port.
    pub fn arriving(&self, peer: u16, vni: u32, frame: &[u8]) -> Vec<u8> {
        let ip = Ip::new(&self.peer(peer), self.own());
        let payload = if self.geneve { build::geneve(vni, &[], frame) } else { build::vxlan(vni, frame) };
        let packet = ip.udp((55555, self.udp_port()), &payload, self.v6 || self.geneve);
        self.on_the_wire(&ip, &packet)
    }

    /// An IP packet as it comes in at the underlay port.
    pub fn on_the_wire(&self, ip: &Ip, packet: &[u8]) -> Vec<u8> {
        let frame = build::ethernet(port_mac(0), HOP, ip.ethertype(), packet);
        self.vlan.map_or(frame.clone(), |vid| build::vlan(&frame, vid))
    }

    /// Reads a frame that left through the underlay port: every rule for senders, and what this world asks.
    pub fn read(&self, frame: &[u8]) -> Outer {
        let outer = outer::read(frame, 6081).unwrap_or_else(|problem| panic!("{problem}: {frame:02x?}"));
        assert_eq!((outer.to, outer.from, outer.vlan), (HOP, port_mac(0), self.vlan), "VX20, VX22");
        assert_eq!(outer.source.to_string(), self.own(), "VX20");
        assert_eq!((outer.geneve, outer.port), (self.geneve, self.udp_port()), "VX7, GN11");
        assert!(outer.source_port >= 49152, "VX9: source port {}", outer.source_port);
        assert_eq!(outer.checksum != 0, self.v6 || self.geneve, "VX10, VX14, GN13");
        outer
    }

    /// What left through the underlay port, read.
    pub fn outers(&self, site: &mut Site) -> Vec<Outer> {
        site.sent("up0").iter().map(|frame| self.read(frame)).collect()
    }
}

/// Makes a test of each behaviour in each world.
#[macro_export]
macro_rules! behaviours {
    ($($name:ident),+ $(,)?) => {
        $($crate::behaviours!(@worlds $name);)+
    };
    (@worlds $name:ident) => {
        mod $name {
            use super::World;

            #[test]
            fn vxlan_ipv4() { super::super::$name(World { geneve: false, v6: false, vlan: None }); }
            #[test]
            fn vxlan_ipv4_in_a_vlan() { super::super::$name(World { geneve: false, v6: false, vlan: Some(100) }); }
            #[test]
            fn vxlan_ipv6() { super::super::$name(World { geneve: false, v6: true, vlan: None }); }
            #[test]
            fn vxlan_ipv6_in_a_vlan() { super::super::$name(World { geneve: false, v6: true, vlan: Some(100) }); }
            #[test]
            fn geneve_ipv4() { super::super::$name(World { geneve: true, v6: false, vlan: None }); }
            #[test]
            fn geneve_ipv4_in_a_vlan() { super::super::$name(World { geneve: true, v6: false, vlan: Some(100) }); }
            #[test]
            fn geneve_ipv6() { super::super::$name(World { geneve: true, v6: true, vlan: None }); }
            #[test]
            fn geneve_ipv6_in_a_vlan() { super::super::$name(World { geneve: true, v6: true, vlan: Some(100) }); }
        }
    };
}
