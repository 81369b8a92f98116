//! Pools of packet buffers: one per worker, on its NUMA node.
//!
//! A pool lives until DPDK ends: a device may hold buffers of any worker's pool in its transmit rings.

use std::ffi::CString;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use dpdk_sys as sys;

use super::eal::Running;
use super::error::Error;
use super::log;
use super::mbuf::{COPY_BELOW, FULL_HEADROOM, Mbuf, OWN_HEAD, Piece};
use crate::frame::{Frame, Pool};

/// Headroom that [`config::types::Memory::buffer_size`] does not count, in bytes. Drivers leave `RTE_PKTMBUF_HEADROOM`
/// (128) of it in front of a received frame; the rest is room behind it.
pub const HEADROOM: u16 = 256;
/// Private bytes behind each mbuf: where its own bytes end, and padding that keeps data on a cache line.
const PRIVATE: u16 = 64;
/// Bytes of an mbuf and its pool header.
const OVERHEAD: u64 = 128 + 64 + 64;

/// Bytes that a pool of `buffers` with `data_room` bytes each (headroom counted) takes, roughly and rather too many.
pub(super) fn footprint(buffers: u32, data_room: u16) -> u64 {
    u64::from(buffers) * (u64::from(data_room) + u64::from(PRIVATE) + OVERHEAD + 16) + (2 << 20)
}

/// Looks into a pool from any thread.
#[derive(Clone)]
pub struct PoolGauge {
    raw: NonNull<sys::rte_mempool>,
    size: u32,
    _running: Arc<Running>,
}

// SAFETY: counting (`rte_mempool_in_use_count`) only reads, from any thread, and `_running` keeps the pool alive.
unsafe impl Send for PoolGauge {}
// SAFETY: as above.
unsafe impl Sync for PoolGauge {}

impl PoolGauge {
    /// Buffers that are not in the pool: in device queues, in the pipeline, waiting. Exact only while nobody uses the
    /// pool. Wraps `rte_mempool_in_use_count`.
    pub fn in_use(&self) -> u32 {
        // SAFETY: the pool is alive, see the type.
        unsafe { sys::rte_mempool_in_use_count(self.raw.as_ptr()) }
    }

    /// Buffers that it was made with.
    pub fn size(&self) -> u32 {
        self.size
    }
}

/// Makes the pool of a worker. Wraps `rte_pktmbuf_pool_create`; `node` is a NUMA node, tried first.
///
/// # Errors
///
/// When there is too little memory.
pub(super) fn create(
    running: &Arc<Running>,
    worker: usize,
    buffers: u32,
    data_room: u16,
    node: Option<u16>,
) -> Result<MbufPool, Error> {
    // DPDK wants the per-thread cache to be less than two thirds of the pool.
    let cache = (buffers / 8).min(sys::CW_CACHE_MAX);
    let name = CString::new(format!("worker{worker}-{}", running.next_pool())).expect("no zero byte in a number");
    log::forget();
    let nodes = node.map(i32::from).into_iter().chain([-1]);
    for node in nodes {
        // SAFETY: EAL runs (`running`); the name is a C string that the call copies.
        let raw = unsafe { sys::rte_pktmbuf_pool_create(name.as_ptr(), buffers, cache, PRIVATE, data_room, node) };
        if let Some(raw) = NonNull::new(raw) {
            let gauge = PoolGauge { raw, size: buffers, _running: running.clone() };
            running.adopt(raw);
            return Ok(MbufPool { raw, room: usize::from(data_room), share: true, gauge });
        }
    }
    // SAFETY: reads a thread-local number.
    let number = unsafe { sys::cw_errno() };
    let needed = footprint(buffers, data_room).div_ceil(1 << 20);
    Err(Error::Pool { worker, needed, reason: log::complaints(&log::errno_text(number)) })
}

/// A worker's buffers. Clones are handles to the same, for other threads.
#[derive(Clone)]
pub struct MbufPool {
    raw: NonNull<sys::rte_mempool>,
    /// Bytes of a buffer, headroom counted.
    room: usize,
    share: bool,
    gauge: PoolGauge,
}

// SAFETY: a mempool serves any thread (multi-producer, multi-consumer rings; caches belong to registered threads), and
// the gauge keeps it alive.
unsafe impl Send for MbufPool {}

impl MbufPool {
    /// An empty buffer of `pool`, a pool of ours: headroom 128, no data, one piece. Wraps `rte_pktmbuf_alloc`.
    #[inline]
    pub(super) fn allocate(pool: *mut sys::rte_mempool) -> Option<Piece> {
        // SAFETY: pools live as long as EAL, and whoever holds a frame or a pool holds EAL.
        let raw = NonNull::new(unsafe { sys::cw_alloc(pool) })?;
        // SAFETY: fresh from a pool of ours, so nobody else has it.
        Some(unsafe { Piece::new(raw) })
    }

    /// The raw pool, for receive queues.
    pub(super) fn as_ptr(&self) -> *mut sys::rte_mempool {
        self.raw.as_ptr()
    }

    /// Replicas may share bytes (on by default): every port can transmit frames of several pieces.
    pub(super) fn set_share(&mut self, share: bool) {
        self.share = share;
    }

