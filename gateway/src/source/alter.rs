//! Changes a twin while it is in use: addresses, default gateways and MTU, over rtnetlink.
//!
//! What is new comes before what is old goes, so that a subnet that both have keeps its routes. Whatever an operator or a
//! routing daemon gave the device stays: only what the old configuration said is taken away.

use std::io;
use std::net::IpAddr;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::LinkAttribute;
use rustix::io::Errno;

use super::error::UnderlayError;
use super::gateways;
use super::rtnl::Rtnl;
use super::setup::{self, family};
use super::twin::TwinOptions;

/// Takes the device from what `old` says to what `new` says; their names, MACs and namespaces are the same.
pub(super) fn alter(kernel: &mut Rtnl, index: u32, old: &TwinOptions, new: &TwinOptions) -> Result<(), UnderlayError> {
    let name = &new.name;
    let refused = |doing: String| move |error| UnderlayError::refused(doing, error);
    setup::check_addresses(kernel, index, new)?;
    if old.mtu != new.mtu {
        let mtu = LinkAttribute::Mtu(new.mtu.into());
        setup::change(kernel, index, vec![mtu], None).map_err(refused(format!("set the MTU {} of {name}", new.mtu)))?;
    }
    give(kernel, index, new)?;
    for &gateway in old.gateways.iter().filter(|gateway| !new.gateways.contains(gateway)) {
        let doing = format!("take the gateway {gateway} from {name}");
        gateways::remove(kernel, index, gateway).map_err(refused(doing))?;
    }
    for &(address, length) in old.addresses.iter().filter(|address| !new.addresses.contains(address)) {
        let doing = format!("take the address {address}/{length} from {name}");
        remove_address(kernel, index, address, length).map_err(refused(doing))?;
    }
    // Where the kernel does not promote secondary addresses, others of a subnet and its routes went with the first.
    give(kernel, index, new)
}

/// Adds what is missing of the addresses and gateways.
fn give(kernel: &mut Rtnl, index: u32, new: &TwinOptions) -> Result<(), UnderlayError> {
    let name = &new.name;
    for &(address, length) in &new.addresses {
        let doing = format!("give the address {address}/{length} to {name}");
        setup::add_address(kernel, index, address, length).map_err(|error| UnderlayError::refused(doing, error))?;
    }
    let listing = |error| UnderlayError::refused(format!("list the routes of {name}"), error);
    setup::settle(kernel, new).map_err(listing)?;
    new.gateways.iter().try_for_each(|&gateway| gateways::add(kernel, index, gateway, name))
}

/// Takes an address away; one that is gone already is no error.
fn remove_address(kernel: &mut Rtnl, index: u32, address: IpAddr, length: u8) -> io::Result<()> {
    let mut message = AddressMessage::default();
    message.header.family = family(address);
    message.header.prefix_len = length;
    message.header.index = index;
    message.attributes = vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
    match kernel.request(RouteNetlinkMessage::DelAddress(message), 0) {
        Err(error) if setup::errno(&error) != Some(Errno::ADDRNOTAVAIL) => Err(error),
        _ => Ok(()),
    }
}
