//! The gateway as a hardware VTEP in a real OVSDB database; `vtep-ctl` is the controller. CTL8

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use serde_json::{Value, json};

use crate::bench::{Bench, NEXT_HOP};
use crate::bytes::{BROADCAST, mac, probe, vlan};
use crate::config::Config;
use crate::lab::{Lab, until, until_or};
use crate::sys;
use crate::vtep_db::{self, VtepDb, controller};

/// Ports without a VLAN, and a database.
fn config<'a>(lab: &'a Lab, control: &str) -> Config<'a> {
    Config::new(lab).underlay_wire(NEXT_HOP).port("srv1", "mtu: 1500").port("srv2", "mtu: 1500").control(control)
}

/// vls0 with VNI 5001 in VLAN 100 of srv1, and a MAC behind 10.0.0.12.
const VLS0: &str = "add-ls vls0 -- set Logical_Switch vls0 tunnel_key=5001 replication_mode=source_node \
                    -- bind-ls gw1 srv1 100 vls0 -- add-ucast-remote vls0 02:00:00:00:ee:21 10.0.0.12 \
                    -- add-mcast-remote vls0 unknown-dst 10.0.0.12 -- add-mcast-remote vls0 unknown-dst 10.0.0.13";

/// A frame from srv1 to the MAC behind 10.0.0.12 passes.
fn passes(bench: &Bench, lab: &Lab, seed: u8) {
    let frame = probe(mac(0x21), mac(1), 60, seed);
    lab.wire("srv1").send(&vlan(&frame, 100));
    let outer = bench.expect_inner("to the MAC's VTEP", &frame);
    assert_eq!((outer.vni, outer.to.to_string().as_str()), (5001, "10.0.0.12"));
}

fn wait_for_macs(bench: &Bench, macs: u64) {
    until_or(
        &format!("{macs} MACs of the controller are in force"),
        || controller(&bench.gateway)["applied"]["macs"] == macs,
        || bench.gateway.show_text("controllers", &[]),
    );
}

