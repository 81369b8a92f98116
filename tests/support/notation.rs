//! A frame in one readable line, like `eth(02:..:01 > ff:..:ff)/vlan(10)/ipv4(10.0.0.1 > 10.0.0.2)/udp(1000 > 4789)/...`.
//! It reads what is there and stops where it does not understand; it never judges.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The line of a frame.
pub fn describe(frame: &[u8]) -> String {
    let mut text = String::new();
    let rest = ethernet(frame, &mut text, 0).unwrap_or(frame);
    if !rest.is_empty() {
        _ = write!(text, "{}bytes({})", if text.is_empty() { "" } else { "/" }, rest.len());
    }
    if text.is_empty() { "nothing".to_owned() } else { text }
}

/// How many bytes of headers a frame starts with, as far as they are understood.
pub fn headers(frame: &[u8]) -> usize {
    frame.len() - ethernet(frame, &mut String::new(), 0).unwrap_or(frame).len()
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

fn mac(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

/// What is left behind the headers; `None` when nothing was understood.
fn ethernet<'a>(frame: &'a [u8], text: &mut String, depth: usize) -> Option<&'a [u8]> {
    if frame.len() < 14 {
        return None;
    }
    _ = write!(text, "{}eth({} > {})", if depth > 0 { "/" } else { "" }, mac(&frame[6..12]), mac(&frame[..6]));
    let mut at = 12;
    while let Some(kind @ (0x8100 | 0x88a8)) = word(frame, at) {
        let (Some(tci), Some(_)) = (word(frame, at + 2), word(frame, at + 4)) else { break };
        _ = write!(text, "/{}({}", if kind == 0x8100 { "vlan" } else { "s-vlan" }, tci & 0xfff);
        if tci >> 12 != 0 {
            _ = write!(text, ", pcp {}{}", tci >> 13, if tci & 0x1000 == 0 { "" } else { ", dei" });
        }
        text.push(')');
        at += 4;
    }
    let kind = word(frame, at)?;
    let rest = &frame[at + 2..];
    let behind = match kind {
        0x0800 => ipv4(rest, text, depth),
        0x86dd => ipv6(rest, text, depth),
        0x0806 => arp(rest, text),
        _ => {
            _ = write!(text, "/type({kind:#06x})");
            None
        }
    };
    Some(behind.unwrap_or(rest))
}

fn marks(tos: u8, ttl: u8, text: &mut String) {
    if tos != 0 {
        _ = write!(text, ", tos {tos:#04x}");
    }
    _ = write!(text, ", ttl {ttl}");
}

fn ipv4<'a>(bytes: &'a [u8], text: &mut String, depth: usize) -> Option<&'a [u8]> {
    let header = bytes.get(..20).filter(|header| header[0] == 0x45)?;
    let address = |at: usize| Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]);
    _ = write!(text, "/ipv4({} > {}", address(12), address(16));
    marks(header[1], header[8], text);
    let fragment = word(header, 6)?;
    if fragment & 0x4000 != 0 {
        text.push_str(", df");
    }
    if fragment & 0x3fff != 0 {
        _ = write!(
            text,
            ", fragment at {}{}",
            (fragment & 0x1fff) * 8,
            if fragment & 0x2000 != 0 { ", more" } else { "" }
        );
    }
    text.push(')');
    let rest = &bytes[20..];
    Some(match header[9] {
        _ if fragment & 0x1fff != 0 => rest,
        1 => icmp(rest, text).unwrap_or(rest),
        6 => tcp(rest, text).unwrap_or(rest),
        17 => udp(rest, text, depth).unwrap_or(rest),
        _ => rest,
    })
}

fn tcp<'a>(bytes: &'a [u8], text: &mut String) -> Option<&'a [u8]> {
    let rest = bytes.get(20..)?;
    _ = write!(text, "/tcp({} > {})", word(bytes, 0)?, word(bytes, 2)?);
    Some(rest)
}

