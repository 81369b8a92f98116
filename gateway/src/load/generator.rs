//! Sends at a rate, takes back, measures.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::frames::{Mould, Scene, Side, Stamp};
use super::neighbours;
use crate::driver::{BURST, Burst, Driver};
use crate::frame::{Frame, Pool, PortId};

/// Frames sent together at most: what the gateway takes from a queue at once.
const TOGETHER: usize = 32;
/// Bursts whose last frame is waited for at a time.
const BURSTS: usize = 1 << 16;
/// How far behind its schedule the generator catches up, in nanoseconds.
const LATE: u64 = 200_000;
/// The longest time that is told apart, in nanoseconds.
const LONGEST: u64 = 60_000_000_000;

/// What is to be sent.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Where frames go in.
    pub from: Side,
    /// Bytes of the tenant's frames without FCS, in the order in which they are sent, over and over.
    pub sizes: Vec<usize>,
    /// Pairs of stations.
    pub pairs: u32,
    /// To everyone instead of to the other station of the pair.
    pub broadcast: bool,
    /// Frames a second; `None` is as fast as it goes.
    pub rate: Option<f64>,
    /// Ends after so many frames.
    pub most: u64,
    /// Frames that the device does not take at once are given up and so lost, as on a cable; otherwise they wait.
    pub give_up: bool,
}

/// What became of a trial so far.
#[derive(Clone, Debug)]
pub struct Passed {
    /// Frames that were sent or given up.
    pub sent: u64,
    /// Their bytes as the gateway receives them, without FCS.
    pub bytes: u64,
    /// Of the frames sent, those that the device refused.
    pub refused: u64,
    /// When the first was sent.
    began: Option<u64>,
    /// Nanoseconds from the first to the last.
    pub lasted: u64,
    /// Frames that came back on the other side.
    pub received: u64,
    /// Bytes of those.
    pub bytes_back: u64,
    /// Nanoseconds from sending a frame to its return.
    pub frame: Histogram<u64>,
    /// Nanoseconds from sending a burst to the return of its last frame.
    pub burst: Histogram<u64>,
}

/// A generator with a port on each side of a gateway.
pub struct Generator<D: Driver> {
    driver: D,
    scene: Scene,
    trial: Trial,
    moulds: Vec<Mould>,
    number: u16,
    passed: Passed,
    /// When the schedule begins; later when the generator could not keep it.
    schedule: Option<u64>,
    waiting: Vec<D::Frame>,
    /// By burst, modulo [`BURSTS`]: how many of its frames are still out.
    out: Vec<u8>,
    taken: Burst<D::Frame>,
    answers: Vec<D::Frame>,
    /// The source MAC of the last frame that came back.
    seen: Option<[u8; 6]>,
}

/// The port of a side.
const fn port(side: Side) -> PortId {
    match side {
        Side::Servers => PortId(0),
        Side::Fabric => PortId(1),
    }
}

impl<D: Driver> Generator<D> {
    /// A generator whose driver has the servers' side as its first port and the fabric's as its second.
    pub fn new(driver: D, scene: Scene) -> Self {
        let idle = Trial {
            from: Side::Servers,
            sizes: vec![Mould::SHORTEST],
            pairs: 1,
            broadcast: false,
            rate: None,
            most: 0,
            give_up: false,
        };
        Self {
            driver,
            scene,
            trial: idle,
            moulds: Vec::new(),
            number: 0,
            passed: nothing(),
            schedule: None,
            waiting: Vec::with_capacity(TOGETHER),
            out: vec![0; BURSTS],
            taken: Burst::with_capacity(BURST),
            answers: Vec::new(),
            seen: None,
        }
    }

    /// Its two ports.
    pub fn driver_mut(&mut self) -> &mut D {
        &mut self.driver
    }

    /// What the gateway is taken to be configured for.
    pub fn scene_mut(&mut self) -> &mut Scene {
        &mut self.scene
    }

    /// The source MAC of the last test frame that came back: on the fabric's side that of the gateway's port.
    pub fn seen(&self) -> Option<[u8; 6]> {
        self.seen
    }

    /// Begins a trial; frames of earlier ones count no more.
    pub fn begin(&mut self, trial: Trial) {
        self.moulds = trial.sizes.iter().map(|&len| Mould::new(&self.scene, trial.from, len)).collect();
        self.number = self.number.wrapping_add(1);
        self.passed = nothing();
        self.schedule = None;
        self.waiting.clear();
        self.out.fill(0);
        self.seen = None;
        self.trial = trial;
    }

    /// What became of the trial so far.
    pub fn passed(&self) -> &Passed {
        &self.passed
    }

    /// True when everything is sent.
    pub fn has_sent(&self) -> bool {
        self.passed.sent >= self.trial.most && self.waiting.is_empty()
    }

