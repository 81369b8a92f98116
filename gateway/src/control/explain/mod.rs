//! `causeway explain`: what becomes of a frame, and why.
//!
//! The frame walks through the real pipeline ([`crate::pipeline::process`]) on a scratch core that has the tables in force
//! and of the FDB just the two MACs that the frame names. So the answer cannot differ from what the cores do, nothing of
//! theirs is touched or counted, and a table of a million MACs costs two look-ups.

mod ask;
mod story;
pub mod view;

use std::net::IpAddr;

use crate::batch::{Aim, Batch, Class, Kind};
use crate::control::{Control, Nanos};
use crate::counters::Counters;
use crate::frame::{Pool, PortId, RxMeta};
use crate::pipeline::{self, Outbox, classify};
use crate::shard::Shard;
use crate::sim::{HeapFrame, HeapPool};
use crate::tables::{EndpointId, Fdb, FdbEntry, FdbKey, Neighbours, SegmentId};
use crate::tap::Losses;
use crate::wire::{arp, icmp};

pub use self::ask::Sample;
use self::view::ExplainView;

/// Longest frame that is explained, in bytes: the largest that Ethernet ports take.
pub const LONGEST: usize = 9_234;

/// What the pipeline did with a frame.
#[derive(Debug)]
struct Walk {
    class: Class,
    aim: Aim,
    /// Whose it seems to be, when classification refuses it.
    whose: (Option<SegmentId>, EndpointId),
    /// What the FDB had for its source and destination before, when it came that far.
    known: [Option<FdbEntry>; 2],
    /// What the scratch core has for its source afterwards.
    source_after: Option<FdbEntry>,
    /// Frames for ports, in the order of ports.
    sent: Vec<(PortId, Vec<u8>)>,
    /// Frames for Linux twins.
    host: Vec<(PortId, Vec<u8>)>,
    losses: Losses,
    /// Which endpoints were sent to, and how often.
    counters: Counters,
}

impl Control {
    /// What becomes of a frame that comes in at a port, by the tables and MACs that control has: cores have them too, or
    /// will as soon as the news reaches them. What depends on load (full queues, policing) is left out.
    pub fn explain(&mut self, port: PortId, frame: &[u8], now: Nanos) -> ExplainView {
        let walk = self.walk(port, frame, now);
        story::tell(self, port, frame, &walk, now)
    }

    fn walk(&mut self, port: PortId, bytes: &[u8], now: Nanos) -> Walk {
        let mut pool = HeapPool::new(usize::MAX);
        let meta = RxMeta { port, ..RxMeta::default() };
        let frame = pool.frame(bytes).expect("the pool has no limit").with_meta(meta);
        let class = classify::class(&frame, port, &self.plan.tables);
        let whose = pipeline::whose(&frame, port, &self.plan.tables);
        let keys = match &class {
            Class::Bridge(arrival) => Some([arrival.source, arrival.destination]),
            _ => None,
        };
        let known = keys.map_or([None; 2], |keys| keys.map(|key| self.fdb.entry(key)));
        // The tables are lent to the scratch core, not copied.
        let tables = Box::new(std::mem::take(&mut self.plan.tables));
        let ports = tables.ports.len();
        let mut fdb = small_fdb(keys, known);
        let neighbours = self.asked_for(&class, bytes, &mut fdb);
        let mut shard = Shard::new(tables, fdb);
        shard.neighbours = neighbours;
        shard.now = now;
        shard.set_time(now);
        shard.losses.begin();
        let mut out = Outbox::new(ports);
        let mut batch = Batch::of(port);
        batch.frames.push(frame);
        pipeline::process(&mut batch, &mut shard, &mut pool, &mut out);
        while out.floods() > 0 {
            pipeline::resume(&mut shard, &mut pool, &mut out);
        }
        let walk = Walk {
            // Rules look at what is bridged, and may refuse it.
            class: match batch.kinds[0] {
                Kind::Drop(reason) => Class::Drop(reason),
                _ => class,
            },
            whose,
            aim: Aim::of(&batch.arrivals[0], batch.found[0], &shard.tables),
            known,
            source_after: keys.and_then(|[source, _]| shard.fdb.find(source)),
            sent: out.queues.iter().enumerate().flat_map(|(port, queue)| wires(port, &queue.frames)).collect(),
            host: out.host.iter().map(|host| (host.port, host.frame.wire())).collect(),
            losses: shard.losses,
            counters: shard.counters,
        };
        self.plan.tables = *shard.tables;
        walk
    }

    /// The binding that an ARP request or a neighbour solicitation asks for, if the gateway answers such; who has the
    /// address is put into `fdb` too, as the answer depends on where that is.
    fn asked_for(&self, class: &Class, bytes: &[u8], fdb: &mut Fdb) -> Box<Neighbours> {
        let Class::Bridge(arrival) = class else { return Box::default() };
        let skip = usize::from(arrival.strip);
        let (addresses, rest) = (bytes.get(skip..skip + 12), bytes.get(skip + 12 + usize::from(arrival.tags)..));
        let frame = [addresses.unwrap_or_default(), rest.unwrap_or_default()].concat();
        let arp = arp::Request::parse(&frame).map(|asked| asked.target.into());
        let address: Option<IpAddr> = arp.or_else(|| Some(icmp::Solicitation::parse(&frame)?.target.into()));
        let segment = arrival.segment();
        let Some((address, neighbour)) = address.and_then(|at| Some((at, self.bindings.entry(segment, at)?))) else {
            return Box::default();
        };
        let key = FdbKey::new(segment, neighbour.mac);
        if let Some(entry) = self.fdb.entry(key) {
            let _ = fdb.insert(key, entry);
        }
        let mut neighbours = Box::new(Neighbours::with_room(1));
        neighbours.insert(segment, address, neighbour);
        neighbours
    }

    /// The numbers of the endpoints that a frame reached, in the order of the segment's flood list.
    fn reached(&self, walk: &Walk) -> Vec<EndpointId> {
        let sent_to = |id: &EndpointId| walk.counters.endpoints.get(id.index()).is_some_and(|flow| flow.tx.frames > 0);
        let Class::Bridge(arrival) = &walk.class else { return Vec::new() };
        match walk.aim {
            Aim::Endpoint(to) => Some(to).into_iter().filter(sent_to).collect(),
            Aim::Group | Aim::Unknown => {
                let segment = self.plan.tables.segments.get(arrival.segment().index());
                let list = segment.and_then(|segment| self.plan.tables.floods.get(segment.rare.flood as usize));
                // What goes back where it came from is no copy but an answer.
                let others =
                    list.into_iter().flat_map(|list| list.to.iter().copied()).filter(|&id| id != arrival.from());
                others.filter(sent_to).collect()
            }
        }
    }
}

/// An FDB with room for two.
fn small_fdb(keys: Option<[FdbKey; 2]>, known: [Option<FdbEntry>; 2]) -> Fdb {
    let mut fdb = Fdb::with_room(8);
    for (key, entry) in keys.into_iter().flatten().zip(known) {
        if let Some(entry) = entry {
            // Two entries always find room in eight places.
            let _ = fdb.insert(key, entry);
        }
    }
    fdb
}

fn wires(port: usize, frames: &[HeapFrame]) -> impl Iterator<Item = (PortId, Vec<u8>)> + '_ {
    frames.iter().map(move |frame| (PortId(port as u8), frame.wire()))
}
