//! The gateway as a service: what the service manager hears, a worker that hangs, and which rights are left.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use crate::bytes::{BROADCAST, mac, probe, vlan};
use crate::config::Config;
use crate::gateway::Gateway;
use crate::lab::{self, Lab, PATIENCE};
use crate::sys::{self, Stopped};

const UNIT: &str = include_str!("../../scripts/debian/causeway.service");

fn configuration(lab: &Lab) -> String {
    Config::new(lab)
        .port("up0", "mtu: 1600, underlay: {addresses: [10.0.0.11/24]}")
        .access("srv1", "{vlan: 10, vni: 5001}")
        .access("srv2", "{vlan: untagged, vni: 5001}")
        .vni("vni: 5001, flood: {vteps: [10.0.0.12]}")
        .text()
}

/// A frame from one server comes out at the other.
fn forwards(lab: &Lab) {
    let (one, two) = (lab.wire("srv1"), lab.wire("srv2"));
    let frame = probe(BROADCAST, mac(1), 60, 1);
    one.send(&vlan(&frame, 10));
    two.expect_frame("the frame", &frame);
}

/// What systemd would be: the socket that it listens on.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    fn new(lab: &Lab) -> Self {
        let path = lab.directory.join("notify");
        let socket = UnixDatagram::bind(&path).expect("the laboratory's directory can be written");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self { socket, path }
    }

    fn path(&self) -> &str {
        self.path.to_str().expect("UTF-8")
    }

    /// The next message; `None` after `PATIENCE`.
    fn hear(&self) -> Option<String> {
        let mut bytes = [0; 1024];
        let length = self.socket.recv(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes[..length]).into_owned())
    }

    /// Waits for a message that begins with these words; returns those that came before, and it.
    fn wait(&self, words: &str) -> Vec<String> {
        let mut heard = Vec::new();
        while let Some(message) = self.hear() {
            let found = message.starts_with(words);
            heard.push(message);
            if found {
                return heard;
            }
        }
        panic!("the service manager did not hear '{words}' but {heard:?}")
    }
}

#[test]
fn the_service_manager_hears_of_start_reload_and_stop() {
    let Some(lab) = Lab::of_wires() else { return };
    let manager = Manager::new(&lab);
    let yaml = configuration(&lab);
    let gateway = Gateway::start_under(&lab, &yaml, "", &[("NOTIFY_SOCKET", manager.path())]);
    assert_eq!(manager.wait("READY=1"), ["READY=1\nSTATUS=forwarding: 3 ports, 1 VNI, 1 worker"]);
    gateway.signal(libc::SIGHUP);
    let heard = manager.wait("READY=1");
    assert!(heard[0].starts_with("RELOADING=1\nMONOTONIC_USEC="), "{heard:?}");
    // Nobody asked for a watchdog.
    assert_eq!(heard.len(), 2, "{heard:?}");
    let file = lab.directory.join("gateway.yaml");
    fs::write(file, yaml.replace("cores: [0]", "cores: [1]")).expect("ours");
    assert_eq!(gateway.command(&["reload"]).output().expect("the binary starts").status.code(), Some(4));
    let heard = manager.wait("READY=1");
    assert!(heard[1].contains("1 worker; its file is not in force, see 'causeway show health'"), "{heard:?}");
    let (status, _, log) = gateway.stop();
    assert!(status.success(), "{log}");
    assert_eq!(manager.wait("STOPPING=1").len(), 1);
}

/// An address of metrics that is taken is no reason to stop, and no secret either.
#[test]
fn health_tells_of_metrics_whose_address_is_taken_until_it_is_free() {
    let Some(lab) = Lab::of_wires() else { return };
    let taken = sys::in_namespace(&lab.gw(), || TcpListener::bind("127.0.0.1:0")).expect("a port");
    let at = taken.local_addr().expect("an address");
    let gateway = Gateway::start(&lab, &(configuration(&lab) + &format!("metrics: {{listen: \"{at}\"}}\n")));
    gateway.wait_log("metrics cannot be shown");
    let ill = health(&gateway);
    let told = |one: &serde_json::Value| one["subject"] == "metrics" && one["name"] == at.to_string();
    assert!(ill["state"] == "degraded" && ill["problems"].as_array().expect("a list").iter().any(told), "{ill}");
    forwards(&lab);
    drop(taken);
    gateway.wait_log("metrics are shown");
    lab::until("health has heard of it", || !health(&gateway).to_string().contains("metrics"));
}

