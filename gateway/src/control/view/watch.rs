//! What `causeway trace` prints.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One frame, seen at one place: a line of `trace --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShotView {
    /// When, in nanoseconds since 1970 (exact to some tens of microseconds: workers read the clock seldom).
    pub time_ns: u64,
    /// `in` (received), `out` (sent), `drop`, `to-host` or `from-host` (the Linux twin).
    pub event: String,
    /// Name of the port.
    pub port: String,
    /// What became of it, in words.
    pub verdict: String,
    /// The label of the drop reason, for `drop`.
    pub reason: Option<String>,
    /// Name of the segment that it belongs to, where that is known.
    pub vni: Option<String>,
    /// Where it came from: `srv1 vlan 10`, `10.0.0.12 vxlan`.
    pub from: Option<String>,
    /// Where it goes.
    pub to: Option<String>,
    /// Bytes of the whole frame.
    pub length: u64,
    /// The first of them as hexadecimal digits.
    pub hex: String,
}

/// What the first line of a trace says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TraceHead {
    /// Names of the ports, in the order of the configuration.
    pub ports: Vec<String>,
    /// UDP port of VXLAN.
    pub vxlan_port: u16,
    /// UDP port of Geneve.
    pub geneve_port: u16,
    /// Bytes kept of a frame, at most.
    pub snap: u64,
}

/// A line of a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TraceLine {
    /// The first line: every worker watches from here on.
    Head(TraceHead),
    /// A frame.
    Frame(ShotView),
    /// Four times a second: what was left out so far.
    Status(TraceStatus),
}

/// What was left out of a trace so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct TraceStatus {
    /// Frames that found no buffer: more came than could be passed on.
    pub missed: u64,
    /// Frames beyond the rate that was asked for.
    pub limited: u64,
}
