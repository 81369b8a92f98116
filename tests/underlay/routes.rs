//! Routes and neighbours: what the kernel knows, followed.

use super::*;

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
