//! Who is where, who says so, and for how long.

use config::types::Encap;

use super::OFFICE;
use crate::control::testing::{Gateway, SECOND};
use crate::control::{Event, FdbFilter, UnknownName};
use crate::link::Report;
use crate::tables::{Origin, Place};

#[test]
fn a_mac_that_one_core_sees_is_known_to_all_cores() {
    let mut gateway = Gateway::new(OFFICE);
    let (key, srv1) = (gateway.key("100", 1), gateway.attachment("srv1", "10"));
    gateway.see(0, key, srv1);
    assert_eq!(gateway.agreed(key), Some((srv1, Origin::Learned)));
    assert_eq!(gateway.agreed(gateway.key("200", 1)), None, "ISO2: in another VNI it is another MAC");
}

/// CONFORMANCE L2d.
#[test]
fn a_mac_moves_between_ports_and_vteps_and_back_at_the_first_sight() {
    let mut gateway = Gateway::new(OFFICE);
    let key = gateway.key("100", 1);
    let srv1 = gateway.attachment("srv1", "10");
    let srv2 = gateway.attachment("srv2", "10");
    let vtep = gateway.tunnel("10.0.0.13", Encap::Vxlan).unwrap();
    for (core, place) in [(0, srv1), (1, srv2), (0, vtep), (1, srv1)] {
        gateway.see(core, key, place);
        assert_eq!(gateway.agreed(key), Some((place, Origin::Learned)));
    }
    assert_eq!(gateway.control.fdb.limits().in_segment(key.segment()), (3, 1), "two static MACs and this one");
}

#[test]
fn a_mac_that_moves_to_and_fro_is_told_of_until_it_rests_and_one_that_migrates_is_not() {
    let mut gateway = Gateway::new(OFFICE);
    let (restless, migrant) = (gateway.key("100", 1), gateway.key("100", 2));
    let places = [gateway.attachment("srv1", "10"), gateway.tunnel("10.0.0.13", Encap::Vxlan).unwrap()];
    for number in 0..40 {
        gateway.see(number % 2, restless, places[number % 2]);
    }
    places.iter().for_each(|&place| gateway.see(0, migrant, place));
    gateway.pass(5);
    let told = gateway.control.restless();
    let [one] = &told[..] else { panic!("{told:?}") };
    assert_eq!((one.subject.as_str(), one.name.as_str()), ("mac", "02:00:00:00:00:01 in VNI 100"));
    assert_eq!(one.problem, "it moved 39 times in 5 s, last from srv1 vlan 10 to 10.0.0.13 vxlan");
    assert!(gateway.control.problems().contains(one));
    gateway.pass(5);
    assert_eq!(gateway.control.restless(), []);
}

/// CONFORMANCE L2f.
#[test]
fn what_the_operator_gave_is_neither_moved_nor_aged_nor_flushed() {
    let mut gateway = Gateway::new(OFFICE);
    let (key, srv2) = (gateway.key("100", 5), gateway.attachment("srv2", "10"));
    let home = gateway.tunnel("10.0.0.12", Encap::Vxlan).unwrap();
    assert_eq!(gateway.agreed(key), Some((home, Origin::Static)));
    assert!(gateway.cores[0].learn(key, srv2).is_none(), "a core leaves it alone");
    let entry = crate::tables::FdbEntry::new(srv2, 0, Origin::Fresh);
    gateway.event(Event::Report { core: 0, report: Report::Learned { key, entry } });
    gateway.pass(300);
    assert_eq!(gateway.control.flush(&FdbFilter::default()), Ok(0));
    gateway.round();
    assert_eq!(gateway.agreed(key), Some((home, Origin::Static)));
}

