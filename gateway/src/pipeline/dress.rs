//! What a frame puts on where it goes: tags on a port, an outer header in a tunnel.

use config::types::{Df, Inherit};

use super::outer::{Outer, flow_of};
use super::tagging::Tagging;
use super::worn::Worn;
use crate::batch::Arrival;
use crate::frame::{Frame, PortId};
use crate::tables::segment::Fixed;
use crate::tables::{Endpoint, Segment, Tables, Template, Tunnel, Way};
use crate::verdict::DropReason;
use crate::wire::ip;

/// What frames of a segment put on to go to an endpoint.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::large_enum_variant)] // It lies on the stack, once for each run of frames.
pub enum Dress<'a> {
    /// Tags.
    Tags(Tagging),
    /// An outer header.
    Outer(Outer<'a>),
    /// Each its own outer header: there are several next hops, or a frame has a say in it.
    Each(Each<'a>),
    /// They cannot go there.
    Nothing(DropReason),
}

impl<'a> Dress<'a> {
    /// What they put on.
    #[inline(always)]
    pub fn of(arrival: &Arrival, to: &'a Endpoint, tables: &'a Tables) -> Self {
        let tunnel = match &to.way {
            Way::Attachment(attachment) => return Self::Tags(Tagging::of(attachment)),
            Way::Tunnel(tunnel) => tunnel,
            Way::Vacant => return Self::Nothing(DropReason::NoDestination),
        };
        let Some(segment) = tables.segments.get(arrival.segment().index()) else {
            return Self::Nothing(DropReason::NoDestination);
        };
        match (tunnel.hops.as_slice(), &segment.fixed) {
            ([], _) => Self::Nothing(DropReason::NoNextHop),
            ([only], Some(fixed)) => Self::Outer(Outer::new(only, tunnel, segment, fixed, tables)),
            _ => Self::Each(Each { tunnel, segment }),
        }
    }

    /// Puts it on a tenant's frame that wears nothing, and says through which port it leaves.
    ///
    /// # Errors
    ///
    /// Why it cannot.
    pub fn put_on<F: Frame>(
        &self,
        frame: &mut F,
        arrival: &Arrival,
        tables: &Tables,
        identification: &mut u16,
    ) -> Result<PortId, DropReason> {
        let (len, worn) = (frame.len(), &mut Worn::NOTHING.clone());
        match self {
            Self::Outer(outer) => outer.put_on::<false, _>(frame, worn, arrival, len, tables),
            Self::Each(each) => each.put_on(frame, worn, arrival, len, tables, identification),
            Self::Tags(tagging) => tagging.put_on::<false, _>(frame, worn, arrival.priority, len),
            Self::Nothing(reason) => Err(*reason),
        }
    }
}

/// An outer header for each frame.
#[derive(Clone, Copy, Debug)]
pub struct Each<'a> {
    tunnel: &'a Tunnel,
    segment: &'a Segment,
}

impl Each<'_> {
    /// Chooses one for a frame and puts it on, in place of what that wears; says through which port it leaves.
    /// `identification` is used for IPv4 packets that may be fragmented.
    ///
    /// # Errors
    ///
    /// Why it cannot; what is left to be taken off is in `worn`.
    #[inline(never)]
    pub fn put_on<F: Frame>(
        &self,
        frame: &mut F,
        worn: &mut Worn,
        arrival: &Arrival,
        len: usize,
        tables: &Tables,
        identification: &mut u16,
    ) -> Result<PortId, DropReason> {
        let flow = match arrival.whence.group() {
            0 => arrival.flow,
            _ => flow_of(frame.head().get(usize::from(worn.front)..).unwrap_or_default()),
        };
        let template = choose(&self.tunnel.hops, flow).ok_or(DropReason::NoNextHop)?;
        let fixed = match self.segment.fixed {
            Some(fixed) => fixed,
            None => vary(self.segment, arrival, worn.inner(frame), identification),
        };
        let outer = Outer::new(template, self.tunnel, self.segment, &fixed, tables);
        outer.put_on::<false, _>(frame, worn, arrival, len, tables)
    }
}

/// TOS, TTL and DF as the segment says of this frame; ECN is always the tenant's (ECN1).
#[inline(never)]
fn vary(segment: &Segment, arrival: &Arrival, inner: ip::Inner, identification: &mut u16) -> Fixed {
    let tos = match segment.rare.tos {
        Inherit::Fixed(tos) => tos,
        Inherit::Inner => arrival.tos,
    };
    let ttl = match segment.rare.ttl {
        Inherit::Fixed(ttl) => ttl,
        Inherit::Inner if inner.at == 0 => 64,
        Inherit::Inner => inner.ttl,
    };
    let df = match segment.rare.df {
        Df::Set => true,
        Df::Unset => false,
        Df::Inner => inner.df,
    };
    // A packet that may be fragmented has an identification (RFC 6864).
    *identification = identification.wrapping_add(u16::from(!df));
    Fixed::new(tos, ttl, if df { 0 } else { *identification }, df)
}

/// The next hop of a flow.
#[inline(always)]
pub(super) fn choose(hops: &[Template], flow: u32) -> Option<&Template> {
    match hops {
        [] => None,
        [only] => Some(only),
        many => {
            let spread = flow.wrapping_mul(0x85eb_ca6b) ^ flow >> 15;
            many.get(((u64::from(spread) * many.len() as u64) >> 32) as usize)
        }
    }
}
