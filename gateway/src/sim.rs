//! Devices in memory: heap frames, time as an argument, cores stepped by hand. Tests, benches, fuzzing and `explain` share
//! them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::driver::{BURST, Burst, Driver};
use crate::frame::{Frame, Pool, PortId, RxMeta, TxOffload};
use crate::prefetch::prefetch;

/// Headroom of a new frame in bytes.
pub const HEADROOM: usize = 384;

/// Bytes of head that a replica has of its own.
const OWN: usize = 128;

/// A frame on the heap, as thin as an mbuf's pointer. Counts itself in and out of its pool.
#[derive(Debug)]
pub struct HeapFrame(Box<Body>);

#[derive(Debug)]
struct Body {
    head: Vec<u8>,
    start: usize,
    tails: Vec<Arc<Vec<u8>>>,
    /// Bytes in `tails`.
    rest: usize,
    meta: RxMeta,
    offload: TxOffload,
    in_use: Arc<AtomicUsize>,
}

impl Drop for Body {
    fn drop(&mut self) {
        self.in_use.fetch_sub(1, Ordering::Relaxed);
    }
}

impl HeapFrame {
    /// All bytes, as they would be on the wire: what the device was asked to do is done.
    pub fn wire(&self) -> Vec<u8> {
        let mut bytes = self.head().to_vec();
        for tail in &self.0.tails {
            bytes.extend_from_slice(tail);
        }
        if let at @ 1.. = usize::from(self.0.offload.ipv4_checksum_at) {
            let field = crate::wire::checksum::finish(crate::wire::checksum::sum(&bytes[at..at + 20]));
            bytes[at + 10..at + 12].copy_from_slice(&field.to_be_bytes());
        }
        if let Some(tci) = self.0.offload.insert {
            let [a, b] = tci.to_be_bytes();
            bytes.splice(12..12, [0x81, 0x00, a, b]);
        }
        bytes
    }

    /// The frame as if the NIC had said this of it.
    pub fn with_meta(mut self, meta: RxMeta) -> Self {
        self.0.meta = meta;
        self
    }

    /// The same bytes in pieces: the head keeps `head` of them, each further piece has at most `piece`.
    pub fn split(mut self, head: usize, piece: usize) -> Self {
        let keep = self.0.start + head.min(self.0.head.len() - self.0.start);
        let rest = self.0.head.split_off(keep);
        self.0.rest += rest.len();
        let pieces = rest.chunks(piece.max(1)).map(|part| Arc::new(part.to_vec()));
        self.0.tails.splice(0..0, pieces);
        self
    }
}

impl Frame for HeapFrame {
    #[inline]
    fn head(&self) -> &[u8] {
        &self.0.head[self.0.start..]
    }

    #[inline]
    fn head_mut(&mut self) -> &mut [u8] {
        &mut self.0.head[self.0.start..]
    }

    #[inline(always)]
    fn prefetch(&self) {
        if let Some(first) = self.0.head.get(self.0.start) {
            prefetch(first);
        }
    }

    #[inline]
    fn len(&self) -> usize {
        self.0.head.len() - self.0.start + self.0.rest
    }

    fn for_each_tail(&self, mut each: impl FnMut(&[u8])) {
        for tail in &self.0.tails {
            each(tail);
        }
    }

    #[inline(always)]
    fn grow_front(&mut self, bytes: usize) -> Option<&mut [u8]> {
        self.0.start = self.0.start.checked_sub(bytes)?;
        Some(self.head_mut())
    }

    #[inline(always)]
    fn grow_front_in<const N: usize>(&mut self, bytes: usize, behind: usize) -> Option<&mut [u8; N]> {
        let Body { head, start, .. } = &mut *self.0;
        let window = head.get_mut((*start + behind).checked_sub(N)?..)?.first_chunk_mut()?;
        *start = start.checked_sub(bytes)?;
        Some(window)
    }

    #[inline]
    fn trim_front(&mut self, bytes: usize) {
        self.0.start = (self.0.start + bytes).min(self.0.head.len());
    }

    fn truncate(&mut self, len: usize) {
        let mut left = len;
        let head = self.0.head.len() - self.0.start;
        self.0.head.truncate(self.0.start + left);
        left = left.saturating_sub(head);
        self.0.tails.retain_mut(|tail| {
            let keep = left.min(tail.len());
            if keep < tail.len() {
                *tail = Arc::new(tail[..keep].to_vec());
            }
            left -= keep;
            keep > 0
        });
        self.0.rest = self.0.tails.iter().map(|tail| tail.len()).sum();
    }

    #[inline]
    fn meta(&self) -> RxMeta {
        self.0.meta
    }

    #[inline]
    fn set_offload(&mut self, offload: TxOffload) {
        self.0.offload = offload;
    }

    fn offload(&self) -> TxOffload {
        self.0.offload
    }
}

