//! Limits close learning, and open it again (CONFORMANCE L2k).

use super::OFFICE;
use crate::control::FdbFilter;
use crate::control::testing::Gateway;
use crate::tables::Origin;

#[test]
fn a_full_vni_learns_no_more_and_forgets_nothing() {
    let mut gateway = Gateway::new(OFFICE);
    let srv1 = gateway.attachment("srv1", "10");
    for number in 1..=3 {
        gateway.see(0, gateway.key("100", number), srv1);
    }
    let one_more = gateway.key("100", 9);
    for core in &mut gateway.cores {
        assert!(core.learn(one_more, srv1).is_none(), "every core has closed it");
    }
    let other = gateway.key("200", 9);
    gateway.see(1, other, gateway.attachment("srv1", "20"));
    assert!(gateway.agreed(other).is_some(), "another VNI is not affected");
    assert_eq!(gateway.control.view_vnis()[0].learning, "full");
    for number in 1..=3 {
        assert!(gateway.agreed(gateway.key("100", number)).is_some());
    }
}

#[test]
fn a_full_vni_lets_known_macs_move() {
    let mut gateway = Gateway::new(OFFICE);
    let (srv1, srv2) = (gateway.attachment("srv1", "10"), gateway.attachment("srv2", "10"));
    for number in 1..=3 {
        gateway.see(0, gateway.key("100", number), srv1);
    }
    let key = gateway.key("100", 2);
    gateway.see(1, key, srv2);
    assert_eq!(gateway.agreed(key), Some((srv2, Origin::Learned)));
}

#[test]
fn what_a_core_learned_beyond_the_limit_is_taken_back() {
    let mut gateway = Gateway::new(OFFICE);
    let srv1 = gateway.attachment("srv1", "10");
    let mut reports = Vec::new();
    for number in 11..=15 {
        let key = gateway.key("100", number);
        reports.push(gateway.cores[1].learn(key, srv1).expect("not closed yet"));
    }
    for report in reports {
        gateway.control.handle(crate::control::Event::Report { core: 1, report }, gateway.now);
    }
    gateway.round();
    let known: Vec<u32> = (11..=15).filter(|&number| gateway.agreed(gateway.key("100", number)).is_some()).collect();
    assert_eq!(known, [11, 12, 13]);
}

#[test]
fn learning_opens_again_when_macs_are_forgotten() {
    let mut gateway = Gateway::new(OFFICE);
    let srv1 = gateway.attachment("srv1", "10");
    for number in 1..=3 {
        gateway.see(0, gateway.key("100", number), srv1);
    }
    gateway.pass(51);
    let key = gateway.key("100", 9);
    gateway.see(1, key, srv1);
    assert!(gateway.agreed(key).is_some());
}

#[test]
fn a_full_port_closes_all_its_vlans_and_refuses_moves_to_it() {
    let yaml = OFFICE.replace("name: srv1,", "name: srv1, mac_limit: 1,");
    let mut gateway = Gateway::new(&yaml);
    let (ten, twenty) = (gateway.attachment("srv1", "10"), gateway.attachment("srv1", "20"));
    let srv2 = gateway.attachment("srv2", "10");
    gateway.see(0, gateway.key("100", 1), ten);
    gateway.see(0, gateway.key("100", 2), srv2);
    for core in &mut gateway.cores {
        assert!(!core.tables.endpoints[ten.index()].learns && !core.tables.endpoints[twenty.index()].learns);
        assert!(core.tables.endpoints[srv2.index()].learns);
    }
    let entry = crate::tables::FdbEntry::new(ten, 0, Origin::Fresh);
    let (core, key) = (0, gateway.key("100", 2));
    let report = crate::link::Report::Learned { key, entry };
    gateway.event(crate::control::Event::Report { core, report });
    assert_eq!(gateway.agreed(key), Some((srv2, Origin::Learned)));

    gateway.control.flush(&FdbFilter::port("srv1".into())).unwrap();
    gateway.round();
    assert!(gateway.cores.iter().all(|core| core.tables.endpoints[twenty.index()].learns));
}

#[test]
fn a_full_attachment_closes_itself_only() {
    let yaml = OFFICE.replace("{vlan: 10, vni: 100}, {vlan: 20", "{vlan: 10, vni: 100, mac_limit: 1}, {vlan: 20");
    let mut gateway = Gateway::new(&yaml);
    let (ten, twenty) = (gateway.attachment("srv1", "10"), gateway.attachment("srv1", "20"));
    gateway.see(0, gateway.key("100", 1), ten);
    let learns =
        |gateway: &Gateway, id: crate::tables::EndpointId| gateway.cores[1].tables.endpoints[id.index()].learns;
    assert_eq!((learns(&gateway, ten), learns(&gateway, twenty)), (false, true));
    gateway.reload(OFFICE);
    assert!(learns(&gateway, ten), "the limit is gone");
    gateway.reload(&yaml);
    assert!(!learns(&gateway, ten), "the limit is back, and what is known is not forgotten");
    assert!(gateway.agreed(gateway.key("100", 1)).is_some());
}
