//! Tags: what frames put on where they leave through a port.

use super::worn::{Worn, shift};
use crate::frame::{Frame, PortId, TxOffload};
use crate::tables::Attachment;
use crate::verdict::DropReason;
use crate::wire::{ethernet, word};

/// The tags of an attachment (VL1, VL3, VL9).
#[derive(Clone, Copy, Debug)]
pub struct Tagging {
    port: PortId,
    /// Bytes of Ethernet header and payload that the port takes, tags not counted.
    most: u32,
    /// TPID and TCI pairs in wire order as a number, bytes of them.
    tags: u64,
    len: u8,
    /// The device puts the tag on.
    by_device: bool,
    /// PCP and DEI (upper four bits) of a frame that are kept.
    kept: u8,
}

impl Tagging {
    /// That of an attachment.
    #[inline(always)]
    pub fn of(attachment: &Attachment) -> Self {
        let pcp = attachment.pcp.map_or(0, |pcp| u64::from(pcp << 5));
        Self {
            port: attachment.port,
            most: ethernet::HEADER as u32 + u32::from(attachment.mtu),
            // The outer tag's PCP and DEI are the upper four bits of the third byte.
            tags: u64::from_be_bytes(attachment.tags) & !(0xf0 << 40) | pcp << 40,
            len: attachment.tags_len,
            by_device: attachment.by_device,
            kept: if attachment.pcp.is_some() { 0 } else { 0xf0 },
        }
    }

    /// The port that who wears them leaves through.
    #[inline(always)]
    pub fn port(&self) -> PortId {
        self.port
    }

    /// True for one tag that we put on ourselves.
    #[inline(always)]
    pub fn is_plain(&self) -> bool {
        self.len == 4 && !self.by_device
    }

    /// Tags a tenant's frame of `len` bytes in place of what it wears, and says through which port it leaves. `PLAIN`: it
    /// [is](Self::is_plain), and the frame is from a tunnel, so it brings no priority.
    ///
    /// # Errors
    ///
    /// Why it cannot; what is left to be taken off is in `worn`.
    #[inline(always)]
    pub fn put_on<const PLAIN: bool, F: Frame>(
        &self,
        frame: &mut F,
        worn: &mut Worn,
        priority: u8,
        len: usize,
    ) -> Result<PortId, DropReason> {
        if len > self.most as usize && !self.takes_with_its_tag(frame, *worn) {
            return Err(DropReason::PortMtu);
        }
        if PLAIN {
            // What the tag takes the place of stays: it is longer than a tag.
            frame.trim_front(usize::from(worn.front).saturating_sub(ethernet::TAG));
            worn.front = ethernet::TAG as u16;
            let front: &mut [u8; 16] = frame.head_mut().first_chunk_mut().ok_or(DropReason::Split)?;
            shift::<4, 0, 16>(front);
            front[ethernet::ADDRESSES..].copy_from_slice(&((self.tags >> 32) as u32).to_be_bytes());
            return Ok(self.port);
        }
        let tags = self.tags | u64::from(priority & self.kept) << 40;
        match self.len {
            4 if !self.by_device => slide_in::<4, 16, F>(frame, worn, ((tags >> 32) as u32).to_be_bytes())?,
            8 => slide_in::<8, 20, F>(frame, worn, tags.to_be_bytes())?,
            len => {
                worn.take_off(frame);
                if len != 0 {
                    frame.set_offload(TxOffload { insert: Some((tags >> 32) as u16), ..TxOffload::default() });
                }
            }
        }
        Ok(self.port)
    }

    /// True for a frame that fits but for the tag of its own that it carries, which does not count.
    #[cold]
    #[inline(never)]
    fn takes_with_its_tag<F: Frame>(&self, frame: &F, worn: Worn) -> bool {
        let tagged = word(frame.head(), worn.bytes() + ethernet::ADDRESSES).is_some_and(ethernet::is_tag);
        tagged && frame.len() - worn.bytes() <= ethernet::TAG + self.most as usize
    }
}

/// Puts `LEN` bytes of tags between the addresses and the rest, `FRONT` bytes together, in place of what is worn.
#[inline(always)]
fn slide_in<const LEN: usize, const FRONT: usize, F: Frame>(
    frame: &mut F,
    worn: &mut Worn,
    tags: [u8; LEN],
) -> Result<(), DropReason> {
    const { assert!(FRONT == ethernet::ADDRESSES + LEN) };
    if worn.tags() > LEN {
        worn.take_off(frame);
    }
    let head = if worn.bytes() >= LEN {
        frame.trim_front(worn.bytes() - LEN);
        frame.head_mut()
    } else {
        frame.grow_front(LEN - worn.bytes()).ok_or(DropReason::NoHeadroom)?
    };
    let front: &mut [u8; FRONT] = head.first_chunk_mut().ok_or(DropReason::Split)?;
    // The addresses end where the old tags begin, which end where the new ones will.
    match worn.tags() {
        0 => shift::<LEN, 0, FRONT>(front),
        tags if tags == LEN => {}
        _ => shift::<4, 0, FRONT>(front),
    }
    front[ethernet::ADDRESSES..].copy_from_slice(&tags);
    Ok(())
}