/// Binding, flooding, unicast both ways, local MACs, statistics, and all of it gone again.
#[test]
fn a_database_says_what_is_bridged_and_hears_what_is_learned() {
    let Some(lab) = Lab::of_wires().filter(|_| vtep_db::tools_are_there()) else { return };
    let db = VtepDb::new(&lab);
    // The gateway is there first and waits for its database.
    let bench = Bench::start(&lab, &config(&lab, &db.control(", statistics: 1, stale: 60")));
    assert_eq!(controller(&bench.gateway)["state"], "connecting");
    db.start();
    db.wait("list-ports gw1", |said| said == "srv1\nsrv2\n");
    assert!(db.ctl("--columns=tunnel_ips list Physical_Switch").contains("10.0.0.11"));
    db.ctl(VLS0);
    wait_for_macs(&bench, 1);

    let (srv1, flood) = (lab.wire("srv1"), probe(BROADCAST, mac(1), 60, 1));
    srv1.send(&vlan(&flood, 100));
    let mut to: Vec<String> = ["first", "second"].map(|copy| bench.expect_inner(copy, &flood).to.to_string()).into();
    to.sort();
    assert_eq!(to, ["10.0.0.12", "10.0.0.13"]);
    passes(&bench, &lab, 2);
    let back = probe(mac(1), mac(0x21), 60, 3);
    bench.underlay.send(&bench.vxlan("10.0.0.12", 5001, &back));
    srv1.expect_frame("from the VTEP", &vlan(&back, 100));
    let rows = bench.gateway.show("fdb");
    let row = rows.as_array().unwrap().iter().find(|row| row["mac"] == "02:00:00:00:ee:21").expect("it is known");
    assert_eq!(
        (&row["origin"], &row["controller"], &row["stale"]),
        (&json!("controller"), &json!("ovsdb"), &json!(false))
    );

    db.wait("list-local-macs vls0", |said| {
        said.contains("02:00:00:00:ee:01 -> vxlan_over_ipv4/10.0.0.11")
            && said.contains("unknown-dst -> vxlan_over_ipv4/10.0.0.11")
            && !said.contains("ee:21")
    });
    db.wait("--columns=local,remote list Tunnel", |said| said.matches("remote").count() == 2);
    // Two frames came in and one went out on this VLAN.
    db.wait("--columns=packets_from_local,packets_to_local list Logical_Binding_Stats", |said| {
        let numbers: Vec<u64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        numbers == [2, 1]
    });

    // The VM moves; one MAC goes; another VNI; nothing.
    db.ctl("del-ucast-remote vls0 02:00:00:00:ee:21 -- add-ucast-remote vls0 02:00:00:00:ee:21 10.0.0.13");
    until("the MAC has moved", || bench.gateway.place(mac(0x21)).as_deref() == Some("10.0.0.13 vxlan"));
    db.ctl("set Logical_Switch vls0 tunnel_key=777");
    until("the VNI has changed", || bench.gateway.show("vnis")[0]["vxlan"] == 777);
    let frame = probe(mac(0x21), mac(1), 60, 4);
    srv1.send(&vlan(&frame, 100));
    assert_eq!(bench.expect_inner("with the new VNI", &frame).vni, 777);
    db.ctl("set Logical_Switch vls0 tunnel_key=0");
    until("0 is not bound", || bench.gateway.show("vnis").as_array().unwrap().is_empty());
    db.wait("list-local-macs vls0", |said| !said.contains("->"));
    let before = bench.gateway.drops("unknown-vlan");
    srv1.send(&vlan(&frame, 100));
    bench.gateway.wait_drops("unknown-vlan", before + 1);
    // Nothing of ours is in the way of an operator who removes everything.
    db.wait("list Tunnel", str::is_empty);
    db.ctl("clear-remote-macs vls0 -- unbind-ls gw1 srv1 100");
    db.wait("list Logical_Binding_Stats", str::is_empty);
    db.ctl("del-ls vls0");
    db.wait("list Physical_Locator", str::is_empty);
}

