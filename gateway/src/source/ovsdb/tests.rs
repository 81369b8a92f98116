//! What the database means, case by case (CONFORMANCE CTL8).

use std::net::IpAddr;

use config::types::{Encap, FloodFallback, Mac, Tag, Vid, Vni};
use serde_json::json;

use super::replica::Replica;
use super::testing::{database, delete, facts, put, row};
use super::wanted::{Facts, Wanted};
use crate::control::overlay::{Number, OverlayFlood};

fn number(vni: u32) -> Number {
    Number { encap: Encap::Vxlan, vni: Vni::new(vni).expect("24 bits") }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn mac(last: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, last])
}

fn wanted(replica: &Replica) -> Wanted {
    Wanted::of(replica, &facts()).expect("the switch is there")
}

/// The reasons of the rows that were refused.
fn why(wanted: &Wanted) -> String {
    wanted.rejected.iter().map(|one| format!("{} {}: {}\n", one.table, one.row, one.why)).collect()
}

fn remote(replica: &mut Replica, name: &str, mac: &str, locator: &str, address: &str) {
    let columns = json!({"MAC": mac, "logical_switch": "@ls", "locator": format!("@{locator}"), "ipaddr": address});
    put(replica, "Ucast_Macs_Remote", name, columns);
}

fn unknown(replica: &mut Replica, locators: &[&str]) {
    let locators: Vec<String> = locators.iter().map(|name| format!("@{name}")).collect();
    put(replica, "Physical_Locator_Set", "set", json!({"locators": ["set", locators]}));
    put(
        replica,
        "Mcast_Macs_Remote",
        "m",
        json!({"MAC": "unknown-dst", "logical_switch": "@ls", "locator_set": "@set"}),
    );
}

#[test]
fn a_binding_its_macs_and_its_flood_list_become_a_segment() {
    let mut db = database();
    remote(&mut db, "u1", "02:00:00:00:00:21", "a", "10.0.0.21");
    unknown(&mut db, &["a", "b"]);
    let wanted = wanted(&db);
    let segment = &wanted.segments[&number(7)];
    let tags: Vec<_> = segment.attachments.keys().copied().collect();
    assert_eq!((segment.name.as_str(), tags), ("ls", vec![(1, Tag::Vlan(Vid::new(100).unwrap()))]));
    assert_eq!(segment.flood, OverlayFlood::All(vec![ip("192.0.2.2"), ip("192.0.2.3")]));
    assert_eq!(wanted.macs[&(number(7), mac(0x21))], ip("192.0.2.2"));
    assert_eq!(wanted.neighbours[&(number(7), ip("10.0.0.21"))], mac(0x21));
    assert!(wanted.overlay()[0].answers, "it knows who has an address");
    assert_eq!(wanted.remotes, [row("a"), row("b")].into());
    assert_eq!(why(&wanted), "");
}

#[test]
fn a_database_that_does_not_know_us_wants_nothing() {
    let mut db = database();
    delete(&mut db, "Physical_Switch", "gw1");
    assert_eq!(Wanted::of(&db, &facts()), None);
}

/// Empty and 0 are "not bound", and 0 may be shared by many.
#[test]
fn a_logical_switch_without_a_key_is_not_bound() {
    for key in [json!(0), json!(["set", []])] {
        let mut db = database();
        put(&mut db, "Logical_Switch", "ls", json!({"name": "ls", "tunnel_key": key}));
        put(&mut db, "Logical_Switch", "l2", json!({"name": "l2", "tunnel_key": key}));
        remote(&mut db, "u1", "02:00:00:00:00:21", "a", "");
        let wanted = wanted(&db);
        assert!(wanted.segments.is_empty() && wanted.macs.is_empty() && wanted.faulty.is_empty(), "{wanted:?}");
        assert_eq!(why(&wanted), "");
    }
}

