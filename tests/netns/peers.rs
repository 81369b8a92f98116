//! The laboratory itself, without a gateway: what the peers do among themselves they can do with us.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::bytes::{self, BROADCAST, Outer, mac};
use crate::lab::{self, Lab, run};

/// Kernel VXLAN and Open vSwitch's VXLAN reach each other over the fabric, over IPv4 and IPv6.
#[test]
fn the_peers_reach_each_other_without_a_gateway() {
    let Some(lab) = Lab::of_peers() else { return };
    let kernel = lab.kernel_vtep(12);
    let four = kernel.vxlan(5001, "10.0.0.20", "");
    lab.switch_tunnel("vxlan", "5001", "10.0.0.12", "");
    let tenant = lab.host("tenant", None, 9);
    four.pings(&tenant);
    run(&format!("ip -n {} link del vx5001", kernel.namespace));
    let six = kernel.vxlan(5002, "2001:db8::20", "");
    lab.switch_tunnel("vxlan", "5002", "2001:db8::12", "");
    six.pings(&tenant);
}

/// A server behind an access port is seen with its VLAN's tag at the gateway's end of the cable, and answers to it.
#[test]
fn a_server_speaks_with_its_tag_on_the_trunk() {
    let Some(lab) = Lab::of_peers() else { return };
    lab.cable("srv1");
    let server = lab.server("srv1", Some(10), 1);
    let trunk = lab::Wire::open(&lab.gw(), "srv1");
    let sender = mac(2);
    let request = [&[0, 1, 8, 0, 6, 4, 0, 1][..], &sender, &[192, 168, 7, 2], &[0; 6], &[192, 168, 7, 1]].concat();
    let request = bytes::vlan(&bytes::ethernet(BROADCAST, sender, 0x0806, &request), 10);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        // The switch may not forward yet when the first one comes.
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                trunk.send(&request);
                thread::sleep(Duration::from_millis(200));
            }
        });
        let _end = lab::End(&done);
        trunk.expect("the answer in VLAN 10", |frame| {
            (frame[..6] == sender && frame[12..18] == [0x81, 0, 0, 10, 8, 6] && frame[24..26] == [0, 2]).then_some(())
        });
    });
    drop(server);
}

/// The kernel's packets read back with our own reader: lengths, checksums and fields.
#[test]
fn the_kernels_packets_are_read_right() {
    let Some(lab) = Lab::of_peers() else { return };
    let wire = lab.cable("up0");
    assert_eq!(wire, "net_af_packet0,iface=up0");
    lab.plug_underlay("up0");
    let kernel = lab.kernel_vtep(12);
    run(&format!("ip -n {} addr add 10.0.0.11/24 dev up0", lab.gw()));
    let host = kernel.vxlan(5001, "10.0.0.11", "");
    let underlay = lab::Wire::open(&lab.gw(), "up0");
    assert!(!lab::succeeds(&format!("ip netns exec {} ping -c 1 -W 1 192.168.7.1", host.namespace)));
    let outer = underlay.expect("an ARP request in VXLAN", |frame| {
        Outer::parse(frame).filter(|outer| outer.inner[..6] == BROADCAST && outer.inner[12..14] == [8, 6])
    });
    assert_eq!((outer.vni, outer.flags), (5001, [8, 0, 0, 0, 0]));
    assert_eq!(outer.from, kernel.address(false));
}
