//! Segments (VNIs): flooding, learning, static MACs and outer headers.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::neighbours::{self, Bindings};
use super::port::vni;
use super::remote::{self, RemoteDraft};
use super::tag::{self, Tags};
use super::{Placed, access};
use crate::defaults;
use crate::document::At;
use crate::reader::{Fields, Reader};
use crate::scalar;
use crate::types::{Accept, Df, Encap, Inherit, Learning, Mac, PathMtu, Tag, Vni};

/// Segments that fit our segment numbers.
const MOST_SEGMENTS: usize = 65_535;

/// One segment as the file has it.
pub(super) struct SegmentDraft {
    pub(super) at: At,
    pub(super) vni: Option<Placed<Vni>>,
    pub(super) name: Option<Placed<String>>,
    pub(super) encap: Encap,
    /// The encapsulation is not the default for want of a right one.
    pub(super) encap_right: bool,
    pub(super) vxlan_vni: Option<Placed<Vni>>,
    pub(super) geneve_vni: Option<Placed<Vni>>,
    pub(super) stitch: bool,
    pub(super) flood: Option<FloodDraft>,
    pub(super) flood_unknown: bool,
    pub(super) accept: Option<Accept>,
    pub(super) learning: LearningDraft,
    pub(super) statics: Vec<StaticDraft>,
    pub(super) inner_vlan_pass: bool,
    pub(super) suppress: bool,
    pub(super) bindings: Bindings,
    pub(super) path_mtu: PathMtu,
    pub(super) access_list: Option<Placed<String>>,
    pub(super) ttl: Inherit,
    pub(super) tos: Inherit,
    pub(super) df: Df,
    pub(super) checksum_v4: Option<bool>,
    pub(super) checksum_v6: bool,
    pub(super) accept_zero_v6: bool,
    pub(super) options: Option<Placed<Vec<u8>>>,
}

/// Flooding as the file has it.
pub(super) enum FloodDraft {
    Vteps(At, Vec<RemoteDraft>),
    Group {
        group: Placed<IpAddr>,
        port: Option<Placed<String>>,
    },
    /// Wrong, and noted.
    Wrong,
}

/// Learning, with the places that warnings point at.
pub(super) struct LearningDraft {
    pub(super) learning: Learning,
    pub(super) ageing_at: At,
    pub(super) enabled_at: At,
    pub(super) limit: Option<Placed<u32>>,
}

/// A static MAC whose place is yet to be found.
pub(super) struct StaticDraft {
    pub(super) at: At,
    pub(super) mac: Option<Placed<Mac>>,
    pub(super) place: Option<PlaceDraft>,
}

/// Where a static MAC is.
pub(super) enum PlaceDraft {
    Vtep(RemoteDraft),
    Port { port: Placed<String>, tag: Option<Tag> },
}

pub(super) fn read_all(reader: &Reader, root: &Fields<'_>) -> Vec<SegmentDraft> {
    let items = root.items("vnis");
    if items.len() > MOST_SEGMENTS {
        let rule = format!("{} VNIs are too many", items.len());
        reader.error(root.place("vnis"), rule, format!("use at most {MOST_SEGMENTS}"));
    }
    items.into_iter().filter_map(|item| read(reader, item)).collect()
}

fn read(reader: &Reader, at: At) -> Option<SegmentDraft> {
    let fields = reader.fields(at)?;
    fields.need("vni", "give the segment's number, 0 to 16777215");
    let own_vni = vni(&fields, "vni");
    let encap = fields.word("encap", &remote::ENCAPS);
    let name = fields.read("name", scalar::name);
    let accept = [("known", Accept::Known), ("any", Accept::Any), ("flood-list", Accept::Known)];
    let df = [("set", Df::Set), ("unset", Df::Unset), ("inherit", Df::Inner)];
    let checksum = checksum(reader, fields.get("checksum"));
    let mut bindings = Bindings::default();
    bindings.read(reader, fields.items("neighbours"));
    let segment = SegmentDraft {
        at,
        vni: own_vni,
        name,
        encap: encap.unwrap_or(Encap::Vxlan),
        encap_right: encap.is_some() || fields.get("encap").is_none(),
        vxlan_vni: vni(&fields, "vxlan_vni"),
        geneve_vni: vni(&fields, "geneve_vni"),
        stitch: fields.bool("stitch").unwrap_or(false),
        flood: fields.get("flood").map(|at| flood(reader, at)),
        flood_unknown: fields.bool("flood_unknown").unwrap_or(true),
        accept: fields.word("accept", &accept),
        learning: learning(reader, at, fields.get("learning")),
        statics: statics(reader, fields.items("static"), &mut bindings),
        suppress: fields.bool("neigh_suppress").unwrap_or(false),
        path_mtu: neighbours::path_mtu(reader, fields.get("path_mtu")),
        access_list: access::reference(&fields),
        bindings,
        inner_vlan_pass: fields.word("inner_vlan", &[("strip", false), ("pass", true)]).unwrap_or(false),
        ttl: ttl(&fields).unwrap_or(Inherit::Fixed(defaults::TTL)),
        tos: tos(&fields).unwrap_or(Inherit::Fixed(defaults::TOS)),
        df: fields.word("df", &df).unwrap_or(Df::Set),
        checksum_v4: checksum.0,
        checksum_v6: checksum.1.unwrap_or(true),
        accept_zero_v6: checksum.2.unwrap_or(false),
        options: fields.get("options").and_then(|at| Some((options(reader, at)?, at))),
    };
    fields.done();
    Some(segment)
}

