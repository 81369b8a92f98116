//! What can be asked for on the socket: something to *show*, something to *do*, or something to *follow*.

use std::net::IpAddr;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::control::MacOrigin;

/// One line on the socket: `{"show":"fdb","vni":"10010","text":true}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is asked for.
    pub verb: Verb,
    /// Answer with text for people instead of values.
    pub text: bool,
    /// Show it again and again, with so many milliseconds in between, until the client goes.
    pub every_ms: Option<u32>,
    /// Text that belongs to it (a configuration file). It follows the line, which says how many `bytes` it has.
    pub body: String,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `{"show":…}`: one answer, nothing changes.
    Show(Show),
    /// `{"do":…}`: something changes; one answer.
    Act(Act),
    /// `{"follow":…}`: one line an event, until the client goes.
    Follow(Follow),
}

/// What can be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "show", rename_all = "lowercase")]
pub enum Show {
    /// Ports and their counters.
    Ports(PortFilter),
    /// Segments.
    Vnis(VniFilter),
    /// Remote tunnel ends and their next hops.
    Vteps(VtepFilter),
    /// MACs.
    Fdb(FdbFilter),
    /// Dropped frames by reason.
    Drops(DropFilter),
    /// Devices of ports.
    Links,
    /// Neighbours in the underlay.
    #[serde(rename = "next-hops")]
    NextHops,
    /// The configuration in force, every default written out.
    Config,
    /// What is not as it should be.
    Health,
    /// Which gateway this is.
    Version,
    /// Worker cores.
    Workers,
    /// The counters that rates are made of, from one moment.
    Top {
        /// At most so many ports, VNIs and VTEPs of each kind.
        limit: usize,
    },
    /// Controllers and what they have in force.
    Controllers,
    /// Who has which IP address, for ARP and neighbour suppression.
    Neighbours(VniFilter),
    /// Access lists: rules and their hits.
    Rules,
    /// What becomes of a frame. Its bytes, as hexadecimal digits, may follow as the body.
    Explain(ExplainAsk),
}

/// Which ports to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PortFilter {
    /// The one of this name, in full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
}

/// Which segments, or whose addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VniFilter {
    /// The segment of this name, or with this number in either encapsulation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vni: Option<String>,
}

/// Which VTEPs to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VtepFilter {
    /// The one with this address, in full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vtep: Option<IpAddr>,
}

/// Which drops to show: all that fit every given field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DropFilter {
    /// For the reason of this label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// On the port of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// In the segment of this name, or with this number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vni: Option<String>,
    /// From or to the VTEP with this address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vtep: Option<IpAddr>,
    /// So many of the frames dropped last, for each reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<usize>,
}

/// Which frame to explain: the one in the body, or one that is made of the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExplainAsk {
    /// Name of the port that it comes in at.
    pub port: String,
    /// Its tag: `10`, `untagged`, or `300.7`; by default the port's only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vlan: Option<String>,
    /// Destination MAC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst: Option<String>,
    /// Source MAC; by default one that is known there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src: Option<String>,
    /// Bytes behind the Ethernet header and its tags; by default the least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<usize>,
}

/// Which frames to trace: all that fit every given field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TraceAsk {
    /// They come in or leave through the port of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// They belong to the segment of this name, or with this number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vni: Option<String>,
    /// They are from or to this MAC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// Only dropped ones, for the reason of this label, or `any`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop: Option<String>,
    /// End after so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// At most so many a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// At most so many bytes of each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snap: Option<usize>,
}

/// What can be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Act {
    /// Say what the configuration in the body would change.
    Plan {
        /// Its name, for messages.
        file: String,
    },
    /// Put the configuration in the body in force.
    Apply {
        /// Its name, for messages.
        file: String,
        /// Go back to the one before after so many seconds, unless it is confirmed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        confirm_s: Option<u32>,
    },
    /// Read the gateway's own file again and put it in force.
    Reload,
    /// Keep what was applied.
    Confirm,
    /// Go back to the configuration before.
    Rollback,
    /// Put a MAC at a place, as a static entry.
    FdbAdd(FdbPlace),
    /// Take a MAC away: one that was put by hand, or a learned one.
    FdbDel {
        /// Name or number of the segment.
        vni: String,
        /// The MAC.
        mac: String,
    },
    /// Forget learned MACs.
    FdbFlush(FdbFilter),
    /// Show counters from zero.
    CountersClear,
    /// Log from this level up (`info`, or `info,dpdk=debug`).
    LogLevel {
        /// As RUST_LOG has it.
        level: String,
    },
}

/// Where a MAC is to be: behind a VTEP, or on a port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FdbPlace {
    /// Name or number of the segment.
    pub vni: String,
    /// The MAC.
    pub mac: String,
    /// On the port of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// With these tags: `10`, `untagged`, `300.7`; needed where the port has several in the segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<String>,
    /// Behind this VTEP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vtep: Option<IpAddr>,
    /// `vxlan` or `geneve`; by default the segment's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encap: Option<String>,
}

/// What can be followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "follow", rename_all = "kebab-case")]
pub enum Follow {
    /// Frames that pass.
    Trace(TraceAsk),
}

/// Most MACs in one answer. Who wants more asks again for those [`FdbFilter::after`] the last, until a page has fewer: so no
/// question holds the gateway's control up.
pub const FDB_PAGE: usize = 10_000;

