//! `show next-hops` and `show health`: the neighbours in the underlay, and what is not as it should be.

use std::collections::BTreeMap;
use std::net::IpAddr;

use config::types::Mac;

use crate::control::Control;
use crate::control::ids::EndpointKey;
use crate::control::movers::WINDOW;
use crate::control::view::{HealthView, HopView, ProblemView};
use crate::frame::PortId;
use crate::tables::{Place, Way};

/// Most names in one line.
const NAMES: usize = 64;
/// Problems of one kind that are told one by one.
const TOLD: usize = 16;

/// A neighbour in the underlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::control) struct NextHop {
    port: PortId,
    /// `None` for one that is written down (`via`).
    address: Option<IpAddr>,
    mac: Option<Mac>,
}

impl NextHop {
    /// How its MAC is known.
    pub fn state(&self) -> &'static str {
        match (self.address, self.mac) {
            (None, _) => "static",
            (Some(_), Some(_)) => "resolved",
            (Some(_), None) => "resolving",
        }
    }
}

impl Control {
    /// `show next-hops`: every neighbour that VTEPs are behind, by port and address.
    pub fn view_next_hops(&self) -> Vec<HopView> {
        let mut hops = BTreeMap::<_, HopView>::new();
        self.each_next_hop(|remote, hop| {
            let view = hops.entry(hop).or_insert_with(|| HopView {
                port: self.port_name(hop.port).to_owned(),
                address: hop.address.map(|address| address.to_string()),
                mac: hop.mac.map(|mac| mac.to_string()),
                state: hop.state().into(),
                vteps: Vec::new(),
                vtep_count: 0,
            });
            let name = remote.to_string();
            if !view.vteps.contains(&name) {
                view.vtep_count += 1;
                if view.vteps.len() < NAMES {
                    view.vteps.push(name);
                }
            }
        });
        hops.into_values().collect()
    }

    /// Shows every next hop of every VTEP.
    pub(in crate::control) fn each_next_hop(&self, mut take: impl FnMut(IpAddr, NextHop)) {
        for (number, endpoint) in self.plan.tables.endpoints.iter().enumerate() {
            let Way::Tunnel(_) = endpoint.way else { continue };
            let Some(EndpointKey::Tunnel(key)) = self.naming.endpoints.key(number as u32) else { continue };
            let asks = self.underlay().asks_for(key.remote);
            for hop in self.known_hops(*key) {
                let address = asks.then(|| hop.gateway.unwrap_or(key.remote));
                take(key.remote, NextHop { port: hop.port, address, mac: hop.mac });
            }
        }
    }

    /// What control itself knows to be not as it should be. Links, workers and controllers are for others to add.
    pub fn problems(&self) -> Vec<ProblemView> {
        let mut problems = Vec::new();
        let down: Vec<_> = self.view_vteps().into_iter().filter(|vtep| vtep.state != "up").collect();
        problems.extend(down.iter().take(TOLD).map(|vtep| ProblemView {
            subject: "vtep".into(),
            name: format!("{} {}", vtep.vtep, vtep.encap),
            problem: format!("frames for it are dropped: {}", vtep.state),
            cure: vtep.hint.clone().unwrap_or_default(),
        }));
        if down.len() > TOLD {
            problems.push(ProblemView {
                subject: "vtep".into(),
                name: format!("{} more", down.len() - TOLD),
                problem: "frames for them are dropped".into(),
                cure: "see 'causeway show vteps'".into(),
            });
        }
        let full = self.model.segments.iter().zip(&self.plan.segments);
        let full = full.filter(|(segment, id)| segment.learning.enabled && self.fdb.limits().segment_is_full(**id));
        problems.extend(full.take(TOLD).map(|(segment, _)| ProblemView {
            subject: "vni".into(),
            name: segment.name.clone(),
            problem: format!(
                "its limit of {} learned MACs is reached; frames for others are flooded",
                segment.learning.limit
            ),
            cure: "raise learning.limit of the VNI, or find who makes up MACs".into(),
        }));
        let (known, room) = (self.fdb.len(), self.model.fdb_size as usize);
        if known * 20 >= room * 19 {
            problems.push(ProblemView {
                subject: "fdb".into(),
                name: "fdb".into(),
                problem: format!("{known} of {room} MACs are known; what finds no room is flooded"),
                cure: "raise fdb.size and restart".into(),
            });
        }
        problems.extend(self.restless());
        problems
    }

    /// MACs that move to and fro, the most restless first.
    pub fn restless(&self) -> Vec<ProblemView> {
        let movers = self.fdb.movers().restless();
        let place = |place: Place| {
            let key = self.naming.endpoints.key(place.endpoint().0);
            key.map_or_else(|| "a place that is gone".into(), |key| self.place_name(key))
        };
        let told = movers.iter().take(TOLD).map(|(key, moves)| ProblemView {
            subject: "mac".into(),
            name: match self.segment(key.segment()) {
                Some(segment) => format!("{} in VNI {}", Mac(key.mac()), segment.name),
                None => Mac(key.mac()).to_string(),
            },
            problem: format!(
                "it moved {} times in {} s, last from {} to {}",
                moves.count,
                WINDOW / 1_000_000_000,
                place(moves.from),
                place(moves.to)
            ),
            cure: "look for a loop in the network behind these places, or for two stations with this MAC".into(),
        });
        let more = movers.len().saturating_sub(TOLD);
        let others = (more > 0).then(|| ProblemView {
            subject: "mac".into(),
            name: format!("{more} more"),
            problem: "they move as often".into(),
            cure: "a loop moves every MAC that it sees".into(),
        });
        told.chain(others).collect()
    }
}

impl HealthView {
    /// Ready when there is no problem.
    pub fn of(problems: Vec<ProblemView>) -> Self {
        Self { state: if problems.is_empty() { "ready" } else { "degraded" }.into(), problems }
    }
}
