//! What a core counts. Its own memory, plain additions; control asks for a copy when someone wants to know.

use crate::costs::Costs;
use crate::driver::BURST;
use crate::verdict::DropReason;

/// Frames and bytes (Ethernet header included, FCS not).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Tally {
    /// Frames.
    pub frames: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Tally {
    /// Adds one frame.
    #[inline]
    pub fn add(&mut self, bytes: usize) {
        self.frames += 1;
        self.bytes += bytes as u64;
    }

    /// What is left without another tally.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self { frames: self.frames - other.frames, bytes: self.bytes - other.bytes }
    }

    /// Adds another tally.
    pub fn merge(&mut self, other: Self) {
        self.frames += other.frames;
        self.bytes += other.bytes;
    }
}

/// One port, as one core sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortCounters {
    /// Received from the device.
    pub rx: Tally,
    /// Taken by the device.
    pub tx: Tally,
    /// Given to the Linux twin.
    pub to_host: Tally,
    /// Taken from the Linux twin, to be sent.
    pub from_host: Tally,
    /// Requests that came in and went back as their answers (ARP and neighbour suppression); among `rx` and `tx`.
    pub answered: u64,
    /// ICMP errors made for senders whose packets did not fit the underlay.
    pub told: u64,
    /// Dropped, by [`DropReason`]; the port is where the frame came from, or was to leave for `TxFull`.
    pub drops: [u64; DropReason::COUNT],
}

impl Default for PortCounters {
    fn default() -> Self {
        Self {
            rx: Tally::default(),
            tx: Tally::default(),
            to_host: Tally::default(),
            from_host: Tally::default(),
            answered: 0,
            told: 0,
            drops: [0; DropReason::COUNT],
        }
    }
}

/// One segment or endpoint, as one core sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(align(32))] // So that none is in two cache lines.
pub struct Flow {
    /// Frames that came in.
    pub rx: Tally,
    /// Frames that went out, copies counted each (inner bytes).
    pub tx: Tally,
}

/// Hits of one rule of an access list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct RuleHits {
    /// The rule's number (see [`crate::tables::Rules::serials`]).
    pub serial: u64,
    /// Frames that it decided on.
    pub frames: u64,
}

/// Everything that one core counts.
///
/// Once its queues are empty: received + from host + replicated + told + taken over = transmitted + to host + dropped +
/// handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    /// By [`crate::frame::PortId`].
    pub ports: Vec<PortCounters>,
    /// By [`crate::tables::SegmentId`].
    pub segments: Vec<Flow>,
    /// By [`crate::tables::EndpointId`].
    pub endpoints: Vec<Flow>,
    /// Hits of rules, in the order of [`crate::tables::Rules`].
    pub rules: Vec<RuleHits>,
    /// Copies made for floods, the original not counted.
    pub replicated: u64,
    /// Frames handed to another core because it has the port's transmit queue.
    pub handed_over: u64,
    /// Frames taken from other cores.
    pub taken_over: u64,
    /// MACs learned and moved here.
    pub learned: u64,
    /// Reports that found their ring full and were left out (the next frame tries again).
    pub unreported: u64,
    /// Turns of the worker's loop.
    pub turns: u64,
    /// Turns that found work.
    pub busy_turns: u64,
    /// Bursts received, by their number of frames.
    pub bursts: [u64; BURST + 1],
    /// What the work costs.
    pub costs: Costs,
}

impl Counters {
    /// All zero, for so many ports, segments and endpoints.
    pub fn new(ports: usize, segments: usize, endpoints: usize) -> Self {
        let mut counters = Self {
            ports: Vec::new(),
            segments: Vec::new(),
            endpoints: Vec::new(),
            rules: Vec::new(),
            replicated: 0,
            handed_over: 0,
            taken_over: 0,
            learned: 0,
            unreported: 0,
            turns: 0,
            busy_turns: 0,
            bursts: [0; BURST + 1],
            costs: Costs::default(),
        };
        counters.resize(ports, segments, endpoints);
        counters
    }

    /// Makes room for more; what is counted stays.
    pub fn resize(&mut self, ports: usize, segments: usize, endpoints: usize) {
        self.ports.resize(ports.max(self.ports.len()), PortCounters::default());
        self.segments.resize(segments.max(self.segments.len()), Flow::default());
        self.endpoints.resize(endpoints.max(self.endpoints.len()), Flow::default());
    }

