//! The running configuration as a file, with every default written out.

mod access;

use std::collections::HashSet;

use crate::file::{self, File, OneOrMore};
use crate::types::{
    Accept, Attachment, Df, Encap, Flood, FloodFallback, HugePages, Idle, Inherit, Memory, Model, OvsdbDatabase, Place,
    Port, Remote, Segment, StaticMac, Tag, Underlay, Vid, Vni, Vtep, Workers,
};

/// `model` as YAML. Parsed again it gives the same model.
pub fn render(model: &Model) -> String {
    // Serialising plain structs into a string has nothing that could fail.
    serde_yaml::to_string(&file(model)).unwrap_or_default()
}

/// `model` in the shape of the file.
pub fn file(model: &Model) -> File {
    file_with(model, |_| true)
}

/// The same with some of its segments only, by their indices.
pub(crate) fn file_with(model: &Model, keep: impl Fn(usize) -> bool) -> File {
    let twice = vnis_given_twice(model);
    let kept = model.segments.iter().enumerate().filter(|(index, _)| keep(*index));
    File {
        version: 1,
        workers: Some(workers(&model.workers)),
        memory: Some(memory(&model.memory)),
        vtep: Some(vtep(&model.vtep)),
        api: Some(file::Api { group: model.api.group.clone(), mode: Some(format!("{:04o}", model.api.mode)) }),
        reload: Some(file::Reload { signal: Some(model.reload.signal), watch: Some(model.reload.watch) }),
        state: Some(file::State {
            directory: model.state.directory.as_ref().map(|folder| folder.display().to_string()),
            every: Some(model.state.every.map_or(0, |time| time.as_secs().try_into().unwrap_or(u32::MAX))),
        }),
        fdb: Some(file::Fdb { size: Some(model.fdb_size) }),
        ports: model.ports.iter().map(|one| port(model, &twice, one)).collect(),
        vnis: kept.map(|(_, one)| segment(model, one)).collect(),
        access_lists: model.access_lists.iter().map(access::list).collect(),
        control: control(model),
        metrics: Some(file::Metrics { listen: model.metrics.listen, limit: Some(model.metrics.limit) }),
    }
}

fn control(model: &Model) -> Option<file::Control> {
    let (ovsdb, evpn) = (ovsdb(model), evpn(model));
    (ovsdb.is_some() || evpn.is_some()).then_some(file::Control { ovsdb, evpn })
}

/// 0 is never.
fn seconds(time: Option<std::time::Duration>) -> u32 {
    time.map_or(0, |time| time.as_secs().try_into().unwrap_or(u32::MAX))
}

fn evpn(model: &Model) -> Option<file::Evpn> {
    let evpn = model.control.evpn.as_ref()?;
    let names = evpn.segments.iter().map(|&index| model.segments[index].name.clone()).collect();
    Some(file::Evpn {
        namespace: evpn.namespace.clone(),
        vnis: Some(OneOrMore::More(names)),
        udp_port: Some(evpn.udp_port),
        hold: Some(seconds(evpn.hold)),
    })
}

fn ovsdb(model: &Model) -> Option<file::Ovsdb> {
    let ovsdb = model.control.ovsdb.as_ref()?;
    let text = |path: &std::path::Path| path.display().to_string();
    let (database, directory, tls) = match &ovsdb.database {
        OvsdbDatabase::Unix(path) => (format!("unix:{}", text(path)), None, None),
        OvsdbDatabase::Tcp(address, port) => {
            (format!("tcp:{}", std::net::SocketAddr::new(*address, *port)), None, None)
        }
        OvsdbDatabase::Embedded { directory, tls } => ("embedded".into(), Some(text(directory)), tls.as_ref()),
    };
    let names = ovsdb.ports.iter().map(|&port| model.ports[port].name.clone()).collect();
    Some(file::Ovsdb {
        database,
        directory,
        physical_switch: ovsdb.physical_switch.clone(),
        description: Some(ovsdb.description.clone()),
        management_ips: Some(OneOrMore::More(ovsdb.management_ips.clone())),
        managers: ovsdb.managers.clone().map(OneOrMore::More),
        tls: tls.map(|tls| file::Tls { key: text(&tls.key), certificate: text(&tls.certificate), ca: text(&tls.ca) }),
        ports: Some(OneOrMore::More(names)),
        flood_fallback: Some(match ovsdb.flood_fallback {
            FloodFallback::Macs => file::FloodFallback::Macs,
            FloodFallback::Off => file::FloodFallback::Off,
        }),
        stale: Some(seconds(ovsdb.stale)),
        statistics: Some(seconds(ovsdb.statistics)),
    })
}

