//! Ports: which tags lead where.

use config::types::{Attachment as Settings, Model, Port, Tag};

use super::hops::Underlay;
use super::{Naming, Plan, PortFacts, Rest, access};
use crate::control::ids::EndpointKey;
use crate::frame::PortId;
use crate::tables::{
    Attachment, Binding, Duties, Ingress, ListId, Place, PortTable, QinQ, SegmentId, UnderlaySide, VIDS, Way, Whence,
};

/// Compiles the attachments of all ports to endpoints.
pub fn compile(plan: &mut Plan, underlay: &Underlay<'_>, naming: &mut Naming) {
    for (index, (settings, facts)) in underlay.model.ports.iter().zip(underlay.facts).enumerate() {
        let (port, mtu) = (PortId(index as u8), settings.mtu.min(facts.mtu));
        let mut ids = Vec::with_capacity(settings.attachments.len());
        for attachment in &settings.attachments {
            let segment = plan.segments[attachment.segment];
            let key = EndpointKey::Attachment(port, attachment.tag, segment);
            let rest = Rest { port: Some(port), segment: Some(segment), limit: attachment.mac_limit, speaks: true };
            let (id, _) = plan.endpoint(naming, key, rest);
            plan.tables.endpoints[id.index()].way = Way::Attachment(Attachment {
                lists: [settings.access_list, attachment.access_list].map(access::id),
                by_device: facts.tx_vlan,
                ..endpoint(attachment, port, segment, mtu)
            });
            ids.push(id);
        }
        plan.attachments.push(ids);
    }
}

/// Compiles the ports, once segments and attachments are.
pub fn bind(plan: &mut Plan, underlay: &Underlay<'_>) {
    for ((settings, facts), ids) in underlay.model.ports.iter().zip(underlay.facts).zip(&plan.attachments) {
        let mut table = port_table(underlay.model, settings, facts);
        for (attachment, &id) in settings.attachments.iter().zip(ids) {
            let segment = plan.segments[attachment.segment];
            let place = Place::new(id, plan.tables.endpoints[id.index()].generation);
            let duties = duties(underlay.model, settings, attachment);
            let whence = Whence::new(place, 0, duties, plan.tables.segments[segment.index()].age_class);
            let ingress = Ingress { whence, segment };
            bind_tag(&mut table, attachment.tag, ingress);
        }
        plan.tables.ports.push(table);
    }
}

fn port_table(model: &Model, settings: &Port, facts: &PortFacts) -> PortTable {
    let mut table = PortTable::new(facts.mac.0, settings.mtu.min(facts.mtu));
    table.tx_vlan = facts.tx_vlan;
    if let Some(underlay) = &settings.underlay {
        table.underlay = Some(UnderlaySide {
            twin: underlay.twin.is_some(),
            vlan: underlay.vlan.map_or(0, |vlan| vlan.value()),
            host_rate: model.vtep.host_rate,
        });
        match underlay.vlan {
            None => table.untagged = Binding::Underlay,
            Some(vlan) => table.customer[usize::from(vlan.value())] = Binding::Underlay,
        }
    }
    table
}

fn endpoint(settings: &Settings, port: PortId, segment: SegmentId, mtu: u16) -> Attachment {
    let (tags, tags_len) = tags(settings.tag);
    Attachment {
        port,
        segment,
        tags,
        tags_len,
        by_device: false,
        pcp: settings.pcp,
        mtu,
        lists: [ListId::default(); 2],
    }
}

/// What is asked of frames that come in on an attachment.
fn duties(model: &Model, port: &Port, attachment: &Settings) -> Duties {
    let segment = &model.segments[attachment.segment];
    let listed = port.access_list.or(attachment.access_list).or(segment.access_list).is_some();
    let rules = if listed { Duties::RULES } else { 0 };
    Duties(rules | if segment.suppress { Duties::SUPPRESS } else { 0 })
}

/// TPID and TCI of each tag, wire order, PCP and DEI zero.
fn tags(tag: Tag) -> ([u8; 8], u8) {
    let mut bytes = [0; 8];
    let mut write = |at: usize, tpid: u16, vid: u16| {
        bytes[at..at + 2].copy_from_slice(&tpid.to_be_bytes());
        bytes[at + 2..at + 4].copy_from_slice(&vid.to_be_bytes());
    };
    let len = match tag {
        Tag::Untagged => 0,
        Tag::Vlan(vid) => {
            write(0, 0x8100, vid.value());
            4
        }
        Tag::QinQ { outer, inner, service } => {
            write(0, if service { 0x88a8 } else { 0x8100 }, outer.value());
            write(4, 0x8100, inner.value());
            8
        }
    };
    (bytes, len)
}

fn bind_tag(table: &mut PortTable, tag: Tag, ingress: Ingress) {
    let here = Binding::Attachment(ingress);
    match tag {
        Tag::Untagged => table.untagged = here,
        Tag::Vlan(vid) => match table.customer[usize::from(vid.value())] {
            Binding::Inner(inner) => table.qinq[usize::from(inner)].otherwise = here,
            _ => table.customer[usize::from(vid.value())] = here,
        },
        Tag::QinQ { outer, inner, service } => {
            let PortTable { customer, service: provider, qinq, .. } = table;
            let by_outer = match service {
                false => customer.as_mut_slice(),
                true => {
                    if provider.is_empty() {
                        *provider = vec![Binding::None; VIDS].into();
                    }
                    provider
                }
            };
            let slot = &mut by_outer[usize::from(outer.value())];
            let index = match *slot {
                Binding::Inner(index) => index,
                otherwise => {
                    qinq.push(QinQ { inner: vec![Binding::None; VIDS].into(), otherwise });
                    let index = qinq.len() as u16 - 1;
                    *slot = Binding::Inner(index);
                    index
                }
            };
            qinq[usize::from(index)].inner[usize::from(inner.value())] = here;
        }
    }
}
