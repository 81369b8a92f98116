//! Headers in words, for people: what `explain`, `trace` and `show drops --last` say of a frame. Never on the path of one.

use std::net::Ipv4Addr;

use config::types::Mac;
use etherparse::{LaxLinkExtSlice, LaxNetSlice, LaxSlicedPacket, LinkSlice, TransportSlice};

/// Tunnel packets have these UDP destination ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TunnelPorts {
    /// Of VXLAN.
    pub vxlan: u16,
    /// Of Geneve.
    pub geneve: u16,
}

impl Default for TunnelPorts {
    fn default() -> Self {
        Self { vxlan: 4789, geneve: 6081 }
    }
}

/// A header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// In a few words: `IPv4 10.0.0.11 > 10.0.0.12`.
    pub short: String,
    /// What else it says: `TTL 64, TOS 0x00, DF, 100 bytes`; empty when that is all.
    pub more: String,
}

/// Tenant frames in tunnel packets that are looked into.
const DEPTH: usize = 2;

/// The headers of a frame from the outside in, as far as they can be read. `bytes` may be cut short.
pub fn layers(bytes: &[u8], ports: TunnelPorts) -> Vec<Layer> {
    let mut layers = Vec::new();
    let mut frame = Some(bytes);
    for _ in 0..DEPTH {
        let Some(bytes) = frame else { break };
        frame = ethernet(bytes, ports, &mut layers);
    }
    layers
}

/// All headers in a line.
pub fn line(bytes: &[u8], ports: TunnelPorts) -> String {
    layers(bytes, ports).into_iter().map(|layer| layer.short).collect::<Vec<_>>().join(", ")
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that hexadecimal digits mean; blanks, colons and line ends between them do not count.
///
/// # Errors
///
/// One sentence about what is wrong.
pub fn bytes(digits: &str) -> Result<Vec<u8>, String> {
    let mut nibbles = Vec::with_capacity(digits.len());
    for c in digits.chars().filter(|c| !c.is_whitespace() && !matches!(c, ':' | '-' | '.')) {
        let nibble =
            c.to_digit(16).ok_or_else(|| format!("'{c}' is no hexadecimal digit; write the frame as 0200000000ff…"))?;
        nibbles.push(nibble as u8);
    }
    match nibbles.as_chunks::<2>() {
        ([], []) => Err("the frame is empty".into()),
        (pairs, []) => Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect()),
        _ => Err("the frame has an odd number of hexadecimal digits".into()),
    }
}

fn layer(short: String, more: impl Into<String>) -> Layer {
    Layer { short, more: more.into() }
}

/// Reads an Ethernet frame; returns the tenant's frame when it is a tunnel packet.
fn ethernet<'a>(bytes: &'a [u8], ports: TunnelPorts, layers: &mut Vec<Layer>) -> Option<&'a [u8]> {
    let Ok(packet) = LaxSlicedPacket::from_ethernet(bytes) else {
        layers.push(layer(format!("{} bytes, too few for Ethernet", bytes.len()), ""));
        return None;
    };
    if let Some(LinkSlice::Ethernet2(link)) = &packet.link {
        layers.push(layer(format!("{} > {}", Mac(link.source()), Mac(link.destination())), ""));
    }
    for tag in &packet.link_exts {
        if let LaxLinkExtSlice::Vlan(tag) = tag {
            let more = match tag.priority_code_point().value() {
                0 => String::new(),
                priority => format!("priority {priority}"),
            };
            layers.push(layer(format!("VLAN {}", tag.vlan_identifier().value()), more));
        }
    }
    network(&packet, layers);
    transport(&packet, ports, layers)
}

/// The header behind Ethernet.
fn network(packet: &LaxSlicedPacket<'_>, layers: &mut Vec<Layer>) {
    match &packet.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            let header = ip.header();
            let fragment = match (header.fragments_offset().value(), header.more_fragments()) {
                (0, false) => String::new(),
                (offset, _) => format!(", fragment at {}", u32::from(offset) * 8),
            };
            let tos = header.dcp().value() << 2 | header.ecn().value();
            let df = if header.dont_fragment() { ", DF" } else { "" };
            let more = format!("TTL {}, TOS {tos:#04x}{df}, {} bytes{fragment}", header.ttl(), header.total_len());
            layers.push(layer(format!("IPv4 {} > {}", header.source_addr(), header.destination_addr()), more));
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            let header = ip.header();
            let more = format!(
                "hop limit {}, class {:#04x}, {} bytes of payload",
                header.hop_limit(),
                header.traffic_class(),
                header.payload_length()
            );
            layers.push(layer(format!("IPv6 {} > {}", header.source_addr(), header.destination_addr()), more));
        }
        Some(LaxNetSlice::Arp(arp)) => layers.push(layer(read_arp(arp.slice()), "")),
        None => {
            if let Some(payload) = packet.ether_payload() {
                layers.push(layer(format!("ethertype {:#06x}", payload.ether_type.0), ""));
            }
        }
    }
}

