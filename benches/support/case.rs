//! A job at work: the production `pipeline::process` on frames in memory.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use gateway::batch::Batch;
use gateway::costs::{Costs, Meter, Stage};
use gateway::driver::{BURST, Driver};
use gateway::frame::Pool;
use gateway::link::Report;
use gateway::pipeline::{self, Outbox};
use gateway::shard::Shard;
use gateway::sim::SimDriver;
use gateway::tables::{Fdb, FdbKey};

use super::clock::{cycles, hertz};
use super::job::{Job, Way};
use super::rounds::{Sample, Subject, batches, uninterrupted};
use super::site::{End, Site};

/// Numbers of stations that nobody has seen begin here.
const STRANGERS: u32 = 1 << 28;
/// Frames that leave with one batch, at most: so many find room in the outbox.
const TOGETHER: usize = 1024;

/// What besides the job makes a case.
#[derive(Clone, Debug)]
pub struct Load {
    /// Stations on each end; at least one in each segment.
    pub macs: usize,
    /// Segments.
    pub segments: usize,
    /// Bytes of the tenant's frames with FCS, in the order in which they come.
    pub sizes: Vec<usize>,
    /// MACs that come besides, and for which there is room too.
    pub comers: usize,
}

impl Load {
    /// Stations in each segment.
    fn stations(&self) -> usize {
        self.macs.div_ceil(self.segments).max(1)
    }

    /// Places that the FDB is made with.
    fn room(&self) -> usize {
        (self.stations() * self.segments * 2 + self.comers).max(4 * BURST)
    }

    /// Bytes of memory that a case takes, rather too many.
    pub fn bytes(&self) -> usize {
        (self.room() * 2).next_power_of_two() * 16 + self.segments * self.sizes.len() * 4096 + (64 << 20)
    }
}

/// Who sends to whom.
pub struct Crowd {
    job: Job,
    pub site: Site,
    stations: usize,
    /// Frames of a batch.
    pub burst: usize,
    chance: u64,
    turn: usize,
    /// Stations of the next batch: who sends, and to whom.
    pub pairs: Vec<(u32, u32)>,
}

impl Crowd {
    fn random(&mut self, below: Range<usize>) -> usize {
        self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        below.start + ((u128::from(self.chance) * below.len() as u128) >> 64) as usize
    }

    /// Chooses the stations of a batch, all at one port.
    pub fn choose(&mut self) {
        let segments = self.site.segments();
        let first = self.random(0..segments);
        let beside = self.site.segments_beside(first);
        self.pairs.clear();
        for lane in 0..self.burst {
            let segment = self.random(beside.clone());
            let number = (segment + self.random(0..self.stations) * segments) as u32;
            let stranger = STRANGERS + number + (lane * segments * self.stations) as u32;
            self.pairs.push(match self.job.way {
                Way::Flood(_) => (number, stranger),
                Way::Storm => (stranger, number),
                _ => (number, number),
            });
        }
    }

    /// The frame of one station to another.
    pub fn frame(&mut self, end: End, (from, to): (u32, u32)) -> &[u8] {
        self.turn = self.turn.wrapping_add(1);
        self.site.frame(end, from, to, self.turn)
    }

    /// Frames that leave with a batch.
    pub fn leaving(&self) -> usize {
        self.burst * self.job.copies()
    }

    /// Not all frames left as they should have.
    pub fn check(&self, left: usize) {
        assert_eq!(left, self.leaving(), "{}: every frame must leave", self.job.name);
    }
}

/// A gateway's core and its stations.
pub struct Case<D: Driver> {
    pub crowd: Crowd,
    pub shard: Shard,
    /// Its pool is used; cases may share it.
    driver: Rc<RefCell<D>>,
    batch: Batch<D::Frame>,
    out: Outbox<D::Frame>,
    meter: Meter,
}

/// Frames on the heap.
pub fn heap() -> Rc<RefCell<SimDriver>> {
    Rc::new(RefCell::new(SimDriver::new(0, 1 << 14)))
}

impl<D: Driver> Case<D> {
    /// Compiles the gateway and lets it learn all stations.
    pub fn new(job: Job, load: &Load, driver: Rc<RefCell<D>>) -> Self {
        let (site, tables) = Site::new(job, load.segments, &load.sizes);
        let ports = tables.ports.len();
        let burst = (TOGETHER / job.copies()).clamp(1, BURST);
        let stations = load.stations();
        let mut case = Self {
            crowd: Crowd { job, site, stations, burst, chance: 1, turn: 0, pairs: Vec::with_capacity(BURST) },
            shard: Shard::new(tables, Fdb::with_room(load.room())),
            driver,
            batch: Batch::default(),
            out: Outbox::new(ports),
            meter: Meter::new(cycles, hertz()),
        };
        for segment in 0..load.segments {
            // The far end first: then the near one's frame finds it.
            case.teach(End::Far, segment);
            case.teach(End::Near, segment);
        }
        assert_eq!(case.shard.fdb.len(), 2 * stations * load.segments, "every station must be known");
        case
    }

