//! Starting, refusing to start, stopping, crashing and starting again.

use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::bytes::{BROADCAST, mac, probe, vlan};
use crate::config::Config;
use crate::gateway::{self, Gateway};
use crate::lab::{self, Lab, run};

/// A configuration with a Linux twin and a DPDK file prefix of its own.
fn configuration(lab: &Lab, prefix: &str) -> String {
    Config::new(lab)
        .memory(&format!("{{file_prefix: {prefix}}}"))
        .port("up0", "mtu: 1600, underlay: {addresses: [10.0.0.11/24]}")
        .access("srv1", "{vlan: 10, vni: 5001}")
        .access("srv2", "{vlan: untagged, vni: 5001}")
        .vni("vni: 5001, flood: {vteps: [10.0.0.12]}")
        .text()
}

fn prefix(lab: &Lab) -> String {
    format!("test-{}", lab.gw())
}

fn runtime_directory(lab: &Lab) -> String {
    format!("/var/run/dpdk/{}", prefix(lab))
}

fn twins(lab: &Lab) -> usize {
    run(&format!("ip -n {} -o link show type tun", lab.twin())).lines().count()
}

/// A frame from one server comes out at the other.
fn forwards(lab: &Lab) {
    let (one, two) = (lab.wire("srv1"), lab.wire("srv2"));
    let frame = probe(BROADCAST, mac(1), 60, 1);
    one.send(&vlan(&frame, 10));
    two.expect_frame("the frame", &frame);
}

/// What came out at the other server before does so no more: there, the next frame is one that we put on the cable.
fn forwards_nothing(lab: &Lab) {
    let (one, two) = (lab.wire("srv1"), lab.wire("srv2"));
    one.send(&vlan(&probe(BROADCAST, mac(1), 60, 2), 10));
    let marker = probe(BROADCAST, mac(0x99), 60, 3);
    lab::Wire::open(&lab.gw(), "srv2").send(&marker);
    assert_eq!(two.expect("the marker", |frame| Some(frame.to_vec())), marker);
}

/// Nothing that a gateway makes is there.
fn nothing_is_left(lab: &Lab, socket: &Path) {
    assert_eq!(twins(lab), 0, "a Linux twin stayed behind");
    assert!(!socket.exists(), "the socket stayed behind");
    assert!(!Path::new(&runtime_directory(lab)).exists(), "DPDK's directory stayed behind");
}

/// SIGTERM ends it, with success, and nothing is left; then it starts again. (It takes well below a second, but for the
/// kernel's own time to take devices away on a busy machine.) CTL4
#[test]
fn sigterm_stops_it_and_leaves_nothing() {
    let Some(lab) = Lab::of_wires() else { return };
    let yaml = configuration(&lab, &prefix(&lab));
    for _ in 0..2 {
        let gateway = Gateway::start(&lab, &yaml);
        assert_eq!(twins(&lab), 1);
        forwards(&lab);
        let socket = gateway.socket().to_owned();
        let (status, _, log) = gateway.stop();
        assert!(status.success(), "{status}:\n{log}");
        nothing_is_left(&lab, &socket);
        forwards_nothing(&lab);
    }
}

/// After a crash the next start needs no cleaning up by hand. CTL4
#[test]
fn a_crash_does_not_hinder_the_next_start() {
    let Some(lab) = Lab::of_wires() else { return };
    let yaml = configuration(&lab, &prefix(&lab));
    let gateway = Gateway::start(&lab, &yaml);
    forwards(&lab);
    let socket = gateway.socket().to_owned();
    gateway.crash();
    let gateway = Gateway::start(&lab, &yaml);
    forwards(&lab);
    let (status, _, log) = gateway.stop();
    assert!(status.success(), "{status}:\n{log}");
    nothing_is_left(&lab, &socket);
}

/// Two gateways on one host share nothing but the machine.
#[test]
fn two_gateways_on_one_host() {
    let (Some(here), Some(there)) = (Lab::of_wires(), Lab::of_wires()) else { return };
    let one = Gateway::start(&here, &configuration(&here, &prefix(&here)));
    let two = Gateway::start(&there, &configuration(&there, &prefix(&there)));
    forwards(&here);
    forwards(&there);
    let (status, _, log) = one.stop();
    assert!(status.success(), "{status}:\n{log}");
    forwards(&there);
    let (status, _, log) = two.stop();
    assert!(status.success(), "{status}:\n{log}");
}

/// Each bad start is one clear sentence that names the thing, a failure, and nothing left behind.
#[test]
fn bad_starts_say_what_is_wrong_and_leave_nothing() {
    let Some(lab) = Lab::of_wires() else { return };
    let good = configuration(&lab, &prefix(&lab));
    let cases = [
        ("a device that does not exist", good.replace("iface=srv1", "iface=nosuch0"), "nosuch0"),
        ("a core that does not exist", good.replace("cores: [0]", "cores: [1023]"), "1023"),
        ("a namespace that does not exist", good.replace(&lab.twin(), "nosuchns"), "nosuchns"),
        ("a file that is not a configuration", "version: 1\nprots: []\n".to_owned(), "ports"),
    ];
    for (what, yaml, names) in cases {
        assert_ne!(yaml, good, "{what}: the case changes nothing");
        let said = gateway::refused(&lab, &yaml);
        assert!(said.contains(names), "{what}: it should name '{names}':\n{said}");
        nothing_is_left(&lab, &lab.directory.join("refused.sock"));
    }
    // After all that, the good one starts.
    drop(Gateway::start(&lab, &good));
}

