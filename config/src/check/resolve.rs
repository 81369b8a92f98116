//! References between the parts: bindings to segments, static MACs and groups to ports, VTEPs to sources.

use std::collections::HashMap;
use std::net::IpAddr;

use super::port::{BindingDraft, PortDraft, once};
use super::remote::RemoteDraft;
use super::segment::{FloodDraft, PlaceDraft, SegmentDraft, StaticDraft};
use super::{Draft, Placed, access};
use crate::defaults;
use crate::document::At;
use crate::reader::Reader;
use crate::scalar::family;
use crate::suggest::nearest;
use crate::types::{
    Accept, Attachment, Encap, Flood, Memory, Model, Outer, Place, Port, Remote, Segment, StaticMac, Tag, Underlay,
    Vni, Vtep,
};

/// The model of a draft. Where something is wrong it is noted and the model has a hole: it must not be used then.
pub(super) fn model(reader: &Reader, draft: &Draft) -> Model {
    let segments_by_vni = segments_by_vni(reader, &draft.segments);
    let ports = ports(reader, draft, &segments_by_vni);
    let sources = sources(reader, draft);
    let world = World { reader, draft, ports: &ports, sources: &sources, by_vni: &segments_by_vni };
    let segments: Vec<Segment> =
        draft.segments.iter().enumerate().map(|(index, segment)| world.segment(index, segment)).collect();
    numbers_once(reader, draft, &segments);
    let vtep = vtep(draft, &sources);
    Model {
        workers: draft.workers.clone(),
        memory: memory(reader, draft, &ports),
        control: draft.control.resolve(reader, draft, &vtep, (&ports, &segments)),
        vtep,
        api: draft.api.clone(),
        reload: draft.reload.clone(),
        state: draft.state.clone(),
        fdb_size: draft.fdb_size,
        ports,
        segments,
        access_lists: access::lists(&draft.access_lists),
        metrics: draft.metrics.clone(),
    }
}

/// Which segments have a VNI; with different encapsulations there may be two.
type ByVni = HashMap<Vni, Vec<usize>>;

fn segments_by_vni(reader: &Reader, segments: &[SegmentDraft]) -> ByVni {
    let mut by_vni = ByVni::new();
    for (index, segment) in segments.iter().enumerate() {
        let Some((vni, at)) = segment.vni else { continue };
        let same = by_vni.entry(vni).or_default();
        if let Some(first) = same.iter().find(|&&other| segments[other].encap == segment.encap) {
            let rule = format!("VNI {vni} is given twice, first in {}", reader.line(segments[*first].at));
            reader.error(at, rule, "merge the two, or give one another 'encap'");
        }
        same.push(index);
    }
    let names = segments.iter().filter_map(|segment| segment.name.clone());
    once(reader, "name", names, "name each VNI differently");
    by_vni
}

fn ports(reader: &Reader, draft: &Draft, by_vni: &ByVni) -> Vec<Port> {
    let widest = draft.ports.iter().filter(|port| port.mtu.is_some() || port.underlay.is_none());
    let widest = widest.map(|port| port.mtu.map_or(defaults::MTU, |(mtu, _)| mtu)).max().unwrap_or(defaults::MTU);
    let underlay_mtu = (widest + defaults::OVERHEAD).clamp(defaults::UNDERLAY_MTU, 9216);
    let mut twins: Vec<String> =
        draft.ports.iter().filter_map(|port| Some(port.underlay.as_ref()?.twin.as_ref()?.0.clone())).collect();
    let mut ports = Vec::new();
    for port in &draft.ports {
        let mtu = if port.underlay.is_some() { underlay_mtu } else { defaults::MTU };
        let attachments = port.bindings.iter().map(|binding| attachment(reader, draft, by_vni, binding)).collect();
        ports.push(Port {
            name: port.name.as_ref().map(|(name, _)| name.clone()).unwrap_or_default(),
            device: port.device.as_ref().map(|(device, _)| device.clone()).unwrap_or_default(),
            mtu: port.mtu.map_or(mtu, |(mtu, _)| mtu),
            rx_queues: port.rx_queues,
            descriptors: port.descriptors,
            offload: port.offload,
            mac_limit: port.mac_limit,
            underlay: underlay(port, &mut twins),
            attachments,
            access_list: access::find(reader, &draft.access_lists, port.access_list.as_ref()),
        });
    }
    ports
}

