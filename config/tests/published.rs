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

/// Every kind of mapping of the file, each with a key that nobody knows.
const ALL_MAPPINGS: &str = "
qqqqqq: 0
version: 1
workers: {qqqqqq: 0, idle: {qqqqqq: 0, sleep: 1}}
memory: {qqqqqq: 0}
vtep: {qqqqqq: 0}
api: {qqqqqq: 0}
reload: {qqqqqq: 0}
state: {qqqqqq: 0}
fdb: {qqqqqq: 0}
ports:
  - qqqqqq: 0
    name: up0
    device: net_null0
    descriptors: {qqqqqq: 0}
    underlay: {qqqqqq: 0, via: {qqqqqq: 0}}
    vlans: [{qqqqqq: 0}]
access_lists:
  - qqqqqq: 0
    rules: [{qqqqqq: 0}]
vnis:
  - qqqqqq: 0
    vni: 1
    flood: {qqqqqq: 0, vteps: [{qqqqqq: 0}]}
    learning: {qqqqqq: 0}
    static: [{qqqqqq: 0}]
    neighbours: [{qqqqqq: 0}]
    path_mtu: {qqqqqq: 0}
    checksum: {qqqqqq: 0}
    options: [{qqqqqq: 0}]
control: {qqqqqq: 0, ovsdb: {qqqqqq: 0, database: embedded, tls: {qqqqqq: 0}}, evpn: {qqqqqq: 0}}
metrics: {qqqqqq: 0}
control: {qqqqqq: 0, ovsdb: {qqqqqq: 0, database: embedded, tls: {qqqqqq: 0}}}
";

/// What the checks read and what the schema and the reference promise are the same keys.
#[test]
fn checks_know_the_keys_of_the_schema() {
    let problems = config::parse("all.yaml", ALL_MAPPINGS).expect_err("nobody knows that key");
    let known = problems.iter().filter_map(|problem| {
        let path = problem.path.strip_suffix("qqqqqq")?.trim_end_matches('.').replace("[0]", "[]");
        let mut keys: Vec<_> = problem.cure.strip_prefix("known here: ")?.split(", ").map(str::to_owned).collect();
        keys.sort();
        Some((path, keys))
    });
    let mut known: Vec<_> = known.collect();
    known.sort();
    let mut promised = Vec::new();
    mappings(&config::schema(), String::new(), &mut promised);
    promised.sort();
    assert_eq!(known, promised);
}

/// The keys of every mapping in a schema, by path.
fn mappings(schema: &serde_json::Value, path: String, found: &mut Vec<(String, Vec<String>)>) {
    if let Some(properties) = schema["properties"].as_object() {
        let mut keys: Vec<_> = properties.keys().cloned().collect();
        keys.sort();
        found.push((path.clone(), keys));
        for (key, schema) in properties {
            let dot = if path.is_empty() { "" } else { "." };
            mappings(schema, format!("{path}{dot}{key}"), found);
        }
    }
    for choice in schema["anyOf"].as_array().into_iter().flatten() {
        mappings(choice, path.clone(), found);
    }
    if schema["items"].is_object() {
        mappings(&schema["items"], format!("{path}[]"), found);
    }
}
