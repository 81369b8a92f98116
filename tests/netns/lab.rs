//! A laboratory: network namespaces, cables and real peers around one gateway, taken down when it is dropped.
//!
//! ```text
//!  h1 ─ eth0 ── access port, tag=10 ┐                                    ┌ v1 (kernel VXLAN, 10.0.0.12)
//!                            switch srv1 ── srv1 [gateway] up0 ── fabric ┼ v2 (kernel VXLAN, 10.0.0.13)
//!  h2 ─ eth0 ── untagged ───────────┘               │                    └ Open vSwitch's own end (10.0.0.20)
//!                                                  twin                       └ bridge tenant ── h9 ─ eth0
//! ```
//!
//! One Open vSwitch (userspace datapath, sockets of its own) is every switch of the laboratory: the servers' access
//! switches, the fabric between the VTEPs, and the Geneve or VXLAN peer. Kernels without 802.1Q, bridge or Geneve
//! modules will do. A *wire* is a port whose other end the test itself holds.

use std::cell::{Cell, RefCell};
use std::fs;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::bytes::{Mac, mac};
use crate::sys::{self, RawSocket};

/// How long a peer may take to do what it surely will do.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Namespaces and processes that end with it.
pub struct Lab {
    prefix: String,
    /// A directory for sockets, logs and configuration files.
    pub directory: PathBuf,
    namespaces: RefCell<Vec<String>>,
    daemons: RefCell<Vec<Child>>,
    switch: Cell<bool>,
    ports: Cell<u8>,
}

/// A bare-metal server, or a host behind a peer: a namespace with `eth0`, 192.168.7.N and fd00:7::N.
pub struct Host {
    /// Its namespace.
    pub namespace: String,
    /// The last number of its addresses.
    pub number: u8,
}

/// A remote tunnel end that is a Linux kernel: a namespace with `u0` on the fabric.
pub struct KernelVtep {
    /// Its namespace.
    pub namespace: String,
    /// The last number of its underlay addresses.
    pub number: u8,
}

static LABS: AtomicU32 = AtomicU32::new(0);

impl Lab {
    /// A laboratory of wires only. `None`, with a printed reason, where the machine does not allow it.
    pub fn of_wires() -> Option<Self> {
        Self::with_tools(&["ip", "nsenter"])
    }

    /// A laboratory with real peers. `None`, with a printed reason, where the machine does not allow it.
    pub fn of_peers() -> Option<Self> {
        let lab = Self::with_tools(&["ip", "nsenter", "ping", "ethtool", "ovs-vsctl", "ovsdb-server", "ovs-vswitchd"])?;
        lab.start_switch();
        Some(lab)
    }

    /// The same with FRR besides.
    pub fn of_frr() -> Option<Self> {
        if !exists("/usr/lib/frr/bgpd") {
            skip("'frr' is not installed ('scripts/test' installs it)");
            return None;
        }
        Self::of_peers()
    }

    fn with_tools(tools: &[&str]) -> Option<Self> {
        if !sys::is_root() {
            skip("making network namespaces needs root");
            return None;
        }
        if let Some(missing) = tools.iter().find(|tool| !installed(tool)) {
            skip(&format!("'{missing}' is not installed ('scripts/test' installs it)"));
            return None;
        }
        let number = LABS.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("cw{}x{number}", std::process::id());
        let directory = std::env::temp_dir().join(&prefix);
        let lab = Self {
            prefix,
            directory,
            namespaces: RefCell::default(),
            daemons: RefCell::default(),
            switch: Cell::new(false),
            ports: Cell::new(0),
        };
        if !Command::new("ip").args(["netns", "add", &lab.name("gw")]).status().is_ok_and(|status| status.success()) {
            skip("this machine does not let us make network namespaces");
            return None;
        }
        lab.namespaces.borrow_mut().push(lab.name("gw"));
        run(&format!("ip -n {} link set lo up", lab.gw()));
        fs::create_dir_all(&lab.directory).expect("the temporary directory can be written");
        for role in ["twin", "wire", "sw"] {
            lab.namespace(role);
        }
        Some(lab)
    }

