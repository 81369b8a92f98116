//! `causeway doctor`: looks at the machine, and says what would stop the gateway or keep it from line rate.
//!
//! Each check reads files below /proc and /sys and tells a [`Finding`]; none changes anything, and none needs root.

mod cores;
mod devices;
mod findings;
mod kernel;
mod machine;
mod memory;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueHint};
use config::types::Model;
use serde_json::json;

use self::findings::{Finding, Findings, Verdict};
use self::machine::Machine;
use super::show::print;

/// The end of its help.
pub const HELP: &str = "\
Examples:
  causeway doctor                               the machine by itself
  causeway doctor -c /etc/causeway/gateway.yaml its cores, devices and memory as this file uses them
  causeway doctor --json | jq '.[] | select(.verdict != \"good\")'

Verdicts: 'stops' keeps the gateway from starting, 'slows' from line rate; a 'note' costs little or is yours to judge.

Exit status: 0 nothing stops or slows it, 3 something slows it, 1 something stops it (or the file is refused).";

/// What to look at.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Look at the cores, devices and memory that this configuration uses
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,
    /// Print a JSON list: check, verdict, finding and cure of each
    #[arg(long)]
    json: bool,
    /// Print what is well, too
    #[arg(short, long)]
    verbose: bool,
    /// Look at a copy of a machine's /proc and /sys in this directory
    #[arg(long, value_name = "DIRECTORY", default_value = "/", hide = true, value_hint = ValueHint::DirPath)]
    root: PathBuf,
}

/// Looks, and prints.
pub fn doctor(asked: &Doctor) -> ExitCode {
    let model = match asked.config.as_deref().map(load).transpose() {
        Ok(model) => model,
        Err(refused) => return refused,
    };
    let findings = examine(&Machine::at(&asked.root), model.as_ref());
    let printed = match asked.json {
        true => print(&format!("{:#}\n", json!(findings))),
        false => print(&text(&findings, asked.verbose)),
    };
    let worst = findings.iter().map(|finding| finding.verdict).max();
    match worst {
        _ if printed.is_err() => ExitCode::from(1),
        Some(Verdict::Stops) => ExitCode::from(1),
        Some(Verdict::Slows) => ExitCode::from(3),
        _ => ExitCode::SUCCESS,
    }
}

fn load(file: &Path) -> Result<Model, ExitCode> {
    config::load(file).map(|loaded| loaded.model).map_err(|problems| {
        eprintln!("{problems}");
        ExitCode::from(1)
    })
}

fn examine(machine: &Machine, model: Option<&Model>) -> Vec<Finding> {
    let mut findings = Findings::default();
    kernel::look(machine, model, &mut findings);
    cores::look(machine, model, &mut findings);
    memory::look(machine, model, &mut findings);
    devices::look(machine, model, &mut findings);
    findings.0
}

/// Columns of the widest line.
const WIDTH: usize = 100;
/// Columns before the text of a finding.
const MARGIN: usize = 20;

fn text(findings: &[Finding], verbose: bool) -> String {
    let mut text = String::new();
    for finding in findings.iter().filter(|finding| verbose || finding.verdict != Verdict::Good) {
        let head = format!("{:<6} {:<12} ", finding.verdict.word(), finding.check);
        lines(&mut text, &head, &finding.finding);
        if !finding.cure.is_empty() {
            lines(&mut text, &" ".repeat(MARGIN), &format!("-> {}", finding.cure));
        }
    }
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (stops, slows, notes, good) =
        (count(Verdict::Stops), count(Verdict::Slows), count(Verdict::Note), count(Verdict::Good));
    if !text.is_empty() {
        text.push('\n');
    }
    text + &format!("stops: {stops}, slows: {slows}, notes: {notes}, good: {good}\n")
}

/// Appends `words` behind `head`, wrapped and indented.
fn lines(text: &mut String, head: &str, words: &str) {
    let mut line = head.to_owned();
    let mut fresh = true;
    for word in words.split(' ') {
        if !fresh && line.chars().count() + 1 + word.chars().count() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            line = " ".repeat(MARGIN);
            fresh = true;
        }
        if !fresh {
            line.push(' ');
        }
        line.push_str(word);
        fresh = false;
    }
    text.push_str(&line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_under_itself_and_fits() {
        let mut text = String::new();
        lines(&mut text, "slows  cores        ", &"word ".repeat(40));
        assert!(text.lines().count() > 1);
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
        assert!(text.lines().skip(1).all(|line| line.starts_with(&" ".repeat(MARGIN))), "{text}");
    }
}
