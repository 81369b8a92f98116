//! Numbers of a running gateway for machines: the page of metrics and the commands on DPDK's telemetry socket say what
//! `causeway show --json` says.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketType, sockopt};
use serde_json::{Value, json};

use crate::bench::{Bench, NEXT_HOP};
use crate::bytes::{BROADCAST, mac, probe, vlan};
use crate::config::Config;
use crate::gateway::rows;
use crate::lab::{Lab, PATIENCE};
use crate::openmetrics;
use crate::sys;

const PAGE: &str = "127.0.0.1:9860";
/// More than DPDK takes into a list.
const VNIS: u32 = 300;

/// Two servers, two VTEPs, many VNIs, an access list, and frames that went all kinds of ways.
fn busy(lab: &Lab) -> Bench {
    let more = |vni: u32| format!(", {{vlan: {}, vni: {}}}", 100 + vni, 6000 + vni);
    let vlans: String = (1..VNIS).map(more).collect();
    let mut config = Config::new(lab)
        .memory(&format!("{{file_prefix: {}}}", prefix(lab)))
        .underlay_wire(NEXT_HOP)
        .port("srv1", "access_list: a, vlans: [{vlan: 10, vni: 5001}]")
        .access("srv2", &format!("{{vlan: 20, vni: 5001}}{vlans}"))
        .vni(
            "vni: 5001, flood: {vteps: [10.0.0.12, 10.0.0.13]}, neigh_suppress: true, \
             neighbours: [{ip: 192.0.2.5, mac: \"02:00:00:00:00:05\"}]",
        )
        .control(&format!(
            "metrics: {{listen: \"{PAGE}\"}}\naccess_lists:\n  - {{name: a, rules: [{{action: deny, ethertype: 0x88b6}}]}}\n"
        ));
    for vni in 1..VNIS {
        config = config.vni(&format!("vni: {}, flood: {{vteps: [10.0.0.12]}}", 6000 + vni));
    }
    let bench = Bench::start(lab, &config);
    let server = lab.wire("srv1");
    let marked = |number| vlan(&probe(BROADCAST, mac(1), 100, number), 10);
    (0..5).for_each(|number| server.send(&marked(number)));
    server.send(&vlan(&probe(BROADCAST, mac(1), 100, 9), 77));
    let mut denied = marked(7);
    denied[16..18].copy_from_slice(&0x88b6_u16.to_be_bytes());
    server.send(&denied);
    let question = [0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0xee, 1, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 5];
    server.send(&vlan(&[&BROADCAST[..], &mac(1), &[8, 6], &question].concat(), 10));
    bench.underlay.send(&bench.vxlan("10.0.0.12", 5001, &probe(mac(1), mac(9), 100, 8)));
    bench.gateway.wait_drops("unknown-vlan", 1);
    bench.gateway.wait_drops("denied", 1);
    bench.gateway.wait_learned(mac(9), "10.0.0.12 vxlan");
    crate::lab::until("the question is answered", || bench.gateway.show("ports")[1]["answered"] == 1);
    bench
}

fn prefix(lab: &Lab) -> String {
    format!("test-{}", lab.gw())
}

