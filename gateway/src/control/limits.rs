//! How many MACs there are behind each segment, port and endpoint, and who is full (CONFORMANCE L2k).

use super::layout::Layout;
use super::news::Subject;
use crate::frame::PortId;
use crate::tables::{EndpointId, SegmentId};

/// MACs in one place, and how many may be learned there.
#[derive(Clone, Copy, Debug, Default)]
struct Load {
    /// All MACs.
    macs: u32,
    /// Learned ones.
    learned: u32,
    /// Most learned ones.
    limit: u32,
}

impl Load {
    fn is_full(self) -> bool {
        self.learned >= self.limit
    }

    fn count(&mut self, learned: bool, add: bool) {
        let step = |count: &mut u32| *count = if add { *count + 1 } else { count.saturating_sub(1) };
        step(&mut self.macs);
        if learned {
            step(&mut self.learned);
        }
    }
}

/// The counts and limits of all segments, ports and endpoints.
#[derive(Debug, Default)]
pub struct Limits {
    segments: Vec<Load>,
    ports: Vec<Load>,
    endpoints: Vec<Load>,
    /// Which segments and endpoints the cores were told to be full.
    full_segments: Vec<bool>,
    full_endpoints: Vec<bool>,
    port_of: Vec<Option<PortId>>,
    endpoints_of: Vec<Vec<EndpointId>>,
    touched: Vec<Touched>,
}

/// A place whose count of learned MACs has crossed its limit in either direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Touched {
    Segment(SegmentId),
    Port(PortId),
    Endpoint(EndpointId),
}

impl Limits {
    /// Takes over the limits of a new configuration; the counts stay.
    pub fn arrange(&mut self, layout: &Layout) {
        let grow = |loads: &mut Vec<Load>, len: usize| loads.resize(len.max(loads.len()), Load::default());
        grow(&mut self.segments, layout.segments.len());
        grow(&mut self.ports, layout.ports.len());
        grow(&mut self.endpoints, layout.endpoints.len());
        self.full_segments.resize(self.segments.len(), false);
        self.full_endpoints.resize(self.endpoints.len(), false);
        for (load, rules) in self.segments.iter_mut().zip(&layout.segments) {
            load.limit = rules.as_ref().map_or(0, |rules| rules.limit);
        }
        for (load, limit) in self.ports.iter_mut().zip(&layout.ports) {
            load.limit = limit.unwrap_or(u32::MAX);
        }
        self.port_of = vec![None; self.endpoints.len()];
        self.endpoints_of = vec![Vec::new(); self.ports.len()];
        for (number, rules) in layout.endpoints.iter().enumerate() {
            let Some(rules) = rules else { continue };
            self.endpoints[number].limit = rules.limit.unwrap_or(u32::MAX);
            self.port_of[number] = rules.port;
            if let Some(port) = rules.port {
                self.endpoints_of[port.index()].push(EndpointId(number as u32));
            }
        }
        self.touched.clear();
        for number in 0..self.segments.len() {
            self.full_segments[number] = self.segments[number].is_full();
        }
        for number in 0..self.endpoints.len() {
            self.full_endpoints[number] = self.endpoint_is_full(EndpointId(number as u32));
        }
    }

    /// True when no more MACs may be learned in a segment.
    pub fn segment_is_full(&self, segment: SegmentId) -> bool {
        self.segments[segment.index()].is_full()
    }

    /// True when no more MACs may be learned at an endpoint, for its own limit or its port's.
    pub fn endpoint_is_full(&self, endpoint: EndpointId) -> bool {
        let port = self.port_of[endpoint.index()];
        self.endpoints[endpoint.index()].is_full() || port.is_some_and(|port| self.ports[port.index()].is_full())
    }

    /// True when all limits at an endpoint but those that it shares with `other` leave room.
    pub fn may_move(&self, from: EndpointId, to: EndpointId) -> bool {
        let (old, new) = (self.port_of[from.index()], self.port_of[to.index()]);
        let port_is_full = new.is_some_and(|port| old != new && self.ports[port.index()].is_full());
        from == to || !self.endpoints[to.index()].is_full() && !port_is_full
    }

    /// A MAC came (or went, when `add` is false).
    pub fn count(&mut self, segment: SegmentId, endpoint: EndpointId, learned: bool, add: bool) {
        let port = self.port_of[endpoint.index()];
        let mut step = |load: &mut Load, name: Touched| {
            let before = load.is_full();
            load.count(learned, add);
            if load.is_full() != before {
                self.touched.push(name);
            }
        };
        step(&mut self.segments[segment.index()], Touched::Segment(segment));
        step(&mut self.endpoints[endpoint.index()], Touched::Endpoint(endpoint));
        if let Some(port) = port {
            step(&mut self.ports[port.index()], Touched::Port(port));
        }
    }

    /// Says which segments and endpoints have become full, or have room again, since the last call.
    pub fn settle(&mut self, mut tell: impl FnMut(Subject, bool)) {
        let mut all = std::mem::take(&mut self.touched);
        all.sort_unstable();
        all.dedup();
        for touched in all {
            match touched {
                Touched::Segment(segment) => {
                    let full = self.segment_is_full(segment);
                    if std::mem::replace(&mut self.full_segments[segment.index()], full) != full {
                        tell(Subject::Segment(segment), full);
                    }
                }
                Touched::Endpoint(endpoint) => self.settle_endpoint(endpoint, &mut tell),
                Touched::Port(port) => {
                    let endpoints = std::mem::take(&mut self.endpoints_of[port.index()]);
                    for &endpoint in &endpoints {
                        self.settle_endpoint(endpoint, &mut tell);
                    }
                    self.endpoints_of[port.index()] = endpoints;
                }
            }
        }
    }

    fn settle_endpoint(&mut self, endpoint: EndpointId, tell: &mut impl FnMut(Subject, bool)) {
        let full = self.endpoint_is_full(endpoint);
        if std::mem::replace(&mut self.full_endpoints[endpoint.index()], full) != full {
            tell(Subject::Endpoint(endpoint), full);
        }
    }

    /// Known and learned MACs in a segment.
    pub fn in_segment(&self, segment: SegmentId) -> (u32, u32) {
        self.segments.get(segment.index()).map_or((0, 0), |load| (load.macs, load.learned))
    }

    /// Known MACs at an endpoint.
    pub fn at_endpoint(&self, endpoint: EndpointId) -> u32 {
        self.endpoints.get(endpoint.index()).map_or(0, |load| load.macs)
    }

    /// Known MACs at a port.
    pub fn at_port(&self, port: PortId) -> u32 {
        self.ports.get(port.index()).map_or(0, |load| load.macs)
    }
}
