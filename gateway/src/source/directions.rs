//! From what Linux knows of the underlay to what control wants to know: how each VTEP is reached now.
//!
//! Pure: the owner passes in what the [`follower`](super::netlink::Follower) tells and which VTEPs control asks for,
//! hands the answers to control, and the next hops to the [`Keeper`](super::netlink::Keeper).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::netlink::{Change, NextHop, Resolution, UnderlayEvent, UnderlayState};
use crate::control;

/// What is known of the VTEPs that control asks for.
#[derive(Debug, Default)]
pub struct Directions {
    state: UnderlayState,
    vteps: BTreeMap<IpAddr, Resolution>,
    /// Which VTEPs are behind a next hop.
    behind: HashMap<NextHop, BTreeSet<IpAddr>>,
}

/// What is new.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct News {
    /// VTEPs that are reached in another way than before: for [`control::Event::NextHops`].
    pub answers: Vec<(IpAddr, control::Resolution)>,
    /// The next hops to keep resolved, when they changed: for [`Keeper::want`](super::netlink::Keeper::want).
    pub keep: Option<BTreeSet<NextHop>>,
}

impl Directions {
    /// Nothing is known, nobody asks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Control asks for these VTEPs and no others ([`control::Effects::next_hops`]). Answers for those that are new.
    pub fn ask(&mut self, vteps: BTreeSet<IpAddr>) -> News {
        self.vteps.retain(|vtep, _| vteps.contains(vtep));
        let new: Vec<_> = vteps.into_iter().filter(|vtep| !self.vteps.contains_key(vtep)).collect();
        let answers = new
            .into_iter()
            .map(|vtep| {
                let resolution = self.state.resolve(vtep);
                let answer = (vtep, answer(vtep, &resolution));
                self.vteps.insert(vtep, resolution);
                answer
            })
            .collect();
        News { answers, keep: self.reindex() }
    }

    /// Takes in what the follower told; all that is waiting at once costs least.
    pub fn follow(&mut self, events: impl IntoIterator<Item = UnderlayEvent>) -> News {
        let (mut touched, mut everything) = (BTreeSet::new(), false);
        for event in events {
            match self.state.apply(event) {
                Change::None => {}
                Change::NextHop(next_hop) => touched.extend(self.behind.get(&next_hop).into_iter().flatten()),
                Change::Everything => everything = true,
            }
        }
        if everything {
            touched = self.vteps.keys().copied().collect();
        }
        let mut answers = Vec::new();
        for vtep in touched {
            let resolution = self.state.resolve(vtep);
            if self.vteps.get(&vtep) != Some(&resolution) {
                answers.push((vtep, answer(vtep, &resolution)));
                self.vteps.insert(vtep, resolution);
            }
        }
        News { answers, keep: if everything { self.reindex() } else { None } }
    }

    /// What Linux knows.
    pub fn state(&self) -> &UnderlayState {
        &self.state
    }

    /// Finds the next hops anew; returns them when they are others.
    fn reindex(&mut self) -> Option<BTreeSet<NextHop>> {
        let mut behind: HashMap<NextHop, BTreeSet<IpAddr>> = HashMap::new();
        for (vtep, resolution) in &self.vteps {
            for next_hop in resolution.next_hops() {
                behind.entry(next_hop).or_default().insert(*vtep);
            }
        }
        let same = behind.len() == self.behind.len() && behind.keys().all(|hop| self.behind.contains_key(hop));
        self.behind = behind;
        (!same).then(|| self.behind.keys().copied().collect())
    }
}

