//! What the operator says while the gateway runs, besides its configuration: MACs, and counters from zero.
//!
//! A MAC that is put by hand ranks below the configuration's static entries and above a controller's. It stays until it
//! is removed, its place goes, or the gateway ends.

use std::net::IpAddr;

use config::types::{Encap, Mac};

use super::Control;
use super::hash::QuickMap;
use crate::tables::{EndpointId, FdbKey, Origin, Place, TunnelKey};

/// Where a MAC is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spot {
    /// On a port, by its name, with these tags (`10`, `untagged`, `300.7`) or the only ones that lead to the segment.
    Port(String, Option<String>),
    /// Behind a VTEP, through an encapsulation or the segment's own.
    Vtep(IpAddr, Option<Encap>),
}

impl Control {
    /// Says where a MAC of a segment is.
    ///
    /// # Errors
    ///
    /// A sentence: there is no such place, the configuration knows better, or there is no room.
    pub fn put_mac(&mut self, vni: &str, mac: Mac, spot: &Spot) -> Result<(), String> {
        let (index, key) = self.key_of(vni, mac)?;
        if mac.is_group() || mac.is_zero() {
            return Err(format!("{mac} is the address of no station; a station's has an even first byte"));
        }
        if self.model.segments[index].statics.iter().any(|entry| entry.mac == mac) {
            return Err(format!("the configuration says where {mac} is; change it there and apply it"));
        }
        if self.fdb.record(key).is_none() && self.fdb.len() >= self.model.fdb_size as usize {
            return Err("the forwarding table is full; flush what is not needed, or raise fdb.size and restart".into());
        }
        let place = self.plan.place(self.endpoint_at(index, spot)?);
        self.by_hand.insert(key, place);
        self.fdb.fix(key, Some(place), &mut self.changed);
        self.publish();
        Ok(())
    }

    /// Takes a MAC of a segment away: one that was put by hand, or a learned one.
    ///
    /// # Errors
    ///
    /// A sentence: nobody knows it, or the configuration or a controller does.
    pub fn remove_mac(&mut self, vni: &str, mac: Mac) -> Result<(), String> {
        let (_, key) = self.key_of(vni, mac)?;
        let origin = self.fdb.record(key).map(|record| record.origin);
        match (origin, self.by_hand.remove(&key)) {
            (None, _) => {
                return Err(format!("VNI {vni} knows no {mac}; 'causeway show fdb --vni {vni}' lists its MACs"));
            }
            (Some(Origin::Static), Some(_)) => self.fdb.fix(key, None, &mut self.changed),
            (Some(Origin::Static), None) => {
                return Err(format!("the configuration says where {mac} is; remove it there and apply it"));
            }
            (Some(Origin::Controller), _) => {
                return Err(format!("a controller says where {mac} is; it has to take it back"));
            }
            (Some(Origin::Learned | Origin::Fresh), _) => self.fdb.forget(&[key], &mut self.changed),
        }
        self.publish();
        Ok(())
    }

    /// From now on `show` counts from zero. What the cores count goes on: ask them first, so that nothing of before is
    /// still under way.
    pub fn clear_counters(&mut self) {
        self.journal.clear_counts();
        self.cores.iter_mut().for_each(|core| core.cleared = Some(core.counters.clone()));
    }

    /// The operator's MACs that are put by hand and have a place in the plan, beneath those of the configuration.
    pub(super) fn add_by_hand(&mut self, statics: &mut QuickMap<FdbKey, Place>) {
        let layout = &self.plan.layout;
        self.by_hand.retain(|&key, place| layout.has(key, *place));
        for (&key, &place) in &self.by_hand {
            statics.entry(key).or_insert(place);
        }
    }

    /// Those that were put on what a controller brought and took away go with it.
    pub(super) fn drop_by_hand(&mut self) {
        let Self { by_hand, fdb, changed, .. } = self;
        by_hand.retain(|&key, place| {
            let stays = fdb.layout().has(key, *place);
            if !stays {
                fdb.fix(key, None, changed);
            }
            stays
        });
    }

    fn key_of(&self, vni: &str, mac: Mac) -> Result<(usize, FdbKey), String> {
        let index = self.vni_called(vni)?;
        Ok((index, FdbKey::new(self.plan.segments[index], mac.0)))
    }

    fn endpoint_at(&self, segment: usize, spot: &Spot) -> Result<EndpointId, String> {
        let settings = &self.model.segments[segment];
        match spot {
            Spot::Port(name, tags) => {
                let port = self.port_called(name)?;
                let all = self.model.ports[port].attachments.iter().enumerate();
                let here: Vec<_> = all.filter(|(_, attachment)| attachment.segment == segment).collect();
                let fits = |tag: &str| tags.as_ref().is_none_or(|tags| tags == tag);
                let fitting: Vec<_> = here.iter().filter(|(_, one)| fits(&one.tag.to_string())).collect();
                let known = || here.iter().map(|(_, one)| one.tag.to_string()).collect::<Vec<_>>().join(", ");
                match fitting[..] {
                    [(number, _)] => Ok(self.plan.attachments[port][*number]),
                    _ if here.is_empty() => Err(format!("no VLAN of port {name} leads to VNI {}", settings.name)),
                    [] => Err(format!("these VLANs of port {name} lead to VNI {}: {}", settings.name, known())),
                    _ => Err(format!(
                        "several VLANs of port {name} lead to VNI {}; say which: {}",
                        settings.name,
                        known()
                    )),
                }
            }
            Spot::Vtep(remote, encap) => {
                let key = TunnelKey { remote: *remote, encap: encap.unwrap_or(settings.encap), vni: None };
                let has_number = match key.encap {
                    Encap::Vxlan => settings.vxlan.is_some(),
                    Encap::Geneve => settings.geneve.is_some(),
                };
                if !has_number {
                    return Err(format!("VNI {} has no number in {}", settings.name, key.encap));
                }
                self.plan.tunnels.get(&key).copied().ok_or_else(|| {
                    format!(
                        "no {} tunnel leads to {remote}; list it in a flood list or at a static MAC and apply that",
                        key.encap
                    )
                })
            }
        }
    }
}
