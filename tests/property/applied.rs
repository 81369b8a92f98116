//! Another configuration while frames flow ends where a fresh start with it ends, and what it does not concern loses nothing.

use std::collections::BTreeMap;

use config::types::Model;
use gateway::control::{FdbFilter, fixed_parts};
use gateway::counters::Counters;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::cases;
use super::frames::{from_server, from_vtep};
use crate::support::build::{mac, tenant, vlan};
use crate::support::site::{Setup, Site, model};

/// Choices of a random configuration.
#[derive(Clone, Debug)]
struct Choices {
    sources: &'static str,
    ports: (u16, u16),
    entropy: u16,
    vlans: [Vec<(&'static str, u8)>; 2],
    limits: (Option<u32>, Option<u32>),
    vnis: Vec<Option<Vni>>,
    rule: &'static str,
}

/// A segment of it.
#[derive(Clone, Debug)]
struct Vni {
    geneve: bool,
    peers: Vec<u8>,
    more: Vec<&'static str>,
    static_at: Option<u8>,
}

const TAGS: [&str; 5] = ["vlan: 10", "vlan: 11", "vlan: 20, pcp: 5", "vlan: untagged", "outer: 300, inner: 7"];
const MORE: [&str; 10] = [
    "access_list: guests",
    "learning: {limit: 3}",
    "accept: any",
    "flood_unknown: false",
    "inner_vlan: pass",
    "ttl: inherit",
    "tos: inherit",
    "df: unset",
    "checksum: {ipv4: true}",
    "name: NAME",
];

/// What an access list begins with, that a VNI may refer to.
const RULES: [&str; 3] = ["deny", "deny, protocol: udp", "permit, protocol: udp"];

fn any_vni() -> impl Strategy<Value = Vni> {
    let more = proptest::sample::subsequence(MORE.to_vec(), 0..4);
    (any::<bool>(), proptest::sample::subsequence(vec![1, 2, 3], 0..=3), more, proptest::option::of(1u8..4))
        .prop_map(|(geneve, peers, more, static_at)| Vni { geneve, peers, more, static_at })
}

fn choices() -> impl Strategy<Value = Choices> {
    let bindings = || {
        vec(0u8..4, TAGS.len()).prop_flat_map(|vnis| {
            let all: Vec<_> = TAGS.into_iter().zip(vnis).collect();
            proptest::sample::subsequence(all, 0..=TAGS.len())
        })
    };
    let limit = || proptest::option::of(1u32..4);
    (
        select(vec!["10.0.0.11", "[10.0.0.11, \"2001:db8::11\"]", "10.0.0.99"]),
        (select(vec![4789u16, 8472]), select(vec![6081u16, 6082])),
        select(vec![49152u16, 1024]),
        [bindings().boxed(), bindings().boxed()],
        (limit(), limit()),
        vec(proptest::option::weighted(0.8, any_vni()), 4),
        select(RULES.to_vec()),
    )
        .prop_map(|(sources, ports, entropy, vlans, limits, vnis, rule)| Choices {
            sources,
            ports,
            entropy,
            vlans,
            limits,
            vnis,
            rule,
        })
}

/// The file. What refers to a VNI that is not there is left out.
fn yaml(choices: &Choices) -> String {
    let Choices { sources, ports, entropy, vlans, limits, vnis, rule } = choices;
    let mut text = format!(
        "version: 1\nvtep: {{source: {sources}, vxlan_port: {}, geneve_port: {}, source_ports: [{entropy}, 65535]}}\nports:\n  \
         - {{name: up0, device: net_null0, mtu: 2000, underlay: {{via: {{mac: \"02:00:00:00:ff:01\"}}}}}}\n",
        ports.0, ports.1
    );
    for (number, (bindings, limit)) in vlans.iter().zip([limits.0, limits.1]).enumerate() {
        let there = bindings.iter().filter(|(_, vni)| vnis[usize::from(*vni)].is_some());
        let bindings: Vec<_> = there.map(|(tag, vni)| format!("{{{tag}, vni: {}}}", 10010 + u32::from(*vni))).collect();
        let limit = limit.map_or(String::new(), |limit| format!(", mac_limit: {limit}"));
        let (name, bindings) = (number + 1, bindings.join(", "));
        text += &format!("  - {{name: srv{name}, device: net_null{name}{limit}, vlans: [{bindings}]}}\n");
    }
    text += &format!("access_lists: [{{name: guests, rules: [{{action: {rule}}}]}}]\nvnis:\n");
    for (number, vni) in vnis.iter().enumerate() {
        let Some(Vni { geneve, peers, more, static_at }) = vni else { continue };
        let peers: Vec<_> = peers.iter().map(|peer| format!("10.0.1.{}", peer + 1)).collect();
        let encap = if *geneve { "geneve" } else { "vxlan" };
        text += &format!("  - {{vni: {}, encap: {encap}, flood: {{vteps: [{}]}}", 10010 + number, peers.join(", "));
        more.iter().for_each(|more| text += &format!(", {}", more.replace("NAME", &format!("blue{number}"))));
        if let Some(peer) = static_at {
            text += &format!(", static: [{{mac: \"02:00:00:00:00:0{peer}\", vtep: 10.0.1.{}}}]", peer + 1);
        }
        text += "}\n";
    }
    text
}

/// Everything that a gateway tells of itself, without what it counted and noticed.
fn told(site: &Site) -> String {
    let control = &site.control;
    let macs: Vec<_> = control.view_fdb(&FdbFilter::default(), site.now).collect();
    let mut vteps = control.view_vteps();
    // What peers sent before stays known, as it should.
    vteps.iter_mut().for_each(|vtep| (vtep.last_seen, vtep.sends) = (None, None));
    vteps.sort_by_key(|vtep| (vtep.vtep.clone(), vtep.encap.clone()));
    // What peers sent is no state.
    vteps.iter_mut().for_each(|vtep| (vtep.last_seen, vtep.sends) = (None, None));
    let mut macs: Vec<String> = macs.iter().map(|mac| format!("{mac:?}")).collect();
    macs.sort();
    let mut text = String::new();
    control
        .view_ports()
        .iter()
        .for_each(|port| text += &format!("{:?}\n", (&port.attachments, &port.underlay, port.macs)));
    control.view_vnis().iter().for_each(|vni| text += &format!("{vni:?}\n"));
    vteps.iter().for_each(|vtep| text += &format!("{vtep:?}\n"));
    text + &macs.join("\n")
}

/// What came out, by port, and what was dropped, by reason.
type Outcome = (BTreeMap<String, Vec<Vec<u8>>>, BTreeMap<&'static str, u64>);

/// All that comes out for a frame, copies in any order.
fn comes_of(site: &mut Site, port: &str, frame: &[u8]) -> Outcome {
    let before = site.counters();
    let mut out = site.pass(port, frame);
    // Each core counts the IPv4 identifications of what may be fragmented; the checksum follows.
    for frame in out.get_mut("up0").into_iter().flatten().filter(|frame| frame[12..14] == [8, 0]) {
        frame[18..20].fill(0);
        frame[24..26].fill(0);
    }
    out.values_mut().for_each(|frames| frames.sort());
    let after: Counters = site.counters();
    let reasons = gateway::verdict::DropReason::ALL.iter();
    let drops = reasons.map(|&reason| (reason.label(), after.dropped(reason) - before.dropped(reason)));
    (out, drops.filter(|(_, count)| *count > 0).collect())
}

fn parsed(choices: &Choices) -> Option<(String, Model)> {
    let text = yaml(choices);
    config::parse("test.yaml", &text).is_ok().then(|| (text.clone(), model(&text, 2)))
}

proptest! {
    #![proptest_config(cases(96))]

    /// CTL2: apply(plan(a -> b)) is a fresh start with b, whatever way led there.
    #[test]
    fn a_change_ends_where_a_fresh_start_ends(
        way in vec(choices(), 2..5),
        frames in vec(prop_oneof![
            (Just("srv1"), from_server()), (Just("srv2"), from_server()), (Just("up0"), from_vtep())
        ], 1..20),
    ) {
        let way: Vec<_> = way.iter().filter_map(parsed).collect();
        prop_assume!(way.len() >= 2);
        let setup = Setup { workers: 2, ..Setup::default() };
        let mut changed = Site::with(&way[0].0, &setup);
        for (number, pair) in way.windows(2).enumerate() {
            // The plan says what there is to change, and all of it can change while frames flow.
            let rows = config::differences(&pair[0].1, &pair[1].1);
            prop_assert_eq!(rows.is_empty(), pair[0].1 == pair[1].1);
            prop_assert!(fixed_parts(&pair[0].1, &pair[1].1).is_empty());
            // Frames in between are learned from; what they taught is forgotten again.
            for (port, frame) in frames.iter().skip(number) {
                changed.pass(port, frame);
            }
            changed.reload(&pair[1].0);
            changed.run();
        }
        changed.control.flush(&FdbFilter::default()).expect("everything");
        changed.wait(crate::support::site::SECOND);
        let (last, _) = way.last().expect("two at least");
        let mut fresh = Site::with(last, &setup);
        fresh.now = changed.now;
        changed.control.clear_counters();
        // VTEPs that were met stay known for a while where any sender is accepted.
        if !last.contains("accept: any") {
            prop_assert_eq!(told(&changed), told(&fresh));
        }
        for (port, frame) in &frames {
            prop_assert_eq!(comes_of(&mut changed, port, frame), comes_of(&mut fresh, port, frame), "{} on {}", last, port);
        }
        changed.assert_balanced();
    }

    /// CTL2: whatever changes around it, a VNI that no change concerns loses no frame and floods none that was known.
    #[test]
    fn what_a_change_does_not_concern_loses_nothing(
        way in vec(choices(), 1..8),
        others in vec((Just("srv1"), from_server()), 1..8),
        workers in 1usize..4,
    ) {
        // VNI 77 is the same in all of them, and so is what its frames are made of on the way.
        let steady = |choices: &Choices| {
            let mut choices = choices.clone();
            (choices.sources, choices.ports, choices.entropy, choices.limits) = ("10.0.0.11", (4789, 6081), 49152, (None, None));
            yaml(&choices)
                .replace("vlans: [", "vlans: [{vlan: 77, vni: 77}, ")
                .replace(", ]", "]") + "  - {vni: 77, flood: {vteps: [10.0.1.2]}}\n"
        };
        let way: Vec<_> = way.iter().map(steady).filter(|text| config::parse("test.yaml", text).is_ok()).collect();
        prop_assume!(!way.is_empty());
        let mut site = Site::with(&way[0], &Setup { workers, ..Setup::default() });
        let (ann, bob) = (mac(0xa1), mac(0xb2));
        site.pass("srv1", &vlan(&tenant(bob, ann, (1, 1), 10), 77));
        site.pass("srv2", &vlan(&tenant(ann, bob, (1, 1), 10), 77));
        let mut sent = 0;
        for (number, text) in way.iter().cycle().take(12).enumerate() {
            let mut send = |site: &mut Site, flow: u16| for core in 0..workers {
                site.receive_at(core, "srv1", &vlan(&tenant(bob, ann, (number as u16, flow), 10), 77));
                sent += 1;
            };
            send(&mut site, 1);
            site.control.reload(model(text, workers), site.now).expect("nothing that needs a restart");
            site.turn(number % workers);
            send(&mut site, 2);
            site.step_control();
            send(&mut site, 3);
            let (port, frame) = &others[number % others.len()];
            site.receive(port, frame);
            site.run();
        }
        let arrived = site.sent("srv2").into_iter().filter(|frame| frame[..6] == bob && frame[14..16] == [0, 77]).count();
        prop_assert_eq!(arrived, sent);
        let flooded = site.sent("up0").into_iter().filter(|frame| frame.windows(12).any(|part| part[..6] == bob && part[6..] == ann));
        prop_assert_eq!(flooded.count(), 0, "BOB stays known");
    }
}