/// DPDK maps files in its runtime directory, and would end by SIGBUS where they find no room.
#[test]
fn a_full_runtime_directory_is_refused_in_words() {
    let Some(lab) = Lab::of_wires() else { return };
    let (folder, script) = (lab.directory.join("run"), lab.directory.join("with-little-room"));
    std::fs::create_dir(&folder).expect("ours");
    let mount =
        format!("mount -t tmpfs -o size=256k none {0} && RUNTIME_DIRECTORY={0} exec \"$@\"\n", folder.display());
    std::fs::write(&script, mount).expect("ours");
    let wrapper = format!("unshare --mount --propagation private sh {}", script.display());
    let said = gateway::refused_under(&lab, &configuration(&lab, &prefix(&lab)), &wrapper);
    assert!(said.contains("runtime directory") && said.contains("make room in its file system"), "{said}");
}

/// What somebody takes from under a running gateway is named, with what to do, and a new thing of the old name does not pass
/// for it.
#[test]
fn a_twin_or_an_interface_that_is_removed_is_told_of_by_health() {
    let Some(lab) = Lab::of_wires() else { return };
    let gateway = Gateway::start(&lab, &configuration(&lab, &prefix(&lab)));
    let health = || {
        let said = gateway.command(&["show", "health"]).output().expect("the binary starts").stdout;
        String::from_utf8_lossy(&said).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let twin = run(&format!("ip -n {} -o link show type tun", lab.twin()));
    let twin = twin.split(": ").nth(1).expect("a name");
    run(&format!("ip -n {} link del {twin}", lab.twin()));
    let gone = format!("twin {twin}: it was removed, and port up0 is cut off restart the gateway");
    lab::until("the twin is missed", || health().contains(&gone));
    run(&format!("ip -n {} link del srv2", lab.gw()));
    lab::until("the interface is missed", || health().contains("link srv2: the interface beneath it is gone"));
    run(&format!("ip -n {} link add srv2 type veth peer name other2", lab.gw()));
    run(&format!("ip -n {} link set srv2 up", lab.gw()));
    run(&format!("ip -n {} link set other2 up", lab.gw()));
    lab::until("the other one is seen through", || health().contains("one that came later has its name"));
    let links = gateway.show("links");
    assert_eq!(gateway::rows(&links)[2]["up"], false, "{links:#}");
    let (status, _, log) = gateway.stop();
    assert!(status.success(), "{log}");
}

#[test]
fn few_descriptors_are_told_of_and_as_many_as_may_be_are_taken() {
    let Some(lab) = Lab::of_wires() else { return };
    let yaml = configuration(&lab, &prefix(&lab));
    let gateway = Gateway::start_under(&lab, &yaml, "prlimit --nofile=45:45", &[]);
    gateway.wait_log("so few files may be open");
    let clients: Vec<_> =
        (0..30).map(|_| UnixStream::connect(gateway.socket()).expect("a place in the queue")).collect();
    gateway.wait_log("clients of the socket wait, as they cannot be let in; raise the limit of open files");
    forwards(&lab);
    drop(clients);
    gateway.show("ports");
    drop(gateway);
    let gateway = Gateway::start_under(&lab, &yaml, "prlimit --nofile=45:2000", &[]);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", gateway.id())).expect("it runs");
    let open: Vec<_> = limits.lines().filter(|line| line.starts_with("Max open files")).collect();
    assert!(open[0].split_whitespace().filter(|word| *word == "2000").count() == 2, "{open:?}");
    let (status, _, log) = gateway.stop();
    assert!(status.success() && !log.contains("so few files"), "{log}");
}

/// Without root it says so.
#[test]
fn without_root_it_says_so() {
    let Some(lab) = Lab::of_wires() else { return };
    let said = gateway::refused_as_nobody(&lab, &configuration(&lab, &prefix(&lab)));
    assert!(said.contains("root"), "{said}");
    nothing_is_left(&lab, &lab.directory.join("refused.sock"));
}

/// What one gateway holds another cannot take: DPDK's file prefix, a Linux twin, a socket. The first does not notice.
#[test]
fn a_second_gateway_on_the_same_things_is_refused() {
    let Some(lab) = Lab::of_wires() else { return };
    let yaml = configuration(&lab, &prefix(&lab));
    let gateway = Gateway::start(&lab, &yaml);
    gateway::refused(&lab, &yaml);
    let said = gateway::refused(&lab, &yaml.replace(&prefix(&lab), "test-other"));
    assert!(said.contains("up0"), "it should name the port or its twin:\n{said}");
    assert!(!Path::new("/var/run/dpdk/test-other").exists(), "DPDK's directory stayed behind");
    let elsewhere =
        Config::new(&lab).access("srv8", "{vlan: 1, vni: 1}").access("srv9", "{vlan: 1, vni: 1}").vni("vni: 1");
    let said = gateway::refused_at(&lab, &elsewhere.text(), gateway.socket());
    assert!(said.contains("gateway.sock"), "it should name the socket:\n{said}");
    forwards(&lab);
    assert_eq!(gateway.port_mac("up0").len(), 6, "the first still answers on its socket");
}

/// An address that the twin's namespace already has is refused by name.
#[test]
fn an_address_in_use_is_refused() {
    let Some(lab) = Lab::of_wires() else { return };
    run(&format!("ip -n {} addr add 10.0.0.11/32 dev lo", lab.twin()));
    let said = gateway::refused(&lab, &configuration(&lab, &prefix(&lab)));
    assert!(said.contains("10.0.0.11"), "it should name the address:\n{said}");
    nothing_is_left(&lab, &lab.directory.join("refused.sock"));
}
