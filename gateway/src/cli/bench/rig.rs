//! The generator at work on its two devices: finds the way through the gateway, lets it learn, searches, measures.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gateway::driver::Driver;
use gateway::load::{Generator, Passed, Search, Side, Trial};

use super::figures::{DISTURBED, Figures, percent};
use super::{Job, Refusal, Size};

/// How long the first frame may take to come through: links, neighbours and memifs come up meanwhile.
const KNOCKING: Duration = Duration::from_secs(15);
/// Frames a second while the gateway learns.
const TEACHING: f64 = 200_000.0;
/// Without a frame for so long nothing more is expected.
const QUIET: Duration = Duration::from_millis(100);
/// Parts of the no-drop rate at which latency is measured.
const LOADS: [f64; 2] = [0.5, 0.9];

/// A trial counts when at least this part of its rate was sent.
const REACHED: f64 = 0.98;
/// A trial in which others had a core of the generator or the gateway is made so often at most.
const ATTEMPTS: usize = 5;

/// What is measured in one go.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The way.
    pub job: Job,
    /// The frames.
    pub size: Size,
    /// MACs on each side.
    pub macs: u32,
    /// Seconds of a trial.
    pub duration: f64,
    /// The part of the frames that may be lost.
    pub loss: f64,
    /// The part of the rate to which it is searched.
    pub resolution: f64,
    /// The only rate to measure at, in frames a second.
    pub rate: Option<f64>,
}

/// A generator, who may stop it, and how it treats what a device does not take.
pub struct Rig<'a, D: Driver> {
    /// The generator.
    pub generator: Generator<D>,
    /// True once the user wants to end.
    pub stop: &'a AtomicBool,
    /// The devices are rings in memory: what they do not take the gateway has not kept up with, and is lost.
    pub rings: bool,
    /// The clock.
    pub start: Instant,
    /// What the kernel tells of the time that the gateway's worker has waited for its core; `None` when it is not ours.
    pub worker: Option<PathBuf>,
}

/// What came of a cell.
pub struct Measured {
    /// Trials that the search took.
    pub trials: u32,
    /// The one without loss, at the highest rate.
    pub best: Option<Passed>,
    /// Those at fixed loads.
    pub loads: Vec<Load>,
    /// What to know about it.
    pub note: Option<&'static str>,
    /// The part of the time for which the generator or the gateway waited for its core, in the trial where it was most.
    pub waited: f64,
}

/// A trial that was made.
struct Made {
    passed: Passed,
    /// As [`Measured::waited`].
    waited: f64,
}

/// A trial at a fixed load.
pub struct Load {
    /// Which.
    pub name: String,
    /// What became of it.
    pub passed: Passed,
}

