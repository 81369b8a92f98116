//! Outer headers: what we write into them and what we make of those that come.

use crate::bench::{Bench, NEXT_HOP};
use crate::bytes::{self, BROADCAST, GENEVE, Outer, VXLAN, mac, probe, vlan};
use crate::config::Config;
use crate::lab::Lab;

/// Encapsulation copies ECN and never the DSCP (by default); decapsulation combines outer and inner ECN by figure 4 of
/// RFC 6040, over all sixteen pairs, IPv4 and IPv6 inside, and keeps the inner checksum right.
/// ECN1 ECN2 ECN3 ECN4 OIP2 OIP3 OIP4 OIP6
#[test]
fn ecn_by_rfc_6040() {
    let Some(lab) = Lab::of_wires() else { return };
    let config = Config::new(&lab)
        .underlay_wire(NEXT_HOP)
        .access("srv1", "{vlan: untagged, vni: 5001}")
        .vni("vni: 5001, flood: {vteps: [10.0.0.12]}");
    let bench = Bench::start(&lab, &config);
    let server = lab.wire("srv1");
    const DSCP: u8 = 46 << 2;
    // Figure 4: rows are the inner field, columns the outer: Not-ECT, ECT(1), ECT(0), CE. None is a drop.
    let figure: [[Option<u8>; 4]; 4] = [
        [Some(0), Some(0), Some(0), None],
        [Some(1), Some(1), Some(1), Some(3)],
        [Some(2), Some(1), Some(2), Some(3)],
        [Some(3), Some(3), Some(3), Some(3)],
    ];
    let mut refused = 0;
    for six in [false, true] {
        let kind = if six { bytes::IPV6 } else { bytes::IPV4 };
        let packet =
            |to, from, tos| bytes::ethernet(to, from, kind, &bytes::ip_packet(six, tos, 7, b"a tenant's data"));
        for inner in 0..4 {
            let frame = packet(BROADCAST, mac(1), DSCP | inner);
            server.send(&frame);
            let outer = bench.expect_inner("the packet", &frame);
            assert_eq!((outer.tos, outer.ttl > 7), (inner, true), "ECN is copied; DSCP and TTL are ours");
            for outer in 0..4 {
                let frame = packet(mac(1), mac(2), DSCP | inner);
                let header = bytes::vxlan_header(5001);
                bench.underlay.send(&bench.tunnel("10.0.0.12", VXLAN, header, 8 << 2 | outer).wrap(&frame));
                match figure[usize::from(inner)][usize::from(outer)] {
                    Some(ecn) => server.expect_frame(
                        &format!("inner {inner:02b} under outer {outer:02b}"),
                        &packet(mac(1), mac(2), DSCP | ecn),
                    ),
                    None => {
                        refused += 1;
                        bench.gateway.wait_drops("ecn-congestion", refused);
                    }
                }
            }
        }
    }
    let plain = probe(mac(1), mac(2), 60, 1);
    let header = bytes::vxlan_header(5001);
    bench.underlay.send(&bench.tunnel("10.0.0.12", VXLAN, header, 3).wrap(&plain));
    server.expect_frame("a frame that is not IP, under congestion", &plain);
}

