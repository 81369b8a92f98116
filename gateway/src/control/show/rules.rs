//! `show rules`.

use std::collections::HashMap;
use std::fmt::Write;
use std::net::IpAddr;

use config::types::{AccessRule, Mac, Model, Tag};

use crate::control::Control;
use crate::control::measures::RuleMeasure;
use crate::control::view::RuleView;
use crate::counters::Counters;

impl Control {
    /// `show rules`: every access list, rule by rule.
    pub fn view_rules(&self) -> Vec<RuleView> {
        let counted = self.counters();
        let mut measures = self.measure_rules(&counted);
        let mut views = Vec::new();
        for (index, list) in self.model.access_lists.iter().enumerate() {
            let used_by = users(&self.model, index);
            for (rule, measure) in list.rules.iter().zip(&mut measures) {
                let action = measure.action().into();
                let RuleMeasure { list, number, hits, .. } = measure;
                views.push(RuleView { list, number, action, matches: matches(rule), hits, used_by: used_by.clone() });
            }
        }
        views
    }

    /// How often each rule decided, list by list.
    pub(in crate::control) fn measure_rules(&self, counted: &Counters) -> impl Iterator<Item = RuleMeasure> {
        let hits: HashMap<u64, u64> = counted.rules.iter().map(|hits| (hits.serial, hits.frames)).collect();
        let lists = self.model.access_lists.iter();
        let rules = lists.flat_map(|list| (1..).zip(&list.rules).map(move |(number, rule)| (list, number, rule)));
        rules.zip(&self.plan.tables.rules.serials).map(move |((list, number, rule), serial)| RuleMeasure {
            list: list.name.clone(),
            number,
            permit: rule.permit,
            hits: hits.get(serial).copied().unwrap_or(0),
        })
    }
}

/// Where a list applies.
fn users(model: &Model, list: usize) -> Vec<String> {
    let mut users = Vec::new();
    for port in &model.ports {
        if port.access_list == Some(list) {
            users.push(port.name.clone());
        }
        let bound = port.attachments.iter().filter(|one| one.access_list == Some(list));
        users.extend(bound.map(|one| match one.tag {
            Tag::Untagged => format!("{} untagged", port.name),
            tag => format!("{} vlan {tag}", port.name),
        }));
    }
    let segments = model.segments.iter().filter(|segment| segment.access_list == Some(list));
    users.extend(segments.map(|segment| format!("vni {}", segment.name)));
    users
}

/// The rule in the words of the configuration.
fn matches(rule: &AccessRule) -> String {
    let mut text = String::new();
    let mut say = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            _ = write!(text, "{}{key} {value}", if text.is_empty() { "" } else { ", " });
        }
    };
    let mac = |(mac, mask): (Mac, Mac)| if mask.0 == [0xff; 6] { mac.to_string() } else { format!("{mac}/{mask}") };
    let prefix = |(address, length): (IpAddr, u8)| {
        let whole = if address.is_ipv4() { 32 } else { 128 };
        if length == whole { address.to_string() } else { format!("{address}/{length}") }
    };
    let ports = |(first, last): (u16, u16)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    say("source_mac", rule.source_mac.map(mac));
    say("destination_mac", rule.destination_mac.map(mac));
    say("ethertype", rule.ethertype.map(|ethertype| format!("{ethertype:#06x}")));
    say("source", rule.source.map(prefix));
    say("destination", rule.destination.map(prefix));
    say("protocol", rule.protocol.map(protocol));
    say("source_port", rule.source_ports.map(ports));
    say("destination_port", rule.destination_ports.map(ports));
    say("fragments", rule.fragments.then(|| "true".to_owned()));
    text
}

fn protocol(number: u8) -> String {
    let known = [(6, "tcp"), (17, "udp"), (1, "icmp"), (58, "icmpv6"), (132, "sctp")];
    known.iter().find(|(own, _)| *own == number).map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned())
}
