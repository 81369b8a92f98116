//! A job at work in whole turns of a core: the production `Worker::turn` on devices in memory, with reception, sending and
//! all that is done once a turn.

use std::collections::VecDeque;

use gateway::driver::BURST;
use gateway::link::{Link, Report, Update};
use gateway::sim::{HeapFrame, SimDriver};
use gateway::tables::{FdbEntry, FdbKey, Origin};
use gateway::worker::{Handoff, Worker};

use super::case::{Case, Crowd, Load, heap};
use super::clock::{cycles, hertz};
use super::job::Job;
use super::rounds::{Sample, Subject, batches};
use super::site::End;

/// Flood copies in a turn, unless the configuration says otherwise.
const COPIES: u32 = 1024;
/// Changes to the FDB in each second that the core works.
pub const STORM: u64 = 10_000;
/// Numbers of stations that come with a storm begin here.
const COMERS: u32 = 1 << 29;
/// So many of them are known at a time: whoever came before is forgotten.
pub const KNOWN: usize = 4096;

/// What happens while frames pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storm {
    /// Nothing.
    None,
    /// Control changes [`STORM`] entries a second: half of the changes add one, half take one away.
    Updates,
    /// [`STORM`] stations a second send their first frame. Control rules on each, and forgets one that came before.
    Learning,
}

/// A core, its devices and its stations.
pub struct Turns {
    crowd: Crowd,
    worker: Worker<SimDriver>,
    link: Link<HeapFrame>,
    now: u64,
    storm: Storm,
    /// Cycles between two changes, and those since the last.
    period: u64,
    since: u64,
    /// Changes that are due.
    due: u32,
    comers: u32,
    known: VecDeque<FdbKey>,
    /// An entry like those that storms bring.
    example: (FdbKey, FdbEntry),
}

impl Turns {
    /// Compiles the gateway and lets it learn all stations.
    pub fn new(job: Job, load: &Load, storm: Storm) -> Self {
        let Case { crowd, shard, .. } = Case::new(job, load, heap());
        let example = shard.fdb.iter().next().expect("every station is known");
        let link = Link::new();
        let driver = SimDriver::new(shard.tables.ports.len(), 1 << 14);
        let handoff = Handoff { to: (0..shard.tables.ports.len()).map(|_| None).collect(), from: Vec::new() };
        let worker = Worker::new(driver, shard.tables, shard.fdb, link.clone(), handoff, BURST, COPIES);
        Self {
            crowd,
            worker,
            link,
            now: 1_000_000_000,
            storm,
            period: hertz() / STORM,
            since: 0,
            due: 0,
            comers: 0,
            known: VecDeque::with_capacity(KNOWN + 1),
            example,
        }
    }

    fn turn(&mut self) {
        // As if a turn took ten microseconds.
        self.now += 10_000;
        self.worker.turn(self.now);
    }

    /// Control at work, untimed: it hears the core and answers. In a job that is itself a storm strangers stay strangers.
    fn control(&mut self) {
        let mut forgets = false;
        while let Some(report) = self.link.reports.take() {
            let Report::Learned { key, entry } = report else { continue };
            if self.storm == Storm::Learning {
                let ruled = FdbEntry::new(entry.endpoint(), entry.generation(), Origin::Learned);
                self.announce(key, ruled);
            } else {
                forgets |= self.link.updates.send(Update::Remove(key)).is_ok();
            }
        }
        if forgets {
            self.turn();
        }
        while self.storm == Storm::Updates && self.due >= 2 {
            self.due -= 2;
            self.comers = (self.comers + 1) % (1 << 20);
            let mac = self.crowd.site.mac(End::Far, COMERS + self.comers);
            self.announce(FdbKey::new(self.example.0.segment(), mac), self.example.1);
        }
    }

    /// An entry comes, and the oldest of those that came so goes.
    fn announce(&mut self, key: FdbKey, entry: FdbEntry) {
        self.known.push_back(key);
        let gone = if self.known.len() > KNOWN { self.known.pop_front() } else { None };
        let updates = gone.map(Update::Remove).into_iter().chain([Update::Put(key, entry)]);
        updates.for_each(|update| assert!(self.link.updates.send(update).is_ok(), "the ring has room"));
    }

    /// Frames for the next turn wait at the device.
    fn receive(&mut self) {
        self.crowd.choose();
        if self.storm == Storm::Learning && self.due > 0 {
            self.due -= 1;
            self.comers = (self.comers + 1) % (1 << 20);
            let segments = self.crowd.site.segments() as u32;
            let (known, to) = self.crowd.pairs[0];
            // Of the same segment, and so at the same port.
            self.crowd.pairs[0] = (COMERS + self.comers * segments + known % segments, to);
        }
        for lane in 0..self.crowd.burst {
            let pair = self.crowd.pairs[lane];
            let port = self.crowd.site.port(End::Near, pair.0);
            self.worker.driver_mut().receive(port.0, self.crowd.frame(End::Near, pair));
        }
    }

    fn batch(&mut self) -> (usize, u64) {
        self.receive();
        let (mut left, mut spent) = (0, 0);
        // A large flood takes several turns.
        for _ in 0..64 {
            let began = cycles();
            self.turn();
            spent += cycles() - began;
            self.control();
            left += self.worker.driver_mut().ports.iter_mut().map(|port| port.tx.drain(..).count()).sum::<usize>();
            if left >= self.crowd.leaving() {
                break;
            }
        }
        // No frame may be lost, whatever storms.
        self.crowd.check(left);
        // A turn that was interrupted brings no more changes than others.
        self.since += spent.min(self.period * 4);
        self.due += (self.since / self.period) as u32;
        self.since %= self.period;
        (left, spent)
    }
}

impl Subject for Turns {
    fn window(&mut self, length: u64) -> Sample {
        batches(length, || self.batch())
    }
}
