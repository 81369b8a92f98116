//! Multicast groups on a twin: a socket option, and the kernel does the rest.
//!
//! The kernel sends IGMP (RFC 3376) or MLD (RFC 3810) reports with hop limit 1 and router alert, answers queries, and
//! leaves when the socket is closed. The socket itself is bound to nothing and receives nothing: the group's frames are
//! tunnel frames, which the data path takes before they would reach the twin.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, sockopt};

use super::error::UnderlayError;
use super::namespace::Namespace;

/// Membership of a group, until dropped. One that shares the group keeps it joined.
#[derive(Clone, Debug)]
pub struct Membership {
    _joined: Arc<Joined>,
}

impl Membership {
    pub(super) fn shared(joined: Arc<Joined>) -> Self {
        Self { _joined: joined }
    }
}

/// The socket that is the membership. One a group: the kernel allows a socket twenty IPv4 groups
/// (net.ipv4.igmp_max_memberships), but any number of sockets.
#[derive(Debug)]
pub(super) struct Joined {
    _socket: OwnedFd,
}

/// Joins `group` on the interface.
pub(super) fn join(namespace: &Namespace, interface: u32, name: &str, group: IpAddr) -> Result<Joined, UnderlayError> {
    let doing = || format!("join the group {group} on {name}");
    if !group.is_multicast() {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "it is not a multicast address");
        return Err(UnderlayError::Refused { doing: doing(), error });
    }
    namespace.run(|| {
        let family = if group.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let refused = |errno: rustix::io::Errno| UnderlayError::refused(doing(), errno);
        let socket = socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None).map_err(refused)?;
        match group {
            IpAddr::V4(group) => {
                sockopt::set_ip_add_membership_with_ifindex(&socket, &group, &Ipv4Addr::UNSPECIFIED, interface)
            }
            IpAddr::V6(group) => sockopt::set_ipv6_add_membership(&socket, &group, interface),
        }
        .map_err(refused)?;
        Ok(Joined { _socket: socket })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unicast_address_is_refused_in_words() {
        let error = join(&Namespace::new(None), 1, "lo", "192.0.2.1".parse().unwrap()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the kernel refused to join the group 192.0.2.1 on lo: it is not a multicast address"
        );
    }
}
