//! Next hops, groups, and VTEPs that nobody listed.

use config::types::{Encap, Mac};

use super::OFFICE;
use crate::control::Event;
use crate::control::testing::{Gateway, address};
use crate::frame::PortId;
use crate::link::Report;
use crate::tables::Origin;

/// Two underlay ports with Linux twins; VNI 100 accepts any sender, VNI 300 floods to a group.
const ROUTED: &str = r#"
version: 1
workers: {cores: [1, 2]}
vtep: {source: 10.0.0.11, learned_vteps: 2}
ports:
  - {name: up0, device: net_null0, underlay: {addresses: 10.0.0.11/24, gateway: 10.0.0.1}}
  - {name: up1, device: net_null1, underlay: {vlan: 100, addresses: 10.0.1.11/24}}
  - {name: srv1, device: net_null2, vlans: [{vlan: 10, vni: 100}, {vlan: 30, vni: 300}, {vlan: 31, vni: 301}]}
vnis:
  - {vni: 100, accept: any, flood: {vteps: [10.0.0.12, 10.9.0.1]}}
  - {vni: 300, flood: {group: 239.1.1.1, port: up1}}
  - {vni: 301, flood: {group: 239.1.1.1, port: up1}}
"#;

const A: Mac = Mac([2, 0, 0, 0, 0, 0xa]);
const B: Mac = Mac([2, 0, 0, 0, 0, 0xb]);

fn stranger(gateway: &mut Gateway, vni: &str, vtep: &str) {
    let report = Report::UnknownVtep { segment: gateway.segment(vni), remote: address(vtep), encap: Encap::Vxlan };
    gateway.control.handle(Event::Report { core: 1, report }, gateway.now);
}

#[test]
fn control_asks_for_the_next_hops_of_every_vtep_and_joins_every_group_once() {
    let gateway = Gateway::new(ROUTED);
    let wanted = gateway.effects.next_hops.clone().unwrap();
    assert_eq!(wanted.into_iter().collect::<Vec<_>>(), [address("10.0.0.12"), address("10.9.0.1")]);
    let groups = gateway.effects.groups.clone().unwrap();
    assert_eq!(groups.into_iter().collect::<Vec<_>>(), [(PortId(1), address("239.1.1.1"))], "BUM8");
    assert_eq!(gateway.cores[0].tables.underlay.groups, [address("239.1.1.1")]);
}

#[test]
fn nothing_is_asked_twice() {
    let mut gateway = Gateway::new(ROUTED);
    gateway.event(Event::Tick);
    assert_eq!(gateway.effects, crate::control::Effects::default());
}

/// CONFORMANCE BUM2.
#[test]
fn a_vtep_without_route_or_neighbour_has_no_hops() {
    let mut gateway = Gateway::new(ROUTED);
    assert!(gateway.hops(0, "10.0.0.12").is_empty());
    gateway.resolve("10.0.0.12", &[(0, None)]);
    assert!(gateway.hops(0, "10.0.0.12").is_empty());
    gateway.resolve("10.0.0.12", &[(0, Some(A))]);
    assert_eq!(gateway.hops(1, "10.0.0.12"), [(0, A.0)]);
    gateway.resolve("10.0.0.12", &[]);
    assert!(gateway.hops(1, "10.0.0.12").is_empty());
}

#[test]
fn equal_paths_give_a_header_each_in_an_order_that_does_not_depend_on_the_kernels() {
    let mut gateway = Gateway::new(ROUTED);
    gateway.resolve("10.9.0.1", &[(1, Some(B)), (0, Some(A))]);
    assert_eq!(gateway.hops(0, "10.9.0.1"), [(0, A.0), (1, B.0)]);
    let before = gateway.control.news.waiting(0);
    gateway.control.handle(
        Event::NextHops(vec![(
            address("10.9.0.1"),
            crate::control::Resolution::Hops(vec![
                crate::control::Hop { port: PortId(0), mac: Some(A), gateway: None, weight: 1 },
                crate::control::Hop { port: PortId(1), mac: Some(B), gateway: None, weight: 1 },
            ]),
        )]),
        gateway.now,
    );
    assert_eq!(gateway.control.news.waiting(0), before, "the headers are the same");
}

#[test]
fn next_hops_outlive_a_reload() {
    let mut gateway = Gateway::new(ROUTED);
    gateway.resolve("10.0.0.12", &[(0, Some(A))]);
    gateway.reload(&ROUTED.replace(", 10.9.0.1", ""));
    assert_eq!(gateway.hops(0, "10.0.0.12"), [(0, A.0)]);
    assert_eq!(gateway.effects.next_hops.clone().unwrap().len(), 1);
}

#[test]
fn static_next_hops_need_no_kernel() {
    let gateway = Gateway::new(OFFICE);
    assert_eq!(gateway.effects.next_hops.clone().unwrap().len(), 0);
    assert_eq!(gateway.hops(0, "10.0.0.12"), [(0, [2, 0, 0, 0, 0, 0x99])]);
    assert_eq!(gateway.hops(1, "10.0.0.13"), [(0, [2, 0, 0, 0, 0, 0x99])]);
}

