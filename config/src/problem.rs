//! What is wrong with a file, said so that a human can mend it: where, which rule, and the cure.

use std::fmt;

use serde::Serialize;

/// Whether a problem keeps the configuration from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is used; somebody should look.
    Warning,
}

/// One broken rule at one place of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Error or warning.
    pub severity: Severity,
    /// The file, as it was named to us.
    pub file: String,
    /// Line, from 1; 0 when the problem is the file itself.
    pub line: usize,
    /// Column in characters, from 1; 0 when the problem is the file itself.
    pub column: usize,
    /// Place within the document, like `ports[1].vlans[0].vni`; empty for the whole document.
    pub path: String,
    /// What is wrong.
    pub rule: String,
    /// What to do.
    pub cure: String,
    /// The line of the file; of a long one what is around the place.
    pub source: String,
    /// Characters of the line that are left out before `source`.
    #[serde(skip)]
    pub(crate) skipped: usize,
    /// Characters to underline.
    #[serde(skip)]
    pub(crate) width: usize,
    /// How many problems this is: one, or all that are not shown.
    #[serde(skip)]
    pub(crate) stands_for: usize,
}

/// Characters of a source line that are shown; longer lines are cut around the place.
const SHOWN: usize = 120;

impl Problem {
    /// How many problems this is: one, or all those that are too many to be shown.
    pub fn stands_for(&self) -> usize {
        self.stands_for
    }

    /// A problem of the file itself, such as one that cannot be read.
    pub(crate) fn of_file(file: &str, rule: impl Into<String>, cure: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: file.to_owned(),
            line: 0,
            column: 0,
            path: String::new(),
            rule: rule.into(),
            cure: cure.into(),
            source: String::new(),
            skipped: 0,
            width: 0,
            stands_for: 1,
        }
    }

    /// The source line and a line of carets below the place.
    fn write_source(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = self.column.saturating_sub(1 + self.skipped);
        let start = if column > SHOWN * 3 / 4 { column - SHOWN / 2 } else { 0 };
        let shown: String =
            self.source.chars().skip(start).take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
        let room = shown.chars().count().saturating_sub(column - start).max(1);
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let indent = " ".repeat(column - start);
        let carets = "^".repeat(self.width.clamp(1, room));
        write!(f, "\n  {number} | {}\n  {margin} | {indent}{carets}", shown.trim_end())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        f.write_str(": ")?;
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}; {}", self.rule, self.cure)?;
        if self.line > 0 { self.write_source(f) } else { Ok(()) }
    }
}

/// Everything wrong with a file, in the order of the file; at least one is an error. Of very many the first are told, and
/// one stands for the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Problems(pub(crate) Vec<Problem>);

impl Problems {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// How many are errors.
    pub fn errors(&self) -> usize {
        self.0.iter().filter(|problem| problem.severity == Severity::Error).map(Problem::stands_for).sum()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(source: &str, column: usize, width: usize) -> Problem {
        Problem {
            line: 12,
            column,
            path: "ports[1].vlans[0].vni".into(),
            source: source.into(),
            width,
            ..Problem::of_file("gw.yaml", "16777216 is too large for a VNI", "use 0 to 16777215")
        }
    }

    #[test]
    fn reads_like_a_compiler() {
        let shown = problem("      - {vlan: 10, vni: 16777216}", 25, 8).to_string();
        assert_eq!(
            shown,
            "gw.yaml:12:25: ports[1].vlans[0].vni: 16777216 is too large for a VNI; use 0 to 16777215\n  \
             12 |       - {vlan: 10, vni: 16777216}\n     |                         ^^^^^^^^"
        );
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let shown = problem(&"x".repeat(5000), 4000, 10).to_string();
        assert!(shown.len() < 500, "{shown}");
        assert!(shown.ends_with(&"^".repeat(10)), "{shown}");
    }

    #[test]
    fn the_file_itself_has_no_line() {
        let shown = Problem::of_file("gw.yaml", "no such file", "check the path").to_string();
        assert_eq!(shown, "gw.yaml: no such file; check the path");
    }
}
