//! The gateway under test: the real binary in a laboratory's namespace.

use std::fs;
use std::io::BufReader;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bytes::Mac;
use crate::lab::{self, Lab, PATIENCE};
use crate::sys;

const BINARY: &str = env!("CARGO_BIN_EXE_causeway");

/// A running gateway. Dropping it ends the process.
pub struct Gateway {
    child: Child,
    log: Arc<Log>,
    reader: Option<JoinHandle<()>>,
    socket: PathBuf,
}

#[derive(Default)]
struct Log {
    text: Mutex<(String, bool)>,
    changed: Condvar,
}

impl Gateway {
    /// Starts the gateway with this configuration and waits until it forwards.
    pub fn start(lab: &Lab, yaml: &str) -> Self {
        Self::start_under(lab, yaml, "", &[])
    }

    /// The same through a program that becomes it, such as `setpriv`, and with more in its environment.
    pub fn start_under(lab: &Lab, yaml: &str, wrapper: &str, environment: &[(&str, &str)]) -> Self {
        let socket = lab.directory.join("gateway.sock");
        let mut command = command_of(lab, &format!("{wrapper} {BINARY}"), "gateway", yaml, &socket);
        command.envs(environment.iter().copied());
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the gateway's binary starts");
        let log = Arc::new(Log::default());
        let reader = std::thread::spawn({
            let log = Arc::clone(&log);
            let stderr = child.stderr.take().expect("piped");
            move || log.follow(BufReader::new(stderr))
        });
        let gateway = Self { child, log, reader: Some(reader), socket };
        gateway.log.wait_for("forwarding");
        gateway
    }

