//! Wire formats: one protocol, one file. Views are total: they take any bytes and never panic.

pub mod checksum;
