//! The devices that stand for a VNI in FRR's namespace: a bridge, a VXLAN device, and a port that is never used.
//!
//! FRR takes VNIs and local MACs from the kernel and puts what it learns from BGP there. So each VNI has a shadow of three
//! devices that no packet ever passes: the port is a TAP that nobody opens, no port floods, and the VXLAN device listens
//! on a UDP port that is not the gateway's.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

use config::types::Vni;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoBridge, InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoPortKind, InfoVxlan, LinkAttribute, LinkFlags,
    LinkInfo, LinkMessage,
};

use super::codec::Role;
use crate::complain;
use crate::source::error::UnderlayError;
use crate::source::rtnl::Rtnl;
use crate::source::setup;

/// Marks our devices (`ip link show` prints it), so that a start after a crash finds what to remove.
const ALIAS: &str = "causeway evpn";

/// The devices of one VNI.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shadow {
    pub bridge: u32,
    pub vxlan: u32,
    pub port: u32,
}

impl Shadow {
    /// Makes the devices; nothing is left behind when that fails. `udp_port` must not be one that tunnels use: the kernel
    /// binds it.
    pub fn make(kernel: &mut Rtnl, vni: Vni, local: Ipv4Addr, udp_port: u16) -> Result<Self, UnderlayError> {
        for name in names(vni) {
            remove_left_over(kernel, &name)?;
        }
        let made = Self::build(kernel, vni, local, udp_port);
        if made.is_err() {
            remove_all(kernel, names(vni));
        }
        made
    }

    fn build(kernel: &mut Rtnl, vni: Vni, local: Ipv4Addr, udp_port: u16) -> Result<Self, UnderlayError> {
        let [bridge, vxlan, port] = &names(vni);
        let refused = |doing: String| move |error| UnderlayError::refused(doing, error);
        let bridge_data = InfoData::Bridge(vec![InfoBridge::AgeingTime(0), InfoBridge::MulticastSnooping(false)]);
        let bridge_index =
            add(kernel, bridge, InfoKind::Bridge, bridge_data).map_err(refused(format!("make {bridge}")))?;
        let vxlan_data = InfoData::Vxlan(vec![
            InfoVxlan::Id(vni.value()),
            InfoVxlan::Local(local),
            InfoVxlan::Port(udp_port),
            InfoVxlan::Learning(false),
        ]);
        let vxlan_index = add(kernel, vxlan, InfoKind::Vxlan, vxlan_data).map_err(refused(format!("make {vxlan}")))?;
        let port_index = add_tap(kernel, port).map_err(refused(format!("make {port}")))?;
        for (name, index) in [(bridge, bridge_index), (vxlan, vxlan_index), (port, port_index)] {
            mark(kernel, index).map_err(refused(format!("mark {name}")))?;
            quieten(name, index == bridge_index);
        }
        for (name, index, suppresses) in [(vxlan, vxlan_index, true), (port, port_index, false)] {
            enslave(kernel, index, bridge_index, suppresses).map_err(refused(format!("put {name} into {bridge}")))?;
        }
        for (name, index) in [(port, port_index), (vxlan, vxlan_index), (bridge, bridge_index)] {
            bring_up(kernel, index).map_err(refused(format!("bring up {name}")))?;
        }
        Ok(Self { bridge: bridge_index, vxlan: vxlan_index, port: port_index })
    }

    /// Index and role of each device.
    pub fn devices(&self) -> [(u32, Role); 3] {
        [(self.bridge, Role::Bridge), (self.vxlan, Role::Vxlan), (self.port, Role::Port)]
    }

    /// Removes the devices: FRR withdraws what it said of the VNI.
    pub fn remove(self, kernel: &mut Rtnl) {
        for index in [self.port, self.vxlan, self.bridge] {
            if let Err(error) = delete(kernel, index)
                && error.raw_os_error() != Some(rustix::io::Errno::NODEV.raw_os_error())
            {
                complain!(
                    warn,
                    "a device that FRR saw cannot be removed",
                    "remove it with 'ip link delete'";
                    index = index, error = error
                );
            }
        }
    }
}

/// Removes all devices of an earlier gateway that could not.
pub(super) fn sweep(kernel: &mut Rtnl) -> io::Result<usize> {
    let mut found = Vec::new();
    for message in kernel.dump(RouteNetlinkMessage::GetLink(LinkMessage::default()))? {
        let RouteNetlinkMessage::NewLink(link) = message else { continue };
        if is_ours(&link) {
            found.push(link.header.index);
        }
    }
    // Bridges last is not needed: the kernel lets go of their ports.
    found.iter().for_each(|&index| _ = delete(kernel, index));
    Ok(found.len())
}

/// `cwb10010`, `cwv10010`, `cwp10010`: bridge, VXLAN device, port.
fn names(vni: Vni) -> [String; 3] {
    ["cwb", "cwv", "cwp"].map(|prefix| format!("{prefix}{vni}"))
}

