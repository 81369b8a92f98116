//! The section `metrics`.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::defaults;

/// Metrics for Prometheus.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Address and port of `http://…/metrics`, such as `127.0.0.1:9860`; without it there is no page. Who reaches it may
    /// read names, addresses and counters, so keep it on the loopback or on a management network.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub listen: Option<SocketAddr>,
    /// Most ports, VLANs of ports, VNIs and VTEPs, of each kind, that have series of their own: the first in the order of
    /// `causeway show`. `causeway_metrics_left_out` counts the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000), extend("default" = defaults::METRICS_LIMIT))]
    pub limit: Option<u32>,
}
