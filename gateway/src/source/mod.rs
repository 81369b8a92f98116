//! Where events come from: the outside world, one small blocking follower each, with a pure codec inside.
//!
//! So far the underlay, which is Linux's. Each underlay port has a *twin* ([`twin`]), a TAP with the port's MAC that owns
//! the addresses: host frames (ARP, ND, ICMP, BGP, IGMP...) go in, what the kernel and its daemons send comes out.
//! [`netlink`] follows the routes and neighbours of the twins' namespace and keeps the next hops of VTEPs resolved;
//! [`directions`] turns that into answers for control. Joining a multicast group for a segment is a socket option on the
//! twin ([`membership`]).
//!
//! No thread here touches the data path. A thread that enters another namespace does nothing else and ends there.

mod alter;
pub mod carrier;
pub mod directions;
pub mod error;
pub mod evpn;
mod gateways;
pub mod membership;
pub mod namespace;
pub mod netlink;
pub mod ovsdb;
mod rtnl;
mod setup;
pub mod twin;
