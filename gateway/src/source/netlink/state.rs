//! The underlay as control sees it: a plain struct without sockets or clocks, fed by events.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use config::types::Mac;

use crate::frame::PortId;

/// Something that has to be resolved to a MAC: an address behind a twin.
pub type NextHop = (PortId, IpAddr);

/// What changed in the twins' namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnderlayEvent {
    /// The twins that are up (administratively, and with carrier). Replaces what was said before.
    Links(BTreeSet<PortId>),
    /// Every address of the namespace. Replaces what was said before.
    Addresses(Vec<Address>),
    /// Every usable route of the main table, in the kernel's order. Replaces what was said before.
    Routes(Vec<Route>),
    /// One neighbour of a twin.
    Neighbour(Neighbour),
    /// The follower cannot read from the kernel at the moment, for this reason; it tries again every second. What was
    /// known stays known until it succeeds.
    Lost(String),
}

/// An address of the namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The twin; `None` for another interface, such as the loopback.
    pub port: Option<PortId>,
    /// The address.
    pub address: IpAddr,
    /// Prefix length in bits.
    pub length: u8,
}

/// A route of the main table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Network address, host bits zero.
    pub prefix: IpAddr,
    /// Prefix length in bits.
    pub length: u8,
    /// Among routes of one prefix the lowest wins.
    pub metric: u32,
    /// Through the twins. Empty for a route that leads nowhere (blackhole, unreachable, prohibit).
    pub hops: Vec<RouteHop>,
}

/// One of the next hops of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteHop {
    /// Which twin.
    pub port: PortId,
    /// The router; `None` when the destination is on the link itself.
    pub gateway: Option<IpAddr>,
    /// Share of the traffic among the hops, 1 to 256.
    pub weight: u16,
}

/// A neighbour of a twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Which twin.
    pub port: PortId,
    /// Its address.
    pub address: IpAddr,
    /// Its MAC; `None` when it is not, or no longer, resolved.
    pub mac: Option<Mac>,
}

/// How to reach an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// No route through a twin that is up.
    NoRoute,
    /// Through these, at least one.
    Hops(Vec<Hop>),
}

/// A next hop towards an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The port to leave by; its underlay VLAN is the port's own.
    pub port: PortId,
    /// The destination MAC; `None` while the kernel has not resolved it.
    pub mac: Option<Mac>,
    /// Whose MAC that is: a router, or the address itself when it is on the link.
    pub gateway: IpAddr,
    /// Share of the traffic among the hops, 1 to 256.
    pub weight: u16,
}

/// What an event may have changed for those who asked before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// The MAC of this next hop.
    NextHop(NextHop),
    /// Any answer.
    Everything,
}

/// Routes and neighbours of the twins' namespace.
#[derive(Debug, Default)]
pub struct UnderlayState {
    up: BTreeSet<PortId>,
    addresses: Vec<Address>,
    v4: Routes,
    v6: Routes,
    neighbours: HashMap<NextHop, Mac>,
}

impl UnderlayState {
    /// Knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in an event and says what to resolve again.
    pub fn apply(&mut self, event: UnderlayEvent) -> Change {
        match event {
            UnderlayEvent::Links(up) => {
                self.up = up;
                Change::Everything
            }
            UnderlayEvent::Addresses(addresses) => {
                self.addresses = addresses;
                Change::None
            }
            UnderlayEvent::Routes(routes) => {
                let (v4, v6): (Vec<_>, Vec<_>) = routes.into_iter().partition(|route| route.prefix.is_ipv4());
                (self.v4, self.v6) = (Routes::new(v4), Routes::new(v6));
                Change::Everything
            }
            UnderlayEvent::Neighbour(Neighbour { port, address, mac }) => {
                let next_hop = (port, address);
                let before = match mac {
                    Some(mac) => self.neighbours.insert(next_hop, mac),
                    None => self.neighbours.remove(&next_hop),
                };
                if before == mac { Change::None } else { Change::NextHop(next_hop) }
            }
            UnderlayEvent::Lost(_) => Change::None,
        }
    }

    /// How to reach `address`: the longest prefix among the routes through our twins, as the kernel would choose, and of
    /// its hops those whose twin is up. Routes through other interfaces, policy rules and other tables do not count.
    pub fn resolve(&self, address: IpAddr) -> Resolution {
        let routes = if address.is_ipv4() { &self.v4 } else { &self.v6 };
        let hops = routes.find(address).into_iter().flatten().filter(|hop| self.up.contains(&hop.port));
        let hops: Vec<_> = hops
            .map(|hop| {
                let gateway = hop.gateway.unwrap_or(address);
                let mac = self.neighbours.get(&(hop.port, gateway)).copied();
                Hop { port: hop.port, mac, gateway, weight: hop.weight }
            })
            .collect();
        if hops.is_empty() { Resolution::NoRoute } else { Resolution::Hops(hops) }
    }