fn flood(reader: &Reader, at: At) -> FloodDraft {
    let Some(fields) = reader.fields(at) else { return FloodDraft::Wrong };
    let (vteps, group) = (fields.get("vteps"), fields.get("group"));
    let port = fields.read("port", scalar::name);
    let draft = match (vteps, group) {
        (Some(list), None) => {
            if let Some((_, at)) = port {
                reader.error(at, "'port' goes with 'group' only", "remove it: routes say where each VTEP is");
            }
            FloodDraft::Vteps(list, reader.items(list).into_iter().filter_map(|at| remote::read(reader, at)).collect())
        }
        (None, Some(at)) => match reader.read(at, scalar::group) {
            Some(group) => FloodDraft::Group { group: (group, at), port },
            None => FloodDraft::Wrong,
        },
        (Some(_), Some(at)) => {
            reader.error(at, "both 'vteps' and 'group'", "flood to a list of VTEPs or to a multicast group");
            FloodDraft::Wrong
        }
        (None, None) => {
            fields.missing("vteps", "write {vteps: [10.0.0.12]} or {group: 239.1.1.1}, or remove 'flood'");
            FloodDraft::Wrong
        }
    };
    fields.done();
    draft
}

fn learning(reader: &Reader, segment: At, at: Option<At>) -> LearningDraft {
    let ageing = Some(Duration::from_secs(u64::from(defaults::AGEING)));
    let learning = Learning { enabled: true, tunnels: true, ageing, limit: defaults::LEARN_LIMIT };
    let mut draft = LearningDraft { learning, ageing_at: segment, enabled_at: segment, limit: None };
    let Some(fields) = at.and_then(|at| reader.fields(at)) else { return draft };
    draft.learning.enabled = fields.bool("enabled").unwrap_or(true);
    draft.enabled_at = fields.place("enabled");
    if let Some(seconds) = fields.int::<u32>("ageing", "a time in seconds", 0..=1_000_000) {
        draft.learning.ageing = (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)));
        draft.ageing_at = fields.place("ageing");
    }
    if let Some(at) = fields.get("limit") {
        let limit = fields.int::<u32>("limit", "a limit of MACs ('enabled: false' learns none)", 1..=16_777_216);
        draft.limit = limit.map(|limit| (limit, at));
    }
    draft.learning.limit = draft.limit.map_or(defaults::LEARN_LIMIT, |(limit, _)| limit);
    fields.done();
    draft
}

fn statics(reader: &Reader, items: Vec<At>, bindings: &mut Bindings) -> Vec<StaticDraft> {
    let mut seen: HashMap<Mac, At> = HashMap::new();
    let mut statics = Vec::new();
    for item in items {
        let Some(draft) = static_mac(reader, item, bindings) else { continue };
        if let Some((mac, at)) = draft.mac
            && let Some(first) = seen.insert(mac, at)
        {
            let rule = format!("{mac} is given twice in this VNI, first in {}", reader.line(first));
            reader.error(at, rule, "keep one: a MAC is in one place");
        }
        statics.push(draft);
    }
    statics
}

