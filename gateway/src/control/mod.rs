//! Control: decides what every core knows, and tells it.
//!
//! [`Control`] is a plain struct without sockets, threads or clocks. Around it, whoever owns those calls
//!
//! 1. [`Control::handle`] for every [`Event`], as many as there are;
//! 2. [`Control::settle`] once after them, and does what the [`Effects`] say;
//! 3. [`Control::feed`] for every core.
//!
//! What the operator asks for and gets an answer to are functions of their own: [`Control::reload`],
//! [`Control::flush`], and the `view_` functions.

mod by_hand;
pub mod compile;
mod controllers;
pub mod explain;
pub mod fdb;
pub mod hash;
pub mod ids;
pub mod journal;
pub mod layout;
pub mod limits;
pub mod measures;
pub mod memory;
mod merge;
mod movers;
mod names;
mod neighbours;
pub mod news;
mod operate;
pub mod overlay;
mod show;
mod strangers;
pub mod top;
pub mod view;
pub mod watch;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use config::types::{Accept, Encap, Model};

pub use self::by_hand::Spot;
pub use self::compile::PortFacts;
use self::compile::hops::Underlay;
pub use self::compile::hops::{Hop, Resolution};
use self::compile::{Naming, Plan, Remotes};
use self::controllers::{File, Locals};
use self::fdb::Authority;
use self::ids::EndpointKey;
use self::journal::{Journal, Names};
pub use self::names::find_reason;
use self::neighbours::Bindings;
use self::news::{News, Subject};
pub use self::operate::{NeedsRestart, UnknownName, fixed_parts, next_hops_of};
use self::overlay::Overlays;
pub use self::show::{DropFilter, FdbFilter, MacOrigin, MacPrefix};
use self::strangers::Strangers;
use crate::counters::Counters;
use crate::frame::PortId;
use crate::link::{Fitting, Report, Ring, Update};
use crate::notes::Notes;
use crate::tables::{EndpointId, FdbEntry, FdbKey, Place, SegmentId, Tables, TunnelKey, Way};

/// How often the cores' notebooks are read when nobody asks.
const READING: Nanos = 1_000_000_000;

/// Nanoseconds since any fixed moment; the same clock for cores and control.
pub type Nanos = u64;

/// Something that control takes note of.
#[derive(Debug)]
pub enum Event {
    /// A core has something to say.
    Report {
        /// Which core: its place in `workers.cores`.
        core: usize,
        /// What.
        report: Report,
    },
    /// How VTEPs are reached now; those not mentioned are reached as before.
    NextHops(Vec<(IpAddr, Resolution)>),
    /// Time has passed: some ten times a second.
    Tick,
    /// Someone wants to know the counters: ask the cores.
    Count,
    /// The cores are to end.
    Stop,
}

/// What is to be done outside. `None` means as before.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Effects {
    /// All VTEP addresses whose next hops are wanted: resolve the new ones, forget the missing ones.
    pub next_hops: Option<BTreeSet<IpAddr>>,
    /// All underlay groups to be a member of, by port: join the new ones, leave the missing ones.
    pub groups: Option<BTreeSet<(PortId, IpAddr)>>,
}

/// One core, as control sees it.
#[derive(Debug)]
struct Core {
    /// The kernel's number.
    cpu: u16,
    /// The version of the tables that it was told.
    version: u64,
    /// The version of the table of neighbours that it was told.
    neighbours: u64,
    /// Its counters when last asked.
    counters: Box<Counters>,
    /// What they were when the operator cleared them: `show` counts from there.
    cleared: Option<Box<Counters>>,
    /// A box for the next answer, when it is not under way.
    spare: Option<Box<Counters>>,
    /// The spare box is to be sent.
    asked: bool,
    /// An empty notebook, when it is not under way.
    notebook: Option<Box<Notes>>,
    /// The notebook is to be exchanged.
    reads: bool,
    /// Taps to be put on and taken off.
    taps: VecDeque<Update>,
    /// It is to end.
    stop: bool,
    /// It has ended.
    stopped: bool,
}

