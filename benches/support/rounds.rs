//! Interleaved windows, and what came of them as a table, as Markdown and as JSON.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::clock;
use super::flags::{Flags, refuse};

/// The flags that every bench has; for its usage.
pub const FLAGS: &str = "  --rounds N       windows of each case [9]
  --window MS      milliseconds of a window [20]
  --json FILE      write every figure
  --markdown       print the table as Markdown
  --help           this text
";

/// A batch that took longer than this many times the median of its window was interrupted: by the kernel, the firmware
/// or another program. It is left out and counted.
const INTERRUPTED: u64 = 8;

/// What one window found out.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Cycles of one unit of work.
    pub cycles: f64,
    /// The same of its stages, where they were timed (apart from the above).
    pub stages: Vec<(&'static str, f64)>,
    /// Batches that were timed, and those of them that are left out.
    pub batches: usize,
    /// See [`INTERRUPTED`].
    pub interrupted: usize,
}

/// Something to be measured.
pub trait Subject {
    /// Works for about so many cycles.
    fn window(&mut self, cycles: u64) -> Sample;
}

/// Runs batches until `cycles` have passed, the first eighth of them only to get the case's memory back into the caches.
/// `batch` does one and says how many units that were and how many cycles they took.
pub fn batches(cycles: u64, mut batch: impl FnMut() -> (usize, u64)) -> Sample {
    let began = clock::cycles();
    while clock::cycles() - began < cycles / 8 {
        batch();
    }
    let mut took = Vec::new();
    while took.len() < 3 || clock::cycles() - began < cycles {
        took.push(batch());
    }
    let kept = uninterrupted(&mut took, |(_, cycles)| *cycles);
    let (units, spent) = kept.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let kept = kept.len();
    Sample {
        cycles: spent as f64 / units as f64,
        stages: Vec::new(),
        batches: took.len(),
        interrupted: took.len() - kept,
    }
}

/// Those of some batches that were not interrupted; `cycles` says how long one took.
pub fn uninterrupted<T>(batches: &mut [T], cycles: impl Fn(&T) -> u64) -> &[T] {
    batches.sort_by_key(&cycles);
    let most = batches.get(batches.len() / 2).map_or(0, &cycles).max(1) * INTERRUPTED;
    let kept = batches.partition_point(|batch| cycles(batch) <= most);
    &batches[..kept]
}

/// A line of the table.
pub struct Row {
    /// What it is, column by column.
    pub labels: Vec<(&'static str, Value)>,
    /// What is measured; or why it cannot be.
    pub subject: Result<Box<dyn Subject>, String>,
}

/// How it is measured and shown.
pub struct Rounds {
    bench: &'static str,
    rounds: usize,
    millis: u64,
    json: Option<PathBuf>,
    markdown: bool,
    tables: Vec<Value>,
}

/// What `one` costs as a share of what `other` does: the median of the rounds' ratios. Windows of a round are neighbours in time,
/// so a machine that runs now faster, now slower does not come into it. Nothing without rounds.
pub fn ratio(one: &[f64], other: &[f64]) -> Option<f64> {
    let ratios: Vec<f64> = one.iter().zip(other).map(|(one, other)| one / other).collect();
    (!ratios.is_empty()).then(|| Figure::of(ratios).median)
}

struct Figure {
    median: f64,
    least: f64,
    most: f64,
}

impl Figure {
    fn of(mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        Self { median: samples[samples.len() / 2], least: samples[0], most: samples[samples.len() - 1] }
    }

    fn value(&self, times: f64) -> Value {
        json!({"median": self.median * times, "min": self.least * times, "max": self.most * times})
    }
}

impl Rounds {
    /// As the command line says.
    pub fn new(bench: &'static str, flags: &Flags) -> Self {
        let within = |name: &str, value: u64| match value {
            1..=10_000 => value,
            _ => refuse(&format!("--{name} takes 1 to 10000")),
        };
        Self {
            bench,
            rounds: within("rounds", flags.value("rounds").unwrap_or(9)) as usize,
            millis: within("window", flags.value("window").unwrap_or(20)),
            json: flags.value("json"),
            markdown: flags.has("markdown"),
            tables: Vec::new(),
        }
    }

    /// Measures all rows, everyone in turn, after a round that only warms up, and prints the table; `unit` is what costs
    /// are of. Returns each row's cycles, round by round; nothing of a row that cannot be measured.
    pub fn run(&mut self, unit: &str, mut rows: Vec<Row>) -> Vec<Vec<f64>> {
        let hertz = clock::hertz();
        let window = hertz / 1000 * self.millis;
        let mut samples: Vec<Vec<Sample>> = rows.iter().map(|_| Vec::new()).collect();
        let watched = std::io::stderr().is_terminal();
        for round in 0..=self.rounds {
            if watched {
                eprint!("\rround {round} of {}", self.rounds);
            }
            for (row, samples) in rows.iter_mut().zip(&mut samples) {
                let Ok(subject) = &mut row.subject else { continue };
                let sample = subject.window(window);
                if round > 0 {
                    samples.push(sample);
                }
            }
        }
        if watched {
            eprintln!();
        }
        let nanos = 1e9 / hertz as f64;
        let cycles = samples.iter().map(|row| row.iter().map(|sample| sample.cycles).collect()).collect();
        let measured: Vec<Map<String, Value>> =
            rows.iter().zip(samples).map(|(row, samples)| self.result(row, samples, nanos)).collect();
        print!("{}", self.table(unit, &measured));
        self.tables.push(json!({"unit": unit, "tsc_hertz": hertz, "results": measured}));
        cycles
    }

