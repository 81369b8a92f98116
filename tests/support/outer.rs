//! A strict reader of what leaves towards a VTEP: every rule for a sender is checked (CONFORMANCE MAL11, VX1, VX2, VX9,
//! VX12, VX16, GN1, GN4, OIP9, OIP10).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::build::{ones_sum, pseudo_header};

/// A tunnel packet that breaks no rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outer {
    pub to: [u8; 6],
    pub from: [u8; 6],
    pub vlan: Option<u16>,
    pub source: IpAddr,
    pub destination: IpAddr,
    pub tos: u8,
    pub ttl: u8,
    pub df: bool,
    pub source_port: u16,
    pub port: u16,
    pub checksum: u16,
    pub geneve: bool,
    pub vni: u32,
    pub options: Vec<u8>,
    pub inner: Vec<u8>,
}

/// The packet, or what is wrong with it.
pub fn read(frame: &[u8], geneve_port: u16) -> Result<Outer, String> {
    let word = |at: usize| frame.get(at..at + 2).map(|b| u16::from_be_bytes([b[0], b[1]])).ok_or("cut short");
    let (vlan, l3) = if word(12)? == 0x8100 { (Some(word(14)?), 18) } else { (None, 14) };
    let packet = &frame[l3.min(frame.len())..];
    let ip = match word(l3 - 2)? {
        0x0800 => ipv4(packet)?,
        0x86dd => ipv6(packet)?,
        other => return Err(format!("ethertype {other:#06x}")),
    };
    let (header, payload) = ip.udp.split_at_checked(8).ok_or("UDP header cut short")?;
    let field = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    if usize::from(field(4)) != ip.udp.len() {
        return Err(format!("UDP length {} of {} bytes", field(4), ip.udp.len()));
    }
    let checksum = field(6);
    let pseudo = pseudo_header(ip.source, ip.destination, ip.udp.len());
    if checksum != 0 && ones_sum(&[&pseudo, ip.udp]) != 0xffff {
        return Err(format!("UDP checksum {checksum:#06x} is wrong"));
    }
    let geneve = field(2) == geneve_port;
    let (vni, options, inner) = if geneve { read_geneve(payload)? } else { read_vxlan(payload)? };
    if inner.len() < 14 {
        return Err(format!("an inner frame of {} bytes", inner.len()));
    }
    let mac = |at: usize| -> [u8; 6] { frame[at..at + 6].try_into().expect("six bytes") };
    Ok(Outer {
        to: mac(0),
        from: mac(6),
        vlan,
        source: ip.source,
        destination: ip.destination,
        tos: ip.tos,
        ttl: ip.ttl,
        df: ip.df,
        source_port: field(0),
        port: field(2),
        checksum,
        geneve,
        vni,
        options: options.to_vec(),
        inner: inner.to_vec(),
    })
}

struct Ip<'a> {
    source: IpAddr,
    destination: IpAddr,
    tos: u8,
    ttl: u8,
    df: bool,
    udp: &'a [u8],
}

fn ipv4(packet: &[u8]) -> Result<Ip<'_>, String> {
    let header = packet.get(..20).ok_or("IPv4 header cut short")?;
    let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    if header[0] != 0x45 {
        return Err(format!("version and header length {:#04x}: a VTEP sends no options", header[0]));
    }
    if usize::from(word(2)) != packet.len() {
        return Err(format!("IPv4 length {} of {} bytes", word(2), packet.len()));
    }
    if word(6) & !0x4000 != 0 {
        return Err(format!("fragment field {:#06x}", word(6)));
    }
    if ones_sum(&[header]) != 0xffff {
        return Err("IPv4 header checksum is wrong".to_owned());
    }
    if header[9] != 17 {
        return Err(format!("protocol {}", header[9]));
    }
    let address = |at: usize| Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]).into();
    let df = word(6) & 0x4000 != 0;
    Ok(Ip { source: address(12), destination: address(16), tos: header[1], ttl: header[8], df, udp: &packet[20..] })
}

fn ipv6(packet: &[u8]) -> Result<Ip<'_>, String> {
    let header = packet.get(..40).ok_or("IPv6 header cut short")?;
    if header[0] >> 4 != 6 {
        return Err(format!("version {}", header[0] >> 4));
    }
    if usize::from(u16::from_be_bytes([header[4], header[5]])) + 40 != packet.len() {
        return Err("IPv6 length is wrong".to_owned());
    }
    if header[6] != 17 {
        return Err(format!("next header {}", header[6]));
    }
    let address = |at: usize| IpAddr::V6(Ipv6Addr::from(*header[at..].first_chunk::<16>().expect("16 bytes")));
    let tos = header[0] << 4 | header[1] >> 4;
    Ok(Ip { source: address(8), destination: address(24), tos, ttl: header[7], df: true, udp: &packet[40..] })
}

type Tunnel<'a> = (u32, &'a [u8], &'a [u8]);

fn read_vxlan(payload: &[u8]) -> Result<Tunnel<'_>, String> {
    match payload {
        [0x08, 0, 0, 0, a, b, c, 0, inner @ ..] => Ok((u32::from_be_bytes([0, *a, *b, *c]), &[], inner)),
        _ => Err("a VXLAN header with reserved bits, or cut short".to_owned()),
    }
}

fn read_geneve(payload: &[u8]) -> Result<Tunnel<'_>, String> {
    let (header, rest) = payload.split_at_checked(8).ok_or("Geneve header cut short")?;
    if header[0] >> 6 != 0 || header[1] & !0x40 != 0 || header[2..4] != [0x65, 0x58] || header[7] != 0 {
        return Err("a Geneve header with another version, type or reserved bits".to_owned());
    }
    let (options, inner) = rest.split_at_checked(usize::from(header[0]) * 4).ok_or("options cut short")?;
    let (mut left, mut critical) = (options, false);
    while let [_, _, kind, length, data @ ..] = left {
        if length >> 5 != 0 {
            return Err("reserved bits of an option".to_owned());
        }
        critical |= kind & 0x80 != 0;
        left = data.get(usize::from(*length) * 4..).ok_or("an option cut short")?;
    }
    if !left.is_empty() || critical != (header[1] & 0x40 != 0) {
        return Err("options that do not add up, or a C bit that is not theirs".to_owned());
    }
    Ok((u32::from_be_bytes([0, header[4], header[5], header[6]]), options, inner))
}
