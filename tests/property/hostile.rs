//! Any bytes on any port.

use proptest::collection::vec;
use proptest::prelude::*;

use super::cases;
use super::frames::{any_frame, from_vtep, mistaken, yaml};
use crate::support::outer;
use crate::support::site::{Setup, Site};

/// A frame that leaves through a server's port: whole, and with one of the port's tags.
fn assert_fits(port: &str, frame: &[u8]) {
    let word = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
    assert!(frame.len() >= 14, "{port} sends {frame:02x?}");
    assert_eq!(frame[6] & 1, 0, "{port} sends a group source: {frame:02x?}");
    assert_ne!(frame[6..12], [0; 6], "{port} sends no source");
    assert!(frame[..5] != [1, 0x80, 0xc2, 0, 0] || frame[5] > 0x0f, "{port} relays a link-local frame");
    match port {
        "srv1" => {
            assert!(frame.len() >= 18 && word(12) == 0x8100 && [10, 11].contains(&(word(14) & 0xfff)), "{frame:02x?}")
        }
        _ if word(12) == 0x88a8 => {
            assert!(frame.len() >= 22 && word(14) & 0xfff == 300 && word(16) == 0x8100 && word(18) == 7)
        }
        _ => assert_ne!(word(12), 0x8100, "{port} carries no customer tag: {frame:02x?}"),
    }
}

fn check_all_that_left(site: &mut Site) {
    for (place, frames) in site.all_sent() {
        for frame in frames {
            match &*place {
                "up0" => {
                    let read = outer::read(&frame, 6081).unwrap_or_else(|problem| panic!("{problem}: {frame:02x?}"));
                    assert!([10010, 10011].contains(&read.vni));
                }
                "srv1" | "srv2" => assert_fits(&place, &frame),
                "up1 host" => {}
                other => panic!("a frame left through {other}: {frame:02x?}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(96))]

    /// MAL1 MAL2 MAL3 MAL5 MAL6 MAL11: no panic, no leak, every frame has one fate, and what leaves is right.
    #[test]
    fn any_bytes_on_any_port_have_one_fate_and_nothing_wrong_leaves(
        frames in vec((0usize..2, any_frame()), 1..120),
        workers in 1usize..3,
        offloads: bool,
    ) {
        let has_tx = |core: usize, port: usize| core == 0 || port != 0;
        let mut site = Site::with(&yaml(true), &Setup { workers, offloads, has_tx, ..Setup::default() });
        for (core, (port, frame)) in &frames {
            site.receive_at(core % workers, port, frame);
        }
        site.run();
        check_all_that_left(&mut site);
        site.assert_balanced();
    }

    /// MAL11: the same with few buffers, small rings and devices that are slow.
    #[test]
    fn shortage_loses_frames_by_name_only(
        frames in vec((0usize..2, any_frame()), 1..100),
        copies in 1u32..5,
        room in 0usize..5,
        spare in 0usize..20,
    ) {
        let has_tx = |core: usize, port: usize| core == 0 || port != 0;
        let setup = Setup { workers: 2, has_tx, copies, handoff: 3, rings: (8, 2), pool: 100 + spare, ..Setup::default() };
        let mut site = Site::with(&yaml(true), &setup);
        for core in 0..2 {
            site.cores[core].driver_mut().ports.iter_mut().for_each(|port| port.room = Some(room));
        }
        for (core, (port, frame)) in &frames {
            site.receive_at(*core, port, frame);
        }
        for _ in 0..20 {
            site.turn(0);
            site.turn(1);
            check_all_that_left(&mut site);
        }
        site.run();
        check_all_that_left(&mut site);
        site.assert_balanced();
    }
}

proptest! {
    #![proptest_config(cases(512))]

    /// MAL11: one tunnel packet with mistakes yields nothing, or a frame that was in it.
    #[test]
    fn a_tunnel_packet_with_mistakes_yields_nothing_that_was_not_in_it(packet in mistaken(from_vtep())) {
        let mut site = Site::new(&yaml(false));
        site.receive("up0", &packet);
        site.run();
        for port in ["srv1", "srv2"] {
            for frame in site.sent(port) {
                assert_fits(port, &frame);
                let tags = match (frame[12], frame[13]) { (0x81, 0) => 4, (0x88, 0xa8) => 8, _ => 0 };
                let body = &frame[12 + tags..];
                let own_tag = if matches!(body.first_chunk(), Some([0x81, 0] | [0x88, 0xa8])) { 4 } else { 0 };
                // But for the ECN field and its checksum, the tenant's bytes are those of the packet.
                let tail = &body[body.len().min(14 + own_tag)..];
                prop_assert!(packet.windows(12).any(|bytes| bytes == &frame[..12]));
                prop_assert!(tail.is_empty() || packet.windows(tail.len()).any(|bytes| bytes == tail));
            }
        }
        prop_assert!(site.sent("up0").is_empty(), "never back into a tunnel");
        site.assert_balanced();
    }
}
