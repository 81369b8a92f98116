//! What the operator asks control to do: another configuration, forgetting learned MACs.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use config::types::{Accept, Controllers, Encap, Memory, Model, Ovsdb, OvsdbDatabase, Port, Vtep};

use super::compile::Remotes;
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

/// Parts of a new configuration that only a restart can put in force, by their paths in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeedsRestart(pub Vec<String>);

impl std::fmt::Display for NeedsRestart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "restart the gateway to change {}; until then it runs as before", self.0.join(", "))
    }
}

impl Control {
    /// Whether a configuration can be put in force without a restart.
    ///
    /// # Errors
    ///
    /// What it cannot change.
    pub fn would_take(&self, model: &Model) -> Result<(), NeedsRestart> {
        let parts = fixed_parts(&self.start, model);
        if parts.is_empty() { Ok(()) } else { Err(NeedsRestart(parts)) }
    }

    /// Goes over to another configuration while frames flow (CONFORMANCE CTL2, BUM3): what is in both keeps its numbers,
    /// MACs and counters; what is gone takes its MACs along. Settle afterwards.
    ///
    /// # Errors
    ///
    /// When it needs other devices, workers or memory; nothing is changed then.
    pub fn reload(&mut self, model: impl Into<Arc<Model>>, now: Nanos) -> Result<(), NeedsRestart> {
        let model = model.into();
        self.would_take(&model)?;
        let any = |encap| {
            let accepts = |segment: &config::types::Segment| match encap {
                Encap::Vxlan => segment.accept == Accept::Any && segment.vxlan.is_some(),
                Encap::Geneve => segment.accept == Accept::Any && segment.geneve.is_some(),
            };
            model.segments.iter().any(accepts)
        };
        self.remotes = Remotes::of(&model);
        let (vxlan, geneve, listed) = (any(Encap::Vxlan), any(Encap::Geneve), self.remotes.listed(&model));
        self.strangers.retain(|stranger| {
            let accepted = if stranger.encap == Encap::Vxlan { vxlan } else { geneve };
            accepted && !listed.contains(stranger)
        });
        (self.model, self.file) = (model, None);
        self.recompile(true, now);
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
        let Model { segments, ports, .. } = &*self.model;
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

/// A copy of a model but for its segments.
pub(super) fn without_segments(model: &Model) -> Model {
    let Model {
        workers,
        memory,
        vtep,
        api,
        reload,
        state,
        fdb_size,
        ports,
        segments: _,
        access_lists,
        control,
        metrics,
    } = model;
    Model {
        workers: workers.clone(),
        memory: memory.clone(),
        vtep: vtep.clone(),
        api: api.clone(),
        reload: reload.clone(),
        state: state.clone(),
        fdb_size: *fdb_size,
        ports: ports.clone(),
        segments: Vec::new(),
        access_lists: access_lists.clone(),
        control: control.clone(),
        metrics: metrics.clone(),
    }
}

/// The VTEPs of a model whose next hops the kernel is asked for.
pub fn next_hops_of(model: &Model) -> BTreeSet<IpAddr> {
    let asks = !model.ports.iter().any(|port| port.underlay.as_ref().is_some_and(|underlay| underlay.via.is_some()));
    let Vtep { source_v4, source_v6, .. } = &model.vtep;
    let has_source = |vtep: &IpAddr| if vtep.is_ipv4() { source_v4.is_some() } else { source_v6.is_some() };
    Remotes::of(model).listed(model).into_iter().map(|key| key.remote).filter(|vtep| asks && has_source(vtep)).collect()
}

/// The parts of `new` that only a restart can put in force in a gateway that was started with `old`, by their paths in the
/// file.
pub fn fixed_parts(old: &Model, new: &Model) -> Vec<String> {
    let mut parts = Vec::new();
    let mut differ = |path: &str, differs: bool| {
        if differs {
            parts.push(path.to_owned());
        }
    };
    differ("workers.cores", old.workers.cores != new.workers.cores);
    differ("workers.idle", old.workers.idle != new.workers.idle);
    differ("workers.burst", old.workers.burst != new.workers.burst);
    differ("workers.flood_copies", old.workers.flood_copies != new.workers.flood_copies);
    let Memory { huge_pages, buffers, buffer_size, file_prefix, shared } = &new.memory;
    differ("memory.huge_pages", old.memory.huge_pages != *huge_pages);
    differ("memory.buffers", old.memory.buffers != *buffers);
    // Buffers that are larger than they need be will do.
    differ("memory.buffer_size", *buffer_size > old.memory.buffer_size);
    differ("memory.file_prefix", old.memory.file_prefix != *file_prefix);
    differ("memory.shared", old.memory.shared != *shared);
    differ("api", old.api != new.api);
    differ("state", old.state != new.state);
    differ("fdb.size", old.fdb_size != new.fdb_size);
    differ("vtep.namespace", old.vtep.namespace != new.vtep.namespace);
    controllers(&old.control, &new.control, &mut differ);
    let find = |model: &'_ Model, name: &str| model.ports.iter().position(|port| port.name == name);
    for port in new.ports.iter().filter(|port| find(old, &port.name).is_none()) {
        differ(&format!("ports[{}]", port.name), true);
    }
    let (mut gone, mut last) = (false, None);
    for before in &old.ports {
        let Some(place) = find(new, &before.name) else {
            gone = true;
            continue;
        };
        // A port's number is its place in the list.
        gone |= last.replace(place).is_some_and(|last| last > place);
        port(before, &new.ports[place], &mut differ);
    }
    differ("ports", gone);
    parts
}

/// A controller's connection is set up once; what it may say changes at any time.
fn controllers(old: &Controllers, new: &Controllers, differ: &mut impl FnMut(&str, bool)) {
    differ("control.ovsdb", old.ovsdb.is_some() != new.ovsdb.is_some());
    if let (Some(old), Some(new)) = (&old.ovsdb, &new.ovsdb) {
        let directory = |one: &Ovsdb| match &one.database {
            OvsdbDatabase::Embedded { directory, tls } => Some((directory.clone(), tls.clone())),
            OvsdbDatabase::Unix(_) | OvsdbDatabase::Tcp(..) => None,
        };
        match (directory(old), directory(new)) {
            (Some(old), Some(new)) => {
                differ("control.ovsdb.directory", old.0 != new.0);
                differ("control.ovsdb.tls", old.1 != new.1);
            }
            _ => differ("control.ovsdb.database", old.database != new.database),
        }
        differ("control.ovsdb.physical_switch", old.physical_switch != new.physical_switch);
    }
    differ("control.evpn", old.evpn.is_some() != new.evpn.is_some());
    if let (Some(old), Some(new)) = (&old.evpn, &new.evpn) {
        differ("control.evpn.namespace", old.namespace != new.namespace);
        differ("control.evpn.udp_port", old.udp_port != new.udp_port);
        differ("control.evpn.hold", old.hold != new.hold);
    }
}

fn port(old: &Port, new: &Port, differ: &mut impl FnMut(&str, bool)) {
    let mut part = |name: &str, differs: bool| differ(&format!("ports[{}].{name}", old.name), differs);
    part("device", old.device != new.device);
    // Below what the device was opened for it is a matter of our own.
    part("mtu", new.mtu > old.mtu);
    part("rx_queues", old.rx_queues != new.rx_queues);
    part("descriptors", old.descriptors != new.descriptors);
    part("offload", old.offload != new.offload);
    // Addresses and gateways of a twin change while it is in use.
    let twin = |port: &Port| port.underlay.as_ref().map(|one| (one.twin.clone(), one.vlan));
    part("underlay", twin(old) != twin(new));
}
