//! The flow that a tenant frame belongs to, as a number: the entropy of outer source ports and the choice of next hops
//! (RFC 7348 section 5, RFC 8926 section 3.3).

use super::ethernet;

/// A number that is the same for all frames of a flow and spreads over flows. `at` is where the payload of the Ethernet
/// header starts, `ethertype` its type.
///
/// IP: addresses, protocol, and for TCP, UDP, SCTP and DCCP that are not fragmented the ports, so that all fragments of a
/// packet go one way (VX8). Others: the MAC addresses.
#[inline(never)]
pub fn flow(frame: &[u8], at: usize, ethertype: u16) -> u32 {
    let (a, b) = match ethertype {
        ethernet::IPV4 => match frame.get(at..).and_then(|rest| rest.first_chunk::<20>()) {
            Some(header) if header[0] >> 4 == 4 => v4(frame, at, header),
            _ => macs(frame),
        },
        ethernet::IPV6 => match frame.get(at..).and_then(|rest| rest.first_chunk::<40>()) {
            Some(header) if header[0] >> 4 == 6 => v6(frame, at, header),
            _ => macs(frame),
        },
        _ => macs(frame),
    };
    mix(a, b)
}

/// [`flow`] of an IPv4 packet without options, by its header and the four bytes behind it.
#[inline(always)]
pub fn v4_plain(packet: &[u8; 24]) -> u32 {
    let [header @ .., a, b, c, d] = packet;
    let fragment = u16::from_ne_bytes([header[6], header[7]]) & const { u16::from_ne_bytes([0x3f, 0xff]) } != 0;
    let ports = if fragment || !has_ports(header[9]) { 0 } else { u32::from_ne_bytes([*a, *b, *c, *d]) };
    mix(v4_addresses(header), u64::from(ports) << 8 | u64::from(header[9]))
}

/// Both halves of one wide product, folded.
#[inline(always)]
fn mix(a: u64, b: u64) -> u32 {
    let wide = u128::from(a ^ 0x9e37_79b9_7f4a_7c15) * u128::from(b ^ 0xa076_1d64_78bd_642f);
    ((wide as u64 ^ (wide >> 64) as u64) >> 32) as u32
}

#[inline(always)]
fn v4_addresses(header: &[u8; 20]) -> u64 {
    header.last_chunk::<8>().map_or(0, |bytes| u64::from_ne_bytes(*bytes))
}

#[inline]
fn v4(frame: &[u8], at: usize, header: &[u8; 20]) -> (u64, u64) {
    let addresses = v4_addresses(header);
    let protocol = header[9];
    let fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0;
    let ports = if fragment { 0 } else { ports(frame, at + usize::from(header[0] & 15) * 4, protocol) };
    (addresses, u64::from(ports) << 8 | u64::from(protocol))
}

#[inline]
fn v6(frame: &[u8], at: usize, header: &[u8; 40]) -> (u64, u64) {
    let mut addresses = 0u64;
    for part in header[8..].as_chunks::<8>().0 {
        addresses = (addresses.rotate_left(23) ^ u64::from_ne_bytes(*part)).wrapping_mul(0x9fb2_1c65_1e98_df25);
    }
    let protocol = header[6];
    (addresses, u64::from(ports(frame, at + 40, protocol)) << 8 | u64::from(protocol))
}

/// Both ports of the protocols that start with them.
#[inline]
fn ports(frame: &[u8], at: usize, protocol: u8) -> u32 {
    let ports = if has_ports(protocol) { frame.get(at..).and_then(|rest| rest.first_chunk()) } else { None };
    ports.map_or(0, |bytes| u32::from_ne_bytes(*bytes))
}

/// TCP, UDP, DCCP and SCTP.
#[inline(always)]
fn has_ports(protocol: u8) -> bool {
    matches!(protocol, 6 | 17 | 33 | 132)
}

#[inline]
fn macs(frame: &[u8]) -> (u64, u64) {
    (ethernet::mac_word(frame, 0), ethernet::mac_word(frame, 6))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn udp(source: u16, fragment: u16) -> Vec<u8> {
        let mut frame = vec![0; 14];
        frame.extend([0x45, 0, 0, 32, 0, 1]);
        frame.extend(fragment.to_be_bytes());
        frame.extend([64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        frame.extend(source.to_be_bytes());
        frame.extend([0, 53, 0, 12, 0, 0, 1, 2, 3, 4]);
        frame
    }

    #[test]
    fn fragments_of_a_packet_stay_together_whatever_they_carry() {
        let of = |frame: &[u8]| flow(frame, 14, ethernet::IPV4);
        assert_eq!(of(&udp(1000, 0x2000)), of(&udp(0xbeef, 0x00b9)), "first and last fragment");
        assert_eq!(of(&udp(1000, 0)), of(&udp(1000, 0x4000)), "DF changes nothing");
        assert_ne!(of(&udp(1000, 0)), of(&udp(1001, 0)));
    }

    #[test]
    fn flows_spread_over_the_whole_range() {
        let mut seen = [0u32; 64];
        for port in 0..6400 {
            seen[(flow(&udp(port, 0), 14, ethernet::IPV4) >> 26) as usize] += 1;
        }
        assert!(seen.iter().all(|&count| (40..=180).contains(&count)), "{seen:?}");
    }
}
