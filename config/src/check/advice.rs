//! What is legal, and still worth a second look.

use std::collections::HashSet;
use std::net::IpAddr;

use super::Draft;
use super::port::PortDraft;
use super::segment::{FloodDraft, SegmentDraft};
use crate::defaults;
use crate::document::At;
use crate::reader::Reader;
use crate::scalar::contains;
use crate::types::{Flood, Model, Port, Segment};

/// The UDP port of Linux before VXLAN had one of its own.
const OLD_LINUX_PORT: u16 = 8472;

pub(super) fn warn(reader: &Reader, draft: &Draft, model: &Model) {
    vtep(reader, draft, model);
    let controlled = model.control.ovsdb.is_some() || model.control.evpn.is_some();
    if controlled && !model.ports.iter().any(|port| port.underlay.is_some()) {
        let rule = "no port has an underlay: there is no tunnel address to tell the controller";
        reader.warning(At::ROOT, rule, "add 'underlay' to the port that leads to the other VTEPs");
    }
    ports(reader, draft, model);
    let attached: HashSet<usize> =
        model.ports.iter().flat_map(|port| &port.attachments).map(|one| one.segment).collect();
    for (index, (segment, checked)) in draft.segments.iter().zip(&model.segments).enumerate() {
        ourselves(reader, segment, model);
        attachments(reader, segment, controlled || attached.contains(&index));
        flooding(reader, segment, model, checked, controlled);
        learning(reader, segment, checked, draft.fdb_size, controlled);
        neighbours(reader, segment);
    }
    unused_lists(reader, draft, model);
}

fn neighbours(reader: &Reader, segment: &SegmentDraft) {
    if let (false, Some(at)) = (segment.suppress, segment.bindings.first) {
        let rule = "addresses of stations without 'neigh_suppress': nobody reads them";
        reader.warning(at, rule, "add 'neigh_suppress: true' to the VNI, or remove them");
    }
}

/// Lists that nobody refers to.
fn unused_lists(reader: &Reader, draft: &Draft, model: &Model) {
    let attachments = model.ports.iter().flat_map(|port| &port.attachments).map(|one| one.access_list);
    let ports = model.ports.iter().map(|port| port.access_list);
    let used: HashSet<usize> =
        ports.chain(attachments).chain(model.segments.iter().map(|one| one.access_list)).flatten().collect();
    for (index, list) in draft.access_lists.iter().enumerate().filter(|(index, _)| !used.contains(index)) {
        let rule = format!("nothing refers to the access list '{}'", model.access_lists[index].name);
        reader.warning(list.at, rule, "add 'access_list' to a port, a VLAN or a VNI, or remove the list");
    }
}

fn vtep(reader: &Reader, draft: &Draft, model: &Model) {
    let ports = [
        ("VXLAN", draft.vtep.vxlan_port, defaults::VXLAN_PORT),
        ("Geneve", draft.vtep.geneve_port, defaults::GENEVE_PORT),
    ];
    for (name, (port, at), standard) in ports.into_iter().filter(|(_, (port, _), standard)| port != standard) {
        let rule = match port {
            OLD_LINUX_PORT => format!("{port} is the VXLAN port of old Linux kernels, not the standard one"),
            _ => format!("{port} is not the standard port of {name}"),
        };
        let cure = format!("make sure that every other VTEP uses it too, or remove it for {standard}");
        reader.warning(at, rule, cure);
    }
    let own = || model.ports.iter().filter_map(|port| port.underlay.as_ref()).flat_map(|one| &one.addresses);
    for (source, at) in &draft.vtep.sources {
        // A source outside every connected subnet is a loopback address that a routing daemon announces.
        if own().any(|address| contains(*address, *source)) && !own().any(|(address, _)| address == source) {
            let rule = format!("{source} is in an underlay subnet but is not one of its 'addresses'");
            reader.warning(*at, rule, "use an address of the underlay, or one that is routed to this gateway");
        }
    }
}

fn ports(reader: &Reader, draft: &Draft, model: &Model) {
    let underlay = model.ports.iter().filter(|port| port.underlay.is_some()).map(|port| port.mtu).min();
    let controlled = model.control.ovsdb.as_ref().map(|ovsdb| &ovsdb.ports[..]).unwrap_or_default();
    for (index, (draft, port)) in draft.ports.iter().zip(&model.ports).enumerate() {
        if port.underlay.is_none() && port.attachments.is_empty() && !controlled.contains(&index) {
            let rule = format!("port '{}' has neither 'vlans' nor 'underlay': it drops every frame", port.name);
            reader.warning(draft.at, rule, "map its VLANs to VNIs, or make it a way to the fabric with 'underlay'");
        }
        twin(reader, draft, port, model);
        let segments = port.attachments.iter().filter_map(|attachment| model.segments.get(attachment.segment));
        let overhead = segments.map(|segment| overhead(model, segment)).max().unwrap_or(0);
        let (Some(underlay), true) = (underlay, overhead > 0 && port.underlay.is_none()) else { continue };
        if u32::from(underlay) < u32::from(port.mtu) + overhead {
            let at = draft.mtu.map_or(draft.at, |(_, at)| at);
            let rule = format!(
                "full frames of port '{}' (MTU {}) need {} bytes in the underlay, which has {underlay}",
                port.name,
                port.mtu,
                u32::from(port.mtu) + overhead
            );
            reader.warning(at, rule, "raise the underlay port's 'mtu', or lower this one");
        }
    }
}