/// The header behind IP; returns the tenant's frame when it is a tunnel packet.
fn transport<'a>(packet: &LaxSlicedPacket<'a>, ports: TunnelPorts, layers: &mut Vec<Layer>) -> Option<&'a [u8]> {
    match &packet.transport {
        Some(TransportSlice::Udp(udp)) => {
            let checksum = if udp.checksum() == 0 { "no checksum" } else { "checksum" };
            let more = format!("{checksum}, {} bytes", udp.length());
            layers.push(layer(format!("UDP {} > {}", udp.source_port(), udp.destination_port()), more));
            return tunnel(udp.destination_port(), udp.payload(), ports, layers);
        }
        Some(TransportSlice::Tcp(tcp)) => {
            let flags =
                [(tcp.syn(), "SYN"), (tcp.ack(), "ACK"), (tcp.fin(), "FIN"), (tcp.rst(), "RST"), (tcp.psh(), "PSH")];
            let set: Vec<&str> = flags.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect();
            layers.push(layer(format!("TCP {} > {}", tcp.source_port(), tcp.destination_port()), set.join(" ")));
        }
        Some(TransportSlice::Icmpv4(icmp)) => layers.push(layer(
            match icmp.type_u8() {
                0 => "ICMP echo reply".into(),
                8 => "ICMP echo request".into(),
                3 => format!("ICMP unreachable, code {}", icmp.code_u8()),
                kind => format!("ICMP type {kind}"),
            },
            "",
        )),
        Some(TransportSlice::Icmpv6(icmp)) => layers.push(layer(
            match icmp.type_u8() {
                2 => "ICMPv6 packet too big".into(),
                128 => "ICMPv6 echo request".into(),
                129 => "ICMPv6 echo reply".into(),
                133 => "router solicitation".into(),
                134 => "router advertisement".into(),
                135 => "neighbour solicitation".into(),
                136 => "neighbour advertisement".into(),
                kind => format!("ICMPv6 type {kind}"),
            },
            "",
        )),
        Some(TransportSlice::Igmp(_)) => layers.push(layer("IGMP".into(), "")),
        None => {
            if let Some(payload) = packet.ip_payload() {
                layers.push(layer(format!("protocol {}", payload.ip_number.0), ""));
            }
        }
    }
    None
}

fn read_arp(bytes: &[u8]) -> String {
    let address = |at: usize| match bytes.get(at..at + 4) {
        Some(&[a, b, c, d]) => Ipv4Addr::new(a, b, c, d).to_string(),
        _ => "?".into(),
    };
    match bytes.get(6..8) {
        Some([0, 1]) => format!("ARP who has {}, tell {}", address(24), address(14)),
        Some([0, 2]) => {
            let mac =
                bytes.get(8..14).and_then(|mac| mac.try_into().ok()).map_or("?".into(), |mac| Mac(mac).to_string());
            format!("ARP {} is at {mac}", address(14))
        }
        _ => "ARP".into(),
    }
}

/// Reads a tunnel header; returns the tenant's frame.
fn tunnel<'a>(port: u16, payload: &'a [u8], ports: TunnelPorts, layers: &mut Vec<Layer>) -> Option<&'a [u8]> {
    if port != ports.vxlan && port != ports.geneve {
        return None;
    }
    let (header, rest) = payload.split_first_chunk::<8>()?;
    let vni = u32::from_be_bytes([0, header[4], header[5], header[6]]);
    if port == ports.vxlan {
        let reserved = header[0] & 0xf7 != 0 || header[1..4] != [0; 3] || header[7] != 0;
        let more = match (header[0] & 8 == 0, reserved) {
            (true, _) => "without the flag that says so",
            (false, true) => "reserved bits set",
            (false, false) => "",
        };
        layers.push(layer(format!("VXLAN VNI {vni}"), more));
        return Some(rest);
    }
    let options = usize::from(header[0] & 0x3f) * 4;
    let mut more = Vec::new();
    if options > 0 {
        more.push(format!("{options} bytes of options"));
    }
    if header[1] & 0x40 != 0 {
        more.push("critical".into());
    }
    if header[1] & 0x80 != 0 {
        more.push("control".into());
    }
    layers.push(layer(format!("Geneve VNI {vni}"), more.join(", ")));
    (header[2..4] == [0x65, 0x58]).then(|| rest.get(options..)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARP: &str = "ffffffffffff0200000000010806000108000604000102000000000ac0000201000000000000c0000202";

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("digits")).collect()
    }

    fn in_vxlan(frame: &str) -> Vec<u8> {
        let inner = frame.len() / 2;
        let ip = format!("45000{:03x}0000400040110000", 36 + inner);
        let udp = format!("c0f812b5{:04x}0000", 16 + inner);
        bytes(
            &format!("02000000ff0102cafe00000081000064 0800{ip}0a00000b0a00000c{udp}0800000000271a00{frame}")
                .replace(' ', ""),
        )
    }

    #[test]
    fn a_tunnel_packet_is_read_from_the_outside_in() {
        let frame = in_vxlan(ARP);
        assert_eq!(
            line(&frame, TunnelPorts::default()),
            "02:ca:fe:00:00:00 > 02:00:00:00:ff:01, VLAN 100, IPv4 10.0.0.11 > 10.0.0.12, UDP 49400 > 4789, \
             VXLAN VNI 10010, 02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff, ARP who has 192.0.2.2, tell 192.0.2.1"
        );
        let all = layers(&frame, TunnelPorts::default());
        assert_eq!(all[2].more, "TTL 64, TOS 0x00, DF, 78 bytes");
        assert_eq!(all[3].more, "no checksum, 58 bytes");
        let elsewhere = line(&frame, TunnelPorts { vxlan: 8472, geneve: 6081 });
        assert!(elsewhere.ends_with("UDP 49400 > 4789"), "{elsewhere}");
    }

    #[test]
    fn what_is_cut_is_told_as_far_as_it_goes() {
        let frame = in_vxlan(ARP);
        for len in 0..frame.len() {
            layers(&frame[..len], TunnelPorts::default());
        }
        assert_eq!(line(&frame[..7], TunnelPorts::default()), "7 bytes, too few for Ethernet");
        assert!(line(&frame[..54], TunnelPorts::default()).contains("VXLAN VNI 10010, 0 bytes"));
    }
}
