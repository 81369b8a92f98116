//! What cores note besides counting: dropped frames, whose they were, what peers send, and who may watch.

use std::net::IpAddr;
use std::sync::Arc;

use gateway::control::view::DropView;
use gateway::control::{DropFilter, Event};
use gateway::frame::RxMeta;
use gateway::notes::KEPT;
use gateway::tap::{Filter, TAPS};

use super::PLAIN;
use crate::support::build::{ALL, Ip, ethernet, mac, tenant, vlan, vxlan};
use crate::support::site::{MS, Site, port_mac};
use crate::support::world::HOP;

/// What is shown once every core has been asked.
fn drops(site: &mut Site, filter: &DropFilter) -> Vec<DropView> {
    site.control.handle(Event::Count, site.now);
    site.run();
    site.control.view_drops_of(filter, false)
}

fn vtep(address: &str) -> Option<IpAddr> {
    Some(address.parse().expect("an address"))
}

#[test]
fn a_drop_is_told_with_its_frame_and_whose_it_was() {
    let mut site = PLAIN.site();
    let unmapped = vlan(&tenant(ALL, mac(1), (1, 2), 20), 77);
    site.receive("srv1", &unmapped);
    let stranger = PLAIN.arriving(9, 10010, &tenant(ALL, mac(3), (1, 2), 20));
    let lost_vni = PLAIN.arriving(1, 777, &tenant(ALL, mac(3), (1, 2), 20));
    site.receive("up0", &stranger);
    site.receive("up0", &lost_vni);
    site.run();
    site.now += 5 * MS;
    let all = drops(&mut site, &DropFilter { last: 3, ..DropFilter::default() });
    let told: Vec<_> = all.iter().map(|drop| (drop.reason.as_str(), drop.frames, drop.last.len())).collect();
    assert_eq!(told, [("unknown-vlan", 1, 1), ("unknown-vni", 1, 1), ("unknown-vtep", 1, 1)]);
    let [vlan, vni, peer] = &all[..] else { panic!("three") };
    assert_eq!((vlan.last[0].port.as_str(), vlan.last[0].age_ms), ("srv1", 5));
    assert!(vlan.last[0].headers.contains("VLAN 77"), "{}", vlan.last[0].headers);
    assert_eq!(vlan.last[0].hex.len(), 2 * unmapped.len());
    assert_eq!((vlan.vnis.len(), vlan.vteps.len()), (0, 0), "nobody's");
    assert_eq!((vni.vnis.len(), vni.vteps[0].vtep.as_str(), vni.vteps[0].frames), (0, PLAIN.peer(1).as_str(), 1));
    assert_eq!((peer.vnis[0].vni.as_str(), peer.vnis[0].frames, peer.vteps.len()), ("10010", 1, 0));
    assert_eq!(peer.last[0].length, stranger.len() as u64);

    let of = |filter| DropFilter { last: 3, ..filter };
    let by_vni = drops(&mut site, &of(DropFilter { vni: Some("10010".into()), ..DropFilter::default() }));
    assert_eq!((by_vni.len(), by_vni[0].reason.as_str(), by_vni[0].last.len()), (1, "unknown-vtep", 1));
    let whose = |drop: &DropView| (drop.ports.len(), drop.vnis.len(), drop.vteps.len());
    assert_eq!((whose(vni), whose(&by_vni[0])), ((1, 0, 1), (0, 1, 0)), "of whom was asked for, and of nobody else");
    let by_vtep = drops(&mut site, &of(DropFilter { vtep: vtep(&PLAIN.peer(1)), ..DropFilter::default() }));
    assert_eq!((by_vtep.len(), by_vtep[0].reason.as_str(), by_vtep[0].last.len()), (1, "unknown-vni", 1));
    assert_eq!(whose(&by_vtep[0]), (0, 0, 1));
    let by_port = drops(&mut site, &of(DropFilter { port: Some("srv1".into()), ..DropFilter::default() }));
    assert_eq!((by_port.len(), by_port[0].reason.as_str()), (1, "unknown-vlan"));
}

