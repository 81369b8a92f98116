//! The examples load, say the same through serde, and survive being written out.

use std::fs;
use std::path::PathBuf;

fn examples() -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut examples: Vec<_> = fs::read_dir(folder)
        .expect("examples/ is there")
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).expect("it can be read")))
        .collect();
    examples.sort();
    assert!(examples.len() >= 8, "examples are missing");
    examples
}

fn model(name: &str, text: &str) -> config::types::Model {
    config::parse(name, text).unwrap_or_else(|problems| panic!("{problems}")).model
}

#[test]
fn examples_load_without_warnings() {
    for (name, text) in examples() {
        let loaded = config::load(&name).unwrap_or_else(|problems| panic!("{problems}"));
        let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
        assert!(warnings.is_empty(), "{}", warnings.join("\n"));
        assert_eq!(loaded.model, model(&name, &text));
    }
}

#[test]
fn serde_reads_the_same_file() {
    for (name, text) in examples() {
        let file: config::file::File = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let again = serde_yaml::to_string(&file).expect("it can be written");
        assert_eq!(model(&name, &again), model(&name, &text), "{name} written by serde:\n{again}");
    }
}

#[test]
fn a_model_written_out_is_the_same_model() {
    for (name, text) in examples() {
        let model = model(&name, &text);
        let written = config::render(&model);
        let again = config::parse(&name, &written).unwrap_or_else(|problems| panic!("{problems}\n{written}"));
        assert_eq!(again.model, model, "{written}");
        assert!(again.warnings.is_empty());
    }
}

/// The schema promises defaults; a file that leaves everything out gets just those.
#[test]
fn defaults_are_those_of_the_schema() {
    let (name, text) = examples().into_iter().find(|(name, _)| name.ends_with("minimal.yaml")).expect("it is there");
    let file = serde_json::to_value(config::to_file(&model(&name, &text))).expect("it can be written");
    let schema = config::schema();
    let mut compared = 0;
    compare(&schema, &file, "", &mut compared);
    assert!(compared >= 25, "only {compared} defaults were compared");
}

fn compare(schema: &serde_json::Value, value: &serde_json::Value, path: &str, compared: &mut usize) {
    if let (Some(default), false) = (schema.get("default"), value.is_null()) {
        assert_eq!(value, default, "{path}");
        *compared += 1;
    }
    for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
        // Not the default of a key but a choice of the example.
        if key != "vlan" {
            compare(schema, &value[key], &format!("{path}.{key}"), compared);
        }
    }
    for item in value.as_array().into_iter().flatten() {
        compare(&schema["items"], item, &format!("{path}[]"), compared);
    }
}
