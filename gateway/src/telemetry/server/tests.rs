//! Clients of every kind: good, stale, wrong, oversized, slow, many, and gone.

use std::io::{BufRead, BufReader, Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use super::*;
use crate::telemetry::serve::follow;
use crate::telemetry::{DropFilter, Missed, PortFilter, Show, Verb, ask};

fn place(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("causeway-{}-{name}.sock", std::process::id()))
}

fn ports() -> Request {
    Request::show(Show::Ports(PortFilter::default()))
}

fn hello(request: Request) -> Result<serde_json::Value, String> {
    match request.verb {
        Verb::Show(Show::Ports(_)) => Ok(serde_json::json!([1, 2])),
        _ => Err("only ports".into()),
    }
}

/// What comes back for raw bytes on a connection of its own.
fn raw(path: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).expect("somebody listens");
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

/// A second at most for what needs no time.
fn soon(what: impl Fn() -> bool) -> bool {
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        if what() {
            return true;
        }
        thread::sleep(Duration::from_millis(5));
    }
    false
}

#[test]
fn it_answers_refuses_and_leaves_nothing_behind() {
    let path = place("answers");
    let server = Server::open(&path, &Access::default(), hello).expect("a socket");
    assert_eq!(ask(&path, &ports()), Ok(serde_json::json!([1, 2])));
    assert_eq!(ask(&path, &Request::show(Show::Drops(DropFilter::default()))), Err("only ports".into()));
    assert_eq!(raw(&path, b"{\"show\":\"ports\"}\n{\"show\":\"ports\"}\n"), "{\"ok\":[1,2]}\n{\"ok\":[1,2]}\n");
    drop(server);
    assert!(!path.exists());
    let refusal = ask(&path, &ports()).expect_err("nobody is there");
    assert!(refusal.starts_with("no gateway listens on ") && refusal.contains("causeway run"), "{refusal}");
}

#[test]
fn nonsense_gets_one_line_and_is_bounded() {
    let path = place("nonsense");
    let _server = Server::open(&path, &Access::default(), hello).expect("a socket");
    assert!(raw(&path, b"hello\n").starts_with("{\"error\":\"not a request"));
    assert!(raw(&path, b"\xff\xfe\n").starts_with("{\"error\":\"not a request"));
    assert!(raw(&path, b"{\"show\":\"weather\"}\n").contains("unknown variant"));
    assert!(raw(&path, b"{\"show\":\"ports\"").contains("not a request"), "a line that breaks off");
    assert!(raw(&path, &vec![b'x'; 100_000]).contains("longer than 16384 bytes"));
    assert!(raw(&path, &vec![b'['; 16_000]).contains("not a request"), "deep nesting");
    assert!(raw(&path, b"{\"show\":\"ports\",\"bytes\":5}\nhello").contains("leave out `bytes`"));
    assert!(raw(&path, b"{\"show\":\"ports\",\"every_ms\":1}\n").contains("not between 100 and"));
    assert_eq!(raw(&path, b"hello\n{\"show\":\"ports\"}\n").lines().nth(1), Some("{\"ok\":[1,2]}"));
    assert_eq!(ask(&path, &ports()), Ok(serde_json::json!([1, 2])));
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let path = place("stale");
    drop(UnixListener::bind(&path).expect("a socket"));
    assert!(path.exists());
    let server = Server::open(&path, &Access::default(), hello).expect("nobody listens on the old one");
    let refusal = Server::open(&path, &Access::default(), hello).expect_err("somebody listens");
    assert!(refusal.starts_with("another gateway runs on the socket"), "{refusal}");
    assert_eq!(ask(&path, &ports()), Ok(serde_json::json!([1, 2])), "the first one is unharmed");
    drop(server);
    fs::write(&path, "precious").expect("a file");
    let refusal = Server::open(&path, &Access::default(), hello).expect_err("a file");
    assert!(refusal.contains("is not a socket"), "{refusal}");
    assert_eq!(fs::read_to_string(&path).expect("the file"), "precious");
    fs::remove_file(&path).expect("our file");
}

#[test]
fn too_many_clients_are_sent_away_and_those_inside_stay() {
    let path = place("crowd");
    let _server = Server::open(&path, &Access::default(), hello).expect("a socket");
    let crowd: Vec<_> = (0..Limits::default().clients).map(|_| UnixStream::connect(&path).expect("let in")).collect();
    let refusal = ask(&path, &ports()).expect_err("one too many");
    assert!(refusal.contains("clients at once"), "{refusal}");
    drop(crowd);
    assert!(soon(|| ask(&path, &ports()).is_ok()));
}