    /// Writes the file that was asked for.
    pub fn finish(self) {
        let Some(file) = &self.json else { return };
        let document = json!({
            "bench": self.bench,
            "cpu": cpu(),
            "rounds": self.rounds,
            "window_ms": self.millis,
            "tables": self.tables,
        });
        if let Err(error) = std::fs::write(file, format!("{document:#}\n")) {
            eprintln!("Error: cannot write {} ({error})", file.display());
            std::process::exit(1);
        }
    }

    fn result(&self, row: &Row, samples: Vec<Sample>, nanos: f64) -> Map<String, Value> {
        let mut result: Map<String, Value> =
            row.labels.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        if let Err(why) = &row.subject {
            result.insert("why".into(), why.as_str().into());
            return result;
        }
        let cycles = Figure::of(samples.iter().map(|sample| sample.cycles).collect());
        result.insert("ns".into(), cycles.value(nanos));
        result.insert("cycles".into(), cycles.value(1.0));
        let mut stages: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for (name, cycles) in samples.iter().flat_map(|sample| &sample.stages) {
            stages.entry(name).or_default().push(*cycles);
        }
        for (name, samples) in stages {
            let figure = Figure::of(samples);
            result.entry("stages").or_insert_with(|| json!({}))[name] =
                json!({"ns": figure.value(nanos), "cycles": figure.value(1.0)});
        }
        let sum = |of: fn(&Sample) -> usize| samples.iter().map(of).sum::<usize>();
        result.insert("batches".into(), sum(|sample| sample.batches).into());
        result.insert("interrupted".into(), sum(|sample| sample.interrupted).into());
        result
    }

    /// The table for people: labels, cost of a unit, stages.
    fn table(&self, unit: &str, results: &[Map<String, Value>]) -> String {
        const OWN: [&str; 6] = ["ns", "cycles", "stages", "batches", "interrupted", "why"];
        let measured = || results.iter().filter(|result| !result.contains_key("why"));
        let mut labels: Vec<&str> = Vec::new();
        let mut stages: Vec<&str> = Vec::new();
        for result in results {
            for name in result.keys().map(String::as_str).filter(|name| !OWN.contains(name)) {
                if !labels.contains(&name) {
                    labels.push(name);
                }
            }
            let timed = result.get("stages").and_then(Value::as_object).into_iter().flat_map(|stages| stages.keys());
            timed.for_each(|name| {
                if !stages.contains(&name.as_str()) {
                    stages.push(name);
                }
            });
        }
        stages.sort_by_key(|name| STAGES.iter().position(|known| known == name));
        let heads = labels.iter().map(|label| (*label).to_owned());
        let costs = [format!("ns a {unit}"), "least–most".into(), "cycles".into()];
        let mut lines = vec![heads.chain(costs).chain(stages.iter().map(|stage| format!("{stage} ns"))).collect()];
        for result in measured() {
            let number = |value: &Value| value.as_f64().map_or("–".into(), |number| format!("{number:.1}"));
            let mut line: Vec<String> = labels.iter().map(|label| text(&result[*label])).collect();
            let ns = &result["ns"];
            line.push(number(&ns["median"]));
            line.push(format!("{}–{}", number(&ns["min"]), number(&ns["max"])));
            line.push(number(&result["cycles"]["median"]));
            let timed = result.get("stages").unwrap_or(&Value::Null);
            line.extend(stages.iter().map(|stage| number(&timed[*stage]["ns"]["median"])));
            lines.push(line);
        }
        let mut out = if self.markdown { markdown(&lines) } else { columns(&lines) };
        let lost: f64 = measured().filter_map(|result| result["interrupted"].as_f64()).sum();
        let batches: f64 = measured().filter_map(|result| result["batches"].as_f64()).sum();
        if batches > 0.0 {
            out += &format!(
                "\nMedian, least and most of {} interleaved windows of {} ms; {:.2} % of all batches were interrupted and \
                 left out.\n",
                self.rounds,
                self.millis,
                lost / batches * 100.0
            );
        }
        for result in results.iter().filter(|result| result.contains_key("why")) {
            let name: Vec<String> = labels.iter().map(|label| text(&result[*label])).collect();
            out += &format!("not measured: {}: {}\n", name.join(", "), text(&result["why"]));
        }
        out
    }
}

/// The order of stages in a table.
const STAGES: [&str; 5] = ["classify", "learn", "lookup", "forward", "around"];

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_u64().map_or_else(|| number.to_string(), grouped),
        other => other.to_string(),
    }
}

/// 1000000 as 1,000,000.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let parts: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|part| std::str::from_utf8(part).unwrap_or("")).collect();
    parts.join(",")
}

/// Left-aligned words, right-aligned numbers.
fn columns(lines: &[Vec<String>]) -> String {
    let widths: Vec<usize> = (0..lines[0].len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut out = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        out += cells.collect::<Vec<_>>().join("  ").trim_end();
        out.push('\n');
    }
    out
}

fn markdown(lines: &[Vec<String>]) -> String {
    let row = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rule = lines[0].iter().enumerate().map(|(column, _)| if column == 0 { "---" } else { "---:" });
    let mut out = row(&lines[0]) + &format!("|{}|\n", rule.collect::<Vec<_>>().join("|"));
    lines[1..].iter().for_each(|line| out += &row(line));
    out
}

fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.to_owned())
}

/// Bytes that the kernel can give without swapping.
pub fn memory_available() -> usize {
    let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kibibytes: Option<usize> = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
    kibibytes.map_or(usize::MAX, |kibibytes| kibibytes * 1024)
}