    /// The namespace of the gateway's ports.
    pub fn gw(&self) -> String {
        self.name("gw")
    }

    /// The namespace of the gateway's Linux twins.
    pub fn twin(&self) -> String {
        self.name("twin")
    }

    /// The namespace of the other ends of the gateway's cables.
    pub fn far_side(&self) -> String {
        self.name(if self.switch.get() { "sw" } else { "wire" })
    }

    fn name(&self, role: &str) -> String {
        format!("{}-{role}", self.prefix)
    }

    /// Adds a namespace that goes with the laboratory.
    pub fn namespace(&self, role: &str) -> String {
        let name = self.name(role);
        run(&format!("ip netns add {name}"));
        self.namespaces.borrow_mut().push(name.clone());
        run(&format!("ip -n {name} link set lo up"));
        name
    }

    /// A cable from the gateway's namespace to the far side; both ends are called `name`. Neither kernel speaks on it.
    /// Returns the device string of the gateway's end.
    pub fn cable(&self, name: &str) -> String {
        cable(&self.gw(), name, &self.far_side(), name);
        for end in [self.gw(), self.far_side()] {
            run(&format!("ip -n {end} link set {name} addrgenmode none mtu 9300 up"));
        }
        self.ports.set(self.ports.get() + 1);
        format!("net_af_packet{},iface={name}", self.ports.get() - 1)
    }

    /// A raw socket on the far end of the cable `name`.
    pub fn wire(&self, name: &str) -> Wire {
        Wire::open(&self.far_side(), name)
    }

    /// Puts a server behind the gateway port `port`, on an access port of its switch with this VLAN.
    pub fn server(&self, port: &str, vlan: Option<u16>, number: u8) -> Host {
        let bridge = format!("sw-{port}");
        if !self.vsctl_ok(&format!("br-exists {bridge}")) {
            self.bridge(&bridge);
            self.vsctl(&format!("add-port {bridge} {port}"));
        }
        self.host(&bridge, vlan, number)
    }

    /// Puts a host on a bridge of the switch.
    pub fn host(&self, bridge: &str, vlan: Option<u16>, number: u8) -> Host {
        let namespace = self.namespace(&format!("h{number}"));
        let switch = self.name("sw");
        cable(&namespace, "eth0", &switch, &format!("h{number}"));
        self.address(&namespace, number);
        run(&format!("ip -n {switch} link set h{number} addrgenmode none mtu 9300 up"));
        let tag = vlan.map_or(String::new(), |vid| format!(" tag={vid}"));
        self.vsctl(&format!("add-port {bridge} h{number}{tag}"));
        Host { namespace, number }
    }

    fn address(&self, namespace: &str, number: u8) {
        run(&format!("ip -n {namespace} link set eth0 address {}", text(mac(number))));
        run(&format!("ip -n {namespace} link set eth0 mtu 1500 up"));
        run(&format!("ip -n {namespace} addr add 192.168.7.{number}/24 dev eth0"));
        run(&format!("ip -n {namespace} addr add fd00:7::{number}/64 dev eth0 nodad"));
        checksums_in_software(namespace, "eth0");
    }

    /// Adds a namespace with a bare cable `device` to the fabric.
    pub fn plug_into_fabric(&self, role: &str, device: &str) -> String {
        let (namespace, switch) = (self.namespace(role), self.name("sw"));
        cable(&namespace, device, &switch, role);
        run(&format!("ip -n {namespace} link set {device} addrgenmode none mtu 1600 up"));
        run(&format!("ip -n {switch} link set {role} addrgenmode none mtu 9300 up"));
        self.vsctl(&format!("add-port fabric {role}"));
        namespace
    }

    /// A host in a namespace `role`, with its cable's other end as `device` in another namespace.
    pub fn loose_host(&self, role: &str, number: u8, at: &str, device: &str) -> Host {
        let namespace = self.namespace(role);
        cable(&namespace, "eth0", at, device);
        run(&format!("ip -n {at} link set {device} addrgenmode none mtu 1600 up"));
        self.address(&namespace, number);
        Host { namespace, number }
    }

