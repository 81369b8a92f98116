//! The gateway as a hardware VTEP in a real OVSDB database; `vtep-ctl` is the controller. CTL8

use serde_json::json;

use crate::bench::{Bench, NEXT_HOP};
use crate::bytes::{BROADCAST, Outer, mac, probe, vlan};
use crate::config::Config;
use crate::lab::{Lab, until};
use crate::sys;
use crate::vtep_db::{self, VLS0, VtepDb, config, controller, passes, wait_for_macs};

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

/// One VNI in the file and in the database: both have their VLANs, VTEPs and MACs in it, the file's name and static MACs
/// stand, and what the controller takes back was only ever its own.
#[test]
fn a_vni_of_the_file_that_the_database_names_too_is_one_network_of_both() {
    let Some(lab) = Lab::of_wires().filter(|_| vtep_db::tools_are_there()) else { return };
    let db = VtepDb::new(&lab);
    db.start();
    // The file sends ee:21 to another VTEP than VLS0 does, and has VLAN 10 of srv2, which VLS0 has not.
    let file = Config::new(&lab)
        .underlay_wire(NEXT_HOP)
        .port("srv1", "mtu: 1500")
        .access("srv2", "{vlan: 10, vni: 5001}")
        .vni(
            "vni: 5001, name: servers, flood: {vteps: [10.0.0.14]}, static: [{mac: \"02:00:00:00:ee:21\", vtep: 10.0.0.14}]",
        )
        .control(&db.control(""));
    let bench = Bench::start(&lab, &file);
    db.wait("list-ports gw1", |said| said == "srv1\nsrv2\n");
    db.ctl(VLS0);
    db.ctl("add-ucast-remote vls0 02:00:00:00:ee:22 10.0.0.12");
    let vni = || bench.gateway.show("vnis")[0].clone();
    until("the controller's VLAN and MAC are there", || {
        bench.gateway.place(mac(0x22)).is_some() && vni()["ports"].as_array().is_some_and(|all| all.len() == 2)
    });
    assert_eq!((&vni()["name"], &vni()["vxlan"]), (&json!("servers"), &json!(5001)));
    assert_eq!(bench.gateway.place(mac(0x21)).as_deref(), Some("10.0.0.14 vxlan"), "the file's static MAC stands");

    // From the controller's VLAN to the file's, and to the VTEPs of both.
    let (srv1, srv2, flood) = (lab.wire("srv1"), lab.wire("srv2"), probe(BROADCAST, mac(1), 60, 1));
    srv1.send(&vlan(&flood, 100));
    srv2.expect_frame("the other port", &vlan(&flood, 10));
    let mut to: Vec<String> = ["1", "2", "3"].map(|copy| bench.expect_inner(copy, &flood).to.to_string()).into();
    to.sort();
    assert_eq!(to, ["10.0.0.12", "10.0.0.13", "10.0.0.14"]);

    // A VLAN that the file has bound is not given away, and the database hears of it.
    db.ctl("add-ls vls1 -- set Logical_Switch vls1 tunnel_key=6000 -- bind-ls gw1 srv2 10 vls1");
    db.wait("--columns=port_fault_status find Physical_Port name=srv2", |said| said.contains("invalid_vlan_map"));

    db.ctl("clear-remote-macs vls0 -- unbind-ls gw1 srv1 100 -- unbind-ls gw1 srv2 10");
    until("the controller's part is gone", || vni()["ports"].as_array().is_some_and(|all| all.len() == 1));
    until("its MAC too", || bench.gateway.place(mac(0x22)).is_none());
    assert_eq!(bench.gateway.place(mac(0x21)).as_deref(), Some("10.0.0.14 vxlan"));
    let flood = probe(BROADCAST, mac(2), 60, 2);
    srv2.send(&vlan(&flood, 10));
    assert_eq!(bench.expect_inner("the file's VTEP alone", &flood).to.to_string(), "10.0.0.14");
    let known = bench.gateway.show("vteps");
    assert_eq!(known.as_array().map(Vec::len), Some(1), "{known}");
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

/// Keys of locators: each VTEP gets frames of one logical switch with a VNI of its own, and sends with it.
#[test]
fn every_vtep_may_have_its_own_vni_for_a_logical_switch() {
    let Some(lab) = Lab::of_wires().filter(|_| vtep_db::tools_are_there()) else { return };
    let db = VtepDb::new(&lab);
    db.start();
    let bench = Bench::start(&lab, &config(&lab, &db.control("")));
    db.wait("list-ports gw1", |said| said == "srv1\nsrv2\n");
    db.ctl("add-ls vls0 -- set Logical_Switch vls0 replication_mode=source_node -- bind-ls gw1 srv1 100 vls0");
    let switch = db.ctl("--bare --columns=_uuid find Logical_Switch name=vls0");
    let locator = |id: &str, address: &str, key: u32| {
        format!(
            "-- --id=@{id} create Physical_Locator dst_ip={address} encapsulation_type=vxlan_over_ipv4 tunnel_key={key}"
        )
    };
    let mac_at = |number: u8, id: &str| {
        let mac = format!("MAC=\"02\\:00\\:00\\:00\\:ee\\:{number:02x}\"").replace('"', "");
        format!("-- create Ucast_Macs_Remote {mac} logical_switch={} locator=@{id}", switch.trim())
    };
    db.ctl(&format!(
        "{} {} {} {} -- --id=@s create Physical_Locator_Set locators=@a,@b \
         -- create Mcast_Macs_Remote MAC=unknown-dst logical_switch={} locator_set=@s",
        locator("a", "10.0.0.12", 9),
        locator("b", "10.0.0.13", 12),
        mac_at(0x21, "a"),
        mac_at(0x22, "b"),
        switch.trim(),
    ));
    wait_for_macs(&bench, 2);
    assert_eq!(controller(&bench.gateway)["rejected_rows"], 0, "{}", controller(&bench.gateway));
    let srv1 = lab.wire("srv1");
    let sent = |what: &str, frame: &[u8]| {
        let outer = bench.expect_inner(what, frame);
        (outer.vni, outer.to.to_string())
    };
    for (number, expected) in [(0x21, (9, "10.0.0.12".to_owned())), (0x22, (12, "10.0.0.13".to_owned()))] {
        let frame = probe(mac(number), mac(1), 60, number);
        srv1.send(&vlan(&frame, 100));
        assert_eq!(sent("to the VTEP's own VNI", &frame), expected);
    }
    let flood = probe(BROADCAST, mac(1), 60, 1);
    srv1.send(&vlan(&flood, 100));
    let mut copies = ["first", "second"].map(|copy| sent(copy, &flood));
    copies.sort();
    assert_eq!(copies, [(9, "10.0.0.12".into()), (12, "10.0.0.13".into())]);
    // What it sends with its VNI, or with ours, belongs here, and is answered with its own.
    for (seed, vni) in [(3, 12), (4, 9)] {
        let (from, back) = (mac(0x30 + seed), probe(mac(1), mac(0x30 + seed), 60, seed));
        bench.underlay.send(&bench.vxlan("10.0.0.13", vni, &back));
        srv1.expect_frame("from the VTEP", &vlan(&back, 100));
        bench.gateway.wait_learned(from, "10.0.0.13 vxlan vni 12");
        let answer = probe(from, mac(1), 60, 10 + seed);
        srv1.send(&vlan(&answer, 100));
        assert_eq!(sent("the answer", &answer), (12, "10.0.0.13".into()));
    }
    // A flood from a tunnel goes to no tunnel.
    let (flood, last) = (probe(BROADCAST, mac(0x34), 60, 5), probe(mac(0x21), mac(1), 60, 6));
    bench.underlay.send(&bench.vxlan("10.0.0.13", 12, &flood));
    srv1.expect_frame("the flood", &vlan(&flood, 100));
    srv1.send(&vlan(&last, 100));
    let inner = |frame: &[u8]| Outer::parse(frame).map(|outer| outer.inner);
    let until_last = |frame: &[u8]| inner(frame).as_deref() == Some(&last[..]);
    let copies = bench.underlay.collect_until(until_last, |frame| inner(frame).filter(|inner| *inner == flood));
    assert!(copies.is_empty(), "it came back");
    // Another VTEP has nothing to say with this VNI.
    let before = bench.gateway.drops("unknown-vni");
    bench.underlay.send(&bench.vxlan("10.0.0.12", 12, &flood));
    bench.gateway.wait_drops("unknown-vni", before + 1);
    // Locally learned MACs are told with a locator of our key.
    db.wait("--columns=tunnel_key find Physical_Locator dst_ip=10.0.0.11", |said| said.contains(": 9"));
}
