//! How others reach what is behind us: where they flood to, our MACs, and tunnels.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use config::types::Mac;
use serde_json::json;

use super::{MOST, Scene};
use crate::control::overlay::Number;
use crate::source::ovsdb::datum::{Uuid, json_map};
use crate::source::ovsdb::rows::Text;
use crate::source::ovsdb::transaction::Transaction;
use crate::source::ovsdb::wanted::{Segment, UNKNOWN};

impl Scene<'_> {
    pub(super) fn floods(self, tx: &mut Transaction) {
        let (Some(own), others) = (self.facts.tunnel_ips().next(), self.others()) else { return };
        let mut missing: BTreeMap<Uuid, Option<i64>> =
            self.segments().map(|(number, segment)| (segment.switch, Self::key(number, segment))).collect();
        let text = own.to_string();
        for (uuid, row) in &self.replica.mcast_local {
            let locators = self.replica.sets.get(&row.set).map(|set| &set.locators[..]).unwrap_or_default();
            if &*row.mac != UNKNOWN || !locators.iter().all(|&locator| self.is_mine(&others, locator)) {
                continue;
            }
            let is_right = |key: Option<i64>| match locators {
                [only] => self.replica.locators.get(only).is_some_and(|row| *row.address == *text && row.key == key),
                _ => false,
            };
            match missing.get(&row.switch).copied() {
                Some(key) if is_right(key) => drop(missing.remove(&row.switch)),
                _ => tx.delete("Mcast_Macs_Local", *uuid),
            }
        }
        for (switch, key) in missing.into_iter().take(MOST / 3) {
            let locator = tx.locator(self.replica, own, key);
            let set = tx.insert("Physical_Locator_Set", json!({ "locators": locator }));
            tx.insert(
                "Mcast_Macs_Local",
                json!({ "MAC": UNKNOWN, "logical_switch": switch.json(), "locator_set": set }),
            );
        }
    }

    pub(super) fn macs(self, tx: &mut Transaction) {
        let (Some(own), others) = (self.facts.tunnel_ips().next(), self.others()) else { return };
        let rows: HashMap<Number, &Segment> = self.segments().collect();
        let mut missing: HashMap<(Uuid, Mac), Option<i64>> = (self.ours.locals.iter())
            .filter_map(|(number, mac)| {
                let segment = rows.get(number)?;
                Some(((segment.switch, *mac), Self::key(*number, segment)))
            })
            .collect();
        let text = own.to_string();
        for (uuid, row) in &self.replica.ucast_local {
            if tx.len() >= MOST {
                break;
            }
            if !self.is_mine(&others, row.locator) {
                continue;
            }
            let key = row.mac.parse().ok().map(|mac| (row.switch, mac));
            let should = key.and_then(|key| missing.remove(&key));
            let is_right = |key| {
                self.replica.locators.get(&row.locator).is_some_and(|row| *row.address == *text && row.key == key)
            };
            match should {
                Some(key) if is_right(key) => {}
                Some(key) => {
                    let locator = tx.locator(self.replica, own, key);
                    tx.update("Ucast_Macs_Local", *uuid, json!({ "locator": locator }));
                }
                None => tx.delete("Ucast_Macs_Local", *uuid),
            }
        }
        let room = MOST.saturating_sub(tx.len());
        for ((switch, mac), key) in missing.into_iter().take(room) {
            let locator = tx.locator(self.replica, own, key);
            let row = json!({ "MAC": mac.to_string(), "logical_switch": switch.json(), "locator": locator });
            tx.insert("Ucast_Macs_Local", row);
        }
    }

    /// A tunnel holds its remote locator fast, so it must go as soon as nobody else uses that.
    pub(super) fn tunnels(self, tx: &mut Transaction) {
        let Some((uuid, row)) = self.own_row() else { return };
        let mut missing = self.wanted.remotes.clone();
        for (tunnel, at) in row.tunnels.iter().filter_map(|uuid| Some((*uuid, self.replica.tunnels.get(uuid)?))) {
            if !missing.remove(&at.remote) {
                tx.mutate("Physical_Switch", uuid, "tunnels", "delete", tunnel.json());
                continue;
            }
            let asked = at.bfd_params.get("enable").is_some_and(|enable| &**enable == "true");
            let should: BTreeMap<Text, Text> = match asked {
                true => [("enabled", "false"), ("info", "this gateway has no BFD")]
                    .map(|(k, v)| (k.into(), v.into()))
                    .into(),
                false => BTreeMap::new(),
            };
            if at.bfd_status != should {
                let pairs = should.iter().map(|(key, value)| (json!(key), json!(value)));
                tx.update("Tunnel", tunnel, json!({ "bfd_status": json_map(pairs) }));
            }
        }
        for remote in missing.into_iter().take(MOST / 3) {
            let address = self.replica.locators.get(&remote).and_then(|row| row.address.parse().ok());
            let own =
                self.facts.tunnel_ips().find(|own| address.is_some_and(|ip: IpAddr| ip.is_ipv4() == own.is_ipv4()));
            let Some(own) = own else { continue };
            let local = tx.locator(self.replica, own, None);
            let new = tx.insert("Tunnel", json!({ "local": local, "remote": remote.json() }));
            tx.mutate("Physical_Switch", uuid, "tunnels", "insert", new);
        }
    }
}
