//! Clients of the socket and of the metrics that are wrong, large, slow, many or gone: each is refused with a reason or let
//! go, frames flow all the while, and memory is bounded.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::bytes::{BROADCAST, mac, probe, vlan};
use crate::config::Config;
use crate::gateway::Gateway;
use crate::lab::{self, Lab, PATIENCE};
use crate::sys;

const PAGE: &str = "127.0.0.1:9860";

fn connect(gateway: &Gateway) -> UnixStream {
    let stream = UnixStream::connect(gateway.socket()).expect("somebody listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// What comes back for raw bytes on a connection of its own, up to where the gateway hangs up.
fn raw(gateway: &Gateway, bytes: &[u8]) -> String {
    let mut stream = connect(gateway);
    // It may hang up before it has read all.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Memory of a process in MiB: now (`VmRSS`), or the most it ever had (`VmHWM`).
fn memory(gateway: &Gateway, what: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':')).expect("a line");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}

#[test]
fn bad_clients_are_refused_and_frames_flow_all_the_while() {
    let Some(lab) = Lab::of_wires() else { return };
    let config = Config::new(&lab)
        .memory(&format!("{{file_prefix: test-{}}}", lab.gw()))
        .underlay_wire("02:00:00:00:ff:01")
        .access("srv1", "{vlan: 10, vni: 5001}")
        .access("srv2", "{vlan: 10, vni: 5001}")
        .vni("vni: 5001, flood: {vteps: [10.0.0.12]}")
        .control(&format!("metrics: {{listen: \"{PAGE}\"}}\n"));
    let gateway = Gateway::start(&lab, &config.text());
    let (one, two) = (lab.wire("srv1"), lab.wire("srv2"));
    two.send(&vlan(&probe(BROADCAST, mac(2), 60, 0), 10));
    gateway.wait_learned(mac(2), "srv2 vlan 10");
    let before = memory(&gateway, "VmRSS");
    let (done, count) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                let number = count.fetch_add(1, Ordering::Relaxed);
                let frame = vlan(&probe(mac(2), mac(1), 60, number as u8), 10);
                one.send(&frame);
                // Only one is under way: a frame that is lost never comes.
                two.expect_frame("a frame beside bad clients", &frame);
            }
        });
        let _end = lab::End(&done);
        malformed(&gateway);
        oversized(&gateway);
        slow(&gateway);
        many(&gateway, &lab);
    });
    assert!(count.load(Ordering::Relaxed) > 20, "frames flowed");
    let (after, most) = (memory(&gateway, "VmRSS"), memory(&gateway, "VmHWM"));
    assert!(most < before + 400 && after < before + 200, "{before} MiB before, {after} after, {most} at most");
    assert_eq!(gateway.causeway(&["show", "health"]).lines().next(), Some("ready"));
    let (status, _, log) = gateway.stop();
    assert!(status.success() && !log.contains("panicked"), "{log}");
}

fn malformed(gateway: &Gateway) {
    for (request, refusal) in [
        (&b"hello\n"[..], "not a request"),
        (b"\xff\xfe\x00\n", "not a request"),
        (b"{\"show\":\"weather\"}\n", "unknown variant"),
        (b"{\"do\":\"apply\",\"file\":\"x\",\"bytes\":4}\nnope", "the file is refused"),
        (b"{\"do\":\"apply\",\"file\":\"x\",\"bytes\":4}\n\xff\xff\xff\xff", "not UTF-8"),
        (b"{\"do\":\"apply\",\"file\":\"x\",\"bytes\":400}\nnope", "4 bytes came where 400 were announced"),
        (b"{\"do\":\"fdb-add\",\"vni\":\"5001\",\"mac\":\"ff:ff:ff:ff:ff:ff\",\"port\":\"srv1\"}\n", "error"),
        (b"{\"show\":\"explain\",\"port\":\"srv1\",\"bytes\":3}\nxyz", "error"),
        (b"{\"follow\":\"trace\",\"port\":\"nobody\"}\n", "there is no port"),
    ] {
        let answer = raw(gateway, request);
        assert!(answer.starts_with("{\"error\":") && answer.contains(refusal), "{refusal}: {answer}");
    }
}