    /// Ends sending; what is out may still come back.
    pub fn stop_sending(&mut self) {
        self.trial.most = self.passed.sent;
    }

    /// Sends what is due. `now` is in nanoseconds since any fixed moment.
    pub fn send(&mut self, now: u64) {
        if self.waiting.is_empty() {
            self.prepare(now);
        }
        if self.waiting.is_empty() {
            return;
        }
        self.driver.tx(port(self.trial.from), &mut self.waiting);
        self.passed.began.get_or_insert(now);
        self.passed.lasted = now - self.passed.began.unwrap_or(now);
        if self.trial.give_up && !self.waiting.is_empty() {
            self.passed.refused += self.waiting.len() as u64;
            self.waiting.clear();
        }
    }

    /// Makes the next burst, if it is due.
    fn prepare(&mut self, now: u64) {
        let left = self.trial.most.saturating_sub(self.passed.sent);
        for _ in 0..self.due(now).min(left).min(TOGETHER as u64) {
            let number = self.passed.sent;
            let mould = &self.moulds[number as usize % self.moulds.len()];
            // When all buffers are in the devices the next turn has some.
            let Some(mut frame) = self.driver.pool().frame(mould.bytes()) else { break };
            let pair = scattered(number, self.trial.pairs);
            let destination = mould.destination((!self.trial.broadcast).then_some(pair));
            let stamp = Stamp { trial: self.number, number: number as u32, sent: now };
            mould.fill(frame.head_mut(), pair, destination, stamp);
            let out = &mut self.out[number as usize / TOGETHER % BURSTS];
            *out = if number.is_multiple_of(TOGETHER as u64) { 1 } else { *out + 1 };
            self.passed.bytes += mould.bytes().len() as u64;
            self.passed.sent += 1;
            self.waiting.push(frame);
        }
    }

    /// How many frames the schedule asks for now: none, or a burst as they come from a busy cable; fewer only at the end.
    fn due(&mut self, now: u64) -> u64 {
        let left = self.trial.most.saturating_sub(self.passed.sent);
        let Some(rate) = self.trial.rate else { return left };
        let schedule = self.schedule.get_or_insert(now);
        let due = (rate * now.saturating_sub(*schedule) as f64 / 1e9) as u64;
        let due = due.saturating_sub(self.passed.sent);
        // What was missed while the generator itself was held up is sent later, not all at once.
        let most = (rate * LATE as f64 / 1e9) as u64 + 2 * TOGETHER as u64;
        if due > most {
            *schedule += ((due - most) as f64 * 1e9 / rate) as u64;
        }
        if due < TOGETHER as u64 && due < left { 0 } else { due }
    }

    /// Takes what came back, and answers who looks for the VTEP.
    pub fn take(&mut self, now: u64) {
        for queue in 0..self.driver.rx_queues() {
            self.driver.rx(queue, BURST, &mut self.taken);
            while let Some(frame) = self.taken.pop() {
                let from = frame.meta().port;
                if from == port(self.trial.from.across())
                    && let Some(stamp) = end_of(&frame, self.number)
                {
                    self.count(&frame, stamp, now);
                } else if from == port(Side::Fabric)
                    && let Some(answer) = neighbours::answer(frame.head(), &self.scene)
                {
                    self.answers.extend(self.driver.pool().frame(&answer));
                }
            }
        }
        if !self.answers.is_empty() {
            self.driver.tx(port(Side::Fabric), &mut self.answers);
        }
    }

    fn count(&mut self, frame: &D::Frame, stamp: Stamp, now: u64) {
        let passed = &mut self.passed;
        passed.received += 1;
        passed.bytes_back += frame.len() as u64;
        let took = now.saturating_sub(stamp.sent);
        passed.frame.saturating_record(took);
        self.seen = frame.head().get(6..12).and_then(|mac| mac.try_into().ok());
        // Numbers wrap at 2^32, a multiple of bursts and of the list.
        let out = &mut self.out[stamp.number as usize / TOGETHER % BURSTS];
        if *out > 0 {
            *out -= 1;
            if *out == 0 {
                passed.burst.saturating_record(took);
            }
        }
    }
}

/// The stamp at the end of a frame of this trial.
fn end_of<F: Frame>(frame: &F, trial: u16) -> Option<Stamp> {
    let mut stamp = Stamp::of(frame.head(), trial);
    // Where the gateway or the device has cut a frame into pieces the end is in the last.
    frame.for_each_tail(|tail| stamp = Stamp::of(tail, trial));
    stamp
}

/// A pair for each number, all of them in turn and in an order that no prefetcher guesses.
fn scattered(number: u64, pairs: u32) -> u32 {
    let pairs = u64::from(pairs.max(1));
    // A step without a common divisor visits every pair; this prime has none with any list shorter than itself.
    (number.wrapping_mul(2_654_435_761) % pairs) as u32
}

