//! One client of the socket, from its first line to its last.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::lines::Lines;
use super::server::Answer;
use super::{Reply, Request, Verb};

/// What clients may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Clients at once; one more is told to come back.
    pub(super) clients: usize,
    /// Longest request in bytes, its newline included.
    pub(super) line: u64,
    /// Longest body in bytes. Only one client at a time may send one.
    pub(super) body: u64,
    /// How long a client may take for a whole request, and for each line that it is sent.
    pub(super) patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { clients: 32, line: 16 * 1024, body: 64 << 20, patience: Duration::from_secs(30) }
    }
}

/// Least and greatest time between two showings, in milliseconds.
const EVERY: (u32, u32) = (100, 86_400_000);
/// How soon a client that has gone is noticed while nothing is sent.
const LOOK: Duration = Duration::from_millis(200);

/// Answers a client until it goes, breaks a rule, or has followed something to its end.
pub(super) fn serve(mut stream: UnixStream, answer: &impl Answer, bodies: &Turns, limits: Limits) -> io::Result<()> {
    let mut lines = BufReader::new(Patient { stream: stream.try_clone()?, until: Instant::now() });
    let mut line = Vec::new();
    loop {
        line.clear();
        lines.get_mut().until = Instant::now() + limits.patience;
        let reply = match (&mut lines).take(limits.line).read_until(b'\n', &mut line) {
            Ok(0) => return Ok(()),
            Ok(_) if !line.ends_with(b"\n") && line.len() as u64 == limits.line => {
                Err(format!("the request is longer than {} bytes", limits.line))
            }
            Ok(_) => Ok(Request::read(&line)),
            Err(error) if is_late(&error) && line.is_empty() => return Ok(()),
            Err(error) if is_late(&error) => Err(format!("the request took longer than {:?}", limits.patience)),
            Err(error) => return Err(error),
        };
        let request = match reply {
            Ok(Ok((request, 0))) => Ok((request, None)),
            Ok(Ok((request, bytes))) => body(&mut lines, request, bytes, bodies, limits),
            // A line that was no request does no harm: the next may be one.
            Ok(Err(refusal)) => {
                send(&mut stream, &Reply::Error(refusal), limits.patience)?;
                continue;
            }
            Err(refusal) => Err(refusal),
        };
        // Until it is answered, the body that came with it is the only one.
        let (request, turn) = match request {
            Ok(request) => request,
            Err(refusal) => return send(&mut stream, &Reply::Error(refusal), limits.patience),
        };
        match (&request.verb, request.every_ms) {
            (Verb::Follow(_), None) => return follow(stream, answer, request, limits),
            (Verb::Show(_), Some(pause)) if turn.is_none() => return again(stream, answer, &request, pause, limits),
            (_, Some(_)) => {
                send(
                    &mut stream,
                    &Reply::Error("only what is shown without a body can be shown again".into()),
                    limits.patience,
                )?;
            }
            _ => {
                let reply = answer.answer(request).map_or_else(Reply::Error, Reply::Ok);
                send(&mut stream, &reply, limits.patience)?;
            }
        }
    }
}

/// Whose turn it is to send a body and have it looked at: the memory for one is all there is.
pub(super) struct Turns(Sender<()>, Receiver<()>);

/// A turn; the next one's when dropped.
struct Turn(Sender<()>);

impl Turns {
    pub(super) fn new() -> Self {
        let (give, take) = bounded(1);
        let turns = Self(give, take);
        drop(Turn(turns.0.clone()));
        turns
    }

    fn wait(&self, patience: Duration) -> Option<Turn> {
        self.1.recv_timeout(patience).ok().map(|()| Turn(self.0.clone()))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // There is room: this was taken out.
        let _ = self.0.try_send(());
    }
}

/// The request with its body, and the turn of its sender.
fn body(
    from: &mut BufReader<Patient>,
    request: Request,
    bytes: u64,
    bodies: &Turns,
    limits: Limits,
) -> Result<(Request, Option<Turn>), String> {
    if !request.takes_body() {
        return Err("nothing but the line belongs to this request; leave out `bytes`".into());
    }
    if bytes > limits.body {
        return Err(format!("{bytes} bytes are more than the {} that are taken", limits.body));
    }
    let turn = bodies.wait(limits.patience).ok_or("another client is sending a file; try again")?;
    // What it waited for others is not its own slowness.
    from.get_mut().until = Instant::now() + limits.patience;
    let mut body = Vec::new();
    match from.take(bytes).read_to_end(&mut body) {
        Ok(read) if read as u64 == bytes => {}
        Ok(read) => return Err(format!("{read} bytes came where {bytes} were announced")),
        Err(error) => return Err(format!("{bytes} bytes were announced and did not come ({error})")),
    }
    let body = String::from_utf8(body).map_err(|_| "what follows the request is not UTF-8 text".to_owned())?;
    Ok((Request { body, ..request }, Some(turn)))
}

/// Shows the same again and again.
fn again(
    mut stream: UnixStream,
    answer: &impl Answer,
    request: &Request,
    pause: u32,
    limits: Limits,
) -> io::Result<()> {
    if pause < EVERY.0 || pause > EVERY.1 {
        let refusal = format!("{pause} milliseconds is not between {} and {}", EVERY.0, EVERY.1);
        return send(&mut stream, &Reply::Error(refusal), limits.patience);
    }
    let pause = Duration::from_millis(pause.into());
    loop {
        let next = Instant::now() + pause;
        match answer.answer(request.clone()) {
            Ok(value) => send(&mut stream, &Reply::Ok(value), limits.patience)?,
            Err(refusal) => return send(&mut stream, &Reply::Error(refusal), limits.patience),
        }
        if has_gone(&stream, next.saturating_duration_since(Instant::now())) {
            return Ok(());
        }
    }
}

/// Passes on lines as they come.
pub(super) fn follow(mut stream: UnixStream, answer: &impl Answer, request: Request, limits: Limits) -> io::Result<()> {
    let (lines, queue) = Lines::new();
    if let Err(refusal) = answer.follow(request, lines) {
        return send(&mut stream, &Reply::Error(refusal), limits.patience);
    }
    loop {
        let line = queue.from.recv_timeout(LOOK);
        let missed = queue.missed();
        if missed > 0 {
            send(&mut stream, &Reply::Missed(missed), limits.patience)?;
        }
        match line {
            Ok(line) => send(&mut stream, &Reply::Ok(line), limits.patience)?,
            Err(RecvTimeoutError::Timeout) if has_gone(&stream, Duration::ZERO) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return send(&mut stream, &Reply::End(queue.why()), limits.patience);
            }
        }
    }
}

/// True when the client closes the connection before `wait` is over. (One that has only finished writing is still there.)
fn has_gone(stream: &UnixStream, wait: Duration) -> bool {
    let wait = Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: wait.subsec_nanos().into() };
    let mut one = [PollFd::new(stream, PollFlags::empty())];
    poll(&mut one, Some(&wait)).is_ok_and(|ready| ready > 0)
}

/// Sends one line, the whole of it within `patience`.
pub(super) fn send(stream: &mut UnixStream, reply: &Reply, patience: Duration) -> io::Result<()> {
    let until = Instant::now() + patience;
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    let mut rest = &line[..];
    while !rest.is_empty() {
        stream.set_write_timeout(Some(left(until)?))?;
        match stream.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(sent) => rest = &rest[sent..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads until a moment, however slowly the bytes come.
struct Patient {
    stream: UnixStream,
    until: Instant,
}

impl Read for Patient {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.until)?))?;
        self.stream.read(into)
    }
}

fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}
