//! From bytes to a class: the only reader of received headers.

use crate::batch::{Arrival, Batch, Class};
use crate::frame::{Frame, PortId, RxMeta};
use crate::pipeline::{rules, termination};
use crate::shard::Shard;
use crate::tables::{Binding, EndpointId, FdbKey, PortTable, Tables, Way};
use crate::verdict::DropReason;
use crate::wire::{ethernet, flow, ip, word};

/// A frame that is being classified: its head and what is known besides the bytes.
#[derive(Clone, Copy, Debug)]
pub struct Looked<'a> {
    /// The first piece.
    pub head: &'a [u8],
    /// Bytes of all pieces.
    pub len: usize,
    /// What the NIC said.
    pub meta: RxMeta,
}

/// Classifies the frames of a batch and asks for the FDB lines that the next stages read.
#[inline(never)]
pub fn classify<F: Frame>(batch: &mut Batch<F>, shard: &mut Shard) {
    batch.classes.clear();
    for frame in &batch.frames {
        let looked = Looked { head: frame.head(), len: frame.len(), meta: frame.meta() };
        let mut stranger = None;
        let mut class = class(looked, frame, batch.port, &shard.tables, &mut stranger);
        if let Class::Bridge(arrival) = &class {
            let denied = if arrival.duties.rules() { rules::deny(looked.head, arrival, shard) } else { None };
            shard.fdb.prefetch(arrival.source);
            shard.fdb.prefetch(arrival.destination);
            if let Some(reason) = denied {
                class = Class::Drop(reason);
            }
        }
        if let Some((segment, remote, encap)) = stranger {
            shard.report_vtep(segment, remote, encap);
        }
        batch.classes.push(class);
    }
}

/// The class of one frame: a function of its bytes, what the NIC said of it, and the tables. `frame` is read beyond its
/// head only for checksums; `stranger` is set to a sender that a segment takes although nobody listed it.
pub fn class<F: Frame>(
    looked: Looked<'_>,
    frame: &F,
    port: PortId,
    tables: &Tables,
    stranger: &mut Option<termination::Stranger>,
) -> Class {
    let Some(table) = tables.ports.get(port.index()) else { return Class::Drop(DropReason::UnknownVlan) };
    let tagging = match tagging(looked, table) {
        Ok(tagging) => tagging,
        Err(reason) => return Class::Drop(reason),
    };
    let destination = ethernet::mac_word(looked.head, 0);
    if ethernet::is_link_local(destination) {
        return match &table.underlay {
            Some(side) if side.twin && tagging.outer.is_none() => Class::Host { tags: 0 },
            _ => Class::Drop(DropReason::LinkLocal),
        };
    }
    match tagging.binding {
        Binding::Attachment(endpoint) => attachment(looked, &tagging, endpoint, destination, tables),
        Binding::Underlay => termination::underlay(looked, frame, &tagging, table, tables, stranger),
        Binding::None | Binding::Inner(_) if tagging.len == 0 && tagging.outer.is_none() => {
            Class::Drop(DropReason::UntaggedNotAllowed)
        }
        Binding::None | Binding::Inner(_) => Class::Drop(DropReason::UnknownVlan),
    }
}

/// The tags of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Tagging {
    /// Where they lead.
    pub binding: Binding,
    /// Bytes of the tags that the binding covers and that lie in the frame: 0, 4 or 8.
    pub len: u8,
    /// TCI of the outer tag, in the frame or taken off by the NIC; `None` without one.
    pub outer: Option<u16>,
    /// The ethertype behind those tags.
    pub ethertype: u16,
}

