//! The gateway as the hardware VTEP of a real OVN: a server on a VLAN of ours, a VM port on hypervisors with Open vSwitch's
//! userspace datapath, and all of OVN's processes, which die in turn. CTL8
//!
//! ```text
//!  h1 ── VLAN 100 ── srv1 [gateway] up0 ── fabric ┬ hv1 ── vm1      northd, nb, sb, ovn-controller-vtep
//!                      │                          └ hv2 ── vm1      (their sockets are files)
//!                 ovsdb-server (hardware_vtep)
//! ```

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::config::Config;
use crate::gateway::Gateway;
use crate::lab::{self, Host, Lab, ping, run, succeeds, until, until_or};
use crate::vtep_db::{self, VtepDb, controller};

const TOOLS: [&str; 6] = ["ovn-northd", "ovn-controller", "ovn-controller-vtep", "ovn-nbctl", "ovn-sbctl", "iperf3"];
/// The VM: 192.168.7.21.
const VM: u8 = 21;

/// A process that can die and come back.
struct Daemon {
    name: String,
    namespace: String,
    line: String,
    directory: PathBuf,
    child: RefCell<Option<Child>>,
}

impl Daemon {
    fn start(lab: &Lab, namespace: &str, directory: &str, name: &str, line: &str) -> Self {
        let directory = lab.directory.join(directory);
        fs::create_dir_all(&directory).expect("the laboratory's directory can be written");
        let daemon = Self {
            name: name.into(),
            namespace: namespace.into(),
            line: line.into(),
            directory,
            child: RefCell::default(),
        };
        daemon.again();
        daemon
    }

    fn again(&self) {
        let log = fs::File::options().create(true).append(true).open(self.directory.join(format!("{}.log", self.name)));
        let log = log.expect("the laboratory's directory can be written");
        let mut command = lab::inside(&self.namespace, &self.line);
        for variable in ["OVS_RUNDIR", "OVS_DBDIR", "OVS_LOGDIR", "OVN_RUNDIR", "OVN_DBDIR", "OVN_LOGDIR"] {
            command.env(variable, &self.directory);
        }
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn();
        *self.child.borrow_mut() = Some(child.unwrap_or_else(|error| panic!("{} does not start: {error}", self.name)));
    }

    /// Dies as in a crash.
    fn dies(&self) {
        let mut child = self.child.borrow_mut().take().expect("it was started");
        child.kill().expect("it runs");
        child.wait().expect("it was ours");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.borrow_mut().take() {
            lab::end(&mut child, Duration::from_secs(2));
        }
    }
}

/// A hypervisor.
struct Hypervisor {
    number: u8,
    name: String,
    directory: String,
    daemons: Vec<Daemon>,
}

impl Hypervisor {
    /// At 10.0.0.N on the fabric, with one VM port.
    fn start(lab: &Lab, number: u8, southbound: &str) -> Self {
        let name = format!("hv{number}");
        let namespace = lab.plug_into_fabric(&name, "u0");
        // The switch takes u0 over, but the kernel sees its frames too, and would answer for br-phy's address with u0's MAC.
        run(&format!("ip netns exec {namespace} sysctl -qw net.ipv4.conf.all.arp_ignore=1"));
        let directory = lab.directory.join(&name).display().to_string();
        fs::create_dir_all(&directory).expect("the laboratory's directory can be written");
        run(&format!("ovsdb-tool create {directory}/conf.db /usr/share/openvswitch/vswitch.ovsschema"));
        let db = format!("unix:{directory}/db.sock");
        let server = format!("ovsdb-server {directory}/conf.db --unixctl={directory}/db.ctl --remote=p{db}");
        let mut daemons = vec![Daemon::start(lab, &namespace, &name, "ovsdb-server", &server)];
        until("the hypervisor's database listens", || succeeds(&format!("ovs-vsctl --db={db} --no-wait init")));
        let switch = format!("{} {db} --unixctl={directory}/vsw.ctl --pidfile={directory}/vsw.pid", lab::vswitchd());
        daemons.push(Daemon::start(lab, &namespace, &name, "ovs-vswitchd", &switch));
        run(&format!(
            "ovs-vsctl --timeout=20 --db={db} set Open_vSwitch . external-ids:system-id={name} \
             external-ids:ovn-remote={southbound} external-ids:ovn-encap-type=geneve,vxlan \
             external-ids:ovn-encap-ip=10.0.0.{number} external-ids:ovn-bridge-datapath-type=netdev \
             -- add-br br-phy -- set bridge br-phy datapath_type=netdev -- add-port br-phy u0 \
             -- add-br br-int -- set bridge br-int datapath_type=netdev fail_mode=secure"
        ));
        run(&format!("ip -n {namespace} link set br-phy mtu 1600 up"));
        run(&format!("ip -n {namespace} addr add 10.0.0.{number}/24 dev br-phy"));
        daemons.push(Daemon::start(lab, &namespace, &name, "ovn-controller", &format!("ovn-controller {db}")));
        Self { number, name: namespace, directory, daemons }
    }

