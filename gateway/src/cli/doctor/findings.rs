//! What a check finds.

use serde::Serialize;

/// How bad it is, from good to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Costs little, or only the operator can judge it.
    Note,
    /// Keeps the gateway from line rate.
    Slows,
    /// Keeps the gateway from starting.
    Stops,
}

impl Verdict {
    /// As it is printed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Slows => "slows",
            Self::Stops => "stops",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check, a word that stays the same.
    pub check: &'static str,
    /// How bad it is.
    pub verdict: Verdict,
    /// What was seen, and what it costs.
    pub finding: String,
    /// What to do; empty when there is nothing to do.
    pub cure: String,
}

/// All of it, in the order of the checks.
#[derive(Default)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// All is well.
    pub fn good(&mut self, check: &'static str, finding: impl Into<String>) {
        self.0.push(Finding { check, verdict: Verdict::Good, finding: finding.into(), cure: String::new() });
    }

    /// Something to know.
    pub fn note(&mut self, check: &'static str, finding: impl Into<String>, cure: impl Into<String>) {
        self.0.push(Finding { check, verdict: Verdict::Note, finding: finding.into(), cure: cure.into() });
    }

    /// It costs frames.
    pub fn slows(&mut self, check: &'static str, finding: impl Into<String>, cure: impl Into<String>) {
        self.0.push(Finding { check, verdict: Verdict::Slows, finding: finding.into(), cure: cure.into() });
    }

    /// The gateway will not start.
    pub fn stops(&mut self, check: &'static str, finding: impl Into<String>, cure: impl Into<String>) {
        self.0.push(Finding { check, verdict: Verdict::Stops, finding: finding.into(), cure: cure.into() });
    }
}
