//! Another configuration, and a restart, while frames flow through the real gateway.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::bytes::{BROADCAST, mac, probe, vlan};
use crate::config::Config;
use crate::gateway::Gateway;
use crate::lab::{self, Lab};

/// Two servers in VNI 5001 and a third port that only hears what is flooded; more VNIs and VLANs if wanted.
fn configuration(lab: &Lab) -> String {
    let prefix = format!("test-{}", lab.gw());
    Config::new(lab)
        .memory(&format!("{{file_prefix: {prefix}}}"))
        .underlay_wire("02:00:00:00:ff:01")
        .access("srv1", "{vlan: 10, vni: 5001}")
        .access("srv2", "{vlan: 10, vni: 5001}")
        .access("srv3", "{vlan: 10, vni: 5001}")
        .vni("vni: 5001, flood: {vteps: [10.0.0.12]}")
        .text()
}

/// The same with something else around VNI 5001.
fn other(text: &str, number: u32) -> String {
    text.replace("srv1, device", &format!("srv1, mac_limit: {}, device", 100 + number))
        .replacen(
            "[{vlan: 10, vni: 5001}]",
            &format!("[{{vlan: 10, vni: 5001}}, {{vlan: {}, vni: 6001}}]", 20 + number),
            1,
        )
        .replace(
            "memory:",
            &format!("  - {{vni: 6001, flood: {{vteps: [10.0.1.{}, 10.0.0.12]}}}}\nmemory:", 1 + number),
        )
}

fn causeway(socket: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_causeway"));
    command.args(arguments).arg("--socket").arg(socket).output().expect("the binary starts")
}

fn applied(lab: &Lab, socket: &Path, text: &str, more: &[&str]) -> String {
    let file = lab.directory.join("next.yaml");
    std::fs::write(&file, text).expect("the laboratory's directory can be written");
    let output = causeway(socket, &[&["apply", file.to_str().expect("UTF-8")], more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn has_vni(gateway: &Gateway, name: &str) -> bool {
    gateway.show("vnis").as_array().expect("rows").iter().any(|row| row["name"] == name)
}

/// CTL2: frames of a VNI that the changes do not concern arrive one by one while other things change around it.
#[test]
fn applies_under_traffic_lose_nothing_of_what_stays() {
    let Some(lab) = Lab::of_wires() else { return };
    let yaml = configuration(&lab);
    let gateway = Gateway::start(&lab, &yaml);
    let (one, two, bystander) = (lab.wire("srv1"), lab.wire("srv2"), lab.wire("srv3"));
    two.send(&vlan(&probe(BROADCAST, mac(2), 60, 0), 10));
    gateway.wait_learned(mac(2), "srv2 vlan 10");
    let (done, count) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                let number = count.fetch_add(1, Ordering::Relaxed);
                let frame = vlan(&probe(mac(2), mac(1), 60, number as u8), 10);
                one.send(&frame);
                // Only one is under way, so that no queue can overflow: a frame that is lost never comes.
                two.expect_frame("a frame during a change", &frame);
            }
        });
        // Whatever goes wrong here, the other thread ends.
        let _end = lab::End(&done);
        for number in 0..10 {
            let said = applied(&lab, gateway.socket(), &other(&yaml, number), &[]);
            assert!(said.ends_with("applied\n") && said.contains("6001"), "{said}");
        }
        applied(&lab, gateway.socket(), &yaml, &[]);
    });
    assert!(count.load(Ordering::Relaxed) > 10, "frames flowed");
    let marker = vlan(&probe(BROADCAST, mac(1), 60, 9), 10);
    one.send(&marker);
    let flooded = bystander.collect_until(|frame| frame == marker, |frame| (frame[..6] == mac(2)).then_some(()));
    assert!(flooded.is_empty(), "{} frames were flooded: the MAC was forgotten", flooded.len());
}

#[test]
fn what_nobody_confirms_is_rolled_back_and_what_needs_a_restart_is_named() {
    let Some(lab) = Lab::of_wires() else { return };
    let yaml = configuration(&lab);
    let gateway = Gateway::start(&lab, &yaml);
    let said = applied(&lab, gateway.socket(), &other(&yaml, 1), &["--confirm", "1s"]);
    assert!(said.contains("'causeway confirm' within 1 s"), "{said}");
    assert!(has_vni(&gateway, "6001"));
    lab::until("the change is rolled back", || !has_vni(&gateway, "6001"));
    gateway.wait_log("was not confirmed in time");
    applied(&lab, gateway.socket(), &other(&yaml, 1), &["--confirm", "60s"]);
    assert!(causeway(gateway.socket(), &["confirm"]).status.success());
    assert!(causeway(gateway.socket(), &["rollback"]).status.success());
    assert!(!has_vni(&gateway, "6001"));

    let file = lab.directory.join("other.yaml");
    std::fs::write(&file, other(&yaml, 1).replace("cores: [0]", "cores: [1]")).expect("a file");
    let refused = causeway(gateway.socket(), &["apply", file.to_str().expect("UTF-8")]);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(why.contains("workers.cores") && why.contains("other.yaml:2"), "{why}");
    assert!(!has_vni(&gateway, "6001"), "nothing of it was applied");
}

