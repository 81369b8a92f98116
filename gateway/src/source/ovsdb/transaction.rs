//! A transaction in the making (RFC 7047 section 5.2).

use std::collections::HashMap;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::datum::Uuid;
use super::replica::{DATABASE, Replica};

/// The encapsulation of every locator, whatever its address family.
pub const VXLAN: &str = "vxlan_over_ipv4";

/// Operations that happen together or not at all.
#[derive(Debug, Default)]
pub struct Transaction {
    operations: Vec<Value>,
    named: usize,
    locators: HashMap<(IpAddr, Option<i64>), Value>,
}

impl Transaction {
    /// How many operations it has.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// True without operations.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Its operations.
    pub fn operations(&self) -> &[Value] {
        &self.operations
    }

    /// The parameters of the request. The comment is what the server's log says of it.
    pub fn params(&self, comment: &str) -> Value {
        let comment = json!({ "op": "comment", "comment": format!("causeway: {comment}") });
        let operations = self.operations.iter().cloned().chain([comment]);
        Value::Array([json!(DATABASE)].into_iter().chain(operations).collect())
    }

    /// Inserts a row; what comes back names it within this transaction.
    pub fn insert(&mut self, table: &str, row: Value) -> Value {
        self.named += 1;
        let name = format!("new{}", self.named);
        self.operations.push(json!({ "op": "insert", "table": table, "uuid-name": name, "row": row }));
        json!(["named-uuid", name])
    }

    /// Sets columns of a row.
    pub fn update(&mut self, table: &str, row: Uuid, columns: Value) {
        let which = json!([["_uuid", "==", row.json()]]);
        self.operations.push(json!({ "op": "update", "table": table, "where": which, "row": columns }));
    }

    /// Adds to (`insert`) or takes from (`delete`) a set or map of a row.
    pub fn mutate(&mut self, table: &str, row: Uuid, column: &str, how: &str, values: Value) {
        let which = json!([["_uuid", "==", row.json()]]);
        let mutations = json!([[column, how, values]]);
        self.operations.push(json!({ "op": "mutate", "table": table, "where": which, "mutations": mutations }));
    }

    /// Deletes a row.
    pub fn delete(&mut self, table: &str, row: Uuid) {
        let which = json!([["_uuid", "==", row.json()]]);
        self.operations.push(json!({ "op": "delete", "table": table, "where": which }));
    }

    /// The locator of an address: the one that is there, or a new one. (Encapsulation, address and key are unique, so
    /// one that is there must be found.)
    pub fn locator(&mut self, replica: &Replica, address: IpAddr, key: Option<i64>) -> Value {
        if let Some(known) = self.locators.get(&(address, key)) {
            return known.clone();
        }
        let text = address.to_string();
        let found = replica
            .locators
            .iter()
            .find(|(_, row)| row.key == key && *row.encapsulation == *VXLAN && *row.address == *text);
        let locator = match found {
            Some((uuid, _)) => uuid.json(),
            None => {
                let key = key.map_or(json!(["set", []]), |key| json!(key));
                self.insert(
                    "Physical_Locator",
                    json!({ "encapsulation_type": VXLAN, "dst_ip": text, "tunnel_key": key }),
                )
            }
        };
        self.locators.insert((address, key), locator.clone());
        locator
    }
}