fn arp<'a>(bytes: &'a [u8], text: &mut String) -> Option<&'a [u8]> {
    let [_, _, _, _, 6, 4, 0, kind, packet @ ..] = bytes else { return None };
    let (packet, rest) = packet.split_at_checked(20)?;
    let address = |at: usize| Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3]);
    match kind {
        1 => _ = write!(text, "/arp(who has {}, tell {})", address(16), address(6)),
        2 => _ = write!(text, "/arp({} is at {})", address(6), mac(&packet[..6])),
        _ => return None,
    }
    Some(rest)
}

fn icmp<'a>(bytes: &'a [u8], text: &mut String) -> Option<&'a [u8]> {
    let (header, rest) = bytes.split_at_checked(8)?;
    match header[..2] {
        [3, 4] => _ = write!(text, "/icmp(fragmentation needed, mtu {})", word(header, 6)?),
        [kind, code] => _ = write!(text, "/icmp({kind}, {code})"),
        _ => return None,
    }
    Some(rest)
}

fn icmp6<'a>(bytes: &'a [u8], text: &mut String) -> Option<&'a [u8]> {
    let (header, rest) = bytes.split_at_checked(8)?;
    let target = |rest: &[u8]| rest.first_chunk::<16>().map(|bytes| Ipv6Addr::from(*bytes));
    match header[0] {
        2 => _ = write!(text, "/icmp6(packet too big, mtu {})", word(header, 6)?),
        135 => _ = write!(text, "/icmp6(who has {})", target(rest)?),
        136 => _ = write!(text, "/icmp6(here is {}, flags {:#04x})", target(rest)?, header[4]),
        kind => _ = write!(text, "/icmp6({kind})"),
    }
    // A solicitation or an advertisement is header to its last option.
    Some(if matches!(header[0], 135 | 136) { &[] } else { rest })
}

fn ipv6<'a>(bytes: &'a [u8], text: &mut String, depth: usize) -> Option<&'a [u8]> {
    let header = bytes.get(..40).filter(|header| header[0] >> 4 == 6)?;
    let address = |at: usize| Ipv6Addr::from(*header[at..].first_chunk::<16>().expect("16 bytes"));
    _ = write!(text, "/ipv6({} > {}", address(8), address(24));
    marks(header[0] << 4 | header[1] >> 4, header[7], text);
    text.push(')');
    let (mut next, mut rest) = (header[6], &bytes[40..]);
    // Hop-by-hop options, routing, fragment, destination options.
    while let (0 | 43 | 44 | 60, [following, words, ..]) = (next, rest) {
        _ = write!(text, "/extension({next})");
        let len = if next == 44 { 8 } else { 8 + usize::from(*words) * 8 };
        (next, rest) = (*following, rest.get(len..).unwrap_or_default());
    }
    Some(match next {
        6 => tcp(rest, text).unwrap_or(rest),
        17 => udp(rest, text, depth).unwrap_or(rest),
        58 => icmp6(rest, text).unwrap_or(rest),
        _ => rest,
    })
}

fn udp<'a>(bytes: &'a [u8], text: &mut String, depth: usize) -> Option<&'a [u8]> {
    let (source, destination, sum) = (word(bytes, 0)?, word(bytes, 2)?, word(bytes, 6)?);
    let sum = if sum == 0 { ", no checksum" } else { "" };
    _ = write!(text, "/udp({source} > {destination}{sum})");
    let rest = &bytes[8..];
    if depth > 2 || rest.len() < 8 {
        return Some(rest);
    }
    let vni = u32::from_be_bytes([0, rest[4], rest[5], rest[6]]);
    let behind = match destination {
        4789 | 8472 => {
            _ = write!(text, "/vxlan({vni})");
            &rest[8..]
        }
        6081 | 6082 => {
            let options = usize::from(rest[0] & 0x3f) * 4;
            _ = write!(text, "/geneve({vni}");
            if options != 0 {
                _ = write!(text, ", {options} bytes of options");
            }
            text.push(')');
            rest.get(8 + options..).unwrap_or_default()
        }
        _ => return Some(rest),
    };
    Some(ethernet(behind, text, depth + 1).unwrap_or(behind))
}