fn workers(workers: &Workers) -> file::Workers {
    let idle = match workers.idle {
        Idle::Spin => file::Idle::Word(file::IdleWord::Spin),
        Idle::Sleep(longest) => {
            file::Idle::Sleep(file::IdleSleep { sleep: u32::try_from(longest.as_micros()).unwrap_or(u32::MAX) })
        }
    };
    file::Workers {
        cores: Some(OneOrMore::More(workers.cores.iter().map(|core| file::Core::Number(*core)).collect())),
        idle: Some(idle),
        burst: Some(workers.burst),
        flood_copies: Some(workers.flood_copies),
    }
}

fn memory(memory: &Memory) -> file::Memory {
    file::Memory {
        huge_pages: Some(match memory.huge_pages {
            HugePages::Auto => file::HugePages::Auto,
            HugePages::Require => file::HugePages::Require,
            HugePages::Off => file::HugePages::Off,
        }),
        buffers: Some(memory.buffers),
        buffer_size: Some(memory.buffer_size),
        file_prefix: memory.file_prefix.clone(),
        shared: Some(memory.shared),
    }
}

fn vtep(vtep: &Vtep) -> file::Vtep {
    let v4 = vtep.source_v4.map(Into::into);
    let sources: Vec<_> = v4.into_iter().chain(vtep.source_v6.map(Into::into)).collect();
    file::Vtep {
        source: (!sources.is_empty()).then_some(OneOrMore::More(sources)),
        vxlan_port: Some(vtep.vxlan_port),
        geneve_port: Some(vtep.geneve_port),
        source_ports: Some(vtep.source_ports),
        namespace: vtep.namespace.clone(),
        learned_vteps: Some(vtep.learned_vteps),
        host_rate: Some(vtep.host_rate),
    }
}

fn port(model: &Model, twice: &HashSet<u32>, port: &Port) -> file::Port {
    file::Port {
        name: port.name.clone(),
        device: port.device.clone(),
        mtu: Some(port.mtu),
        rx_queues: port.rx_queues,
        descriptors: Some(file::Descriptors { rx: Some(port.descriptors.0), tx: Some(port.descriptors.1) }),
        offload: Some(port.offload),
        mac_limit: port.mac_limit,
        underlay: port.underlay.as_ref().map(underlay),
        vlans: port.attachments.iter().map(|one| binding(model, twice, one)).collect(),
        access_list: access::name(model, port.access_list),
    }
}

fn underlay(underlay: &Underlay) -> file::Underlay {
    let addresses: Vec<String> = underlay.addresses.iter().map(|(ip, prefix)| format!("{ip}/{prefix}")).collect();
    file::Underlay {
        vlan: underlay.vlan.map(number),
        twin: underlay.twin.clone(),
        addresses: (!addresses.is_empty()).then_some(OneOrMore::More(addresses)),
        gateway: (!underlay.gateways.is_empty()).then(|| OneOrMore::More(underlay.gateways.clone())),
        via: underlay.via.map(|mac| file::Via { mac: mac.to_string() }),
    }
}

fn number(vid: Vid) -> file::Vlan {
    file::Vlan::Number(vid.value())
}

/// `vlan`, `outer`, `inner` and `tpid` of a tag.
fn tags(tag: Tag) -> (Option<file::Vlan>, Option<u16>, Option<u16>, Option<file::Tpid>) {
    match tag {
        Tag::Untagged => (Some(file::Vlan::Word(file::UntaggedWord::Untagged)), None, None, None),
        Tag::Vlan(vid) => (Some(number(vid)), None, None, None),
        Tag::QinQ { outer, inner, service } => {
            let tpid = if service { file::Tpid::Service } else { file::Tpid::Customer };
            (None, Some(outer.value()), Some(inner.value()), Some(tpid))
        }
    }
}

fn binding(model: &Model, twice: &HashSet<u32>, attachment: &Attachment) -> file::Binding {
    let (vlan, outer, inner, tpid) = tags(attachment.tag);
    let segment = &model.segments[attachment.segment];
    file::Binding {
        vlan,
        outer,
        inner,
        tpid,
        vni: main_vni(segment),
        encap: twice.contains(&main_vni(segment)).then(|| encap(segment.encap)),
        pcp: attachment.pcp,
        mac_limit: attachment.mac_limit,
        access_list: access::name(model, attachment.access_list),
    }
}

/// Numbers that two segments have, one for each encapsulation.
fn vnis_given_twice(model: &Model) -> HashSet<u32> {
    let mut once = HashSet::with_capacity(model.segments.len());
    model.segments.iter().map(main_vni).filter(|&vni| !once.insert(vni)).collect()
}

/// The segment's number on tunnels of its own encapsulation.
fn main_vni(segment: &Segment) -> u32 {
    let number = match segment.encap {
        Encap::Vxlan => segment.vxlan,
        Encap::Geneve => segment.geneve,
    };
    number.map_or(0, Vni::value)
}

