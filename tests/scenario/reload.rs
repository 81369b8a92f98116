//! CTL2: another configuration while frames flow. CTL4: the end.

use gateway::control::Event;
use gateway::worker::Turn;

use super::{ANN, BOB, CLEO, PLAIN, everywhere, frame, outers, site, way_to};
use crate::support::build::{ALL, mac, tenant, vlan};
use crate::support::site::{Setup, Site};

const PORTS: [&str; 2] =
    ["{vlan: 10, vni: 10010}, {vlan: 11, vni: 10011}", "{vlan: 20, vni: 10010}, {vlan: 21, vni: 10011}"];

fn two(first: &str, second: &[u16]) -> String {
    PLAIN.yaml(&PORTS, &[(10010, &[1, 2], first), (10011, second, "")])
}

/// CTL2
#[test]
fn a_reload_loses_no_frame_and_no_mac_of_what_stays() {
    for workers in [1, 2, 4] {
        let mut site = Site::with(&two("", &[3]), &Setup { workers, ..Setup::default() });
        site.receive_at(0, "srv2", &vlan(&frame(ALL, BOB), 20));
        site.run();
        site.all_sent();
        let mut received = 0;
        for round in 0..10u16 {
            for core in 0..workers {
                site.receive_at(core, "srv1", &vlan(&tenant(BOB, ANN, (round, 1), 10), 10));
            }
            // The other VNI comes, changes and goes.
            let other = [
                PLAIN.yaml(&["{vlan: 10, vni: 10010}", "{vlan: 20, vni: 10010}"], &[(10010, &[1, 2], "")]),
                two("", &[round + 4]),
            ];
            site.control
                .reload(crate::support::site::model(&other[usize::from(round) % 2], workers), site.now)
                .expect("nothing that needs a restart");
            for core in 0..workers {
                site.turn(core);
            }
            site.step_control();
            for core in 0..workers {
                site.receive_at(core, "srv1", &vlan(&tenant(BOB, ANN, (round, 2), 10), 10));
            }
            site.run();
            received += site.sent("srv2").len();
            assert!(site.sent("up0").is_empty(), "round {round}: BOB stays known, nothing floods");
        }
        assert_eq!(received, 20 * workers);
        assert!(site.drops().is_empty());
        site.assert_balanced();
    }
}

/// ISO1 CTL2: tags that move to another VNI take no MAC along.
#[test]
fn a_vlan_that_moves_to_another_vni_leaves_its_macs_behind() {
    let mut site = Site::with(&two("", &[3]), &Setup { workers: 2, ..Setup::default() });
    site.receive_at(0, "srv2", &vlan(&frame(ALL, BOB), 20));
    site.run();
    site.all_sent();
    // VLAN 20 of srv2 now belongs to 10011; 10010 has VLAN 21.
    let swapped = PLAIN.yaml(
        &[PORTS[0], "{vlan: 20, vni: 10011}, {vlan: 21, vni: 10010}"],
        &[(10010, &[1, 2], ""), (10011, &[3], "")],
    );
    site.reload(&swapped);
    site.run();
    for core in 0..2 {
        site.receive_at(core, "srv1", &vlan(&frame(BOB, ANN), 10));
        site.run();
        assert_eq!(site.sent("srv2"), [vlan(&frame(BOB, ANN), 21)], "unknown again: a copy to the new member");
        assert!(outers(&mut site).iter().all(|outer| outer.vni == 10010));
    }
    site.assert_balanced();
}

/// CTL2: a VTEP goes, and the core hears of it before it hears that the MACs behind it are gone.
#[test]
fn a_mac_behind_a_vtep_that_went_is_unknown_at_once() {
    // A ring of one place: tables arrive, news about MACs do not yet.
    let mut site = Site::with(&two("", &[3]), &Setup { rings: (1, 64), ..Setup::default() });
    site.receive("up0", &PLAIN.arriving(1, 10010, &frame(ALL, BOB)));
    site.run();
    site.all_sent();
    site.reload(&PLAIN.yaml(&PORTS, &[(10010, &[2, 4], ""), (10011, &[3], "")]));
    site.receive("srv1", &vlan(&frame(BOB, ANN), 10));
    site.turn(0);
    let to: Vec<String> = outers(&mut site).iter().map(|outer| outer.destination.to_string()).collect();
    assert_eq!(to, [PLAIN.peer(2), PLAIN.peer(4)], "a flood, not a drop");
    assert_eq!(site.sent("srv2"), [vlan(&frame(BOB, ANN), 20)]);
    assert!(site.drops().is_empty(), "{:?}", site.drops());
    site.run();
    site.all_sent();
    site.assert_balanced();
}

/// ISO1 CTL2: an endpoint's number goes to another VNI while the core still has MACs with it: they are misses, not ways into
/// that VNI.
#[test]
fn a_number_that_is_used_again_leads_no_frame_astray() {
    // A ring of one place: tables arrive, news about MACs do not yet.
    let start = two("", &[3]);
    let mut site = Site::with(&start, &Setup { rings: (1, 64), ..Setup::default() });
    site.receive("srv2", &vlan(&frame(ALL, BOB), 20));
    site.run();
    site.all_sent();
    // VLAN 20 leaves VNI 10010 and its number is free; then VLAN 22 of VNI 10011 gets it.
    let second = |more: &str| {
        let srv2 = format!("{{vlan: 23, vni: 10010}}, {{vlan: 21, vni: 10011}}{more}");
        PLAIN.yaml(&[PORTS[0], &srv2], &[(10010, &[1, 2], ""), (10011, &[3], "")])
    };
    for yaml in [second(""), second(", {vlan: 22, vni: 10011}")] {
        site.reload(&yaml);
        site.receive("srv1", &vlan(&frame(mac(9), ANN), 10));
        site.turn(0);
        site.all_sent();
    }
    site.receive("srv1", &vlan(&frame(BOB, ANN), 10));
    site.turn(0);
    for sent in site.sent("srv2") {
        assert_eq!(sent, vlan(&frame(BOB, ANN), 23), "nothing for VNI 10011");
    }
    assert_eq!(outers(&mut site).len(), 2, "BOB is unknown");
    site.run();
    site.all_sent();
    assert_eq!(way_to(&mut site, 0, BOB), everywhere());
    site.assert_balanced();
}

