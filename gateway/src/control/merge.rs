//! The file and the controllers, put together: the model that is in force.
//!
//! What the file brings is looked at once for each file ([`Base`]), and what controllers changed of its segments is undone
//! before the next merge: a controller's word costs what the controllers say, not what the file says.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use config::types::{Attachment, Encap, Flood, Model, Remote, Segment, Tag, Vni};

use super::compile::{Remotes, key};
use super::overlay::{Controller, Number, OverlayFlood, OverlaySegment, Overlays, Part, Refusal};
use crate::tables::TunnelKey;

/// Segments that have numbers (CONFORMANCE ISO1: a number is never shared).
const MOST_SEGMENTS: usize = 65_535;

/// What a merge tells besides the model.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// Who each number belongs to.
    pub owners: HashMap<Number, Controller>,
    /// What each controller does not get.
    pub refused: BTreeMap<Controller, Vec<Refusal>>,
    /// The service nodes that are used.
    pub chosen: Vec<(Number, IpAddr)>,
    /// The tunnels that only controllers name.
    pub brought: HashSet<TunnelKey>,
    /// The numbers that VTEPs have for segments, where these are not the segments' own.
    pub keys: HashMap<(Number, IpAddr), Vni>,
}

/// What a merge must know of the file.
#[derive(Debug)]
pub(super) struct Base {
    names: HashSet<String>,
    indices: HashMap<Number, usize>,
    tags: HashMap<(usize, Tag), Option<usize>>,
    /// The tunnels that it names.
    listed: HashSet<TunnelKey>,
    /// How many segments it has.
    segments: usize,
    /// How many attachments each of its ports has.
    attachments: Vec<usize>,
    /// Its segments that a merge changed, as they were.
    before: Vec<(usize, Before)>,
}

/// What a merge changes of a segment of the file.
#[derive(Debug)]
struct Before {
    flood: Flood,
    known: Vec<Remote>,
    learns_from_tunnels: bool,
}

impl Base {
    /// Looks at a file; `remotes` are those of its static MACs.
    pub fn of(file: &Model, remotes: &Remotes) -> Self {
        Self {
            names: file.segments.iter().map(|segment| segment.name.clone()).collect(),
            indices: numbers(file),
            tags: tags(file),
            listed: remotes.listed(file),
            segments: file.segments.len(),
            attachments: file.ports.iter().map(|port| port.attachments.len()).collect(),
            before: Vec::new(),
        }
    }

    /// Takes out of `model` what the last merge put in.
    fn undo(&mut self, model: &mut Model) {
        model.segments.truncate(self.segments);
        for (port, &own) in model.ports.iter_mut().zip(&self.attachments) {
            port.attachments.truncate(own);
        }
        for (index, before) in self.before.drain(..) {
            let segment = &mut model.segments[index];
            (segment.flood, segment.known) = (before.flood, before.known);
            segment.learning.tunnels = before.learns_from_tunnels;
        }
    }
}

/// Puts `overlays` on top of the file, whose model (with what the last merge added) is `model`: its segments and
/// attachments stay first, in their order. Service nodes are taken from the healthy ones.
pub(super) fn merge(
    model: &mut Model,
    base: &mut Base,
    overlays: &Overlays,
    is_healthy: impl Fn(Remote) -> bool,
) -> Merged {
    base.undo(model);
    let (names, indices, tags) = (HashSet::new(), HashMap::new(), HashMap::new());
    let mut work = Work { model, base, names, indices, tags, merged: Merged::default(), is_healthy };
    for (&controller, held) in &overlays.held {
        for segment in &held.segments {
            work.segment(controller, segment);
        }
    }
    work.merged
}

/// A service node for each segment that wants one, as [`merge`] would choose it.
pub(super) fn choose(overlays: &Overlays, is_healthy: impl Fn(Remote) -> bool) -> Vec<(Number, IpAddr)> {
    let owned = overlays.held.iter().flat_map(|(&controller, held)| {
        held.segments.iter().filter(move |segment| overlays.owners.get(&segment.number) == Some(&controller))
    });
    let pick = |segment: &OverlaySegment| match &segment.flood {
        OverlayFlood::OneOf(nodes) => Some((segment.number, node(segment.number.encap, nodes, &is_healthy)?)),
        OverlayFlood::All(_) => None,
    };
    owned.filter_map(pick).collect()
}

/// The first healthy node, or the first when none is.
fn node(encap: Encap, nodes: &[IpAddr], is_healthy: &impl Fn(Remote) -> bool) -> Option<IpAddr> {
    let healthy = nodes.iter().find(|&&address| is_healthy(Remote { address, encap, vni: None }));
    healthy.or(nodes.first()).copied()
}

fn numbers(model: &Model) -> HashMap<Number, usize> {
    let all = model.segments.iter().enumerate();
    all.flat_map(|(index, segment)| {
        let vxlan = segment.vxlan.map(|vni| (Number { encap: Encap::Vxlan, vni }, index));
        let geneve = segment.geneve.map(|vni| (Number { encap: Encap::Geneve, vni }, index));
        vxlan.into_iter().chain(geneve)
    })
    .collect()
}

/// Which segment each tag of each port belongs to; `None` is the underlay.
fn tags(model: &Model) -> HashMap<(usize, Tag), Option<usize>> {
    let ports = model.ports.iter().enumerate();
    ports
        .flat_map(|(index, port)| {
            let underlay = port.underlay.as_ref().map(|underlay| underlay.vlan.map_or(Tag::Untagged, Tag::Vlan));
            let underlay = underlay.map(|tag| ((index, tag), None));
            let own = port.attachments.iter().map(move |one| ((index, one.tag), Some(one.segment)));
            own.chain(underlay)
        })
        .collect()
}

