//! Floods: lists that change, VTEPs out of reach, many copies, few buffers.

use std::collections::BTreeSet;

use gateway::control::{Event, Hop, Resolution};
use gateway::frame::PortId;

use super::{ANN, BOB, PLAIN, everywhere, frame, outers, site, way_to};
use crate::support::build::{ALL, mac, tenant, vlan};
use crate::support::site::{Setup, Site};
use crate::support::world::HOP;

/// BUM3 CTL2
#[test]
fn the_flood_list_changes_while_running() {
    for workers in [1, 2] {
        let yaml =
            |peers: &[u16]| PLAIN.yaml(&["{vlan: 10, vni: 10010}", "{vlan: 20, vni: 10010}"], &[(10010, peers, "")]);
        let mut site = Site::with(&yaml(&[1]), &Setup { workers, ..Setup::default() });
        for peers in [&[1u16][..], &[1, 2], &[2, 3, 4], &[], &[4]] {
            site.reload(&yaml(peers));
            site.run();
            for core in 0..workers {
                let mut want: Vec<String> = peers.iter().map(|&peer| PLAIN.peer(peer)).collect();
                want.push("srv2".into());
                want.sort();
                assert_eq!(way_to(&mut site, core, ALL), want);
                let from_gone = PLAIN.arriving(9, 10010, &frame(ALL, BOB));
                site.receive_at(core, "up0", &from_gone);
                site.run();
                assert!(site.all_sent().is_empty(), "VTEP 9 was never in the list");
            }
        }
        site.assert_balanced();
    }
}

/// The underlay as the kernel would resolve it: a Linux twin, next hops by event.
fn resolved(peers: &[u16]) -> Site {
    let yaml = PLAIN
        .yaml(&["{vlan: 10, vni: 10010}", "{vlan: 20, vni: 10010}"], &[(10010, peers, "")])
        .replace("via: {mac: \"02:00:00:00:ff:01\"}", "twin: tw0, addresses: [10.0.0.11/16]");
    Site::with(&yaml, &Setup { workers: 2, ..Setup::default() })
}

fn hop(mac: Option<[u8; 6]>) -> Resolution {
    Resolution::Hops(vec![Hop { port: PortId(0), mac: mac.map(config::types::Mac), gateway: None, weight: 1 }])
}

/// BUM2
#[test]
fn a_vtep_out_of_reach_does_not_hold_up_the_others() {
    let mut site = resolved(&[1, 2, 3]);
    let address = |peer| PLAIN.peer(peer).parse().expect("an address");
    // The first has no route, the second's neighbour is silent, the third answers.
    let next = vec![(address(1), Resolution::NoRoute), (address(2), hop(None)), (address(3), hop(Some(HOP)))];
    site.control.handle(Event::NextHops(next), site.now);
    site.run();
    for core in 0..2 {
        assert_eq!(way_to(&mut site, core, ALL), [PLAIN.peer(3), "srv2".into()]);
    }
    assert_eq!(site.drops()["no-next-hop"], 4, "counted, once for each copy");
    // CTL3: when they are resolved they get their copies, on every core.
    let next = vec![(address(1), hop(Some(HOP))), (address(2), hop(Some(HOP)))];
    site.control.handle(Event::NextHops(next), site.now);
    site.run();
    for core in 0..2 {
        assert_eq!(way_to(&mut site, core, ALL).len(), 4);
    }
    site.assert_balanced();
}

/// VX8 GN12: equal paths share flows, and each flow stays on one.
#[test]
fn equal_next_hops_share_the_flows() {
    let mut site = resolved(&[1]);
    let hops = (1..=4)
        .map(|last| Hop {
            port: PortId(0),
            mac: Some(config::types::Mac([2, 0, 0, 0, 0xff, last])),
            gateway: None,
            weight: 1,
        })
        .collect();
    let address = PLAIN.peer(1).parse().expect("an address");
    site.control.handle(Event::NextHops(vec![(address, Resolution::Hops(hops))]), site.now);
    site.run();
    let mut flows_on = [0; 4];
    for flow in 0..200 {
        let mut used = BTreeSet::new();
        for size in [1, 50, 900] {
            site.receive_at(flow % 2, "srv1", &vlan(&tenant(ALL, ANN, (flow as u16, 2000), size), 10));
            site.run();
            let sent = site.sent("up0");
            used.insert(sent[0][5]);
            site.all_sent();
        }
        assert_eq!(used.len(), 1, "flow {flow} stays on one path, on either core");
        flows_on[usize::from(used.into_iter().next().expect("one") - 1)] += 1;
    }
    assert!(flows_on.iter().all(|count| (25..=75).contains(count)), "{flows_on:?}");
    site.assert_balanced();
}

fn thousand() -> String {
    let peers: Vec<u16> = (1..=1024).collect();
    PLAIN.yaml(&["{vlan: 10, vni: 10010}", "{vlan: 20, vni: 10010}"], &[(10010, &peers, "")])
}

