//! What is different between two configurations, in the words of the file.
//!
//! Both are written out with all their defaults and compared key by key, so an option that is added to the file is known
//! here as well. Items of lists are told apart by what names them (a port's name, a VNI's number, a VLAN, a MAC), not by
//! their place in the list.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::types::{Flood, Model, Place, Segment};

/// One thing that is different.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Its place, like `vnis[10010].flood.vteps` or `ports[srv1].vlans[10]`.
    pub path: String,
    /// What is there before; without it the thing is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// What is there afterwards; without it the thing is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
    /// Of a list: what comes to it. (Then there is neither `from` nor `to`.)
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<Value>,
    /// Of a list: what goes from it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<Value>,
}

/// Everything that is different, in the order of the file.
pub fn differences(old: &Model, new: &Model) -> Vec<Difference> {
    if old == new {
        return Vec::new();
    }
    let (old_differ, new_differ) = differing(old, new);
    let file = |model: &Model, differ: &[bool]| {
        let file = crate::render::file_with(model, |segment| differ[segment]);
        serde_json::to_value(file).unwrap_or_default()
    };
    let (old, new) = (file(old, &old_differ), file(new, &new_differ));
    let mut found = Vec::new();
    walk("", Some(&old), Some(&new), &mut found);
    found
}

/// Which segments of each need be written out to be compared: there may be thousands, and most are the same.
fn differing(old: &Model, new: &Model) -> (Vec<bool>, Vec<bool>) {
    let number = |segment: &Segment| (segment.encap, segment.vxlan, segment.geneve);
    let by_number: HashMap<_, _> = old.segments.iter().enumerate().map(|(at, one)| (number(one), at)).collect();
    let same_numbers = (&old.ports, &old.access_lists) == (&new.ports, &new.access_lists);
    let (mut old_differ, mut new_differ) = (vec![true; old.segments.len()], vec![true; new.segments.len()]);
    for (at, segment) in new.segments.iter().enumerate() {
        let Some(&before) = by_number.get(&number(segment)) else { continue };
        if old.segments[before] == *segment && (same_numbers || !has_numbers(segment)) {
            (old_differ[before], new_differ[at]) = (false, false);
        }
    }
    (old_differ, new_differ)
}

/// True when a segment names ports, VLANs of ports or access lists, which it does by their numbers.
fn has_numbers(segment: &Segment) -> bool {
    segment.access_list.is_some()
        || matches!(segment.flood, Flood::Group { .. })
        || segment.statics.iter().any(|entry| matches!(entry.place, Place::Port { .. }))
}

fn walk(path: &str, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<Difference>) {
    match (old, new) {
        (old, new) if old == new => {}
        (Some(Value::Object(old)), Some(Value::Object(new))) => objects(path, old, new, found),
        (Some(Value::Array(old)), Some(Value::Array(new))) => lists(path, old, new, found),
        // A list that is empty before or afterwards may be left out of the file.
        (None, Some(Value::Array(new))) => lists(path, &[], new, found),
        (Some(Value::Array(old)), None) => lists(path, old, &[], found),
        (from, to) => found.push(Difference::of(path, from.cloned(), to.cloned())),
    }
}

fn objects(path: &str, old: &Map<String, Value>, new: &Map<String, Value>, found: &mut Vec<Difference>) {
    let more = new.keys().filter(|key| !old.contains_key(*key));
    for key in old.keys().chain(more) {
        let dot = if path.is_empty() { "" } else { "." };
        walk(&format!("{path}{dot}{key}"), old.get(key), new.get(key), found);
    }
}

fn lists(path: &str, old: &[Value], new: &[Value], found: &mut Vec<Difference>) {
    let list = path.rsplit(['.', ']']).next().unwrap_or_default();
    let (Some(before), Some(after)) = (named(list, old), named(list, new)) else {
        let value = |items: &[Value]| (!items.is_empty()).then(|| Value::Array(items.to_vec()));
        return found.push(Difference::of(path, value(old), value(new)));
    };
    if old.iter().chain(new).all(|item| !item.is_object() || list == "vteps") {
        let only = |these: &[Value], others: &BTreeMap<String, &Value>| -> Vec<Value> {
            these
                .iter()
                .filter(|item| !name(list, item).is_some_and(|name| others.contains_key(&name)))
                .cloned()
                .collect()
        };
        let (add, remove) = (only(new, &before), only(old, &after));
        let mut difference = Difference { add, remove, ..Difference::of(path, None, None) };
        if difference.add.is_empty() && difference.remove.is_empty() {
            // The same in another order.
            (difference.from, difference.to) = (Some(Value::Array(old.to_vec())), Some(Value::Array(new.to_vec())));
        }
        return found.push(difference);
    }
    let names = old.iter().chain(new.iter()).filter_map(|item| name(list, item));
    let mut done = std::collections::BTreeSet::new();
    for name in names.filter(|name| done.insert(name.clone())) {
        walk(&format!("{path}[{name}]"), before.get(&name).copied(), after.get(&name).copied(), found);
    }
}

