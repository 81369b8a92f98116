//! Runs: frames in a row that go the same way. What they put on is looked up once, and they are counted together.

use super::dress::{Dress, Each};
use super::outer::Outer;
use super::tagging::Tagging;
use super::worn::Worn;
use crate::batch::{Arrival, Batch};
use crate::counters::{Counters, Tally};
use crate::driver::BURST;
use crate::frame::{Frame, PortId};
use crate::shard::Shard;
use crate::tables::{Endpoint, EndpointId, FdbEntry, Place, Segment, Tables, Way};
use crate::verdict::DropReason;
use crate::wire::{ethernet, ip};

/// Where a frame leaves.
#[derive(Clone, Copy, Debug)]
pub enum Exit {
    /// Nowhere yet: the FDB names no endpoint for it, or it is not bridged.
    Open,
    /// Through this port, dressed; with so many bytes of tenant's frame, counted.
    Port { exit: PortId, bytes: u32 },
    /// It cannot go where it should; it wears nothing.
    Refused(DropReason),
}

/// Dresses the frames that go to the one endpoint that the FDB names, and counts them, run by run: frames in a row that go
/// the same way put on the same. Returns the port that they all leave through, if there is one and they are all.
#[inline(always)]
pub fn dress<F: Frame>(
    batch: &mut Batch<F>,
    exits: &mut [Exit; BURST],
    shard: &mut Shard,
    identification: &mut u16,
) -> Option<PortId> {
    let Shard { tables, counters, .. } = shard;
    let mut walk = Walk { lane: 0, only: None, all: true };
    while walk.lane < batch.frames.len().min(BURST) {
        let arrival = &batch.arrivals[walk.lane];
        let endpoint = batch.found[walk.lane].and_then(|entry| reach(arrival, entry, tables));
        let tunnel = arrival.strip != 0;
        match endpoint.map(|endpoint| Dress::of(arrival, endpoint, tables)) {
            Some(Dress::Outer(outer)) if outer.is_plain() && !tunnel => {
                walk.runs::<Headers<true>, F>(batch, exits, tables, counters, &mut 0);
            }
            Some(Dress::Outer(_)) => walk.runs::<Headers<false>, F>(batch, exits, tables, counters, &mut 0),
            Some(Dress::Tags(tagging)) if tagging.is_plain() && tunnel => {
                walk.runs::<Tags<true>, F>(batch, exits, tables, counters, &mut 0);
            }
            Some(Dress::Tags(_)) => walk.runs::<Tags<false>, F>(batch, exits, tables, counters, &mut 0),
            Some(Dress::Each(_) | Dress::Nothing(_)) => {
                walk.runs::<Rest, F>(batch, exits, tables, counters, identification);
            }
            None => (walk.all, walk.lane) = (false, walk.lane + 1),
        }
    }
    walk.only.filter(|_| walk.all)
}

/// What the frames of a run put on.
trait Outfit<'a>: Sized {
    /// Attachments are at one end at least, and each belongs to one segment.
    const ONE_SEGMENT: bool;

    /// That of the run that begins with this frame; `None` for one that puts on something of another kind.
    fn of(arrival: &Arrival, to: &'a Endpoint, tables: &'a Tables) -> Option<Self>;

    /// The port that all leave through, if it is known.
    fn port(&self) -> Option<PortId>;

    /// What a frame wears, once the padding of an outer packet is off.
    #[inline(always)]
    fn strip<F: Frame>(frame: &mut F, arrival: &Arrival) -> Worn {
        strip(frame, arrival)
    }

    /// Puts it on a frame of so many bytes without what that wears, and says through which port it leaves; or why it cannot.
    fn put_on<F: Frame>(
        &self,
        frame: &mut F,
        arrival: &Arrival,
        worn: &mut Worn,
        len: usize,
        tables: &Tables,
        identification: &mut u16,
    ) -> Result<PortId, DropReason>;
}

/// An outer header; a `PLAIN` one for what an attachment sends.
struct Headers<'a, const PLAIN: bool>(Outer<'a>);

