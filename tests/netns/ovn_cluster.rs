//! A real OVN: its central processes, and hypervisors with Open vSwitch's userspace datapath, each process a child that can
//! die and come back.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::lab::{self, Host, Lab, run, succeeds, until};
use crate::vtep_db::{self, VtepDb};

const TOOLS: [&str; 6] = ["ovn-northd", "ovn-controller", "ovn-controller-vtep", "ovn-nbctl", "ovn-sbctl", "iperf3"];
/// The VM: 192.168.7.21.
pub const VM: u8 = 21;

/// A process that can die and come back.
pub struct Daemon {
    pub name: String,
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

    /// Starts it again.
    pub fn again(&self) {
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
    pub fn dies(&self) {
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
pub struct Hypervisor {
    number: u8,
    /// Its namespace.
    pub name: String,
    directory: String,
    /// Its processes.
    pub daemons: Vec<Daemon>,
}

impl Hypervisor {
    /// At 10.0.0.N on the fabric, with one VM port.
    pub fn start(lab: &Lab, number: u8, southbound: &str) -> Self {
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
    pub fn vm(&self, lab: &Lab) -> Host {
        let host = lab.loose_host(&format!("vm{}", self.number), VM, &self.name, "v0");
        self.vsctl("add-port br-int v0");
        host
    }

    /// The VM runs here from now on.
    pub fn runs(&self, vm: &str) {
        self.vsctl(&format!("set interface v0 external_ids:iface-id={vm}"));
    }

    /// It runs here no longer.
    pub fn runs_no_longer(&self) {
        self.vsctl("remove interface v0 external_ids iface-id");
    }
}

/// OVN's central processes and the gateway's database.
pub struct Cluster {
    /// The northbound database.
    pub nb: String,
    /// The southbound database.
    pub sb: String,
    /// Its processes.
    pub central: Vec<Daemon>,
}

impl Cluster {
    /// Starts them.
    pub fn start(lab: &Lab, vtep: &VtepDb) -> Self {
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

    /// Runs ovn-nbctl.
    pub fn nbctl(&self, words: &str) {
        run(&format!("ovn-nbctl --timeout=20 --db={} {words}", self.nb));
    }
}

/// A laboratory with all that OVN needs.
pub fn lab() -> Option<Lab> {
    let lab = Lab::of_peers().filter(|_| vtep_db::tools_are_there())?;
    match TOOLS.into_iter().find(|tool| !lab::installed(tool)) {
        None => Some(lab),
        Some(tool) => {
            lab::skip(&format!("'{tool}' is not installed ('scripts/test' installs it)"));
            None
        }
    }
}
