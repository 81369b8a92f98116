//! VLAN tags on the servers' side.

use crate::bench::{Bench, NEXT_HOP};
use crate::bytes::{BROADCAST, mac, probe, tagged, vlan};
use crate::config::Config;
use crate::lab::Lab;

/// Tags: those that a port does not map are dropped by name, a priority tag is none, the priority is kept between
/// tagged members. VL3 VL4 VL5 VL6 VL7 VL8 VL9
#[test]
fn tags_are_mapped_exactly() {
    let Some(lab) = Lab::of_wires() else { return };
    let config = Config::new(&lab)
        .underlay_wire(NEXT_HOP)
        .access("tags", "{vlan: 10, vni: 5001}, {vlan: 4094, vni: 5002}")
        .access("native", "{vlan: untagged, vni: 5001}")
        .access("other", "{vlan: 30, vni: 5001}, {vlan: 31, vni: 5002}")
        .vni("vni: 5001, flood: {vteps: [10.0.0.12]}")
        .vni("vni: 5002, flood: {vteps: [10.0.0.12]}");
    let bench = Bench::start(&lab, &config);
    let (tags, native, other) = (lab.wire("tags"), lab.wire("native"), lab.wire("other"));
    let frame = |seed| probe(BROADCAST, mac(seed), 60, seed);

    // Priority 5 and drop eligible: kept on the way to another tagged member.
    tags.send(&tagged(&frame(1), 0x8100, 0xb000 | 10));
    other.expect_frame("the translated tag with its priority", &tagged(&frame(1), 0x8100, 0xb000 | 30));
    native.expect_frame("without a tag", &frame(1));
    assert_eq!(bench.expect_inner("in the tunnel without a tag", &frame(1)).vni, 5001);
    tags.send(&vlan(&frame(2), 4094));
    other.expect_frame("the other segment", &vlan(&frame(2), 31));
    assert_eq!(bench.expect_inner("the other VNI", &frame(2)).vni, 5002);

    native.send(&vlan(&frame(3), 0));
    tags.expect_frame("a priority tag is taken off", &vlan(&frame(3), 10));
    assert_eq!(bench.expect_inner("and not tunnelled", &frame(3)).vni, 5001);

    let drops = &bench.gateway;
    tags.send(&vlan(&frame(4), 11));
    native.send(&vlan(&frame(4), 10));
    drops.wait_drops("unknown-vlan", 2);
    tags.send(&frame(4));
    tags.send(&vlan(&frame(4), 0));
    drops.wait_drops("untagged-not-allowed", 2);
    tags.send(&vlan(&frame(4), 4095));
    drops.wait_drops("reserved-vlan", 1);
    assert_eq!(drops.place(mac(4)), None, "a dropped frame taught a MAC");

    // Never bridged, never learned.
    native.send(&probe([1, 0x80, 0xc2, 0, 0, 0x0e], mac(5), 60, 5));
    drops.wait_drops("link-local", 1);
    native.send(&probe(mac(1), [3, 0, 0, 0, 0, 1], 60, 5));
    native.send(&probe(mac(1), [0; 6], 60, 5));
    drops.wait_drops("bad-source-mac", 2);
}

/// Two tags name a segment; both are taken off and put on. VL10 VL11
#[test]
fn qinq_maps_both_tags() {
    let Some(lab) = Lab::of_wires() else { return };
    let config = Config::new(&lab)
        .underlay_wire(NEXT_HOP)
        .access(
            "trunk",
            "{outer: 300, inner: 7, tpid: 802.1q, vni: 5001}, {outer: 300, inner: 8, tpid: 802.1q, vni: 5002}",
        )
        .access("native", "{vlan: untagged, vni: 5001}")
        .vni("vni: 5001, flood: {vteps: [10.0.0.12]}")
        .vni("vni: 5002, flood: {vteps: [10.0.0.12]}");
    let bench = Bench::start(&lab, &config);
    let (trunk, native) = (lab.wire("trunk"), lab.wire("native"));
    let frame = probe(BROADCAST, mac(1), 60, 1);
    trunk.send(&vlan(&vlan(&frame, 7), 300));
    native.expect_frame("both tags taken off", &frame);
    assert_eq!(bench.expect_inner("in the tunnel without tags", &frame).vni, 5001);
    trunk.send(&vlan(&vlan(&frame, 8), 300));
    assert_eq!(bench.expect_inner("the other customer", &frame).vni, 5002);
    native.send(&probe(mac(1), mac(2), 60, 2));
    trunk.expect_frame("both tags put on", &vlan(&vlan(&probe(mac(1), mac(2), 60, 2), 7), 300));
    trunk.send(&vlan(&vlan(&frame, 9), 300));
    bench.gateway.wait_drops("unknown-vlan", 1);
    // A tag inside a tunnel has no place in a segment that does not pass it.
    bench.underlay.send(&bench.vxlan("10.0.0.12", 5001, &vlan(&frame, 5)));
    bench.gateway.wait_drops("inner-vlan", 1);
}
