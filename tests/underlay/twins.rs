//! Twins: devices that come with what the configuration says and go without a trace.

use super::*;

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
    let mut child = net.child("twins::a_twin_whose_process_is_killed_is_gone_too", &[]);
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
    let status = net.child("twins::without_the_capability_the_error_names_it", &without).wait().unwrap();
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