/// Bytes that trickle in do not hold a place for ever: the time is for the whole request.
#[test]
fn a_slow_request_is_refused_in_time_and_silence_is_let_go() {
    let path = place("slow");
    let limits = Limits { patience: Duration::from_millis(300), ..Limits::default() };
    let _server = Server::with(&path, &Access::default(), hello, limits).expect("a socket");
    let mut slow = UnixStream::connect(&path).expect("let in");
    let mut reader = BufReader::new(slow.try_clone().expect("a descriptor"));
    let feeder = thread::spawn(move || {
        while slow.write_all(b" ").is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    });
    let mut answer = String::new();
    let _ = reader.read_line(&mut answer);
    assert!(answer.contains("the request took longer"), "{answer}");
    drop(reader);
    feeder.join().expect("it ends when the server hangs up");
    let mut silent = UnixStream::connect(&path).expect("let in");
    assert_eq!(silent.read(&mut [0; 8]).expect("hung up"), 0);
}

/// A file that is being sent, or looked at, is the only one: others wait as long as they would for an answer.
#[test]
fn one_body_at_a_time_is_taken_and_who_waits_in_vain_hears_why() {
    let path = place("bodies");
    let limits = Limits { patience: Duration::from_millis(400), ..Limits::default() };
    let (looks, looking) = crossbeam::channel::bounded(0);
    let (go, gone) = crossbeam::channel::bounded::<()>(0);
    let answer = move |request: Request| -> Result<serde_json::Value, String> {
        if request.body == "long" {
            let _ = looks.send(());
            let _ = gone.recv();
        }
        Ok(request.body.into())
    };
    let _server = Server::with(&path, &Access::default(), answer, limits).expect("a socket");
    let plan = |body: &str| format!("{{\"do\":\"plan\",\"file\":\"x\",\"bytes\":{}}}\n{body}", body.len());
    let at = path.clone();
    let request = plan("long");
    let first = thread::spawn(move || raw(&at, request.as_bytes()));
    looking.recv().expect("it is looked at");
    assert!(raw(&path, plan("next").as_bytes()).contains("another client is sending a file; try again"));
    assert_eq!(ask(&path, &ports()).map(|_| ()), Ok(()), "who sends none need not wait");
    go.send(()).expect("it waits");
    assert_eq!(first.join().expect("it ends"), "{\"ok\":\"long\"}\n");
    assert_eq!(raw(&path, plan("next").as_bytes()), "{\"ok\":\"next\"}\n");
    // One who stops in the middle holds it for its own time only.
    let mut stalled = UnixStream::connect(&path).expect("let in");
    stalled.write_all(b"{\"do\":\"plan\",\"file\":\"x\",\"bytes\":9}\nhalf").expect("it reads");
    assert!(soon(|| raw(&path, plan("next").as_bytes()) == "{\"ok\":\"next\"}\n"));
    assert!(raw(&path, b"{\"do\":\"plan\",\"file\":\"x\",\"bytes\":99999999999}\n").contains("are more than the"));
}

/// One who asks and does not read the answer is let go.
#[test]
fn a_slow_reader_is_let_go() {
    let path = place("reader");
    let limits = Limits { patience: Duration::from_millis(300), clients: 1, ..Limits::default() };
    // Only the first answer is more than a socket holds: however slow the machine, the others fit.
    let asked = AtomicBool::new(false);
    let answer = move |_: Request| -> Result<serde_json::Value, String> {
        Ok("x".repeat(if asked.swap(true, Ordering::Relaxed) { 1 } else { 8 << 20 }).into())
    };
    let _server = Server::with(&path, &Access::default(), answer, limits).expect("a socket");
    let mut lazy = UnixStream::connect(&path).expect("let in");
    lazy.write_all(b"{\"show\":\"ports\"}\n").expect("room");
    assert!(soon(|| ask(&path, &ports()).is_ok()), "its place is free again");
    drop(lazy);
}