/// Which MACs: all that fit every given field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FdbFilter {
    /// In the segment of this name, or with this number in either encapsulation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vni: Option<String>,
    /// Behind the port of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// Behind the VTEP with this address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vtep: Option<IpAddr>,
    /// Of this MAC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// Whose MAC begins so, as it is printed (`02:00:5`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub begins: Option<String>,
    /// Of this origin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<MacOrigin>,
    /// Only how many they are, in place of the rows.
    #[serde(skip_serializing_if = "is_false")]
    pub count: bool,
    /// At most so many rows, and never more than [`FDB_PAGE`] in one answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Only rows behind this one, `VNI/MAC` of the last row of the page before: pages of a large table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl Request {
    /// Asks to show something, as values.
    pub fn show(show: Show) -> Self {
        Self { verb: Verb::Show(show), text: false, every_ms: None, body: String::new() }
    }

    /// Asks to do something.
    pub fn act(act: Act) -> Self {
        Self { verb: Verb::Act(act), text: false, every_ms: None, body: String::new() }
    }

    /// Asks to follow something.
    pub fn follow(follow: Follow) -> Self {
        Self { verb: Verb::Follow(follow), text: false, every_ms: None, body: String::new() }
    }

    /// The same with text for people as the answer, or not.
    pub fn text(self, text: bool) -> Self {
        Self { text, ..self }
    }

    /// True when a text belongs to what is asked for.
    pub(super) fn takes_body(&self) -> bool {
        matches!(self.verb, Verb::Act(Act::Plan { .. } | Act::Apply { .. }) | Verb::Show(Show::Explain(_)))
    }
}

/// The fields that every request may have.
#[derive(Serialize, Deserialize)]
struct Manner {
    #[serde(default, skip_serializing_if = "is_false")]
    text: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    every_ms: Option<u32>,
    /// Length of the body that follows.
    #[serde(default, skip_serializing_if = "is_zero")]
    bytes: u64,
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl Request {
    /// The request that a line makes, and the length of the body that follows.
    pub(super) fn read(line: &[u8]) -> Result<(Self, u64), String> {
        let request = |value: &Value| Ok((read(value)?, read::<Manner, serde_json::Error>(value)?.bytes));
        let parsed = serde_json::from_slice(line).and_then(|value: Value| request(&value));
        parsed.map_err(|error| format!("not a request: {error}"))
    }
}

impl Serialize for Request {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Line<'a, V> {
            #[serde(flatten)]
            verb: &'a V,
            #[serde(flatten)]
            manner: Manner,
        }
        let manner = Manner { text: self.text, every_ms: self.every_ms, bytes: self.body.len() as u64 };
        match &self.verb {
            Verb::Show(verb) => Line { verb, manner }.serialize(serializer),
            Verb::Act(verb) => Line { verb, manner }.serialize(serializer),
            Verb::Follow(verb) => Line { verb, manner }.serialize(serializer),
        }
    }
}

/// By hand, so that a wrong request hears which word was wrong, not that "no variant fits".
impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = Map::deserialize(deserializer)?;
        let given = ["show", "do", "follow"].map(|kind| fields.contains_key(kind));
        let line = Value::Object(fields);
        let Manner { text, every_ms, .. } = read(&line)?;
        let verb = match given {
            [true, false, false] => Verb::Show(read(&line)?),
            [false, true, false] => Verb::Act(read(&line)?),
            [false, false, true] => Verb::Follow(read(&line)?),
            _ => return Err(D::Error::custom("give one of the fields `show`, `do` and `follow`")),
        };
        Ok(Self { verb, text, every_ms, body: String::new() })
    }
}

fn read<T: DeserializeOwned, E: Error>(line: &Value) -> Result<T, E> {
    T::deserialize(line).map_err(E::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_as_it_is_written() {
        let filter = FdbFilter { vni: Some("10010".into()), limit: Some(100), ..FdbFilter::default() };
        for (line, request) in [
            (r#"{"show":"fdb","vni":"10010","limit":100}"#, Request::show(Show::Fdb(filter.clone()))),
            (r#"{"show":"ports","text":true}"#, Request::show(Show::Ports(PortFilter::default())).text(true)),
            (
                r#"{"show":"ports","every_ms":500}"#,
                Request { every_ms: Some(500), ..Request::show(Show::Ports(PortFilter::default())) },
            ),
            (r#"{"do":"fdb-flush","vni":"10010","limit":100}"#, Request::act(Act::FdbFlush(filter.clone()))),
        ] {
            assert_eq!(serde_json::from_str::<Request>(line).expect("a request"), request);
            assert_eq!(serde_json::to_string(&request).expect("JSON"), line);
        }
    }

    #[test]
    fn a_wrong_request_hears_which_word_is_wrong() {
        let refusal = |line: &str| serde_json::from_str::<Request>(line).expect_err("wrong").to_string();
        assert!(refusal(r#"{"show":"weather"}"#).contains("unknown variant `weather`"));
        assert!(refusal(r#"{"do":"harm"}"#).contains("unknown variant `harm`"));
        assert!(refusal(r#"{"follow":"me"}"#).contains("unknown variant `me`"));
        assert!(refusal(r#"{"show":"ports","do":"fdb-flush"}"#).contains("one of the fields"));
        assert!(refusal("{}").contains("one of the fields"));
    }
}
