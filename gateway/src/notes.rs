//! A core's notebook: what was dropped last, for whom, and what peers send. It is written off the path of frames that are
//! forwarded, its memory is allocated when it is made, and it changes hands whole: control sends an empty one, the core
//! gives back the one that it has written ([`crate::link::Update::Notes`]), so a core never copies it.

use arrayvec::ArrayVec;

use crate::frame::{Frame, PortId};
use crate::tables::{EndpointId, SegmentId};
use crate::verdict::DropReason;
use crate::wire::ethernet;
use crate::wire::peek::Peek;

/// Bytes that are kept of a dropped frame, at most.
pub const SNAP: usize = 128;
/// Frames that are kept of each reason between two changes of hands.
pub const KEPT: usize = 16;
/// Frames of one reason that are looked at in a millisecond, at most: under a storm this is a sample.
const A_MILLISECOND: u8 = 4;
/// Places for drops by subject, and for peers; a power of two.
const PLACES: usize = 1024;
/// Places that are tried for one of them.
const TRIES: usize = 16;

/// Whom a dropped frame concerned, as far as that was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Concern {
    /// The port that it came from, or was to leave through.
    pub port: PortId,
    /// The segment.
    pub segment: Option<SegmentId>,
    /// The endpoint that it came from.
    pub from: EndpointId,
    /// The endpoint that it was on the way to.
    pub to: EndpointId,
}

/// What is kept of a dropped frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// When, in nanoseconds of the workers' clock, exact to a millisecond.
    pub at: u64,
    /// Whom it concerned.
    pub concern: Concern,
    /// Bytes of the whole frame.
    pub len: u32,
    /// The first of them, as they were when the frame was dropped: an outer header may be off already.
    pub bytes: ArrayVec<u8, SNAP>,
}

/// What a peer sends, seen in a sample of its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Heard {
    /// When last, in nanoseconds of the workers' clock, exact to a millisecond.
    pub last: u64,
    /// Packets looked at.
    pub packets: u64,
    /// Those of them without a UDP checksum.
    pub no_checksum: u64,
    /// Those with reserved bits set.
    pub reserved: u64,
    /// Lowest and highest UDP source port.
    pub ports: (u16, u16),
}

impl Heard {
    /// Takes note of a packet.
    pub fn note(&mut self, seen: &Peek, now: u64) {
        self.merge(&Self {
            last: now,
            packets: 1,
            no_checksum: seen.no_checksum.into(),
            reserved: seen.reserved.into(),
            ports: (seen.source_port, seen.source_port),
        });
    }

    /// Adds what was heard elsewhere.
    pub fn merge(&mut self, other: &Self) {
        let (low, high) = other.ports;
        self.ports = if self.packets == 0 { other.ports } else { (self.ports.0.min(low), self.ports.1.max(high)) };
        self.last = self.last.max(other.last);
        self.packets += other.packets;
        self.no_checksum += other.no_checksum;
        self.reserved += other.reserved;
    }
}

/// Whose drops are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Whose {
    /// A segment's.
    Segment(SegmentId),
    /// A VTEP's or an attachment's.
    Endpoint(EndpointId),
}

/// A small map of fixed size: a key has its place or one of the next few.
#[derive(Debug)]
struct Places<K, V>(Box<[Option<(K, V)>]>);

impl<K: Copy + Eq, V: Copy + Default> Places<K, V> {
    fn new() -> Self {
        Self(vec![None; PLACES].into())
    }

    /// The value of a key, made when it is new; `None` when there is no room.
    fn at(&mut self, key: K, number: u32) -> Option<&mut V> {
        let start = number.wrapping_mul(0x9e37_79b1) as usize >> 7;
        let place = (start..start + TRIES)
            .map(|at| at % PLACES)
            .find(|&at| self.0[at].as_ref().is_none_or(|(held, _)| *held == key))?;
        Some(&mut self.0[place].get_or_insert((key, V::default())).1)
    }

    fn iter(&self) -> impl Iterator<Item = (K, V)> + '_ {
        self.0.iter().flatten().copied()
    }
}

/// The notebook.
#[derive(Debug)]
pub struct Notes {
    last: Box<[ArrayVec<Snapshot, KEPT>]>,
    /// By reason: where the next one goes when the list is full.
    next: [u8; DropReason::COUNT],
    /// By reason: how many may still be looked at in this millisecond.
    tokens: [u8; DropReason::COUNT],
    drops: Places<(Whose, DropReason), u64>,
    /// Drops whose subject found no place.
    pub unplaced: u64,
    heard: Places<EndpointId, Heard>,
    written: bool,
    bursts: u32,
}