    /// Goes over to other rules: those that stay, by their numbers, keep what is counted.
    pub fn follow(&mut self, serials: &[u64]) {
        if self.rules.iter().map(|hits| hits.serial).eq(serials.iter().copied()) {
            return;
        }
        let mut old = std::mem::take(&mut self.rules);
        old.sort_unstable_by_key(|hits| hits.serial);
        let counted =
            |serial: u64| old.binary_search_by_key(&serial, |hits| hits.serial).map_or(0, |at| old[at].frames);
        self.rules = serials.iter().map(|&serial| RuleHits { serial, frames: counted(serial) }).collect();
    }

    /// True when they have a place for everything that `wanted` has one for.
    pub fn are_for(&self, wanted: &Self) -> bool {
        self.ports.len() >= wanted.ports.len()
            && self.segments.len() >= wanted.segments.len()
            && self.endpoints.len() >= wanted.endpoints.len()
            && self.rules.iter().map(|hits| hits.serial).eq(wanted.rules.iter().map(|hits| hits.serial))
    }

    /// Takes over what `old` has counted into places that are there already; they are no fewer but for rules that are gone.
    /// The rules of `old` are in another order afterwards.
    pub fn take_over(&mut self, old: &mut Self) {
        old.rules.sort_unstable_by_key(|hits| hits.serial);
        for hits in &mut self.rules {
            let before = old.rules.binary_search_by_key(&hits.serial, |hits| hits.serial);
            hits.frames = before.map_or(0, |at| old.rules[at].frames);
        }
        self.ports.iter_mut().zip(&old.ports).for_each(|(new, old)| new.clone_from(old));
        self.segments.iter_mut().zip(&old.segments).for_each(|(new, old)| *new = *old);
        self.endpoints.iter_mut().zip(&old.endpoints).for_each(|(new, old)| *new = *old);
        self.take_totals(old);
    }

    /// Takes over what there is one of.
    fn take_totals(&mut self, other: &Self) {
        (self.replicated, self.handed_over, self.taken_over) = (other.replicated, other.handed_over, other.taken_over);
        (self.learned, self.unreported, self.turns) = (other.learned, other.unreported, other.turns);
        (self.busy_turns, self.bursts, self.costs) = (other.busy_turns, other.bursts, other.costs);
    }

    /// Takes over the values of `other` without allocating where the sizes are the same.
    pub fn copy_from(&mut self, other: &Self) {
        // A derived `clone_from` would make new vectors: named one by one, they keep their memory.
        self.ports.clone_from(&other.ports);
        self.segments.clone_from(&other.segments);
        self.endpoints.clone_from(&other.endpoints);
        self.rules.clone_from(&other.rules);
        self.take_totals(other);
    }

    /// Adds another core's counters.
    pub fn merge(&mut self, other: &Self) {
        self.resize(other.ports.len(), other.segments.len(), other.endpoints.len());
        for (mine, theirs) in self.ports.iter_mut().zip(&other.ports) {
            mine.rx.merge(theirs.rx);
            mine.tx.merge(theirs.tx);
            mine.to_host.merge(theirs.to_host);
            mine.from_host.merge(theirs.from_host);
            mine.answered += theirs.answered;
            mine.told += theirs.told;
            for (mine, theirs) in mine.drops.iter_mut().zip(&theirs.drops) {
                *mine += theirs;
            }
        }
        for (mine, theirs) in
            self.segments.iter_mut().zip(&other.segments).chain(self.endpoints.iter_mut().zip(&other.endpoints))
        {
            mine.rx.merge(theirs.rx);
            mine.tx.merge(theirs.tx);
        }
        for hits in &other.rules {
            match self.rules.iter_mut().find(|mine| mine.serial == hits.serial) {
                Some(mine) => mine.frames += hits.frames,
                None => self.rules.push(*hits),
            }
        }
        self.replicated += other.replicated;
        self.handed_over += other.handed_over;
        self.taken_over += other.taken_over;
        self.learned += other.learned;
        self.unreported += other.unreported;
        self.turns += other.turns;
        self.busy_turns += other.busy_turns;
        self.costs.merge(&other.costs);
        for (mine, theirs) in self.bursts.iter_mut().zip(&other.bursts) {
            *mine += theirs;
        }
    }

