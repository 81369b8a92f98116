//! Whatever happens, in whatever order it is heard: when all is said, every core knows what control knows.

use std::collections::VecDeque;

use config::types::Encap;

use super::OFFICE;
use crate::control::testing::{Core, Gateway, SECOND, model};
use crate::control::{Event, FdbFilter};
use crate::link::Report;
use crate::tables::{EndpointId, FdbKey, Origin};

/// A stream of numbers (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % sides
    }
}

/// OFFICE, and OFFICE with a VLAN in another VNI, a VTEP and a static MAC more and a limit on a port.
fn configurations() -> [String; 3] {
    let office = OFFICE.replace("vni: 200\n", "vni: 200\n    accept: any\n");
    let moved = office.replace("vlans: [{vlan: 10, vni: 100}]}", "vlans: [{vlan: 10, vni: 200}]}");
    let other = office
        .replace("name: srv1,", "name: srv1, mac_limit: 2,")
        .replace("[10.0.0.13]", "[10.0.0.14]")
        .replace("00:06\", port: srv1, vlan: 10", "00:02\", vtep: 10.0.0.15");
    [office, moved, other]
}

fn wild_ride(seed: u64) {
    let mut dice = Dice(seed);
    let configurations = configurations();
    let mut gateway = Gateway::new(&configurations[0]);
    let segments = [gateway.segment("100"), gateway.segment("200")];
    let mut reports: [VecDeque<Report>; 2] = Default::default();
    for _ in 0..3_000 {
        let core = dice.roll(2);
        match dice.roll(100) {
            0..45 => {
                let key = FdbKey::from_word(segments[dice.roll(2)], 0x0200_0000_0000 + dice.roll(12) as u64);
                if let Some(at) = somewhere(&gateway.cores[core], key, &mut dice) {
                    reports[core].extend(gateway.cores[core].learn(key, at));
                }
            }
            45..48 => {
                let remote = format!("10.0.0.{}", 70 + dice.roll(6)).parse().unwrap();
                reports[core].push_back(Report::UnknownVtep { segment: segments[1], remote, encap: Encap::Vxlan });
            }
            48..70 => {
                if let Some(report) = reports[core].pop_front() {
                    gateway.control.handle(Event::Report { core, report }, gateway.now);
                }
            }
            70..92 => {
                if let Some(update) = gateway.control.next(core) {
                    gateway.cores[core].apply(update);
                }
            }
            92..97 => {
                gateway.now += SECOND * dice.roll(20) as u64;
                gateway.control.handle(Event::Tick, gateway.now);
            }
            97 => {
                gateway.control.reload(model(&configurations[dice.roll(3)]), gateway.now).unwrap();
            }
            98 => drop(gateway.control.flush(&FdbFilter::port("srv1".into())).unwrap()),
            _ => drop(gateway.control.settle(gateway.now)),
        }
    }
    for (core, reports) in reports.into_iter().enumerate() {
        for report in reports {
            gateway.control.handle(Event::Report { core, report }, gateway.now);
        }
    }
    gateway.round();
    for core in &gateway.cores {
        let known = core.fdb.iter().map(|(key, _)| key).chain(gateway.control.entries().map(|(key, _)| key));
        for key in known {
            let truth = gateway.control.fdb.entry(key).map(|entry| entry.marked(0));
            assert_eq!(core.fdb.find(key).map(|entry| entry.marked(0)), truth, "{key:?}, seed {seed}");
        }
        assert!(core.fdb.iter().all(|(_, entry)| entry.origin() != Origin::Fresh));
        let learns = |core: &Core| core.tables.endpoints.iter().map(|endpoint| endpoint.learns).collect::<Vec<_>>();
        assert_eq!(
            learns(core),
            learns(&Core {
                tables: *gateway.control.tables(),
                fdb: crate::tables::Fdb::with_room(1),
                neighbours: Default::default()
            })
        );
    }
    counts_add_up(&gateway);
    let tables = &gateway.control.plan.tables;
    for (key, id) in &gateway.control.plan.tunnels {
        let std::net::IpAddr::V4(remote) = key.remote else { unreachable!("IPv4 only") };
        assert_eq!(tables.sources.find_v4(key.encap, remote), *id);
    }
}

/// An endpoint of the core's tables where frames of the key's segment can come from.
fn somewhere(core: &Core, key: FdbKey, dice: &mut Dice) -> Option<EndpointId> {
    let endpoints = &core.tables.endpoints;
    let fits = |id: &EndpointId| match &endpoints[id.index()].way {
        crate::tables::Way::Attachment(attachment) => attachment.segment == key.segment(),
        crate::tables::Way::Tunnel(_) => true,
        crate::tables::Way::Vacant => false,
    };
    let all: Vec<_> = (0..endpoints.len() as u32).map(EndpointId).filter(fits).collect();
    all.get(dice.roll(all.len().max(1))).copied()
}

/// The limits' counts are those of the records.
fn counts_add_up(gateway: &Gateway) {
    let limits = gateway.control.fdb.limits();
    for id in (0..gateway.control.plan.tables.endpoints.len() as u32).map(EndpointId) {
        let there = gateway.control.fdb.iter().filter(|(_, record)| record.place.endpoint() == id).count();
        assert_eq!(limits.at_endpoint(id) as usize, there);
    }
    for &id in &gateway.control.plan.segments {
        let all: Vec<_> = gateway.control.fdb.iter().filter(|(key, _)| key.segment() == id).collect();
        let learned = all.iter().filter(|(_, record)| record.origin == Origin::Learned).count();
        assert_eq!(limits.in_segment(id), (all.len() as u32, learned as u32));
    }
}

#[test]
fn when_all_is_said_every_core_knows_what_control_knows() {
    for seed in 1..=40 {
        wild_ride(seed * 0x9e37_79b9);
    }
}
