//! A job at work: the production `pipeline::process` on frames in memory.

use gateway::batch::Batch;
use gateway::driver::BURST;
use gateway::frame::Pool;
use gateway::link::Report;
use gateway::pipeline::{self, Outbox};
use gateway::shard::Shard;
use gateway::tables::Fdb;

use super::clock::cycles;
use super::job::{Job, Way};
use super::site::{End, Site};

/// Numbers of stations that nobody has seen begin here.
const STRANGERS: u32 = 1 << 28;

/// What besides the job makes a case.
#[derive(Clone, Debug)]
pub struct Load {
    /// Stations on each end; at least one in each segment.
    pub macs: usize,
    /// Segments.
    pub segments: usize,
    /// Bytes of the tenant's frames with FCS, in the order in which they come.
    pub sizes: Vec<usize>,
}

/// A gateway's core and its stations.
pub struct Case<P: Pool> {
    job: Job,
    site: Site,
    shard: Shard,
    pool: P,
    batch: Batch<P::Frame>,
    out: Outbox<P::Frame>,
    /// Stations in each segment.
    stations: usize,
    burst: usize,
    chance: u64,
    turn: usize,
}

impl<P: Pool> Case<P> {
    /// Compiles the gateway and lets it learn all stations.
    pub fn new(job: Job, load: &Load, pool: P) -> Self {
        let (site, tables) = Site::new(job, load.segments, &load.sizes);
        let stations = load.macs.div_ceil(load.segments).max(1);
        let fdb = Fdb::with_room((stations * load.segments * 2).max(4 * BURST));
        let ports = tables.ports.len();
        // What leaves must find room in the outbox.
        let burst = (1024 / job.copies()).clamp(1, BURST);
        let mut case = Self {
            job,
            site,
            shard: Shard::new(tables, fdb),
            pool,
            batch: Batch::default(),
            out: Outbox::new(ports),
            stations,
            burst,
            chance: 1,
            turn: 0,
        };
        case.teach();
        case
    }

    /// Every station sends a frame, those of the far end first: the others' frames find them.
    fn teach(&mut self) {
        for number in 0..(self.stations * self.site.segments()) as u32 {
            for end in [End::Far, End::Near] {
                self.push(end, number, number);
                pipeline::process(&mut self.batch, &mut self.shard, &mut self.pool, &mut self.out);
                self.clear();
            }
        }
        let learned = self.shard.counters.learned as usize;
        assert_eq!(learned, 2 * self.stations * self.site.segments(), "every station must be learned");
    }

    fn push(&mut self, end: End, number: u32, to: u32) {
        self.turn = self.turn.wrapping_add(1);
        self.batch.port = self.site.port(end, number);
        let frame = self.pool.frame(self.site.frame(end, number, to, self.turn)).expect("the pool has a frame");
        self.batch.frames.push(frame);
    }

    fn random(&mut self, below: usize) -> usize {
        self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((u128::from(self.chance) * below as u128) >> 64) as usize
    }

    /// Fills the batch with frames of random stations of one port.
    fn fill(&mut self) {
        let first = self.random(self.site.segments());
        let segments = self.site.segments_beside(first);
        for lane in 0..self.burst {
            let segment = segments.start + self.random(segments.len());
            let number = (segment + self.random(self.stations) * self.site.segments()) as u32;
            let stranger = STRANGERS + number + (lane * self.site.segments() * self.stations) as u32;
            match self.job.way {
                Way::Flood(_) => self.push(End::Near, number, stranger),
                Way::Storm => self.push(End::Near, stranger, number),
                _ => self.push(End::Near, number, number),
            }
        }
    }

    /// Takes what left, and forgets who was learned; how many frames left.
    fn clear(&mut self) -> usize {
        self.shard.reports.clear();
        self.out.queues.iter_mut().map(|queue| queue.frames.drain(..).count()).sum()
    }

    /// The same between measured batches: every frame must have left, and strangers stay strangers.
    fn settle(&mut self) {
        for report in std::mem::take(&mut self.shard.reports) {
            if let Report::Learned { key, .. } = report {
                self.shard.fdb.remove(key);
            }
        }
        let left = self.clear();
        assert_eq!(left, self.burst * self.job.copies(), "{}: every frame must leave", self.job.name);
    }

    /// Takes so many batches through the pipeline: frames that left, and cycles that it took.
    pub fn run(&mut self, batches: usize) -> (usize, u64) {
        let mut spent = 0;
        for _ in 0..batches {
            self.fill();
            let began = cycles();
            counted(&mut self.batch, &mut self.shard, &mut self.pool, &mut self.out);
            spent += cycles() - began;
            self.settle();
        }
        (batches * self.burst * self.job.copies(), spent)
    }
}

/// The pipeline, apart from the harness for who counts instructions.
#[inline(never)]
fn counted<P: Pool>(batch: &mut Batch<P::Frame>, shard: &mut Shard, pool: &mut P, out: &mut Outbox<P::Frame>) {
    pipeline::process(batch, shard, pool, out);
}
