//! The Linux side of the underlay against a real kernel: twins, routes, neighbours and multicast groups in network
//! namespaces that each test makes and removes. The test plays the wire: it reads what the kernel sends through the twin
//! and writes what a peer would. Needs root and iproute2; without root each test says that it was skipped.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use config::types::Mac;
use gateway::frame::PortId;
use gateway::source::error::UnderlayError;
use gateway::source::namespace::Namespace;
use gateway::source::netlink::{Follower, Hop, NextHop, Resolution, UnderlayEvent, UnderlayState};
use gateway::source::twin::{Twin, TwinOptions, TwinWriter};

/// Nothing that we wait for takes the kernel longer, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(10);

const UP0: PortId = PortId(0);
const UP1: PortId = PortId(1);
const TWIN_MAC: Mac = Mac([2, 0, 0, 0, 0, 0x11]);
const PEER_MAC: Mac = Mac([2, 0, 0, 0, 0, 0x99]);

// ---------------------------------------------------------------------------------------------------------- twins

#[test]
fn a_twin_appears_with_mac_mtu_addresses_and_gateways_and_is_gone_after_drop() {
    let Some(net) = Net::new() else { return };
    let twin = Twin::open(&TwinOptions {
        mtu: 9216,
        addresses: vec![(ip("10.0.0.11"), 24), (ip("2001:db8::11"), 64)],
        gateways: vec![ip("10.0.0.1"), ip("2001:db8::1")],
        ..net.options("up0")
    })
    .unwrap();
    assert_eq!((twin.name(), twin.largest_frame()), ("up0", 9238));

    let shown = net.ip("addr show dev up0");
    for part in
        ["mtu 9216", "link/ether 02:00:00:00:00:11", "inet 10.0.0.11/24", "inet6 2001:db8::11/64", "UP,LOWER_UP"]
    {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(!shown.contains("tentative"), "{shown}");
    assert!(shown.starts_with(&format!("{}: up0:", twin.index())), "{shown}");
    assert!(net.ip("-4 route show default").starts_with("default via 10.0.0.1 dev up0"));
    assert!(net.ip("-6 route show default").starts_with("default via 2001:db8::1 dev up0"));
    assert_eq!(net.sysctl("net/ipv6/conf/up0/accept_ra"), "0");
    assert_eq!(net.sysctl("net/ipv6/conf/up0/router_solicitations"), "0");
    assert_ne!(net.sysctl("net/ipv6/conf/default/accept_ra"), "0", "the operator's settings stay");

    drop(twin);
    net.until_gone("up0");
}

#[test]
fn two_twins_with_a_gateway_each_share_the_default_route() {
    let Some(net) = Net::new() else { return };
    let options = |name: &str, third: u8| TwinOptions {
        addresses: vec![(Ipv4Addr::new(10, 0, third, 11).into(), 24), (v6(third, 0x11), 64)],
        gateways: vec![Ipv4Addr::new(10, 0, third, 1).into(), v6(third, 1)],
        ..net.options(name)
    };
    let _twins = [Twin::open(&options("up0", 0)).unwrap(), Twin::open(&options("up1", 1)).unwrap()];
    for family in ["-4", "-6"] {
        let shown = net.ip(&format!("{family} route show default"));
        assert!(shown.contains("dev up0") && shown.contains("dev up1"), "{shown}");
    }
}

#[test]
fn the_kernel_answers_arp_and_ping_through_the_twin() {
    let Some(net) = Net::new() else { return };
    let wire = Wire::new(&net, "up0", &["10.0.0.11/24"]);
    wire.arp_request("10.0.0.99", "10.0.0.11");
    let reply = wire.expect("ARP reply", |frame| arp(frame) == Some((2, v4("10.0.0.11"), v4("10.0.0.99"))));
    assert_eq!((&reply[0..6], &reply[6..12]), (&PEER_MAC.0[..], &TWIN_MAC.0[..]));

    wire.send(TWIN_MAC, 0x0800, &ipv4("10.0.0.99", "10.0.0.11", 1, 64, &[], &echo(8, b"are you there?")));
    let reply = wire.expect("echo reply", |frame| ethertype(frame) == 0x0800 && frame[14 + 9] == 1);
    assert_eq!(&reply[0..6], &PEER_MAC.0);
    assert_eq!(&reply[14 + 20..], &echo(0, b"are you there?"));
}

#[test]
fn the_kernel_answers_neighbour_solicitations_and_ping_over_ipv6() {
    let Some(net) = Net::new() else { return };
    let wire = Wire::new(&net, "up0", &["2001:db8::11/64"]);
    let (us, peer) = (v6(0, 0x11), v6(0, 0x99));
    wire.neighbour_solicitation(peer, us);
    let advertisement = wire.expect("neighbour advertisement", |frame| icmpv6(frame) == Some((136, peer)));
    assert_eq!(&advertisement[54 + 8..54 + 24], &octets(us));

    let ping = icmp6(peer, us, &[128, 0, 0, 0, 0, 1, 0, 1, b'h', b'i']);
    wire.send(TWIN_MAC, 0x86dd, &ipv6(peer, us, 58, 64, &ping));
    let reply = wire.expect("echo reply", |frame| icmpv6(frame) == Some((129, peer)));
    assert_eq!(&reply[54 + 8..], b"hi");
}

#[test]
fn dropping_a_twin_ends_its_reader_and_removes_the_device_though_writers_are_left() {
    let Some(net) = Net::new() else { return };
    let twin = Twin::open(&net.options("up0")).unwrap();
    let (mut reader, writer) = (twin.reader().unwrap(), twin.writer());
    let reading = thread::spawn(move || {
        let mut buffer = vec![0; 2048];
        while reader.read(&mut buffer).unwrap().is_some() {}
    });
    drop(twin);
    join_within(reading, PATIENCE);
    net.until_gone("up0");
    assert!(writer.write(&[0; 60]).is_err());
}

#[test]
fn a_twin_whose_process_is_killed_is_gone_too() {
    let Some(net) = Net::child_or_new() else { return };
    if net.is_child() {
        let _twin = Twin::open(&net.options("up0")).unwrap();
        println!("open");
        loop {
            thread::park();
        }
    }
    let mut child = net.child("a_twin_whose_process_is_killed_is_gone_too", &[]);
    net.until("the child's twin", || net.ip("-o link show up0").contains("up0"));
    child.kill().unwrap();
    child.wait().unwrap();
    net.until_gone("up0");
}

#[test]
fn a_tap_that_the_operator_made_is_adopted_and_left() {
    let Some(net) = Net::new() else { return };
    net.ip("tuntap add dev up0 mode tap");
    let twin = Twin::open(&TwinOptions { addresses: vec![(ip("10.0.0.11"), 24)], ..net.options("up0") }).unwrap();
    assert!(net.ip("addr show dev up0").contains("inet 10.0.0.11/24"));
    drop(twin);
    // And again: its address is still there, which is no conflict.
    drop(Twin::open(&TwinOptions { addresses: vec![(ip("10.0.0.11"), 24)], ..net.options("up0") }).unwrap());
    assert!(net.ip("-o link show up0").contains("up0"));
}

#[test]
fn a_name_that_is_taken_is_an_error_with_the_cure() {
    let Some(net) = Net::new() else { return };
    net.ip("link add up0 type bridge");
    let error = Twin::open(&net.options("up0")).err().unwrap();
    assert!(matches!(error, UnderlayError::NameTaken { .. }), "{error:?}");
    assert!(error.to_string().contains("taken") && error.to_string().contains("bridge"), "{error}");

    let _twin = Twin::open(&net.options("up1")).unwrap();
    let error = Twin::open(&net.options("up1")).err().unwrap();
    assert!(error.to_string().contains("another process holds"), "{error}");

    let error = Twin::open(&net.options("lo")).err().unwrap();
    assert!(matches!(error, UnderlayError::NameTaken { .. }), "{error:?}");
}

#[test]
fn an_address_of_another_interface_is_an_error_and_leaves_nothing_behind() {
    let Some(net) = Net::new() else { return };
    net.ip("addr add 10.0.0.11/32 dev lo");
    let options = TwinOptions { addresses: vec![(ip("10.0.0.11"), 24)], ..net.options("up0") };
    let error = Twin::open(&options).err().unwrap();
    assert!(matches!(error, UnderlayError::AddressInUse { .. }), "{error:?}");
    assert!(error.to_string().contains("10.0.0.11 for up0 is already the address of lo"), "{error}");
    net.until_gone("up0");
}

#[test]
fn a_gateway_out_of_reach_or_beside_another_default_route_is_an_error() {
    let Some(net) = Net::new() else { return };
    let options = |name: &str, gateway: &str| TwinOptions {
        addresses: vec![(ip("10.0.0.11"), 24)],
        gateways: vec![ip(gateway)],
        ..net.options(name)
    };
    let error = Twin::open(&options("up0", "10.9.9.9")).err().unwrap();
    assert!(error.to_string().contains("in no network of this twin's addresses"), "{error}");

    net.ip("link add mgmt0 type bridge");
    net.ip("link set mgmt0 up");
    net.ip("addr add 172.16.0.2/24 dev mgmt0");
    net.ip("route add default via 172.16.0.1");
    let error = Twin::open(&options("up0", "10.0.0.1")).err().unwrap();
    assert!(error.to_string().contains("a default route through 172.16.0.1 on mgmt0 already"), "{error}");
    net.until_gone("up0");
}

#[test]
fn a_missing_namespace_is_an_error_with_the_cure() {
    let options = TwinOptions { namespace: Namespace::new(Some("causeway-there-is-none")), ..own_options("up0") };
    let error = Twin::open(&options).err().unwrap();
    assert!(error.to_string().contains("/run/netns/causeway-there-is-none"), "{error}");
    assert!(error.to_string().contains("ip netns add"), "{error}");
}

#[test]
fn a_file_that_is_no_namespace_is_an_error_with_the_cure() {
    if !root() {
        return;
    }
    let options = TwinOptions { namespace: Namespace::new(Some("/proc/self/status")), ..own_options("up0") };
    let error = Twin::open(&options).err().unwrap();
    assert!(matches!(error, UnderlayError::NotANamespace { .. }), "{error:?}");
}

#[test]
fn without_the_capability_the_error_names_it() {
    let Some(net) = Net::child_or_new() else { return };
    if net.is_child() {
        for options in [net.options("up0"), own_options("causeway-none")] {
            let error = Twin::open(&options).err().unwrap();
            assert!(matches!(error, UnderlayError::Privilege { .. }), "{error:?}");
            assert!(error.to_string().contains("CAP_NET_ADMIN"), "{error}");
        }
        return;
    }
    let without = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];
    let status = net.child("without_the_capability_the_error_names_it", &without).wait().unwrap();
    assert!(status.success());
}

