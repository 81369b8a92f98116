//! What a bridge with tunnels does, written once and shown in every kind of underlay: VXLAN and Geneve, IPv4 and IPv6,
//! with an underlay VLAN and without.

mod support;

use std::collections::BTreeSet;

use support::build::{ALL, Ip, ethernet, mac, tagged, tenant, vlan};
use support::site::{Setup, Site};
use support::world::World;

/// Each behaviour in each world.
mod every {
    use crate::behaviours;
    use crate::support::world::World;

    behaviours!(
        a_frame_goes_out_and_the_answer_comes_back,
        every_size_passes_in_both_directions,
        jumbo_frames_pass_whole_and_in_pieces,
        a_flood_is_one_copy_for_each_vtep_and_each_other_member,
        a_mac_is_where_it_was_seen_last,
        nothing_passes_from_tunnel_to_tunnel,
        the_source_port_is_that_of_the_flow,
        a_packet_of_exactly_the_mtu_passes_and_one_more_does_not,
        a_burst_is_handled_frame_by_frame,
        a_packet_cut_anywhere_yields_nothing,
        a_packet_with_any_bit_of_its_checksum_wrong_yields_nothing,
        two_segments_share_nothing,
        a_flush_forgets_what_was_learned_and_keeps_what_was_given,
        static_macs_win_in_both_directions,
        a_tenant_cannot_inject_into_a_tunnel,
        after_a_stop_nothing_moves_and_a_new_start_works,
    );
}

const ANN: [u8; 6] = mac(1);
const BOB: [u8; 6] = mac(2);
const CLEO: [u8; 6] = mac(3);

fn frame(to: [u8; 6], from: [u8; 6]) -> Vec<u8> {
    tenant(to, from, (1000, 2000), 40)
}

/// VX1 VX2 VX10 VX14 VX16 VX17 VX19 VX20 VX21 VX22 GN1 GN6 GN11 GN13 VL1 OIP2 OIP3 OIP9 OIP10
fn a_frame_goes_out_and_the_answer_comes_back(world: World) {
    let mut site = world.site();
    site.receive("srv1", &vlan(&frame(BOB, ANN), 10));
    site.run();
    assert_eq!(site.sent("srv2"), [vlan(&frame(BOB, ANN), 20)]);
    for (outer, peer) in world.outers(&mut site).iter().zip([1, 2]) {
        assert_eq!((outer.vni, outer.destination.to_string()), (10010, world.peer(peer)));
        assert_eq!((outer.inner.clone(), outer.ttl, outer.tos, outer.df), (frame(BOB, ANN), 64, 0, true));
    }
    let sent = site.pass("up0", &world.arriving(2, 10010, &frame(ANN, BOB)));
    assert_eq!(sent["srv1"], [vlan(&frame(ANN, BOB), 10)]);
    assert_eq!(sent.len(), 1, "to ANN only: {sent:?}");
    site.assert_balanced();
}

/// VX12 VX16 VX19 MAL6 MTU5
fn every_size_passes_in_both_directions(world: World) {
    let mut site = world.site();
    site.pass("srv1", &vlan(&frame(ALL, ANN), 10));
    site.pass("up0", &world.arriving(1, 10010, &frame(ALL, BOB)));
    for size in 0..200 {
        let body: Vec<u8> = (0..size).map(|n| (n * 7) as u8).collect();
        let out = ethernet(BOB, ANN, 0x88b5, &body);
        site.receive("srv1", &vlan(&out, 10));
        site.run();
        let outers = world.outers(&mut site);
        assert_eq!(outers.iter().map(|outer| &outer.inner).collect::<Vec<_>>(), [&out], "{size} bytes out");
        let back = ethernet(ANN, BOB, 0x88b5, &body);
        let sent = site.pass("up0", &world.arriving(1, 10010, &back));
        assert_eq!(sent["srv1"], [vlan(&back, 10)], "{size} bytes in");
    }
    site.assert_balanced();
}

/// MTU5 MAL7
fn jumbo_frames_pass_whole_and_in_pieces(world: World) {
    for pieces in [None, Some((128, 2048)), Some((200, 1)), Some((129, 333))] {
        let mut site = world.site();
        let out = tenant(ALL, ANN, (1, 2), 9000 - 28);
        let split = |frame: gateway::sim::HeapFrame| match pieces {
            Some((head, piece)) => frame.split(head, piece),
            None => frame,
        };
        site.receive_shaped("srv1", &vlan(&out, 10), Default::default(), split);
        site.run();
        assert_eq!(site.sent("srv2"), [vlan(&out, 20)]);
        assert_eq!(world.outers(&mut site).iter().filter(|outer| outer.inner == out).count(), 2, "{pieces:?}");
        let back = tenant(ALL, BOB, (1, 2), 9000 - 28);
        site.receive_shaped("up0", &world.arriving(1, 10010, &back), Default::default(), split);
        site.run();
        assert_eq!(site.sent("srv1"), [vlan(&back, 10)]);
        assert_eq!(site.sent("srv2"), [vlan(&back, 20)]);
        site.assert_balanced();
    }
}