/// CONFORMANCE L2b.
#[test]
fn a_vtep_that_nobody_listed_becomes_a_tunnel_and_its_macs_are_learned() {
    let mut gateway = Gateway::new(ROUTED);
    stranger(&mut gateway, "100", "10.0.0.77");
    gateway.round();
    assert!(gateway.effects.next_hops.clone().unwrap().contains(&address("10.0.0.77")));
    let vtep = gateway.tunnel("10.0.0.77", Encap::Vxlan).unwrap();
    assert_eq!(gateway.cores[0].tables.sources.find_v4(Encap::Vxlan, "10.0.0.77".parse().unwrap()), vtep);
    let key = gateway.key("100", 1);
    gateway.see(0, key, vtep);
    assert_eq!(gateway.agreed(key), Some((vtep, Origin::Learned)));
    gateway.resolve("10.0.0.77", &[(0, Some(A))]);
    assert_eq!(gateway.hops(1, "10.0.0.77"), [(0, A.0)]);
}

#[test]
fn strangers_are_few_never_ourselves_and_only_where_any_may_send() {
    let mut gateway = Gateway::new(&ROUTED.replace("accept: any, ", ""));
    for (vni, vtep) in [("100", "10.0.0.70"), ("300", "10.0.0.11"), ("300", "239.1.1.9"), ("300", "2001:db8::1")] {
        stranger(&mut gateway, vni, vtep);
    }
    for number in 71..80 {
        stranger(&mut gateway, "300", &format!("10.0.0.{number}"));
    }
    gateway.round();
    let learned = gateway.control.view_vteps().into_iter().filter(|vtep| vtep.origin == "learned");
    assert_eq!(learned.map(|vtep| vtep.vtep).collect::<Vec<_>>(), ["10.0.0.71", "10.0.0.72"]);
}

#[test]
fn a_storm_of_strangers_costs_one_compilation_in_a_while() {
    let mut gateway = Gateway::new(&ROUTED.replace("learned_vteps: 2", "learned_vteps: 1000"));
    for number in 0..200 {
        stranger(&mut gateway, "100", &format!("10.7.0.{number}"));
        gateway.round();
    }
    assert_eq!(gateway.control.version, 1);
    gateway.pass(1);
    assert_eq!(gateway.control.version, 2);
    assert!(gateway.tunnel("10.7.0.199", Encap::Vxlan).is_some());
}

#[test]
fn a_stranger_of_no_use_is_forgotten_and_one_with_macs_is_not() {
    let mut gateway = Gateway::new(ROUTED);
    stranger(&mut gateway, "100", "10.0.0.77");
    stranger(&mut gateway, "100", "10.0.0.78");
    gateway.round();
    let (key, vtep) = (gateway.key("100", 1), gateway.tunnel("10.0.0.78", Encap::Vxlan).unwrap());
    gateway.see(0, key, vtep);
    for _ in 0..4 {
        gateway.pass(80);
        gateway.use_again(0, key);
    }
    assert_eq!(gateway.tunnel("10.0.0.77", Encap::Vxlan), None);
    assert_eq!(gateway.tunnel("10.0.0.78", Encap::Vxlan), Some(vtep));
    assert!(gateway.agreed(key).is_some());
}

#[test]
fn a_listed_stranger_is_no_stranger_any_more_and_keeps_its_number() {
    let mut gateway = Gateway::new(ROUTED);
    stranger(&mut gateway, "100", "10.0.0.77");
    gateway.round();
    let vtep = gateway.tunnel("10.0.0.77", Encap::Vxlan);
    gateway.reload(&ROUTED.replace("[10.0.0.12,", "[10.0.0.77, 10.0.0.12,"));
    assert_eq!(gateway.tunnel("10.0.0.77", Encap::Vxlan), vtep);
    assert!(gateway.control.view_vteps().iter().all(|vtep| vtep.origin != "learned"));
}

/// CONFORMANCE BUM5.
#[test]
fn a_group_is_one_endpoint_with_the_groups_mac_and_the_underlays_vlan() {
    let gateway = Gateway::new(ROUTED);
    let tables = &gateway.cores[0].tables;
    let list = |vni: &str| &tables.floods[tables.segments[gateway.segment(vni).index()].rare.flood as usize].to;
    assert_eq!(list("300").last(), list("301").last());
    let crate::tables::Way::Tunnel(group) = &tables.endpoints[list("300").last().unwrap().index()].way else {
        panic!("not a tunnel")
    };
    assert_eq!(group.hops[0].header()[..6], [0x01, 0x00, 0x5e, 0x01, 0x01, 0x01]);
    assert_eq!(group.hops[0].header()[12..16], [0x81, 0x00, 0, 100]);
    assert_eq!((group.hops.len(), group.hops[0].port), (1, PortId(1)));
}
