//! Where each logical switch floods.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use config::types::FloodFallback;

use super::{UNKNOWN, Work};
use crate::control::overlay::{Number, OverlayFlood};

impl Work<'_> {
    pub(super) fn floods(&mut self) {
        let mut sets: BTreeMap<Number, BTreeSet<IpAddr>> = BTreeMap::new();
        let mut rows: Vec<_> = self.replica.mcast_remote.iter().collect();
        rows.sort_unstable_by_key(|(uuid, _)| **uuid);
        for (_, row) in rows {
            let Some((number, keyed)) = self.here(row.switch) else { continue };
            let name = || format!("{} in {number}", row.mac);
            if &*row.mac != UNKNOWN {
                let why = "flood lists of single groups are not supported; frames to the group flood as to unknown-dst";
                self.reject("Mcast_Macs_Remote", name(), why);
                continue;
            }
            let locators = self.replica.sets.get(&row.set).map(|set| &set.locators[..]).unwrap_or_default();
            let vteps = sets.entry(number).or_default();
            let mut refused = Vec::new();
            for &locator in locators {
                // A controller may list us among the members.
                let address = self.replica.locators.get(&locator).and_then(|row| row.address.parse().ok());
                if address.is_some_and(|address: IpAddr| self.facts.tunnel_ips().any(|own| own == address)) {
                    continue;
                }
                match self.vtep(locator, keyed.then_some(number)) {
                    Ok(vtep) => drop(vteps.insert(vtep)),
                    Err(why) => refused.push(why),
                }
            }
            refused.into_iter().for_each(|why| self.reject("Mcast_Macs_Remote", name(), why));
        }
        for (number, segment) in &mut self.wanted.segments {
            let everywhere = self
                .replica
                .switches
                .get(&segment.switch)
                .is_some_and(|switch| switch.mode.as_deref() == Some("source_node"));
            segment.flood = match (sets.remove(number), self.facts.fallback) {
                (Some(vteps), _) if everywhere => OverlayFlood::All(vteps.into_iter().collect()),
                (Some(nodes), _) => OverlayFlood::OneOf(nodes.into_iter().collect()),
                (None, FloodFallback::Macs) => OverlayFlood::All(segment.known.iter().copied().collect()),
                (None, FloodFallback::Off) => OverlayFlood::All(Vec::new()),
            };
        }
    }
}
