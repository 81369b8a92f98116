//! What a frame wears around the tenant's frame, and taking it off.

use crate::batch::Arrival;
use crate::frame::Frame;
use crate::wire::{ethernet, ip};

/// What a frame still wears of the way that it came: taken off in the same step in which it is dressed for the way that it
/// goes, so that its bytes move once.
#[derive(Clone, Copy, Debug)]
pub struct Worn {
    /// Bytes in front of the tenant's frame.
    pub(super) front: u16,
    /// Bytes of tags behind its addresses.
    tags: u8,
}

impl Worn {
    /// A tenant's frame as it is.
    pub const NOTHING: Self = Self { front: 0, tags: 0 };

    /// What a frame wears that arrived like this.
    #[inline(always)]
    pub const fn by(arrival: &Arrival) -> Self {
        Self { front: arrival.strip, tags: arrival.tags }
    }

    /// All of it, in bytes.
    #[inline(always)]
    pub fn bytes(self) -> usize {
        usize::from(self.front) + self.tags()
    }

    /// Nothing but so many bytes in front.
    #[inline(always)]
    pub const fn front(front: u16) -> Self {
        Self { front, tags: 0 }
    }

    /// Nothing but so many bytes of tags.
    pub const fn only(tags: u8) -> Self {
        Self { front: 0, tags }
    }

    #[inline(always)]
    pub(super) fn tags(self) -> usize {
        usize::from(self.tags)
    }

    /// Takes it off a frame, if there is something; nothing is left then.
    #[inline(always)]
    pub fn take_off<F: Frame>(&mut self, frame: &mut F) {
        if self.bytes() != 0 {
            std::mem::replace(self, Self::NOTHING).off(frame);
        }
    }

    /// Takes it off a frame; what remains is the tenant's frame.
    #[inline(never)]
    pub fn off<F: Frame>(self, frame: &mut F) {
        frame.trim_front(usize::from(self.front));
        let tags = self.tags();
        if tags != 0 && frame.head().len() >= ethernet::ADDRESSES + tags {
            frame.head_mut().copy_within(..ethernet::ADDRESSES, tags);
            frame.trim_front(tags);
        }
    }

    /// What the tenant's IP header says, if it has one, behind one tag of its own at most.
    #[inline(never)]
    pub fn inner<F: Frame>(self, frame: &F) -> ip::Inner {
        let tenant = frame.head().get(usize::from(self.front)..).unwrap_or_default();
        ip::within(tenant, ethernet::ADDRESSES + self.tags())
    }
}

/// Moves both addresses from one place to another.
#[inline(always)]
pub(super) fn shift<const FROM: usize, const TO: usize, const N: usize>(bytes: &mut [u8; N]) {
    const { assert!(FROM + ethernet::ADDRESSES <= N && TO + ethernet::ADDRESSES <= N) };
    let long: [u8; 8] = std::array::from_fn(|at| bytes[FROM + at]);
    let short: [u8; 4] = std::array::from_fn(|at| bytes[FROM + 8 + at]);
    bytes[TO..TO + 8].copy_from_slice(&long);
    bytes[TO + 8..TO + 12].copy_from_slice(&short);
}