#[test]
fn carrier_that_is_taken_away_is_seen_and_routes_come_back_with_it() {
    let Some(net) = Net::new() else { return };
    let wire = Wire::new(&net, "up0", &["10.0.0.11/24"]);
    let mut follow = Follow::new(&net, &["up0"]);
    let resolves = |state: &UnderlayState| state.resolve(ip("10.0.0.12")) != Resolution::NoRoute;
    follow.until("the connected route", resolves);
    wire.twin.set_carrier(false).unwrap();
    follow.until("no way", |state| !state.is_up(UP0) && !resolves(state));
    wire.twin.set_carrier(true).unwrap();
    follow.until("the route again", |state| state.is_up(UP0) && resolves(state));
}

// -------------------------------------------------------------------------------------------- routes and neighbours

#[test]
fn a_route_and_a_neighbour_make_a_next_hop_with_its_mac() {
    let Some(net) = Net::new() else { return };
    let _wire = Wire::new(&net, "up0", &["10.0.0.11/24", "2001:db8::11/64"]);
    net.ip("neigh add 10.0.0.12 lladdr 02:00:00:00:00:12 dev up0");
    let mut follow = Follow::new(&net, &["up0"]);
    // What was there before is known as soon as the follower is open.
    assert_eq!(follow.state().resolve(ip("10.0.0.12")), one(hop(UP0, "10.0.0.12", Some(0x12))));
    assert!(follow.state().owns(ip("10.0.0.11")) && follow.state().owns(ip("2001:db8::11")));

    net.ip("route add 192.0.2.0/24 via 10.0.0.1");
    net.ip("neigh add 10.0.0.1 lladdr 02:00:00:00:00:01 dev up0");
    net.ip("route add 2001:db8:2::/48 via 2001:db8::1");
    net.ip("neigh add 2001:db8::1 lladdr 02:00:00:00:00:02 dev up0");
    follow.resolves("192.0.2.7", one(hop(UP0, "10.0.0.1", Some(1))));
    follow.resolves("2001:db8:2::7", one(hop(UP0, "2001:db8::1", Some(2))));

    net.ip("neigh change 10.0.0.1 lladdr 02:00:00:00:00:03 dev up0");
    follow.resolves("192.0.2.7", one(hop(UP0, "10.0.0.1", Some(3))));
    net.ip("neigh del 10.0.0.1 dev up0");
    follow.resolves("192.0.2.7", one(hop(UP0, "10.0.0.1", None)));
    net.ip("route del 192.0.2.0/24");
    follow.resolves("192.0.2.7", Resolution::NoRoute);
    assert_eq!(follow.state().resolve(ip("2001:db8:2::7")), one(hop(UP0, "2001:db8::1", Some(2))));
}