fn underlay(port: &PortDraft, twins: &mut Vec<String>) -> Option<Underlay> {
    let draft = port.underlay.as_ref()?;
    let twin = match (&draft.twin, draft.via) {
        (_, Some(_)) => None,
        (Some((name, _)), None) => Some(name.clone()),
        (None, None) => {
            let twin = twin_name(port.name.as_ref().map_or("", |(name, _)| name), twins);
            twins.push(twin.clone());
            Some(twin)
        }
    };
    Some(Underlay {
        vlan: draft.vlan,
        twin,
        addresses: draft.addresses.iter().map(|(address, _)| *address).collect(),
        gateways: draft.gateways.clone(),
        via: draft.via,
    })
}

/// `cw-` and the port's name, cut to the 15 characters of a Linux interface, numbered when that is taken.
fn twin_name(port: &str, taken: &[String]) -> String {
    let free = |name: &String| !taken.contains(name);
    let name: String = format!("cw-{port}").chars().take(15).collect();
    let numbered = (2..=999).map(|n| format!("cw-{}{n}", port.chars().take(9).collect::<String>()));
    std::iter::once(name.clone()).chain(numbered).find(free).unwrap_or(name)
}

fn attachment(reader: &Reader, draft: &Draft, by_vni: &ByVni, binding: &BindingDraft) -> Attachment {
    Attachment {
        tag: binding.tag.unwrap_or(Tag::Untagged),
        segment: bound_segment(reader, draft, by_vni, binding).unwrap_or(usize::MAX),
        pcp: binding.pcp,
        mac_limit: binding.mac_limit,
        access_list: access::find(reader, &draft.access_lists, binding.access_list.as_ref()),
    }
}

fn bound_segment(reader: &Reader, draft: &Draft, by_vni: &ByVni, binding: &BindingDraft) -> Option<usize> {
    let (vni, at) = binding.vni?;
    let Some(candidates) = by_vni.get(&vni) else {
        if draft.segments.iter().any(|segment| segment.vni.is_none()) {
            return None; // It may be the one whose number is wrong, which has been noted.
        }
        return reader.refuse(at, format!("VNI {vni} is not defined"), format!("add '- vni: {vni}' under 'vnis'"));
    };
    match (binding.encap, &candidates[..]) {
        (None, [only]) => Some(*only),
        (None, _) => {
            let rule = format!("there are two VNIs {vni}, one per encapsulation");
            reader.refuse(at, rule, "add 'encap: vxlan' or 'encap: geneve' here to say which")
        }
        (Some((encap, at)), _) => {
            let fits = candidates.iter().copied().find(|&index| draft.segments[index].encap == encap);
            fits.or_else(|| {
                let rule = format!("VNI {vni} is not a {encap} segment");
                reader.refuse(at, rule, "remove 'encap' here, or change it")
            })
        }
    }
}

/// The sources of tunnels: as given, or the underlay's own addresses where they leave no choice.
fn sources(reader: &Reader, draft: &Draft) -> Vec<IpAddr> {
    if draft.vtep.given {
        return draft.vtep.sources.iter().map(|(source, _)| *source).collect();
    }
    let underlays: Vec<_> = draft.ports.iter().filter_map(|port| port.underlay.as_ref()).collect();
    let addresses = underlays.iter().flat_map(|underlay| &underlay.addresses).map(|((address, _), _)| *address);
    let routed = addresses.filter(|address| !crate::scalar::is_link_local(*address));
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) = routed.partition(IpAddr::is_ipv4);
    let ambiguous = v4.len() > 1 || v6.len() > 1;
    let sources: Vec<IpAddr> = [v4, v6].into_iter().filter(|some| some.len() == 1).flatten().collect();
    if !underlays.is_empty() && (sources.is_empty() || ambiguous) {
        let at = draft.vtep.at.unwrap_or(At::ROOT);
        let rule = "'vtep.source' is missing, and the underlay's addresses do not settle it";
        reader.error(at, rule, "give the tunnel source, like 'vtep: {source: 10.0.0.11}'");
    }
    sources
}

