//! The Linux side of the underlay: the twins, what the kernel knows of routes and neighbours, and group memberships.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use config::types::{Model, Port};
use crossbeam::channel::{Receiver, never};
use gateway::complain;
use gateway::control::{Hop, PortFacts, Resolution};
use gateway::frame::PortId;
use gateway::inform;
use gateway::source::error::UnderlayError;
use gateway::source::membership::Membership;
use gateway::source::namespace::Namespace;
use gateway::source::netlink::Resolution as Kernels;
use gateway::source::netlink::{Change, Follower, Keeper, NextHop, UnderlayEvent, UnderlayState};
use gateway::source::twin::{Twin, TwinOptions};

/// Everything of the underlay that Linux has for us. Dropping it takes it away again.
pub struct Underlay {
    /// What the kernel tells.
    pub events: Receiver<UnderlayEvent>,
    memberships: BTreeMap<(PortId, IpAddr), Option<Membership>>,
    follower: Option<Follower>,
    twins: BTreeMap<PortId, Arc<Twin>>,
    state: UnderlayState,
    wanted: BTreeSet<IpAddr>,
    kept: BTreeSet<NextHop>,
}

impl Underlay {
    /// Makes the twins that `model` asks for and follows the kernel where there are any.
    pub fn open(model: &Model, facts: &[PortFacts]) -> Result<Self, String> {
        let namespace = Namespace::new(model.vtep.namespace.as_deref());
        let mut twins = BTreeMap::new();
        for (index, (port, facts)) in model.ports.iter().zip(facts).enumerate() {
            let Some(underlay) = &port.underlay else { continue };
            let Some(name) = &underlay.twin else { continue };
            let options = TwinOptions {
                name: name.clone(),
                namespace: namespace.clone(),
                mac: facts.mac,
                mtu: facts.mtu,
                addresses: underlay.addresses.clone(),
                gateways: underlay.gateways.clone(),
            };
            let twin = Twin::open(&options).map_err(|error| format!("port {}: {error}", port.name))?;
            twins.insert(PortId(index as u8), Arc::new(twin));
        }
        let (follower, events) = match twins.is_empty() {
            true => (None, never()),
            false => {
                let names = twins.iter().map(|(port, twin)| (*port, twin.name().to_owned()));
                let (follower, events) = Follower::open(&namespace, names).map_err(|error| error.to_string())?;
                (Some(follower), events)
            }
        };
        Ok(Self {
            events,
            memberships: BTreeMap::new(),
            follower,
            twins,
            state: UnderlayState::new(),
            wanted: BTreeSet::new(),
            kept: BTreeSet::new(),
        })
    }

    /// The twins, by port.
    pub fn twins(&self) -> impl Iterator<Item = (PortId, &Arc<Twin>)> {
        self.twins.iter().map(|(port, twin)| (*port, twin))
    }

    /// Gives the twins what another configuration says, while they are in use: addresses, gateways, MTU.
    ///
    /// # Errors
    /// One sentence with the cure; the twins are as before then.
    pub fn change(&self, old: &Model, new: &Model) -> Result<(), String> {
        for (at, (port, twin)) in self.twins.iter().enumerate() {
            if let Err(error) = give(twin, &new.ports[port.index()]) {
                for (port, twin) in self.twins.iter().take(at) {
                    let port = &old.ports[port.index()];
                    if let Err(error) = give(twin, port) {
                        let cure = "restart the gateway, or set its addresses, routes and MTU with 'ip'";
                        complain!(error, "a twin cannot be put back as it was", cure; port = port.name, error = error);
                    }
                }
                return Err(format!("port {}: {error}", new.ports[port.index()].name));
            }
        }
        Ok(())
    }

