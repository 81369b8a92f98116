//! The rules that the FDB rules by, laid out by the cores' numbers. Made by [`super::compile`].

use crate::frame::PortId;
use crate::tables::{EndpointId, FdbKey, Place, SegmentId};

/// Who may learn where.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// By [`SegmentId`]; vacant numbers are `None`.
    pub segments: Vec<Option<SegmentRules>>,
    /// By [`EndpointId`]; vacant numbers are `None`.
    pub endpoints: Vec<Option<EndpointRules>>,
    /// Limit of learned MACs by port.
    pub ports: Vec<Option<u32>>,
}

/// A segment's rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentRules {
    /// MACs are learned.
    pub learning: bool,
    /// From tunnels too: not where a controller tells what is behind VTEPs.
    pub tunnels: bool,
    /// Most learned MACs.
    pub limit: u32,
    /// Nanoseconds without use until a learned MAC is forgotten; `None` never.
    pub ageing: Option<u64>,
}

impl SegmentRules {
    /// Length of an age epoch in nanoseconds: cores report use once in each. `u64::MAX` when nothing ages.
    pub fn epoch(&self) -> u64 {
        self.ageing.map_or(u64::MAX, |ageing| (ageing / 4).max(1))
    }

    /// How long after the last report of its use a MAC is forgotten: that use may have gone on to the end of its epoch.
    pub fn patience(&self) -> Option<u64> {
        self.ageing.map(|ageing| ageing.saturating_add(self.epoch()))
    }
}

/// An endpoint's rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointRules {
    /// Of the number's present use.
    pub generation: u8,
    /// For attachments: the port, whose limit counts too.
    pub port: Option<PortId>,
    /// For attachments: the only segment whose MACs can be here.
    pub segment: Option<SegmentId>,
    /// Limit of learned MACs.
    pub limit: Option<u32>,
    /// Frames can come from here: not true of multicast groups.
    pub speaks: bool,
}

impl Layout {
    /// True when a MAC can be there: the endpoint exists in this generation and belongs to the MAC's segment.
    pub fn has(&self, key: FdbKey, place: Place) -> bool {
        let segment = key.segment();
        let endpoint = self.endpoints.get(place.endpoint().index()).and_then(Option::as_ref);
        self.segment(segment).is_some()
            && endpoint.is_some_and(|rules| {
                rules.generation == place.generation() && rules.speaks && rules.segment.is_none_or(|own| own == segment)
            })
    }

    /// The rules of a segment.
    pub fn segment(&self, segment: SegmentId) -> Option<&SegmentRules> {
        self.segments.get(segment.index())?.as_ref()
    }

    /// True when frames can come from an endpoint.
    pub fn speaks(&self, endpoint: EndpointId) -> bool {
        self.endpoints.get(endpoint.index()).and_then(Option::as_ref).is_some_and(|rules| rules.speaks)
    }

    /// True when a MAC may be learned there.
    pub fn learns(&self, key: FdbKey, place: Place) -> bool {
        self.segment(key.segment())
            .is_some_and(|rules| rules.learning && (rules.tunnels || self.is_attachment(place.endpoint())))
    }

    fn is_attachment(&self, endpoint: EndpointId) -> bool {
        let rules = self.endpoints.get(endpoint.index()).and_then(Option::as_ref);
        rules.is_some_and(|rules| rules.port.is_some())
    }

    /// True when everything that `self` has is in `other` too, learning no less: no entry can be lost.
    pub fn is_within(&self, other: &Self) -> bool {
        let segments = self.segments.iter().enumerate().all(|(number, old)| {
            old.as_ref().is_none_or(|old| {
                other
                    .segment(SegmentId(number as u16))
                    .is_some_and(|new| (new.learning || !old.learning) && (new.tunnels || !old.tunnels))
            })
        });
        let endpoints = self.endpoints.iter().enumerate().all(|(number, old)| {
            old.as_ref().is_none_or(|old| {
                other.endpoints.get(number).and_then(Option::as_ref).is_some_and(|new| {
                    (new.generation, new.segment, new.speaks) == (old.generation, old.segment, old.speaks)
                })
            })
        });
        segments && endpoints
    }

    /// True when segments known to both age as before.
    pub fn ages_like(&self, other: &Self) -> bool {
        self.segments.iter().zip(&other.segments).all(|(old, new)| match (old, new) {
            (Some(old), Some(new)) => old.ageing == new.ageing,
            _ => true,
        })
    }
}
