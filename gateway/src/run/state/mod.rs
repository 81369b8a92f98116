//! Warm restart: learned MACs and statistics outlive the process.
//!
//! A thread of its own keeps them and writes the file; the desk only hands it what has changed, a bounded number of MACs at
//! a time, and now and then the statistics, which is when the file is written. In between the thread touches the file four
//! times a second: after a crash that tells when the gateway was last alive.

mod file;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use config::types::Model;
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use gateway::complain;
use gateway::control::memory::{Known, Memory, Names, Statistics};
use gateway::control::view::ProblemView;
use gateway::control::{Control, Event, Nanos};
use gateway::inform;
use gateway::tables::{FdbKey, Place};

use self::file::State;

/// Between two signs of life.
const BEAT: Duration = Duration::from_millis(250);
/// MACs handed over at once.
const MACS: usize = 1024;
/// Hand-overs in one round of the desk.
const AT_ONCE: usize = 4;
/// Hand-overs under way.
const ROOM: usize = 64;

/// What goes to the thread.
enum Told {
    Memory(Memory),
    /// Write the file, with these statistics.
    Write(Box<Statistics>),
}

/// The desk's end.
pub struct Keeper {
    told: Option<Sender<Told>>,
    thread: Option<JoinHandle<()>>,
    every: Nanos,
    /// When the statistics were last asked for, and whether they are still under way.
    asked: Option<Nanos>,
    awaits: bool,
    /// What found no room.
    held: Option<Memory>,
    /// When the gateway before this one was last alive.
    last: Option<SystemTime>,
    failure: Failure,
}

/// Why the last writing failed, if it did; both ends have it.
type Failure = Arc<Mutex<Option<ProblemView>>>;

/// Brings back what was kept and begins to keep it. For before the cores start. `None` when nothing is to be kept.
pub fn start(model: &Model, socket: &Path, control: &mut Control) -> Option<Keeper> {
    let every = model.state.every?;
    let folder = model.state.directory.clone().or_else(|| std::env::var_os("STATE_DIRECTORY").map(PathBuf::from))?;
    let path = folder.join(socket.file_stem().unwrap_or("causeway".as_ref())).with_extension("state");
    let gateway = identity(model);
    let last = restore(&path, &gateway, control);
    control.remember();
    let (told, tells) = bounded(ROOM);
    let failure = Failure::default();
    let book = Book { path, gateway, names: Arc::default(), macs: HashMap::new(), failure: failure.clone() };
    let thread = thread::Builder::new().name("state".into()).spawn(move || book.keep(&tells));
    match thread {
        Ok(thread) => Some(Keeper {
            told: Some(told),
            thread: Some(thread),
            every: every.as_nanos() as Nanos,
            asked: None,
            awaits: false,
            held: None,
            last,
            failure,
        }),
        Err(error) => {
            complain!(warn, "MACs are not kept for a restart: no thread", "raise the limit of threads"; error = error);
            None
        }
    }
}

/// What makes a gateway the same gateway: its ports and devices, and the addresses of its tunnels. MACs whose VLAN, VNI or
/// VTEP is not there any more are left out one by one.
fn identity(model: &Model) -> String {
    let ports: Vec<_> = model.ports.iter().map(|port| format!("{}={}", port.name, port.device)).collect();
    format!("{} from {:?} {:?}", ports.join(" "), model.vtep.source_v4, model.vtep.source_v6)
}

/// Brings back what a file holds, and says when the gateway that wrote it was last alive.
fn restore(path: &Path, gateway: &str, control: &mut Control) -> Option<SystemTime> {
    let refused = |why: &str| {
        let cure = "nothing need be done: it is written anew";
        complain!(warn, "the state file is not used, and MACs are learned anew", cure; path = path.display(), error = why);
    };
    let last = fs::metadata(path).and_then(|data| data.modified()).ok();
    let State { gateway: whose, ageing, mut known, statistics } = match file::read(path) {
        Ok(Some(state)) => state,
        Ok(None) => return None,
        Err(why) => {
            refused(&why);
            return None;
        }
    };
    if whose != gateway {
        refused("it is of a configuration with other ports, devices or tunnel addresses");
        return None;
    }
    let gone = last.and_then(|last| last.elapsed().ok()).unwrap_or_default().as_secs();
    let all = known.macs.len();
    let Known { segments, macs, .. } = &mut known;
    let is_fresh = |name: &String| ageing.get(name).is_none_or(|&age| gone < age);
    let fresh: Vec<bool> = segments.iter().map(is_fresh).collect();
    macs.retain(|(_, segment, _)| fresh.get(*segment as usize).is_none_or(|&fresh| fresh));
    let back = control.restore(&known, 0);
    control.count_on(&statistics);
    match all - back {
        0 => inform!("learned MACs are remembered from before"; macs = back),
        lost => inform!(
            "learned MACs are remembered from before, without those that are too old or have no place any more";
            macs = back, left_out = lost
        ),
    }
    last
}

impl Keeper {
    /// Why nothing would be known after a restart, if so.
    pub fn problem(&self) -> Option<ProblemView> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The workers poll: says how long nothing was forwarded.
    pub fn ready(&mut self) {
        if let Some(gap) = self.last.take().and_then(|last| last.elapsed().ok()) {
            inform!("nothing was forwarded since the gateway before this one"; seconds = format!("{:.2}", gap.as_secs_f64()));
        }
    }