#[test]
fn vlan_0_is_untagged_and_one_vlan_of_two_ports_may_be_two_segments() {
    let mut db = database();
    put(&mut db, "Logical_Switch", "l2", json!({"name": "l2", "tunnel_key": 8}));
    put(&mut db, "Physical_Port", "p2", json!({"name": "srv2", "vlan_bindings": ["map", [[0, "@ls"], [100, "@l2"]]]}));
    let wanted = wanted(&db);
    let tags = |vni| {
        wanted.segments[&number(vni)].attachments.keys().map(|(port, tag)| format!("{port} {tag}")).collect::<Vec<_>>()
    };
    assert_eq!(tags(7), ["1 100", "2 untagged"]);
    assert_eq!(tags(8), ["2 100"]);
}

#[test]
fn service_nodes_get_one_copy_and_no_mode_means_service_nodes() {
    for mode in [json!("service_node"), json!(["set", []])] {
        let mut db = database();
        put(&mut db, "Logical_Switch", "ls", json!({"name": "ls", "tunnel_key": 7, "replication_mode": mode}));
        unknown(&mut db, &["a", "b"]);
        let flood = wanted(&db).segments[&number(7)].flood.clone();
        assert_eq!(flood, OverlayFlood::OneOf(vec![ip("192.0.2.2"), ip("192.0.2.3")]));
    }
}

/// networking-l2gw writes no flood lists.
#[test]
fn without_a_flood_list_the_vteps_of_macs_are_flooded_to_unless_that_is_off() {
    let mut db = database();
    remote(&mut db, "u1", "02:00:00:00:00:21", "b", "");
    assert_eq!(wanted(&db).segments[&number(7)].flood, OverlayFlood::All(vec![ip("192.0.2.3")]));
    assert!(!wanted(&db).overlay()[0].answers, "it knows no address");
    let off = Wanted::of(&db, &Facts { fallback: FloodFallback::Off, ..facts() }).expect("the switch is there");
    assert_eq!(off.segments[&number(7)].flood, OverlayFlood::All(Vec::new()));
}

#[test]
fn the_gateway_itself_is_never_flooded_to() {
    let mut db = database();
    put(&mut db, "Physical_Locator", "me", json!({"dst_ip": "192.0.2.1", "encapsulation_type": "vxlan_over_ipv4"}));
    unknown(&mut db, &["me", "a"]);
    remote(&mut db, "u1", "02:00:00:00:00:21", "me", "");
    let wanted = wanted(&db);
    assert_eq!(wanted.segments[&number(7)].flood, OverlayFlood::All(vec![ip("192.0.2.2")]));
    assert!(wanted.macs.is_empty() && !wanted.remotes.contains(&row("me")));
    assert!(why(&wanted).contains("192.0.2.1 is this gateway's own"), "{}", why(&wanted));
}

#[test]
fn keys_of_locators_number_a_logical_switch_that_has_none() {
    let mut db = database();
    put(
        &mut db,
        "Logical_Switch",
        "ls",
        json!({"name": "ls", "tunnel_key": ["set", []], "replication_mode": "source_node"}),
    );
    for (name, key) in [("k1", 9), ("k2", 12)] {
        let columns = json!({"dst_ip": "192.0.2.9", "encapsulation_type": "vxlan_over_ipv4", "tunnel_key": key});
        put(&mut db, "Physical_Locator", name, columns);
    }
    remote(&mut db, "u1", "02:00:00:00:00:21", "k1", "");
    remote(&mut db, "u2", "02:00:00:00:00:22", "k2", "");
    let wanted = wanted(&db);
    assert!(wanted.segments[&number(9)].keyed_locators);
    assert_eq!(wanted.macs.keys().collect::<Vec<_>>(), [&(number(9), mac(0x21))]);
    let said = why(&wanted);
    assert!(said.contains("several keys for 192.0.2.9 in one logical switch: 9 is used, not 12"), "{said}");
}

