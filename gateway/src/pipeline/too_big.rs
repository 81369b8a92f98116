//! Path MTU discovery for tenants (CONFORMANCE MTU3): who sends a packet that does not fit the underlay hears what would.
//!
//! The frame has been dropped and counted by then. Its buffer becomes the error: IPv4 "fragmentation needed" for packets
//! with DF, IPv6 "packet too big". A bridge has no address in its segments, so the error comes in the name of the packet's
//! own destination unless the VNI says who speaks. Errors are few: the rate is bounded for each core (RFC 1812 section
//! 4.3.2.8, RFC 4443 section 2.4 f).

use std::net::IpAddr;

use super::dress::{Dress, choose};
use super::forward::{concern, count_out};
use super::outbox::Outbox;
use super::termination::payload_sum;
use super::worn::Worn;
use crate::batch::Arrival;
use crate::frame::{Frame, PortId};
use crate::shard::Shard;
use crate::tables::{EndpointId, Segment, Tables, Way};
use crate::verdict::DropReason;
use crate::wire::ethernet;
use crate::wire::icmp::TooBig;

/// ICMP errors of a core in a second, at most.
const RATE: u64 = 1000;
/// So many at once, when none were sent for a while.
const BURST: u64 = 50;
/// Billionths of an error: what is saved up.
const ONE: u64 = 1_000_000_000;

/// ICMP errors that a core may still make.
#[derive(Debug)]
pub struct Errors(u64);

impl Default for Errors {
    fn default() -> Self {
        Self(BURST * ONE)
    }
}

impl Errors {
    /// So many nanoseconds have passed.
    pub fn refill(&mut self, nanos: u64) {
        self.0 = (self.0 + nanos.min(ONE) * RATE).min(BURST * ONE);
    }

    fn take(&mut self) -> bool {
        let left = self.0.checked_sub(ONE);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}

/// Tells the sender of a tenant frame that it does not fit where it should go, if that is to be told.
#[cold]
#[inline(never)]
pub fn tell<F: Frame>(
    frame: F,
    arrival: &Arrival,
    port: PortId,
    to: EndpointId,
    shard: &mut Shard,
    out: &mut Outbox<F>,
) {
    if arrival.whence.group() != 0 || arrival.to_group() || arrival.whence.duties().quiet() {
        return;
    }
    // Behind a tag that the segment passes the error would need that tag too.
    if usize::from(Worn::NOTHING.inner(&frame).at) != ethernet::HEADER {
        return;
    }
    let tables = &shard.tables;
    let Some(segment) = tables.segments.get(arrival.segment().index()).filter(|segment| segment.rare.tells) else {
        return;
    };
    let Some(mtu) = room(arrival, to, segment, tables) else { return };
    let Some(mut error) = error(frame, arrival, segment, mtu, &mut out.errors) else { return };
    let Some(endpoint) = tables.endpoints.get(arrival.from().index()) else { return };
    let bytes = error.len();
    let dress = Dress::of(arrival, endpoint, tables);
    let dressed = dress.put_on(&mut error, arrival, tables, &mut out.identification);
    count(port, shard);
    match dressed {
        Ok(exit) => match out.send(exit, error) {
            Ok(()) => count_out(arrival, arrival.from(), bytes, shard),
            Err(error) => shard.discard(&error, DropReason::TxFull, concern(arrival, exit)),
        },
        Err(reason) => shard.discard(&error, reason, concern(arrival, port)),
    }
}

fn count(port: PortId, shard: &mut Shard) {
    if let Some(counters) = shard.counters.ports.get_mut(port.index()) {
        counters.told += 1;
    }
}

/// The largest IP packet of the tenant that fits on this frame's way, in bytes.
fn room(arrival: &Arrival, to: EndpointId, segment: &Segment, tables: &Tables) -> Option<u16> {
    let Way::Tunnel(tunnel) = &tables.endpoints.get(to.index())?.way else { return None };
    let template = choose(&tunnel.hops, arrival.flow)?;
    let options = if tunnel.encap == config::types::Encap::Geneve { usize::from(segment.options_len) } else { 0 };
    let headers = usize::from(template.overhead) + options + ethernet::HEADER;
    template.mtu.checked_sub(headers as u16)
}

/// Makes the error of the frame, in its own buffer.
fn error<F: Frame>(mut frame: F, arrival: &Arrival, segment: &Segment, mtu: u16, errors: &mut Errors) -> Option<F> {
    let packet = frame.head().get(ethernet::HEADER..)?;
    let told = TooBig::of(packet, frame.len() - ethernet::HEADER)?;
    let from = match (told.sender, segment.rare.tellers) {
        (IpAddr::V4(_), (v4, _)) if !v4.is_unspecified() => IpAddr::V4(v4),
        (IpAddr::V6(_), (_, v6)) if !v6.is_unspecified() => IpAddr::V6(v6),
        _ => told.destination,
    };
    if !errors.take() {
        return None;
    }
    frame.truncate(ethernet::HEADER + told.quoted);
    let sum = payload_sum(&frame, ethernet::HEADER, told.quoted);
    let (ether, rest) = frame.grow_front(told.headers())?.split_at_mut_checked(ethernet::HEADER)?;
    ether[..6].copy_from_slice(&arrival.source.mac());
    ether[6..12].copy_from_slice(&arrival.destination.mac());
    let ethertype = if from.is_ipv4() { ethernet::IPV4 } else { ethernet::IPV6 };
    ether[12..].copy_from_slice(&ethertype.to_be_bytes());
    told.write(rest, from, mtu, sum)?;
    Some(frame)
}