/// What cannot be done is told in the database, and is told no longer when it is over.
#[test]
fn what_is_refused_is_told_in_the_database() {
    let Some(lab) = Lab::of_wires().filter(|_| vtep_db::tools_are_there()) else { return };
    let db = VtepDb::new(&lab);
    db.start();
    let config = config(&lab, &db.control(""))
        .access("srv3", "{vlan: 10, vni: 100}")
        .vni("vni: 100, flood: {vteps: [10.0.0.19]}");
    let bench = Bench::start(&lab, &config);
    db.wait("list-ports gw1", |said| said == "srv1\nsrv2\nsrv3\n");
    db.ctl(VLS0);
    wait_for_macs(&bench, 1);
    let faults = |port: &str| db.ctl(&format!("--columns=port_fault_status find Physical_Port name={port}"));
    assert!(faults("srv1").contains("[]"));
    // A VNI of 25 bits, a reserved VLAN, a VLAN that the file uses, addresses that are none, an access list, a router.
    db.ctl("add-ls big -- set Logical_Switch big tunnel_key=16777216 -- bind-ls gw1 srv2 7 big -- bind-ls gw1 srv2 4095 vls0");
    db.ctl("bind-ls gw1 srv3 10 vls0 -- add-ucast-remote vls0 02:00:00:00:ee:22 10.0.0 -- add-ucast-remote vls0 nonsense 10.0.0.12");
    db.ctl("add-lr lr0");
    let port = db.ctl("--bare --columns=_uuid find Physical_Port name=srv2");
    let entry = "-- --id=@e create ACL_entry sequence=1 direction=ingress action=deny -- --id=@a create ACL acl_name=a acl_entries=@e";
    db.ctl(&format!("set Global . other_config:x=1 {entry} -- set Physical_Port {} acl_bindings:7=@a", port.trim()));
    db.wait("--columns=port_fault_status find Physical_Port name=srv2", |said| {
        said.contains("invalid_ACL_binding") && said.contains("invalid_vlan_map")
    });
    db.wait("--columns=port_fault_status find Physical_Port name=srv3", |said| said.contains("[invalid_vlan_map]"));
    db.wait("--columns=switch_fault_status list Physical_Switch", |said| {
        said.contains("lr_support_fault") && said.contains("unspecified_fault")
    });
    db.wait("--columns=acl_fault_status list ACL", |said| said.contains("unspecified_fault"));
    db.wait("--columns=LR_fault_status list Logical_Router", |said| said.contains("unspecified_fault"));
    let shown = bench.gateway.show_text("controllers", &[]);
    for reason in [
        "Logical_Switch big: the tunnel key 16777216 is no VNI",
        "srv2 vlan 4095: there is no such VLAN",
        "port srv3 has VLAN 10 in segment 100 already",
        "'10.0.0' is not an IP address",
        "this is not a MAC address",
        "access lists are not supported",
        "does not route between logical switches",
    ] {
        assert!(shown.replace("\n    ", " ").contains(reason), "no '{reason}' in\n{shown}");
    }
    passes(&bench, &lab, 1);
    // BFD is asked for on a tunnel: we have none, and say so.
    let tunnel = db.ctl("--bare --columns=_uuid list Tunnel");
    let tunnel = tunnel.lines().next().expect("a tunnel");
    db.ctl(&format!("set Tunnel {tunnel} bfd_params:enable=true"));
    db.wait(&format!("--columns=bfd_status list Tunnel {tunnel}"), |said| said.contains("enabled=\"false\""));
    db.ctl(&format!("set Tunnel {tunnel} bfd_params:enable=false"));
    db.wait(&format!("--columns=bfd_status list Tunnel {tunnel}"), |said| said.contains("{}"));

    db.ctl("unbind-ls gw1 srv2 7 -- unbind-ls gw1 srv2 4095 -- unbind-ls gw1 srv3 10 -- del-lr lr0 -- del-ls big");
    db.ctl("del-ucast-remote vls0 02:00:00:00:ee:22 -- del-ucast-remote vls0 nonsense");
    db.ctl(&format!("clear Physical_Port {} acl_bindings", port.trim()));
    db.wait("--columns=switch_fault_status list Physical_Switch", |said| said.contains("[]"));
    for port in ["srv1", "srv2", "srv3"] {
        db.wait(&format!("--columns=port_fault_status find Physical_Port name={port}"), |said| said.contains("[]"));
    }
    assert_eq!(controller(&bench.gateway)["rejected_rows"], 0);
}

/// A server that dies takes nothing along: frames pass, entries are marked; when it is back, what it forgets is told anew.
#[test]
fn forwarding_goes_on_without_the_server_and_all_is_told_anew_when_it_is_back() {
    let Some(lab) = Lab::of_wires().filter(|_| vtep_db::tools_are_there()) else { return };
    let db = VtepDb::new(&lab);
    db.start();
    let bench = Bench::start(&lab, &config(&lab, &db.control(", statistics: 1")));
    db.wait("list-ports gw1", |said| said == "srv1\nsrv2\n");
    db.ctl(VLS0);
    db.ctl("add-lr lr0");
    wait_for_macs(&bench, 1);
    passes(&bench, &lab, 1);
    db.wait("list-local-macs vls0", |said| said.contains("ee:01"));
    db.wait("--columns=switch_fault_status list Physical_Switch", |said| said.contains("lr_support_fault"));
    for seed in 2..4 {
        db.kill();
        until("the entries are marked", || controller(&bench.gateway)["stale"] == true);
        assert!(bench.gateway.show_text("fdb", &[]).contains("ovsdb (stale)"));
        passes(&bench, &lab, seed);
        db.start();
        until("the mark is gone", || controller(&bench.gateway)["stale"] == false);
        // These columns do not outlive a server.
        db.wait("--columns=switch_fault_status list Physical_Switch", |said| said.contains("lr_support_fault"));
        db.wait("--columns=vlan_stats find Physical_Port name=srv1", |said| said.contains("100="));
        db.wait("list-local-macs vls0", |said| said.matches("ee:01").count() == 1);
        passes(&bench, &lab, seed + 10);
    }
}

