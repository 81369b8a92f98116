//! What the benches share: jobs, gateways that do them, frames, clocks, and the way of measuring.
#![allow(dead_code)] // Each bench is a program of its own and uses its part.

pub mod case;
pub mod clock;
pub mod flags;
pub mod floods;
pub mod job;
#[cfg(feature = "dpdk")]
pub mod mbufs;
pub mod rounds;
pub mod site;
pub mod turns;
