//! Watching: it makes no difference to frames, and tells all of them.

use std::sync::Arc;

use gateway::link::Update;
use gateway::tap::{Fate, Filter, Reel, Shot, Stage, Tap};
use proptest::collection::vec;
use proptest::prelude::*;

use super::cases;
use super::frames::{any_frame, yaml};
use crate::support::site::{Setup, Site};

/// Puts a tap on every core.
fn watch(site: &Site, filter: Filter, shots: usize) -> Arc<Reel> {
    let reel = Arc::new(Reel::new(shots, 2048, 0));
    for link in &site.links {
        let tap = Box::new(Tap::new(1, filter, 2048, Arc::clone(&reel)));
        link.updates.send(Update::Tap(tap)).expect("room");
    }
    reel
}

fn shots(reel: &Reel) -> Vec<Shot> {
    std::iter::from_fn(|| {
        let shot = reel.take()?;
        let copy = (*shot).clone();
        reel.give_back(shot);
        Some(copy)
    })
    .collect()
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn it_changes_nothing_and_tells_every_frame(
        frames in vec(any_frame(), 1..60),
        offloads: bool,
        copies in prop_oneof![Just(1u32), Just(u32::MAX)],
    ) {
        let setup = Setup { offloads, copies, ..Setup::default() };
        let (mut plain, mut watched) = (Site::with(&yaml(false), &setup), Site::with(&yaml(false), &setup));
        let reel = watch(&watched, Filter::default(), 4096);
        for (port, frame) in &frames {
            for site in [&mut plain, &mut watched] {
                site.receive(port, frame);
                site.run();
            }
        }
        prop_assert_eq!(plain.counters(), watched.counters());
        let sent = plain.all_sent();
        prop_assert_eq!(&sent, &watched.all_sent());
        let shots = shots(&reel);
        prop_assert_eq!(reel.missed(), 0);
        // Every received frame once, as it came: with its fate, or as a drop.
        let is_received = |shot: &&Shot| match shot.stage {
            Stage::In(_) => true,
            Stage::Drop(_) => frames.iter().any(|(_, frame)| *frame == shot.bytes),
            _ => false,
        };
        let mut came: Vec<&[u8]> = shots.iter().filter(is_received).map(|shot| &shot.bytes[..]).collect();
        let mut all: Vec<&[u8]> = frames.iter().map(|(_, frame)| &frame[..]).collect();
        came.dedup();
        all.dedup();
        prop_assert_eq!(came.len(), all.len());
        // Every sent frame, as it is on the wire.
        let number = |name: &str| plain.port(name);
        for (place, bytes) in &sent {
            let (port, stage) = match place.strip_suffix(" host") {
                Some(port) => (number(port), Stage::ToHost),
                None => (number(place), Stage::Out),
            };
            let told = shots.iter().filter(|shot| shot.stage == stage && shot.concern.port.0 == port);
            prop_assert_eq!(&told.map(|shot| shot.bytes.clone()).collect::<Vec<_>>(), bytes, "{}", place);
        }
        // Every drop.
        let drops = plain.drops();
        for (label, count) in drops {
            let told = shots.iter().filter(|shot| matches!(shot.stage, Stage::Drop(reason) if reason.label() == label));
            prop_assert_eq!(told.count() as u64, count, "{}", label);
        }
    }
}

#[test]
fn a_flood_is_told_with_its_copies() {
    use crate::support::build::{ALL, mac, tenant, vlan};
    let mut site = Site::new(&yaml(false));
    let reel = watch(&site, Filter::default(), 64);
    site.receive("srv1", &vlan(&tenant(ALL, mac(1), (1, 2), 10), 10));
    site.run();
    let shots = shots(&reel);
    let Stage::In(Fate::Flooded { copies, lost: 0 }) = shots[0].stage else { panic!("{:?}", shots[0]) };
    assert_eq!(usize::from(copies) + 1, shots.len());
    assert!(shots[0].concern.segment.is_some());
    assert!(shots[1..].iter().all(|shot| shot.stage == Stage::Out && shot.concern.segment == shots[0].concern.segment));
}
