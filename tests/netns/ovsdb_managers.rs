//! Controllers that reach the gateway's own database server over the network. CTL8

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::bench::{Bench, NEXT_HOP_MAC};
use crate::bytes::{BROADCAST, Mac, mac, probe, vlan};
use crate::gateway::Gateway;
use crate::lab::{self, Lab, run, succeeds, until, until_or};
use crate::rpc::Rpc;
use crate::sys;
use crate::vtep_db::{self, VLS0, VtepDb, config, controller, passes, wait_for_macs};

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
    let mut rpc = Rpc::new(stream.try_clone().expect("a socket"), stream);
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
    // It said who has 192.168.7.21: that is answered here.
    let request = vlan(&arp(1, (mac(1), [192, 168, 7, 1]), (BROADCAST, [192, 168, 7, 21])), 100);
    let srv1 = lab.wire("srv1");
    srv1.send(&request);
    let answer = vlan(&arp(2, (mac(0x21), [192, 168, 7, 21]), (mac(1), [192, 168, 7, 1])), 100);
    srv1.expect("an answer to ARP", |frame| frame.starts_with(&answer).then_some(()));
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

/// A request (1) or an answer (2), from whom and to whom.
fn arp(operation: u8, (from, from_ip): (Mac, [u8; 4]), (to, to_ip): (Mac, [u8; 4])) -> Vec<u8> {
    let asked = if operation == 1 { [0; 6] } else { to };
    let head = [0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, operation];
    [&to[..], &from, &head, &from, &from_ip, &asked, &to_ip].concat()
}

/// Keys and certificates: an authority and those whom it signed, and a stranger with an authority of its own.
struct Keys(PathBuf);

impl Keys {
    fn new(directory: &Path) -> Self {
        std::fs::create_dir_all(directory).expect("the laboratory's directory can be written");
        let keys = Self(directory.to_owned());
        for authority in ["ca", "other"] {
            keys.openssl(
                "req -x509",
                authority,
                &format!("-subj /CN={authority} -out {}", keys.path(authority, "crt")),
            );
        }
        for (name, authority) in [("gateway", "ca"), ("controller", "ca"), ("stranger", "other")] {
            let (request, sign) = (keys.path(name, "csr"), keys.path(authority, "crt"));
            keys.openssl("req", name, &format!("-subj /CN={name} -out {request}"));
            let signed =
                format!("-CAkey {} -CAcreateserial -out {}", keys.path(authority, "key"), keys.path(name, "crt"));
            run(&format!("openssl x509 -req -days 2 -in {request} -CA {sign} {signed}"));
        }
        keys
    }

    fn openssl(&self, what: &str, name: &str, rest: &str) {
        let key = self.path(name, "key");
        let new = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        run(&format!("openssl {what} {new} -keyout {key} {rest}"));
    }

    fn path(&self, name: &str, kind: &str) -> String {
        self.0.join(format!("{name}.{kind}")).display().to_string()
    }

    /// `tls:` of the gateway.
    fn tls(&self) -> String {
        let [key, certificate, ca] =
            [("gateway", "key"), ("gateway", "crt"), ("ca", "crt")].map(|(n, k)| self.path(n, k));
        format!("{{key: {key}, certificate: {certificate}, ca: {ca}}}")
    }

    /// `vtep-ctl` over TLS with somebody's certificate.
    fn vtep_ctl(&self, lab: &Lab, who: &str, words: &str) -> String {
        let (key, certificate, ca) = (self.path(who, "key"), self.path(who, "crt"), self.path("ca", "crt"));
        format!(
            "ip netns exec {} vtep-ctl --timeout=5 --db=ssl:127.0.0.1:6640 --private-key={key} --certificate={certificate} \
             --ca-cert={ca} {words}",
            lab.gw()
        )
    }
}

/// A controller that listens with TLS; what it says and hears are its standard streams.
struct Listener(Child);

impl Listener {
    fn start(lab: &Lab, keys: &Keys) -> Self {
        let [key, certificate, ca] =
            [("controller", "key"), ("controller", "crt"), ("ca", "crt")].map(|(n, k)| keys.path(n, k));
        let line = format!(
            "openssl s_server -accept 127.0.0.1:6641 -key {key} -cert {certificate} -CAfile {ca} -Verify 1 \
             -verify_return_error -quiet"
        );
        let mut command = lab::inside(&lab.gw(), &line);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        Self(child.expect("openssl starts"))
    }

    fn rpc(&mut self) -> Rpc<ChildStdout, ChildStdin> {
        Rpc::new(self.0.stdout.take().expect("piped"), self.0.stdin.take().expect("piped"))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        lab::end(&mut self.0, Duration::from_secs(1));
    }
}