/// The state of the gateway.
#[derive(Debug)]
pub struct Control {
    /// In force: the file's, and what controllers add to it.
    model: Arc<Model>,
    /// That of the start, for what only a restart can change; its segments are left out.
    start: Model,
    /// The file's, where controllers add something.
    file: Option<Box<File>>,
    /// The VTEPs of the file's static MACs.
    remotes: Remotes,
    overlays: Overlays,
    locals: Locals,
    facts: Vec<PortFacts>,
    resolutions: HashMap<IpAddr, Resolution>,
    naming: Naming,
    /// Its tables are what every core has or will have, learning limits and next hops included.
    plan: Plan,
    /// Counts the plans.
    version: u64,
    fdb: Authority,
    bindings: Bindings,
    /// What a process before this one counted.
    before: Option<Box<Counters>>,
    /// Somebody remembers what changes: the version of the names that it was told.
    remembered: Option<Option<u64>>,
    /// What the operator put into the FDB while running.
    by_hand: HashMap<FdbKey, Place>,
    strangers: Strangers,
    news: News,
    /// What the cores noted.
    journal: Journal,
    /// When the notebooks were exchanged last.
    read: Nanos,
    /// The time that was told last.
    clock: Nanos,
    /// Who watches, by number, and how many ever did.
    watchers: Vec<u64>,
    watched: u64,
    cores: Vec<Core>,
    /// What the outside was told to resolve and to join, and the version of the plan that it is of.
    told: Effects,
    told_at: Option<u64>,
    /// Reused: MACs that cores must hear of.
    changed: Vec<FdbKey>,
}

impl Control {
    /// Control over the cores of `model`. `facts` are those of its ports, in order.
    pub fn new(model: impl Into<Arc<Model>>, facts: Vec<PortFacts>) -> Self {
        let model = model.into();
        let cores: Vec<Core> = model.workers.cores.iter().map(|&cpu| Core::new(cpu)).collect();
        let mut naming = Naming::default();
        let resolutions = HashMap::new();
        let underlay = Underlay { model: &model, facts: &facts, resolutions: &resolutions };
        let remotes = Remotes::of(&model);
        let plan = compile::compile(&underlay, &remotes, std::iter::empty(), &mut naming);
        let mut control = Self {
            start: operate::without_segments(&model),
            file: None,
            remotes,
            overlays: Overlays::default(),
            locals: Locals::default(),
            facts,
            resolutions,
            naming,
            plan,
            version: 0,
            fdb: Authority::default(),
            bindings: Bindings::default(),
            before: None,
            remembered: None,
            by_hand: HashMap::new(),
            strangers: Strangers::default(),
            news: News::new(cores.len()),
            journal: Journal::default(),
            read: 0,
            clock: 0,
            watchers: Vec::new(),
            watched: 0,
            cores,
            told: Effects::default(),
            told_at: None,
            changed: Vec::new(),
            model,
        };
        control.arrange(true, 0);
        control.rebind(true);
        // Cores start with these tables and entries.
        control.version = 0;
        control.changed = Vec::new();
        control.news = News::new(control.cores.len());
        control
    }

    /// The tables that a core starts with.
    pub fn tables(&self) -> Box<Tables> {
        Box::new(self.plan.tables.clone())
    }

