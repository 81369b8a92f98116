//! What the operator says while the gateway runs.

use config::types::{Encap, Mac};

use super::OFFICE;
use crate::control::testing::Gateway;
use crate::control::{Event, Spot};
use crate::counters::Counters;
use crate::link::{Report, Update};
use crate::tables::Origin;

fn mac(number: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, number])
}

fn put(gateway: &mut Gateway, vni: &str, number: u8, spot: &Spot) -> Result<(), String> {
    let done = gateway.control.put_mac(vni, mac(number), spot);
    gateway.round();
    done
}

fn at(port: &str, tags: Option<&str>) -> Spot {
    Spot::Port(port.into(), tags.map(String::from))
}

#[test]
fn a_mac_put_by_hand_is_static_until_it_is_removed() {
    let mut gateway = Gateway::new(OFFICE);
    let (key, srv1, srv2) = (gateway.key("100", 9), gateway.attachment("srv1", "10"), gateway.attachment("srv2", "10"));
    gateway.see(0, key, srv2);
    put(&mut gateway, "100", 9, &at("srv1", None)).unwrap();
    assert_eq!(gateway.agreed(key), Some((srv1, Origin::Static)));
    gateway.see(1, key, srv2);
    gateway.pass(1000);
    assert_eq!(gateway.agreed(key), Some((srv1, Origin::Static)), "neither learned over nor aged");
    put(&mut gateway, "100", 9, &Spot::Vtep("10.0.0.13".parse().unwrap(), None)).unwrap();
    let vtep = gateway.tunnel("10.0.0.13", Encap::Vxlan).unwrap();
    assert_eq!(gateway.agreed(key), Some((vtep, Origin::Static)), "said again");
    gateway.control.remove_mac("100", mac(9)).unwrap();
    gateway.round();
    assert_eq!(gateway.agreed(key), None);
    assert!(gateway.control.remove_mac("100", mac(9)).is_err());
    assert_eq!(gateway.control.fdb.limits().in_segment(key.segment()), (2, 0));
}

/// The configuration's word, then the one by hand, then a controller's.
#[test]
fn the_configuration_knows_better_and_a_controller_does_not() {
    let mut gateway = Gateway::new(OFFICE);
    let (key, srv1) = (gateway.key("100", 9), gateway.attachment("srv1", "10"));
    let vtep = gateway.tunnel("10.0.0.12", Encap::Vxlan).unwrap();
    let place = crate::tables::Place::new(vtep, 0);
    gateway.control.assign(key, Some(place));
    put(&mut gateway, "100", 9, &at("srv1", Some("10"))).unwrap();
    assert_eq!(gateway.agreed(key), Some((srv1, Origin::Static)));
    let refusal = gateway.control.remove_mac("100", mac(5)).expect_err("it is the configuration's");
    assert!(refusal.contains("the configuration says where"), "{refusal}");
    assert!(put(&mut gateway, "100", 5, &at("srv1", None)).is_err());
    gateway.control.remove_mac("100", mac(9)).unwrap();
    gateway.round();
    assert_eq!(gateway.agreed(key), Some((vtep, Origin::Controller)), "what stood behind it");
    assert!(gateway.control.remove_mac("100", mac(9)).expect_err("a controller's").contains("controller"));
}

#[test]
fn a_new_configuration_keeps_what_was_put_as_long_as_its_place_is_there() {
    let mut gateway = Gateway::new(OFFICE);
    let (key, gone) = (gateway.key("100", 9), gateway.key("200", 9));
    put(&mut gateway, "100", 9, &at("srv2", None)).unwrap();
    put(&mut gateway, "200", 9, &at("srv1", None)).unwrap();
    let srv2 = gateway.attachment("srv2", "10");
    gateway.reload(&OFFICE.replace(", {vlan: 20, vni: 200}", ""));
    assert_eq!((gateway.agreed(key), gateway.agreed(gone)), (Some((srv2, Origin::Static)), None));
    gateway.reload(OFFICE);
    assert_eq!(gateway.agreed(gone), None, "it does not come back by itself");
}

#[test]
fn what_cannot_be_is_refused_with_what_there_is() {
    let mut gateway =
        Gateway::new(&OFFICE.replace("{vlan: 20, vni: 200}", "{vlan: 20, vni: 100}, {vlan: 21, vni: 200}"));
    for (vni, number, spot, words) in [
        ("900", 9, at("srv1", None), "there is no VNI '900'"),
        ("100", 9, at("srv9", None), "there is no port 'srv9'"),
        ("100", 9, at("srv1", None), "say which: 10, 20"),
        ("100", 9, at("srv1", Some("21")), "lead to VNI 100: 10, 20"),
        ("100", 9, at("up0", None), "no VLAN of port up0 leads to VNI 100"),
        ("100", 9, Spot::Vtep("10.9.9.9".parse().unwrap(), None), "no vxlan tunnel leads to 10.9.9.9"),
        ("100", 9, Spot::Vtep("10.0.0.12".parse().unwrap(), Some(Encap::Geneve)), "has no number in geneve"),
    ] {
        let refusal = put(&mut gateway, vni, number, &spot).expect_err(words);
        assert!(refusal.contains(words), "{refusal}");
    }
    assert!(gateway.control.put_mac("100", Mac([0xff; 6]), &at("srv2", None)).is_err(), "a group");
}

#[test]
fn counters_start_anew_for_people_only() {
    let mut gateway = Gateway::new(OFFICE);
    let count = |gateway: &mut Gateway, frames: usize| {
        gateway.control.handle(Event::Count, gateway.now);
        for core in 0..2 {
            while let Some(update) = gateway.control.next(core) {
                let Update::Count(mut counters) = update else { continue };
                *counters = Counters::new(3, 2, counters.endpoints.len());
                (0..frames).for_each(|_| counters.ports[1].rx.add(100));
                gateway.control.handle(Event::Report { core, report: Report::Counters(counters) }, gateway.now);
            }
        }
    };
    count(&mut gateway, 5);
    gateway.control.clear_counters();
    assert_eq!(gateway.control.view_ports()[1].rx.frames, 0);
    count(&mut gateway, 7);
    assert_eq!((gateway.control.view_ports()[1].rx.frames, gateway.control.view_workers()[1].rx.bytes), (4, 200));
    assert_eq!(gateway.control.counters().ports[1].rx.frames, 14, "what metrics tell");
}
