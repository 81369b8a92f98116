//! What controllers (OVSDB, EVPN) want of us: one model for all of them.
//!
//! A controller's adapter publishes [`Change`]s: the segments as a whole when one of them differs, MACs and neighbours as
//! differences. `Overlays` holds what each said; `merge` puts it together with the file. The operator's
//! word stands above a controller's, and a segment belongs to one controller only: what two controllers flooded at once
//! could go in circles.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use config::types::{Encap, Mac, Tag, Vni};

use crate::tables::TunnelKey;

/// Controllers, the one that is heard first before the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Controller {
    /// An OVSDB database with the schema `hardware_vtep`.
    Ovsdb,
    /// BGP EVPN.
    Evpn,
}

impl Controller {
    /// Its name in what we show.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ovsdb => "ovsdb",
            Self::Evpn => "evpn",
        }
    }
}

/// A segment's number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number {
    /// In which encapsulation.
    pub encap: Encap,
    /// The number.
    pub vni: Vni,
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} VNI {}", self.encap, self.vni)
    }
}

/// A port (its index in the model) and tags on it.
pub type PortTag = (usize, Tag);

/// A segment as a controller wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverlaySegment {
    /// Its number; each once.
    pub number: Number,
    /// What the controller calls it.
    pub name: String,
    /// Tags of ports (indices of the model) that belong to it, besides those of the file.
    pub attachments: Vec<PortTag>,
    /// Where it floods.
    pub flood: OverlayFlood,
    /// The numbers that VTEPs have for it, where these are not its own: used towards them, and taken from them.
    pub keys: BTreeMap<IpAddr, Vni>,
    /// VTEPs with MACs of this segment behind them; those that it floods to need not be among them.
    pub known: Vec<IpAddr>,
    /// MACs behind VTEPs are learned from frames too; false where the controller tells all of them.
    pub learns_from_tunnels: bool,
    /// Requests for the addresses that it tells are answered here. The file says so of segments that it has.
    pub answers: bool,
}

/// Where a controller says that a MAC is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteMac {
    /// Behind this VTEP.
    pub vtep: IpAddr,
    /// A frame on a port of ours moves it there (EVPN, but for sticky MACs); else only the controller moves it.
    pub moves: bool,
}

impl From<IpAddr> for RemoteMac {
    /// A MAC that only its controller moves.
    fn from(vtep: IpAddr) -> Self {
        Self { vtep, moves: false }
    }
}

/// Where a controller's segment floods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OverlayFlood {
    /// To every one of these VTEPs.
    All(Vec<IpAddr>),
    /// To the first of these that is reachable, which copies to the rest (service nodes).
    OneOf(Vec<IpAddr>),
}

/// What a controller says anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// All of its segments, when any differs. The MACs of those that are gone go with them.
    pub segments: Option<Vec<OverlaySegment>>,
    /// MACs and the VTEP that each is behind; `None`: it is no longer.
    pub macs: Vec<(Number, Mac, Option<RemoteMac>)>,
    /// IP addresses and the MAC that has each; `None`: nobody has.
    pub neighbours: Vec<(Number, IpAddr, Option<Mac>)>,
    /// The controller is away and all of this is what it said last, or it is back.
    pub stale: Option<bool>,
}

impl Change {
    /// True when it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Something that a controller wants and does not get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The segment.
    pub number: Number,
    /// Which part of it.
    pub part: Part,
    /// Why, and what to do.
    pub why: String,
}

/// A part of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// Its flood list.
    Flood,
    /// Tags of a port.
    Attachment(PortTag),
}

/// What a controller is told in return.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feedback {
    /// What it does not get, when that changed.
    pub refused: Option<Vec<Refusal>>,
    /// Segments whose local MACs are told anew: forget what was said of them before.
    pub afresh: Vec<Number>,
    /// MACs on our own ports in its segments; `None`: it is gone from there.
    pub locals: Vec<(Number, Mac, Option<PortTag>)>,
    /// Whether the forwarding table is too small for the controllers' MACs, when that changed.
    pub full: Option<bool>,
}

impl Feedback {
    /// True when it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What one controller said, all of it.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub segments: Vec<OverlaySegment>,
    pub macs: HashMap<Number, HashMap<Mac, RemoteMac>>,
    pub neighbours: HashMap<Number, HashMap<IpAddr, Mac>>,
    pub stale: bool,
    pub refused: Vec<Refusal>,
    /// The refusals are news.
    pub tell_refused: bool,
    /// It heard that the forwarding table is full.
    pub told_full: bool,
}

impl Held {
    /// Takes over MACs and neighbours, those of segments that it does not have left out.
    pub fn update(&mut self, change: &Change) {
        for &(number, mac, place) in &change.macs {
            entry(&mut self.macs, number, mac, place);
        }
        for &(number, address, mac) in &change.neighbours {
            entry(&mut self.neighbours, number, address, mac);
        }
    }
}

fn entry<K: std::hash::Hash + Eq, V>(
    map: &mut HashMap<Number, HashMap<K, V>>,
    number: Number,
    key: K,
    value: Option<V>,
) {
    match value {
        Some(value) => {
            map.entry(number).or_default().insert(key, value);
        }
        None => {
            if let Some(inner) = map.get_mut(&number) {
                inner.remove(&key);
            }
        }
    }
}

/// What all controllers said.
#[derive(Debug, Default)]
pub(super) struct Overlays {
    pub held: BTreeMap<Controller, Held>,
    /// Who each number belongs to.
    pub owners: HashMap<Number, Controller>,
    /// The service nodes that were chosen: health may choose others.
    pub chosen: Vec<(Number, IpAddr)>,
    /// VTEPs came or went: look at `chosen` again.
    pub look_again: bool,
    /// The tunnels that only controllers name.
    pub brought: HashSet<TunnelKey>,
    /// The numbers that VTEPs have for segments, where these are not the segments' own.
    pub keys: HashMap<(Number, IpAddr), Vni>,
    /// Some MACs found no room.
    pub full: bool,
}

impl Overlays {
    /// True when no controller has a segment: nothing differs from the file.
    pub fn is_empty(&self) -> bool {
        self.held.values().all(|held| held.segments.is_empty())
    }
    /// Takes over what each controller does not get.
    pub fn refuse(&mut self, mut refused: BTreeMap<Controller, Vec<Refusal>>) {
        for (controller, held) in &mut self.held {
            let refused = refused.remove(controller).unwrap_or_default();
            held.tell_refused |= held.refused != refused;
            held.refused = refused;
        }
    }
}
