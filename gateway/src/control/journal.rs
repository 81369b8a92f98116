//! What the cores' notebooks said, gathered: the frames dropped last, drops by VNI and VTEP, and what peers send.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use super::ids::EndpointKey;
use crate::frame::PortId;
use crate::notes::{Heard, Notes, Snapshot, Whose};
use crate::tables::{EndpointId, SegmentId, TunnelKey};
use crate::verdict::DropReason;

/// Frames that are kept of each reason.
pub const KEPT: usize = 64;

/// Whose drops are counted besides those of ports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A segment's, by its name.
    Vni(String),
    /// A VTEP's.
    Vtep(IpAddr),
}

/// A dropped frame, with the names that its numbers had by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The core, by its place in `workers.cores`.
    pub core: usize,
    /// The frame.
    pub snapshot: Snapshot,
    /// Name of the segment.
    pub vni: Option<String>,
    /// Where it came from.
    pub from: Option<EndpointKey>,
    /// Where it was to go.
    pub to: Option<EndpointKey>,
}

/// The notes of all cores.
#[derive(Debug, Default)]
pub struct Journal {
    last: HashMap<DropReason, VecDeque<Lost>>,
    drops: HashMap<(Owner, DropReason), u64>,
    /// What the operator does not want to see any more.
    cleared: HashMap<(Owner, DropReason), u64>,
    /// Drops whose subject found no place in a notebook.
    pub unplaced: u64,
    heard: HashMap<TunnelKey, Heard>,
}

/// What numbers mean now.
pub trait Names {
    /// The name of a segment.
    fn segment(&self, id: SegmentId) -> Option<String>;
    /// What an endpoint is.
    fn endpoint(&self, id: EndpointId) -> Option<EndpointKey>;
}

impl Journal {
    /// Copies a core's notes.
    pub fn take(&mut self, core: usize, notes: &Notes, names: &impl Names) {
        self.unplaced += notes.unplaced;
        for ((whose, reason), frames) in notes.drops() {
            let owner = match whose {
                Whose::Segment(id) => names.segment(id).map(Owner::Vni),
                Whose::Endpoint(id) => match names.endpoint(id) {
                    Some(EndpointKey::Tunnel(key) | EndpointKey::Group(key, _)) => Some(Owner::Vtep(key.remote)),
                    _ => None,
                },
            };
            if let Some(owner) = owner {
                *self.drops.entry((owner, reason)).or_default() += frames;
            }
        }
        for (id, heard) in notes.peers() {
            if let Some(EndpointKey::Tunnel(key)) = names.endpoint(id) {
                self.heard.entry(key).or_default().merge(&heard);
            }
        }
        for &reason in DropReason::ALL {
            let snapshots = notes.last(reason);
            if snapshots.is_empty() {
                continue;
            }
            let kept = self.last.entry(reason).or_default();
            kept.extend(snapshots.iter().map(|snapshot| Lost {
                core,
                snapshot: snapshot.clone(),
                vni: snapshot.concern.segment.and_then(|id| names.segment(id)),
                from: names.endpoint(snapshot.concern.from),
                to: names.endpoint(snapshot.concern.to),
            }));
            kept.make_contiguous().sort_by_key(|lost| lost.snapshot.at);
            kept.drain(..kept.len().saturating_sub(KEPT));
        }
    }

    /// What is shown counts from zero from now on; what was kept of frames and peers stays.
    pub fn clear_counts(&mut self) {
        self.cleared = self.drops.clone();
    }

    /// The frames dropped last for a reason, newest first.
    pub fn last(&self, reason: DropReason) -> impl Iterator<Item = &Lost> {
        self.last.get(&reason).into_iter().flatten().rev()
    }

    /// Drops by owner and reason.
    pub fn drops(&self) -> impl Iterator<Item = (&Owner, DropReason, u64)> {
        self.drops.iter().map(|((owner, reason), frames)| (owner, *reason, *frames))
    }

    /// The same since they were cleared.
    pub fn drops_shown(&self) -> impl Iterator<Item = (&Owner, DropReason, u64)> {
        let shown = self.drops.iter().map(|(key, frames)| (key, frames - self.cleared.get(key).unwrap_or(&0)));
        shown.filter(|(_, frames)| *frames > 0).map(|((owner, reason), frames)| (owner, *reason, frames))
    }

    /// What a peer sends.
    pub fn heard(&self, key: &TunnelKey) -> Option<&Heard> {
        self.heard.get(key)
    }
}

/// The port of a dropped frame.
impl Lost {
    /// Where it came in, or was to leave.
    pub fn port(&self) -> PortId {
        self.snapshot.concern.port
    }
}
