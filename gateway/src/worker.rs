//! One core at work: updates in, frames through, reports out. Time is an argument; nothing here reads a clock,
//! allocates, logs, takes a lock or waits.

use crate::batch::Batch;
use crate::costs::{Meter, Stage};
use crate::driver::{BURST, Driver};
use crate::frame::{Frame, PortId};
use crate::link::{HostFrame, Link, Report, Ring, Update};
use crate::notes::Concern;
use crate::pipeline::{self, Outbox};
use crate::shard::{REPORTS, Shard};
use crate::tables::{Fdb, Tables};
use crate::verdict::DropReason;
use crate::wire::ethernet;

/// Updates applied in one turn, at most.
const UPDATES: usize = 256;
/// Frames taken from twins, and from other cores, in one turn, at most.
const FOREIGN: usize = 64;

/// A core's share in the frames that cores hand each other because a device has fewer transmit queues than there are
/// cores.
#[derive(Debug)]
pub struct Handoff<F> {
    /// By port: the ring to the core that has a transmit queue; `None` when this core has one.
    pub to: Vec<Option<Ring<HostFrame<F>>>>,
    /// Rings from other cores.
    pub from: Vec<Ring<HostFrame<F>>>,
}

/// The rings between cores: `has_tx[core][port]` says who has a transmit queue. A port's frames go to the first core
/// that has one, spread over those cores by the sender's number.
pub fn handoffs<F>(has_tx: &[Vec<bool>], ring: usize) -> Vec<Handoff<F>> {
    let ports = has_tx.first().map_or(0, Vec::len);
    let mut all: Vec<_> =
        has_tx.iter().map(|_| Handoff { to: (0..ports).map(|_| None).collect(), from: Vec::new() }).collect();
    for port in 0..ports {
        let owners: Vec<usize> = (0..has_tx.len()).filter(|&core| has_tx[core][port]).collect();
        for core in (0..has_tx.len()).filter(|core| !owners.contains(core)) {
            let Some(&owner) = owners.get(core % owners.len().max(1)) else { continue };
            let ring = Ring::new(ring);
            all[core].to[port] = Some(ring.clone());
            all[owner].from.push(ring);
        }
    }
    all
}

/// What a turn found to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Frames or updates were handled.
    Busy,
    /// Nothing was to be done.
    Idle,
    /// Control asked the core to end; there is nothing left to do.
    Stopped,
}

/// One core at work.
#[derive(Debug)]
pub struct Worker<D: Driver> {
    driver: D,
    shard: Shard,
    out: Outbox<D::Frame>,
    batch: Batch<D::Frame>,
    link: Link<D::Frame>,
    handoff: Handoff<D::Frame>,
    burst: usize,
    copies: u32,
    refilled: u64,
    /// By port: parts of a host frame that its policer has saved up, in billionths.
    credit: Vec<u64>,
    stopped: bool,
    meter: Meter,
}

impl<D: Driver> Worker<D> {
    /// A core with its queues, tables, FDB and rings. `burst` frames (at most [`BURST`]) are taken from a queue at once,
    /// `copies` flood copies are made in a turn at most.
    pub fn new(
        driver: D,
        tables: Box<Tables>,
        fdb: Fdb,
        link: Link<D::Frame>,
        handoff: Handoff<D::Frame>,
        burst: usize,
        copies: u32,
    ) -> Self {
        let ports = tables.ports.len();
        Self {
            driver,
            shard: Shard::new(tables, fdb),
            out: Outbox::new(ports),
            batch: Batch::default(),
            link,
            handoff,
            burst: burst.clamp(1, BURST),
            copies: copies.max(1),
            refilled: 0,
            credit: vec![0; ports],
            stopped: false,
            meter: Meter::default(),
        }
    }

    /// The same, with a watch that says what the work costs.
    pub fn with_meter(self, meter: Meter) -> Self {
        Self { meter, ..self }
    }

    /// What the core owns, to be looked at.
    pub fn shard(&self) -> &Shard {
        &self.shard
    }

    /// The core's devices.
    pub fn driver_mut(&mut self) -> &mut D {
        &mut self.driver
    }

    /// One lap: updates, every queue once, everything that can leave. `now` is in nanoseconds since any fixed moment.
    pub fn turn(&mut self, now: u64) -> Turn {
        if self.meter.is_due() { self.timed_turn(now) } else { self.lap(now) }
    }

