//! Access lists on frames that come in: those of the port, of its VLAN and of the VNI, in this order. A frame must pass each
//! of them; within one the first rule that matches decides, and what none matches passes.

use crate::batch::Arrival;
use crate::shard::Shard;
use crate::tables::{Facts, ListId, Way};
use crate::verdict::DropReason;
use crate::wire::upper::Upper;
use crate::wire::{ethernet, word};

/// Why a frame may not pass, if it may not. Counts the rules that decide.
#[inline(never)]
pub fn deny(head: &[u8], arrival: &Arrival, shard: &mut Shard) -> Option<DropReason> {
    let Shard { tables, counters, .. } = shard;
    let [port, vlan] = match tables.endpoints.get(arrival.from().index()).map(|endpoint| &endpoint.way) {
        Some(Way::Attachment(attachment)) if arrival.whence.group() == 0 => attachment.lists,
        _ => [ListId::default(); 2],
    };
    let vni = tables.segments.get(arrival.segment().index()).map_or(ListId::default(), |segment| segment.rare.list);
    let facts = facts(head, arrival);
    for list in [port, vlan, vni].map(|id| tables.rules.list(id)) {
        if list.reads_ports && facts.upper.hiding {
            return Some(DropReason::TinyFragment);
        }
        let Some((number, rule)) = tables.rules.decide(list, &facts) else { continue };
        if let Some(hits) = counters.rules.get_mut(number) {
            hits.frames += 1;
        }
        if !rule.permit {
            return Some(DropReason::Denied);
        }
    }
    None
}

/// What rules look at. A tag that the segment passes is looked behind.
fn facts(head: &[u8], arrival: &Arrival) -> Facts {
    let tenant = head.get(usize::from(arrival.strip)..).unwrap_or_default();
    let mut at = ethernet::HEADER + usize::from(arrival.tags);
    let mut ethertype = word(tenant, at - 2).unwrap_or(0);
    if ethernet::is_tag(ethertype) {
        at += ethernet::TAG;
        ethertype = word(tenant, at - 2).unwrap_or(0);
    }
    let macs = [arrival.source.mac(), arrival.destination.mac()].map(|mac| ethernet::mac_word(&mac, 0));
    Facts { macs, ethertype, upper: Upper::of(tenant.get(at..).unwrap_or_default(), ethertype) }
}
