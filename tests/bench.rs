//! `causeway bench` as its user meets it: real processes, real devices of DPDK. Nothing here looks at how fast it was.
#![cfg(feature = "dpdk")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_causeway");
/// Slow enough for a machine that does other things too.
const SHORT: [&str; 6] = ["--rate", "0.01", "--duration", "0.2", "--macs", "16"];

/// Why this test cannot run here, if so.
fn skipped(name: &str) -> bool {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // SAFETY: it has no conditions.
    let why = match unsafe { libc::geteuid() } {
        0 if cores >= 2 => return false,
        0 => "it needs two cores",
        _ => "it needs root",
    };
    println!("skipped: {name}: {why}");
    true
}

fn bench(arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.arg("bench").args(arguments).env_remove("CAUSEWAY_SOCKET").stdin(Stdio::null());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The results of a run that went well.
fn results(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", said(output));
    serde_json::from_slice::<Vec<Value>>(&output.stdout).expect("a JSON list")
}

/// Frames went through, each once, and were timed.
fn assert_passed(result: &Value) {
    let load = &result["loads"][0];
    let count = |key: &str| load[key].as_u64().unwrap_or_else(|| panic!("no {key}: {result:#}"));
    assert!(count("sent") > 0 && count("received") > 0, "{result:#}");
    assert!(count("received") + count("refused") <= count("sent"), "{result:#}");
    let times = &load["frame_latency"];
    assert!(times["max_ns"].as_u64() >= times["p50_ns"].as_u64() && times["p50_ns"].as_u64() > Some(0), "{result:#}");
}

#[test]
fn a_gateway_of_its_own_passes_frames_both_ways_in_both_tunnels() {
    if skipped("a_gateway_of_its_own_passes_frames_both_ways_in_both_tunnels") {
        return;
    }
    let jobs = ["vlan-vxlan", "vxlan-vlan", "vlan-geneve", "geneve-vlan"];
    let mut command = bench(&SHORT);
    let output = command.args(["--json", "--size", "imix", "--job", &jobs.join(",")]).output().expect("it starts");
    let results = results(&output);
    assert_eq!(results.iter().map(|result| result["job"].as_str().expect("a name")).collect::<Vec<_>>(), jobs);
    results.iter().for_each(assert_passed);
}

#[test]
fn stopping_it_leaves_nothing_behind() {
    if skipped("stopping_it_leaves_nothing_behind") {
        return;
    }
    let mut running = bench(&["--duration", "3600", "--rate", "0.01", "--macs", "16"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let folder = std::env::temp_dir().join(format!("causeway-bench-{}", running.id()));
    let mut lines = BufReader::new(running.stderr.take().expect("piped")).lines();
    // The gateway is up when the first way is announced.
    let announced = lines.by_ref().map_while(Result::ok).find(|line| line.starts_with("vlan-vxlan"));
    assert!(announced.is_some() && folder.exists(), "it did not begin");
    // SAFETY: it has no conditions; the process is our child and not yet waited for.
    unsafe { libc::kill(running.id() as i32, libc::SIGINT) };
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert_eq!(running.wait().expect("it ends").code(), Some(1), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("stopped before the end")), "{rest:?}");
    assert!(!folder.exists(), "its folder is still there");
}

#[test]
fn killing_it_ends_its_gateway_too() {
    if skipped("killing_it_ends_its_gateway_too") {
        return;
    }
    let mut running = bench(&["--duration", "3600", "--rate", "0.01", "--macs", "16"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(running.stderr.take().expect("piped")).lines();
    let announced = lines.by_ref().map_while(Result::ok).find(|line| line.starts_with("vlan-vxlan"));
    assert!(announced.is_some(), "it did not begin");
    let gateway = child_of(running.id());
    let ended = pidfd_open(gateway, PidfdFlags::empty()).expect("the gateway runs");
    running.kill().expect("it runs");
    running.wait().expect("it ends");
    // Readable once the process has ended.
    let mut wait = [PollFd::new(&ended, PollFlags::IN)];
    let patience = Timespec { tv_sec: 30, tv_nsec: 0 };
    assert_eq!(poll(&mut wait, Some(&patience)), Ok(1), "the gateway {gateway:?} lives on");
    let folder = std::env::temp_dir().join(format!("causeway-bench-{}", running.id()));
    std::fs::remove_dir_all(folder).expect("nobody was left to remove it");
}

/// The process that one of a process's threads has started.
fn child_of(process: u32) -> Pid {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).expect("it runs").flatten();
    let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let child = children.flat_map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).next();
    child.and_then(|number| Pid::from_raw(number.parse().ok()?)).expect("it has a child")
}

/// A gateway with a Linux twin in a namespace of its own; both go when this is dropped.
struct Elsewhere {
    gateway: Child,
    folder: PathBuf,
    namespace: String,
}

impl Elsewhere {
    fn start(core: usize, vni: &str, addresses: &str, vtep: &str) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let own = format!("cwbench-{}-{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(&own);
        std::fs::create_dir_all(&folder).expect("a folder");
        let made = Command::new("ip").args(["netns", "add", &own]).status().expect("ip starts");
        assert!(made.success());
        let yaml = format!(
            "version: 1\nworkers: {{cores: [{core}], idle: sleep}}\nmemory: {{huge_pages: off}}\n\
             vtep: {{namespace: {own}}}\nports:\n\
             \x20 - {{name: srv, device: \"{}\", vlans: [{{vlan: 10, vni: 5001}}]}}\n\
             \x20 - {{name: up, device: \"{}\", underlay: {{vlan: 100, twin: up0, addresses: [\"{addresses}\"]}}}}\n\
             vnis:\n  - {{vni: 5001, flood: {{vteps: [\"{vtep}\"]}}, {vni}}}\n",
            device(&folder, 0, "server"),
            device(&folder, 1, "server"),
        );
        std::fs::write(folder.join("gateway.yaml"), yaml).expect("a file");
        let mut gateway = Command::new(BINARY)
            .args(["run", "-c"])
            .arg(folder.join("gateway.yaml"))
            .arg("--socket")
            .arg(folder.join("gateway.sock"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("the gateway starts");
        let mut lines = BufReader::new(gateway.stderr.take().expect("piped")).lines().map_while(Result::ok);
        let mut said = Vec::new();
        while !said.last().is_some_and(|line: &String| line.contains("forwarding:")) {
            said.push(lines.next().unwrap_or_else(|| panic!("it ended: {said:#?}")));
        }
        // Its pipe must not fill up.
        std::thread::spawn(move || lines.for_each(drop));
        Self { gateway, folder, namespace: own }
    }

    /// What `causeway show … --json` prints.
    fn show(&self, what: &[&str]) -> Value {
        let socket = self.folder.join("gateway.sock");
        let output = Command::new(BINARY).arg("show").args(what).arg("--json").arg("--socket").arg(&socket).output();
        let output = output.expect("it starts");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(&output)))
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        // SAFETY: it has no conditions; the process is our child and not yet waited for.
        unsafe { libc::kill(self.gateway.id() as i32, libc::SIGTERM) };
        let _ = self.gateway.wait();
        let _ = Command::new("ip").args(["netns", "del", &self.namespace]).status();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn device(folder: &std::path::Path, number: usize, role: &str) -> String {
    let socket = folder.join(format!("memif{number}.sock"));
    format!("net_memif{number},role={role},id={number},socket={},socket-abstract=no", socket.display())
}

/// The generator answers for the VTEP's address, so a gateway with a real kernel beside it finds the way.
#[test]
fn a_gateway_elsewhere_is_measured_by_its_configuration() {
    if skipped("a_gateway_elsewhere_is_measured_by_its_configuration") {
        return;
    }
    for (vni, addresses, vtep, jobs) in [
        ("encap: vxlan", "10.0.0.11/24", "10.0.0.12", ["vlan-vxlan", "vxlan-vlan"]),
        ("encap: geneve", "2001:db8::11/64", "2001:db8::12", ["vlan-geneve", "geneve-vlan"]),
    ] {
        let elsewhere = Elsewhere::start(1, vni, addresses, vtep);
        let [servers, fabric] = [0, 1].map(|number| device(&elsewhere.folder, number, "client"));
        let file = elsewhere.folder.join("gateway.yaml");
        let output = bench(&SHORT)
            .args(["--json", "--cores", "0", "--servers", &servers, "--fabric", &fabric, "-c"])
            .arg(&file)
            .output()
            .expect("it starts");
        let results = results(&output);
        assert_eq!(results.iter().map(|result| result["job"].as_str().expect("a name")).collect::<Vec<_>>(), jobs);
        results.iter().for_each(assert_passed);
    }
}

/// DPDK's own test program as the source of a like load.
#[test]
fn testpmd_loads_a_gateway_over_a_memif() {
    const NAME: &str = "testpmd_loads_a_gateway_over_a_memif";
    if skipped(NAME) {
        return;
    }
    if Command::new("dpdk-testpmd").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        println!("skipped: {NAME}: dpdk-testpmd is not installed");
        return;
    }
    let elsewhere = Elsewhere::start(1, "encap: vxlan", "10.0.0.11/24", "10.0.0.12");
    let load = |arguments: &[&str]| {
        let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/load-testpmd"))
            .args(["--seconds", "1"])
            .args(arguments)
            .output()
            .expect("bash is there");
        assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), said(&output));
    };
    load(&["--macs", "50", &device(&elsewhere.folder, 0, "client")]);
    let fdb = elsewhere.show(&["fdb"]);
    assert_eq!(fdb.as_array().expect("a list").len(), 50, "every station is learned: {fdb}");
    let received = elsewhere.show(&["ports"])[0]["rx"]["frames"].as_u64().expect("a count");
    assert!(received >= 50, "{received}");
    // Frames without a tag belong nowhere here, and are named so.
    load(&["--mode", "txonly", &device(&elsewhere.folder, 0, "client")]);
    assert!(elsewhere.show(&["ports"])[0]["rx"]["frames"].as_u64() > Some(received));
    assert!(elsewhere.show(&["drops"]).to_string().contains("unknown-vlan"));
}

#[test]
fn what_cannot_be_measured_is_said() {
    let refused = |arguments: &[&str], status, words: &str| {
        let output = bench(arguments).output().expect("it starts");
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(words), "{arguments:?}: {}", said(&output));
    };
    refused(&["--size", "63"], 2, "64 to 1518, or imix");
    refused(&["--servers", "net_null0"], 2, "--config");
    refused(&["--loss", "51"], 2, "from 0 to 50");
    refused(&["-c", "/none.yaml", "--servers", "net_null0", "--fabric", "net_null1"], 1, "/none.yaml");
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config/examples/rack.yaml");
    let devices = ["--servers", "net_null0", "--fabric", "net_null1", "-c", example];
    refused(&[&devices[..], &["--vni", "77"]].concat(), 1, "VNI '77'");
    refused(&[&devices[..], &["--job", "geneve-vlan"]].concat(), 1, "there is no geneve-vlan");
}
