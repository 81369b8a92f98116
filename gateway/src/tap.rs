//! Taps: copies of frames that pass, for who watches (`causeway trace`). A core without taps tests one flag a batch; a core
//! with some copies what fits their filters into buffers that were made with the tap. Without a buffer left the copy is
//! left out and counted; the frame goes its way all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arrayvec::ArrayVec;
use crossbeam::queue::ArrayQueue;

use crate::frame::{Frame, PortId, TxOffload};
use crate::notes::{Concern, copy};
use crate::tables::{EndpointId, SegmentId};
use crate::verdict::DropReason;
use crate::wire::{checksum, ethernet};

/// Taps on a core, at most.
pub const TAPS: usize = 4;
/// Copies of one frame that were lost and are told apart, at most.
pub const LOSSES: usize = 64;

/// Where a frame was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Received, as it came, and what became of it.
    In(Fate),
    /// Queued for a port, as it leaves.
    Out,
    /// Given to the port's Linux twin.
    ToHost,
    /// Taken from the port's Linux twin.
    FromHost,
    /// Dropped.
    Drop(DropReason),
}

/// What became of a received frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It left for the one endpoint that the FDB names.
    Forwarded,
    /// It was flooded: so many copies left at once, so many were lost; others may follow.
    Flooded {
        /// Queued for ports.
        copies: u16,
        /// Dropped.
        lost: u16,
    },
    /// The Linux twin has it.
    Host,
    /// The gateway itself answered, for others.
    Answered,
    /// None of this: the gateway itself made something of it, or it waits behind other floods.
    Waits,
}

/// Which frames to copy: those that fit everything that is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Filter {
    /// They came in or leave through this port.
    pub port: Option<PortId>,
    /// They belong to this segment.
    pub segment: Option<SegmentId>,
    /// They are from or to this MAC (as a number), the tenant's or the outer one.
    pub mac: Option<u64>,
    /// Only dropped ones, for this reason or any.
    pub drop: Option<Option<DropReason>>,
}

/// A frame to be judged by filters.
#[derive(Clone, Copy, Debug)]
pub struct Sight {
    /// Where it was seen.
    pub stage: Stage,
    /// Whom it concerns; its port is where it was seen.
    pub concern: Concern,
    /// The port that the received frame came from, when that is another.
    pub came_from: PortId,
    /// MACs that it has, 0 where there are fewer.
    pub macs: [u64; 4],
}

impl Filter {
    /// True when a frame fits.
    pub fn fits(&self, sight: &Sight) -> bool {
        let dropped = |asked: Option<DropReason>| match sight.stage {
            Stage::Drop(reason) => asked.is_none_or(|asked| asked == reason),
            _ => false,
        };
        self.drop.is_none_or(dropped)
            && self.port.is_none_or(|port| port == sight.concern.port || port == sight.came_from)
            && self.segment.is_none_or(|segment| sight.concern.segment == Some(segment))
            && self.mac.is_none_or(|mac| sight.macs.contains(&mac))
    }
}

/// A copy of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shot {
    /// When, in nanoseconds of the workers' clock.
    pub at: u64,
    /// Where.
    pub stage: Stage,
    /// Whom it concerns.
    pub concern: Concern,
    /// Bytes of the whole frame.
    pub len: u32,
    /// The first of them.
    pub bytes: Vec<u8>,
}

/// The buffers of a tap, full ones on their way to who watches and empty ones on their way back.
#[derive(Debug)]
pub struct Reel {
    empty: ArrayQueue<Box<Shot>>,
    full: ArrayQueue<Box<Shot>>,
    /// Taps that are on.
    taps: AtomicUsize,
    missed: AtomicU64,
    limited: AtomicU64,
    /// Copies a second; 0 is no limit.
    rate: u32,
    /// Copies that may be taken now, in billionths.
    credit: AtomicU64,
}

/// A copy's worth of credit.
const ONE: u64 = 1_000_000_000;

impl Reel {
    /// So many buffers of so many bytes, for at most `rate` copies a second (0: as many as there are).
    pub fn new(shots: usize, snap: usize, rate: u32) -> Self {
        let empty = ArrayQueue::new(shots.max(1));
        for _ in 0..shots.max(1) {
            let bytes = Vec::with_capacity(snap);
            let shot = Shot { at: 0, stage: Stage::Out, concern: Concern::default(), len: 0, bytes };
            drop(empty.push(Box::new(shot)));
        }
        let full = ArrayQueue::new(shots.max(1));
        let (missed, limited, credit) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let reel = Self { empty, full, taps: AtomicUsize::new(0), missed, limited, rate, credit };
        reel.refill(ONE);
        reel
    }