    /// A handle that counts from any thread.
    pub fn gauge(&self) -> PoolGauge {
        self.gauge.clone()
    }

    /// Buffers that are not in the pool, see [`PoolGauge::in_use`].
    pub fn in_use(&self) -> u32 {
        self.gauge.in_use()
    }

    /// A frame with room for `len` bytes, which the caller fills; `None` when the pool is empty or its buffers are
    /// smaller.
    fn blank(&self, len: usize) -> Option<Mbuf> {
        let piece = Self::allocate(self.raw.as_ptr())?;
        // SAFETY: `allocate` gave a frame of one piece to us alone. From here on it is freed when given up.
        let frame = unsafe { Mbuf::from_head(piece) };
        let room = usize::from(piece.buffer_len());
        if len + sys::CW_HEADROOM as usize > room {
            return None;
        }
        piece.set_offset((room - len).min(FULL_HEADROOM) as u16);
        piece.set_data_len(len as u16);
        piece.set_frame_len(len as u32);
        Some(frame)
    }

    /// `original` in one piece of its own; `None` when the pool is empty or `original` is longer than a buffer.
    fn flat(&mut self, original: &Mbuf) -> Option<Mbuf> {
        let copy = self.blank(original.len())?;
        gather(original, copy.piece().data(), original.len());
        inherit(copy.piece(), original.piece());
        Some(copy)
    }

    /// Makes every frame one piece, for devices that do not transmit several. Returns how many at the front are: fewer than
    /// all when the pool runs empty, and the rest is as it was.
    pub fn flatten(&mut self, frames: &mut [Mbuf]) -> usize {
        for (index, frame) in frames.iter_mut().enumerate() {
            if frame.pieces() > 1 {
                match self.flat(frame) {
                    Some(flat) => *frame = flat,
                    None => return index,
                }
            }
        }
        frames.len()
    }

    /// A frame whose first bytes are a copy and whose rest are clones of `original`'s pieces.
    fn shared(&mut self, original: &Mbuf) -> Option<Mbuf> {
        let copy = self.blank(OWN_HEAD)?;
        let head = copy.piece();
        gather(original, head.data(), OWN_HEAD);
        inherit(head, original.piece());

        let (mut skip, mut last, mut from) = (OWN_HEAD, head, Some(original.piece()));
        while let Some(piece) = from {
            let here = usize::from(piece.data_len());
            if here <= skip {
                skip -= here;
            } else {
                // Giving up `copy` frees what has been chained to it.
                let clone = Self::allocate(self.raw.as_ptr())?;
                if piece.as_ptr() == original.piece().as_ptr() {
                    piece.share_rest();
                }
                // SAFETY: `rte_pktmbuf_attach` wants a fresh direct mbuf, which `clone` is, and a live piece, which
                // `original` owns; it counts the reference.
                unsafe { sys::cw_attach(clone.as_ptr(), piece.as_ptr()) };
                clone.advance(skip);
                skip = 0;
                last.set_next(Some(clone));
                last = clone;
                head.set_pieces(head.pieces() + 1);
                head.set_frame_len(head.frame_len() + u32::from(clone.data_len()));
            }
            from = piece.next();
        }
        Some(copy)
    }
}

/// Copies the first `len` bytes of `frame` (at most its length) to `to`.
fn gather(frame: &Mbuf, to: *mut u8, len: usize) {
    let mut done = 0;
    let mut put = |bytes: &[u8]| {
        let take = bytes.len().min(len - done);
        // SAFETY: the caller's `to` has room for `len` bytes in a buffer of its own, and `done + take` is at most that.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to.add(done), take) };
        done += take;
    };
    put(frame.head());
    frame.for_each_tail(put);
}

/// Gives a copy what the NIC said of the original.
fn inherit(copy: Piece, original: Piece) {
    copy.set_port(original.port());
    copy.set_flags(original.flags() & !(sys::CW_INDIRECT | sys::CW_EXTERNAL));
    copy.set_packet_type(original.packet_type());
    copy.set_tag(original.tag());
    copy.set_rss(original.rss());
    copy.set_tx_offload(original.tx_offload());
}

impl Pool for MbufPool {
    type Frame = Mbuf;

    /// A copy of a frame of up to 512 bytes, and where a port cannot transmit several pieces, of one that fits a buffer; of a longer one
    /// a copy of the first 128 bytes with clones of the rest (`rte_pktmbuf_attach`).
    fn replica(&mut self, original: &Mbuf) -> Option<Mbuf> {
        // A head that is not in a buffer of its own cannot note what it shares.
        if original.len() <= COPY_BELOW || !original.piece().direct() {
            return self.flat(original);
        }
        if !self.share && original.len() + sys::CW_HEADROOM as usize <= self.room {
            return self.flat(original);
        }
        self.shared(original)
    }

    fn frame(&mut self, bytes: &[u8]) -> Option<Mbuf> {
        let frame = self.blank(bytes.len())?;
        // SAFETY: `blank` made room for as many bytes in a buffer that nobody else has.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), frame.piece().data(), bytes.len()) };
        Some(frame)
    }
}
