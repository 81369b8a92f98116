//! Gives a twin what the configuration says, over rtnetlink.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use netlink_packet_route::route::{RouteAttribute, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rustix::io::Errno;

use super::error::UnderlayError;
use super::gateways;
use super::rtnl::Rtnl;
use super::twin::TwinOptions;
use crate::complain;

/// How long the kernel may take to bring IPv6 addresses into use before we go on without.
const SETTLE: Duration = Duration::from_secs(2);

/// The netlink family of an address.
pub(super) fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

/// A device that has the name already: its index, and what it is.
pub(super) fn device(kernel: &mut Rtnl, name: &str) -> io::Result<Option<(u32, InfoKind)>> {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.into()));
    let answer = match kernel.request(RouteNetlinkMessage::GetLink(message), 0) {
        Ok(answer) => answer,
        Err(error) if errno(&error) == Some(Errno::NODEV) => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(answer.into_iter().find_map(|message| match message {
        RouteNetlinkMessage::NewLink(link) => Some((link.header.index, kind(&link))),
        _ => None,
    }))
}

fn kind(link: &LinkMessage) -> InfoKind {
    let infos = link.attributes.iter().filter_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(infos) => Some(infos),
        _ => None,
    });
    let kind = infos.flatten().find_map(|info| match info {
        LinkInfo::Kind(kind) => Some(kind.clone()),
        _ => None,
    });
    kind.unwrap_or_else(|| InfoKind::Other("device".into()))
}

/// Gives the device everything in `options`.
pub(super) fn configure(kernel: &mut Rtnl, index: u32, options: &TwinOptions) -> Result<(), UnderlayError> {
    check_addresses(kernel, index, options)?;
    let name = &options.name;
    let refused = |doing: &str| {
        let doing = format!("{doing} {name}");
        move |error| UnderlayError::refused(doing, error)
    };

    let mac = LinkAttribute::Address(options.mac.0.to_vec());
    change(kernel, index, vec![mac], None).map_err(refused(&format!("set the MAC {} of", options.mac)))?;
    let mtu = LinkAttribute::Mtu(options.mtu.into());
    change(kernel, index, vec![mtu], None).map_err(refused(&format!("set the MTU {} of", options.mtu)))?;
    quieten(options)?;
    keep_secondaries(options);
    change(kernel, index, vec![], Some(LinkFlags::Up)).map_err(refused("bring up"))?;
    for (address, length) in &options.addresses {
        add_address(kernel, index, *address, *length)
            .map_err(refused(&format!("give the address {address}/{length} to")))?;
    }
    settle(kernel, options).map_err(refused("list the routes of"))?;
    options.gateways.iter().try_for_each(|gateway| gateways::add(kernel, index, *gateway, name))
}

/// Sets carrier on or off.
pub(super) fn set_carrier(kernel: &mut Rtnl, index: u32, on: bool) -> io::Result<()> {
    change(kernel, index, vec![LinkAttribute::Carrier(on.into())], None)
}

pub(super) fn change(
    kernel: &mut Rtnl,
    index: u32,
    attributes: Vec<LinkAttribute>,
    set: Option<LinkFlags>,
) -> io::Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    if let Some(flags) = set {
        message.header.flags = flags;
        message.header.change_mask = flags;
    }
    message.attributes = attributes;
    kernel.request(RouteNetlinkMessage::SetLink(message), 0).map(drop)
}

/// No other interface of the namespace may have one of the addresses: the kernel would take IPv4 twice, and answer ARP on
/// the wrong side.
pub(super) fn check_addresses(kernel: &mut Rtnl, index: u32, options: &TwinOptions) -> Result<(), UnderlayError> {
    let messages = kernel
        .dump(RouteNetlinkMessage::GetAddress(AddressMessage::default()))
        .map_err(|error| UnderlayError::refused("list the addresses of the namespace", error))?;
    for message in messages {
        let RouteNetlinkMessage::NewAddress(message) = message else { continue };
        let elsewhere = message.header.index != index;
        let taken = message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Address(address) | AddressAttribute::Local(address) => {
                options.addresses.iter().find(|(ours, _)| ours == address)
            }
            _ => None,
        });
        if let Some((address, _)) = taken.filter(|_| elsewhere) {
            return Err(UnderlayError::AddressInUse {
                address: *address,
                by: name_of(kernel, message.header.index),
                twin: options.name.clone(),
                namespace: options.namespace.to_string(),
            });
        }
    }
    Ok(())
}