fn static_mac(reader: &Reader, at: At, bindings: &mut Bindings) -> Option<StaticDraft> {
    let fields = reader.fields(at)?;
    fields.need("mac", "give the station's MAC address, like \"02:00:00:00:00:05\"");
    let mac = fields.read("mac", scalar::station);
    bindings.of_static(&fields, mac);
    let port = fields.read("port", scalar::name);
    let tags = tag::read(&fields);
    let tag = if let Tags::These(tag) = tags { Some(tag) } else { None };
    let remote = remote::of_fields(&fields);
    let place = match (fields.get("vtep"), fields.get("port")) {
        (Some(_), None) => {
            if let Some(at) = fields.get("vlan").or(fields.get("outer")) {
                reader.error(at, "a tag with 'vtep'", "a MAC behind a VTEP has no local VLAN: remove it");
            }
            remote.map(PlaceDraft::Vtep)
        }
        (None, Some(_)) => {
            if let Some(at) = fields.get("encap") {
                reader.error(at, "'encap' with 'port'", "a local MAC is not behind a tunnel: remove it");
            }
            port.filter(|_| !matches!(tags, Tags::Wrong)).map(|port| PlaceDraft::Port { port, tag })
        }
        (Some(_), Some(at)) => reader.refuse(at, "both 'vtep' and 'port'", "say one place: a MAC is in one place"),
        (None, None) => {
            fields.missing("vtep", "say where the MAC is: 'vtep: 10.0.0.12', or 'port: srv1' with 'vlan: 10'");
            None
        }
    };
    fields.done();
    Some(StaticDraft { at, mac, place })
}

fn ttl(fields: &Fields<'_>) -> Option<Inherit> {
    inherit(fields, "ttl", "a TTL (or the word 'inherit')", 1)
}

fn tos(fields: &Fields<'_>) -> Option<Inherit> {
    let tos = inherit(fields, "tos", "a TOS byte (or the word 'inherit')", 0)?;
    if let Inherit::Fixed(byte) = tos
        && byte & 3 != 0
    {
        let rule = format!("TOS {byte} sets the ECN bits, which are always the inner frame's (RFC 6040)");
        return fields.reader.refuse(fields.place("tos"), rule, format!("use DSCP times four, like {}", byte & !3));
    }
    Some(tos)
}

fn inherit(fields: &Fields<'_>, key: &'static str, what: &str, least: u64) -> Option<Inherit> {
    let at = fields.get(key)?;
    if fields.reader.document.is_word(at, "inherit") {
        return Some(Inherit::Inner);
    }
    fields.int(key, what, least..=255).map(Inherit::Fixed)
}

/// IPv4, IPv6, and whether to accept zero over IPv6.
fn checksum(reader: &Reader, at: Option<At>) -> (Option<bool>, Option<bool>, Option<bool>) {
    let Some(fields) = at.and_then(|at| reader.fields(at)) else { return (None, None, None) };
    let checksum = (fields.bool("ipv4"), fields.bool("ipv6"), fields.bool("accept_zero_ipv6"));
    fields.done();
    checksum
}

/// Geneve options in wire format (RFC 8926 section 3.5).
fn options(reader: &Reader, at: At) -> Option<Vec<u8>> {
    let mut wire = Vec::new();
    let mut fine = true;
    for item in reader.items(at) {
        match option(reader, item) {
            Some(option) => wire.extend(option),
            None => fine = false,
        }
    }
    if wire.len() > 252 {
        let rule = format!("the options take {} bytes", wire.len());
        return reader.refuse(at, rule, "stay within 252, each option's own 4 bytes counted (RFC 8926 section 3.4)");
    }
    fine.then_some(wire)
}

fn option(reader: &Reader, at: At) -> Option<Vec<u8>> {
    let fields = reader.fields(at)?;
    fields.need("class", "give the option class, 0 to 0xffff");
    fields.need("type", "give the option type, 0 to 0xff (0x80 and up are critical)");
    let class = fields.int::<u16>("class", "an option class", 0..=0xffff);
    let kind = fields.int::<u8>("type", "an option type", 0..=0xff);
    let data = match fields.get("data") {
        None => Some(Vec::new()),
        Some(at) => reader.read(at, scalar::hex).and_then(|data| option_data(reader, at, data)),
    };
    fields.done();
    let (class, kind, data) = (class?, kind?, data?);
    let words = u8::try_from(data.len() / 4).ok()?;
    let mut wire = class.to_be_bytes().to_vec();
    wire.extend([kind, words]);
    wire.extend(data);
    Some(wire)
}

fn option_data(reader: &Reader, at: At, data: Vec<u8>) -> Option<Vec<u8>> {
    if !data.len().is_multiple_of(4) {
        let rule = format!("an option of {} bytes", data.len());
        return reader.refuse(at, rule, "fill up to a multiple of 4 bytes (RFC 8926 section 3.5)");
    }
    if data.len() > 124 {
        return reader.refuse(at, format!("an option of {} bytes", data.len()), "use at most 124 bytes");
    }
    Some(data)
}
