//! What FRR says through the kernel, and what control was told of it: plain tables, no socket.
//!
//! The kernel keeps a remote MAC twice: in the bridge's table (on which port it is) and in the VXLAN device's (behind which
//! VTEP). Neither alone tells the truth: the VXLAN entry is left behind when a MAC comes to one of our ports, and is not
//! told again when the MAC leaves to the same VTEP. So a MAC is remote while the bridge has it on the VXLAN device, and
//! the other table says where.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use config::types::{Encap, Mac, Vni};

use super::codec::{Heard, Role, Step};
use crate::complain;
use crate::control::overlay::{Change, Number, OverlayFlood, OverlaySegment, RemoteMac};
use crate::inform;

/// How long FRR may take, once the first VTEP is back, to tell the rest.
const RESYNC: Duration = Duration::from_secs(10);

/// How long a withdrawal waits for what belongs to it: zebra takes MACs and VTEPs away one by one, and only the whole tells
/// whether a peer has gone or BGP.
const SETTLE: Duration = Duration::from_millis(100);

/// All VNIs.
#[derive(Debug)]
pub(super) struct Mirror {
    vnis: BTreeMap<Vni, Fabric>,
    /// Which VNI a device is of, by its index.
    devices: HashMap<u32, (Vni, Role)>,
    /// How long what is withdrawn all at once stays in force.
    hold: Duration,
    /// All VTEPs went at once: until then nothing is taken away.
    held_until: Option<Instant>,
    /// Something is withdrawn: control is told then.
    settles: Option<Instant>,
    told_segments: Vec<OverlaySegment>,
    told_stale: bool,
}

/// One VNI.
#[derive(Debug, Default)]
struct Fabric {
    /// What the operator calls it.
    name: String,
    /// Bridge table: MACs on the VXLAN device, and whether they are sticky.
    on_vxlan: HashMap<Mac, bool>,
    /// Bridge table: MACs on our port.
    on_port: HashSet<Mac>,
    /// VXLAN table.
    behind: HashMap<Mac, IpAddr>,
    neighbours: HashMap<IpAddr, Mac>,
    /// VTEPs that take part: where it floods.
    flood: BTreeSet<IpAddr>,
    /// MACs on the gateway's own ports.
    locals: HashSet<Mac>,
    told_macs: Told<Mac, RemoteMac>,
    told_neighbours: Told<IpAddr, Mac>,
    told_flood: BTreeSet<IpAddr>,
    /// MACs told by VTEP.
    vteps: BTreeMap<IpAddr, usize>,
}

/// What control was told, and what may have changed since.
#[derive(Debug)]
struct Told<K, V> {
    told: HashMap<K, V>,
    dirty: HashSet<K>,
}

impl<K, V> Default for Told<K, V> {
    fn default() -> Self {
        Self { told: HashMap::new(), dirty: HashSet::new() }
    }
}

impl<K: Hash + Eq + Copy, V: PartialEq + Copy> Told<K, V> {
    /// Tells what differs from `now`; what is gone now but is kept (`keeps`) is looked at again the next time.
    fn tell(
        &mut self,
        now: impl Fn(&K) -> Option<V>,
        keeps: impl Fn(&K) -> bool,
        mut news: impl FnMut(K, Option<V>, Option<V>),
    ) {
        let Self { told, dirty } = self;
        dirty.retain(|key| {
            let (old, new) = (told.get(key).copied(), now(key));
            if old == new {
                return false;
            }
            if new.is_none() && keeps(key) {
                return true;
            }
            match new {
                Some(new) => _ = told.insert(*key, new),
                None => _ = told.remove(key),
            }
            news(*key, old, new);
            false
        });
    }
}

impl Mirror {
    /// Nothing known. What goes all at once is kept for `hold`; zero keeps nothing.
    pub fn new(hold: Duration) -> Self {
        Self {
            vnis: BTreeMap::new(),
            devices: HashMap::new(),
            hold,
            held_until: None,
            settles: None,
            told_segments: Vec::new(),
            told_stale: false,
        }
    }

    /// A VNI with its devices: index and role of each.
    pub fn add(&mut self, vni: Vni, name: &str, devices: [(u32, Role); 3]) {
        self.devices.extend(devices.map(|(index, role)| (index, (vni, role))));
        self.vnis.insert(vni, Fabric { name: name.to_owned(), ..Fabric::default() });
    }

    /// A VNI is gone, its devices too.
    pub fn remove(&mut self, vni: Vni) {
        self.devices.retain(|_, (of, _)| *of != vni);
        self.vnis.remove(&vni);
    }