fn remove_left_over(kernel: &mut Rtnl, name: &str) -> Result<(), UnderlayError> {
    let refused = |error| UnderlayError::refused(format!("look for {name}"), error);
    match setup::device(kernel, name).map_err(refused)? {
        None => Ok(()),
        Some((index, _)) => {
            let ours = link(kernel, index).map_err(refused)?.is_some_and(|link| is_ours(&link));
            if !ours {
                return Err(UnderlayError::NameTaken {
                    name: name.into(),
                    namespace: "FRR's network namespace".into(),
                    by: "a device that this gateway did not make".into(),
                });
            }
            delete(kernel, index).map_err(refused)
        }
    }
}

fn remove_all(kernel: &mut Rtnl, names: [String; 3]) {
    for name in names {
        if let Ok(Some((index, _))) = setup::device(kernel, &name) {
            // What cannot be removed is swept at the next start.
            let _ = delete(kernel, index);
        }
    }
}

fn link(kernel: &mut Rtnl, index: u32) -> io::Result<Option<LinkMessage>> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    let answer = kernel.request(RouteNetlinkMessage::GetLink(message), 0)?;
    Ok(answer.into_iter().find_map(|message| match message {
        RouteNetlinkMessage::NewLink(link) => Some(link),
        _ => None,
    }))
}

fn is_ours(link: &LinkMessage) -> bool {
    link.attributes.iter().any(|attribute| matches!(attribute, LinkAttribute::IfAlias(alias) if alias == ALIAS))
}

fn add(kernel: &mut Rtnl, name: &str, kind: InfoKind, data: InfoData) -> io::Result<u32> {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.into()));
    message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind), LinkInfo::Data(data)]));
    kernel.request(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL)?;
    index_of(kernel, name)
}

/// A TAP that stays without being open: rtnetlink makes none.
fn add_tap(kernel: &mut Rtnl, name: &str) -> io::Result<u32> {
    let mut configuration = tun::Configuration::default();
    configuration.tun_name(name).layer(tun::Layer::L2);
    configuration.platform_config(|platform| {
        platform.ensure_root_privileges(false);
    });
    let made = tun::create(&configuration).and_then(|mut device| device.persist());
    made.map_err(|error| match error {
        tun::Error::Io(error) => error,
        other => io::Error::other(other.to_string()),
    })?;
    index_of(kernel, name)
}

fn index_of(kernel: &mut Rtnl, name: &str) -> io::Result<u32> {
    setup::device(kernel, name)?.map(|(index, _)| index).ok_or_else(|| io::Error::other("it vanished at once"))
}

fn mark(kernel: &mut Rtnl, index: u32) -> io::Result<()> {
    set(kernel, index, |message| message.attributes.push(LinkAttribute::IfAlias(ALIAS.into())))
}

fn bring_up(kernel: &mut Rtnl, index: u32) -> io::Result<()> {
    set(kernel, index, |message| {
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
    })
}

/// Into the bridge; it neither learns nor floods there. `suppresses`: zebra asks for it on VXLAN devices before it says
/// IP addresses of remote MACs.
fn enslave(kernel: &mut Rtnl, index: u32, bridge: u32, suppresses: bool) -> io::Result<()> {
    set(kernel, index, |message| message.attributes.push(LinkAttribute::Controller(bridge)))?;
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::PortKind(InfoPortKind::Bridge),
        LinkInfo::PortData(InfoPortData::BridgePort(vec![
            InfoBridgePort::Learning(false),
            InfoBridgePort::UnicastFlood(false),
            InfoBridgePort::MulticastFlood(false),
            InfoBridgePort::BroadcastFlood(false),
            InfoBridgePort::NeighSupress(suppresses),
        ])),
    ]));
    kernel.request(RouteNetlinkMessage::NewLink(message), 0).map(drop)
}

fn set(kernel: &mut Rtnl, index: u32, change: impl FnOnce(&mut LinkMessage)) -> io::Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    change(&mut message);
    kernel.request(RouteNetlinkMessage::SetLink(message), 0).map(drop)
}

fn delete(kernel: &mut Rtnl, index: u32) -> io::Result<()> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    kernel.request(RouteNetlinkMessage::DelLink(message), 0).map(drop)
}

/// No addresses, and no solicitations of the kernel's own. The bridge keeps IPv6: neighbours are on it.
fn quieten(name: &str, bridge: bool) {
    let directory = Path::new("/proc/sys/net/ipv6/conf").join(name);
    let all = [("addr_gen_mode", "1"), ("accept_ra", "0"), ("router_solicitations", "0"), ("dad_transmits", "0")];
    for (key, value) in all.into_iter().chain((!bridge).then_some(("disable_ipv6", "1"))) {
        if let Err(error) = std::fs::write(directory.join(key), value) {
            log::debug!("evpn: net.ipv6.conf.{name}.{key}: {error}");
        }
    }
}
