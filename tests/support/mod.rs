//! What the tests over devices in memory share. Nothing in here uses the gateway's own wire code: frames are built, read
//! and checked a second time, plainly, so that a mistake in one is seen by the other.
// Each test binary takes its part.
#![allow(dead_code, missing_docs)]

pub mod build;
pub mod golden;
pub mod hex;
pub mod notation;
pub mod outer;
pub mod site;
pub mod world;