    /// Whose device this is.
    pub fn device(&self, index: u32) -> Option<(Vni, Role)> {
        self.devices.get(&index).copied()
    }

    /// Everything is about to be read anew.
    pub fn forget(&mut self) {
        for fabric in self.vnis.values_mut() {
            let Fabric { told_macs, told_neighbours, .. } = fabric;
            told_macs.dirty.extend(told_macs.told.keys());
            told_neighbours.dirty.extend(told_neighbours.told.keys());
            fabric.on_vxlan.clear();
            fabric.on_port.clear();
            fabric.behind.clear();
            fabric.flood.clear();
            fabric.neighbours.clear();
        }
    }

    /// Takes in what the kernel told.
    pub fn hear(&mut self, heard: &Heard) {
        match *heard {
            Heard::Bridge { vni, role, mac, sticky, gone } => {
                let Some(fabric) = self.vnis.get_mut(&vni) else { return };
                fabric.told_macs.dirty.insert(mac);
                match (role, gone) {
                    (Role::Vxlan, false) => {
                        // The kernel tells no end of the place on our port: this is it.
                        fabric.on_port.remove(&mac);
                        fabric.on_vxlan.insert(mac, sticky);
                    }
                    (Role::Vxlan, true) => _ = fabric.on_vxlan.remove(&mac),
                    (_, false) => {
                        fabric.on_vxlan.remove(&mac);
                        fabric.on_port.insert(mac);
                    }
                    (_, true) => _ = fabric.on_port.remove(&mac),
                }
            }
            Heard::Behind { vni, mac, vtep, gone } => {
                let Some(fabric) = self.vnis.get_mut(&vni) else { return };
                fabric.told_macs.dirty.insert(mac);
                if !gone {
                    fabric.behind.insert(mac, vtep);
                } else if fabric.behind.get(&mac) == Some(&vtep) {
                    fabric.behind.remove(&mac);
                }
            }
            Heard::Flood { vni, vtep, gone } => {
                let Some(fabric) = self.vnis.get_mut(&vni) else { return };
                if gone {
                    fabric.flood.remove(&vtep)
                } else {
                    fabric.flood.insert(vtep)
                };
            }
            Heard::Neighbour { vni, address, mac } => {
                let Some(fabric) = self.vnis.get_mut(&vni) else { return };
                fabric.told_neighbours.dirty.insert(address);
                match mac {
                    Some(mac) => fabric.neighbours.insert(address, mac),
                    None => fabric.neighbours.remove(&address),
                };
            }
        }
    }

    /// The gateway has a MAC on one of its own ports, or no longer. Returns what to ask of the kernel.
    pub fn local(&mut self, vni: Vni, mac: Mac, here: bool) -> Option<Step> {
        let fabric = self.vnis.get_mut(&vni)?;
        if !here {
            fabric.locals.remove(&mac);
            return fabric.on_port.contains(&mac).then_some(Step::Remove(vni, mac));
        }
        fabric.locals.insert(mac);
        // FRR keeps a sticky MAC where it is whatever the kernel says: the two would disagree for ever.
        let sticky = fabric.on_vxlan.get(&mac) == Some(&true);
        (!sticky && !fabric.on_port.contains(&mac)).then_some(Step::Put(vni, mac))
    }

    /// The local MACs of a VNI are about to be told from the start; until then there are none.
    pub fn afresh(&mut self, vni: Vni) -> Vec<Step> {
        let Some(fabric) = self.vnis.get_mut(&vni) else { return Vec::new() };
        fabric.locals.clear();
        fabric.on_port.iter().map(|&mac| Step::Remove(vni, mac)).collect()
    }

    /// Local MACs that the kernel lacks, after everything was read anew.
    pub fn missing(&self) -> Vec<Step> {
        let vnis = self.vnis.iter();
        vnis.flat_map(|(&vni, fabric)| {
            let gone = |mac: &&Mac| !fabric.on_port.contains(mac) && !fabric.on_vxlan.contains_key(mac);
            fabric.locals.iter().filter(gone).map(move |&mac| Step::Put(vni, mac))
        })
        .collect()
    }

    /// When [`Self::change`] has something to say though nothing is heard.
    pub fn deadline(&self) -> Option<Instant> {
        self.held_until.into_iter().chain(self.settles).min()
    }