    /// What was counted since `before`.
    pub fn since(&self, before: &Self) -> Self {
        let mut since = self.clone();
        let less = |mine: &mut Tally, theirs: Tally| {
            mine.frames = mine.frames.saturating_sub(theirs.frames);
            mine.bytes = mine.bytes.saturating_sub(theirs.bytes);
        };
        for (mine, theirs) in since.ports.iter_mut().zip(&before.ports) {
            less(&mut mine.rx, theirs.rx);
            less(&mut mine.tx, theirs.tx);
            less(&mut mine.to_host, theirs.to_host);
            less(&mut mine.from_host, theirs.from_host);
            mine.answered = mine.answered.saturating_sub(theirs.answered);
            mine.told = mine.told.saturating_sub(theirs.told);
            mine.drops.iter_mut().zip(&theirs.drops).for_each(|(mine, theirs)| *mine = mine.saturating_sub(*theirs));
        }
        let flows = since.segments.iter_mut().zip(&before.segments);
        for (mine, theirs) in flows.chain(since.endpoints.iter_mut().zip(&before.endpoints)) {
            less(&mut mine.rx, theirs.rx);
            less(&mut mine.tx, theirs.tx);
        }
        since.costs.subtract(&before.costs);
        for mine in &mut since.rules {
            let theirs = before.rules.iter().find(|theirs| theirs.serial == mine.serial);
            mine.frames = mine.frames.saturating_sub(theirs.map_or(0, |theirs| theirs.frames));
        }
        let numbers = [
            (&mut since.replicated, before.replicated),
            (&mut since.handed_over, before.handed_over),
            (&mut since.taken_over, before.taken_over),
            (&mut since.learned, before.learned),
            (&mut since.unreported, before.unreported),
            (&mut since.turns, before.turns),
            (&mut since.busy_turns, before.busy_turns),
        ];
        for (mine, theirs) in numbers.into_iter().chain(since.bursts.iter_mut().zip(before.bursts)) {
            *mine = mine.saturating_sub(theirs);
        }
        since
    }

    /// Frames dropped for a reason, over all ports.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.ports.iter().map(|port| port.drops[reason as usize]).sum()
    }

    /// Frames that are neither counted out nor in: 0 when nothing is under way (see the type).
    pub fn missing(&self) -> i128 {
        let sum = |of: fn(&PortCounters) -> u64| self.ports.iter().map(|port| i128::from(of(port))).sum::<i128>();
        let came = sum(|port| port.rx.frames + port.from_host.frames + port.told)
            + i128::from(self.replicated)
            + i128::from(self.taken_over);
        let went = sum(|port| port.tx.frames + port.to_host.frames + port.drops.iter().sum::<u64>())
            + i128::from(self.handed_over);
        came - went
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_takes_everything_over_and_no_new_memory() {
        let mut original = Counters::new(3, 40, 50);
        original.ports[2].drops[5] = 1;
        original.ports[1].rx.add(64);
        original.segments[39].tx.add(65);
        original.endpoints[49].rx.add(66);
        let numbers = &mut original;
        (numbers.replicated, numbers.handed_over, numbers.taken_over, numbers.learned) = (1, 2, 3, 4);
        (numbers.unreported, numbers.turns, numbers.busy_turns, numbers.bursts[7]) = (5, 6, 7, 8);
        original.costs.frames = 9;
        let mut copy = Counters::new(3, 40, 50);
        let memory = (copy.ports.as_ptr(), copy.segments.as_ptr(), copy.endpoints.as_ptr());
        copy.copy_from(&original);
        assert_eq!(copy, original);
        assert_eq!(copy.since(&original), Counters::new(3, 40, 50), "everything is taken off");
        assert_eq!(copy.since(&Counters::new(1, 1, 1)), original);
        assert_eq!(memory, (copy.ports.as_ptr(), copy.segments.as_ptr(), copy.endpoints.as_ptr()));
        original.follow(&[7, 3, 9]);
        original.rules[1].frames = 10;
        let mut larger = Counters::new(4, 41, 52);
        larger.follow(&[2, 3]);
        larger.take_over(&mut original.clone());
        original.resize(4, 41, 52);
        original.follow(&[2, 3]);
        assert_eq!(larger, original, "and places that are larger take over what growing keeps");
    }
}
