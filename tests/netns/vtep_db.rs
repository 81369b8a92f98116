//! A real `ovsdb-server` with the stock schema `hardware_vtep`, and `vtep-ctl` in the part of a controller.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::bench::{Bench, NEXT_HOP};
use crate::bytes::{mac, probe, vlan};
use crate::config::Config;
use crate::gateway::Gateway;
use crate::lab::{self, Lab, run, until, until_or};

/// Where Debian and Ubuntu keep schemas.
const SCHEMA: &str = "/usr/share/openvswitch/vtep.ovsschema";

/// The tools that these tests need besides a laboratory.
pub fn tools_are_there() -> bool {
    let missing = ["ovsdb-server", "ovsdb-tool", "vtep-ctl"].into_iter().find(|tool| !lab::installed(tool));
    match missing {
        None if Path::new(SCHEMA).exists() => true,
        None => {
            lab::skip("there is no vtep.ovsschema ('scripts/test' installs openvswitch-vtep)");
            false
        }
        Some(tool) => {
            lab::skip(&format!("'{tool}' is not installed ('scripts/test' installs it)"));
            false
        }
    }
}

/// A database server, or only the address of one.
pub struct VtepDb {
    directory: PathBuf,
    server: RefCell<Option<Child>>,
}

impl VtepDb {
    /// One that is not started yet.
    pub fn new(lab: &Lab) -> Self {
        Self { directory: lab.directory.join("vtep"), server: RefCell::default() }
    }

    /// The one that a gateway runs with `database: embedded`.
    pub fn embedded(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), server: RefCell::default() }
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.directory.join("vtep.sock")
    }

    /// Its socket, as OVSDB writes it.
    pub fn remote(&self) -> String {
        format!("unix:{}", self.socket().display())
    }

    /// The section `control` of a gateway that follows it as gw1.
    pub fn control(&self, more: &str) -> String {
        format!("control: {{ovsdb: {{database: \"{}\", physical_switch: gw1{more}}}}}\n", self.remote())
    }

    /// Starts the server; its database is made when there is none.
    pub fn start(&self) {
        fs::create_dir_all(&self.directory).expect("the laboratory's directory can be written");
        let at = self.directory.display().to_string();
        if !self.directory.join("vtep.db").exists() {
            run(&format!("ovsdb-tool create {at}/vtep.db {SCHEMA}"));
        }
        let _ = fs::remove_file(self.socket());
        let mut command = Command::new("ovsdb-server");
        command.args([&format!("{at}/vtep.db"), &format!("--unixctl={at}/vtep.ctl")]);
        command.args([&format!("--remote=punix:{at}/vtep.sock"), "--remote=db:hardware_vtep,Global,managers"]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        *self.server.borrow_mut() = Some(child.expect("ovsdb-server starts"));
        until("the database server listens", || self.ctl_ok("list Global"));
    }

    /// Kills the server as a crash would.
    pub fn kill(&self) {
        let mut child = self.server.borrow_mut().take().expect("it was started");
        child.kill().expect("it runs");
        child.wait().expect("it was ours");
    }

    /// Throws the database away.
    pub fn erase(&self) {
        fs::remove_file(self.directory.join("vtep.db")).expect("there is a database");
        let _ = fs::remove_file(self.directory.join(".vtep.db.~lock~"));
    }

    /// Runs vtep-ctl.
    pub fn ctl(&self, words: &str) -> String {
        run(&self.line(words))
    }

    /// True when vtep-ctl succeeds.
    pub fn ctl_ok(&self, words: &str) -> bool {
        lab::succeeds(&self.line(words))
    }

    fn line(&self, words: &str) -> String {
        format!("vtep-ctl --timeout=10 --db={} {words}", self.remote())
    }

    /// Waits until what vtep-ctl prints is as it should be.
    pub fn wait(&self, words: &str, is_right: impl Fn(&str) -> bool) {
        let said = RefCell::new(String::new());
        let looks_right = || {
            *said.borrow_mut() = lab::said(&self.line(words));
            is_right(&said.borrow())
        };
        lab::until_or(&format!("vtep-ctl {words}"), looks_right, || said.borrow().clone());
    }
}

impl Drop for VtepDb {
    fn drop(&mut self) {
        if let Some(mut child) = self.server.borrow_mut().take() {
            lab::end(&mut child, Duration::from_secs(2));
        }
    }
}

/// What `show controllers` has of the only one.
pub fn controller(gateway: &Gateway) -> Value {
    gateway.show("controllers")[0].clone()
}

/// Ports without a VLAN, and a database.
pub fn config<'a>(lab: &'a Lab, control: &str) -> Config<'a> {
    Config::new(lab).underlay_wire(NEXT_HOP).port("srv1", "mtu: 1500").port("srv2", "mtu: 1500").control(control)
}

/// vls0 with VNI 5001 in VLAN 100 of srv1, and a MAC behind 10.0.0.12.
pub const VLS0: &str = "add-ls vls0 -- set Logical_Switch vls0 tunnel_key=5001 replication_mode=source_node \
                    -- bind-ls gw1 srv1 100 vls0 -- add-ucast-remote vls0 02:00:00:00:ee:21 10.0.0.12 \
                    -- add-mcast-remote vls0 unknown-dst 10.0.0.12 -- add-mcast-remote vls0 unknown-dst 10.0.0.13";

/// A frame from srv1 to the MAC behind 10.0.0.12 passes.
pub fn passes(bench: &Bench, lab: &Lab, seed: u8) {
    let frame = probe(mac(0x21), mac(1), 60, seed);
    lab.wire("srv1").send(&vlan(&frame, 100));
    let outer = bench.expect_inner("to the MAC's VTEP", &frame);
    assert_eq!((outer.vni, outer.to.to_string().as_str()), (5001, "10.0.0.12"));
}

pub fn wait_for_macs(bench: &Bench, macs: u64) {
    until_or(
        &format!("{macs} MACs of the controller are in force"),
        || controller(&bench.gateway)["applied"]["macs"] == macs,
        || bench.gateway.show_text("controllers", &[]),
    );
}
