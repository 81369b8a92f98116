//! Controllers in control: takes what they say, puts it in force, and tells them of local MACs and of refusals.
//!
//! MACs go straight to the cores. Only when segments differ the model is merged and compiled anew; then all of the
//! controllers' MACs are assigned again, since numbers may be others.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use config::types::{Mac, Model, Remote};

use super::ids::EndpointKey;
use super::merge::{self, Base};
use super::overlay::{Change, Controller, Feedback, Number, RemoteMac};
use super::{Control, Nanos, Resolution};
use crate::tables::{FdbKey, Origin, SegmentId, TunnelKey};

/// The file, where controllers add something to it.
#[derive(Debug)]
pub(super) struct File {
    /// As it is written.
    pub model: Arc<Model>,
    /// What a merge must know of it.
    pub base: Base,
}

/// What controllers are to hear of local MACs.
#[derive(Debug, Default)]
pub(super) struct Locals {
    /// Owner and number of each segment that belongs to a controller, by the cores' number.
    owned: HashMap<SegmentId, (Controller, Number)>,
    /// MACs that changed in those segments.
    changed: HashSet<FdbKey>,
    /// Segments that are told from the start.
    afresh: BTreeMap<Controller, Vec<Number>>,
}

impl Locals {
    /// Takes note of a MAC that changed.
    pub fn note(&mut self, key: FdbKey) {
        if !self.owned.is_empty() && self.owned.contains_key(&key.segment()) {
            self.changed.insert(key);
        }
    }
}

impl Control {
    /// Takes over what a controller says (CONFORMANCE CTL2, CTL7, CTL8). Settle afterwards.
    pub fn overlay(&mut self, controller: Controller, change: Change, now: Nanos) {
        let held = self.overlays.held.entry(controller).or_default();
        held.stale = change.stale.unwrap_or(held.stale);
        if let Some(segments) = &change.segments {
            let numbers: HashSet<Number> = segments.iter().map(|segment| segment.number).collect();
            let gone: Vec<Number> = held.macs.keys().copied().filter(|number| !numbers.contains(number)).collect();
            for number in gone {
                self.withdraw(controller, number);
                self.overlays.held.entry(controller).or_default().macs.remove(&number);
            }
            let held = self.overlays.held.entry(controller).or_default();
            held.neighbours.retain(|number, _| numbers.contains(number));
            held.segments.clone_from(segments);
            held.update(&change);
            // MACs that go are not among those that are assigned with the new numbers.
            for &(number, mac, _) in change.macs.iter().filter(|(.., remote)| remote.is_none()) {
                if self.overlays.owners.get(&number) == Some(&controller) {
                    self.assign_remote(number, mac, None);
                }
            }
            self.recompile(false, now);
            return;
        }
        held.update(&change);
        for &(number, mac, remote) in &change.macs {
            if self.overlays.owners.get(&number) == Some(&controller) {
                self.assign_remote(number, mac, remote);
            }
        }
        for &(number, address, mac) in &change.neighbours {
            if self.overlays.owners.get(&number) == Some(&controller) {
                self.bind_remote(number, address, mac);
            }
        }
        self.publish();
    }

    /// News for a controller: refusals, and at most `limit` local MACs; ask again until it is empty.
    pub fn feedback(&mut self, controller: Controller, limit: usize) -> Feedback {
        let mut feedback = Feedback::default();
        if let Some(held) = self.overlays.held.get_mut(&controller) {
            if std::mem::take(&mut held.tell_refused) {
                feedback.refused = Some(held.refused.clone());
            }
            if held.told_full != self.overlays.full {
                held.told_full = self.overlays.full;
                feedback.full = Some(held.told_full);
            }
        }
        feedback.afresh = self.locals.afresh.remove(&controller).unwrap_or_default();
        let Self { locals, fdb, naming, .. } = self;
        let mine = |key: &FdbKey| locals.owned.get(&key.segment()).filter(|(owner, _)| *owner == controller);
        let keys: Vec<(FdbKey, Number)> =
            locals.changed.iter().filter_map(|key| Some((*key, mine(key)?.1))).take(limit).collect();
        for (key, number) in keys {
            locals.changed.remove(&key);
            let place = fdb.record(key).filter(|record| record.origin != Origin::Controller);
            let place = place.and_then(|record| match naming.endpoints.key(record.place.endpoint().0) {
                Some(&EndpointKey::Attachment(port, tag, _)) => Some((port.index(), tag)),
                _ => None,
            });
            feedback.locals.push((number, Mac(key.mac()), place));
        }
        feedback
    }

