//! A segment's line in the tables: prepared tunnel headers, groups, ages.

use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use config::types::{Encap, Flood, Model, Place, Remote, Segment as Settings, Vni};

use super::super::hash::QuickMap;
use super::{access, key};
use crate::tables::segment::Rare;
use crate::tables::{Duties, Segment, TunnelKey};

/// The segment's numbers on the wire (CONFORMANCE ISO4: one for each encapsulation).
pub fn numbers(segment: &Settings) -> impl Iterator<Item = (Encap, Vni)> {
    [(Encap::Vxlan, segment.vxlan), (Encap::Geneve, segment.geneve)]
        .into_iter()
        .filter_map(|(encap, vni)| Some((encap, vni?)))
}

/// The VTEPs that static MACs are behind, each once for each segment of the file: a segment has few of them, and may have
/// thousands of MACs. They stay the same as long as the file does.
#[derive(Debug, Default)]
pub struct Remotes(Vec<Box<[Remote]>>);

impl Remotes {
    /// Looks at every static MAC of a file.
    pub fn of(file: &Model) -> Self {
        let of_segment = |segment: &Settings| {
            let mut seen = QuickMap::default();
            let all = segment.statics.iter().filter_map(|mac| match mac.place {
                Place::Vtep(remote) => Some(remote),
                Place::Port { .. } => None,
            });
            all.filter(|remote| seen.insert(*remote, ()).is_none()).collect()
        };
        Self(file.segments.iter().map(of_segment).collect())
    }

    /// Those of a segment of the model in force, and those that its controller names.
    pub fn of_segment<'a>(&'a self, index: usize, segment: &'a Settings) -> impl Iterator<Item = Remote> + 'a {
        let statics = self.0.get(index).map(|all| &all[..]).unwrap_or_default();
        statics.iter().chain(&segment.known).copied()
    }

    /// All tunnels that a model names.
    pub fn listed(&self, model: &Model) -> HashSet<TunnelKey> {
        let all = model.segments.iter().enumerate().flat_map(|(index, segment)| {
            let flood = match &segment.flood {
                Flood::Vteps(remotes) => &remotes[..],
                Flood::Group { .. } => &[],
            };
            flood.iter().copied().chain(self.of_segment(index, segment))
        });
        all.map(key).collect()
    }
}

/// The segment as cores read it.
pub fn compile(settings: &Settings, flood: u32, members: u32, age_class: u8) -> Segment {
    let outer = &settings.outer;
    let rare = Rare {
        flood,
        options: outer.geneve_options.clone().into(),
        ttl: outer.ttl,
        tos: outer.tos,
        df: outer.df,
        list: access::id(settings.access_list),
        tells: settings.path_mtu.tell,
        tellers: (
            settings.path_mtu.source_v4.unwrap_or(Ipv4Addr::UNSPECIFIED),
            settings.path_mtu.source_v6.unwrap_or(Ipv6Addr::UNSPECIFIED),
        ),
    };
    Segment {
        fixed: rare.to_be_fixed(),
        headers: [vxlan(settings.vxlan), geneve(settings.geneve, &outer.geneve_options)],
        members,
        groups: if settings.stitch { [1, 2] } else { [1, 1] },
        checksum_v4: [false, true].map(|rule| outer.checksum_v4.unwrap_or(rule)),
        checksum_v6: outer.checksum_v6,
        zero_v6: outer.zero_checksum_v6_accept,
        options_len: outer.geneve_options.len() as u8,
        age_class,
        duties: Duties(if settings.access_list.is_some() { Duties::RULES } else { 0 }),
        learns: settings.learning.enabled,
        flood_unknown: settings.flood_unknown,
        inner_vlan_pass: settings.inner_vlan_pass,
        rare: Box::new(rare),
    }
}

/// RFC 7348 section 5: flags with the I bit, 24 reserved bits, VNI, 8 reserved bits.
fn vxlan(vni: Option<Vni>) -> [u8; 8] {
    let [_, a, b, c] = vni.map_or(0, Vni::value).to_be_bytes();
    [0x08, 0, 0, 0, a, b, c, 0]
}

/// RFC 8926 section 3.4: version 0 and option length in words, flags (C when an option is critical), Ethernet, VNI,
/// 8 reserved bits.
fn geneve(vni: Option<Vni>, options: &[u8]) -> [u8; 8] {
    let [_, a, b, c] = vni.map_or(0, Vni::value).to_be_bytes();
    [(options.len() / 4) as u8, if has_critical(options) { 0x40 } else { 0 }, 0x65, 0x58, a, b, c, 0]
}

/// RFC 8926 section 3.5: class 16 bits, type 8 (the highest is the critical bit), reserved 3, length in words 5.
fn has_critical(mut options: &[u8]) -> bool {
    while let [_, _, kind, len, rest @ ..] = options {
        if kind & 0x80 != 0 {
            return true;
        }
        options = rest.get(usize::from(len & 0x1f) * 4..).unwrap_or_default();
    }
    false
}

/// Age epochs of all segments: at most 256 lengths. Where there are more, neighbours share the shorter one: cores then
/// report a little more often than they must.
pub struct Ages(Vec<u64>);

impl Ages {
    /// The epochs of a model's segments.
    pub fn of(model: &Model) -> Self {
        let mut epochs: Vec<u64> = model.segments.iter().map(epoch).collect();
        epochs.sort_unstable();
        epochs.dedup();
        let step = epochs.len().div_ceil(256).max(1);
        let mut kept: Vec<u64> = epochs.into_iter().step_by(step).collect();
        if kept.is_empty() {
            kept.push(u64::MAX);
        }
        Self(kept)
    }

    /// The class of an epoch: the longest that is no longer.
    pub fn class(&self, epoch: u64) -> u8 {
        self.0.partition_point(|&kept| kept <= epoch).saturating_sub(1) as u8
    }

    /// Lengths by class.
    pub fn finish(self) -> Vec<u64> {
        self.0
    }
}

fn epoch(segment: &Settings) -> u64 {
    let ageing = segment.learning.ageing.map(|ageing| ageing.as_nanos() as u64);
    super::SegmentRules { learning: true, tunnels: true, limit: 0, ageing }.epoch()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_critical_flag_of_geneve_tells_of_a_critical_option_behind_others() {
        let harmless = [0x01, 0x02, 0x03, 0x01, 9, 9, 9, 9];
        let critical = [0x01, 0x02, 0x83, 0x00];
        assert_eq!(geneve(Vni::new(0x0a0b0c), &harmless), [2, 0, 0x65, 0x58, 0x0a, 0x0b, 0x0c, 0]);
        assert_eq!(geneve(None, &[&harmless[..], &critical].concat())[..2], [3, 0x40]);
    }

    #[test]
    fn more_than_256_ages_share_classes_and_none_gets_a_longer_epoch() {
        let ages = Ages((0..256).map(|class| class * 10 + 5).collect());
        assert_eq!((ages.class(5), ages.class(14), ages.class(15), ages.class(u64::MAX)), (0, 0, 1, 255));
    }
}
