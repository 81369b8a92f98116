//! The load generator against whole gateways in memory: what it sends is what a gateway takes, and it knows again what
//! comes out, in every kind of underlay.

mod support;

use config::types::Encap;
use gateway::load::{Generator, Mould, Passed, Scene, Side, Trial};
use gateway::sim::SimDriver;
use support::site::{Site, port_mac};
use support::world::{HOP, World};

/// A generator and a gateway, cabled.
struct Bench {
    generator: Generator<SimDriver>,
    site: Site,
    now: u64,
}

impl Bench {
    fn new(world: &World) -> Self {
        let address = |text: &str| text.parse().expect("an address");
        let scene = Scene {
            vlan: Some(10),
            underlay_vlan: world.vlan,
            vni: 10010,
            encap: if world.geneve { Encap::Geneve } else { Encap::Vxlan },
            udp_port: world.udp_port(),
            gateway: address(world.own()),
            vtep: address(&world.peer(1)),
            gateway_mac: port_mac(0),
            vtep_mac: HOP,
        };
        let yaml = world.yaml(&["{vlan: 10, vni: 10010}"], &[(10010, &[1], "")]);
        Self { generator: Generator::new(SimDriver::new(2, 8192), scene), site: Site::new(&yaml), now: 0 }
    }

    /// Runs a trial to its end.
    fn run(&mut self, trial: Trial) -> Passed {
        self.generator.begin(trial);
        loop {
            self.now += 10_000;
            self.generator.send(self.now);
            for (number, port) in ["srv1", "up0"].into_iter().enumerate() {
                let sent = self.generator.driver_mut().sent(number as u8);
                sent.iter().for_each(|frame| self.site.receive(port, frame));
            }
            self.site.run();
            for (number, port) in ["srv1", "up0"].into_iter().enumerate() {
                let back = self.site.sent(port);
                back.iter().for_each(|frame| self.generator.driver_mut().receive(number as u8, frame));
            }
            self.generator.take(self.now + 5_000);
            if self.generator.has_sent() {
                return self.generator.passed().clone();
            }
        }
    }
}

fn trial(from: Side, most: u64) -> Trial {
    Trial { from, sizes: vec![Mould::SHORTEST], pairs: 100, broadcast: false, rate: Some(1e7), most, give_up: false }
}

#[test]
fn every_frame_passes_in_both_directions_in_every_world() {
    for world in World::all() {
        let mut bench = Bench::new(&world);
        // Unknown destinations are flooded, and the answers of the other side are not.
        for from in [Side::Servers, Side::Fabric, Side::Servers, Side::Fabric] {
            let sizes = [60, 590, 1400].to_vec();
            let passed = bench.run(Trial { sizes, ..trial(from, 1000) });
            assert_eq!((passed.sent, passed.received), (1000, 1000), "{world:?} {from:?}: {:?}", bench.site.drops());
            assert_eq!(passed.frame.len(), 1000);
            assert_eq!(passed.burst.len(), 1000u64.div_ceil(32), "every burst is complete");
            assert!(passed.frame.min() >= 4_900, "nothing is back before it was sent");
        }
        let counters = bench.site.counters();
        assert_eq!(counters.ports.iter().map(|port| port.rx.frames).sum::<u64>(), 4000);
        bench.site.assert_balanced();
    }
}

#[test]
fn a_broadcast_shows_the_way_and_the_gateways_mac() {
    for world in World::all() {
        let mut bench = Bench::new(&world);
        let passed = bench.run(Trial { broadcast: true, ..trial(Side::Servers, 1) });
        assert_eq!(passed.received, 1, "{world:?}");
        assert_eq!(bench.generator.seen(), Some(port_mac(0)), "{world:?}");
    }
}

#[test]
fn what_the_gateway_drops_is_lost() {
    let world = World { geneve: false, v6: false, vlan: None };
    let mut bench = Bench::new(&world);
    bench.generator.scene_mut().vni = 999;
    let passed = bench.run(trial(Side::Fabric, 64));
    assert_eq!((passed.received, passed.lost()), (0, 1.0));
    bench.generator.scene_mut().vlan = Some(11);
    let passed = bench.run(trial(Side::Servers, 64));
    assert_eq!((passed.received, passed.lost()), (0, 1.0));
}
