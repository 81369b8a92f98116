//! What the gateway tells about itself and what it can be asked to do: a Unix socket on which one line of JSON asks.
//!
//! ```text
//! > {"show":"fdb","vni":"10010","limit":100}
//! < {"ok":[{"vni":"10010","mac":"02:00:00:00:00:05","place":"10.0.0.12 vxlan",…}]}
//! > {"show":"drops","text":true}
//! < {"ok":"unknown-vlan: 12 frames (srv1 12)\n …"}
//! > {"show":"weather"}
//! < {"error":"not a request: unknown variant `weather`, expected one of …"}
//! > {"do":"fdb-flush","vni":"10010"}
//! < {"ok":{"forgotten":3}}
//! > {"show":"ports","every_ms":1000}
//! < {"ok":…}                           and again every second, until the client closes the connection
//! > {"follow":"trace","port":"srv1","count":10}
//! < {"ok":…}                           a line an event; the last is {"end":"why"}
//! > {"do":"plan","file":"gw.yaml","bytes":1234}
//! > …                                  1,234 bytes of YAML
//! < {"ok":{"changes":[…],"needs_restart":[],"warnings":[]}}
//! ```
//!
//! One request is answered with one line, and the next may follow on the same connection; one that is shown again and
//! again (`every_ms`) or followed goes on until the client closes. A client that reads too slowly misses lines of what it
//! follows, and is told; it holds a bounded number of them. The socket knows nothing of the gateway: whoever opens a
//! [`Server`] gives it an [`Answer`]. Nothing in here is ever on the path of a packet.

mod client;
pub mod explain;
mod guest;
mod lines;
pub mod metrics;
pub mod reference;
pub mod render;
mod request;
mod serve;
mod server;
pub mod table;
mod workers;

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use client::{Line, ask, follow};
pub use lines::{Lines, Missed};
pub use request::{
    Act, DropFilter, ExplainAsk, FDB_PAGE, FdbFilter, FdbPlace, Follow, PortFilter, Request, Show, TraceAsk, Verb,
    VniFilter, VtepFilter,
};
pub use server::{Access, Answer, Server};

/// The answer, one line on the socket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Reply {
    Ok(serde_json::Value),
    Error(String),
    /// So many lines of what is followed were lost, because the client read too slowly.
    Missed(u64),
    /// What was followed has come to its end.
    End(String),
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