    fn vsctl(&self, words: &str) {
        run(&format!("ovs-vsctl --timeout=20 --db=unix:{}/db.sock {words}", self.directory));
    }

    /// A VM on this hypervisor; it is bound by [`Self::runs`].
    fn vm(&self, lab: &Lab) -> Host {
        let host = lab.loose_host(&format!("vm{}", self.number), VM, &self.name, "v0");
        self.vsctl("add-port br-int v0");
        host
    }

    fn runs(&self, vm: &str) {
        self.vsctl(&format!("set interface v0 external_ids:iface-id={vm}"));
    }

    fn runs_no_longer(&self) {
        self.vsctl("remove interface v0 external_ids iface-id");
    }
}

/// OVN's central processes and the gateway's database.
struct Cluster {
    nb: String,
    sb: String,
    central: Vec<Daemon>,
}

impl Cluster {
    fn start(lab: &Lab, vtep: &VtepDb) -> Self {
        let at = lab.directory.join("central").display().to_string();
        fs::create_dir_all(&at).expect("the laboratory's directory can be written");
        let namespace = lab.far_side();
        let start = |name: &str, line: &str| Daemon::start(lab, &namespace, "central", name, line);
        let mut central = Vec::new();
        for name in ["nb", "sb"] {
            run(&format!("ovsdb-tool create {at}/{name}.db /usr/share/ovn/ovn-{name}.ovsschema"));
            let server =
                format!("ovsdb-server {at}/{name}.db --unixctl={at}/{name}.ctl --remote=punix:{at}/{name}.sock");
            central.push(start(name, &server));
        }
        let (nb, sb) = (format!("unix:{at}/nb.sock"), format!("unix:{at}/sb.sock"));
        until("OVN's databases listen", || {
            succeeds(&format!("ovn-nbctl --db={nb} init")) && succeeds(&format!("ovn-sbctl --db={sb} init"))
        });
        let northd = format!("ovn-northd --unixctl={at}/northd.ctl --ovnnb-db={nb} --ovnsb-db={sb}");
        central.push(start("northd", &northd));
        let follower = format!("ovn-controller-vtep --vtep-db={} --ovnsb-db={sb}", vtep.remote());
        central.push(start("controller-vtep", &follower));
        Self { nb, sb, central }
    }

    fn nbctl(&self, words: &str) {
        run(&format!("ovn-nbctl --timeout=20 --db={} {words}", self.nb));
    }
}

fn lab() -> Option<Lab> {
    let lab = Lab::of_peers().filter(|_| vtep_db::tools_are_there())?;
    match TOOLS.into_iter().find(|tool| !lab::installed(tool)) {
        None => Some(lab),
        Some(tool) => {
            lab::skip(&format!("'{tool}' is not installed ('scripts/test' installs it)"));
            None
        }
    }
}

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
