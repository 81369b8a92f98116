//! What passed our attachments.

use std::collections::{BTreeMap, HashMap};

use config::types::Tag;
use serde_json::{Value, json};

use super::{MOST, Passed, Scene};
use crate::control::overlay::PortTag;
use crate::source::ovsdb::datum::{Uuid, json_map};
use crate::source::ovsdb::transaction::Transaction;

impl Scene<'_> {
    pub(super) fn statistics(self, tx: &mut Transaction) {
        let Some(passed) = &self.ours.passed else { return };
        let mut should: HashMap<Uuid, BTreeMap<i64, Passed>> = HashMap::new();
        for (_, segment) in self.segments() {
            for (tag, &port) in &segment.attachments {
                let vlan = if let Tag::Vlan(vid) = tag.1 { i64::from(vid.value()) } else { 0 };
                should.entry(port).or_default().insert(vlan, passed.get(tag).copied().unwrap_or_default());
            }
        }
        for (uuid, port) in self.own_ports() {
            let vlans = should.remove(&uuid).unwrap_or_default();
            for vlan in port.stats.keys().filter(|vlan| !vlans.contains_key(vlan)) {
                tx.mutate("Physical_Port", uuid, "vlan_stats", "delete", json!(vlan));
            }
            for (vlan, passed) in vlans {
                if tx.len() >= MOST {
                    return;
                }
                match port.stats.get(&vlan) {
                    Some(row) if self.ours.told.get(row) == Some(&passed) => {}
                    Some(row) => tx.update("Logical_Binding_Stats", *row, columns(passed)),
                    None => {
                        let new = tx.insert("Logical_Binding_Stats", columns(passed));
                        let pair = json_map([(json!(vlan), new)]);
                        tx.mutate("Physical_Port", uuid, "vlan_stats", "insert", pair);
                    }
                }
            }
        }
    }

    /// What the statistics in the database are once [`super::Group::Statistics`] has been taken.
    pub fn told_statistics(self) -> HashMap<Uuid, Passed> {
        let Some(passed) = &self.ours.passed else { return HashMap::new() };
        let attachments = self.segments().flat_map(|(_, segment)| &segment.attachments);
        let row = |(tag, port): (&PortTag, &Uuid)| {
            let vlan = if let Tag::Vlan(vid) = tag.1 { i64::from(vid.value()) } else { 0 };
            let row = self.replica.ports.get(port)?.stats.get(&vlan)?;
            Some((*row, passed.get(tag).copied().unwrap_or_default()))
        };
        attachments.filter_map(row).collect()
    }
}

fn columns(passed: Passed) -> Value {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    json!({
        "packets_from_local": number(passed.from_local.0), "bytes_from_local": number(passed.from_local.1),
        "packets_to_local": number(passed.to_local.0), "bytes_to_local": number(passed.to_local.1),
    })
}
