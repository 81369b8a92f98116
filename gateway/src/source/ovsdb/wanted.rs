//! What the database wants of us, worked out from all of it at once. What it cannot have is put on a list, with the
//! reason; all else goes on.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use config::types::{Encap, FloodFallback, Mac, Tag, Vid, Vni};

use super::datum::Uuid;
use super::replica::Replica;
use super::rows::{Locator, LogicalSwitch, PhysicalPort, Row, UcastRemote};
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

    /// An address that a tunnel of ours can end at.
    fn vtep(&self, text: &str) -> Result<IpAddr, String> {
        let address: IpAddr = text.parse().map_err(|_| format!("'{text}' is not an IP address"))?;
        let is_one = !address.is_multicast() && !address.is_unspecified() && !address.is_loopback();
        match address {
            _ if !is_one => Err(format!("{address} is no address of a VTEP")),
            _ if self.tunnel_ips().any(|own| own == address) => Err(format!("{address} is this gateway's own")),
            IpAddr::V4(_) if self.v4.is_none() => {
                Err(format!("{address}: the gateway has no IPv4 source; add one to vtep.source"))
            }
            IpAddr::V6(_) if self.v6.is_none() => {
                Err(format!("{address}: the gateway has no IPv6 source; add one to vtep.source"))
            }
            _ => Ok(address),
        }
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

impl<'a> Work<'a> {
    fn reject(&mut self, table: &'static str, row: impl Into<String>, why: impl Into<String>) {
        self.wanted.rejected.push(Rejection { table, row: row.into(), why: why.into() });
    }

    /// Gives every logical switch its number: its own key, else that of its locators. Empty or 0 is not bound.
    fn number(&mut self) {
        let mut switches: Vec<(&Uuid, &LogicalSwitch)> = self.replica.switches.iter().collect();
        switches.sort_by_key(|(uuid, switch)| (&switch.name, **uuid));
        let of_locators = self.keys_of_locators();
        let mut taken: HashMap<Number, &str> = HashMap::new();
        for (uuid, switch) in switches {
            let (key, keyed_locators) = match switch.key {
                Some(key) => (key, false),
                None => (of_locators.get(uuid).copied().unwrap_or(0), true),
            };
            if key == 0 {
                continue;
            }
            let vni = u32::try_from(key).ok().and_then(Vni::new);
            let number = vni.map(|vni| Number { encap: Encap::Vxlan, vni });
            let outcome = match number {
                None => Err(format!("the tunnel key {key} is no VNI: use 1 to {}", Vni::MAX)),
                Some(number) => match taken.insert(number, &switch.name) {
                    None => Ok((number, keyed_locators)),
                    Some(first) => {
                        taken.insert(number, first);
                        Err(format!("the tunnel key {key} is that of the logical switch {first} already"))
                    }
                },
            };
            if let Err(why) = &outcome {
                self.reject(LogicalSwitch::TABLE, &*switch.name, why);
            }
            self.numbers.insert(*uuid, outcome);
        }
    }

    /// For logical switches without a key: the lowest of the locators that they name which is a VNI.
    fn keys_of_locators(&self) -> HashMap<Uuid, i64> {
        let keyless = |switch: &Uuid| self.replica.switches.get(switch).is_some_and(|switch| switch.key.is_none());
        let sets = &self.replica.sets;
        let mcast = self.replica.mcast_remote.values().filter(|row| keyless(&row.switch));
        let mcast = mcast
            .filter_map(|row| Some((row.switch, sets.get(&row.set)?)))
            .flat_map(|(switch, set)| set.locators.iter().map(move |locator| (switch, *locator)));
        let ucast = self.replica.ucast_remote.values().filter(|row| keyless(&row.switch));
        let mut keys = HashMap::new();
        for (switch, locator) in ucast.map(|row| (row.switch, row.locator)).chain(mcast) {
            let key = self.replica.locators.get(&locator).and_then(|locator| locator.key);
            let Some(key) = key.filter(|key| (1..=i64::from(Vni::MAX)).contains(key)) else { continue };
            keys.entry(switch).and_modify(|lowest: &mut i64| *lowest = key.min(*lowest)).or_insert(key);
        }
        keys
    }

    /// Binds the VLANs of a port.
    fn port(&mut self, uuid: Uuid, port: &PhysicalPort) {
        let index = self.facts.ports.iter().find(|(_, name)| **name == *port.name).map(|(index, _)| *index);
        for (&vlan, switch) in &port.bindings {
            if let Err(why) = self.bind(uuid, index, vlan, *switch) {
                self.wanted.faulty.insert(uuid);
                self.reject(PhysicalPort::TABLE, format!("{} vlan {vlan}", port.name), why);
            }
        }
    }

    fn bind(&mut self, uuid: Uuid, index: Option<usize>, vlan: i64, switch: Uuid) -> Result<(), String> {
        let index = index.ok_or("this gateway has no such port (or does not show it, see control.ovsdb.ports)")?;
        let tag = match u16::try_from(vlan).ok() {
            Some(0) => Tag::Untagged,
            number => {
                Tag::Vlan(number.and_then(Vid::new).ok_or("there is no such VLAN: use 1 to 4094, or 0 for no tag")?)
            }
        };
        let (number, _) = match self.numbers.get(&switch) {
            None => return Ok(()),
            Some(Ok(number)) => *number,
            Some(Err(why)) => return Err(why.clone()),
        };
        let key = (index, tag);
        if let Some(there) = self.bound.insert(key, number) {
            self.bound.insert(key, there);
            let name = self.wanted.segments.get(&there).map_or("another", |segment| &segment.name);
            return Err(format!("it is bound to {name} already, by another row for this port"));
        }
        if let Some(segment) = self.segment(switch, number) {
            segment.attachments.insert(key, uuid);
        }
        Ok(())
    }

    fn segment(&mut self, uuid: Uuid, number: Number) -> Option<&mut Segment> {
        let switch = self.replica.switches.get(&uuid)?;
        let keyed_locators = switch.key.is_none();
        Some(self.wanted.segments.entry(number).or_insert_with(|| Segment {
            switch: uuid,
            name: label(&switch.name),
            attachments: BTreeMap::new(),
            flood: OverlayFlood::All(Vec::new()),
            known: BTreeSet::new(),
            keyed_locators,
            keys: BTreeMap::new(),
        }))
    }

    /// Logical switches whose ports are attached by the file.
    fn adopt(&mut self) {
        let attached: Vec<(Uuid, Number)> = (self.numbers.iter())
            .filter_map(|(uuid, outcome)| Some((*uuid, outcome.as_ref().ok()?.0)))
            .filter(|(_, number)| self.facts.attached.contains(number))
            .collect();
        for (uuid, number) in attached {
            self.segment(uuid, number);
        }
    }

    /// The number of a logical switch that has a place here.
    fn here(&self, switch: Uuid) -> Option<(Number, bool)> {
        let (number, keyed) = self.numbers.get(&switch)?.as_ref().ok().copied()?;
        self.wanted.segments.contains_key(&number).then_some((number, keyed))
    }

    fn macs(&mut self) {
        let rows = &self.replica.ucast_remote;
        let mut mine: Vec<(&Uuid, &UcastRemote, Number, bool)> = rows
            .iter()
            .filter_map(|(uuid, row)| self.here(row.switch).map(|(number, keyed)| (uuid, row, number, keyed)))
            .collect();
        mine.sort_unstable_by_key(|(uuid, ..)| **uuid);
        for (_, row, number, keyed) in mine {
            if let Err(why) = self.mac(row, number, keyed) {
                self.reject(UcastRemote::TABLE, format!("{} in {number}", row.mac), why);
            }
        }
    }

    fn mac(&mut self, row: &UcastRemote, number: Number, keyed: bool) -> Result<(), String> {
        let mac: Mac = row.mac.parse().map_err(|_| "this is not a MAC address".to_owned())?;
        if mac.is_group() || mac.is_zero() {
            return Err("this is no station's MAC address".into());
        }
        let vtep = self.vtep(row.locator, keyed.then_some(number))?;
        let segment = self.wanted.segments.get_mut(&number).expect("it has a place here");
        segment.known.insert(vtep);
        // Of several rows for a MAC the lowest address counts, whatever their order.
        let (used, other) = match self.wanted.macs.get(&(number, mac)) {
            Some(&other) => (vtep.min(other), Some(vtep.max(other))),
            None => (vtep, None),
        };
        self.wanted.macs.insert((number, mac), used);
        if !row.address.is_empty() {
            let address: IpAddr = row
                .address
                .parse()
                .map_err(|_| format!("its ipaddr '{}' is not an IP address; the MAC is used", row.address))?;
            self.wanted.neighbours.insert((number, address), mac);
        }
        match other {
            Some(other) => Err(format!("the MAC is there twice; {used} is used, not {other}")),
            None => Ok(()),
        }
    }

    /// The VTEP of a locator; `keyed` is its segment where keys are the locators'.
    fn vtep(&mut self, locator: Uuid, keyed: Option<Number>) -> Result<IpAddr, String> {
        let Locator { address, encapsulation, key } =
            self.replica.locators.get(&locator).ok_or("its locator is missing")?;
        if **encapsulation != *"vxlan_over_ipv4" {
            return Err(format!("the encapsulation {encapsulation} is not known"));
        }
        let vtep = self.facts.vtep(address)?;
        if let Some(number) = keyed {
            let key = key.unwrap_or(i64::from(number.vni.value()));
            self.key(vtep, number, key)?;
        }
        self.wanted.remotes.insert(locator);
        Ok(vtep)
    }

    /// Gives a VTEP its number for a segment. Of one VTEP a number leads to one segment, and a segment to one number.
    fn key(&mut self, vtep: IpAddr, number: Number, key: i64) -> Result<(), String> {
        let vni = u32::try_from(key).ok().filter(|key| *key > 0).and_then(Vni::new);
        let vni = vni.ok_or_else(|| format!("the key {key} of its locator is no VNI: use 1 to {}", Vni::MAX))?;
        let other = |other: Number| {
            let name = self.wanted.segments.get(&other).map_or("another", |segment| &segment.name);
            format!("VNI {vni} of {vtep} is that of the logical switch {name} already")
        };
        let of_switch = Number { vni, ..number };
        if of_switch != number && self.wanted.segments.get(&of_switch).is_some_and(|segment| !segment.keyed_locators) {
            return Err(other(of_switch));
        }
        if let Some(&taken) = self.keyed.get(&(vtep, vni)).filter(|taken| **taken != number) {
            return Err(other(taken));
        }
        let segment = self.wanted.segments.get_mut(&number).ok_or("its logical switch has no place here")?;
        let used = segment.keys.get(&vtep).copied();
        let used = used.or_else(|| (self.keyed.get(&(vtep, number.vni)) == Some(&number)).then_some(number.vni));
        match used {
            Some(used) if used != vni => {
                return Err(format!(
                    "locators of several keys for {vtep} in one logical switch: {used} is used, not {vni}"
                ));
            }
            Some(_) => return Ok(()),
            None => {}
        }
        if vni != number.vni {
            segment.keys.insert(vtep, vni);
        }
        self.keyed.insert((vtep, vni), number);
        Ok(())
    }

    fn floods(&mut self) {
        let mut sets: BTreeMap<Number, BTreeSet<IpAddr>> = BTreeMap::new();
        let mut rows: Vec<_> = self.replica.mcast_remote.iter().collect();
        rows.sort_unstable_by_key(|(uuid, _)| **uuid);
        for (_, row) in rows {
            let Some((number, keyed)) = self.here(row.switch) else { continue };
            let name = || format!("{} in {number}", row.mac);
            if &*row.mac != UNKNOWN {
                let why = "flood lists of single groups are not supported; frames to the group flood as to unknown-dst";
                self.reject("Mcast_Macs_Remote", name(), why);
                continue;
            }
            let locators = self.replica.sets.get(&row.set).map(|set| &set.locators[..]).unwrap_or_default();
            let vteps = sets.entry(number).or_default();
            let mut refused = Vec::new();
            for &locator in locators {
                // A controller may list us among the members.
                let address = self.replica.locators.get(&locator).and_then(|row| row.address.parse().ok());
                if address.is_some_and(|address: IpAddr| self.facts.tunnel_ips().any(|own| own == address)) {
                    continue;
                }
                match self.vtep(locator, keyed.then_some(number)) {
                    Ok(vtep) => drop(vteps.insert(vtep)),
                    Err(why) => refused.push(why),
                }
            }
            refused.into_iter().for_each(|why| self.reject("Mcast_Macs_Remote", name(), why));
        }
        for (number, segment) in &mut self.wanted.segments {
            let everywhere = self
                .replica
                .switches
                .get(&segment.switch)
                .is_some_and(|switch| switch.mode.as_deref() == Some("source_node"));
            segment.flood = match (sets.remove(number), self.facts.fallback) {
                (Some(vteps), _) if everywhere => OverlayFlood::All(vteps.into_iter().collect()),
                (Some(nodes), _) => OverlayFlood::OneOf(nodes.into_iter().collect()),
                (None, FloodFallback::Macs) => OverlayFlood::All(segment.known.iter().copied().collect()),
                (None, FloodFallback::Off) => OverlayFlood::All(Vec::new()),
            };
        }
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

/// A name as we show it.
fn label(name: &str) -> String {
    name.chars().map(|c| if c.is_control() || c.is_whitespace() { '_' } else { c }).take(64).collect()
}
