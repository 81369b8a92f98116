//! The server of the page. It speaks as much HTTP as a scraper needs: one request a connection, `GET` and `HEAD`. Whatever
//! a client sends or fails to send, it holds one thread for a bounded time and one bounded buffer, and only so many are
//! let in.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::page::{Format, page};
use crate::complain;
use crate::control::measures::Measures;
use crate::control::view::ProblemView;
use crate::inform;
use crate::rights;
use crate::telemetry::guest::{Guest, Queue};

/// Longest request with its headers.
const LONGEST: usize = 8 * 1024;
/// Clients at once; one more is told to come back.
const CLIENTS: usize = 8;
/// How long a client may take, from the first byte of its request to the last of the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer that are sent between two looks at the clock.
const PIECE: usize = 64 * 1024;

/// Where the numbers come from; a sentence when they do not.
type Source = Arc<dyn Fn() -> Result<Measures, String> + Send + Sync>;

/// The page of metrics, where the configuration wants it.
pub struct Exporter {
    source: Source,
    wanted: Option<SocketAddr>,
    door: Option<Door>,
    refused: Option<std::io::Error>,
}

impl Exporter {
    /// A page of what `source` says; nowhere yet.
    pub fn new(source: impl Fn() -> Result<Measures, String> + Send + Sync + 'static) -> Self {
        Self { source: Arc::new(source), wanted: None, door: None, refused: None }
    }

    /// Shows the page there, and nowhere else. When that cannot be the log says why, once, and when it can again.
    pub fn listen(&mut self, at: Option<SocketAddr>) {
        if self.wanted != at {
            (self.wanted, self.door, self.refused) = (at, None, None);
        }
        self.retry();
    }

    /// Tries again where the page could not be shown: the address may have come, its holder gone.
    pub fn retry(&mut self) {
        let (Some(at), None) = (self.wanted, &self.door) else { return };
        match Door::open(at, Arc::clone(&self.source)) {
            Ok(door) => {
                inform!("metrics are shown"; url = format_args!("http://{at}/metrics"));
                (self.door, self.refused) = (Some(door), None);
            }
            Err(error) => {
                let before = self.refused.replace(error);
                if let (None, Some(error)) = (before, &self.refused) {
                    let what = "metrics cannot be shown, frames are forwarded all the same";
                    complain!(error, what, cure(error); address = at, error = error);
                }
            }
        }
    }

    /// Why the page is not shown though it should be.
    pub fn problem(&self) -> Option<ProblemView> {
        let (at, error) = (self.wanted?, self.refused.as_ref()?);
        Some(ProblemView {
            subject: "metrics".into(),
            name: at.to_string(),
            problem: format!("they cannot be shown there: {error}"),
            cure: format!("{}; it is tried twice a second", cure(error)),
        })
    }
}

fn cure(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => "stop who has it, or set another metrics.listen",
        ErrorKind::AddrNotAvailable => "give this host the address, or set another metrics.listen",
        ErrorKind::PermissionDenied => "set a metrics.listen with a port above 1023",
        _ => "set another metrics.listen",
    }
}

