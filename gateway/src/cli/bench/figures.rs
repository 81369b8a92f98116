//! What was measured, in words and in JSON.

use std::fmt::Write as _;
use std::io::Write as _;

use gateway::load::Passed;
use serde_json::{Value, json};

use super::FCS;
use super::rig::{Cell, Load, Measured};

/// Collects results and shows progress on standard error.
pub struct Figures {
    json: bool,
    text: String,
    results: Vec<Value>,
}

/// From this part of the time on it is told that others ran on the cores.
pub const DISTURBED: f64 = 0.01;

impl Figures {
    /// None yet; for a table, or for JSON.
    pub fn new(json: bool) -> Self {
        Self { json, text: String::new(), results: Vec::new() }
    }

    /// A line for who waits.
    pub fn progress(&self, line: &str) {
        // Nobody may be there to read it any more.
        let _ = writeln!(std::io::stderr(), "{line}");
    }

    /// A cell is measured.
    pub fn add(&mut self, cell: &Cell, measured: &Measured) {
        let waited = measured.waited;
        let mut notes: Vec<String> = measured.note.map(str::to_owned).into_iter().collect();
        if waited > DISTURBED {
            notes.push(format!(
                "others, or the host of this virtual machine, had a core of the generator or the gateway for {:.0} % of a \
                 trial, so these are not the gateway's limits; give both cores to nobody else (isolcpus, --cores)",
                waited * 100.0
            ));
        }
        self.results.push(json!({
            "job": cell.job.name(),
            "size": cell.size.name(),
            "macs": cell.macs,
            "seconds": cell.duration,
            "trials": measured.trials,
            "no_drop": measured.best.as_ref().map(value),
            "loads": measured.loads.iter().map(named).collect::<Vec<_>>(),
            "core_waited_for": waited,
            "notes": notes,
        }));
        self.tell(cell, measured);
        for note in notes {
            let _ = writeln!(self.text, "  {note}");
        }
    }

    /// A cell as people read it.
    fn tell(&mut self, cell: &Cell, measured: &Measured) {
        let text = &mut self.text;
        let _ = writeln!(text, "{}, {} bytes, {} MACs on each side", cell.job.name(), cell.size.name(), cell.macs);
        if let Some(best) = &measured.best {
            let (mpps, gbps) = rates(best);
            let _ = writeln!(
                text,
                "  no-drop rate  {mpps:.3} Mpps  {gbps:.3} Gbit/s  lost {}  ({} trials of {} s, up to {} % taken for none)",
                percent(best.lost()),
                measured.trials,
                cell.duration,
                cell.loss * 100.0
            );
        }
        if !measured.loads.is_empty() {
            let _ = writeln!(
                text,
                "  {:<12} {:>10} {:>10}  {:<8} {:>10} {:>10} {:>10} {:>10}  µs",
                "load", "Mpps", "lost", "time of", "p50", "p99", "p99.9", "max"
            );
        }
        for Load { name, passed } in &measured.loads {
            let first = format!("{name:<12} {:>10.3} {:>10}", rates(passed).0, percent(passed.lost()));
            for (first, times, what) in [(first.as_str(), &passed.frame, "a frame"), ("", &passed.burst, "a burst")] {
                let [p50, p99, p999, max] = quantiles(times).map(|nanos| nanos as f64 / 1000.0);
                let _ = writeln!(text, "  {first:<34}  {what:<8} {p50:>10.1} {p99:>10.1} {p999:>10.1} {max:>10.1}");
            }
        }
    }

    /// All of it.
    pub fn text(&self) -> String {
        match self.json {
            true => format!("{:#}\n", json!(self.results)),
            false => self.text.clone(),
        }
    }
}

/// Millions of frames, and Gbit with FCS, a second, as they went into the gateway.
fn rates(passed: &Passed) -> (f64, f64) {
    if passed.sent == 0 {
        return (0.0, 0.0);
    }
    let bits = (passed.bytes as f64 / passed.sent as f64 + FCS as f64) * 8.0;
    (passed.offered() / 1e6, passed.offered() * bits / 1e9)
}

/// Median, 99 %, 99.9 % and the most, in nanoseconds.
fn quantiles(times: &hdrhistogram::Histogram<u64>) -> [u64; 4] {
    [times.value_at_quantile(0.5), times.value_at_quantile(0.99), times.value_at_quantile(0.999), times.max()]
}

fn value(passed: &Passed) -> Value {
    let (mpps, gbps) = rates(passed);
    let times = |times| {
        let [p50, p99, p999, max] = quantiles(times);
        json!({"p50_ns": p50, "p99_ns": p99, "p99_9_ns": p999, "max_ns": max})
    };
    json!({
        "mpps": mpps,
        "gbps": gbps,
        "sent": passed.sent,
        "received": passed.received,
        "refused": passed.refused,
        "lost": passed.lost(),
        "frame_latency": times(&passed.frame),
        "burst_latency": times(&passed.burst),
    })
}

fn named(load: &Load) -> Value {
    let mut value = value(&load.passed);
    value["load"] = load.name.as_str().into();
    value
}

/// A part as people read it; nothing is 0.
pub fn percent(part: f64) -> String {
    match part * 100.0 {
        0.0 => "0 %".into(),
        small @ ..0.001 => format!("{small:.1e} %"),
        more => format!("{more:.3} %"),
    }
}
