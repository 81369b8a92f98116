//! Who has which address: the operator's word, a controller's, and what cores hear of it (CONFORMANCE SUP8).

use config::types::{Encap, Mac, Vni};

use super::OFFICE;
use crate::control::overlay::{Change, Controller, Number, OverlayFlood, OverlaySegment};
use crate::control::testing::{Gateway, address, mac};
use crate::link::Update;
use crate::tables::SegmentId;

fn number() -> Number {
    Number { encap: Encap::Vxlan, vni: Vni::new(100).expect("24 bits") }
}

/// VNI 100 answers; .5 is the operator's.
fn office() -> Gateway {
    let text = OFFICE.replace(
        "learning: {ageing: 40, limit: 3}",
        "neigh_suppress: true\n    neighbours: [{ip: 192.0.2.5, mac: \"02:00:00:00:00:05\"}]",
    );
    assert!(text.contains("neigh_suppress"), "block style");
    Gateway::new(&text)
}

impl Gateway {
    fn binds(&mut self, addresses: &[(&str, Option<u32>)]) {
        let one = |&(ip, one): &(&str, Option<u32>)| (number(), address(ip), one.map(|one| Mac(mac(one))));
        let neighbours = addresses.iter().map(one).collect();
        self.control.overlay(Controller::Ovsdb, Change { neighbours, ..Change::default() }, self.now);
    }

    fn owns(&mut self) {
        let (name, flood) = ("ls".to_owned(), OverlayFlood::All(vec![address("10.0.0.12")]));
        let segment = OverlaySegment {
            number: number(),
            name,
            attachments: Vec::new(),
            flood,
            known: Vec::new(),
            learns_from_tunnels: true,
            answers: false,
            keys: Default::default(),
        };
        let change = Change { segments: Some(vec![segment]), ..Change::default() };
        self.control.overlay(Controller::Ovsdb, change, self.now);
        self.round();
    }

    fn answering(&self) -> SegmentId {
        self.control.plan.tables.vnis.find(Encap::Vxlan, 100).expect("the segment")
    }

    /// The owner of an address on every core.
    fn owner(&self, ip: &str) -> Option<[u8; 6]> {
        let find = |core: &crate::control::testing::Core| {
            core.neighbours.find(self.answering(), address(ip)).map(|neighbour| neighbour.mac)
        };
        let first = find(&self.cores[0]);
        assert!(self.cores.iter().all(|core| find(core) == first), "all cores agree");
        first
    }
}

#[test]
fn changes_reach_the_cores_one_by_one() {
    let mut gateway = office();
    gateway.owns();
    assert_eq!(gateway.owner("192.0.2.5"), Some(mac(5)));
    for (said, wanted) in [(Some(7), Some(mac(7))), (Some(8), Some(mac(8))), (None, None)] {
        gateway.binds(&[("192.0.2.7", said), ("2001:db8::7", said)]);
        let updates: Vec<Update> = std::iter::from_fn(|| gateway.control.next(0)).collect();
        assert!(updates.iter().all(|update| matches!(update, Update::Bind(..))), "no table: {updates:?}");
        assert_eq!(updates.len(), 2);
        updates.into_iter().for_each(|update| gateway.cores[0].apply(update));
        gateway.round();
        assert_eq!((gateway.owner("192.0.2.7"), gateway.owner("2001:db8::7")), (wanted, wanted));
    }
}

#[test]
fn the_operators_word_stands_above_a_controllers_and_uncovers_it() {
    let mut gateway = office();
    gateway.owns();
    gateway.binds(&[("192.0.2.5", Some(9))]);
    gateway.round();
    assert_eq!(gateway.owner("192.0.2.5"), Some(mac(5)));
    let view = gateway.control.view_neighbours(None);
    assert_eq!((view.len(), view[0].origin.as_str()), (1, "static"));
    gateway.reload(&OFFICE.replace("learning: {ageing: 40, limit: 3}", "neigh_suppress: true"));
    assert_eq!(gateway.owner("192.0.2.5"), Some(mac(9)), "the controller's stood behind it");
    assert_eq!(gateway.control.view_neighbours(Some("100"))[0].origin, "controller");
    gateway.reload(OFFICE);
    assert_eq!(gateway.owner("192.0.2.5"), None, "the segment answers no more");
    assert!(!gateway.control.view_neighbours(None)[0].answered);
}

#[test]
fn more_addresses_than_fit_make_the_cores_tables_grow() {
    let mut gateway = office();
    gateway.owns();
    let ip = |number: u32| format!("10.1.{}.{}", number / 200, 1 + number % 200);
    for hundred in 0..20 {
        let texts: Vec<_> = (hundred * 100..hundred * 100 + 100).map(|number| (ip(number), number)).collect();
        gateway.binds(&texts.iter().map(|(text, number)| (text.as_str(), Some(*number))).collect::<Vec<_>>());
        gateway.round();
    }
    assert!((0..2000).all(|number| gateway.owner(&ip(number)) == Some(mac(number))));
    assert_eq!(gateway.cores[0].neighbours.len(), 2001);
    assert!(gateway.control.bindings.version < 15, "it grows in large steps");
    gateway.control.overlay(Controller::Ovsdb, Change { segments: Some(Vec::new()), ..Change::default() }, gateway.now);
    gateway.round();
    assert_eq!(gateway.cores[0].neighbours.len(), 1, "what the controller said goes with its segment");
}
