//! `causeway trace`: frames as they pass.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ValueHint};
use config::types::Mac;
use gateway::control::view::{ShotView, TraceHead, TraceLine, TraceStatus};
use gateway::decode::{self, TunnelPorts};
use gateway::telemetry::{Follow, Line, Request, TraceAsk, follow};
use pcap_file::PcapError;

use super::pcap::Capture;
use super::{Refusal, Socket};

pub const HELP: &str = "\
Examples:
  causeway trace --port srv1 -c 10
  causeway trace --drop                              every dropped frame and why
  causeway trace --drop unknown-vlan --port srv1
  causeway trace --vni 10010 --mac 02:00:00:00:00:05 -w capture.pcapng
  causeway trace --port srv1 -w - | tshark -i -

A frame is seen as it comes in, with what becomes of it, and as it leaves or is dropped. Filters add up. The gateway copies
what it can and never waits: what was left out is counted and told at the end. While somebody watches, workers are slower;
narrow the filter or set --rate on a busy gateway. It ends after --count frames, or with Ctrl-C.";

/// Which frames, and how.
#[derive(Debug, Args)]
pub struct Trace {
    /// Only frames that come in or leave through this port
    #[arg(long, value_name = "NAME")]
    port: Option<String>,
    /// Only frames of this VNI, by its number or name
    #[arg(long, value_name = "VNI")]
    vni: Option<String>,
    /// Only frames from or to this MAC
    #[arg(long, value_name = "MAC")]
    mac: Option<Mac>,
    /// Only dropped frames: for this reason, or any
    #[arg(long, value_name = "REASON", num_args = 0..=1, default_missing_value = "any")]
    drop: Option<String>,
    /// End after so many frames
    #[arg(short, long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// At most so many frames a second, all workers together
    #[arg(long, value_name = "FRAMES", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// At most so many bytes of each frame [default: 256]
    #[arg(short, long, value_name = "BYTES", value_parser = clap::value_parser!(u16).range(1..=9234))]
    snap: Option<u16>,
    /// Write a capture (pcapng) for Wireshark and tshark; '-' is standard output
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "json")]
    write: Option<PathBuf>,
    /// Print a line of JSON for each frame
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    socket: Socket,
}

/// Follows and prints until there is enough.
pub fn trace(asked: Trace) -> Result<(), Refusal> {
    let Trace { port, vni, mac, drop, count, rate, snap, write, json, socket } = asked;
    if write.as_deref() == Some(Path::new("-")) && io::stdout().is_terminal() {
        return Err("a capture is no text for a terminal: append '| tshark -r -', or name a file".into());
    }
    let ask_for =
        TraceAsk { port, vni, mac: mac.map(|mac| mac.to_string()), drop, count, rate, snap: snap.map(usize::from) };
    let request = Request::follow(Follow::Trace(ask_for));
    let stopped = on_interrupt()?;
    let mut printer = Printer { out: Out::new(write, json), counts: Counts::default(), failed: None };
    let end = follow(&socket.path(), &request, |line| printer.take(line) && !stopped.load(Ordering::Relaxed))?;
    let Printer { counts, failed, .. } = printer;
    if let Some(failed) = failed {
        return failed;
    }
    eprintln!("{}", counts.line());
    // Who asked ended it, or the count did; all else is worth a word.
    match counts.frames == count.unwrap_or(u64::MAX) || stopped.load(Ordering::Relaxed) || end == "there was enough" {
        true => Ok(()),
        false => Err(format!("the trace ended early: {end}")),
    }
}

/// True once Ctrl-C was pressed; the second time it ends the program.
fn on_interrupt() -> Result<Arc<AtomicBool>, Refusal> {
    let stopped = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&stopped))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stopped)))
            .map_err(|error| format!("cannot wait for signals ({error})"))?;
    }
    Ok(stopped)
}

/// What was seen and what was not.
#[derive(Default)]
struct Counts {
    frames: u64,
    status: TraceStatus,
    slow: u64,
}

