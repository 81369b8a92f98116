//! What a worker asks of its devices. One `Driver` per core: its queues are its own, so no call takes a lock.

use crate::frame::{Frame, Pool, PortId};

/// Most frames taken from a queue at once.
pub const BURST: usize = 64;

/// Frames taken from a queue: [`BURST`] at most. A vector, so that all of them can be moved to another in one piece.
pub type Burst<F> = Vec<F>;

/// The queues and the buffer pool of one core.
pub trait Driver: Send {
    /// Its frames.
    type Frame: Frame;
    /// Its pool.
    type Pool: Pool<Frame = Self::Frame>;

    /// Number of receive queues that this core polls.
    fn rx_queues(&self) -> usize;

    /// Takes up to `limit` frames from receive queue `queue` (below [`Self::rx_queues`]) and appends them to `into`, which then
    /// has [`BURST`] at most. Allocates where `into` has no room for so many.
    fn rx(&mut self, queue: usize, limit: usize, into: &mut Burst<Self::Frame>);

    /// True when this core has a transmit queue of its own on `port`. Where a device has fewer queues than there are
    /// workers the others hand their frames to a worker that has one.
    fn has_tx(&self, port: PortId) -> bool;

    /// Offers frames to this core's transmit queue of `port`, removes from the front of `frames` exactly those that the
    /// device took, and returns how many bytes those had.
    fn tx(&mut self, port: PortId, frames: &mut Vec<Self::Frame>) -> u64;

    /// The pool that replicas come from.
    fn pool(&mut self) -> &mut Self::Pool;
}