/// Items by what names them; `None` when there are some without a name, or two with the same: then order matters.
fn named<'a>(list: &str, items: &'a [Value]) -> Option<BTreeMap<String, &'a Value>> {
    let named: BTreeMap<String, &Value> =
        items.iter().map(|item| Some((name(list, item)?, item))).collect::<Option<_>>()?;
    (named.len() == items.len()).then_some(named)
}

/// What names an item of a list.
fn name(list: &str, item: &Value) -> Option<String> {
    let field = |key: &str| item.get(key).map(plain);
    if !item.is_object() {
        return Some(plain(item));
    }
    match list {
        "vnis" => {
            let number = field("vni")?;
            Some(if item["encap"] == "geneve" { format!("{number} geneve") } else { number })
        }
        "vlans" => field("vlan").or_else(|| Some(format!("{}.{}", field("outer")?, field("inner")?))),
        "vteps" => Some(format!("{} {}", field("vtep")?, field("encap").unwrap_or_default())),
        "static" => field("mac"),
        "ports" | "managers" | "access_lists" => field("name"),
        "neighbours" => field("ip"),
        _ => None,
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Difference {
    fn of(path: &str, from: Option<Value>, to: Option<Value>) -> Self {
        Self { path: path.to_owned(), from, to, add: Vec::new(), remove: Vec::new() }
    }

    /// True when this is `part`, or in it, or holds it.
    pub fn touches(&self, part: &str) -> bool {
        let within = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        within(&self.path, part) || within(part, &self.path)
    }
}

/// Items of a list that are shown.
const SHOWN: usize = 8;

/// `+ vnis[10030]`, `- ports[srv1].vlans[10]: vni 10010`, `~ vtep.host_rate: 1000 -> 2000`,
/// `~ vnis[10010].flood.vteps: add 10.0.0.14`.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match (&self.from, &self.to) {
            (None, Some(_)) => '+',
            (Some(_), None) => '-',
            _ => '~',
        };
        write!(f, "{sign} {}", self.path)?;
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => write!(f, ": {} -> {}", brief(from), brief(to)),
            (Some(value), None) | (None, Some(value)) => match brief(value) {
                text if text.is_empty() => Ok(()),
                text => write!(f, ": {text}"),
            },
            (None, None) => {
                let words = [("add", &self.add), ("remove", &self.remove)];
                let parts = words.iter().filter(|(_, items)| !items.is_empty());
                let parts: Vec<_> = parts.map(|(word, items)| format!("{word} {}", some(items))).collect();
                write!(f, ": {}", parts.join("; "))
            }
        }
    }
}

