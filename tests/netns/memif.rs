//! Shared memory as a cable: two gateways, each with a server on a wire, joined by DPDK's memif.

use crate::bytes::{BROADCAST, mac, probe, vlan};
use crate::config::Config;
use crate::gateway::Gateway;
use crate::lab::{Lab, PATIENCE};

/// Frames of every size that fits go from server to server, through the tunnel and back. VX1 GN1 MTU5
#[test]
fn two_gateways_are_joined_by_shared_memory() {
    let (Some(here), Some(there)) = (Lab::of_wires(), Lab::of_wires()) else { return };
    let path = here.directory.join("memif.sock");
    let gateway = |lab: &Lab, role: &str, own: u8, other: u8| {
        let device =
            format!("net_memif0,role={role},socket={},socket-abstract=no,mac=02:00:00:00:0a:{own:02x}", path.display());
        let rest = format!(r#"mtu: 1600, underlay: {{via: {{mac: "02:00:00:00:0a:{other:02x}"}}}}"#);
        let config = Config::new(lab)
            .vtep(&format!(r#"{{source: [10.0.0.{own}, "2001:db8::{own}"]}}"#))
            .device("up0", &device, &rest)
            .access("srv1", "{vlan: 10, vni: 5001}, {vlan: 20, vni: 5002}")
            .vni(&format!("vni: 5001, flood: {{vteps: [10.0.0.{other}]}}"))
            .vni(&format!(r#"vni: 5002, encap: geneve, flood: {{vteps: ["2001:db8::{other}"]}}"#));
        Gateway::start(lab, &config.text())
    };
    let one = gateway(&here, "server", 11, 12);
    let two = gateway(&there, "client", 12, 11);
    let (left, right) = (here.wire("srv1"), there.wire("srv1"));
    // The two find each other a moment after both have started: frames before that are lost.
    let first = vlan(&probe(BROADCAST, mac(1), 60, 0), 10);
    let deadline = std::time::Instant::now() + PATIENCE;
    while two.place(mac(1)).is_none() {
        assert!(std::time::Instant::now() < deadline, "the memif does not come up");
        left.send(&first);
    }
    for vid in [10, 20] {
        for size in [46, 61, 256, 1024, 1500] {
            let frame = vlan(&probe(BROADCAST, mac(1), size, vid as u8), vid);
            left.send(&frame);
            right.expect_frame("a flooded frame", &frame);
            let answer = vlan(&probe(mac(1), mac(2), size, vid as u8), vid);
            right.send(&answer);
            left.expect_frame("its answer", &answer);
        }
    }
    assert_eq!(one.place(mac(2)).as_deref(), Some("10.0.0.12 vxlan"));
    for gateway in [one, two] {
        let (status, _, log) = gateway.stop();
        assert!(status.success(), "{status}:\n{log}");
    }
    assert!(!path.exists(), "the socket goes with its server");
}
