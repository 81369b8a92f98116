//! docs/first-configuration.md as a reader follows it: the commands that make its laboratory, line by line, on a machine
//! that has nothing yet, and then its pings.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::lab::{self, PATIENCE};
use crate::sys;

const TOP: &str = env!("CARGO_MANIFEST_DIR");
const BINARY: &str = env!("CARGO_BIN_EXE_causeway");

/// A machine of its own: interfaces, namespaces and their names are nobody else's, and end with it.
const MACHINE: &str = "\
set -e
mount -t tmpfs none /run
mkdir /run/netns
mount -t sysfs none /sys
ip link set lo up
";

/// The block of the page's commands that begins with `first`.
fn block<'a>(page: &'a str, first: &str) -> &'a str {
    let start = page.find(&format!("```sh\n{first}")).expect("the page has the block") + "```sh\n".len();
    page[start..].split("```").next().expect("it ends")
}

#[test]
fn the_first_page_leads_to_servers_that_reach_each_other() {
    if !sys::is_root() {
        return lab::skip("making network namespaces needs root");
    }
    if let Some(missing) = ["ip", "unshare", "ethtool", "ping"].iter().find(|tool| !lab::installed(tool)) {
        return lab::skip(&format!("'{missing}' is not installed ('scripts/test' installs it)"));
    }
    let page = std::fs::read_to_string(Path::new(TOP).join("docs/first-configuration.md")).expect("the page");
    let mut laboratory = block(&page, "ip netns add fabric").to_owned();
    let mut pings = block(&page, "ip netns exec server1 ping").to_owned();
    // Kernels of containers may lack 802.1Q: there, the server without a tag speaks for both.
    if !has_802_1q() {
        laboratory = laboratory.lines().filter(|line| !line.contains("vlan10")).collect::<Vec<_>>().join("\n");
        pings = pings.lines().filter(|line| line.contains("192.168.7.12")).collect();
        pings = pings.replace("server1", "server2");
    }
    let script = format!(
        "{MACHINE}{laboratory}\n{BINARY} run -c {TOP}/docs/gateway.yaml --socket /run/causeway.sock &\n\
         trap 'kill %1; wait' EXIT\n\
         until {BINARY} show ports --socket /run/causeway.sock > /dev/null 2>&1; do kill -0 %1; sleep 0.1; done\n{pings}\n"
    );
    let limit = PATIENCE.as_secs().to_string();
    let mut command = Command::new("timeout");
    command.args([limit.as_str(), "unshare", "--net", "--mount", "--propagation", "private", "bash", "-c", &script]);
    let output = command.output().expect("unshare starts");
    let (printed, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}\n{printed}\n{said}");
    assert!(printed.contains(" 0% packet loss") && !printed.contains("100% packet loss"), "{printed}\n{said}");
    assert!(!said.contains("smaller MTU"), "the page's cables are long enough for its MTU:\n{said}");
}

/// Whether this kernel makes VLAN devices; tried in a network namespace that ends at once.
fn has_802_1q() -> bool {
    let mut command = Command::new("unshare");
    command.args(["--net", "ip", "link", "add", "link", "lo", "type", "vlan", "id", "9"]).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
