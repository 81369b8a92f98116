//! What the database wants of us, worked out from all of it at once. What it cannot have is put on a list, with the
//! reason; all else goes on.

mod bindings;
mod floods;
mod locators;
mod macs;
mod numbers;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use config::types::{FloodFallback, Mac, Vni};

use super::datum::Uuid;
use super::replica::Replica;
use super::rows::PhysicalPort;
use crate::control::overlay::{Number, OverlayFlood, OverlaySegment, PortTag};

/// The MAC that stands for all that is not known.
pub const UNKNOWN: &str = "unknown-dst";

/// What is ours, as the database needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Name of our row in `Physical_Switch`.
    pub name: String,
    /// Source of IPv4 tunnels.
    pub v4: Option<Ipv4Addr>,
    /// Source of IPv6 tunnels.
    pub v6: Option<Ipv6Addr>,
    /// The ports that controllers see: index in the model, and name.
    pub ports: Vec<(usize, String)>,
    /// Segments to which the file attaches ports.
    pub attached: HashSet<Number>,
    /// What a logical switch without a flood list floods to.
    pub fallback: FloodFallback,
}

impl Facts {
    /// Our tunnel addresses, the first one first.
    pub fn tunnel_ips(&self) -> impl Iterator<Item = IpAddr> {
        self.v4.map(IpAddr::V4).into_iter().chain(self.v6.map(IpAddr::V6))
    }
}

/// A row that is not followed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rejection {
    /// Its table.
    pub table: &'static str,
    /// What tells it from others.
    pub row: String,
    /// Why.
    pub why: String,
}

/// A logical switch that has a number and a place here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The row.
    pub switch: Uuid,
    /// Its name.
    pub name: String,
    /// Tags of our ports, and the row of each port.
    pub attachments: BTreeMap<PortTag, Uuid>,
    /// Where it floods.
    pub flood: OverlayFlood,
    /// VTEPs with MACs behind them.
    pub known: BTreeSet<IpAddr>,
    /// Its number is its locators': ours has one, too.
    pub keyed_locators: bool,
    /// Of those the keys that are not its number.
    pub keys: BTreeMap<IpAddr, Vni>,
}

/// What the database wants of us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Segments by number.
    pub segments: BTreeMap<Number, Segment>,
    /// MACs and their VTEPs.
    pub macs: HashMap<(Number, Mac), IpAddr>,
    /// IP addresses and their MACs.
    pub neighbours: HashMap<(Number, IpAddr), Mac>,
    /// Rows that are not followed.
    pub rejected: Vec<Rejection>,
    /// Ports with a binding that is not followed.
    pub faulty: BTreeSet<Uuid>,
    /// Locators of other VTEPs that are in use.
    pub remotes: BTreeSet<Uuid>,
}

impl Wanted {
    /// Works it out. `None`: the database does not know this gateway (yet).
    pub fn of(replica: &Replica, facts: &Facts) -> Option<Self> {
        let (_, ours) = replica.switch_named(&facts.name)?;
        let mut work = Work {
            replica,
            facts,
            wanted: Self::default(),
            numbers: HashMap::new(),
            bound: HashMap::new(),
            keyed: HashMap::new(),
        };
        work.number();
        let mut ports: Vec<(Uuid, &PhysicalPort)> =
            ours.ports.iter().filter_map(|uuid| Some((*uuid, replica.ports.get(uuid)?))).collect();
        ports.sort_by_key(|(uuid, port)| (&port.name, *uuid));
        for (uuid, port) in ports {
            work.port(uuid, port);
        }
        work.adopt();
        work.macs();
        work.floods();
        work.others();
        let mut wanted = work.wanted;
        wanted.rejected.sort();
        Some(wanted)
    }

    /// The segments as control takes them.
    pub fn overlay(&self) -> Vec<OverlaySegment> {
        let told: HashSet<Number> = self.neighbours.keys().map(|(number, _)| *number).collect();
        let segment = |(&number, segment): (&Number, &Segment)| OverlaySegment {
            number,
            name: segment.name.clone(),
            attachments: segment.attachments.keys().copied().collect(),
            flood: segment.flood.clone(),
            keys: segment.keys.clone(),
            known: segment.known.iter().copied().collect(),
            learns_from_tunnels: true,
            answers: told.contains(&number),
        };
        self.segments.iter().map(segment).collect()
    }

    /// Keeps what was wanted before and is not contradicted: a database that was lost is filled again piece by piece.
    pub fn keep(&mut self, before: &Self) {
        let taken: HashSet<PortTag> = self.segments.values().flat_map(|one| one.attachments.keys().copied()).collect();
        for (&number, old) in &before.segments {
            let mut old = old.clone();
            old.attachments.retain(|tag, _| !taken.contains(tag));
            let new =
                self.segments.entry(number).or_insert_with(|| Segment { attachments: BTreeMap::new(), ..old.clone() });
            new.attachments.append(&mut old.attachments);
            new.known.extend(old.known);
            for (vtep, key) in old.keys {
                new.keys.entry(vtep).or_insert(key);
            }
            if new.flood == OverlayFlood::All(Vec::new()) {
                new.flood = old.flood;
            }
        }
        for (&key, &vtep) in &before.macs {
            self.macs.entry(key).or_insert(vtep);
        }
        for (&key, &mac) in &before.neighbours {
            self.neighbours.entry(key).or_insert(mac);
        }
    }
}

struct Work<'a> {
    replica: &'a Replica,
    facts: &'a Facts,
    wanted: Wanted,
    /// The number of each logical switch that has one, and whether it is its locators'.
    numbers: HashMap<Uuid, Result<(Number, bool), String>>,
    /// Where each tag of each port leads.
    bound: HashMap<PortTag, Number>,
    /// Which number each VTEP has with each VNI, where keys are the locators'.
    keyed: HashMap<(IpAddr, Vni), Number>,
}

impl Work<'_> {
    fn reject(&mut self, table: &'static str, row: impl Into<String>, why: impl Into<String>) {
        self.wanted.rejected.push(Rejection { table, row: row.into(), why: why.into() });
    }

    /// The number of a logical switch that has a place here.
    fn here(&self, switch: Uuid) -> Option<(Number, bool)> {
        let (number, keyed) = self.numbers.get(&switch)?.as_ref().ok().copied()?;
        self.wanted.segments.contains_key(&number).then_some((number, keyed))
    }

    /// What we do not do.
    fn others(&mut self) {
        for row in self.replica.routers.values() {
            self.reject("Logical_Router", &*row.name, "this gateway does not route between logical switches");
        }
        for row in self.replica.arp_sources.values() {
            self.reject("Arp_Sources_Remote", &*row.mac, "this gateway sends no ARP requests for a router");
        }
        let ours = self.replica.switch_named(&self.facts.name);
        for port in ours.iter().flat_map(|(_, switch)| &switch.ports).filter_map(|uuid| self.replica.ports.get(uuid)) {
            for vlan in port.acls.keys() {
                self.reject(
                    "Physical_Port",
                    format!("{} acl of vlan {vlan}", port.name),
                    "access lists are not supported",
                );
            }
        }
        for ((table, uuid), why) in &self.replica.unread {
            self.reject(table, uuid.to_string(), format!("the row cannot be read: {why}"));
        }
    }
}
