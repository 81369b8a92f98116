//! Ports, their underlay and their VLANs.

use std::net::IpAddr;

use super::tag::{self, Tags};
use super::{Placed, access, remote};
use crate::defaults;
use crate::document::At;
use crate::reader::{Fields, Reader};
use crate::scalar::{self, contains, family, is_link_local};
use crate::types::{Encap, Mac, Tag, Vid, Vni};

/// Ports that fit DPDK's port numbers and ours.
const MOST_PORTS: usize = 255;

/// One port as the file has it.
pub(super) struct PortDraft {
    pub(super) at: At,
    pub(super) name: Option<Placed<String>>,
    pub(super) device: Option<Placed<String>>,
    pub(super) mtu: Option<Placed<u16>>,
    pub(super) rx_queues: Option<u16>,
    pub(super) descriptors: (u16, u16),
    pub(super) offload: bool,
    pub(super) mac_limit: Option<u32>,
    pub(super) underlay: Option<UnderlayDraft>,
    pub(super) bindings: Vec<BindingDraft>,
    pub(super) access_list: Option<Placed<String>>,
}

/// The underlay of a port.
pub(super) struct UnderlayDraft {
    pub(super) at: At,
    pub(super) vlan: Option<Vid>,
    pub(super) twin: Option<Placed<String>>,
    pub(super) addresses: Vec<Placed<(IpAddr, u8)>>,
    /// Every address that is there is right.
    addresses_right: bool,
    pub(super) gateways: Vec<IpAddr>,
    pub(super) via: Option<Mac>,
}

/// A VLAN bound to a segment that is yet to be found.
pub(super) struct BindingDraft {
    pub(super) at: At,
    pub(super) tag: Option<Tag>,
    pub(super) vni: Option<Placed<Vni>>,
    pub(super) encap: Option<Placed<Encap>>,
    pub(super) pcp: Option<u8>,
    pub(super) mac_limit: Option<u32>,
    pub(super) access_list: Option<Placed<String>>,
}

pub(super) fn read_all(reader: &Reader, root: &Fields<'_>) -> Vec<PortDraft> {
    let Some(at) = root.need("ports", "list the DPDK devices under 'ports'") else { return Vec::new() };
    let items = reader.items(at);
    match items.len() {
        0 => reader.error(at, "no port is given", "list at least one DPDK device"),
        count if count > MOST_PORTS => {
            reader.error(at, format!("{count} ports are too many"), format!("use at most {MOST_PORTS}"));
        }
        _ => {}
    }
    let ports: Vec<PortDraft> = items.into_iter().filter_map(|item| read(reader, item)).collect();
    unique(reader, &ports);
    ports
}

fn read(reader: &Reader, at: At) -> Option<PortDraft> {
    let fields = reader.fields(at)?;
    fields.need("name", "name the port, like 'srv1'");
    fields.need("device", "give a PCI address like \"0000:3b:00.0\" or a vdev like \"net_af_packet0,iface=veth0\"");
    let port = PortDraft {
        at,
        name: fields.read("name", scalar::name),
        device: fields.read("device", scalar::device),
        mtu: fields.int("mtu", "an MTU", 68..=9216).map(|mtu| (mtu, fields.place("mtu"))),
        rx_queues: fields.int("rx_queues", "a number of queues", 1..=64),
        descriptors: descriptors(reader, fields.get("descriptors")),
        offload: fields.bool("offload").unwrap_or(true),
        mac_limit: mac_limit(&fields),
        underlay: fields.get("underlay").and_then(|at| underlay(reader, at)),
        bindings: fields.items("vlans").into_iter().filter_map(|at| binding(reader, at)).collect(),
        access_list: access::reference(&fields),
    };
    fields.done();
    collisions(reader, &port);
    Some(port)
}

fn mac_limit(fields: &Fields<'_>) -> Option<u32> {
    fields.int("mac_limit", "a limit of MACs", 1..=16_777_216)
}