    /// So many nanoseconds have passed. A tenth of a second's copies may come at once.
    pub fn refill(&self, passed: u64) {
        if self.rate != 0 {
            let more = u64::from(self.rate) * passed.min(ONE);
            let most = u64::from(self.rate / 10).max(1) * ONE;
            let filled = |credit: u64| Some((credit + more).min(most));
            let _ = self.credit.fetch_update(Ordering::Relaxed, Ordering::Relaxed, filled);
        }
    }

    /// True when one more copy may be taken; counted when not.
    fn allows(&self) -> bool {
        let spent = |credit: u64| credit.checked_sub(ONE);
        let allowed = self.rate == 0 || self.credit.fetch_update(Ordering::Relaxed, Ordering::Relaxed, spent).is_ok();
        if !allowed {
            self.limited.fetch_add(1, Ordering::Relaxed);
        }
        allowed
    }

    /// The next copy; give it back with [`Self::give_back`].
    pub fn take(&self) -> Option<Box<Shot>> {
        self.full.pop()
    }

    /// A copy that has been looked at.
    pub fn give_back(&self, shot: Box<Shot>) {
        drop(self.empty.push(shot));
    }

    /// How many taps are on.
    pub fn taps(&self) -> usize {
        self.taps.load(Ordering::Relaxed)
    }

    /// Copies left out because no buffer was empty.
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// Copies left out because there were more than the rate allows.
    pub fn limited(&self) -> u64 {
        self.limited.load(Ordering::Relaxed)
    }
}

/// A tap on one core.
#[derive(Debug)]
pub struct Tap {
    /// Tells taps apart.
    pub id: u64,
    filter: Filter,
    snap: usize,
    reel: Arc<Reel>,
    /// The received frame that is being walked through.
    came: Vec<u8>,
    came_len: u32,
}

impl Tap {
    /// A tap that copies at most `snap` bytes of what fits; the buffers of `reel` are as large.
    pub fn new(id: u64, filter: Filter, snap: usize, reel: Arc<Reel>) -> Self {
        Self { id, filter, snap, reel, came: Vec::with_capacity(snap), came_len: 0 }
    }

    /// The core copies for it from now on.
    pub fn start(&self) {
        self.reel.taps.fetch_add(1, Ordering::Relaxed);
    }

    /// Keeps the bytes of a received frame until its fate is known.
    pub fn came<F: Frame>(&mut self, frame: &F) {
        self.came.clear();
        self.came_len = frame.len() as u32;
        let came = &mut self.came;
        copy(frame, self.snap, |piece| came.extend_from_slice(piece));
        if let Some(tci) = frame.meta().stripped {
            self.came_len += 4;
            put_tag(&mut self.came, tci, self.snap);
        }
    }

    /// Copies the received frame, if it fits.
    pub fn shoot_received(&mut self, sight: &Sight, now: u64) {
        if let Some(mut shot) = self.shot(sight, now) {
            shot.len = self.came_len;
            shot.bytes.extend_from_slice(&self.came);
            drop(self.reel.full.push(shot));
        }
    }

    /// Copies a frame, if it fits.
    pub fn shoot<F: Frame>(&mut self, frame: &F, sight: &Sight, now: u64) {
        if let Some(mut shot) = self.shot(sight, now) {
            shot.len = frame.len() as u32;
            copy(frame, self.snap, |piece| shot.bytes.extend_from_slice(piece));
            let TxOffload { ipv4_checksum_at, insert } = frame.offload();
            if let at @ 1.. = usize::from(ipv4_checksum_at)
                && let Some(header) = shot.bytes.get_mut(at..at + 20)
            {
                let sum = checksum::finish(checksum::sum(header));
                header[10..12].copy_from_slice(&sum.to_be_bytes());
            }
            if let Some(tci) = insert {
                shot.len += 4;
                put_tag(&mut shot.bytes, tci, self.snap);
            }
            drop(self.reel.full.push(shot));
        }
    }

