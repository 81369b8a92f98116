//! A frame in a DPDK buffer.
//!
//! Per-frame access is inlined Rust through the field offsets that the C compiler exported; only allocation and freeing
//! call into C.
//!
//! Who may write what: a buffer with one owner is wholly writable. [`MbufPool::replica`] shares the bytes of a large
//! frame behind its first 128 with the replica; from then on, until all replicas are gone, the mutable views of that
//! frame end where the sharing begins. Pieces behind the head are never writable.

use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicU16, Ordering};

use dpdk_sys as sys;

use super::pool::MbufPool;
use crate::frame::{Checked, Frame, PortId, RxMeta, TxOffload};
use crate::prefetch::prefetch_at;

/// Bytes at the front of a frame that a replica copies rather than shares.
pub(super) const OWN_HEAD: usize = 128;
/// A frame up to this many bytes is copied when replicated or when it needs a longer head: that is cheaper than a
/// second piece.
pub(super) const COPY_BELOW: usize = 512;
/// Headroom of a frame that we fill ourselves: the longest outer header (Ethernet, tag, IPv6, UDP, Geneve and 252 bytes
/// of options are 326) and some more, on a cache line.
pub(super) const FULL_HEADROOM: usize = 384;

/// The flags by which [`TxOffload`] is asked for.
const TX_FLAGS: u64 = sys::CW_TX_IP_CKSUM | sys::CW_TX_IPV4 | sys::CW_TX_VLAN;
/// The flags that say where a piece's bytes are.
const PLACE_FLAGS: u64 = sys::CW_INDIRECT | sys::CW_EXTERNAL;

/// A pointer to one mbuf: a frame's head, or a piece behind it.
///
/// It owns nothing. Whoever makes one vouches that the mbuf is alive and that no other thread reaches its fields while
/// this one does (the reference count excepted, which is atomic).
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Piece(NonNull<sys::rte_mbuf>);

