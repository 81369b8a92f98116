//! Causeway's gateway: from a frame on a port to a frame in a tunnel and back.
#![doc = include_str!("../ARCHITECTURE.md")]
#![deny(unsafe_code)]

pub mod batch;
pub mod control;
pub mod costs;
pub mod counters;
pub mod decode;
#[cfg(feature = "dpdk")]
#[allow(unsafe_code)]
pub mod dpdk;
pub mod driver;
pub mod frame;
pub mod link;
pub mod load;
pub mod notes;
mod pages;
pub mod pipeline;
mod prefetch;
pub mod rights;
pub mod say;
pub mod shard;
pub mod sim;
pub mod source;
pub mod tables;
pub mod tap;
pub mod telemetry;
pub mod verdict;
pub mod wire;
pub mod worker;
