//! The underlay's Linux twin: what it gets, what it sends, and how much.

use super::{ANN, PLAIN, frame};
use crate::support::build::{ALL, Ip, ethernet, tagged, vlan};
use crate::support::site::{MS, SECOND, Setup, Site, port_mac};
use crate::support::world::{HOP, World};

/// An underlay with a twin, in a VLAN or not.
fn twin(underlay_vlan: Option<u16>, workers: usize) -> Site {
    let yaml = World { vlan: underlay_vlan, ..PLAIN }
        .usual()
        .replace("via: {mac: \"02:00:00:00:ff:01\"}", "twin: tw0, addresses: [10.0.0.11/16]");
    Site::with(&yaml, &Setup { workers, ..Setup::default() })
}

fn arp_request() -> Vec<u8> {
    ethernet(
        ALL,
        HOP,
        0x0806,
        &[0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0xff, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 11],
    )
}

/// CTL1 MAL9: the kernel answers for the VTEP, and judges what is malformed.
#[test]
fn the_underlays_own_traffic_goes_to_the_twin_untouched() {
    let to_us = |protocol, payload: &[u8]| {
        ethernet(port_mac(0), HOP, 0x0800, &Ip::new("10.0.0.1", "10.0.0.11").packet(protocol, payload))
    };
    let multicast =
        |last| ethernet([1, 0, 0x5e, 0, 0, last], HOP, 0x0800, &Ip::new("10.0.0.1", "224.0.0.5").packet(89, &[2; 44]));
    let frames = [
        arp_request(),
        ethernet(ALL, HOP, 0x0806, &[0xff; 9]),
        to_us(1, &[8, 0, 0, 0, 1, 2, 3, 4]),
        to_us(6, &[0; 20]),
        ethernet(port_mac(0), HOP, 0x0800, &Ip::new("10.0.0.1", "10.0.0.11").udp((3784, 3784), &[0x20; 24], true)),
        multicast(5),
        ethernet(
            [0x33, 0x33, 0xff, 0, 0, 0x11],
            HOP,
            0x86dd,
            &Ip::new("fe80::1", "ff02::1:ff00:11").packet(58, &[135; 24]),
        ),
    ];
    for underlay_vlan in [None, Some(100)] {
        for bytes in &frames {
            let mut site = twin(underlay_vlan, 1);
            let wire = underlay_vlan.map_or(bytes.clone(), |vid| vlan(bytes, vid));
            let sent = site.pass("up0", &wire);
            assert_eq!(sent.keys().collect::<Vec<_>>(), ["up0 host"]);
            assert_eq!(sent["up0 host"], std::slice::from_ref(bytes), "without the underlay's tag");
            site.assert_balanced();
        }
    }
}

/// CTL1: LLDP and LACP are between the port and its switch, with an underlay VLAN as well.
#[test]
fn link_local_frames_go_to_the_twin_of_an_underlay_port_and_nowhere_from_others() {
    let lldp = ethernet([1, 0x80, 0xc2, 0, 0, 0x0e], HOP, 0x88cc, &[2, 7, 4, 1, 2, 3, 4, 5, 6, 0, 0]);
    for underlay_vlan in [None, Some(100)] {
        let mut site = twin(underlay_vlan, 1);
        let sent = site.pass("up0", &lldp);
        if underlay_vlan.is_none() {
            assert_eq!(sent["up0 host"], std::slice::from_ref(&lldp));
        } else {
            assert_eq!(sent.get("up0 host").map_or(0, Vec::len) as u64 + site.drops().values().sum::<u64>(), 1);
        }
        assert!(site.pass("srv1", &vlan(&lldp, 10)).is_empty());
        site.assert_balanced();
    }
}

/// A tag in the frame and a tag that the NIC took off are the same thing: a tagged link-local frame has one fate.
#[test]
fn a_tagged_link_local_frame_has_the_same_fate_with_the_tag_stripped() {
    let lldp = ethernet([1, 0x80, 0xc2, 0, 0, 0x0e], HOP, 0x88cc, &[2, 7, 4, 1, 2, 3, 4, 5, 6, 0, 0]);
    for underlay_vlan in [None, Some(100)] {
        let mut whole = twin(underlay_vlan, 1);
        let mut stripped = twin(underlay_vlan, 1);
        whole.receive("up0", &tagged(&lldp, 0x8100, 100));
        whole.run();
        let meta = gateway::frame::RxMeta { stripped: Some(100), ..Default::default() };
        stripped.receive_shaped("up0", &lldp, meta, |frame| frame);
        stripped.run();
        assert_eq!(whole.drops(), stripped.drops());
        assert_eq!(whole.all_sent(), stripped.all_sent());
    }
}

