//! Asks a running gateway.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::{Reply, Request};

/// How long a gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The answer of the gateway that listens on `socket`.
///
/// # Errors
///
/// One sentence with the cure: nobody listens, not allowed, no answer, or what the gateway said.
pub fn ask(socket: &Path, request: &Request) -> Result<serde_json::Value, String> {
    let shown = socket.display();
    let stream = UnixStream::connect(socket).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => format!(
            "no gateway listens on {shown}; start it with 'causeway run -c FILE', or name its socket with --socket"
        ),
        ErrorKind::PermissionDenied => format!("not allowed to talk to the gateway on {shown}; run this as root"),
        _ => format!("cannot reach a gateway on {shown} ({error}); name its socket with --socket"),
    })?;
    let line = exchange(stream, request).map_err(|error| {
        format!("the gateway on {shown} did not answer ({error}); see its log, or try again when it is less busy")
    })?;
    match serde_json::from_str(&line) {
        Ok(Reply::Ok(value)) => Ok(value),
        Ok(Reply::Error(refusal)) => Err(refusal),
        Err(_) => Err(format!("what answers on {shown} is not a gateway; name the right socket with --socket")),
    }
}

fn exchange(mut stream: UnixStream, request: &Request) -> std::io::Result<String> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    match BufReader::new(stream).read_line(&mut answer)? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        _ => Ok(answer),
    }
}