/// Shown again and again, until the client closes: then its place is free.
#[test]
fn what_is_shown_again_ends_when_the_client_goes() {
    let path = place("again");
    let limits = Limits { clients: 1, ..Limits::default() };
    let _server = Server::with(&path, &Access::default(), hello, limits).expect("a socket");
    let mut client = UnixStream::connect(&path).expect("let in");
    client.write_all(b"{\"show\":\"ports\",\"every_ms\":100}\n").expect("room");
    // Done writing is not gone.
    client.shutdown(std::net::Shutdown::Write).expect("ours");
    let mut lines = BufReader::new(client).lines();
    for _ in 0..3 {
        assert_eq!(lines.next().expect("a line").expect("UTF-8"), "{\"ok\":[1,2]}");
    }
    drop(lines);
    assert!(soon(|| ask(&path, &ports()).is_ok()));
}

/// Makes lines as fast as it can for everyone who follows.
struct Source {
    gone: Arc<AtomicBool>,
    missed: Arc<AtomicU64>,
    /// It ends when so many lines were missed.
    enough: u64,
}

impl Answer for Source {
    fn answer(&self, request: Request) -> Result<serde_json::Value, String> {
        hello(request)
    }

    fn follow(&self, _: Request, lines: Lines) -> Result<(), String> {
        let (gone, missed, enough) = (Arc::clone(&self.gone), Arc::clone(&self.missed), self.enough);
        thread::spawn(move || {
            for number in 0u64.. {
                match lines.send(serde_json::json!([number, "x".repeat(1000)])) {
                    Ok(()) => {}
                    Err(Missed::Slow) => _ = missed.fetch_add(1, Ordering::Relaxed),
                    Err(Missed::Gone) => break,
                }
                if missed.load(Ordering::Relaxed) >= enough {
                    // The client reads again only now: it is told what it missed, then that there is no more.
                    lines.end("enough");
                    return;
                }
            }
            gone.store(true, Ordering::Release);
        });
        Ok(())
    }
}

/// What is followed, on one end of a pair; the other end is the client's.
fn following(enough: u64) -> (UnixStream, Arc<AtomicBool>, Arc<AtomicU64>, JoinHandle<std::io::Result<()>>) {
    let (client, server) = UnixStream::pair().expect("descriptors");
    let source = Source { gone: Arc::default(), missed: Arc::default(), enough };
    let (gone, missed) = (Arc::clone(&source.gone), Arc::clone(&source.missed));
    let serving = thread::spawn(move || follow(server, &source, ports(), Limits::default()));
    (client, gone, missed, serving)
}

#[test]
fn who_follows_slowly_is_told_what_was_missed_and_why_it_ends() {
    let (client, _, missed, serving) = following(10_000);
    // Nothing is read until the source has had enough of it.
    assert!(soon(|| missed.load(Ordering::Relaxed) >= 10_000));
    let lines: Vec<String> = BufReader::new(client).lines().map(|line| line.expect("UTF-8")).collect();
    let told = |line: &String| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["missed"].as_u64();
    assert_eq!(lines.iter().filter_map(told).sum::<u64>(), missed.load(Ordering::Relaxed));
    assert_eq!(lines.last().map(String::as_str), Some("{\"end\":\"enough\"}"));
    assert!(lines.len() < 3000, "what waited for it was bounded: {}", lines.len());
    serving.join().expect("no panic").expect("a good end");
}

#[test]
fn who_goes_is_followed_no_more() {
    let (client, gone, _, serving) = following(u64::MAX);
    let mut lines = BufReader::new(client).lines().map(|line| line.expect("UTF-8"));
    let mut heard = lines.by_ref().filter(|line| !line.starts_with("{\"missed\":"));
    for number in 0..10 {
        let line = heard.next().expect("a line");
        assert!(line.starts_with(&format!("{{\"ok\":[{number},")), "{line}");
    }
    drop(lines);
    assert!(soon(|| gone.load(Ordering::Acquire)), "its source is told");
    assert!(serving.join().expect("no panic").is_err(), "the pipe is broken");
}

#[test]
fn it_is_open_to_whom_it_should_be() {
    let path = place("access");
    let group = fs::metadata("/proc/self").expect("we run").gid();
    let server = Server::open(&path, &Access { group: Some(group), mode: 0o600 }, hello).expect("our own group");
    let file = fs::metadata(&path).expect("the socket");
    assert_eq!((file.gid(), file.mode() & 0o777), (group, 0o600));
    drop(server);
}
