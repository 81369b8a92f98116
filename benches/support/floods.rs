//! How long one queue waits for another: frames that flood to many VTEPs on one port, known ones on another.

use gateway::driver::BURST;
use gateway::link::{Link, Report};
use gateway::sim::{HeapFrame, SimDriver};
use gateway::worker::{Handoff, Worker};

use super::case::{Case, Crowd, Load, heap};
use super::clock::cycles;
use super::job::Job;
use super::rounds::{Sample, Subject, batches};
use super::site::End;

/// Floods that wait at a time.
const WAITING: usize = 8;

/// A core with floods to work off, some copies a turn.
pub struct Floods {
    crowd: Crowd,
    worker: Worker<SimDriver>,
    link: Link<HeapFrame>,
    copies: u32,
    now: u64,
    number: u32,
    /// Frames that will still leave for floods that began.
    owed: usize,
}

impl Floods {
    /// A gateway whose core makes at most `copies` flood copies in a turn.
    pub fn new(copies: u32) -> Self {
        let job = Job::named("flood-1024").expect("it is one of the list");
        let load = Load { macs: 1_000, segments: 1, sizes: vec![64], comers: 0 };
        let Case { crowd, shard, .. } = Case::new(job, &load, heap());
        let link = Link::new();
        let driver = SimDriver::new(shard.tables.ports.len(), 1 << 15);
        let handoff = Handoff { to: (0..shard.tables.ports.len()).map(|_| None).collect(), from: Vec::new() };
        let worker = Worker::new(driver, shard.tables, shard.fdb, link.clone(), handoff, BURST, copies);
        Self { crowd, worker, link, copies, now: 1_000_000_000, number: 0, owed: 0 }
    }

    /// A turn with a burst from the underlay, while floods from a server wait: its cycles. The burst must leave in this
    /// very turn, and no more copies than are allowed.
    fn one_turn(&mut self) -> u64 {
        let leaving = self.crowd.leaving();
        while self.owed < WAITING * leaving {
            self.crowd.choose();
            let pair = self.crowd.pairs[0];
            let port = self.crowd.site.port(End::Near, pair.0);
            self.worker.driver_mut().receive(port.0, self.crowd.frame(End::Near, pair));
            self.owed += leaving;
        }
        for _ in 0..BURST {
            self.number = (self.number + 1) % 1_000;
            let port = self.crowd.site.port(End::Far, self.number);
            self.worker.driver_mut().receive(port.0, self.crowd.frame(End::Far, (self.number, self.number)));
        }
        self.now += 10_000;
        let before = self.worker.shard().counters.replicated;
        let began = cycles();
        self.worker.turn(self.now);
        let took = cycles() - began;
        let made = self.worker.shard().counters.replicated - before;
        assert!(made <= u64::from(self.copies), "{made} copies in a turn, {} are allowed", self.copies);
        let mut left = self.worker.driver_mut().ports.iter_mut().map(|port| port.tx.drain(..).count());
        let (flooded, passed) = (left.next().expect("the underlay"), left.sum::<usize>());
        assert_eq!(passed, BURST, "the other queue's burst must not wait for a flood");
        self.owed -= flooded;
        while let Some(report) = self.link.reports.take() {
            assert!(!matches!(report, Report::Learned { .. }), "every sender is known");
        }
        took
    }
}

impl Subject for Floods {
    fn window(&mut self, length: u64) -> Sample {
        batches(length, || (1, self.one_turn()))
    }
}
