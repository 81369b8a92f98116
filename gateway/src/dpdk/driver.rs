//! One core's queues and pool.

use std::sync::Arc;

use dpdk_sys as sys;

use super::eal::{Eal, WorkerThread};
use super::error::Error;
use super::mbuf::Mbuf;
use super::pool::MbufPool;
use super::port::Open;
use crate::driver::{BURST, Burst, Driver};
use crate::frame::{Frame, PortId};

/// A receive queue, which one driver has.
pub(super) struct RxQueue {
    pub(super) port: PortId,
    pub(super) open: Arc<Open>,
    pub(super) queue: u16,
    /// The device hands over mbufs as another port sent them (net_ring).
    pub(super) forwarded: bool,
}

/// A transmit queue, which one driver has.
pub(super) struct TxQueue {
    pub(super) open: Arc<Open>,
    pub(super) queue: u16,
    /// The device transmits frames of several pieces.
    pub(super) multi_segment: bool,
}

/// The queues and the pool of one core. Made by [`super::open`], moved to the core's thread.
pub struct DpdkDriver {
    pub(super) rx: Vec<RxQueue>,
    /// By port.
    pub(super) tx: Vec<Option<TxQueue>>,
    pub(super) pool: MbufPool,
    pub(super) eal: Eal,
}

impl DpdkDriver {
    /// Makes the calling thread known to DPDK, see [`Eal::register_thread`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn register_thread(&self) -> Result<WorkerThread, Error> {
        self.eal.register_thread()
    }

    /// The port and the queue number behind each receive queue.
    pub fn queues(&self) -> impl Iterator<Item = (PortId, u16)> {
        self.rx.iter().map(|queue| (queue.port, queue.queue))
    }

    /// The ports with a transmit queue of this driver's own, and its number.
    pub fn tx_queues(&self) -> impl Iterator<Item = (PortId, u16)> {
        let queues = (0..).zip(&self.tx);
        queues.filter_map(|(port, queue)| Some((PortId(port), queue.as_ref()?.queue)))
    }
}

impl Driver for DpdkDriver {
    type Frame = Mbuf;
    type Pool = MbufPool;

    fn rx_queues(&self) -> usize {
        self.rx.len()
    }

    /// Wraps `rte_eth_rx_burst`. Some drivers receive nothing when `limit` is below 4.
    #[inline]
    fn rx(&mut self, queue: usize, limit: usize, into: &mut Burst<Mbuf>) {
        let queue = &self.rx[queue];
        let before = into.len();
        let limit = limit.min(BURST.saturating_sub(before));
        into.reserve(limit);
        // SAFETY: `into` has room for `limit` pointers behind its `before` members. The port is open, started and has
        // this queue, which nobody else polls: it belongs to this driver, which is borrowed mutably. `Mbuf` is a
        // pointer, and DPDK makes us the owner of the frames whose pointers it wrote, all from our pools.
        unsafe {
            let room = into.as_mut_ptr().add(before).cast();
            let received = sys::cw_rx_burst(queue.open.id, queue.queue, room, limit as u16);
            into.set_len(before + usize::from(received));
        }
        for frame in &mut into[before..] {
            frame.arrived(queue.port, queue.forwarded);
        }
    }

    fn has_tx(&self, port: PortId) -> bool {
        self.tx.get(port.index()).is_some_and(Option::is_some)
    }

    /// Wraps `rte_eth_tx_burst`. A port without a transmit queue of this core takes nothing.
    #[inline]
    fn tx(&mut self, port: PortId, frames: &mut Vec<Mbuf>) -> u64 {
        let Some(Some(queue)) = self.tx.get(port.index()) else { return 0 };
        let ready = if queue.multi_segment { frames.len() } else { self.pool.flatten(frames) };
        let (mut taken, mut bytes) = (0, 0);
        while taken < ready {
            let offered = (ready - taken).min(BURST);
            let lengths = |frames: &[Mbuf]| frames.iter().map(|frame| frame.len() as u64).sum::<u64>();
            let offered_bytes = lengths(&frames[taken..taken + offered]);
            // SAFETY: the pointers of `offered` frames that we own lie there. The port is open, started and has this
            // queue, which nobody else uses. The device owns the frames that it takes from now on; they are forgotten
            // below, and nothing before that can panic or look at them.
            let accepted = unsafe {
                let first = frames.as_mut_ptr().add(taken).cast();
                usize::from(sys::cw_tx_burst(queue.open.id, queue.queue, first, offered as u16))
            };
            let refused = taken + accepted..taken + offered;
            taken += accepted;
            bytes += offered_bytes - lengths(&frames[refused]);
            if accepted < offered {
                break;
            }
        }
        forget_front(frames, taken);
        bytes
    }

    #[inline]
    fn pool(&mut self) -> &mut MbufPool {
        &mut self.pool
    }
}

/// Removes the first `count` frames without freeing them.
fn forget_front(frames: &mut Vec<Mbuf>, count: usize) {
    let left = frames.len() - count;
    // SAFETY: `count` is at most the length; the frames behind move to the front, and the length says how many they
    // are, so each is owned once and the first `count` by the vector no more.
    unsafe {
        let start = frames.as_mut_ptr();
        start.copy_from(start.add(count), left);
        frames.set_len(left);
    }
}
