//! Every rule has a message of its own, with its place and the cure.

#[test]
fn minimal_example_loads() {
    let loaded = config::load("examples/minimal.yaml").unwrap_or_else(|problems| panic!("{problems}"));
    assert!(loaded.warnings.is_empty());
}