    /// Takes in `first` and whatever else the kernel told meanwhile. Returns how VTEPs are reached now, when that may
    /// have changed.
    pub fn apply(&mut self, first: UnderlayEvent) -> Vec<(IpAddr, Resolution)> {
        let mut changed = false;
        for event in std::iter::once(first).chain(self.events.try_iter()) {
            if let UnderlayEvent::Lost(why) = &event {
                complain!(
                    warn,
                    "routes and neighbours cannot be read, and what was known stays in force meanwhile",
                    "it is tried again; if it goes on, restart the gateway";
                    error = why
                );
            }
            changed |= self.state.apply(event) != Change::None;
        }
        if changed { self.resolve() } else { Vec::new() }
    }

    /// From now on these VTEPs are of interest. Returns how they are reached.
    pub fn want(&mut self, vteps: BTreeSet<IpAddr>) -> Vec<(IpAddr, Resolution)> {
        self.wanted = vteps;
        self.resolve()
    }

    /// How every VTEP of interest is reached; the kernel is asked to keep their next hops resolved.
    fn resolve(&mut self) -> Vec<(IpAddr, Resolution)> {
        let answers: Vec<_> = self.wanted.iter().map(|&vtep| (vtep, self.state.resolve(vtep))).collect();
        let hops: BTreeSet<_> = answers.iter().flat_map(|(_, answer)| answer.next_hops()).collect();
        if let Some(keeper) = self.follower.as_ref().map(Follower::keeper).filter(|_| hops != self.kept) {
            Keeper::want(&keeper, hops.clone());
            self.kept = hops;
        }
        answers.into_iter().map(|(vtep, answer)| (vtep, resolution(vtep, answer))).collect()
    }

    /// Those of some VTEPs that the kernel knows no way to; none where no kernel is asked.
    pub fn routeless(&self, vteps: BTreeSet<IpAddr>) -> Vec<IpAddr> {
        let asked = vteps.into_iter().filter(|_| self.follower.is_some());
        asked.filter(|&vtep| matches!(self.state.resolve(vtep), Kernels::NoRoute)).collect()
    }

    /// Is a member of these groups from now on, and of no others.
    pub fn join(&mut self, groups: &BTreeSet<(PortId, IpAddr)>) {
        self.memberships.retain(|group, _| groups.contains(group));
        for &(port, group) in groups {
            let Some(twin) = self.twins.get(&port) else { continue };
            self.memberships.entry((port, group)).or_insert_with(|| {
                let complain = |error: &UnderlayError| {
                    let cure = "give the twin a route for multicast; it is tried again until it works";
                    complain!(warn, "an underlay group cannot be joined", cure; group = group, error = error);
                };
                twin.join(group).inspect_err(complain).ok()
            });
        }
    }

    /// Tries again to join where that failed.
    pub fn retry(&mut self) {
        for (&(port, group), membership) in self.memberships.iter_mut().filter(|(_, membership)| membership.is_none()) {
            *membership = self.twins.get(&port).and_then(|twin| twin.join(group).ok());
            if membership.is_some() {
                inform!("an underlay group was joined after all"; group = group);
            }
        }
    }

    /// Passes on the link state of a port.
    pub fn set_carrier(&self, port: PortId, on: bool) {
        if let Some(twin) = self.twins.get(&port)
            && let Err(error) = twin.set_carrier(on)
        {
            complain!(
                warn,
                "the kernel does not hear of a port's link",
                "set it with 'ip link set dev TWIN carrier on' or 'off'";
                port = port.0, up = on, error = error
            );
        }
    }
}

/// What the configuration of a port says of its twin.
fn give(twin: &Twin, port: &Port) -> Result<(), UnderlayError> {
    let Some(underlay) = &port.underlay else { return Ok(()) };
    twin.change(&underlay.addresses, &underlay.gateways, port.mtu)
}

/// The kernel's answer in control's words.
fn resolution(vtep: IpAddr, answer: Kernels) -> Resolution {
    match answer {
        Kernels::NoRoute => Resolution::NoRoute,
        Kernels::Hops(hops) => Resolution::Hops(
            hops.into_iter()
                .map(|hop| {
                    let gateway = Some(hop.gateway).filter(|&gateway| gateway != vtep);
                    Hop { port: hop.port, mac: hop.mac, gateway, weight: hop.weight }
                })
                .collect(),
        ),
    }
}
