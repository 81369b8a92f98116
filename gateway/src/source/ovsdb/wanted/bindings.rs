//! Which VLANs of our ports lead to which logical switch.

use std::collections::{BTreeMap, BTreeSet};

use config::types::{Tag, Vid};

use super::{Segment, Work};
use crate::control::overlay::{Number, OverlayFlood};
use crate::source::ovsdb::datum::Uuid;
use crate::source::ovsdb::rows::{PhysicalPort, Row};

impl Work<'_> {
    /// Binds the VLANs of a port.
    pub(super) fn port(&mut self, uuid: Uuid, port: &PhysicalPort) {
        let index = self.facts.ports.iter().find(|(_, name)| **name == *port.name).map(|(index, _)| *index);
        for (&vlan, switch) in &port.bindings {
            if let Err(why) = self.bind(uuid, index, vlan, *switch) {
                self.wanted.faulty.insert(uuid);
                self.reject(PhysicalPort::TABLE, format!("{} vlan {vlan}", port.name), why);
            }
        }
    }

    fn bind(&mut self, uuid: Uuid, index: Option<usize>, vlan: i64, switch: Uuid) -> Result<(), String> {
        let index = index.ok_or("this gateway has no such port (or does not show it, see control.ovsdb.ports)")?;
        let tag = match u16::try_from(vlan).ok() {
            Some(0) => Tag::Untagged,
            number => {
                Tag::Vlan(number.and_then(Vid::new).ok_or("there is no such VLAN: use 1 to 4094, or 0 for no tag")?)
            }
        };
        let (number, _) = match self.numbers.get(&switch) {
            None => return Ok(()),
            Some(Ok(number)) => *number,
            Some(Err(why)) => return Err(why.clone()),
        };
        let key = (index, tag);
        if let Some(there) = self.bound.insert(key, number) {
            self.bound.insert(key, there);
            let name = self.wanted.segments.get(&there).map_or("another", |segment| &segment.name);
            return Err(format!("it is bound to {name} already, by another row for this port"));
        }
        if let Some(segment) = self.segment(switch, number) {
            segment.attachments.insert(key, uuid);
        }
        Ok(())
    }

    fn segment(&mut self, uuid: Uuid, number: Number) -> Option<&mut Segment> {
        let switch = self.replica.switches.get(&uuid)?;
        let keyed_locators = switch.key.is_none();
        Some(self.wanted.segments.entry(number).or_insert_with(|| Segment {
            switch: uuid,
            name: label(&switch.name),
            attachments: BTreeMap::new(),
            flood: OverlayFlood::All(Vec::new()),
            known: BTreeSet::new(),
            keyed_locators,
            keys: BTreeMap::new(),
        }))
    }

    /// Logical switches whose ports are attached by the file.
    pub(super) fn adopt(&mut self) {
        let attached: Vec<(Uuid, Number)> = (self.numbers.iter())
            .filter_map(|(uuid, outcome)| Some((*uuid, outcome.as_ref().ok()?.0)))
            .filter(|(_, number)| self.facts.attached.contains(number))
            .collect();
        for (uuid, number) in attached {
            self.segment(uuid, number);
        }
    }
}

/// A name as we show it.
fn label(name: &str) -> String {
    name.chars().map(|c| if c.is_control() || c.is_whitespace() { '_' } else { c }).take(64).collect()
}
