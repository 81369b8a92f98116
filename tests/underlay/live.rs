//! Twins that change while they are in use.

use super::*;

fn addresses(list: &[&str]) -> Vec<(IpAddr, u8)> {
    let parse = |text: &&str| {
        let (address, length) = text.split_once('/').expect("a prefix length");
        (ip(address), length.parse().expect("a number"))
    };
    list.iter().map(parse).collect()
}

/// The addresses of a device as `ip` lists them, the link-local one left out.
fn shown(net: &Net, device: &str) -> BTreeSet<String> {
    let text = net.ip(&format!("-o addr show dev {device}"));
    let words = text.lines().filter_map(|line| line.split_whitespace().nth(3)).map(str::to_owned);
    words.filter(|address| !address.starts_with("fe80")).collect()
}

fn set(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|address| (*address).to_owned()).collect()
}

fn default_route(net: &Net, family: &str) -> String {
    net.ip(&format!("{family} route show default")).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn addresses_gateways_and_mtu_change_while_the_twin_is_in_use() {
    let Some(net) = Net::new() else { return };
    let before = addresses(&["10.0.0.11/24", "2001:db8::11/64"]);
    let options = TwinOptions {
        mtu: 9216,
        addresses: before.clone(),
        gateways: vec![ip("10.0.0.1"), ip("2001:db8::1")],
        ..net.options("up0")
    };
    let twin = Twin::open(&options).unwrap();
    net.ip("addr add 192.0.2.7/32 dev up0");
    net.ip("route add 198.51.100.0/24 via 10.0.0.9");

    // Another host address in the same subnets, other gateways, a smaller MTU.
    let after = addresses(&["10.0.0.12/24", "2001:db8::12/64"]);
    twin.change(&after, &[ip("10.0.0.2"), ip("2001:db8::2")], 1600).unwrap();
    assert_eq!(shown(&net, "up0"), set(&["10.0.0.12/24", "2001:db8::12/64", "192.0.2.7/32"]), "the operator's stays");
    assert!(default_route(&net, "-4").starts_with("default via 10.0.0.2 dev up0"), "{}", default_route(&net, "-4"));
    assert!(default_route(&net, "-6").starts_with("default via 2001:db8::2 dev up0"), "{}", default_route(&net, "-6"));
    assert!(!default_route(&net, "-4").contains("10.0.0.1 ") && !default_route(&net, "-6").contains("::1 "));
    assert!(net.ip("route show 198.51.100.0/24").contains("via 10.0.0.9"), "the operator's route stays");
    assert!(net.ip("link show dev up0").contains("mtu 1600"));

    // Another subnet, no gateway, and the first MTU again.
    twin.change(&addresses(&["10.9.0.11/24"]), &[], 9216).unwrap();
    assert_eq!(shown(&net, "up0"), set(&["10.9.0.11/24", "192.0.2.7/32"]));
    assert_eq!((default_route(&net, "-4").as_str(), default_route(&net, "-6").as_str()), ("", ""));
    assert!(net.ip("link show dev up0").contains("mtu 9216"));

    // And all of it back.
    twin.change(&before, &options.gateways, 9216).unwrap();
    assert_eq!(shown(&net, "up0"), set(&["10.0.0.11/24", "2001:db8::11/64", "192.0.2.7/32"]));
    assert!(default_route(&net, "-4").starts_with("default via 10.0.0.1 dev up0"));
}

#[test]
fn only_its_own_share_of_a_default_route_goes() {
    let Some(net) = Net::new() else { return };
    let options = |name: &str, third: u8| TwinOptions {
        addresses: vec![(Ipv4Addr::new(10, 0, third, 11).into(), 24), (v6(third, 0x11), 64)],
        gateways: vec![Ipv4Addr::new(10, 0, third, 1).into(), v6(third, 1)],
        ..net.options(name)
    };
    let twins = [Twin::open(&options("up0", 0)).unwrap(), Twin::open(&options("up1", 1)).unwrap()];
    twins[1].change(&options("up1", 1).addresses, &[], 1500).unwrap();
    for family in ["-4", "-6"] {
        let shown = default_route(&net, family);
        assert!(shown.contains("dev up0") && !shown.contains("dev up1"), "{shown}");
    }
    twins[1].change(&options("up1", 1).addresses, &options("up1", 1).gateways, 1500).unwrap();
    twins[0].change(&options("up0", 0).addresses, &[], 1500).unwrap();
    for family in ["-4", "-6"] {
        let shown = default_route(&net, family);
        assert!(shown.contains("dev up1") && !shown.contains("dev up0"), "{shown}");
    }
}

#[test]
fn a_change_that_the_kernel_refuses_leaves_the_twin_as_it_was() {
    let Some(net) = Net::new() else { return };
    net.ip("link add mgmt0 type veth peer name mgmt1");
    net.ip("addr add 172.16.0.7/24 dev mgmt0");
    net.ip("link set mgmt0 up");
    let before = addresses(&["10.0.0.11/24"]);
    let options = TwinOptions { addresses: before, gateways: vec![ip("10.0.0.1")], ..net.options("up0") };
    let twin = Twin::open(&options).unwrap();
    let as_before = || {
        assert_eq!(shown(&net, "up0"), set(&["10.0.0.11/24"]));
        assert!(default_route(&net, "-4").starts_with("default via 10.0.0.1 dev up0"));
        assert!(net.ip("link show dev up0").contains("mtu 1500"));
    };
    let error = twin.change(&addresses(&["10.1.0.11/24"]), &[ip("10.2.0.1")], 1400).err().unwrap();
    assert!(matches!(error, UnderlayError::Gateway { .. }), "{error:?}");
    as_before();
    let error = twin.change(&addresses(&["172.16.0.7/24"]), &[], 1400).err().unwrap();
    assert!(matches!(error, UnderlayError::AddressInUse { .. }), "{error:?}");
    as_before();
}

#[test]
fn the_follower_hears_of_the_new_way_at_once() {
    let Some(net) = Net::new() else { return };
    let options = TwinOptions { addresses: addresses(&["10.0.0.11/24"]), ..net.options("up0") };
    let twin = Twin::open(&options).unwrap();
    let mut follow = Follow::new(&net, &["up0"]);
    follow.resolves("10.0.0.99", one(hop(UP0, "10.0.0.99", None)));
    twin.change(&addresses(&["10.3.0.11/24"]), &[], 1500).unwrap();
    follow.resolves("10.3.0.99", one(hop(UP0, "10.3.0.99", None)));
    follow.resolves("10.0.0.99", Resolution::NoRoute);
}