    /// A command that asks this gateway.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(arguments).arg("--socket").arg(&self.socket);
        command
    }

    /// What a command prints that asks this gateway.
    pub fn causeway(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().expect("the gateway's binary starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}\n{}", self.log.read());
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// What `causeway show WHAT --json` prints.
    pub fn show(&self, what: &str) -> Value {
        let text = self.show_text(what, &["--json"]);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("show {what} --json is no JSON ({error}): {text}"))
    }

    /// What `causeway show WHAT` prints for people.
    pub fn show_text(&self, what: &str, options: &[&str]) -> String {
        let output = Command::new(BINARY)
            .args(["show", what, "--socket"])
            .arg(&self.socket)
            .args(options)
            .output()
            .expect("the gateway's binary starts");
        assert!(
            output.status.success(),
            "show {what}: {}\n{}",
            String::from_utf8_lossy(&output.stderr),
            self.log.read()
        );
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// How many frames were dropped for a reason.
    pub fn drops(&self, reason: &str) -> u64 {
        let shown = self.show("drops");
        rows(&shown)
            .iter()
            .find(|row| row["reason"] == reason)
            .map_or(0, |row| row["frames"].as_u64().expect("a count"))
    }

    /// Waits until a reason has counted this many frames.
    pub fn wait_drops(&self, reason: &str, expected: u64) {
        let deadline = Instant::now() + PATIENCE;
        while self.drops(reason) != expected {
            if Instant::now() > deadline {
                panic!("not {expected} frames dropped as '{reason}' but\n{}", self.show_text("drops", &[]));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the forwarding table holds this MAC at this place, such as `srv1 vlan 10` or `10.0.0.12 vxlan`.
    pub fn wait_learned(&self, mac: Mac, place: &str) {
        lab::until(&format!("{} is learned at {place}", lab::text(mac)), || self.place(mac).as_deref() == Some(place));
    }

    /// Where the forwarding table has this MAC (in the first of the segments that know it).
    pub fn place(&self, mac: Mac) -> Option<String> {
        let mac = lab::text(mac);
        let shown = self.show("fdb");
        let row = rows(&shown).iter().find(|row| row["mac"] == mac.as_str())?;
        Some(row["place"].as_str().expect("a text").to_owned())
    }

    /// The MAC of a port.
    pub fn port_mac(&self, port: &str) -> Mac {
        let shown = self.show("ports");
        let row = rows(&shown).iter().find(|row| row["name"] == port).unwrap_or_else(|| panic!("no {port}: {shown}"));
        let text = row["mac"].as_str().expect("a text");
        let bytes: Vec<u8> = text.split(':').map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal")).collect();
        bytes.try_into().expect("six bytes")
    }

    /// The control socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Sends SIGTERM and returns how it ended, and how long that took.
    pub fn stop(mut self) -> (ExitStatus, Duration, String) {
        let asked = Instant::now();
        sys::signal(self.child.id(), libc::SIGTERM);
        let status = wait(&mut self.child);
        let took = asked.elapsed();
        self.reader.take().map(JoinHandle::join);
        (status, took, self.log.read())
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until its log holds these words.
    pub fn wait_log(&self, words: &str) {
        self.log.wait_for(words);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) {
        sys::signal(self.child.id(), signal);
    }

    /// Kills it as a crash would.
    pub fn crash(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it was ours");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        lab::end(&mut self.child, Duration::from_secs(3));
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        if std::thread::panicking() {
            eprintln!("the gateway's log:\n{}", self.log.read());
        }
    }
}

impl Log {
    fn follow(&self, stderr: impl std::io::BufRead) {
        for line in stderr.lines().map_while(Result::ok) {
            let mut text = self.text.lock().unwrap();
            text.0.push_str(&line);
            text.0.push('\n');
            self.changed.notify_all();
        }
        self.text.lock().unwrap().1 = true;
        self.changed.notify_all();
    }

    fn wait_for(&self, words: &str) {
        let text = self.text.lock().unwrap();
        let (text, timeout) =
            self.changed.wait_timeout_while(text, PATIENCE, |(text, ended)| !*ended && !text.contains(words)).unwrap();
        let seen = text.0.clone();
        let why = if timeout.timed_out() { "did not get so far in time" } else { "ended" };
        drop(text);
        assert!(seen.contains(words), "the gateway {why} before it said '{words}':\n{seen}");
    }

    fn read(&self) -> String {
        self.text.lock().unwrap().0.clone()
    }
}

/// Starts the gateway with a configuration that it must refuse, and returns what it said.
pub fn refused(lab: &Lab, yaml: &str) -> String {
    let (mut command, socket) = command(lab, "refused", yaml);
    let said = refusal(&mut command);
    assert!(!socket.exists(), "the socket stayed behind");
    said
}

/// The same through a program that becomes it.
pub fn refused_under(lab: &Lab, yaml: &str, wrapper: &str) -> String {
    let socket = lab.directory.join("refused.sock");
    refusal(&mut command_of(lab, &format!("{wrapper} {BINARY}"), "refused", yaml, &socket))
}

/// The same with the control socket of another gateway.
pub fn refused_at(lab: &Lab, yaml: &str, socket: &Path) -> String {
    refusal(&mut command_at(lab, "refused", yaml, socket))
}

/// The same as a user without any rights, who has a copy of the program within reach.
pub fn refused_as_nobody(lab: &Lab, yaml: &str) -> String {
    let (copy, file) = (lab.directory.join("causeway"), lab.directory.join("refused.yaml"));
    fs::copy(BINARY, &copy).expect("the laboratory's directory can be written");
    fs::write(&file, yaml).expect("the laboratory's directory can be written");
    let mut command = Command::new(copy);
    command.args(["run", "-c"]).arg(file).arg("--socket").arg(lab.directory.join("refused.sock"));
    refusal(command.stdin(Stdio::null()).uid(65_534).gid(65_534))
}

fn refusal(command: &mut Command) -> String {
    let output = finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "it must not start:\n{said}");
    assert!(output.status.code().is_some(), "it must end by itself, not by a signal ({}):\n{said}", output.status);
    assert!(!said.contains("panicked"), "a refusal is no panic:\n{said}");
    said
}

fn command(lab: &Lab, name: &str, yaml: &str) -> (Command, PathBuf) {
    let socket = lab.directory.join(format!("{name}.sock"));
    (command_at(lab, name, yaml, &socket), socket)
}

fn command_at(lab: &Lab, name: &str, yaml: &str, socket: &Path) -> Command {
    command_of(lab, BINARY, name, yaml, socket)
}

fn command_of(lab: &Lab, program: &str, name: &str, yaml: &str, socket: &Path) -> Command {
    let file = lab.directory.join(format!("{name}.yaml"));
    fs::write(&file, yaml).expect("the laboratory's directory can be written");
    let mut command = lab::inside(&lab.gw(), program);
    command.args(["run", "-c"]).arg(file).arg("--socket").arg(socket).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn finish(command: &mut Command) -> Output {
    let mut child = command.spawn().expect("the gateway's binary starts");
    let deadline = Instant::now() + PATIENCE;
    while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    if matches!(child.try_wait(), Ok(None)) {
        let _ = child.kill();
    }
    child.wait_with_output().expect("it was ours")
}

fn wait(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().expect("it is ours") {
            return status;
        }
        assert!(Instant::now() < deadline, "the gateway did not stop on SIGTERM");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The rows of a table.
pub fn rows(shown: &Value) -> &[Value] {
    shown.as_array().unwrap_or_else(|| panic!("no list of rows: {shown}"))
}