/// BUM1 BUM4
fn a_flood_is_one_copy_for_each_vtep_and_each_other_member(world: World) {
    let peers: Vec<u16> = (1..=40).collect();
    let yaml = world.yaml(
        &["{vlan: 10, vni: 10010}, {vlan: 30, vni: 10010}", "{vlan: 20, vni: 10010}", "{vlan: 20, vni: 10020}"],
        &[(10010, &peers, ""), (10020, &[50], "")],
    );
    let mut site = Site::new(&yaml);
    for to in [ALL, [0x01, 0, 0x5e, 1, 2, 3], [0x33, 0x33, 0, 0, 0, 1], BOB] {
        site.receive("srv1", &vlan(&frame(to, ANN), 10));
        site.run();
        assert_eq!(site.sent("srv1"), [vlan(&frame(to, ANN), 30)]);
        assert_eq!(site.sent("srv2"), [vlan(&frame(to, ANN), 20)]);
        assert!(site.sent("srv3").is_empty(), "another VNI");
        let outers = world.outers(&mut site);
        let reached: BTreeSet<String> = outers.iter().map(|outer| outer.destination.to_string()).collect();
        assert_eq!(reached, peers.iter().map(|&peer| world.peer(peer)).collect());
        assert_eq!(outers.len(), peers.len());
        assert!(outers.iter().all(|outer| outer.inner == frame(to, ANN) && outer.vni == 10010));
    }
    assert_eq!(site.counters().replicated, 4 * 41);
    site.assert_balanced();
}

/// L2a L2b L2d
fn a_mac_is_where_it_was_seen_last(world: World) {
    let mut site = world.site();
    let from_peer = |peer| world.arriving(peer, 10010, &frame(ALL, BOB));
    let places: [(&str, Vec<u8>); 6] = [
        ("srv2", vlan(&frame(ALL, BOB), 20)),
        ("up0", from_peer(1)),
        ("up0", from_peer(2)),
        ("srv2", vlan(&frame(ALL, BOB), 20)),
        ("up0", from_peer(2)),
        ("up0", from_peer(1)),
    ];
    for (step, (port, hello)) in places.iter().enumerate() {
        site.pass(port, hello);
        site.receive("srv1", &vlan(&frame(BOB, ANN), 10));
        site.run();
        let outers = world.outers(&mut site);
        let local = site.sent("srv2");
        match *port {
            "srv2" => assert_eq!((outers.len(), local.len()), (0, 1), "step {step}"),
            _ => {
                let peer = if *hello == from_peer(1) { 1 } else { 2 };
                assert_eq!((outers.len(), local.len()), (1, 0), "step {step}");
                assert_eq!(outers[0].destination.to_string(), world.peer(peer), "step {step}");
            }
        }
    }
    site.assert_balanced();
}

/// L2g L2h
fn nothing_passes_from_tunnel_to_tunnel(world: World) {
    let mut site = world.site();
    site.pass("up0", &world.arriving(2, 10010, &frame(ALL, CLEO)));
    for to in [ALL, BOB, CLEO] {
        let sent = site.pass("up0", &world.arriving(1, 10010, &frame(to, BOB)));
        assert!(!sent.contains_key("up0"), "{sent:?}");
    }
    assert_eq!(site.drops()["split-horizon"], 2, "to CLEO behind the other VTEP, to BOB where it came from");
    site.assert_balanced();
}

