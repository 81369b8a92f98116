//! A stream to the server and the thread that reads it.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded};

use super::split::Splitter;

/// Longest message: a first reading of a full-size database, several times over.
const LONGEST: usize = 512 << 20;
/// Messages that wait to be taken in. Beyond them the server has to wait.
const WAITING: usize = 4;
/// How long connecting may take, and the server to take what we send.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A Unix socket.
    Unix(PathBuf),
    /// A TCP port.
    Tcp(IpAddr, u16),
}

impl Target {
    /// False when there is certainly nobody yet.
    pub fn is_there(&self) -> bool {
        match self {
            Self::Unix(path) => path.exists(),
            Self::Tcp(..) => true,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address, port) => write!(f, "tcp:{}", SocketAddr::new(*address, *port)),
        }
    }
}

/// A message, or why there are no more.
pub type Arrival = Result<Box<[u8]>, String>;

/// A connection. Dropping it closes it.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    /// What arrives.
    pub arrivals: Receiver<Arrival>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    ///
    /// Why not, in a sentence with the cure.
    pub fn open(target: &Target) -> Result<Self, String> {
        let refuse = |error: io::Error| {
            let cure = match error.kind() {
                io::ErrorKind::NotFound => "is ovsdb-server running, and is this its --remote=punix: path?",
                io::ErrorKind::PermissionDenied => "run as root, or let this user open the socket",
                _ => "is ovsdb-server running?",
            };
            format!("cannot connect to {target} ({error}); {cure}")
        };
        let stream = Stream::open(target).map_err(refuse)?;
        let (send, arrivals) = bounded(WAITING);
        let input = stream.try_clone().map_err(refuse)?;
        let read = move || follow(input, &send);
        let reader = thread::Builder::new().name("ovsdb-read".into()).spawn(read).map_err(refuse)?;
        Ok(Self { stream, arrivals, reader: Some(reader) })
    }

    /// Sends.
    ///
    /// # Errors
    ///
    /// When the server takes nothing for long, or has gone.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        let sent = match &mut self.stream {
            Stream::Unix(stream) => stream.write_all(bytes),
            Stream::Tcp(stream) => stream.write_all(bytes),
        };
        sent.map_err(|error| format!("the server took nothing ({error})"))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let _ = match &self.stream {
            Stream::Unix(stream) => stream.shutdown(Shutdown::Both),
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Both),
        };
        // The reader may wait for room; without the channel it has nobody to wait for.
        drop(std::mem::replace(&mut self.arrivals, crossbeam::channel::never()));
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl Stream {
    fn open(target: &Target) -> io::Result<Self> {
        Ok(match target {
            Target::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Self::Unix(stream)
            }
            Target::Tcp(address, port) => {
                let stream = TcpStream::connect_timeout(&SocketAddr::new(*address, *port), PATIENCE)?;
                stream.set_write_timeout(Some(PATIENCE))?;
                stream.set_nodelay(true)?;
                Self::Tcp(stream)
            }
        })
    }

    fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Unix(stream) => Self::Unix(stream.try_clone()?),
            Self::Tcp(stream) => Self::Tcp(stream.try_clone()?),
        })
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(into),
            Self::Tcp(stream) => stream.read(into),
        }
    }
}

/// Reads until the stream ends or nobody listens.
fn follow(mut input: Stream, out: &Sender<Arrival>) {
    let mut splitter = Splitter::new(LONGEST);
    let mut bytes = vec![0; 64 << 10];
    let why = loop {
        match input.read(&mut bytes) {
            Ok(0) => break "the server closed the connection".to_owned(),
            Ok(length) => splitter.feed(&bytes[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => break format!("the connection broke ({error})"),
        }
        loop {
            match splitter.object() {
                Ok(Some(message)) => {
                    if out.send(Ok(message.into())).is_err() {
                        return;
                    }
                }
                Ok(None) => break,
                Err(bad) => {
                    let _ = out.send(Err(format!("the server sent {bad}")));
                    return;
                }
            }
        }
    };
    let _ = out.send(Err(why));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn messages_arrive_and_the_end_is_told() {
        let path = std::env::temp_dir().join(format!("causeway-ovsdb-{}.sock", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).expect("a socket");
        let mut connection = Connection::open(&Target::Unix(path.clone())).expect("somebody listens");
        let (mut server, _) = listener.accept().expect("a client");
        server.write_all(b"{\"a\":1}{\"b\"").expect("it reads");
        assert_eq!(connection.arrivals.recv().expect("a message"), Ok(Box::from(&b"{\"a\":1}"[..])));
        connection.send(b"{}").expect("the server reads");
        let mut got = [0; 2];
        server.read_exact(&mut got).expect("two bytes");
        assert_eq!(&got, b"{}");
        // Far more than there is room for: the connection can be dropped all the same.
        server.set_write_timeout(Some(Duration::from_millis(100))).expect("a socket");
        let _ = server.write_all(&b":[]}{}{}{}".repeat(200_000));
        drop(connection);
        drop(server);
        std::fs::remove_file(&path).expect("our file");
        let refusal = Connection::open(&Target::Unix(path)).expect_err("nobody listens");
        assert!(refusal.contains("is ovsdb-server running"), "{refusal}");
    }
}