#[test]
fn ecmp_gives_every_next_hop_with_its_weight_in_both_families() {
    let Some(net) = Net::new() else { return };
    let _wires = [
        Wire::new(&net, "up0", &["10.0.0.11/24", "2001:db8::11/64"]),
        Wire::new(&net, "up1", &["10.0.1.11/24", "2001:db8:0:1::11/64"]),
    ];
    let mut follow = Follow::new(&net, &["up0", "up1"]);
    net.ip("route add 192.0.2.0/24 nexthop via 10.0.0.1 weight 1 nexthop via 10.0.1.1 weight 3");
    net.ip("route add 2001:db8:2::/48 nexthop via 2001:db8::1 nexthop via 2001:db8:0:1::1");
    net.ip("neigh add 10.0.1.1 lladdr 02:00:00:00:00:01 dev up1");
    let second = Hop { weight: 3, ..hop(UP1, "10.0.1.1", Some(1)) };
    follow.resolves("192.0.2.7", Resolution::Hops(vec![hop(UP0, "10.0.0.1", None), second]));
    let legs = vec![hop(UP0, "2001:db8::1", None), hop(UP1, "2001:db8:0:1::1", None)];
    follow.resolves("2001:db8:2::7", Resolution::Hops(legs));

    // One leg less; and a twin that goes down takes its IPv4 leg with it, which the kernel does not tell.
    net.ip("route del 2001:db8:2::/48 via 2001:db8::1");
    follow.resolves("2001:db8:2::7", one(hop(UP1, "2001:db8:0:1::1", None)));
    net.ip("link set up1 down");
    follow.resolves("192.0.2.7", one(hop(UP0, "10.0.0.1", None)));
    follow.resolves("2001:db8:2::7", Resolution::NoRoute);
    net.ip("link set up0 down");
    follow.resolves("192.0.2.7", Resolution::NoRoute);
}