    /// The configuration of the file alone, without what controllers added.
    pub fn configured(&self) -> &Model {
        self.file.as_ref().map_or(&self.model, |file| &file.model)
    }

    /// True for a VTEP that only controllers name.
    pub(super) fn is_brought(&self, key: TunnelKey) -> bool {
        self.overlays.brought.contains(&key)
    }

    /// Who a segment belongs to, by its index in the model in force.
    pub fn owner(&self, segment: usize) -> Option<Controller> {
        let id = self.plan.segments.get(segment)?;
        self.locals.owned.get(id).map(|(owner, _)| *owner)
    }

    /// True while a controller is away and what it said last is in force.
    pub fn is_stale(&self, controller: Controller) -> bool {
        self.overlays.held.get(&controller).is_some_and(|held| held.stale)
    }

    /// How many MACs a controller has in force.
    pub fn remote_macs(&self, controller: Controller) -> usize {
        self.overlays.held.get(&controller).map_or(0, |held| held.macs.values().map(HashMap::len).sum())
    }

    /// Puts the file and the controllers together. Whatever goes to another owner loses its MACs first.
    pub(super) fn merge(&mut self) {
        if self.file.is_none() && self.overlays.is_empty() {
            return;
        }
        let mut file = self.file.take().unwrap_or_else(|| {
            Box::new(File { base: Base::of(&self.model, &self.remotes), model: Arc::clone(&self.model) })
        });
        let has_fixed_hops = self.underlay().static_hops().next().is_some();
        let Self { model, overlays, resolutions, .. } = self;
        let is_healthy = |remote: Remote| has_fixed_hops || is_reached(resolutions, remote);
        // The first time it is the file's, and is copied.
        let merged = merge::merge(Arc::make_mut(model), &mut file.base, overlays, is_healthy);
        let moved: Vec<(Number, Controller)> = (self.overlays.owners.iter())
            .filter(|(number, owner)| merged.owners.get(number) != Some(owner))
            .map(|(&number, &owner)| (number, owner))
            .collect();
        self.file = Some(file);
        moved.into_iter().for_each(|(number, owner)| self.withdraw(owner, number));
        self.overlays.brought = merged.brought;
        self.overlays.keys = merged.keys;
        self.overlays.owners = merged.owners;
        self.overlays.chosen = merged.chosen;
        self.overlays.refuse(merged.refused);
    }

    /// True when other service nodes are to be used than those that are.
    pub(super) fn prefers_other_nodes(&mut self) -> bool {
        std::mem::take(&mut self.overlays.look_again)
            && merge::choose(&self.overlays, self.is_healthy()) != self.overlays.chosen
    }