/// A twin beside an interface that the kernel has itself.
fn twin(reader: &Reader, draft: &PortDraft, port: &Port, model: &Model) {
    let has_twin = port.underlay.as_ref().is_some_and(|underlay| underlay.via.is_none());
    if has_twin && model.vtep.namespace.is_none() && port.device.starts_with("net_af_packet") {
        let rule =
            format!("the kernel sees port '{}' itself and answers for its addresses as the twin does", port.name);
        reader.warning(draft.at, rule, "give the twin a network namespace of its own: vtep: {namespace: NAME}");
    }
}

/// Bytes that encapsulation adds to a frame's payload, the underlay's Ethernet header not counted.
fn overhead(model: &Model, segment: &Segment) -> u32 {
    let ip = if model.vtep.source_v6.is_some() { 40 } else { 20 };
    let tag = if segment.inner_vlan_pass { 4 } else { 0 };
    let options = u32::try_from(segment.outer.geneve_options.len()).unwrap_or(0);
    14 + tag + 8 + 8 + ip + options
}

fn attachments(reader: &Reader, segment: &SegmentDraft, attached: bool) {
    if !attached && !segment.stitch {
        let Some((vni, at)) = segment.vni else { return };
        reader.warning(at, format!("no port is attached to VNI {vni}"), format!("map a VLAN to it with 'vni: {vni}'"));
    }
}

/// A copy to ourselves would go out and be lost. (Our source address in a list is an error already.)
fn ourselves(reader: &Reader, segment: &SegmentDraft, model: &Model) {
    let Some(FloodDraft::Vteps(_, remotes)) = &segment.flood else { return };
    let sources = [model.vtep.source_v4.map(IpAddr::from), model.vtep.source_v6.map(IpAddr::from)];
    let underlays = model.ports.iter().filter_map(|port| port.underlay.as_ref());
    let own: Vec<IpAddr> = underlays.flat_map(addresses).filter(|own| !sources.contains(&Some(*own))).collect();
    for remote in remotes.iter().filter(|remote| own.contains(&remote.address)) {
        let rule = format!("{} is an address of this gateway's own underlay", remote.address);
        reader.warning(remote.at, rule, "remove it: the list names the other VTEPs");
    }
}

fn addresses(underlay: &crate::types::Underlay) -> impl Iterator<Item = IpAddr> + '_ {
    underlay.addresses.iter().map(|(address, _)| *address)
}

fn flooding(reader: &Reader, segment: &SegmentDraft, model: &Model, checked: &Segment, controlled: bool) {
    let has_underlay = !controlled && model.ports.iter().any(|port| port.underlay.is_some());
    if let (Flood::Vteps(list), true) =
        (&checked.flood, has_underlay && !matches!(segment.flood, Some(FloodDraft::Wrong)))
        && list.is_empty()
    {
        let at = match &segment.flood {
            Some(FloodDraft::Vteps(at, _)) => *at,
            _ => segment.vni.map_or(segment.at, |(_, at)| at),
        };
        let rule = "the flood list is empty: broadcasts, ARP among them, do not leave this gateway";
        reader.warning(at, rule, "list the other VTEPs under 'flood', unless a controller brings them");
    }
    if let (Flood::Group { group, port }, Some(FloodDraft::Group { group: (_, at), .. })) =
        (&checked.flood, &segment.flood)
        && let Some(underlay) = model.ports.get(*port).and_then(|port| port.underlay.as_ref())
    {
        group_needs_kernel(reader, *at, *group, underlay.via.is_some());
    }
}

fn group_needs_kernel(reader: &Reader, at: crate::document::At, group: IpAddr, via: bool) {
    if via {
        let rule = format!("the underlay has 'via', so no kernel joins {group}: frames are sent to it, none come");
        reader.warning(at, rule, "give the underlay 'addresses' instead of 'via' to receive the group");
    }
}

fn learning(reader: &Reader, segment: &SegmentDraft, checked: &Segment, fdb_size: u32, controlled: bool) {
    let learning = &checked.learning;
    if !learning.enabled && checked.statics.is_empty() && !controlled {
        let rule = "learning is off and no static MAC is given: every frame is flooded or dropped";
        reader.warning(segment.learning.enabled_at, rule, "add 'static' entries, unless a controller brings them");
    }
    if learning.enabled && learning.ageing.is_none() {
        reader.warning(
            segment.learning.ageing_at,
            "with ageing 0 a learned MAC is never forgotten",
            "use 300 unless stations never move",
        );
    }
    if let Some((limit, at)) = segment.learning.limit
        && limit > fdb_size
    {
        let rule = format!("the limit {limit} is above the size of the forwarding table, {fdb_size}");
        reader.warning(at, rule, "raise 'fdb.size', or lower the limit");
    }
}
