//! What a core owns: its tables, its FDB, its counters, and what it has to say to control.

use std::net::IpAddr;

use arrayvec::ArrayVec;
use config::types::Encap;

use crate::counters::Counters;
use crate::frame::PortId;
use crate::link::Report;
use crate::tables::{Endpoint, EndpointId, Fdb, FdbEntry, FdbKey, Segment, SegmentId, Tables};
use crate::verdict::DropReason;

/// Reports that wait for room in the ring, at most.
pub const REPORTS: usize = 256;

/// What a core owns.
#[derive(Debug)]
pub struct Shard {
    /// What control compiled.
    pub tables: Box<Tables>,
    /// Segment and MAC to endpoint.
    pub fdb: Fdb,
    /// What happened.
    pub counters: Counters,
    /// Age epoch (0 to 15) of each age class.
    pub epochs: Box<[u8]>,
    /// Reports not sent yet, oldest first.
    pub reports: ArrayVec<Report, REPORTS>,
}

impl Shard {
    /// A core with these tables and FDB.
    pub fn new(tables: Box<Tables>, fdb: Fdb) -> Self {
        let counters = Counters::new(tables.ports.len(), tables.segments.len(), tables.endpoints.len());
        let epochs = vec![0; tables.ages.len().max(1)].into();
        Self { tables, fdb, counters, epochs, reports: ArrayVec::new() }
    }

    /// Other tables; returns the ones before.
    pub fn replace_tables(&mut self, tables: Box<Tables>) -> Box<Tables> {
        self.counters.resize(tables.ports.len(), tables.segments.len(), tables.endpoints.len());
        let mut epochs = vec![0; tables.ages.len().max(1)];
        for (new, old) in epochs.iter_mut().zip(&self.epochs) {
            *new = *old;
        }
        self.epochs = epochs.into();
        std::mem::replace(&mut self.tables, tables)
    }

    /// Sets the age epochs for the time `now` (nanoseconds since any fixed moment).
    pub fn set_time(&mut self, now: u64) {
        for (epoch, length) in self.epochs.iter_mut().zip(&self.tables.ages) {
            *epoch = now.checked_div(*length).map_or(0, |count| count as u8 & 15);
        }
    }

    /// Notes a report; false when there is no room, and nothing was noted.
    #[inline]
    pub fn report(&mut self, report: Report) -> bool {
        let noted = self.reports.try_push(report).is_ok();
        self.counters.unreported += u64::from(!noted);
        noted
    }

    /// Notes a VTEP that nobody listed, unless many reports wait already.
    pub fn report_vtep(&mut self, segment: SegmentId, remote: IpAddr, encap: Encap) {
        let known = self.reports.iter().rev().take(8).any(|report| {
            matches!(report, Report::UnknownVtep { segment: s, remote: r, encap: e } if (*s, *r, *e) == (segment, remote, encap))
        });
        if !known && self.reports.len() < REPORTS / 2 {
            self.report(Report::UnknownVtep { segment, remote, encap });
        }
    }

    /// Counts a frame dropped on `port`.
    #[inline]
    pub fn drop(&mut self, port: PortId, reason: DropReason) {
        self.drops(port, reason, 1);
    }

    /// Counts frames dropped on `port`.
    #[inline]
    pub fn drops(&mut self, port: PortId, reason: DropReason, frames: u64) {
        if let Some(port) = self.counters.ports.get_mut(port.index()) {
            port.drops[reason as usize] += frames;
        }
    }

    /// The endpoint of a number.
    #[inline]
    pub fn endpoint(&self, id: EndpointId) -> Option<&Endpoint> {
        self.tables.endpoints.get(id.index())
    }

    /// The segment of a number.
    #[inline]
    pub fn segment(&self, id: SegmentId) -> Option<&Segment> {
        self.tables.segments.get(id.index())
    }

    /// The FDB's entry of a key, unless its endpoint has gone since.
    #[inline]
    pub fn find(&self, key: FdbKey) -> Option<FdbEntry> {
        let entry = self.fdb.find(key)?;
        let endpoint = self.endpoint(entry.endpoint())?;
        (endpoint.generation == entry.generation()).then_some(entry)
    }
}
