//! MACs: learned by one core, ruled by control, known to all.

use super::{ANN, BOB, CLEO, PLAIN, everywhere, frame, outers, site, way_to};
use crate::support::build::{ALL, mac, vlan};
use crate::support::site::{SECOND, Setup, Site};

/// L2a
#[test]
fn a_mac_learned_on_one_core_is_known_on_every_core() {
    for workers in [1, 2, 4] {
        for learner in 0..workers {
            let mut site = site(workers);
            site.receive_at(learner, "srv2", &vlan(&frame(ALL, ANN), 20));
            site.run();
            site.all_sent();
            for core in 0..workers {
                assert_eq!(way_to(&mut site, core, ANN), ["srv2"], "core {core} of {workers}, learned by {learner}");
            }
            site.assert_balanced();
        }
    }
}

/// L2d: control hears of the move from one core; every core follows, also one that saw the old place itself.
#[test]
fn mac_move_converges_on_every_core() {
    for workers in [2, 4] {
        let mut site = site(workers);
        for core in 0..workers {
            site.receive_at(core, "srv2", &vlan(&frame(ALL, ANN), 20));
        }
        site.run();
        let last = workers - 1;
        for (step, peer) in [1, 2, 1].into_iter().enumerate() {
            site.receive_at(last, "up0", &PLAIN.arriving(peer, 10010, &frame(ALL, ANN)));
            site.run();
            site.all_sent();
            for core in 0..workers {
                assert_eq!(way_to(&mut site, core, ANN), [PLAIN.peer(peer)], "step {step}, core {core}");
            }
        }
        site.receive_at(0, "srv2", &vlan(&frame(ALL, ANN), 20));
        site.run();
        site.all_sent();
        for core in 0..workers {
            assert_eq!(way_to(&mut site, core, ANN), ["srv2"], "back on its port, core {core}");
        }
        site.assert_balanced();
    }
}

/// L2d: each core has its own opinion until control rules; then all have the same, whatever the order.
#[test]
fn two_cores_learning_one_mac_at_once_converge() {
    for workers in [2, 4] {
        for first in 0..2 {
            let mut site = site(workers);
            site.receive_at(0, "srv2", &vlan(&frame(ALL, ANN), 20));
            site.receive_at(1, "up0", &PLAIN.arriving(1, 10010, &frame(ALL, ANN)));
            // Both learn before control hears of either.
            site.turn(first);
            site.turn(1 - first);
            assert_eq!(site.counters().learned, 2);
            site.run();
            site.all_sent();
            let agreed = way_to(&mut site, 0, ANN);
            assert_eq!(agreed.len(), 1, "it is in one place");
            for core in 1..workers {
                assert_eq!(way_to(&mut site, core, ANN), agreed, "core {core} of {workers}");
            }
            site.assert_balanced();
        }
    }
}

/// L2d: a station that both cores see at two places over and over (a loop in the tenant's network) keeps control busy, but
/// when it ends all agree.
#[test]
fn a_mac_that_flaps_between_cores_ends_in_one_place() {
    let mut site = site(2);
    for _ in 0..50 {
        site.receive_at(0, "srv2", &vlan(&frame(ALL, ANN), 20));
        site.receive_at(1, "up0", &PLAIN.arriving(1, 10010, &frame(ALL, ANN)));
        site.turn(0);
        site.turn(1);
        site.step_control();
    }
    site.run();
    site.all_sent();
    let agreed = way_to(&mut site, 0, ANN);
    assert_eq!((agreed.len(), way_to(&mut site, 1, ANN)), (1, agreed));
    site.assert_balanced();
}

/// L2o: frames from a MAC keep it, frames to it do not.
#[test]
fn a_learned_mac_ages_out_without_frames_from_it() {
    for workers in [1, 2] {
        let yaml = PLAIN.usual().replace("{vni: 10010,", "{vni: 10010, learning: {ageing: 20},");
        let mut site = Site::with(&yaml, &Setup { workers, ..Setup::default() });
        let last = workers - 1;
        site.receive_at(last, "srv2", &vlan(&frame(ALL, ANN), 20));
        site.receive_at(last, "up0", &PLAIN.arriving(1, 10010, &frame(ALL, BOB)));
        site.run();
        site.all_sent();
        for _ in 0..12 {
            site.wait(5 * SECOND);
            // ANN speaks now and then; to BOB there is traffic, from him none.
            site.receive_at(last, "srv2", &vlan(&frame(mac(9), ANN), 20));
            site.run();
            site.all_sent();
            way_to(&mut site, 0, BOB);
        }
        assert_eq!(way_to(&mut site, 0, ANN), ["srv2"], "frames from a MAC keep it");
        assert_eq!(way_to(&mut site, 0, BOB), everywhere(), "frames to a MAC do not");
        site.wait(30 * SECOND);
        for core in 0..workers {
            assert_eq!(way_to(&mut site, core, ANN), everywhere(), "core {core}");
        }
        site.assert_balanced();
    }
}

