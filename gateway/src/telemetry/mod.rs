//! What the gateway tells about itself: a Unix socket on which one line of JSON asks and one line answers.
//!
//! ```text
//! > {"show":"fdb","vni":"10010","limit":100}
//! < {"ok":[{"vni":"10010","mac":"02:00:00:00:00:05","place":"10.0.0.12 vxlan",…}]}
//! > {"show":"drops","text":true}
//! < {"ok":"unknown-vlan: 12 frames (srv1 12)\n …"}
//! > {"show":"weather"}
//! < {"error":"unknown variant `weather`, expected one of …"}
//! ```
//!
//! The socket knows nothing of the gateway: whoever opens a [`Server`] says how a [`Request`] is answered. Nothing in
//! here is ever on the path of a packet.

mod client;
pub mod render;
mod server;
pub mod table;

use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use client::ask;
pub use server::Server;

/// A question, one line on the socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// What to show.
    #[serde(flatten)]
    pub show: Show,
    /// Answer with a table for people instead of values.
    #[serde(default, skip_serializing_if = "is_false")]
    pub text: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// What can be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "show", rename_all = "lowercase")]
pub enum Show {
    /// Ports and their counters.
    Ports,
    /// Segments.
    Vnis,
    /// Remote tunnel ends and their next hops.
    Vteps,
    /// MACs.
    Fdb(FdbFilter),
    /// Dropped frames by reason.
    Drops,
    /// Worker cores.
    Workers,
}

/// Which MACs to show: all that fit every given field.
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
    /// At most so many rows; the answer tells how many fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

/// The answer, one line on the socket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Reply {
    Ok(serde_json::Value),
    Error(String),
}

/// Where a gateway answers when nobody says otherwise: `/run/causeway.sock`, or without root the user's own runtime
/// directory.
pub fn default_socket() -> PathBuf {
    let root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(own) if !root && !own.is_empty() => PathBuf::from(own).join("causeway.sock"),
        _ => PathBuf::from("/run/causeway.sock"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_as_it_is_written() {
        let line = r#"{"show":"fdb","vni":"10010","limit":100}"#;
        let request: Request = serde_json::from_str(line).expect("a request");
        let filter = FdbFilter { vni: Some("10010".into()), limit: Some(100), ..FdbFilter::default() };
        assert_eq!(request, Request { show: Show::Fdb(filter), text: false });
        assert_eq!(serde_json::to_string(&request).expect("JSON"), line);
        let line = r#"{"show":"ports","text":true}"#;
        let request: Request = serde_json::from_str(line).expect("a request");
        assert_eq!(serde_json::to_string(&request).expect("JSON"), line);
    }
}
