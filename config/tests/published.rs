//! The published schema and reference page are those of the types.
//!
//! `CAUSEWAY_PUBLISH=1 cargo test -p causeway-config --test published` writes them anew.

use std::fs;
use std::path::Path;

fn holds(name: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("CAUSEWAY_PUBLISH").is_some() {
        fs::write(&path, expected).expect("the file can be written");
    }
    let published = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        published == expected,
        "{name} is stale: run CAUSEWAY_PUBLISH=1 cargo test -p causeway-config --test published"
    );
}

#[test]
fn schema_is_that_of_the_types() {
    let schema = serde_json::to_string_pretty(&config::schema()).expect("a schema is JSON");
    holds("schema.json", &(schema + "\n"));
}

#[test]
fn reference_is_that_of_the_types() {
    holds("REFERENCE.md", &config::reference());
}
