//! ICMP (RFC 792) and ICMPv6 (RFC 4443) as far as a bridge speaks them: neighbour solicitations that it answers for others
//! (RFC 4861), and the word that a packet is too big (RFC 1191, RFC 4443 section 3.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{checksum, ethernet, ip, word};

/// ICMP's protocol number.
pub const ICMP: u8 = 1;
/// ICMPv6's next-header number.
pub const ICMP6: u8 = 58;

const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const SOURCE_LINK: u8 = 1;
const TARGET_LINK: u8 = 2;
/// Where the ICMPv6 header of an untagged frame starts.
const V6_BODY: usize = ethernet::HEADER + ip::V6_HEADER;
/// Bytes of an untagged frame with an advertisement and its one option.
pub const ADVERTISEMENT_FRAME: usize = V6_BODY + 24 + 8;

/// Who asks for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Solicitation {
    /// MAC of who asks.
    pub sender_mac: [u8; 6],
    /// Address of who asks; never the unspecified one (which detects duplicates, RFC 4862 section 5.4).
    pub sender: Ipv6Addr,
    /// Address that is asked for.
    pub target: Ipv6Addr,
}

impl Solicitation {
    /// Reads a solicitation that was sent to the target's solicited-node group, behind an untagged Ethernet header. `None`
    /// for all that RFC 4861 sections 4.3 and 7.1.1 refuse (hop limit, checksum, code, lengths, group, options), for
    /// fragments (RFC 6980), for those that detect duplicates, and where the frame's source is not the one that it names.
    /// The caller says how long the frame is and gives all of it.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        if word(frame, ethernet::ADDRESSES)? != ethernet::IPV6 {
            return None;
        }
        let packet = frame.get(ethernet::HEADER..)?;
        let header = ip::V6::parse(packet, packet.len())?;
        if header.next != ICMP6 || packet.get(7) != Some(&255) {
            return None;
        }
        let body = packet.get(ip::V6_HEADER..header.total_len)?;
        let [SOLICITATION, 0, _, _, _, _, _, _, rest @ ..] = body else { return None };
        let (target, options) = rest.split_first_chunk::<16>()?;
        let target = Ipv6Addr::from(*target);
        let sender = header.source;
        if sender.is_multicast() || sender.is_unspecified() || sender.is_loopback() || target.is_multicast() {
            return None;
        }
        let sum = checksum::sum(&packet[8..40]) + body.len() as u32 + u32::from(ICMP6) + checksum::sum(body);
        if header.destination != solicited_node(target) || checksum::finish(sum) != 0 {
            return None;
        }
        let sender_mac = link_address(options)?;
        (frame.get(6..12)? == sender_mac).then_some(Self { sender_mac, sender, target })
    }
}

/// The source link-layer address among the options, which one to a group must carry; `None` when an option is cut or has
/// no length.
fn link_address(mut options: &[u8]) -> Option<[u8; 6]> {
    let mut found = None;
    while let [kind, words, ..] = *options {
        let (option, rest) = options.split_at_checked(usize::from(words) * 8).filter(|_| words != 0)?;
        if kind == SOURCE_LINK && words == 1 {
            found = option[2..].first_chunk().copied();
        }
        options = rest;
    }
    found.filter(|_| options.is_empty())
}

/// The group in which an address is asked for (RFC 4291 section 2.7.1).
pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

