//! VTEPs: which addresses can be one, and which VNI each has for a logical switch.

use std::net::IpAddr;

use config::types::Vni;

use super::{Facts, Work};
use crate::control::overlay::Number;
use crate::source::ovsdb::datum::Uuid;
use crate::source::ovsdb::rows::Locator;

impl Facts {
    /// An address that a tunnel of ours can end at.
    fn vtep(&self, text: &str) -> Result<IpAddr, String> {
        let address: IpAddr = text.parse().map_err(|_| format!("'{text}' is not an IP address"))?;
        let is_one = !address.is_multicast() && !address.is_unspecified() && !address.is_loopback();
        match address {
            _ if !is_one => Err(format!("{address} is no address of a VTEP")),
            _ if self.tunnel_ips().any(|own| own == address) => Err(format!("{address} is this gateway's own")),
            IpAddr::V4(_) if self.v4.is_none() => {
                Err(format!("{address}: the gateway has no IPv4 source; add one to vtep.source"))
            }
            IpAddr::V6(_) if self.v6.is_none() => {
                Err(format!("{address}: the gateway has no IPv6 source; add one to vtep.source"))
            }
            _ => Ok(address),
        }
    }
}

impl Work<'_> {
    /// The VTEP of a locator; `keyed` is its segment where keys are the locators'.
    pub(super) fn vtep(&mut self, locator: Uuid, keyed: Option<Number>) -> Result<IpAddr, String> {
        let Locator { address, encapsulation, key } =
            self.replica.locators.get(&locator).ok_or("its locator is missing")?;
        if **encapsulation != *"vxlan_over_ipv4" {
            return Err(format!("the encapsulation {encapsulation} is not known"));
        }
        let vtep = self.facts.vtep(address)?;
        if let Some(number) = keyed {
            let key = key.unwrap_or(i64::from(number.vni.value()));
            self.key(vtep, number, key)?;
        }
        self.wanted.remotes.insert(locator);
        Ok(vtep)
    }

    /// Gives a VTEP its number for a segment. Of one VTEP a number leads to one segment, and a segment to one number.
    fn key(&mut self, vtep: IpAddr, number: Number, key: i64) -> Result<(), String> {
        let vni = u32::try_from(key).ok().filter(|key| *key > 0).and_then(Vni::new);
        let vni = vni.ok_or_else(|| format!("the key {key} of its locator is no VNI: use 1 to {}", Vni::MAX))?;
        let other = |other: Number| {
            let name = self.wanted.segments.get(&other).map_or("another", |segment| &segment.name);
            format!("VNI {vni} of {vtep} is that of the logical switch {name} already")
        };
        let of_switch = Number { vni, ..number };
        if of_switch != number && self.wanted.segments.get(&of_switch).is_some_and(|segment| !segment.keyed_locators) {
            return Err(other(of_switch));
        }
        if let Some(&taken) = self.keyed.get(&(vtep, vni)).filter(|taken| **taken != number) {
            return Err(other(taken));
        }
        let segment = self.wanted.segments.get_mut(&number).ok_or("its logical switch has no place here")?;
        let used = segment.keys.get(&vtep).copied();
        let used = used.or_else(|| (self.keyed.get(&(vtep, number.vni)) == Some(&number)).then_some(number.vni));
        match used {
            Some(used) if used != vni => {
                return Err(format!(
                    "locators of several keys for {vtep} in one logical switch: {used} is used, not {vni}"
                ));
            }
            Some(_) => return Ok(()),
            None => {}
        }
        if vni != number.vni {
            segment.keys.insert(vtep, vni);
        }
        self.keyed.insert((vtep, vni), number);
        Ok(())
    }
}
