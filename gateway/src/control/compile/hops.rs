//! Next hops to finished outer headers.

use std::collections::HashMap;
use std::net::IpAddr;

use config::types::{Encap, Mac, Model};

use super::PortFacts;
use crate::frame::PortId;
use crate::tables::template::{Outline, Template};
use crate::tables::tunnels::TunnelKey;

/// How a VTEP is reached, as whoever asked the kernel says.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Resolution {
    /// There is no route.
    #[default]
    NoRoute,
    /// Through these; several share the load.
    Hops(Vec<Hop>),
}

/// A next hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hop {
    /// The underlay port.
    pub port: PortId,
    /// The neighbour's MAC; `None` while it is not resolved.
    pub mac: Option<Mac>,
    /// The router, when the VTEP is not on the link.
    pub gateway: Option<IpAddr>,
    /// Its share of the traffic among the hops, 1 and up.
    pub weight: u16,
}

/// Everything that outer headers are made of.
#[derive(Clone, Copy, Debug)]
pub struct Underlay<'a> {
    /// The configuration.
    pub model: &'a Model,
    /// What opening the ports told, in their order.
    pub facts: &'a [PortFacts],
    /// What the kernel said.
    pub resolutions: &'a HashMap<IpAddr, Resolution>,
}

impl Underlay<'_> {
    /// Our tunnel source towards an address.
    pub fn source(&self, towards: IpAddr) -> Option<IpAddr> {
        match towards {
            IpAddr::V4(_) => self.model.vtep.source_v4.map(IpAddr::V4),
            IpAddr::V6(_) => self.model.vtep.source_v6.map(IpAddr::V6),
        }
    }

    /// Static next hops: when there are any, every VTEP is behind them and the kernel is not asked.
    pub fn static_hops(&self) -> impl Iterator<Item = Hop> + '_ {
        self.model.ports.iter().enumerate().filter_map(|(index, port)| {
            let via = port.underlay.as_ref()?.via?;
            Some(Hop { port: PortId(index as u8), mac: Some(via), gateway: None, weight: 1 })
        })
    }

    /// True when the kernel is to be asked for the next hops of a VTEP.
    pub fn asks_for(&self, vtep: IpAddr) -> bool {
        self.source(vtep).is_some() && self.static_hops().next().is_none()
    }

    /// The headers of a VTEP, for each next hop whose MAC is known as many as its share says (CONFORMANCE BUM2: none, and
    /// the VTEP gets nothing while others do). Their order depends on nothing but the hops, so flows stay on theirs.
    pub fn hops(&self, key: TunnelKey) -> Vec<Template> {
        let mut hops: Vec<Hop> = self.static_hops().collect();
        if hops.is_empty()
            && let Some(Resolution::Hops(resolved)) = self.resolutions.get(&key.remote)
        {
            hops.clone_from(resolved);
        }
        let mut ways: Vec<_> = hops.iter().filter_map(|hop| Some((hop.port, hop.mac?, hop.weight.max(1)))).collect();
        ways.sort_unstable();
        let shares = shares(&ways.iter().map(|way| way.2).collect::<Vec<_>>());
        let headers = ways.into_iter().zip(shares).filter_map(|((port, mac, _), share)| {
            let header = self.template(key, port, mac)?;
            Some(std::iter::repeat_n(header, share))
        });
        headers.flatten().collect()
    }

    /// The header of a multicast group sent through a port (CONFORMANCE BUM5).
    pub fn group_hop(&self, key: TunnelKey, port: PortId) -> Option<Template> {
        self.template(key, port, group_mac(key.remote))
    }

    fn template(&self, key: TunnelKey, port: PortId, destination_mac: Mac) -> Option<Template> {
        let (settings, facts) = (self.model.ports.get(port.index())?, self.facts.get(port.index())?);
        let underlay = settings.underlay.as_ref()?;
        let header = Template::new(&Outline {
            destination_mac: destination_mac.0,
            source_mac: facts.mac.0,
            vlan: underlay.vlan.map_or(0, |vlan| vlan.value()),
            source: self.source(key.remote)?,
            destination: key.remote,
            encap: key.encap,
            udp_port: match key.encap {
                Encap::Vxlan => self.model.vtep.vxlan_port,
                Encap::Geneve => self.model.vtep.geneve_port,
            },
            port,
            mtu: settings.mtu.min(facts.mtu),
        });
        Some(Template { by_device: facts.tx_ip_checksum && !header.v6, ..header })
    }
}

/// Most headers of one VTEP where next hops have unequal shares.
const MOST_HEADERS: u64 = 64;

/// How many headers each weight gets: in lowest terms, and where these are too many, as near as [`MOST_HEADERS`] allow.
fn shares(weights: &[u16]) -> Vec<usize> {
    let divisor = weights.iter().fold(0, |divisor, &weight| common_divisor(divisor, weight)).max(1);
    let sum: u64 = weights.iter().map(|&weight| u64::from(weight / divisor)).sum();
    let share = |weight: u64| if sum <= MOST_HEADERS { weight } else { (weight * MOST_HEADERS / sum).max(1) };
    weights.iter().map(|&weight| share(u64::from(weight / divisor)) as usize).collect()
}

fn common_divisor(a: u16, b: u16) -> u16 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// The Ethernet address of an IP multicast group: RFC 1112 section 6.4 (01:00:5e and 23 bits), RFC 2464 section 7
/// (33:33 and 32 bits).
pub fn group_mac(group: IpAddr) -> Mac {
    match group {
        IpAddr::V4(group) => {
            let [_, b, c, d] = group.octets();
            Mac([0x01, 0x00, 0x5e, b & 0x7f, c, d])
        }
        IpAddr::V6(group) => {
            let [.., a, b, c, d] = group.octets();
            Mac([0x33, 0x33, a, b, c, d])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_in_lowest_terms_and_bounded() {
        assert_eq!(shares(&[1, 1]), [1, 1]);
        assert_eq!(shares(&[20, 10]), [2, 1]);
        assert_eq!(shares(&[256, 1]), [63, 1]);
        assert!(shares(&[]).is_empty());
    }

    #[test]
    fn groups_map_to_their_ethernet_addresses() {
        let mac = |group: &str| group_mac(group.parse().unwrap()).to_string();
        assert_eq!(mac("239.1.1.1"), "01:00:5e:01:01:01");
        assert_eq!(mac("239.129.255.7"), "01:00:5e:01:ff:07", "only 23 bits are taken over");
        assert_eq!(mac("ff05::1:2:3"), "33:33:00:02:00:03");
    }
}
