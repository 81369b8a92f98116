//! Causeway's gateway: from a frame on a port to a frame in a tunnel and back.
#![deny(unsafe_code)]

pub mod control;
pub mod counters;
pub mod driver;
pub mod frame;
pub mod link;
mod prefetch;
pub mod tables;
pub mod verdict;
pub mod wire;