pub(super) fn name_of(kernel: &mut Rtnl, index: u32) -> String {
    let mut message = LinkMessage::default();
    message.header.index = index;
    let answer = kernel.request(RouteNetlinkMessage::GetLink(message), 0).unwrap_or_default();
    let name = answer.into_iter().find_map(|message| match message {
        RouteNetlinkMessage::NewLink(link) => link.attributes.into_iter().find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name),
            _ => None,
        }),
        _ => None,
    });
    name.unwrap_or_else(|| format!("interface {index}"))
}

/// On this device only: no router advertisements (the configuration gives addresses and gateways), no router
/// solicitations, no waiting for duplicate address detection (the MAC, and so the link-local address, is the port's own).
fn quieten(options: &TwinOptions) -> Result<(), UnderlayError> {
    let directory = Path::new("/proc/sys/net/ipv6/conf").join(&options.name);
    let on = fs::read_to_string(directory.join("disable_ipv6")).is_ok_and(|value| value.trim() == "0");
    if !on {
        return match options.addresses.iter().any(|(address, _)| address.is_ipv6()) {
            false => Ok(()),
            true => Err(UnderlayError::NoIpv6 { twin: options.name.clone(), namespace: options.namespace.to_string() }),
        };
    }
    for (sysctl, value) in [("accept_ra", "0"), ("router_solicitations", "0"), ("accept_dad", "0")] {
        // Where /proc/sys is read-only (a container) the twin works all the same, a little chattier.
        if let Err(error) = fs::write(directory.join(sysctl), value) {
            complain!(
                warn,
                "a setting of a twin cannot be made, and it talks more than it should",
                "make /proc/sys writable for the gateway";
                twin = options.name, sysctl = format_args!("net.ipv6.conf.{}.{sysctl}", options.name), error = error
            );
        }
    }
    Ok(())
}

pub(super) fn add_address(kernel: &mut Rtnl, index: u32, address: IpAddr, length: u8) -> io::Result<()> {
    let mut message = AddressMessage::default();
    message.header.family = family(address);
    message.header.prefix_len = length;
    message.header.index = index;
    if address.is_ipv6() {
        message.header.flags = AddressHeaderFlags::Nodad;
    }
    message.attributes = vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
    kernel.request(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_REPLACE).map(drop)
}

/// When an IPv4 address goes that came first in its subnet, the kernel otherwise takes those that came later along.
fn keep_secondaries(options: &TwinOptions) {
    let sysctl = Path::new("/proc/sys/net/ipv4/conf").join(&options.name).join("promote_secondaries");
    if let Err(error) = fs::write(&sysctl, "1") {
        log::debug!("cannot set {}: {error}; addresses that change may be missing for a moment", sysctl.display());
    }
}

/// Waits until the kernel has taken the IPv6 addresses into use, which it does a moment later on a thread of its own even
/// without duplicate address detection. The last step is the local route; before it nothing sent to them arrives.
pub(super) fn settle(kernel: &mut Rtnl, options: &TwinOptions) -> io::Result<()> {
    let deadline = Instant::now() + SETTLE;
    let mut missing: Vec<_> = options.addresses.iter().map(|(address, _)| *address).filter(IpAddr::is_ipv6).collect();
    while !missing.is_empty() {
        let mut message = RouteMessage::default();
        message.header.address_family = AddressFamily::Inet6;
        for message in kernel.dump(RouteNetlinkMessage::GetRoute(message))? {
            let RouteNetlinkMessage::NewRoute(route) = message else { continue };
            if route.header.kind == RouteType::Local {
                missing.retain(|address| !route.attributes.contains(&RouteAttribute::Destination((*address).into())));
            }
        }
        if !missing.is_empty() && Instant::now() >= deadline {
            let missing: Vec<_> = missing.iter().map(IpAddr::to_string).collect();
            complain!(
                warn,
                "the kernel still checks addresses for duplicates, and they work a little later",
                "set the twin's sysctl accept_dad to 0";
                twin = options.name, addresses = missing.join(",")
            );
            return Ok(());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

pub(super) fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw_os_error)
}
