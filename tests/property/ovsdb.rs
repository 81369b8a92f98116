//! Whatever a database server sends: an answer or a refusal, never a panic; and what is wanted depends on what the database
//! says, not on the way there. CTL8

use std::net::IpAddr;

use config::types::{FloodFallback, Mac, Tag, Vid};
use gateway::control::overlay::{Change, Controller, OverlayFlood};
use gateway::control::{Control, FdbFilter, PortFacts};
use gateway::source::ovsdb::publish::{Group, Ours, Passed, Scene, publish};
use gateway::source::ovsdb::replica::Replica;
use gateway::source::ovsdb::session::Session;
use gateway::source::ovsdb::split::Splitter;
use gateway::source::ovsdb::wanted::{Facts, Wanted};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::cases;
use crate::support::site;

const GATEWAY: &str = r#"
version: 1
vtep: {source: 10.0.0.11}
ports:
  - {name: up0, device: net_null0, underlay: {via: {mac: "02:00:00:00:00:99"}}}
  - {name: srv1, device: net_null1, vlans: [{vlan: 10, vni: 100}]}
  - {name: srv2, device: net_null2}
vnis:
  - {vni: 100, flood: {vteps: [10.0.0.12]}, static: [{mac: "02:00:00:00:00:05", vtep: 10.0.0.12}]}
"#;

/// Rows have few names, so that they refer to each other.
fn name(number: u8) -> String {
    format!("00000000-0000-0000-0000-{:012x}", number % 6)
}

fn facts() -> Facts {
    Facts {
        name: "gw1".into(),
        v4: Some([10, 0, 0, 11].into()),
        v6: None,
        ports: vec![(1, "srv1".into()), (2, "srv2".into())],
        attached: Default::default(),
        fallback: FloodFallback::Macs,
    }
}

/// A value for a column, mostly of a kind that makes sense somewhere.
fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        Just("gw1"),
        Just("srv1"),
        Just("srv2"),
        Just("unknown-dst"),
        Just("vxlan_over_ipv4"),
        Just("source_node"),
        Just("10.0.0.12"),
        Just("10.0.0.11"),
        Just("10.0.0.13"),
        Just("2001:db8::1"),
        Just("10.0.0"),
        Just(""),
        Just("02:00:00:00:00:05"),
        Just("02:00:00:00:00:06"),
        Just("01:00:5e:00:00:01"),
        Just("nonsense"),
    ];
    let number = prop_oneof![Just(0), Just(7), Just(100), Just(4095), Just(1 << 24), any::<i64>()];
    let row = any::<u8>().prop_map(|number| json!(["uuid", name(number)]));
    let pair = (prop_oneof![Just(0_i64), Just(10), Just(20), Just(4095)], any::<u8>())
        .prop_map(|(vlan, number)| json!([vlan, ["uuid", name(number)]]));
    prop_oneof![
        text.prop_map(|text| json!(text)),
        number.prop_map(|number| json!(number)),
        row.clone(),
        vec(row, 0..3).prop_map(|rows| json!(["set", rows])),
        vec(pair, 0..3).prop_map(|pairs| json!(["map", pairs])),
        Just(Value::Null),
    ]
}

const TABLES: [(&str, &[&str]); 9] = [
    ("Global", &["switches", "managers"]),
    ("Physical_Switch", &["name", "ports", "tunnel_ips", "tunnels"]),
    ("Physical_Port", &["name", "vlan_bindings", "vlan_stats"]),
    ("Logical_Switch", &["name", "tunnel_key", "replication_mode"]),
    ("Physical_Locator", &["dst_ip", "encapsulation_type", "tunnel_key"]),
    ("Physical_Locator_Set", &["locators"]),
    ("Ucast_Macs_Remote", &["MAC", "logical_switch", "locator", "ipaddr"]),
    ("Mcast_Macs_Remote", &["MAC", "logical_switch", "locator_set"]),
    ("Tunnel", &["local", "remote"]),
];

