//! Answers on the socket. Whatever a client sends or fails to send, it can hold one thread for a bounded time and one
//! bounded buffer, and only so many clients are let in.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::{Reply, Request};

/// Longest request, its newline included.
const LONGEST: u64 = 16 * 1024;
/// Clients at once; one more is told to come back.
const CLIENTS: usize = 32;
/// How long a client may be silent, or slow to take an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a request is answered: a value, or a sentence why not.
pub trait Answer: Fn(Request) -> Result<serde_json::Value, String> + Send + Sync + 'static {}

impl<F: Fn(Request) -> Result<serde_json::Value, String> + Send + Sync + 'static> Answer for F {}

/// A socket that answers until it is dropped; the drop removes it.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    inode: u64,
    stop: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Server {
    /// Opens `path`. A socket that a gateway left behind is replaced; one that somebody listens on is not.
    ///
    /// # Errors
    ///
    /// One sentence with the cure.
    pub fn open(path: &Path, answer: impl Answer) -> Result<Self, String> {
        make_way(path)?;
        let refuse = |error: std::io::Error| {
            let cure = match error.kind() {
                ErrorKind::PermissionDenied => "run as root, or choose another place with --socket",
                ErrorKind::NotFound => "make its directory, or choose another place with --socket",
                _ => "choose another place with --socket",
            };
            format!("cannot open the socket {} ({error}); {cure}", path.display())
        };
        let listener = UnixListener::bind(path).map_err(refuse)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o660)).map_err(refuse)?;
        let inode = fs::metadata(path).map_err(refuse)?.ino();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let acceptor = thread::Builder::new()
            .name("api".into())
            .spawn(move || accept(&listener, &stopped, &Arc::new(answer)))
            .map_err(refuse)?;
        Ok(Self { path: path.to_owned(), inode, stop, acceptor: Some(acceptor) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // The acceptor waits for a client: be one. Nobody can connect when the file is gone or another's; then it
        // stays where it is until the process ends.
        let woken = fs::metadata(&self.path).is_ok_and(|file| file.ino() == self.inode)
            && UnixStream::connect(&self.path).is_ok();
        if let Some(acceptor) = self.acceptor.take().filter(|_| woken) {
            let _ = acceptor.join();
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes a socket that nobody listens on.
fn make_way(path: &Path) -> Result<(), String> {
    let shown = path.display();
    let Ok(file) = fs::symlink_metadata(path) else { return Ok(()) };
    if !file.file_type().is_socket() {
        return Err(format!("{shown} exists and is not a socket; choose another place with --socket"));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path)
            .map_err(|error| format!("cannot remove the old socket {shown} ({error}); remove it by hand")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(format!("cannot tell who uses the socket {shown} ({error}); choose another with --socket")),
        Ok(_) => {
            Err(format!("another gateway runs on the socket {shown}; stop it, or give this one its own with --socket"))
        }
    }
}

fn accept<A: Answer>(listener: &UnixListener, stop: &AtomicBool, answer: &Arc<A>) {
    let clients = Arc::new(AtomicUsize::new(0));
    loop {
        let client = listener.accept();
        if stop.load(Ordering::Acquire) {
            return;
        }
        let Ok((mut stream, _)) = client else {
            // Out of descriptors, most likely: let some clients go.
            thread::sleep(Duration::from_millis(100));
            continue;
        };
        let guest = Guest::new(&clients);
        if clients.load(Ordering::Relaxed) > CLIENTS {
            let _ = stream.set_write_timeout(Some(Duration::from_millis(100)));
            let _ = send(&mut stream, &Reply::Error(format!("more than {CLIENTS} clients at once; try again")));
            continue;
        }
        let answer = Arc::clone(answer);
        let spawned = thread::Builder::new().name("api-client".into()).spawn(move || {
            let _guest = guest;
            if let Err(error) = serve(stream, &*answer) {
                log::debug!("a client of the socket left: {error}");
            }
        });
        if let Err(error) = spawned {
            log::warn!("cannot start a thread for a client of the socket ({error}); it was sent away");
        }
    }
}

/// Counts a client as long as it is there.
struct Guest(Arc<AtomicUsize>);

impl Guest {
    fn new(clients: &Arc<AtomicUsize>) -> Self {
        clients.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(clients))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn serve(mut stream: UnixStream, answer: &impl Answer) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new(stream.try_clone()?);
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut lines).take(LONGEST).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if !line.ends_with(b"\n") && line.len() as u64 == LONGEST {
            return send(&mut stream, &Reply::Error(format!("the request is longer than {LONGEST} bytes")));
        }
        let reply = match serde_json::from_slice(&line) {
            Ok(request) => answer(request).map_or_else(Reply::Error, Reply::Ok),
            Err(error) => Reply::Error(format!("not a request: {error}")),
        };
        send(&mut stream, &reply)?;
    }
}

fn send(stream: &mut UnixStream, reply: &Reply) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    stream.write_all(&line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{Show, ask};

    fn place(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("causeway-{}-{name}.sock", std::process::id()))
    }

    fn ports() -> Request {
        Request { show: Show::Ports, text: false }
    }

    fn hello(request: Request) -> Result<serde_json::Value, String> {
        match request.show {
            Show::Ports => Ok(serde_json::json!([1, 2])),
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

    #[test]
    fn it_answers_refuses_and_leaves_nothing_behind() {
        let path = place("answers");
        let server = Server::open(&path, hello).expect("a socket");
        assert_eq!(ask(&path, &ports()), Ok(serde_json::json!([1, 2])));
        assert_eq!(ask(&path, &Request { show: Show::Drops, text: false }), Err("only ports".into()));
        assert_eq!(raw(&path, b"{\"show\":\"ports\"}\n{\"show\":\"ports\"}\n"), "{\"ok\":[1,2]}\n{\"ok\":[1,2]}\n");
        drop(server);
        assert!(!path.exists());
        let refusal = ask(&path, &ports()).expect_err("nobody is there");
        assert!(refusal.starts_with("no gateway listens on ") && refusal.contains("causeway run"), "{refusal}");
    }

    #[test]
    fn nonsense_gets_one_line_and_is_bounded() {
        let path = place("nonsense");
        let _server = Server::open(&path, hello).expect("a socket");
        assert!(raw(&path, b"hello\n").starts_with("{\"error\":\"not a request"));
        assert!(raw(&path, b"\xff\xfe\n").starts_with("{\"error\":\"not a request"));
        assert!(raw(&path, b"{\"show\":\"weather\"}\n").contains("unknown variant"));
        assert!(raw(&path, &vec![b'x'; 100_000]).contains("longer than 16384 bytes"));
        assert_eq!(ask(&path, &ports()), Ok(serde_json::json!([1, 2])));
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let path = place("stale");
        drop(UnixListener::bind(&path).expect("a socket"));
        assert!(path.exists());
        let server = Server::open(&path, hello).expect("nobody listens on the old one");
        let refusal = Server::open(&path, hello).expect_err("somebody listens");
        assert!(refusal.starts_with("another gateway runs on the socket"), "{refusal}");
        assert_eq!(ask(&path, &ports()), Ok(serde_json::json!([1, 2])), "the first one is unharmed");
        drop(server);
        fs::write(&path, "precious").expect("a file");
        let refusal = Server::open(&path, hello).expect_err("a file");
        assert!(refusal.contains("is not a socket"), "{refusal}");
        assert_eq!(fs::read_to_string(&path).expect("the file"), "precious");
        fs::remove_file(&path).expect("our file");
    }

    #[test]
    fn too_many_clients_are_sent_away_and_those_inside_stay() {
        let path = place("crowd");
        let _server = Server::open(&path, hello).expect("a socket");
        let crowd: Vec<_> = (0..CLIENTS).map(|_| UnixStream::connect(&path).expect("let in")).collect();
        let refusal = ask(&path, &ports()).expect_err("one too many");
        assert!(refusal.contains("clients at once"), "{refusal}");
        drop(crowd);
        let freed = (0..100).any(|_| {
            thread::sleep(Duration::from_millis(10));
            ask(&path, &ports()).is_ok()
        });
        assert!(freed);
    }
}
