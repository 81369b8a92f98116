//! The section `metrics`.

use std::net::SocketAddr;

use crate::document::At;
use crate::reader::{Reader, excerpt};
use crate::scalar::Checked;
use crate::types::Metrics;

pub(super) fn read(reader: &Reader, at: Option<At>) -> Metrics {
    let mut metrics = Metrics::default();
    let Some(fields) = at.and_then(|at| reader.fields(at)) else { return metrics };
    metrics.listen = fields.read("listen", socket).map(|(address, _)| address);
    metrics.limit = fields.int("limit", "a limit", 1..=1_000_000).unwrap_or(metrics.limit);
    fields.done();
    metrics
}

/// An address with a port.
fn socket(text: &str) -> Checked<SocketAddr> {
    let rule = match text.parse::<SocketAddr>() {
        Ok(address) if address.port() != 0 => return Ok(address),
        Ok(address) => format!("{address} has no port number"),
        Err(_) => format!("'{}' is not an address with a port", excerpt(text)),
    };
    Err((rule, "write one like 127.0.0.1:9860 or \"[::1]:9860\"; 0.0.0.0 and [::] are all of this host".into()))
}
