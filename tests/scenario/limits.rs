//! L2k: limits of learned MACs.

use super::{ANN, PLAIN, everywhere, frame, way_to};
use crate::support::build::{ALL, mac, vlan};
use crate::support::site::{SECOND, Setup, Site};

fn limited(more: &str, port: &str, workers: usize) -> Site {
    let srv2 = format!("{{vlan: 20, vni: 10010{port}}}");
    let yaml = PLAIN.yaml(&["{vlan: 10, vni: 10010}", &srv2], &[(10010, &[1, 2], more)]);
    Site::with(&yaml, &Setup { workers, ..Setup::default() })
}

/// Stations 0x10, 0x11 … say hello on srv2, spread over the cores, each with control listening in between.
fn greet(site: &mut Site, count: u8) {
    for number in 0..count {
        let core = usize::from(number) % site.cores.len();
        site.receive_at(core, "srv2", &vlan(&frame(ALL, mac(0x10 + number)), 20));
        site.run();
    }
    site.all_sent();
}

fn known(site: &mut Site, count: u8) -> Vec<bool> {
    (0..count).map(|number| way_to(site, 0, mac(0x10 + number)) == ["srv2"]).collect()
}

#[test]
fn beyond_the_limit_of_a_segment_nothing_new_is_learned_and_what_is_known_stays() {
    for workers in [1, 2, 4] {
        let mut site = limited(
            "learning: {limit: 4, ageing: 60}, static: [{mac: \"02:00:00:00:00:01\", port: srv2, vlan: 20}]",
            "",
            workers,
        );
        greet(&mut site, 8);
        assert_eq!(known(&mut site, 8), [true, true, true, true, false, false, false, false], "{workers} workers");
        assert_eq!(way_to(&mut site, 0, ANN), ["srv2"], "static ones are free");
        // A known one may move although the segment is full.
        let last = workers - 1;
        site.receive_at(last, "up0", &PLAIN.arriving(1, 10010, &frame(ALL, mac(0x10))));
        site.run();
        site.all_sent();
        assert_eq!(way_to(&mut site, 0, mac(0x10)), [PLAIN.peer(1)]);
        // When one goes, another has room.
        site.wait(200 * SECOND);
        greet(&mut site, 8);
        assert_eq!(known(&mut site, 8).iter().filter(|known| **known).count(), 4);
        site.assert_balanced();
    }
}

/// Cores learn at once what control has not ruled: it takes back what is too much.
#[test]
fn cores_that_learn_too_much_at_once_are_put_right() {
    let mut site = limited("learning: {limit: 4}", "", 2);
    for number in 0..40u8 {
        site.receive_at(usize::from(number) % 2, "srv2", &vlan(&frame(ALL, mac(0x10 + number)), 20));
    }
    site.turn(0);
    site.turn(1);
    site.run();
    site.all_sent();
    let on_each_core: Vec<usize> =
        (0..2).map(|core| (0..40u8).filter(|n| way_to(&mut site, core, mac(0x10 + n)) == ["srv2"]).count()).collect();
    assert_eq!(on_each_core, [4, 4]);
    site.assert_balanced();
}

#[test]
fn the_limit_of_an_attachment_is_its_own() {
    let mut site = limited("", ", mac_limit: 2", 2);
    greet(&mut site, 4);
    assert_eq!(known(&mut site, 4), [true, true, false, false]);
    site.receive_at(1, "up0", &PLAIN.arriving(1, 10010, &frame(ALL, mac(0x13))));
    site.run();
    site.all_sent();
    assert_eq!(way_to(&mut site, 0, mac(0x13)), [PLAIN.peer(1)], "elsewhere there is room");
    site.assert_balanced();
}

#[test]
fn a_flush_makes_room_again() {
    let mut site = limited("learning: {limit: 2}", "", 2);
    greet(&mut site, 3);
    assert_eq!(known(&mut site, 3), [true, true, false]);
    site.control.flush(&gateway::control::FdbFilter::default()).expect("it can be flushed");
    site.run();
    assert_eq!(way_to(&mut site, 0, mac(0x12)), everywhere());
    site.receive_at(0, "srv2", &vlan(&frame(ALL, mac(0x12)), 20));
    site.run();
    site.all_sent();
    assert_eq!(way_to(&mut site, 1, mac(0x12)), ["srv2"]);
    site.assert_balanced();
}