    /// Puts a Linux kernel on the fabric at 10.0.0.N and 2001:db8::N.
    pub fn kernel_vtep(&self, number: u8) -> KernelVtep {
        let namespace = self.namespace(&format!("v{number}"));
        let switch = self.name("sw");
        cable(&namespace, "u0", &switch, &format!("v{number}"));
        run(&format!("ip -n {namespace} link set u0 mtu 1600 up"));
        run(&format!("ip -n {namespace} addr add 10.0.0.{number}/24 dev u0"));
        run(&format!("ip -n {namespace} addr add 2001:db8::{number}/64 dev u0 nodad"));
        checksums_in_software(&namespace, "u0");
        run(&format!("ip -n {switch} link set v{number} addrgenmode none mtu 9300 up"));
        self.vsctl(&format!("add-port fabric v{number}"));
        KernelVtep { namespace, number }
    }

    /// Joins the far end of the gateway's underlay cable to the fabric.
    pub fn plug_underlay(&self, port: &str) {
        self.vsctl(&format!("add-port fabric {port}"));
    }

    /// Gives Open vSwitch its own tunnel end at 10.0.0.20 and 2001:db8::20, with the bridge `tenant` behind a tunnel to
    /// `remote`. `options` is what ovs-vsctl takes, such as `options:csum=true`.
    pub fn switch_tunnel(&self, kind: &str, vni: &str, remote: &str, options: &str) {
        self.vsctl(&format!(
            "--may-exist add-br tenant -- set bridge tenant datapath_type=netdev \
             -- --if-exists del-port tun0 -- add-port tenant tun0 \
             -- set interface tun0 type={kind} options:remote_ip={remote} options:key={vni} {options}"
        ));
    }

    /// Runs ovs-vsctl, which returns once the switch has done it.
    pub fn vsctl(&self, words: &str) -> String {
        run(&format!("{} {words}", self.vsctl_command()))
    }

    fn vsctl_ok(&self, words: &str) -> bool {
        succeeds(&format!("{} {words}", self.vsctl_command()))
    }

    fn vsctl_command(&self) -> String {
        format!("ovs-vsctl --timeout=20 --db=unix:{}/db.sock", self.directory.display())
    }

    /// Runs ovs-ofctl on a bridge's OpenFlow socket.
    pub fn ofctl(&self, command: &str, bridge: &str, words: &str) -> String {
        run(&format!("ovs-ofctl {command} unix:{}/{bridge}.mgmt {words}", self.directory.display()))
    }

    fn bridge(&self, name: &str) {
        self.vsctl(&format!("add-br {name} -- set bridge {name} datapath_type=netdev"));
    }

    fn start_switch(&self) {
        self.switch.set(true);
        let at = self.directory.display().to_string();
        let schema = "/usr/share/openvswitch/vswitch.ovsschema";
        run(&format!("ovsdb-tool create {at}/conf.db {schema}"));
        self.daemon(&format!("ovsdb-server {at}/conf.db --unixctl={at}/db.ctl --remote=punix:{at}/db.sock"));
        until("ovsdb-server listens", || exists(&format!("{at}/db.sock")));
        self.vsctl("--no-wait init");
        self.daemon(&format!("{} unix:{at}/db.sock --unixctl={at}/vsw.ctl --pidfile={at}/vsw.pid", vswitchd()));
        until("ovs-vswitchd listens", || exists(&format!("{at}/vsw.ctl")));
        self.bridge("fabric");
        let switch = self.name("sw");
        run(&format!("ip -n {switch} link set fabric addrgenmode none mtu 1700 up"));
        run(&format!("ip -n {switch} addr add 10.0.0.20/24 dev fabric"));
        run(&format!("ip -n {switch} addr add 2001:db8::20/64 dev fabric nodad"));
    }

