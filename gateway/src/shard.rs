//! What a core owns: its tables, its FDB, its counters, its notebook, and what it has to say to control.

use std::net::IpAddr;

use arrayvec::ArrayVec;
use config::types::Encap;

use crate::counters::Counters;
use crate::frame::{Frame, PortId};
use crate::link::{Fitting, Report};
use crate::notes::{Concern, Notes};
use crate::prefetch::prefetch;
use crate::tables::{Endpoint, EndpointId, Fdb, FdbEntry, FdbKey, Neighbours, Segment, SegmentId, Tables};
use crate::tap::{Losses, Sight, Stage, TAPS, Tap};
use crate::verdict::DropReason;
use crate::wire::ethernet::{ADDRESSES, mac_word};
use crate::wire::peek::peek;

/// Reports that wait for room in the ring, at most.
pub const REPORTS: usize = 256;

/// A sender that a segment takes although nobody listed it.
pub type Stranger = (SegmentId, IpAddr, Encap);

/// What a core owns.
#[derive(Debug)]
pub struct Shard {
    /// What control compiled.
    pub tables: Box<Tables>,
    /// Segment and MAC to endpoint.
    pub fdb: Fdb,
    /// Segment and IP address to MAC, where requests are answered.
    pub neighbours: Box<Neighbours>,
    /// What happened.
    pub counters: Counters,
    /// Age epoch (0 to 15) of each age class.
    pub epochs: [u8; 256],
    /// Reports not sent yet, oldest first.
    pub reports: ArrayVec<Report, REPORTS>,
    /// The time of this turn, in nanoseconds since any fixed moment.
    pub now: u64,
    /// What was dropped last, and what peers send.
    pub notes: Box<Notes>,
    /// Who watches.
    pub taps: ArrayVec<Box<Tap>, TAPS>,
    /// What is lost of a frame while it is watched alone.
    pub losses: Losses,
}

impl Shard {
    /// A core with these tables and FDB.
    pub fn new(tables: Box<Tables>, fdb: Fdb) -> Self {
        let Fitting { tables, counters } = Fitting::of(tables);
        Self {
            tables,
            fdb,
            neighbours: Box::default(),
            counters,
            epochs: [0; 256],
            reports: ArrayVec::new(),
            now: 0,
            notes: Box::default(),
            taps: ArrayVec::new(),
            losses: Losses::default(),
        }
    }