#[test]
fn a_watched_file_is_taken_when_it_changes_and_a_wrong_one_is_not() {
    let Some(lab) = Lab::of_wires() else { return };
    let yaml = configuration(&lab) + "reload: {watch: true}\n";
    let gateway = Gateway::start(&lab, &yaml);
    let file = lab.directory.join("gateway.yaml");
    std::fs::write(&file, "version: 1\nprots: []\n").expect("ours");
    gateway.wait_log("stays in force");
    std::fs::write(&file, other(&yaml, 1)).expect("ours");
    lab::until("the new file is in force", || has_vni(&gateway, "6001"));
    std::fs::write(&file, yaml.replace("watch: true", "watch: false, signal: false")).expect("ours");
    lab::until("the old file is in force", || !has_vni(&gateway, "6001"));
    gateway.signal(libc::SIGHUP);
    gateway.wait_log("SIGHUP changes nothing");
}

/// What the gateway's own file asks for and only a restart can give is named, by its own exit status, until it is in force
/// or taken back.
#[test]
fn a_reload_says_what_waits_for_a_restart_and_health_says_so_until_it_is_taken_back() {
    let Some(lab) = Lab::of_wires() else { return };
    let yaml = configuration(&lab);
    let gateway = Gateway::start(&lab, &yaml);
    let file = lab.directory.join("gateway.yaml");
    let reload = || {
        let output = causeway(gateway.socket(), &["reload"]);
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let health = || {
        let output = causeway(gateway.socket(), &["show", "health"]);
        let words = String::from_utf8(output.stdout).expect("UTF-8");
        (output.status.code(), words.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let (status, said, _) = reload();
    assert!(status == Some(0) && said.starts_with("nothing changes: "), "{said}");

    // One part could change now, the other cannot: none does.
    let asks = other(&yaml, 1).replace("cores: [0]", "cores: [1]");
    std::fs::write(&file, &asks).expect("ours");
    let (status, said, why) = reload();
    assert_eq!(status, Some(4), "{said}{why}");
    assert!(said.contains("~ workers.cores: add 1; remove 0  [line 2: restart]\n") && said.contains("6001"), "{said}");
    assert!(why.contains("nothing was applied") && why.contains("workers.cores (") && why.contains(":2)"), "{why}");
    assert!(!has_vni(&gateway, "6001"), "nothing of it was applied");
    gateway.wait_log("but the configuration that runs stays in force; restart the gateway");
    let (status, said) = health();
    assert!(status == Some(3) && said.contains("a restart is pending") && said.contains("workers.cores"), "{said}");

    std::fs::write(&file, "version: 1\nprots: []\n").expect("ours");
    let (status, _, why) = reload();
    assert!(status == Some(1) && why.contains("gateway.yaml:2:1: ") && why.contains("stays in force"), "{why}");
    let (status, said) = health();
    assert!(
        status == Some(3) && said.contains("it has 2 errors") && said.contains("would not start with it"),
        "{said}"
    );

    // Put back, nobody need reload it.
    std::fs::write(&file, &yaml).expect("ours");
    lab::until("the gateway is well again", || health() == (Some(0), "ready".into()));

    std::fs::write(&file, &asks).expect("ours");
    assert_eq!(reload().0, Some(4));
    std::fs::write(&file, other(&yaml, 1)).expect("ours");
    let (status, said, why) = reload();
    assert!(status == Some(0) && said.ends_with("gateway.yaml is in force\n"), "{said}{why}");
    assert!(has_vni(&gateway, "6001"));
    assert_eq!(health(), (Some(0), "ready".into()));

    // While a change waits for its confirmation no other is taken; afterwards it might be.
    applied(&lab, gateway.socket(), &other(&yaml, 2), &["--confirm", "60s"]);
    let (status, _, why) = reload();
    assert!(status == Some(1) && why.contains("waits for its confirmation"), "{why}");
    assert_eq!(health().0, Some(3));
    assert!(causeway(gateway.socket(), &["confirm"]).status.success());
    lab::until("it is well again", || health().0 == Some(0));

    // Nobody writes into it: who reads it would wait for ever.
    std::fs::remove_file(&file).expect("ours");
    lab::run(&format!("mkfifo {}", file.display()));
    let (status, _, why) = reload();
    assert!(status == Some(1) && why.contains("is a pipe"), "{why}");
}

/// Linux refuses an address of a twin: nothing of the file is in force, and what was is.
#[test]
fn an_apply_that_fails_half_way_leaves_everything_as_it_was() {
    let Some(lab) = Lab::of_wires() else { return };
    let yaml = Config::new(&lab)
        .memory(&format!("{{file_prefix: test-{}}}", lab.gw()))
        .port("up0", "mtu: 1600, underlay: {addresses: [10.0.0.11/24]}")
        .port("up1", "mtu: 1600, underlay: {addresses: [10.0.9.11/24]}")
        .access("srv1", "{vlan: 10, vni: 5001}")
        .vni("vni: 5001, flood: {vteps: [10.0.0.12]}")
        .text();
    let gateway = Gateway::start(&lab, &yaml);
    lab::run(&format!("ip -n {} addr add 10.0.9.99/32 dev lo", lab.twin()));
    let next = other(&yaml, 1).replace("[10.0.0.11/24]", "[10.0.0.31/24]").replace("10.0.9.11/24", "10.0.9.99/24");
    let file = lab.directory.join("next.yaml");
    std::fs::write(&file, next.replace("source: [10.0.0.11", "source: [10.0.0.31")).expect("a file");
    let refused = causeway(gateway.socket(), &["apply", file.to_str().expect("UTF-8")]);
    let why = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{why}");
    assert!(why.contains("up1") && why.contains("10.0.9.99") && why.contains("Nothing has changed"), "{why}");
    assert!(!has_vni(&gateway, "6001"));
    // The first port's twin had its new address already.
    let first = lab::run(&format!("ip -n {} addr show dev cw-up0", lab.twin()));
    let second = lab::run(&format!("ip -n {} addr show dev cw-up1", lab.twin()));
    assert!(first.contains("10.0.0.11/24") && !first.contains("10.0.0.31"), "{first}");
    assert!(second.contains("10.0.9.11/24"), "{second}");
    let (status, _, log) = gateway.stop();
    assert!(status.success(), "{log}");
}

/// Killed under load and started again: what was learned is known, nothing of it is flooded. The gap is told.
#[test]
fn a_crash_under_load_forgets_no_mac() {
    const MACS: u8 = 100;
    let Some(lab) = Lab::of_wires() else { return };
    let state = lab.directory.join("state");
    let yaml = format!("{}state: {{directory: {}, every: 1}}\n", configuration(&lab), state.display());
    let gateway = Gateway::start(&lab, &yaml);
    let (one, two, bystander) = (lab.wire("srv1"), lab.wire("srv2"), lab.wire("srv3"));
    for number in 0..MACS {
        two.send(&vlan(&probe(BROADCAST, mac(100 + number), 60, number), 10));
    }
    one.send(&vlan(&probe(BROADCAST, mac(1), 60, 0), 10));
    lab::until("all MACs are in the state file", || {
        let kept = std::fs::read(state.join("gateway.state")).unwrap_or_default();
        String::from_utf8_lossy(&kept).contains(&format!("\"macs\":{}", u32::from(MACS) + 1))
    });
    let rx_before = gateway.show("ports")[1]["rx"]["frames"].as_u64().expect("a count");

    // Frames to all of them, again and again, while the gateway is killed and comes back.
    let arrivals = Arc::new(Mutex::new(Vec::new()));
    let done = AtomicBool::new(false);
    let gateway = std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0u16.. {
                let number = (round % u16::from(MACS)) as u8;
                one.send(&vlan(&probe(mac(100 + number), mac(1), 60, round as u8), 10));
                std::thread::sleep(Duration::from_millis(2));
                if done.load(Ordering::Acquire) {
                    break;
                }
            }
            one.send(&vlan(&probe(mac(100), mac(0x77), 60, 7), 10));
        });
        scope.spawn(|| {
            let last = |frame: &[u8]| frame[6..12] == mac(0x77);
            two.collect_until(last, |_| {
                arrivals.lock().unwrap().push(Instant::now());
                None::<()>
            });
        });
        let _end = lab::End(&done);
        lab::until("frames arrive", || arrivals.lock().unwrap().len() > 50);
        gateway.crash();
        let gateway = Gateway::start(&lab, &yaml);
        let back = arrivals.lock().unwrap().len();
        lab::until("frames arrive again", || arrivals.lock().unwrap().len() > back + 50);
        gateway
    });
    let arrivals = arrivals.lock().unwrap();
    let gap = arrivals.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
    eprintln!("no frame was forwarded for {gap:?}, from the kill to the first frame of the next gateway");
    gateway.wait_log(&format!("learned MACs are remembered from before macs={}", u32::from(MACS) + 1));
    gateway.wait_log("nothing was forwarded since the gateway before this one seconds=");
    let marker = vlan(&probe(BROADCAST, mac(1), 60, 9), 10);
    one.send(&marker);
    let known = |frame: &[u8]| (100..100 + MACS).any(|number| frame[..6] == mac(number));
    let flooded = bystander.collect_until(|frame| frame == marker, |frame| known(frame).then_some(()));
    assert!(flooded.is_empty(), "{} frames to known MACs were flooded", flooded.len());
    assert_eq!(gateway.place(mac(150)).as_deref(), Some("srv2 vlan 10"));
    let rx = gateway.show("ports")[1]["rx"]["frames"].as_u64().expect("a count");
    assert!(rx > rx_before, "statistics go on: {rx} after {rx_before}");
}