    /// An empty buffer for a frame that fits, unless there is none or there were too many.
    fn shot(&mut self, sight: &Sight, now: u64) -> Option<Box<Shot>> {
        if !self.filter.fits(sight) || !self.reel.allows() {
            return None;
        }
        let Some(mut shot) = self.reel.empty.pop() else {
            self.reel.missed.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        (shot.at, shot.stage, shot.concern) = (now, sight.stage, sight.concern);
        shot.bytes.clear();
        Some(shot)
    }
}

/// Puts the tag that a NIC took off, or is to insert, where it is on the wire; the bytes stay within their memory.
fn put_tag(bytes: &mut Vec<u8>, tci: u16, snap: usize) {
    if bytes.len() >= ethernet::ADDRESSES && snap >= ethernet::ADDRESSES + ethernet::TAG {
        let len = bytes.len();
        bytes.truncate(snap - ethernet::TAG);
        bytes.resize((len + ethernet::TAG).min(snap), 0);
        let end = bytes.len() - ethernet::TAG;
        bytes.copy_within(ethernet::ADDRESSES..end, ethernet::ADDRESSES + ethernet::TAG);
        bytes[12..14].copy_from_slice(&ethernet::CUSTOMER_TAG.to_be_bytes());
        bytes[14..16].copy_from_slice(&tci.to_be_bytes());
    }
}

/// What was lost of the one frame that is being walked through.
#[derive(Clone, Debug, Default)]
pub struct Losses {
    /// A walk is under way.
    pub on: bool,
    /// Why, and on the way to where.
    pub first: ArrayVec<(DropReason, EndpointId), LOSSES>,
    /// How many in all.
    pub count: u32,
}

impl Losses {
    /// A walk begins.
    pub fn begin(&mut self) {
        (self.on, self.count) = (true, 0);
        self.first.clear();
    }

    /// A frame or a copy of it was lost.
    pub fn note(&mut self, reason: DropReason, to: EndpointId) {
        self.count += 1;
        let _ = self.first.try_push((reason, to));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Pool;
    use crate::sim::HeapPool;

    fn sight(stage: Stage) -> Sight {
        let concern = Concern { port: PortId(1), segment: Some(SegmentId(3)), ..Concern::default() };
        Sight { stage, concern, came_from: PortId(2), macs: [7, 8, 0, 0] }
    }

    #[test]
    fn a_filter_takes_what_fits_everything() {
        let out = sight(Stage::Out);
        let all = Filter::default();
        assert!(all.fits(&out));
        for port in [1, 2, 3] {
            assert_eq!(Filter { port: Some(PortId(port)), ..all }.fits(&out), port != 3);
        }
        assert!(!Filter { segment: Some(SegmentId(4)), ..all }.fits(&out));
        assert!(!Filter { mac: Some(9), ..all }.fits(&out) && Filter { mac: Some(8), ..all }.fits(&out));
        let runt = Filter { drop: Some(Some(DropReason::Runt)), ..all };
        assert!(!runt.fits(&out) && !runt.fits(&sight(Stage::Drop(DropReason::Oam))));
        assert!(runt.fits(&sight(Stage::Drop(DropReason::Runt))));
        assert!(Filter { drop: Some(None), ..all }.fits(&sight(Stage::Drop(DropReason::Oam))));
    }

    #[test]
    fn what_finds_no_buffer_or_comes_too_fast_is_counted() {
        let frame = HeapPool::new(1).frame(&[9; 100]).expect("a frame");
        let reel = Arc::new(Reel::new(2, 64, 0));
        let mut tap = Tap::new(1, Filter::default(), 64, Arc::clone(&reel));
        (0..3).for_each(|now| tap.shoot(&frame, &sight(Stage::Out), now));
        assert_eq!((reel.missed(), reel.limited()), (1, 0));
        let shot = reel.take().expect("the first");
        assert_eq!((shot.at, shot.len, shot.bytes.len(), shot.bytes.capacity()), (0, 100, 64, 64));
        let reel = Arc::new(Reel::new(2, 64, 10));
        let mut slow = Tap::new(2, Filter::default(), 64, Arc::clone(&reel));
        (0..3).for_each(|now| slow.shoot(&frame, &sight(Stage::Out), now));
        assert_eq!((reel.missed(), reel.limited()), (0, 2), "one at once");
        reel.refill(99_000_000);
        slow.shoot(&frame, &sight(Stage::Out), 4);
        assert_eq!(reel.limited(), 3, "a tenth of a second is not over");
        reel.refill(1_000_000);
        slow.shoot(&frame, &sight(Stage::Out), 5);
        assert_eq!((reel.missed(), reel.limited()), (0, 3));
    }
}
