//! Traces: copies of frames on their way from the cores to who asked for them.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use gateway::control::view::{TraceHead, TraceLine, TraceStatus};
use gateway::control::watch::Watcher;
use gateway::control::{Control, Nanos, find_reason};
use gateway::frame::PortId;
use gateway::tap::Filter;
use gateway::telemetry::{Follow, Lines, Missed, Request, TraceAsk, Verb};
use gateway::verdict::DropReason;
use serde_json::json;

/// Bytes kept of a frame when nobody says another number, and at most.
const SNAP: (usize, usize) = (256, 9_234);
/// Frames passed on in one round of the desk, at most.
const AT_ONCE: usize = 256;
/// Between two lines about what was left out.
const STATUS: Nanos = 250_000_000;

/// Everybody who watches.
pub struct Traces {
    running: Vec<Trace>,
    /// The moment from which the cores' time counts.
    start: Instant,
}

struct Trace {
    watcher: Watcher,
    lines: Lines,
    /// The first line, until every core copies.
    head: Option<TraceHead>,
    /// Frames that may still be told.
    left: u64,
    /// The moment from which the cores' time counts, in nanoseconds since 1970.
    epoch: u64,
    refilled: Nanos,
    told: Nanos,
}

impl Traces {
    /// Nobody yet. `start` is the moment from which time counts.
    pub fn new(start: Instant) -> Self {
        Self { running: Vec::new(), start }
    }

    /// Somebody wants to watch.
    pub fn begin(&mut self, control: &mut Control, request: &Request, lines: Lines, now: Nanos) -> Result<(), String> {
        let Verb::Follow(Follow::Trace(asked)) = &request.verb else {
            return Err("only traces can be followed".into());
        };
        let filter = filter(control, asked)?;
        let snap = asked.snap.unwrap_or(SNAP.0);
        if snap == 0 || snap > SNAP.1 {
            return Err(format!("{snap} bytes of a frame cannot be kept; say a number from 1 to {}", SNAP.1));
        }
        if asked.rate == Some(0) || asked.count == Some(0) {
            return Err("a trace of no frames shows nothing; leave the bound out, or say a number from 1 on".into());
        }
        let watcher = control.watch(filter, snap, asked.rate.unwrap_or(0))?;
        let model = control.model();
        let head = TraceHead {
            ports: model.ports.iter().map(|port| port.name.clone()).collect(),
            vxlan_port: model.vtep.vxlan_port,
            geneve_port: model.vtep.geneve_port,
            snap: snap as u64,
        };
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let epoch = since_1970.saturating_sub(self.start.elapsed()).as_nanos() as u64;
        let left = asked.count.unwrap_or(u64::MAX);
        self.running.push(Trace { watcher, lines, head: Some(head), left, epoch, refilled: now, told: now });
        Ok(())
    }

    /// Passes on what has come, and takes the taps off for those who have gone. True when there was something.
    pub fn pass_on(&mut self, control: &mut Control, now: Nanos) -> bool {
        let mut any = false;
        for trace in std::mem::take(&mut self.running) {
            match trace.pass_on(control, now, &mut any) {
                Ok(trace) => self.running.push(trace),
                Err((watcher, end)) => {
                    control.unwatch(&watcher);
                    any = true;
                    if let Some((lines, why)) = end {
                        lines.end(why);
                    }
                }
            }
        }
        any
    }
}

/// Why a trace is over, when there is still somebody to be told.
type End = Option<(Lines, String)>;

impl Trace {
    fn pass_on(mut self, control: &Control, now: Nanos, any: &mut bool) -> Result<Self, (Watcher, End)> {
        self.watcher.reel.refill(now.saturating_sub(self.refilled));
        self.refilled = now;
        if self.head.is_some() && !control.is_watched(&self.watcher) {
            return Ok(self);
        }
        if let Some(head) = self.head.take() {
            let _ = self.lines.send(json!(TraceLine::Head(head)));
        }
        for _ in 0..AT_ONCE {
            let Some(shot) = self.watcher.reel.take() else { break };
            *any = true;
            let view = control.view_shot(&shot, self.epoch);
            self.watcher.reel.give_back(shot);
            if self.lines.send(json!(TraceLine::Frame(view))) == Err(Missed::Gone) {
                return Err((self.watcher, None));
            }
            self.left -= 1;
            if self.left == 0 {
                self.status();
                return Err((self.watcher, Some((self.lines, "the number of frames asked for was reached".into()))));
            }
        }
        if now.saturating_sub(self.told) >= STATUS {
            self.told = now;
            if !self.status() {
                return Err((self.watcher, None));
            }
        }
        Ok(self)
    }

    /// Says what was left out; false when nobody is there.
    fn status(&self) -> bool {
        let reel = &self.watcher.reel;
        let status = TraceStatus { missed: reel.missed(), limited: reel.limited() };
        self.lines.send(json!(TraceLine::Status(status))) != Err(Missed::Gone)
    }
}

/// What is asked for, in the cores' numbers.
fn filter(control: &Control, asked: &TraceAsk) -> Result<Filter, String> {
    let port = asked.port.as_ref().map(|name| control.port_called(name)).transpose()?;
    let vni = asked.vni.as_ref().map(|vni| control.find_vni(vni)).transpose()?;
    let mac: Option<config::types::Mac> = asked.mac.as_ref().map(|mac| mac.parse()).transpose()?;
    Ok(Filter {
        port: port.map(|index| PortId(index as u8)),
        segment: vni.and_then(|name| control.segment_named(&name)),
        mac: mac.map(|mac| mac.0.iter().fold(0, |word, &byte| word << 8 | u64::from(byte))),
        drop: asked.drop.as_deref().map(reason_or_any).transpose()?,
    })
}

/// The drop reason of a label; `None` is any.
fn reason_or_any(label: &str) -> Result<Option<DropReason>, String> {
    if label == "any" { Ok(None) } else { find_reason(label).map(Some) }
}
