//! Next hops that are wanted are kept resolved by the kernel.

use super::*;

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