    /// True when the namespace itself has the address, on a twin or elsewhere.
    pub fn owns(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|own| own.address == address)
    }

    /// Every address of the namespace.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// True when the twin of `port` is up.
    pub fn is_up(&self, port: PortId) -> bool {
        self.up.contains(&port)
    }
}

impl Resolution {
    /// The next hops that have to be kept resolved for this answer to stay good.
    pub fn next_hops(&self) -> impl Iterator<Item = NextHop> + '_ {
        let hops = match self {
            Self::NoRoute => &[][..],
            Self::Hops(hops) => hops,
        };
        hops.iter().map(|hop| (hop.port, hop.gateway))
    }
}

/// The best routes of one family by prefix length, the longest first.
#[derive(Debug, Default)]
struct Routes {
    lengths: BTreeMap<Reverse<u8>, HashMap<IpAddr, Route>>,
}

impl Routes {
    /// Of several routes of one prefix the lowest metric wins, then the first.
    fn new(routes: Vec<Route>) -> Self {
        let mut lengths: BTreeMap<_, HashMap<IpAddr, Route>> = BTreeMap::new();
        for route in routes {
            let same_length = lengths.entry(Reverse(route.length)).or_default();
            match same_length.get(&route.prefix) {
                Some(known) if known.metric <= route.metric => {}
                _ => drop(same_length.insert(route.prefix, route)),
            }
        }
        Self { lengths }
    }

    fn find(&self, address: IpAddr) -> Option<&[RouteHop]> {
        self.lengths.iter().find_map(|(Reverse(length), routes)| {
            routes.get(&network(address, *length)).map(|route| route.hops.as_slice())
        })
    }
}

