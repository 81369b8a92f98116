//! Things that must make no difference.

use std::collections::BTreeMap;

use gateway::frame::{Checked, Pool, PortId, RxMeta};
use gateway::pipeline::classify::{class, class_closely};
use gateway::sim::HeapPool;
use proptest::collection::vec;
use proptest::prelude::*;

use super::cases;
use super::frames::{any_frame, good_tenant, yaml};
use crate::support::build::vlan;
use crate::support::site::{Setup, Site, port_mac};
use crate::support::world::World;

type Sent = BTreeMap<String, Vec<Vec<u8>>>;

/// All that left and all that was dropped.
fn outcome(site: &mut Site) -> (Sent, BTreeMap<&'static str, u64>) {
    let sent = site.all_sent();
    site.assert_balanced();
    (sent, site.drops())
}

/// The first gateway's tunnel packets, as the wire brings them to the second.
fn across(frames: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    frames
        .into_iter()
        .map(|mut frame| {
            frame[..6].copy_from_slice(&port_mac(0));
            frame
        })
        .collect()
}

fn any_checked() -> impl Strategy<Value = Checked> {
    prop_oneof![4 => Just(Checked::Unknown), 2 => Just(Checked::Good), 1 => Just(Checked::Bad)]
}

/// What a NIC may say of a frame.
fn any_meta() -> impl Strategy<Value = RxMeta> {
    let tag = prop_oneof![6 => Just(None), 1 => Just(Some(10)), 1 => Just(Some(100)), 1 => any::<u16>().prop_map(Some)];
    (tag, any::<Option<u32>>(), any_checked(), any_checked()).prop_map(|(stripped, hash, ip, udp)| RxMeta {
        stripped,
        hash,
        ip,
        udp,
        ..RxMeta::default()
    })
}

proptest! {
    // Most mistakes in a frame hide all others, so it takes many.
    #![proptest_config(cases(600))]

    /// The commonest frames take a short way through classification: it leads where the long one does.
    #[test]
    fn the_short_way_of_the_commonest_frames_says_what_the_long_one_says(
        frames in vec((any_frame(), 0usize..80, any_meta()), 1..80),
    ) {
        let site = Site::new(&yaml(false));
        let tables = &site.cores[0].shard().tables;
        let mut pool = HeapPool::new(1);
        for ((port, bytes), head, meta) in frames {
            let port = PortId(site.port(port));
            let mut frame = pool.frame(&bytes).expect("a frame").with_meta(RxMeta { port, ..meta });
            if head % 4 == 0 {
                frame = frame.split(head, 64);
            }
            prop_assert_eq!(class(&frame, port, tables), class_closely(&frame, port, tables), "{:02x?}", bytes);
        }
    }
}

proptest! {
    #![proptest_config(cases(64))]

    /// L2n: no frame leaves a trace in the next one. (Nothing is learned here; learning from frame to frame is wanted.)
    #[test]
    fn a_batch_comes_out_as_its_frames_one_by_one(frames in vec(any_frame(), 1..80)) {
        let mut together = Site::new(&yaml(false));
        let mut single = Site::new(&yaml(false));
        for (port, frame) in &frames {
            together.receive(port, frame);
        }
        together.run();
        // The cores take a port after another: so do we.
        for port in ["up0", "srv1", "srv2", "up1"] {
            for (_, frame) in frames.iter().filter(|(at, _)| *at == port) {
                single.receive(port, frame);
                single.run();
            }
        }
        let (mut a, mut b) = (outcome(&mut together), outcome(&mut single));
        // Bursts of 64 take turns between ports: only the order within a flow is promised.
        for frames in a.0.values_mut().chain(b.0.values_mut()) {
            frames.iter_mut().for_each(|frame| forget_identification(frame));
            frames.sort();
        }
        prop_assert_eq!(a, b);
    }

    /// MAL7 MTU5: buffers in pieces, tags taken off by the NIC, help on sending: the same bytes and the same drops.
    #[test]
    fn how_the_nic_hands_frames_over_makes_no_difference(
        frames in vec((any_frame(), 384usize..600, 1usize..200, any::<bool>()), 1..40),
        offloads: bool,
    ) {
        let mut plain = Site::new(&yaml(false));
        let mut other = Site::with(&yaml(false), &Setup { offloads, ..Setup::default() });
        for ((port, frame), head, piece, strips) in &frames {
            plain.receive(port, frame);
            plain.run();
            let (mut bytes, mut meta) = (frame.clone(), RxMeta::default());
            if *strips && bytes.len() >= 18 && bytes[12..14] == [0x81, 0x00] {
                meta.stripped = Some(u16::from_be_bytes([bytes[14], bytes[15]]));
                bytes.drain(12..16);
            }
            other.receive_shaped(port, &bytes, meta, |frame| frame.split(*head, *piece));
            other.run();
            prop_assert_eq!(plain.all_sent(), other.all_sent());
            prop_assert_eq!(plain.drops(), other.drops());
        }
    }

    /// VX19 GN1 OIP3 OIP6 ECN1 ECN2: through one gateway into a tunnel and out of it at another, a frame stays what it was.
    #[test]
    fn encapsulation_and_decapsulation_undo_each_other(
        frames in vec(good_tenant(), 1..20),
        world in prop::sample::select(World::all()),
        tos in prop_oneof![Just("tos: inherit"), Just("tos: 184"), Just("ttl: inherit"), Just("df: inherit")],
        size in 0usize..8000,
        offloads: bool,
    ) {
        let here = world.yaml(&["{vlan: 10, vni: 10010}"], &[(10010, &[1], tos)]);
        let there = here.replace(&world.peer(1), "far").replace(world.own(), &world.peer(1)).replace("far", world.own());
        let setup = Setup { offloads, ..Setup::default() };
        let (mut a, mut b) = (Site::with(&here, &setup), Site::with(&there, &setup));
        for mut frame in frames {
            frame.extend((0..size).map(|n| n as u8));
            a.receive("srv1", &vlan(&frame, 10));
            a.run();
            for packet in across(a.sent("up0")) {
                world_read(&world, &packet);
                b.receive("up0", &packet);
            }
            b.run();
            let came = b.sent("srv1");
            // Known on its own port here, it has no reason to travel.
            prop_assert!(came.is_empty() && a.drops().contains_key("split-horizon") || came == [vlan(&frame, 10)]);
        }
        a.assert_balanced();
        b.assert_balanced();
    }
}

fn world_read(world: &World, packet: &[u8]) {
    let read = crate::support::outer::read(packet, 6081).unwrap_or_else(|problem| panic!("{problem}"));
    assert_eq!((read.geneve, read.vlan), (world.geneve, world.vlan));
}

/// Without DF each packet has an identification of its own, in the order of sending.
fn forget_identification(frame: &mut [u8]) {
    if frame.len() > 34 && frame[12..14] == [0x08, 0] && frame[..6] == crate::support::world::HOP {
        frame[18..20].fill(0);
        frame[24..26].fill(0);
    }
}