fn count(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// One request to the page: status line and headers, and the body.
fn get(lab: &Lab, accept: &str) -> (String, String) {
    sys::in_namespace(&lab.gw(), || {
        let mut stream = TcpStream::connect(PAGE).expect("the page is served");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: gw\r\nAccept: {accept}\r\n\r\n").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        (head.to_owned(), body.to_owned())
    })
}

#[test]
fn the_page_of_metrics_says_what_show_says() {
    let Some(lab) = Lab::of_wires() else { return };
    let bench = busy(&lab);
    let (head, body) = get(&lab, "application/openmetrics-text");
    assert!(head.starts_with("HTTP/1.1 200 OK") && head.contains("openmetrics-text; version=1.0.0"), "{head}");
    let families = openmetrics::read(&body).unwrap_or_else(|problem| panic!("{problem}"));
    let find = |sample: &str, labels: &[(&str, &str)]| {
        let samples = families.values().flat_map(|family| &family.samples);
        let same = |found: &openmetrics::Labels| {
            found.len() == labels.len()
                && labels.iter().all(|(name, value)| found.get(*name).is_some_and(|v| v == value))
        };
        let mut all = samples.filter(|(name, found, _)| name == sample && same(found));
        all.next().unwrap_or_else(|| panic!("no {sample} {labels:?} in {body}")).2
    };
    let gateway = &bench.gateway;
    for port in rows(&gateway.show("ports")) {
        let name = [("port", port["name"].as_str().expect("a name"))];
        for (sample, shown) in [
            ("causeway_port_receive_frames_total", &port["rx"]["frames"]),
            ("causeway_port_receive_bytes_total", &port["rx"]["bytes"]),
            ("causeway_port_transmit_frames_total", &port["tx"]["frames"]),
            ("causeway_port_answered_frames_total", &port["answered"]),
            ("causeway_port_macs", &port["macs"]),
            ("causeway_port_mtu_bytes", &port["mtu"]),
        ] {
            assert_eq!(find(sample, &name), count(shown), "{sample} {name:?}");
        }
        assert_eq!(find("causeway_port_up", &name) == 1.0, port["link"]["up"] == true);
    }
    for row in rows(&gateway.show("drops")) {
        let reason = [("reason", row["reason"].as_str().expect("a reason"))];
        assert_eq!(find("causeway_dropped_frames_total", &reason), count(&row["frames"]), "{reason:?}");
    }
    for vtep in rows(&gateway.show("vteps")) {
        let labels = [("vtep", vtep["vtep"].as_str().expect("an address")), ("encap", "vxlan")];
        assert_eq!(find("causeway_vtep_receive_frames_total", &labels), count(&vtep["rx"]["frames"]));
        assert_eq!(find("causeway_vtep_transmit_frames_total", &labels), count(&vtep["tx"]["frames"]));
        assert_eq!(find("causeway_vtep_up", &labels) == 1.0, vtep["state"] == "up");
    }
    for vni in rows(&gateway.show("vnis")) {
        let labels = [("vni", vni["name"].as_str().expect("a name"))];
        assert_eq!(find("causeway_vni_receive_frames_total", &labels), count(&vni["rx"]["frames"]));
        assert_eq!(find("causeway_vni_macs", &labels), count(&vni["macs"]));
    }
    let rules = gateway.show("rules");
    let rule = [("list", "a"), ("rule", "1"), ("action", "deny")];
    assert_eq!(find("causeway_access_list_frames_total", &rule), count(&rules[0]["hits"]));
    assert_eq!((find("causeway_fdb_macs", &[]), find("causeway_neighbours_answered", &[])), (2.0, 1.0));
    let worker = [("core", "0")];
    let shown = gateway.show("workers");
    assert_eq!(find("causeway_worker_receive_frames_total", &worker), count(&shown[0]["rx"]["frames"]));
    assert_eq!(find("causeway_worker_burst_frames_sum", &worker), count(&shown[0]["rx"]["frames"]));
    assert!(find("causeway_worker_turns_total", &worker) > 0.0 && find("causeway_tsc_hertz", &[]) > 1e8);
    assert_eq!(find("causeway_next_hops", &[("state", "static")]), 1.0);

    let (head, plain) = get(&lab, "*/*");
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    assert!(plain.contains("\n# TYPE causeway_fdb_macs gauge\n") && !plain.contains("# EOF"));
}

/// DPDK's socket for telemetry.
struct Telemetry {
    socket: OwnedFd,
    /// What it said first.
    hello: Value,
}

impl Telemetry {
    fn open(path: &PathBuf) -> Self {
        let socket = net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).expect("a socket");
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE)).expect("a timeout");
        net::connect(&socket, &SocketAddrUnix::new(path).expect("a short path")).expect("the socket is there");
        let mut telemetry = Self { socket, hello: Value::Null };
        telemetry.hello = telemetry.hear();
        telemetry
    }

    fn hear(&self) -> Value {
        let bytes = self.bytes();
        serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&bytes)))
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; 1 << 17];
        let (length, _) = net::recv(&self.socket, &mut bytes[..], RecvFlags::empty()).expect("an answer");
        bytes.truncate(length);
        bytes
    }

    fn ask(&self, command: &str) -> Value {
        net::send(&self.socket, command.as_bytes(), SendFlags::empty()).expect("it reads");
        let name = command.split(',').next().expect("a name");
        self.hear()[name].take()
    }
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|name| name.as_str().expect("a name")).collect()
}

