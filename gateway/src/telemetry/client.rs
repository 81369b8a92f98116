//! Asks a running gateway, and follows what it tells.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::{Reply, Request};

/// How long a gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The answer of the gateway that listens on `socket`.
///
/// # Errors
///
/// One sentence with the cure: nobody listens, not allowed, no answer, or what the gateway said.
pub fn ask(socket: &Path, request: &Request) -> Result<Value, String> {
    let mut lines = Lines::of(socket, request, PATIENCE)?;
    match lines.next()? {
        Some(Reply::Ok(value)) => Ok(value),
        Some(Reply::Error(refusal)) => Err(refusal),
        _ => Err(lines.foreign()),
    }
}

/// What comes of something that is followed, or shown again and again.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// A line.
    Value(Value),
    /// So many lines were lost because we read too slowly.
    Missed(u64),
}

/// Gives every line that comes to `take`, until that returns false (then the gateway stops making them) or the gateway
/// ends it. Returns why it ended there.
///
/// # Errors
///
/// One sentence with the cure, as in [`ask`].
pub fn follow(socket: &Path, request: &Request, mut take: impl FnMut(Line) -> bool) -> Result<String, String> {
    let mut lines = Lines::of(socket, request, Duration::ZERO)?;
    loop {
        let goes_on = match lines.next()? {
            Some(Reply::Ok(value)) => take(Line::Value(value)),
            Some(Reply::Missed(count)) => take(Line::Missed(count)),
            Some(Reply::Error(refusal)) => return Err(refusal),
            Some(Reply::End(why)) => return Ok(why),
            None => return Ok("the gateway hung up".into()),
        };
        if !goes_on {
            return Ok("there was enough".into());
        }
    }
}

/// The answer of a gateway, line by line.
struct Lines {
    socket: String,
    stream: BufReader<UnixStream>,
}

impl Lines {
    /// Asks; zero patience waits for ever for lines.
    fn of(socket: &Path, request: &Request, patience: Duration) -> Result<Self, String> {
        let shown = socket.display();
        let stream = UnixStream::connect(socket).map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => format!(
                "no gateway listens on {shown}; start it with 'causeway run -c FILE', or name its socket with --socket"
            ),
            ErrorKind::PermissionDenied => format!("not allowed to talk to the gateway on {shown}; run this as root, or be in the socket's group (api.group)"),
            _ => format!("cannot reach a gateway on {shown} ({error}); name its socket with --socket"),
        })?;
        let mut lines = Self { socket: shown.to_string(), stream: BufReader::new(stream) };
        lines.send(request, patience).map_err(|error| lines.silent(&error))?;
        Ok(lines)
    }

    fn send(&mut self, request: &Request, patience: Duration) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.set_read_timeout(Some(patience).filter(|patience| !patience.is_zero()))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        line.extend_from_slice(request.body.as_bytes());
        match stream.write_all(&line) {
            // It may have hung up because it refuses; why stands in its answer.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        }
    }

    /// The next line; `None` after the last.
    fn next(&mut self) -> Result<Option<Reply>, String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(0) => Ok(None),
            Ok(_) => serde_json::from_str(&line).map(Some).map_err(|_| self.foreign()),
            Err(error) => Err(self.silent(&error)),
        }
    }

    fn silent(&self, error: &io::Error) -> String {
        let shown = &self.socket;
        format!("the gateway on {shown} did not answer ({error}); see its log, or try again when it is less busy")
    }

    fn foreign(&self) -> String {
        let shown = &self.socket;
        format!("what answers on {shown} is not a gateway; name the right socket with --socket")
    }
}