    /// One turn in many: see [`crate::costs`].
    #[cold]
    fn timed_turn(&mut self, now: u64) -> Turn {
        let began = self.meter.begin();
        let turn = self.lap(now);
        self.meter.end(began, turn == Turn::Busy, &mut self.shard.counters.costs);
        turn
    }

    fn lap(&mut self, now: u64) -> Turn {
        if self.stopped {
            return self.say_goodbye();
        }
        self.shard.now = now;
        self.tick(now);
        let mut busy = self.apply_updates();
        if self.stopped {
            return self.say_goodbye();
        }
        self.out.copies_left = self.copies;
        if self.out.floods() > 0 {
            busy = true;
            pipeline::resume(&mut self.shard, self.driver.pool(), &mut self.out);
        }
        for queue in 0..self.driver.rx_queues() {
            busy |= self.poll(queue);
        }
        busy |= self.take_from_host();
        busy |= self.take_over();
        self.flush(true);
        self.send_reports();
        self.shard.counters.turns += 1;
        self.shard.counters.busy_turns += u64::from(busy);
        if busy { Turn::Busy } else { Turn::Idle }
    }

    /// Once a millisecond: age epochs and the policers' tokens.
    #[inline]
    fn tick(&mut self, now: u64) {
        let passed = now.wrapping_sub(self.refilled);
        if passed < 1_000_000 && self.refilled != 0 {
            return;
        }
        self.shard.set_time(now);
        self.shard.notes.refill();
        self.out.errors.refill(passed);
        let policers = self.out.host_tokens.iter_mut().zip(&mut self.credit);
        for ((tokens, credit), table) in policers.zip(&self.shard.tables.ports) {
            let rate = table.underlay.as_ref().map_or(0, |side| u64::from(side.host_rate));
            // Less than a frame is kept for the next time, so that low rates are true too.
            *credit += rate * passed.min(1_000_000_000);
            let more = *credit / 1_000_000_000;
            *credit %= 1_000_000_000;
            // A bucket holds a tenth of a second, and a few frames whatever the rate.
            *tokens = (u64::from(*tokens).min(rate / 10 + 8) + more).min(rate / 10 + 8) as u32;
        }
        self.refilled = now.max(1);
    }

    fn apply_updates(&mut self) -> bool {
        for count in 0..UPDATES {
            // A retired box must find room in the reports.
            if self.shard.reports.len() + 1 >= REPORTS {
                return true;
            }
            let Some(update) = self.link.updates.take() else { return count > 0 };
            self.apply(update);
            if self.stopped {
                return true;
            }
        }
        true
    }

    fn apply(&mut self, update: Update) {
        let shard = &mut self.shard;
        match update {
            Update::Tables(mut fitting) => {
                // Floods that wait go by the old tables' lists: finish them first.
                self.out.copies_left = u32::MAX;
                pipeline::resume(shard, self.driver.pool(), &mut self.out);
                shard.refit(&mut fitting);
                shard.report(Report::Retired(fitting));
            }
            Update::Put(key, entry) => {
                let epoch =
                    shard.segment(key.segment()).map_or(0, |segment| shard.epochs[usize::from(segment.age_class)]);
                // Control sized the table for what it puts; a full one shows as frames that flood.
                if shard.fdb.insert(key, entry.marked(epoch)).is_err() {
                    shard.counters.unreported += 1;
                }
            }
            Update::Remove(key) => {
                shard.fdb.remove(key);
            }
            Update::Hops(id, hops) => {
                if let Some(endpoint) = shard.tables.endpoints.get_mut(id.index())
                    && let crate::tables::Way::Tunnel(tunnel) = &mut endpoint.way
                {
                    let old = std::mem::replace(&mut tunnel.hops, hops);
                    shard.report(Report::RetiredHops(old));
                } else {
                    shard.report(Report::RetiredHops(hops));
                }
            }
            Update::Neighbours(neighbours) => {
                let old = std::mem::replace(&mut shard.neighbours, neighbours);
                shard.report(Report::RetiredNeighbours(old));
            }
            Update::Bind(segment, address, Some(neighbour)) => {
                shard.counters.unreported += u64::from(!shard.neighbours.insert(segment, address, neighbour));
            }
            Update::Bind(segment, address, None) => shard.neighbours.remove(segment, address),
            Update::LearnInSegment(id, open) => {
                if let Some(segment) = shard.tables.segments.get_mut(id.index()) {
                    segment.learns = open;
                }
            }
            Update::LearnAtEndpoint(id, open) => {
                if let Some(endpoint) = shard.tables.endpoints.get_mut(id.index()) {
                    endpoint.learns = open;
                }
            }
            Update::Count(mut counters) => {
                shard.counters.costs.total_cycles = self.meter.age();
                counters.copy_from(&shard.counters);
                shard.report(Report::Counters(counters));
            }
            Update::Notes(notes) => {
                let written = std::mem::replace(&mut shard.notes, notes);
                shard.report(Report::Notes(written));
            }
            Update::Tap(tap) => {
                tap.start();
                if let Err(full) = shard.taps.try_push(tap) {
                    shard.report(Report::Untapped(full.element()));
                }
            }
            Update::Untap(id) => {
                if let Some(at) = shard.taps.iter().position(|tap| tap.id == id) {
                    let tap = shard.taps.remove(at);
                    shard.report(Report::Untapped(tap));
                }
            }
            Update::Stop => self.stop(),
        }
    }

