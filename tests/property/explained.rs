//! What `explain` says of a frame is what becomes of it, whatever the frame and the configuration.

use std::collections::BTreeMap;

use gateway::control::explain::view::ExplainView;
use gateway::frame::PortId;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::subsequence;

use super::cases;
use super::frames::{any_frame, from_server};
use crate::support::build::{ALL, ethernet, mac, vlan};
use crate::support::site::Site;

/// Configurations around those that [`any_frame`] is made for.
fn any_yaml() -> impl Strategy<Value = String> {
    let options = vec![
        "df: unset",
        "tos: inherit",
        "ttl: inherit",
        "accept: any",
        "inner_vlan: pass",
        "flood_unknown: false",
        "learning: {limit: 2}",
        "neigh_suppress: true, neighbours: [{ip: 192.0.2.5, mac: \"02:00:00:00:00:05\"}]",
        "access_list: few",
    ];
    let more = (0..=options.len()).prop_flat_map(move |count| subsequence(options.clone(), count));
    let vteps = subsequence(vec!["10.0.1.2", "10.0.1.3", "\"2001:db8:1::1\"", "\"2001:db8:1::2\""], 0..=4);
    let place = prop_oneof![Just("vtep: 10.0.1.3"), Just("vtep: \"2001:db8:1::1\""), Just("port: srv2")];
    let mtu = prop_oneof![Just(600u16), Just(1500), Just(2000)];
    (more.clone(), more, vteps.clone(), vteps, place, mtu.clone(), mtu, (any::<bool>(), any::<bool>())).prop_map(
        |(first, second, here, there, place, up, down, (pcp, ecmp))| {
            let rest = |options: Vec<&str>| options.iter().map(|option| format!(", {option}")).collect::<String>();
            // With the second way flows have two next hops.
            let second_way = match ecmp {
                true => "via: {mac: \"02:00:00:00:ff:02\"}",
                false => "twin: tw1, addresses: [10.9.0.11/16]",
            };
            let pcp = if pcp { ", pcp: 3" } else { "" };
            format!(
                "version: 1
access_lists: [{{name: few, rules: [{{action: deny, protocol: udp, destination_port: 53, source: 192.0.2.0/24}}]}}]
vtep: {{source: [10.0.0.11, \"2001:db8::11\"]}}
ports:
  - {{name: up0, device: net_null0, mtu: {up}, underlay: {{via: {{mac: \"02:00:00:00:ff:01\"}}}}}}
  - {{name: srv1, device: net_null1, vlans: [{{vlan: 10, vni: 10010}}, {{vlan: 11, vni: 10011{pcp}}}]}}
  - {{name: srv2, device: net_null2, mtu: {down}, vlans: [{{vlan: untagged, vni: 10010}}, {{outer: 300, inner: 7, vni: 10011}}]}}
  - {{name: up1, device: net_null3, mtu: 1500, underlay: {{vlan: 100, {second_way}}}}}
vnis:
  - {{vni: 10010, flood: {{vteps: [{}]}}, static: [{{mac: \"02:00:00:00:00:06\", {place}}}]{}}}
  - {{vni: 10011, encap: geneve, flood: {{vteps: [{}]}}, options: [{{class: 1, type: 1, data: \"01020304\"}}]{}}}
",
                here.join(", "),
                rest(first),
                there.join(", "),
                rest(second),
            )
        },
    )
}

/// A request for an address that may be known.
fn request() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    (1u8..8, 1u8..8).prop_map(|(from, of)| {
        let mut arp = vec![0, 1, 8, 0, 6, 4, 0, 1];
        arp.extend(mac(from));
        arp.extend([192, 0, 2, from, 0, 0, 0, 0, 0, 0, 192, 0, 2, of]);
        arp.resize(46, 0);
        ("srv1", vlan(&ethernet(ALL, mac(from), 0x0806, &arp), 10))
    })
}

/// What an explanation says leaves, by place, in an order of its own.
fn explained(view: &ExplainView) -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut sent = BTreeMap::<_, Vec<_>>::new();
    for output in &view.outputs {
        let hex = &output.frame.hex;
        let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("digits");
        let bytes: Vec<u8> = (0..hex.len() / 2).map(byte).collect();
        let host = view.verdict == "host";
        sent.entry(if host { format!("{} host", output.port) } else { output.port.clone() }).or_default().push(bytes);
    }
    sent
}

fn without_identification(mut sent: BTreeMap<String, Vec<Vec<u8>>>) -> BTreeMap<String, Vec<Vec<u8>>> {
    sent.values_mut().flatten().for_each(|frame| forget_identification(frame));
    sent
}

/// Without DF each packet has an identification of its own, in the order of sending.
fn forget_identification(frame: &mut [u8]) {
    let at = if frame.get(12..14) == Some(&[0x81, 0]) { 18 } else { 14 };
    if frame.len() > at + 20 && frame[..5] == [2, 0, 0, 0, 0xff] && frame[at - 2..at] == [8, 0] {
        frame[at + 4..at + 6].fill(0);
        frame[at + 10..at + 12].fill(0);
    }
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn explain_says_what_the_cores_do(
        yaml in any_yaml(),
        frames in vec(prop_oneof![6 => any_frame(), 2 => from_server().prop_map(|frame| ("srv1", frame)), 1 => request()], 1..40),
        long in 0usize..3,
    ) {
        let mut site = Site::new(&yaml);
        for (at, (port, frame)) in frames.iter().enumerate() {
            let mut frame = frame.clone();
            if at % 4 == 1 {
                frame.resize(frame.len() + 700 * long, 0x5a);
            }
            let (now, number) = (site.now, PortId(site.port(port)));
            let view = site.control.explain(number, &frame, now);
            let before = site.drops();
            site.receive(port, &frame);
            site.run();
            let sent = without_identification(site.all_sent());
            if view.verdict == "dropped" {
                prop_assert!(view.outputs.iter().all(|output| output.to.is_none()), "{:?}", view.steps);
            }
            prop_assert_eq!(&without_identification(explained(&view)), &sent, "{:?}", view.steps);
            prop_assert_eq!(view.output_count, sent.values().map(|frames| frames.len() as u64).sum::<u64>());
            let mut drops = site.drops();
            for (reason, count) in before {
                drops.entry(reason).and_modify(|now| *now -= count);
            }
            drops.retain(|_, count| *count > 0);
            let mut said = BTreeMap::<&str, u64>::new();
            view.drops.iter().for_each(|drop| *said.entry(&drop.reason).or_default() += 1);
            prop_assert_eq!(&said, &drops, "{:?}", view.steps);
            prop_assert!(view.verdict == "dropped" || !sent.is_empty());
            // Every frame that leaves for an endpoint says which, and that it fits.
            if view.verdict == "forwarded" || view.verdict == "flooded" {
                for output in &view.outputs {
                    if output.to.is_none() && output.port == *port && view.drop_count > 0 {
                        // The sender is told that a copy was too big.
                        continue;
                    }
                    prop_assert!(output.to.is_some(), "{:?}", output);
                    let fit = output.mtu.as_ref().expect("a size");
                    prop_assert!(fit.size <= fit.limit || output.next_hop.is_none() && fit.size <= fit.limit + 4, "{:?}", fit);
                }
            }
        }
    }
}
