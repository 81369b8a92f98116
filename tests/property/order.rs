//! Whatever happens in whatever order: when the gateway rests, control and every core know the same.

use std::collections::BTreeSet;

use gateway::control::FdbFilter;
use gateway::tables::FdbEntry;
use proptest::collection::vec;
use proptest::prelude::*;

use super::cases;
use crate::support::build::{ALL, mac, tenant, vlan};
use crate::support::site::{MS, SECOND, Setup, Site};
use crate::support::world::World;

const PLAIN: World = World { geneve: false, v6: false, vlan: None };

/// Something that happens.
#[derive(Clone, Debug)]
enum Happening {
    /// A MAC speaks at a place: srv1, srv2, or VTEP 1 to 4, as one of the cores sees it.
    Speaks { core: usize, mac: u8, place: u16 },
    /// A core has its turn.
    Turn(usize),
    /// Control listens and speaks.
    Control,
    /// Another configuration.
    Reload(usize),
    /// The operator forgets MACs.
    Flush(usize),
    /// Time passes, without a turn.
    Passes(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        8 => (0usize..4, 1u8..12, 0u16..6).prop_map(|(core, mac, place)| Happening::Speaks { core, mac, place }),
        8 => (0usize..4).prop_map(Happening::Turn),
        4 => Just(Happening::Control),
        1 => (0usize..5).prop_map(Happening::Reload),
        1 => (0usize..3).prop_map(Happening::Flush),
        1 => prop_oneof![Just(50 * MS), Just(5 * SECOND), Just(40 * SECOND)].prop_map(Happening::Passes),
    ]
}

fn yaml(variant: usize) -> String {
    let (peers, more): (&[u16], &str) = match variant {
        0 => (&[1, 2], "learning: {ageing: 60}"),
        1 => (&[2, 3], "learning: {ageing: 60, limit: 3}"),
        2 => (&[1, 2], "learning: {enabled: false}"),
        3 => (&[4, 1], "accept: any, static: [{mac: \"02:00:00:00:00:01\", vtep: 10.0.1.5}]"),
        _ => (&[1], "static: [{mac: \"02:00:00:00:00:02\", port: srv2, vlan: 20}]"),
    };
    let second = if variant == 1 { "{vlan: 21, vni: 10010}" } else { "{vlan: 20, vni: 10010}" };
    PLAIN.yaml(&["{vlan: 10, vni: 10010}", second], &[(10010, peers, more)])
}

fn happen(site: &mut Site, what: &Happening) {
    let workers = site.cores.len();
    match what {
        Happening::Speaks { core, mac: number, place } => {
            let frame = tenant(ALL, mac(*number), (1, 2), 10);
            match place {
                0 => site.receive_at(core % workers, "srv1", &vlan(&frame, 10)),
                1 => site.receive_at(core % workers, "srv2", &vlan(&frame, 20)),
                peer => site.receive_at(core % workers, "up0", &PLAIN.arriving(peer - 1, 10010, &frame)),
            }
        }
        Happening::Turn(core) => _ = site.turn(core % workers),
        Happening::Control => _ = site.step_control(),
        Happening::Reload(variant) => {
            let workers = site.cores.len();
            let model = crate::support::site::model(&yaml(*variant), workers);
            site.control.reload(model, site.now).expect("nothing that needs a restart");
        }
        Happening::Flush(which) => {
            let which = match which {
                0 => FdbFilter::default(),
                1 => FdbFilter::port("srv2".into()),
                _ => FdbFilter::vni("10010".into()),
            };
            _ = site.control.flush(&which);
        }
        Happening::Passes(nanos) => {
            site.now += nanos;
            site.control.handle(gateway::control::Event::Tick, site.now);
        }
    }
}

fn known(entries: impl Iterator<Item = (gateway::tables::FdbKey, FdbEntry)>) -> BTreeSet<String> {
    entries.map(|(key, entry)| format!("{key:?} {:?}", entry.marked(0))).collect()
}

proptest! {
    #![proptest_config(cases(96))]

    /// L2d L2f L2i L2k L2l L2o CTL2
    #[test]
    fn all_cores_know_what_control_knows(
        workers in prop_oneof![Just(1usize), Just(2), Just(4)],
        ring in prop_oneof![Just(4096usize), Just(4)],
        happenings in vec(happening(), 1..150),
    ) {
        let mut site = Site::with(&yaml(0), &Setup { workers, rings: (ring, 64), ..Setup::default() });
        for what in &happenings {
            happen(&mut site, what);
        }
        site.run();
        let truth = known(site.control.entries());
        for core in 0..workers {
            let knows = known(site.cores[core].shard().fdb.iter());
            prop_assert_eq!(&knows, &truth, "core {} of {}", core, workers);
        }
        site.all_sent();
        site.assert_balanced();
    }
}
