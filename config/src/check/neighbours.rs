//! What a VNI tells its stations: neighbours, and the path MTU.

use std::collections::HashMap;
use std::net::IpAddr;

use super::Placed;
use crate::document::At;
use crate::neighbours::{Neighbour, PathMtu};
use crate::reader::{Fields, Reader};
use crate::scalar;
use crate::types::Mac;

/// Bindings of a VNI, those of `neighbours` and of `static`, with the place of the first.
#[derive(Default)]
pub(super) struct Bindings {
    pub(super) all: Vec<Neighbour>,
    seen: HashMap<IpAddr, At>,
    pub(super) first: Option<At>,
}

impl Bindings {
    fn add(&mut self, reader: &Reader, address: IpAddr, at: At, mac: Mac, router: bool) {
        if let Some(first) = self.seen.get(&address) {
            let rule = format!("{address} is given twice in this VNI, first in {}", reader.line(*first));
            reader.error(at, rule, "keep one: an address is one station's");
            return;
        }
        self.seen.insert(address, at);
        self.first.get_or_insert(at);
        self.all.push(Neighbour { address, mac, router });
    }

    /// The items of `neighbours`.
    pub(super) fn read(&mut self, reader: &Reader, items: Vec<At>) {
        for at in items {
            let Some(fields) = reader.fields(at) else { continue };
            fields.need("ip", "give the station's IP address");
            fields.need("mac", "give the station's MAC address, like \"02:00:00:00:00:05\"");
            let ip = fields.read("ip", station_address);
            let mac = fields.read("mac", scalar::station);
            let router = fields.bool("router").unwrap_or(false);
            if let (Some((ip, _)), true) = (ip, router)
                && ip.is_ipv4()
            {
                reader.error(
                    fields.place("router"),
                    "'router' with an IPv4 address",
                    "remove it: ARP has no such flag",
                );
            }
            if let (Some((ip, at)), Some((mac, _))) = (ip, mac) {
                self.add(reader, ip, at, mac, router);
            }
            fields.done();
        }
    }

    /// The key `ip` of a static MAC.
    pub(super) fn of_static(&mut self, fields: &Fields<'_>, mac: Option<Placed<Mac>>) {
        for at in fields.items_or_one("ip") {
            if let (Some(address), Some((mac, _))) = (fields.reader.read(at, station_address), mac) {
                self.add(fields.reader, address, at, mac, false);
            }
        }
    }
}

/// An address that a station can have.
fn station_address(text: &str) -> scalar::Checked<IpAddr> {
    let address = scalar::address(text)?;
    let reserved = matches!(address, IpAddr::V4(v4) if v4.octets()[0] == 0 || v4.octets()[0] >= 240);
    if address.is_multicast() || address.is_unspecified() || address.is_loopback() || reserved {
        return Err((format!("{address} is no station's address"), "give the address of one station".into()));
    }
    Ok(address)
}

/// `path_mtu`.
pub(super) fn path_mtu(reader: &Reader, at: Option<At>) -> PathMtu {
    let mut path = PathMtu::default();
    let Some(fields) = at.and_then(|at| reader.fields(at)) else { return path };
    path.tell = fields.bool("tell").unwrap_or(true);
    for at in fields.items_or_one("source") {
        let taken = match reader.read(at, station_address) {
            Some(IpAddr::V4(v4)) => path.source_v4.replace(v4).is_some(),
            Some(IpAddr::V6(v6)) => path.source_v6.replace(v6).is_some(),
            None => false,
        };
        if taken {
            reader.error(at, "a second source of the same family", "give one IPv4 and one IPv6 address at most");
        }
    }
    if let (false, Some(at)) = (path.tell, fields.get("source")) {
        reader.error(at, "'source' with 'tell: false'", "remove it, or tell");
    }
    fields.done();
    path
}
