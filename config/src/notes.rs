//! What was found wrong with a file so far. However much that is, what is kept of it is bounded.

use crate::problem::{Problem, Severity};

/// Problems of each severity that are told in full.
const MOST: usize = 200;
/// Characters of a sentence, at most; what is longer quotes something that is.
const LONGEST: usize = 2000;

/// The first problems of a file, and how many more there are.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    errors: Kept,
    warnings: Kept,
}

#[derive(Debug, Default)]
struct Kept {
    told: Vec<Problem>,
    untold: usize,
}

impl Notes {
    /// Keeps a problem, or counts it.
    pub(crate) fn note(&mut self, severity: Severity, problem: impl FnOnce() -> Problem) {
        let kept = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        if kept.told.len() == MOST {
            kept.untold += 1;
            return;
        }
        let mut problem = problem();
        for sentence in [&mut problem.path, &mut problem.rule, &mut problem.cure] {
            if let Some((end, _)) = sentence.char_indices().nth(LONGEST) {
                sentence.truncate(end);
                sentence.push_str("...");
            }
        }
        kept.told.push(problem);
    }

    /// Whether any of them is an error.
    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.told.is_empty()
    }

    /// All of them, in the order of the file; the last ones may stand for those that are not told.
    pub(crate) fn into_problems(self, file: &str) -> Vec<Problem> {
        let Self { errors, warnings } = self;
        let rest = [(&errors, Severity::Error, "errors"), (&warnings, Severity::Warning, "warnings")];
        let rest: Vec<Problem> = (rest.iter())
            .filter(|(kept, ..)| kept.untold > 0)
            .map(|(kept, severity, what)| Problem {
                severity: *severity,
                stands_for: kept.untold,
                ..Problem::of_file(file, format!("{} more {what} are not shown", kept.untold), "see to these first")
            })
            .collect();
        let mut problems = errors.told;
        problems.extend(warnings.told);
        problems.sort_by_key(|problem| (problem.line, problem.column));
        problems.dedup();
        problems.extend(rest);
        problems
    }
}