/// TLS both ways: controllers that connect and one that is connected to show certificates of the authority; a stranger is
/// not let in, and all else goes on.
#[test]
fn controllers_come_over_tls_with_certificates_of_the_authority() {
    let Some(lab) = Lab::of_wires().filter(|_| vtep_db::tools_are_there()) else { return };
    if !lab::installed("openssl") {
        return lab::skip("'openssl' is not installed");
    }
    let (keys, directory) = (Keys::new(&lab.directory.join("keys")), lab.directory.join("embedded"));
    let mut listener = Listener::start(&lab, &keys);
    let control = format!(
        "control: {{ovsdb: {{database: embedded, directory: {}, physical_switch: gw1, tls: {}, \
         managers: [\"pssl:6640:127.0.0.1\", \"ssl:127.0.0.1:6641\"]}}}}\n",
        directory.display(),
        keys.tls()
    );
    let bench = Bench::start(&lab, &config(&lab, &control));
    let ports = keys.vtep_ctl(&lab, "controller", "list-ports gw1");
    until("a controller comes in", || lab::said(&ports) == "srv1\nsrv2\n");
    run(&keys.vtep_ctl(&lab, "controller", VLS0));
    wait_for_macs(&bench, 1);
    passes(&bench, &lab, 1);
    assert!(!succeeds(&keys.vtep_ctl(&lab, "stranger", "list-ports gw1")), "a stranger was let in");
    // The one that listens sees the same database.
    let mut rpc = listener.rpc();
    let names = json!([{"op": "select", "table": "Logical_Switch", "where": [], "columns": ["name"]}]);
    assert_eq!(rpc.transact(names)[0]["rows"], json!([{"name": "vls0"}]));
    let managers = || controller(&bench.gateway)["managers"].clone();
    let is_up =
        |at: &str| managers().as_array().unwrap().iter().any(|one| one["target"] == at && one["connected"] == true);
    until_or("its connection is shown", || is_up("ssl:127.0.0.1:6641"), || managers().to_string());
    drop((rpc, listener));
    until_or("it is gone", || !is_up("ssl:127.0.0.1:6641"), || managers().to_string());
    passes(&bench, &lab, 2);
}

/// Keys that cannot be read are told before a server runs without them.
#[test]
fn a_key_that_cannot_be_read_is_told() {
    let Some(lab) = Lab::of_wires().filter(|_| vtep_db::tools_are_there()) else { return };
    let directory = lab.directory.join("embedded");
    let control = format!(
        "control: {{ovsdb: {{database: embedded, directory: {}, tls: {{key: /none.key, certificate: /c, ca: /a}}}}}}\n",
        directory.display()
    );
    let bench = Bench::start(&lab, &config(&lab, &control));
    bench.gateway.wait_log("cannot read /none.key");
    let error = controller(&bench.gateway)["error"].to_string();
    assert!(error.contains("control.ovsdb.tls.key"), "{error}");
    assert!(!directory.join("vtep.sock").exists(), "a server runs");
}

/// What a controller may do here is changed while frames flow: managers, fallback, times.
#[test]
fn settings_of_the_database_change_while_frames_flow() {
    let Some(lab) = Lab::of_wires().filter(|_| vtep_db::tools_are_there()) else { return };
    let db = VtepDb::new(&lab);
    db.start();
    let first = config(&lab, &db.control(", statistics: 0")).text();
    let bench = Bench { underlay: lab.wire("up0"), gateway: Gateway::start(&lab, &first), mac: NEXT_HOP_MAC };
    db.wait("list-ports gw1", |said| said == "srv1\nsrv2\n");
    // Without a flood list.
    db.ctl("add-ls vls0 -- set Logical_Switch vls0 tunnel_key=5001 -- bind-ls gw1 srv1 100 vls0");
    db.ctl("add-ucast-remote vls0 02:00:00:00:ee:21 10.0.0.12");
    wait_for_macs(&bench, 1);
    let floods = || bench.gateway.show("vnis")[0]["flood_vteps"].to_string();
    until_or("it floods to the VTEPs of MACs", || floods().contains("10.0.0.12"), floods);
    let more = ", statistics: 1, flood_fallback: off, stale: 1, ports: srv1, description: other, managers: \"ptcp:6642:127.0.0.1\"";
    let next = lab.directory.join("next.yaml");
    let control = first.find("control:").expect("a section");
    std::fs::write(&next, format!("{}{}", &first[..control], db.control(more))).expect("a file");
    let said = bench.gateway.causeway(&["apply", next.to_str().expect("UTF-8")]);
    assert!(said.contains("control.ovsdb"), "{said}");
    until_or("it floods to nobody", || !floods().contains("10.0.0.12"), floods);
    db.wait("--bare --columns=target list Manager", |said| said == "ptcp:6642:127.0.0.1\n");
    db.wait("list-ports gw1", |said| said == "srv1\n");
    db.wait("--bare --columns=description list Physical_Switch", |said| said == "other\n");
    db.wait("--columns=vlan_stats find Physical_Port name=srv1", |said| said.contains("100="));
    passes(&bench, &lab, 1);
    db.kill();
    until("all is swept after a second", || bench.gateway.show("vnis").as_array().unwrap().is_empty());
    // Where the database is cannot change.
    let file =
        std::fs::read_to_string(&next).expect("our file").replace("physical_switch: gw1", "physical_switch: gw2");
    std::fs::write(&next, file).expect("a file");
    let output = bench.gateway.command(&["plan", next.to_str().expect("UTF-8")]).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("control.ovsdb.physical_switch") && said.contains("restart]"), "{said}");
}
