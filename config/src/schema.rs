//! The published JSON Schema of the file, from the types of [`crate::file`].

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use serde_json::Value;

use crate::file::File;

/// The JSON Schema (draft 2020-12) of the configuration file, for editors.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<File>();
    RecursiveTransform(plain).transform(&mut schema);
    schema.insert("title".into(), "Causeway configuration".into());
    schema.to_value()
}

/// An enum of documented words as a plain list of words: what they mean stands at the key.
pub(crate) fn words(schema: &mut Schema) {
    let Some(Value::Array(choices)) = schema.remove("oneOf") else { return };
    let words = choices.into_iter().filter_map(|mut choice| choice.get_mut("const").map(Value::take)).collect();
    schema.insert("type".into(), "string".into());
    schema.insert("enum".into(), Value::Array(words));
}

/// Without what the file does not know: `null`, and the widths of Rust's integers.
fn plain(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(bits) = object.get("format").and_then(Value::as_str).and_then(|name| name.strip_prefix("uint")) {
        let most = bits.parse().map_or(u64::MAX, |bits: u32| u64::MAX >> (64 - bits.clamp(1, 64)));
        object.entry("maximum").or_insert(most.into());
    }
    if object.get("format").is_some_and(|format| format.as_str().is_some_and(|name| name.starts_with("uint"))) {
        object.remove("format");
    }
    if let Some(Value::String(text)) = object.get_mut("description") {
        *text = text.replace('\n', " ");
    }
    if object.get("default").is_some_and(Value::is_null) {
        object.remove("default");
    }
    if let Some(Value::Array(kinds)) = object.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [only] = &kinds[..] {
            let only = only.clone();
            object.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(words)) = object.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
        if let [only] = &mut choices[..] {
            let only = only.take();
            object.remove("anyOf");
            for (key, value) in only.as_object().into_iter().flatten() {
                object.entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
    }
}