    /// The first station of a segment is learned from its frame, the others by its example.
    fn teach(&mut self, end: End, segment: usize) {
        let number = segment as u32;
        self.push(end, (number, number));
        pipeline::process(&mut self.batch, &mut self.shard, self.driver.borrow_mut().pool(), &mut self.out);
        self.clear();
        let mut reports = std::mem::take(&mut self.shard.reports).into_iter();
        let learned = reports.find_map(|report| match report {
            Report::Learned { key, entry } => Some((key, entry)),
            _ => None,
        });
        let Some((key, entry)) = learned else { panic!("{}: a station must be learned", self.crowd.job.name) };
        for station in 1..self.crowd.stations {
            let number = (segment + station * self.crowd.site.segments()) as u32;
            let key = FdbKey::new(key.segment(), self.crowd.site.mac(end, number));
            self.shard.fdb.insert(key, entry).expect("the table has room");
        }
    }

    fn push(&mut self, end: End, pair: (u32, u32)) {
        self.batch.port = self.crowd.site.port(end, pair.0);
        let bytes = self.crowd.frame(end, pair);
        let frame = self.driver.borrow_mut().pool().frame(bytes).expect("the pool has a frame");
        self.batch.frames.push(frame);
    }

    fn fill(&mut self) {
        self.crowd.choose();
        for lane in 0..self.crowd.burst {
            self.push(End::Near, self.crowd.pairs[lane]);
        }
    }

    /// Takes what left; how many frames that were.
    fn clear(&mut self) -> usize {
        self.out.queues.iter_mut().map(|queue| queue.frames.drain(..).count()).sum()
    }

    /// Every frame must have left, and strangers stay strangers.
    fn settle(&mut self) {
        for report in std::mem::take(&mut self.shard.reports) {
            if let Report::Learned { key, .. } = report {
                self.shard.fdb.remove(key);
            }
        }
        let left = self.clear();
        self.crowd.check(left);
    }

    /// Takes a batch through the pipeline: frames that left, and cycles that it took.
    pub fn batch(&mut self) -> (usize, u64) {
        self.fill();
        let mut driver = self.driver.borrow_mut();
        let began = cycles();
        counted(&mut self.batch, &mut self.shard, driver.pool(), &mut self.out);
        let took = cycles() - began;
        drop(driver);
        self.settle();
        (self.crowd.leaving(), took)
    }

    /// The same with a stop watch at each stage.
    fn timed_batch(&mut self) -> Costs {
        let mut costs = Costs::default();
        self.fill();
        let mut driver = self.driver.borrow_mut();
        let Self { batch, shard, out, meter, .. } = self;
        let (began, frames) = (meter.begin(), batch.frames.len());
        let first = meter.start();
        pipeline::process_timed(batch, shard, driver.pool(), out, meter);
        meter.burst(frames, first);
        meter.end(began, true, &mut costs);
        drop(driver);
        self.settle();
        costs
    }
}

impl<D: Driver> Subject for Case<D> {
    fn window(&mut self, length: u64) -> Sample {
        let sample = batches(length * 2 / 3, || self.batch());
        let (mut timed, began) = (Vec::new(), cycles());
        while timed.len() < 3 || cycles() - began < length / 3 {
            timed.push(self.timed_batch());
        }
        let mut costs = Costs::default();
        uninterrupted(&mut timed, |costs| costs.burst_cycles).iter().for_each(|one| costs.merge(one));
        let left = costs.frames as f64 * self.crowd.job.copies() as f64;
        let stages = [Stage::Classify, Stage::Learn, Stage::Lookup, Stage::Forward];
        let stages = stages.map(|stage| (stage.label(), costs.stages[stage as usize] as f64 / left));
        Sample { stages: stages.into(), ..sample }
    }
}

/// The pipeline, apart from the harness for who counts instructions.
#[inline(never)]
fn counted<P: Pool>(batch: &mut Batch<P::Frame>, shard: &mut Shard, pool: &mut P, out: &mut Outbox<P::Frame>) {
    pipeline::process(batch, shard, pool, out);
}
