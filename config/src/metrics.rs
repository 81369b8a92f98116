//! Who may read the gateway's metrics.

use std::net::SocketAddr;

/// The HTTP page of metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// Where it is; `None` is nowhere.
    pub listen: Option<SocketAddr>,
    /// Most ports, VLANs of ports, VNIs and VTEPs, of each kind, that have series of their own.
    pub limit: u32,
}

impl Default for Metrics {
    /// No page.
    fn default() -> Self {
        Self { listen: None, limit: crate::defaults::METRICS_LIMIT }
    }
}