fn descriptors(reader: &Reader, at: Option<At>) -> (u16, u16) {
    let Some(fields) = at.and_then(|at| reader.fields(at)) else {
        return (defaults::DESCRIPTORS, defaults::DESCRIPTORS);
    };
    let ring = |key| fields.int(key, "a number of descriptors", 64..=32_768).unwrap_or(defaults::DESCRIPTORS);
    let rings = (ring("rx"), ring("tx"));
    fields.done();
    rings
}

fn underlay(reader: &Reader, at: At) -> Option<UnderlayDraft> {
    let fields = reader.fields(at)?;
    let mut underlay = UnderlayDraft {
        at,
        vlan: tag::vid_or_untagged(&fields),
        twin: fields.read("twin", scalar::interface),
        addresses: addresses(reader, fields.items_or_one("addresses")),
        addresses_right: true,
        gateways: Vec::new(),
        via: fields.get("via").and_then(|at| via(reader, at)),
    };
    underlay.addresses_right = underlay.addresses.len() == fields.items_or_one("addresses").len();
    let gateways = fields.get("gateway").map(|at| reader.one_or_more(at)).unwrap_or_default();
    for item in gateways {
        if let Some(address) = gateway(reader, item, &underlay) {
            underlay.gateways.push(address);
        }
    }
    if fields.get("via").is_some() {
        for key in ["twin", "addresses", "gateway"] {
            if let Some(at) = fields.get(key) {
                let rule = format!("'{key}' belongs to the Linux twin, and 'via' makes none");
                reader.error(at, rule, format!("remove 'via' to use the kernel, or '{key}' to do without"));
            }
        }
    }
    fields.done();
    Some(underlay)
}

fn via(reader: &Reader, at: At) -> Option<Mac> {
    let fields = reader.fields(at)?;
    fields.need("mac", "give the next hop's MAC address, like {mac: \"02:00:00:00:00:01\"}");
    let mac = fields.read("mac", scalar::station);
    fields.done();
    mac.map(|(mac, _)| mac)
}

fn addresses(reader: &Reader, items: Vec<At>) -> Vec<Placed<(IpAddr, u8)>> {
    let mut addresses: Vec<Placed<(IpAddr, u8)>> = Vec::new();
    for item in items {
        let Some(address) = reader.read(item, scalar::interface_address) else { continue };
        match addresses.iter().find(|((other, _), _)| *other == address.0) {
            Some((_, first)) => {
                let rule = format!("{} is given twice, first in {}", address.0, reader.line(*first));
                reader.error(item, rule, "keep one");
            }
            None => addresses.push((address, item)),
        }
    }
    addresses
}

fn gateway(reader: &Reader, at: At, underlay: &UnderlayDraft) -> Option<IpAddr> {
    let gateway = reader.read(at, scalar::address)?;
    if gateway.is_multicast() || gateway.is_unspecified() || gateway.is_loopback() {
        return reader.refuse(at, format!("{gateway} cannot be a gateway"), "give the router's address");
    }
    if underlay.gateways.iter().any(|other| other.is_ipv4() == gateway.is_ipv4()) {
        let rule = format!("a second {} gateway", family(gateway));
        return reader.refuse(at, rule, "give one per family; for several paths let a routing daemon set the routes");
    }
    if underlay.addresses.iter().any(|((own, _), _)| *own == gateway) {
        return reader.refuse(at, format!("{gateway} is the gateway's own address"), "give the router's address");
    }
    let reachable = is_link_local(gateway) || underlay.addresses.iter().any(|(own, _)| contains(*own, gateway));
    if !reachable && underlay.addresses_right && underlay.via.is_none() {
        let rule = format!("{gateway} is in no subnet of 'addresses'");
        return reader.refuse(at, rule, "give a router in one of those subnets, or add this side's address there");
    }
    Some(gateway)
}