/// L2o: not before its time.
#[test]
fn a_learned_mac_lives_for_the_whole_ageing_time() {
    let mut site = site(2);
    site.receive_at(0, "srv2", &vlan(&frame(ALL, ANN), 20));
    site.run();
    site.all_sent();
    site.wait(299 * SECOND);
    assert_eq!(way_to(&mut site, 1, ANN), ["srv2"]);
    site.wait(80 * SECOND);
    assert_eq!(way_to(&mut site, 1, ANN), everywhere());
    site.assert_balanced();
}

/// L2c: what is dropped on the way in teaches nothing.
#[test]
fn frames_that_are_dropped_teach_nothing() {
    let mut site = site(1);
    site.pass("srv2", &vlan(&frame(ALL, ANN), 20));
    let before = site.counters().learned;
    for bad in [
        ("srv1", vlan(&frame(ALL, ANN), 11)),
        ("srv1", frame(ALL, ANN)),
        ("srv1", vlan(&frame([1, 0x80, 0xc2, 0, 0, 2], ANN), 10)),
        ("up0", PLAIN.arriving(7, 10010, &frame(ALL, ANN))),
        ("up0", PLAIN.arriving(1, 10011, &frame(ALL, ANN))),
        ("up0", PLAIN.arriving(1, 10010, &vlan(&frame(ALL, ANN), 5))),
        ("up0", PLAIN.arriving(1, 10010, &frame([1, 0x80, 0xc2, 0, 0, 2], ANN))),
    ] {
        assert!(site.pass(bad.0, &bad.1).is_empty());
    }
    assert_eq!(site.counters().learned, before);
    assert_eq!(way_to(&mut site, 0, ANN), ["srv2"]);
    site.assert_balanced();
}

/// L2f: not even until control has heard of it.
#[test]
fn a_static_mac_does_not_move_for_a_moment() {
    let known = "static: [{mac: \"02:00:00:00:00:03\", vtep: 10.0.1.3}]";
    let yaml = PLAIN.yaml(&["{vlan: 10, vni: 10010}", "{vlan: 20, vni: 10010}"], &[(10010, &[1, 2], known)]);
    let mut site = Site::new(&yaml);
    for forged in [("srv2", vlan(&frame(ALL, CLEO), 20)), ("up0", PLAIN.arriving(1, 10010, &frame(ALL, CLEO)))] {
        site.receive(forged.0, &forged.1);
        site.turn(0);
        site.all_sent();
        site.receive("srv1", &vlan(&frame(CLEO, ANN), 10));
        site.turn(0);
        let destinations: Vec<String> =
            outers(&mut site).into_iter().map(|outer| outer.destination.to_string()).collect();
        assert_eq!(destinations, [PLAIN.peer(2)], "after a forged frame at {}", forged.0);
        assert!(site.sent("srv2").is_empty());
    }
    site.run();
    site.assert_balanced();
}

/// L2i: learning goes off while running; what was learned is forgotten, static MACs stay.
#[test]
fn learning_switched_off_while_running_forgets_what_was_learned() {
    let yaml = PLAIN.yaml(
        &["{vlan: 10, vni: 10010}", "{vlan: 20, vni: 10010}"],
        &[(10010, &[1, 2], "static: [{mac: \"02:00:00:00:00:03\", vtep: 10.0.1.3}]")],
    );
    let mut site = Site::with(&yaml, &Setup { workers: 2, ..Setup::default() });
    site.receive_at(1, "srv2", &vlan(&frame(ALL, ANN), 20));
    site.run();
    site.all_sent();
    site.reload(&yaml.replace("static:", "learning: {enabled: false}, static:"));
    site.run();
    for core in 0..2 {
        assert_eq!(way_to(&mut site, core, ANN), everywhere());
        assert_eq!(way_to(&mut site, core, CLEO), [PLAIN.peer(2)]);
    }
    site.receive_at(1, "srv2", &vlan(&frame(ALL, ANN), 20));
    site.run();
    site.all_sent();
    assert_eq!(way_to(&mut site, 0, ANN), everywhere());
    site.assert_balanced();
}

/// L2b: a VTEP that nobody listed is learned with its MACs on every core, and forgotten when it is of no use.
#[test]
fn an_unlisted_vtep_is_known_on_every_core() {
    let yaml = PLAIN.yaml(
        &["{vlan: 10, vni: 10010}", "{vlan: 20, vni: 10010}"],
        &[(10010, &[1, 2], "accept: any, learning: {ageing: 60}")],
    );
    let mut site = Site::with(&yaml, &Setup { workers: 2, ..Setup::default() });
    for _ in 0..2 {
        site.receive_at(1, "up0", &PLAIN.arriving(9, 10010, &frame(ALL, BOB)));
        site.run();
        site.all_sent();
        site.wait(SECOND);
    }
    assert_eq!(way_to(&mut site, 0, BOB), [PLAIN.peer(9)]);
    assert_eq!(way_to(&mut site, 0, mac(0x77)), everywhere(), "it gets no flood copies");
    let tunnels = |site: &Site| site.control.view_vteps().len();
    assert_eq!(tunnels(&site), 3);
    site.wait(600 * SECOND);
    assert_eq!(way_to(&mut site, 0, BOB), everywhere());
    assert_eq!(tunnels(&site), 2, "forgotten");
    site.assert_balanced();
}
