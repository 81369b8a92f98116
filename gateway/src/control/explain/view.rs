//! What `causeway explain` says: plain values with stable field names (see [`crate::control::view`]).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What becomes of a frame, and why.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ExplainView {
    /// Name of the port that the frame comes in at.
    pub port: String,
    /// The frame.
    pub frame: FrameView,
    /// `forwarded`, `flooded`, `host` (the Linux twin takes it), `answered` (by the gateway itself), or `dropped` (the sender
    /// may be told, which is an output).
    pub verdict: String,
    /// The decision in words, step by step.
    pub steps: Vec<StepView>,
    /// Name of the segment that it belongs to.
    pub vni: Option<String>,
    /// Where it comes from.
    pub from: Option<SpotView>,
    /// What is known and learned of its source MAC; `null` when it never comes that far.
    pub source: Option<SourceView>,
    /// What is known of its destination MAC; `null` when it never comes that far.
    pub destination: Option<DestinationView>,
    /// The frames that leave, in the order of ports.
    pub outputs: Vec<OutputView>,
    /// How many leave.
    pub output_count: u64,
    /// The drops: of the frame itself, or of copies; the first 64.
    pub drops: Vec<ExplainedDrop>,
    /// How many frames and copies are dropped.
    pub drop_count: u64,
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct FrameView {
    /// Bytes of the whole frame.
    pub length: u64,
    /// The bytes as hexadecimal digits, as on the wire without FCS.
    pub hex: String,
    /// Its headers in words, from the outside in.
    pub headers: Vec<HeaderView>,
}

/// A header in words.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct HeaderView {
    /// `IPv4 10.0.0.11 > 10.0.0.12`.
    pub header: String,
    /// `TTL 64, TOS 0x00, DF, 114 bytes`; empty when there is no more to say.
    pub detail: String,
}

/// A step of the decision.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct StepView {
    /// `arrive`, `learn`, `look up`, `forward`, `flood`, `host` or `drop`.
    pub step: String,
    /// What happens, in a sentence or two.
    pub text: String,
}

/// A place that frames come from and go to.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct SpotView {
    /// The place as text: `srv1 vlan 10`, `srv1 untagged`, or `10.0.0.12 vxlan`.
    pub place: String,
    /// Port name, for attachments.
    pub port: Option<String>,
    /// `10`, `untagged`, or `300.7`, for attachments.
    pub vlan: Option<String>,
    /// Address, for VTEPs and groups.
    pub vtep: Option<String>,
    /// `vxlan` or `geneve`, for VTEPs and groups.
    pub encap: Option<String>,
}

/// A source MAC.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct SourceView {
    /// The MAC.
    pub mac: String,
    /// `known` (here), `learned` (it would be), `moved` (from `place`, it would be), `held` (elsewhere, and stays), or
    /// `ignored` (nothing is learned).
    pub outcome: String,
    /// Where it is known to be before this frame.
    pub place: Option<SpotView>,
    /// `static`, `controller` or `learned`.
    pub origin: Option<String>,
}

/// A destination MAC.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct DestinationView {
    /// The MAC.
    pub mac: String,
    /// `known`, `unknown` or `group` (broadcast and multicast).
    pub kind: String,
    /// Where it is.
    pub place: Option<SpotView>,
    /// `static`, `controller` or `learned`.
    pub origin: Option<String>,
    /// Seconds since a core last reported its use, for learned MACs.
    pub age: Option<u64>,
}

/// A frame that leaves.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct OutputView {
    /// Name of the port that it leaves through; for the Linux twin, the twin's port.
    pub port: String,
    /// Where it goes; `null` for the Linux twin and for what the gateway itself answers.
    pub to: Option<SpotView>,
    /// The way to a VTEP.
    pub next_hop: Option<ChosenHop>,
    /// Does it fit?
    pub mtu: Option<FitView>,
    /// The frame as it leaves.
    pub frame: FrameView,
}

/// The next hop that was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ChosenHop {
    /// Its MAC.
    pub mac: String,
    /// Its address, when it is a router.
    pub gateway: Option<String>,
    /// Which of the next hops it is, from 1, weights counted.
    pub number: u64,
    /// How many there are, weights counted: the flow of the frame decides.
    pub of: u64,
}

/// A size and its limit.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct FitView {
    /// Bytes that count: of the outer IP packet, or of the payload on a port.
    pub size: u64,
    /// Most that there may be.
    pub limit: u64,
}

/// A drop of the frame or of a copy.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ExplainedDrop {
    /// The reason's label.
    pub reason: String,
    /// What happened.
    pub meaning: String,
    /// What to do.
    pub cure: String,
    /// What in particular, where more can be said.
    pub hint: Option<String>,
    /// Where it was on the way to.
    pub to: Option<SpotView>,
}
