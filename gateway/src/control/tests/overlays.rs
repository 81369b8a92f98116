//! Controllers and the file: who says what is in force (CONFORMANCE CTL2).

use std::net::IpAddr;

use config::types::{Encap, Flood, Mac, Tag, Vid, Vni};

use super::OFFICE;
use crate::control::overlay::{
    Change, Controller, Feedback, Number, OverlayFlood, OverlaySegment, Part, Refusal, RemoteMac,
};
use crate::control::testing::{Gateway, address, mac};
use crate::control::{FdbFilter, MacOrigin};
use crate::tables::{FdbKey, Origin, TunnelKey, Way};

const FIRST: Number = number(500);

const fn number(vni: u32) -> Number {
    match Vni::new(vni) {
        Some(vni) => Number { encap: Encap::Vxlan, vni },
        None => panic!("24 bits"),
    }
}

fn vlan(vid: u16) -> Tag {
    Tag::Vlan(Vid::new(vid).expect("a VLAN"))
}

fn all(vteps: &[&str]) -> OverlayFlood {
    OverlayFlood::All(vteps.iter().map(|vtep| address(vtep)).collect())
}

/// A logical switch with VLAN 50 of srv1.
fn segment(number: Number, flood: OverlayFlood) -> OverlaySegment {
    OverlaySegment {
        number,
        name: format!("ls{}", number.vni),
        attachments: vec![(1, vlan(50))],
        flood,
        known: Vec::new(),
        learns_from_tunnels: true,
        answers: false,
        keys: Default::default(),
    }
}

fn macs(number: Number, places: &[(u32, Option<&str>)]) -> Vec<(Number, Mac, Option<RemoteMac>)> {
    places.iter().map(|&(one, vtep)| (number, Mac(mac(one)), vtep.map(|vtep| address(vtep).into()))).collect()
}

impl Gateway {
    fn says(
        &mut self,
        controller: Controller,
        segments: Option<Vec<OverlaySegment>>,
        macs: Vec<(Number, Mac, Option<RemoteMac>)>,
    ) {
        let change = Change { segments, macs, ..Change::default() };
        self.control.overlay(controller, change, self.now);
        self.round();
    }

    fn numbered(&self, number: Number, one: u32) -> Option<FdbKey> {
        let id = self.control.plan.tables.vnis.find(number.encap, number.vni.value())?;
        Some(FdbKey::new(id, mac(one)))
    }

    /// The VTEP of a MAC on every core, and who says so.
    fn at(&self, number: Number, one: u32) -> Option<(String, Origin)> {
        let (endpoint, origin) = self.agreed(self.numbered(number, one)?)?;
        let place = self.control.naming.endpoints.key(endpoint.0).expect("a name");
        Some((format!("{place:?}"), origin))
    }

    fn is_behind(&self, number: Number, one: u32, vtep: &str) -> bool {
        self.at(number, one)
            .is_some_and(|(place, origin)| place.contains(&format!("{vtep},")) && origin == Origin::Controller)
    }

    fn flood(&self, number: Number) -> Vec<IpAddr> {
        let segments = &self.control.model().segments;
        let found = segments.iter().find(|segment| segment.vxlan == Some(number.vni)).expect("the segment");
        let Flood::Vteps(list) = &found.flood else { panic!("a group") };
        list.iter().map(|remote| remote.address).collect()
    }

    fn hears(&mut self, controller: Controller) -> Feedback {
        self.control.feedback(controller, usize::MAX)
    }
}

