//! The remote VTEP answers who asks for its MAC, so that a gateway with a Linux twin finds it: ARP (RFC 826) and
//! neighbour discovery (RFC 4861).

use std::net::IpAddr;

use super::frames::Scene;
use crate::wire::{checksum, ethernet};

/// ICMPv6, as a next header.
const ICMPV6: u8 = 58;
const ARP: u16 = 0x0806;

/// The answer to a frame on the fabric, if it asks for the VTEP.
pub fn answer(frame: &[u8], scene: &Scene) -> Option<Vec<u8>> {
    let tags = if scene.underlay_vlan.is_some() { ethernet::TAG } else { 0 };
    let l3 = ethernet::HEADER + tags;
    let ethertype = u16::from_be_bytes([*frame.get(l3 - 2)?, *frame.get(l3 - 1)?]);
    let inside = match (ethertype, scene.vtep) {
        (ARP, IpAddr::V4(vtep)) => arp(frame.get(l3..l3 + 28)?, vtep.octets(), scene.vtep_mac)?,
        (ethernet::IPV6, IpAddr::V6(vtep)) => discovery(frame.get(l3..)?, vtep.octets(), scene.vtep_mac)?,
        _ => return None,
    };
    let mut answer = frame[6..12].to_vec();
    answer.extend(scene.vtep_mac);
    answer.extend(&frame[12..l3]);
    answer.extend(inside);
    answer.resize(answer.len().max(60), 0);
    Some(answer)
}

/// The reply to an ARP request for `ours`.
fn arp(request: &[u8], ours: [u8; 4], mac: [u8; 6]) -> Option<Vec<u8>> {
    if request[..8] != [0, 1, 8, 0, 6, 4, 0, 1] || request[24..28] != ours {
        return None;
    }
    let mut reply = vec![0, 1, 8, 0, 6, 4, 0, 2];
    reply.extend(mac);
    reply.extend(ours);
    reply.extend(&request[8..18]);
    Some(reply)
}

/// The advertisement that answers a solicitation for `ours`.
fn discovery(packet: &[u8], ours: [u8; 16], mac: [u8; 6]) -> Option<Vec<u8>> {
    let icmp = packet.get(40..64)?;
    let asker = &packet[8..24];
    if packet[6] != ICMPV6 || icmp[0] != 135 || icmp[8..24] != ours || asker == [0; 16] {
        return None;
    }
    // Solicited, and it overrides what was known; with the option of the target's link-layer address.
    let mut message = vec![136, 0, 0, 0, 0x60, 0, 0, 0];
    message.extend(ours);
    message.extend([2, 1]);
    message.extend(mac);
    let mut reply = vec![0x60, 0, 0, 0, 0, message.len() as u8, ICMPV6, 255];
    reply.extend(ours);
    reply.extend(asker);
    let sum = checksum::sum(&reply[8..40]) + checksum::sum(&message) + message.len() as u32 + u32::from(ICMPV6);
    message[2..4].copy_from_slice(&checksum::finish(sum).to_be_bytes());
    reply.extend(message);
    Some(reply)
}

#[cfg(test)]
mod tests {
    use config::types::Encap;

    use super::*;

    fn scene(vtep: &str, vlan: Option<u16>) -> Scene {
        Scene {
            vlan: None,
            underlay_vlan: vlan,
            vni: 1,
            encap: Encap::Vxlan,
            udp_port: 4789,
            gateway: vtep.parse().expect("an address"),
            vtep: vtep.parse().expect("an address"),
            gateway_mac: [2; 6],
            vtep_mac: [2, 0xaa, 0, 0, 0, 0x12],
        }
    }

    /// Who has 10.0.0.`last`? Tell 10.0.0.11.
    fn request(last: u8) -> Vec<u8> {
        let mut frame = [[0xff; 6], [2, 0, 0, 0, 0, 11]].concat();
        frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 11, 10, 0, 0, 11, 0, 0, 0, 0, 0, 0, 10, 0, 0, last]);
        frame
    }

    #[test]
    fn arp_for_the_vtep_is_answered_and_nothing_else() {
        let answer = answer(&request(12), &scene("10.0.0.12", None)).expect("an answer");
        assert_eq!(answer[..6], [2, 0, 0, 0, 0, 11], "to who asked");
        assert_eq!(
            answer[20..42],
            [
                0, 2, 2, 0xaa, 0, 0, 0, 0x12, 10, 0, 0, 12, // is at
                2, 0, 0, 0, 0, 11, 10, 0, 0, 11,
            ]
        );
        assert_eq!(answer.len(), 60);
        assert_eq!(super::answer(&request(13), &scene("10.0.0.12", None)), None);
        assert_eq!(super::answer(&answer, &scene("10.0.0.12", None)), None, "an answer is no question");
        for len in 0..request(12).len() {
            assert_eq!(super::answer(&request(12)[..len], &scene("10.0.0.12", None)), None);
        }
    }

    #[test]
    fn tags_of_the_underlay_are_kept() {
        let mut tagged = request(12);
        tagged.splice(12..12, [0x81, 0, 0, 100]);
        let answer = answer(&tagged, &scene("10.0.0.12", Some(100))).expect("an answer");
        assert_eq!(answer[12..18], [0x81, 0, 0, 100, 8, 6]);
    }

    #[test]
    fn a_solicitation_for_the_vtep_is_answered_with_a_right_checksum() {
        let ours: std::net::Ipv6Addr = "2001:db8::12".parse().expect("an address");
        let asker: std::net::Ipv6Addr = "2001:db8::11".parse().expect("an address");
        let mut frame = [[0x33, 0x33, 0xff, 0, 0, 0x12], [2, 0, 0, 0, 0, 11]].concat();
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 58, 255]);
        frame.extend(asker.octets());
        frame.extend([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0x12]);
        frame.extend([135, 0, 0, 0, 0, 0, 0, 0]);
        frame.extend(ours.octets());
        frame.extend([1, 1, 2, 0, 0, 0, 0, 11]);
        let answer = answer(&frame, &scene("2001:db8::12", None)).expect("an answer");
        assert_eq!(answer[14 + 8..14 + 24], ours.octets());
        assert_eq!(answer[14 + 24..14 + 40], asker.octets());
        let icmp = &answer[54..];
        assert_eq!((icmp[0], icmp.len()), (136, 32));
        assert_eq!(icmp[24..], [2, 1, 2, 0xaa, 0, 0, 0, 0x12]);
        let whole = checksum::sum(&answer[22..54]) + checksum::sum(icmp) + 32 + 58;
        assert_eq!(checksum::finish(whole), 0, "the checksum is right");
    }
}
