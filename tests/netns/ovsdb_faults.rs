//! What a database cannot have of the gateway, what it should not say, and what goes wrong on the way. CTL8

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::bench::Bench;
use crate::lab::{End, Lab, run, until, until_or};
use crate::proxy::Proxy;
use crate::vtep_db::{self, VLS0, VtepDb, config, controller, passes, wait_for_macs};

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

/// A port's row is marked while its cable is pulled, and no other row is.
#[test]
fn a_port_without_a_link_is_told_in_the_database() {
    let Some(lab) = Lab::of_wires().filter(|_| vtep_db::tools_are_there()) else { return };
    let db = VtepDb::new(&lab);
    db.start();
    let bench = Bench::start(&lab, &config(&lab, &db.control("")));
    db.wait("list-ports gw1", |said| said == "srv1\nsrv2\n");
    db.ctl(VLS0);
    wait_for_macs(&bench, 1);
    let faults = |port: &str| format!("--bare --columns=port_fault_status find Physical_Port name={port}");
    for _ in 0..2 {
        run(&format!("ip -n {} link set srv1 down", lab.far_side()));
        db.wait(&faults("srv1"), |said| said == "unspecified_fault\n");
        assert_eq!(db.ctl(&faults("srv2")).trim(), "");
        let ports = bench.gateway.show("ports");
        let up: Vec<_> = ports.as_array().unwrap().iter().map(|port| port["link"]["up"].clone()).collect();
        assert_eq!(up, [true, false, true], "{ports}");
        run(&format!("ip -n {} link set srv1 up", lab.far_side()));
        db.wait(&faults("srv1"), |said| said.trim().is_empty());
    }
    passes(&bench, &lab, 1);
}

/// Two rows for one port may both bind a VLAN: one has it, the other is told, and all else goes on.
#[test]
fn two_bindings_of_one_vlan_are_one_binding_and_a_fault() {
    let Some(lab) = Lab::of_wires().filter(|_| vtep_db::tools_are_there()) else { return };
    let db = VtepDb::new(&lab);
    db.start();
    let bench = Bench::start(&lab, &config(&lab, &db.control("")));
    db.wait("list-ports gw1", |said| said == "srv1\nsrv2\n");
    db.ctl(VLS0);
    db.ctl("add-ls one -- set Logical_Switch one tunnel_key=6001 -- bind-ls gw1 srv1 101 one");
    db.ctl("add-ls two -- set Logical_Switch two tunnel_key=6002");
    let two = db.ctl("--bare --columns=_uuid find Logical_Switch name=two");
    let bind = format!("create Physical_Port name=srv1 vlan_bindings:101={}", two.trim());
    db.ctl(&format!("-- --id=@p {bind} -- add Physical_Switch gw1 ports @p"));
    let marked = |said: &str| said.matches("invalid_vlan_map").count() == 1;
    db.wait("--bare --columns=port_fault_status find Physical_Port name=srv1", marked);
    wait_for_macs(&bench, 1);
    let view = controller(&bench.gateway);
    assert_eq!((&view["applied"]["bindings"], &view["rejected_rows"]), (&json!(2), &json!(1)), "{view}");
    let reason = view["rejected"][0]["reason"].as_str().expect("a sentence");
    assert!(reason.starts_with("it is bound to ") && reason.contains("by another row for this port"), "{reason}");
    passes(&bench, &lab, 1);
}