    /// Drops what is held, by name, and says good-bye.
    fn stop(&mut self) {
        self.out.copies_left = u32::MAX;
        pipeline::resume(&mut self.shard, self.driver.pool(), &mut self.out);
        self.flush(true);
        for port in 0..self.out.queues.len() {
            let concern = Concern { port: PortId(port as u8), ..Concern::default() };
            for frame in std::mem::take(&mut self.out.queues[port].frames) {
                self.shard.discard(&frame, DropReason::Stopped, concern);
            }
        }
        let last = Box::new(self.shard.counters.clone());
        self.shard.reports.clear();
        self.shard.report(Report::Counters(last));
        self.shard.report(Report::Stopped);
        self.stopped = true;
    }

    /// Sends the last reports; the core has ended when they have found room.
    fn say_goodbye(&mut self) -> Turn {
        self.send_reports();
        if self.shard.reports.is_empty() { Turn::Stopped } else { Turn::Busy }
    }

    fn poll(&mut self, queue: usize) -> bool {
        if self.meter.is_on() {
            return self.poll_timed(queue);
        }
        if !self.receive(queue) {
            return false;
        }
        pipeline::process(&mut self.batch, &mut self.shard, self.driver.pool(), &mut self.out);
        // What is refused now has its second chance at the end of the turn.
        self.flush(false);
        true
    }

    #[cold]
    fn poll_timed(&mut self, queue: usize) -> bool {
        let began = self.meter.start();
        if !self.receive(queue) {
            return false;
        }
        let frames = self.batch.frames.len();
        let Self { batch, shard, driver, out, meter, .. } = self;
        // What watching costs is not what the work costs.
        if shard.is_watched() {
            pipeline::process(batch, shard, driver.pool(), out);
            self.flush(false);
            return true;
        }
        meter.lap(Stage::Rx);
        pipeline::process_timed(batch, shard, driver.pool(), out, meter);
        self.flush(false);
        self.meter.lap(Stage::Tx);
        self.meter.burst(frames, began);
        true
    }

    /// Takes a burst from a device and counts it; false when there was none.
    #[inline]
    fn receive(&mut self, queue: usize) -> bool {
        self.driver.rx(queue, self.burst, &mut self.batch.frames);
        let Some(first) = self.batch.frames.first() else { return false };
        let port = first.meta().port;
        let asked = self.batch.frames.iter().inspect(|frame| frame.prefetch());
        let bytes: usize = asked.map(Frame::len).sum();
        let frames = self.batch.frames.len();
        self.shard.counters.bursts[frames.min(BURST)] += 1;
        if let Some(counters) = self.shard.counters.ports.get_mut(port.index()) {
            counters.rx.frames += frames as u64;
            counters.rx.bytes += bytes as u64;
        }
        if self.shard.notes.listens(frames) {
            let lane = self.shard.notes.lane(frames);
            self.shard.hear(&self.batch.frames[lane]);
        }
        self.batch.port = port;
        true
    }

