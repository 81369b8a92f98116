//! Stories over several cores, stepped by hand, with a clock of our own.

mod support;

#[path = "scenario/cores.rs"]
mod cores;
#[path = "scenario/flooding.rs"]
mod flooding;
#[path = "scenario/host.rs"]
mod host;
#[path = "scenario/learning.rs"]
mod learning;
#[path = "scenario/limits.rs"]
mod limits;
#[path = "scenario/neighbours.rs"]
mod neighbours;
#[path = "scenario/reload.rs"]
mod reload;
#[path = "scenario/see.rs"]
mod see;

use support::build::{mac, tenant, vlan};
use support::outer::Outer;
use support::site::{Setup, Site};
use support::world::World;

const ANN: [u8; 6] = mac(1);
const BOB: [u8; 6] = mac(2);
const CLEO: [u8; 6] = mac(3);

/// The underlay of these stories.
const PLAIN: World = World { geneve: false, v6: false, vlan: None };

/// A tenant's frame.
fn frame(to: [u8; 6], from: [u8; 6]) -> Vec<u8> {
    tenant(to, from, (1000, 2000), 40)
}

/// Two servers and two VTEPs in VNI 10010, with so many cores.
fn site(workers: usize) -> Site {
    PLAIN.site_with(&Setup { workers, ..Setup::default() })
}

/// Where a frame to `to` from a server that nobody knows, on `srv1`, goes from a core: ports and VTEPs.
fn way_to(site: &mut Site, core: usize, to: [u8; 6]) -> Vec<String> {
    site.receive_at(core, "srv1", &vlan(&frame(to, mac(0x99)), 10));
    site.run();
    let mut places: Vec<String> = Vec::new();
    for (port, frames) in site.all_sent() {
        for sent in frames {
            places.push(if port == "up0" { PLAIN.read(&sent).destination.to_string() } else { port.clone() });
        }
    }
    places.sort();
    places
}

/// All the places of VNI 10010 besides `srv1`.
fn everywhere() -> Vec<String> {
    vec![PLAIN.peer(1), PLAIN.peer(2), "srv2".to_owned()]
}

/// What left through the underlay.
fn outers(site: &mut Site) -> Vec<Outer> {
    PLAIN.outers(site)
}
