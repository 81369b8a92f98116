//! Bridging between servers and tunnels: floods, learning, moves, ageing, sizes, and the sums.

use crate::bench::{Bench, NEXT_HOP, NEXT_HOP_MAC};
use crate::bytes::{self, BROADCAST, GENEVE, Outer, VXLAN, mac, probe, vlan};
use crate::config::Config;
use crate::lab::{self, Lab};

/// A flood is one copy for each VTEP of this segment's list and for each other local member, each with that member's
/// tag; the sender and the other segment get none. BUM1 BUM4 L2h ISO1 VL3 VL8 VX16 VX17 VX19 VX20
#[test]
fn a_flood_is_exactly_one_copy_each() {
    let Some(lab) = Lab::of_wires() else { return };
    let config = Config::new(&lab)
        .underlay_wire(NEXT_HOP)
        .access("srv1", "{vlan: 10, vni: 5001}, {vlan: 20, vni: 5002}")
        .access("srv2", "{vlan: 11, vni: 5001}, {vlan: untagged, vni: 5002}")
        .vni(r#"vni: 5001, flood: {vteps: [10.0.0.12, "2001:db8::13", {vtep: 10.0.0.14, encap: geneve}]}"#)
        .vni("vni: 5002, flood: {vteps: [10.0.0.15]}");
    let bench = Bench::start(&lab, &config);
    let (one, two) = (lab.wire("srv1"), lab.wire("srv2"));
    let frame = probe(BROADCAST, mac(1), 100, 1);
    let last = probe(BROADCAST, mac(3), 60, 9);
    one.send(&vlan(&frame, 10));
    one.send(&vlan(&last, 20));

    let sent = bench
        .underlay
        .collect_until(|frame| Outer::parse(frame).is_some_and(|outer| outer.inner == last), Outer::parse);
    let mut seen: Vec<(String, u16, u32)> =
        sent.iter().map(|outer| (outer.to.to_string(), outer.port, outer.vni)).collect();
    seen.sort();
    let expected = [("10.0.0.12", VXLAN), ("10.0.0.14", GENEVE), ("2001:db8::13", VXLAN)]
        .map(|(to, port)| (to.into(), port, 5001));
    assert_eq!(seen, expected);
    for outer in &sent {
        assert_eq!(outer.inner, frame);
        assert_eq!((outer.to_mac, outer.from_mac), (NEXT_HOP_MAC, bench.mac));
        assert_eq!(outer.from.to_string(), if outer.to.is_ipv4() { "10.0.0.11" } else { "2001:db8::11" });
        let computed = outer.port == GENEVE || outer.to.is_ipv6();
        assert_eq!(outer.checksum != 0, computed, "each encapsulation has its own rule: VX10, VX14, GN13");
        assert!(outer.source_port >= 49_152 && outer.dont_fragment && outer.ttl > 1);
    }
    let local = two.collect_until(|frame| frame == last, |frame| Some(frame.to_vec()));
    assert_eq!(local, [vlan(&frame, 11)]);
    // Back at the sender nothing of its own: the first thing that it hears is the answer of the other server.
    two.send(&vlan(&probe(mac(1), mac(2), 60, 2), 11));
    let heard = one.expect("the answer", |frame| Some(frame.to_vec()));
    assert_eq!(heard, vlan(&probe(mac(1), mac(2), 60, 2), 10));
}

/// What comes out of a tunnel goes to local members only, known or flooded, and teaches where the sender is.
/// L2a L2b L2d L2g VL1 VL2 VX3 VX4 VX6 CTL5
#[test]
fn from_the_tunnel_to_the_servers_and_never_into_a_tunnel() {
    let Some(lab) = Lab::of_wires() else { return };
    let config = Config::new(&lab)
        .underlay_wire(NEXT_HOP)
        .access("srv1", "{vlan: 10, vni: 5001}")
        .access("srv2", "{vlan: untagged, vni: 5001}")
        .vni("vni: 5001, flood: {vteps: [10.0.0.12, 10.0.0.13]}");
    let bench = Bench::start(&lab, &config);
    let (one, two) = (lab.wire("srv1"), lab.wire("srv2"));

    let frame = probe(BROADCAST, mac(7), 64, 1);
    bench.underlay.send(&bench.vxlan("10.0.0.12", 5001, &frame));
    one.expect_frame("the broadcast, tagged", &vlan(&frame, 10));
    two.expect_frame("the broadcast, untagged", &frame);
    bench.gateway.wait_learned(mac(7), "10.0.0.12 vxlan");

    // A station behind one VTEP speaks to one behind another: that is between them.
    bench.underlay.send(&bench.vxlan("10.0.0.13", 5001, &probe(mac(7), mac(8), 64, 2)));
    bench.gateway.wait_drops("split-horizon", 1);

    // Reserved bits say nothing; a VNI needs the I flag; and it must be one of ours.
    let reserved = vec![0xff, 1, 2, 3, 0, 0x13, 0x89, 0xff];
    let frame = probe(BROADCAST, mac(7), 64, 3);
    bench.underlay.send(&bench.tunnel("10.0.0.12", VXLAN, reserved, 0).wrap(&frame));
    two.expect_frame("a frame with reserved bits set", &frame);
    let no_flag = vec![0xf7, 0, 0, 0, 0, 0x13, 0x89, 0];
    bench.underlay.send(&bench.tunnel("10.0.0.12", VXLAN, no_flag, 0).wrap(&frame));
    bench.gateway.wait_drops("bad-tunnel-header", 1);
    bench.underlay.send(&bench.vxlan("10.0.0.12", 5003, &frame));
    bench.gateway.wait_drops("unknown-vni", 1);
    bench.underlay.send(&bench.vxlan("10.0.0.99", 5001, &frame));
    bench.gateway.wait_drops("unknown-vtep", 1);

    // The answer goes to one VTEP and nowhere else.
    one.send(&vlan(&probe(mac(7), mac(1), 64, 4), 10));
    let answer = bench.underlay.expect("anything at all in a tunnel", Outer::parse);
    assert_eq!((answer.to.to_string().as_str(), &answer.inner), ("10.0.0.12", &probe(mac(7), mac(1), 64, 4)));
    let last = probe(BROADCAST, mac(1), 60, 5);
    one.send(&vlan(&last, 10));
    assert_eq!(two.expect("the next frame", |frame| Some(frame.to_vec())), last);
}

/// A station moves at its first frame from the new place: between ports, to a VTEP and back. L2d L2a VL8
#[test]
fn a_mac_moves_with_its_first_frame() {
    let Some(lab) = Lab::of_wires() else { return };
    let config = Config::new(&lab)
        .underlay_wire(NEXT_HOP)
        .access("srv1", "{vlan: 10, vni: 5001}")
        .access("srv2", "{vlan: 11, vni: 5001}")
        .access("srv3", "{vlan: untagged, vni: 5001}")
        .vni("vni: 5001, flood: {vteps: [10.0.0.12, 10.0.0.13]}");
    let bench = Bench::start(&lab, &config);
    let (one, two, other) = (lab.wire("srv1"), lab.wire("srv2"), lab.wire("srv3"));
    let hello = probe(BROADCAST, mac(1), 60, 1);

    one.send(&vlan(&hello, 10));
    bench.gateway.wait_learned(mac(1), "srv1 vlan 10");
    two.expect_frame("the hello", &vlan(&hello, 11));
    other.send(&probe(mac(1), mac(3), 60, 2));
    one.expect_frame("a frame to the station", &vlan(&probe(mac(1), mac(3), 60, 2), 10));

    two.send(&vlan(&hello, 11));
    bench.gateway.wait_learned(mac(1), "srv2 vlan 11");
    other.send(&probe(mac(1), mac(3), 60, 3));
    assert_eq!(
        two.expect("a frame to the station", |frame| Some(frame.to_vec())),
        vlan(&probe(mac(1), mac(3), 60, 3), 11)
    );

    bench.underlay.send(&bench.vxlan("10.0.0.13", 5001, &hello));
    bench.gateway.wait_learned(mac(1), "10.0.0.13 vxlan");
    other.send(&probe(mac(1), mac(3), 60, 4));
    assert_eq!(bench.expect_inner("a frame to the station", &probe(mac(1), mac(3), 60, 4)).to.to_string(), "10.0.0.13");

    one.send(&vlan(&hello, 10));
    bench.gateway.wait_learned(mac(1), "srv1 vlan 10");
    other.send(&probe(mac(1), mac(3), 60, 5));
    one.expect_frame("a frame to the station", &vlan(&probe(mac(1), mac(3), 60, 5), 10));
}

/// Without frames from it a learned MAC is forgotten, though there are frames to it; then frames to it are flooded
/// again. A static one stays. L2o L2f
#[test]
fn learned_macs_age_out_and_static_ones_stay() {
    let Some(lab) = Lab::of_wires() else { return };
    let config = Config::new(&lab)
        .underlay_wire(NEXT_HOP)
        .access("srv1", "{vlan: 10, vni: 5001}")
        .access("srv2", "{vlan: untagged, vni: 5001}")
        .vni(
            r#"vni: 5001, flood: {vteps: [10.0.0.12]}, learning: {ageing: 2}, static: [{mac: "02:00:00:00:ee:05", port: srv1, vlan: 10}]"#,
        );
    let bench = Bench::start(&lab, &config);
    let (one, two) = (lab.wire("srv1"), lab.wire("srv2"));
    one.send(&vlan(&probe(BROADCAST, mac(1), 60, 1), 10));
    bench.gateway.wait_learned(mac(1), "srv1 vlan 10");
    lab::until("the station is forgotten", || {
        two.send(&probe(mac(1), mac(5), 60, 2));
        bench.gateway.place(mac(1)).is_none()
    });
    two.send(&probe(mac(1), mac(2), 60, 3));
    bench.expect_inner("the flooded frame", &probe(mac(1), mac(2), 60, 3));
    assert_eq!(bench.gateway.place(mac(5)).as_deref(), Some("srv1 vlan 10"), "nothing moves or ages a static MAC");
}

/// The largest frame that fits the underlay passes in both encapsulations and families; one byte more is dropped by
/// name, while the local copy arrives. MTU1 MTU2 OIP1 OIP9
#[test]
fn the_underlay_mtu_is_exact() {
    let Some(lab) = Lab::of_wires() else { return };
    let config = Config::new(&lab)
        .underlay_wire(NEXT_HOP)
        .port("srv1", "mtu: 1600, vlans: [{vlan: 1, vni: 1}, {vlan: 2, vni: 2}, {vlan: 3, vni: 3}, {vlan: 4, vni: 4}]")
        .port("srv2", "mtu: 1600, vlans: [{vlan: 1, vni: 1}, {vlan: 2, vni: 2}, {vlan: 3, vni: 3}, {vlan: 4, vni: 4}]")
        .vni("vni: 1, flood: {vteps: [10.0.0.12]}")
        .vni(r#"vni: 2, flood: {vteps: ["2001:db8::12"]}"#)
        .vni("vni: 3, encap: geneve, flood: {vteps: [10.0.0.12]}")
        .vni(r#"vni: 4, encap: geneve, flood: {vteps: ["2001:db8::12"]}"#);
    let bench = Bench::start(&lab, &config);
    let (one, two) = (lab.wire("srv1"), lab.wire("srv2"));
    for (round, vid) in (1..=4).enumerate() {
        let overhead = if vid % 2 == 1 { 20 + 16 } else { 40 + 16 };
        // 1600 bytes of IP packet; the inner Ethernet header is 14 of the inner bytes.
        let fits = 1600 - overhead - 14;
        let frame = probe(BROADCAST, mac(1), fits, 1);
        one.send(&vlan(&frame, vid));
        two.expect_frame("the local copy", &vlan(&frame, vid));
        let outer = bench.expect_inner("the largest frame", &frame);
        assert!(outer.dont_fragment);
        let long = probe(BROADCAST, mac(1), fits + 1, 2);
        one.send(&vlan(&long, vid));
        two.expect_frame("the local copy of a frame too long for the underlay", &vlan(&long, vid));
        bench.gateway.wait_drops("underlay-mtu", round as u64 + 1);
    }
}

/// A frame from a tunnel that one port's MTU does not allow is dropped there and delivered elsewhere. MTU4
#[test]
fn a_port_mtu_concerns_that_port_only() {
    let Some(lab) = Lab::of_wires() else { return };
    let config = Config::new(&lab)
        .underlay_wire(NEXT_HOP)
        .port("small", "mtu: 1400, vlans: [{vlan: 10, vni: 1}]")
        .access("large", "{vlan: 10, vni: 1}")
        .vni("vni: 1, flood: {vteps: [10.0.0.12]}");
    let bench = Bench::start(&lab, &config);
    let (small, large) = (lab.wire("small"), lab.wire("large"));
    let fits = probe(BROADCAST, mac(1), 1400, 1);
    let long = probe(BROADCAST, mac(1), 1401, 2);
    bench.underlay.send(&bench.vxlan("10.0.0.12", 1, &long));
    large.expect_frame("the frame, where it fits", &vlan(&long, 10));
    bench.gateway.wait_drops("port-mtu", 1);
    bench.underlay.send(&bench.vxlan("10.0.0.12", 1, &fits));
    assert_eq!(small.expect("the frame that fits", |frame| Some(frame.to_vec())), vlan(&fits, 10));
}

/// Every size up to jumbo frames, from servers into tunnels, out of them, and copied. MTU5 MAL7 BUM1
#[test]
fn jumbo_frames_pass_both_ways() {
    let Some(lab) = Lab::of_wires() else { return };
    let config = Config::new(&lab)
        .jumbo_port("up0", &format!(r#"mtu: 9216, underlay: {{via: {{mac: "{NEXT_HOP}"}}}}"#))
        .jumbo_port("srv1", "mtu: 9000, vlans: [{vlan: 10, vni: 1}]")
        .jumbo_port("srv2", "mtu: 9000, vlans: [{vlan: untagged, vni: 1}]")
        .vni(r#"vni: 1, encap: geneve, flood: {vteps: [10.0.0.12, "2001:db8::13"]}"#);
    let bench = Bench::start(&lab, &config);
    let (one, two) = (lab.wire("srv1"), lab.wire("srv2"));
    for size in [46, 1500, 1983, 2048, 4096, 8192, 9000] {
        let frame = probe(BROADCAST, mac(1), size, 1);
        one.send(&vlan(&frame, 10));
        two.expect_frame(&format!("the local copy of {size} bytes"), &frame);
        let copies = [(); 2].map(|()| bench.expect_inner(&format!("a copy of {size} bytes"), &frame).to);
        assert_ne!(copies[0], copies[1]);
        let frame = probe(BROADCAST, mac(2), size, 2);
        let header = bytes::geneve_header(1, 0, &[]);
        bench.underlay.send(&bench.tunnel("10.0.0.12", GENEVE, header, 0).wrap(&frame));
        one.expect_frame(&format!("{size} bytes from the tunnel"), &vlan(&frame, 10));
        two.expect_frame(&format!("{size} bytes from the tunnel"), &frame);
    }
}

/// Every frame has a fate: after mixed traffic what came in and was copied is what went out and was dropped. CTL5
#[test]
fn every_frame_is_accounted_for() {
    let Some(lab) = Lab::of_wires() else { return };
    let config = Config::new(&lab)
        .underlay_wire(NEXT_HOP)
        .access("srv1", "{vlan: 10, vni: 5001}")
        .access("srv2", "{vlan: untagged, vni: 5001}")
        .vni("vni: 5001, flood: {vteps: [10.0.0.12, 10.0.0.13]}");
    let bench = Bench::start(&lab, &config);
    let (one, two) = (lab.wire("srv1"), lab.wire("srv2"));
    for round in 0..50 {
        one.send(&vlan(&probe(BROADCAST, mac(1), 60, round), 10));
        two.send(&probe(mac(1), mac(2), 60, round));
        one.send(&vlan(&probe(mac(2), mac(1), 600, round), 10));
        one.send(&vlan(&probe(mac(2), mac(1), 60, round), 12));
        bench.underlay.send(&bench.vxlan("10.0.0.12", 5001, &probe(mac(1), mac(3), 60, round)));
        bench.underlay.send(&bench.vxlan("10.0.0.12", 9, &probe(mac(1), mac(3), 60, round)));
    }
    bench.gateway.wait_drops("unknown-vni", 50);
    bench.gateway.wait_drops("unknown-vlan", 50);
    let total = |table: &str, field: &[&str]| -> u64 {
        let shown = bench.gateway.show(table);
        let rows = shown.as_array().expect("rows");
        rows.iter().map(|row| field.iter().fold(row, |value, key| &value[key]).as_u64().expect("a number")).sum()
    };
    lab::until("the sums agree", || {
        let received = total("ports", &["rx", "frames"]) + total("ports", &["from_host", "frames"]);
        let replicated = total("workers", &["replicated"]);
        let sent = total("ports", &["tx", "frames"]) + total("ports", &["to_host", "frames"]);
        let dropped = total("drops", &["frames"]);
        received >= 300 && received + replicated == sent + dropped
    });
}