/// A right database of which any columns have been replaced.
fn database() -> impl Strategy<Value = Value> {
    let wrong = vec((0..TABLES.len(), any::<u8>(), 0..4_usize, value()), 0..12);
    let key = prop_oneof![Just(0), Just(7), Just(8), Just(100)];
    let vlans = vec((prop_oneof![Just(0), Just(10), Just(20), Just(30)], 0..3_u8), 0..4);
    let macs = vec((0..6_u8, 0..3_u8, 0..3_u8), 0..8);
    (wrong, vec(key, 3), vlans, macs).prop_map(|(wrong, keys, vlans, macs)| {
        let uuid = |number: u8| json!(["uuid", name(number)]);
        let new = |row: Value| json!({ "new": row });
        let mut all = json!({
            "Global": {name(0): new(json!({"switches": uuid(0), "managers": ["set", []]}))},
            "Physical_Switch": {name(0): new(json!({"name": "gw1", "tunnel_ips": "10.0.0.11",
                "ports": ["set", [uuid(0), uuid(1)]], "tunnels": ["set", []]}))},
            "Physical_Port": {name(1): new(json!({"name": "srv2", "vlan_bindings": ["map", []]}))},
            "Physical_Locator_Set": {name(0): new(json!({"locators": ["set", [uuid(0), uuid(1)]]}))},
            "Mcast_Macs_Remote": {name(0): new(json!({"MAC": "unknown-dst", "logical_switch": uuid(0), "locator_set": uuid(0)}))},
        });
        let pairs: Vec<Value> = vlans.iter().map(|(vlan, switch)| json!([vlan, uuid(*switch)])).collect();
        all["Physical_Port"][name(0)] = new(json!({"name": "srv1", "vlan_bindings": ["map", pairs]}));
        for (number, key) in (0..).zip(keys) {
            let row = json!({"name": format!("ls{number}"), "tunnel_key": key, "replication_mode": "source_node"});
            all["Logical_Switch"][name(number)] = new(row);
            let address = format!("10.0.0.{}", 12 + number);
            all["Physical_Locator"][name(number)] =
                new(json!({"dst_ip": address, "encapsulation_type": "vxlan_over_ipv4", "tunnel_key": ["set", []]}));
        }
        for (row, (mac, switch, locator)) in (0..).zip(macs) {
            let columns = json!({"MAC": format!("02:00:00:00:00:{mac:02x}"), "ipaddr": "",
                                 "logical_switch": uuid(switch), "locator": uuid(locator)});
            all["Ucast_Macs_Remote"][format!("00000000-0000-0000-0001-{row:012x}")] = new(columns);
        }
        for (table, row, column, value) in wrong {
            let (table, columns) = TABLES[table];
            let column = columns[column % columns.len()];
            match all[table].get_mut(name(row)) {
                Some(there) => there["new"][column] = value,
                None => all[table][name(row)] = new(json!({ column: value })),
            }
        }
        all
    })
}

fn replica(database: &Value) -> Replica {
    let mut replica = Replica::default();
    let raw = serde_json::value::to_raw_value(database).expect("JSON");
    replica.apply(&raw).expect("changes");
    replica
}

/// Everything that a controller has in force.
fn in_force(control: &Control) -> (String, Vec<String>, usize) {
    let mut model = control.model().clone();
    model.segments.sort_by_key(|segment| segment.vxlan);
    let all = FdbFilter::default();
    let macs = control.view_fdb(&all, 0);
    let mut macs: Vec<String> =
        macs.map(|row| format!("{} {} {} {}", row.vni, row.mac, row.place, row.origin)).collect();
    macs.sort();
    let segments: Vec<_> = model.segments.iter().map(|one| (&one.name, one.vxlan, &one.flood, &one.known)).collect();
    (format!("{segments:?}"), macs, control.remote_macs(Controller::Ovsdb))
}

/// What goes from one state of a database to another.
fn change(before: &Wanted, after: &Wanted) -> Change {
    let mut macs: Vec<_> = after.macs.iter().map(|(&(number, mac), &vtep)| (number, mac, Some(vtep.into()))).collect();
    let gone = before.macs.keys().filter(|key| !after.macs.contains_key(key));
    macs.extend(gone.map(|&(number, mac)| (number, mac, None)));
    let segments = (before.overlay() != after.overlay()).then(|| after.overlay());
    Change { segments, macs, ..Change::default() }
}