/// A new, empty database in place of the old: what the old one wanted holds for a settable time.
#[test]
fn what_a_lost_database_wanted_is_swept_after_a_while() {
    let Some(lab) = Lab::of_wires().filter(|_| vtep_db::tools_are_there()) else { return };
    let db = VtepDb::new(&lab);
    db.start();
    let bench = Bench::start(&lab, &config(&lab, &db.control(", stale: 3")));
    db.wait("list-ports gw1", |said| said == "srv1\nsrv2\n");
    db.ctl(VLS0);
    wait_for_macs(&bench, 1);
    db.kill();
    db.erase();
    db.start();
    db.wait("list-ports gw1", |said| said == "srv1\nsrv2\n");
    assert_eq!(controller(&bench.gateway)["stale"], true, "the new one is empty");
    passes(&bench, &lab, 1);
    // A part comes back: that part is fresh, the rest still holds.
    db.ctl("add-ls vls1 -- set Logical_Switch vls1 tunnel_key=6000 -- bind-ls gw1 srv2 5 vls1");
    until("both are in force", || bench.gateway.show("vnis").as_array().unwrap().len() == 2);
    passes(&bench, &lab, 2);
    until("the rest is swept", || controller(&bench.gateway)["stale"] == false);
    let vnis = bench.gateway.show("vnis");
    assert_eq!(vnis.as_array().unwrap().iter().map(|vni| vni["name"].clone()).collect::<Vec<_>>(), ["vls1"]);
    // And without any server in the end.
    db.kill();
    until("all is swept", || bench.gateway.show("vnis").as_array().unwrap().is_empty());
}

/// The gateway keeps a server of its own: from nothing, through its crashes, to the gateway's own end and crash.
#[test]
fn an_embedded_server_is_started_watched_and_ended() {
    let Some(lab) = Lab::of_wires().filter(|_| vtep_db::tools_are_there()) else { return };
    let directory = lab.directory.join("embedded");
    let db = VtepDb::embedded(&directory);
    let control = format!(
        "control: {{ovsdb: {{database: embedded, directory: {}, physical_switch: gw1, managers: \"ptcp:6640:127.0.0.1\"}}}}\n",
        directory.display()
    );
    let bench = Bench::start(&lab, &config(&lab, &control));
    until("the embedded server has our switch", || db.socket().exists() && db.ctl_ok("list-ports gw1"));
    db.wait("--columns=target list Manager", |said| said.contains("ptcp:6640:127.0.0.1"));
    db.ctl(VLS0);
    wait_for_macs(&bench, 1);
    let server = server_of(&directory).expect("it runs");
    sys::signal(server, libc::SIGKILL);
    until("another server runs", || server_of(&directory).is_some_and(|other| other != server));
    until("its rows are in force", || controller(&bench.gateway)["stale"] == false);
    passes(&bench, &lab, 1);
    let (status, took, log) = bench.gateway.stop();
    assert!(status.success() && took.as_secs() < 3, "{status} after {took:?}:\n{log}");
    assert_eq!(server_of(&directory), None, "the server outlived the gateway");
    let left: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left, ["vtep.db"], "only the database stays");

    let gateway = crate::gateway::Gateway::start(&lab, &config_again(&control));
    until("its rows are in force again", || controller(&gateway)["applied"]["macs"] == 1);
    gateway.crash();
    until("the kernel ends the server of a gateway that crashed", || server_of(&directory).is_none());
}