/// Reads the tags and finds where they lead.
#[inline]
pub(super) fn tagging(looked: Looked<'_>, table: &PortTable) -> Result<Tagging, DropReason> {
    let missing = if looked.len < ethernet::HEADER + ethernet::TAG { DropReason::Runt } else { DropReason::Split };
    let ethertype = word(looked.head, ethernet::ADDRESSES).ok_or(if looked.len < ethernet::HEADER {
        DropReason::Runt
    } else {
        DropReason::Split
    })?;
    // The outer tag: the one that the NIC took off, or the first in the frame.
    let (tpid, tci, len, next) = match looked.meta.stripped {
        Some(tci) => (ethernet::CUSTOMER_TAG, tci, 0, ethertype),
        None if ethernet::is_tag(ethertype) => {
            let tci = word(looked.head, 14).ok_or(missing)?;
            (ethertype, tci, 4, word(looked.head, 16).ok_or(missing)?)
        }
        None => return Ok(Tagging { binding: table.untagged, len: 0, outer: None, ethertype }),
    };
    let vid = tci & 0x0fff;
    if vid == 0x0fff {
        return Err(DropReason::ReservedVlan);
    }
    let outer = Some(tci);
    if vid == 0 {
        // A priority tag is no tag (VL7).
        return match table.untagged {
            Binding::None => Err(DropReason::UntaggedNotAllowed),
            binding => Ok(Tagging { binding, len, outer, ethertype: next }),
        };
    }
    let map = if tpid == ethernet::CUSTOMER_TAG { &table.customer } else { &table.service };
    let binding = map.get(usize::from(vid)).copied().unwrap_or(Binding::None);
    let Binding::Inner(index) = binding else { return Ok(Tagging { binding, len, outer, ethertype: next }) };
    let Some(qinq) = table.qinq.get(usize::from(index)) else { return Err(DropReason::UnknownVlan) };
    let at = ethernet::HEADER + usize::from(len);
    if ethernet::is_tag(next) {
        let inner = word(looked.head, at).ok_or(DropReason::Runt)? & 0x0fff;
        if let Some(binding @ Binding::Attachment(_)) = qinq.inner.get(usize::from(inner)).copied() {
            let ethertype = word(looked.head, at + 2).ok_or(DropReason::Runt)?;
            return Ok(Tagging { binding, len: len + 4, outer, ethertype });
        }
    }
    Ok(Tagging { binding: qinq.otherwise, len, outer, ethertype: next })
}

/// A frame of an attachment.
#[inline]
fn attachment(looked: Looked<'_>, tagging: &Tagging, from: EndpointId, destination: u64, tables: &Tables) -> Class {
    let source = ethernet::mac_word(looked.head, 6);
    if source == 0 || ethernet::is_group(source) {
        return Class::Drop(DropReason::BadSourceMac);
    }
    let Some(endpoint) = tables.endpoints.get(from.index()) else { return Class::Drop(DropReason::UnknownVlan) };
    let Way::Attachment(attachment) = &endpoint.way else { return Class::Drop(DropReason::UnknownVlan) };
    if ethernet::is_tag(tagging.ethertype) {
        let passes = tables.segments.get(attachment.segment.index()).is_some_and(|segment| segment.inner_vlan_pass);
        if !passes {
            return Class::Drop(DropReason::InnerVlan);
        }
    }
    let at = ethernet::HEADER + usize::from(tagging.len);
    let mut inner = ip::inner(looked.head, at, tagging.ethertype);
    if inner.at != 0 {
        inner.at -= tagging.len;
    }
    Class::Bridge(Arrival {
        destination: FdbKey::from_word(attachment.segment, destination),
        source: FdbKey::from_word(attachment.segment, source),
        from,
        generation: endpoint.generation,
        group: 0,
        to_group: ethernet::is_group(destination),
        strip: 0,
        tags: tagging.len,
        priority: tagging.outer.map_or(0, |tci| (tci >> 8) as u8 & 0xf0),
        ecn: 0xff,
        inner,
        len: 0,
        duties: attachment.duties,
        flow: looked.meta.hash.unwrap_or_else(|| flow::flow(looked.head, at, tagging.ethertype)),
    })
}
