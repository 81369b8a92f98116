//! What outlives a restart: learned MACs and statistics, by names instead of numbers.
//!
//! Whoever keeps them reads the same list of news that the cores read, at a pace of its own, so a million MACs never have
//! to be copied at once: [`Control::memories`] gives the next few. Numbers are the cores'; [`Names`] says what they stand
//! for, and comes anew whenever that changes.

use std::collections::HashMap;
use std::sync::Arc;

use config::types::Tag;

use super::ids::{EndpointKey, SegmentKey};
use super::news::{News, Subject};
use super::{Control, Nanos};
use crate::counters::{Counters, Flow, PortCounters};
use crate::frame::PortId;
use crate::tables::{EndpointId, FdbKey, Place, SegmentId, TunnelKey};

/// What the numbers of MACs stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// By [`SegmentId`]: the name, and seconds until an unused MAC is forgotten (`None` never).
    pub segments: Vec<Option<(String, Option<u64>)>>,
    /// By [`EndpointId`]: the generation and the name.
    pub places: Vec<Option<(u8, String)>>,
}

/// Something to remember.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Memory {
    /// Other names from now on.
    Names(Arc<Names>),
    /// Where learned MACs are; `None`: nothing is learned of it any more.
    Macs(Vec<(FdbKey, Option<Place>)>),
}

/// MACs that were remembered, by names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Names of segments.
    pub segments: Vec<String>,
    /// Names of places.
    pub places: Vec<String>,
    /// MAC, index of its segment and of its place.
    pub macs: Vec<([u8; 6], u32, u32)>,
}

/// Statistics by names, in the order of nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Of ports.
    pub ports: HashMap<String, PortCounters>,
    /// Of segments.
    pub segments: HashMap<String, Flow>,
    /// Of places.
    pub places: HashMap<String, Flow>,
}

impl Control {
    /// Takes over MACs that were known before a restart, as if they had just been seen, and says how many: those whose
    /// place is there, that may be learned there, and that find room. For before the cores start.
    pub fn restore(&mut self, known: &Known, now: Nanos) -> usize {
        let names = self.names();
        let segments = numbers(names.segments.iter().map(|segment| segment.as_ref().map(|(name, _)| name.as_str())));
        let places = numbers(names.places.iter().map(|place| place.as_ref().map(|(_, name)| name.as_str())));
        // Each name is looked up once, not for each MAC.
        let ours = |list: &[String], numbers: &HashMap<&str, u32>| {
            list.iter().map(|name| numbers.get(name.as_str()).copied()).collect::<Vec<_>>()
        };
        let (segments, places) = (ours(&known.segments, &segments), ours(&known.places, &places));
        let at = |list: &[Option<u32>], index: u32| list.get(index as usize).copied().flatten();
        let before = self.fdb.len();
        for &(mac, segment, place) in &known.macs {
            if self.fdb.len() >= self.model.fdb_size as usize {
                break;
            }
            let (segment, endpoint) = (at(&segments, segment), at(&places, place).map(EndpointId));
            let (Some(segment), Some(endpoint)) = (segment, endpoint) else { continue };
            let place = self.plan.place(endpoint);
            self.fdb.learn(FdbKey::new(SegmentId(segment as u16), mac), place, now, &mut self.changed);
        }
        // The cores start with all of them.
        self.changed.clear();
        self.fdb.len() - before
    }

    /// Takes over statistics of before a restart: the cores' are added to them.
    pub fn count_on(&mut self, statistics: &Statistics) {
        let tables = &self.plan.tables;
        let mut before = Counters::new(tables.ports.len(), tables.segments.len(), tables.endpoints.len());
        let names = self.names();
        for (counters, port) in before.ports.iter_mut().zip(&self.model.ports) {
            *counters = statistics.ports.get(&port.name).cloned().unwrap_or_default();
        }
        for (flow, name) in before.segments.iter_mut().zip(&names.segments) {
            let found = name.as_ref().and_then(|(name, _)| statistics.segments.get(name));
            *flow = found.copied().unwrap_or_default();
        }
        for (flow, name) in before.endpoints.iter_mut().zip(&names.places) {
            *flow = name.as_ref().and_then(|(_, name)| statistics.places.get(name)).copied().unwrap_or_default();
        }
        self.before = Some(Box::new(before));
    }

