//! SUP8: who has which address changes while frames flow. MTU3: senders are told, and not too often.

use config::types::{Encap, Mac, Vni};
use gateway::control::overlay::{Change, Controller, Number, OverlayFlood, OverlaySegment};

use super::{ANN, BOB, CLEO, PLAIN};
use crate::support::build::{ALL, mac, vlan};
use crate::support::site::{Setup, Site};

const NUMBER: Number = Number { encap: Encap::Vxlan, vni: Vni::new(10010).expect("24 bits") };

/// ANN asks for 192.0.2.N, on VLAN 10.
fn asks(last: u8) -> Vec<u8> {
    let mut frame = [&ALL[..], &ANN, &[0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1], &ANN, &[192, 0, 2, 1]].concat();
    frame.extend([0, 0, 0, 0, 0, 0, 192, 0, 2, last]);
    vlan(&frame, 10)
}

fn yaml(more: &str) -> String {
    PLAIN.yaml(&["{vlan: 10, vni: 10010}", "{vlan: 20, vni: 10010}"], &[(10010, &[1, 2], more)])
}

/// Who answers, on every core alike; `None`: the question was flooded.
fn answer(site: &mut Site, last: u8) -> Option<[u8; 6]> {
    let mut answers = Vec::new();
    for core in 0..site.cores.len() {
        site.receive_at(core, "srv1", &asks(last));
        site.run();
        let sent = site.all_sent();
        let replies = sent.get("srv1").map_or(0, Vec::len);
        let flooded = sent.get("up0").map_or(0, Vec::len) + sent.get("srv2").map_or(0, Vec::len);
        assert!(matches!((replies, flooded), (1, 0) | (0, 3)), "once, or to all: {sent:?}");
        answers.push(sent.get("srv1").map(|frames| *frames[0][6..].first_chunk::<6>().expect("a source")));
    }
    assert!(answers.iter().all(|one| *one == answers[0]), "{answers:?}");
    answers[0]
}

/// SUP8
#[test]
fn addresses_come_move_and_go_with_the_configuration() {
    let at =
        |owner: u8| format!("neigh_suppress: true, neighbours: [{{ip: 192.0.2.5, mac: \"02:00:00:00:00:0{owner}\"}}]");
    let mut site = Site::with(&yaml(""), &Setup { workers: 2, ..Setup::default() });
    assert_eq!(answer(&mut site, 5), None, "SUP9");
    for (more, owner) in [(at(5), Some(mac(5))), (at(6), Some(mac(6))), ("neigh_suppress: true".into(), None)] {
        site.reload(&yaml(&more));
        assert_eq!(answer(&mut site, 5), owner, "{more}");
    }
    site.assert_balanced();
}

/// SUP8 CTL2
#[test]
fn addresses_come_move_and_go_with_a_controller() {
    let mut site = Site::with(&yaml("neigh_suppress: true"), &Setup { workers: 2, ..Setup::default() });
    let segment = OverlaySegment {
        number: NUMBER,
        name: "ls".into(),
        attachments: Vec::new(),
        flood: OverlayFlood::All(Vec::new()),
        known: Vec::new(),
        learns_from_tunnels: true,
        answers: false,
        keys: Default::default(),
    };
    let says = |site: &mut Site, change: Change| {
        site.control.overlay(Controller::Ovsdb, change, site.now);
        site.step_control();
    };
    says(&mut site, Change { segments: Some(vec![segment]), ..Change::default() });
    for owner in [None, Some(BOB), Some(CLEO), None] {
        let address = [192, 0, 2, 5].into();
        says(&mut site, Change { neighbours: vec![(NUMBER, address, owner.map(Mac))], ..Change::default() });
        assert_eq!(answer(&mut site, 5), owner);
    }
    let answered: u64 = site.counters().ports.iter().map(|port| port.answered).sum();
    assert_eq!(answered, 4, "two cores, two owners");
    site.assert_balanced();
}

/// SUP1: a station behind the asker's own port hears the question there.
#[test]
fn a_neighbour_at_the_same_place_answers_for_itself() {
    let more = "neigh_suppress: true, neighbours: [{ip: 192.0.2.2, mac: \"02:00:00:00:00:02\"}]";
    let mut site = Site::new(&yaml(more));
    assert_eq!(answer(&mut site, 2), Some(BOB));
    site.receive("srv1", &vlan(&super::frame(ALL, BOB), 10));
    site.run();
    site.all_sent();
    assert_eq!(answer(&mut site, 2), None);
}

/// MTU3: RFC 1812 section 4.3.2.8 and RFC 4443 section 2.4 f bound how often.
#[test]
fn senders_are_told_at_a_bounded_rate() {
    let text = yaml("static: [{mac: \"02:00:00:00:00:02\", vtep: 10.0.1.2}]").replace("mtu: 9216", "mtu: 1400");
    let mut site = Site::new(&text);
    // IPv4 with DF, 1400 bytes.
    let mut packet = vec![0x45, 0, 5, 0x78, 0, 1, 0x40, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
    let field = gateway::wire::checksum::finish(gateway::wire::checksum::sum(&packet));
    packet[10..12].copy_from_slice(&field.to_be_bytes());
    packet.resize(1400, 7);
    let frame = vlan(&[&BOB[..], &ANN, &[0x08, 0], &packet].concat(), 10);
    let told = |site: &mut Site, frames: usize| {
        for _ in 0..frames {
            site.receive("srv1", &frame);
            site.run();
        }
        site.all_sent().get("srv1").map_or(0, Vec::len)
    };
    assert_eq!(told(&mut site, 200), 50, "so many at once");
    site.now += 10_000_000;
    assert_eq!(told(&mut site, 200), 10, "and one in a millisecond");
    assert_eq!(site.counters().ports.iter().map(|port| port.told).sum::<u64>(), 60);
    assert_eq!(site.drops().get("underlay-mtu"), Some(&400));
    site.assert_balanced();
}

/// ACL1: every rule counts what it decides, over all cores, and keeps its count while other rules come and go.
#[test]
fn rules_count_what_they_decide() {
    let lists = |rules: &str| format!("{}access_lists: [{{name: a, rules: [{rules}]}}]\n", yaml("access_list: a"));
    let (bob, all) = ("{action: deny, source_mac: \"02:00:00:00:00:02\"}", "{action: permit}");
    let mut site = Site::with(&lists(&format!("{bob}, {all}")), &Setup { workers: 2, ..Setup::default() });
    let hits = |site: &mut Site| -> Vec<u64> {
        site.control.handle(gateway::control::Event::Count, site.now);
        site.run();
        site.control.view_rules().iter().map(|rule| rule.hits).collect()
    };
    for core in 0..2 {
        for from in [ANN, BOB, CLEO] {
            site.receive_at(core, "srv1", &vlan(&super::frame(ALL, from), 10));
        }
    }
    site.run();
    site.all_sent();
    assert_eq!(hits(&mut site), [2, 4]);
    site.reload(&lists(&format!("{{action: deny, ethertype: 0x88cc}}, {bob}, {all}")));
    site.receive_at(1, "srv1", &vlan(&super::frame(ALL, BOB), 10));
    site.run();
    assert_eq!(hits(&mut site), [0, 3, 4]);
    assert_eq!(site.drops().get("denied"), Some(&3));
    site.all_sent();
    site.assert_balanced();
}