/// What is added has maps of its own beside those of the file.
struct Work<'a, H> {
    model: &'a mut Model,
    base: &'a mut Base,
    names: HashSet<String>,
    indices: HashMap<Number, usize>,
    tags: HashMap<(usize, Tag), usize>,
    merged: Merged,
    is_healthy: H,
}

impl<H: Fn(Remote) -> bool> Work<'_, H> {
    fn segment(&mut self, controller: Controller, wanted: &OverlaySegment) {
        let number = wanted.number;
        if let Some(owner) = self.merged.owners.get(&number) {
            let why = match *owner == controller {
                true => format!("{number} is there twice: give each its own number"),
                false => format!("{number} belongs to {}: let one controller have it", owner.name()),
            };
            return self.refuse(controller, number, Part::Whole, why);
        }
        let Some(index) = self.index(wanted) else {
            let why = format!("there are {MOST_SEGMENTS} segments already: remove some");
            return self.refuse(controller, number, Part::Whole, why);
        };
        self.merged.owners.insert(number, controller);
        self.attach(controller, index, wanted);
        self.flood(controller, index, wanted);
    }

    /// The segment of this number: the file's, or a new one.
    fn index(&mut self, wanted: &OverlaySegment) -> Option<usize> {
        let Number { encap, vni } = wanted.number;
        let there = self.base.indices.get(&wanted.number).or_else(|| self.indices.get(&wanted.number));
        if let Some(&index) = there {
            return Some(index);
        }
        let segments = &mut self.model.segments;
        if segments.len() >= MOST_SEGMENTS {
            return None;
        }
        let name = match self.base.names.contains(&wanted.name) || self.names.contains(&wanted.name) {
            true => format!("{}-{vni}-{encap}", wanted.name),
            false => wanted.name.clone(),
        };
        self.names.insert(name.clone());
        segments.push(Segment::plain(name, encap, vni));
        self.indices.insert(wanted.number, segments.len() - 1);
        Some(segments.len() - 1)
    }

    fn attach(&mut self, controller: Controller, index: usize, wanted: &OverlaySegment) {
        for &(port, tag) in &wanted.attachments {
            let Some(settings) = self.model.ports.get_mut(port) else { continue };
            let own = self.base.tags.get(&(port, tag)).copied();
            let why = match own.or_else(|| self.tags.get(&(port, tag)).map(|&index| Some(index))) {
                None => {
                    settings.attachments.push(Attachment {
                        tag,
                        segment: index,
                        pcp: None,
                        mac_limit: None,
                        access_list: None,
                    });
                    self.tags.insert((port, tag), index);
                    continue;
                }
                Some(Some(there)) if there == index => continue,
                Some(Some(there)) => format!(
                    "port {} has {} in segment {} already: unbind it there first",
                    settings.name,
                    in_words(tag),
                    self.model.segments[there].name
                ),
                Some(None) => {
                    format!("{} of port {} is the underlay's: bind another VLAN", in_words(tag), settings.name)
                }
            };
            self.refuse(controller, wanted.number, Part::Attachment((port, tag)), why);
        }
    }

    fn flood(&mut self, controller: Controller, index: usize, wanted: &OverlaySegment) {
        let number = wanted.number;
        let remote = |address: &IpAddr| Remote {
            address: *address,
            encap: number.encap,
            vni: wanted.keys.get(address).copied(),
        };
        let (to, known): (Vec<IpAddr>, &[IpAddr]) = match &wanted.flood {
            OverlayFlood::All(vteps) => (vteps.clone(), &[]),
            OverlayFlood::OneOf(nodes) => {
                let chosen = node(number.encap, nodes, &self.is_healthy);
                self.merged.chosen.extend(chosen.map(|node| (number, node)));
                (chosen.into_iter().collect(), nodes)
            }
        };
        let segment = &mut self.model.segments[index];
        if index < self.base.segments {
            let before = Before {
                flood: segment.flood.clone(),
                known: std::mem::take(&mut segment.known),
                learns_from_tunnels: segment.learning.tunnels,
            };
            self.base.before.push((index, before));
        } else {
            segment.suppress = wanted.answers;
        }
        segment.learning.tunnels = wanted.learns_from_tunnels;
        segment.known = known.iter().chain(&wanted.known).map(remote).collect();
        match &mut segment.flood {
            Flood::Vteps(list) => {
                let there: HashSet<Remote> = list.iter().copied().collect();
                list.extend(to.iter().map(remote).filter(|remote| !there.contains(remote)));
            }
            Flood::Group { group, .. } if !to.is_empty() => {
                let why = format!("the configuration floods it to the group {group}: remove 'group' to flood to VTEPs");
                segment.known.extend(to.iter().map(remote));
                self.refuse(controller, number, Part::Flood, why);
            }
            Flood::Group { .. } => {}
        }
        let named = to.iter().chain(known).chain(&wanted.known).map(|address| key(remote(address)));
        self.merged.keys.extend(wanted.keys.iter().map(|(&vtep, &vni)| ((number, vtep), vni)));
        self.merged.brought.extend(named.filter(|key| !self.base.listed.contains(key)));
    }

    fn refuse(&mut self, controller: Controller, number: Number, part: Part, why: String) {
        self.merged.refused.entry(controller).or_default().push(Refusal { number, part, why });
    }
}

fn in_words(tag: Tag) -> String {
    if tag == Tag::Untagged { "untagged traffic".into() } else { format!("VLAN {tag}") }
}
