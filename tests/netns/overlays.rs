//! Servers behind VLAN ports talk to tunnel ends that we did not write.

use crate::bytes::{self, IPV4, Outer, mac};
use crate::config::Config;
use crate::gateway::Gateway;
use crate::lab::{self, Lab, Wire, ping, run, succeeds};

/// Kernel VXLAN over IPv4 and over IPv6 at once, a tagged and an untagged server on one port, the smallest and the
/// largest VNI, the largest ordinary packets; and no frame from one segment to the other.
/// VX1 VX2 VX5 VX7 VX10 VX11 VX14 VX16 VX17 VX19 VX20 VX21 VL1 VL2 VL4 L2a L2b ISO1 CTL1 MTU5
#[test]
fn kernel_vxlan_over_both_families() {
    let Some(lab) = Lab::of_peers() else { return };
    let config = Config::new(&lab)
        .fabric()
        .access("srv1", "{vlan: 10, vni: 1}, {vlan: untagged, vni: 16777215}")
        .vni("vni: 1, flood: {vteps: [10.0.0.12]}")
        .vni(r#"vni: 16777215, flood: {vteps: ["2001:db8::13"]}"#);
    let tagged = lab.server("srv1", Some(10), 1);
    let untagged = lab.server("srv1", None, 2);
    let four = lab.kernel_vtep(12).vxlan(1, "10.0.0.11", "");
    let six = lab.kernel_vtep(13).vxlan(16_777_215, "2001:db8::11", "");
    let gateway = Gateway::start(&lab, &config.text());
    for (server, peer) in [(&tagged, &four), (&untagged, &six)] {
        server.pings(peer);
        ping(&server.namespace, &peer.v4(), "-s 1472 -M do");
        ping(&peer.namespace, &server.v4(), "-s 1472 -M do");
    }
    gateway.wait_learned(mac(1), "srv1 vlan 10");
    gateway.wait_learned(mac(2), "srv1 untagged");
    gateway.wait_learned(mac(12), "10.0.0.12 vxlan");
    gateway.wait_learned(mac(13), "2001:db8::13 vxlan");
    for (server, stranger) in [(&tagged, &six), (&untagged, &four), (&tagged, &untagged)] {
        let crossed = succeeds(&format!("ip netns exec {} ping -c 2 -i 0.1 -W 1 {}", server.namespace, stranger.v4()));
        assert!(!crossed, "a ping crossed from one VNI to another");
    }
    // The gateway's own addresses answer, through the twin.
    ping(&four.namespace, "10.0.0.11", "");
    ping(&six.namespace, "2001:db8::11", "");
}

/// Open vSwitch as the Geneve peer. GN1 GN5 GN6 GN11 GN12 GN13 GN14 GN15
#[test]
fn open_vswitch_speaks_geneve_with_us() {
    open_vswitch_as_peer("geneve");
}

/// Open vSwitch as the VXLAN peer. VX1 VX5 VX7 VX10 VX11 VX12 VX13 VX14
#[test]
fn open_vswitch_speaks_vxlan_with_us() {
    open_vswitch_as_peer("vxlan");
}

/// One story for both encapsulations: IPv4 and IPv6 underlay, with and without UDP checksums, large packets.
fn open_vswitch_as_peer(encap: &str) {
    let Some(lab) = Lab::of_peers() else { return };
    let config = Config::new(&lab)
        .fabric()
        .access("srv1", "{vlan: 10, vni: 5001}, {vlan: 11, vni: 16777214}")
        .vni(&format!("vni: 5001, encap: {encap}, flood: {{vteps: [10.0.0.20]}}"))
        .vni(&format!(r#"vni: 16777214, encap: {encap}, flood: {{vteps: ["2001:db8::20"]}}"#));
    let four = lab.server("srv1", Some(10), 1);
    let six = lab.server("srv1", Some(11), 2);
    lab.switch_tunnel(encap, "5001", "10.0.0.11", "");
    let tenant = lab.host("tenant", None, 9);
    let gateway = Gateway::start(&lab, &config.text());
    for (server, vni, remote) in [(&four, "5001", "10.0.0.11"), (&six, "16777214", "2001:db8::11")] {
        for checksum in ["options:csum=false", "options:csum=true"] {
            lab.switch_tunnel(encap, vni, remote, checksum);
            server.pings(&tenant);
            ping(&server.namespace, &tenant.v4(), "-s 1472 -M do");
            ping(&tenant.namespace, &server.v4(), "-s 1472 -M do");
        }
    }
    for reason in ["bad-udp-checksum", "bad-tunnel-header", "bad-ip-header", "zero-udp-checksum"] {
        assert_eq!(gateway.drops(reason), 0, "a peer's packet was taken for {reason}");
    }
}

/// Options of a peer: one that we need not know is skipped, one that we must know and do not stops the packet.
/// GN7 GN8
#[test]
fn geneve_options_of_a_peer_are_skipped_or_refused() {
    let Some(lab) = Lab::of_peers() else { return };
    let config = Config::new(&lab)
        .fabric()
        .access("srv1", "{vlan: 10, vni: 5001}")
        .vni("vni: 5001, encap: geneve, flood: {vteps: [10.0.0.20]}");
    let server = lab.server("srv1", Some(10), 1);
    lab.switch_tunnel("geneve", "5001", "10.0.0.11", "");
    let tenant = lab.host("tenant", None, 9);
    let gateway = Gateway::start(&lab, &config.text());
    server.pings(&tenant);

    lab.ofctl("add-tlv-map", "tenant", "{class=0x0102,type=0x01,len=4}->tun_metadata0");
    lab.ofctl("add-tlv-map", "tenant", "{class=0x0102,type=0x80,len=8}->tun_metadata1");
    let host = lab.vsctl("get interface h9 ofport");
    let (host, underlay) = (host.trim(), Wire::open(&lab.gw(), "up0"));
    let with_option = |field: &str| {
        let flow = format!("in_port={host},priority=9,actions=set_field:0xcafe0001->{field},normal");
        lab.ofctl("add-flow", "tenant", &flow);
    };
    let from_tenant = |frame: &[u8]| Outer::parse(frame).filter(|outer| outer.inner[6..12] == mac(9));

    with_option("tun_metadata0");
    server.pings(&tenant);
    underlay.expect("a packet with the option", |frame| {
        from_tenant(frame).filter(|outer| outer.options == [1, 2, 1, 1, 0xca, 0xfe, 0, 1] && outer.flags[1] == 0)
    });
    assert_eq!(gateway.drops("critical-option"), 0);

    with_option("tun_metadata1");
    assert!(!succeeds(&format!("ip netns exec {} ping -c 2 -i 0.1 -W 1 {}", tenant.namespace, server.v4())));
    underlay.expect("a packet with the critical option", |frame| {
        from_tenant(frame).filter(|outer| outer.options.starts_with(&[1, 2, 0x80]) && outer.flags[1] == 0x40)
    });
    lab::until("the critical option is counted", || gateway.drops("critical-option") > 0);
}

/// A segment that floods to an underlay multicast group, over IPv4 and over IPv6, with two kernels in the group. The
/// twin's kernel joins and leaves. BUM5 BUM6 BUM7 L2b
#[test]
fn kernel_vxlan_in_a_multicast_group() {
    let Some(lab) = Lab::of_peers() else { return };
    let config = Config::new(&lab)
        .fabric()
        .access("srv1", "{vlan: 10, vni: 5001}, {vlan: 11, vni: 5002}")
        .vni("vni: 5001, flood: {group: 239.1.1.1}")
        .vni(r#"vni: 5002, flood: {group: "ff15::5002"}"#);
    let servers = [lab.server("srv1", Some(10), 1), lab.server("srv1", Some(11), 2)];
    let (one, two) = (lab.kernel_vtep(12), lab.kernel_vtep(13));
    let far = lab.wire("up0");
    let gateway = Gateway::start(&lab, &config.text());
    // Version 3 reports go to 224.0.0.22 (RFC 3376 section 4.2.14) and carry Router Alert and a TTL of 1.
    far.expect("an IGMP report for the group", |frame| {
        let packet = &frame[14..];
        let report = frame[12..14] == IPV4.to_be_bytes() && packet[0] == 0x46 && packet[9] == 2;
        let names_group = packet.windows(4).skip(24).any(|bytes| bytes == [239, 1, 1, 1]);
        (report && packet[8] == 1 && packet[20..22] == [148, 4] && names_group).then_some(())
    });
    for (server, vni, group) in [(&servers[0], 5001, "239.1.1.1"), (&servers[1], 5002, "ff15::5002")] {
        let peers = [one.vxlan(vni, group, "ttl 4"), two.vxlan(vni, group, "ttl 4")];
        for peer in &peers {
            server.pings(peer);
        }
        let flooded = far.expect("the server's broadcast or its neighbour solicitation, to the group", |frame| {
            Outer::parse(frame).filter(|outer| outer.vni == vni && outer.to.is_multicast())
        });
        let mapped = if vni == 5001 { [1, 0, 0x5e, 1, 1, 1] } else { [0x33, 0x33, 0, 0, 0x50, 2] };
        assert_eq!(flooded.to_mac, mapped);
        assert_eq!(flooded.to.to_string(), group);
        run(&format!("ip -n {} link del vx{vni}", one.namespace));
        run(&format!("ip -n {} link del vx{vni}", two.namespace));
    }
    gateway.wait_learned(mac(12), "10.0.0.12 vxlan");
    drop(gateway);
    assert_eq!(run(&format!("ip -n {} maddr show", lab.twin())).matches("239.1.1.1").count(), 0, "the group was left");
}

/// A VTEP that nobody answers for neither delays nor loses what goes to the others, and its copies are counted.
/// BUM2 CTL3
#[test]
fn a_dead_vtep_disturbs_nobody() {
    let Some(lab) = Lab::of_peers() else { return };
    let config = Config::new(&lab)
        .fabric()
        .access("srv1", "{vlan: 10, vni: 5001}")
        .vni(r#"vni: 5001, flood: {vteps: [10.0.0.98, "2001:db8::99", 10.0.0.12, 10.77.0.1]}"#);
    let server = lab.server("srv1", Some(10), 1);
    let peer = lab.kernel_vtep(12).vxlan(5001, "10.0.0.11", "");
    let gateway = Gateway::start(&lab, &config.text());
    server.pings(&peer);
    lab::until("the copies to the dead ones are counted", || gateway.drops("no-next-hop") > 0);
    let shown = gateway.show("vteps");
    let state = |vtep: &str| {
        let row = shown.as_array().expect("rows").iter().find(|row| row["vtep"] == vtep).expect("a row for each VTEP");
        row["state"].as_str().expect("a text").to_owned()
    };
    assert_eq!(state("10.0.0.12"), "up");
    assert_eq!(state("10.0.0.98"), "resolving");
    assert_eq!(state("2001:db8::99"), "resolving");
    assert_eq!(state("10.77.0.1"), "no-route");
}

/// A VTEP that comes back with another MAC (a replaced machine) is reached again without our doing. CTL3
#[test]
fn a_vtep_with_a_new_mac_is_followed() {
    let Some(lab) = Lab::of_peers() else { return };
    let config = Config::new(&lab)
        .fabric()
        .access("srv1", "{vlan: 10, vni: 5001}")
        .vni("vni: 5001, flood: {vteps: [10.0.0.12]}");
    let server = lab.server("srv1", Some(10), 1);
    let kernel = lab.kernel_vtep(12);
    let peer = kernel.vxlan(5001, "10.0.0.11", "");
    let _gateway = Gateway::start(&lab, &config.text());
    server.pings(&peer);
    run(&format!("ip -n {} link set u0 address 02:00:00:00:aa:bb", kernel.namespace));
    // The new machine speaks first, as machines do when they come up.
    peer.pings(&server);
}

/// An underlay behind a VLAN tag: the fabric carries VLAN 100 tagged on our port, and only there are tunnels heard.
/// VX22
#[test]
fn the_underlay_may_be_tagged() {
    let Some(lab) = Lab::of_peers() else { return };
    let config = Config::new(&lab)
        .port("up0", "mtu: 1600, underlay: {vlan: 100, addresses: [10.0.0.11/24]}")
        .access("srv1", "{vlan: 10, vni: 5001}")
        .vni("vni: 5001, flood: {vteps: [10.0.0.12]}");
    lab.plug_underlay("up0");
    lab.vsctl("set port up0 vlan_mode=trunk trunks=100");
    let server = lab.server("srv1", Some(10), 1);
    let kernel = lab.kernel_vtep(12);
    lab.vsctl("set port v12 tag=100");
    let host = kernel.vxlan(5001, "10.0.0.11", "");
    let underlay = Wire::open(&lab.far_side(), "up0");
    let gateway = Gateway::start(&lab, &config.text());
    server.pings(&host);
    let sent = underlay.expect("a tunnel packet of ours", Outer::parse);
    assert_eq!(sent.vlan, Some(100));
    // The same packet without the tag is not for a tunnel.
    let stray = bytes::Tunnel {
        to_mac: sent.from_mac,
        from_mac: sent.to_mac,
        from: sent.to,
        to: sent.from,
        tos: 0,
        port: bytes::VXLAN,
        checksum: false,
        header: bytes::vxlan_header(5001),
    };
    let before = gateway.drops("untagged-not-allowed");
    underlay.send(&stray.wrap(&bytes::probe(mac(1), mac(0x77), 60, 0)));
    lab::until("the untagged tunnel packet is dropped by name", || gateway.drops("untagged-not-allowed") > before);
    assert_eq!(gateway.place(mac(0x77)), None, "a dropped frame taught a MAC");
}

/// More than one worker: every port's traffic passes whoever polls it, and both see the same table.
#[test]
fn two_workers() {
    workers_of(2);
}

/// The same with four.
#[test]
fn four_workers() {
    workers_of(4);
}

fn workers_of(count: usize) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores < count {
        return lab::skip(&format!("{count} workers need {count} cores, here are {cores} (a simulation covers them)"));
    }
    let Some(lab) = Lab::of_peers() else { return };
    let list: Vec<String> = (0..count).map(|core| core.to_string()).collect();
    let config = Config::new(&lab)
        .workers(&format!("{{cores: [{}], idle: sleep}}", list.join(", ")))
        .fabric()
        .access("srv1", "{vlan: 10, vni: 5001}")
        .access("srv2", "{vlan: 20, vni: 5001}, {vlan: untagged, vni: 5002}")
        .vni("vni: 5001, flood: {vteps: [10.0.0.12]}")
        .vni("vni: 5002, encap: geneve, flood: {vteps: [10.0.0.20]}");
    let one = lab.server("srv1", Some(10), 1);
    let two = lab.server("srv2", Some(20), 2);
    let three = lab.server("srv2", None, 3);
    let peer = lab.kernel_vtep(12).vxlan(5001, "10.0.0.11", "");
    lab.switch_tunnel("geneve", "5002", "10.0.0.11", "");
    let tenant = lab.host("tenant", None, 9);
    let gateway = Gateway::start(&lab, &config.text());
    one.pings(&two);
    one.pings(&peer);
    two.pings(&peer);
    three.pings(&tenant);
    assert_eq!(gateway.show("workers").as_array().map(Vec::len), Some(count));
    let (status, took, log) = gateway.stop();
    assert!(status.success() && took.as_secs_f64() < 1.0, "stopped after {took:?} with {status}:\n{log}");
}