/// BUM1: 1,024 copies are made in several turns, in order, while other traffic passes.
#[test]
fn a_flood_to_a_thousand_vteps_takes_several_turns_and_holds_up_nobody() {
    let mut site = Site::with(&thousand(), &Setup { copies: 100, ..Setup::default() });
    site.pass("srv2", &vlan(&frame(ALL, BOB), 20));
    site.receive("srv1", &vlan(&frame(ALL, ANN), 10));
    site.turn(0);
    let mut copies = outers(&mut site);
    assert_eq!((copies.len(), site.sent("srv2").len()), (99, 1), "a hundred copies in one turn");
    let mut turns = 1;
    while copies.len() < 1024 {
        let talk = tenant(BOB, ANN, (7, turns), 10);
        site.receive("srv1", &vlan(&talk, 10));
        site.turn(0);
        assert_eq!(site.sent("srv2"), [vlan(&talk, 20)], "known unicast passes in every turn");
        let more = outers(&mut site);
        assert!(more.len() <= 101 && !more.is_empty(), "{} copies in a turn", more.len());
        copies.extend(more);
        turns += 1;
    }
    assert!((10..=12).contains(&turns), "{turns} turns");
    let reached: Vec<String> = copies.iter().map(|copy| copy.destination.to_string()).collect();
    assert_eq!(reached, (1..=1024).map(|peer| PLAIN.peer(peer)).collect::<Vec<_>>(), "each once, in order");
    assert!(copies.iter().all(|copy| copy.inner == frame(ALL, ANN)));
    site.run();
    assert!(site.all_sent().is_empty());
    site.assert_balanced();
}

/// BUM1: two floods do not overtake each other.
#[test]
fn floods_that_wait_keep_their_order() {
    let mut site = Site::with(&thousand(), &Setup { copies: 64, ..Setup::default() });
    for n in 0..5 {
        site.receive("srv1", &vlan(&tenant(ALL, ANN, (n, 1), 10), 10));
    }
    site.run();
    let to_one: Vec<Vec<u8>> = outers(&mut site)
        .into_iter()
        .filter(|copy| copy.destination.to_string() == PLAIN.peer(700))
        .map(|copy| copy.inner)
        .collect();
    assert_eq!(to_one, (0..5).map(|n| tenant(ALL, ANN, (n, 1), 10)).collect::<Vec<_>>());
    site.all_sent();
    site.assert_balanced();
}

/// CTL5: a storm of broadcasts fills the backlog; what is too much has a name.
#[test]
fn a_storm_of_broadcasts_is_bounded_and_counted() {
    let mut site = Site::with(&thousand(), &Setup { copies: 16, pool: 4096, ..Setup::default() });
    for n in 0..300 {
        site.receive("srv1", &vlan(&tenant(ALL, ANN, (n, 1), 10), 10));
    }
    for _ in 0..10 {
        site.turn(0);
        site.all_sent();
    }
    assert!(site.drops()["flood-backlog"] > 100, "{:?}", site.drops());
    site.run();
    site.all_sent();
    site.assert_balanced();
}

/// CTL5: no buffer for a copy: that copy is lost and counted, all else goes on.
#[test]
fn an_empty_pool_costs_copies_and_nothing_else() {
    let peers: Vec<u16> = (1..=50).collect();
    let yaml = PLAIN.yaml(&["{vlan: 10, vni: 10010}", "{vlan: 20, vni: 10010}"], &[(10010, &peers, "")]);
    let mut site = Site::with(&yaml, &Setup { pool: 20, ..Setup::default() });
    site.receive("srv1", &vlan(&frame(ALL, ANN), 10));
    site.run();
    let counters = site.counters();
    assert_eq!((counters.replicated, site.drops()["no-buffer"]), (50, 31), "19 copies and the original had a buffer");
    assert_eq!(site.sent("srv2").len() + outers(&mut site).len(), 20);
    site.assert_balanced();
    assert_eq!(site.pass("srv2", &vlan(&frame(ANN, BOB), 20))["srv1"].len(), 1, "the buffers came back");
    site.assert_balanced();
}

/// BUM1 CTL2: floods that wait when the tables change are finished by the old list.
#[test]
fn a_flood_under_way_survives_a_reload() {
    let mut site = Site::with(&thousand(), &Setup { copies: 10, ..Setup::default() });
    site.receive("srv1", &vlan(&frame(ALL, ANN), 10));
    site.turn(0);
    let before = outers(&mut site).len();
    site.reload(&PLAIN.usual());
    site.run();
    assert_eq!(before + outers(&mut site).len(), 1024);
    site.all_sent();
    assert_eq!(way_to(&mut site, 0, ALL), everywhere());
    site.assert_balanced();
}

/// L2j: switched while running.
#[test]
fn unknown_unicast_flooding_is_switched_while_running() {
    let mut site = site(2);
    assert_eq!(way_to(&mut site, 1, mac(0x55)), everywhere());
    site.reload(&PLAIN.usual().replace("{vni: 10010, encap", "{vni: 10010, flood_unknown: false, encap"));
    site.run();
    assert!(way_to(&mut site, 1, mac(0x55)).is_empty());
    assert_eq!(way_to(&mut site, 1, ALL), everywhere());
    assert_eq!(site.drops()["unknown-unicast"], 1);
    site.assert_balanced();
}
