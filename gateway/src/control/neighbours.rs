//! Who has which address in the segments that answer requests themselves (CONFORMANCE SUP1, SUP6, SUP8). The operator's word
//! stands above a controller's. Cores hear of changes one by one; a table anew they get only when theirs is too small, or
//! when a configuration makes other segments answer.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use config::types::Mac;

use super::Control;
use super::news::Subject;
use super::overlay::Number;
use super::view::NeighbourView;
use crate::tables::{Neighbour, Neighbours, Origin, SegmentId};

/// Segment and address.
type Key = (SegmentId, IpAddr);

/// The least room of a core's table.
const LEAST: usize = 64;

/// Who has which address.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    statics: HashMap<Key, Neighbour>,
    controllers: HashMap<Key, Neighbour>,
    /// The segments that answer.
    answering: HashSet<SegmentId>,
    /// Addresses that cores are to know.
    live: usize,
    /// How many fit into the cores' tables.
    room: usize,
    /// Counts the tables that cores are to have.
    pub version: u64,
}

impl Bindings {
    /// Who has an address, and who says so, whether its segment answers or not.
    fn known(&self, key: &Key) -> Option<(Neighbour, Origin)> {
        let own = self.statics.get(key).map(|&neighbour| (neighbour, Origin::Static));
        own.or_else(|| self.controllers.get(key).map(|&neighbour| (neighbour, Origin::Controller)))
    }

    /// What cores are to know of an address.
    pub fn entry(&self, segment: SegmentId, address: IpAddr) -> Option<Neighbour> {
        let answers = self.answering.contains(&segment);
        answers.then(|| self.known(&(segment, address)))?.map(|(neighbour, _)| neighbour)
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        self.statics.keys().chain(self.controllers.keys().filter(|key| !self.statics.contains_key(key)))
    }

    /// How many addresses are known.
    pub fn known_addresses(&self) -> usize {
        let both = self.statics.keys().filter(|key| self.controllers.contains_key(key)).count();
        self.statics.len() + self.controllers.len() - both
    }

    /// How many of them cores answer for.
    pub fn answered_addresses(&self) -> usize {
        self.live
    }

    /// A table for a core.
    pub fn table(&self) -> Box<Neighbours> {
        let mut table = Box::new(Neighbours::with_room(self.room));
        for &(segment, address) in self.keys() {
            if let Some(neighbour) = self.entry(segment, address) {
                table.insert(segment, address, neighbour);
            }
        }
        table
    }

    /// Cores are to have a table anew, with room for half as many again.
    fn renew(&mut self) {
        self.live = self.keys().filter(|key| self.answering.contains(&key.0)).count();
        self.room = if self.live == 0 { 0 } else { (self.live * 3 / 2).max(LEAST) };
        self.version += 1;
    }

    /// Takes over what a controller says; true when cores are to hear of it.
    fn bind(&mut self, key: Key, neighbour: Option<Neighbour>) -> bool {
        let before = self.entry(key.0, key.1);
        match neighbour {
            Some(neighbour) => self.controllers.insert(key, neighbour),
            None => self.controllers.remove(&key),
        };
        let after = self.entry(key.0, key.1);
        self.live = (self.live + usize::from(after.is_some())) - usize::from(before.is_some());
        if self.live > self.room {
            self.renew();
            return false;
        }
        before != after
    }
}

impl Control {
    /// A controller says who has an address (`None`: nobody that it knows). Stands below the operator's word.
    pub(super) fn bind(&mut self, segment: SegmentId, address: IpAddr, mac: Option<Mac>) {
        let neighbour = mac.map(|mac| Neighbour { mac: mac.0, router: false });
        if self.bindings.bind((segment, address), neighbour) {
            self.news.add(Subject::Neighbour(segment, address));
        }
    }

    /// The same for a segment by its number on the wire.
    pub(super) fn bind_remote(&mut self, number: Number, address: IpAddr, mac: Option<Mac>) {
        if let Some(segment) = self.plan.tables.vnis.find(number.encap, number.vni.value()) {
            self.bind(segment, address, mac);
        }
    }

    /// After a compilation: what the operator (when the file is another) and the controllers say, by the numbers of the
    /// plan.
    pub(super) fn rebind(&mut self, another_file: bool) {
        let answering = answering(self);
        let statics = if another_file { statics(self) } else { std::mem::take(&mut self.bindings.statics) };
        let vnis = &self.plan.tables.vnis;
        let mut controllers = HashMap::new();
        for (controller, held) in &self.overlays.held {
            let owned = |number| self.overlays.owners.get(number) == Some(controller);
            for (number, addresses) in held.neighbours.iter().filter(|(number, _)| owned(number)) {
                let Some(segment) = vnis.find(number.encap, number.vni.value()) else { continue };
                let bound = addresses
                    .iter()
                    .map(|(&address, mac)| ((segment, address), Neighbour { mac: mac.0, router: false }));
                controllers.extend(bound);
            }
        }
        let bindings = &mut self.bindings;
        let same_statics = !another_file || bindings.statics == statics;
        bindings.statics = statics;
        if !same_statics || (&bindings.answering, &bindings.controllers) != (&answering, &controllers) {
            (bindings.answering, bindings.controllers) = (answering, controllers);
            bindings.renew();
        }
    }

    /// `show neighbours`, by segment and address: of one segment, or of all.
    pub fn view_neighbours(&self, vni: Option<&str>) -> Vec<NeighbourView> {
        let mut keys: Vec<&Key> = self.bindings.keys().collect();
        keys.sort_unstable();
        let view = |key: &Key| {
            let segment = self.segment(key.0).filter(|segment| vni.is_none_or(|vni| segment.name == vni))?;
            let (neighbour, origin) = self.bindings.known(key)?;
            Some(NeighbourView {
                vni: segment.name.clone(),
                ip: key.1.to_string(),
                mac: Mac(neighbour.mac).to_string(),
                router: neighbour.router,
                origin: if origin == Origin::Static { "static" } else { "controller" }.into(),
                answered: segment.suppress,
            })
        };
        keys.into_iter().filter_map(view).collect()
    }
}

/// The segments that answer.
fn answering(control: &Control) -> HashSet<SegmentId> {
    let all = control.model.segments.iter().zip(&control.plan.segments);
    all.filter(|(segment, _)| segment.suppress).map(|(_, &id)| id).collect()
}

/// The operator's bindings.
fn statics(control: &Control) -> HashMap<Key, Neighbour> {
    let all = control.model.segments.iter().zip(&control.plan.segments);
    let bound = all.flat_map(|(segment, &id)| {
        let bound = segment.neighbours.iter();
        bound.map(move |one| ((id, one.address), Neighbour { mac: one.mac.0, router: one.router }))
    });
    bound.collect()
}
