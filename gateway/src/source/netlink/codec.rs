//! rtnetlink messages to our words and back. Pure: no sockets.

use std::collections::HashMap;
use std::net::IpAddr;

use config::types::Mac;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourExtFlags, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteNextHopFlags, RouteType, RouteVia,
};

use super::state::{Address, Route, RouteHop, network};
use crate::frame::PortId;
use crate::source::setup::family;

/// The twins by interface index.
pub(super) type Twins = HashMap<u32, PortId>;

/// A neighbour entry of the kernel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The MAC while the state is one in which the kernel itself would send to it (NUD_VALID).
    pub(super) mac: Option<Mac>,
    /// Set by the operator (permanent or noarp): not ours to touch.
    pub(super) fixed: bool,
    /// The kernel keeps it resolved by itself.
    pub(super) managed: bool,
    /// The kernel does nothing for it until somebody uses it: stale, failed, or only just created.
    pub(super) idle: bool,
}

/// Name, index, and whether the interface is up and has carrier.
pub(super) fn link(message: &LinkMessage) -> Option<(&str, u32, bool)> {
    let up = message.header.flags.contains(LinkFlags::Up | LinkFlags::LowerUp);
    message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some((name.as_str(), message.header.index, up)),
        _ => None,
    })
}

/// An address; on a point-to-point interface our end.
pub(super) fn address(message: &AddressMessage, twins: &Twins) -> Option<Address> {
    let (mut local, mut peer) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(address) => local = Some(*address),
            AddressAttribute::Address(address) => peer = Some(*address),
            _ => {}
        }
    }
    let port = twins.get(&message.header.index).copied();
    Some(Address { port, address: local.or(peer)?, length: message.header.prefix_len })
}

/// A route of the main table that counts for us: through a twin, or leading nowhere.
pub(super) fn route(message: &RouteMessage, twins: &Twins) -> Option<Route> {
    let header = &message.header;
    let (mut table, mut prefix, mut metric) = (u32::from(header.table), None, 0);
    let mut multipath = None;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Table(number) => table = *number,
            RouteAttribute::Destination(address) => prefix = ip(address),
            RouteAttribute::Priority(number) => metric = *number,
            RouteAttribute::MultiPath(hops) => multipath = Some(hops),
            _ => {}
        }
    }
    if table != u32::from(RouteHeader::RT_TABLE_MAIN)
        || header.tos != 0
        || header.source_prefix_length != 0
        || header.flags.contains(RouteFlags::Cloned)
    {
        return None;
    }
    let hops = match header.kind {
        RouteType::BlackHole | RouteType::Unreachable | RouteType::Prohibit => Vec::new(),
        RouteType::Unicast => {
            // With a nexthop object the kernel gives its members as multipath, or its one member in the route itself.
            let hops: Vec<_> = match multipath {
                Some(hops) => hops
                    .iter()
                    .filter_map(|hop| {
                        let weight = u16::from(hop.hops) + 1;
                        route_hop(hop.flags, Some(hop.interface_index), &hop.attributes, weight, twins)
                    })
                    .collect(),
                None => {
                    let flags = RouteNextHopFlags::from_bits_retain(header.flags.bits() as u8);
                    route_hop(flags, None, &message.attributes, 1, twins).into_iter().collect()
                }
            };
            if hops.is_empty() {
                return None;
            }
            hops
        }
        _ => return None,
    };
    let prefix = match (prefix, header.address_family) {
        (Some(prefix), _) => network(prefix, header.destination_prefix_length),
        (None, netlink_packet_route::AddressFamily::Inet) => IpAddr::V4(0.into()),
        (None, _) => IpAddr::V6(0.into()),
    };
    Some(Route { prefix, length: header.destination_prefix_length, metric, hops })
}