fn vtep(draft: &Draft, sources: &[IpAddr]) -> Vtep {
    Vtep {
        source_v4: sources.iter().find_map(|source| if let IpAddr::V4(v4) = source { Some(*v4) } else { None }),
        source_v6: sources.iter().find_map(|source| if let IpAddr::V6(v6) = source { Some(*v6) } else { None }),
        vxlan_port: draft.vtep.vxlan_port.0,
        geneve_port: draft.vtep.geneve_port.0,
        source_ports: draft.vtep.source_ports,
        namespace: draft.vtep.namespace.clone(),
        learned_vteps: draft.vtep.learned_vteps,
        host_rate: draft.vtep.host_rate,
    }
}

fn memory(reader: &Reader, draft: &Draft, ports: &[Port]) -> Memory {
    if let Some((size, at)) = draft.memory.buffer_size {
        let needed = defaults::needed_buffer_size(ports);
        if size < needed {
            let rule = format!("buffers of {size} bytes are too small for the largest MTU of the ports");
            reader.error(at, rule, format!("use at least {needed}, or remove 'buffer_size'"));
        }
    }
    if let Some((true, at)) = draft.memory.shared
        && draft.memory.huge_pages != Some(crate::types::HugePages::Require)
    {
        reader.error(at, "only huge pages can be shared", "add 'huge_pages: require', or remove 'shared'");
    }
    Memory {
        huge_pages: draft.memory.huge_pages.unwrap_or(crate::types::HugePages::Auto),
        buffers: draft.memory.buffers.unwrap_or_else(|| defaults::buffers(ports)),
        buffer_size: draft.memory.buffer_size.map_or_else(|| defaults::buffer_size(ports), |(size, _)| size),
        file_prefix: draft.memory.file_prefix.clone(),
        shared: draft.memory.shared.is_some_and(|(shared, _)| shared),
    }
}

/// On the wire a number names one segment per encapsulation.
fn numbers_once(reader: &Reader, draft: &Draft, segments: &[Segment]) {
    let mut seen: HashMap<(Encap, Vni), usize> = HashMap::new();
    for (index, segment) in segments.iter().enumerate() {
        for (encap, number) in [(Encap::Vxlan, segment.vxlan), (Encap::Geneve, segment.geneve)] {
            let Some(number) = number else { continue };
            let Some(first) = seen.insert((encap, number), index) else { continue };
            let (this, other) = (&draft.segments[index], &draft.segments[first]);
            if this.encap == other.encap && this.vni.map(|(vni, _)| vni) == other.vni.map(|(vni, _)| vni) {
                continue; // Said already.
            }
            let given = if encap == Encap::Vxlan { this.vxlan_vni } else { this.geneve_vni };
            let rule =
                format!("{encap} number {number} is used by two segments, the first in {}", reader.line(other.at));
            let cure = format!("give one of them another '{encap}_vni'");
            reader.error(given.or(this.vni).map_or(this.at, |(_, at)| at), rule, cure);
        }
    }
}

/// What segments refer to.
struct World<'a> {
    reader: &'a Reader,
    draft: &'a Draft,
    ports: &'a [Port],
    sources: &'a [IpAddr],
    by_vni: &'a ByVni,
}