#[test]
fn a_tag_that_the_nic_took_off_is_told_all_the_same() {
    let mut site = PLAIN.site();
    let frame = tenant(ALL, mac(1), (1, 2), 20);
    site.receive_shaped("srv1", &frame, RxMeta { stripped: Some(77), ..RxMeta::default() }, |frame| frame);
    site.run();
    let all = drops(&mut site, &DropFilter { last: 1, ..DropFilter::default() });
    assert!(all[0].last[0].headers.contains("VLAN 77"), "{}", all[0].last[0].headers);
    assert_eq!(all[0].last[0].length, frame.len() as u64 + 4);
}

/// A storm costs a sample, not the memory of its frames; the counts are exact, and other reasons keep theirs.
#[test]
fn a_storm_of_drops_is_sampled_and_counted() {
    let mut site = PLAIN.site();
    let runt = [0u8; 9];
    site.receive("srv2", &runt);
    site.run();
    for round in 0..20 {
        for _ in 0..50 {
            site.receive("srv1", &vlan(&tenant(ALL, mac(1), (1, 2), round), 77));
        }
        site.run();
        site.now += 2 * MS;
    }
    let all = drops(&mut site, &DropFilter { last: 1000, ..DropFilter::default() });
    let told: Vec<_> = all.iter().map(|drop| (drop.reason.as_str(), drop.frames, drop.last.len())).collect();
    assert_eq!(told, [("runt", 1, 1), ("unknown-vlan", 1000, KEPT)]);
    let newest = &all[1].last;
    assert!(newest.windows(2).all(|pair| pair[0].age_ms <= pair[1].age_ms), "newest first");
    assert!(newest[0].age_ms <= 2, "the last round is in");
}

#[test]
fn what_a_peer_sends_is_seen() {
    let mut site = PLAIN.site();
    let ip = Ip::new(&PLAIN.peer(1), PLAIN.own());
    for (port, checksum, reserved) in [(50_000, true, 0), (60_000, false, 0x80)] {
        let mut payload = vxlan(10010, &tenant(ALL, mac(3), (1, 2), 20));
        payload[0] |= reserved;
        let packet = ip.udp((port, 4789), &payload, checksum);
        site.receive("up0", &ethernet(port_mac(0), HOP, 0x0800, &packet));
        site.run();
    }
    drops(&mut site, &DropFilter::default());
    site.now += 3_000 * MS;
    drops(&mut site, &DropFilter::default());
    let vteps = site.control.view_vteps();
    let peer = vteps.iter().find(|vtep| vtep.vtep == PLAIN.peer(1)).expect("it is configured");
    let sends = peer.sends.as_ref().expect("it has sent");
    assert_eq!((sends.sampled, sends.lowest_source_port, sends.highest_source_port), (2, 50_000, 60_000));
    assert_eq!((sends.checksums.as_str(), sends.reserved_bits, peer.last_seen), ("both", 1, Some(3)));
    let other = vteps.iter().find(|vtep| vtep.vtep == PLAIN.peer(2)).expect("it is configured");
    assert_eq!((other.last_seen, &other.sends), (None, &None));
}

#[test]
fn only_so_many_watch_and_each_that_goes_makes_room() {
    let mut site = PLAIN.site();
    let watchers: Vec<_> =
        (0..TAPS).map(|_| site.control.watch(Filter::default(), 64, 0).expect("there is room")).collect();
    let refusal = site.control.watch(Filter::default(), 64, 0).expect_err("one too many");
    assert!(refusal.contains("end one"), "{refusal}");
    site.run();
    assert!(watchers.iter().all(|watcher| site.control.is_watched(watcher)));
    site.receive("srv1", &vlan(&tenant(ALL, mac(1), (1, 2), 20), 77));
    site.run();
    assert!(watchers.iter().all(|watcher| watcher.reel.take().is_some_and(|shot| shot.bytes.len() == 64)));
    watchers.iter().for_each(|watcher| site.control.unwatch(watcher));
    site.run();
    assert!(!site.cores[0].shard().is_watched());
    assert!(watchers.iter().all(|watcher| Arc::strong_count(&watcher.reel) == 1), "no core holds what is gone");
    site.control.watch(Filter::default(), 64, 0).expect("there is room again");
}
