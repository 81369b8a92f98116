//! What `show controllers` tells of the database.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Instant;

use config::types::{Tag, Vid};

use super::publish::Passed;
use super::replica::Replica;
use super::wanted::{Facts, Wanted};
use crate::control::overlay::{OverlayFlood, Part, PortTag, Refusal};
use crate::control::view::{AppliedView, ControllerView, ManagerView, PortView, PublishedView, RejectedView};

/// Most rejected rows that are listed.
const LISTED: usize = 1000;

/// Where the follower writes how it is.
#[derive(Debug)]
pub struct Board {
    view: ControllerView,
    since: Instant,
    changed: Option<Instant>,
    until: Option<Instant>,
}

impl Board {
    /// Of a follower that is about to connect.
    pub fn new(switch: &str, target: &str, now: Instant) -> Self {
        let view = ControllerView {
            name: "ovsdb".into(),
            target: target.into(),
            state: "connecting".into(),
            switch: switch.into(),
            ..ControllerView::default()
        };
        Self { view, since: now, changed: None, until: None }
    }

    /// As it is now.
    pub fn view(&self, now: Instant) -> ControllerView {
        let seconds = |then: Instant| now.saturating_duration_since(then).as_secs();
        ControllerView {
            since: seconds(self.since),
            last_change: self.changed.map(seconds),
            swept_in: self.until.map(|until| until.saturating_duration_since(now).as_secs()),
            ..self.view.clone()
        }
    }

    /// Another state.
    pub fn state(&mut self, state: &str, now: Instant) {
        if self.view.state != state {
            self.view.state = state.into();
            self.since = now;
        }
        if state == "connected" {
            self.view.error = None;
        }
    }

    /// Something went wrong.
    pub fn failed(&mut self, why: String) {
        self.view.error = Some(why);
    }

    /// Something changed here.
    pub fn changed(&mut self, now: Instant) {
        self.changed = Some(now);
    }

    /// What is in force is stale, until then.
    pub fn stale(&mut self, stale: bool, until: Option<Instant>) {
        self.view.stale = stale;
        self.until = until;
    }

    /// What we have published.
    pub fn published(&mut self, ports: usize, macs: usize, tunnels: usize) {
        let published = &mut self.view.published;
        (published.ports, published.macs, published.tunnels) = (ports as u64, macs as u64, tunnels as u64);
    }

    /// A transaction was taken or refused.
    pub fn transaction(&mut self, taken: bool) {
        let PublishedView { transactions, refused, .. } = &mut self.view.published;
        *(if taken { transactions } else { refused }) += 1;
        if taken && self.view.error.as_ref().is_some_and(|error| error.starts_with("the database refused")) {
            self.view.error = None;
        }
    }

    /// What is in force, and what is not.
    pub fn applied(&mut self, wanted: &Wanted, refused: &[Refusal], facts: &Facts, replica: Option<&Replica>) {
        let mut vteps: BTreeSet<IpAddr> = wanted.segments.values().flat_map(|one| one.known.iter().copied()).collect();
        for segment in wanted.segments.values() {
            let (OverlayFlood::All(list) | OverlayFlood::OneOf(list)) = &segment.flood;
            vteps.extend(list);
        }
        self.view.applied = AppliedView {
            segments: wanted.segments.len() as u64,
            bindings: wanted.segments.values().map(|one| one.attachments.len() as u64).sum(),
            macs: wanted.macs.len() as u64,
            vteps: vteps.len() as u64,
            neighbours: wanted.neighbours.len() as u64,
        };
        let by_database = wanted.rejected.iter().map(|one| RejectedView {
            table: one.table.into(),
            row: one.row.clone(),
            reason: one.why.clone(),
        });
        let by_control = refused.iter().map(|one| refusal(one, wanted, facts));
        self.view.rejected_rows = (wanted.rejected.len() + refused.len()) as u64;
        self.view.rejected = by_control.chain(by_database).take(LISTED).collect();
        self.view.managers = replica.map(managers).unwrap_or_default();
    }
}

fn refusal(refusal: &Refusal, wanted: &Wanted, facts: &Facts) -> RejectedView {
    let name = wanted.segments.get(&refusal.number).map_or("?", |segment| &segment.name);
    let (table, row) = match refusal.part {
        Part::Attachment((port, tag)) => {
            let port = facts.ports.iter().find(|(index, _)| *index == port).map_or("?", |(_, name)| name);
            ("Physical_Port", format!("{port} vlan {tag} -> {name}"))
        }
        Part::Flood => ("Mcast_Macs_Remote", format!("unknown-dst in {name}")),
        Part::Whole => ("Logical_Switch", name.to_owned()),
    };
    RejectedView { table: table.into(), row, reason: refusal.why.clone() }
}

fn managers(replica: &Replica) -> Vec<ManagerView> {
    let mut all: Vec<ManagerView> = (replica.managers.values())
        .map(|manager| ManagerView {
            target: manager.target.to_string(),
            connected: manager.is_connected,
            status: manager.status.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", "),
        })
        .collect();
    all.sort_by(|a, b| a.target.cmp(&b.target));
    all
}

/// What passed the attachments of the ports that controllers see.
pub fn passed(facts: &Facts, views: &[PortView]) -> HashMap<PortTag, Passed> {
    let ports = facts.ports.iter().filter_map(|(index, _)| Some((*index, views.get(*index)?)));
    let tag = |text: &str| match text {
        "untagged" => Some(Tag::Untagged),
        number => number.parse().ok().and_then(Vid::new).map(Tag::Vlan),
    };
    ports
        .flat_map(|(index, view)| view.attachments.iter().map(move |one| (index, one)))
        .filter_map(|(index, one)| {
            let passed = Passed { from_local: (one.rx.frames, one.rx.bytes), to_local: (one.tx.frames, one.tx.bytes) };
            Some(((index, tag(&one.vlan)?), passed))
        })
        .collect()
}
