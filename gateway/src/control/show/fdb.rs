//! `show fdb`.

use std::net::IpAddr;

use config::types::{Mac, Tag};
use serde::{Deserialize, Serialize};

use crate::control::fdb::Record;
use crate::control::ids::EndpointKey;
use crate::control::view::FdbView;
use crate::control::{Control, Nanos};
use crate::tables::{FdbKey, Origin};

/// Which MACs: those that fit everything that is said.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct FdbFilter {
    /// Name of the segment.
    pub vni: Option<String>,
    /// Name of the port.
    pub port: Option<String>,
    /// Address of the VTEP.
    pub vtep: Option<IpAddr>,
    /// The MAC.
    pub mac: Option<Mac>,
    /// How the MAC begins.
    pub begins: Option<MacPrefix>,
    /// Who says so.
    pub origin: Option<MacOrigin>,
}

/// Who says where a MAC is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MacOrigin {
    /// The configuration, or the operator by hand.
    Static,
    /// A controller.
    Controller,
    /// A frame that came from it.
    Learned,
}

impl MacOrigin {
    /// Its word.
    pub fn label(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Controller => "controller",
            Self::Learned => "learned",
        }
    }
}

impl std::str::FromStr for MacOrigin {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let known = [Self::Static, Self::Controller, Self::Learned].into_iter().find(|origin| origin.label() == word);
        known.ok_or_else(|| format!("'{word}' is no origin; use static, controller or learned"))
    }
}

impl From<Origin> for MacOrigin {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Static => Self::Static,
            Origin::Controller => Self::Controller,
            Origin::Learned | Origin::Fresh => Self::Learned,
        }
    }
}

/// The first hexadecimal digits of a MAC, none to all twelve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MacPrefix {
    bits: u32,
    value: u64,
}

impl MacPrefix {
    /// True for a MAC that begins so.
    pub fn fits(self, [a, b, c, d, e, f]: [u8; 6]) -> bool {
        let mac = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        mac >> (48 - self.bits) == self.value
    }
}

impl std::str::FromStr for MacPrefix {
    type Err = String;

    /// The beginning of a MAC as it is printed: a colon behind every second digit.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut prefix = Self { bits: 0, value: 0 };
        for (place, character) in text.chars().enumerate() {
            let is_colon = place % 3 == 2;
            match character.to_digit(16).filter(|_| !is_colon && prefix.bits < 48) {
                Some(digit) => prefix = Self { bits: prefix.bits + 4, value: prefix.value << 4 | u64::from(digit) },
                None if is_colon && character == ':' => {}
                None => return Err(format!("no MAC begins with '{text}'; they are written like 02:00:00:00:00:05")),
            }
        }
        Ok(prefix)
    }
}

impl FdbFilter {
    /// Those of a segment, by its name.
    pub fn vni(name: String) -> Self {
        Self { vni: Some(name), ..Self::default() }
    }

    /// Those on a port, by its name.
    pub fn port(name: String) -> Self {
        Self { port: Some(name), ..Self::default() }
    }

    /// Those behind a VTEP, whatever the encapsulation.
    pub fn vtep(address: IpAddr) -> Self {
        Self { vtep: Some(address), ..Self::default() }
    }
}

impl Control {
    /// `show fdb`, by segment number and MAC. An iterator: a million of them need not be in memory at once.
    pub fn view_fdb<'a>(&'a self, filter: &'a FdbFilter, now: Nanos) -> impl Iterator<Item = FdbView> + 'a {
        let mut keys: Vec<FdbKey> =
            self.fdb.iter().filter(|(key, record)| self.fits(filter, *key, record)).map(|(key, _)| key).collect();
        keys.sort_unstable();
        keys.into_iter().filter_map(move |key| self.view_mac(key, self.fdb.record(key)?, now))
    }

    /// A page of `show fdb`: at most `limit` MACs behind `after`, and how many fit on all pages. What it costs control grows
    /// with the page, not with what is known, but for one walk over the keys.
    pub fn page_fdb(
        &self,
        filter: &FdbFilter,
        after: Option<FdbKey>,
        limit: usize,
        now: Nanos,
    ) -> (Vec<FdbView>, usize) {
        let mut total = 0;
        let mut keys = Vec::new();
        for (key, _) in self.fdb.iter().filter(|(key, record)| self.fits(filter, *key, record)) {
            total += 1;
            if after.is_none_or(|after| key > after) {
                keys.push(key);
            }
        }
        if keys.len() > limit {
            if limit > 0 {
                keys.select_nth_unstable(limit - 1);
            }
            keys.truncate(limit);
        }
        keys.sort_unstable();
        let rows = keys.into_iter().filter_map(|key| self.view_mac(key, self.fdb.record(key)?, now));
        (rows.collect(), total)
    }