/// `address` with all but the first `length` bits zero.
pub(super) fn network(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length.min(32))).unwrap_or(0);
            IpAddr::V4((u32::from(address) & mask).into())
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length.min(128))).unwrap_or(0);
            IpAddr::V6((u128::from(address) & mask).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP0: PortId = PortId(0);
    const UP1: PortId = PortId(1);
    const MAC: Mac = Mac([2, 0, 0, 0, 0, 7]);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn via(port: PortId, gateway: &str) -> RouteHop {
        RouteHop { port, gateway: Some(ip(gateway)), weight: 1 }
    }

    fn on_link(port: PortId) -> RouteHop {
        RouteHop { port, gateway: None, weight: 1 }
    }

    fn route(prefix: &str, length: u8, metric: u32, hops: &[RouteHop]) -> Route {
        Route { prefix: ip(prefix), length, metric, hops: hops.to_vec() }
    }

    fn state(routes: Vec<Route>) -> UnderlayState {
        let mut state = UnderlayState::new();
        assert_eq!(state.apply(UnderlayEvent::Links([UP0, UP1].into())), Change::Everything);
        assert_eq!(state.apply(UnderlayEvent::Routes(routes)), Change::Everything);
        state
    }

    fn gateways(state: &UnderlayState, address: &str) -> Vec<IpAddr> {
        state.resolve(ip(address)).next_hops().map(|(_, gateway)| gateway).collect()
    }

    #[test]
    fn without_a_route_there_is_no_way() {
        assert_eq!(UnderlayState::new().resolve(ip("10.0.0.1")), Resolution::NoRoute);
        assert_eq!(state(vec![route("::", 0, 0, &[on_link(UP0)])]).resolve(ip("10.0.0.1")), Resolution::NoRoute);
    }

    #[test]
    fn an_address_on_the_link_is_its_own_next_hop_and_gets_its_mac() {
        let mut state = state(vec![route("10.0.0.0", 24, 0, &[on_link(UP0)])]);
        let hop = Hop { port: UP0, mac: None, gateway: ip("10.0.0.12"), weight: 1 };
        assert_eq!(state.resolve(ip("10.0.0.12")), Resolution::Hops(vec![hop]));

        let neighbour = Neighbour { port: UP0, address: ip("10.0.0.12"), mac: Some(MAC) };
        assert_eq!(state.apply(UnderlayEvent::Neighbour(neighbour)), Change::NextHop((UP0, ip("10.0.0.12"))));
        assert_eq!(state.apply(UnderlayEvent::Neighbour(neighbour)), Change::None);
        assert_eq!(state.resolve(ip("10.0.0.12")), Resolution::Hops(vec![Hop { mac: Some(MAC), ..hop }]));

        let gone = Neighbour { mac: None, ..neighbour };
        assert_eq!(state.apply(UnderlayEvent::Neighbour(gone)), Change::NextHop((UP0, ip("10.0.0.12"))));
        assert_eq!(state.resolve(ip("10.0.0.12")), Resolution::Hops(vec![hop]));
    }

    #[test]
    fn the_longest_prefix_wins_in_both_families() {
        let state = state(vec![
            route("0.0.0.0", 0, 0, &[via(UP0, "10.0.0.1")]),
            route("192.0.2.0", 24, 0, &[via(UP0, "10.0.0.2")]),
            route("192.0.2.7", 32, 0, &[via(UP1, "10.0.1.3")]),
            route("::", 0, 1024, &[via(UP0, "fe80::1")]),
            route("2001:db8::", 32, 1024, &[via(UP1, "fe80::2")]),
        ]);
        assert_eq!(gateways(&state, "198.51.100.1"), [ip("10.0.0.1")]);
        assert_eq!(gateways(&state, "192.0.2.8"), [ip("10.0.0.2")]);
        assert_eq!(gateways(&state, "192.0.2.7"), [ip("10.0.1.3")]);
        assert_eq!(gateways(&state, "2001:db9::1"), [ip("fe80::1")]);
        assert_eq!(gateways(&state, "2001:db8::1"), [ip("fe80::2")]);
    }

    #[test]
    fn of_one_prefix_the_lowest_metric_wins_then_the_first() {
        let state = state(vec![
            route("0.0.0.0", 0, 100, &[via(UP0, "10.0.0.1")]),
            route("0.0.0.0", 0, 20, &[via(UP0, "10.0.0.2")]),
            route("0.0.0.0", 0, 20, &[via(UP0, "10.0.0.3")]),
        ]);
        assert_eq!(gateways(&state, "192.0.2.1"), [ip("10.0.0.2")]);
    }

    #[test]
    fn the_same_router_behind_two_twins_is_two_next_hops() {
        let mut state = state(vec![route("2001:db8::", 32, 0, &[via(UP0, "fe80::1"), via(UP1, "fe80::1")])]);
        state.apply(UnderlayEvent::Neighbour(Neighbour { port: UP1, address: ip("fe80::1"), mac: Some(MAC) }));
        let Resolution::Hops(hops) = state.resolve(ip("2001:db8::9")) else { panic!() };
        assert_eq!(hops.iter().map(|hop| (hop.port, hop.mac)).collect::<Vec<_>>(), [(UP0, None), (UP1, Some(MAC))]);
    }

    #[test]
    fn a_twin_that_is_down_is_no_way() {
        let mut state = state(vec![
            route("0.0.0.0", 0, 0, &[via(UP0, "10.0.0.1")]),
            route("192.0.2.0", 24, 0, &[via(UP0, "10.0.0.2"), via(UP1, "10.0.1.2")]),
        ]);
        state.apply(UnderlayEvent::Links([UP1].into()));
        assert!(!state.is_up(UP0));
        assert_eq!(gateways(&state, "192.0.2.1"), [ip("10.0.1.2")]);
        assert_eq!(state.resolve(ip("198.51.100.1")), Resolution::NoRoute);
    }

    #[test]
    fn a_blackhole_hides_the_default_route() {
        let state = state(vec![route("0.0.0.0", 0, 0, &[via(UP0, "10.0.0.1")]), route("192.0.2.0", 24, 0, &[])]);
        assert_eq!(state.resolve(ip("192.0.2.1")), Resolution::NoRoute);
    }

    #[test]
    fn new_routes_replace_the_old() {
        let mut state = state(vec![route("0.0.0.0", 0, 0, &[via(UP0, "10.0.0.1")])]);
        state.apply(UnderlayEvent::Routes(Vec::new()));
        assert_eq!(state.resolve(ip("192.0.2.1")), Resolution::NoRoute);
    }

    #[test]
    fn own_addresses_are_known() {
        let mut state = state(Vec::new());
        let own = Address { port: None, address: ip("192.0.2.11"), length: 32 };
        assert_eq!(state.apply(UnderlayEvent::Addresses(vec![own])), Change::None);
        assert!(state.owns(ip("192.0.2.11")) && !state.owns(ip("192.0.2.12")));
    }

    #[test]
    fn host_bits_are_cut_at_every_length() {
        assert_eq!(network(ip("255.255.255.255"), 0), ip("0.0.0.0"));
        assert_eq!(network(ip("255.255.255.255"), 25), ip("255.255.255.128"));
        assert_eq!(network(ip("255.255.255.255"), 32), ip("255.255.255.255"));
        assert_eq!(network(ip("ffff::ffff"), 0), ip("::"));
        assert_eq!(network(ip("ffff::ffff"), 127), ip("ffff::fffe"));
        assert_eq!(network(ip("ffff::ffff"), 128), ip("ffff::ffff"));
    }
}
