//! Bridge tables and neighbours of the shadow devices: rtnetlink messages to our words and back. Pure: no sockets.

use crate::complain;
use std::net::IpAddr;

use config::types::{Mac, Vni};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::RouteProtocol;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

/// What a shadow device is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The bridge: the VNI itself. Neighbours are on it.
    Bridge,
    /// The VXLAN device: remote MACs are on it.
    Vxlan,
    /// The port: local MACs are on it.
    Port,
}

/// Something that the kernel told of a VNI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The bridge has a MAC on the VXLAN device or on our port, or no longer.
    Bridge { vni: Vni, role: Role, mac: Mac, sticky: bool, gone: bool },
    /// The VXLAN device has a MAC behind a VTEP, or no longer.
    Behind { vni: Vni, mac: Mac, vtep: IpAddr, gone: bool },
    /// A VTEP takes part in the VNI, or no longer.
    Flood { vni: Vni, vtep: IpAddr, gone: bool },
    /// An address is a MAC's, or nobody's.
    Neighbour { vni: Vni, address: IpAddr, mac: Option<Mac> },
}

/// Something to ask of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The MAC is on our port.
    Put(Vni, Mac),
    /// It no longer is.
    Remove(Vni, Mac),
}

/// RTPROT_ZEBRA (linux/rtnetlink.h): neighbours that FRR has put in.
const ZEBRA: RouteProtocol = RouteProtocol::Zebra;

/// NDA_NH_ID (linux/neighbour.h): a MAC behind several VTEPs at once (EVPN multihoming, RFC 7432 section 8).
const NEXT_HOP_ID: u16 = 13;

/// What a message tells; `None` when it is about nothing of ours.
pub(super) fn heard(
    message: &NeighbourMessage,
    gone: bool,
    device: impl Fn(u32) -> Option<(Vni, Role)>,
) -> Option<Heard> {
    let (vni, role) = device(message.header.ifindex)?;
    match message.header.family {
        AddressFamily::Bridge => entry(message, gone, vni, role),
        AddressFamily::Inet | AddressFamily::Inet6 if role == Role::Bridge => neighbour(message, gone, vni),
        _ => None,
    }
}

fn entry(message: &NeighbourMessage, gone: bool, vni: Vni, role: Role) -> Option<Heard> {
    let (mut mac, mut vtep, mut bridged, mut several) = (None, None, false, false);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::LinkLayerAddress(bytes) => mac = mac_of(bytes),
            NeighbourAttribute::Destination(address) => vtep = address_of(address),
            NeighbourAttribute::Controller(_) => bridged = true,
            NeighbourAttribute::Other(other) => several |= netlink_packet_core::Nla::kind(other) == NEXT_HOP_ID,
            _ => {}
        }
    }
    let (mac, flags) = (mac?, message.header.flags);
    if several {
        complain!(
            warn,
            "a MAC is behind several VTEPs, which is not supported, and frames for it are flooded",
            "give it one VTEP: no multihoming (EVPN type 1 and 4 routes)";
            vni = vni, mac = mac
        );
        return None;
    }
    match (role, vtep) {
        (Role::Vxlan, Some(vtep)) if flags.contains(NeighbourFlags::Own) && mac.is_zero() => {
            Some(Heard::Flood { vni, vtep, gone })
        }
        (Role::Vxlan, Some(vtep)) if flags.contains(NeighbourFlags::Own) => {
            Some(Heard::Behind { vni, mac, vtep, gone })
        }
        // The devices' own addresses are permanent.
        (Role::Vxlan | Role::Port, None) if bridged && message.header.state != NeighbourState::Permanent => {
            let sticky = flags.contains(NeighbourFlags::Sticky);
            Some(Heard::Bridge { vni, role, mac, sticky, gone })
        }
        _ => None,
    }
}

/// A neighbour that FRR put in. One that it takes away fails first, without a MAC, and then goes.
fn neighbour(message: &NeighbourMessage, gone: bool, vni: Vni) -> Option<Heard> {
    let (mut address, mut mac, mut zebra) = (None, None, false);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(destination) => address = address_of(destination),
            NeighbourAttribute::LinkLayerAddress(bytes) => mac = mac_of(bytes),
            NeighbourAttribute::Protocol(protocol) => zebra = *protocol == ZEBRA,
            _ => {}
        }
    }
    let failed = gone || message.header.state == NeighbourState::Failed;
    match failed {
        true => Some(Heard::Neighbour { vni, address: address?, mac: None }),
        false => zebra.then_some(Heard::Neighbour { vni, address: address?, mac: Some(mac?) }),
    }
}

fn mac_of(bytes: &[u8]) -> Option<Mac> {
    bytes.try_into().ok().map(Mac)
}

fn address_of(address: &NeighbourAddress) -> Option<IpAddr> {
    match address {
        NeighbourAddress::Inet(address) => Some((*address).into()),
        NeighbourAddress::Inet6(address) => Some((*address).into()),
        // Bridge entries have addresses of no said family: their length tells.
        NeighbourAddress::Other(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(&bytes[..]).ok().map(IpAddr::from),
            16 => <[u8; 16]>::try_from(&bytes[..]).ok().map(IpAddr::from),
            _ => None,
        },
        _ => None,
    }
}