/// Turns the solicitation at the start of `frame` into the advertisement of `mac`, which has the address that was asked for;
/// `router` sets the router flag (RFC 4861 section 7.2.4). The caller cuts the frame to [`ADVERTISEMENT_FRAME`] bytes.
pub fn advertise(frame: &mut [u8], asked: &Solicitation, mac: [u8; 6], router: bool) {
    let Some(head) = frame.first_chunk_mut::<ADVERTISEMENT_FRAME>() else { return };
    head[..6].copy_from_slice(&asked.sender_mac);
    head[6..12].copy_from_slice(&mac);
    let packet = &mut head[ethernet::HEADER..];
    packet[4..6].copy_from_slice(&32u16.to_be_bytes());
    packet[7] = 255;
    packet[8..24].copy_from_slice(&asked.target.octets());
    packet[24..40].copy_from_slice(&asked.sender.octets());
    // Solicited and override: it is the owner's own address that is told.
    packet[40..48].copy_from_slice(&[ADVERTISEMENT, 0, 0, 0, if router { 0xe0 } else { 0x60 }, 0, 0, 0]);
    packet[48..64].copy_from_slice(&asked.target.octets());
    packet[64..66].copy_from_slice(&[TARGET_LINK, 1]);
    packet[66..72].copy_from_slice(&mac);
    let sum = checksum::sum(&packet[8..40]) + 32 + u32::from(ICMP6) + checksum::sum(&packet[40..]);
    packet[42..44].copy_from_slice(&checksum::finish(sum).to_be_bytes());
}

/// Most bytes of an ICMP error, IP header included (RFC 1812 section 4.3.2.3).
const V4_MOST: usize = 576;
/// The same of an ICMPv6 error (RFC 4443 section 3.2): the least MTU.
const V6_MOST: usize = 1280;
/// Bytes of an ICMP error before the packet that it is about.
const ICMP_HEADER: usize = 8;

/// A packet that did not fit, as the error about it needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooBig {
    /// Who sent it and is told.
    pub sender: IpAddr,
    /// Where it was to go.
    pub destination: IpAddr,
    /// Bytes of it that the error quotes.
    pub quoted: usize,
}

impl TooBig {
    /// Reads the packet in `packet`, the first bytes of `len`. `None` where no error may be sent (RFC 1122 section 3.2.2,
    /// RFC 1812 section 4.3.2.7, RFC 4443 section 2.4 e): about ICMP errors, fragments other than the first, IPv4 without
    /// DF, group and broadcast addresses, sources that are not one station's, and headers that lie.
    pub fn of(packet: &[u8], len: usize) -> Option<Self> {
        match packet.first()? >> 4 {
            4 => Self::of_v4(packet, len),
            6 => Self::of_v6(packet, len),
            _ => None,
        }
    }

    fn of_v4(packet: &[u8], len: usize) -> Option<Self> {
        let header = ip::V4::parse(packet, len)?;
        let df = packet.get(6)? & 0x40 != 0;
        let broken = checksum::finish(checksum::sum(packet.get(..header.header_len)?)) != 0;
        let to_one = !header.destination.is_multicast() && !header.destination.is_broadcast();
        // Of ICMP only the questions and answers: echo, timestamp, information, mask.
        let error = header.protocol == ICMP && !matches!(packet.get(header.header_len)?, 0 | 8 | 13..=18);
        let fine = df && !broken && header.first && to_one && !error && !header.source_is_impossible();
        fine.then_some(Self {
            sender: header.source.into(),
            destination: header.destination.into(),
            quoted: header.total_len.min(V4_MOST - 20 - ICMP_HEADER),
        })
    }

    fn of_v6(packet: &[u8], len: usize) -> Option<Self> {
        let header = ip::V6::parse(packet, len)?;
        let (upper, at, fragment) = header.upper(packet)?;
        // Errors are below 128; a redirect (137) is none, but answered like one.
        let error = upper == ICMP6 && packet.get(at).is_none_or(|&kind| kind < 128 || kind == 137);
        let fine = !fragment && !error && !header.source_is_impossible() && !header.destination.is_multicast();
        fine.then_some(Self {
            sender: header.source.into(),
            destination: header.destination.into(),
            quoted: header.total_len.min(V6_MOST - ip::V6_HEADER - ICMP_HEADER),
        })
    }

    /// Bytes of headers that the error has before what it quotes: IP and ICMP.
    pub fn headers(&self) -> usize {
        if self.sender.is_ipv4() { 20 + ICMP_HEADER } else { ip::V6_HEADER + ICMP_HEADER }
    }

