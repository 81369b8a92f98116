//! `causeway top` as its user meets it: on a terminal, which it gives back however it ends, and without one.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use gateway::control::top::{TopView, TrafficView};
use gateway::control::view::TallyView;
use gateway::telemetry::{Access, Request, Server};

const BINARY: &str = env!("CARGO_BIN_EXE_causeway");
/// What a terminal hears when the screen is taken, and when it is given back.
const TAKEN: &str = "\x1b[?1049h";
const GIVEN_BACK: &str = "\x1b[?1049l";
const CURSOR_SHOWN: &str = "\x1b[?25h";

/// A gateway whose port gets 50 frames more each time somebody looks, a second later each.
fn gateway(name: &str) -> (Server, PathBuf) {
    gateway_with(name, &["srv1"])
}

/// The same with these ports, which all get as much.
fn gateway_with(name: &str, ports: &[&str]) -> (Server, PathBuf) {
    let ports: Vec<String> = ports.iter().map(|&port| port.to_owned()).collect();
    let path = std::env::temp_dir().join(format!("causeway-top-{}-{name}.sock", std::process::id()));
    let looks = AtomicU64::new(0);
    let answer = move |_: Request| -> Result<serde_json::Value, String> {
        let look = looks.fetch_add(1, Ordering::Relaxed) + 1;
        let rx = TallyView { frames: 50 * look, bytes: 5000 * look };
        let port = |name: &String| TrafficView { name: name.clone(), rx, ..TrafficView::default() };
        let ports = ports.iter().map(port).collect();
        Ok(serde_json::json!(TopView { at: look * 1_000_000_000, ports, ..TopView::default() }))
    };
    (Server::open(&path, &Access::default(), answer).expect("a socket"), path)
}

/// `causeway top` on a terminal of its own; `None` where no program makes one.
fn on_a_terminal(socket: &std::path::Path) -> Option<Child> {
    let line = format!("stty rows 30 cols 120; exec {BINARY} top --interval 0.1 --socket {}", socket.display());
    let child = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    if child.is_err() {
        eprintln!("skipped: causeway top on a terminal: 'script' (util-linux) is not installed");
    }
    child.ok()
}

/// What the terminal heard up to (and with) some text.
fn heard(child: &mut Child, until: &str) -> String {
    let out = child.stdout.as_mut().expect("a pipe");
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    while !String::from_utf8_lossy(&bytes).contains(until) {
        match out.read(&mut byte) {
            Ok(1) => bytes.push(byte[0]),
            _ => panic!("no {until:?} in {:?}", String::from_utf8_lossy(&bytes)),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn rest(mut child: Child) -> (String, Option<i32>) {
    let mut bytes = Vec::new();
    child.stdout.take().expect("a pipe").read_to_end(&mut bytes).expect("readable");
    let status = child.wait().expect("it ends");
    (String::from_utf8_lossy(&bytes).into_owned(), status.code())
}

#[test]
fn a_key_ends_it_and_the_terminal_is_given_back() {
    let (_server, path) = gateway("key");
    let Some(mut child) = on_a_terminal(&path) else { return };
    heard(&mut child, TAKEN);
    // The port's first row with a rate.
    heard(&mut child, "srv1");
    child.stdin.as_mut().expect("a pipe").write_all(b"q").expect("it listens");
    let (end, status) = rest(child);
    assert!(end.contains(GIVEN_BACK) && end.contains(CURSOR_SHOWN), "{end:?}");
    assert_eq!(status, Some(0));
}

/// More rows than lines: keys move the table, and give it the whole screen.
#[test]
fn the_last_of_sixty_ports_can_be_seen() {
    let ports: Vec<String> = (1..60).map(|number| format!("srv{number}")).chain(["tail".into()]).collect();
    let (_server, path) = gateway_with("sixty", &ports.iter().map(String::as_str).collect::<Vec<_>>());
    let Some(mut child) = on_a_terminal(&path) else { return };
    let press = |child: &mut Child, keys: &str| {
        child.stdin.as_mut().expect("a pipe").write_all(keys.as_bytes()).expect("it listens");
    };
    let screen = heard(&mut child, "srv5");
    assert!(!screen.contains("tail"), "{screen:?}");
    press(&mut child, "G");
    heard(&mut child, "tail");
    // Back to the first row, alone on the screen, which has room for more of them than its share was.
    press(&mut child, "g\r");
    heard(&mut child, "srv25");
    press(&mut child, "q");
    assert_eq!(rest(child).1, Some(0));
}

#[test]
fn a_signal_ends_it_and_the_terminal_is_given_back() {
    let (_server, path) = gateway("signal");
    let Some(mut child) = on_a_terminal(&path) else { return };
    heard(&mut child, "srv1");
    let pattern = path.display().to_string();
    let ours = std::fs::read_dir("/proc").expect("/proc").flatten().filter_map(|entry| {
        let process: i32 = entry.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        (line.starts_with(BINARY) && line.contains(&pattern)).then_some(process)
    });
    let ours: Vec<i32> = ours.collect();
    assert_eq!(ours.len(), 1, "the one that was started here");
    // SAFETY: sends a signal to a process of this test.
    assert_eq!(unsafe { libc::kill(ours[0], libc::SIGTERM) }, 0);
    let (end, _) = rest(child);
    assert!(end.contains(GIVEN_BACK) && end.contains(CURSOR_SHOWN), "{end:?}");
}

#[test]
fn without_a_terminal_it_prints_rates_once() {
    let (_server, path) = gateway("plain");
    let top = |more: &[&str]| {
        let mut command = Command::new(BINARY);
        command.args(["top", "--interval", "0.1", "--socket"]).arg(&path).args(more);
        let output = command.output().expect("the binary starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let text = top(&[]);
    assert!(text.starts_with("Rates over 1.0 s\n") && text.contains("srv1             50   40000 "), "{text}");
    assert!(!text.contains('\x1b'), "{text:?}");
    let rates: serde_json::Value = serde_json::from_str(&top(&["--once", "--json"])).expect("JSON");
    assert_eq!((&rates["ports"][0]["rx_frames"], &rates["ports"][0]["rx_bits"]), (&50.0.into(), &40000.0.into()));
}

#[test]
fn without_a_gateway_the_terminal_is_not_touched() {
    let path = std::env::temp_dir().join(format!("causeway-top-{}-none.sock", std::process::id()));
    let Some(child) = on_a_terminal(&path) else { return };
    let (said, status) = rest(child);
    assert!(said.contains("no gateway listens on") && !said.contains(TAKEN), "{said:?}");
    assert_eq!(status, Some(1));
}
