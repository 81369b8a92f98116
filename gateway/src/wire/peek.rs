//! A glance into a tunnel packet for what is noted and shown beside the path of packets. No verdict is drawn from it: it
//! checks nothing that it can do without.

use std::net::IpAddr;

use config::types::Encap;

use super::ip::{UDP, V4, V6};
use super::udp::{self, Udp};
use super::{ethernet, geneve, vxlan, word};

/// What a tunnel packet says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peek {
    /// Which UDP port it came to.
    pub encap: Encap,
    /// Outer source.
    pub source: IpAddr,
    /// UDP source port.
    pub source_port: u16,
    /// The UDP checksum is zero: none was computed.
    pub no_checksum: bool,
    /// Bits that the header's RFC reserves are set.
    pub reserved: bool,
    /// VNI.
    pub vni: u32,
    /// Where the tenant's frame starts.
    pub inner_at: usize,
}

/// Looks into `head`, the first bytes of a frame. `None` when it is not a whole UDP packet to `vxlan_port` or
/// `geneve_port` as far as it can be seen.
#[cold]
#[inline(never)]
pub fn peek(head: &[u8], vxlan_port: u16, geneve_port: u16) -> Option<Peek> {
    let mut at = ethernet::ADDRESSES;
    while ethernet::is_tag(word(head, at)?) {
        at += ethernet::TAG;
    }
    let ip = head.get(at + 2..)?;
    let (source, udp_at) = match word(head, at)? {
        ethernet::IPV4 => {
            let header = V4::parse(ip, usize::MAX).filter(|header| header.protocol == UDP && header.first)?;
            (IpAddr::V4(header.source), header.header_len)
        }
        ethernet::IPV6 => {
            let header = V6::parse(ip, usize::MAX)?;
            let (_, udp_at, _) = header.upper(ip).filter(|&(upper, _, _)| upper == UDP)?;
            (IpAddr::V6(header.source), udp_at)
        }
        _ => return None,
    };
    let udp = Udp::parse(ip.get(udp_at..)?)?;
    let tunnel_at = udp_at + udp::HEADER;
    let tunnel: &[u8; 8] = ip.get(tunnel_at..)?.first_chunk()?;
    let (encap, reserved, len) = if udp.destination == vxlan_port {
        let reserved = tunnel[0] & 0xf7 != 0 || tunnel[1..4] != [0; 3] || tunnel[7] != 0;
        (Encap::Vxlan, reserved, vxlan::HEADER)
    } else if udp.destination == geneve_port {
        (Encap::Geneve, tunnel[1] & 0x3f != 0 || tunnel[7] != 0, geneve::HEADER + usize::from(tunnel[0] & 0x3f) * 4)
    } else {
        return None;
    };
    Some(Peek {
        encap,
        source,
        source_port: udp.source,
        no_checksum: udp.checksum == 0,
        reserved,
        vni: u32::from_be_bytes([0, tunnel[4], tunnel[5], tunnel[6]]),
        inner_at: at + 2 + tunnel_at + len,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// VXLAN over IPv4 in a VLAN, without a UDP checksum.
    fn packet() -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0, 100, 8, 0];
        bytes.extend([0x45, 0, 0, 50, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 12, 10, 0, 0, 11]);
        bytes.extend([0xc0, 0x01, 0x12, 0xb5, 0, 30, 0, 0]);
        bytes.extend([8, 0, 0, 0, 0, 0x27, 0x1a, 0]);
        bytes.extend([0xff; 14]);
        bytes
    }

    #[test]
    fn it_sees_what_a_tunnel_packet_says() {
        let expected = Peek {
            encap: Encap::Vxlan,
            source: "10.0.0.12".parse().expect("an address"),
            source_port: 0xc001,
            no_checksum: true,
            reserved: false,
            vni: 10010,
            inner_at: 54,
        };
        assert_eq!(peek(&packet(), 4789, 6081), Some(expected));
        let mut odd = packet();
        odd[53] = 1;
        assert!(peek(&odd, 4789, 6081).is_some_and(|seen| seen.reserved));
        assert_eq!(peek(&packet(), 4790, 6081), None, "another port");
    }

    #[test]
    fn whatever_is_cut_is_none() {
        let packet = packet();
        for len in 0..54 {
            assert_eq!(peek(&packet[..len], 4789, 6081), None, "{len} bytes");
        }
    }
}