fn segment(model: &Model, segment: &Segment) -> file::Segment {
    let outer = &segment.outer;
    let ageing = segment.learning.ageing.map_or(0, |ageing| u32::try_from(ageing.as_secs()).unwrap_or(u32::MAX));
    let other = |encap, number: Option<Vni>| if segment.encap == encap { None } else { number.map(Vni::value) };
    file::Segment {
        vni: main_vni(segment),
        name: Some(segment.name.clone()),
        encap: Some(encap(segment.encap)),
        vxlan_vni: other(Encap::Vxlan, segment.vxlan),
        geneve_vni: other(Encap::Geneve, segment.geneve),
        stitch: Some(segment.stitch),
        flood: Some(flood(model, segment)),
        flood_unknown: Some(segment.flood_unknown),
        accept: Some(match segment.accept {
            Accept::Known => file::Accept::Known,
            Accept::Any => file::Accept::Any,
        }),
        learning: Some(file::Learning {
            enabled: Some(segment.learning.enabled),
            ageing: Some(ageing),
            limit: Some(segment.learning.limit),
        }),
        statics: segment.statics.iter().map(|one| static_mac(model, one)).collect(),
        neigh_suppress: Some(segment.suppress),
        neighbours: segment.neighbours.iter().map(access::neighbour).collect(),
        path_mtu: Some(access::path_mtu(&segment.path_mtu)),
        access_list: access::name(model, segment.access_list),
        inner_vlan: Some(if segment.inner_vlan_pass { file::InnerVlan::Pass } else { file::InnerVlan::Strip }),
        ttl: Some(match outer.ttl {
            Inherit::Fixed(ttl) => file::Ttl::Number(ttl),
            Inherit::Inner => file::Ttl::Word(file::InheritWord::Inherit),
        }),
        tos: Some(match outer.tos {
            Inherit::Fixed(tos) => file::Tos::Number(tos),
            Inherit::Inner => file::Tos::Word(file::InheritWord::Inherit),
        }),
        df: Some(match outer.df {
            Df::Set => file::Df::Set,
            Df::Unset => file::Df::Unset,
            Df::Inner => file::Df::Inherit,
        }),
        checksum: Some(file::Checksum {
            ipv4: outer.checksum_v4,
            ipv6: Some(outer.checksum_v6),
            accept_zero_ipv6: Some(outer.zero_checksum_v6_accept),
        }),
        options: options(&outer.geneve_options),
    }
}

fn encap(encap: Encap) -> file::Encap {
    match encap {
        Encap::Vxlan => file::Encap::Vxlan,
        Encap::Geneve => file::Encap::Geneve,
    }
}

fn flood(model: &Model, segment: &Segment) -> file::Flood {
    match &segment.flood {
        Flood::Vteps(list) => {
            let vteps = list.iter().map(|remote| remote_vtep(segment, *remote)).collect();
            file::Flood { vteps: Some(vteps), ..file::Flood::default() }
        }
        Flood::Group { group, port } => {
            file::Flood { vteps: None, group: Some(*group), port: Some(model.ports[*port].name.clone()) }
        }
    }
}

fn remote_vtep(segment: &Segment, remote: Remote) -> file::RemoteVtep {
    if remote.encap == segment.encap {
        return file::RemoteVtep::Address(remote.address);
    }
    file::RemoteVtep::Detailed(file::DetailedVtep { vtep: remote.address, encap: Some(encap(remote.encap)) })
}

fn static_mac(model: &Model, entry: &StaticMac) -> file::StaticMac {
    let mut written = file::StaticMac {
        mac: entry.mac.to_string(),
        vtep: None,
        encap: None,
        port: None,
        ip: None,
        vlan: None,
        outer: None,
        inner: None,
        tpid: None,
    };
    match entry.place {
        Place::Vtep(remote) => {
            written.vtep = Some(remote.address);
            written.encap = Some(encap(remote.encap));
        }
        Place::Port { port, attachment } => {
            let port = &model.ports[port];
            written.port = Some(port.name.clone());
            (written.vlan, written.outer, written.inner, written.tpid) = tags(port.attachments[attachment].tag);
        }
    }
    written
}

/// Options out of wire format.
fn options(mut wire: &[u8]) -> Vec<file::GeneveOption> {
    let mut options = Vec::new();
    while let [class_high, class_low, kind, words, rest @ ..] = wire {
        let (data, rest) = rest.split_at(rest.len().min(usize::from(words & 0x1f) * 4));
        let data: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
        options.push(file::GeneveOption {
            class: u16::from_be_bytes([*class_high, *class_low]),
            r#type: *kind,
            data: (!data.is_empty()).then_some(data),
        });
        wire = rest;
    }
    options
}