/// UDP to the tunnel ports never reaches the kernel: it would answer that the port is unreachable.
#[test]
fn tunnel_packets_never_reach_the_twin() {
    let mut site = twin(None, 1);
    let stray = |destination: &str| {
        ethernet(port_mac(0), HOP, 0x0800, &Ip::new("10.0.1.2", destination).udp((5, 4789), &[0; 40], false))
    };
    for destination in ["10.0.0.11", "10.0.0.99", "224.0.0.5"] {
        assert!(site.pass("up0", &stray(destination)).is_empty());
    }
    assert_eq!(site.drops()["not-for-us"], 2);
    site.assert_balanced();
}

#[test]
fn frames_of_the_twin_leave_with_the_underlays_tag() {
    for underlay_vlan in [None, Some(100)] {
        let mut site = twin(underlay_vlan, 1);
        site.receive_from_host("up0", &arp_request());
        site.run();
        let wire = underlay_vlan.map_or(arp_request(), |vid| vlan(&arp_request(), vid));
        assert_eq!(site.sent("up0"), [wire]);
        assert_eq!(site.counters().ports[0].from_host.frames, 1);
        site.assert_balanced();
    }
}

/// The policer: what is too much for the kernel is dropped by name; tunnel traffic does not notice.
#[test]
fn a_flood_of_host_frames_is_policed() {
    let yaml = PLAIN
        .usual()
        .replace("vtep: {", "vtep: {host_rate: 1000, ")
        .replace("via: {mac: \"02:00:00:00:ff:01\"}", "twin: tw0, addresses: [10.0.0.11/16]");
    let mut site = Site::new(&yaml);
    site.run();
    let mut passed = 0;
    // Ten frames a millisecond for a second: ten times the rate.
    for _ in 0..1000 {
        site.now += MS;
        for _ in 0..10 {
            site.receive("up0", &arp_request());
        }
        site.run();
        passed += site.sent_to_host("up0").len() as u64;
    }
    assert!((1000..=1110).contains(&passed), "{passed} frames in a second, and a tenth of a second's burst");
    assert_eq!(site.drops()["host-policed"], 10_000 - passed);
    site.assert_balanced();
}

/// A rate below one frame a millisecond is kept too.
#[test]
fn a_low_host_rate_is_kept() {
    let yaml = PLAIN
        .usual()
        .replace("vtep: {", "vtep: {host_rate: 100, ")
        .replace("via: {mac: \"02:00:00:00:ff:01\"}", "twin: tw0, addresses: [10.0.0.11/16]");
    let mut site = Site::new(&yaml);
    site.run();
    let mut passed = 0;
    for _ in 0..2000 {
        site.now += MS;
        site.receive("up0", &arp_request());
        site.run();
        passed += site.sent_to_host("up0").len();
    }
    assert!((200..=220).contains(&passed), "{passed} frames in two seconds");
    site.now += 3600 * SECOND;
    site.run();
    for _ in 0..100 {
        site.receive("up0", &arp_request());
    }
    site.run();
    assert!(site.sent_to_host("up0").len() <= 20, "an hour of silence saves up a tenth of a second");
    site.assert_balanced();
}

/// The ring to the twins is full: dropped by name, no leak.
#[test]
fn a_twin_that_does_not_listen_costs_its_own_frames_only() {
    let yaml = PLAIN.usual().replace("via: {mac: \"02:00:00:00:ff:01\"}", "twin: tw0, addresses: [10.0.0.11/16]");
    let mut site = Site::with(&yaml, &Setup { rings: (4096, 4), ..Setup::default() });
    for _ in 0..10 {
        site.receive("up0", &arp_request());
    }
    site.receive("srv1", &vlan(&frame(ALL, ANN), 10));
    site.turn(0);
    assert_eq!(site.drops()["host-policed"], 6);
    assert_eq!(site.sent("srv2").len(), 1);
    site.run();
    assert_eq!(site.sent_to_host("up0").len(), 4);
    site.assert_balanced();
}
