//! ARP and neighbour suppression: a request for an address whose MAC is known is answered here and flooded nowhere.
//!
//! Only what a station on a port asks of all is answered, and only in its own segment (CONFORMANCE SUP1, SUP6): nothing from
//! tunnels (SUP4), no unicast, which reaches its host (SUP3), no announcement and no probe, whose sender wants to hear from
//! the others (SUP5), nothing malformed (SUP7). All that goes on like any other frame.

use std::net::IpAddr;

use crate::batch::Arrival;
use crate::frame::{Frame, PortId};
use crate::shard::Shard;
use crate::tables::{FdbKey, Neighbour};
use crate::wire::{arp, ethernet, icmp, word};

/// The least frame that goes onto a wire, FCS not counted: padding of a request that is longer is cut off.
const LEAST: usize = 60;

/// Turns a stripped frame that came to a group into its answer, if it is a request that is answered here.
#[inline(never)]
pub fn answer<F: Frame>(frame: &mut F, arrival: &Arrival, port: PortId, shard: &mut Shard) -> bool {
    let answered = match word(frame.head(), ethernet::ADDRESSES) {
        Some(arp::ETHERTYPE) => arp(frame, arrival, shard),
        Some(ethernet::IPV6) => solicitation(frame, arrival, shard),
        _ => false,
    };
    if answered && let Some(counters) = shard.counters.ports.get_mut(port.index()) {
        counters.answered += 1;
    }
    answered
}

fn arp<F: Frame>(frame: &mut F, arrival: &Arrival, shard: &Shard) -> bool {
    let head = frame.head();
    let Some(request) = arp::Request::parse(head).filter(|_| head[..6] == [0xff; 6]) else { return false };
    let [first, ..] = request.sender.octets();
    let of_a_station = first != 0 && first != 127 && first < 224;
    if !of_a_station || request.sender == request.target {
        return false;
    }
    let Some(owner) = owner(IpAddr::V4(request.target), arrival, shard) else { return false };
    arp::reply(frame.head_mut(), &request, owner.mac);
    frame.truncate(LEAST);
    true
}

fn solicitation<F: Frame>(frame: &mut F, arrival: &Arrival, shard: &Shard) -> bool {
    let head = frame.head();
    if head.len() != frame.len() {
        return false;
    }
    let Some(asked) = icmp::Solicitation::parse(head) else { return false };
    let Some(owner) = owner(IpAddr::V6(asked.target), arrival, shard) else { return false };
    icmp::advertise(frame.head_mut(), &asked, owner.mac, owner.router);
    frame.truncate(icmp::ADVERTISEMENT_FRAME);
    true
}

/// Who has the address, unless that is who asks, or somebody at the same place, who has heard the question too.
fn owner(address: IpAddr, arrival: &Arrival, shard: &Shard) -> Option<Neighbour> {
    let owner = shard.neighbours.find(arrival.segment(), address)?;
    let key = FdbKey::new(arrival.segment(), owner.mac);
    let hears = shard.find(key).is_some_and(|entry| entry.endpoint() == arrival.from());
    (key != arrival.source && !hears).then_some(owner)
}