#[test]
fn nexthop_objects_count_like_plain_routes() {
    let Some(net) = Net::new() else { return };
    let _wires = [Wire::new(&net, "up0", &["10.0.0.11/24"]), Wire::new(&net, "up1", &["10.0.1.11/24"])];
    let mut follow = Follow::new(&net, &["up0", "up1"]);
    net.ip("nexthop add id 1 via 10.0.0.1 dev up0");
    net.ip("nexthop add id 2 via 10.0.1.1 dev up1");
    net.ip("nexthop add id 10 group 1/2");
    net.ip("route add 192.0.2.0/24 nhid 10");
    net.ip("route add 198.51.100.0/24 nhid 1");
    let both = vec![hop(UP0, "10.0.0.1", None), hop(UP1, "10.0.1.1", None)];
    follow.resolves("192.0.2.7", Resolution::Hops(both));
    follow.resolves("198.51.100.7", one(hop(UP0, "10.0.0.1", None)));
    net.ip("nexthop replace id 1 via 10.0.0.2 dev up0");
    follow.resolves("198.51.100.7", one(hop(UP0, "10.0.0.2", None)));
    net.ip("nexthop del id 2");
    follow.resolves("192.0.2.7", one(hop(UP0, "10.0.0.2", None)));
    net.ip("nexthop del id 1");
    follow.resolves("192.0.2.7", Resolution::NoRoute);
}

#[test]
fn a_twin_that_comes_later_or_comes_back_is_followed() {
    let Some(net) = Net::new() else { return };
    let mut follow = Follow::new(&net, &["up0"]);
    assert_eq!(follow.state().resolve(ip("10.0.0.12")), Resolution::NoRoute);
    for _ in 0..2 {
        let wire = Wire::new(&net, "up0", &["10.0.0.11/24"]);
        net.ip("neigh add 10.0.0.12 lladdr 02:00:00:00:00:12 dev up0");
        follow.resolves("10.0.0.12", one(hop(UP0, "10.0.0.12", Some(0x12))));
        drop(wire);
        follow.resolves("10.0.0.12", Resolution::NoRoute);
    }
}

#[test]
fn five_thousand_neighbours_and_routes_all_arrive() {
    let Some(net) = Net::new() else { return };
    let _wire = Wire::new(&net, "up0", &["10.0.0.11/16"]);
    let mut follow = Follow::new(&net, &["up0"]);
    let each = |line: &dyn Fn(u32, u32) -> String| -> String {
        (0..5000).map(|n| line(1 + n / 250, 1 + n % 250) + "\n").collect()
    };
    net.batch(&each(&|a, b| {
        format!("neigh add 10.0.{a}.{b} lladdr 02:00:00:00:{a:02x}:{b:02x} nud permanent dev up0")
    }));
    net.batch(&each(&|a, b| format!("route add 100.64.{a}.{b}/32 via 10.0.{a}.{b}")));
    for (a, b) in [(1, 1), (20, 250)] {
        let mac = Mac([2, 0, 0, 0, a, b]);
        let gateway = Ipv4Addr::new(10, 0, a, b).into();
        let expected = one(Hop { port: UP0, mac: Some(mac), gateway, weight: 1 });
        follow.resolves(&format!("100.64.{a}.{b}"), expected);
    }
}

// -------------------------------------------------------------------------------------------- managed neighbours

#[test]
fn a_next_hop_that_is_wanted_is_asked_for_by_the_kernel_itself_until_it_is_not() {
    let Some(net) = Net::new() else { return };
    let wire = Wire::new(&net, "up0", &["10.0.0.11/24"]);
    let mut follow = Follow::new(&net, &["up0"]);
    follow.want(&["10.0.0.12"]);
    wire.expect("ARP request", |frame| arp(frame) == Some((1, v4("10.0.0.11"), v4("10.0.0.12"))));
    wire.arp_reply("10.0.0.12", "10.0.0.11");
    follow.resolves("10.0.0.12", one(Hop { mac: Some(PEER_MAC), ..hop(UP0, "10.0.0.12", None) }));
    let shown = net.ip("neigh show 10.0.0.12");
    assert!(shown.contains("managed"), "{shown}");

    // The same wish again changes nothing; what somebody else deletes is asked for again.
    follow.want(&["10.0.0.12"]);
    net.ip("neigh del 10.0.0.12 dev up0");
    follow.resolves("10.0.0.12", one(hop(UP0, "10.0.0.12", None)));
    wire.expect("ARP request", |frame| arp(frame) == Some((1, v4("10.0.0.11"), v4("10.0.0.12"))));
    wire.arp_reply("10.0.0.12", "10.0.0.11");
    follow.resolves("10.0.0.12", one(Hop { mac: Some(PEER_MAC), ..hop(UP0, "10.0.0.12", None) }));

    follow.want(&[]);
    net.until("the entry to be gone", || !net.ip("neigh show 10.0.0.12").contains("managed"));
    follow.resolves("10.0.0.12", one(hop(UP0, "10.0.0.12", None)));
}