/// VX8 VX9 GN12
fn the_source_port_is_that_of_the_flow(world: World) {
    let mut site = world.site();
    site.pass("up0", &world.arriving(1, 10010, &frame(ALL, BOB)));
    let mut port_of = |inner: &[u8]| {
        site.receive("srv1", &vlan(inner, 10));
        site.run();
        let outers = world.outers(&mut site);
        assert_eq!(outers.len(), 1);
        outers[0].source_port
    };
    let mut ports = BTreeSet::new();
    for flow in 0..200u16 {
        let port = port_of(&tenant(BOB, ANN, (1000 + flow, 2000), 10));
        assert_eq!(port, port_of(&tenant(BOB, ANN, (1000 + flow, 2000), 99)), "one flow, one port");
        ports.insert(port);
    }
    assert!(ports.len() > 190, "200 flows use {} ports", ports.len());
    // The fragments of one packet: only the first has UDP ports to look at.
    let fragment = |field: u16, payload: &[u8]| {
        let ip = Ip { fragment: field, ..Ip::new("192.0.2.1", "192.0.2.2") };
        ethernet(BOB, ANN, 0x0800, &ip.packet(17, payload))
    };
    let first = port_of(&fragment(0x2000, &[0x11; 64]));
    assert_eq!(first, port_of(&fragment(0x2008, &[0x22; 64])), "fragments stay together");
    assert_eq!(first, port_of(&fragment(0x0010, &[0x33; 13])), "the last one too");
    // Frames that are not IP: by their addresses.
    let arp = |from| ethernet(BOB, from, 0x0806, &[1; 28]);
    assert_eq!(port_of(&arp(ANN)), port_of(&arp(ANN)));
    assert_ne!(port_of(&arp(ANN)), port_of(&arp(CLEO)));
    site.assert_balanced();
}

/// MTU1 MTU2 OIP9
fn a_packet_of_exactly_the_mtu_passes_and_one_more_does_not(world: World) {
    let yaml = world.usual().replace("mtu: 9216", "mtu: 1500");
    let mut site = Site::new(&yaml);
    let fits = 1500 - world.overhead();
    for (len, pass) in [(fits - 1, true), (fits, true), (fits + 1, false), (3000, false)] {
        let inner = ethernet(ALL, ANN, 0x88b5, &vec![7; len - 14]);
        site.receive("srv1", &vlan(&inner, 10));
        site.run();
        assert_eq!(world.outers(&mut site).len(), if pass { 2 } else { 0 }, "an inner frame of {len} bytes");
        assert_eq!(site.sent("srv2"), [vlan(&inner, 20)], "the local copy is not affected");
    }
    assert_eq!(site.drops()["underlay-mtu"], 4);
    site.assert_balanced();
}

/// L2n: more frames than a burst, of all kinds, in one go; order is kept for each flow.
fn a_burst_is_handled_frame_by_frame(world: World) {
    let mut site = world.site();
    site.pass("srv1", &vlan(&frame(ALL, ANN), 10));
    site.pass("up0", &world.arriving(1, 10010, &frame(ALL, BOB)));
    let numbered = |to, n: u16| ethernet(to, ANN, 0x88b5, &[&n.to_be_bytes()[..], &vec![1; usize::from(n)]].concat());
    for n in 0..257u16 {
        match n % 4 {
            0 => site.receive("srv1", &vlan(&numbered(BOB, n), 10)),
            1 => site.receive("srv1", &vlan(&numbered(ALL, n), 10)),
            2 => site.receive("srv1", &vlan(&numbered(BOB, n), 11)),
            _ => site.receive("srv1", &vlan(&numbered([1, 0x80, 0xc2, 0, 0, 3], n), 10)),
        }
    }
    site.run();
    let number = |inner: &[u8]| u16::from_be_bytes([inner[14], inner[15]]);
    let outers = world.outers(&mut site);
    let to = |mac: [u8; 6], peer: u16| -> Vec<u16> {
        let wanted = |outer: &&support::outer::Outer| {
            outer.inner[..6] == mac && outer.destination.to_string() == world.peer(peer)
        };
        outers.iter().filter(wanted).map(|outer| number(&outer.inner)).collect()
    };
    let every_fourth = |from: u16| (0..257).filter(|n| n % 4 == from).collect::<Vec<u16>>();
    assert_eq!(to(BOB, 1), every_fourth(0));
    assert_eq!((to(ALL, 1), to(ALL, 2)), (every_fourth(1), every_fourth(1)));
    let local: Vec<u16> =
        site.sent("srv2").iter().map(|frame| number(&[&frame[..12], &frame[16..]].concat())).collect();
    assert_eq!(local, every_fourth(1));
    assert_eq!((site.drops()["unknown-vlan"], site.drops()["link-local"]), (64, 64));
    site.assert_balanced();
}

/// MAL1 MAL2 MAL3
fn a_packet_cut_anywhere_yields_nothing(world: World) {
    let mut site = world.site();
    let whole = world.arriving(1, 10010, &frame(ALL, BOB));
    for len in 0..whole.len() {
        let sent = site.pass("up0", &whole[..len]);
        assert!(sent.is_empty(), "cut to {len} bytes: {sent:?}");
    }
    assert_eq!(site.counters().learned, 0, "L2c: nothing was learned from them");
    assert_eq!(site.pass("up0", &whole).len(), 2, "the whole packet goes to both members");
    site.assert_balanced();
}