#[test]
fn a_controllers_segment_comes_with_its_vlans_flood_list_and_macs_and_goes_without_a_trace() {
    let mut gateway = Gateway::new(OFFICE);
    let before = gateway.control.model().clone();
    let wanted = segment(FIRST, all(&["10.0.0.21", "10.0.0.22"]));
    gateway.says(Controller::Ovsdb, Some(vec![wanted]), macs(FIRST, &[(7, Some("10.0.0.21"))]));
    assert!(gateway.is_behind(FIRST, 7, "10.0.0.21"), "{:?}", gateway.at(FIRST, 7));
    assert_eq!(gateway.flood(FIRST), [address("10.0.0.21"), address("10.0.0.22")]);
    gateway.attachment("srv1", "50");
    assert_eq!(gateway.control.configured(), &before);
    gateway.says(Controller::Ovsdb, None, macs(FIRST, &[(7, Some("10.0.0.22"))]));
    assert!(gateway.is_behind(FIRST, 7, "10.0.0.22"), "{:?}", gateway.at(FIRST, 7));
    let key = gateway.numbered(FIRST, 7).expect("the segment is there");
    gateway.says(Controller::Ovsdb, Some(Vec::new()), Vec::new());
    assert_eq!((gateway.agreed(key), gateway.control.model()), (None, &before));
    assert_eq!(gateway.control.remote_macs(Controller::Ovsdb), 0);
}

/// A MAC moves without a compilation, so nothing else is disturbed.
#[test]
fn macs_alone_do_not_compile_anew() {
    let mut gateway = Gateway::new(OFFICE);
    gateway.says(Controller::Ovsdb, Some(vec![segment(FIRST, all(&["10.0.0.21"]))]), Vec::new());
    let version = gateway.control.version;
    gateway.says(Controller::Ovsdb, None, macs(FIRST, &[(7, Some("10.0.0.21")), (8, Some("10.0.0.21"))]));
    gateway.says(Controller::Ovsdb, None, macs(FIRST, &[(7, None)]));
    assert_eq!(gateway.control.version, version);
    assert!(gateway.at(FIRST, 7).is_none() && gateway.is_behind(FIRST, 8, "10.0.0.21"));
}

/// A MAC that goes while its segment changes is gone.
#[test]
fn a_mac_goes_in_the_same_word_as_its_segment_changes() {
    let mut gateway = Gateway::new(OFFICE);
    let first = segment(FIRST, all(&["10.0.0.21", "10.0.0.22"]));
    gateway.says(Controller::Ovsdb, Some(vec![first]), macs(FIRST, &[(7, Some("10.0.0.21")), (8, Some("10.0.0.22"))]));
    let other = segment(FIRST, all(&["10.0.0.21"]));
    gateway.says(Controller::Ovsdb, Some(vec![other]), macs(FIRST, &[(7, None)]));
    assert!(gateway.at(FIRST, 7).is_none());
    assert!(gateway.at(FIRST, 8).is_none(), "its VTEP is no longer one of the segment's");
}

/// What the operator wrote stands: static MACs, bindings, the flood list. The controller adds to it.
#[test]
fn a_segment_of_the_file_takes_a_controllers_vteps_and_macs_and_keeps_its_own() {
    let mut gateway = Gateway::new(OFFICE);
    let office = number(100);
    let mut wanted = segment(office, all(&["10.0.0.13", "10.0.0.21"]));
    wanted.attachments.push((1, vlan(20)));
    gateway.says(
        Controller::Ovsdb,
        Some(vec![wanted]),
        macs(office, &[(5, Some("10.0.0.21")), (9, Some("10.0.0.21"))]),
    );
    assert_eq!(gateway.flood(office), ["10.0.0.12", "10.0.0.13", "10.0.0.21"].map(address));
    assert!(gateway.is_behind(office, 9, "10.0.0.21"));
    let refused = gateway.hears(Controller::Ovsdb).refused.expect("VLAN 20 is segment 200's");
    let [Refusal { number, part: Part::Attachment((1, tag)), why }] = &refused[..] else { panic!("{refused:?}") };
    assert_eq!((*number, *tag), (office, vlan(20)));
    assert!(why.contains("in segment 200 already"), "{why}");
    gateway.says(Controller::Ovsdb, Some(Vec::new()), Vec::new());
    assert_eq!(gateway.flood(office), ["10.0.0.12", "10.0.0.13"].map(address));
    assert!(gateway.at(office, 9).is_none());
    assert_eq!(gateway.hears(Controller::Ovsdb).refused, Some(Vec::new()), "that it is over is news too");
}