    /// Starts a daemon in the switch's namespace, with its log in the laboratory's directory.
    pub fn daemon(&self, line: &str) {
        let log = fs::File::options().create(true).append(true).open(self.directory.join("daemons.log")).unwrap();
        let mut command = inside(&self.name("sw"), line);
        for variable in ["OVS_RUNDIR", "OVS_DBDIR", "OVS_LOGDIR"] {
            command.env(variable, &self.directory);
        }
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        self.daemons.borrow_mut().push(child);
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for child in self.daemons.borrow_mut().iter_mut().rev() {
            end(child, Duration::from_secs(2));
        }
        for namespace in self.namespaces.borrow().iter() {
            succeeds(&format!("ip netns del {namespace}"));
        }
        if std::thread::panicking() {
            let log = fs::read_to_string(self.directory.join("daemons.log")).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(15).collect();
            eprintln!("the last lines of the peers:");
            tail.iter().rev().for_each(|line| eprintln!("  {line}"));
        }
        // Nothing to do about a directory that stays: it is in the temporary directory under our own name.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Host {
    /// Its IPv4 address.
    pub fn v4(&self) -> String {
        format!("192.168.7.{}", self.number)
    }

    /// Its IPv6 address.
    pub fn v6(&self) -> String {
        format!("fd00:7::{}", self.number)
    }

    /// Waits until `other` answers over both families, then pings it ten times without a loss, each way.
    pub fn pings(&self, other: &Self) {
        for (from, to) in [(self, other), (other, self)] {
            for address in [to.v4(), to.v6()] {
                ping(&from.namespace, &address, "");
            }
        }
    }
}

impl KernelVtep {
    /// Its underlay address of the family of `other`.
    pub fn address(&self, six: bool) -> IpAddr {
        let text = if six { format!("2001:db8::{}", self.number) } else { format!("10.0.0.{}", self.number) };
        text.parse().expect("an address")
    }

    /// Makes a VXLAN device with a tenant's addresses 192.168.7.N on it; the underlay's family is that of `remote`
    /// (a VTEP or a group).
    pub fn vxlan(&self, vni: u32, remote: &str, options: &str) -> Host {
        let remote: IpAddr = remote.parse().expect("an address");
        let towards = if remote.is_multicast() { "dev u0 group" } else { "remote" };
        let local = self.address(remote.is_ipv6());
        let ns = &self.namespace;
        run(&format!(
            "ip -n {ns} link add vx{vni} type vxlan id {vni} dstport 4789 local {local} {towards} {remote} {options}"
        ));
        let number = self.number;
        run(&format!("ip -n {ns} link set vx{vni} address {} mtu 1500 up", text(mac(number))));
        run(&format!("ip -n {ns} addr add 192.168.7.{number}/24 dev vx{vni}"));
        run(&format!("ip -n {ns} addr add fd00:7::{number}/64 dev vx{vni} nodad"));
        Host { namespace: ns.clone(), number }
    }
}

/// The test's own end of a cable.
pub struct Wire {
    name: String,
    socket: RawSocket,
}

impl Wire {
    /// Listens on a device of a namespace.
    pub fn open(namespace: &str, device: &str) -> Self {
        let socket = sys::in_namespace(namespace, || RawSocket::bind(device)).expect("the device can be opened");
        Self { name: device.to_owned(), socket }
    }

    /// Sends one frame.
    pub fn send(&self, frame: &[u8]) {
        self.socket.send(frame).unwrap_or_else(|error| panic!("sending on {}: {error}", self.name));
    }

    /// The first frame that `wanted` makes something of, with whatever came before it thrown away.
    pub fn expect<T>(&self, what: &str, wanted: impl Fn(&[u8]) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        while let Some(frame) = self.socket.receive(deadline) {
            if let Some(found) = wanted(&frame) {
                return found;
            }
        }
        panic!("{what} did not come on {} within {PATIENCE:?}", self.name)
    }