    /// The key of a MAC in the segment of this name.
    pub fn fdb_key(&self, vni: &str, mac: Mac) -> Option<FdbKey> {
        let index = self.model.segments.iter().position(|segment| segment.name == vni)?;
        Some(FdbKey::new(*self.plan.segments.get(index)?, mac.0))
    }

    /// How many MACs are known.
    pub fn known_macs(&self) -> usize {
        self.fdb.len()
    }

    /// True for a MAC that fits.
    pub(in crate::control) fn fits(&self, filter: &FdbFilter, key: FdbKey, record: &Record) -> bool {
        let vni = |name: &String| self.segment(key.segment()).is_some_and(|segment| segment.name == *name);
        let place = self.naming.endpoints.key(record.place.endpoint().0);
        let port = |name: &String| match place {
            Some(EndpointKey::Attachment(port, ..)) => self.port_name(*port) == *name,
            _ => false,
        };
        let vtep = |address: IpAddr| matches!(place, Some(EndpointKey::Tunnel(key)) if key.remote == address);
        filter.mac.is_none_or(|mac| key.mac() == mac.0)
            && filter.begins.is_none_or(|begins| begins.fits(key.mac()))
            && filter.origin.is_none_or(|origin| origin == record.origin.into())
            && filter.vtep.is_none_or(vtep)
            && filter.port.as_ref().is_none_or(port)
            && filter.vni.as_ref().is_none_or(vni)
    }

    fn view_mac(&self, key: FdbKey, record: &Record, now: Nanos) -> Option<FdbView> {
        let learned = record.origin == Origin::Learned;
        let owner = self.plan.indices.get(key.segment().index()).copied().flatten().and_then(|index| self.owner(index));
        let controller = owner.filter(|_| record.origin == Origin::Controller);
        let mut view = FdbView {
            vni: self.segment(key.segment())?.name.clone(),
            mac: Mac(key.mac()).to_string(),
            place: String::new(),
            port: None,
            vlan: None,
            vtep: None,
            encap: None,
            own_vni: None,
            origin: MacOrigin::from(record.origin).label().into(),
            controller: controller.map(|controller| controller.name().into()),
            stale: controller.is_some_and(|controller| self.is_stale(controller)),
            age: learned.then(|| now.saturating_sub(record.seen) / 1_000_000_000),
        };
        let place = self.naming.endpoints.key(record.place.endpoint().0)?;
        view.place = self.place_name(place);
        match place {
            EndpointKey::Attachment(port, tag, _) => {
                view.port = Some(self.port_name(*port).to_owned());
                view.vlan = Some(tag.to_string());
            }
            EndpointKey::Tunnel(key) | EndpointKey::Group(key, _) => {
                view.vtep = Some(key.remote.to_string());
                view.encap = Some(key.encap.to_string());
                view.own_vni = key.vni.map(|vni| vni.value());
            }
        }
        Some(view)
    }

    /// A place in words: `srv1 vlan 10`, `10.0.0.12 vxlan`.
    pub(in crate::control) fn place_name(&self, place: &EndpointKey) -> String {
        match place {
            EndpointKey::Attachment(port, Tag::Untagged, _) => format!("{} untagged", self.port_name(*port)),
            EndpointKey::Attachment(port, tag, _) => format!("{} vlan {tag}", self.port_name(*port)),
            EndpointKey::Tunnel(key) | EndpointKey::Group(key, _) => key.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_begins_as_it_is_printed() {
        let fits = |text: &str| text.parse().map(|prefix: MacPrefix| prefix.fits([0x02, 0x00, 0x5e, 0, 0, 0x0a]));
        for begins in ["", "0", "02", "02:", "02:00:5", "02:00:5E", "02:00:5e:00:00:0a"] {
            assert_eq!(fits(begins), Ok(true), "{begins}");
        }
        for other in ["03", "02:00:6", "1"] {
            assert_eq!(fits(other), Ok(false), "{other}");
        }
        for wrong in ["x", "020", "02::", ":", "02:00:5e:00:00:0a:0", "02:00:5e:00:00:0a0"] {
            assert!(fits(wrong).is_err(), "{wrong}");
        }
    }
}
