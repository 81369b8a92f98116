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
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // It lies on the stack, once for each run of frames.
pub enum Dress {
    /// Tags.
    Tags(Tagging),
    /// An outer header.
    Outer(Outer),
    /// They cannot go there.
    Nothing(DropReason),
}

impl Dress {
    /// The dress of a frame, and whether others of its segment on the same way wear the same: not where there are several
    /// next hops, or where a frame has a say in its outer header. `identification` is used for IPv4 packets that may be
    /// fragmented.
    #[inline(always)]
    pub fn of<F: Frame>(
        frame: &F,
        worn: Worn,
        arrival: &Arrival,
        to: &Endpoint,
        tables: &Tables,
        identification: &mut u16,
    ) -> (Self, bool) {
        let tunnel = match &to.way {
            Way::Attachment(attachment) => return (Self::Tags(Tagging::of(attachment)), true),
            Way::Tunnel(tunnel) => tunnel,
            Way::Vacant => return (Self::Nothing(DropReason::NoDestination), true),
        };
        let Some(segment) = tables.segments.get(arrival.segment().index()) else {
            return (Self::Nothing(DropReason::NoDestination), true);
        };
        match (tunnel.hops.as_slice(), &segment.fixed) {
            ([], _) => (Self::Nothing(DropReason::NoNextHop), true),
            ([only], Some(fixed)) => (Self::Outer(Outer::new(only, tunnel, segment, fixed, tables)), true),
            _ => (Self::for_one(frame, worn, arrival, tunnel, segment, tables, identification), false),
        }
    }

    #[inline(never)]
    fn for_one<F: Frame>(
        frame: &F,
        worn: Worn,
        arrival: &Arrival,
        tunnel: &Tunnel,
        segment: &Segment,
        tables: &Tables,
        identification: &mut u16,
    ) -> Self {
        let flow = match arrival.whence.group {
            0 => arrival.flow,
            _ => flow_of(frame.head().get(usize::from(worn.front)..).unwrap_or_default()),
        };
        let Some(template) = choose(&tunnel.hops, flow) else { return Self::Nothing(DropReason::NoNextHop) };
        let fixed = match segment.fixed {
            Some(fixed) => fixed,
            None => vary(segment, arrival, worn.inner(frame), identification),
        };
        Self::Outer(Outer::new(template, tunnel, segment, &fixed, tables))
    }

    /// The port that who wears it leaves through.
    #[inline(always)]
    pub fn port(&self) -> PortId {
        match self {
            Self::Outer(outer) => outer.port(),
            Self::Tags(tagging) => tagging.port(),
            Self::Nothing(_) => PortId(0),
        }
    }

    /// Puts it on a tenant's frame that wears nothing, and says through which port it leaves.
    ///
    /// # Errors
    ///
    /// Why it cannot.
    pub fn put_on<F: Frame>(&self, frame: &mut F, arrival: &Arrival, tables: &Tables) -> Result<PortId, DropReason> {
        let (len, worn) = (frame.len(), &mut Worn::NOTHING.clone());
        match self {
            Self::Outer(outer) => outer.put_on::<false, _>(frame, worn, arrival, len, tables)?,
            Self::Tags(tagging) => tagging.put_on::<false, _>(frame, worn, arrival.priority, len)?,
            Self::Nothing(reason) => return Err(*reason),
        }
        Ok(self.port())
    }
}

/// TOS, TTL and DF as the segment says of this frame; ECN is always the tenant's (ECN1).
#[inline(never)]
fn vary(segment: &Segment, arrival: &Arrival, inner: ip::Inner, identification: &mut u16) -> Fixed {
    let tos = match segment.tos {
        Inherit::Fixed(tos) => tos,
        Inherit::Inner => arrival.tos,
    };
    let ttl = match segment.ttl {
        Inherit::Fixed(ttl) => ttl,
        Inherit::Inner if inner.at == 0 => 64,
        Inherit::Inner => inner.ttl,
    };
    let df = match segment.df {
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