    /// Waits for exactly these bytes.
    pub fn expect_frame(&self, what: &str, bytes: &[u8]) {
        self.expect(what, |frame| (frame == bytes).then_some(()));
    }

    /// What `wanted` makes of every frame that comes before `last`, a frame sent so that it arrives after the others.
    pub fn collect_until<T>(&self, last: impl Fn(&[u8]) -> bool, wanted: impl Fn(&[u8]) -> Option<T>) -> Vec<T> {
        let deadline = Instant::now() + PATIENCE;
        let mut found = Vec::new();
        while let Some(frame) = self.socket.receive(deadline) {
            if last(&frame) {
                return found;
            }
            found.extend(wanted(&frame));
        }
        panic!("the closing frame did not come on {} within {PATIENCE:?}", self.name)
    }
}

/// Pings until there is an answer, then ten times without a loss. `options` such as `-s 1472 -M do`.
#[track_caller]
pub fn ping(namespace: &str, address: &str, options: &str) {
    until(&format!("{namespace} reaches {address} ({options})"), || {
        succeeds(&format!("ip netns exec {namespace} ping -n -c 1 -W 1 {options} {address}"))
    });
    run(&format!("ip netns exec {namespace} ping -n -c 10 -i 0.02 -W 2 {options} {address}"));
}

/// Waits for a condition, with a bound.
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits for a condition, with a bound; `seen` is what to show when that was in vain.
#[track_caller]
pub fn until_or(what: &str, mut condition: impl FnMut() -> bool, seen: impl Fn() -> String) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain: {what}; last seen:\n{}", seen());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a command line (words parted by spaces) that must succeed; returns what it printed.
pub fn run(line: &str) -> String {
    let output = output(line);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "'{line}' failed ({}):\n{text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// What a command line printed, whatever became of it.
pub fn said(line: &str) -> String {
    String::from_utf8_lossy(&output(line).stdout).into_owned()
}

/// True when a command line succeeds.
pub fn succeeds(line: &str) -> bool {
    output(line).status.success()
}

fn output(line: &str) -> Output {
    let mut words = line.split_whitespace();
    let program = words.next().expect("a command");
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null());
    command.output().unwrap_or_else(|error| panic!("'{program}' does not start: {error}"))
}

/// A command line to be run in a network namespace; the process that it becomes is the command itself.
pub fn inside(namespace: &str, line: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.arg(format!("--net=/run/netns/{namespace}")).arg("--").args(line.split_whitespace());
    command
}

/// Ends a child: SIGTERM, and SIGKILL when it has not gone within `grace`.
pub fn end(child: &mut Child, grace: Duration) {
    sys::signal(child.id(), libc::SIGTERM);
    let deadline = Instant::now() + grace;
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sets a flag when dropped, also by a panic: for who goes on until then.
pub struct End<'a>(pub &'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Says why a test did not run. Past the test harness, so that it shows for tests that pass, too.
pub fn skip(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "\nskipped: {test}: {why}");
}

/// The usual way to write a MAC address.
pub fn text(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// A kernel leaves checksums of local frames to the NIC. A veth is none, and a raw socket at its end sees them unfilled.
fn checksums_in_software(namespace: &str, device: &str) {
    run(&format!("ip netns exec {namespace} ethtool -K {device} tx off"));
}

fn cable(one: &str, here: &str, other: &str, there: &str) {
    run(&format!("ip link add {here} netns {one} type veth peer name {there} netns {other}"));
}

fn exists(path: &str) -> bool {
    Path::new(path).exists()
}

/// The distribution's plain daemon; the one built with DPDK would want a part of the huge pages.
pub fn vswitchd() -> &'static str {
    let plain = "/usr/lib/openvswitch-switch/ovs-vswitchd";
    if exists(plain) { plain } else { "ovs-vswitchd" }
}

/// True when a program is on the path.
pub fn installed(tool: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    // A root shell without the system directories in its path is common in containers.
    path.split(':').chain(["/usr/sbin", "/sbin"]).any(|directory| Path::new(directory).join(tool).exists())
}