impl Counts {
    fn line(&self) -> String {
        let mut line = format!("{} frame{}", self.frames, if self.frames == 1 { "" } else { "s" });
        let missed = self.status.missed + self.slow;
        if missed > 0 {
            line += &format!(", {missed} missed because they came faster than they could be passed on");
        }
        if self.status.limited > 0 {
            line += &format!(", {} beyond --rate", self.status.limited);
        }
        line
    }
}

/// Where frames go.
enum Out {
    Lines(Option<TunnelPorts>),
    Json,
    File(PathBuf, Option<Capture<Box<dyn Write>>>),
}

impl Out {
    fn new(write: Option<PathBuf>, json: bool) -> Self {
        match (write, json) {
            (Some(file), _) => Self::File(file, None),
            (None, true) => Self::Json,
            (None, false) => Self::Lines(None),
        }
    }
}

struct Printer {
    out: Out,
    counts: Counts,
    /// Why nothing more can be written; a reader that has seen enough is no failure.
    failed: Option<Result<(), Refusal>>,
}

impl Printer {
    /// Takes a line of the gateway; false when that was enough.
    fn take(&mut self, line: Line) -> bool {
        let value = match line {
            Line::Value(value) => value,
            Line::Missed(count) => {
                self.counts.slow += count;
                return true;
            }
        };
        let line = match serde_json::from_value(value) {
            Ok(line) => line,
            Err(error) => {
                self.failed = Some(Err(format!("the gateway speaks another version ({error})")));
                return false;
            }
        };
        let done = match line {
            TraceLine::Head(head) => self.begin(head),
            TraceLine::Frame(shot) => {
                self.counts.frames += 1;
                self.frame(&shot)
            }
            TraceLine::Status(status) => {
                self.counts.status = status;
                Ok(())
            }
        };
        match done {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.failed = Some(Ok(()));
                false
            }
            Err(error) => {
                self.failed = Some(Err(format!("cannot write ({error})")));
                false
            }
        }
    }

    /// Every worker copies from here on.
    fn begin(&mut self, head: TraceHead) -> io::Result<()> {
        eprintln!("tracing; Ctrl-C ends it");
        match &mut self.out {
            Out::Lines(ports) => *ports = Some(TunnelPorts { vxlan: head.vxlan_port, geneve: head.geneve_port }),
            Out::Json => {}
            Out::File(file, capture) => {
                let out = open(file)?;
                *capture = Some(Capture::begin(out, head.ports, head.snap as u32).map_err(into_io)?);
            }
        }
        Ok(())
    }

    fn frame(&mut self, shot: &ShotView) -> io::Result<()> {
        match &mut self.out {
            Out::Lines(ports) => say(&line(shot, ports.unwrap_or_default())),
            Out::Json => say(&format!("{}\n", serde_json::to_string(shot)?)),
            Out::File(_, Some(capture)) => capture.write(shot).map_err(into_io),
            Out::File(_, None) => Ok(()),
        }
    }
}

fn open(file: &Path) -> io::Result<Box<dyn Write>> {
    Ok(match file.to_str() {
        Some("-") => Box::new(io::stdout()),
        _ => {
            let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
            Box::new(File::create(file).map_err(named)?)
        }
    })
}

fn into_io(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    }
}

fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// A frame for people: when, where, what became of it; below it the headers.
fn line(shot: &ShotView, ports: TunnelPorts) -> String {
    let (seconds, micros) = (shot.time_ns / 1_000_000_000 % 86_400, shot.time_ns / 1_000 % 1_000_000);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let vni = shot.vni.as_ref().map_or(String::new(), |vni| format!("  VNI {vni}"));
    let bytes = decode::bytes(&shot.hex).unwrap_or_default();
    format!(
        "{hours:02}:{minutes:02}:{:02}.{micros:06}  {:<9} {:<8}{vni}  {}\n    {}, {} bytes\n",
        seconds % 60,
        shot.event,
        shot.port,
        shot.verdict,
        decode::line(&bytes, ports),
        shot.length,
    )
}
