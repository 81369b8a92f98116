//! The reference page of the JSON that commands print, made from the types (`control::view`).

use std::collections::BTreeMap;
use std::fmt::Write;

use schemars::{JsonSchema, schema_for};
use serde_json::Value;

use crate::control::explain::view::ExplainView;
use crate::control::view::{
    ControllerView, DeviceView, DropView, FdbView, HealthView, HopView, NeighbourView, PortView, RuleView, ShotView,
    VersionView, VniView, VtepView, WorkerView,
};

const INTRODUCTION: &str = "\
# What commands print as JSON

<!-- Made from the types (gateway/src/control/view.rs and below); do not edit. To make it anew:
     CAUSEWAY_PUBLISH=1 cargo test -p causeway-gateway --no-default-features --lib reference -->

`--json` prints JSON for scripts; with `--watch` one line each time. Fields are added, never renamed or removed: leave
alone what you do not know. What is not there is `null`. MACs are written `02:00:00:00:00:05`; frames and bytes count the
Ethernet header and not the FCS. The socket answers the same (`{\"show\":\"ports\"}` and a newline), behind `{\"ok\":`.

`causeway show config --json` has the shape of the configuration file: see its [reference](../config/REFERENCE.md).
";

/// The page.
pub fn reference() -> String {
    let mut page = Page { text: INTRODUCTION.to_owned(), types: BTreeMap::new() };
    page.command::<PortView>("show ports", true);
    page.command::<VniView>("show vnis", true);
    page.command::<VtepView>("show vteps", true);
    page.command::<FdbView>("show fdb", true);
    page.command::<DropView>("show drops", true);
    page.command::<WorkerView>("show workers", true);
    page.command::<NeighbourView>("show neighbours", true);
    page.command::<RuleView>("show rules", true);
    page.command::<ControllerView>("show controllers", true);
    page.command::<DeviceView>("show links", true);
    page.command::<HopView>("show next-hops", true);
    page.command::<HealthView>("show health", false);
    page.command::<VersionView>("show version", false);
    page.command::<ExplainView>("explain", false);
    page.command::<ShotView>("trace", false);
    page.finish()
}

struct Page {
    text: String,
    /// What commands print within what they print, by name.
    types: BTreeMap<String, Value>,
}

impl Page {
    fn command<T: JsonSchema>(&mut self, command: &str, list: bool) {
        let schema = schema_for!(T).to_value();
        for (name, inner) in schema["$defs"].as_object().into_iter().flatten() {
            self.types.insert(name.clone(), inner.clone());
        }
        let shape = match (list, command) {
            (true, _) => "A list; each entry has",
            (false, "trace") => "A line for each frame, which has",
            (false, _) => "An object, which has",
        };
        _ = write!(self.text, "\n## `causeway {command} --json`\n\n{shape}\n");
        self.table(&schema);
    }

    fn table(&mut self, schema: &Value) {
        self.text.push_str("\n| Field | Value | Meaning |\n|---|---|---|\n");
        for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
            let meaning = schema["description"].as_str().unwrap_or_default().replace('\n', " ").replace('|', "\\|");
            _ = writeln!(self.text, "| `{field}` | {} | {meaning} |", kind(schema));
        }
    }

    fn finish(mut self) -> String {
        self.text.push_str("\n# Within these\n");
        for (name, schema) in std::mem::take(&mut self.types) {
            let text = schema["description"].as_str().unwrap_or_default();
            _ = write!(self.text, "\n## {name}\n\n{text}\n");
            self.table(&schema);
        }
        self.text
    }
}

/// What a value looks like, in words.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    if let Some(all) = schema["allOf"].as_array() {
        return all.iter().map(kind).collect::<Vec<_>>().join(" and ");
    }
    match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).map(word).collect::<Vec<_>>().join(" or "),
        Value::String(name) if name == "array" => format!("list of {}", kind(&schema["items"])),
        Value::String(name) => word(name),
        _ => "anything".into(),
    }
}

fn word(name: &str) -> String {
    match name {
        "integer" => "whole number",
        "number" => "number",
        "boolean" => "`true`, `false`",
        "string" => "text",
        "null" => "`null`",
        other => other,
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_reference_is_that_of_the_types() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/json.md");
        let page = reference();
        if std::env::var_os("CAUSEWAY_PUBLISH").is_some() {
            std::fs::write(path, &page).expect("the page can be written");
        }
        let published = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            published == page,
            "docs/json.md is stale: CAUSEWAY_PUBLISH=1 cargo test -p causeway-gateway --no-default-features --lib reference"
        );
        assert!(!page.contains("anything") && !page.contains("| object |"), "every type is told");
    }
}
