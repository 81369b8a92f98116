//! The pages in docs/ show what commands print, and this test runs them: a page cannot go stale.
//!
//! How a page takes part: write what is to be run in a block that begins with "```console". In it a line with `$ ` is a
//! command for `sh`, and the lines below it are what it prints (errors, too). A line `...` stands for any number of lines,
//! and `...` at the end of a line for its rest.
//! Blocks of other kinds (`sh`, `yaml`, `text`) are not run. `CAUSEWAY_PUBLISH=1 cargo test --test netns the_guide` writes
//! the outputs of all blocks that differ anew: leave them empty at first, and read what came.
//!
//! A command may go on in the next line after a `\`.
//!
//! Each page has a laboratory of its own: a gateway runs with docs/gateway.yaml, which is `gateway.yaml` in the directory of
//! the commands; a server (192.168.7.1, 02:00:00:00:ee:01) is behind srv1 with VLAN 10, another (192.168.7.2) behind
//! srv2, a third (192.168.7.12) behind the VTEP 10.0.0.12, which is Linux's; 10.0.0.13 is not there. The first pings the
//! other two five times a second, and sent one frame with VLAN 99, which has no VNI. What a command changes holds for the
//! rest of its page.
//!
//! The page about OVN has another one: docs/ovn.yaml is its `gateway.yaml`; a server (192.168.7.1) with VLAN 100 is behind
//! srv1, a VM (192.168.7.21) waits on the hypervisor hv31 (10.0.0.31) for its port `vm1`, and the server pings it. `vtep-ctl`
//! speaks to the embedded database, `ovn-nbctl` and `ovn-sbctl` to OVN's. After each command that page waits until the
//! gateway has nothing new to say.
//!
//! The namespace of the twins is called `fabric` on the pages, in commands and in what they print.
//!
//! What is compared: words, with all space taken as one. Numbers may differ, and so may MACs, except those that stand in
//! gateway.yaml or in the command and are four characters long: these are compared as they are.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::bytes::{BROADCAST, mac, probe, vlan};
use crate::gateway::Gateway;
use crate::lab::{self, Host, Lab, Wire};
use crate::ovn_cluster::{self, Cluster, Hypervisor};
use crate::vtep_db::{VtepDb, controller};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs");
const BINARY: &str = env!("CARGO_BIN_EXE_causeway");

#[test]
fn the_guide_shows_what_the_commands_print() {
    let mut pages: Vec<PathBuf> =
        fs::read_dir(FOLDER).expect("the guide").map(|entry| entry.expect("a page").path()).collect();
    pages.retain(|page| page.extension().is_some_and(|end| end == "md"));
    pages.sort();
    let (mut run, mut wrong) = (0, Vec::new());
    for path in pages {
        let page = fs::read_to_string(&path).expect("a page");
        if !page.contains("\n```console\n") {
            continue;
        }
        let is_ovn = path.file_stem().is_some_and(|name| name == "ovsdb");
        let Some(lab) = (if is_ovn { Laboratory::of_ovn() } else { Laboratory::of_servers() }) else { return };
        let written = lab.rewrite(&page, &mut run, &mut wrong);
        if written != page && std::env::var_os("CAUSEWAY_PUBLISH").is_some() {
            fs::write(&path, written).expect("the page can be written");
            wrong.clear();
        }
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(wrong.is_empty(), "docs/{name} is stale (see tests/netns/docs.rs):\n{}", wrong.join("\n"));
    }
    assert!(run > 10, "only {run} commands were run: the test has lost its point");
}