/// What no server would say, in the middle of a conversation: it is told, what is in force stays, and the database is
/// read again.
#[test]
fn nonsense_in_the_middle_changes_nothing_of_what_is_in_force() {
    let Some(lab) = Lab::of_wires().filter(|_| vtep_db::tools_are_there()) else { return };
    let (db, proxy, bench) = overheard(&lab);
    let comes_back = |why: &str| {
        bench.gateway.wait_log(why);
        until("it is connected again", || controller(&bench.gateway)["state"] == "connected");
        until("nothing is stale", || controller(&bench.gateway)["stale"] == false);
    };
    let nonsense: [(&[u8], &str); 4] = [
        (b"}", "where a JSON object should begin"),
        (
            b"{\"method\":\"update\",\"params\":[null,{\"Logical_Switch\":7}],\"id\":null}",
            "an update that cannot be read",
        ),
        (b"{\"method\":\"update\",\"params\":[null,{\"Logical_Switch\":{\"no-uuid\":{}}}]}", "not a UUID"),
        (b"{\"method\":7,\"id\":null}", "no JSON-RPC"),
    ];
    for (seed, (bytes, why)) in (1..).zip(nonsense) {
        proxy.says(bytes).expect("the gateway reads");
        comes_back(why);
        passes(&bench, &lab, seed);
    }
    // Half a message, and the end.
    proxy.says(b"{\"method\":\"update\",\"params\":[null,{\"Logical_Sw").expect("the gateway reads");
    proxy.cuts();
    comes_back("the server closed the connection");
    passes(&bench, &lab, 10);
    // A row that is none costs itself.
    let row = "550e8400-e29b-41d4-a716-446655440000";
    let update = format!(
        "{{\"id\":null,\"method\":\"update\",\"params\":[null,{{\"Ucast_Macs_Remote\":{{\"{row}\":{{\"new\":{{\"MAC\":7}}}}}}}}]}}"
    );
    proxy.says(update.as_bytes()).expect("the gateway reads");
    until("the row is rejected", || controller(&bench.gateway)["rejected_rows"] == 1);
    assert!(bench.gateway.show_text("controllers", &[]).contains("the row cannot be read"));
    db.wait("--columns=switch_fault_status list Physical_Switch", |said| said.contains("unspecified_fault"));
    passes(&bench, &lab, 11);
}

/// A server that sends without end: a message that never ends is given up, and messages that never end keep nobody else
/// waiting.
#[test]
fn a_server_that_sends_without_end_is_bounded() {
    let Some(lab) = Lab::of_wires().filter(|_| vtep_db::tools_are_there()) else { return };
    let (db, proxy, bench) = overheard(&lab);
    let before = resident(bench.gateway.id());
    // Small ones, for as long as it takes for frames to pass and a MAC to be told.
    let small = b"{\"id\":null,\"method\":\"update\",\"params\":[null,{}]}".repeat(1000);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                proxy.says(&small).expect("the gateway reads");
            }
        });
        let _end = End(&done);
        for seed in 1..20 {
            passes(&bench, &lab, seed);
        }
        db.wait("list-local-macs vls0", |said| said.contains("02:00:00:00:ee:01"));
        let grown = resident(bench.gateway.id()).saturating_sub(before);
        assert!(grown < 64 << 20, "it took {grown} bytes more");
    });
    // One that never ends.
    let text = vec![b'x'; 1 << 20];
    proxy.says(b"{\"id\":\"").expect("the gateway reads");
    let sent = (0..4096).take_while(|_| proxy.says(&text).is_ok()).count();
    assert!(sent < 2048, "it read {sent} MiB");
    bench.gateway.wait_log("a message of more than 512 MiB");
    until("it is connected again", || controller(&bench.gateway)["state"] == "connected");
    passes(&bench, &lab, 30);
}

/// A database, a gateway that follows it with VLS0 in force, and between them a proxy that can speak for the server.
fn overheard(lab: &Lab) -> (VtepDb, Proxy, Bench) {
    let db = VtepDb::new(lab);
    db.start();
    let path = lab.directory.join("proxy.sock");
    let proxy = Proxy::start(&path, &db.socket());
    let control = format!("control: {{ovsdb: {{database: \"unix:{}\", physical_switch: gw1}}}}\n", path.display());
    let bench = Bench::start(lab, &config(lab, &control));
    db.wait("list-ports gw1", |said| said == "srv1\nsrv2\n");
    db.ctl(VLS0);
    wait_for_macs(&bench, 1);
    // Told once for all that is published: then the server is silent and nothing of ours falls into its words.
    db.wait("--columns=_uuid list Tunnel", |said| said.matches("_uuid").count() == 2);
    (db, proxy, bench)
}

/// Bytes of memory that a process has.
fn resident(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") << 10
}
