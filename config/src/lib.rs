//! Causeway's configuration: one YAML file, checked into a [`types::Model`] that cannot be wrong.

pub mod types;