    /// Writes those headers: `from` tells the sender that packets of `mtu` bytes fit. `sum` is that of the quoted bytes
    /// (see [`checksum::sum`]). `None`, and nothing written, when `from` is of another family or there is no room.
    pub fn write(&self, headers: &mut [u8], from: IpAddr, mtu: u16, sum: u32) -> Option<()> {
        match (self.sender, from) {
            (IpAddr::V4(sender), IpAddr::V4(from)) => self.write_v4(headers, from, sender, mtu, sum),
            (IpAddr::V6(sender), IpAddr::V6(from)) => self.write_v6(headers, from, sender, mtu, sum),
            _ => None,
        }
    }

    fn write_v4(&self, headers: &mut [u8], from: Ipv4Addr, sender: Ipv4Addr, mtu: u16, sum: u32) -> Option<()> {
        let (header, icmp) = headers.first_chunk_mut::<28>()?.split_at_mut(20);
        let len = (28 + self.quoted) as u16;
        // Precedence of internetwork control (RFC 1812 section 4.3.2.5).
        header.copy_from_slice(&[0x45, 0xc0, 0, 0, 0, 0, 0, 0, 64, ICMP, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        header[2..4].copy_from_slice(&len.to_be_bytes());
        header[12..16].copy_from_slice(&from.octets());
        header[16..20].copy_from_slice(&sender.octets());
        let field = checksum::finish(checksum::sum(header));
        header[10..12].copy_from_slice(&field.to_be_bytes());
        // Destination unreachable, fragmentation needed, the next hop's MTU (RFC 1191 section 4).
        icmp.copy_from_slice(&[3, 4, 0, 0, 0, 0, 0, 0]);
        icmp[6..8].copy_from_slice(&mtu.to_be_bytes());
        let field = checksum::finish(checksum::sum(icmp) + sum);
        icmp[2..4].copy_from_slice(&field.to_be_bytes());
        Some(())
    }

    fn write_v6(&self, headers: &mut [u8], from: Ipv6Addr, sender: Ipv6Addr, mtu: u16, sum: u32) -> Option<()> {
        let (header, icmp) = headers.first_chunk_mut::<48>()?.split_at_mut(40);
        let len = (ICMP_HEADER + self.quoted) as u16;
        header[..8].copy_from_slice(&[0x60, 0, 0, 0, 0, 0, ICMP6, 64]);
        header[4..6].copy_from_slice(&len.to_be_bytes());
        header[8..24].copy_from_slice(&from.octets());
        header[24..40].copy_from_slice(&sender.octets());
        icmp.copy_from_slice(&[2, 0, 0, 0, 0, 0, 0, 0]);
        icmp[6..8].copy_from_slice(&mtu.to_be_bytes());
        let pseudo = checksum::sum(&header[8..40]) + u32::from(len) + u32::from(ICMP6);
        let field = checksum::finish(pseudo + checksum::sum(icmp) + sum);
        icmp[2..4].copy_from_slice(&field.to_be_bytes());
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const BOB: [u8; 6] = [2, 0, 0, 0, 0, 2];

    fn sum_of(packet: &[u8]) -> u16 {
        let body = &packet[40..];
        checksum::finish(checksum::sum(&packet[8..40]) + body.len() as u32 + u32::from(ICMP6) + checksum::sum(body))
    }

    fn solicitation() -> Vec<u8> {
        let target: Ipv6Addr = "2001:db8::2".parse().expect("an address");
        let sender: Ipv6Addr = "2001:db8::1".parse().expect("an address");
        let mut frame = vec![0x33, 0x33, 0xff, 0, 0, 2];
        frame.extend(ANN);
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, ICMP6, 255]);
        frame.extend(sender.octets());
        frame.extend(solicited_node(target).octets());
        frame.extend([135, 0, 0, 0, 0, 0, 0, 0]);
        frame.extend(target.octets());
        frame.extend([1, 1]);
        frame.extend(ANN);
        sign(&mut frame);
        frame
    }

    fn sign(frame: &mut [u8]) {
        frame[56..58].fill(0);
        let field = sum_of(&frame[14..]);
        frame[56..58].copy_from_slice(&field.to_be_bytes());
    }

    #[test]
    fn a_solicitation_becomes_its_advertisement() {
        let mut frame = solicitation();
        let asked = Solicitation::parse(&frame).expect("a solicitation");
        advertise(&mut frame, &asked, BOB, false);
        assert_eq!((&frame[..6], &frame[6..12]), (&ANN[..], &BOB[..]));
        assert_eq!((frame[21], &frame[54..56], frame[58]), (255, &[136, 0][..], 0x60));
        assert_eq!((&frame[78..80], &frame[80..]), (&[2, 1][..], &BOB[..]));
        assert_eq!(sum_of(&frame[14..]), 0);
        advertise(&mut frame, &asked, BOB, true);
        assert_eq!(frame[58], 0xe0);
    }

    #[test]
    fn solicitations_that_rfc_4861_refuses_are_none() {
        let good = solicitation();
        for len in 0..good.len() {
            assert_eq!(Solicitation::parse(&good[..len]), None, "{len} bytes");
        }
        // Hop limit, type, code, target, option type and length, named source; every one with a right checksum.
        for at in [21, 54, 55, 77, 78, 79, 85] {
            let mut wrong = good.clone();
            wrong[at] ^= 0x02;
            sign(&mut wrong);
            assert_eq!(Solicitation::parse(&wrong), None, "byte {at}");
        }
        let mut wrong = good.clone();
        wrong[57] ^= 1;
        assert_eq!(Solicitation::parse(&wrong), None, "checksum");
        let mut probe = good;
        probe[22..38].fill(0);
        sign(&mut probe);
        assert_eq!(Solicitation::parse(&probe), None, "duplicate address detection");
    }

    fn v4(protocol: u8, kind: u8) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 60, 0, 1, 0x40, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
        let field = checksum::finish(checksum::sum(&packet));
        packet[10..12].copy_from_slice(&field.to_be_bytes());
        packet.push(kind);
        packet.resize(60, 0);
        packet
    }