/// Two controllers that flood one segment could send frames in circles.
#[test]
fn a_segment_belongs_to_one_controller_and_passes_on_when_that_lets_go() {
    let mut gateway = Gateway::new(OFFICE);
    let wanted = |vtep| vec![OverlaySegment { attachments: Vec::new(), ..segment(FIRST, all(&[vtep])) }];
    gateway.says(
        Controller::Evpn,
        Some(wanted("10.0.0.31")),
        macs(FIRST, &[(7, Some("10.0.0.31")), (8, Some("10.0.0.31"))]),
    );
    assert!(gateway.is_behind(FIRST, 7, "10.0.0.31"));
    gateway.says(Controller::Ovsdb, Some(wanted("10.0.0.21")), macs(FIRST, &[(7, Some("10.0.0.21"))]));
    assert!(gateway.is_behind(FIRST, 7, "10.0.0.21") && gateway.at(FIRST, 8).is_none());
    assert_eq!(gateway.flood(FIRST), [address("10.0.0.21")]);
    let refused = gateway.hears(Controller::Evpn).refused.expect("it lost the segment");
    assert!(refused[0].why.contains("belongs to ovsdb"), "{refused:?}");
    gateway.says(Controller::Evpn, None, macs(FIRST, &[(9, Some("10.0.0.31"))]));
    assert!(gateway.at(FIRST, 9).is_none(), "it is held back");
    gateway.says(Controller::Ovsdb, Some(Vec::new()), Vec::new());
    assert!([7, 8, 9].iter().all(|&one| gateway.is_behind(FIRST, one, "10.0.0.31")));
}

#[test]
fn a_reload_keeps_what_controllers_said() {
    let mut gateway = Gateway::new(OFFICE);
    gateway.says(
        Controller::Ovsdb,
        Some(vec![segment(FIRST, all(&["10.0.0.21"]))]),
        macs(FIRST, &[(7, Some("10.0.0.21"))]),
    );
    gateway.reload(
        &OFFICE.replace("  - vni: 200\n    flood: {vteps: [10.0.0.13]}\n", "").replace(", {vlan: 20, vni: 200}", ""),
    );
    assert!(gateway.is_behind(FIRST, 7, "10.0.0.21"));
    assert_eq!(gateway.control.configured().segments.len(), 1);
    assert_eq!(gateway.control.model().segments.len(), 2);
}