    /// The FDB entries that a core starts with.
    pub fn entries(&self) -> impl Iterator<Item = (FdbKey, FdbEntry)> + '_ {
        self.fdb.iter().map(|(key, record)| (key, record.entry()))
    }

    /// Takes note of an event.
    pub fn handle(&mut self, event: Event, now: Nanos) {
        self.clock = self.clock.max(now);
        match event {
            Event::Report { core, report } => self.report(core, report, now),
            Event::NextHops(resolved) => self.next_hops(resolved),
            Event::Tick => {
                self.fdb.age(now, &mut self.changed);
                self.publish();
                self.retry_assigning();
                let Self { strangers, fdb, plan, .. } = self;
                strangers.age(now, |key| plan.tunnels.get(key).is_some_and(|&id| fdb.limits().at_endpoint(id) > 0));
                if now.saturating_sub(self.read) >= READING {
                    self.read = now;
                    self.cores.iter_mut().for_each(|core| core.reads = true);
                }
            }
            Event::Count => self.cores.iter_mut().for_each(|core| (core.asked, core.reads) = (true, true)),
            Event::Stop => self.cores.iter_mut().for_each(|core| core.stop = true),
        }
    }

    fn report(&mut self, core: usize, report: Report, now: Nanos) {
        match report {
            Report::Learned { key, entry } => {
                self.fdb.learn(key, entry.place(), now, &mut self.changed);
                self.publish();
            }
            Report::Seen(key) => self.fdb.touch(key, now),
            Report::UnknownVtep { segment, remote, encap } => {
                if self.may_send(segment, TunnelKey { remote, encap, vni: None }) {
                    self.strangers.meet(
                        TunnelKey { remote, encap, vni: None },
                        self.model.vtep.learned_vteps as usize,
                        now,
                    );
                }
            }
            Report::Retired(_) | Report::RetiredHops(_) | Report::RetiredNeighbours(_) => {}
            Report::Counters(counters) => {
                let core = &mut self.cores[core];
                core.spare = Some(std::mem::replace(&mut core.counters, counters));
            }
            Report::Notes(mut notes) => {
                self.journal.take(core, &notes, &Numbered(&self.naming, &self.plan, &self.model));
                notes.clear();
                self.cores[core].notebook = Some(notes);
            }
            Report::Untapped(_) => {}
            Report::Stopped => self.cores[core].stopped = true,
        }
    }

    /// True when a VTEP that nobody listed may become a tunnel (CONFORMANCE L2b).
    fn may_send(&self, segment: SegmentId, key: TunnelKey) -> bool {
        let vtep = &self.model.vtep;
        let segment = self.segment(segment);
        let ours =
            vtep.source_v4.is_some_and(|own| key.remote == own) || vtep.source_v6.is_some_and(|own| key.remote == own);
        let has_number = |segment: &config::types::Segment| match key.encap {
            Encap::Vxlan => segment.vxlan.is_some(),
            Encap::Geneve => segment.geneve.is_some(),
        };
        segment.is_some_and(|segment| segment.accept == Accept::Any && has_number(segment))
            && self.underlay().source(key.remote).is_some()
            && !ours
            && !key.remote.is_multicast()
            && !key.remote.is_unspecified()
            && !self.plan.tunnels.contains_key(&key)
    }

    /// Takes over next hops, and tells the cores where that changes a header (CONFORMANCE CTL3: updates followed).
    fn next_hops(&mut self, resolved: Vec<(IpAddr, Resolution)>) {
        for (remote, resolution) in resolved {
            if !self.plan.next_hops.contains(&remote) || self.resolutions.get(&remote) == Some(&resolution) {
                continue;
            }
            self.resolutions.insert(remote, resolution);
            self.overlays.look_again = !self.overlays.chosen.is_empty();
            let plain = [Encap::Vxlan, Encap::Geneve].map(|encap| TunnelKey { remote, encap, vni: None });
            let keyed = self.plan.keyed.iter().copied().filter(|key| key.remote == remote);
            for key in plain.into_iter().chain(keyed).collect::<Vec<_>>() {
                let Some(&endpoint) = self.plan.tunnels.get(&key) else { continue };
                let hops = self.underlay().hops(key);
                if let Way::Tunnel(tunnel) = &mut self.plan.tables.endpoints[endpoint.index()].way
                    && tunnel.hops != hops
                {
                    tunnel.hops = hops;
                    self.news.add(Subject::Hops(endpoint));
                }
            }
        }
    }

    /// A controller (EVPN, OVSDB) says where a MAC is; `None`: it no longer does. Wins over what was learned, not over the
    /// operator (CONFORMANCE L2f).
    pub fn assign(&mut self, key: FdbKey, place: Option<Place>) {
        self.fdb.assign(key, place, false, &mut self.changed);
        self.publish();
    }

    /// After a round of events: compiles anew when unlisted VTEPs came or went, opens and closes learning where limits
    /// were crossed, and says what is to be done outside.
    pub fn settle(&mut self, now: Nanos) -> Effects {
        if self.prefers_other_nodes() {
            self.recompile(false, now);
        }
        if self.strangers.changed(now) {
            self.admit_strangers(now);
        }
        let Self { fdb, plan, news, .. } = self;
        let (limits, layout) = fdb.limits_and_layout();
        limits.settle(|subject, full| {
            let changed = match subject {
                Subject::Segment(id) => {
                    let learns = layout.segment(id).is_some_and(|rules| rules.learning) && !full;
                    std::mem::replace(&mut plan.tables.segments[id.index()].learns, learns) != learns
                }
                Subject::Endpoint(id) => {
                    let learns = layout.speaks(id) && !full;
                    std::mem::replace(&mut plan.tables.endpoints[id.index()].learns, learns) != learns
                }
                Subject::Mac(_) | Subject::Hops(_) | Subject::Neighbour(..) => false,
            };
            if changed {
                news.add(subject);
            }
        });
        let mut effects = Effects::default();
        if self.told_at.replace(self.version) == Some(self.version) {
            return effects;
        }
        if self.told.next_hops.as_ref() != Some(&self.plan.next_hops) {
            self.told.next_hops = Some(self.plan.next_hops.clone());
            effects.next_hops = self.told.next_hops.clone();
        }
        if self.told.groups.as_ref() != Some(&self.plan.groups) {
            self.told.groups = Some(self.plan.groups.clone());
            effects.groups = self.told.groups.clone();
        }
        effects
    }

    /// The next update for a core; the caller sends it. Ask only while there is room in the ring: what is taken here is
    /// not told again. New tables always come first, so whatever follows names only what the core has heard of.
    pub fn next(&mut self, core: usize) -> Option<Update> {
        let Self { cores, plan, fdb, bindings, news, version, .. } = self;
        let reader = &mut cores[core];
        if reader.stopped {
            return None;
        }
        if std::mem::take(&mut reader.stop) {
            return Some(Update::Stop);
        }
        if reader.version != *version {
            reader.version = *version;
            return Some(Update::Tables(Box::new(Fitting::of(Box::new(plan.tables.clone())))));
        }
        if reader.neighbours != bindings.version {
            reader.neighbours = bindings.version;
            return Some(Update::Neighbours(bindings.table()));
        }
        if let Some(update) = reader.taps.pop_front() {
            return Some(update);
        }
        // Before the counters: when those are in, so are the notes.
        if reader.reads
            && let Some(notes) = reader.notebook.take()
        {
            reader.reads = false;
            return Some(Update::Notes(notes));
        }
        if reader.asked
            && let Some(mut counters) = reader.spare.take()
        {
            reader.asked = false;
            counters.resize(plan.tables.ports.len(), plan.tables.segments.len(), plan.tables.endpoints.len());
            counters.follow(&plan.tables.rules.serials);
            return Some(Update::Count(counters));
        }
        Some(match news.next(core)? {
            Subject::Mac(key) => fdb.entry(key).map_or(Update::Remove(key), |entry| Update::Put(key, entry)),
            Subject::Hops(id) => match &plan.tables.endpoints[id.index()].way {
                Way::Tunnel(tunnel) => Update::Hops(id, tunnel.hops.clone()),
                _ => Update::Hops(id, Vec::new()),
            },
            Subject::Neighbour(segment, address) => Update::Bind(segment, address, bindings.entry(segment, address)),
            Subject::Segment(id) => Update::LearnInSegment(id, plan.tables.segments[id.index()].learns),
            Subject::Endpoint(id) => Update::LearnAtEndpoint(id, plan.tables.endpoints[id.index()].learns),
        })
    }

    /// Tells a core what it has not heard yet, as far as there is room. Returns how many updates were sent. The caller
    /// is the ring's only sender.
    pub fn feed(&mut self, core: usize, ring: &Ring<Update>) -> usize {
        let mut sent = 0;
        while !ring.is_full()
            && let Some(update) = self.next(core)
            && ring.send(update).is_ok()
        {
            sent += 1;
        }
        sent
    }

    /// True when every core has ended.
    pub fn all_stopped(&self) -> bool {
        self.cores.iter().all(|core| core.stopped)
    }

    /// The configuration in force, what controllers add included ([`Self::configured`] is the file's alone).
    pub fn model(&self) -> &Model {
        &self.model
    }

    fn segment(&self, id: SegmentId) -> Option<&config::types::Segment> {
        self.plan.indices.get(id.index()).copied().flatten().map(|index| &self.model.segments[index])
    }

    fn underlay(&self) -> Underlay<'_> {
        Underlay { model: &self.model, facts: &self.facts, resolutions: &self.resolutions }
    }

    /// Merges and compiles the model anew, the known strangers included. As long as the file is the same, what it names
    /// keeps its numbers, so its static MACs and neighbours are where they were.
    fn recompile(&mut self, another_file: bool, now: Nanos) {
        self.merge();
        let Self { model, facts, resolutions, naming, strangers, remotes, .. } = self;
        let underlay = Underlay { model, facts, resolutions };
        self.plan = compile::compile(&underlay, remotes, strangers.iter(), naming);
        self.arrange(another_file, now);
        if !another_file {
            self.drop_by_hand();
        }
        self.publish();
        self.reassign();
        self.rebind(another_file);
    }

    /// Brings the plan up to date with the strangers, all else as it is.
    fn admit_strangers(&mut self, now: Nanos) {
        self.plan.layout = self.fdb.layout().clone();
        let Self { model, facts, resolutions, naming, strangers, .. } = self;
        let underlay = Underlay { model, facts, resolutions };
        self.plan.admit(&underlay, strangers, naming);
        self.arrange(false, now);
        self.publish();
    }

    /// Puts the plan in force for MACs (`statics`: the operator's may be others than before), and limits that are reached
    /// into the plan. The cores are to have its tables; what of MACs they must hear is to be published.
    fn arrange(&mut self, statics: bool, now: Nanos) {
        self.version += 1;
        self.resolutions.retain(|address, _| self.plan.next_hops.contains(address));
        let mut statics = statics.then(|| self.plan.statics(&self.model));
        if let Some(statics) = &mut statics {
            self.add_by_hand(statics);
        }
        self.fdb.arrange(std::mem::take(&mut self.plan.layout), statics.as_ref(), now, &mut self.changed);
        let (limits, layout) = self.fdb.limits_and_layout();
        for &id in &self.plan.segments {
            let learns = layout.segment(id).is_some_and(|rules| rules.learning);
            self.plan.tables.segments[id.index()].learns = learns && !limits.segment_is_full(id);
        }
        for &id in self.plan.attachments.iter().flatten() {
            self.plan.tables.endpoints[id.index()].learns = !limits.endpoint_is_full(id);
        }
    }

    /// Every core is to hear of the MACs that changed.
    fn publish(&mut self) {
        for key in self.changed.drain(..) {
            self.locals.note(key);
            self.news.add(Subject::Mac(key));
        }
    }
}

impl Core {
    fn new(cpu: u16) -> Self {
        let counters = || Box::new(Counters::new(0, 0, 0));
        Self {
            cpu,
            version: 0,
            neighbours: 0,
            counters: counters(),
            cleared: None,
            spare: Some(counters()),
            asked: false,
            notebook: Some(Box::default()),
            reads: false,
            taps: VecDeque::new(),
            stop: false,
            stopped: false,
        }
    }
}

impl Core {
    /// Its counters since the operator cleared them.
    fn shown(&self) -> Cow<'_, Counters> {
        match &self.cleared {
            Some(before) => Cow::Owned(self.counters.since(before)),
            None => Cow::Borrowed(&self.counters),
        }
    }
}

/// The numbers of the plan in force.
struct Numbered<'a>(&'a Naming, &'a Plan, &'a Model);

impl Names for Numbered<'_> {
    fn segment(&self, id: SegmentId) -> Option<String> {
        let index = self.1.indices.get(id.index()).copied().flatten()?;
        Some(self.2.segments.get(index)?.name.clone())
    }

    fn endpoint(&self, id: EndpointId) -> Option<EndpointKey> {
        self.0.endpoints.key(id.0).copied()
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
