//! What outlives a restart.

use std::collections::HashMap;

use super::OFFICE;
use crate::control::memory::{Known, Memory, Names};
use crate::control::testing::{Gateway, facts, mac, model};
use crate::control::{Control, Event};
use crate::counters::Counters;
use crate::link::{Report, Update};
use crate::tables::{FdbKey, Place};

/// Whoever remembers.
#[derive(Default)]
struct Keeper {
    names: Names,
    macs: HashMap<FdbKey, Place>,
}

impl Keeper {
    fn hear(&mut self, control: &mut Control, most: usize) {
        while let Some(memory) = control.memories(most) {
            match memory {
                Memory::Names(names) => self.names = Names::clone(&names),
                Memory::Macs(macs) => {
                    assert!(macs.len() <= most);
                    for (key, place) in macs {
                        match place {
                            Some(place) => self.macs.insert(key, place),
                            None => self.macs.remove(&key),
                        };
                    }
                }
            }
        }
    }

    fn known(&self) -> Known {
        let mut known = Known::default();
        for (key, place) in &self.macs {
            let Some((name, _)) = &self.names.segments[key.segment().index()] else { continue };
            let Some((generation, spot)) = &self.names.places[place.endpoint().index()] else { continue };
            if *generation == place.generation() {
                known.segments.push(name.clone());
                known.places.push(spot.clone());
                let index = known.segments.len() as u32 - 1;
                known.macs.push((key.mac(), index, index));
            }
        }
        known
    }
}

fn started(yaml: &str) -> Control {
    let model = model(yaml);
    let facts = facts(&model);
    Control::new(model, facts)
}

#[test]
fn learned_macs_come_back_where_they_were_and_nothing_else_does() {
    let mut gateway = Gateway::new(OFFICE);
    gateway.control.remember();
    let mut keeper = Keeper::default();
    for number in 1..=3 {
        gateway.see(0, gateway.key("200", number), gateway.attachment("srv1", "20"));
        keeper.hear(&mut gateway.control, 2);
    }
    gateway.see(1, gateway.key("100", 4), gateway.attachment("srv2", "10"));
    gateway.see(1, gateway.key("100", 4), gateway.attachment("srv1", "10"));
    keeper.hear(&mut gateway.control, 2);
    assert_eq!(keeper.macs.len(), 4, "no static ones");
    // One is forgotten, and the numbers change.
    gateway.control.remove_mac("200", config::types::Mac(mac(2))).unwrap();
    gateway.reload(
        &OFFICE.replace("{vlan: 10, vni: 100}, {vlan: 20, vni: 200}", "{vlan: 20, vni: 200}, {vlan: 10, vni: 100}"),
    );
    keeper.hear(&mut gateway.control, 100);
    let mut control = started(OFFICE);
    assert_eq!(control.restore(&keeper.known(), 0), 3);
    let place = |control: &Control, vni: &str, number: u32| {
        let all: Vec<_> = control.view_fdb(&Default::default(), 0).collect();
        let mac = config::types::Mac(mac(number)).to_string();
        all.iter().find(|row| row.vni == vni && row.mac == mac).map(|row| format!("{} {}", row.place, row.origin))
    };
    assert_eq!(place(&control, "200", 1).as_deref(), Some("srv1 vlan 20 learned"));
    assert_eq!(place(&control, "100", 4).as_deref(), Some("srv1 vlan 10 learned"));
    assert_eq!(place(&control, "200", 2), None);
    assert_eq!(control.entries().count(), 5, "cores start with them and the static ones");
    assert!((0..2).all(|core| control.next(core).is_none()), "and need not be told");
    // They age like any other.
    control.handle(Event::Tick, 1_000_000_000_000);
    assert_eq!(control.entries().count(), 2);
}

/// What was remembered may not fit any more.
#[test]
fn what_has_no_place_any_more_is_left_out() {
    let known = Known {
        segments: vec!["vxlan 100".into(), "vxlan 200".into(), "vxlan 300".into()],
        places: vec!["srv1 10 vxlan 100".into(), "srv9 10 vxlan 100".into(), "vxlan 10.0.0.13".into()],
        macs: vec![
            (mac(1), 0, 0),
            (mac(2), 0, 1),
            (mac(3), 2, 0),
            (mac(4), 1, 0),
            (mac(5), 1, 2),
            (mac(6), 9, 9),
            (mac(5), 0, 0),
        ],
    };
    let mut control = started(OFFICE);
    assert_eq!(control.restore(&known, 0), 2, "the first, and the one behind the VTEP; static MACs stay");
    let mut off = started(&OFFICE.replace("{ageing: 40, limit: 3}", "{enabled: false}"));
    assert_eq!(off.restore(&known, 0), 1);
    let many = Known { macs: (0..10).map(|n| (mac(0x100 + n), 0, 0)).collect(), ..known };
    assert_eq!(started(OFFICE).restore(&many, 0), 3, "limits hold");
}

#[test]
fn statistics_go_on_where_they_were() {
    let mut gateway = Gateway::new(OFFICE);
    let vtep = gateway.tunnel("10.0.0.13", config::types::Encap::Vxlan).unwrap();
    gateway.control.handle(Event::Count, gateway.now);
    for core in 0..2 {
        while let Some(update) = gateway.control.next(core) {
            let Update::Count(mut counters) = update else { continue };
            *counters = Counters::new(3, 2, counters.endpoints.len());
            counters.ports[1].drops[2] = 5;
            counters.endpoints[vtep.index()].rx.add(100);
            gateway.control.handle(Event::Report { core, report: Report::Counters(counters) }, gateway.now);
        }
    }
    let statistics = gateway.control.statistics();
    let mut control = started(&OFFICE.replace("[10.0.0.12, 10.0.0.13]", "[10.0.0.14, 10.0.0.13]"));
    control.count_on(&statistics);
    assert_eq!(control.view_ports()[1].dropped, 10);
    let vteps = control.view_vteps();
    let of = |address: &str| vteps.iter().find(|vtep| vtep.vtep == address).unwrap().rx.frames;
    assert_eq!((of("10.0.0.13"), of("10.0.0.14")), (2, 0));
    assert_eq!(control.statistics(), statistics);
    control.clear_counters();
    assert_eq!((control.view_ports()[1].dropped, control.counters().ports[1].drops[2]), (0, 10));
}

#[test]
fn without_anybody_who_remembers_nothing_is_kept() {
    let mut gateway = Gateway::new(OFFICE);
    gateway.see(0, gateway.key("200", 1), gateway.attachment("srv1", "20"));
    assert!(gateway.control.memories(10).is_none());
}