/// Service nodes: one copy, to a node that answers.
#[test]
fn one_service_node_is_used_and_another_when_it_does_not_answer() {
    let office =
        OFFICE.replace(r#"underlay: {via: {mac: "02:00:00:00:00:99"}}"#, "underlay: {addresses: 10.0.0.11/24}");
    let mut gateway = Gateway::new(&office);
    let nodes = OverlayFlood::OneOf(vec![address("10.0.0.21"), address("10.0.0.22")]);
    gateway.says(Controller::Ovsdb, Some(vec![segment(FIRST, nodes)]), Vec::new());
    assert_eq!(gateway.flood(FIRST), [address("10.0.0.21")], "as long as none is known to answer");
    gateway.resolve("10.0.0.22", &[(0, Some(Mac([2; 6])))]);
    assert_eq!(gateway.flood(FIRST), [address("10.0.0.22")]);
    gateway.resolve("10.0.0.21", &[(0, Some(Mac([2; 6])))]);
    assert_eq!(gateway.flood(FIRST), [address("10.0.0.21")]);
    gateway.resolve("10.0.0.21", &[(0, None)]);
    assert_eq!(gateway.flood(FIRST), [address("10.0.0.22")]);
    assert!(gateway.tunnel("10.0.0.21", Encap::Vxlan).is_some(), "and what the other sends is accepted");
}

#[test]
fn a_controller_hears_of_local_macs_from_the_start_and_as_they_change() {
    let mut gateway = Gateway::new(OFFICE);
    let office = number(100);
    gateway.see(0, gateway.key("100", 30), gateway.attachment("srv1", "10"));
    gateway.see(0, gateway.key("100", 31), gateway.tunnel("10.0.0.12", Encap::Vxlan).expect("listed"));
    let wanted = OverlaySegment { attachments: Vec::new(), ..segment(office, all(&["10.0.0.12"])) };
    gateway.says(Controller::Ovsdb, Some(vec![wanted]), Vec::new());
    let mut heard = gateway.hears(Controller::Ovsdb);
    heard.locals.retain(|local| local.2.is_some());
    heard.locals.sort();
    let at = Some((1, vlan(10)));
    assert_eq!(heard.afresh, [office]);
    assert_eq!(
        heard.locals,
        [(office, Mac([2, 0, 0, 0, 0, 6]), at), (office, Mac(mac(30)), at)],
        "the static one, too"
    );
    assert!(gateway.hears(Controller::Ovsdb).is_empty());
    gateway.see(1, gateway.key("100", 30), gateway.attachment("srv2", "10"));
    assert_eq!(gateway.hears(Controller::Ovsdb).locals, [(office, Mac(mac(30)), Some((2, vlan(10))))]);
    gateway.pass(60);
    let heard = gateway.hears(Controller::Ovsdb).locals;
    assert!(heard.contains(&(office, Mac(mac(30)), None)), "{heard:?}");
}

#[test]
fn macs_beyond_the_table_wait_until_there_is_room() {
    let mut gateway = Gateway::new(&OFFICE.replace("\nvtep:", "\nfdb: {size: 1024}\nvtep:"));
    gateway.says(Controller::Ovsdb, Some(vec![segment(FIRST, all(&["10.0.0.21"]))]), Vec::new());
    let many = |vtep: Option<&'static str>, range: std::ops::Range<u32>| {
        macs(FIRST, &range.map(|one| (one, vtep)).collect::<Vec<_>>())
    };
    gateway.says(Controller::Ovsdb, None, many(Some("10.0.0.21"), 1000..2100));
    assert_eq!((gateway.control.known_macs(), gateway.hears(Controller::Ovsdb).full), (1024, Some(true)));
    gateway.says(Controller::Ovsdb, None, many(None, 1000..1500));
    gateway.pass(1);
    assert_eq!((gateway.control.known_macs(), gateway.hears(Controller::Ovsdb).full), (602, Some(false)));
}

#[test]
fn what_a_lost_controller_said_is_marked() {
    let mut gateway = Gateway::new(OFFICE);
    gateway.says(
        Controller::Ovsdb,
        Some(vec![segment(FIRST, all(&["10.0.0.21"]))]),
        macs(FIRST, &[(7, Some("10.0.0.21"))]),
    );
    let seen = |gateway: &Gateway| {
        let rows: Vec<_> = gateway.control.view_fdb(&FdbFilter::default(), gateway.now).collect();
        rows.iter().find(|row| row.origin == "controller").map(|row| (row.controller.clone(), row.stale))
    };
    assert_eq!(seen(&gateway), Some((Some("ovsdb".into()), false)));
    gateway.control.overlay(Controller::Ovsdb, Change { stale: Some(true), ..Change::default() }, gateway.now);
    assert_eq!(seen(&gateway), Some((Some("ovsdb".into()), true)));
    let vni = gateway.control.view_vnis().pop().expect("the controller's");
    assert_eq!((vni.name.as_str(), vni.controller.as_deref()), ("ls500", Some("ovsdb")));
    let vteps = gateway.control.view_vteps();
    let origins: Vec<_> = vteps.iter().map(|vtep| (vtep.vtep.as_str(), vtep.origin.as_str())).collect();
    assert!(
        origins.contains(&("10.0.0.21", "controller")) && origins.contains(&("10.0.0.12", "configured")),
        "{origins:?}"
    );
}