fn control() -> Control {
    let model = site::model(GATEWAY, 1);
    let facts = PortFacts { mac: Mac(site::port_mac(0)), mtu: 1500, tx_ip_checksum: false, tx_vlan: false };
    let facts = vec![facts; model.ports.len()];
    Control::new(model, facts)
}

proptest! {
    #![proptest_config(cases(128))]

    /// Any bytes, cut anywhere.
    #[test]
    fn any_stream_is_taken_apart_or_refused(
        pieces in vec(prop_oneof![
            vec(any::<u8>(), 0..40),
            Just(br#"{"id":0,"result":{"tables":{}},"error":null}"#.to_vec()),
            Just(br#"{"id":"echo","method":"echo","params":["{"]}"#.to_vec()),
            Just(br#"{"id":null,"method":"update","params":[null,{"Global":{"x":{}}}]}"#.to_vec()),
            Just(b"{\"a\":\"\\\"".to_vec()),
        ], 0..12),
        cut in 1..64_usize,
    ) {
        let (mut splitter, mut session) = (Splitter::new(256), Session::new());
        'stream: for bytes in pieces.concat().chunks(cut) {
            splitter.feed(bytes);
            loop {
                match splitter.object() {
                    Ok(Some(object)) => drop(session.receive(object)),
                    Ok(None) => break,
                    Err(_) => break 'stream,
                }
            }
        }
    }

    /// Any rows: each of them is followed or refused, and what we have to say about them is sayable.
    #[test]
    fn any_database_is_understood_as_far_as_it_goes(database in database()) {
        let (replica, facts) = (replica(&database), facts());
        let wanted = Wanted::of(&replica, &facts).unwrap_or_default();
        for segment in wanted.segments.values() {
            let (OverlayFlood::All(list) | OverlayFlood::OneOf(list)) = &segment.flood;
            prop_assert!(!list.contains(&IpAddr::from([10, 0, 0, 11])), "it floods to itself");
            prop_assert!(segment.known.iter().all(|vtep| *vtep != IpAddr::from([10, 0, 0, 11])));
        }
        let mut tags: Vec<_> = wanted.segments.values().flat_map(|one| one.attachments.keys()).collect();
        let all = tags.len();
        tags.sort();
        tags.dedup();
        prop_assert_eq!(tags.len(), all, "tags that are bound twice");
        prop_assert!(wanted.macs.keys().all(|(number, mac)| wanted.segments.contains_key(number) && !mac.is_group()));
        let passed = [((1, Tag::Vlan(Vid::new(10).unwrap())), Passed::default())].into();
        let ours = Ours {
            locals: wanted.segments.keys().map(|&number| (number, Mac([2, 0, 0, 0, 1, 1]))).collect(),
            passed: Some(passed),
            managers: Some(vec!["ptcp:6640".into()]),
            ..Ours::default()
        };
        for group in Group::ALL {
            let scene = Scene { replica: &replica, facts: &facts, wanted: &wanted, ours: &ours };
            publish(group, scene).params(group.name());
        }
    }

    /// However a database came to say what it says, what is in force is the same.
    #[test]
    fn what_is_in_force_is_what_the_database_says_last(way in vec(database(), 1..4), last in database()) {
        let facts = facts();
        let wanted = |database: &Value| Wanted::of(&replica(database), &facts).unwrap_or_default();
        let (mut straight, mut around) = (control(), control());
        let mut before = Wanted::default();
        for step in way.iter().chain([&last]) {
            let after = wanted(step);
            around.overlay(Controller::Ovsdb, change(&before, &after), 0);
            around.settle(0);
            before = after;
        }
        straight.overlay(Controller::Ovsdb, change(&Wanted::default(), &wanted(&last)), 0);
        straight.settle(0);
        prop_assert_eq!(in_force(&around), in_force(&straight));
        around.overlay(Controller::Ovsdb, change(&before, &Wanted::default()), 0);
        around.settle(0);
        prop_assert_eq!(in_force(&around), in_force(&control()));
    }
}
