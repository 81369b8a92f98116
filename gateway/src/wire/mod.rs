//! Wire formats: one protocol, one file. Every reader is total: it takes any bytes, never panics, and says by name what
//! is wrong. Writers patch prepared headers.

pub mod arp;
pub mod checksum;
pub mod ecn;
pub mod ethernet;
pub mod flow;
pub mod geneve;
pub mod icmp;
pub mod ip;
pub mod peek;
pub mod udp;
pub mod upper;
pub mod vxlan;

/// The two bytes at `at` in network order; `None` beyond the end.
#[inline(always)]
pub fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}