fn binding(reader: &Reader, at: At) -> Option<BindingDraft> {
    let fields = reader.fields(at)?;
    let tag = match tag::read(&fields) {
        Tags::These(tag) => Some(tag),
        Tags::Wrong => None,
        Tags::Absent => {
            fields.missing("vlan", "write 'vlan: 10', 'vlan: untagged', or 'outer' and 'inner'");
            None
        }
    };
    fields.need("vni", "say which VNI these frames belong to");
    let binding = BindingDraft {
        at,
        tag,
        vni: vni(&fields, "vni"),
        encap: fields.word("encap", &remote::ENCAPS).map(|encap| (encap, fields.place("encap"))),
        pcp: fields.int("pcp", "a priority", 0..=7),
        mac_limit: mac_limit(&fields),
        access_list: access::reference(&fields),
    };
    fields.done();
    Some(binding)
}

/// A VNI with its place.
pub(super) fn vni(fields: &Fields<'_>, key: &'static str) -> Option<Placed<Vni>> {
    let value = fields.int(key, "a VNI", 0..=u64::from(Vni::MAX)).and_then(Vni::new)?;
    Some((value, fields.place(key)))
}

/// Each frame of a port belongs to one thing.
fn collisions(reader: &Reader, port: &PortDraft) {
    let mut seen: std::collections::HashMap<Tag, At> = std::collections::HashMap::new();
    for binding in &port.bindings {
        let Some(tag) = binding.tag else { continue };
        if let Some(first) = seen.insert(tag, binding.at) {
            let what = if tag == Tag::Untagged { "untagged traffic".to_owned() } else { format!("VLAN {tag}") };
            let rule = format!("{what} of this port is mapped twice, first in {}", reader.line(first));
            reader.error(binding.at, rule, "map each to one VNI");
        }
        let Some(underlay) = &port.underlay else { continue };
        let clash = match (underlay.vlan, tag) {
            (None, Tag::Untagged) => Some("untagged traffic".to_owned()),
            (Some(vid), Tag::Vlan(vlan)) if vid == vlan => Some(format!("VLAN {vid}")),
            (Some(vid), Tag::QinQ { outer, service: false, .. }) if vid == outer => Some(format!("VLAN {vid}")),
            _ => None,
        };
        if let Some(what) = clash {
            let rule = format!("{what} of this port is the underlay's ({})", reader.line(underlay.at));
            reader.error(binding.at, rule, "give the underlay a VLAN of its own, or map another one");
        }
    }
}

/// Names, devices and twins are each used once.
fn unique(reader: &Reader, ports: &[PortDraft]) {
    let names = ports.iter().filter_map(|port| port.name.as_ref()).map(|(name, at)| (name.clone(), *at));
    once(reader, "port name", names, "name each port differently");
    let devices = ports.iter().filter_map(|port| port.device.as_ref());
    let buses = devices.clone().map(|(device, at)| (device.split(',').next().unwrap_or(device).to_owned(), *at));
    once(reader, "device", buses, "give each port its own device (number vdevs: net_af_packet0, net_af_packet1)");
    let interfaces = devices.filter(|(device, _)| device.contains("af_packet")).filter_map(|(device, at)| {
        let interface = device.split(',').find_map(|argument| argument.strip_prefix("iface="))?;
        Some((interface.to_owned(), *at))
    });
    once(reader, "interface", interfaces, "give each port its own kernel interface");
    let twins = ports.iter().filter_map(|port| port.underlay.as_ref()?.twin.clone());
    once(reader, "twin", twins, "name each twin differently");
}

/// Notes every value that an earlier place had.
pub(super) fn once(reader: &Reader, what: &str, values: impl Iterator<Item = Placed<String>>, cure: &str) {
    let mut seen: std::collections::HashMap<String, At> = std::collections::HashMap::new();
    for (value, at) in values {
        if let Some(first) = seen.get(&value) {
            let rule = format!("the {what} '{value}' is used twice, first in {}", reader.line(*first));
            reader.error(at, rule, cure);
        } else {
            seen.insert(value, at);
        }
    }
}
