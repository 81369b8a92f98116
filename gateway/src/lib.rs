//! Causeway's gateway: from a frame on a port to a frame in a tunnel and back.
#![deny(unsafe_code)]

pub mod driver;
pub mod frame;
pub mod verdict;