/// A state that cannot be used or kept is told, and frames flow.
#[test]
fn a_damaged_state_or_a_folder_that_cannot_be_written_only_warns() {
    let Some(lab) = Lab::of_wires() else { return };
    let state = lab.directory.join("state");
    std::fs::create_dir(&state).expect("ours");
    std::fs::write(state.join("gateway.state"), "causeway-state 1 5 00000000\nhello").expect("ours");
    let forwards = || {
        let (one, two) = (lab.wire("srv1"), lab.wire("srv2"));
        let frame = vlan(&probe(BROADCAST, mac(1), 60, 1), 10);
        one.send(&frame);
        two.expect_frame("the frame", &frame);
    };
    let plain = configuration(&lab);
    let gateway = Gateway::start(&lab, &format!("{plain}state: {{directory: {}}}\n", state.display()));
    gateway.wait_log("error=\"it is damaged\"");
    forwards();
    let (status, _, log) = gateway.stop();
    assert!(status.success(), "{log}");
    let kept = std::fs::read(state.join("gateway.state")).expect("written at the end");
    assert!(kept.starts_with(b"causeway-state 1 ") && String::from_utf8_lossy(&kept).contains("\"macs\":1"));
    // /proc takes no folders, as a file system that is mounted for reading only.
    let gateway = Gateway::start(&lab, &format!("{plain}state: {{directory: /proc/causeway, every: 1}}\n"));
    gateway.wait_log("cannot be written");
    forwards();
}

