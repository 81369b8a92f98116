//! What the operator asks control to do: another configuration, forgetting learned MACs.

use std::collections::HashSet;

use config::types::{Accept, Encap, Flood, Model, Port};

use super::compile::key;
use super::fdb::Record;
use super::{Control, FdbFilter, Nanos};
use crate::tables::FdbKey;

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

    /// Forgets the learned MACs that fit (CONFORMANCE L2l: others stay) and says how many.
    ///
    /// # Errors
    ///
    /// When nothing has that name.
    pub fn flush(&mut self, which: &FdbFilter) -> Result<usize, UnknownName> {
        self.knows(which)?;
        let fits = |(key, record): &(FdbKey, &Record)| record.is_learned() && self.fits(which, *key, record);
        let keys: Vec<FdbKey> = self.fdb.iter().filter(fits).map(|(key, _)| key).collect();
        self.fdb.forget(&keys, &mut self.changed);
        let forgotten = self.changed.len();
        self.publish();
        Ok(forgotten)
    }

    /// Refuses names that nothing has.
    fn knows(&self, filter: &FdbFilter) -> Result<(), UnknownName> {
        let Model { segments, ports, .. } = &self.model;
        let vni = filter.vni.as_ref().filter(|name| !segments.iter().any(|segment| segment.name == **name));
        let port = filter.port.as_ref().filter(|name| !ports.iter().any(|port| port.name == **name));
        let vtep = filter.vtep.filter(|address| !self.plan.tunnels.keys().any(|key| key.remote == *address));
        match (vni, port, vtep) {
            (Some(name), ..) => Err(UnknownName(format!("VNI '{name}'"))),
            (_, Some(name), _) => Err(UnknownName(format!("port '{name}'"))),
            (.., Some(address)) => Err(UnknownName(format!("VTEP {address}"))),
            (None, None, None) => Ok(()),
        }
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
    if old.api != new.api {
        parts.push("api".into());
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
