//! Traffic that our scripts make is what a gateway takes: it goes through one in memory, frame by frame. The TRex profiles
//! are run without TRex; what scripts/bench and scripts/load-testpmd play comes from its capture file.

mod support;

use std::collections::BTreeSet;
use std::process::Command;

use support::outer;
use support::site::{Site, port_mac};

/// A Python that has scapy, if there is one.
fn python() -> Option<&'static str> {
    ["python3", "/usr/bin/python3"]
        .into_iter()
        .find(|python| Command::new(python).args(["-c", "import scapy.all"]).output().is_ok_and(|o| o.status.success()))
}

/// The frames that a profile sends: `count` of each of its streams.
fn frames(python: &str, profile: &str, count: usize, arguments: &[&str]) -> Vec<Vec<u8>> {
    let output = Command::new(python)
        .arg("-B")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/trex/dry_run.py"))
        .args([profile, &count.to_string()])
        .args(arguments)
        .output()
        .expect("Python starts");
    assert!(output.status.success(), "{profile}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").lines().map(bytes).collect()
}

fn bytes(line: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&line[at..at + 2], 16).expect("hexadecimal");
    (0..line.len()).step_by(2).map(digit).collect()
}

fn site(encap: &str) -> Site {
    Site::new(&format!(
        "version: 1\nvtep: {{source: 10.0.0.11}}\nports:\n\
         \x20 - {{name: up0, device: net_null0, mtu: 9216, underlay: {{via: {{mac: \"02:aa:00:00:00:12\"}}}}}}\n\
         \x20 - {{name: srv1, device: net_null1, mtu: 9000, vlans: [{{vlan: 10, vni: 5001}}]}}\n\
         vnis:\n  - {{vni: 5001, encap: {encap}, flood: {{vteps: [10.0.0.12]}}}}\n"
    ))
}

/// Every size in a mix, and stations beyond a byte.
const STATIONS: usize = 270;
const MIX: [&str; 4] = ["--size", "imix", "--macs", "270"];
const LENGTHS: [usize; 3] = [60, 590, 1514];

#[test]
fn frames_of_a_server_are_encapsulated() {
    let Some(python) = python() else {
        return println!("skipped: frames_of_a_server_are_encapsulated: python3-scapy is not installed");
    };
    let sent = frames(python, "vlan", STATIONS, &MIX);
    assert_eq!(sent.len(), 3 * STATIONS);
    for encap in ["vxlan", "geneve"] {
        let mut site = site(encap);
        let mut entropy = BTreeSet::new();
        sent.iter().for_each(|frame| site.receive("srv1", frame));
        site.run();
        let packets = site.sent("up0");
        assert_eq!(packets.len(), sent.len());
        for (number, (frame, packet)) in sent.iter().zip(&packets).enumerate() {
            let station = (number % STATIONS) as u32;
            assert_eq!(frame.len(), LENGTHS[number / STATIONS]);
            assert_eq!(frame[2..6], station.to_be_bytes(), "{number}");
            assert_eq!(frame[8..12], station.to_be_bytes(), "{number}");
            let read = outer::read(packet, 6081).unwrap_or_else(|problem| panic!("{problem}"));
            assert_eq!((read.geneve, read.vni), (encap == "geneve", 5001));
            let untagged = [&frame[..12], &frame[16..]].concat();
            assert_eq!(read.inner, untagged, "the frame is inside, without its tag");
            entropy.insert(read.source_port);
        }
        assert!(entropy.len() > STATIONS / 2, "{} source ports for {STATIONS} flows", entropy.len());
        assert_eq!(site.drops(), [].into());
        site.assert_balanced();
    }
}