/// In control's words.
fn answer(vtep: IpAddr, resolution: &Resolution) -> control::Resolution {
    match resolution {
        Resolution::NoRoute => control::Resolution::NoRoute,
        Resolution::Hops(hops) => control::Resolution::Hops(
            hops.iter()
                .map(|hop| control::Hop {
                    port: hop.port,
                    mac: hop.mac,
                    gateway: Some(hop.gateway).filter(|gateway| *gateway != vtep),
                    weight: hop.weight,
                })
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use config::types::Mac;

    use super::*;
    use crate::frame::PortId;
    use crate::source::netlink::{Neighbour, Route, RouteHop};

    const UP0: PortId = PortId(0);
    const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn routes(gateway: &str) -> UnderlayEvent {
        let hop = |gateway| vec![RouteHop { port: UP0, gateway, weight: 1 }];
        UnderlayEvent::Routes(vec![
            Route { prefix: ip("10.0.0.0"), length: 24, metric: 0, hops: hop(None) },
            Route { prefix: ip("0.0.0.0"), length: 0, metric: 0, hops: hop(Some(ip(gateway))) },
        ])
    }

    fn resolved(address: &str, mac: Option<Mac>) -> UnderlayEvent {
        UnderlayEvent::Neighbour(Neighbour { port: UP0, address: ip(address), mac })
    }

    fn through(gateway: Option<&str>, mac: Option<Mac>) -> control::Resolution {
        control::Resolution::Hops(vec![control::Hop { port: UP0, mac, gateway: gateway.map(ip), weight: 1 }])
    }

    /// A link and routes are up; control asks for a VTEP on the link and one behind the router.
    fn asked() -> Directions {
        let mut directions = Directions::new();
        assert_eq!(directions.follow([UnderlayEvent::Links([UP0].into()), routes("10.0.0.1")]), News::default());
        let news = directions.ask([ip("10.0.0.12"), ip("192.0.2.1")].into());
        let answers = vec![(ip("10.0.0.12"), through(None, None)), (ip("192.0.2.1"), through(Some("10.0.0.1"), None))];
        let keep = Some([(UP0, ip("10.0.0.1")), (UP0, ip("10.0.0.12"))].into());
        assert_eq!(news, News { answers, keep });
        directions
    }

    #[test]
    fn what_control_asks_for_is_answered_and_its_next_hops_are_kept() {
        let mut directions = asked();
        // The same question again is no news.
        assert_eq!(directions.ask([ip("10.0.0.12"), ip("192.0.2.1")].into()), News::default());
    }

    #[test]
    fn a_mac_is_told_for_the_vteps_behind_it_and_no_others() {
        let mut directions = asked();
        let news = directions.follow([resolved("10.0.0.1", Some(MAC)), resolved("10.0.0.77", Some(MAC))]);
        let answers = vec![(ip("192.0.2.1"), through(Some("10.0.0.1"), Some(MAC)))];
        assert_eq!(news, News { answers, keep: None });
        let news = directions.follow([resolved("10.0.0.1", None)]);
        assert_eq!(news.answers, [(ip("192.0.2.1"), through(Some("10.0.0.1"), None))]);
    }

    #[test]
    fn another_router_is_another_next_hop_to_keep() {
        let mut directions = asked();
        let news = directions.follow([routes("10.0.0.2")]);
        let answers = vec![(ip("192.0.2.1"), through(Some("10.0.0.2"), None))];
        assert_eq!(news, News { answers, keep: Some([(UP0, ip("10.0.0.2")), (UP0, ip("10.0.0.12"))].into()) });
        let news = directions.follow([resolved("10.0.0.2", Some(MAC))]);
        assert_eq!(news.answers, [(ip("192.0.2.1"), through(Some("10.0.0.2"), Some(MAC)))]);
    }

    #[test]
    fn a_vtep_that_is_no_longer_asked_for_keeps_no_next_hop() {
        let mut directions = asked();
        let news = directions.ask([ip("192.0.2.1")].into());
        assert_eq!(news, News { answers: Vec::new(), keep: Some([(UP0, ip("10.0.0.1"))].into()) });
        assert_eq!(directions.follow([resolved("10.0.0.12", Some(MAC))]), News::default());
    }

    #[test]
    fn a_link_that_goes_down_takes_the_way_with_it() {
        let mut directions = asked();
        let news = directions.follow([UnderlayEvent::Links(BTreeSet::new())]);
        let nowhere = |vtep| (ip(vtep), control::Resolution::NoRoute);
        let answers = vec![nowhere("10.0.0.12"), nowhere("192.0.2.1")];
        assert_eq!(news, News { answers, keep: Some(BTreeSet::new()) });
    }
}