    /// A VTEP can be reached: the MAC of one of its next hops is known. (There is no BFD.)
    fn is_healthy(&self) -> impl Fn(Remote) -> bool + '_ {
        let fixed = self.underlay().static_hops().next().is_some();
        move |remote| fixed || is_reached(&self.resolutions, remote)
    }

    /// After a compilation: every owned segment's MACs by its numbers, and local ones of new owners from the start.
    pub(super) fn reassign(&mut self) {
        if self.overlays.owners.is_empty() && self.locals.owned.is_empty() {
            return;
        }
        let vnis = &self.plan.tables.vnis;
        let owned = self.overlays.owners.iter();
        let owned: HashMap<SegmentId, (Controller, Number)> = owned
            .filter_map(|(&number, &owner)| Some((vnis.find(number.encap, number.vni.value())?, (owner, number))))
            .collect();
        let before = std::mem::replace(&mut self.locals.owned, owned);
        let Locals { owned, changed, afresh } = &mut self.locals;
        let mut fresh = HashSet::new();
        for (id, (owner, number)) in owned.iter().filter(|(id, name)| before.get(id) != Some(name)) {
            afresh.entry(*owner).or_default().push(*number);
            fresh.insert(*id);
        }
        changed.retain(|key| owned.contains_key(&key.segment()));
        if !fresh.is_empty() {
            changed.extend(self.fdb.iter().map(|(key, _)| key).filter(|key| fresh.contains(&key.segment())));
        }
        self.assign_all();
    }

    /// Assigns every MAC of every controller; those that are in force stay as they are.
    pub(super) fn assign_all(&mut self) {
        self.overlays.full = false;
        let held = std::mem::take(&mut self.overlays.held);
        for (controller, one) in &held {
            let owned = one.macs.iter().filter(|(number, _)| self.overlays.owners.get(number) == Some(controller));
            let owned: Vec<_> = owned.collect();
            for (&number, macs) in owned {
                for (&mac, &remote) in macs {
                    // It came to a port of ours meanwhile, and the controller has not heard of it yet.
                    if !(remote.moves && self.is_learned_here(number, mac)) {
                        self.assign_remote(number, mac, Some(remote));
                    }
                }
            }
        }
        self.overlays.held = held;
        self.publish();
    }

    /// Tries again to find room for MACs when there is some.
    pub(super) fn retry_assigning(&mut self) {
        let room = self.model.fdb_size as usize;
        if self.overlays.full && self.fdb.len() < room - room / 16 {
            self.assign_all();
        }
    }

    /// Assigns a MAC of a segment to a VTEP, if there is room and the VTEP is one of the segment's.
    fn assign_remote(&mut self, number: Number, mac: Mac, remote: Option<RemoteMac>) {
        let Some(segment) = self.plan.tables.vnis.find(number.encap, number.vni.value()) else { return };
        let key = FdbKey::new(segment, mac.0);
        let tunnel = |remote: RemoteMac| {
            let vni = self.overlays.keys.get(&(number, remote.vtep)).copied();
            self.plan.tunnels.get(&TunnelKey { remote: remote.vtep, encap: number.encap, vni })
        };
        let moves = remote.is_some_and(|remote| remote.moves);
        let place = remote.and_then(tunnel).map(|&endpoint| self.plan.place(endpoint));
        if place.is_some() && self.fdb.len() >= self.model.fdb_size as usize && self.fdb.record(key).is_none() {
            self.overlays.full = true;
            return;
        }
        self.fdb.assign(key, place, moves, &mut self.changed);
    }

    /// True for a MAC that was learned on a port of ours.
    fn is_learned_here(&self, number: Number, mac: Mac) -> bool {
        let segment = self.plan.tables.vnis.find(number.encap, number.vni.value());
        let record = segment.and_then(|segment| self.fdb.record(FdbKey::new(segment, mac.0)));
        record.is_some_and(|record| {
            let place = self.naming.endpoints.key(record.place.endpoint().0);
            record.origin == Origin::Learned && matches!(place, Some(EndpointKey::Attachment(..)))
        })
    }

    /// Takes away the MACs of a segment that is no longer a controller's.
    fn withdraw(&mut self, controller: Controller, number: Number) {
        let macs = self.overlays.held.get(&controller).and_then(|held| held.macs.get(&number));
        let macs: Vec<Mac> = macs.into_iter().flat_map(HashMap::keys).copied().collect();
        macs.into_iter().for_each(|mac| self.assign_remote(number, mac, None));
        self.publish();
    }
}

/// The MAC of one of a VTEP's next hops is known.
fn is_reached(resolutions: &HashMap<IpAddr, Resolution>, remote: Remote) -> bool {
    let resolution = resolutions.get(&remote.address);
    matches!(resolution, Some(Resolution::Hops(hops)) if hops.iter().any(|hop| hop.mac.is_some()))
}
