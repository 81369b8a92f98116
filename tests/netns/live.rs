//! The underlay changes while the gateway runs.

use std::fs;

use crate::config::Config;
use crate::gateway::Gateway;
use crate::lab::{Lab, run};

/// The tunnel address moves within its subnet, the gateway and the MTU change, and servers talk on: no restart. CTL2
#[test]
fn underlay_addresses_and_mtu_change_without_a_restart() {
    let Some(lab) = Lab::of_peers() else { return };
    let config = Config::new(&lab)
        .fabric()
        .access("srv1", "{vlan: 10, vni: 5001}")
        .vni("vni: 5001, flood: {vteps: [10.0.0.12]}");
    let text = config.text();
    let gateway = Gateway::start(&lab, &text);
    let server = lab.server("srv1", Some(10), 1);
    let kernel = lab.kernel_vtep(12);
    let peer = kernel.vxlan(5001, "10.0.0.11", "");
    server.pings(&peer);

    let moved = text
        .replace("10.0.0.11", "10.0.0.31")
        .replace("mtu: 1600", "mtu: 1580")
        .replace("10.0.0.31/24, \"2001:db8::11/64\"]", "10.0.0.31/24, \"2001:db8::11/64\"], gateway: 10.0.0.12");
    assert!(moved.contains("gateway: 10.0.0.12") && moved.contains("mtu: 1580"), "{moved}");
    fs::write(lab.directory.join("gateway.yaml"), &moved).expect("the laboratory's directory can be written");
    gateway.signal(libc::SIGHUP);
    gateway.wait_log("the configuration has changed in");
    let shown = run(&format!("ip -n {} addr show dev cw-up0", lab.twin()));
    assert!(shown.contains("inet 10.0.0.31/24") && !shown.contains("10.0.0.11/24"), "{shown}");
    assert!(shown.contains("mtu 1580"), "{shown}");
    let route = run(&format!("ip -n {} route show default", lab.twin()));
    assert!(route.starts_with("default via 10.0.0.12 dev cw-up0"), "{route}");
    run(&format!("ip -n {} link set vx5001 type vxlan id 5001 remote 10.0.0.31", kernel.namespace));
    server.pings(&peer);

    // What needs a restart is named, and changes nothing.
    let raised = moved.replace("mtu: 1580", "mtu: 1700");
    fs::write(lab.directory.join("gateway.yaml"), &raised).expect("the laboratory's directory can be written");
    gateway.signal(libc::SIGHUP);
    gateway.wait_log("ports[up0].mtu");
    assert!(run(&format!("ip -n {} addr show dev cw-up0", lab.twin())).contains("mtu 1580"));
    server.pings(&peer);
}