/// An open address; closed when dropped.
struct Door {
    listener: Arc<TcpListener>,
    stop: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Door {
    fn open(at: SocketAddr, source: Source) -> std::io::Result<Self> {
        let listener = Arc::new(TcpListener::bind(at)?);
        let stop = Arc::new(AtomicBool::new(false));
        let (ours, stopped) = (Arc::clone(&listener), Arc::clone(&stop));
        let acceptor = thread::Builder::new().name("metrics".into()).spawn(move || {
            rights::keep(rights::NONE);
            accept(&ours, &stopped, &source);
        })?;
        Ok(Self { listener, stop, acceptor: Some(acceptor) })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Wakes who waits in accept (Linux).
        let woken = rustix::net::shutdown(&*self.listener, rustix::net::Shutdown::Read).is_ok();
        if let Some(acceptor) = self.acceptor.take().filter(|_| woken) {
            let _ = acceptor.join();
        }
    }
}

fn accept(listener: &TcpListener, stop: &AtomicBool, source: &Source) {
    let clients = Arc::new(AtomicUsize::new(0));
    let mut queue = Queue::default();
    loop {
        let client = listener.accept();
        if stop.load(Ordering::Acquire) {
            return;
        }
        let (stream, _) = match client {
            Ok(client) => client,
            Err(error) => {
                // Out of descriptors, most likely: let some clients go.
                queue.waits("metrics", &error);
                thread::sleep(Duration::from_millis(100));
                continue;
            }
        };
        let guest = Guest::new(&clients);
        if clients.load(Ordering::Relaxed) > CLIENTS {
            let answer = Answer::text("503 Service Unavailable", format!("more than {CLIENTS} clients; try again\n"));
            let _ = answer.send(&stream, Instant::now() + Duration::from_millis(100), false);
            continue;
        }
        let source = Arc::clone(source);
        let spawned = thread::Builder::new().name("metrics-client".into()).spawn(move || {
            let _guest = guest;
            if let Err(error) = serve(&stream, &source) {
                log::debug!("metrics: a client left ({error})");
            }
        });
        if let Err(error) = spawned {
            complain!(warn, "a client of the metrics was sent away", "raise the limit of threads"; error = error);
        }
    }
}

fn serve(stream: &TcpStream, source: &Source) -> std::io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let head = match read(stream, deadline)? {
        Some(head) => head,
        None => {
            let answer = Answer::text("431 Request Header Fields Too Large", format!("more than {LONGEST} bytes\n"));
            return answer.send(stream, deadline, false);
        }
    };
    let (answer, without_body) = answer(&head, source);
    answer.send(stream, deadline, without_body)
}

/// Bytes up to the empty line; `None` when there are too many.
fn read(mut stream: &TcpStream, deadline: Instant) -> std::io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > LONGEST {
            return Ok(None);
        }
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(&mut piece)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => head.extend_from_slice(&piece[..count]),
        }
    }
    Ok(Some(head))
}

/// What is left of a client's time.
fn left(deadline: Instant) -> std::io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// The answer to a request, and whether only its head is asked for.
fn answer(head: &[u8], source: &Source) -> (Answer, bool) {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let (Some(method), Some(target), Some("HTTP/1.0" | "HTTP/1.1")) = (method, target, version) else {
        return (Answer::text("400 Bad Request", "this is not HTTP/1.1\n".into()), false);
    };
    let accept = lines.filter_map(|line| line.split_once(':')).filter(|(name, _)| name.eq_ignore_ascii_case("accept"));
    let format = Format::accepted(&accept.map(|(_, value)| value).collect::<Vec<_>>().join(","));
    let answer = match (method, target.split('?').next().unwrap_or_default()) {
        ("GET" | "HEAD", "/metrics") => match source() {
            Ok(measures) => Answer { status: "200 OK", kind: format.content_type(), body: page(&measures, format) },
            Err(why) => Answer::text("503 Service Unavailable", format!("{why}\n")),
        },
        ("GET" | "HEAD", "/") => Answer::text("200 OK", "Causeway. Its metrics are at /metrics\n".into()),
        ("GET" | "HEAD", _) => Answer::text("404 Not Found", "there is only /metrics\n".into()),
        _ => Answer::text("405 Method Not Allowed", "only GET and HEAD\n".into()),
    };
    (answer, method == "HEAD")
}

struct Answer {
    status: &'static str,
    kind: &'static str,
    body: String,
}

impl Answer {
    fn text(status: &'static str, body: String) -> Self {
        Self { status, kind: "text/plain; charset=utf-8", body }
    }

    fn send(&self, mut stream: &TcpStream, deadline: Instant, without_body: bool) -> std::io::Result<()> {
        let Self { status, kind, body } = self;
        let more = match status.as_bytes() {
            [b'4', b'0', b'5', ..] => "Allow: GET, HEAD\r\n",
            [b'5', ..] => "Retry-After: 1\r\n",
            _ => "",
        };
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{more}Connection: close\r\n\r\n"
        );
        let body = if without_body { "" } else { body };
        for piece in [head.as_bytes()].into_iter().chain(body.as_bytes().chunks(PIECE)) {
            let mut piece = piece;
            while !piece.is_empty() {
                stream.set_write_timeout(Some(left(deadline)?))?;
                let sent = stream.write(piece)?;
                piece = &piece[sent..];
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
