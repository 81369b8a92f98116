//! What the benches share: jobs, gateways that do them, frames and clocks.
#![allow(dead_code)] // Each bench is a program of its own and uses its part.

pub mod case;
pub mod clock;
pub mod job;
pub mod site;
