//! Default routes of twins, over rtnetlink: a hop for each gateway of the configuration, marked as ours.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteNextHop, RouteProtocol, RouteScope, RouteType,
};
use rustix::io::Errno;

use super::error::UnderlayError;
use super::rtnl::Rtnl;
use super::setup::{errno, family, name_of};

/// Marks the default routes that we add; `ip route` shows the number. Unassigned in iproute2's rt_protos.
const OURS: RouteProtocol = RouteProtocol::Other(124);

/// The metric of an IPv6 route for which none is said (linux/ipv6_route.h, IP6_RT_PRIO_USER).
const IPV6_METRIC: u32 = 1024;

/// Adds a default route. Several twins with a gateway each share the traffic (ECMP): IPv6 does that by appending, IPv4
/// wants the whole list replaced. A default route that is not ours is never touched.
pub(super) fn add(kernel: &mut Rtnl, index: u32, gateway: IpAddr, name: &str) -> Result<(), UnderlayError> {
    let wrong = |why: String| UnderlayError::Gateway { gateway, twin: name.into(), why };
    let refused = |error: io::Error| match errno(&error) {
        Some(Errno::NETUNREACH | Errno::HOSTUNREACH | Errno::INVAL) => wrong(
            "it is in no network of this twin's addresses: correct the gateway, or the prefix length of an address"
                .into(),
        ),
        _ => UnderlayError::refused(format!("make {gateway} the gateway of {name}"), error),
    };

    let existing = default_routes(kernel, gateway).map_err(refused)?;
    let ours = (index, gateway);
    if existing.iter().any(|route| hops(route).contains(&ours)) {
        return Ok(());
    }
    if let Some((interface, other)) =
        existing.iter().filter(|route| route.header.protocol != OURS).find_map(|route| hops(route).first().copied())
    {
        let by = name_of(kernel, interface);
        return Err(wrong(format!(
            "there is a default route through {other} on {by} already: remove it, or leave the gateway out, or put the \
             twins into a namespace of their own"
        )));
    }

    let mut message = empty(gateway);
    let flags = match existing.first() {
        Some(route) if gateway.is_ipv4() => {
            let hops = hops(route).into_iter().chain([ours]);
            message.attributes.push(RouteAttribute::MultiPath(hops.map(next_hop).collect()));
            NLM_F_CREATE | NLM_F_REPLACE
        }
        _ => {
            message.attributes = vec![RouteAttribute::Oif(index), RouteAttribute::Gateway(gateway.into())];
            if gateway.is_ipv4() { NLM_F_CREATE | NLM_F_EXCL } else { NLM_F_CREATE | NLM_F_APPEND }
        }
    };
    kernel.request(RouteNetlinkMessage::NewRoute(message), flags).map(drop).map_err(refused)
}

/// Takes our default route through a gateway away, or that hop of it; other hops and routes of others stay.
pub(super) fn remove(kernel: &mut Rtnl, index: u32, gateway: IpAddr) -> io::Result<()> {
    let ours = (index, gateway);
    for route in default_routes(kernel, gateway)? {
        let hops = hops(&route);
        if route.header.protocol != OURS || !hops.contains(&ours) {
            continue;
        }
        let rest: Vec<_> = hops.into_iter().filter(|hop| *hop != ours).collect();
        let mut message = empty(gateway);
        if gateway.is_ipv4() && !rest.is_empty() {
            let hops = rest.into_iter().map(next_hop).collect();
            message.attributes.push(RouteAttribute::MultiPath(hops));
            kernel.request(RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_REPLACE)?;
        } else {
            message.attributes = vec![RouteAttribute::Oif(index), RouteAttribute::Gateway(gateway.into())];
            kernel.request(RouteNetlinkMessage::DelRoute(message), 0)?;
        }
    }
    Ok(())
}

/// A default route of ours in the gateway's family, without a hop yet.
fn empty(gateway: IpAddr) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(gateway);
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = OURS;
    message.header.scope = RouteScope::Universe;
    message.header.kind = RouteType::Unicast;
    message
}

fn next_hop((interface, gateway): (u32, IpAddr)) -> RouteNextHop {
    let mut hop = RouteNextHop::default();
    hop.interface_index = interface;
    hop.attributes.push(RouteAttribute::Gateway(gateway.into()));
    hop
}

/// The default routes of the gateway's family with the metric that ours would have.
fn default_routes(kernel: &mut Rtnl, gateway: IpAddr) -> io::Result<Vec<RouteMessage>> {
    let mut message = RouteMessage::default();
    message.header.address_family = family(gateway);
    let wanted = if gateway.is_ipv4() { 0 } else { IPV6_METRIC };
    let routes = kernel.dump(RouteNetlinkMessage::GetRoute(message))?.into_iter().filter_map(|message| {
        let RouteNetlinkMessage::NewRoute(route) = message else { return None };
        let metric = route.attributes.iter().find_map(|attribute| match attribute {
            RouteAttribute::Priority(metric) => Some(*metric),
            _ => None,
        });
        let header = &route.header;
        let default = header.destination_prefix_length == 0
            && header.table == RouteHeader::RT_TABLE_MAIN
            && header.kind == RouteType::Unicast
            && metric.unwrap_or(0) == wanted;
        default.then_some(route)
    });
    Ok(routes.collect())
}

/// Interface and router of each hop that has a router.
fn hops(route: &RouteMessage) -> Vec<(u32, IpAddr)> {
    let multipath = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::MultiPath(hops) => Some(hops),
        _ => None,
    });
    match multipath {
        Some(hops) => hops.iter().filter_map(|hop| Some((hop.interface_index, router(&hop.attributes)?))).collect(),
        None => {
            let interface = route.attributes.iter().find_map(|attribute| match attribute {
                RouteAttribute::Oif(interface) => Some(*interface),
                _ => None,
            });
            interface.zip(router(&route.attributes)).into_iter().collect()
        }
    }
}

fn router(attributes: &[RouteAttribute]) -> Option<IpAddr> {
    attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Gateway(RouteAddress::Inet(address)) => Some((*address).into()),
        RouteAttribute::Gateway(RouteAddress::Inet6(address)) => Some((*address).into()),
        _ => None,
    })
}
