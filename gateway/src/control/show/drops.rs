//! `show drops`: by reason, and whose they were.

use std::net::IpAddr;

use crate::control::journal::{Lost, Owner};
use crate::control::view::{DropView, LostView, PortDrops, VniDrops, VtepDrops};
use crate::control::{Control, Nanos};
use crate::decode::{self, TunnelPorts};
use crate::verdict::DropReason;

/// Which drops to show: those that fit everything that is said.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct DropFilter {
    /// For this reason.
    pub reason: Option<DropReason>,
    /// On the port of this name.
    pub port: Option<String>,
    /// In the segment of this name.
    pub vni: Option<String>,
    /// From or to this VTEP.
    pub vtep: Option<IpAddr>,
    /// So many of the frames dropped last, for each reason.
    pub last: usize,
}

impl Control {
    /// `show drops`: the reasons that occurred, or `all`.
    pub fn view_drops(&self, all: bool) -> Vec<DropView> {
        self.view_drops_of(&DropFilter::default(), all)
    }

    /// The same of what fits a filter. Where a port, a segment or a VTEP is asked for, the frames are those of it.
    pub fn view_drops_of(&self, filter: &DropFilter, all: bool) -> Vec<DropView> {
        let counters = self.counters_shown();
        let mut owners: Vec<(&Owner, DropReason, u64)> = self.journal.drops_shown().collect();
        owners.sort_unstable();
        let view = |&reason: &DropReason| {
            let of = |owner: &Owner| {
                let mine = owners.iter().filter(|(held, why, _)| *held == owner && *why == reason);
                mine.map(|(_, _, frames)| *frames).sum::<u64>()
            };
            let ports =
                self.model.ports.iter().zip(&counters.ports).map(|(port, counted)| PortDrops {
                    port: port.name.clone(),
                    frames: counted.drops[reason as usize],
                });
            let mut ports: Vec<PortDrops> = ports.filter(|port| port.frames != 0).collect();
            let on = |name: &str| ports.iter().find(|port| port.port == name).map_or(0, |port| port.frames);
            let frames = [
                filter.port.as_ref().map(|name| on(name)),
                filter.vni.as_ref().map(|name| of(&Owner::Vni(name.clone()))),
                filter.vtep.map(|address| of(&Owner::Vtep(address))),
            ];
            let mine = owners.iter().filter(|(_, why, _)| *why == reason);
            let (mut vnis, mut vteps) = (Vec::new(), Vec::new());
            for &(owner, _, frames) in mine {
                match owner {
                    Owner::Vni(name) => vnis.push(VniDrops { vni: name.clone(), frames }),
                    Owner::Vtep(address) => vteps.push(VtepDrops { vtep: address.to_string(), frames }),
                }
            }
            // How the frames of one port are spread over segments and VTEPs nobody counts, nor the other way round: whoever
            // asks for one hears of that one.
            if filter.port.is_some() || filter.vni.is_some() || filter.vtep.is_some() {
                ports.retain(|one| filter.port.as_ref() == Some(&one.port));
                vnis.retain(|one| filter.vni.as_ref() == Some(&one.vni));
                vteps.retain(|one| filter.vtep.is_some_and(|address| address.to_string() == one.vtep));
            }
            DropView {
                reason: reason.label().into(),
                meaning: reason.meaning().trim().into(),
                cure: reason.cure().into(),
                frames: frames.into_iter().flatten().min().unwrap_or_else(|| counters.dropped(reason)),
                ports,
                vnis,
                vteps,
                last: self.last_of(reason, filter),
            }
        };
        let reasons = DropReason::ALL.iter().filter(|&&reason| filter.reason.is_none_or(|asked| asked == reason));
        reasons.map(view).filter(|view| all || view.frames != 0).collect()
    }

    /// The frames dropped last for a reason that fit, newest first.
    fn last_of(&self, reason: DropReason, filter: &DropFilter) -> Vec<LostView> {
        let all = self.journal.last(reason).map(|lost| (lost, self.view_lost(lost)));
        let of = |lost: &Lost, address: IpAddr| {
            [lost.from, lost.to].into_iter().flatten().any(|key| key.remote() == Some(address))
        };
        let fits = |(lost, view): &(&Lost, LostView)| {
            filter.port.as_ref().is_none_or(|name| *name == view.port)
                && filter.vni.is_none_or_same(&view.vni)
                && filter.vtep.is_none_or(|address| of(lost, address))
        };
        all.filter(fits).take(filter.last).map(|(_, view)| view).collect()
    }

    fn view_lost(&self, lost: &Lost) -> LostView {
        let ports = TunnelPorts { vxlan: self.model.vtep.vxlan_port, geneve: self.model.vtep.geneve_port };
        let place = |key: Option<crate::control::ids::EndpointKey>| Some(self.spot_of(&key?).place);
        LostView {
            age_ms: self.clock.saturating_sub(lost.snapshot.at) / 1_000_000,
            core: self.cores.get(lost.core).map_or(0, |core| core.cpu),
            port: self.port_name(lost.port()).to_owned(),
            vni: lost.vni.clone(),
            from: place(lost.from),
            to: place(lost.to),
            length: lost.snapshot.len.into(),
            headers: decode::line(&lost.snapshot.bytes, ports),
            hex: decode::hex(&lost.snapshot.bytes),
        }
    }

    /// The time that control was told last.
    pub fn clock(&self) -> Nanos {
        self.clock
    }
}

/// A wish that may be left open.
trait Wish {
    fn is_none_or_same(&self, found: &Self) -> bool;
}

impl Wish for Option<String> {
    fn is_none_or_same(&self, found: &Self) -> bool {
        self.is_none() || self == found
    }
}