    /// The statistics by names.
    pub fn statistics(&self) -> Statistics {
        let (counters, names) = (self.counters(), self.names());
        let ports = self.model.ports.iter().map(|port| port.name.clone()).zip(counters.ports).collect();
        let used = |flow: &Flow| *flow != Flow::default();
        let segments = names.segments.into_iter().zip(counters.segments).filter(|(_, flow)| used(flow));
        let places = names.places.into_iter().zip(counters.endpoints).filter(|(_, flow)| used(flow));
        Statistics {
            ports,
            segments: segments.filter_map(|(name, flow)| Some((name?.0, flow))).collect(),
            places: places.filter_map(|(name, flow)| Some((name?.1, flow))).collect(),
        }
    }

    /// Begins to keep track of what [`Self::memories`] gives. What is learned so far is given first. For before the cores
    /// start.
    pub fn remember(&mut self) {
        self.news = News::new(self.cores.len() + 1);
        self.remembered = Some(None);
        let Self { fdb, news, .. } = self;
        let learned = fdb.iter().filter(|(_, record)| record.is_learned());
        learned.for_each(|(key, _)| news.add(Subject::Mac(key)));
        // The cores have them already.
        (0..self.cores.len()).for_each(|core| self.news.skip(core));
    }

    /// The next thing to remember: names where they changed, or up to `most` MACs.
    pub fn memories(&mut self, most: usize) -> Option<Memory> {
        let told = self.remembered?;
        if told != Some(self.version) {
            self.remembered = Some(Some(self.version));
            return Some(Memory::Names(Arc::new(self.names())));
        }
        let reader = self.cores.len();
        let mut macs = Vec::new();
        while macs.len() < most
            && let Some(subject) = self.news.next(reader)
        {
            if let Subject::Mac(key) = subject {
                let record = self.fdb.record(key).filter(|record| record.is_learned());
                macs.push((key, record.map(|record| record.place)));
            }
        }
        (!macs.is_empty()).then_some(Memory::Macs(macs))
    }

    fn names(&self) -> Names {
        let layout = self.fdb.layout();
        let segment = |number: usize| {
            let rules = layout.segments.get(number)?.as_ref()?;
            let name = name_of_segment(self.naming.segments.key(number as u32)?);
            Some((name, rules.ageing.map(|nanos| nanos / 1_000_000_000)))
        };
        let place = |number: usize| {
            let rules = layout.endpoints.get(number)?.as_ref()?;
            Some((rules.generation, self.name_of_place(self.naming.endpoints.key(number as u32)?)?))
        };
        Names {
            segments: (0..layout.segments.len()).map(segment).collect(),
            places: (0..layout.endpoints.len()).map(place).collect(),
        }
    }

    fn name_of_place(&self, key: &EndpointKey) -> Option<String> {
        Some(match key {
            EndpointKey::Attachment(port, tag, segment) => {
                let segment = name_of_segment(self.naming.segments.key(u32::from(segment.0))?);
                format!("{} {} {segment}", self.name_of_port(*port)?, name_of_tag(*tag))
            }
            EndpointKey::Tunnel(TunnelKey { remote, encap, vni: None }) => format!("{encap} {remote}"),
            EndpointKey::Tunnel(TunnelKey { remote, encap, vni: Some(vni) }) => format!("{encap} {remote} {vni}"),
            EndpointKey::Group(key, port) => format!("{} {} {}", self.name_of_port(*port)?, key.encap, key.remote),
        })
    }

    fn name_of_port(&self, port: PortId) -> Option<&str> {
        Some(&self.model.ports.get(port.index())?.name)
    }
}

fn name_of_segment(key: &SegmentKey) -> String {
    match key {
        SegmentKey::Vni(encap, vni) => format!("{encap} {vni}"),
        SegmentKey::Name(name) => format!("name {name}"),
    }
}

/// Other than what people read, 802.1ad and 802.1Q are told apart.
fn name_of_tag(tag: Tag) -> String {
    match tag {
        Tag::QinQ { service: true, .. } => format!("{tag}s"),
        tag => tag.to_string(),
    }
}

/// The number of each name.
fn numbers<'a>(names: impl Iterator<Item = Option<&'a str>>) -> HashMap<&'a str, u32> {
    (0..).zip(names).filter_map(|(number, name)| Some((name?, number))).collect()
}