impl Default for Notes {
    fn default() -> Self {
        Self {
            last: vec![ArrayVec::new(); DropReason::COUNT].into(),
            next: [0; DropReason::COUNT],
            tokens: [A_MILLISECOND; DropReason::COUNT],
            drops: Places::new(),
            unplaced: 0,
            heard: Places::new(),
            written: false,
            bursts: 0,
        }
    }
}

impl Notes {
    /// A millisecond has passed.
    #[inline]
    pub fn refill(&mut self) {
        self.tokens = [A_MILLISECOND; DropReason::COUNT];
    }

    /// Notes a frame that was dropped.
    /// `tag` is the one that the NIC took off, where the frame is as it came.
    pub fn lost<F: Frame>(&mut self, frame: &F, reason: DropReason, concern: Concern, tag: Option<u16>, now: u64) {
        self.written = true;
        let endpoint = if concern.to == EndpointId::NONE { concern.from } else { concern.to };
        let segment = concern.segment.map(|id| (Whose::Segment(id), u32::from(id.0)));
        let endpoint = (endpoint != EndpointId::NONE).then_some((Whose::Endpoint(endpoint), endpoint.0 << 1 | 1));
        for (whose, number) in segment.into_iter().chain(endpoint) {
            match self.drops.at((whose, reason), number << 6 | reason as u32) {
                Some(count) => *count += 1,
                None => self.unplaced += 1,
            }
        }
        if self.tokens[reason as usize] == 0 {
            return;
        }
        self.tokens[reason as usize] -= 1;
        let mut bytes = ArrayVec::new();
        copy(frame, SNAP, |piece| _ = bytes.try_extend_from_slice(piece));
        let len = frame.len() as u32 + if tag.is_some() { 4 } else { 0 };
        if let Some(tci) = tag {
            put_tag(&mut bytes, tci);
        }
        let snapshot = Snapshot { at: now, concern, len, bytes };
        let (list, next) = (&mut self.last[reason as usize], &mut self.next[reason as usize]);
        if let Err(full) = list.try_push(snapshot) {
            list[usize::from(*next) % KEPT] = full.element();
            *next = next.wrapping_add(1);
        }
    }

    /// True when a burst of so many frames is to be listened to: every small one, one in sixteen under load.
    #[inline]
    pub fn listens(&mut self, frames: usize) -> bool {
        self.bursts = self.bursts.wrapping_add(1);
        frames < 8 || self.bursts.is_multiple_of(16)
    }

    /// Which frame of a burst is looked at; each has its turn.
    #[inline]
    pub fn lane(&self, frames: usize) -> usize {
        (self.bursts >> 4) as usize % frames.max(1)
    }

    /// Notes a packet of a peer.
    pub fn heard(&mut self, from: EndpointId, seen: &Peek, now: u64) {
        if let Some(heard) = self.heard.at(from, from.0) {
            self.written = true;
            heard.note(seen, now);
        }
    }

    /// The frames kept of a reason, in no order.
    pub fn last(&self, reason: DropReason) -> &[Snapshot] {
        &self.last[reason as usize]
    }

    /// Drops by subject and reason.
    pub fn drops(&self) -> impl Iterator<Item = ((Whose, DropReason), u64)> + '_ {
        self.drops.iter()
    }

    /// What peers sent.
    pub fn peers(&self) -> impl Iterator<Item = (EndpointId, Heard)> + '_ {
        self.heard.iter()
    }

    /// Nothing noted; the memory stays.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.written) {
            self.last.iter_mut().for_each(ArrayVec::clear);
            self.drops.0.fill(None);
            self.heard.0.fill(None);
            (self.next, self.unplaced) = ([0; DropReason::COUNT], 0);
        }
    }
}

/// Puts a tag that the NIC took off back where it was.
fn put_tag(bytes: &mut ArrayVec<u8, SNAP>, tci: u16) {
    if bytes.len() >= ethernet::ADDRESSES {
        bytes.truncate(SNAP - ethernet::TAG);
        let ([a, b], [c, d]) = (ethernet::CUSTOMER_TAG.to_be_bytes(), tci.to_be_bytes());
        for (at, byte) in (ethernet::ADDRESSES..).zip([a, b, c, d]) {
            bytes.insert(at, byte);
        }
    }
}

/// Gives `take` the first `limit` bytes of a frame, piece by piece.
pub fn copy<F: Frame>(frame: &F, limit: usize, mut take: impl FnMut(&[u8])) {
    let mut left = limit;
    let mut piece = |bytes: &[u8]| {
        let part = &bytes[..bytes.len().min(left)];
        left -= part.len();
        take(part);
    };
    piece(frame.head());
    frame.for_each_tail(piece);
}
