//! What a core's work costs, from a sample: one turn in [`EVERY`] is timed, all others read no clock.
//!
//! Why a sample is enough, and fair. A turn is picked by counting turns, whatever it finds, so a stage is timed as often as
//! its share of all turns says, and what a sampled turn costs, times [`EVERY`], is what all turns cost, but for chance: the
//! error falls with the root of the number of samples, and a core that polls makes a thousand samples and more a second.
//! [`EVERY`] is a prime, so that a pattern in the turns (two queues with frames by turns, a timer) does not fall in step
//! with it. A turn that was interrupted for long (see [`SPANS`]) would weigh as if all were: it is left out and
//! counted apart. Timing a turn takes some thirty readings of the counter at most, about 20 ns each, once in a thousand
//! turns: less than a nanosecond a turn, and what a reading itself takes is in each figure.

/// One turn in so many is timed.
pub const EVERY: u32 = 1021;

/// What a burst goes through, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Taking the burst from the device.
    Rx,
    /// Reading headers.
    Classify,
    /// Source MACs.
    Learn,
    /// Destination MACs.
    Lookup,
    /// Putting on headers, copying floods.
    Forward,
    /// Offering frames to devices.
    Tx,
}

impl Stage {
    /// All, in order.
    pub const ALL: [Self; 6] = [Self::Rx, Self::Classify, Self::Learn, Self::Lookup, Self::Forward, Self::Tx];

    /// The name in JSON and metrics.
    pub const fn label(self) -> &'static str {
        ["rx", "classify", "learn", "lookup", "forward", "tx"][self as usize]
    }
}

/// Classes of how long a burst took: at most so many nanoseconds. A turn that takes more than the last was interrupted: by
/// the kernel, the firmware or another thread on the core.
pub const SPANS: [u64; 12] =
    [250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000];

/// What was measured on a core. Cycles are those of the CPU's time stamp counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Costs {
    /// By [`Stage`]: cycles of the bursts that were timed.
    pub stages: [u64; Stage::ALL.len()],
    /// Frames of those bursts.
    pub frames: u64,
    /// How many bursts those were, by how long each took from the device to the device ([`SPANS`]).
    pub spans: [u64; SPANS.len()],
    /// Cycles of all of them.
    pub burst_cycles: u64,
    /// Cycles of the timed turns that found work.
    pub busy_cycles: u64,
    /// Cycles of the timed turns that found none.
    pub idle_cycles: u64,
    /// Turns that were timed.
    pub turns: u64,
    /// Cycles since the core began: of all turns and of all sleep. Up to date when somebody asks.
    pub total_cycles: u64,
    /// Turns that were interrupted for so long that they are left out.
    pub interrupted: u64,
}

impl Costs {
    /// Adds another core's.
    pub fn merge(&mut self, other: &Self) {
        let pairs = self.stages.iter_mut().zip(&other.stages).chain(self.spans.iter_mut().zip(&other.spans));
        pairs.for_each(|(mine, theirs)| *mine += theirs);
        self.frames += other.frames;
        self.burst_cycles += other.burst_cycles;
        self.busy_cycles += other.busy_cycles;
        self.idle_cycles += other.idle_cycles;
        self.turns += other.turns;
        self.total_cycles += other.total_cycles;
        self.interrupted += other.interrupted;
    }

    /// Takes off what was there before.
    pub fn subtract(&mut self, before: &Self) {
        let pairs = self.stages.iter_mut().zip(&before.stages).chain(self.spans.iter_mut().zip(&before.spans));
        let numbers = [
            (&mut self.frames, &before.frames),
            (&mut self.burst_cycles, &before.burst_cycles),
            (&mut self.busy_cycles, &before.busy_cycles),
            (&mut self.idle_cycles, &before.idle_cycles),
            (&mut self.turns, &before.turns),
            (&mut self.total_cycles, &before.total_cycles),
            (&mut self.interrupted, &before.interrupted),
        ];
        pairs.chain(numbers).for_each(|(mine, theirs)| *mine = mine.saturating_sub(*theirs));
    }

    /// Bursts that were timed.
    pub fn bursts(&self) -> u64 {
        self.spans.iter().sum()
    }
}

/// A core's stop watch.
#[derive(Debug)]
pub struct Meter {
    /// The CPU's time stamp counter; `None` never times anything.
    clock: Option<fn() -> u64>,
    /// [`SPANS`] in cycles.
    spans: [u64; SPANS.len()],
    /// When it was made.
    born: u64,
    /// Turns until the next one is timed.
    left: u32,
    on: bool,
    /// When the last stage began.
    lap: u64,
    /// What the turn has cost so far.
    turn: Costs,
}

impl Default for Meter {
    /// One that never times anything.
    fn default() -> Self {
        Self {
            clock: None,
            spans: [0; SPANS.len()],
            born: 0,
            left: u32::MAX,
            on: false,
            lap: 0,
            turn: Costs::default(),
        }
    }
}

