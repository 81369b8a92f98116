//! Stands between the gateway and its database, and says what no server would.

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use ::gateway::source::ovsdb::split::Splitter;

/// A proxy for one client at a time.
pub struct Proxy {
    path: PathBuf,
    client: Arc<Mutex<Option<UnixStream>>>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Listens at `path` for clients of the server at `server`.
    pub fn start(path: &Path, server: &Path) -> Self {
        let listener = UnixListener::bind(path).expect("a socket");
        let client = Arc::new(Mutex::new(None));
        let (shared, server) = (Arc::clone(&client), server.to_owned());
        let thread = thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // Who drops the proxy connects without a word; a server that is away ends the conversation.
                let Ok(far) = UnixStream::connect(&server) else { return };
                *shared.lock().unwrap() = Some(stream.try_clone().expect("a socket"));
                let (near_in, far_out) = (stream.try_clone().expect("a socket"), far.try_clone().expect("a socket"));
                let up = thread::spawn(move || pass(near_in, far_out));
                pass_messages(far, &shared);
                up.join().expect("it copies");
            }
        });
        Self { path: path.to_owned(), client, thread: Some(thread) }
    }

    /// Says something to the client in between.
    pub fn says(&self, bytes: &[u8]) -> io::Result<()> {
        let mut client = self.client.lock().unwrap();
        client.as_mut().expect("a client").write_all(bytes)
    }

    /// Ends the conversation.
    pub fn cuts(&self) {
        let client = self.client.lock().unwrap();
        let _ = client.as_ref().expect("a client").shutdown(Shutdown::Both);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        std::fs::remove_file(&self.path).expect("our socket");
        if let Some(client) = self.client.lock().unwrap().take() {
            let _ = client.shutdown(Shutdown::Both);
        }
        // It waits for the next client, who does not come any more.
        drop(self.thread.take());
    }
}

fn pass(mut from: UnixStream, mut to: UnixStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

/// Whole messages, so that what is said in between falls between them.
fn pass_messages(mut from: UnixStream, to: &Mutex<Option<UnixStream>>) {
    let (mut splitter, mut bytes) = (Splitter::new(1 << 30), vec![0; 1 << 16]);
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        splitter.feed(&bytes[..length]);
        while let Ok(Some(message)) = splitter.object() {
            let mut to = to.lock().unwrap();
            if to.as_mut().is_none_or(|to| to.write_all(message.as_ref()).is_err()) {
                let _ = from.shutdown(Shutdown::Both);
            }
        }
    }
    if let Some(to) = to.lock().unwrap().as_ref() {
        let _ = to.shutdown(Shutdown::Both);
    }
}
