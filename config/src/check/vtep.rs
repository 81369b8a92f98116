//! The gateway's own tunnel end.

use std::net::IpAddr;

use super::Placed;
use crate::defaults;
use crate::document::At;
use crate::reader::{Fields, Reader};
use crate::scalar::{self, family};

/// The section as the file has it.
pub(super) struct VtepDraft {
    pub(super) at: Option<At>,
    /// Sources that are right, at most one per family.
    pub(super) sources: Vec<Placed<IpAddr>>,
    /// The key is there, right or wrong.
    pub(super) given: bool,
    /// Every source that is there is right.
    pub(super) sources_right: bool,
    pub(super) vxlan_port: Placed<u16>,
    pub(super) geneve_port: Placed<u16>,
    pub(super) source_ports: (u16, u16),
    pub(super) namespace: Option<String>,
    pub(super) learned_vteps: u32,
    pub(super) host_rate: u32,
}

pub(super) fn read(reader: &Reader, at: Option<At>) -> VtepDraft {
    let mut vtep = VtepDraft {
        at,
        sources: Vec::new(),
        given: false,
        sources_right: true,
        vxlan_port: (defaults::VXLAN_PORT, At::ROOT),
        geneve_port: (defaults::GENEVE_PORT, At::ROOT),
        source_ports: defaults::SOURCE_PORTS,
        namespace: None,
        learned_vteps: defaults::LEARNED_VTEPS,
        host_rate: defaults::HOST_RATE,
    };
    let Some(fields) = at.and_then(|at| reader.fields(at)) else { return vtep };
    if let Some(at) = fields.get("source") {
        vtep.given = true;
        vtep.sources = sources(reader, at);
        vtep.sources_right = vtep.sources.len() == reader.one_or_more(at).len();
    }
    let port = |key| fields.int(key, "a UDP port", 1..=65_535);
    vtep.vxlan_port = (port("vxlan_port").unwrap_or(defaults::VXLAN_PORT), fields.place("vxlan_port"));
    vtep.geneve_port = (port("geneve_port").unwrap_or(defaults::GENEVE_PORT), fields.place("geneve_port"));
    if vtep.vxlan_port.0 == vtep.geneve_port.0 {
        let second = if fields.get("geneve_port").is_some() { "geneve_port" } else { "vxlan_port" };
        let rule = format!("VXLAN and Geneve both use UDP port {}", vtep.geneve_port.0);
        reader.error(fields.place(second), rule, "give each its own: a frame's port says how to read it");
    }
    vtep.source_ports = source_ports(&fields).unwrap_or(vtep.source_ports);
    vtep.namespace = fields.read("namespace", scalar::namespace).map(|(name, _)| name);
    let some = 1..=u64::from(u32::MAX);
    vtep.learned_vteps = fields.int("learned_vteps", "a limit", 1..=65_536).unwrap_or(vtep.learned_vteps);
    vtep.host_rate = fields.int("host_rate", "a rate in frames per second", some).unwrap_or(vtep.host_rate);
    fields.done();
    vtep
}

fn sources(reader: &Reader, at: At) -> Vec<Placed<IpAddr>> {
    let mut sources: Vec<Placed<IpAddr>> = Vec::new();
    let items = reader.one_or_more(at);
    if items.is_empty() {
        reader.error(at, "no source address is given", "give one IPv4 address, one IPv6 address, or both");
    }
    for item in items {
        let Some(source) = reader.read(item, scalar::unicast) else { continue };
        if sources.iter().any(|(other, _)| other.is_ipv4() == source.is_ipv4()) {
            let rule = format!("a second {} source", family(source));
            reader.error(item, rule, "give at most one address per family");
        } else {
            sources.push((source, item));
        }
    }
    sources
}

fn source_ports(fields: &Fields<'_>) -> Option<(u16, u16)> {
    let at = fields.get("source_ports")?;
    let items = fields.reader.items(at);
    let [first, last] = items[..] else {
        return fields.reader.refuse(at, "not two ports", "write the first and the last, like [49152, 65535]");
    };
    let port = |at| fields.reader.int(at, "a UDP port", 1..=65_535).and_then(|port| u16::try_from(port).ok());
    let (first, last) = (port(first), port(last));
    let (first, last) = (first?, last?);
    if first > last {
        return fields.reader.refuse(at, format!("{first} is above {last}"), format!("write [{last}, {first}]"));
    }
    Some((first, last))
}