#[test]
fn a_wanted_ipv6_next_hop_is_solicited() {
    let Some(net) = Net::new() else { return };
    let wire = Wire::new(&net, "up0", &["2001:db8::11/64"]);
    let mut follow = Follow::new(&net, &["up0"]);
    let peer = v6(0, 0x12);
    follow.want(&["2001:db8::12"]);
    let asked = |frame: &[u8]| matches!(icmpv6(frame), Some((135, _))) && frame[54 + 8..54 + 24] == octets(peer);
    let solicitation = wire.expect("neighbour solicitation", asked);
    // The kernel asks from its link-local address when it has no packet to send.
    let asker: [u8; 16] = *solicitation[14 + 8..].first_chunk().unwrap();
    wire.neighbour_advertisement(peer, Ipv6Addr::from(asker).into());
    follow.resolves("2001:db8::12", one(Hop { mac: Some(PEER_MAC), ..hop(UP0, "2001:db8::12", None) }));
}

#[test]
fn a_wish_for_a_twin_that_is_down_is_fulfilled_when_it_is_up() {
    let Some(net) = Net::new() else { return };
    let wire = Wire::new(&net, "up0", &["10.0.0.11/24"]);
    net.ip("link set up0 down");
    let follow = Follow::new(&net, &["up0"]);
    follow.want(&["10.0.0.12"]);
    net.ip("link set up0 up");
    wire.expect("ARP request", |frame| arp(frame) == Some((1, v4("10.0.0.11"), v4("10.0.0.12"))));
}

#[test]
fn a_static_entry_of_the_operators_is_honoured_and_never_touched() {
    let Some(net) = Net::new() else { return };
    let wire = Wire::new(&net, "up0", &["10.0.0.11/24"]);
    net.ip("neigh add 10.0.0.12 lladdr 02:00:00:00:00:12 nud permanent dev up0");
    let mut follow = Follow::new(&net, &["up0"]);
    let before = net.ip("neigh show 10.0.0.12");
    // The second is asked for after the first, so once it was, the first has been dealt with.
    follow.want(&["10.0.0.12", "10.0.0.13"]);
    wire.expect("ARP request", |frame| arp(frame) == Some((1, v4("10.0.0.11"), v4("10.0.0.13"))));
    assert_eq!(net.ip("neigh show 10.0.0.12"), before);
    follow.resolves("10.0.0.12", one(hop(UP0, "10.0.0.12", Some(0x12))));
    follow.want(&[]);
    net.until("the other to be gone", || !net.ip("neigh show 10.0.0.13").contains("managed"));
    assert_eq!(net.ip("neigh show 10.0.0.12"), before);
}

#[test]
fn a_follower_that_ends_lets_its_neighbours_go() {
    let Some(net) = Net::new() else { return };
    let _wire = Wire::new(&net, "up0", &["10.0.0.11/24"]);
    let follow = Follow::new(&net, &["up0"]);
    follow.want(&["10.0.0.12"]);
    net.until("the entry", || net.ip("neigh show 10.0.0.12").contains("managed"));
    drop(follow);
    assert!(!net.ip("neigh show 10.0.0.12").contains("managed"));
}

// ------------------------------------------------------------------------------------------------------ multicast

/// BUM7.
#[test]
fn bum7_an_ipv4_membership_is_reported_answers_queries_and_leaves_on_drop() {
    let Some(net) = Net::new() else { return };
    let wire = Wire::new(&net, "up0", &["10.0.0.11/24"]);
    let first = wire.twin.join(ip("239.1.1.1")).unwrap();
    let second = wire.twin.join(ip("239.1.1.1")).unwrap();
    let report = wire.expect("IGMPv3 join", |frame| igmp(frame).contains(&(4, v4("239.1.1.1"))));
    let (ip, igmp_part) = report[14..].split_at(24);
    assert_eq!(&report[0..6], &[0x01, 0x00, 0x5e, 0, 0, 22]);
    assert_eq!((ip[8], &ip[16..20], &ip[20..24]), (1, &[224, 0, 0, 22][..], &[0x94, 4, 0, 0][..]), "TTL, router alert");
    assert_eq!((checksum(&[ip]), checksum(&[igmp_part])), (0, 0));

    // A general query, to be answered within a tenth of a second (RFC 3376 section 4.1).
    let mut query = vec![0x11, 1, 0, 0, 0, 0, 0, 0, 2, 125, 0, 0];
    let sum = checksum(&[&query]).to_be_bytes();
    query[2..4].copy_from_slice(&sum);
    wire.send(Mac([0x01, 0x00, 0x5e, 0, 0, 1]), 0x0800, &ipv4("10.0.0.1", "224.0.0.1", 2, 1, &[0x94, 4, 0, 0], &query));
    wire.expect("answer to the query", |frame| igmp(frame).contains(&(2, v4("239.1.1.1"))));

    // Shared: the kernel leaves when the last one goes, and does not before.
    drop(first);
    let other = wire.twin.join(IpAddr::V4(v4("239.1.1.2"))).unwrap();
    let next = wire.expect("some change", |frame| {
        igmp(frame)
            .iter()
            .any(|(kind, group)| (*kind, *group) == (4, v4("239.1.1.2")) || (*kind, *group) == (3, v4("239.1.1.1")))
    });
    assert!(!igmp(&next).contains(&(3, v4("239.1.1.1"))));
    drop(second);
    wire.expect("IGMPv3 leave", |frame| igmp(frame).contains(&(3, v4("239.1.1.1"))));
    drop(other);
}