/// VX13 GN14
fn a_packet_with_any_bit_of_its_checksum_wrong_yields_nothing(world: World) {
    let mut site = world.site();
    let l4 = 14 + world.vlan.map_or(0, |_| 4) + if world.v6 { 40 } else { 20 };
    let ip = Ip::new(&world.peer(1), world.own());
    let payload = match world.geneve {
        true => support::build::geneve(10010, &[], &frame(ALL, BOB)),
        false => support::build::vxlan(10010, &frame(ALL, BOB)),
    };
    let whole = world.on_the_wire(&ip, &ip.udp((55555, world.udp_port()), &payload, true));
    for bit in 0..16 {
        let mut wrong = whole.clone();
        wrong[l4 + 6 + bit / 8] ^= 1 << (bit % 8);
        let sent = site.pass("up0", &wrong);
        assert!(sent.is_empty(), "bit {bit}: {sent:?}");
    }
    assert_eq!((site.drops()["bad-udp-checksum"], site.counters().learned), (16, 0));
    assert_eq!(site.pass("up0", &whole).len(), 2);
    site.assert_balanced();
}

/// ISO1 ISO2 ISO3 VL4 VL8
fn two_segments_share_nothing(world: World) {
    let yaml = world.yaml(
        &["{vlan: 10, vni: 10010}, {vlan: 20, vni: 10020}", "{vlan: 10, vni: 10020}, {vlan: 20, vni: 10010}"],
        &[(10010, &[1], ""), (10020, &[2], "")],
    );
    let mut site = Site::new(&yaml);
    // The same MAC lives in both: in one on srv1, in the other behind VTEP 2.
    site.pass("srv1", &vlan(&frame(ALL, ANN), 10));
    site.pass("up0", &world.arriving(2, 10020, &frame(ALL, ANN)));
    let sent = site.pass("srv2", &vlan(&frame(ANN, BOB), 20));
    assert_eq!(sent.keys().collect::<Vec<_>>(), ["srv1"], "VNI 10010 knows it on srv1");
    site.receive("srv2", &vlan(&frame(ANN, BOB), 10));
    site.run();
    let outers = world.outers(&mut site);
    assert_eq!((outers.len(), outers[0].vni, outers[0].destination.to_string()), (1, 10020, world.peer(2)));
    assert!(site.all_sent().is_empty());
    assert!(site.pass("up0", &world.arriving(1, 10020, &frame(ALL, CLEO))).is_empty(), "VTEP 1 is not of VNI 10020");
    assert_eq!(site.drops()["unknown-vtep"], 1);
    site.assert_balanced();
}

/// L2l
fn a_flush_forgets_what_was_learned_and_keeps_what_was_given(world: World) {
    use gateway::control::FdbFilter;
    let known = format!("static: [{{mac: \"02:00:00:00:00:03\", vtep: \"{}\"}}]", world.peer(2));
    let yaml = world.yaml(&["{vlan: 10, vni: 10010}", "{vlan: 20, vni: 10010}"], &[(10010, &[1, 2], &known)]);
    let vtep = world.peer(1).parse().expect("an address");
    for (which, forgets) in [
        (FdbFilter::default(), [true, true]),
        (FdbFilter::vni("10010".into()), [true, true]),
        (FdbFilter::port("srv2".into()), [true, false]),
        (FdbFilter::port("srv1".into()), [false, false]),
        (FdbFilter::vtep(vtep), [false, true]),
    ] {
        let mut site = Site::new(&yaml);
        site.pass("srv2", &vlan(&frame(ALL, ANN), 20));
        site.pass("up0", &world.arriving(1, 10010, &frame(ALL, BOB)));
        site.control.flush(&which).expect("it exists");
        site.run();
        let floods = |site: &mut Site, to| {
            let sent = site.pass("srv1", &vlan(&ethernet(to, mac(9), 0x88b5, &[]), 10));
            sent.values().map(Vec::len).sum::<usize>() == 3
        };
        assert_eq!([floods(&mut site, ANN), floods(&mut site, BOB)], forgets, "{which:?}");
        assert!(!floods(&mut site, CLEO), "{which:?}: a static MAC stays");
        site.assert_balanced();
    }
}

