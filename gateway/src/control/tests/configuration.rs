//! Another configuration while frames flow (CONFORMANCE CTL2, BUM3).

use config::types::Encap;

use super::OFFICE;
use crate::control::NeedsRestart;
use crate::control::testing::{Gateway, model};
use crate::tables::Origin;

#[test]
fn what_is_in_both_configurations_keeps_its_numbers_and_its_macs() {
    let mut gateway = Gateway::new(OFFICE);
    let key = gateway.key("200", 1);
    let (place, vtep) = (gateway.attachment("srv1", "20"), gateway.tunnel("10.0.0.13", Encap::Vxlan));
    gateway.see(0, key, place);
    let smaller = OFFICE
        .replace("{vlan: 10, vni: 100}, {vlan: 20, vni: 200}", "{vlan: 20, vni: 200}")
        .replace(r#", {mac: "02:00:00:00:00:06", port: srv1, vlan: 10}"#, "")
        .replace("[10.0.0.12, 10.0.0.13]", "[10.0.0.14]");
    gateway.reload(&smaller);
    assert_eq!((gateway.attachment("srv1", "20"), gateway.tunnel("10.0.0.13", Encap::Vxlan)), (place, vtep));
    assert_eq!(gateway.key("200", 1), key);
    assert_eq!(gateway.agreed(key), Some((place, Origin::Learned)));
}

#[test]
fn what_is_gone_takes_its_macs_along_and_its_number_comes_back_with_another_generation() {
    let mut gateway = Gateway::new(OFFICE);
    let (key, place) = (gateway.key("100", 1), gateway.attachment("srv2", "10"));
    gateway.see(0, key, place);
    let without = OFFICE.replace("vlans: [{vlan: 10, vni: 100}]}", "vlans: []}");
    gateway.reload(&without);
    assert_eq!(gateway.cores[0].fdb.find(key), None, "removed, not only stale");
    gateway.reload(&OFFICE.replace(
        "name: srv2, device: net_null2, vlans: [{vlan: 10",
        "name: srv2, device: net_null2, vlans: [{vlan: 11",
    ));
    let reborn = gateway.attachment("srv2", "11");
    let generation = gateway.cores[0].tables.endpoints[reborn.index()].generation;
    assert_eq!((reborn, generation), (place, 1));
}

/// CONFORMANCE ISO1: a VLAN that is bound to another VNI carries nothing over.
#[test]
fn a_vlan_that_changes_its_vni_is_another_place() {
    let mut gateway = Gateway::new(OFFICE);
    let (key, before) = (gateway.key("100", 1), gateway.attachment("srv2", "10"));
    gateway.see(1, key, before);
    gateway.reload(&OFFICE.replace("vlans: [{vlan: 10, vni: 100}]}", "vlans: [{vlan: 10, vni: 200}]}"));
    let after = gateway.attachment("srv2", "10");
    assert_ne!(after, before);
    assert_eq!(gateway.agreed(key), None);
}

#[test]
fn statics_follow_the_configuration() {
    let mut gateway = Gateway::new(OFFICE);
    let (fixed, gone, srv2) = (gateway.key("100", 5), gateway.key("100", 6), gateway.attachment("srv2", "10"));
    let learned = gateway.key("100", 7);
    gateway.see(0, learned, srv2);
    let yaml = OFFICE
        .replace("00:05\", vtep: 10.0.0.12", "00:05\", vtep: 10.0.0.13")
        .replace("00:06\", port: srv1, vlan: 10", "00:07\", port: srv1, vlan: 10");
    gateway.reload(&yaml);
    let (srv1, vtep) = (gateway.attachment("srv1", "10"), gateway.tunnel("10.0.0.13", Encap::Vxlan).unwrap());
    assert_eq!(gateway.agreed(fixed), Some((vtep, Origin::Static)));
    assert_eq!(gateway.agreed(gone), None);
    assert_eq!(gateway.agreed(learned), Some((srv1, Origin::Static)), "the operator knows better");
    assert_eq!(gateway.control.fdb.limits().in_segment(learned.segment()), (2, 0));
}

#[test]
fn a_segment_number_does_not_come_back_soon() {
    let mut gateway = Gateway::new(OFFICE);
    let old = gateway.segment("200");
    let renumbered = OFFICE.replace("200", "300");
    gateway.reload(&renumbered);
    assert_ne!(gateway.segment("300"), old);
    gateway.reload(OFFICE);
    assert!(![old, gateway.segment("100")].contains(&gateway.segment("200")));
}

#[test]
fn flood_lists_change_while_running() {
    let mut gateway = Gateway::new(OFFICE);
    let list = |gateway: &Gateway| {
        let tables = &gateway.cores[1].tables;
        tables.floods[tables.segments[gateway.segment("200").index()].rare.flood as usize].to.len()
    };
    assert_eq!(list(&gateway), 2, "a VLAN and a VTEP");
    gateway.reload(&OFFICE.replace("vteps: [10.0.0.13]}", "vteps: [10.0.0.13, 10.0.0.14]}"));
    assert_eq!(list(&gateway), 3);
}

#[test]
fn learned_in_a_vni_that_stops_learning_is_forgotten() {
    let mut gateway = Gateway::new(OFFICE);
    let key = gateway.key("100", 1);
    gateway.see(0, key, gateway.attachment("srv1", "10"));
    gateway.reload(&OFFICE.replace("{ageing: 40, limit: 3}", "{enabled: false}"));
    assert_eq!(gateway.agreed(key), None);
}

#[test]
fn other_devices_or_workers_need_a_restart_and_nothing_changes_until_then() {
    let mut gateway = Gateway::new(OFFICE);
    let other = OFFICE.replace("cores: [1, 2]", "cores: [1]").replace("net_null2", "net_null7").replace("200", "300");
    let refused = gateway.control.reload(model(&other), gateway.now);
    assert_eq!(refused, Err(NeedsRestart(vec!["workers.cores".into(), "ports[srv2].device".into()])));
    assert_eq!(gateway.control.model(), &model(OFFICE));
}

/// What a controller may say changes live; where it is does not, and the plan names exactly that.
#[test]
fn a_controllers_place_needs_a_restart_and_its_other_settings_do_not() {
    let with = |ovsdb: &str| format!("{OFFICE}\ncontrol: {{ovsdb: {{{ovsdb}}}}}\n");
    let embedded = "database: embedded, directory: /d, physical_switch: gw1";
    let mut gateway = Gateway::new(&with(embedded));
    let mut takes = |ovsdb: &str| gateway.control.reload(model(&with(ovsdb)), gateway.now);
    let rest =
        "flood_fallback: off, stale: 3, statistics: 0, ports: srv1, managers: \"ptcp:6640\", management_ips: 10.9.0.1";
    assert_eq!(takes(&format!("{embedded}, {rest}, description: x")), Ok(()));
    let parts = |paths: &[&str]| Err(NeedsRestart(paths.iter().map(|&path| path.into()).collect()));
    assert_eq!(takes("database: \"unix:/s\", physical_switch: gw1"), parts(&["control.ovsdb.database"]));
    assert_eq!(
        takes("database: embedded, directory: /e, physical_switch: gw2, tls: {key: /k, certificate: /c, ca: /a}"),
        parts(&["control.ovsdb.directory", "control.ovsdb.tls", "control.ovsdb.physical_switch"])
    );
    assert_eq!(gateway.control.reload(model(OFFICE), gateway.now), parts(&["control.ovsdb"]));
}

/// A VNI more in the file is one more that takes part in EVPN.
#[test]
fn evpn_takes_part_in_another_vni_without_a_restart() {
    let with = |evpn: &str| format!("{OFFICE}\ncontrol: {{evpn: {{{evpn}}}}}\n");
    let mut gateway = Gateway::new(&with(""));
    let more = with("").replace("vnis:", "vnis:\n  - {vni: 300}");
    assert_eq!(gateway.control.reload(model(&more), gateway.now), Ok(()));
    assert_eq!(gateway.control.reload(model(&with("vnis: 100")), gateway.now), Ok(()));
    let other = gateway.control.reload(model(&with("udp_port: 9999, namespace: n, hold: 7")), gateway.now);
    let parts = ["control.evpn.namespace", "control.evpn.udp_port", "control.evpn.hold"].map(String::from);
    assert_eq!(other, Err(NeedsRestart(parts.into())));
}

/// CONFORMANCE CTL2: what the twins and the cores can change while they run needs no restart.
#[test]
fn addresses_and_an_mtu_that_the_device_was_opened_for_need_no_restart() {
    let up = |rest: &str| {
        let via = r#"{name: up0, device: net_null0, underlay: {via: {mac: "02:00:00:00:00:99"}}}"#;
        assert!(OFFICE.contains(via));
        OFFICE.replace(via, &format!("{{name: up0, device: net_null0, {rest}}}"))
    };
    let mut gateway = Gateway::new(&up("mtu: 9000, underlay: {addresses: 10.0.0.11/24, gateway: 10.0.0.1}"));
    let mut takes = |rest: &str| gateway.control.reload(model(&up(rest)), gateway.now);
    assert_eq!(takes("mtu: 9000, underlay: {addresses: [10.0.0.11/24, 10.9.0.1/24], gateway: 10.0.0.2}"), Ok(()));
    assert_eq!(takes("mtu: 1600, underlay: {addresses: 10.0.0.11/24}"), Ok(()));
    assert_eq!(takes("mtu: 9000, underlay: {addresses: 10.0.0.11/24}"), Ok(()), "and back");
    let part = |path: &str| Err(NeedsRestart(vec![path.to_owned()]));
    assert_eq!(takes("mtu: 9001, underlay: {addresses: 10.0.0.11/24}"), part("ports[up0].mtu"), "the device's setting");
    assert_eq!(takes("mtu: 9000, underlay: {vlan: 7, addresses: 10.0.0.11/24}"), part("ports[up0].underlay"));
    assert_eq!(takes("mtu: 9000, underlay: {twin: other, addresses: 10.0.0.11/24}"), part("ports[up0].underlay"));
    gateway.reload(&up("mtu: 1600, underlay: {addresses: 10.0.0.11/24}"));
    assert_eq!(gateway.cores[0].tables.ports[0].mtu, 1600);
}

#[test]
fn a_core_that_has_not_read_hears_of_new_tables_before_it_hears_of_macs_in_them() {
    let mut gateway = Gateway::new(OFFICE);
    let bigger =
        OFFICE.replace("vlans: [{vlan: 10, vni: 100}]}", "vlans: [{vlan: 10, vni: 100}, {vlan: 30, vni: 200}]}");
    gateway.see(0, gateway.key("200", 1), gateway.attachment("srv1", "20"));
    gateway.control.reload(model(&bigger), gateway.now).unwrap();
    gateway.control.settle(gateway.now);
    let (key, place) = (gateway.key("200", 1), gateway.attachment("srv2", "30"));
    let entry = crate::tables::FdbEntry::new(place, 0, Origin::Fresh);
    let report = crate::link::Report::Learned { key, entry };
    gateway.control.handle(crate::control::Event::Report { core: 0, report }, gateway.now);
    gateway.round();
    assert_eq!(gateway.agreed(key), Some((place, Origin::Learned)));
}
