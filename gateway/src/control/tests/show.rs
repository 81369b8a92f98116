//! What `show` says.

use config::types::Encap;

use super::OFFICE;
use crate::control::testing::Gateway;
use crate::control::{Event, FdbFilter, MacOrigin};
use crate::counters::Counters;
use crate::link::{Report, Update};
use crate::verdict::DropReason;

fn rows(gateway: &Gateway, filter: &FdbFilter) -> Vec<String> {
    let rows = gateway.control.view_fdb(filter, gateway.now);
    rows.map(|row| format!("{} {} {} {} {:?}", row.vni, row.mac, row.place, row.origin, row.age)).collect()
}

#[test]
fn the_fdb_says_where_who_says_so_and_for_how_long() {
    let mut gateway = Gateway::new(OFFICE);
    gateway.see(0, gateway.key("100", 1), gateway.attachment("srv2", "10"));
    gateway.pass(7);
    let all = [
        "100 02:00:00:00:00:01 srv2 vlan 10 learned Some(7)",
        "100 02:00:00:00:00:05 10.0.0.12 vxlan static None",
        "100 02:00:00:00:00:06 srv1 vlan 10 static None",
    ];
    assert_eq!(rows(&gateway, &FdbFilter::default()), all);
    let port = FdbFilter { port: Some("srv2".into()), ..FdbFilter::default() };
    assert_eq!(rows(&gateway, &port), all[..1]);
    let vtep = FdbFilter { vtep: "10.0.0.12".parse().ok(), ..FdbFilter::default() };
    assert_eq!(rows(&gateway, &vtep), all[1..2]);
    let mac = FdbFilter { mac: "02:00:00:00:00:06".parse().ok(), vni: Some("100".into()), ..FdbFilter::default() };
    assert_eq!(rows(&gateway, &mac), all[2..]);
    let learned = FdbFilter { origin: "learned".parse().ok(), ..FdbFilter::default() };
    assert_eq!(rows(&gateway, &learned), all[..1]);
    assert_eq!("fresh".parse::<MacOrigin>(), Err("'fresh' is no origin; use static, controller or learned".into()));
}

#[test]
fn ports_and_vnis_say_what_is_bound_and_how_many_macs_there_are() {
    let mut gateway = Gateway::new(OFFICE);
    gateway.see(0, gateway.key("100", 1), gateway.attachment("srv1", "10"));
    let ports = gateway.control.view_ports();
    let srv1 = &ports[1];
    assert_eq!((srv1.name.as_str(), srv1.mac.as_str(), srv1.macs), ("srv1", "02:00:00:00:ff:01", 2));
    assert_eq!((srv1.attachments[1].vlan.as_str(), srv1.attachments[1].vni.as_str()), ("20", "200"));
    assert_eq!(ports[0].underlay.as_ref().unwrap().via.as_deref(), Some("02:00:00:00:00:99"));
    let vnis = gateway.control.view_vnis();
    let vni = &vnis[0];
    assert_eq!((vni.name.as_str(), vni.vxlan, vni.geneve, vni.macs, vni.learned), ("100", Some(100), None, 3, 1));
    assert_eq!((vni.learning.as_str(), vni.accept.as_str(), vni.ageing), ("on", "flood-list", Some(40)));
    assert_eq!((vni.ports.len(), vni.flood_vteps[1].vtep.as_str()), (2, "10.0.0.13"));
}

