//! ARP over Ethernet for IPv4 (RFC 826).
//!
//! ```text
//! | hardware 2 | protocol 2 | lengths 6, 4 | operation 2 | sender MAC 6, IP 4 | target MAC 6, IP 4 |
//! ```

use std::net::Ipv4Addr;

use super::{ethernet, word};

/// The ethertype.
pub const ETHERTYPE: u16 = 0x0806;
/// Bytes of a packet, from the hardware type on.
pub const LEN: usize = 28;

const REQUEST: u16 = 1;
const REPLY: u8 = 2;

/// Who asks for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// MAC of who asks.
    pub sender_mac: [u8; 6],
    /// Address of who asks; 0.0.0.0 in a probe (RFC 5227 section 2.1.1).
    pub sender: Ipv4Addr,
    /// Address that is asked for.
    pub target: Ipv4Addr,
}

impl Request {
    /// Reads a request behind an untagged Ethernet header. `None` for replies and for all that is not as RFC 826 has it:
    /// other hardware, lengths that differ, a sender other than the frame's.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        if word(frame, ethernet::ADDRESSES)? != ETHERTYPE {
            return None;
        }
        let packet: &[u8; LEN] = frame.get(ethernet::HEADER..)?.first_chunk()?;
        let [0, 1, 0x08, 0x00, 6, 4, a, b, ..] = packet else { return None };
        let sender_mac: &[u8; 6] = packet[8..].first_chunk()?;
        if u16::from_be_bytes([*a, *b]) != REQUEST || frame.get(6..12)? != sender_mac {
            return None;
        }
        let address = |at: usize| packet[at..].first_chunk::<4>().map(|bytes| Ipv4Addr::from(*bytes));
        Some(Self { sender_mac: *sender_mac, sender: address(14)?, target: address(24)? })
    }
}

/// Turns the request in `frame` into the reply of `mac`, which has the address that was asked for.
pub fn reply(frame: &mut [u8], request: &Request, mac: [u8; 6]) {
    let Some(head) = frame.first_chunk_mut::<{ ethernet::HEADER + LEN }>() else { return };
    head[..6].copy_from_slice(&request.sender_mac);
    head[6..12].copy_from_slice(&mac);
    let packet = &mut head[ethernet::HEADER..];
    packet[7] = REPLY;
    packet[8..14].copy_from_slice(&mac);
    packet[14..18].copy_from_slice(&request.target.octets());
    packet[18..24].copy_from_slice(&request.sender_mac);
    packet[24..28].copy_from_slice(&request.sender.octets());
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const BOB: [u8; 6] = [2, 0, 0, 0, 0, 2];

    fn request() -> Vec<u8> {
        let mut frame = vec![0xff; 6];
        frame.extend(ANN);
        frame.extend([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
        frame.extend(ANN);
        frame.extend([192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 2]);
        frame
    }

    #[test]
    fn a_request_becomes_its_reply() {
        let mut frame = request();
        let asked = Request::parse(&frame).expect("a request");
        assert_eq!((asked.sender, asked.target), (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)));
        reply(&mut frame, &asked, BOB);
        let wanted = [&ANN[..], &BOB, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 2], &BOB, &[192, 0, 2, 2], &ANN, &[192, 0, 2, 1]];
        assert_eq!(frame, wanted.concat());
        assert_eq!(Request::parse(&frame), None, "a reply is no request");
    }

    #[test]
    fn what_is_not_a_whole_request_of_its_sender_is_none() {
        let good = request();
        for len in 0..good.len() {
            assert_eq!(Request::parse(&good[..len]), None, "{len} bytes");
        }
        for at in (12..22).chain(22..28) {
            let mut wrong = good.clone();
            wrong[at] ^= 0x10;
            assert_eq!(Request::parse(&wrong), None, "byte {at}");
        }
    }
}
