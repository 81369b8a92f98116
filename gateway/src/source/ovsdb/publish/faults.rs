//! What is wrong, in the columns that the schema has for it.

use std::collections::BTreeSet;

use serde_json::json;

use super::Scene;
use crate::control::overlay::{Part, Refusal};
use crate::source::ovsdb::datum::{Uuid, json_set};
use crate::source::ovsdb::rows::Text;
use crate::source::ovsdb::transaction::Transaction;

impl Scene<'_> {
    pub(super) fn faults(self, tx: &mut Transaction) {
        let Some((uuid, row)) = self.own_row() else { return };
        let mut faults = BTreeSet::new();
        if self.ours.full {
            faults.insert("mac_table_exhaustion");
        }
        for rejected in &self.wanted.rejected {
            match rejected.table {
                "Physical_Port" => {}
                "Logical_Router" => drop(faults.insert("lr_support_fault")),
                _ => drop(faults.insert("unspecified_fault")),
            }
        }
        if self.ours.refused.iter().any(|refusal| !matches!(refusal.part, Part::Attachment(_))) {
            faults.insert("unspecified_fault");
        }
        set_faults(tx, "Physical_Switch", "switch_fault_status", uuid, &row.faults, &faults);
        for (uuid, port) in self.own_ports() {
            let index = self.facts.ports.iter().find(|(_, name)| **name == *port.name).map(|(index, _)| *index);
            let mut faults = BTreeSet::new();
            let refused =
                |refusal: &Refusal| matches!(refusal.part, Part::Attachment((port, _)) if Some(port) == index);
            if self.wanted.faulty.contains(&uuid) || self.ours.refused.iter().any(refused) {
                faults.insert("invalid_vlan_map");
            }
            if !port.acls.is_empty() {
                faults.insert("invalid_ACL_binding");
            }
            if index.is_some_and(|index| self.ours.down.contains(&index)) {
                faults.insert("unspecified_fault");
            }
            set_faults(tx, "Physical_Port", "port_fault_status", uuid, &port.faults, &faults);
        }
        let not_supported = BTreeSet::from(["unspecified_fault"]);
        for (uuid, row) in &self.replica.routers {
            set_faults(tx, "Logical_Router", "LR_fault_status", *uuid, &row.faults, &not_supported);
        }
        let bound: BTreeSet<Uuid> = self.own_ports().flat_map(|(_, port)| port.acls.values().copied()).collect();
        for uuid in bound {
            if let Some(row) = self.replica.acls.get(&uuid) {
                set_faults(tx, "ACL", "acl_fault_status", uuid, &row.faults, &not_supported);
            }
        }
    }
}

fn set_faults(tx: &mut Transaction, table: &str, column: &str, row: Uuid, is: &[Text], should: &BTreeSet<&str>) {
    if is.iter().map(|text| &**text).collect::<BTreeSet<_>>() != *should {
        tx.update(table, row, json!({ column: json_set(should.iter().map(|text| json!(text))) }));
    }
}
