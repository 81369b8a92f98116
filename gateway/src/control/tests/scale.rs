//! Full size: anything quadratic would not come back.

use std::net::{IpAddr, Ipv4Addr};

use config::types::{Encap, Flood, Mac, Place, Remote, StaticMac, Tag, Vid, Vni};

use super::OFFICE;
use crate::control::testing::{SECOND, facts, model};
use crate::control::{Control, Event};
use crate::link::{Report, Ring, Update};
use crate::tables::{FdbEntry, FdbKey, Origin};

const SEGMENTS: usize = 16_384;
const VTEPS: u32 = 4_096;

fn vtep(number: u32) -> Remote {
    let address = IpAddr::V4(Ipv4Addr::from(0x0a01_0000 + number % VTEPS));
    Remote { address, encap: Encap::Vxlan, vni: None }
}

/// Every segment with eight VTEPs and four static MACs; the first 4,094 with a VLAN on srv1.
fn full_size() -> config::types::Model {
    let mut model = model(OFFICE);
    let pattern = model.segments[1].clone();
    let segment = |number: usize| {
        let mut segment = pattern.clone();
        let first = number as u32 / 2 * 8;
        segment.name = number.to_string();
        segment.vxlan = Vni::new(number as u32);
        segment.flood = Flood::Vteps((first..first + 8).map(vtep).collect());
        let mac = |index: u32| StaticMac { mac: Mac([2, 1, 0, 0, 0, index as u8]), place: Place::Vtep(vtep(first)) };
        segment.statics = (0..4).map(mac).collect();
        segment
    };
    model.segments = (0..SEGMENTS).map(segment).collect();
    let pattern = model.ports[1].attachments[0].clone();
    let attachment = |vid: u16| {
        let mut attachment = pattern.clone();
        attachment.tag = Tag::Vlan(Vid::new(vid).expect("1 to 4094"));
        attachment.segment = usize::from(vid);
        attachment
    };
    model.ports[1].attachments = (1..=4094).map(attachment).collect();
    model.ports[2].attachments.clear();
    model
}

#[test]
fn a_full_size_configuration_compiles_and_compiles_again_to_the_same() {
    let model = full_size();
    let mut control = Control::new(model.clone(), facts(&model));
    let before = control.tables();
    assert_eq!(before.segments.len(), SEGMENTS);
    assert_eq!(control.plan.tunnels.len(), VTEPS as usize);
    assert_eq!(control.entries().count(), SEGMENTS * 4);
    let sets = before.floods.iter().filter(|list| list.to.is_empty());
    assert_eq!(sets.count(), VTEPS as usize / 8, "equal member sets are stored once");
    control.reload(model, SECOND).expect("nothing fixed changed");
    let after = control.tables();
    assert_eq!((&before.segments, &before.floods), (&after.segments, &after.floods));
    assert!(matches!(control.next(0), Some(Update::Tables(_))));
    assert!(control.next(0).is_none(), "no static MAC is told again");
}

#[test]
fn a_hundred_thousand_macs_are_learned_told_through_a_small_ring_and_forgotten() {
    const MACS: u64 = 100_000;
    let mut model = model(OFFICE);
    model.segments[0].learning.limit = 1_000_000;
    let mut control = Control::new(model.clone(), facts(&model));
    let (segment, place) = (control.plan.segments[0], control.plan.attachments[1][0]);
    let ring = Ring::new(64);
    let mut now = SECOND;
    for number in 0..MACS {
        let key = FdbKey::from_word(segment, 0x0202_0000_0000 + number);
        let report = Report::Learned { key, entry: FdbEntry::new(place, 0, Origin::Fresh) };
        control.handle(Event::Report { core: 0, report }, now);
    }
    control.settle(now);
    let mut told = 0;
    while control.feed(0, &ring) > 0 {
        while let Some(update) = ring.take() {
            told += u64::from(matches!(update, Update::Put(..)));
        }
    }
    assert_eq!((told, control.known_macs() as u64), (MACS, MACS + 2));
    now += 60 * SECOND;
    while control.known_macs() > 2 {
        control.handle(Event::Tick, now);
    }
    assert_eq!(control.news.waiting(1) as u64, 2 * MACS, "one core has read nothing");
    let removed = std::iter::from_fn(|| control.next(1)).filter(|update| matches!(update, Update::Remove(_)));
    assert_eq!(removed.count() as u64, MACS);
}
