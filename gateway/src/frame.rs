//! What the pipeline asks of a packet buffer. `dpdk`'s `Mbuf` and [`crate::sim`]'s `HeapFrame` give it.
//!
//! A frame is one or more pieces; the first, the *head*, holds every header that the pipeline reads or writes and has
//! headroom in front. A frame that is dropped goes back to its pool.

/// A port: its index in the model's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PortId(pub u8);

impl PortId {
    /// As an index.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// What the NIC says of a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Checked {
    /// It did not look: software must.
    #[default]
    Unknown,
    /// Right (or, for UDP, zero where the NIC treats that as right: software looks for zero itself).
    Good,
    /// Wrong.
    Bad,
}

/// What the NIC said of a received frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct RxMeta {
    /// The port that it came from.
    pub port: PortId,
    /// The tag (PCP 3 | DEI 1 | VID 12, host order) that the NIC took off, TPID 0x8100.
    pub stripped: Option<u16>,
    /// RSS hash of the frame's flow; `None` when the NIC gave none.
    pub hash: Option<u32>,
    /// Outer IPv4 header checksum.
    pub ip: Checked,
    /// Outer UDP checksum.
    pub udp: Checked,
}

/// What the NIC is asked to do on transmission. Only set for what the port negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TxOffload {
    /// Bytes of Ethernet header and tags in front of the IPv4 header whose checksum the NIC fills in (the field holds
    /// zero); 0 asks for nothing.
    pub ipv4_checksum_at: u8,
    /// Insert this tag (host order), TPID 0x8100.
    pub insert: Option<u16>,
}

/// A packet in a buffer that this value owns.
pub trait Frame: Sized + Send + 'static {
    /// Bytes of the first piece.
    fn head(&self) -> &[u8];

    /// Bytes of the first piece, to be written.
    fn head_mut(&mut self) -> &mut [u8];

    /// Starts loading the lines of the head that are read and written first.
    fn prefetch(&self);

    /// Bytes of all pieces together.
    fn len(&self) -> usize;

    /// True for a frame of no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `each` with the bytes of every piece after the head, in order.
    fn for_each_tail(&self, each: impl FnMut(&[u8]));

    /// Makes room for `bytes` in front and returns the whole new head; what the new bytes hold is undefined (but
    /// initialised). `None`, and nothing changed, when there is less headroom.
    fn grow_front(&mut self, bytes: usize) -> Option<&mut [u8]>;

    /// Makes room for `bytes` in front and returns the `N` bytes of buffer that end so many bytes `behind` the old front: all
    /// of the new ones, some behind them, and in front of them scratch that is not part of the frame. `None`, and nothing
    /// changed, when there is less headroom, or less frame than `behind`.
    fn grow_front_in<const N: usize>(&mut self, bytes: usize, behind: usize) -> Option<&mut [u8; N]>;

    /// Takes `bytes` off the front. The caller knows that the head is at least as long; a shorter one is emptied.
    fn trim_front(&mut self, bytes: usize);

    /// Cuts the frame to `len` bytes from the back, across pieces; no change when it is shorter.
    fn truncate(&mut self, len: usize);

    /// What the NIC said on reception.
    fn meta(&self) -> RxMeta;

    /// Asks the NIC for help on transmission; replaces what was asked before.
    fn set_offload(&mut self, offload: TxOffload);

    /// What the NIC is asked to do on transmission.
    fn offload(&self) -> TxOffload;
}

/// Where a core's frames come from.
pub trait Pool {
    /// Its frames.
    type Frame: Frame;

    /// A copy of `original` with at least 128 bytes of head of its own (or all of a shorter frame) and full headroom; a
    /// large rest may be shared, so from then on neither frame's bytes behind the first 128 may be written.
    /// `None` when the pool is empty.
    fn replica(&mut self, original: &Self::Frame) -> Option<Self::Frame>;

    /// A frame with these bytes; `None` when the pool is empty or they do not fit.
    fn frame(&mut self, bytes: &[u8]) -> Option<Self::Frame>;
}