#[test]
fn telemetry_of_dpdk_answers_for_the_gateway_and_for_itself() {
    let Some(lab) = Lab::of_wires() else { return };
    let bench = busy(&lab);
    let gateway = &bench.gateway;
    let path = PathBuf::from(format!("/var/run/dpdk/{}/dpdk_telemetry.v2", prefix(&lab)));
    let telemetry = Telemetry::open(&path);
    assert_eq!(telemetry.hello["pid"], gateway.id());

    let all = telemetry.ask("/");
    let known = names(&all);
    let ours = ["ports", "port", "vnis", "vni", "vteps", "vtep", "workers", "worker", "drops"];
    assert!(ours.iter().all(|name| known.contains(&format!("/causeway/{name}").as_str())), "{all}");
    assert!(
        telemetry.ask("/help,/causeway/port")["/causeway/port"].as_str().is_some_and(|help| help.contains("its name"))
    );

    // DPDK's own commands work beside ours.
    let ports = telemetry.ask("/ethdev/list");
    let devices = ports.as_array().expect("a list").len();
    assert_eq!(devices, 3, "{ports}");
    assert_eq!(telemetry.ask("/ethdev/stats,1")["ipackets"], gateway.show("ports")[1]["rx"]["frames"]);

    assert_eq!(telemetry.ask("/causeway/ports"), json!(["up0", "srv1", "srv2"]));
    for port in rows(&gateway.show("ports")) {
        let said = telemetry.ask(&format!("/causeway/port,{}", port["name"].as_str().expect("a name")));
        let shown = json!({
            "rx_frames": port["rx"]["frames"], "rx_bytes": port["rx"]["bytes"],
            "tx_frames": port["tx"]["frames"], "tx_bytes": port["tx"]["bytes"], "macs": port["macs"],
        });
        assert_eq!(said, shown);
    }
    let vnis = telemetry.ask("/causeway/vnis");
    assert_eq!(vnis.as_array().map(Vec::len), Some(255), "as many as DPDK takes");
    let vni = &gateway.show("vnis")[0];
    let said = telemetry.ask(&format!("/causeway/vni,{}", vni["name"].as_str().expect("a name")));
    assert_eq!((&said["rx_frames"], &said["learned"]), (&vni["rx"]["frames"], &vni["learned"]));
    assert_eq!(names(&telemetry.ask("/causeway/vteps")), ["10.0.0.12", "10.0.0.13"]);
    let said = telemetry.ask("/causeway/vtep,10.0.0.12");
    assert_eq!((&said["rx_frames"], &said["macs"], &said["up"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!(telemetry.ask("/causeway/workers"), json!(["0"]));
    let said = telemetry.ask("/causeway/worker,0");
    assert_eq!(said["rx_frames"], gateway.show("workers")[0]["rx"]["frames"]);
    let drops = telemetry.ask("/causeway/drops");
    for row in rows(&gateway.show("drops")) {
        let reason = row["reason"].as_str().expect("a reason").replace('-', "_");
        assert_eq!(drops[&reason], row["frames"], "{reason}");
    }

    // What is not there, and what is no command at all, is answered and hurts nobody.
    for nonsense in
        ["/causeway/port,nobody", "/causeway/port", "/causeway/vtep,not an address", "/causeway/nothing", "x", ","]
    {
        assert_eq!(telemetry.ask(nonsense), Value::Null, "{nonsense}");
    }
    let long = format!("/causeway/port,{}", "x".repeat(900));
    assert_eq!(telemetry.ask(&long), Value::Null);
    net::send(&telemetry.socket, &[0xff, 0, 0xfe, b',', 0x80][..], SendFlags::empty()).expect("it reads");
    assert!(!telemetry.bytes().is_empty(), "DPDK says back what it does not know, as it came");
    // Several at once, each with its own answer.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let other = Telemetry::open(&path);
                for _ in 0..20 {
                    assert_eq!(other.ask("/causeway/ports"), json!(["up0", "srv1", "srv2"]));
                    assert_eq!(other.ask("/causeway/vnis").as_array().map(Vec::len), Some(255));
                }
            });
        }
    });
    let (status, _, log) = bench.gateway.stop();
    assert!(status.success(), "{log}");
    assert!(!path.exists(), "the socket goes with the gateway");
}