/// A gateway with traffic, and the directory in which commands are run.
struct Laboratory {
    gateway: Gateway,
    configuration: String,
    pings: Vec<Child>,
    /// For commands.
    environment: Vec<(&'static str, String)>,
    /// What commands print, and what it is called on the pages.
    words: Vec<(String, &'static str)>,
    /// A command's work goes on after it: wait for the gateway to come to rest.
    rests: bool,
    _ovn: Option<(Cluster, Hypervisor)>,
    lab: Lab,
}

impl Laboratory {
    fn of_servers() -> Option<Self> {
        let lab = Lab::of_peers()?;
        let (configuration, gateway) = start(&lab, "gateway.yaml");
        let (first, second) = (lab.server("srv1", Some(10), 1), lab.server("srv2", None, 2));
        let third = lab.kernel_vtep(12).vxlan(10_010, "10.0.0.11", "");
        first.pings(&second);
        first.pings(&third);
        Wire::open(&lab.far_side(), "srv1").send(&vlan(&probe(BROADCAST, mac(1), 60, 1), 99));
        lab::until("the frame is dropped", || gateway.drops("unknown-vlan") > 0);
        for (number, place) in [(1, "srv1 vlan 10"), (2, "srv2 untagged"), (12, "10.0.0.12 vxlan")] {
            gateway.wait_learned(mac(number), place);
        }
        let pings = vec![ping(&first, &second.v4()), ping(&first, &third.v4())];
        Some(Self::new(lab, gateway, configuration, pings))
    }

    fn of_ovn() -> Option<Self> {
        let lab = ovn_cluster::lab()?;
        let (configuration, gateway) = start(&lab, "ovn.yaml");
        let db = VtepDb::embedded(&lab.directory.join("ovsdb"));
        db.wait("list-ports gw1", |said| said == "srv1\nsrv2\n");
        let server = lab.server("srv1", Some(100), 1);
        let ovn = Cluster::start(&lab, &db);
        let hypervisor = Hypervisor::start(&lab, 31, &ovn.sb);
        let vm = hypervisor.vm(&lab);
        hypervisor.runs("vm1");
        let pings = vec![ping(&server, &vm.v4())];
        let environment = [("OVN_NB_DB", ovn.nb.clone()), ("OVN_SB_DB", ovn.sb.clone())];
        let mut this = Self::new(lab, gateway, configuration, pings);
        let vtep_ctl = format!("#!/bin/sh\nexec /usr/bin/vtep-ctl --db={} \"$@\"\n", db.remote());
        let file = this.lab.directory.join("bin/vtep-ctl");
        fs::write(&file, vtep_ctl).expect("the laboratory's directory can be written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("our file");
        this.words.insert(0, (this.lab.directory.join("ovsdb").display().to_string(), "/var/lib/causeway/ovsdb"));
        this.words.push((hypervisor.name.clone(), "hv31"));
        this.environment.extend(environment);
        this.rests = true;
        this._ovn = Some((ovn, hypervisor));
        Some(this)
    }

    fn new(lab: Lab, gateway: Gateway, configuration: String, pings: Vec<Child>) -> Self {
        let bin = lab.directory.join("bin");
        fs::create_dir_all(&bin).expect("a directory");
        std::os::unix::fs::symlink(BINARY, bin.join("causeway")).expect("a link");
        let path = std::env::var("PATH").unwrap_or_default();
        let environment = vec![
            ("PATH", format!("{}:{path}", bin.display())),
            ("CAUSEWAY_SOCKET", gateway.socket().display().to_string()),
            ("COLUMNS", "100".into()),
        ];
        let words = vec![
            (gateway.socket().display().to_string(), "/run/causeway.sock"),
            (format!("{}/", lab.directory.display()), ""),
            (lab.twin(), "fabric"),
        ];
        Self { gateway, configuration, pings, environment, words, rests: false, _ovn: None, lab }
    }

    /// The page with what its commands print now, where that differs from what it shows. Counts the commands and notes
    /// the differences.
    fn rewrite(&self, page: &str, run: &mut usize, wrong: &mut Vec<String>) -> String {
        let mut written = String::new();
        let mut lines = page.lines().peekable();
        let mut inside = false;
        while let Some(line) = lines.next() {
            written.push_str(line);
            written.push('\n');
            inside = if inside { line != "```" } else { line == "```console" };
            let Some(command) = line.strip_prefix("$ ").filter(|_| inside) else { continue };
            let (mut command, mut shown) = (command.to_owned(), Vec::new());
            while command.ends_with('\\') {
                let more = lines.next().expect("a line after a backslash");
                written += &format!("{more}\n");
                command = format!("{command}\n{more}");
            }
            while let Some(line) = lines.next_if(|line| !line.starts_with("$ ") && *line != "```") {
                shown.push(line);
            }
            *run += 1;
            let printed = self.run(&command);
            let known = format!("{}\n{command}", self.configuration);
            if same(&shown, &printed, &known) {
                shown.iter().for_each(|line| written += &format!("{line}\n"));
            } else {
                let shown: String = shown.iter().map(|line| format!("    {line}\n")).collect();
                let now: String = printed.lines().map(|line| format!("    {line}\n")).collect();
                wrong.push(format!("$ {command}\n  the page shows\n{shown}  and now it prints\n{now}"));
                printed.lines().for_each(|line| written += &format!("{line}\n"));
            }
        }
        written
    }

    /// What a command prints, in the words of the page.
    fn run(&self, command: &str) -> String {
        let command = command.replace("fabric", &self.lab.twin());
        let mut shell = lab::inside(&self.lab.gw(), "sh");
        shell.current_dir(&self.lab.directory).envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut child = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a shell");
        // On its standard input, so that no quoting of ours comes between.
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(format!("exec 2>&1 </dev/null; {command}").as_bytes()).expect("it reads");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        let only_asks = |word: &str| command.split_whitespace().any(|one| one == word || one.starts_with("list-"));
        if self.rests && !["show", "list", "find", "plan"].into_iter().any(only_asks) {
            self.rest();
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        self.words.iter().fold(text, |text, (printed, called)| text.replace(printed, called))
    }

    /// Waits until nothing new has been in force, rejected or published for two seconds.
    fn rest(&self) {
        let state = || {
            let view = controller(&self.gateway);
            let macs = self.gateway.show("fdb").as_array().map_or(0, Vec::len);
            format!("{macs} {} {} {}", view["applied"], view["rejected"], view["published"])
        };
        let (mut last, mut since) = (state(), Instant::now());
        lab::until("the gateway comes to rest", || {
            let now = state();
            if now != last {
                (last, since) = (now, Instant::now());
            }
            since.elapsed() > Duration::from_secs(2)
        });
    }
}

/// Starts a gateway with a page's configuration on three cables.
fn start(lab: &Lab, file: &str) -> (String, Gateway) {
    let configuration = fs::read_to_string(Path::new(FOLDER).join(file)).expect("its configuration");
    for port in ["up0", "srv1", "srv2"] {
        lab.cable(port);
    }
    lab.plug_underlay("up0");
    let text = configuration.replace("namespace: fabric", &format!("namespace: {}", lab.twin()));
    let text = text.replace("/var/lib/causeway/", &format!("{}/", lab.directory.display()));
    let gateway = Gateway::start(lab, &text);
    (configuration, gateway)
}

/// Pings until it is ended.
fn ping(from: &Host, to: &str) -> Child {
    let mut command = lab::inside(&from.namespace, &format!("ping -n -q -i 0.2 {to}"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("ping starts")
}

impl Drop for Laboratory {
    fn drop(&mut self) {
        self.pings.iter_mut().for_each(|ping| lab::end(ping, Duration::from_secs(1)));
    }
}

/// Whether a page shows what was printed.
fn same(shown: &[&str], printed: &str, known: &str) -> bool {
    let known: Vec<&str> = known.split(|c: char| !is_of_word(c)).filter(|word| word.len() > 3).collect();
    let plain = |line: &&str| plain(line, &known);
    let shown: Vec<String> = shown.iter().map(plain).collect();
    let printed: Vec<String> = printed.lines().collect::<Vec<_>>().iter().map(plain).collect();
    fits(&shown, &printed)
}

/// `...` fits any lines, and any rest of a line.
fn fits(shown: &[String], printed: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first == "..." => (0..=printed.len()).any(|skipped| fits(rest, &printed[skipped..])),
        Some((first, rest)) => {
            printed.split_first().is_some_and(|(line, left)| begins(line, first) && fits(rest, left))
        }
    }
}

fn begins(line: &str, shown: &str) -> bool {
    line == shown || shown.strip_suffix("...").is_some_and(|start| line.starts_with(start))
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || ".:_-/".contains(c)
}

/// A line without what may differ: see the top of this file.
fn plain(line: &str, known: &[&str]) -> String {
    let word = |word: &str| -> String {
        let core = word.trim_matches(|c| !is_of_word(c)).trim_end_matches([':', '.']);
        if core.is_empty() || known.contains(&core) {
            return word.to_owned();
        }
        // Tables may cut it.
        let bytes: Vec<&str> = core.split(':').collect();
        let is_byte = |byte: &&str| byte.len() == 2 && u8::from_str_radix(byte, 16).is_ok();
        let is_mac = bytes.len() > 4 && bytes.iter().all(is_byte);
        if is_mac {
            return if core.starts_with("02:00:00:00:ee:") { word.to_owned() } else { word.replace(core, "MAC") };
        }
        let mut text = String::new();
        for c in word.chars() {
            match c {
                '0'..='9' if text.ends_with('#') => {}
                '0'..='9' => text.push('#'),
                // 1.25 and 1,250 are numbers like 7.
                '.' | ',' if text.ends_with('#') => text.push('~'),
                c => text.push(c),
            }
        }
        let text = text.replace("#~#", "#").replace("#~#", "#").replace('~', ".");
        // Amounts grow from 999 to 1.0K while one reads.
        ["#K", "#M", "#G"].iter().fold(text, |text, amount| text.replace(amount, "#"))
    };
    line.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_may_differ_differs_and_the_rest_does_not() {
    let known = "vni: 10010, flood: [10.0.0.12]";
    let differ = |shown: &str, printed: &str| !same(&shown.lines().collect::<Vec<_>>(), printed, known);
    assert!(!differ("servers  10010   17 frames (1.2K)", "servers 10010  9,120 frames (999)\n"));
    assert!(!differ("mac 1e:00:00:00:0a:01 up", "mac 8a:00:00:0f:00:01 up"));
    assert!(!differ("one\n...\nlast", "one\ntwo\nthree\nlast\n"));
    assert!(differ("to 10.0.0.12", "to 10.0.0.13"));
    assert!(differ("to 10.0.0.13", "to 10.0.0.12"));
    assert!(differ("02:00:00:00:ee:01", "02:00:00:00:ee:02"));
    assert!(differ("up 5", "down 5"));
    assert!(differ("one\n...\nlast", "one\ntwo\n"));
    assert!(differ("one", "one\ntwo\n"));
    assert!(!differ("drops: 5 ...", "drops: 17 frames (srv1)"));
    assert!(differ("drops: 5 ...", "dropped: 17 frames (srv1)"));
}
