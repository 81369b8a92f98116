//! A database for tests: rows by short names.

use serde_json::{Value, json};

use super::datum::Uuid;
use super::replica::Replica;
use super::rows::{
    Global, Locator, LocatorSet, LogicalSwitch, McastLocal, McastRemote, PhysicalPort, PhysicalSwitch, Row,
};
use super::rows::{Tunnel, UcastLocal, UcastRemote};
use super::wanted::Facts;
use config::types::FloodFallback;

/// The name of a row.
pub fn row(name: &str) -> Uuid {
    name.bytes().fold(Uuid(0), |Uuid(number), byte| Uuid(number << 8 | u128::from(byte)))
}

/// Columns with the rows that they name written `@NAME`.
fn named(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with('@') => *value = row(&text[1..]).json(),
        Value::Array(items) => items.iter_mut().for_each(named),
        Value::Object(fields) => fields.values_mut().for_each(named),
        _ => {}
    }
}

/// Inserts or replaces a row.
pub fn put(replica: &mut Replica, table: &str, name: &str, mut columns: Value) {
    named(&mut columns);
    let change = json!({ table: { row(name).to_string(): { "new": columns } } });
    replica.apply(&serde_json::value::to_raw_value(&change).expect("JSON")).expect("a change");
}

/// Deletes a row.
pub fn delete(replica: &mut Replica, table: &str, name: &str) {
    let change = json!({ table: { row(name).to_string(): {} } });
    replica.apply(&serde_json::value::to_raw_value(&change).expect("JSON")).expect("a change");
}

/// gw1 with the ports srv1 (number 1 in the model) and srv2, at 192.0.2.1.
pub fn facts() -> Facts {
    Facts {
        name: "gw1".into(),
        v4: Some([192, 0, 2, 1].into()),
        v6: None,
        ports: vec![(1, "srv1".into()), (2, "srv2".into())],
        attached: Default::default(),
        fallback: FloodFallback::Macs,
    }
}

/// gw1 in its database: logical switch `ls` with key 7, bound to VLAN 100 of srv1; VTEPs `a` at 192.0.2.2 and `b` at .3.
pub fn database() -> Replica {
    let mut replica = Replica::default();
    let r = &mut replica;
    put(r, "Global", "g", json!({"switches": "@gw1", "managers": ["set", []]}));
    put(
        r,
        "Physical_Switch",
        "gw1",
        json!({"name": "gw1", "tunnel_ips": "192.0.2.1", "ports": ["set", ["@p1", "@p2"]], "tunnels": ["set", []]}),
    );
    put(r, "Physical_Port", "p1", json!({"name": "srv1", "vlan_bindings": ["map", [[100, "@ls"]]]}));
    put(r, "Physical_Port", "p2", json!({"name": "srv2", "vlan_bindings": ["map", []]}));
    put(r, "Logical_Switch", "ls", json!({"name": "ls", "tunnel_key": 7, "replication_mode": "source_node"}));
    put(
        r,
        "Physical_Locator",
        "a",
        json!({"dst_ip": "192.0.2.2", "encapsulation_type": "vxlan_over_ipv4", "tunnel_key": ["set", []]}),
    );
    put(
        r,
        "Physical_Locator",
        "b",
        json!({"dst_ip": "192.0.2.3", "encapsulation_type": "vxlan_over_ipv4", "tunnel_key": ["set", []]}),
    );
    replica
}

/// A schema with the tables and columns that we use.
pub fn schema() -> Value {
    let mut tables = serde_json::Map::new();
    add::<Global>(&mut tables);
    add::<PhysicalSwitch>(&mut tables);
    add::<PhysicalPort>(&mut tables);
    add::<LogicalSwitch>(&mut tables);
    add::<Locator>(&mut tables);
    add::<LocatorSet>(&mut tables);
    add::<UcastRemote>(&mut tables);
    add::<McastRemote>(&mut tables);
    add::<UcastLocal>(&mut tables);
    add::<McastLocal>(&mut tables);
    add::<Tunnel>(&mut tables);
    json!({ "name": "hardware_vtep", "tables": tables })
}

fn add<T: Row>(tables: &mut serde_json::Map<String, Value>) {
    let columns: serde_json::Map<String, Value> =
        T::NEEDED.iter().chain(T::OTHER).map(|column| ((*column).to_owned(), json!({}))).collect();
    tables.insert(T::TABLE.into(), json!({ "columns": columns }));
}
