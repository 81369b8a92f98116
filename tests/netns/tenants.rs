//! What a VNI tells its stations, heard by real kernels: who has an address, and how large a packet may be.

use crate::config::Config;
use crate::gateway::Gateway;
use crate::lab::{Lab, ping, run, until};

/// What a program prints that may fail.
fn printed(line: &str) -> String {
    let mut words = line.split_whitespace();
    let mut command = std::process::Command::new(words.next().expect("a program"));
    let output = command.args(words).output().expect("it starts");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A kernel takes our answers for its neighbours' own, over ARP and ND, although nobody is there. SUP1 SUP6
#[test]
fn a_kernel_believes_the_answers() {
    let Some(lab) = Lab::of_peers() else { return };
    let known = r#"{mac: "02:00:00:00:00:63", vtep: 10.0.0.12, ip: [192.168.7.99, "fd00:7::99"]}"#;
    let config = Config::new(&lab)
        .fabric()
        .access("srv1", "{vlan: 10, vni: 5001}")
        .vni(&format!("vni: 5001, flood: {{vteps: [10.0.0.12]}}, neigh_suppress: true, static: [{known}]"));
    let gateway = Gateway::start(&lab, &config.text());
    let server = lab.server("srv1", Some(10), 1);
    for address in ["192.168.7.99", "fd00:7::99"] {
        until(&format!("{address} is resolved"), || {
            printed(&format!("ip netns exec {} ping -c 1 -W 1 {address}", server.namespace));
            run(&format!("ip -n {} neigh show {address}", server.namespace)).contains("lladdr 02:00:00:00:00:63")
        });
    }
    until("both answers are counted", || gateway.show("ports")[1]["answered"].as_u64() >= Some(2));
    let shown = gateway.show_text("neighbours", &[]);
    assert!(shown.contains("192.168.7.99") && shown.contains("static"), "{shown}");
}

/// A kernel lowers its path MTU when it is told, over both families, and its packets then arrive. MTU3
#[test]
fn a_kernel_takes_the_path_mtu_to_heart() {
    let Some(lab) = Lab::of_peers() else { return };
    let addresses = r#"[10.0.0.11/24, "2001:db8::11/64"]"#;
    let config = Config::new(&lab)
        .port("up0", &format!("mtu: 1450, underlay: {{addresses: {addresses}}}"))
        .access("srv1", "{vlan: 10, vni: 5001}")
        .vni("vni: 5001, flood: {vteps: [10.0.0.12]}");
    lab.plug_underlay("up0");
    let gateway = Gateway::start(&lab, &config.text());
    let server = lab.server("srv1", Some(10), 1);
    let peer = lab.kernel_vtep(12).vxlan(5001, "10.0.0.11", "");
    server.pings(&peer);
    let ns = &server.namespace;
    for (address, size) in [(peer.v4(), 1400 - 28), (peer.v6(), 1400 - 48)] {
        until(&format!("the server knows what fits on the way to {address}"), || {
            printed(&format!("ip netns exec {ns} ping -M do -c 1 -W 1 -s {} {address}", size + 1));
            run(&format!("ip -n {ns} route get {address}")).contains("mtu 1400")
        });
        ping(ns, &address, &format!("-M do -s {size}"));
    }
    assert!(gateway.drops("underlay-mtu") >= 2);
}