/// A logical switch without a key, and VTEPs with one each.
#[test]
fn every_locator_may_have_a_key_of_its_own() {
    let mut db = database();
    let keyless = |name: &str| json!({"name": name, "tunnel_key": ["set", []], "replication_mode": "source_node"});
    put(&mut db, "Logical_Switch", "ls", keyless("ls"));
    put(&mut db, "Logical_Switch", "l2", keyless("l2"));
    put(&mut db, "Logical_Switch", "l3", json!({"name": "l3", "tunnel_key": 40}));
    let bindings = json!(["map", [[7, "@l2"], [8, "@l3"]]]);
    put(&mut db, "Physical_Port", "p2", json!({"name": "srv2", "vlan_bindings": bindings}));
    for (name, address, key) in
        [("a9", "2", 9), ("b12", "3", 12), ("b13", "3", 13), ("a12", "2", 12), ("c40", "4", 40), ("d0", "5", 0)]
    {
        let address = format!("192.0.2.{address}");
        let columns = json!({"dst_ip": address, "encapsulation_type": "vxlan_over_ipv4", "tunnel_key": key});
        put(&mut db, "Physical_Locator", name, columns);
    }
    remote(&mut db, "u1", "02:00:00:00:00:21", "a9", "");
    unknown(&mut db, &["a9", "b12", "c40", "d0"]);
    for (name, mac, locator) in [("v1", "31", "b13"), ("v2", "32", "a12"), ("v3", "33", "b12")] {
        let mac = format!("02:00:00:00:00:{mac}");
        let columns = json!({"MAC": mac, "logical_switch": "@l2", "locator": format!("@{locator}"), "ipaddr": ""});
        put(&mut db, "Ucast_Macs_Remote", name, columns);
    }
    let wanted = wanted(&db);
    let keys = |vni: u32| {
        let keys = &wanted.segments[&number(vni)].keys;
        keys.iter().map(|(vtep, key)| format!("{vtep} {key}")).collect::<Vec<_>>()
    };
    assert_eq!(keys(9), ["192.0.2.3 12"], "the lowest key is the switch's");
    assert_eq!(wanted.segments[&number(9)].flood, OverlayFlood::All(vec![ip("192.0.2.2"), ip("192.0.2.3")]));
    assert_eq!(keys(12), ["192.0.2.3 13"]);
    assert_eq!(wanted.macs[&(number(12), mac(0x32))], ip("192.0.2.2"), "VNI 12 of another VTEP is another");
    let said = why(&wanted);
    for expected in [
        "several keys for 192.0.2.3 in one logical switch: 13 is used, not 12",
        "VNI 40 of 192.0.2.4 is that of the logical switch l3 already",
        "the key 0 of its locator is no VNI",
    ] {
        assert!(said.contains(expected), "no '{expected}' in\n{said}");
    }
    let own = wanted.overlay().into_iter().find(|segment| segment.number == number(9)).expect("it is there");
    assert_eq!(own.keys.values().map(|vni| vni.value()).collect::<Vec<_>>(), [12]);
}

/// OVN writes an IPv6 hypervisor as vxlan_over_ipv4.
#[test]
fn an_ipv6_locator_is_read_by_its_address() {
    let mut db = database();
    put(&mut db, "Physical_Locator", "six", json!({"dst_ip": "2001:db8::6", "encapsulation_type": "vxlan_over_ipv4"}));
    remote(&mut db, "u1", "02:00:00:00:00:21", "six", "");
    assert!(why(&wanted(&db)).contains("no IPv6 source; add one to vtep.source"));
    let facts = Facts { v6: Some("2001:db8::1".parse().unwrap()), ..facts() };
    let wanted = Wanted::of(&db, &facts).expect("the switch is there");
    assert_eq!(wanted.macs[&(number(7), mac(0x21))], ip("2001:db8::6"));
}

#[test]
fn of_two_rows_for_a_mac_the_lower_address_counts_and_the_other_is_told() {
    for (first, second) in [("a", "b"), ("b", "a")] {
        let mut db = database();
        remote(&mut db, "u1", "02:00:00:00:00:21", first, "");
        remote(&mut db, "u2", "02:00:00:00:00:21", second, "");
        let wanted = wanted(&db);
        assert_eq!(wanted.macs[&(number(7), mac(0x21))], ip("192.0.2.2"));
        assert!(why(&wanted).contains("there twice; 192.0.2.2 is used, not 192.0.2.3"), "{}", why(&wanted));
    }
}

