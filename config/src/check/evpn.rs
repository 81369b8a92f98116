//! The section `control.evpn`.

use std::time::Duration;

use super::control::seconds;
use super::{Draft, Placed};
use crate::defaults;
use crate::document::At;
use crate::reader::Reader;
use crate::scalar;
use crate::suggest::nearest;
use crate::types::{Evpn, Flood, Segment, Vtep};

/// The section as the file has it; VNIs are yet to be found.
pub(super) struct EvpnDraft {
    at: At,
    namespace: Option<String>,
    vnis: Option<Vec<Placed<String>>>,
    udp_port: Option<Placed<u16>>,
    hold: Option<Duration>,
}

pub(super) fn read(reader: &Reader, at: At) -> Option<EvpnDraft> {
    let fields = reader.fields(at)?;
    let vnis = fields.get("vnis").map(|at| {
        let items = reader.one_or_more(at).into_iter();
        items.filter_map(|at| Some((reader.read(at, scalar::name)?, at))).collect()
    });
    let draft = EvpnDraft {
        at,
        namespace: fields.read("namespace", scalar::namespace).map(|(namespace, _)| namespace),
        vnis,
        udp_port: fields.int("udp_port", "a UDP port", 1..=65_535).map(|port| (port, fields.place("udp_port"))),
        hold: seconds(&fields, "hold", defaults::EVPN_HOLD),
    };
    fields.done();
    Some(draft)
}

impl EvpnDraft {
    /// With the segments that are meant.
    pub(super) fn resolve(&self, reader: &Reader, draft: &Draft, vtep: &Vtep, segments: &[Segment]) -> Evpn {
        if vtep.source_v4.is_none() {
            let rule = "EVPN needs an IPv4 VTEP address: FRR before 10.6 knows no other";
            reader.error(self.at, rule, "add an IPv4 address to 'vtep.source'");
        }
        let (udp_port, port_at) = self.udp_port.unwrap_or((defaults::EVPN_PORT, self.at));
        if udp_port == vtep.vxlan_port || udp_port == vtep.geneve_port {
            let rule = format!("UDP port {udp_port} is that of our tunnels, and the kernel would bind it");
            reader.error(port_at, rule, "give 'udp_port' another port; no packet ever goes to it");
        }
        let takes_part = |segment: &Segment| segment.vxlan.is_some() && matches!(segment.flood, Flood::Vteps(_));
        let segments = match &self.vnis {
            None => (0..segments.len()).filter(|&index| takes_part(&segments[index])).collect(),
            Some(names) => {
                names.iter().filter_map(|(name, at)| one(reader, draft, segments, name, *at, takes_part)).collect()
            }
        };
        Evpn { namespace: self.namespace.clone(), segments, udp_port, hold: self.hold }
    }
}

fn one(
    reader: &Reader,
    draft: &Draft,
    segments: &[Segment],
    name: &str,
    at: At,
    takes_part: impl Fn(&Segment) -> bool,
) -> Option<usize> {
    let numbered = |segment: &Segment| segment.vxlan.is_some_and(|vni| vni.to_string() == name);
    let named = segments.iter().position(|segment| segment.name == name);
    let Some(index) = named.or_else(|| segments.iter().position(numbered)) else {
        let cure = match nearest(name, segments.iter().map(|segment| segment.name.as_str())) {
            Some(near) => format!("did you mean '{near}'?"),
            None => "use a VNI under 'vnis', by number or name".to_owned(),
        };
        return reader.refuse(at, format!("there is no VNI '{name}'"), cure);
    };
    if !takes_part(&segments[index]) {
        let line = draft.segments.get(index).map(|segment| reader.line(segment.at)).unwrap_or_default();
        let rule = format!("VNI '{name}' ({line}) cannot take part: EVPN here is VXLAN with head-end replication");
        return reader.refuse(at, rule, "give it a VXLAN number and no 'flood.group', or leave it out");
    }
    Some(index)
}