/// BUM7.
#[test]
fn bum7_an_ipv6_membership_is_reported_answers_queries_and_leaves_on_drop() {
    let Some(net) = Net::new() else { return };
    let wire = Wire::new(&net, "up0", &["2001:db8::11/64"]);
    let group: Ipv6Addr = "ff0e::1234".parse().unwrap();
    let membership = wire.twin.join(group.into()).unwrap();
    let report = wire.expect("MLDv2 join", |frame| mld(frame).contains(&(4, group)));
    assert_eq!(&report[0..6], &[0x33, 0x33, 0, 0, 0, 0x16]);
    assert_eq!(report[14 + 7], 1, "hop limit");
    assert_eq!(&report[14 + 40 + 2..14 + 40 + 6], &[5, 2, 0, 0], "router alert");
    assert_eq!(&report[14 + 8..14 + 10], &[0xfe, 0x80], "link-local source");

    let (router, all): (Ipv6Addr, Ipv6Addr) = ("fe80::1".parse().unwrap(), "ff02::1".parse().unwrap());
    let mut query = vec![130, 0, 0, 0, 0, 100, 0, 0];
    query.extend([0; 16]);
    query.extend([2, 125, 0, 0]);
    let query = icmp6(router.into(), all.into(), &query);
    let mut body = vec![58, 0, 5, 2, 0, 0, 1, 0];
    body.extend(query);
    wire.send(Mac([0x33, 0x33, 0, 0, 0, 1]), 0x86dd, &ipv6(router.into(), all.into(), 0, 1, &body));
    wire.expect("answer to the query", |frame| mld(frame).contains(&(2, group)));

    drop(membership);
    wire.expect("MLDv2 leave", |frame| mld(frame).contains(&(3, group)));
}

// ------------------------------------------------------------------------------------------------------- helpers

/// A namespace of the test's own, removed when it ends, however it ends.
struct Net {
    name: String,
    child: bool,
}

/// Set in a child process that a test starts from itself: the name of the namespace.
const CHILD: &str = "CAUSEWAY_TEST_NAMESPACE";

fn root() -> bool {
    let root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !root {
        println!("skipped: needs root to make network namespaces and TAP devices");
    }
    root
}

impl Net {
    /// `None` (and a word why) without root.
    fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !root() {
            return None;
        }
        let name = format!("cwul-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let net = Self { name, child: false };
        run(Command::new("ip").args(["netns", "add", &net.name])).unwrap_or_else(|error| panic!("{error}"));
        net.ip("link set lo up");
        Some(net)
    }

    /// The parent's namespace in a child, a new one otherwise.
    fn child_or_new() -> Option<Self> {
        match std::env::var(CHILD) {
            Ok(name) => Some(Self { name, child: true }),
            Err(_) => Self::new(),
        }
    }

    fn is_child(&self) -> bool {
        self.child
    }

