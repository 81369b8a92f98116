//! The highest rate without loss, by halving (RFC 2544 section 26.1).

/// Trials after which the search ends in any case.
const MOST: u32 = 24;

/// A search under way. Rates are in frames a second.
#[derive(Clone, Debug)]
pub struct Search {
    /// The highest rate that passed.
    passed: f64,
    /// The lowest rate that did not; what is offered at most before one has failed.
    failed: f64,
    /// A rate to try next instead of the middle.
    guess: Option<f64>,
    /// The search ends when what is open is a smaller part of the rate.
    resolution: f64,
    trials: u32,
}

impl Search {
    /// From a trial at full speed, in which `offered` frames a second were sent and `received` came back: the search
    /// goes on below. `resolution` is a part of the rate, such as 0.01.
    pub fn below(offered: f64, received: f64, resolution: f64) -> Self {
        Self { passed: 0.0, failed: offered, guess: Some(received), resolution: resolution.max(1e-6), trials: 0 }
    }

    /// The rate to try next; `None` when the search has ended.
    pub fn next(&self) -> Option<f64> {
        let open = self.failed - self.passed;
        if self.trials >= MOST || open <= self.failed * self.resolution || self.failed < 1.0 {
            return None;
        }
        let middle = self.passed + open / 2.0;
        // What came through at full speed is near the truth, but not where it is the whole of it.
        Some(self.guess.filter(|&guess| guess > self.passed && guess < self.failed).unwrap_or(middle))
    }

    /// A trial at `rate` passed, or did not.
    pub fn tell(&mut self, rate: f64, passed: bool) {
        self.trials += 1;
        self.guess = None;
        match passed {
            true => self.passed = self.passed.max(rate),
            false => self.failed = self.failed.min(rate),
        }
    }

    /// The highest rate that passed; 0 when none did.
    pub fn highest(&self) -> f64 {
        self.passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches a gateway that loses everything above `limit`.
    fn found(limit: f64, offered: f64, received: f64) -> (f64, u32) {
        let mut search = Search::below(offered, received, 0.01);
        while let Some(rate) = search.next() {
            assert!(rate > 0.0 && rate < offered, "{rate}");
            search.tell(rate, rate <= limit);
        }
        (search.highest(), search.trials)
    }

    #[test]
    fn it_ends_within_the_resolution_below_the_limit() {
        for limit in [9_900_000.0, 5_000_000.0, 1_234_567.0, 20_000.0] {
            let (rate, trials) = found(limit, 10_000_000.0, limit * 1.05);
            assert!(rate <= limit && rate >= limit * 0.98, "{rate} for {limit}");
            assert!(trials <= MOST);
        }
    }

    #[test]
    fn a_good_first_guess_saves_trials() {
        let (_, near) = found(5_000_000.0, 10_000_000.0, 4_999_000.0);
        let (_, far) = found(5_000_000.0, 10_000_000.0, 0.0);
        assert!(near <= far, "{near} and {far}");
    }

    #[test]
    fn when_nothing_passes_it_ends_at_zero() {
        let (rate, trials) = found(0.0, 1_000_000.0, 0.0);
        assert_eq!(rate, 0.0);
        assert!(trials <= MOST);
    }
}
