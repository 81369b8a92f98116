//! The number of each logical switch.

use std::collections::HashMap;

use config::types::{Encap, Vni};

use super::Work;
use crate::control::overlay::Number;
use crate::source::ovsdb::datum::Uuid;
use crate::source::ovsdb::rows::{LogicalSwitch, Row};

impl Work<'_> {
    /// Gives every logical switch its number: its own key, else that of its locators. Empty or 0 is not bound.
    pub(super) fn number(&mut self) {
        let mut switches: Vec<(&Uuid, &LogicalSwitch)> = self.replica.switches.iter().collect();
        switches.sort_by_key(|(uuid, switch)| (&switch.name, **uuid));
        let of_locators = self.keys_of_locators();
        let mut taken: HashMap<Number, &str> = HashMap::new();
        for (uuid, switch) in switches {
            let (key, keyed_locators) = match switch.key {
                Some(key) => (key, false),
                None => (of_locators.get(uuid).copied().unwrap_or(0), true),
            };
            if key == 0 {
                continue;
            }
            let vni = u32::try_from(key).ok().and_then(Vni::new);
            let number = vni.map(|vni| Number { encap: Encap::Vxlan, vni });
            let outcome = match number {
                None => Err(format!("the tunnel key {key} is no VNI: use 1 to {}", Vni::MAX)),
                Some(number) => match taken.insert(number, &switch.name) {
                    None => Ok((number, keyed_locators)),
                    Some(first) => {
                        taken.insert(number, first);
                        Err(format!("the tunnel key {key} is that of the logical switch {first} already"))
                    }
                },
            };
            if let Err(why) = &outcome {
                self.reject(LogicalSwitch::TABLE, &*switch.name, why);
            }
            self.numbers.insert(*uuid, outcome);
        }
    }

    /// For logical switches without a key: the lowest of the locators that they name which is a VNI.
    fn keys_of_locators(&self) -> HashMap<Uuid, i64> {
        let keyless = |switch: &Uuid| self.replica.switches.get(switch).is_some_and(|switch| switch.key.is_none());
        let sets = &self.replica.sets;
        let mcast = self.replica.mcast_remote.values().filter(|row| keyless(&row.switch));
        let mcast = mcast
            .filter_map(|row| Some((row.switch, sets.get(&row.set)?)))
            .flat_map(|(switch, set)| set.locators.iter().map(move |locator| (switch, *locator)));
        let ucast = self.replica.ucast_remote.values().filter(|row| keyless(&row.switch));
        let mut keys = HashMap::new();
        for (switch, locator) in ucast.map(|row| (row.switch, row.locator)).chain(mcast) {
            let key = self.replica.locators.get(&locator).and_then(|locator| locator.key);
            let Some(key) = key.filter(|key| (1..=i64::from(Vni::MAX)).contains(key)) else { continue };
            keys.entry(switch).and_modify(|lowest: &mut i64| *lowest = key.min(*lowest)).or_insert(key);
        }
        keys
    }
}