impl Meter {
    /// A watch that reads `clock`, which counts so many cycles a second.
    pub fn new(clock: fn() -> u64, hertz: u64) -> Self {
        let cycles = |nanos: u64| (u128::from(nanos) * u128::from(hertz) / 1_000_000_000) as u64;
        Self { clock: Some(clock), spans: SPANS.map(cycles), born: clock(), left: EVERY, ..Self::default() }
    }

    /// True when the turn that begins is to be timed.
    #[inline]
    pub fn is_due(&mut self) -> bool {
        self.left -= 1;
        self.left == 0
    }

    /// True while a turn is being timed.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// A timed turn begins; what it returns goes to [`Self::end`].
    pub fn begin(&mut self) -> u64 {
        self.left = if self.clock.is_some() { EVERY } else { u32::MAX };
        self.on = self.clock.is_some();
        self.turn = Costs::default();
        self.now()
    }

    /// The first stage of a burst begins; says when.
    pub fn start(&mut self) -> u64 {
        self.lap = self.now();
        self.lap
    }

    /// A stage ends, and the next one begins.
    pub fn lap(&mut self, stage: Stage) {
        let now = self.now();
        self.turn.stages[stage as usize] += now.wrapping_sub(self.lap);
        self.lap = now;
    }

    /// The burst of so many frames that [`Self::start`]ed then has left.
    pub fn burst(&mut self, frames: usize, began: u64) {
        let took = self.lap.wrapping_sub(began);
        // One that fits no class belongs to a turn that will be left out.
        if let Some(class) = self.spans.iter().position(|&most| took <= most) {
            self.turn.spans[class] += 1;
        }
        self.turn.frames += frames as u64;
        self.turn.burst_cycles += took;
    }

    /// The timed turn ends.
    pub fn end(&mut self, began: u64, busy: bool, costs: &mut Costs) {
        if !std::mem::take(&mut self.on) {
            return;
        }
        let took = self.now().wrapping_sub(began);
        if took > self.spans[SPANS.len() - 1] {
            costs.interrupted += 1;
            return;
        }
        self.turn.turns = 1;
        *(if busy { &mut self.turn.busy_cycles } else { &mut self.turn.idle_cycles }) = took;
        costs.merge(&self.turn);
    }

    /// Cycles since it was made.
    pub fn age(&self) -> u64 {
        self.now().wrapping_sub(self.born)
    }

    fn now(&self) -> u64 {
        self.clock.map_or(0, |clock| clock())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const GIGAHERTZ: u64 = 1_000_000_000;

    thread_local!(static CYCLES: Cell<u64> = const { Cell::new(0) });

    /// Each reading is ten cycles after the one before.
    fn clock() -> u64 {
        CYCLES.with(|cycles| cycles.replace(cycles.get() + 10))
    }

    #[test]
    fn one_turn_in_so_many_is_timed() {
        let mut meter = Meter::new(clock, GIGAHERTZ);
        let mut costs = Costs::default();
        let mut timed = 0;
        for _ in 0..10 * EVERY {
            if meter.is_due() {
                let began = meter.begin();
                meter.end(began, false, &mut costs);
                timed += 1;
            }
        }
        assert_eq!((timed, costs.turns, costs.idle_cycles, costs.busy_cycles), (10, 10, 100, 0));
        assert!((0..3 * EVERY).all(|_| !Meter::default().is_due()));
    }

    #[test]
    fn a_burst_is_timed_stage_by_stage() {
        let mut meter = Meter::new(clock, GIGAHERTZ);
        let mut costs = Costs::default();
        let began = meter.begin();
        assert!(meter.is_on());
        let first = meter.start();
        Stage::ALL.iter().for_each(|&stage| meter.lap(stage));
        meter.burst(7, first);
        meter.end(began, true, &mut costs);
        assert!(!meter.is_on());
        assert_eq!((costs.stages, costs.frames, costs.bursts(), costs.burst_cycles), ([10; 6], 7, 1, 60));
        assert_eq!((costs.busy_cycles, costs.idle_cycles, costs.spans[0]), (80, 0, 1));
    }

    #[test]
    fn a_turn_that_was_interrupted_is_left_out_and_counted() {
        let mut meter = Meter::new(clock, 50_000);
        let mut costs = Costs::default();
        let began = meter.begin();
        (0..10).for_each(|_| meter.lap(Stage::Rx));
        meter.end(began, true, &mut costs);
        assert_eq!(costs, Costs { interrupted: 1, ..Costs::default() });
    }

    #[test]
    fn bursts_are_classed_by_their_nanoseconds() {
        let mut meter = Meter::new(clock, 2 * GIGAHERTZ);
        meter.begin();
        for (cycles, class) in [(0, 0), (500, 0), (501, 1), (2_000_000, 11)] {
            meter.turn = Costs::default();
            meter.lap = cycles;
            meter.burst(1, 0);
            assert_eq!(meter.turn.spans[class], 1, "{cycles}");
        }
    }
}