/// A hop through a twin that is usable: neither dead nor without carrier, and no tunnel of the kernel's own.
fn route_hop(
    flags: RouteNextHopFlags,
    mut interface: Option<u32>,
    attributes: &[RouteAttribute],
    weight: u16,
    twins: &Twins,
) -> Option<RouteHop> {
    if flags.intersects(RouteNextHopFlags::Dead | RouteNextHopFlags::Linkdown) {
        return None;
    }
    let mut gateway = None;
    for attribute in attributes {
        match attribute {
            RouteAttribute::Oif(index) => interface = Some(*index),
            RouteAttribute::Gateway(address) => gateway = ip(address),
            // An IPv4 route through an IPv6 router (RFC 8950).
            RouteAttribute::Via(RouteVia::Inet(address)) => gateway = Some((*address).into()),
            RouteAttribute::Via(RouteVia::Inet6(address)) => gateway = Some((*address).into()),
            RouteAttribute::EncapType(_) | RouteAttribute::Encap(_) => return None,
            _ => {}
        }
    }
    Some(RouteHop { port: *twins.get(&interface?)?, gateway, weight })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

/// A neighbour entry of a twin. Proxy and bridge entries are none.
pub(super) fn neighbour(message: &NeighbourMessage, twins: &Twins) -> Option<((PortId, IpAddr), Entry)> {
    let header = &message.header;
    let port = *twins.get(&header.ifindex)?;
    if header.flags.contains(NeighbourFlags::Proxy) || header.kind == RouteType::Multicast {
        return None;
    }
    let (mut address, mut mac, mut managed) = (None, None, false);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)) => address = Some(IpAddr::V4(*ip)),
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(ip)) => address = Some(IpAddr::V6(*ip)),
            NeighbourAttribute::LinkLayerAddress(bytes) => mac = bytes.as_slice().try_into().ok().map(Mac),
            NeighbourAttribute::ExtFlags(flags) => managed = flags.contains(NeighbourExtFlags::Managed),
            _ => {}
        }
    }
    use NeighbourState::{Delay, Failed, Incomplete, Noarp, None as Unset, Other, Permanent, Probe, Reachable, Stale};
    let valid = match header.state {
        Reachable | Stale | Delay | Probe | Permanent | Noarp => true,
        Incomplete | Failed | Unset | Other(_) => false,
        _ => false,
    };
    let entry = Entry {
        mac: mac.filter(|mac| valid && !mac.is_zero()),
        fixed: matches!(header.state, Permanent | Noarp),
        managed,
        idle: matches!(header.state, Stale | Failed | Unset),
    };
    Some(((port, address?), entry))
}

/// Asks the kernel to resolve a neighbour and to keep it so.
///
/// NTF_EXT_MANAGED (Linux 5.16) makes the kernel probe it by itself for ever; an older kernel ignores that attribute and
/// obeys NTF_USE, one probe. NTF_EXT_LEARNED keeps the entry out of garbage collection. A MAC that is known already
/// stays.
pub(super) fn keep_neighbour(interface: u32, address: IpAddr) -> RouteNetlinkMessage {
    let mut message = neighbour_message(interface, address);
    message.header.flags = NeighbourFlags::Use | NeighbourFlags::ExtLearned;
    message.attributes.push(NeighbourAttribute::ExtFlags(NeighbourExtFlags::Managed));
    RouteNetlinkMessage::NewNeighbour(message)
}

/// Asks the kernel to forget a neighbour.
pub(super) fn remove_neighbour(interface: u32, address: IpAddr) -> RouteNetlinkMessage {
    RouteNetlinkMessage::DelNeighbour(neighbour_message(interface, address))
}