/// CTL2 BUM3: a VTEP that goes takes its MACs along, and its number may serve another.
#[test]
fn a_vtep_that_goes_takes_its_macs_along() {
    let mut site = site(2);
    site.receive_at(1, "up0", &PLAIN.arriving(1, 10010, &frame(ALL, BOB)));
    site.run();
    site.all_sent();
    assert_eq!(way_to(&mut site, 0, BOB), [PLAIN.peer(1)]);
    let with = |peers: &[u16]| PLAIN.yaml(&["{vlan: 10, vni: 10010}", "{vlan: 20, vni: 10010}"], &[(10010, peers, "")]);
    for peers in [&[2u16][..], &[2, 3], &[4, 2]] {
        site.reload(&with(peers));
        site.run();
        for core in 0..2 {
            let way = way_to(&mut site, core, BOB);
            assert_eq!(way.len(), peers.len() + 1, "flooded: {way:?}");
        }
    }
    site.assert_balanced();
}

/// CTL2: static MACs come and go.
#[test]
fn static_macs_change_while_running() {
    let mut site = site(2);
    let with =
        |more: &str| PLAIN.yaml(&["{vlan: 10, vni: 10010}", "{vlan: 20, vni: 10010}"], &[(10010, &[1, 2], more)]);
    site.receive_at(0, "srv2", &vlan(&frame(ALL, CLEO), 20));
    site.run();
    site.all_sent();
    for (more, way) in [
        ("static: [{mac: \"02:00:00:00:00:03\", vtep: 10.0.1.2}]", vec![PLAIN.peer(1)]),
        ("static: [{mac: \"02:00:00:00:00:03\", vtep: 10.0.1.3}]", vec![PLAIN.peer(2)]),
        ("static: [{mac: \"02:00:00:00:00:03\", port: srv2, vlan: 20}]", vec!["srv2".to_owned()]),
        ("", everywhere()),
    ] {
        site.reload(&with(more));
        site.run();
        for core in 0..2 {
            assert_eq!(way_to(&mut site, core, CLEO), way, "with '{more}', core {core}");
        }
    }
    site.assert_balanced();
}

/// CTL2: control falls behind a core whose ring is small; in the end all know the same.
#[test]
fn rings_that_are_full_delay_news_but_lose_none() {
    let mut site = PLAIN.site_with(&Setup { workers: 2, rings: (4, 64), ..Setup::default() });
    for n in 0..200u8 {
        site.receive_at(usize::from(n) % 2, "srv2", &vlan(&frame(ALL, mac(n)), 20));
    }
    // Frames come faster than control listens: what cannot be reported is learned from a later frame.
    for round in 0..200u8 {
        site.turn(0);
        site.turn(1);
        site.all_sent();
        if round % 3 == 0 {
            site.step_control();
        }
    }
    site.run();
    for n in 0..200u8 {
        site.receive_at(usize::from(n) % 2, "srv2", &vlan(&frame(ALL, mac(n)), 20));
        site.run();
    }
    site.all_sent();
    for core in 0..2 {
        for n in (0..200).filter(|n| *n != 0x99) {
            assert_eq!(way_to(&mut site, core, mac(n)), ["srv2"], "core {core}, MAC {n}");
        }
    }
    site.assert_balanced();
}

/// CTL4: a stop drops what is held by name and every core says good-bye, also into a ring that is full.
#[test]
fn a_stop_ends_every_core_and_names_what_was_held() {
    let mut site = PLAIN.site_with(&Setup { workers: 2, rings: (4, 64), copies: 1, ..Setup::default() });
    site.pass("srv2", &vlan(&frame(ALL, BOB), 20));
    site.cores[0].driver_mut().ports[0].room = Some(0);
    for n in 0..5 {
        site.receive("srv1", &vlan(&tenant(BOB, mac(0x20 + n), (9, 1), 10), 10));
    }
    site.receive("srv1", &vlan(&frame(ALL, ANN), 10));
    // Their sources fill the ring to control, which does not listen just now.
    site.turn(0);
    assert!(site.links[0].reports.is_full());
    site.control.handle(Event::Stop, site.now);
    for core in 0..2 {
        site.control.feed(core, &site.links[core].updates);
    }
    assert_eq!((site.turn(0), site.turn(1)), (Turn::Busy, Turn::Stopped), "the first has no room for its good-bye");
    assert!(!site.control.all_stopped());
    site.step_control();
    assert_eq!(site.turn(0), Turn::Stopped);
    site.step_control();
    assert!(site.control.all_stopped(), "control hears of it as soon as it listens");
    assert_eq!(site.drops()["stopped"], 2, "two copies of a flood that was under way");
    site.all_sent();
    site.assert_balanced();
}