    /// The test `name` again, in a process of its own, behind the command `prefix`.
    fn child(&self, name: &str, prefix: &[&str]) -> Child {
        let exe = std::env::current_exe().unwrap();
        let words: Vec<_> = prefix.iter().map(std::ffi::OsStr::new).chain([exe.as_os_str()]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(["--exact", name, "--nocapture"]).env(CHILD, &self.name);
        command.stdout(Stdio::null()).spawn().unwrap()
    }

    fn options(&self, name: &str) -> TwinOptions {
        TwinOptions { namespace: Namespace::new(Some(&self.name)), ..own_options(name) }
    }

    /// `ip -n NAMESPACE arguments`: what it prints; nothing for a `show` of what is not there.
    fn ip(&self, arguments: &str) -> String {
        let mut command = Command::new("ip");
        command.args(["-n", &self.name]).args(arguments.split_whitespace());
        match run(&mut command) {
            Ok(shown) => shown,
            Err(_) if arguments.contains("show") => String::new(),
            Err(error) => panic!("{error}"),
        }
    }

    fn batch(&self, lines: &str) {
        use std::io::Write as _;
        let mut command = Command::new("ip");
        let mut child = command.args(["-n", &self.name, "-batch", "-"]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    fn sysctl(&self, path: &str) -> String {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, "cat", &format!("/proc/sys/{path}")]);
        run(&mut command).unwrap().trim().to_owned()
    }

    /// The kernel removes a TAP with its last file. Another test that starts a program at this moment has copies of all
    /// our files until that program runs, so the end may come a little later than the close.
    fn until_gone(&self, device: &str) {
        self.until("the device to be gone", || self.ip(&format!("-o link show {device}")).is_empty());
    }

    /// For what the kernel does not announce to us.
    fn until(&self, what: &str, mut done: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done() {
            assert!(Instant::now() < deadline, "waited in vain for {what}");
            thread::yield_now();
        }
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        if !self.child
            && let Err(error) = run(Command::new("ip").args(["netns", "del", &self.name]))
        {
            eprintln!("{error}");
        }
    }
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

fn own_options(name: &str) -> TwinOptions {
    TwinOptions {
        name: name.into(),
        namespace: Namespace::new(None),
        mac: TWIN_MAC,
        mtu: 1500,
        addresses: Vec::new(),
        gateways: Vec::new(),
    }
}

fn join_within(thread: JoinHandle<()>, patience: Duration) {
    let (done, ended) = channel();
    thread::spawn(move || done.send(thread.join()));
    ended.recv_timeout(patience).expect("the thread to end").expect("the thread to end well");
}

/// A twin, and the test at the other end of its cable.
struct Wire {
    twin: Twin,
    writer: TwinWriter,
    frames: Receiver<Vec<u8>>,
}

impl Wire {
    fn new(net: &Net, name: &str, addresses: &[&str]) -> Self {
        let addresses = addresses.iter().map(|address| address.split_once('/').unwrap());
        let addresses = addresses.map(|(address, length)| (ip(address), length.parse().unwrap())).collect();
        let twin = Twin::open(&TwinOptions { addresses, ..net.options(name) }).unwrap();
        let (mut reader, writer) = (twin.reader().unwrap(), twin.writer());
        let (sender, frames) = channel();
        let mut buffer = vec![0; twin.largest_frame()];
        // Ends with the twin.
        thread::spawn(move || {
            while let Ok(Some(length)) = reader.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { twin, writer, frames }
    }

    /// The next frame from the kernel that `wanted` accepts.
    fn expect(&self, what: &str, wanted: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.frames.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(frame) if wanted(&frame) => return frame,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => panic!("waited in vain for: {what}"),
                Err(RecvTimeoutError::Disconnected) => panic!("the twin ended while waiting for: {what}"),
            }
        }
    }

    fn send(&self, to: Mac, ethertype: u16, payload: &[u8]) {
        let frame = [&to.0[..], &PEER_MAC.0, &ethertype.to_be_bytes(), payload].concat();
        self.writer.write(&frame).unwrap();
    }

    fn arp_request(&self, from: &str, target: &str) {
        self.send(Mac([0xff; 6]), 0x0806, &arp_body(1, from, Mac::default(), target));
    }

    fn arp_reply(&self, from: &str, to: &str) {
        self.send(TWIN_MAC, 0x0806, &arp_body(2, from, TWIN_MAC, to));
    }

    fn neighbour_solicitation(&self, from: IpAddr, target: IpAddr) {
        let body = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &octets(target), &[1, 1], &PEER_MAC.0].concat();
        self.send(TWIN_MAC, 0x86dd, &ipv6(from, target, 58, 255, &icmp6(from, target, &body)));
    }

    fn neighbour_advertisement(&self, from: IpAddr, to: IpAddr) {
        let body = [&[136, 0, 0, 0, 0x60, 0, 0, 0][..], &octets(from), &[2, 1], &PEER_MAC.0].concat();
        self.send(TWIN_MAC, 0x86dd, &ipv6(from, to, 58, 255, &icmp6(from, to, &body)));
    }
}

/// A follower, and the state that control would have.
struct Follow {
    follower: Follower,
    events: crossbeam::channel::Receiver<UnderlayEvent>,
    state: UnderlayState,
}

impl Follow {
    fn new(net: &Net, twins: &[&str]) -> Self {
        let ports = twins.iter().enumerate().map(|(index, name)| (PortId(index as u8), (*name).to_owned()));
        let (follower, events) = Follower::open(&Namespace::new(Some(&net.name)), ports).unwrap();
        Self { follower, events, state: UnderlayState::new() }
    }

    /// After all events that have come so far.
    fn state(&mut self) -> &UnderlayState {
        while let Ok(event) = self.events.try_recv() {
            self.state.apply(event);
        }
        &self.state
    }

    fn until(&mut self, what: &str, done: impl Fn(&UnderlayState) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(&self.state) {
            let event = self.events.recv_deadline(deadline);
            self.state.apply(event.unwrap_or_else(|_| panic!("waited in vain for {what}: {:?}", self.state)));
        }
    }

    fn resolves(&mut self, address: &str, expected: Resolution) {
        let address = ip(address);
        self.until(&format!("{address} -> {expected:?}"), |state| state.resolve(address) == expected);
    }