    /// What is new for control since it was told last.
    pub fn change(&mut self, now: Instant) -> Change {
        let held = self.held_until.is_some();
        let holds = self.holds(now);
        let keeps = match held || holds {
            // What was held has waited long enough.
            true => {
                self.settles = None;
                holds
            }
            false => self.settles(now),
        };
        let mut change = Change::default();
        for (&vni, fabric) in &mut self.vnis {
            let number = Number { encap: Encap::Vxlan, vni };
            fabric.tell(number, keeps, &mut change);
        }
        let segments: Vec<_> = self.vnis.iter().map(|(&vni, fabric)| fabric.segment(vni)).collect();
        if segments != self.told_segments {
            self.told_segments.clone_from(&segments);
            change.segments = Some(segments);
        }
        if holds != self.told_stale {
            self.told_stale = holds;
            change.stale = Some(holds);
        }
        change
    }

    /// True while a withdrawal waits for what belongs to it.
    fn settles(&mut self, now: Instant) -> bool {
        match self.settles {
            Some(until) if until <= now => self.settles = None,
            None if self.vnis.values().any(Fabric::withdraws) => self.settles = Some(now + SETTLE),
            _ => {}
        }
        self.settles.is_some()
    }

    /// True while what is withdrawn stays in force. All VTEPs of all VNIs never leave at once but when BGP itself is gone:
    /// when bgpd ends, zebra takes everything away within milliseconds, and the fabric goes on without it.
    fn holds(&mut self, now: Instant) -> bool {
        let empty = self.vnis.values().all(|fabric| fabric.flood.is_empty());
        let told = self.vnis.values().any(|fabric| !fabric.told_flood.is_empty());
        match self.held_until {
            None if empty && told && !self.hold.is_zero() => {
                complain!(
                    warn,
                    "all VTEPs were withdrawn at once, and are kept for a while",
                    "see whether bgpd runs and has peers";
                    controller = "evpn", seconds = self.hold.as_secs()
                );
                self.held_until = Some(now + self.hold);
            }
            Some(until) if until <= now => {
                inform!("what FRR has not said again is forgotten"; controller = "evpn");
                self.held_until = None;
                // What was kept goes now, and must not be kept once more.
                if empty {
                    self.vnis.values_mut().for_each(|fabric| fabric.told_flood.clear());
                }
            }
            Some(until) if !empty => self.held_until = Some(until.min(now + RESYNC)),
            _ => {}
        }
        self.held_until.is_some()
    }
}

impl Fabric {
    /// The MAC is behind a VTEP, by both tables.
    fn is_remote(&self, mac: &Mac) -> bool {
        self.on_vxlan.contains_key(mac) && self.behind.contains_key(mac)
    }

    /// True when something that was told is no longer.
    fn withdraws(&self) -> bool {
        let macs = &self.told_macs;
        let went = |mac: &Mac| macs.told.contains_key(mac) && !self.is_remote(mac) && !self.on_port.contains(mac);
        !self.told_flood.is_subset(&self.flood) || macs.dirty.iter().any(went)
    }

    fn tell(&mut self, number: Number, keeps: bool, change: &mut Change) {
        let Self { on_vxlan, on_port, behind, neighbours, vteps, told_macs, told_neighbours, .. } = self;
        let remote = |mac: &Mac| {
            let moves = !*on_vxlan.get(mac)?;
            Some(RemoteMac { vtep: *behind.get(mac)?, moves })
        };
        // A MAC that came to one of our ports is nowhere else.
        told_macs.tell(
            remote,
            |mac| keeps && !on_port.contains(mac),
            |mac, old, new| {
                if let Some(old) = old
                    && let Some(count) = vteps.get_mut(&old.vtep)
                {
                    *count -= 1;
                    if *count == 0 {
                        vteps.remove(&old.vtep);
                    }
                }
                if let Some(new) = new {
                    *vteps.entry(new.vtep).or_default() += 1;
                }
                change.macs.push((number, mac, new));
            },
        );
        let neighbour = |address: &IpAddr| neighbours.get(address).copied();
        told_neighbours.tell(neighbour, |_| keeps, |address, _, new| change.neighbours.push((number, address, new)));
        if keeps {
            self.told_flood.extend(&self.flood);
        } else {
            self.told_flood.clone_from(&self.flood);
        }
    }

    fn segment(&self, vni: Vni) -> OverlaySegment {
        let known = self.vteps.keys().filter(|vtep| !self.told_flood.contains(vtep)).copied();
        OverlaySegment {
            number: Number { encap: Encap::Vxlan, vni },
            name: self.name.clone(),
            attachments: Vec::new(),
            flood: OverlayFlood::All(self.told_flood.iter().copied().collect()),
            known: known.collect(),
            learns_from_tunnels: false,
            answers: false,
            keys: Default::default(),
        }
    }
}

#[cfg(test)]
#[path = "mirror_tests.rs"]
mod tests;
