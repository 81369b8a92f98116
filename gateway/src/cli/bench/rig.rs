//! The generator at work on its two devices: finds the way through the gateway, lets it learn, searches, measures.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gateway::driver::Driver;
use gateway::load::{Generator, Passed, Search, Side, Trial};

use super::figures::{Figure, Figures, percent};
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
/// From this part of the time on it is told that others ran on the generator's core.
const DISTURBED: f64 = 0.01;

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
        let (began, waited) = (Instant::now(), waited());
        let length = Duration::from_secs_f64(cell.duration);
        let from = cell.job.from();
        let attempt = |rig: &mut Self, rate: Option<f64>| {
            let trial = rig.trial(from, cell.size.list(), cell.macs, rate);
            let passed = rig.run(trial.lasting(length), length * 2)?;
            figures.progress(&format!("  {:>8.3} Mpps sent: lost {}", passed.offered() / 1e6, percent(passed.lost())));
            Ok::<_, Refusal>(passed)
        };

        // Told with whatever comes of it: figures of a core that others use too are not the gateway's.
        let disturbed = || {
            let part = (self::waited() - waited).as_secs_f64() / began.elapsed().as_secs_f64();
            (part > DISTURBED).then(|| {
                format!(
                    "others had the generator's core for {:.0} % of the time, so these are not the gateway's limits; give \
                     both cores to nobody else (isolcpus, --cores)",
                    part * 100.0
                )
            })
        };
        let noted = |note: Option<&str>| {
            let notes: Vec<String> = note.map(str::to_owned).into_iter().chain(disturbed()).collect();
            (!notes.is_empty()).then(|| notes.join("\n  "))
        };

        if let Some(rate) = cell.rate {
            let passed = attempt(self, Some(rate))?;
            let slow = passed.offered() < rate * REACHED;
            let note = slow.then_some("the generator did not reach the rate that was asked for");
            let name = format!("{:.3} Mpps", rate / 1e6);
            figures.add(cell, 1, None, &[Figure { name, passed }], noted(note).as_deref());
            return Ok(());
        }

        let full = attempt(self, None)?;
        let mut trials = 1;
        let good = |passed: &Passed| passed.lost() <= cell.loss;
        let mut note = None;
        let mut best = None;
        if good(&full) {
            note = Some("the generator was the limit: the gateway took all that it can send");
            best = Some(full);
        } else {
            let seconds = full.lasted as f64 / 1e9;
            let mut search = Search::below(full.offered(), full.received as f64 / seconds, cell.resolution);
            while let Some(rate) = search.next() {
                let passed = attempt(self, Some(rate))?;
                trials += 1;
                // A rate that the generator did not reach is not proved.
                let proved = good(&passed) && passed.offered() >= rate * REACHED;
                search.tell(rate, proved);
                if proved && best.as_ref().is_none_or(|best| best.offered() < passed.offered()) {
                    best = Some(passed);
                }
            }
        }
        let Some(best) = best else {
            let note = noted(Some("every rate lost frames; allow some with --loss"));
            figures.add(cell, trials, None, &[], note.as_deref());
            return Ok(());
        };
        let mut loads = Vec::new();
        for part in LOADS {
            let passed = attempt(self, Some(best.offered() * part))?;
            loads.push(Figure { name: format!("{:.0} %", part * 100.0), passed });
        }
        figures.add(
            cell,
            trials,
            Some(&Figure { name: "no drop".into(), passed: best }),
            &loads,
            noted(note).as_deref(),
        );
        Ok(())
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

/// How long this thread has waited for its core so far.
fn waited() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split_whitespace().nth(1).and_then(|word| word.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}