    /// Frames that the Linux twins send: out of their port, with the underlay's tag.
    fn take_from_host(&mut self) -> bool {
        for count in 0..FOREIGN {
            let Some(HostFrame { port, mut frame }) = self.link.from_host.take() else { return count > 0 };
            if let Some(counters) = self.shard.counters.ports.get_mut(port.index()) {
                counters.from_host.add(frame.len());
            }
            let vlan =
                self.shard.tables.ports.get(port.index()).and_then(|t| t.underlay.as_ref()).map_or(0, |u| u.vlan);
            if self.shard.is_watched() {
                self.shard.tell_from_host(&frame, port);
            }
            let concern = Concern { port, ..Concern::default() };
            let tagged = vlan == 0 || put_tag(&mut frame, vlan);
            if !tagged {
                self.shard.discard(&frame, DropReason::NoHeadroom, concern);
            } else if let Err(frame) = self.out.send(port, frame) {
                self.shard.discard(&frame, DropReason::TxFull, concern);
            }
        }
        true
    }

    /// Frames that other cores hand over for ports whose transmit queue is ours.
    fn take_over(&mut self) -> bool {
        let mut busy = false;
        for ring in &self.handoff.from {
            for _ in 0..FOREIGN {
                let Some(HostFrame { port, frame }) = ring.take() else { break };
                busy = true;
                self.shard.counters.taken_over += 1;
                if let Err(frame) = self.out.send(port, frame) {
                    self.shard.discard(&frame, DropReason::TxFull, Concern { port, ..Concern::default() });
                }
            }
        }
        busy
    }

    /// Offers every queue to its device. At the end of a lap frames that were refused in the lap before are dropped.
    fn flush(&mut self, lap_ends: bool) {
        for port in 0..self.out.queues.len() {
            let id = PortId(port as u8);
            if self.out.queues[port].frames.is_empty() {
                continue;
            }
            if !self.driver.has_tx(id) {
                self.hand_over(id);
                continue;
            }
            let queue = &mut self.out.queues[port];
            let before = queue.frames.len();
            let bytes = self.driver.tx(id, &mut queue.frames);
            let taken = before - queue.frames.len();
            queue.held = queue.held.saturating_sub(taken);
            if let Some(counters) = self.shard.counters.ports.get_mut(port) {
                counters.tx.frames += taken as u64;
                counters.tx.bytes += bytes;
            }
            if lap_ends {
                let late = queue.held;
                let concern = Concern { port: id, ..Concern::default() };
                let refused = queue.frames.drain(..late);
                refused.for_each(|frame| self.shard.discard(&frame, DropReason::TxFull, concern));
                queue.held = queue.frames.len();
            }
        }
        self.flush_host();
    }

    fn hand_over(&mut self, id: PortId) {
        let ring = self.handoff.to.get(id.index()).and_then(Option::as_ref);
        let concern = Concern { port: id, ..Concern::default() };
        let mut handed = 0;
        for frame in self.out.queues[id.index()].frames.drain(..) {
            let host = HostFrame { port: id, frame };
            let Err(refused) = (match ring {
                Some(ring) => ring.send(host),
                None => Err(host),
            }) else {
                handed += 1;
                continue;
            };
            self.shard.discard(&refused.frame, DropReason::HandoffFull, concern);
        }
        self.shard.counters.handed_over += handed;
    }

    fn flush_host(&mut self) {
        for host in self.out.host.drain(..) {
            let (port, bytes) = (host.port, host.frame.len());
            if let Err(host) = self.link.to_host.send(host) {
                self.shard.discard(&host.frame, DropReason::HostPoliced, Concern { port, ..Concern::default() });
            } else if let Some(counters) = self.shard.counters.ports.get_mut(port.index()) {
                counters.to_host.add(bytes);
            }
        }
    }

    /// Sends reports in order until the ring is full; the rest waits.
    fn send_reports(&mut self) {
        if self.shard.reports.is_empty() {
            return;
        }
        let mut waiting = std::mem::take(&mut self.shard.reports).into_iter();
        for report in waiting.by_ref() {
            if let Err(refused) = self.link.reports.send(report) {
                self.shard.reports.push(refused);
                break;
            }
        }
        self.shard.reports.extend(waiting);
    }
}

/// Puts on the underlay's tag.
fn put_tag<F: Frame>(frame: &mut F, vlan: u16) -> bool {
    let Some(head) = frame.grow_front(ethernet::TAG) else { return false };
    if head.len() < ethernet::HEADER + ethernet::TAG {
        return false;
    }
    head.copy_within(ethernet::TAG..ethernet::TAG + ethernet::ADDRESSES, 0);
    head[12..14].copy_from_slice(&ethernet::CUSTOMER_TAG.to_be_bytes());
    head[14..16].copy_from_slice(&vlan.to_be_bytes());
    true
}