impl<D: Driver> Rig<'_, D> {
    /// Sends to everyone until something comes out of the other side, and takes the gateway's MAC from it.
    pub fn knock(&mut self) -> Result<(), Refusal> {
        let until = Instant::now() + KNOCKING;
        while Instant::now() < until {
            let trial = Trial { broadcast: true, most: 1, ..self.trial(Side::Servers, vec![60], 1, None) };
            if self.run(trial, QUIET)?.received > 0 {
                if let Some(mac) = self.generator.seen() {
                    self.generator.scene_mut().gateway_mac = mac;
                }
                return Ok(());
            }
        }
        Err(format!(
            "nothing that was sent to the gateway's port with VLANs came out of its underlay in {} s; see 'causeway show \
             ports', 'show vteps' and 'show drops' there, and check the cables and --config",
            KNOCKING.as_secs()
        ))
    }

    /// Lets the gateway learn every station on both sides.
    pub fn teach(&mut self, job: Job, macs: u32) -> Result<(), Refusal> {
        let longest = Duration::from_secs_f64(5.0 + f64::from(macs) / TEACHING * 4.0);
        for side in [job.from().across(), job.from()] {
            // Nothing may be given up here: what is not learned would be flooded later.
            let trial = Trial { most: macs.into(), give_up: false, ..self.trial(side, vec![60], macs, Some(TEACHING)) };
            self.run(trial, longest)?;
        }
        Ok(())
    }

    /// Measures a cell.
    pub fn measure(&mut self, cell: &Cell, figures: &mut Figures) -> Result<(), Refusal> {
        let measured = match cell.rate {
            Some(rate) => self.at(rate, cell, figures)?,
            None => self.search(cell, figures)?,
        };
        figures.add(cell, &measured);
        Ok(())
    }

    /// Loss and latency at a rate.
    fn at(&mut self, rate: f64, cell: &Cell, figures: &Figures) -> Result<Measured, Refusal> {
        let Made { passed, waited } = self.attempt(Some(rate), cell, figures)?;
        let slow = passed.offered() < rate * REACHED;
        let note = slow.then_some("the generator did not reach the rate that was asked for");
        let name = format!("{:.3} Mpps", rate / 1e6);
        Ok(Measured { trials: 1, best: None, loads: vec![Load { name, passed }], note, waited })
    }

    /// The no-drop rate, and the latency below it.
    fn search(&mut self, cell: &Cell, figures: &Figures) -> Result<Measured, Refusal> {
        let good = |passed: &Passed| passed.lost() <= cell.loss;
        let Made { passed: full, waited } = self.attempt(None, cell, figures)?;
        let mut measured = Measured { trials: 1, best: None, loads: Vec::new(), note: None, waited };
        if good(&full) {
            measured.note = Some("the generator was the limit: the gateway took all that it can send");
            measured.best = Some(full);
        } else {
            let seconds = full.lasted as f64 / 1e9;
            let mut search = Search::below(full.offered(), full.received as f64 / seconds, cell.resolution);
            while let Some(rate) = search.next() {
                let Made { passed, waited } = self.attempt(Some(rate), cell, figures)?;
                measured.trials += 1;
                measured.waited = measured.waited.max(waited);
                // A rate that the generator did not reach is not proved.
                let proved = good(&passed) && passed.offered() >= rate * REACHED;
                search.tell(rate, proved);
                if proved && measured.best.as_ref().is_none_or(|best| best.offered() < passed.offered()) {
                    measured.best = Some(passed);
                }
            }
        }
        let Some(best) = measured.best.as_ref().map(Passed::offered) else {
            measured.note = Some("every rate lost frames; allow some with --loss");
            return Ok(measured);
        };
        for part in LOADS {
            let Made { passed, waited } = self.attempt(Some(best * part), cell, figures)?;
            measured.waited = measured.waited.max(waited);
            measured.loads.push(Load { name: format!("{:.0} %", part * 100.0), passed });
        }
        Ok(measured)
    }

    /// One trial of a cell, told to who waits. One that others have disturbed is made again; of several the one counts that
    /// they disturbed least.
    fn attempt(&mut self, rate: Option<f64>, cell: &Cell, figures: &Figures) -> Result<Made, Refusal> {
        let length = Duration::from_secs_f64(cell.duration);
        let mut best: Option<Made> = None;
        for _ in 0..ATTEMPTS {
            let trial = self.trial(cell.job.from(), cell.size.list(), cell.macs, rate);
            let (began, before) = (Instant::now(), self.waited());
            let passed = self.run(trial.lasting(length), length * 2)?;
            let wall = began.elapsed().as_secs_f64();
            let waits = self.waited().into_iter().zip(before).map(|(now, then)| now.saturating_sub(then).as_secs_f64());
            let waited = waits.fold(0.0, f64::max) / wall;
            let others =
                if waited > DISTURBED { format!("; others had a core for {}", percent(waited)) } else { String::new() };
            figures.progress(&format!(
                "  {:>8.3} Mpps sent: lost {}{others}",
                passed.offered() / 1e6,
                percent(passed.lost())
            ));
            if best.as_ref().is_none_or(|best| waited < best.waited) {
                best = Some(Made { passed, waited });
            }
            if waited <= DISTURBED {
                break;
            }
        }
        best.ok_or_else(|| "no trial was made".into())
    }

    /// How long this thread, and the gateway's worker where it is ours, have waited for their cores so far; and for how long a
    /// host took cores from the machine that this is, where it is a virtual one.
    fn waited(&self) -> Vec<Duration> {
        let own = Path::new("/proc/thread-self/schedstat");
        let waited = |file: &Path| {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            let nanos = text.split_whitespace().nth(1).and_then(|word| word.parse().ok());
            Duration::from_nanos(nanos.unwrap_or(0))
        };
        std::iter::once(own).chain(self.worker.as_deref()).map(waited).chain([stolen()]).collect()
    }

    fn trial(&self, from: Side, sizes: Vec<usize>, pairs: u32, rate: Option<f64>) -> Trial {
        Trial { from, sizes, pairs, broadcast: false, rate, most: u64::MAX, give_up: self.rings }
    }

    /// Runs a trial for at most `longest`, then waits for what is still out.
    fn run(&mut self, trial: Trial, longest: Duration) -> Result<Passed, Refusal> {
        // A trial without a rate is as long as it may be; the others have room to be late.
        let longest = if trial.rate.is_none() { longest / 2 } else { longest };
        let generator = &mut self.generator;
        generator.begin(trial);
        let began = self.start.elapsed();
        let mut last = (0, began);
        loop {
            generator.send(self.start.elapsed().as_nanos() as u64);
            let now = self.start.elapsed();
            generator.take(now.as_nanos() as u64);
            if !generator.has_sent() {
                if now - began > longest {
                    generator.stop_sending();
                }
                last.1 = now;
            }
            let passed = generator.passed();
            if passed.received != last.0 {
                last = (passed.received, now);
            }
            let all = generator.has_sent() && passed.received + passed.refused >= passed.sent;
            if all || now - last.1 > QUIET {
                return Ok(passed.clone());
            }
            if self.stop.load(Ordering::Relaxed) {
                return Err("stopped before the end".into());
            }
        }
    }
}

/// Time that a host has given to others instead of this machine's cores so far: `steal` in `/proc/stat`, proc(5).
fn stolen() -> Duration {
    /// The kernel tells it in hundredths of a second (USER_HZ).
    const TICK: Duration = Duration::from_millis(10);
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks = text.lines().next().and_then(|line| line.split_whitespace().nth(8)?.parse().ok());
    TICK * ticks.unwrap_or(0)
}
