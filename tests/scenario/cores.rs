//! Cores that share devices: handing over, queues that are full.

use gateway::worker::Turn;

use super::{ANN, BOB, PLAIN, frame, outers, site};
use crate::support::build::{ALL, tenant, vlan};
use crate::support::site::{Setup, Site};

/// The underlay has one transmit queue, core 0's; the servers' ports have one each for cores 0 and 1.
fn few_queues(workers: usize, handoff: usize) -> Site {
    let has_tx = |core: usize, port: usize| core == 0 || port != 0 && core == 1;
    PLAIN.site_with(&Setup { workers, has_tx, handoff, ..Setup::default() })
}

#[test]
fn frames_are_handed_to_the_core_that_has_the_queue() {
    for workers in [2, 4] {
        let mut site = few_queues(workers, 256);
        for core in 0..workers {
            site.receive_at(core, "srv1", &vlan(&tenant(ALL, ANN, (core as u16, 1), 10), 10));
        }
        site.run();
        assert_eq!(outers(&mut site).len(), 2 * workers);
        assert_eq!(site.sent("srv2").len(), workers);
        let counters = site.counters();
        assert_eq!(counters.handed_over, counters.taken_over);
        // From each core but the first two copies to the underlay; from cores 2 and 3 the local copy as well.
        assert_eq!(counters.handed_over, (2 * (workers - 1) + workers.saturating_sub(2)) as u64);
        assert_eq!(site.cores[0].shard().counters.handed_over, 0);
        site.assert_balanced();
    }
}

#[test]
fn handed_over_frames_keep_their_order() {
    let mut site = few_queues(2, 256);
    site.receive_at(0, "up0", &PLAIN.arriving(1, 10010, &frame(ALL, BOB)));
    site.run();
    site.all_sent();
    for n in 0..200 {
        site.receive_at(1, "srv1", &vlan(&tenant(BOB, ANN, (9, n), 10), 10));
    }
    site.run();
    let inner: Vec<Vec<u8>> = outers(&mut site).into_iter().map(|outer| outer.inner).collect();
    assert_eq!(inner, (0..200).map(|n| tenant(BOB, ANN, (9, n), 10)).collect::<Vec<_>>());
    site.assert_balanced();
}

/// CTL5
#[test]
fn a_full_ring_between_cores_drops_by_name() {
    let mut site = few_queues(2, 16);
    site.receive_at(0, "up0", &PLAIN.arriving(1, 10010, &frame(ALL, BOB)));
    site.run();
    site.all_sent();
    for n in 0..60 {
        site.receive_at(1, "srv1", &vlan(&tenant(BOB, ANN, (9, n), 10), 10));
    }
    assert_eq!(site.turn(1), Turn::Busy);
    assert_eq!(site.drops()["handoff-full"], 44);
    site.run();
    assert_eq!(outers(&mut site).len(), 16);
    site.assert_balanced();
}

/// CTL5: what a device does not take waits one lap, then is dropped by name; the rest goes in order.
#[test]
fn a_device_that_is_full_gets_one_more_lap() {
    let mut site = site(1);
    site.pass("srv2", &vlan(&frame(ALL, BOB), 20));
    for n in 0..10 {
        site.receive("srv1", &vlan(&tenant(BOB, ANN, (n, 1), 10), 10));
    }
    let room = |site: &mut Site, room| site.cores[0].driver_mut().ports[2].room = room;
    room(&mut site, Some(0));
    site.turn(0);
    assert!(site.sent("srv2").is_empty() && site.drops().is_empty(), "they wait");
    room(&mut site, Some(4));
    site.turn(0);
    assert_eq!(site.sent("srv2"), (0..4).map(|n| vlan(&tenant(BOB, ANN, (n, 1), 10), 20)).collect::<Vec<_>>());
    assert_eq!(site.drops()["tx-full"], 6, "their lap is over");
    room(&mut site, None);
    site.run();
    assert!(site.sent("srv2").is_empty(), "what was dropped does not come back");
    site.assert_balanced();
}

/// CTL5: frames that come while others wait do not lose their lap to them.
#[test]
fn each_frame_has_its_own_lap() {
    let mut site = site(1);
    site.pass("srv2", &vlan(&frame(ALL, BOB), 20));
    site.cores[0].driver_mut().ports[2].room = Some(0);
    site.receive("srv1", &vlan(&tenant(BOB, ANN, (1, 1), 10), 10));
    site.turn(0);
    site.receive("srv1", &vlan(&tenant(BOB, ANN, (2, 1), 10), 10));
    site.turn(0);
    assert_eq!(site.drops()["tx-full"], 1, "the first had its lap");
    site.cores[0].driver_mut().ports[2].room = None;
    site.turn(0);
    assert_eq!(site.sent("srv2"), [vlan(&tenant(BOB, ANN, (2, 1), 10), 20)]);
    site.assert_balanced();
}

/// "NIC-accepted buffers freed again" is a trap seen elsewhere: the pool counts.
#[test]
fn frames_accepted_by_tx_are_not_freed_again() {
    let mut site = site(1);
    for n in 0..1000 {
        site.receive("srv1", &vlan(&tenant(ALL, ANN, (n, 1), 300), 10));
    }
    site.run();
    assert_eq!(site.in_use(), 3000, "what the devices hold is still out");
    assert_eq!(site.all_sent().values().map(Vec::len).sum::<usize>(), 3000);
    site.assert_balanced();
}

/// A queue of ours that is full (2,048 frames) drops by name; nothing is lost without one.
#[test]
fn a_queue_that_is_full_drops_by_name() {
    let peers: Vec<u16> = (1..=1000).collect();
    let yaml = PLAIN.yaml(&["{vlan: 10, vni: 10010}"], &[(10010, &peers, "")]);
    let mut site = Site::new(&yaml);
    site.cores[0].driver_mut().ports[0].room = Some(0);
    for n in 0..4 {
        site.receive("srv1", &vlan(&tenant(ALL, ANN, (n, 1), 10), 10));
    }
    site.turn(0);
    assert_eq!(site.drops()["tx-full"], 4000 - 2048);
    site.cores[0].driver_mut().ports[0].room = None;
    site.run();
    assert_eq!(outers(&mut site).len(), 2048);
    site.assert_balanced();
}