    /// Wishes for next hops behind the first twin.
    fn want(&self, next_hops: &[&str]) {
        let wanted: BTreeSet<NextHop> = next_hops.iter().map(|address| (UP0, ip(address))).collect();
        self.follower.keeper().want(wanted);
    }
}

fn hop(port: PortId, gateway: &str, mac: Option<u8>) -> Hop {
    Hop { port, mac: mac.map(|last| Mac([2, 0, 0, 0, 0, last])), gateway: ip(gateway), weight: 1 }
}

fn one(hop: Hop) -> Resolution {
    Resolution::Hops(vec![hop])
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn v4(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

/// 2001:db8:0:`network`::`host`
fn v6(network: u8, host: u16) -> IpAddr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, network.into(), 0, 0, 0, host).into()
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn ethertype(frame: &[u8]) -> u16 {
    u16::from_be_bytes([frame[12], frame[13]])
}

/// Internet checksum (RFC 1071) over the parts one after the other, each of even length but the last.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let sum: u32 = words.map(|word| u32::from(word[0]) << 8 | word.get(1).map_or(0, |low| u32::from(*low))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

/// RFC 826 for Ethernet and IPv4, from the peer.
fn arp_body(operation: u8, from: &str, to_mac: Mac, to: &str) -> Vec<u8> {
    let fixed = [0, 1, 8, 0, 6, 4, 0, operation];
    [&fixed[..], &PEER_MAC.0, &v4(from).octets(), &to_mac.0, &v4(to).octets()].concat()
}

/// Operation, sender and target.
fn arp(frame: &[u8]) -> Option<(u8, Ipv4Addr, Ipv4Addr)> {
    let address = |at: usize| Some(Ipv4Addr::from(*frame.get(at..)?.first_chunk()?));
    (ethertype(frame) == 0x0806).then_some(())?;
    Some((frame[21], address(28)?, address(38)?))
}

fn ipv4(from: &str, to: &str, protocol: u8, ttl: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let header_words = (5 + options.len() / 4) as u8;
    let total = (20 + options.len() + payload.len()) as u16;
    let mut header = vec![0x40 | header_words, 0, 0, 0, 0, 0, 0, 0, ttl, protocol, 0, 0];
    header[2..4].copy_from_slice(&total.to_be_bytes());
    header.extend(v4(from).octets());
    header.extend(v4(to).octets());
    header.extend(options);
    let sum = checksum(&[&header]).to_be_bytes();
    header[10..12].copy_from_slice(&sum);
    [&header, payload].concat()
}

fn echo(kind: u8, data: &[u8]) -> Vec<u8> {
    let mut body = [&[kind, 0, 0, 0, 0, 1, 0, 1], data].concat();
    let sum = checksum(&[&body]).to_be_bytes();
    body[2..4].copy_from_slice(&sum);
    body
}

fn ipv6(from: IpAddr, to: IpAddr, next: u8, hop_limit: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16).to_be_bytes();
    [&[0x60, 0, 0, 0, length[0], length[1], next, hop_limit][..], &octets(from), &octets(to), payload].concat()
}

/// Fills in the checksum (RFC 4443 section 2.3).
fn icmp6(from: IpAddr, to: IpAddr, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    let length = (body.len() as u32).to_be_bytes();
    let sum = checksum(&[&octets(from), &octets(to), &length, &[0, 0, 0, 58], &body]).to_be_bytes();
    body[2..4].copy_from_slice(&sum);
    body
}

/// Type and destination of an ICMPv6 message without extension headers.
fn icmpv6(frame: &[u8]) -> Option<(u8, IpAddr)> {
    (ethertype(frame) == 0x86dd && frame[20] == 58).then_some(())?;
    let to: [u8; 16] = *frame.get(14 + 24..)?.first_chunk()?;
    Some((*frame.get(54)?, Ipv6Addr::from(to).into()))
}

/// Type and group of each record of an IGMPv3 report (RFC 3376 section 4.2) behind an IPv4 header with router alert.
fn igmp(frame: &[u8]) -> Vec<(u8, Ipv4Addr)> {
    let report = ethertype(frame) == 0x0800 && frame[14 + 9] == 2 && frame.get(38) == Some(&0x22);
    let record = |rest: &[u8]| Some((rest[0], Ipv4Addr::from(*rest.get(4..)?.first_chunk()?)));
    let records = frame.get(46..).filter(|_| report).unwrap_or_default();
    records.chunks(8).filter_map(record).collect()
}

/// Type and group of each record of an MLDv2 report (RFC 3810 section 5.2) behind a hop-by-hop header.
fn mld(frame: &[u8]) -> Vec<(u8, Ipv6Addr)> {
    let report = ethertype(frame) == 0x86dd && frame[20] == 0 && frame.get(62) == Some(&143);
    let record = |rest: &[u8]| Some((rest[0], Ipv6Addr::from(*rest.get(4..)?.first_chunk::<16>()?)));
    let records = frame.get(70..).filter(|_| report).unwrap_or_default();
    records.chunks(20).filter_map(record).collect()
}