/// One worker of two is held; the process, its control and the other worker go on.
#[test]
fn a_stuck_worker_is_told_of_and_the_watchdog_goes_hungry_until_it_moves() {
    let Some(lab) = Lab::of_wires() else { return };
    let manager = Manager::new(&lab);
    let yaml = configuration(&lab).replace("cores: [0]", "cores: [0, 1]");
    let environment = [("NOTIFY_SOCKET", manager.path()), ("WATCHDOG_USEC", "200000")];
    let gateway = Gateway::start_under(&lab, &yaml, "", &environment);
    manager.wait("READY=1");
    manager.wait("WATCHDOG=1");
    let Some(held) = Stopped::thread(thread(&gateway, "worker-1")) else {
        return lab::skip("this machine does not let us stop a thread (ptrace)");
    };
    manager.wait("STATUS=the worker of core 1 does not move");
    gateway.wait_log("please report it with this log core=1 seconds=2.");
    let well = health(&gateway);
    let problems = well["problems"].as_array().expect("a list");
    let told = |one: &serde_json::Value| one["subject"] == "worker" && one["name"] == "1";
    assert!(well["state"] == "degraded" && problems.iter().any(told), "{well}");
    // Ten times as long as the watchdog waits.
    manager.socket.set_read_timeout(Some(Duration::from_secs(1))).expect("a timeout");
    assert_eq!(manager.hear(), None, "the watchdog must not be fed while a worker is stuck");
    manager.socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    drop(held);
    manager.wait("STATUS=forwarding: 3 ports");
    manager.wait("WATCHDOG=1");
    gateway.wait_log("see that nothing else runs on its core core=1 seconds=");
    let well = health(&gateway).to_string();
    assert!(!well.contains("worker"), "{well}");
    forwards(&lab);
}

/// The rights that the unit leaves are enough for a start, a reload and frames; and what runs on holds less.
#[test]
fn the_rights_of_the_unit_suffice_and_most_are_given_up() {
    let Some(lab) = Lab::of_wires() else { return };
    if !lab::succeeds("setpriv --version") {
        return lab::skip("'setpriv' is not installed ('scripts/test' installs it)");
    }
    let names = UNIT.lines().find_map(|line| line.strip_prefix("CapabilityBoundingSet=")).expect("the unit's bounds");
    let bounds: Vec<String> =
        names.split(' ').map(|name| format!("+{}", &name["CAP_".len()..].to_lowercase())).collect();
    let wrapper = format!("setpriv --no-new-privs --bounding-set -all,{}", bounds.join(","));
    let yaml = configuration(&lab) + "api: {group: daemon, mode: \"0620\"}\n";
    let gateway = Gateway::start_under(&lab, &yaml, &wrapper, &[]);
    forwards(&lab);
    let owner = fs::metadata(gateway.socket()).map(|file| {
        use std::os::unix::fs::MetadataExt as _;
        (file.gid(), file.mode() & 0o777)
    });
    assert_eq!(owner.expect("the socket"), (1, 0o620));
    // A neighbour is asked for with what the thread that does so has kept.
    lab::until("the kernel is asked to keep the VTEP's neighbour", || {
        lab::run(&format!("ip -n {} neigh show", lab.twin())).contains("10.0.0.12")
    });
    gateway.signal(libc::SIGHUP);
    gateway.wait_log("the configuration was read");
    forwards(&lab);

    let bit = |number: u32| 1_u64 << number;
    let (net_admin, sys_admin) = (bit(12), bit(21));
    for (name, held) in rights(&gateway) {
        let most = match name.as_str() {
            "worker-0" | "to-twins" | "twin-up0" | "api" | "signals" | "reload" => 0,
            "underlay" => net_admin,
            "causeway" => net_admin | sys_admin,
            // DPDK's own threads keep what the start took, never more.
            _ => net_admin | sys_admin | bit(13) | bit(14) | bit(17) | bit(0),
        };
        assert_eq!(held & !most, 0, "the thread {name} holds {held:#x}");
    }
    let (status, _, log) = gateway.stop();
    assert!(status.success() && !log.contains("could not be given up"), "{log}");
}

/// What `causeway show health` says, whatever its exit status.
fn health(gateway: &Gateway) -> serde_json::Value {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_causeway"));
    let output = command.args(["show", "health", "--json", "--socket"]).arg(gateway.socket()).output();
    serde_json::from_slice(&output.expect("the binary starts").stdout).expect("JSON")
}

/// The number of the thread of this name.
fn thread(gateway: &Gateway, name: &str) -> u32 {
    let found =
        threads(gateway).find(|task| field(task, "Name").as_deref() == Some(name)).expect("the thread is there");
    found.file_name().and_then(|number| number.to_str()).and_then(|number| number.parse().ok()).expect("a number")
}

/// The name of every thread, and what it may do.
fn rights(gateway: &Gateway) -> Vec<(String, u64)> {
    let held = |task: &PathBuf| u64::from_str_radix(&field(task, "CapPrm")?, 16).ok();
    threads(gateway).filter_map(|task| Some((field(&task, "Name")?, held(&task)?))).collect()
}

fn threads(gateway: &Gateway) -> impl Iterator<Item = PathBuf> {
    let tasks = fs::read_dir(format!("/proc/{}/task", gateway.id())).expect("it runs");
    tasks.map(|task| task.expect("a thread").path())
}

fn field(task: &std::path::Path, name: &str) -> Option<String> {
    let status = fs::read_to_string(task.join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().to_owned())
}