/// The schema allows all of these; each costs itself and nothing else.
#[test]
fn rows_that_make_no_sense_are_refused_one_by_one() {
    let mut db = database();
    remote(&mut db, "u1", "02:00:00:00:00:21", "a", "");
    put(&mut db, "Logical_Switch", "big", json!({"name": "big", "tunnel_key": 1 << 24}));
    put(&mut db, "Logical_Switch", "neg", json!({"name": "neg", "tunnel_key": -1}));
    put(&mut db, "Logical_Switch", "same", json!({"name": "same", "tunnel_key": 7}));
    let bindings =
        json!(["map", [[4095, "@ls"], [5000, "@ls"], [10, "@big"], [11, "@neg"], [12, "@same"], [13, "@ls"]]]);
    put(&mut db, "Physical_Port", "p2", json!({"name": "srv2", "vlan_bindings": bindings}));
    put(&mut db, "Physical_Locator", "bad", json!({"dst_ip": "192.0.2", "encapsulation_type": "vxlan_over_ipv4"}));
    put(&mut db, "Physical_Locator", "gnv", json!({"dst_ip": "192.0.2.8", "encapsulation_type": "geneve"}));
    put(&mut db, "Physical_Locator", "mc", json!({"dst_ip": "239.1.1.1", "encapsulation_type": "vxlan_over_ipv4"}));
    unknown(&mut db, &["bad", "a"]);
    remote(&mut db, "u2", "02:00:00:00:00:22", "bad", "");
    remote(&mut db, "u3", "02:00:00:00:00:23", "gnv", "");
    remote(&mut db, "u4", "02:00:00:00:00:24", "mc", "");
    remote(&mut db, "u5", "01:00:5e:00:00:01", "a", "");
    remote(&mut db, "u6", "hello", "a", "");
    remote(&mut db, "u7", "02:00:00:00:00:27", "a", "10.0.0.300");
    remote(&mut db, "u8", "02:00:00:00:00:28", "nowhere", "");
    put(
        &mut db,
        "Mcast_Macs_Remote",
        "m2",
        json!({"MAC": "01:00:5e:00:00:02", "logical_switch": "@ls", "locator_set": "@set"}),
    );
    put(&mut db, "Logical_Router", "lr", json!({"name": "lr0"}));
    put(&mut db, "Arp_Sources_Remote", "ar", json!({"src_mac": "02:00:00:00:00:99"}));
    let wanted = wanted(&db);
    let said = why(&wanted);
    for expected in [
        "Physical_Port srv2 vlan 4095: there is no such VLAN",
        "Physical_Port srv2 vlan 5000: there is no such VLAN",
        "Logical_Switch big: the tunnel key 16777216 is no VNI",
        "Physical_Port srv2 vlan 10: the tunnel key 16777216",
        "Logical_Switch neg: the tunnel key -1 is no VNI",
        "Logical_Switch same: the tunnel key 7 is that of the logical switch ls already",
        "Physical_Port srv2 vlan 12: the tunnel key 7 is that of",
        "Ucast_Macs_Remote 02:00:00:00:00:22 in vxlan VNI 7: '192.0.2' is not an IP address",
        "Mcast_Macs_Remote unknown-dst in vxlan VNI 7: '192.0.2' is not an IP address",
        "02:00:00:00:00:23 in vxlan VNI 7: the encapsulation geneve is not known",
        "02:00:00:00:00:24 in vxlan VNI 7: 239.1.1.1 is no address of a VTEP",
        "01:00:5e:00:00:01 in vxlan VNI 7: this is no station's MAC address",
        "hello in vxlan VNI 7: this is not a MAC address",
        "02:00:00:00:00:27 in vxlan VNI 7: its ipaddr '10.0.0.300' is not an IP address; the MAC is used",
        "02:00:00:00:00:28 in vxlan VNI 7: its locator is missing",
        "01:00:5e:00:00:02 in vxlan VNI 7: flood lists of single groups are not supported",
        "Logical_Router lr0: this gateway does not route",
        "Arp_Sources_Remote 02:00:00:00:00:99: ",
    ] {
        assert!(said.contains(expected), "no '{expected}' in\n{said}");
    }
    assert_eq!(wanted.faulty, [row("p2")].into());
    assert_eq!(wanted.segments[&number(7)].attachments.len(), 2, "VLAN 100 of srv1 and VLAN 13 of srv2");
    assert_eq!(wanted.segments[&number(7)].flood, OverlayFlood::All(vec![ip("192.0.2.2")]));
    let mut macs: Vec<_> = wanted.macs.keys().map(|(_, mac)| mac.0[5]).collect();
    macs.sort_unstable();
    assert_eq!(macs, [0x21, 0x27]);
}