    /// Hands over what has changed, as far as there is room, and has the file written when it is time.
    pub fn tick(&mut self, control: &mut Control, now: Nanos) {
        let complete = self.hand_over(control);
        if !self.awaits && self.asked.is_none_or(|asked| now.saturating_sub(asked) >= self.every) {
            (self.asked, self.awaits) = (Some(now), true);
            control.handle(Event::Count, now);
        } else if self.awaits && complete && control.has_counters() {
            self.awaits = false;
            // Without room the thread still writes the last one; the next comes in time.
            if let Some(told) = &self.told {
                let _ = told.try_send(Told::Write(Box::new(control.statistics())));
            }
        }
    }

    /// True when the thread has been told everything.
    fn hand_over(&mut self, control: &mut Control) -> bool {
        let Some(told) = &self.told else { return false };
        for _ in 0..AT_ONCE {
            let Some(memory) = self.held.take().or_else(|| control.memories(MACS)) else { return true };
            if let Err(TrySendError::Full(Told::Memory(memory))) = told.try_send(Told::Memory(memory)) {
                self.held = Some(memory);
                return false;
            }
        }
        false
    }

    /// Keeps the last of it: for when the cores have ended.
    pub fn finish(mut self, control: &mut Control) {
        let Some(told) = self.told.take() else { return };
        while let Some(memory) = self.held.take().or_else(|| control.memories(MACS)) {
            if told.send(Told::Memory(memory)).is_err() {
                return;
            }
        }
        let _ = told.send(Told::Write(Box::new(control.statistics())));
        drop(told);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What to do where the file cannot be written.
fn cure(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room, or change state.directory",
        ErrorKind::ReadOnlyFilesystem => "mount it for writing, or change state.directory",
        ErrorKind::PermissionDenied => "let the gateway's user write there, or change state.directory",
        _ => "see to its directory, or change state.directory",
    }
}

/// What the thread keeps.
struct Book {
    path: PathBuf,
    gateway: String,
    names: Arc<Names>,
    macs: HashMap<FdbKey, Place>,
    failure: Failure,
}

impl Book {
    fn keep(mut self, tells: &Receiver<Told>) {
        let mut alive = None;
        loop {
            match tells.recv_timeout(BEAT) {
                Ok(Told::Memory(Memory::Names(names))) => self.names = names,
                Ok(Told::Memory(Memory::Macs(macs))) => self.note(macs),
                Ok(Told::Write(statistics)) => {
                    let written = self.write(*statistics);
                    alive = File::options().append(true).open(&self.path).ok().filter(|_| written);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if let Some(file) = &alive {
                let _ = file.set_modified(SystemTime::now());
            }
        }
    }

    fn note(&mut self, macs: Vec<(FdbKey, Option<Place>)>) {
        for (key, place) in macs {
            match place {
                Some(place) => self.macs.insert(key, place),
                None => self.macs.remove(&key),
            };
        }
    }

    /// Writes the file, and tells when that begins to fail and when it goes again. True when it is written.
    fn write(&self, statistics: Statistics) -> bool {
        let (known, ageing) = self.known();
        let state = State { gateway: self.gateway.clone(), ageing, known, statistics };
        let (path, began) = (self.path.display(), Instant::now());
        let written = file::write(&self.path, &state);
        let (macs, took) = (state.known.macs.len(), began.elapsed().as_millis());
        log::debug!(macs = macs, milliseconds = took as u64; "the state was written, or that was tried");
        let failure = written.as_ref().err().map(|error| ProblemView {
            subject: "state".into(),
            name: path.to_string(),
            problem: format!("it cannot be written ({error}); after a restart MACs would be learned anew"),
            cure: cure(error).into(),
        });
        let before = std::mem::replace(&mut *self.failure.lock().unwrap_or_else(PoisonError::into_inner), failure);
        match (&written, before) {
            (Ok(()), Some(_)) => inform!("the state file can be written again"; path = path),
            (Err(error), None) => complain!(
                warn,
                "the state file cannot be written: forwarding goes on and so do the tries, but after a restart MACs are \
                 learned anew",
                cure(error);
                path = path, error = error
            ),
            _ => {}
        }
        written.is_ok()
    }

    /// The MACs by names, without those whose place is another by now.
    fn known(&self) -> (Known, HashMap<String, u64>) {
        let Names { segments, places } = &*self.names;
        let name = |place: Place| {
            let (generation, _) = places.get(place.endpoint().index())?.as_ref()?;
            (*generation == place.generation()).then_some(place.endpoint().0)
        };
        let mac = |(key, place): (&FdbKey, &Place)| {
            segments.get(key.segment().index())?.as_ref()?;
            Some((key.mac(), u32::from(key.segment().0), name(*place)?))
        };
        let ageing = segments.iter().flatten().filter_map(|(name, age)| Some((name.clone(), (*age)?)));
        let known = Known {
            macs: self.macs.iter().filter_map(mac).collect(),
            segments: segments.iter().map(|one| one.as_ref().map_or(String::new(), |(name, _)| name.clone())).collect(),
            places: places.iter().map(|one| one.as_ref().map_or(String::new(), |(_, name)| name.clone())).collect(),
        };
        (known, ageing.collect())
    }
}
