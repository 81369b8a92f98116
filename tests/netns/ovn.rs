//! The gateway as the hardware VTEP of a real OVN: a server on a VLAN of ours, a VM port on hypervisors with Open vSwitch's
//! userspace datapath, and all of OVN's processes, which die in turn. CTL8
//!
//! ```text
//!  h1 ── VLAN 100 ── srv1 [gateway] up0 ── fabric ┬ hv1 ── vm1      northd, nb, sb, ovn-controller-vtep
//!                      │                          └ hv2 ── vm1      (their sockets are files)
//!                 ovsdb-server (hardware_vtep)
//! ```

use std::process::Stdio;
use std::time::Duration;

use crate::config::Config;
use crate::gateway::Gateway;
use crate::lab::{self, Host, ping, run, succeeds, until, until_or};
use crate::ovn_cluster::{Cluster, Hypervisor, VM, lab};
use crate::vtep_db::{VtepDb, controller};

/// The whole of it: reach, migration, another VNI, unbinding, and every process dying in turn.
#[test]
fn a_server_and_a_vm_of_ovn_reach_each_other_whatever_moves_or_dies() {
    let Some(lab) = lab() else { return };
    let vtep = VtepDb::new(&lab);
    vtep.start();
    let config = Config::new(&lab).fabric().port("srv1", "mtu: 1500").control(&vtep.control(""));
    let mut gateway = Gateway::start(&lab, &config.text());
    let server = lab.server("srv1", Some(100), 1);
    let ovn = Cluster::start(&lab, &vtep);
    let (one, two) = (Hypervisor::start(&lab, 31, &ovn.sb), Hypervisor::start(&lab, 32, &ovn.sb));
    let (here, there) = (one.vm(&lab), two.vm(&lab));
    let mac = lab::text(crate::bytes::mac(VM));
    ovn.nbctl(&format!(
        "ls-add ls0 -- lsp-add ls0 vm1 -- lsp-set-addresses vm1 {mac} -- lsp-add ls0 to-vtep \
         -- lsp-set-type to-vtep vtep -- lsp-set-addresses to-vtep unknown \
         -- lsp-set-options to-vtep vtep-physical-switch=gw1 vtep-logical-switch=vls0"
    ));
    vtep.wait("list-ports gw1", |said| said == "srv1\n");
    vtep.ctl("add-ls vls0 -- bind-ls gw1 srv1 100 vls0");
    one.runs("vm1");
    let in_force = |gateway: &Gateway, vtep: &str| {
        until_or(
            &format!("the VM is behind {vtep}"),
            || gateway.place(crate::bytes::mac(VM)).as_deref() == Some(&format!("{vtep} vxlan")),
            || gateway.show_text("controllers", &[]) + &gateway.show_text("fdb", &[]),
        );
    };
    in_force(&gateway, "10.0.0.31");
    ping(&server.namespace, &here.v4(), "");
    ping(&here.namespace, &server.v4(), "");
    tcp(&server, &here);
    tcp(&here, &server);
    vtep.wait("list-local-macs vls0", |said| said.contains(&lab::text(crate::bytes::mac(1))));

    // The VM moves to the other hypervisor.
    one.runs_no_longer();
    two.runs("vm1");
    in_force(&gateway, "10.0.0.32");
    ping(&server.namespace, &there.v4(), "");

    // Another VNI while it runs.
    ovn.nbctl("set Logical_Switch ls0 other_config:requested-tnl-key=777");
    until("the VNI has changed", || gateway.show("vnis")[0]["vxlan"] == 777);
    in_force(&gateway, "10.0.0.32");
    ping(&server.namespace, &there.v4(), "");

    // Unbound, and bound again.
    vtep.ctl("unbind-ls gw1 srv1 100");
    until("nothing is bound", || gateway.show("vnis").as_array().unwrap().is_empty());
    assert!(!succeeds(&format!("ip netns exec {} ping -n -c 1 -W 1 {}", server.namespace, there.v4())));
    vtep.ctl("bind-ls gw1 srv1 100 vls0");
    in_force(&gateway, "10.0.0.32");
    ping(&server.namespace, &there.v4(), "");

    // Each process dies. All but the switch of the VM's hypervisor, and the database without which that switch stands
    // still, leave forwarding as it is.
    for daemon in ovn.central.iter().chain(&two.daemons) {
        daemon.dies();
        if !["ovs-vswitchd", "ovsdb-server"].contains(&daemon.name.as_str()) {
            ping(&server.namespace, &there.v4(), "");
        }
        daemon.again();
        if daemon.name == "ovs-vswitchd" {
            run(&format!("ip -n {} link set br-phy mtu 1600 up", two.name));
            until("the hypervisor's address is back", || {
                succeeds(&format!("ip -n {} addr replace 10.0.0.32/24 dev br-phy", two.name))
            });
        }
        ping(&server.namespace, &there.v4(), "");
    }
    vtep.kill();
    until("the entries are marked", || controller(&gateway)["stale"] == true);
    ping(&server.namespace, &there.v4(), "");
    vtep.start();
    until("the entries are fresh", || controller(&gateway)["stale"] == false);
    ping(&server.namespace, &there.v4(), "");
    gateway.crash();
    gateway = Gateway::start(&lab, &config.text());
    in_force(&gateway, "10.0.0.32");
    ping(&server.namespace, &there.v4(), "");
    // After all of that OVN still moves the VM.
    two.runs_no_longer();
    one.runs("vm1");
    in_force(&gateway, "10.0.0.31");
    ping(&server.namespace, &here.v4(), "");
    ping(&here.namespace, &server.v4(), "");
}

/// A few megabytes from `from` to `to`.
fn tcp(from: &Host, to: &Host) {
    let mut listener = lab::inside(&to.namespace, "iperf3 -s -1").stdout(Stdio::null()).spawn().expect("iperf3 starts");
    until("TCP passes", || {
        succeeds(&format!("ip netns exec {} timeout 20 iperf3 -c {} -n 4M", from.namespace, to.v4()))
    });
    lab::end(&mut listener, Duration::from_secs(2));
}
