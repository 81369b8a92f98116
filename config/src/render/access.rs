//! Access lists, neighbours and the path MTU as they stand in a file.

use std::net::IpAddr;

use crate::file::{self, OneOrMore};
use crate::types::{AccessList, AccessRule, Mac, Model, Neighbour, PathMtu};

/// The name of a list by its index.
pub(super) fn name(model: &Model, list: Option<usize>) -> Option<String> {
    Some(model.access_lists.get(list?)?.name.clone())
}

pub(super) fn list(list: &AccessList) -> file::AccessList {
    file::AccessList { name: list.name.clone(), rules: list.rules.iter().map(rule).collect() }
}

fn rule(rule: &AccessRule) -> file::AccessRule {
    let mac = |(mac, mask): (Mac, Mac)| if mask.0 == [0xff; 6] { mac.to_string() } else { format!("{mac}/{mask}") };
    let prefix = |(address, length): (IpAddr, u8)| format!("{address}/{length}");
    let ports = |(first, last): (u16, u16)| {
        if first == last { file::Ports::One(first) } else { file::Ports::Range(format!("{first}-{last}")) }
    };
    file::AccessRule {
        action: if rule.permit { file::Action::Permit } else { file::Action::Deny },
        source_mac: rule.source_mac.map(mac),
        destination_mac: rule.destination_mac.map(mac),
        ethertype: rule.ethertype.map(file::Ethertype::Number),
        source: rule.source.map(prefix),
        destination: rule.destination.map(prefix),
        protocol: rule.protocol.map(file::Protocol::Number),
        source_port: rule.source_ports.map(ports),
        destination_port: rule.destination_ports.map(ports),
        fragments: rule.fragments.then_some(true),
    }
}

pub(super) fn neighbour(neighbour: &Neighbour) -> file::Neighbour {
    file::Neighbour { ip: neighbour.address, mac: neighbour.mac.to_string(), router: neighbour.router.then_some(true) }
}

pub(super) fn path_mtu(path: &PathMtu) -> file::PathMtu {
    let v4 = path.source_v4.map(IpAddr::from);
    let sources: Vec<IpAddr> = v4.into_iter().chain(path.source_v6.map(IpAddr::from)).collect();
    file::PathMtu { tell: Some(path.tell), source: (!sources.is_empty()).then_some(OneOrMore::More(sources)) }
}
