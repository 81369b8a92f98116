//! The reference page: every option with its type, default and meaning, made from the JSON Schema.

use std::fmt::Write;

use serde_json::Value;

const INTRODUCTION: &str = "\
# Configuration reference

<!-- Made from the types of the file (config/src/file.rs); do not edit. To make it anew:
     CAUSEWAY_PUBLISH=1 cargo test -p causeway-config --test published -->

One YAML file configures a gateway. `causeway check FILE` reports everything wrong with it at once. Examples for many
situations are in [`examples/`](examples). Editors complete keys when the file begins with

```yaml
# yaml-language-server: $schema=schema.json
```

given the path to [`schema.json`](schema.json). A key that has no default and is not required is off, or chosen as its
text says. Numbers may be hexadecimal (`0x10`). IPv6 addresses and PCI addresses are best quoted.
";

/// The reference page in Markdown.
pub fn reference() -> String {
    let schema = crate::schema();
    let mut page = INTRODUCTION.to_owned();
    section(&mut page, "", &schema);
    page
}

/// A table of an object's keys, then the sections of the objects below it.
fn section(page: &mut String, path: &str, object: &Value) {
    let title = if path.is_empty() { "The whole file".to_owned() } else { format!("`{path}`") };
    let text = object["description"].as_str().unwrap_or_default();
    let required: Vec<&str> = object["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let rows = "| Key | Value | Default | Meaning |\n|---|---|---|---|";
    _ = write!(page, "\n## {title}\n\n{text}\n\n{rows}\n");
    let properties = || object["properties"].as_object().into_iter().flatten();
    for (key, schema) in properties() {
        let default = match &schema["default"] {
            _ if required.contains(&key.as_str()) => "**required**".to_owned(),
            Value::Null => String::new(),
            default => format!("`{}`", plain(default)),
        };
        let meaning = schema["description"].as_str().unwrap_or_default().replace('|', "\\|");
        _ = writeln!(page, "| `{key}` | {} | {default} | {meaning} |", kind(schema));
    }
    for (key, schema) in properties() {
        let dot = if path.is_empty() { "" } else { "." };
        for (suffix, inner) in objects(schema) {
            section(page, &format!("{path}{dot}{key}{suffix}"), inner);
        }
    }
}

/// The objects that a value can be or hold, with what their path gains.
fn objects(schema: &Value) -> Vec<(String, &Value)> {
    if schema["properties"].is_object() {
        return vec![(String::new(), schema)];
    }
    let within = objects_of_items(&schema["items"]);
    let choices = schema["anyOf"].as_array().into_iter().flatten().flat_map(objects);
    within.into_iter().chain(choices).collect()
}

fn objects_of_items(items: &Value) -> Vec<(String, &Value)> {
    if items.is_null() {
        return Vec::new();
    }
    objects(items).into_iter().map(|(suffix, object)| (format!("[]{suffix}"), object)).collect()
}

/// What a value looks like, in words.
fn kind(schema: &Value) -> String {
    if let Some(choices) = schema["anyOf"].as_array() {
        return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(|word| format!("`{}`", plain(word))).collect::<Vec<_>>().join(", ");
    }
    if !schema["const"].is_null() {
        return format!("`{}`", plain(&schema["const"]));
    }
    match schema["type"].as_str() {
        Some("integer") => range(schema),
        Some("boolean") => "`true`, `false`".to_owned(),
        Some("array") if schema["prefixItems"].is_array() => "two numbers, 1 to 65535".to_owned(),
        Some("array") => format!("list of {}", plural(&schema["items"])),
        Some("object") => "keys below".to_owned(),
        Some("string") if schema["format"] == "ip" => "IP address".to_owned(),
        _ => "text".to_owned(),
    }
}

fn plural(items: &Value) -> String {
    match kind(items).as_str() {
        "keys below" => "entries, keys below".to_owned(),
        "IP address" => "IP addresses".to_owned(),
        other => other.to_owned(),
    }
}

fn range(schema: &Value) -> String {
    let low = schema["minimum"].as_u64().unwrap_or(0);
    match schema["maximum"].as_u64() {
        Some(high) => format!("number, {low} to {high}"),
        None => format!("number from {low}"),
    }
}

/// A JSON value as one would write it in YAML.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}