/// EVPN mobility (RFC 7432 section 15), CTL7.
#[test]
fn a_mac_that_moves_goes_to_a_port_of_ours_at_first_sight_and_back_when_told() {
    let mut gateway = Gateway::new(OFFICE);
    let office = number(100);
    let told = |moves| Some(RemoteMac { vtep: address("10.0.0.12"), moves });
    let wanted = OverlaySegment {
        attachments: Vec::new(),
        learns_from_tunnels: false,
        ..segment(office, all(&["10.0.0.12", "10.0.0.21"]))
    };
    let [free, sticky] = [Mac(mac(30)), Mac(mac(31))];
    gateway.says(
        Controller::Evpn,
        Some(vec![wanted.clone()]),
        vec![(office, free, told(true)), (office, sticky, told(false))],
    );
    // What all cores agree on.
    let place = |gateway: &Gateway, one| gateway.agreed(gateway.key("100", one)).map(|(at, _)| at);
    let here = gateway.attachment("srv1", "10");
    let far = place(&gateway, 31);
    assert_eq!(place(&gateway, 30), far);
    gateway.see(0, gateway.key("100", 30), here);
    gateway.see(0, gateway.key("100", 31), here);
    assert_eq!((place(&gateway, 30), place(&gateway, 31)), (Some(here), far), "a sticky one stays");
    assert!(gateway.hears(Controller::Evpn).locals.contains(&(office, free, Some((1, vlan(10))))));
    // Tables that are made anew do not take it away, nor does another tunnel.
    gateway.says(Controller::Evpn, Some(vec![wanted]), Vec::new());
    let tunnel = gateway.tunnel("10.0.0.21", Encap::Vxlan).expect("in the flood list");
    gateway.see(0, gateway.key("100", 30), tunnel);
    assert_eq!(place(&gateway, 30), Some(here));
    // EVPN says that it left.
    gateway.says(Controller::Evpn, None, vec![(office, free, told(true))]);
    assert_eq!(place(&gateway, 30), far);
}

#[test]
fn where_a_controller_tells_all_that_is_behind_vteps_frames_teach_nothing_of_them() {
    let mut gateway = Gateway::new(OFFICE);
    let tunnel = gateway.tunnel("10.0.0.12", Encap::Vxlan).expect("listed");
    gateway.see(0, gateway.key("100", 40), tunnel);
    assert!(gateway.control.fdb.record(gateway.key("100", 40)).is_some());
    let office = segment(number(100), all(&["10.0.0.12"]));
    let wanted = OverlaySegment { attachments: Vec::new(), learns_from_tunnels: false, ..office };
    gateway.says(Controller::Evpn, Some(vec![wanted]), Vec::new());
    gateway.see(0, gateway.key("100", 41), tunnel);
    gateway.see(0, gateway.key("100", 42), gateway.attachment("srv1", "10"));
    let known = [40, 41, 42].map(|one| gateway.control.fdb.record(gateway.key("100", one)).is_some());
    assert_eq!(known, [false, false, true]);
}

/// Tables are made anew for the controller's sake; what the file says is not told again, and what the controller changed of
/// it is as the file has it once the controller is silent.
#[test]
fn what_the_file_says_is_as_it_was_whatever_a_controller_says_and_takes_back() {
    let mut gateway = Gateway::new(OFFICE);
    let (before, fixed) = (gateway.control.model().clone(), gateway.agreed(gateway.key("100", 5)));
    let office = OverlaySegment { attachments: vec![(2, vlan(60))], ..segment(number(100), all(&["10.0.0.21"])) };
    let closed = OverlaySegment { learns_from_tunnels: false, known: vec![address("10.0.0.22")], ..office.clone() };
    for wanted in [vec![office.clone()], vec![segment(FIRST, all(&["10.0.0.23"])), closed], vec![office]] {
        let change = Change { segments: Some(wanted), ..Change::default() };
        gateway.control.overlay(Controller::Ovsdb, change, gateway.now);
        gateway.control.settle(gateway.now);
        assert!(matches!(gateway.control.next(0), Some(crate::link::Update::Tables(_))));
        assert!(!matches!(gateway.control.next(0), Some(crate::link::Update::Put(..))), "no MAC of the file");
    }
    assert_eq!(gateway.flood(number(100)), ["10.0.0.12", "10.0.0.13", "10.0.0.21"].map(address));
    let other = gateway.control.configured().clone();
    assert_eq!(other, before);
    gateway.says(Controller::Ovsdb, Some(Vec::new()), Vec::new());
    assert_eq!((gateway.control.model(), gateway.agreed(gateway.key("100", 5))), (&before, fixed));
}

