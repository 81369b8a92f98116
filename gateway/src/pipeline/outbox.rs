//! Frames on their way out of a core.

use std::collections::VecDeque;

use super::flood::Pending;
use super::too_big::Errors;
use crate::frame::PortId;
use crate::link::HostFrame;

/// Frames that may wait for a port, at most.
pub const QUEUE: usize = 2048;
/// Host frames that may wait, at most.
pub const HOST: usize = 256;
/// Floods that may wait for their turn, at most.
pub const FLOODS: usize = 128;

/// Frames that wait for a port.
#[derive(Debug)]
pub struct Queue<F> {
    /// In the order in which they leave.
    pub frames: Vec<F>,
    /// How many of them, from the front, the device refused in the last lap.
    pub held: usize,
}

/// Frames on their way out of a core. Its memory is allocated when it is made.
#[derive(Debug)]
pub struct Outbox<F> {
    /// By port.
    pub queues: Vec<Queue<F>>,
    /// For Linux twins.
    pub host: Vec<HostFrame<F>>,
    /// Host frames that each port may still send to its twin (the policer's tokens).
    pub host_tokens: Vec<u32>,
    /// ICMP errors that may still be made.
    pub errors: Errors,
    /// Floods that are not done.
    pub(super) floods: VecDeque<Pending<F>>,
    /// Flood copies that may still be made in this turn.
    pub copies_left: u32,
    /// The next IPv4 identification, for packets that may be fragmented (RFC 6864).
    pub(super) identification: u16,
}

impl<F> Outbox<F> {
    /// An outbox for so many ports.
    pub fn new(ports: usize) -> Self {
        Self {
            queues: (0..ports).map(|_| Queue { frames: Vec::with_capacity(QUEUE), held: 0 }).collect(),
            host: Vec::with_capacity(HOST),
            host_tokens: vec![u32::MAX; ports],
            errors: Errors::default(),
            floods: VecDeque::with_capacity(FLOODS),
            copies_left: u32::MAX,
            identification: 0,
        }
    }

    /// Queues a frame.
    ///
    /// # Errors
    ///
    /// The frame, when the port's queue is full or there is no such port.
    #[inline]
    pub fn send(&mut self, port: PortId, frame: F) -> Result<(), F> {
        match self.queues.get_mut(port.index()) {
            Some(queue) if queue.frames.len() < QUEUE => {
                queue.frames.push(frame);
                Ok(())
            }
            _ => Err(frame),
        }
    }

    /// Queues all of these frames; false, and none was, when there is less room in the port's queue.
    #[inline]
    pub fn send_all(&mut self, port: PortId, frames: &mut Vec<F>) -> bool {
        match self.queues.get_mut(port.index()) {
            Some(queue) if queue.frames.len() + frames.len() <= QUEUE => {
                queue.frames.append(frames);
                true
            }
            _ => false,
        }
    }

    /// Floods that are not done.
    pub fn floods(&self) -> usize {
        self.floods.len()
    }

    /// True when nothing waits.
    pub fn is_empty(&self) -> bool {
        self.host.is_empty() && self.floods.is_empty() && self.queues.iter().all(|queue| queue.frames.is_empty())
    }
}
