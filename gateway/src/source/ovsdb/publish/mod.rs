//! What we have to say in the database: what should be there, less what is. Each group is a transaction of its own, so
//! that one that is refused does not hold up the others.

mod faults;
mod places;
mod statistics;
mod switch;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use config::types::Mac;

use super::datum::Uuid;
use super::replica::Replica;
use super::rows::{PhysicalPort, PhysicalSwitch};
use super::transaction::Transaction;
use super::wanted::{Facts, Segment, Wanted};
use crate::control::overlay::{Number, Part, PortTag, Refusal};

/// Most operations of one transaction; the rest follows in the next.
const MOST: usize = 2000;

/// What is said together. In this order: a later one needs the rows of an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// The switch and its ports.
    Switch,
    /// Connections of the server to controllers.
    Managers,
    /// What is wrong.
    Faults,
    /// Where to flood to reach us.
    Floods,
    /// Tunnels between us and others.
    Tunnels,
    /// MACs behind us.
    Macs,
    /// What passed.
    Statistics,
}

impl Group {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Switch, Self::Managers, Self::Faults, Self::Floods, Self::Tunnels, Self::Macs, Self::Statistics];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Switch => "physical switch and ports",
            Self::Managers => "managers",
            Self::Faults => "fault status",
            Self::Floods => "where to flood",
            Self::Tunnels => "tunnels",
            Self::Macs => "local MACs",
            Self::Statistics => "statistics",
        }
    }
}

/// What is ours to say, besides [`Facts`].
#[derive(Clone, Debug, Default)]
pub struct Ours {
    /// What a controller shows beside the name.
    pub description: String,
    /// Management addresses.
    pub management: Vec<IpAddr>,
    /// The controllers to connect to; `None` leaves that alone.
    pub managers: Option<Vec<String>>,
    /// MACs on our ports.
    pub locals: HashSet<(Number, Mac)>,
    /// What control does not do of what is wanted.
    pub refused: Vec<Refusal>,
    /// Ports without a link, by index in the model.
    pub down: BTreeSet<usize>,
    /// The forwarding table is full.
    pub full: bool,
    /// What passed our attachments; `None` says nothing about it.
    pub passed: Option<HashMap<PortTag, Passed>>,
    /// Statistics that the database has, by row: they are not followed.
    pub told: HashMap<Uuid, Passed>,
}

/// Frames and bytes of an attachment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Frames and bytes that came from the port.
    pub from_local: (u64, u64),
    /// Frames and bytes that left on the port.
    pub to_local: (u64, u64),
}

/// Everything that what we say is made of.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// The database.
    pub replica: &'a Replica,
    /// What is ours.
    pub facts: &'a Facts,
    /// What the database wants.
    pub wanted: &'a Wanted,
    /// What we have to say.
    pub ours: &'a Ours,
}

/// The operations that a group lacks.
pub fn publish(group: Group, scene: Scene<'_>) -> Transaction {
    let mut tx = Transaction::default();
    match group {
        Group::Switch => scene.switch(&mut tx),
        Group::Managers => scene.managers(&mut tx),
        Group::Faults => scene.faults(&mut tx),
        Group::Floods => scene.floods(&mut tx),
        Group::Tunnels => scene.tunnels(&mut tx),
        Group::Macs => scene.macs(&mut tx),
        Group::Statistics => scene.statistics(&mut tx),
    }
    tx
}

impl<'a> Scene<'a> {
    fn own_row(self) -> Option<(Uuid, &'a PhysicalSwitch)> {
        self.replica.switch_named(&self.facts.name)
    }

    fn own_ports(self) -> impl Iterator<Item = (Uuid, &'a PhysicalPort)> {
        let uuids = self.own_row().map(|(_, row)| &row.ports[..]).unwrap_or_default();
        uuids.iter().filter_map(move |uuid| Some((*uuid, self.replica.ports.get(uuid)?)))
    }

    /// Segments that are ours, with the row of each.
    fn segments(self) -> impl Iterator<Item = (Number, &'a Segment)> {
        let lost: HashSet<Number> =
            self.ours.refused.iter().filter(|one| one.part == Part::Whole).map(|one| one.number).collect();
        let all = self.wanted.segments.iter().map(|(number, segment)| (*number, segment));
        all.filter(move |(number, segment)| {
            !lost.contains(number) && self.replica.switches.contains_key(&segment.switch)
        })
    }

    /// The key of our locator for a segment.
    fn key(number: Number, segment: &Segment) -> Option<i64> {
        segment.keyed_locators.then_some(i64::from(number.vni.value()))
    }

    /// True for a locator that is not another switch's: ours, or ours of before.
    fn is_mine(self, others: &HashSet<&str>, locator: Uuid) -> bool {
        self.replica.locators.get(&locator).is_none_or(|row| !others.contains(&*row.address))
    }

    /// Tunnel addresses of the other switches in this database.
    fn others(self) -> HashSet<&'a str> {
        let others = self.replica.physical_switches.values().filter(|row| *row.name != *self.facts.name);
        others.flat_map(|row| row.tunnel_ips.iter().map(|ip| &**ip)).collect()
    }
}