impl<'a, const PLAIN: bool> Outfit<'a> for Headers<'a, PLAIN> {
    const ONE_SEGMENT: bool = PLAIN;

    #[inline(always)]
    fn of(arrival: &Arrival, to: &'a Endpoint, tables: &'a Tables) -> Option<Self> {
        match Dress::of(arrival, to, tables) {
            Dress::Outer(outer) if !PLAIN || arrival.strip == 0 && outer.is_plain() => Some(Self(outer)),
            _ => None,
        }
    }

    #[inline(always)]
    fn port(&self) -> Option<PortId> {
        Some(self.0.port())
    }

    #[inline(always)]
    fn strip<F: Frame>(frame: &mut F, arrival: &Arrival) -> Worn {
        if PLAIN { Worn::only(arrival.tags) } else { strip(frame, arrival) }
    }

    #[inline(always)]
    fn put_on<F: Frame>(
        &self,
        frame: &mut F,
        arrival: &Arrival,
        worn: &mut Worn,
        len: usize,
        tables: &Tables,
        _: &mut u16,
    ) -> Result<PortId, DropReason> {
        self.0.put_on::<PLAIN, F>(frame, worn, arrival, len, tables)
    }
}

/// Tags; `PLAIN` ones for what a tunnel brings.
struct Tags<const PLAIN: bool>(Tagging);

impl<'a, const PLAIN: bool> Outfit<'a> for Tags<PLAIN> {
    const ONE_SEGMENT: bool = true;

    #[inline(always)]
    fn of(arrival: &Arrival, to: &'a Endpoint, tables: &'a Tables) -> Option<Self> {
        match Dress::of(arrival, to, tables) {
            Dress::Tags(tagging) if !PLAIN || arrival.strip != 0 && tagging.is_plain() => Some(Self(tagging)),
            _ => None,
        }
    }

    #[inline(always)]
    fn port(&self) -> Option<PortId> {
        Some(self.0.port())
    }

    #[inline(always)]
    fn strip<F: Frame>(frame: &mut F, arrival: &Arrival) -> Worn {
        if PLAIN {
            cut_padding_of_tunnel(frame, arrival);
            return Worn::front(arrival.strip);
        }
        strip(frame, arrival)
    }

    #[inline(always)]
    fn put_on<F: Frame>(
        &self,
        frame: &mut F,
        arrival: &Arrival,
        worn: &mut Worn,
        len: usize,
        _: &Tables,
        _: &mut u16,
    ) -> Result<PortId, DropReason> {
        self.0.put_on::<PLAIN, F>(frame, worn, arrival.priority, len)
    }
}

/// Each its own outer header, or nothing at all and why.
struct Rest<'a>(Result<Each<'a>, DropReason>);

impl<'a> Outfit<'a> for Rest<'a> {
    const ONE_SEGMENT: bool = false;

    #[inline(always)]
    fn of(arrival: &Arrival, to: &'a Endpoint, tables: &'a Tables) -> Option<Self> {
        match Dress::of(arrival, to, tables) {
            Dress::Each(each) => Some(Self(Ok(each))),
            Dress::Nothing(reason) => Some(Self(Err(reason))),
            _ => None,
        }
    }

    #[inline(always)]
    fn port(&self) -> Option<PortId> {
        None
    }

    #[inline(always)]
    fn put_on<F: Frame>(
        &self,
        frame: &mut F,
        arrival: &Arrival,
        worn: &mut Worn,
        len: usize,
        tables: &Tables,
        identification: &mut u16,
    ) -> Result<PortId, DropReason> {
        self.0?.put_on(frame, worn, arrival, len, tables, identification)
    }
}

/// The way through a batch.
struct Walk {
    /// The next lane.
    lane: usize,
    /// The port that the last run leaves through, if it is known.
    only: Option<PortId>,
    /// All runs so far leave through it.
    all: bool,
}

impl Walk {
    /// Dresses runs as long as they put on things of one kind.
    #[inline(never)]
    fn runs<'a, O: Outfit<'a>, F: Frame>(
        &mut self,
        batch: &mut Batch<F>,
        exits: &mut [Exit; BURST],
        tables: &'a Tables,
        counters: &mut Counters,
        identification: &mut u16,
    ) {
        let Batch { frames, arrivals, found, .. } = batch;
        let count = frames.len().min(BURST);
        let (frames, arrivals, found, exits) =
            (&mut frames[..count], &arrivals[..count], &found[..count], &mut exits[..count]);
        let mut lane = self.lane;
        while lane < count {
            let first = &arrivals[lane];
            let Some(entry) = found[lane] else { break };
            let outfit = reach(first, entry, tables).and_then(|endpoint| O::of(first, endpoint, tables));
            let Some(outfit) = outfit else { break };
            let (start, mut came, mut refused) = (lane, 0, Tally::default());
            let rest = frames[lane..].iter_mut().zip(&arrivals[lane..]).zip(&found[lane..]).zip(&mut exits[lane..]);
            for (((frame, arrival), &found), place) in rest {
                let alike =
                    arrival.whence == first.whence && found.map_or(Place::NONE, FdbEntry::place) == entry.place();
                if !alike || !O::ONE_SEGMENT && arrival.segment() != first.segment() {
                    break;
                }
                let mut worn = O::strip(frame, arrival);
                let bytes = frame.len() - worn.bytes();
                came += bytes as u64;
                match outfit.put_on(frame, arrival, &mut worn, bytes, tables, identification) {
                    Ok(exit) => *place = Exit::Port { exit, bytes: bytes as u32 },
                    Err(reason) => {
                        refused.add(bytes);
                        worn.off(frame);
                        *place = Exit::Refused(reason);
                    }
                }
                lane += 1;
            }
            let came = Tally { frames: (lane - start) as u64, bytes: came };
            count_run(first, entry.endpoint(), came, refused, counters);
            let port = outfit.port();
            self.all &= refused.frames == 0 && port.is_some() && (self.only.is_none() || self.only == port);
            self.only = port;
        }
        self.lane = lane;
    }
}

