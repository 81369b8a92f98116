//! `show vteps`.

use std::collections::HashMap;

use config::types::Flood;

use crate::control::Control;
use crate::control::compile::hops::{Hop, Resolution, group_mac};
use crate::control::compile::key;
use crate::control::ids::EndpointKey;
use crate::control::view::{NextHopView, PeerView, VtepView};
use crate::counters::{Counters, Flow};
use crate::notes::Heard;
use crate::tables::{EndpointId, TunnelKey, Way};

/// Most names of segments in one line.
const NAMES: usize = 64;

/// Segments that use an endpoint: the names of the first, and how many.
type Users = HashMap<EndpointId, (Vec<String>, u64)>;

impl Control {
    /// `show vteps`: remote tunnel ends and groups, by number.
    pub fn view_vteps(&self) -> Vec<VtepView> {
        let counters = self.counters_shown();
        let mut users = self.users();
        let endpoints = self.plan.tables.endpoints.iter().enumerate();
        endpoints
            .filter_map(|(number, endpoint)| {
                let Way::Tunnel(_) = endpoint.way else { return None };
                let id = EndpointId(number as u32);
                let used_by = users.remove(&id).unwrap_or_default();
                Some(self.view_vtep(id, self.naming.endpoints.key(id.0)?, used_by, &counters))
            })
            .collect()
    }

    fn view_vtep(
        &self,
        id: EndpointId,
        name: &EndpointKey,
        (vnis, vni_count): (Vec<String>, u64),
        counters: &Counters,
    ) -> VtepView {
        let (key, origin, hops) = match *name {
            EndpointKey::Group(key, port) => {
                (key, "group", vec![Hop { port, mac: Some(group_mac(key.remote)), gateway: None, weight: 1 }])
            }
            EndpointKey::Tunnel(key) => (key, self.who_lists(key), self.known_hops(key)),
            EndpointKey::Attachment(..) => unreachable!("the way of this endpoint is a tunnel"),
        };
        let kind = match origin {
            "group" => Some("group"),
            _ if self.underlay().asks_for(key.remote) => None,
            _ => Some("static"),
        };
        let (state, hint) = self.state(key, &hops);
        let heard = self.journal.heard(&key);
        let Flow { rx, tx } = counters.endpoints[id.index()];
        VtepView {
            vtep: key.remote.to_string(),
            encap: key.encap.to_string(),
            own_vni: key.vni.map(|vni| vni.value()),
            origin: origin.into(),
            state: state.into(),
            hint,
            next_hops: hops.iter().map(|hop| self.view_hop(hop, kind)).collect(),
            vnis,
            vni_count,
            macs: u64::from(self.fdb.limits().at_endpoint(id)),
            last_seen: heard.map(|heard| self.clock.saturating_sub(heard.last) / 1_000_000_000),
            sends: heard.map(view_peer),
            rx: rx.into(),
            tx: tx.into(),
        }
    }

    fn who_lists(&self, key: TunnelKey) -> &'static str {
        match () {
            () if self.plan.strangers.contains(&key) => "learned",
            () if self.is_brought(key) => "controller",
            () => "configured",
        }
    }

    pub(in crate::control) fn known_hops(&self, key: TunnelKey) -> Vec<Hop> {
        let fixed: Vec<Hop> = self.underlay().static_hops().collect();
        match self.resolutions.get(&key.remote) {
            _ if !fixed.is_empty() => fixed,
            Some(Resolution::Hops(hops)) => hops.clone(),
            _ => Vec::new(),
        }
    }

    pub(in crate::control) fn state(&self, key: TunnelKey, hops: &[Hop]) -> (&'static str, Option<String>) {
        if self.underlay().source(key.remote).is_none() {
            let family = if key.remote.is_ipv4() { "IPv4" } else { "IPv6" };
            return ("no-source", Some(format!("the gateway has no {family} source: add one to vtep.source")));
        }
        if hops.iter().any(|hop| hop.mac.is_some()) {
            return ("up", None);
        }
        let hint = match hops.first() {
            None => {
                ("no-route", format!("Linux has no route to {}: add one, or a gateway to the underlay", key.remote))
            }
            Some(hop) => {
                let neighbour = hop.gateway.unwrap_or(key.remote);
                let port = self.port_name(hop.port);
                ("resolving", format!("{neighbour} does not answer on port {port}: check cabling, VLAN and addresses"))
            }
        };
        (hint.0, Some(hint.1))
    }

    fn view_hop(&self, hop: &Hop, kind: Option<&str>) -> NextHopView {
        NextHopView {
            port: self.port_name(hop.port).to_owned(),
            gateway: hop.gateway.map(|gateway| gateway.to_string()),
            mac: hop.mac.map(|mac| mac.to_string()),
            neighbour: kind.unwrap_or(if hop.mac.is_some() { "resolved" } else { "resolving" }).into(),
            weight: hop.weight,
        }
    }

    /// Which segments flood to an endpoint or have static MACs behind it.
    fn users(&self) -> Users {
        let mut users = Users::new();
        for (index, segment) in self.model.segments.iter().enumerate() {
            let mut ids: Vec<EndpointId> = match &segment.flood {
                Flood::Vteps(remotes) => remotes.iter().map(|&remote| self.plan.tunnels[&key(remote)]).collect(),
                Flood::Group { group, port } => {
                    let key = TunnelKey { remote: *group, encap: segment.encap, vni: None };
                    let group = EndpointKey::Group(key, crate::frame::PortId(*port as u8));
                    self.naming.endpoints.find(&group).map(EndpointId).into_iter().collect()
                }
            };
            let others = self.remotes.of_segment(index, segment);
            ids.extend(others.map(|remote| self.plan.tunnels[&key(remote)]));
            ids.sort_unstable();
            ids.dedup();
            for id in ids {
                let (names, count) = users.entry(id).or_default();
                if names.len() < NAMES {
                    names.push(segment.name.clone());
                }
                *count += 1;
            }
        }
        users
    }
}

fn view_peer(heard: &Heard) -> PeerView {
    PeerView {
        sampled: heard.packets,
        lowest_source_port: heard.ports.0,
        highest_source_port: heard.ports.1,
        checksums: match heard.no_checksum {
            0 => "computed",
            some if some == heard.packets => "zero",
            _ => "both",
        }
        .into(),
        reserved_bits: heard.reserved,
    }
}