/// CONFORMANCE L2f, and L2d among learned ones.
#[test]
fn a_controller_wins_over_what_was_learned_and_the_operator_over_both() {
    let mut gateway = Gateway::new(OFFICE);
    let srv2 = gateway.attachment("srv2", "10");
    let vtep = gateway.tunnel("10.0.0.13", Encap::Vxlan).unwrap();
    let says = Some(Place::new(vtep, 0));
    let (mac, fixed) = (gateway.key("100", 1), gateway.key("100", 6));
    gateway.see(0, mac, srv2);
    for key in [mac, fixed] {
        gateway.control.assign(key, says);
    }
    gateway.round();
    assert_eq!(gateway.agreed(mac), Some((vtep, Origin::Controller)));
    assert_eq!(gateway.agreed(fixed), Some((gateway.attachment("srv1", "10"), Origin::Static)));

    gateway.reload(&OFFICE.replace(r#", {mac: "02:00:00:00:00:06", port: srv1, vlan: 10}"#, ""));
    assert_eq!(gateway.agreed(fixed), Some((vtep, Origin::Controller)), "it stood behind the operator's word");
    for key in [mac, fixed] {
        gateway.control.assign(key, None);
    }
    gateway.round();
    assert_eq!((gateway.agreed(mac), gateway.agreed(fixed)), (None, None));
}

/// DESIGN section 3: the last report that control takes wins on every core.
#[test]
fn two_cores_that_see_one_mac_at_once_agree_in_the_end() {
    let mut gateway = Gateway::new(OFFICE);
    let key = gateway.key("100", 1);
    let (srv1, srv2) = (gateway.attachment("srv1", "10"), gateway.attachment("srv2", "10"));
    let first = gateway.cores[0].learn(key, srv1).unwrap();
    let second = gateway.cores[1].learn(key, srv2).unwrap();
    let (now, control) = (gateway.now, &mut gateway.control);
    control.handle(Event::Report { core: 1, report: second }, now);
    control.handle(Event::Report { core: 0, report: first }, now);
    gateway.round();
    assert_eq!(gateway.agreed(key), Some((srv1, Origin::Learned)));
}

#[test]
fn a_core_that_fell_behind_hears_the_latest_word_only() {
    let mut gateway = Gateway::new(OFFICE);
    let key = gateway.key("100", 1);
    let (srv1, srv2) = (gateway.attachment("srv1", "10"), gateway.attachment("srv2", "10"));
    for place in [srv1, srv2, srv1, srv2] {
        let report = gateway.cores[0].learn(key, place).unwrap();
        gateway.control.handle(Event::Report { core: 0, report }, gateway.now);
    }
    let mut told = 0;
    while gateway.control.next(1).is_some() {
        told += 1;
    }
    assert_eq!(told, 1);
    gateway.round();
    assert_eq!(gateway.cores[0].fdb.find(key).unwrap().endpoint(), srv2);
}

/// CONFORMANCE L2o: the ageing time is 40 s, an epoch 10 s.
#[test]
fn a_mac_is_forgotten_when_no_core_has_used_it_for_the_ageing_time() {
    let mut gateway = Gateway::new(OFFICE);
    let (quiet, busy) = (gateway.key("100", 1), gateway.key("100", 2));
    let srv1 = gateway.attachment("srv1", "10");
    gateway.see(0, quiet, srv1);
    gateway.see(0, busy, srv1);
    for _ in 0..4 {
        gateway.pass(10);
        gateway.use_again(1, busy);
        assert!(gateway.agreed(quiet).is_some(), "it may have been used until the end of its last epoch");
    }
    gateway.pass(10);
    assert_eq!(gateway.agreed(quiet), None);
    assert!(gateway.agreed(busy).is_some());
    gateway.pass(41);
    assert_eq!(gateway.agreed(busy), None);
}

#[test]
fn without_ageing_a_mac_stays_and_with_it_again_it_starts_anew() {
    let forever = OFFICE.replace("ageing: 40", "ageing: 0");
    let mut gateway = Gateway::new(&forever);
    let key = gateway.key("100", 1);
    gateway.see(0, key, gateway.attachment("srv1", "10"));
    gateway.pass(100);
    gateway.reload(OFFICE);
    gateway.pass(49);
    assert!(gateway.agreed(key).is_some());
    gateway.pass(2);
    assert_eq!(gateway.agreed(key), None);
}

#[test]
fn a_mac_that_moves_while_it_waits_to_be_forgotten_starts_anew() {
    let mut gateway = Gateway::new(OFFICE);
    let key = gateway.key("100", 1);
    gateway.see(0, key, gateway.attachment("srv1", "10"));
    gateway.pass(30);
    gateway.see(0, key, gateway.attachment("srv2", "10"));
    gateway.pass(49);
    assert!(gateway.agreed(key).is_some());
    gateway.pass(2);
    assert_eq!(gateway.agreed(key), None);
}

/// CONFORMANCE L2l.
#[test]
fn a_flush_forgets_by_port_by_vtep_by_vni_or_all() {
    let mut gateway = Gateway::new(OFFICE);
    let vtep = gateway.tunnel("10.0.0.13", Encap::Vxlan).unwrap();
    let seen = [
        (gateway.key("100", 1), gateway.attachment("srv1", "10")),
        (gateway.key("100", 2), gateway.attachment("srv2", "10")),
        (gateway.key("100", 3), vtep),
        (gateway.key("200", 4), gateway.attachment("srv1", "20")),
    ];
    let left_after = |flush: FdbFilter| {
        let mut gateway = Gateway::new(OFFICE);
        for (key, place) in seen {
            gateway.see(0, key, place);
        }
        let count = gateway.control.flush(&flush).expect("the name is known");
        gateway.round();
        let left: Vec<_> = (1..).zip(seen).filter(|(_, (key, _))| gateway.agreed(*key).is_some()).collect();
        assert_eq!(left.len() + count, 4);
        left.into_iter().map(|(number, _)| number).collect::<Vec<_>>()
    };
    assert_eq!(left_after(FdbFilter::port("srv1".into())), [2, 3]);
    assert_eq!(left_after(FdbFilter::vtep("10.0.0.13".parse().unwrap())), [1, 2, 4]);
    assert_eq!(left_after(FdbFilter::vni("100".into())), [4]);
    assert_eq!(
        left_after(FdbFilter { mac: Some(config::types::Mac(gateway.key("100", 2).mac())), ..FdbFilter::default() }),
        [1, 3, 4]
    );
    assert_eq!(left_after(FdbFilter { vni: Some("200".into()), ..FdbFilter::port("srv1".into()) }), [1, 2, 3]);
    assert!(left_after(FdbFilter::default()).is_empty());
    let unknown = gateway.control.flush(&FdbFilter::port("srv9".into()));
    assert_eq!(unknown, Err(UnknownName("port 'srv9'".into())));
}

/// CONFORMANCE L2i.
#[test]
fn a_vni_that_does_not_learn_knows_only_what_it_was_given() {
    let mut gateway = Gateway::new(&OFFICE.replace("{ageing: 40, limit: 3}", "{enabled: false}"));
    let (key, srv1) = (gateway.key("100", 1), gateway.attachment("srv1", "10"));
    assert!(gateway.cores[0].learn(key, srv1).is_none());
    let entry = crate::tables::FdbEntry::new(srv1, 0, Origin::Fresh);
    gateway.event(Event::Report { core: 0, report: Report::Learned { key, entry } });
    assert_eq!(gateway.agreed(key), None);
}

#[test]
fn a_report_of_use_does_not_bring_back_what_was_forgotten() {
    let mut gateway = Gateway::new(OFFICE);
    let key = gateway.key("100", 1);
    gateway.see(0, key, gateway.attachment("srv1", "10"));
    gateway.now += 51 * SECOND;
    gateway.control.handle(Event::Tick, gateway.now);
    gateway.use_again(0, key);
    assert_eq!(gateway.agreed(key), None);
}