/// L2f
fn static_macs_win_in_both_directions(world: World) {
    let known = format!(
        "static: [{{mac: \"02:00:00:00:00:02\", vtep: \"{}\"}}, {{mac: \"02:00:00:00:00:01\", port: srv1, vlan: 10}}]",
        world.peer(2)
    );
    let yaml = world.yaml(&["{vlan: 10, vni: 10010}", "{vlan: 20, vni: 10010}"], &[(10010, &[1, 2], &known)]);
    let mut site = Site::new(&yaml);
    // Both are forged from elsewhere.
    site.pass("up0", &world.arriving(1, 10010, &frame(ALL, ANN)));
    site.pass("srv2", &vlan(&frame(ALL, BOB), 20));
    site.receive("srv2", &vlan(&frame(BOB, CLEO), 20));
    site.run();
    let outers = world.outers(&mut site);
    assert_eq!((outers.len(), outers[0].destination.to_string()), (1, world.peer(2)));
    let sent = site.pass("srv2", &vlan(&frame(ANN, CLEO), 20));
    assert_eq!(sent.keys().collect::<Vec<_>>(), ["srv1"]);
    site.wait(1200 * support::site::SECOND);
    let sent = site.pass("up0", &world.arriving(1, 10010, &frame(ANN, mac(9))));
    assert_eq!(sent.keys().collect::<Vec<_>>(), ["srv1"], "nor do they age");
    site.assert_balanced();
}

/// CTL6 MAL8 MAL10
fn a_tenant_cannot_inject_into_a_tunnel(world: World) {
    let mut site = world.site();
    let forged = World { vlan: None, ..world }.arriving(1, 10010, &frame(ALL, BOB));
    let mut forged = forged;
    forged[6..12].copy_from_slice(&ANN);
    site.receive("srv1", &vlan(&forged, 10));
    site.run();
    assert_eq!(site.sent("srv2"), [vlan(&forged, 20)], "bridged as it is");
    let outers = world.outers(&mut site);
    assert!(outers.iter().all(|outer| outer.inner == forged), "and carried as it is");
    // The far side takes off one level, and so do we.
    let sent = site.pass("up0", &world.arriving(1, 10010, &forged));
    assert_eq!(sent["srv1"], [vlan(&forged, 10)]);
    // Our own packets, looped back by a confused switch.
    for frame in site.pass("srv1", &vlan(&frame(ALL, ANN), 10))["up0"].clone() {
        assert!(site.pass("up0", &frame).is_empty());
        let mut redirected = frame.clone();
        redirected[..6].copy_from_slice(&support::site::port_mac(0));
        assert!(site.pass("up0", &redirected).is_empty());
    }
    site.assert_balanced();
}

/// CTL4
fn after_a_stop_nothing_moves_and_a_new_start_works(world: World) {
    let mut site = world.site_with(&Setup { workers: 2, ..Setup::default() });
    site.pass("srv1", &vlan(&frame(ALL, ANN), 10));
    site.control.handle(gateway::control::Event::Stop, site.now);
    site.run();
    assert!(site.control.all_stopped());
    site.receive("srv1", &vlan(&frame(ALL, ANN), 10));
    for core in 0..2 {
        assert_eq!(site.turn(core), gateway::worker::Turn::Stopped);
    }
    assert!(site.all_sent().is_empty());
    assert_eq!(site.counters().missing(), 0);
    let mut again = world.site_with(&Setup { workers: 2, ..Setup::default() });
    assert_eq!(again.pass("srv1", &vlan(&frame(ALL, ANN), 10)).len(), 2);
}

/// VL1: a server's trunk with every VLAN there is.
#[test]
fn all_4094_vlans_lead_to_segments_of_their_own_and_back() {
    let world = World { geneve: false, v6: false, vlan: None };
    let bindings: Vec<String> = (1..=4094).map(|vid| format!("{{vlan: {vid}, vni: {}}}", 5000 + vid)).collect();
    let vnis: Vec<(u32, &[u16], &str)> = (1..=4094).map(|vid| (5000 + vid, &[1u16][..], "")).collect();
    let mut site = Site::new(&world.yaml(&[&bindings.join(", ")], &vnis));
    for vid in 1..=4094u16 {
        site.receive("srv1", &vlan(&frame(ALL, ANN), vid));
        site.receive("up0", &world.arriving(1, 5000 + u32::from(vid), &frame(ALL, BOB)));
    }
    site.run();
    let outers = world.outers(&mut site);
    assert_eq!(outers.len(), 4094);
    assert!(outers.iter().zip(5001..).all(|(outer, vni)| outer.vni == vni && outer.inner == frame(ALL, ANN)));
    let sent = site.sent("srv1");
    assert_eq!(sent.len(), 4094);
    assert!(sent.iter().zip(1..).all(|(sent, vid)| *sent == tagged(&frame(ALL, BOB), 0x8100, vid)));
    site.assert_balanced();
}