/// What a segment may choose for its outer headers, and the gateway for its UDP ports.
/// VX7 VX12 GN1 GN11 OIP1 OIP2 OIP5 VX8 VX9 L2j
#[test]
fn outer_headers_as_configured() {
    let Some(lab) = Lab::of_wires() else { return };
    let config = Config::new(&lab)
        .vtep(r#"{source: [10.0.0.11, "2001:db8::11"], vxlan_port: 6081, geneve_port: 4789, source_ports: [50000, 50999]}"#)
        .underlay_wire(NEXT_HOP)
        .access("srv1", "{vlan: 1, vni: 1}, {vlan: 2, vni: 2}")
        .vni("vni: 1, flood: {vteps: [10.0.0.12]}, ttl: 9, tos: inherit, df: unset, checksum: {ipv4: true}")
        .vni(
            r#"vni: 2, encap: geneve, flood: {vteps: ["2001:db8::12"]}, ttl: inherit, tos: 184, checksum: {ipv6: false}, options: [{class: 0x0102, type: 1, data: "cafe0001"}], flood_unknown: false"#,
        );
    let bench = Bench::start(&lab, &config);
    let server = lab.wire("srv1");
    let packet = |six, tos, seed: u8| {
        let kind = if six { bytes::IPV6 } else { bytes::IPV4 };
        bytes::ethernet(BROADCAST, mac(1), kind, &bytes::ip_packet(six, tos, 33, &[seed; 20]))
    };
    for six in [false, true] {
        let frame = packet(six, 0xb9, 1);
        server.send(&vlan(&frame, 1));
        // The ports are swapped, so our reader takes the VXLAN header for a Geneve header with eight option words.
        let outer = bench.underlay.expect("the VXLAN packet", |frame| {
            Outer::parse(frame).filter(|outer| outer.port == 6081 && outer.flags[0] == 8)
        });
        assert_eq!((outer.ttl, outer.tos, outer.dont_fragment, outer.vni), (9, 0xb9, false, 1));
        assert_ne!(outer.checksum, 0);
        assert!((50_000..=50_999).contains(&outer.source_port));

        server.send(&vlan(&frame, 2));
        let outer =
            bench.underlay.expect("the Geneve packet", |frame| Outer::parse(frame).filter(|outer| outer.port == 4789));
        assert_eq!((outer.ttl, outer.tos, outer.checksum, outer.vni), (33, 0xb9, 0, 2), "DSCP 46 and the inner ECN");
        assert_eq!(outer.flags[..4], [2, 0, 0x65, 0x58]);
        let option = [1, 2, 1, 1, 0xca, 0xfe, 0, 1];
        assert_eq!(outer.inner, [&option[..], &frame].concat(), "read as VXLAN the option comes before the frame");
    }
    // Not IP: there is no TOS to inherit.
    server.send(&vlan(&probe(BROADCAST, mac(1), 60, 2), 1));
    let outer = bench.underlay.expect("the packet", Outer::parse);
    assert_eq!((outer.ttl, outer.tos), (9, 0));
    server.send(&vlan(&probe(mac(0x55), mac(1), 60, 3), 2));
    bench.gateway.wait_drops("unknown-unicast", 1);
}

/// The source port is one for a flow, whatever its sizes, and differs between flows. VX8 VX9 GN12
#[test]
fn source_ports_follow_the_inner_flow() {
    let Some(lab) = Lab::of_wires() else { return };
    let config = Config::new(&lab)
        .underlay_wire(NEXT_HOP)
        .access("srv1", "{vlan: untagged, vni: 1}")
        .vni("vni: 1, flood: {vteps: [10.0.0.12]}");
    let bench = Bench::start(&lab, &config);
    let server = lab.wire("srv1");
    let mut ports = std::collections::HashSet::new();
    for flow in 0..32_u16 {
        let sizes = [0, 100, 900].map(|size| {
            let (from, to) = ([192, 168, 7, 1].into(), [192, 168, 7, 2].into());
            let datagram = bytes::udp(from, to, 30_000 + flow, 9, true, &vec![0; size]);
            let packet = bytes::ip(from, to, 0, 64, 0, 17, &datagram);
            let frame = bytes::ethernet(BROADCAST, mac(1), bytes::IPV4, &packet);
            server.send(&frame);
            bench.expect_inner("the packet", &frame).source_port
        });
        assert!(sizes.iter().all(|port| *port == sizes[0] && *port >= 49_152), "{sizes:?}");
        ports.insert(sizes[0]);
    }
    assert!(ports.len() > 24, "32 flows share {} source ports", ports.len());
}

/// Damaged and hostile tunnel packets end by name, and good ones pass afterwards.
/// OIP7 OIP8 OIP10 OIP11 VX13 VX15 GN2 GN9 GN10 GN16 MAL1 MAL3 MAL5
#[test]
fn damaged_tunnel_packets_are_dropped_by_name() {
    let Some(lab) = Lab::of_wires() else { return };
    let config = Config::new(&lab)
        .underlay_wire(NEXT_HOP)
        .access("srv1", "{vlan: untagged, vni: 5001}, {vlan: 10, vni: 5002}")
        .vni(r#"vni: 5001, flood: {vteps: [10.0.0.12, "2001:db8::12"]}"#)
        .vni("vni: 5002, encap: geneve, flood: {vteps: [10.0.0.12]}");
    let bench = Bench::start(&lab, &config);
    let server = lab.wire("srv1");
    let inner = probe(BROADCAST, mac(9), 60, 1);
    let good = bench.vxlan("10.0.0.12", 5001, &inner);
    let six = bench.vxlan("2001:db8::12", 5001, &inner);
    let geneve = |flags, options: &[u8], version: u8| {
        let mut header = bytes::geneve_header(5002, flags, options);
        header[0] |= version << 6;
        bench.tunnel("10.0.0.12", GENEVE, header, 0).wrap(&inner)
    };
    let change = |frame: &[u8], at: usize, value: u8| {
        let mut frame = frame.to_vec();
        frame[at] = value;
        frame
    };
    // Places in an untagged IPv4 packet: 14 the IP header, 24 its checksum, 34 UDP, 42 VXLAN.
    // IPv6 with a header between: a first fragment, and destination options. (Fragments over IPv4 do not get this far:
    // the kernel reassembles them before it hands them to net_af_packet.)
    let behind = |next: u8, header: [u8; 8]| {
        let packet = &six[14..];
        let (from, to) = ("2001:db8::12".parse().unwrap(), "2001:db8::11".parse().unwrap());
        let packet = bytes::ip(from, to, 0, 64, 0, next, &[&header[..], &packet[40..]].concat());
        [&six[..14], &packet].concat()
    };
    let mut checksum_off = six.clone();
    checksum_off[60..62].copy_from_slice(&[0, 0]);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("bad-ip-checksum", change(&good, 24, good[24] ^ 1)),
        ("outer-fragment", behind(44, [17, 0, 0, 1, 0, 0, 0, 7])),
        ("ip-options", behind(60, [17, 0, 1, 4, 0, 0, 0, 0])),
        ("bad-udp-header", change(&good, 38, 0xff)),
        ("bad-udp-checksum", change(&good, 40, 0x55)),
        ("bad-udp-checksum", change(&six, 60, six[60] ^ 1)),
        ("zero-udp-checksum", checksum_off),
        ("bad-outer-source", bench.vxlan("127.0.0.1", 5001, &inner)),
        ("bad-outer-source", bench.vxlan("224.0.0.5", 5001, &inner)),
        ("bad-tunnel-header", change(&good, 42, 0)),
        ("bad-tunnel-header", geneve(0, &[], 1)),
        ("bad-tunnel-header", geneve(0, &[1, 2, 1, 5, 0, 0, 0, 0], 0)),
        ("oam", geneve(0x80, &[], 0)),
        ("inner-runt", bench.vxlan("10.0.0.12", 5001, &inner[..13])),
    ];
    let mut counted = std::collections::HashMap::new();
    for (reason, frame) in &cases {
        let expected = counted.entry(*reason).or_insert(0);
        *expected += 1;
        bench.underlay.send(frame);
        bench.gateway.wait_drops(reason, *expected);
    }
    for frame in [&good, &six] {
        bench.underlay.send(frame);
        assert_eq!(server.expect("the good packet", |frame| Some(frame.to_vec())), inner);
    }
    bench.underlay.send(&geneve(0, &[1, 2, 1, 1, 0, 0, 0, 0], 0));
    server.expect_frame("the good Geneve packet", &vlan(&inner, 10));
    assert!(bench.gateway.place(mac(9)).is_some());
}