#[test]
fn a_mac_put_by_hand_where_a_controller_brought_something_goes_with_it() {
    let mut gateway = Gateway::new(OFFICE);
    gateway.says(Controller::Ovsdb, Some(vec![segment(FIRST, all(&["10.0.0.21"]))]), Vec::new());
    let spot = crate::control::Spot::Vtep(address("10.0.0.21"), None);
    gateway.control.put_mac("ls500", Mac(mac(9)), &spot).expect("the tunnel is there");
    gateway.round();
    let key = gateway.numbered(FIRST, 9).expect("the segment is there");
    assert!(gateway.agreed(key).is_some());
    gateway.says(Controller::Ovsdb, Some(vec![segment(FIRST, all(&["10.0.0.22"]))]), Vec::new());
    assert_eq!(gateway.agreed(key), None);
    assert!(gateway.control.fdb.record(key).is_none());
    assert!(gateway.control.remove_mac("ls500", Mac(mac(9))).is_err(), "it is forgotten");
}

/// A VNI that only the controller names answers for the addresses that it tells; one of the file does as the file says.
#[test]
fn a_controllers_own_segment_answers_for_the_addresses_that_it_tells() {
    let mut gateway = Gateway::new(OFFICE);
    let with = |number, answers| OverlaySegment { answers, ..segment(number, all(&["10.0.0.21"])) };
    let neighbours = vec![(FIRST, address("192.168.7.21"), Some(Mac(mac(21))))];
    let change = |answers| {
        let office = OverlaySegment { attachments: Vec::new(), ..with(number(100), true) };
        Change {
            segments: Some(vec![with(FIRST, answers), office]),
            neighbours: neighbours.clone(),
            ..Change::default()
        }
    };
    let answers = |gateway: &Gateway| -> Vec<_> {
        let segments = &gateway.control.model().segments;
        segments.iter().map(|segment| (segment.name.clone(), segment.suppress)).collect()
    };
    let own = |yes| vec![("100".to_owned(), false), ("200".to_owned(), false), ("ls500".to_owned(), yes)];
    gateway.control.overlay(Controller::Ovsdb, change(true), gateway.now);
    gateway.round();
    assert_eq!(answers(&gateway), own(true));
    let row = gateway.control.view_neighbours(Some("ls500")).pop().expect("it is known");
    assert_eq!((row.ip.as_str(), row.answered), ("192.168.7.21", true));
    let id = gateway.numbered(FIRST, 0).expect("it is there").segment();
    assert!(gateway.control.bindings.entry(id, address("192.168.7.21")).is_some(), "cores know");
    gateway.control.overlay(Controller::Ovsdb, change(false), gateway.now);
    gateway.round();
    assert_eq!(answers(&gateway), own(false));
    assert!(gateway.control.bindings.entry(id, address("192.168.7.21")).is_none());
}

