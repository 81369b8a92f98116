//! Random frames: right ones, right ones with mistakes, and noise.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::build::{self, ALL, Ip, ethernet, mac, tagged};
use crate::support::site::port_mac;
use crate::support::world::{HOP, World};

/// The site that these frames are made for: an underlay with a Linux twin, servers with one tag, two tags and none, VNIs of
/// all kinds.
pub fn yaml(learning: bool) -> String {
    let learning = format!("learning: {{enabled: {learning}}}");
    format!(
        "version: 1
vtep: {{source: [10.0.0.11, \"2001:db8::11\"]}}
ports:
  - {{name: up0, device: net_null0, mtu: 2000, underlay: {{via: {{mac: \"02:00:00:00:ff:01\"}}}}}}
  - {{name: srv1, device: net_null1, vlans: [{{vlan: 10, vni: 10010}}, {{vlan: 11, vni: 10011}}]}}
  - {{name: srv2, device: net_null2, vlans: [{{vlan: untagged, vni: 10010}}, {{outer: 300, inner: 7, vni: 10011}}]}}
  - {{name: up1, device: net_null3, underlay: {{vlan: 100, twin: tw1, addresses: [10.9.0.11/16]}}}}
vnis:
  - {{vni: 10010, flood: {{vteps: [10.0.1.2, {{vtep: \"2001:db8:1::1\"}}]}}, {learning}, df: unset, tos: inherit, ttl: inherit}}
  - {{vni: 10011, encap: geneve, flood: {{vteps: [10.0.1.3, {{vtep: \"2001:db8:1::2\"}}]}}, inner_vlan: pass, {learning},
     static: [{{mac: \"02:00:00:00:00:05\", vtep: 10.0.1.3}}], options: [{{class: 1, type: 1, data: \"01020304\"}}]}}
"
    )
}

/// Few MACs, so that frames meet; a group, a bad and a link-local one among them.
pub fn any_mac() -> impl Strategy<Value = [u8; 6]> {
    prop_oneof![
        20 => (1u8..8).prop_map(mac),
        4 => Just(ALL),
        2 => Just([1, 0, 0x5e, 0, 0, 9]),
        1 => Just([1, 0x80, 0xc2, 0, 0, 2]),
        1 => Just([0; 6]),
    ]
}

/// A tenant's IP packet or something else, with its ethertype.
fn payload() -> impl Strategy<Value = (u16, Vec<u8>)> {
    let bytes = vec(any::<u8>(), 0..200);
    let ip = |v6: bool| {
        (any::<u8>(), any::<u8>(), any::<u16>(), any::<u16>(), vec(any::<u8>(), 0..200)).prop_map(
            move |(tos, ttl, source, fragment, body)| {
                let (from, to) = if v6 { ("2001:db8:9::1", "2001:db8:9::2") } else { ("192.0.2.1", "192.0.2.2") };
                let fragment = if fragment % 4 == 0 { fragment } else { 0x4000 };
                let ip = Ip { tos, ttl, fragment, ..Ip::new(from, to) };
                (ip.ethertype(), ip.udp((source, 53), &body, true))
            },
        )
    };
    prop_oneof![4 => ip(false), 3 => ip(true), 2 => (any::<u16>(), bytes)]
}

/// A tenant's frame without a tag.
pub fn tenant() -> impl Strategy<Value = Vec<u8>> {
    (any_mac(), any_mac(), payload()).prop_map(|(to, from, (kind, body))| ethernet(to, from, kind, &body))
}

/// A tenant's frame that any bridge takes: a single source, no tag, no link-local group.
pub fn good_tenant() -> impl Strategy<Value = Vec<u8>> {
    let to = prop_oneof![(1u8..8).prop_map(mac), Just(ALL)];
    (to, (1u8..8).prop_map(mac), payload())
        .prop_filter("no tag", |(_, _, (kind, _))| *kind != 0x8100 && *kind != 0x88a8)
        .prop_map(|(to, from, (kind, body))| ethernet(to, from, kind, &body))
}

/// A frame on a server's port, tags and all.
pub fn from_server() -> impl Strategy<Value = Vec<u8>> {
    let tags = prop_oneof![
        5 => Just(vec![(0x8100u16, 10u16)]),
        4 => Just(vec![(0x8100, 11)]),
        4 => Just(vec![]),
        3 => Just(vec![(0x88a8, 300), (0x8100, 7)]),
        2 => (any::<u16>()).prop_map(|tci| vec![(0x8100, tci)]),
        1 => vec((prop_oneof![Just(0x8100u16), Just(0x88a8)], any::<u16>()), 0..4),
    ];
    (tenant(), tags)
        .prop_map(|(frame, tags)| tags.into_iter().rev().fold(frame, |frame, (tpid, tci)| tagged(&frame, tpid, tci)))
}

/// A tunnel packet for us, right in every respect: VXLAN or Geneve, IPv4 or IPv6, options or none.
pub fn from_vtep() -> impl Strategy<Value = Vec<u8>> {
    let options = prop_oneof![3 => Just(0u8), 1 => 0u8..6];
    let own_tag = (tenant(), any::<u16>()).prop_map(|(frame, tci)| tagged(&frame, 0x8100, tci));
    let tenant = prop_oneof![9 => tenant(), 1 => own_tag];
    (any::<bool>(), any::<bool>(), 1u16..4, options, 0u8..4, any::<u16>(), tenant).prop_map(
        |(geneve, v6, peer, words, ecn, source, frame)| {
            let world = World { geneve, v6, vlan: None };
            let ip = Ip { tos: ecn, ..Ip::new(&world.peer(peer), world.own()) };
            let options: Vec<u8> = (0..words).flat_map(|n| [0, 1, n, 0]).collect();
            let payload = if geneve { build::geneve(10011, &options, &frame) } else { build::vxlan(10010, &frame) };
            let packet = ip.udp((source, world.udp_port()), &payload, v6 || source % 2 == 0);
            ethernet(port_mac(0), HOP, ip.ethertype(), &packet)
        },
    )
}

/// A mistake in a frame.
#[derive(Clone, Debug)]
pub enum Mistake {
    Set(usize, u8),
    Flip(usize, u8),
    Cut(usize),
    Append(Vec<u8>),
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
    Word(usize, u16),
}

pub fn mistake() -> impl Strategy<Value = Mistake> {
    // Most in the headers: that is where they matter.
    let place = || prop_oneof![4 => 0usize..90, 1 => 0usize..400];
    let odd = prop_oneof![
        Just(0u16),
        Just(0xffff),
        Just(0x8100),
        Just(0x0800),
        Just(0x86dd),
        Just(4789),
        Just(6081),
        0u16..200
    ];
    prop_oneof![
        3 => (place(), any::<u8>()).prop_map(|(at, byte)| Mistake::Set(at, byte)),
        4 => (place(), 0u8..8).prop_map(|(at, bit)| Mistake::Flip(at, bit)),
        1 => place().prop_map(Mistake::Cut),
        1 => vec(any::<u8>(), 1..40).prop_map(Mistake::Append),
        1 => (place(), 1usize..20).prop_map(|(at, len)| Mistake::Remove(at, len)),
        1 => (place(), vec(any::<u8>(), 1..20)).prop_map(|(at, bytes)| Mistake::Insert(at, bytes)),
        2 => (place(), odd).prop_map(|(at, word)| Mistake::Word(at, word)),
    ]
}

impl Mistake {
    pub fn make(&self, frame: &mut Vec<u8>) {
        match self {
            Self::Set(at, byte) => {
                if let Some(place) = frame.get_mut(*at) {
                    *place = *byte;
                }
            }
            Self::Flip(at, bit) => {
                if let Some(place) = frame.get_mut(*at) {
                    *place ^= 1 << bit;
                }
            }
            Self::Cut(at) => frame.truncate(*at),
            Self::Append(bytes) => frame.extend(bytes),
            Self::Remove(at, len) => {
                let (from, to) = ((*at).min(frame.len()), (at + len).min(frame.len()));
                frame.drain(from..to);
            }
            Self::Insert(at, bytes) => {
                let at = (*at).min(frame.len());
                frame.splice(at..at, bytes.iter().copied());
            }
            Self::Word(at, word) => {
                if let Some(place) = frame.get_mut(*at..at + 2) {
                    place.copy_from_slice(&word.to_be_bytes());
                }
            }
        }
    }
}

/// Makes lengths and checksums right again, so that a mistake further inside is reached.
pub fn repair(frame: &mut [u8]) {
    let len = frame.len();
    if len < 14 + 20 + 8 {
        return;
    }
    if frame[12..14] == [0x08, 0x00] {
        let total = (len - 14) as u16;
        frame[16..18].copy_from_slice(&total.to_be_bytes());
        frame[24..26].copy_from_slice(&[0, 0]);
        let sum = !build::ones_sum(&[&frame[14..34]]);
        frame[24..26].copy_from_slice(&sum.to_be_bytes());
        frame[38..40].copy_from_slice(&(total - 20).to_be_bytes());
        frame[40..42].copy_from_slice(&[0, 0]);
    } else if frame[12..14] == [0x86, 0xdd] && len >= 14 + 40 + 8 {
        let payload = (len - 54) as u16;
        frame[18..20].copy_from_slice(&payload.to_be_bytes());
        frame[58..60].copy_from_slice(&payload.to_be_bytes());
        frame[60..62].copy_from_slice(&[0, 0]);
        let pseudo = [&frame[22..54], &[0, 0], &payload.to_be_bytes()[..], &[0, 0, 0, 17]].concat();
        let sum = !build::ones_sum(&[&pseudo, &frame[54..]]);
        frame[60..62].copy_from_slice(&sum.to_be_bytes());
    }
}

/// A right frame with a few mistakes in it.
pub fn mistaken(frame: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (frame, vec(mistake(), 0..6), any::<bool>()).prop_map(|(mut frame, mistakes, repaired)| {
        mistakes.iter().for_each(|mistake| mistake.make(&mut frame));
        if repaired {
            repair(&mut frame);
        }
        frame
    })
}

/// A port and a frame of any kind for it.
pub fn any_frame() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let server = prop_oneof![Just("srv1"), Just("srv2")];
    let port = prop_oneof![Just("up0"), Just("srv1"), Just("srv2"), Just("up1")];
    prop_oneof![
        6 => mistaken(from_vtep()).prop_map(|frame| ("up0", frame)),
        6 => (server, mistaken(from_server())),
        1 => mistaken(from_vtep()).prop_map(|frame| ("up1", if frame.len() < 12 { frame } else { build::vlan(&frame, 100) })),
        1 => (port.clone(), vec(any::<u8>(), 0..300)),
        1 => (port, mistaken(from_vtep())),
    ]
}