/// Makes a getter and a setter for each field.
macro_rules! fields {
    ($($(#[$doc:meta])* $get:ident, $set:ident: $kind:ty = $at:ident;)+) => {
        impl Piece {
            $(
                $(#[$doc])*
                #[inline(always)]
                pub(super) fn $get(self) -> $kind {
                    // SAFETY: the offset and the type are those of the C compiler for this field of `struct rte_mbuf`,
                    // and `Piece` vouches for the mbuf.
                    unsafe { self.field::<$kind>(sys::$at as usize).read() }
                }

                #[inline(always)]
                pub(super) fn $set(self, value: $kind) {
                    // SAFETY: as above; nobody else uses the field while this thread holds the piece.
                    unsafe { self.field::<$kind>(sys::$at as usize).write(value) }
                }
            )+
        }
    };
}

fields! {
    /// Start of the buffer.
    buffer, _set_buffer: *mut u8 = CW_BUF_ADDR_AT;
    /// Bytes of the buffer.
    buffer_len, _set_buffer_len: u16 = CW_BUF_LEN_AT;
    /// Where the data begins in the buffer.
    offset, set_offset: u16 = CW_DATA_OFF_AT;
    /// Bytes of data in this piece.
    data_len, set_data_len: u16 = CW_DATA_LEN_AT;
    /// Bytes of data of the whole frame; of its head only.
    frame_len, set_frame_len: u32 = CW_PKT_LEN_AT;
    /// Pieces of the frame; of its head only.
    pieces, set_pieces: u16 = CW_NB_SEGS_AT;
    /// The port number that [`Mbuf::arrived`] wrote.
    port, set_port: u16 = CW_PORT_AT;
    /// RTE_MBUF_F_*.
    flags, set_flags: u64 = CW_OL_FLAGS_AT;
    /// RTE_PTYPE_*.
    packet_type, set_packet_type: u32 = CW_PACKET_TYPE_AT;
    /// Tag taken off or to be inserted.
    tag, set_tag: u16 = CW_VLAN_TCI_AT;
    /// RSS hash.
    rss, set_rss: u32 = CW_RSS_AT;
    /// Header lengths for the NIC.
    tx_offload, set_tx_offload: u64 = CW_TX_OFFLOAD_AT;
    /// The pool that it goes back to.
    pool, _set_pool: *mut sys::rte_mempool = CW_POOL_AT;
    next_raw, set_next_raw: *mut sys::rte_mbuf = CW_NEXT_AT;
    /// Where in its buffer this mbuf's own bytes end, while `refs` is above 1. In the private area of our pools.
    own_end, set_own_end: u16 = CW_PRIVATE_AT;
}

impl Piece {
    /// The piece that `mbuf` points to.
    ///
    /// # Safety
    ///
    /// See [`Piece`]: the mbuf is alive, comes from a pool of ours, and the caller has it to itself.
    #[inline(always)]
    pub(super) unsafe fn new(mbuf: NonNull<sys::rte_mbuf>) -> Self {
        Self(mbuf)
    }

    #[inline(always)]
    pub(super) fn as_ptr(self) -> *mut sys::rte_mbuf {
        self.0.as_ptr()
    }

    /// # Safety
    ///
    /// `at` is the offset of a field of type `T`.
    #[inline(always)]
    unsafe fn field<T>(self, at: usize) -> *mut T {
        // SAFETY: the caller's offset lies in the mbuf or the private area behind it.
        unsafe { self.0.as_ptr().cast::<u8>().add(at).cast::<T>() }
    }

    #[inline(always)]
    pub(super) fn next(self) -> Option<Self> {
        NonNull::new(self.next_raw()).map(Self)
    }

    #[inline(always)]
    pub(super) fn set_next(self, next: Option<Self>) {
        self.set_next_raw(next.map_or(ptr::null_mut(), Self::as_ptr));
    }

    /// How many mbufs use this one's buffer. Acquires, so that who sees 1 may write what others have read before.
    #[inline(always)]
    fn refs(self) -> u16 {
        // SAFETY: `refcnt` is an aligned 16-bit field that DPDK itself accesses atomically (RTE_MBUF_REFCNT_ATOMIC).
        unsafe { AtomicU16::from_ptr(self.field(sys::CW_REFCNT_AT as usize)).load(Ordering::Acquire) }
    }

    /// The first byte of data.
    #[inline(always)]
    pub(super) fn data(self) -> *mut u8 {
        // SAFETY: DPDK keeps `data_off` within the buffer, and so does this module.
        unsafe { self.buffer().add(usize::from(self.offset())) }
    }

    /// True when the buffer is the mbuf's own, not a clone's view and not memory from elsewhere.
    #[inline(always)]
    pub(super) fn direct(self) -> bool {
        self.flags() & PLACE_FLAGS == 0
    }

    /// How many bytes of data, from the front, nobody else can see.
    #[inline(always)]
    fn own_len(self) -> usize {
        if self.is_sole() { usize::from(self.data_len()) } else { self.own_len_of_shared() }
    }

    #[cold]
    fn own_len_of_shared(self) -> usize {
        if self.direct() {
            let own = usize::from(self.own_end()).saturating_sub(usize::from(self.offset()));
            own.min(usize::from(self.data_len()))
        } else if self.sole_external() {
            usize::from(self.data_len())
        } else {
            0
        }
    }

    /// True when the bytes are in memory that a driver attached to this mbuf alone.
    fn sole_external(self) -> bool {
        // SAFETY: an mbuf with the EXTERNAL flag has its `shinfo` set (rte_pktmbuf_attach_extbuf); `&&` looks first.
        self.flags() & PLACE_FLAGS == sys::CW_EXTERNAL && unsafe { sys::cw_external_refcnt(self.as_ptr()) } == 1
    }

    /// Bytes in front of the data that may be written.
    #[inline(always)]
    fn headroom(self) -> usize {
        if self.is_sole() { usize::from(self.offset()) } else { self.headroom_of_shared() }
    }

    #[cold]
    fn headroom_of_shared(self) -> usize {
        // Data that was trimmed off behind the own bytes lies in front now, but others still read it.
        let free = if self.direct() { self.offset() <= self.own_end() } else { self.sole_external() };
        if free { usize::from(self.offset()) } else { 0 }
    }

    /// From this call on only the first [`OWN_HEAD`] bytes of the data (or fewer, if fewer were left) are this piece's
    /// own: a clone is about to be attached to the rest.
    pub(super) fn share_rest(self) {
        let end = usize::from(self.offset()) + OWN_HEAD;
        let end = if self.refs() > 1 { end.min(usize::from(self.own_end())) } else { end };
        self.set_own_end(end.min(usize::from(self.buffer_len())) as u16);
    }

    /// True when the buffer is the mbuf's own and nobody else's.
    #[inline(always)]
    fn is_sole(self) -> bool {
        self.direct() && self.refs() == 1
    }

    /// Adds `bytes` (at most the headroom) to the front of this piece, a head.
    #[inline(always)]
    fn retreat(self, bytes: usize) {
        self.set_offset(self.offset() - bytes as u16);
        self.set_data_len(self.data_len() + bytes as u16);
        self.set_frame_len(self.frame_len() + bytes as u32);
    }

    /// Takes `bytes` (at most `data_len`) off the front of this piece; the head's frame length is the caller's business.
    #[inline(always)]
    pub(super) fn advance(self, bytes: usize) {
        self.set_offset(self.offset() + bytes as u16);
        self.set_data_len(self.data_len() - bytes as u16);
    }
}

/// A frame in a DPDK buffer that this value owns: dropping it gives the buffer back (`rte_pktmbuf_free`).
///
/// As large as a pointer, `Option<Mbuf>` too, so that a burst of them is what DPDK calls an array of mbuf pointers.
#[repr(transparent)]
pub struct Mbuf(Piece);

// SAFETY: DPDK buffers belong to no thread; pools take them back from any (their rings are multi-producer, and the
// per-thread caches are only used by threads registered with `Eal::register_thread`). `Mbuf` is not `Clone`, so the
// fields of its mbufs have one user; what replicas share is only read.
unsafe impl Send for Mbuf {}

const _: () = assert!(size_of::<Option<Mbuf>>() == size_of::<*mut sys::rte_mbuf>());

impl Mbuf {
    /// Takes ownership of a frame.
    ///
    /// # Safety
    ///
    /// `head` is the head of a frame from a pool of ours that nobody else owns.
    pub(super) unsafe fn from_head(head: Piece) -> Self {
        Self(head)
    }

    /// The head, still owned by `self`.
    #[inline(always)]
    pub(super) fn piece(&self) -> Piece {
        self.0
    }

    /// Number of pieces.
    #[inline]
    pub fn pieces(&self) -> usize {
        usize::from(self.0.pieces())
    }

    /// Bytes that [`Frame::grow_front`] gives without another buffer.
    #[inline]
    pub fn headroom(&self) -> usize {
        self.0.headroom()
    }

    /// Notes that the frame came in on `port`. `forwarded`: the device hands over mbufs as another port sent them, so
    /// what their flags say is old.
    #[inline(always)]
    pub(super) fn arrived(&mut self, port: PortId, forwarded: bool) {
        self.0.set_port(u16::from(port.0));
        if forwarded {
            self.0.set_flags(self.0.flags() & PLACE_FLAGS);
        }
    }

    /// [`Frame::grow_front`] of a frame that shares its head's buffer, or has too little room in it.
    #[cold]
    #[inline(never)]
    fn grow_front_of_shared(&mut self, bytes: usize) -> Option<&mut [u8]> {
        if bytes <= self.0.headroom() {
            self.0.retreat(bytes);
        } else if !self.add_head(bytes) {
            return None;
        }
        Some(self.head_mut())
    }

    /// [`Frame::grow_front_in`] of a frame that shares its head's buffer, or has too little room in it: `N` bytes of room are
    /// made, and those that were not asked for given up again.
    #[cold]
    #[inline(never)]
    fn grow_front_in_shared<const N: usize>(&mut self, bytes: usize, behind: usize) -> Option<&mut [u8; N]> {
        let spare = N.checked_sub(bytes + behind)?;
        if behind > self.0.own_len() {
            return None;
        }
        self.grow_front(bytes + spare)?;
        self.trim_front(spare);
        let head = self.0;
        let start = usize::from(head.offset()) - spare;
        if !head.is_sole() && start + N > usize::from(head.own_end()) {
            self.trim_front(bytes);
            return None;
        }
        // SAFETY: the spare bytes were the frame's own a moment ago, and so are those behind them.
        Some(unsafe { &mut *head.buffer().add(start).cast::<[u8; N]>() })
    }

    /// Puts a head with room for `bytes` more in front of the frame. False, and nothing changed, when the pool is empty
    /// or its buffers are too small.
    #[cold]
    fn add_head(&mut self, bytes: usize) -> bool {
        let old = self.0;
        let old_len = usize::from(old.data_len());
        let Some(new) = MbufPool::allocate(old.pool()) else { return false };
        let room = usize::from(new.buffer_len());
        // The headers that follow must lie in the head too; a small piece moves as a whole.
        let moved = if old_len <= COPY_BELOW && bytes + old_len <= room { old_len } else { old_len.min(OWN_HEAD) };
        if bytes + moved > room {
            // SAFETY: `new` was allocated above and nothing else knows of it.
            unsafe { sys::cw_free(new.as_ptr()) };
            return false;
        }

        new.set_offset((room - bytes - moved).min(FULL_HEADROOM) as u16);
        new.set_data_len((bytes + moved) as u16);
        // SAFETY: `moved` is at most the old piece's data, `bytes + moved` fits the new buffer behind its offset, and
        // the two buffers are different.
        unsafe { ptr::copy_nonoverlapping(old.data(), new.data().add(bytes), moved) };
        new.set_frame_len(old.frame_len() + bytes as u32);
        new.set_port(old.port());
        new.set_flags(old.flags() & !PLACE_FLAGS);
        new.set_packet_type(old.packet_type());
        new.set_tag(old.tag());
        new.set_rss(old.rss());
        new.set_tx_offload(old.tx_offload());

        let pieces = old.pieces();
        old.set_pieces(1);
        if moved == old_len {
            new.set_pieces(pieces);
            new.set_next(old.next());
            old.set_next(None);
            // SAFETY: the old head is out of the chain, so this frees that one piece, which `self` owned.
            unsafe { sys::cw_free_segment(old.as_ptr()) };
        } else {
            old.advance(moved);
            new.set_pieces(pieces + 1);
            new.set_next(Some(old));
        }
        // `self` owned the old head; now it owns the new one, which owns the old.
        self.0 = new;
        true
    }
}

impl Drop for Mbuf {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: `rte_pktmbuf_free` wants a frame that the caller owns; `self` does, and is not used again.
        unsafe { sys::cw_free(self.0.as_ptr()) };
    }
}

impl Frame for Mbuf {
    #[inline]
    fn head(&self) -> &[u8] {
        // SAFETY: data_off and data_len lie within the buffer. Bytes that somebody else may see are written by nobody,
        // own bytes only through `&mut self`.
        unsafe { slice::from_raw_parts(self.0.data(), usize::from(self.0.data_len())) }
    }

    /// The bytes of the first piece that no replica shares: all of it, or at least what is left of the 128 that were
    /// kept when a replica was made.
    #[inline]
    fn head_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `head`; `own_len` leaves out what others can read.
        unsafe { slice::from_raw_parts_mut(self.0.data(), self.0.own_len()) }
    }

    #[inline(always)]
    fn prefetch(&self) {
        prefetch_at(self.0.data());
        if self.0.data_len() > 64 {
            prefetch_at(self.0.data().wrapping_add(64));
        }
    }

    #[inline]
    fn len(&self) -> usize {
        self.0.frame_len() as usize
    }

    #[inline]
    fn for_each_tail(&self, mut each: impl FnMut(&[u8])) {
        let mut piece = self.0.next();
        while let Some(current) = piece {
            // SAFETY: the pieces of a frame live as long as its head, and nobody writes the bytes of one behind it.
            each(unsafe { slice::from_raw_parts(current.data(), usize::from(current.data_len())) });
            piece = current.next();
        }
    }

    /// As the trait says. Where a driver left too little headroom the frame gets another buffer in front, with the
    /// first bytes of the old head moved into it, so `None` means that the pool is empty (or its buffers are smaller
    /// than `bytes` and 128 more).
    #[inline(always)]
    fn grow_front(&mut self, bytes: usize) -> Option<&mut [u8]> {
        let head = self.0;
        if bytes > usize::from(head.offset()) || !head.is_sole() {
            return self.grow_front_of_shared(bytes);
        }
        head.retreat(bytes);
        // SAFETY: as in `head_mut`, of which all bytes are our own.
        Some(unsafe { slice::from_raw_parts_mut(head.data(), usize::from(head.data_len())) })
    }

    #[inline(always)]
    fn grow_front_in<const N: usize>(&mut self, bytes: usize, behind: usize) -> Option<&mut [u8; N]> {
        let head = self.0;
        let end = usize::from(head.offset()) + behind;
        let fits = bytes <= usize::from(head.offset()) && N <= end && behind <= usize::from(head.data_len());
        if !fits || !head.is_sole() {
            return self.grow_front_in_shared(bytes, behind);
        }
        head.retreat(bytes);
        // SAFETY: the bytes lie between the start of the buffer, which is this mbuf's alone, and the end of its data; all of
        // a buffer's memory is initialised (its pool was zeroed when it was made).
        Some(unsafe { &mut *head.buffer().add(end - N).cast::<[u8; N]>() })
    }

    #[inline]
    fn trim_front(&mut self, bytes: usize) {
        let bytes = bytes.min(usize::from(self.0.data_len()));
        self.0.advance(bytes);
        self.0.set_frame_len(self.0.frame_len() - bytes as u32);
    }

    fn truncate(&mut self, len: usize) {
        if len >= self.len() {
            return;
        }
        let (mut last, mut kept, mut left) = (self.0, 1, len);
        loop {
            let here = usize::from(last.data_len());
            match last.next() {
                Some(next) if left > here => {
                    left -= here;
                    kept += 1;
                    last = next;
                }
                _ => break,
            }
        }
        last.set_data_len(left as u16);
        if let Some(rest) = last.next() {
            last.set_next(None);
            // SAFETY: `rest` and what hangs on it were the tail of this frame and are cut off now; `rte_pktmbuf_free`
            // frees a chain from any of its pieces.
            unsafe { sys::cw_free(rest.as_ptr()) };
        }
        self.0.set_pieces(kept);
        self.0.set_frame_len(len as u32);
    }

    /// A checksum that the NIC calls bad, or that it may have looked for in the inner headers of a tunnel packet, is
    /// [`Checked::Unknown`]: software looks again and is right in any case.
    #[inline(always)]
    fn meta(&self) -> RxMeta {
        let flags = self.0.flags();
        let plain = self.0.packet_type() & sys::CW_PTYPE_TUNNEL_MASK == 0;
        let good = |mask, good| if plain && flags & mask == good { Checked::Good } else { Checked::Unknown };
        RxMeta {
            port: PortId(self.0.port() as u8),
            stripped: (flags & sys::CW_RX_VLAN_STRIPPED != 0).then(|| self.0.tag()),
            hash: (flags & sys::CW_RX_RSS_HASH != 0).then(|| self.0.rss()),
            ip: good(sys::CW_RX_IP_CKSUM_MASK, sys::CW_RX_IP_CKSUM_GOOD),
            udp: good(sys::CW_RX_L4_CKSUM_MASK, sys::CW_RX_L4_CKSUM_GOOD),
        }
    }

    #[inline]
    fn set_offload(&mut self, offload: TxOffload) {
        let mut flags = self.0.flags() & !TX_FLAGS;
        if offload.ipv4_checksum_at != 0 {
            /// Length of an IPv4 header without options: we send no others.
            const IPV4: u64 = 20;
            flags |= sys::CW_TX_IP_CKSUM | sys::CW_TX_IPV4;
            self.0.set_tx_offload(u64::from(offload.ipv4_checksum_at) | IPV4 << sys::CW_L2_LEN_BITS);
        }
        if let Some(tag) = offload.insert {
            // The field that held the tag taken off now holds the one to insert.
            flags = flags & !sys::CW_RX_VLAN_STRIPPED | sys::CW_TX_VLAN;
            self.0.set_tag(tag);
        }
        self.0.set_flags(flags);
    }

    fn offload(&self) -> TxOffload {
        let flags = self.0.flags();
        let asked = |flag: u64| flags & flag != 0;
        TxOffload {
            ipv4_checksum_at: if asked(sys::CW_TX_IP_CKSUM) { self.0.tx_offload() as u8 & 0x7f } else { 0 },
            insert: asked(sys::CW_TX_VLAN).then(|| self.0.tag()),
        }
    }
}

impl std::fmt::Debug for Mbuf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mbuf").field("len", &self.len()).field("pieces", &self.pieces()).finish_non_exhaustive()
    }
}
