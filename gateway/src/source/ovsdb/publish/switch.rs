//! Our row, our ports, and the connections of the server to controllers.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Value, json};

use super::Scene;
use crate::source::ovsdb::datum::{Uuid, json_set};
use crate::source::ovsdb::rows::Text;
use crate::source::ovsdb::transaction::Transaction;
use crate::source::ovsdb::wanted::Facts;

impl Scene<'_> {
    pub(super) fn switch(self, tx: &mut Transaction) {
        let Facts { name, ports, .. } = self.facts;
        let tunnel_ips: Vec<String> = self.facts.tunnel_ips().map(|ip| ip.to_string()).collect();
        let management: Vec<String> = self.ours.management.iter().map(|ip| ip.to_string()).collect();
        let texts = |texts: &[String]| json_set(texts.iter().map(|text| json!(text)));
        let mut columns = serde_json::Map::new();
        let Some((uuid, row)) = self.own_row() else {
            let ports: Vec<Value> =
                ports.iter().map(|(_, name)| tx.insert("Physical_Port", json!({ "name": name }))).collect();
            let row = json!({
                "name": name, "description": self.ours.description, "tunnel_ips": texts(&tunnel_ips),
                "management_ips": texts(&management), "ports": json_set(ports),
            });
            let switch = tx.insert("Physical_Switch", row);
            match self.replica.globals.keys().next() {
                Some(&global) => tx.mutate("Global", global, "switches", "insert", switch),
                None => drop(tx.insert("Global", json!({ "switches": switch }))),
            }
            return;
        };
        if *row.description != *self.ours.description {
            columns.insert("description".into(), json!(self.ours.description));
        }
        for (column, is, should) in
            [("tunnel_ips", &row.tunnel_ips, &tunnel_ips), ("management_ips", &row.management_ips, &management)]
        {
            if !same(is, should) {
                columns.insert(column.into(), texts(should));
            }
        }
        if !columns.is_empty() {
            tx.update("Physical_Switch", uuid, columns.into());
        }
        let there: HashMap<&str, Uuid> = self.own_ports().map(|(uuid, port)| (&*port.name, uuid)).collect();
        for (_, port) in ports.iter().filter(|(_, port)| !there.contains_key(port.as_str())) {
            let new = tx.insert("Physical_Port", json!({ "name": port }));
            tx.mutate("Physical_Switch", uuid, "ports", "insert", new);
        }
        // A port of another name that somebody has bound is left and marked; an idle one is a leftover of ours.
        let is_ours = |name: &str| ports.iter().any(|(_, port)| port == name);
        for (port, row) in self.own_ports() {
            if !is_ours(&row.name) && row.bindings.is_empty() && row.acls.is_empty() {
                tx.mutate("Physical_Switch", uuid, "ports", "delete", port.json());
            }
        }
        if !self.replica.globals.values().any(|global| global.switches.contains(&uuid))
            && let Some(&global) = self.replica.globals.keys().next()
        {
            tx.mutate("Global", global, "switches", "insert", uuid.json());
        }
    }

    pub(super) fn managers(self, tx: &mut Transaction) {
        let (Some(should), Some((&global, row))) = (&self.ours.managers, self.replica.globals.iter().next()) else {
            return;
        };
        let is: Vec<(Uuid, &str)> =
            (row.managers.iter()).filter_map(|uuid| Some((*uuid, &*self.replica.managers.get(uuid)?.target))).collect();
        for (uuid, _) in is.iter().filter(|(_, target)| !should.iter().any(|one| one == target)) {
            tx.mutate("Global", global, "managers", "delete", uuid.json());
        }
        for target in should.iter().filter(|target| !is.iter().any(|(_, one)| one == target)) {
            let new = tx.insert("Manager", json!({ "target": target }));
            tx.mutate("Global", global, "managers", "insert", new);
        }
    }
}

fn same(is: &[Text], should: &[String]) -> bool {
    let is: BTreeSet<&str> = is.iter().map(|text| &**text).collect();
    is == should.iter().map(String::as_str).collect()
}
