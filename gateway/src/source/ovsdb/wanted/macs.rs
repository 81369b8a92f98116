//! Where MACs are, and who has which IP address.

use std::net::IpAddr;

use config::types::Mac;

use super::Work;
use crate::control::overlay::Number;
use crate::source::ovsdb::datum::Uuid;
use crate::source::ovsdb::rows::{Row, UcastRemote};

impl Work<'_> {
    pub(super) fn macs(&mut self) {
        let rows = &self.replica.ucast_remote;
        let mut mine: Vec<(&Uuid, &UcastRemote, Number, bool)> = rows
            .iter()
            .filter_map(|(uuid, row)| self.here(row.switch).map(|(number, keyed)| (uuid, row, number, keyed)))
            .collect();
        mine.sort_unstable_by_key(|(uuid, ..)| **uuid);
        for (_, row, number, keyed) in mine {
            if let Err(why) = self.mac(row, number, keyed) {
                self.reject(UcastRemote::TABLE, format!("{} in {number}", row.mac), why);
            }
        }
    }

    fn mac(&mut self, row: &UcastRemote, number: Number, keyed: bool) -> Result<(), String> {
        let mac: Mac = row.mac.parse().map_err(|_| "this is not a MAC address".to_owned())?;
        if mac.is_group() || mac.is_zero() {
            return Err("this is no station's MAC address".into());
        }
        let vtep = self.vtep(row.locator, keyed.then_some(number))?;
        let segment = self.wanted.segments.get_mut(&number).expect("it has a place here");
        segment.known.insert(vtep);
        // Of several rows for a MAC the lowest address counts, whatever their order.
        let (used, other) = match self.wanted.macs.get(&(number, mac)) {
            Some(&other) => (vtep.min(other), Some(vtep.max(other))),
            None => (vtep, None),
        };
        self.wanted.macs.insert((number, mac), used);
        if !row.address.is_empty() {
            let address: IpAddr = row
                .address
                .parse()
                .map_err(|_| format!("its ipaddr '{}' is not an IP address; the MAC is used", row.address))?;
            self.wanted.neighbours.insert((number, address), mac);
        }
        match other {
            Some(other) => Err(format!("the MAC is there twice; {used} is used, not {other}")),
            None => Ok(()),
        }
    }
}