/// A disk that is full when the gateway starts: it warns once with a cure, forwards, and keeps its state once there is room.
#[test]
fn a_full_disk_only_warns_and_the_state_is_kept_once_there_is_room() {
    let Some(lab) = Lab::of_wires() else { return };
    let state = lab.directory.join("state");
    std::fs::create_dir(&state).expect("ours");
    let script = lab.directory.join("on-a-full-disk");
    let filled = format!(
        "#!/bin/sh\nmount -t tmpfs -o size=64k none {0} && dd if=/dev/zero of={0}/filler bs=4k 2>/dev/null\nexec \"$@\"\n",
        state.display()
    );
    std::fs::write(&script, filled).expect("ours");
    let yaml = format!("{}state: {{directory: {}, every: 1}}\n", configuration(&lab), state.display());
    // The mount is the gateway's alone, and goes with it.
    let wrapper = format!("unshare --mount --propagation private sh {}", script.display());
    let gateway = Gateway::start_under(&lab, &yaml, &wrapper, &[]);
    gateway.wait_log("make room, or change state.directory path=");
    gateway.wait_log("No space left on device");
    let health = || causeway(gateway.socket(), &["show", "health"]);
    lab::until("health tells of it", || {
        let said = health();
        said.status.code() == Some(3) && String::from_utf8_lossy(&said.stdout).contains("No space left on device")
    });
    let (one, two) = (lab.wire("srv1"), lab.wire("srv2"));
    let frame = vlan(&probe(BROADCAST, mac(1), 60, 1), 10);
    one.send(&frame);
    two.expect_frame("the frame", &frame);
    gateway.wait_learned(mac(1), "srv1 vlan 10");
    let inside = PathBuf::from(format!("/proc/{}/root", gateway.id())).join(state.strip_prefix("/").expect("absolute"));
    let names = || {
        let entries = std::fs::read_dir(&inside).expect("it runs").map(|entry| entry.expect("an entry").file_name());
        entries.map(|name| name.to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(), ["filler"], "nothing half-written stays behind");
    std::fs::remove_file(inside.join("filler")).expect("it is there");
    gateway.wait_log("the state file can be written again path=");
    lab::until("health has heard of it", || health().status.success());
    let kept = std::fs::read(inside.join("gateway.state")).expect("it is there");
    assert!(String::from_utf8_lossy(&kept).contains("\"macs\":1"));
    let (status, _, log) = gateway.stop();
    assert!(status.success() && log.matches("make room").count() == 1, "{log}");
}