#[test]
fn vteps_say_why_nothing_reaches_them() {
    let yaml = OFFICE.replace(r#"{via: {mac: "02:00:00:00:00:99"}}"#, "{addresses: 10.0.0.11/24}");
    let mut gateway = Gateway::new(&yaml);
    let state = |gateway: &Gateway| {
        let vteps = gateway.control.view_vteps();
        let hops: Vec<_> = vteps[0].next_hops.iter().map(|hop| hop.neighbour.clone()).collect();
        (vteps[0].state.clone(), vteps[0].hint.clone().unwrap_or_default(), hops.join(" "))
    };
    assert_eq!(state(&gateway).0, "no-route");
    gateway.resolve("10.0.0.12", &[(0, None)]);
    let (name, hint, hops) = state(&gateway);
    assert_eq!((name.as_str(), hops.as_str()), ("resolving", "resolving"));
    assert!(hint.starts_with("10.0.0.12 does not answer on port up0"), "{hint}");
    gateway.resolve("10.0.0.12", &[(0, Some(config::types::Mac([2, 0, 0, 0, 0, 1])))]);
    assert_eq!(state(&gateway), ("up".into(), String::new(), "resolved".into()));
    let vteps = gateway.control.view_vteps();
    assert_eq!((&vteps[1].vnis, vteps[1].vni_count), (&vec!["100".to_owned(), "200".to_owned()], 2));
    assert_eq!((vteps[0].macs, vteps[0].origin.as_str()), (1, "configured"));
    let statics = Gateway::new(OFFICE);
    assert_eq!(statics.control.view_vteps()[0].next_hops[0].neighbour, "static");
}

#[test]
fn counters_come_from_all_cores_when_asked_for() {
    let mut gateway = Gateway::new(OFFICE);
    let now = gateway.now;
    let vtep = gateway.tunnel("10.0.0.12", Encap::Vxlan).unwrap();
    for _ in 0..2 {
        gateway.control.handle(Event::Count, now);
        assert!(!gateway.control.has_counters());
        for core in 0..2 {
            let mut updates = std::iter::from_fn(|| gateway.control.next(core));
            let count = updates.find(|update| matches!(update, Update::Count(_)));
            let Some(Update::Count(mut counters)) = count else { panic!("not asked") };
            *counters = Counters::new(3, 2, counters.endpoints.len());
            counters.ports[1].rx.add(100);
            counters.ports[1].drops[DropReason::UnknownVlan as usize] = 1 + core as u64;
            counters.endpoints[vtep.index()].tx.add(100);
            counters.bursts[3] = 5;
            (counters.turns, counters.busy_turns) = (10, 5);
            gateway.control.handle(Event::Report { core, report: Report::Counters(counters) }, now);
        }
        assert!(gateway.control.has_counters());
    }
    let drops = gateway.control.view_drops(false);
    assert_eq!((drops.len(), drops[0].reason.as_str(), drops[0].frames), (1, "unknown-vlan", 3));
    assert_eq!((drops[0].ports.len(), drops[0].ports[0].port.as_str()), (1, "srv1"));
    assert_eq!(gateway.control.view_drops(true).len(), DropReason::COUNT);
    assert_eq!(gateway.control.view_ports()[1].rx.frames, 2);
    assert_eq!(gateway.control.view_vteps()[0].tx.bytes, 200);
    let workers = gateway.control.view_workers();
    assert_eq!((workers[1].core, workers[1].busy, workers[1].bursts), (2, 0.5, 5));
    assert_eq!((workers[1].burst_mean, workers[1].burst_p50, workers[1].burst_p99), (3.0, 3, 3));
}

#[test]
fn the_json_has_the_documented_names() {
    let gateway = Gateway::new(OFFICE);
    let vtep = serde_json::to_value(&gateway.control.view_vteps()[0]).unwrap();
    assert_eq!(vtep["next_hops"][0]["neighbour"], "static");
    assert_eq!(vtep["hint"], serde_json::Value::Null);
    let port = serde_json::to_value(&gateway.control.view_ports()[1]).unwrap();
    assert_eq!(port["rx"]["frames"], 0);
}

#[test]
fn a_core_that_is_told_to_stop_hears_nothing_after_it() {
    let mut gateway = Gateway::new(OFFICE);
    gateway.see(0, gateway.key("100", 1), gateway.attachment("srv1", "10"));
    gateway.control.handle(Event::Stop, gateway.now);
    for core in 0..2 {
        assert!(!gateway.control.all_stopped());
        assert!(matches!(gateway.control.next(core), Some(Update::Stop)));
        gateway.control.handle(Event::Report { core, report: Report::Stopped }, gateway.now);
        assert!(gateway.control.next(core).is_none());
    }
    assert!(gateway.control.all_stopped());
}

#[test]
fn pages_of_the_fdb_are_the_fdb() {
    let text = OFFICE.replace("limit: 3", "limit: 1000");
    let mut gateway = Gateway::new(&text);
    let at = gateway.attachment("srv1", "10");
    for number in 0..250 {
        let key = gateway.key("100", 1000 + number);
        gateway.see(0, key, at);
    }
    let filter = FdbFilter::vni("100".into());
    let all: Vec<_> = gateway.control.view_fdb(&filter, gateway.now).collect();
    assert_eq!(all.len(), 252);
    for limit in [1, 100, 126, 252, 1000] {
        let (mut rows, mut after) = (Vec::new(), None);
        loop {
            let (page, total) = gateway.control.page_fdb(&filter, after, limit, gateway.now);
            assert_eq!(total, 252);
            let Some(last) = page.last() else { break };
            after = gateway.control.fdb_key(&last.vni, last.mac.parse().expect("a MAC"));
            assert!(page.len() <= limit && after.is_some());
            rows.extend(page);
        }
        assert_eq!(rows, all, "pages of {limit}");
    }
    assert_eq!(gateway.control.page_fdb(&filter, None, 0, gateway.now), (Vec::new(), 252));
}