/// The same ports with devices that exist already.
fn config_again(control: &str) -> String {
    format!(
        "version: 1\nworkers: {{cores: [0], idle: sleep}}\nvtep: {{source: 10.0.0.11}}\nports:\n\
         - {{name: up0, device: \"net_af_packet0,iface=up0\", mtu: 1600, underlay: {{via: {{mac: \"{NEXT_HOP}\"}}}}}}\n\
         - {{name: srv1, device: \"net_af_packet1,iface=srv1\"}}\n- {{name: srv2, device: \"net_af_packet2,iface=srv2\"}}\n{control}"
    )
}

/// The process that serves the database in a directory.
fn server_of(directory: &std::path::Path) -> Option<u32> {
    let database = directory.join("vtep.db").display().to_string();
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers.into_iter().find(|number| {
        let line = std::fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        words.first().is_some_and(|word| word.ends_with(b"ovsdb-server")) && words.contains(&database.as_bytes())
    })
}

/// Whatever a server sends, the gateway goes on, says what was wrong, and takes the next one.
#[test]
fn a_server_that_sends_nonsense_is_left_and_tried_again() {
    let Some(lab) = Lab::of_wires().filter(|_| vtep_db::tools_are_there()) else { return };
    let db = VtepDb::new(&lab);
    std::fs::create_dir_all(db.socket().parent().unwrap()).unwrap();
    let listener = UnixListener::bind(db.socket()).expect("a socket");
    let bench = Bench::start(&lab, &config(&lab, &db.control("")));
    let nonsense: [(&[u8], &str); 6] = [
        (b"HTTP/1.1 400 Bad Request\r\n", "where a JSON object should begin"),
        (b"{\"id\":0,\"result\":{\"tables\":", "the server closed the connection"),
        (b"{\"id\":0,\"result\":{\"tables\":{}},\"error\":null}", "has no table Global"),
        (b"{\"id\":0,\"result\":null,\"error\":\"unknown database\"}", "it has no database hardware_vtep"),
        (b"{\"id\":0,\"result\":7,}", "no JSON-RPC"),
        (b"{\"\xff\":0}", "not UTF-8"),
    ];
    for (bytes, why) in nonsense {
        let (mut server, _) = listener.accept().expect("the gateway comes");
        let _ = server.read(&mut [0; 4096]).expect("it asks for the schema");
        server.write_all(bytes).expect("it listens");
        drop(server);
        until_or(
            &format!("the gateway says '{why}'"),
            || controller(&bench.gateway)["error"].as_str().is_some_and(|error| error.contains(why)),
            || controller(&bench.gateway).to_string(),
        );
    }
    // One that says nothing is given up, and one that comes after is taken.
    let (mut silent, _) = listener.accept().expect("the gateway comes");
    let mut asked = Vec::new();
    let _ = silent.read_to_end(&mut asked);
    assert!(String::from_utf8_lossy(&asked).contains(r#""method":"echo""#), "it asked whether the server lives");
    drop(listener);
    std::fs::remove_file(db.socket()).expect("our file");
    db.start();
    db.wait("list-ports gw1", |said| said == "srv1\nsrv2\n");
    assert_eq!(controller(&bench.gateway)["error"], Value::Null);
}

/// A controller that listens and owns logical switches and bindings, as networking-l2gw does: the gateway's own server
/// dials it. It writes no flood list, and one transaction says all.
#[test]
fn a_controller_that_listens_is_dialled_and_obeyed() {
    let Some(lab) = Lab::of_wires().filter(|_| vtep_db::tools_are_there()) else { return };
    let listener = sys::in_namespace(&lab.gw(), || TcpListener::bind("127.0.0.1:6640").expect("a port"));
    let directory = lab.directory.join("embedded");
    let control = format!(
        "control: {{ovsdb: {{database: embedded, directory: {}, physical_switch: gw1, managers: \"tcp:127.0.0.1:6640\"}}}}\n",
        directory.display()
    );
    let bench = Bench::start(&lab, &config(&lab, &control));
    let (stream, _) = listener.accept().expect("the gateway's server dials");
    let mut rpc = Rpc { stream, bytes: Vec::new(), next: 0 };
    let select =
        json!({"op": "select", "table": "Physical_Port", "where": [["name", "==", "srv1"]], "columns": ["_uuid"]});
    let port = loop {
        let found = rpc.transact(json!([select]));
        if let Some(row) = found[0]["rows"].as_array().and_then(|rows| rows.first()) {
            break row["_uuid"].clone();
        }
    };
    let result = rpc.transact(json!([
        {"op": "insert", "table": "Logical_Switch", "uuid-name": "ls",
         "row": {"name": "net-1", "description": "net-1", "tunnel_key": 5001}},
        {"op": "insert", "table": "Physical_Locator", "uuid-name": "l1",
         "row": {"dst_ip": "10.0.0.12", "encapsulation_type": "vxlan_over_ipv4"}},
        {"op": "insert", "table": "Ucast_Macs_Remote",
         "row": {"MAC": "02:00:00:00:ee:21", "ipaddr": "192.168.7.21",
                 "logical_switch": ["named-uuid", "ls"], "locator": ["named-uuid", "l1"]}},
        {"op": "mutate", "table": "Physical_Port", "where": [["_uuid", "==", port]],
         "mutations": [["vlan_bindings", "insert", ["map", [[100, ["named-uuid", "ls"]]]]]]},
    ]));
    assert!(result.as_array().unwrap().iter().all(|one| one["error"].is_null()), "{result}");
    wait_for_macs(&bench, 1);
    passes(&bench, &lab, 1);
    let flood = probe(BROADCAST, mac(1), 60, 2);
    lab.wire("srv1").send(&vlan(&flood, 100));
    assert_eq!(bench.expect_inner("flooded where its MACs are", &flood).to.to_string(), "10.0.0.12");
    assert_eq!(controller(&bench.gateway)["applied"]["neighbours"], 1);
    until("the manager is connected", || controller(&bench.gateway)["managers"][0]["connected"] == true);
    // It sees what is learned.
    until("the controller sees the local MAC", || {
        let select = json!({"op": "select", "table": "Ucast_Macs_Local", "where": [], "columns": ["MAC"]});
        rpc.transact(json!([select]))[0]["rows"][0]["MAC"] == "02:00:00:00:ee:01"
    });
    passes(&bench, &lab, 3);
    drop(rpc);
    until("the manager is gone", || controller(&bench.gateway)["managers"][0]["connected"] == false);
    passes(&bench, &lab, 4);
}

/// A controller's side of JSON-RPC.
struct Rpc {
    stream: std::net::TcpStream,
    bytes: Vec<u8>,
    next: u64,
}

impl Rpc {
    fn transact(&mut self, operations: Value) -> Value {
        let params: Vec<Value> =
            [json!("hardware_vtep")].into_iter().chain(operations.as_array().unwrap().iter().cloned()).collect();
        self.next += 1;
        let request = json!({"method": "transact", "params": params, "id": self.next});
        self.stream.write_all(request.to_string().as_bytes()).expect("the server reads");
        loop {
            let message = self.message();
            if message["method"] == "echo" {
                let reply = json!({"id": message["id"], "result": message["params"], "error": null});
                self.stream.write_all(reply.to_string().as_bytes()).expect("the server reads");
            } else if message["id"] == self.next {
                return message["result"].clone();
            }
        }
    }

    fn message(&mut self) -> Value {
        loop {
            let mut stream = serde_json::Deserializer::from_slice(&self.bytes).into_iter::<Value>();
            if let Some(Ok(message)) = stream.next() {
                let read = stream.byte_offset();
                self.bytes.drain(..read);
                return message;
            }
            let mut more = [0; 4096];
            let length = self.stream.read(&mut more).expect("the server speaks");
            assert!(length > 0, "the server closed the connection");
            self.bytes.extend_from_slice(&more[..length]);
        }
    }
}
