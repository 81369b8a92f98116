//! Flood lists and member sets, equal ones once (CONFORMANCE BUM1, BUM3, BUM4).

use std::collections::HashSet;

use config::types::{Accept, Flood, Model, Segment as Settings};

use super::{Plan, QuickMap, Remotes, key};
use crate::tables::{EndpointId, FloodList, Segment, TunnelKey};

/// Collects the lists of all segments.
pub struct Floods {
    lists: Vec<FloodList>,
    floods: QuickMap<Box<[EndpointId]>, u32>,
    members: QuickMap<Box<[EndpointId]>, u32>,
    /// Attachments of each of the model's segments, in the order of the ports.
    attachments: Vec<Vec<EndpointId>>,
}

impl Floods {
    /// Knows the attachments of every segment.
    pub fn new(plan: &Plan, model: &Model) -> Self {
        let mut attachments = vec![Vec::new(); model.segments.len()];
        for (port, ids) in model.ports.iter().zip(&plan.attachments) {
            for (attachment, &id) in port.attachments.iter().zip(ids) {
                attachments[attachment.segment].push(id);
            }
        }
        Self { lists: Vec::new(), floods: QuickMap::default(), members: QuickMap::default(), attachments }
    }

    /// The indices of a segment's flood list and of its member set: its attachments and then its tunnels (or the group);
    /// the tunnels of its list and of its static MACs.
    pub fn of(
        &mut self,
        tunnels: &QuickMap<TunnelKey, EndpointId>,
        (index, segment): (usize, &Settings),
        remotes: &Remotes,
        group: Option<EndpointId>,
    ) -> (u32, u32) {
        let mut listed: Vec<EndpointId> = match &segment.flood {
            Flood::Vteps(remotes) => remotes.iter().map(|&remote| tunnels[&key(remote)]).collect(),
            Flood::Group { .. } => Vec::new(),
        };
        let mut set = listed.clone();
        set.sort_unstable();
        set.dedup();
        if set.len() < listed.len() {
            let mut once = HashSet::new();
            listed.retain(|&id| once.insert(id));
        }
        let mut to = std::mem::take(&mut self.attachments[index]);
        to.append(&mut listed);
        to.extend(group);
        let members = match segment.accept {
            Accept::Any => Segment::ANY,
            Accept::Known => {
                set.extend(remotes.of_segment(index, segment).map(|remote| tunnels[&key(remote)]));
                set.sort_unstable();
                set.dedup();
                self.members(set)
            }
        };
        (self.flood(to), members)
    }

    /// A list to flood to. No bits: nobody asks a flood list for its members, and attachments have high numbers.
    fn flood(&mut self, to: Vec<EndpointId>) -> u32 {
        let lists = &mut self.lists;
        *self.floods.entry(to.into()).or_insert_with_key(|to| {
            lists.push(FloodList { to: to.clone(), set: Box::default() });
            lists.len() as u32 - 1
        })
    }

    /// A set of tunnels. No list: nobody floods to it.
    fn members(&mut self, tunnels: Vec<EndpointId>) -> u32 {
        let lists = &mut self.lists;
        *self.members.entry(tunnels.into()).or_insert_with_key(|tunnels| {
            let set = FloodList::new(tunnels.to_vec()).set;
            lists.push(FloodList { to: Box::default(), set });
            lists.len() as u32 - 1
        })
    }

    /// All lists.
    pub fn finish(self) -> Vec<FloodList> {
        self.lists
    }
}