/// The first items of a list, and how many more there are.
fn some(items: &[Value]) -> String {
    let shown: Vec<String> = items.iter().take(SHOWN).map(brief).collect();
    let more = items.len().saturating_sub(SHOWN);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// A value in a few words: of an object only what it is about.
fn brief(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", some(items)),
        Value::Object(fields) => {
            let mut words = Vec::new();
            for key in ["mac", "vtep", "port", "vlan", "vni", "encap", "action"] {
                // A VNI is already named by its path.
                if let Some(value) = fields.get(key).filter(|_| !fields.contains_key("flood")) {
                    words.push(format!("{key} {}", plain(value)));
                }
            }
            words.join(" ")
        }
        value => plain(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFICE: &str = "
version: 1
workers: {cores: [1, 2]}
vtep: {source: 10.0.0.11}
ports:
  - {name: up0, device: net_null0, mtu: 1600, underlay: {addresses: 10.0.0.11/24}}
  - {name: srv1, device: net_null1, vlans: [{vlan: 10, vni: 100}, {vlan: 20, vni: 200}]}
vnis:
  - {vni: 100, flood: {vteps: [10.0.0.12, 10.0.0.13]}, static: [{mac: \"02:00:00:00:00:05\", vtep: 10.0.0.12}]}
  - {vni: 200, flood: {vteps: [10.0.0.13]}}
";

    fn lines(new: &str) -> Vec<String> {
        let model = |text: &str| crate::parse("test.yaml", text).unwrap_or_else(|problems| panic!("{problems}")).model;
        differences(&model(OFFICE), &model(new)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn nothing_is_different_from_itself() {
        assert!(lines(OFFICE).is_empty());
        let reordered =
            OFFICE.replace("{vlan: 10, vni: 100}, {vlan: 20, vni: 200}", "{vlan: 20, vni: 200}, {vlan: 10, vni: 100}");
        assert!(lines(&reordered).is_empty(), "the order of VLANs means nothing");
    }

    #[test]
    fn a_segment_that_names_others_by_number_is_compared_by_what_they_are() {
        let here = "static: [{mac: \"02:00:00:00:00:05\", port: srv1, vlan: 10}]";
        let old = OFFICE.replace("vni: 200}]", "vni: 100}]").replace("- {vni: 200, flood: {vteps: [10.0.0.13]}}", "");
        let old = old.replace("static: [{mac: \"02:00:00:00:00:05\", vtep: 10.0.0.12}]", here);
        let turned = old
            .replace("{vlan: 10, vni: 100}, {vlan: 20, vni: 100}", "{vlan: 20, vni: 100}, {vlan: 10, vni: 100}")
            .replace("port: srv1, vlan: 10", "port: srv1, vlan: 20");
        let model = |text: &str| crate::parse("test.yaml", text).unwrap_or_else(|problems| panic!("{problems}")).model;
        let (old, turned) = (model(&old), model(&turned));
        assert_eq!(old.segments, turned.segments, "by number nothing has changed");
        let found = differences(&old, &turned);
        assert_eq!(
            found.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["~ vnis[100].static[02:00:00:00:00:05].vlan: 10 -> 20"]
        );
    }

    #[test]
    fn it_names_what_comes_what_goes_and_what_changes() {
        let new = OFFICE
            .replace("{vlan: 20, vni: 200}", "{vlan: 20, vni: 100}, {vlan: 30, vni: 300}")
            .replace("[10.0.0.12, 10.0.0.13]", "[10.0.0.13, 10.0.0.14]")
            .replace("static: [{mac: \"02:00:00:00:00:05\", vtep: 10.0.0.12}]", "learning: {limit: 7}")
            .replace("- {vni: 200, flood: {vteps: [10.0.0.13]}}", "- {vni: 300}")
            .replace("cores: [1, 2]", "cores: [1, 3]");
        assert_eq!(
            lines(&new),
            [
                "~ workers.cores: add 3; remove 2",
                "~ ports[srv1].vlans[20].vni: 200 -> 100",
                "+ ports[srv1].vlans[30]: vlan 30 vni 300",
                "~ vnis[100].flood.vteps: add 10.0.0.14; remove 10.0.0.12",
                "~ vnis[100].learning.limit: 8192 -> 7",
                "- vnis[100].static[02:00:00:00:00:05]: mac 02:00:00:00:00:05 vtep 10.0.0.12 encap vxlan",
                "- vnis[200]",
                "+ vnis[300]",
            ]
        );
    }

    #[test]
    fn long_lists_are_cut_for_people_and_whole_for_scripts() {
        let many: Vec<String> = (1..=100).map(|n| format!("10.0.1.{n}")).collect();
        let new = OFFICE.replace("flood: {vteps: [10.0.0.13]}", &format!("flood: {{vteps: [{}]}}", many.join(", ")));
        let model = |text: &str| crate::parse("test.yaml", text).expect("right").model;
        let found = differences(&model(OFFICE), &model(&new));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].add.len(), found[0].remove.len()), (100, 1));
        assert!(found[0].to_string().contains("10.0.1.8 and 92 more; remove 10.0.0.13"), "{}", found[0]);
        let json = serde_json::to_value(&found[0]).expect("JSON");
        assert_eq!(json["path"], "vnis[200].flood.vteps");
    }

    #[test]
    fn a_part_is_touched_from_within_and_from_without() {
        let difference = Difference::of("ports[srv1].mtu", None, None);
        assert!(["ports", "ports[srv1]", "ports[srv1].mtu"].iter().all(|part| difference.touches(part)));
        assert!(["ports[srv]", "ports[srv1].m", "workers"].iter().all(|part| !difference.touches(part)));
        assert!(Difference::of("ports[srv1]", None, None).touches("ports[srv1].mtu"));
    }
}