fn nothing() -> Passed {
    let times = || Histogram::new_with_bounds(1, LONGEST, 3).expect("the bounds are constants and valid");
    Passed {
        sent: 0,
        bytes: 0,
        refused: 0,
        began: None,
        lasted: 0,
        received: 0,
        bytes_back: 0,
        frame: times(),
        burst: times(),
    }
}

impl Passed {
    /// The part of the frames that did not come back, 0 to 1.
    pub fn lost(&self) -> f64 {
        if self.sent == 0 { 0.0 } else { 1.0 - self.received.min(self.sent) as f64 / self.sent as f64 }
    }

    /// Frames a second that were sent.
    pub fn offered(&self) -> f64 {
        if self.lasted == 0 { 0.0 } else { self.sent as f64 * 1e9 / self.lasted as f64 }
    }
}

impl Trial {
    /// As many frames as `rate` makes in `time`.
    pub fn lasting(mut self, time: Duration) -> Self {
        self.most = self.rate.map_or(u64::MAX, |rate| (rate * time.as_secs_f64()).ceil() as u64);
        self
    }
}

#[cfg(test)]
mod tests {
    use config::types::Encap;

    use super::*;
    use crate::sim::SimDriver;

    fn generator() -> Generator<SimDriver> {
        let scene = Scene {
            vlan: Some(10),
            underlay_vlan: None,
            vni: 5001,
            encap: Encap::Vxlan,
            udp_port: 4789,
            gateway: "10.0.0.11".parse().expect("an address"),
            vtep: "10.0.0.12".parse().expect("an address"),
            gateway_mac: [2, 0, 0, 0, 0, 11],
            vtep_mac: [2, 0, 0, 0, 0, 12],
        };
        Generator::new(SimDriver::new(2, 4096), scene)
    }

    fn trial(rate: f64, most: u64) -> Trial {
        Trial {
            from: Side::Servers,
            sizes: vec![60],
            pairs: 7,
            broadcast: false,
            rate: Some(rate),
            most,
            give_up: true,
        }
    }

    #[test]
    fn it_sends_bursts_when_they_are_due_and_ends_in_time() {
        let mut generator = generator();
        generator.begin(trial(1e6, 100));
        generator.send(5);
        assert_eq!(generator.passed().sent, 0, "at the beginning nothing is due");
        generator.send(31_000);
        assert_eq!(generator.passed().sent, 0, "31 frames are no burst");
        for now in [33_000, 70_000, 100_000, 110_000] {
            generator.send(now);
        }
        assert!(generator.has_sent());
        assert_eq!(generator.driver.sent(0).len(), 100);
    }

    #[test]
    fn what_was_missed_is_not_sent_all_at_once() {
        let mut generator = generator();
        generator.begin(trial(1e6, 1_000_000));
        generator.send(0);
        for _ in 0..100 {
            generator.send(1_000_000_000);
        }
        let sent = generator.passed().sent;
        assert!((200..400).contains(&sent), "a second's silence made {sent} frames");
    }

    #[test]
    fn frames_come_back_once_and_are_timed() {
        let mut generator = generator();
        generator.begin(trial(1e9, 64));
        for now in [0, 100, 200] {
            generator.send(now);
        }
        for frame in generator.driver.sent(0) {
            generator.driver.receive(1, &frame);
        }
        generator.driver.receive(1, b"something else that is long enough to end in a stamp, and does not");
        generator.take(1_200);
        let passed = generator.passed().clone();
        assert_eq!((passed.sent, passed.received, passed.lost()), (64, 64, 0.0));
        assert_eq!((passed.frame.len(), passed.burst.len()), (64, 2));
        assert!((1_000..=1_200).contains(&passed.burst.min()), "{}", passed.burst.min());

        generator.begin(trial(1e9, 64));
        generator.take(2_000);
        assert_eq!(generator.passed().received, 0, "frames of the trial before count no more");
    }

    #[test]
    fn what_the_device_refuses_is_lost() {
        let mut generator = generator();
        generator.driver.ports[0].room = Some(10);
        generator.begin(trial(1e9, 32));
        for now in [0, 100] {
            generator.send(now);
        }
        assert_eq!((generator.passed().sent, generator.passed().refused), (32, 22));
        assert!(generator.has_sent());
    }

    #[test]
    fn every_pair_has_its_turn() {
        for pairs in [1, 2, 7, 1000] {
            let mut seen = vec![false; pairs as usize];
            (0..u64::from(pairs)).for_each(|number| seen[scattered(number, pairs) as usize] = true);
            assert!(seen.into_iter().all(|seen| seen), "{pairs}");
        }
    }
}
