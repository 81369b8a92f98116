//! What we have to say in the database: what should be there, less what is. Each group is a transaction of its own, so
//! that one that is refused does not hold up the others.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use config::types::{Mac, Tag};
use serde_json::{Value, json};

use super::datum::{Uuid, json_map, json_set};
use super::replica::Replica;
use super::rows::Text;
use super::transaction::Transaction;
use super::wanted::{Facts, Segment, UNKNOWN, Wanted};
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
    fn own_row(self) -> Option<(Uuid, &'a super::rows::PhysicalSwitch)> {
        self.replica.switch_named(&self.facts.name)
    }

    fn own_ports(self) -> impl Iterator<Item = (Uuid, &'a super::rows::PhysicalPort)> {
        let uuids = self.own_row().map(|(_, row)| &row.ports[..]).unwrap_or_default();
        uuids.iter().filter_map(move |uuid| Some((*uuid, self.replica.ports.get(uuid)?)))
    }

    fn switch(self, tx: &mut Transaction) {
        let Facts { name, ports, .. } = self.facts;
        let tunnel_ips: Vec<String> = self.facts.tunnel_ips().map(|ip| ip.to_string()).collect();
        let management: Vec<String> = self.ours.management.iter().map(|ip| ip.to_string()).collect();
        let texts = |texts: &[String]| json_set(texts.iter().map(|text| json!(text)));
        let mut columns = serde_json::Map::new();
        let Some((uuid, row)) = self.own_row() else {
            let ports: Vec<Value> =
                ports.iter().map(|(_, name)| tx.insert("Physical_Port", json!({ "name": name }))).collect();
            let row = json!({
                "name": name, "description": self.ours.description, "tunnel_ips": texts(&tunnel_ips),
                "management_ips": texts(&management), "ports": json_set(ports),
            });
            let switch = tx.insert("Physical_Switch", row);
            match self.replica.globals.keys().next() {
                Some(&global) => tx.mutate("Global", global, "switches", "insert", switch),
                None => drop(tx.insert("Global", json!({ "switches": switch }))),
            }
            return;
        };
        if *row.description != *self.ours.description {
            columns.insert("description".into(), json!(self.ours.description));
        }
        for (column, is, should) in
            [("tunnel_ips", &row.tunnel_ips, &tunnel_ips), ("management_ips", &row.management_ips, &management)]
        {
            if !same(is, should) {
                columns.insert(column.into(), texts(should));
            }
        }
        if !columns.is_empty() {
            tx.update("Physical_Switch", uuid, columns.into());
        }
        let there: HashMap<&str, Uuid> = self.own_ports().map(|(uuid, port)| (&*port.name, uuid)).collect();
        for (_, port) in ports.iter().filter(|(_, port)| !there.contains_key(port.as_str())) {
            let new = tx.insert("Physical_Port", json!({ "name": port }));
            tx.mutate("Physical_Switch", uuid, "ports", "insert", new);
        }
        // A port of another name that somebody has bound is left and marked; an idle one is a leftover of ours.
        let is_ours = |name: &str| ports.iter().any(|(_, port)| port == name);
        for (port, row) in self.own_ports() {
            if !is_ours(&row.name) && row.bindings.is_empty() && row.acls.is_empty() {
                tx.mutate("Physical_Switch", uuid, "ports", "delete", port.json());
            }
        }
        if !self.replica.globals.values().any(|global| global.switches.contains(&uuid))
            && let Some(&global) = self.replica.globals.keys().next()
        {
            tx.mutate("Global", global, "switches", "insert", uuid.json());
        }
    }

    fn managers(self, tx: &mut Transaction) {
        let (Some(should), Some((&global, row))) = (&self.ours.managers, self.replica.globals.iter().next()) else {
            return;
        };
        let is: Vec<(Uuid, &str)> =
            (row.managers.iter()).filter_map(|uuid| Some((*uuid, &*self.replica.managers.get(uuid)?.target))).collect();
        for (uuid, _) in is.iter().filter(|(_, target)| !should.iter().any(|one| one == target)) {
            tx.mutate("Global", global, "managers", "delete", uuid.json());
        }
        for target in should.iter().filter(|target| !is.iter().any(|(_, one)| one == target)) {
            let new = tx.insert("Manager", json!({ "target": target }));
            tx.mutate("Global", global, "managers", "insert", new);
        }
    }

    fn faults(self, tx: &mut Transaction) {
        let Some((uuid, row)) = self.own_row() else { return };
        let mut faults = BTreeSet::new();
        if self.ours.full {
            faults.insert("mac_table_exhaustion");
        }
        for rejected in &self.wanted.rejected {
            match rejected.table {
                "Physical_Port" => {}
                "Logical_Router" => drop(faults.insert("lr_support_fault")),
                _ => drop(faults.insert("unspecified_fault")),
            }
        }
        if self.ours.refused.iter().any(|refusal| !matches!(refusal.part, Part::Attachment(_))) {
            faults.insert("unspecified_fault");
        }
        set_faults(tx, "Physical_Switch", "switch_fault_status", uuid, &row.faults, &faults);
        for (uuid, port) in self.own_ports() {
            let index = self.facts.ports.iter().find(|(_, name)| **name == *port.name).map(|(index, _)| *index);
            let mut faults = BTreeSet::new();
            let refused =
                |refusal: &Refusal| matches!(refusal.part, Part::Attachment((port, _)) if Some(port) == index);
            if self.wanted.faulty.contains(&uuid) || self.ours.refused.iter().any(refused) {
                faults.insert("invalid_vlan_map");
            }
            if !port.acls.is_empty() {
                faults.insert("invalid_ACL_binding");
            }
            if index.is_some_and(|index| self.ours.down.contains(&index)) {
                faults.insert("unspecified_fault");
            }
            set_faults(tx, "Physical_Port", "port_fault_status", uuid, &port.faults, &faults);
        }
        let not_supported = BTreeSet::from(["unspecified_fault"]);
        for (uuid, row) in &self.replica.routers {
            set_faults(tx, "Logical_Router", "LR_fault_status", *uuid, &row.faults, &not_supported);
        }
        let bound: BTreeSet<Uuid> = self.own_ports().flat_map(|(_, port)| port.acls.values().copied()).collect();
        for uuid in bound {
            if let Some(row) = self.replica.acls.get(&uuid) {
                set_faults(tx, "ACL", "acl_fault_status", uuid, &row.faults, &not_supported);
            }
        }
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

    fn floods(self, tx: &mut Transaction) {
        let (Some(own), others) = (self.facts.tunnel_ips().next(), self.others()) else { return };
        let mut missing: BTreeMap<Uuid, Option<i64>> =
            self.segments().map(|(number, segment)| (segment.switch, Self::key(number, segment))).collect();
        let text = own.to_string();
        for (uuid, row) in &self.replica.mcast_local {
            let locators = self.replica.sets.get(&row.set).map(|set| &set.locators[..]).unwrap_or_default();
            if &*row.mac != UNKNOWN || !locators.iter().all(|&locator| self.is_mine(&others, locator)) {
                continue;
            }
            let is_right = |key: Option<i64>| match locators {
                [only] => self.replica.locators.get(only).is_some_and(|row| *row.address == *text && row.key == key),
                _ => false,
            };
            match missing.get(&row.switch).copied() {
                Some(key) if is_right(key) => drop(missing.remove(&row.switch)),
                _ => tx.delete("Mcast_Macs_Local", *uuid),
            }
        }
        for (switch, key) in missing.into_iter().take(MOST / 3) {
            let locator = tx.locator(self.replica, own, key);
            let set = tx.insert("Physical_Locator_Set", json!({ "locators": locator }));
            tx.insert(
                "Mcast_Macs_Local",
                json!({ "MAC": UNKNOWN, "logical_switch": switch.json(), "locator_set": set }),
            );
        }
    }

    fn macs(self, tx: &mut Transaction) {
        let (Some(own), others) = (self.facts.tunnel_ips().next(), self.others()) else { return };
        let rows: HashMap<Number, &Segment> = self.segments().collect();
        let mut missing: HashMap<(Uuid, Mac), Option<i64>> = (self.ours.locals.iter())
            .filter_map(|(number, mac)| {
                let segment = rows.get(number)?;
                Some(((segment.switch, *mac), Self::key(*number, segment)))
            })
            .collect();
        let text = own.to_string();
        for (uuid, row) in &self.replica.ucast_local {
            if tx.len() >= MOST {
                break;
            }
            if !self.is_mine(&others, row.locator) {
                continue;
            }
            let key = row.mac.parse().ok().map(|mac| (row.switch, mac));
            let should = key.and_then(|key| missing.remove(&key));
            let is_right = |key| {
                self.replica.locators.get(&row.locator).is_some_and(|row| *row.address == *text && row.key == key)
            };
            match should {
                Some(key) if is_right(key) => {}
                Some(key) => {
                    let locator = tx.locator(self.replica, own, key);
                    tx.update("Ucast_Macs_Local", *uuid, json!({ "locator": locator }));
                }
                None => tx.delete("Ucast_Macs_Local", *uuid),
            }
        }
        let room = MOST.saturating_sub(tx.len());
        for ((switch, mac), key) in missing.into_iter().take(room) {
            let locator = tx.locator(self.replica, own, key);
            let row = json!({ "MAC": mac.to_string(), "logical_switch": switch.json(), "locator": locator });
            tx.insert("Ucast_Macs_Local", row);
        }
    }

    /// A tunnel holds its remote locator fast, so it must go as soon as nobody else uses that.
    fn tunnels(self, tx: &mut Transaction) {
        let Some((uuid, row)) = self.own_row() else { return };
        let mut missing = self.wanted.remotes.clone();
        for (tunnel, at) in row.tunnels.iter().filter_map(|uuid| Some((*uuid, self.replica.tunnels.get(uuid)?))) {
            if !missing.remove(&at.remote) {
                tx.mutate("Physical_Switch", uuid, "tunnels", "delete", tunnel.json());
                continue;
            }
            let asked = at.bfd_params.get("enable").is_some_and(|enable| &**enable == "true");
            let should: BTreeMap<Text, Text> = match asked {
                true => [("enabled", "false"), ("info", "this gateway has no BFD")]
                    .map(|(k, v)| (k.into(), v.into()))
                    .into(),
                false => BTreeMap::new(),
            };
            if at.bfd_status != should {
                let pairs = should.iter().map(|(key, value)| (json!(key), json!(value)));
                tx.update("Tunnel", tunnel, json!({ "bfd_status": json_map(pairs) }));
            }
        }
        for remote in missing.into_iter().take(MOST / 3) {
            let address = self.replica.locators.get(&remote).and_then(|row| row.address.parse().ok());
            let own =
                self.facts.tunnel_ips().find(|own| address.is_some_and(|ip: IpAddr| ip.is_ipv4() == own.is_ipv4()));
            let Some(own) = own else { continue };
            let local = tx.locator(self.replica, own, None);
            let new = tx.insert("Tunnel", json!({ "local": local, "remote": remote.json() }));
            tx.mutate("Physical_Switch", uuid, "tunnels", "insert", new);
        }
    }

    fn statistics(self, tx: &mut Transaction) {
        let Some(passed) = &self.ours.passed else { return };
        let mut should: HashMap<Uuid, BTreeMap<i64, Passed>> = HashMap::new();
        for (_, segment) in self.segments() {
            for (tag, &port) in &segment.attachments {
                let vlan = if let Tag::Vlan(vid) = tag.1 { i64::from(vid.value()) } else { 0 };
                should.entry(port).or_default().insert(vlan, passed.get(tag).copied().unwrap_or_default());
            }
        }
        for (uuid, port) in self.own_ports() {
            let vlans = should.remove(&uuid).unwrap_or_default();
            for vlan in port.stats.keys().filter(|vlan| !vlans.contains_key(vlan)) {
                tx.mutate("Physical_Port", uuid, "vlan_stats", "delete", json!(vlan));
            }
            for (vlan, passed) in vlans {
                if tx.len() >= MOST {
                    return;
                }
                match port.stats.get(&vlan) {
                    Some(row) if self.ours.told.get(row) == Some(&passed) => {}
                    Some(row) => tx.update("Logical_Binding_Stats", *row, columns(passed)),
                    None => {
                        let new = tx.insert("Logical_Binding_Stats", columns(passed));
                        let pair = json_map([(json!(vlan), new)]);
                        tx.mutate("Physical_Port", uuid, "vlan_stats", "insert", pair);
                    }
                }
            }
        }
    }

    /// What the statistics in the database are once [`Group::Statistics`] has been taken.
    pub fn told_statistics(self) -> HashMap<Uuid, Passed> {
        let Some(passed) = &self.ours.passed else { return HashMap::new() };
        let attachments = self.segments().flat_map(|(_, segment)| &segment.attachments);
        let row = |(tag, port): (&PortTag, &Uuid)| {
            let vlan = if let Tag::Vlan(vid) = tag.1 { i64::from(vid.value()) } else { 0 };
            let row = self.replica.ports.get(port)?.stats.get(&vlan)?;
            Some((*row, passed.get(tag).copied().unwrap_or_default()))
        };
        attachments.filter_map(row).collect()
    }
}

fn columns(passed: Passed) -> Value {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    json!({
        "packets_from_local": number(passed.from_local.0), "bytes_from_local": number(passed.from_local.1),
        "packets_to_local": number(passed.to_local.0), "bytes_to_local": number(passed.to_local.1),
    })
}

fn set_faults(tx: &mut Transaction, table: &str, column: &str, row: Uuid, is: &[Text], should: &BTreeSet<&str>) {
    if is.iter().map(|text| &**text).collect::<BTreeSet<_>>() != *should {
        tx.update(table, row, json!({ column: json_set(should.iter().map(|text| json!(text))) }));
    }
}

fn same(is: &[Text], should: &[String]) -> bool {
    let is: BTreeSet<&str> = is.iter().map(|text| &**text).collect();
    is == should.iter().map(String::as_str).collect()
}