    /// Goes over to other tables. What was in use before is in `new` afterwards; no memory is taken or given back here.
    pub fn refit(&mut self, new: &mut Fitting) {
        if !self.counters.are_for(&new.counters) {
            new.counters.take_over(&mut self.counters);
            std::mem::swap(&mut self.counters, &mut new.counters);
        }
        std::mem::swap(&mut self.tables, &mut new.tables);
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
    #[cold]
    pub fn report_vtep(&mut self, (segment, remote, encap): Stranger) {
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

    /// Drops a frame: counts it, and takes note of what it was.
    #[cold]
    #[inline(never)]
    pub fn discard<F: Frame>(&mut self, frame: &F, reason: DropReason, concern: Concern) {
        self.lose(frame, reason, concern, None);
    }

    /// Drops a frame that is as it came.
    pub fn refuse<F: Frame>(&mut self, frame: &F, reason: DropReason, concern: Concern) {
        self.lose(frame, reason, concern, frame.meta().stripped);
    }

    fn lose<F: Frame>(&mut self, frame: &F, reason: DropReason, concern: Concern, tag: Option<u16>) {
        self.drop(concern.port, reason);
        self.notes.lost(frame, reason, concern, tag, self.now);
        if self.losses.on {
            self.losses.note(reason, concern.to);
        } else if self.is_watched() {
            self.tell_lost(frame, Stage::Drop(reason), concern);
        }
    }

    /// True while somebody watches.
    #[inline]
    pub fn is_watched(&self) -> bool {
        !self.taps.is_empty()
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

    /// Starts loading what is known of a segment, and where its frames are counted.
    #[inline(always)]
    pub fn prefetch_segment(&self, id: SegmentId) {
        if let (Some(segment), Some(flow)) =
            (self.tables.segments.get(id.index()), self.counters.segments.get(id.index()))
        {
            prefetch(segment);
            prefetch(flow);
        }
    }

    /// Starts loading what is known of an endpoint, and where its frames are counted.
    #[inline(always)]
    pub fn prefetch_endpoint(&self, id: EndpointId) {
        if let (Some(endpoint), Some(flow)) =
            (self.tables.endpoints.get(id.index()), self.counters.endpoints.get(id.index()))
        {
            prefetch(endpoint);
            prefetch(flow);
        }
    }

    /// The FDB's entry of a key, unless its endpoint has gone since.
    #[inline]
    pub fn find(&self, key: FdbKey) -> Option<FdbEntry> {
        let entry = self.fdb.find(key)?;
        let endpoint = self.endpoint(entry.endpoint())?;
        (endpoint.generation == entry.generation()).then_some(entry)
    }
}

/// For who watches.
impl Shard {
    /// A frame from a Linux twin, as it came.
    #[cold]
    pub fn tell_from_host<F: Frame>(&mut self, frame: &F, port: PortId) {
        let concern = Concern { port, ..Concern::default() };
        let macs = self.macs(frame.head());
        self.shoot(frame, &Sight { stage: Stage::FromHost, concern, came_from: port, macs });
    }

    #[cold]
    fn tell_lost<F: Frame>(&mut self, frame: &F, stage: Stage, concern: Concern) {
        let macs = self.macs(frame.head());
        self.shoot(frame, &Sight { stage, concern, came_from: concern.port, macs });
    }

    /// Shows a frame to the taps.
    pub(crate) fn shoot<F: Frame>(&mut self, frame: &F, sight: &Sight) {
        let now = self.now;
        self.taps.iter_mut().for_each(|tap| tap.shoot(frame, sight, now));
    }

    /// Shows the received frame that is being watched to the taps.
    pub(crate) fn shoot_received(&mut self, sight: &Sight) {
        let now = self.now;
        self.taps.iter_mut().for_each(|tap| tap.shoot_received(sight, now));
    }

    /// The MACs of a frame: the first two, and those of a tenant's frame in a tunnel.
    pub(crate) fn macs(&self, head: &[u8]) -> [u64; 4] {
        let underlay = &self.tables.underlay;
        let inner = peek(head, underlay.vxlan_port, underlay.geneve_port)
            .and_then(|seen| head.get(seen.inner_at..)?.get(..ADDRESSES))
            .map_or([0; 2], |tenant| [mac_word(tenant, 0), mac_word(tenant, 6)]);
        [mac_word(head, 0), mac_word(head, 6), inner[0], inner[1]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_tables_bring_the_memory_for_all_that_grows_with_them_and_take_the_old_along() {
        let tables = |segments, serials: &[u64]| {
            let mut tables = Box::new(Tables::default());
            tables.segments.resize(segments, Segment::default());
            tables.rules.serials = serials.to_vec();
            tables.ages = vec![1; segments];
            tables
        };
        let mut shard = Shard::new(tables(2, &[5]), Fdb::with_room(8));
        shard.counters.segments[1].rx.add(64);
        shard.counters.rules[0].frames = 3;
        shard.set_time(9);
        let places = |counters: &Counters| (counters.segments.as_ptr(), counters.rules.as_ptr());
        let before = places(&shard.counters);
        let mut fitting = Fitting::of(tables(3, &[4, 5]));
        let brought = places(&fitting.counters);
        shard.refit(&mut fitting);
        assert_eq!(places(&shard.counters), brought);
        assert_eq!(places(&fitting.counters), before);
        assert_eq!((shard.tables.segments.len(), fitting.tables.segments.len()), (3, 2));
        let rules: Vec<_> = shard.counters.rules.iter().map(|hits| (hits.serial, hits.frames)).collect();
        assert_eq!((rules, shard.counters.segments[1].rx.frames), (vec![(4, 0), (5, 3)], 1));
        assert_eq!(shard.epochs[..3], [9, 9, 0]);
        // Nothing is copied where what is there will do: a full-size core has a megabyte of counters.
        let mut same = Fitting::of(tables(3, &[4, 5]));
        shard.refit(&mut same);
        assert_eq!(places(&shard.counters).0, brought.0);
        assert_eq!(shard.counters.segments[1].rx.frames, 1);
    }
}