fn oversized(gateway: &Gateway) {
    assert!(raw(gateway, &vec![b'x'; 1 << 20]).contains("longer than 16384 bytes"));
    assert!(raw(gateway, b"{\"do\":\"plan\",\"file\":\"x\",\"bytes\":99999999999}\n").contains("are more than the"));
    // Much of nothing that makes sense (an unoptimized build takes seconds for each 10 MiB).
    let size = 4 << 20;
    let head = format!("{{\"do\":\"plan\",\"file\":\"x\",\"bytes\":{size}}}\n");
    let answer = raw(gateway, &[head.as_bytes(), &vec![b'#'; size]].concat());
    assert!(answer.starts_with("{\"error\":"), "{}", &answer[..answer.len().min(200)]);
    // A mistake for each word of one long line: what is said of it must not be the line, each time.
    let text = format!("version: 1\nworkers: {{cores: [{}]}}\n", "x, ".repeat(20_000));
    let head = format!("{{\"do\":\"plan\",\"file\":\"x\",\"bytes\":{}}}\n", text.len());
    let answer = raw(gateway, &[head.as_bytes(), text.as_bytes()].concat());
    assert!(answer.contains("more errors are not shown") && answer.len() < 200_000, "{} bytes", answer.len());
}

/// Who asks and reads nothing, who follows and reads nothing, who stops in the middle: others are answered.
fn slow(gateway: &Gateway) {
    let mut deaf = connect(gateway);
    deaf.set_nonblocking(true).expect("ours");
    // Until the gateway reads no more, because nobody takes its answers.
    while deaf.write(b"{\"show\":\"config\"}\n").is_ok() {}
    let mut watcher = connect(gateway);
    watcher.write_all(b"{\"follow\":\"trace\"}\n").expect("it reads");
    let mut half = connect(gateway);
    half.write_all(b"{\"show\":").expect("it reads");
    let mut body = connect(gateway);
    body.write_all(b"{\"do\":\"plan\",\"file\":\"x\",\"bytes\":1000}\nversion").expect("it reads");
    for _ in 0..20 {
        // Not by a program of its own: on a busy machine twenty of those outlast the gateway's patience with the others.
        let ports = raw(gateway, b"{\"show\":\"ports\"}\n");
        assert!(ports.starts_with("{\"ok\":[{\"name\":\"up0\""), "{ports}");
    }
    // A half that becomes whole is answered.
    half.write_all(b"\"ports\"}\n").expect("it reads");
    half.shutdown(Shutdown::Write).expect("ours");
    let mut answer = String::new();
    half.read_to_string(&mut answer).expect("UTF-8");
    assert!(answer.starts_with("{\"ok\":[{\"name\":\"up0\""), "{answer}");
}

fn many(gateway: &Gateway, lab: &Lab) {
    let crowd: Vec<_> = (0..100).map(|_| connect(gateway)).collect();
    let refused = crowd.iter().filter(|client| {
        let mut client = *client;
        client.set_read_timeout(Some(std::time::Duration::from_millis(20))).expect("a timeout");
        let mut answer = [0; 200];
        client
            .read(&mut answer)
            .is_ok_and(|length| String::from_utf8_lossy(&answer[..length]).contains("clients at once"))
    });
    assert!(refused.count() >= 60, "32 are let in, some of whom left");
    drop(crowd);
    lab::until("there is room again", || raw(gateway, b"{\"show\":\"version\"}\n").starts_with("{\"ok\":"));
    sys::in_namespace(&lab.gw(), || {
        let crowd: Vec<_> = (0..50).map(|_| TcpStream::connect(PAGE).expect("somebody listens")).collect();
        for (number, mut client) in crowd.iter().enumerate() {
            let _ = client.write_all([&b"GET /metrics HTTP/1.1\r\n"[..], b"\0\xff", b"", &[b'x'; 9000]][number % 4]);
        }
        drop(crowd);
        lab::until("the page is there again", || {
            let Ok(mut client) = TcpStream::connect(PAGE) else { return false };
            let mut answer = String::new();
            client.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").is_ok()
                && client.read_to_string(&mut answer).is_ok()
                && answer.starts_with("HTTP/1.1 200")
        });
    });
}