    #[test]
    fn errors_are_sent_about_what_may_have_one() {
        assert!(TooBig::of(&v4(17, 0), 60).is_some_and(|told| told.quoted == 60));
        assert!(TooBig::of(&v4(ICMP, 8), 60).is_some());
        for kind in [3, 4, 5, 11, 12, 42] {
            assert_eq!(TooBig::of(&v4(ICMP, kind), 60), None, "ICMP {kind}");
        }
        let changed = |at: usize, bytes: &[u8]| {
            let mut packet = v4(17, 0);
            packet[at..at + bytes.len()].copy_from_slice(bytes);
            packet[10..12].fill(0);
            let field = checksum::finish(checksum::sum(&packet[..20]));
            packet[10..12].copy_from_slice(&field.to_be_bytes());
            TooBig::of(&packet, 60)
        };
        assert!(changed(4, &[9, 9]).is_some());
        for (at, bytes, what) in [
            (6, &[0, 0][..], "no DF"),
            (6, &[0x40, 1], "a later fragment"),
            (2, &[0, 61], "longer than the frame"),
            (12, &[0, 0, 0, 0], "no source"),
            (12, &[239, 1, 1, 1], "a group as source"),
            (16, &[239, 1, 1, 1], "to a group"),
            (16, &[255, 255, 255, 255], "to all"),
        ] {
            assert_eq!(changed(at, bytes), None, "{what}");
        }
        let mut broken = v4(17, 0);
        broken[10] ^= 1;
        assert_eq!(TooBig::of(&broken, 60), None, "checksum");
    }
}
