//! A load generator: test frames into one side of a gateway, and what comes out of the other one, counted and timed.
//!
//! - [`Scene`] says what the gateway is configured for, and [`Mould`] makes frames of it.
//! - [`Generator`] sends at a rate, takes back, and measures. Like a worker it reads no clock: time is an argument.
//! - [`Search`] looks for the highest rate without loss (RFC 2544 section 26.1).
//!
//! It works on any [`crate::driver::Driver`], so tests run it in memory.

mod frames;
mod generator;
mod neighbours;
mod search;

pub use frames::{Mould, Scene, Side, Stamp};
pub use generator::{Generator, Passed, Trial};
pub use search::Search;