/// Its tunnel is another endpoint of the same address: next hops reach both, and MACs behind it are behind that one.
#[test]
fn a_vtep_with_a_number_of_its_own_is_an_endpoint_of_its_own() {
    let office =
        OFFICE.replace(r#"underlay: {via: {mac: "02:00:00:00:00:99"}}"#, "underlay: {addresses: 10.0.0.11/24}");
    let mut gateway = Gateway::new(&office);
    let keys = [(address("10.0.0.12"), Vni::new(7).expect("24 bits"))].into();
    let wanted = OverlaySegment { keys, ..segment(FIRST, all(&["10.0.0.12"])) };
    gateway.says(Controller::Ovsdb, Some(vec![wanted.clone()]), macs(FIRST, &[(7, Some("10.0.0.12"))]));
    let key = TunnelKey { remote: address("10.0.0.12"), encap: Encap::Vxlan, vni: Vni::new(7) };
    let (plain, keyed) = (gateway.tunnel("10.0.0.12", Encap::Vxlan), gateway.control.plan.tunnels.get(&key).copied());
    let (plain, keyed) = (plain.expect("the file's"), keyed.expect("the controller's"));
    assert_ne!(plain, keyed);
    let mac = gateway.numbered(FIRST, 7).expect("it is there");
    assert_eq!(gateway.agreed(mac).map(|(at, _)| at), Some(keyed));
    gateway.resolve("10.0.0.12", &[(0, Some(Mac([2; 6])))]);
    for id in [plain, keyed] {
        let tables = &gateway.cores[1].tables;
        let Way::Tunnel(tunnel) = &tables.endpoints[id.index()].way else { panic!("a tunnel") };
        assert_eq!((tunnel.hops.len(), tunnel.vni.is_some()), (1, id == keyed));
    }
    let find = |gateway: &Gateway, vni| gateway.cores[0].tables.keyed.find(Encap::Vxlan, vni, key.remote);
    assert_eq!(find(&gateway, 7), Some((mac.segment(), keyed)));
    assert_eq!(find(&gateway, 500), find(&gateway, 7));
    assert_eq!(find(&gateway, 100), None, "the file's VNI is none of this");
    // What is shown tells them apart; what is measured is one VTEP.
    let shown = gateway.control.view_vteps().into_iter().filter(|vtep| vtep.vtep == "10.0.0.12");
    assert_eq!(shown.map(|vtep| (vtep.own_vni, vtep.macs)).collect::<Vec<_>>(), [(None, 1), (Some(7), 1)]);
    let behind = FdbFilter { origin: Some(MacOrigin::Controller), ..FdbFilter::vtep(address("10.0.0.12")) };
    let row = gateway.control.view_fdb(&behind, gateway.now).next().expect("it is there");
    assert_eq!((row.place.as_str(), row.own_vni), ("10.0.0.12 vxlan vni 7", Some(7)));
    let measured = gateway.control.measure(1000).vteps.into_iter().filter(|vtep| vtep.vtep == "10.0.0.12");
    assert_eq!(measured.map(|vtep| vtep.macs).collect::<Vec<_>>(), [2]);
    // The same VTEP without a number of its own.
    let plainly = OverlaySegment { keys: Default::default(), ..wanted };
    gateway.says(Controller::Ovsdb, Some(vec![plainly]), Vec::new());
    assert_eq!(gateway.agreed(mac).map(|(at, _)| at), Some(plain));
    assert_eq!(find(&gateway, 7), None);
}

/// A segment that goes to another controller takes none of the first one's MACs along.
#[test]
fn macs_of_a_controller_go_with_its_segment_to_nobody() {
    let mut gateway = Gateway::new(OFFICE);
    let wanted = || Some(vec![segment(FIRST, all(&["10.0.0.21"]))]);
    gateway.says(Controller::Evpn, wanted(), macs(FIRST, &[(7, Some("10.0.0.21")), (8, Some("10.0.0.21"))]));
    assert!(gateway.is_behind(FIRST, 7, "10.0.0.21"));
    gateway.says(Controller::Ovsdb, wanted(), macs(FIRST, &[(8, Some("10.0.0.21"))]));
    assert_eq!((gateway.at(FIRST, 7), gateway.is_behind(FIRST, 8, "10.0.0.21")), (None, true));
    gateway.says(Controller::Ovsdb, Some(Vec::new()), Vec::new());
    assert!(gateway.is_behind(FIRST, 7, "10.0.0.21"), "it has it again");
}
