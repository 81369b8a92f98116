//! An `ovsdb-server` of our own: made, watched, started again, and ended with the gateway.
//!
//! Its database stays, like a configuration that controllers write. Nothing else does: `setpriv` has the kernel end the
//! server when the gateway dies without a word.

use std::fs;
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use config::types::Tls;

use super::connection::{Connection, Target};
use super::rpc;
use crate::inform;

/// Where distributions keep the schema.
const SCHEMAS: [&str; 2] = ["/usr/share/openvswitch/vtep.ovsschema", "/usr/local/share/openvswitch/vtep.ovsschema"];
/// First pause before it is started again, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));
/// A server that ran for this long was well.
const WELL: Duration = Duration::from_secs(10);
/// How long it may take to end.
const PATIENCE: Duration = Duration::from_secs(2);
/// Last words of the server that are read.
const LAST_WORDS: u64 = 4096;

/// The server. Dropping it ends it. The thread that starts it must live as long as it does.
#[derive(Debug)]
pub struct Server {
    directory: PathBuf,
    tls: Option<Tls>,
    child: Option<(Child, Instant)>,
    pause: Duration,
    again: Instant,
}

impl Server {
    /// A server with its files in `directory`; [`Self::tend`] starts it.
    pub fn new(directory: PathBuf, tls: Option<Tls>) -> Self {
        Self { directory, tls, child: None, pause: PAUSE.0, again: Instant::now() }
    }

    /// Where it listens for us and for `vtep-ctl`.
    pub fn target(&self) -> Target {
        Target::Unix(self.directory.join("vtep.sock"))
    }

    /// Sees that it runs; false while it waits to be started again.
    ///
    /// # Errors
    ///
    /// Why it does not, in a sentence; call again later.
    pub fn tend(&mut self, now: Instant) -> Result<bool, String> {
        if let Some((child, since)) = &mut self.child {
            match child.try_wait() {
                Ok(None) => return Ok(true),
                ended => {
                    if now.saturating_duration_since(*since) > WELL {
                        self.pause = PAUSE.0;
                    }
                    self.again = now + self.pause;
                    self.pause = (self.pause * 2).min(PAUSE.1);
                    let how = ended.ok().flatten().map_or_else(|| "ended".to_owned(), |status| status.to_string());
                    let words = last_words(child);
                    self.child = None;
                    return Err(format!("the embedded ovsdb-server ended ({how}){words}; it is started again"));
                }
            }
        }
        if now < self.again {
            return Ok(false);
        }
        match self.start() {
            Ok(child) => {
                inform!("the embedded ovsdb-server runs"; controller = "ovsdb", pid = child.id(), target = self.target());
                self.child = Some((child, now));
                Ok(true)
            }
            Err(why) => {
                self.again = now + self.pause;
                self.pause = (self.pause * 2).min(PAUSE.1);
                Err(why)
            }
        }
    }

    fn start(&self) -> Result<Child, String> {
        let shown = self.directory.display();
        let made = fs::DirBuilder::new().recursive(true).mode(0o750).create(&self.directory);
        made.map_err(|error| format!("cannot make {shown} ({error}); choose another control.ovsdb.directory"))?;
        let database = self.directory.join("vtep.db");
        if !database.exists() {
            self.create(&database)?;
        }
        self.check_keys()?;
        self.sweep();
        let mut command = if on_path("setpriv") {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "TERM", "ovsdb-server"]);
            command
        } else {
            Command::new("ovsdb-server")
        };
        command.arg(&database).arg("--no-chdir");
        command.arg(format!("--unixctl={}", self.directory.join("vtep.ctl").display()));
        command.arg(format!("--remote=punix:{}", self.directory.join("vtep.sock").display()));
        command.arg("--remote=db:hardware_vtep,Global,managers");
        if let Some(tls) = &self.tls {
            command.arg(format!("--private-key={}", tls.key.display()));
            command.arg(format!("--certificate={}", tls.certificate.display()));
            command.arg(format!("--ca-cert={}", tls.ca.display()));
        }
        command.args(["-vconsole:warn", "-vsyslog:off", "-vfile:off"]);
        let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        spawned.map_err(|error| format!("cannot start ovsdb-server ({error}); install openvswitch-common"))
    }

    /// Without its keys the server would run and take no controller over TLS.
    fn check_keys(&self) -> Result<(), String> {
        let Some(Tls { key, certificate, ca }) = &self.tls else { return Ok(()) };
        for (path, option) in [(key, "key"), (certificate, "certificate"), (ca, "ca")] {
            let read = fs::File::open(path);
            read.map_err(|error| format!("cannot read {} ({error}); see control.ovsdb.tls.{option}", path.display()))?;
        }
        Ok(())
    }

    fn create(&self, database: &Path) -> Result<(), String> {
        let schema = SCHEMAS
            .iter()
            .find(|path| Path::new(path).exists())
            .ok_or_else(|| format!("there is no {}; install openvswitch-vtep (or openvswitch-common)", SCHEMAS[0]))?;
        let made = Command::new("ovsdb-tool").arg("create").arg(database).arg(schema).stdin(Stdio::null()).output();
        let output = made.map_err(|error| format!("cannot start ovsdb-tool ({error}); install openvswitch-common"))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!(
                "ovsdb-tool cannot make {}: {}",
                database.display(),
                String::from_utf8_lossy(&output.stderr).trim()
            )),
        }
    }

    /// Asks it to end, and ends it when it does not.
    fn stop(&mut self) {
        let Some((mut child, _)) = self.child.take() else { return };
        let control = Target::Unix(self.directory.join("vtep.ctl"));
        if let Ok(mut connection) = Connection::open(&control) {
            let _ = connection.send(&rpc::request(0, "exit", &serde_json::json!([])));
            let deadline = Instant::now() + PATIENCE;
            while Instant::now() < deadline && matches!(child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Removes what a server leaves behind; its database stays.
    fn sweep(&self) {
        for name in ["vtep.sock", "vtep.ctl"] {
            let _ = fs::remove_file(self.directory.join(name));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        self.sweep();
        let _ = fs::remove_file(self.directory.join(".vtep.db.~lock~"));
    }
}

/// What it said before it ended.
fn last_words(child: &mut Child) -> String {
    let mut words = String::new();
    if let Some(stderr) = child.stderr.take() {
        let _ = stderr.take(LAST_WORDS).read_to_string(&mut words);
    }
    match words.lines().last() {
        Some(line) => format!(": {}", line.trim_start_matches("ovsdb-server: ")),
        None => String::new(),
    }
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).exists())
}