fn neighbour_message(interface: u32, address: IpAddr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = family(address);
    message.header.ifindex = interface;
    message.attributes.push(NeighbourAttribute::Destination(address.into()));
    message
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::{Emitable, Parseable};
    use netlink_packet_route::AddressFamily;
    use netlink_packet_route::route::{RouteNextHop, RouteProtocol};

    use super::*;

    const UP0: PortId = PortId(3);
    const UP1: PortId = PortId(5);

    fn twins() -> Twins {
        [(7, UP0), (8, UP1)].into()
    }

    fn ip4(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn unicast(prefix: &str, length: u8, attributes: Vec<RouteAttribute>) -> RouteMessage {
        let mut message = RouteMessage::default();
        let prefix = ip4(prefix);
        message.header.address_family = family(prefix);
        message.header.destination_prefix_length = length;
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Bgp;
        message.header.kind = RouteType::Unicast;
        if length > 0 {
            message.attributes.push(RouteAttribute::Destination(prefix.into()));
        }
        message.attributes.extend(attributes);
        message
    }

    fn gateway(text: &str) -> RouteAttribute {
        RouteAttribute::Gateway(ip4(text).into())
    }

    fn next_hop(interface: u32, router: &str, weight_less_one: u8) -> RouteNextHop {
        let mut hop = RouteNextHop::default();
        hop.interface_index = interface;
        hop.hops = weight_less_one;
        hop.attributes.push(gateway(router));
        hop
    }

    #[test]
    fn a_default_route_has_no_destination_attribute() {
        let message = unicast("0.0.0.0", 0, vec![RouteAttribute::Oif(7), gateway("10.0.0.1")]);
        let hop = RouteHop { port: UP0, gateway: Some(ip4("10.0.0.1")), weight: 1 };
        assert_eq!(
            route(&message, &twins()),
            Some(Route { prefix: ip4("0.0.0.0"), length: 0, metric: 0, hops: vec![hop] })
        );
        let message =
            unicast("::", 0, vec![RouteAttribute::Oif(8), gateway("fe80::1"), RouteAttribute::Priority(1024)]);
        let hop = RouteHop { port: UP1, gateway: Some(ip4("fe80::1")), weight: 1 };
        assert_eq!(
            route(&message, &twins()),
            Some(Route { prefix: ip4("::"), length: 0, metric: 1024, hops: vec![hop] })
        );
    }

    #[test]
    fn multipath_gives_weights_and_leaves_out_what_is_dead_or_not_ours() {
        let mut dead = next_hop(8, "10.0.1.9", 0);
        dead.flags = RouteNextHopFlags::Dead | RouteNextHopFlags::Linkdown;
        let hops = vec![next_hop(7, "10.0.0.1", 0), next_hop(8, "10.0.1.1", 255), next_hop(99, "10.0.9.1", 0), dead];
        let message = unicast("192.0.2.0", 24, vec![RouteAttribute::MultiPath(hops)]);
        assert_eq!(
            route(&message, &twins()).unwrap().hops,
            [
                RouteHop { port: UP0, gateway: Some(ip4("10.0.0.1")), weight: 1 },
                RouteHop { port: UP1, gateway: Some(ip4("10.0.1.1")), weight: 256 },
            ]
        );
    }

    #[test]
    fn an_ipv4_route_through_an_ipv6_router_keeps_that_router() {
        let via = RouteAttribute::Via(RouteVia::Inet6("fe80::1".parse().unwrap()));
        let message = unicast("192.0.2.0", 24, vec![RouteAttribute::Oif(7), via]);
        assert_eq!(route(&message, &twins()).unwrap().hops[0].gateway, Some(ip4("fe80::1")));
    }

    #[test]
    fn routes_that_do_not_count_are_left_out() {
        let good = unicast("192.0.2.0", 24, vec![RouteAttribute::Oif(7)]);
        assert!(route(&good, &twins()).is_some());

        let elsewhere = unicast("192.0.2.0", 24, vec![RouteAttribute::Oif(1)]);
        let other_table = unicast("192.0.2.0", 24, vec![RouteAttribute::Oif(7), RouteAttribute::Table(1000)]);
        let (mut cloned, mut local, mut tos, mut by_source) = (good.clone(), good.clone(), good.clone(), good.clone());
        cloned.header.flags = RouteFlags::Cloned;
        local.header.kind = RouteType::Local;
        tos.header.tos = 8;
        by_source.header.source_prefix_length = 64;
        let mut no_carrier = good;
        no_carrier.header.flags = RouteFlags::Linkdown;
        for message in [elsewhere, other_table, cloned, local, tos, by_source, no_carrier] {
            assert_eq!(route(&message, &twins()), None, "{message:?}");
        }
    }

    #[test]
    fn an_unreachable_route_leads_nowhere_whatever_its_interface() {
        let mut message = unicast("2001:db8::", 32, vec![RouteAttribute::Oif(1)]);
        message.header.kind = RouteType::Unreachable;
        assert_eq!(route(&message, &twins()).unwrap().hops, []);
    }

    fn entry(state: NeighbourState, attributes: Vec<NeighbourAttribute>) -> Entry {
        let mut message = neighbour_message(7, ip4("10.0.0.1"));
        message.header.state = state;
        message.attributes.extend(attributes);
        let ((port, address), entry) = neighbour(&message, &twins()).unwrap();
        assert_eq!((port, address), (UP0, ip4("10.0.0.1")));
        entry
    }

    #[test]
    fn a_mac_counts_in_the_states_in_which_the_kernel_would_use_it() {
        use NeighbourState::{Delay, Failed, Incomplete, Noarp, None as Unset, Permanent, Probe, Reachable, Stale};
        let mac = || vec![NeighbourAttribute::LinkLayerAddress(vec![2, 0, 0, 0, 0, 9])];
        for state in [Reachable, Stale, Delay, Probe, Permanent, Noarp] {
            assert_eq!(entry(state, mac()).mac, Some(Mac([2, 0, 0, 0, 0, 9])), "{state:?}");
        }
        for state in [Incomplete, Failed, Unset] {
            assert_eq!(entry(state, mac()).mac, None, "{state:?}");
        }
        assert_eq!(entry(Reachable, vec![]).mac, None);
        assert_eq!(entry(Reachable, vec![NeighbourAttribute::LinkLayerAddress(vec![1, 2])]).mac, None);
    }

    #[test]
    fn entries_of_the_operator_and_of_the_kernels_keeping_are_told_apart() {
        assert!(entry(NeighbourState::Permanent, vec![]).fixed);
        assert!(!entry(NeighbourState::Reachable, vec![]).fixed);
        let managed = entry(NeighbourState::Stale, vec![NeighbourAttribute::ExtFlags(NeighbourExtFlags::Managed)]);
        assert!(managed.managed && managed.idle && !managed.fixed);
    }

    #[test]
    fn neighbours_elsewhere_and_proxies_are_left_out() {
        assert_eq!(neighbour(&neighbour_message(1, ip4("10.0.0.1")), &twins()), None);
        let mut proxy = neighbour_message(7, ip4("10.0.0.1"));
        proxy.header.flags = NeighbourFlags::Proxy;
        assert_eq!(neighbour(&proxy, &twins()), None);
    }

    #[test]
    fn the_request_to_keep_a_neighbour_is_these_bytes() {
        let message = keep_neighbour(7, ip4("10.0.0.1"));
        let mut bytes = vec![0; message.buffer_len()];
        message.emit(&mut bytes);
        #[rustfmt::skip]
        assert_eq!(bytes, [
            2, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0x11, 0, // AF_INET, interface 7, NUD_NONE, NTF_USE | NTF_EXT_LEARNED
            8, 0, 1, 0, 10, 0, 0, 1,               // NDA_DST
            8, 0, 15, 0, 1, 0, 0, 0,               // NDA_FLAGS_EXT: NTF_EXT_MANAGED
        ]);
    }

    #[test]
    fn what_the_kernel_says_of_a_managed_neighbour_is_read_from_bytes() {
        #[rustfmt::skip]
        let bytes = [
            2, 0, 0, 0, 8, 0, 0, 0, 2, 0, 0x10, 1, // AF_INET, interface 8, NUD_REACHABLE
            8, 0, 1, 0, 10, 0, 1, 1,
            10, 0, 2, 0, 2, 0, 0, 0, 0, 9, 0, 0,   // NDA_LLADDR
            8, 0, 15, 0, 1, 0, 0, 0,
        ];
        let message = NeighbourMessage::parse(&bytes[..]).unwrap();
        assert_eq!(message.buffer_len(), bytes.len());
        let entry = Entry { mac: Some(Mac([2, 0, 0, 0, 0, 9])), fixed: false, managed: true, idle: false };
        assert_eq!(neighbour(&message, &twins()), Some(((UP1, ip4("10.0.1.1")), entry)));
        assert_eq!(message.header.family, AddressFamily::Inet);
    }

    #[test]
    fn our_end_of_an_address_is_the_local_one() {
        let mut message = AddressMessage::default();
        message.header.index = 8;
        message.header.prefix_len = 31;
        message.attributes = vec![AddressAttribute::Address(ip4("10.0.1.1")), AddressAttribute::Local(ip4("10.0.1.0"))];
        let own = Address { port: Some(UP1), address: ip4("10.0.1.0"), length: 31 };
        assert_eq!(address(&message, &twins()), Some(own));
    }

    #[test]
    fn a_link_is_up_with_both_flags() {
        let mut message = LinkMessage::default();
        message.header.index = 7;
        message.attributes.push(LinkAttribute::IfName("up0".into()));
        message.header.flags = LinkFlags::Up;
        assert_eq!(link(&message), Some(("up0", 7, false)));
        message.header.flags = LinkFlags::Up | LinkFlags::LowerUp;
        assert_eq!(link(&message), Some(("up0", 7, true)));
    }
}
