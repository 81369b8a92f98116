//! Metrics for Prometheus: every family once, in one list (`families`), from which come the page ([`page()`]) and its
//! reference ([`reference()`]), and a small server that shows it ([`Exporter`]).

mod exporter;
mod families;
mod page;
mod reference;

pub use exporter::Exporter;
pub use page::{Format, page};
pub use reference::{drops, reference};

/// The names of all families, as samples have them: what a query may ask for.
pub fn names() -> Vec<String> {
    let mut names = Vec::new();
    families::each(|family| names.extend(family.samples()));
    names
}
