//! Looking inside the running gateway: explain says what then happens, trace shows what happened, and Wireshark reads it.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::Value;

use crate::bench::{Bench, NEXT_HOP};
use crate::bytes::{BROADCAST, mac, probe, vlan};
use crate::config::Config;
use crate::lab::{self, Lab};

fn bench(lab: &Lab) -> Bench {
    let config = Config::new(lab)
        .underlay_wire(NEXT_HOP)
        .access("srv1", "{vlan: 10, vni: 5001}")
        .access("srv2", "{vlan: 20, vni: 5001}")
        .vni(r#"vni: 5001, flood: {vteps: [10.0.0.12]}, static: [{mac: "02:00:00:00:ee:05", vtep: 10.0.0.12}], learning: {limit: 1}"#);
    Bench::start(lab, &config)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A trace that is on: what happens from now on is in it.
fn trace(bench: &Bench, options: &[&str]) -> (Child, BufReader<ChildStderr>) {
    let arguments = [&["trace"], options].concat();
    let mut child = bench
        .gateway
        .command(&arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut said = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    said.read_line(&mut line).expect("a line");
    assert_eq!(line, "tracing; Ctrl-C ends it\n");
    (child, said)
}

/// How it ended: what it printed, and what it said.
fn ended((child, mut said): (Child, BufReader<ChildStderr>)) -> (String, String) {
    let output = child.wait_with_output().expect("it ends");
    let mut last = String::new();
    said.read_line(&mut last).expect("a line");
    assert!(output.status.success(), "{last}");
    (String::from_utf8(output.stdout).expect("UTF-8"), last)
}

#[test]
fn explain_says_what_then_happens_on_the_wire() {
    let Some(lab) = Lab::of_wires() else { return };
    let bench = bench(&lab);
    let server = lab.wire("srv1");
    let frame = vlan(&probe(mac(5), mac(1), 100, 1), 10);
    let question = ["explain", "--port", "srv1", "--frame", &hex(&frame), "--json"];
    let said: Value = serde_json::from_str(&bench.gateway.causeway(&question)).expect("JSON");
    assert_eq!((&said["verdict"], &said["source"]["outcome"]), (&"forwarded".into(), &"learned".into()), "{said:#}");
    assert_eq!(bench.gateway.place(mac(1)), None, "a question teaches nothing");
    server.send(&frame);
    let same = |sent: &[u8]| (said["outputs"][0]["frame"]["hex"] == hex(sent)).then_some(());
    bench.underlay.expect("what explain said", same);
    bench.gateway.wait_learned(mac(1), "srv1 vlan 10");
    let again: Value = serde_json::from_str(&bench.gateway.causeway(&question)).expect("JSON");
    assert_eq!(again["source"]["outcome"], "known", "{again:#}");
    assert_eq!(again["outputs"], said["outputs"]);
    assert_eq!(bench.gateway.show("ports")[1]["rx"]["frames"], 1, "a question is not counted");

    let text = bench.gateway.causeway(&["explain", "--port", "srv1", "--vlan", "77", "--dst", "02:00:00:00:ee:05"]);
    assert!(text.contains("unknown-vlan") && text.contains("port srv1 maps:"), "{text}");
    let text = bench.gateway.causeway(&["explain", "--port", "srv1", "--dst", "02:00:00:00:ee:05"]);
    assert!(text.contains("to VTEP 10.0.0.12 vxlan through up0") && text.contains("VXLAN VNI 5001"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let refused = bench.gateway.command(&["explain", "--port", "srv9", "--dst", "02:00:00:00:ee:05"]).output();
    let refused = refused.expect("the binary starts");
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("there is no port 'srv9'"));
}

#[test]
fn a_trace_shows_what_comes_in_leaves_and_is_dropped() {
    let Some(lab) = Lab::of_wires() else { return };
    let bench = bench(&lab);
    let server = lab.wire("srv1");
    let (known, flood, lost) = (
        vlan(&probe(mac(5), mac(1), 100, 1), 10),
        vlan(&probe(BROADCAST, mac(1), 100, 2), 10),
        vlan(&probe(mac(5), mac(1), 100, 3), 77),
    );
    let by_vni = trace(&bench, &["--vni", "5001", "-c", "5", "--json"]);
    let by_drop = trace(&bench, &["--drop", "unknown-vlan", "-c", "1", "--json", "-s", "18"]);
    let by_mac = trace(&bench, &["--mac", "02:00:00:00:ee:05", "-c", "3"]);
    for frame in [&known, &flood, &lost] {
        server.send(frame);
    }
    let (text, last) = ended(by_vni);
    assert_eq!(last, "5 frames\n");
    let shots: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told: Vec<(&str, &str)> = shots
        .iter()
        .map(|shot| (shot["event"].as_str().expect("text"), shot["port"].as_str().expect("text")))
        .collect();
    assert_eq!(told, [("in", "srv1"), ("out", "up0"), ("in", "srv1"), ("out", "up0"), ("out", "srv2")]);
    assert_eq!((&shots[0]["hex"], &shots[2]["hex"]), (&hex(&known).into(), &hex(&flood).into()));
    assert_eq!(shots[0]["verdict"], "forwarded to 10.0.0.12 vxlan");
    assert_eq!(shots[2]["verdict"], "flooded, copies: 2");

    let (text, _) = ended(by_drop);
    let shot: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&shot["reason"], &shot["length"]), (&"unknown-vlan".into(), &lost.len().into()));
    assert_eq!(shot["hex"], hex(&lost[..18]));

    let (text, _) = ended(by_mac);
    assert!(
        text.contains("VLAN 77") && text.contains("VXLAN VNI 5001") && !text.contains("ff:ff:ff:ff:ff:ff"),
        "{text}"
    );
    // All have gone: what they held is free for others, and nobody is watched.
    for _ in 0..5 {
        let (child, said) = trace(&bench, &["--port", "srv1", "-c", "1", "--json"]);
        server.send(&lost);
        ended((child, said));
    }
}

#[test]
fn wireshark_reads_a_trace_with_ports_and_verdicts() {
    let Some(lab) = Lab::of_wires() else { return };
    if Command::new("tshark").arg("--version").output().is_err() {
        return lab::skip("tshark is not installed");
    }
    let bench = bench(&lab);
    let server = lab.wire("srv1");
    let file = lab.directory.join("trace.pcapng");
    let file = file.to_str().expect("UTF-8");
    let to_file = trace(&bench, &["-w", file, "--port", "srv1", "-c", "2"]);
    let mut piped = trace(&bench, &["-w", "-", "--vni", "5001", "-c", "2"]);
    let tshark = Command::new("tshark")
        .args(["-i", "-", "-c", "2", "-T", "fields", "-e", "frame.interface_name", "-e", "vxlan.vni"])
        .stdin(piped.0.stdout.take().expect("piped"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("tshark starts");
    let lost = vlan(&probe(mac(5), mac(1), 100, 3), 77);
    server.send(&lost);
    server.send(&vlan(&probe(mac(5), mac(1), 100, 1), 10));
    let read = tshark.wait_with_output().expect("tshark ends");
    assert_eq!(String::from_utf8_lossy(&read.stdout), "srv1\t\nup0\t5001\n");
    ended(piped);
    ended(to_file);
    let read = lab::run(&format!(
        "tshark -r {file} -T fields -E separator=| -e frame.interface_name -e frame.len -e vlan.id -e frame.comment"
    ));
    let lines: Vec<&str> = read.lines().collect();
    assert_eq!(lines[0], format!("srv1|{}|77|drop srv1: dropped: unknown-vlan", lost.len()));
    assert_eq!(
        lines[1],
        format!("srv1|{}|10|in srv1: forwarded to 10.0.0.12 vxlan, VNI 5001, from srv1 vlan 10", lost.len())
    );
    // What trace has written explain can read.
    let said = bench.gateway.causeway(&["explain", "--port", "srv1", "--pcap", file, "--number", "1"]);
    assert!(said.contains("Verdict: dropped, unknown-vlan"), "{said}");
}

#[test]
fn the_shows_tell_drops_links_next_hops_configuration_and_health() {
    let Some(lab) = Lab::of_wires() else { return };
    let bench = bench(&lab);
    let (server, gateway) = (lab.wire("srv1"), &bench.gateway);
    server.send(&vlan(&probe(mac(5), mac(1), 100, 3), 77));
    gateway.wait_drops("unknown-vlan", 1);
    let text = gateway.causeway(&["show", "drops", "--last", "2", "--port", "srv1"]);
    assert!(text.starts_with("unknown-vlan: 1 frame (srv1 1)\n") && text.contains("VLAN 77"), "{text}");
    assert_eq!(gateway.causeway(&["show", "drops", "--port", "srv2"]), "nothing dropped\n");
    let refused = gateway.command(&["show", "drops", "--reason", "rain"]).output().expect("the binary starts");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("there is no drop reason 'rain'"));

    let refused = gateway.command(&["show", "fdb", "--port", "srv9"]).output().expect("the binary starts");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("did you mean 'srv1'?") && said.contains("lists them: up0, srv1, srv2"), "{said}");
    let text = gateway.causeway(&["show", "ports", "--port", "srv1"]);
    assert!(
        text.contains("  dropped    1 frame: causeway show drops --port srv1\n") && text.contains("10    5001"),
        "{text}"
    );
    let text = gateway.causeway(&["show", "vnis", "--vni", "5001"]);
    assert!(text.starts_with("5001 (VXLAN 5001)\n") && text.contains("floods to  10.0.0.12 vxlan\n"), "{text}");
    assert_eq!(gateway.causeway(&["show", "fdb", "--origin", "static", "--count"]), "1 MAC\n");

    assert_eq!(gateway.causeway(&["show", "health"]), "ready\n");
    bench.underlay.send(&bench.vxlan("10.0.0.12", 5001, &probe(BROADCAST, mac(9), 64, 1)));
    gateway.wait_learned(mac(9), "10.0.0.12 vxlan");
    let text = gateway.causeway(&["show", "vteps", "--vtep", "10.0.0.12"]);
    assert!(text.contains("sends") && text.contains("checksums zero, reserved bits clear"), "{text}");

    let output = gateway.command(&["show", "health", "--json"]).output().expect("the binary starts");
    let ill: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((output.status.code(), &ill["state"]), (Some(3), &"degraded".into()));
    let problem = &ill["problems"][0];
    assert_eq!((&problem["subject"], &problem["name"]), (&"vni".into(), &"5001".into()), "{ill:#}");

    let links = gateway.show("links");
    assert_eq!(
        (&links[1]["port"], &links[1]["driver"], &links[1]["up"]),
        (&"srv1".into(), &"net_af_packet".into(), &true.into())
    );
    let hops = gateway.show("next-hops");
    assert_eq!((&hops[0]["state"], &hops[0]["vteps"][0]), (&"static".into(), &"10.0.0.12".into()), "{hops:#}");
    let file = lab.directory.join("running.yaml");
    std::fs::write(&file, gateway.causeway(&["show", "config"])).expect("a file");
    let checked =
        Command::new(env!("CARGO_BIN_EXE_causeway")).arg("check").arg(&file).output().expect("the binary starts");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert_eq!(gateway.show("config")["vnis"][0]["vni"], 5001);
    let version = gateway.show("version");
    assert_eq!(version["pid"], gateway.id());
    assert!(version["dpdk"].is_string(), "{version}");

    // Shown again and again, until the reader has seen enough.
    let watch = gateway.command(&["show", "ports", "--json", "--watch", "0.1"]).stdout(Stdio::piped()).spawn();
    let mut watch = watch.expect("the binary starts");
    let lines = BufReader::new(watch.stdout.take().expect("piped")).lines().take(3);
    for line in lines {
        let ports: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        assert_eq!(ports[0]["name"], "up0");
    }
    assert!(watch.wait().expect("it ends").success(), "a reader that has seen enough is no error");
}