impl World<'_> {
    fn segment(&self, index: usize, draft: &SegmentDraft) -> Segment {
        let flood = self.flood(draft);
        let statics: Vec<StaticMac> =
            draft.statics.iter().filter_map(|entry| self.static_mac(index, draft, entry)).collect();
        let (vxlan, geneve) = self.numbers(draft, &flood, &statics);
        self.options_need_geneve(draft, geneve);
        let accept = match flood {
            Flood::Vteps(_) => Accept::Known,
            Flood::Group { .. } => Accept::Any,
        };
        Segment {
            name: draft.name.as_ref().map_or_else(|| self.default_name(draft), |(name, _)| name.clone()),
            vxlan,
            geneve,
            encap: draft.encap,
            stitch: draft.stitch,
            flood,
            flood_unknown: draft.flood_unknown,
            accept: draft.accept.unwrap_or(accept),
            learning: draft.learning.learning.clone(),
            statics,
            known: Vec::new(),
            inner_vlan_pass: draft.inner_vlan_pass,
            suppress: draft.suppress,
            neighbours: draft.bindings.all.clone(),
            path_mtu: draft.path_mtu,
            access_list: access::find(self.reader, &self.draft.access_lists, draft.access_list.as_ref()),
            outer: Outer {
                ttl: draft.ttl,
                tos: draft.tos,
                df: draft.df,
                checksum_v4: draft.checksum_v4,
                checksum_v6: draft.checksum_v6,
                zero_checksum_v6_accept: draft.accept_zero_v6,
                geneve_options: draft.options.as_ref().map(|(options, _)| options.clone()).unwrap_or_default(),
            },
        }
    }

    /// The VNI, with the encapsulation where another segment has the same.
    fn default_name(&self, draft: &SegmentDraft) -> String {
        let Some((vni, _)) = draft.vni else { return String::new() };
        let alone = self.by_vni.get(&vni).is_none_or(|same| same.len() < 2);
        if alone { vni.to_string() } else { format!("{vni}-{}", draft.encap) }
    }

    fn flood(&self, draft: &SegmentDraft) -> Flood {
        match &draft.flood {
            None | Some(FloodDraft::Wrong) => Flood::Vteps(Vec::new()),
            Some(FloodDraft::Vteps(_, remotes)) => {
                let mut seen: HashMap<IpAddr, At> = HashMap::new();
                for remote in remotes {
                    if let Some(first) = seen.insert(remote.address, remote.at) {
                        let rule = format!("{} is listed twice, first in {}", remote.address, self.reader.line(first));
                        self.reader.error(remote.at, rule, "keep one, or it gets every frame twice");
                    }
                }
                Flood::Vteps(remotes.iter().map(|remote| self.remote(draft, remote)).collect())
            }
            Some(FloodDraft::Group { group, port }) => {
                self.needs_source(group.1, "the group", group.0);
                let port = self.group_port(group.1, port.as_ref()).unwrap_or(usize::MAX);
                Flood::Group { group: group.0, port }
            }
        }
    }

    /// A VTEP that we can reach and that is not us.
    fn remote(&self, segment: &SegmentDraft, remote: &RemoteDraft) -> Remote {
        if self.sources.contains(&remote.address) {
            let rule = format!("{} is this gateway's own source address", remote.address);
            self.reader.error(remote.at, rule, "list only the other VTEPs");
        } else {
            self.needs_source(remote.at, "the VTEP", remote.address);
        }
        Remote { address: remote.address, encap: remote.encap.unwrap_or(segment.encap), vni: None }
    }

    fn needs_source(&self, at: At, what: &str, address: IpAddr) {
        let has_underlay = self.draft.ports.iter().any(|port| port.underlay.is_some());
        if !has_underlay {
            let rule = format!("{what} {address} cannot be reached: no port has an underlay");
            self.reader.error(at, rule, "add 'underlay' to the port that leads to it");
        } else if self.knows_sources() && self.sources.iter().all(|source| source.is_ipv4() != address.is_ipv4()) {
            let family = family(address);
            let rule = format!("{what} {address} is {family}, and this gateway has no {family} source");
            self.reader.error(at, rule, format!("add an {family} address to 'vtep.source'"));
        }
    }

    /// False when something is wrong with the sources, which has been noted.
    fn knows_sources(&self) -> bool {
        !self.sources.is_empty() && self.draft.vtep.sources_right
    }

    /// The underlay port of a group: the one named, or the only one.
    fn group_port(&self, at: At, named: Option<&Placed<String>>) -> Option<usize> {
        let has_underlay = |index: &usize| self.ports[*index].underlay.is_some();
        let Some((name, at)) = named else {
            let mut underlays = (0..self.ports.len()).filter(has_underlay);
            return match (underlays.next(), underlays.next()) {
                (Some(only), None) => Some(only),
                (None, _) => None, // Said by `needs_source`.
                _ => self.reader.refuse(at, "several ports have an underlay", "say on which to join with 'port'"),
            };
        };
        let port = self.port(name, *at)?;
        if !has_underlay(&port) {
            return self.reader.refuse(*at, format!("port '{name}' has no underlay"), "name a port that has");
        }
        Some(port)
    }

    fn port(&self, name: &str, at: At) -> Option<usize> {
        let found = self.ports.iter().position(|port| port.name == name);
        if found.is_none() && self.draft.ports.iter().any(|port| port.name.is_none()) {
            return None; // It may be the one whose name is wrong, which has been noted.
        }
        found.or_else(|| {
            let cure = match nearest(name, self.ports.iter().map(|port| port.name.as_str())) {
                Some(near) => format!("did you mean '{near}'?"),
                None => "use the name of a port under 'ports'".to_owned(),
            };
            self.reader.refuse(at, format!("there is no port '{name}'"), cure)
        })
    }

    fn static_mac(&self, index: usize, segment: &SegmentDraft, entry: &StaticDraft) -> Option<StaticMac> {
        let place = match entry.place.as_ref()? {
            PlaceDraft::Vtep(remote) => Place::Vtep(self.remote(segment, remote)),
            PlaceDraft::Port { port: (name, at), tag } => {
                let port = self.port(name, *at)?;
                Place::Port { port, attachment: self.attachment(index, entry.at, port, *tag)? }
            }
        };
        Some(StaticMac { mac: entry.mac?.0, place })
    }

    /// The attachment of a port that a static MAC means; it must belong to the segment.
    fn attachment(&self, segment: usize, at: At, port: usize, tag: Option<Tag>) -> Option<usize> {
        let Port { name, attachments, .. } = &self.ports[port];
        let Some(tag) = tag else {
            let mut own = (0..attachments.len()).filter(|&index| attachments[index].segment == segment);
            return match (own.next(), own.next()) {
                (Some(only), None) => Some(only),
                (None, _) => {
                    let rule = format!("port '{name}' has no VLAN in this VNI");
                    self.reader.refuse(at, rule, "map one under the port's 'vlans', or name another port")
                }
                _ => {
                    let rule = format!("port '{name}' has several VLANs in this VNI");
                    self.reader.refuse(at, rule, "add 'vlan' (or 'outer' and 'inner') to say which")
                }
            };
        };
        let Some(found) = attachments.iter().position(|attachment| attachment.tag == tag) else {
            let rule = format!("port '{name}' does not map {}", describe(tag));
            return self.reader.refuse(at, rule, "use a VLAN under the port's 'vlans', or map this one there");
        };
        let owner = attachments[found].segment;
        if owner == segment {
            return Some(found);
        }
        let other = self.draft.segments.get(owner)?.vni?.0; // Otherwise the binding is wrong, and noted.
        let rule = format!("{} of port '{name}' belongs to VNI {other}", describe(tag));
        self.reader.refuse(at, rule, format!("move this entry to VNI {other}, or use a VLAN of this one"))
    }

    /// The segment's numbers: its main one, and the other where anything uses it.
    fn numbers(&self, draft: &SegmentDraft, flood: &Flood, statics: &[StaticMac]) -> (Option<Vni>, Option<Vni>) {
        let Some((vni, _)) = draft.vni else { return (None, None) };
        let flooded = if let Flood::Vteps(remotes) = flood { &remotes[..] } else { &[] };
        let uses = |encap| {
            let fixed = |entry: &StaticMac| matches!(entry.place, Place::Vtep(remote) if remote.encap == encap);
            draft.stitch
                || draft.encap == encap
                || flooded.iter().any(|remote| remote.encap == encap)
                || statics.iter().any(fixed)
        };
        let number = |encap, given: Option<Placed<Vni>>| match given {
            Some((number, _)) => Some(number),
            None => uses(encap).then_some(vni),
        };
        (number(Encap::Vxlan, draft.vxlan_vni), number(Encap::Geneve, draft.geneve_vni))
    }

    fn options_need_geneve(&self, draft: &SegmentDraft, geneve: Option<Vni>) {
        if let (Some((options, at)), None) = (&draft.options, geneve)
            && !options.is_empty()
            && draft.encap_right
        {
            let rule = "Geneve options on a segment that has only VXLAN tunnels";
            self.reader.error(*at, rule, "remove them, or use 'encap: geneve'");
        }
    }
}

pub(super) fn describe(tag: Tag) -> String {
    if tag == Tag::Untagged { "untagged traffic".to_owned() } else { format!("VLAN {tag}") }
}