/// What any frame wears, once the padding of an outer packet is off.
#[inline(always)]
fn strip<F: Frame>(frame: &mut F, arrival: &Arrival) -> Worn {
    cut_padding(frame, arrival);
    Worn::by(arrival)
}

/// Counts frames that came in, and those of them that leave.
#[inline(always)]
fn count_run(arrival: &Arrival, to: EndpointId, came: Tally, refused: Tally, counters: &mut Counters) {
    let left = came.without(refused);
    if let Some(flow) = counters.segments.get_mut(arrival.segment().index()) {
        flow.rx.merge(came);
        flow.tx.merge(left);
    }
    if let Some(flow) = counters.endpoints.get_mut(arrival.from().index()) {
        flow.rx.merge(came);
    }
    if let Some(flow) = counters.endpoints.get_mut(to.index()) {
        flow.tx.merge(left);
    }
}

/// A frame that was counted as leaving did not.
#[cold]
pub fn take_back(arrival: &Arrival, to: EndpointId, bytes: u32, shard: &mut Shard) {
    let one = Tally { frames: 1, bytes: u64::from(bytes) };
    if let Some(flow) = shard.counters.segments.get_mut(arrival.segment().index()) {
        flow.tx = flow.tx.without(one);
    }
    if let Some(flow) = shard.counters.endpoints.get_mut(to.index()) {
        flow.tx = flow.tx.without(one);
    }
}

/// The endpoint that the FDB names, if it is still what it was and the frame may go there: not to where it came from, nor
/// to a tunnel of the split-horizon group that it came from. Group addresses the FDB does not know.
#[inline(always)]
fn reach<'a>(arrival: &Arrival, entry: FdbEntry, tables: &'a Tables) -> Option<&'a Endpoint> {
    let endpoint = tables.endpoints.get(entry.endpoint().index())?;
    let lives = endpoint.generation == entry.generation() && !arrival.to_group();
    let away =
        entry.endpoint() != arrival.from() && (arrival.whence.group() == 0 || crosses(arrival, endpoint, tables));
    (lives && away).then_some(endpoint)
}

/// False for a tunnel of the split-horizon group that the frame came from (L2g).
#[inline(always)]
pub fn crosses(arrival: &Arrival, to: &Endpoint, tables: &Tables) -> bool {
    let Way::Tunnel(tunnel) = &to.way else { return true };
    let groups = tables.segments.get(arrival.segment().index()).map_or([0; 2], |segment: &Segment| segment.groups);
    groups[tunnel.encap as usize] != arrival.whence.group()
}

/// Cuts off what the outer packet was padded with, and gives the tenant's IP header the ECN field that it leaves with.
#[inline(always)]
pub fn cut_padding<F: Frame>(frame: &mut F, arrival: &Arrival) {
    if arrival.strip != 0 {
        cut_padding_of_tunnel(frame, arrival);
    }
}

/// The same of a frame from a tunnel.
#[inline(always)]
fn cut_padding_of_tunnel<F: Frame>(frame: &mut F, arrival: &Arrival) {
    let end = usize::from(arrival.strip) + usize::from(arrival.len);
    if frame.len() > end {
        frame.truncate(end);
    }
    if arrival.ecn != 0xff {
        mark(frame, arrival);
    }
}

#[inline(never)]
fn mark<F: Frame>(frame: &mut F, arrival: &Arrival) {
    if let Some(tenant) = frame.head_mut().get_mut(usize::from(arrival.strip)..) {
        let inner = ip::within(tenant, ethernet::ADDRESSES);
        ip::set_ecn(tenant, inner, arrival.ecn);
    }
}
