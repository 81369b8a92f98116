//! The two bounded rings between control and a core: [`Update`]s down, [`Report`]s up. One ring has one order, so an
//! FDB entry can never name an endpoint that its core has not heard of. Neither side ever waits for the other.

use std::net::IpAddr;
use std::sync::Arc;

use config::types::Encap;
use crossbeam::queue::ArrayQueue;

use crate::counters::Counters;
use crate::frame::PortId;
use crate::notes::Notes;
use crate::tables::{EndpointId, FdbEntry, FdbKey, Neighbour, Neighbours, SegmentId, Tables, Template};
use crate::tap::Tap;

/// Tables, and the memory for all that a core keeps in their sizes: it needs none of its own when they change.
#[derive(Debug)]
pub struct Fitting {
    /// The tables.
    pub tables: Box<Tables>,
    /// All zero, as large as the tables ask for.
    pub counters: Counters,
}

impl Fitting {
    /// What goes with `tables`.
    pub fn of(tables: Box<Tables>) -> Self {
        let mut counters = Counters::new(tables.ports.len(), tables.segments.len(), tables.endpoints.len());
        counters.follow(&tables.rules.serials);
        Self { tables, counters }
    }
}

/// From control to a core.
#[derive(Debug)]
pub enum Update {
    /// Use these tables from now on; the old ones come back as [`Report::Retired`].
    Tables(Box<Fitting>),
    /// Set an FDB entry (a ruling on a learned MAC, or a static or controller entry). Replaces whatever is there.
    Put(FdbKey, FdbEntry),
    /// Remove an FDB entry.
    Remove(FdbKey),
    /// Other next hops for a tunnel; the old ones come back as [`Report::RetiredHops`].
    Hops(EndpointId, Vec<Template>),
    /// Use these bindings from now on; the old ones come back as [`Report::RetiredNeighbours`].
    Neighbours(Box<Neighbours>),
    /// Who has an address in a segment; `None`: nobody known. Control knows that there is room.
    Bind(SegmentId, IpAddr, Option<Neighbour>),
    /// Open or close learning in a segment (limits).
    LearnInSegment(SegmentId, bool),
    /// Open or close learning at an endpoint (limits).
    LearnAtEndpoint(EndpointId, bool),
    /// Fill these counters and send them back as [`Report::Counters`].
    Count(Box<Counters>),
    /// Write into this notebook from now on and send the old one as [`Report::Notes`].
    Notes(Box<Notes>),
    /// Copy frames for this tap from now on. A core with [`crate::tap::TAPS`] of them sends it back at once.
    Tap(Box<Tap>),
    /// Take the tap of this number off and send it back as [`Report::Untapped`].
    Untap(u64),
    /// Drop what is held, send [`Report::Stopped`], and end.
    Stop,
}

/// From a core to control.
#[derive(Debug)]
pub enum Report {
    /// A source MAC that was not known, or was learned elsewhere; installed here as fresh until control rules.
    Learned {
        /// Segment and MAC.
        key: FdbKey,
        /// Where it was seen (with the endpoint's generation and origin `Fresh`).
        entry: FdbEntry,
    },
    /// A learned MAC was used as a source in a new age epoch.
    Seen(FdbKey),
    /// A frame came from a VTEP that nobody listed, in a segment that accepts any.
    UnknownVtep {
        /// The segment.
        segment: SegmentId,
        /// The outer source.
        remote: IpAddr,
        /// How it was encapsulated.
        encap: Encap,
    },
    /// Tables no longer in use, and what was of their size.
    Retired(Box<Fitting>),
    /// Next hops no longer in use.
    RetiredHops(Vec<Template>),
    /// Bindings no longer in use.
    RetiredNeighbours(Box<Neighbours>),
    /// The counters asked for.
    Counters(Box<Counters>),
    /// The notebook written so far.
    Notes(Box<Notes>),
    /// A tap no longer in use.
    Untapped(Box<Tap>),
    /// The core has ended.
    Stopped,
}

/// A frame between a core and a Linux twin, with its port.
#[derive(Debug)]
pub struct HostFrame<F> {
    /// The underlay port.
    pub port: PortId,
    /// The frame; an underlay VLAN tag is off it.
    pub frame: F,
}

/// A bounded ring with one sender and one receiver.
#[derive(Debug)]
pub struct Ring<T>(Arc<ArrayQueue<T>>);

impl<T> Clone for Ring<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Ring<T> {
    /// A ring of `size` places, at least 1.
    pub fn new(size: usize) -> Self {
        Self(Arc::new(ArrayQueue::new(size.max(1))))
    }

    /// Sends; gives the value back when the ring is full.
    ///
    /// # Errors
    ///
    /// The value, when the ring is full.
    #[inline]
    pub fn send(&self, value: T) -> Result<(), T> {
        self.0.push(value)
    }

    /// Receives; `None` when the ring is empty.
    #[inline]
    pub fn take(&self) -> Option<T> {
        self.0.pop()
    }

    /// Values under way.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there is no room.
    pub fn is_full(&self) -> bool {
        self.0.is_full()
    }

    /// True when nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A core's ends of its rings (clone one for each side).
#[derive(Debug)]
pub struct Link<F> {
    /// Control to core.
    pub updates: Ring<Update>,
    /// Core to control.
    pub reports: Ring<Report>,
    /// Core to twins.
    pub to_host: Ring<HostFrame<F>>,
    /// Twins to core.
    pub from_host: Ring<HostFrame<F>>,
}

impl<F> Clone for Link<F> {
    fn clone(&self) -> Self {
        Self {
            updates: self.updates.clone(),
            reports: self.reports.clone(),
            to_host: self.to_host.clone(),
            from_host: self.from_host.clone(),
        }
    }
}

impl<F> Link<F> {
    /// Rings of the usual sizes: 4096 updates and reports, 1024 host frames each way.
    pub fn new() -> Self {
        Self::with_sizes(4096, 1024)
    }

    /// Rings with `control` and `host` places.
    pub fn with_sizes(control: usize, host: usize) -> Self {
        Self {
            updates: Ring::new(control),
            reports: Ring::new(control),
            to_host: Ring::new(host),
            from_host: Ring::new(host),
        }
    }
}

impl<F> Default for Link<F> {
    fn default() -> Self {
        Self::new()
    }
}
