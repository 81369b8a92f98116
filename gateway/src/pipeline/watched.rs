//! The path of a frame while somebody watches: the same four stages, frame by frame, with copies taken before and after.
//! That a batch comes out as its frames one by one is a promise of the pipeline anyway.

use arrayvec::ArrayVec;

use super::outbox::Outbox;
use super::{flood, lost, run};
use crate::batch::{Aim, Batch, Kind};
use crate::driver::BURST;
use crate::frame::{Frame, Pool, PortId};
use crate::notes::Concern;
use crate::shard::Shard;
use crate::tables::EndpointId;
use crate::tap::{Fate, Sight, Stage};
use crate::wire::ethernet::mac_word;

/// [`super::process`] with copies for the taps.
#[cold]
#[inline(never)]
pub fn process<P: Pool>(batch: &mut Batch<P::Frame>, shard: &mut Shard, pool: &mut P, out: &mut Outbox<P::Frame>) {
    let frames: ArrayVec<P::Frame, BURST> = batch.frames.drain(..).take(BURST).collect();
    for frame in frames {
        let mut sight = received(&frame, batch.port, shard);
        shard.taps.iter_mut().for_each(|tap| tap.came(&frame));
        let before = Lengths { answered: answered(batch.port, shard), ..Lengths::of(out) };
        shard.losses.begin();
        batch.frames.push(frame);
        run(batch, shard, pool, out);
        shard.losses.on = false;
        if batch.kinds[0] == Kind::Bridge {
            let arrival = &batch.arrivals[0];
            sight.concern = Concern { segment: Some(arrival.segment()), from: arrival.from(), ..sight.concern };
            let macs = [arrival.destination, arrival.source].map(|key| mac_word(&key.mac(), 0));
            sight.macs[2..].copy_from_slice(&macs);
        }
        tell(batch, sight, &before, shard, out);
    }
}

/// [`super::resume`] with copies for the taps.
#[cold]
#[inline(never)]
pub fn resume<P: Pool>(shard: &mut Shard, pool: &mut P, out: &mut Outbox<P::Frame>) {
    while let Some(pending) = out.floods.front() {
        let arrival = pending.arrival;
        let concern = Concern {
            port: pending.port,
            segment: Some(arrival.segment()),
            from: arrival.from(),
            to: EndpointId::NONE,
        };
        let [to, from] = [arrival.destination, arrival.source].map(|key| mac_word(&key.mac(), 0));
        let sight = Sight { stage: Stage::Out, concern, came_from: pending.port, macs: [to, from, 0, 0] };
        let before = Lengths::of(out);
        let done = flood::step(shard, pool, out);
        tell_sent(sight, &before, shard, out);
        if !done {
            return;
        }
    }
}

/// What is known of a received frame by itself.
fn received<F: Frame>(frame: &F, port: PortId, shard: &Shard) -> Sight {
    let (segment, from) = lost::whose(frame, port, &shard.tables);
    let concern = Concern { port, segment, from, to: EndpointId::NONE };
    Sight { stage: Stage::In(Fate::Waits), concern, came_from: port, macs: shard.macs(frame.head()) }
}

/// Tells the taps what came in and what became of it.
fn tell<F: Frame>(batch: &Batch<F>, mut sight: Sight, before: &Lengths, shard: &mut Shard, out: &Outbox<F>) {
    let losses = shard.losses.clone();
    let sent = before.since(out);
    let kind = batch.kinds[0];
    let aim = Aim::of(&batch.arrivals[0], batch.found[0], &shard.tables);
    let to = match (kind, aim) {
        (Kind::Bridge, Aim::Endpoint(to)) => to,
        _ => EndpointId::NONE,
    };
    if let (1, [(reason, at)]) = (losses.count, losses.first.as_slice())
        && (sent == 0 || to != EndpointId::NONE)
    {
        // One frame, one fate: the drop tells it all. What left is word to the sender.
        sight.stage = Stage::Drop(*reason);
        sight.concern.to = *at;
        shard.shoot_received(&sight);
        return tell_sent(sight, before, shard, out);
    }
    sight.stage = Stage::In(match (kind, aim) {
        (Kind::Host { .. }, _) => Fate::Host,
        _ if answered(batch.port, shard) > before.answered => Fate::Answered,
        (Kind::Bridge, Aim::Endpoint(_)) if sent > 0 => Fate::Forwarded,
        (Kind::Bridge, Aim::Group | Aim::Unknown) if sent > 0 || losses.count > 0 => {
            Fate::Flooded { copies: sent as u16, lost: losses.count as u16 }
        }
        _ => Fate::Waits,
    });
    sight.concern.to = to;
    shard.shoot_received(&sight);
    for (reason, to) in losses.first {
        let concern = Concern { to, ..sight.concern };
        shard.shoot_received(&Sight { stage: Stage::Drop(reason), concern, ..sight });
    }
    tell_sent(sight, before, shard, out);
}

/// Tells the taps what was queued since.
fn tell_sent<F: Frame>(sight: Sight, before: &Lengths, shard: &mut Shard, out: &Outbox<F>) {
    for (number, (queue, &from)) in out.queues.iter().zip(&before.queues).enumerate() {
        for frame in queue.frames.get(from..).unwrap_or_default() {
            let concern = Concern { port: PortId(number as u8), ..sight.concern };
            shard.shoot(frame, &Sight { stage: Stage::Out, concern, ..sight });
        }
    }
    for host in out.host.get(before.host..).unwrap_or_default() {
        let concern = Concern { port: host.port, ..sight.concern };
        shard.shoot(&host.frame, &Sight { stage: Stage::ToHost, concern, ..sight });
    }
}

/// How things were before.
struct Lengths {
    queues: [usize; 256],
    host: usize,
    /// How many requests had been answered, where that matters.
    answered: u64,
}

fn answered(port: PortId, shard: &Shard) -> u64 {
    shard.counters.ports.get(port.index()).map_or(0, |port| port.answered)
}

impl Lengths {
    fn of<F>(out: &Outbox<F>) -> Self {
        let mut queues = [0; 256];
        queues.iter_mut().zip(&out.queues).for_each(|(length, queue)| *length = queue.frames.len());
        Self { queues, host: out.host.len(), answered: 0 }
    }

    /// Frames that were queued since.
    fn since<F>(&self, out: &Outbox<F>) -> usize {
        let queued = out.queues.iter().zip(&self.queues).map(|(queue, from)| queue.frames.len() - from);
        queued.sum::<usize>() + out.host.len() - self.host
    }
}
