//! Ports: which tags lead where.

use super::endpoint::Place;
use super::rules::Duties;
use super::segment::SegmentId;
use crate::verdict::DropReason;
use crate::wire::ethernet;

/// Where a tag of a port leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// Nowhere: the frame is dropped.
    None,
    /// To a segment.
    Attachment(Ingress),
    /// To the underlay.
    Underlay,
    /// To the inner tag: index into [`PortTable::qinq`].
    Inner(u16),
}

/// What a frame that comes in through an attachment needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ingress {
    /// The attachment.
    pub whence: Whence,
    /// Its segment.
    pub segment: SegmentId,
}

/// What all frames have in common that come from one endpoint into one segment, in one word: it is written and copied whole,
/// so that no load waits for stores of its parts. Place 32 bits, group 8, duties 8, age class 8. Packed, so that a
/// [`Binding`] has 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
#[repr(Rust, packed(4))]
pub struct Whence(u64);

const _: () = assert!(size_of::<Binding>() == 16);

impl Whence {
    /// From its parts.
    #[inline(always)]
    pub const fn new(place: Place, group: u8, duties: Duties, age_class: u8) -> Self {
        let rest = group as u64 | (duties.0 as u64) << 8 | (age_class as u64) << 16;
        Self(place.word() as u64 | rest << 32)
    }

    /// The endpoint; [`Place::NONE`] for a VTEP that nobody listed.
    #[inline(always)]
    pub const fn place(self) -> Place {
        Place::from_word(self.0 as u32)
    }

    /// Its split-horizon group in the segment; 0 for attachments, which have none.
    #[inline(always)]
    pub const fn group(self) -> u8 {
        (self.0 >> 32) as u8
    }

    /// What is asked of frames besides forwarding them.
    #[inline(always)]
    pub const fn duties(self) -> Duties {
        Duties((self.0 >> 40) as u8)
    }

    /// The segment's [`super::Segment::age_class`].
    #[inline(always)]
    pub const fn age_class(self) -> u8 {
        (self.0 >> 48) as u8
    }

    /// The same with these duties too.
    pub const fn with(self, duties: Duties) -> Self {
        Self(self.0 | (duties.0 as u64) << 40)
    }
}

impl std::fmt::Debug for Whence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (place, group, duties, age) = (self.place(), self.group(), self.duties(), self.age_class());
        write!(f, "endpoint {place:?} group {group} duties {:#x} age class {age}", duties.0)
    }
}

/// Inner tags behind one outer tag.
#[derive(Clone, Debug)]
pub struct QinQ {
    /// By inner VID (4096 entries).
    pub inner: Box<[Binding]>,
    /// Frames with the outer tag only (or an inner tag not bound), when that is bound too.
    pub otherwise: Binding,
}

/// The underlay's side of a port.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct UnderlaySide {
    /// True when a Linux twin takes host frames.
    pub twin: bool,
    /// VID that underlay frames carry; 0 is none.
    pub vlan: u16,
    /// Host frames accepted per second.
    pub host_rate: u32,
}

/// Numbers that a tag has room for, 0 and 4095 included.
pub const VIDS: usize = 4096;

/// One port.
#[derive(Clone, Debug)]
pub struct PortTable {
    /// Its MAC, which the underlay answers to, as a number, first byte highest.
    pub mac: u64,
    /// Largest payload in bytes.
    pub mtu: u16,
    /// Frames without a tag or with a priority tag.
    pub untagged: Binding,
    /// By VID, outer TPID 0x8100 (4096 entries).
    pub customer: Box<[Binding; VIDS]>,
    /// By VID, outer TPID 0x88a8 (4096 entries, or none when the port has no such tags).
    pub service: Box<[Binding]>,
    /// Tables of inner tags.
    pub qinq: Vec<QinQ>,
    /// The underlay on this port.
    pub underlay: Option<UnderlaySide>,
    /// The device inserts the VLAN tag.
    pub tx_vlan: bool,
}

impl PortTable {
    /// A port on which nothing is bound.
    pub fn new(mac: [u8; 6], mtu: u16) -> Self {
        Self {
            mac: ethernet::number(mac),
            mtu,
            untagged: Binding::None,
            customer: Box::new([Binding::None; VIDS]),
            service: Box::default(),
            qinq: Vec::new(),
            underlay: None,
            tx_vlan: false,
        }
    }

    /// Where a frame with this outer tag leads; a `tpid` of 0 is none.
    ///
    /// # Errors
    ///
    /// The reason to drop it, when the tag is one that no frame may have or that counts as none where a tag is needed.
    #[inline(always)]
    pub fn binding(&self, tpid: u16, tci: u16) -> Result<&Binding, DropReason> {
        let map = match tpid {
            ethernet::CUSTOMER_TAG => self.customer.as_slice(),
            0 => return Ok(&self.untagged),
            _ => &self.service,
        };
        match tci & 0x0fff {
            0x0fff => Err(DropReason::ReservedVlan),
            // A priority tag is no tag (VL7).
            0 if self.untagged == Binding::None => Err(DropReason::UntaggedNotAllowed),
            0 => Ok(&self.untagged),
            vid => Ok(map.get(usize::from(vid)).unwrap_or(&Binding::None)),
        }
    }
}
