//! What the operator asks control to do: another configuration, forgetting learned MACs.

use std::collections::HashSet;
use std::net::IpAddr;

use config::types::{Accept, Encap, Flood, Model, Port};

use super::compile::key;
use super::{Control, Nanos};
use crate::frame::PortId;
use crate::tables::Way;

/// Which learned MACs to forget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flush {
    /// All.
    All,
    /// Those of a segment, by its name.
    Segment(String),
    /// Those on a port, by its name.
    Port(String),
    /// Those behind a VTEP, whatever the encapsulation.
    Vtep(IpAddr),
}

/// There is nothing of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName(pub String);

impl std::fmt::Display for UnknownName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "there is no {} in the configuration in force", self.0)
    }
}

/// Parts of a new configuration that only a restart can put in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeedsRestart(pub Vec<String>);

impl std::fmt::Display for NeedsRestart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "restart the gateway to change {}; until then it runs as before", self.0.join(", "))
    }
}

impl Control {
    /// Goes over to another configuration while frames flow (CONFORMANCE CTL2, BUM3): what is in both keeps its numbers,
    /// MACs and counters; what is gone takes its MACs along. Settle afterwards.
    ///
    /// # Errors
    ///
    /// When it needs other devices, workers or memory; nothing is changed then.
    pub fn reload(&mut self, model: Model, now: Nanos) -> Result<(), NeedsRestart> {
        let parts = fixed_parts_that_differ(self.configured(), &model);
        if !parts.is_empty() {
            return Err(NeedsRestart(parts));
        }
        let any = |encap| {
            let accepts = |segment: &config::types::Segment| match encap {
                Encap::Vxlan => segment.accept == Accept::Any && segment.vxlan.is_some(),
                Encap::Geneve => segment.accept == Accept::Any && segment.geneve.is_some(),
            };
            model.segments.iter().any(accepts)
        };
        let (vxlan, geneve, listed) = (any(Encap::Vxlan), any(Encap::Geneve), listed(&model));
        self.strangers.retain(|stranger| {
            let accepted = if stranger.encap == Encap::Vxlan { vxlan } else { geneve };
            accepted && !listed.contains(stranger)
        });
        match &mut self.file {
            Some(file) => *file = model,
            None => self.model = model,
        }
        self.recompile(now);
        Ok(())
    }

    /// Forgets learned MACs (CONFORMANCE L2l) and says how many.
    ///
    /// # Errors
    ///
    /// When nothing has that name.
    pub fn flush(&mut self, which: &Flush) -> Result<usize, UnknownName> {
        let Self { fdb, plan, model, changed, .. } = self;
        match which {
            Flush::All => fdb.flush(|_, _| true, changed),
            Flush::Segment(name) => {
                let index = model.segments.iter().position(|segment| segment.name == *name);
                let id = plan.segments[index.ok_or_else(|| UnknownName(format!("VNI '{name}'")))?];
                fdb.flush(|key, _| key.segment() == id, changed);
            }
            Flush::Port(name) => {
                let index = model.ports.iter().position(|port| port.name == *name);
                let port = PortId(index.ok_or_else(|| UnknownName(format!("port '{name}'")))? as u8);
                let ways = &plan.tables.endpoints;
                let is_there = |way: &Way| matches!(way, Way::Attachment(attachment) if attachment.port == port);
                fdb.flush(|_, place| is_there(&ways[place.endpoint.index()].way), changed);
            }
            Flush::Vtep(address) => {
                let ways = &plan.tables.endpoints;
                let is_there = |way: &Way| matches!(way, Way::Tunnel(tunnel) if tunnel.remote == *address);
                if !ways.iter().any(|endpoint| is_there(&endpoint.way)) {
                    return Err(UnknownName(format!("VTEP {address}")));
                }
                fdb.flush(|_, place| is_there(&ways[place.endpoint.index()].way), changed);
            }
        }
        let forgotten = self.changed.len();
        self.publish();
        Ok(forgotten)
    }
}

/// The tunnels that a model names.
pub(super) fn listed(model: &Model) -> HashSet<crate::tables::TunnelKey> {
    let floods = model.segments.iter().filter_map(|segment| match &segment.flood {
        Flood::Vteps(remotes) => Some(remotes),
        Flood::Group { .. } => None,
    });
    let statics = model.segments.iter().flat_map(super::compile::other_remotes);
    floods.flatten().copied().chain(statics).map(key).collect()
}

fn fixed_parts_that_differ(old: &Model, new: &Model) -> Vec<String> {
    let mut parts = Vec::new();
    if old.workers != new.workers {
        parts.push("workers".into());
    }
    if old.memory != new.memory {
        parts.push("memory".into());
    }
    if old.fdb_size != new.fdb_size {
        parts.push("fdb_size".into());
    }
    if old.vtep.namespace != new.vtep.namespace {
        parts.push("vtep.namespace".into());
    }
    if old.control != new.control {
        parts.push("control".into());
    }
    let names = |model: &Model| model.ports.iter().map(|port| port.name.clone()).collect::<Vec<_>>();
    if names(old) != names(new) {
        parts.push("the list of ports".into());
        return parts;
    }
    let device = |port: &Port| {
        let twin = port.underlay.as_ref().map(|u| (u.twin.clone(), u.vlan, u.addresses.clone(), u.gateways.clone()));
        (port.device.clone(), port.mtu, port.rx_queues, port.descriptors, port.offload, twin)
    };
    let differ = old.ports.iter().zip(&new.ports).filter(|(old, new)| device(old) != device(new));
    parts.extend(differ.map(|(port, _)| format!("port {}", port.name)));
    parts
}