/// The request for a step; `port` is the index of the VNI's port.
///
/// NTF_EXT_LEARNED with NUD_REACHABLE is what zebra takes for a local MAC and the kernel never ages, with carrier or
/// without; NUD_PERMANENT zebra would leave out.
pub(super) fn request(step: Step, port: u32) -> RouteNetlinkMessage {
    let (Step::Put(_, mac) | Step::Remove(_, mac)) = step;
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Bridge;
    message.header.ifindex = port;
    message.header.flags = NeighbourFlags::Controller;
    message.attributes = vec![NeighbourAttribute::LinkLayerAddress(mac.0.to_vec())];
    match step {
        Step::Put(..) => {
            message.header.state = NeighbourState::Reachable;
            message.header.flags |= NeighbourFlags::ExtLearned;
            RouteNetlinkMessage::NewNeighbour(message)
        }
        Step::Remove(..) => RouteNetlinkMessage::DelNeighbour(message),
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::{Emitable, Parseable};

    use super::*;

    const VNI: Vni = Vni::new(100).unwrap();
    const MAC: Mac = Mac([2, 0, 0, 0, 0x10, 2]);

    fn device(index: u32) -> Option<(Vni, Role)> {
        let role = [Role::Bridge, Role::Vxlan, Role::Port].get(index.checked_sub(4)? as usize)?;
        Some((VNI, *role))
    }

    /// `ndmsg` of a device with a state and flags, and attributes, as the kernel writes them.
    fn parse(family: u8, index: u8, state: u8, flags: u8, attributes: &[&[u8]]) -> NeighbourMessage {
        let mut bytes = vec![family, 0, 0, 0, index, 0, 0, 0, state, 0, flags, 0];
        for attribute in attributes {
            bytes.extend_from_slice(attribute);
        }
        NeighbourMessage::parse(&bytes[..]).expect("a neighbour message")
    }

    const LLADDR: &[u8] = &[10, 0, 2, 0, 2, 0, 0, 0, 0x10, 2, 0, 0];
    const NOBODY: &[u8] = &[10, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    const MASTER: &[u8] = &[8, 0, 9, 0, 4, 0, 0, 0];
    const VTEP: &[u8] = &[8, 0, 1, 0, 192, 0, 2, 2];
    const ZEBRA_MADE: &[u8] = &[5, 0, 12, 0, 11, 0, 0, 0];

    #[test]
    fn the_two_entries_of_a_remote_mac_are_told_apart() {
        let bridge = parse(7, 5, 0x02, 0x10, &[LLADDR, MASTER]);
        let entry = Heard::Bridge { vni: VNI, role: Role::Vxlan, mac: MAC, sticky: false, gone: false };
        assert_eq!(heard(&bridge, false, device), Some(entry));
        let sticky = parse(7, 5, 0x40, 0x40, &[LLADDR, MASTER]);
        assert!(matches!(heard(&sticky, false, device), Some(Heard::Bridge { sticky: true, .. })));
        let own = parse(7, 5, 0x02, 0x12, &[LLADDR, VTEP]);
        let vtep = IpAddr::from([192, 0, 2, 2]);
        assert_eq!(heard(&own, true, device), Some(Heard::Behind { vni: VNI, mac: MAC, vtep, gone: true }));
        let flood = parse(7, 5, 0xc0, 0x02, &[NOBODY, VTEP]);
        assert_eq!(heard(&flood, false, device), Some(Heard::Flood { vni: VNI, vtep, gone: false }));
    }

    #[test]
    fn addresses_of_the_devices_and_other_devices_are_nothing() {
        assert_eq!(heard(&parse(7, 5, 0x80, 0, &[LLADDR, MASTER]), false, device), None);
        assert_eq!(heard(&parse(7, 9, 0x02, 0x10, &[LLADDR, MASTER]), false, device), None);
    }

    #[test]
    fn multihoming_is_refused_aloud_and_not_taken_for_something_else() {
        let several: &[u8] = &[8, 0, 13, 0, 1, 0, 0, 0];
        assert_eq!(heard(&parse(7, 5, 0x02, 0x12, &[LLADDR, several]), false, device), None);
    }

    #[test]
    fn a_neighbour_of_zebras_counts_and_one_that_failed_is_none() {
        let address: &[u8] = &[8, 0, 1, 0, 10, 1, 0, 78];
        let known = |mac| Some(Heard::Neighbour { vni: VNI, address: IpAddr::from([10, 1, 0, 78]), mac });
        let learned = parse(2, 4, 0x40, 0x10, &[address, LLADDR, ZEBRA_MADE]);
        assert_eq!(heard(&learned, false, device), known(Some(MAC)));
        assert_eq!(heard(&parse(2, 4, 0x02, 0, &[address, LLADDR]), false, device), None);
        assert_eq!(heard(&parse(2, 4, 0x20, 0x10, &[address, ZEBRA_MADE]), false, device), known(None));
        assert_eq!(heard(&learned, true, device), known(None));
    }

    #[test]
    fn a_local_mac_is_put_with_the_bytes_that_zebra_advertises() {
        let bytes = |message: RouteNetlinkMessage| {
            let mut bytes = vec![0; message.buffer_len()];
            message.emit(&mut bytes);
            bytes
        };
        #[rustfmt::skip]
        assert_eq!(bytes(request(Step::Put(VNI, MAC), 6)), [
            7, 0, 0, 0, 6, 0, 0, 0, 2, 0, 0x14, 0, // AF_BRIDGE, port 6, NUD_REACHABLE, NTF_MASTER | NTF_EXT_LEARNED
            10, 0, 2, 0, 2, 0, 0, 0, 0x10, 2, 0, 0, // NDA_LLADDR
        ]);
        assert_eq!(bytes(request(Step::Remove(VNI, MAC), 6))[8..12], [0, 0, 0x04, 0]);
    }
}