#[test]
fn two_rows_for_one_port_do_not_bind_a_vlan_twice() {
    let mut db = database();
    put(&mut db, "Logical_Switch", "l2", json!({"name": "l2", "tunnel_key": 8}));
    put(
        &mut db,
        "Physical_Port",
        "p2",
        json!({"name": "srv1", "vlan_bindings": ["map", [[100, "@l2"], [101, "@l2"]]]}),
    );
    put(&mut db, "Physical_Port", "p3", json!({"name": "srv9", "vlan_bindings": ["map", [[100, "@l2"]]]}));
    put(&mut db, "Physical_Switch", "gw1", json!({"name": "gw1", "ports": ["set", ["@p1", "@p2", "@p3"]]}));
    let wanted = wanted(&db);
    assert!(why(&wanted).contains("srv1 vlan 100: it is bound to ls already"), "{}", why(&wanted));
    assert!(why(&wanted).contains("srv9 vlan 100: this gateway has no such port"), "{}", why(&wanted));
    assert_eq!(wanted.faulty, [row("p2"), row("p3")].into());
    assert_eq!(wanted.segments[&number(8)].attachments.len(), 1);
}

/// Tables have no order of their own, each its own none.
#[test]
fn of_two_rows_with_the_gateways_name_it_is_always_the_same() {
    let lowest = row("gw1").min(row("gw2"));
    for _ in 0..32 {
        let mut db = database();
        put(&mut db, "Physical_Switch", "gw2", json!({"name": "gw1"}));
        assert_eq!(db.switch_named("gw1").map(|(uuid, _)| uuid), Some(lowest));
    }
    assert!(database().switch_named("gw2").is_none());
}

/// The file attaches ports, the controller brings VTEPs and MACs.
#[test]
fn a_segment_that_only_the_file_attaches_is_followed() {
    let mut db = database();
    put(&mut db, "Physical_Port", "p1", json!({"name": "srv1", "vlan_bindings": ["map", []]}));
    remote(&mut db, "u1", "02:00:00:00:00:21", "a", "");
    assert!(wanted(&db).segments.is_empty());
    let facts = Facts { attached: [number(7)].into(), ..facts() };
    let wanted = Wanted::of(&db, &facts).expect("the switch is there");
    assert!(wanted.segments[&number(7)].attachments.is_empty());
    assert_eq!(wanted.macs.len(), 1);
}

/// After a database was lost: what its successor does not contradict stays for a while.
#[test]
fn what_was_wanted_before_is_kept_where_nothing_contradicts_it() {
    let mut before = database();
    remote(&mut before, "u1", "02:00:00:00:00:21", "a", "");
    unknown(&mut before, &["a"]);
    let before = wanted(&before);
    let mut after = database();
    put(&mut after, "Logical_Switch", "ls", json!({"name": "other", "tunnel_key": 8}));
    let mut after = wanted(&after);
    after.keep(&before);
    assert!(after.segments[&number(7)].attachments.is_empty(), "VLAN 100 is another's now");
    assert_eq!(after.segments[&number(8)].attachments.len(), 1);
    assert_eq!(after.macs[&(number(7), mac(0x21))], ip("192.0.2.2"));
    assert_eq!(after.segments[&number(7)].flood, OverlayFlood::All(vec![ip("192.0.2.2")]));
}