#[test]
fn packets_of_a_vtep_are_decapsulated() {
    let Some(python) = python() else {
        return println!("skipped: packets_of_a_vtep_are_decapsulated: python3-scapy is not installed");
    };
    let mac = port_mac(0).map(|byte| format!("{byte:02x}")).join(":");
    for encap in ["vxlan", "geneve"] {
        let sent = frames(python, encap, STATIONS, &[&MIX[..], &["--gateway-mac", &mac]].concat());
        assert_eq!(sent.len(), 3 * STATIONS);
        let mut site = site(encap);
        sent.iter().for_each(|packet| site.receive("up0", packet));
        site.run();
        let expected = sent.iter().enumerate().map(|(number, packet)| {
            let inner = &packet[50..];
            assert_eq!(inner.len(), LENGTHS[number / STATIONS]);
            [&inner[..12], &[0x81, 0, 0, 10], &inner[12..]].concat()
        });
        assert_eq!(site.sent("srv1"), expected.collect::<Vec<_>>(), "{encap}");
        assert_eq!(site.drops(), [].into());
        site.assert_balanced();
    }
}

/// What one profile teaches the other one uses.
#[test]
fn both_directions_have_the_same_stations() {
    let Some(python) = python() else {
        return println!("skipped: both_directions_have_the_same_stations: python3-scapy is not installed");
    };
    let servers = frames(python, "vlan", 7, &["--macs", "7", "--size", "128"]);
    let fabric = frames(python, "vxlan", 7, &["--macs", "7", "--size", "128"]);
    for (frame, packet) in servers.iter().zip(&fabric) {
        assert_eq!((&frame[..6], &frame[6..12]), (&packet[56..62], &packet[50..56]));
    }
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    let Some(python) = python() else {
        return println!("skipped: arguments_that_do_not_fit_are_refused: python3-scapy is not installed");
    };
    for arguments in [["--macs", "1000001"], ["--macs", "0"], ["--size", "63"], ["--size", "mix"]] {
        let output = Command::new(python)
            .arg("-B")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/trex/dry_run.py"))
            .args(["vlan", "1"])
            .args(arguments)
            .output()
            .expect("Python starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(arguments[0]), "{arguments:?}: {said}");
    }
}

/// The frames of a capture file, in the byte order of this machine.
fn captured(file: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = &file[24..];
    let mut frames = Vec::new();
    while let Some((head, after)) = rest.split_first_chunk::<16>() {
        let len = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
        frames.push(after[..len].to_vec());
        rest = &after[len..];
    }
    frames
}

#[test]
fn what_the_measurement_plays_passes_a_gateway() {
    const NAME: &str = "what_the_measurement_plays_passes_a_gateway";
    if Command::new("python3").arg("--version").output().is_err() {
        return println!("skipped: {NAME}: python3 is not installed");
    }
    let path = std::env::temp_dir().join(format!("causeway-traffic-{}.pcap", std::process::id()));
    for (job, encap) in
        [("vlan-vxlan", "vxlan"), ("vxlan-vlan", "vxlan"), ("vlan-geneve", "geneve"), ("geneve-vlan", "geneve")]
    {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/measure/make_pcap.py");
        let mac = port_mac(0).map(|byte| format!("{byte:02x}")).join(":");
        let made = Command::new("python3").args(["-B", script, job, "imix", "40"]).arg(&path).arg(&mac).output();
        let made = made.expect("Python starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let frames = captured(&std::fs::read(&path).expect("the file"));
        assert_eq!(String::from_utf8_lossy(&made.stdout).trim(), frames.len().to_string());

        let mut site = site(encap);
        let (into, out) = if job.starts_with("vlan") { ("srv1", "up0") } else { ("up0", "srv1") };
        let mut lengths = BTreeSet::new();
        for frame in &frames {
            lengths.insert(frame.len());
            site.receive(into, frame);
        }
        site.run();
        assert_eq!(site.sent(out).len(), frames.len(), "{job}");
        assert_eq!(lengths.len(), 3, "three sizes");
        assert_eq!(site.drops(), [].into(), "{job}");
        assert_eq!(site.control.entries().count(), 40, "{job}: every station has its turn");
    }
    let _ = std::fs::remove_file(path);
}