/// A pool of heap frames.
#[derive(Debug)]
pub struct HeapPool {
    in_use: Arc<AtomicUsize>,
    limit: usize,
}

impl HeapPool {
    /// A pool that gives at most `limit` frames at a time.
    pub fn new(limit: usize) -> Self {
        Self { in_use: Arc::new(AtomicUsize::new(0)), limit }
    }

    /// Frames that are out.
    pub fn in_use(&self) -> usize {
        self.in_use.load(Ordering::Relaxed)
    }

    fn take(&self, head: Vec<u8>, tails: Vec<Arc<Vec<u8>>>) -> Option<HeapFrame> {
        if self.in_use.fetch_add(1, Ordering::Relaxed) >= self.limit {
            self.in_use.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(HeapFrame(Box::new(Body {
            head,
            start: HEADROOM,
            rest: tails.iter().map(|tail| tail.len()).sum(),
            tails,
            meta: RxMeta::default(),
            offload: TxOffload::default(),
            in_use: Arc::clone(&self.in_use),
        })))
    }
}

fn with_headroom(bytes: &[u8]) -> Vec<u8> {
    // Not zero, so that a test sees bytes that nobody wrote.
    let mut head = vec![0xa5; HEADROOM];
    head.extend_from_slice(bytes);
    head
}

impl Pool for HeapPool {
    type Frame = HeapFrame;

    fn replica(&mut self, original: &HeapFrame) -> Option<HeapFrame> {
        let head = original.head();
        let own = head.len().min(OWN);
        let mut tails = Vec::new();
        if own < head.len() {
            tails.push(Arc::new(head[own..].to_vec()));
        }
        tails.extend(original.0.tails.iter().cloned());
        self.take(with_headroom(&head[..own]), tails)
    }

    fn frame(&mut self, bytes: &[u8]) -> Option<HeapFrame> {
        self.take(with_headroom(bytes), Vec::new())
    }
}

/// A port in memory, as one core sees it.
#[derive(Debug, Default)]
pub struct SimPort {
    /// What the port receives next.
    pub rx: VecDeque<HeapFrame>,
    /// What it sent, oldest first.
    pub tx: Vec<HeapFrame>,
    /// How many frames it takes from one call of `tx`; `None` takes all.
    pub room: Option<usize>,
    /// False when this core has no transmit queue here.
    pub has_tx: bool,
}

/// The devices of one core, in memory.
#[derive(Debug)]
pub struct SimDriver {
    /// By port; each is one receive queue of this core.
    pub ports: Vec<SimPort>,
    pool: HeapPool,
}

impl SimDriver {
    /// So many ports, and a pool of so many frames.
    pub fn new(ports: usize, frames: usize) -> Self {
        let ports = (0..ports).map(|_| SimPort { has_tx: true, ..SimPort::default() }).collect();
        Self { ports, pool: HeapPool::new(frames) }
    }

    /// Puts a frame into a port's receive queue.
    ///
    /// # Panics
    ///
    /// When there is no such port or the pool is empty.
    pub fn receive(&mut self, port: u8, bytes: &[u8]) {
        let meta = RxMeta { port: PortId(port), ..RxMeta::default() };
        let frame = self.pool.frame(bytes).expect("the pool has a frame").with_meta(meta);
        self.ports[usize::from(port)].rx.push_back(frame);
    }

    /// What a port sent since the last call, as it is on the wire.
    ///
    /// # Panics
    ///
    /// When there is no such port.
    pub fn sent(&mut self, port: u8) -> Vec<Vec<u8>> {
        self.ports[usize::from(port)].tx.drain(..).map(|frame| frame.wire()).collect()
    }

    /// Frames of the pool that are out.
    pub fn in_use(&self) -> usize {
        self.pool.in_use()
    }
}

impl Driver for SimDriver {
    type Frame = HeapFrame;
    type Pool = HeapPool;

    fn rx_queues(&self) -> usize {
        self.ports.len()
    }

    fn rx(&mut self, queue: usize, limit: usize, into: &mut Burst<HeapFrame>) {
        let port = &mut self.ports[queue];
        let count = limit.min(port.rx.len()).min(BURST.saturating_sub(into.len()));
        into.extend(port.rx.drain(..count));
    }

    fn has_tx(&self, port: PortId) -> bool {
        self.ports[port.index()].has_tx
    }

    fn tx(&mut self, port: PortId, frames: &mut Vec<HeapFrame>) -> u64 {
        let port = &mut self.ports[port.index()];
        let count = frames.len().min(port.room.unwrap_or(usize::MAX));
        let bytes = frames[..count].iter().map(|frame| frame.len() as u64).sum();
        port.tx.extend(frames.drain(..count));
        bytes
    }

    fn pool(&mut self) -> &mut HeapPool {
        &mut self.pool
    }
}
