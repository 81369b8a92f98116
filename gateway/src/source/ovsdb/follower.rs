//! The thread that follows the database and speaks for us in it. It owns the conversation, the connection and, when it is
//! embedded, the server; control hears of changes, and tells what becomes of them.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use config::types::OvsdbDatabase;
use crossbeam::channel::{Receiver, Sender, bounded, never, select};

use super::connection::{Arrival, Connection, Target};
use super::datum::Uuid;
use super::publish::{Group, Ours, Passed, Scene, publish};
use super::server::Server;
use super::session::{News, Session};
use super::status::Board;
use super::wanted::{Facts, Wanted};
use crate::control::overlay::{Change, Feedback};
use crate::control::view::{ControllerView, PortView};
use crate::rights;

/// A database at rest for this long is looked at as a whole: controllers change one thing in several transactions.
const REST: Duration = Duration::from_millis(20);
/// One that never rests is looked at all the same.
const RESTLESS: Duration = Duration::from_millis(200);
/// A server that says nothing for this long is asked whether it lives; and after as long again it is given up.
const SILENCE: Duration = Duration::from_secs(5);
/// First pause before connecting anew, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(8));
/// The same for a transaction that was refused.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(30));
/// Between two looks at an embedded server.
const TEND: Duration = Duration::from_millis(200);
/// How long a server may take to start before it is looked at again.
const START: Duration = Duration::from_millis(20);
/// Between two looks at our ports.
const LOOK: Duration = Duration::from_secs(2);
/// Messages of the server taken in before all else.
const AT_ONCE: usize = 256;
/// MACs told to control at once.
const MACS: usize = 8192;
/// Messages from control that wait. Beyond them control keeps what it has to say, joined.
const WAITING: usize = 64;

/// What the follower is told.
#[derive(Debug)]
pub enum Told {
    /// Control's answer to what the database wants, and local MACs.
    Feedback(Feedback),
    /// What is ours has changed.
    Facts(Facts),
}

/// What the follower is set up with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the database is.
    pub database: OvsdbDatabase,
    /// How long entries outlive it.
    pub stale: Option<Duration>,
    /// Between two publications of statistics.
    pub statistics: Option<Duration>,
    /// What is ours.
    pub facts: Facts,
    /// What we say besides.
    pub ours: Ours,
}

/// The answer to a question about our ports.
pub type Ports = Receiver<Result<serde_json::Value, String>>;

/// What the follower needs of the rest of the gateway.
pub struct Outside {
    /// Tells control of a change.
    pub tell: Box<dyn Fn(Change) + Send>,
    /// Asks for our ports, as `show ports` has them.
    pub ports: Box<dyn Fn() -> Ports + Send>,
}

/// Follows the database until dropped.
#[derive(Debug)]
pub struct Follower {
    told: Option<Sender<Told>>,
    board: Arc<Mutex<Board>>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Starts to follow.
    ///
    /// # Errors
    ///
    /// When there is no thread to be had.
    pub fn start(settings: Settings, outside: Outside) -> Result<Self, String> {
        let (told, ears) = bounded(WAITING);
        let server = match &settings.database {
            OvsdbDatabase::Embedded { directory, tls } => Some(Server::new(directory.clone(), tls.clone())),
            _ => None,
        };
        let target = match (&settings.database, &server) {
            (OvsdbDatabase::Unix(path), _) => Target::Unix(path.clone()),
            (OvsdbDatabase::Tcp(address, port), _) => Target::Tcp(*address, *port),
            (_, Some(server)) => server.target(),
            (OvsdbDatabase::Embedded { .. }, None) => unreachable!("made above"),
        };
        let board = Arc::new(Mutex::new(Board::new(&settings.facts.name, &target.to_string(), Instant::now())));
        let shared = Arc::clone(&board);
        let work = move || {
            // An ovsdb-server that it starts needs none either.
            rights::keep(rights::NONE);
            Work::new(settings, outside, server, target, shared).run(&ears)
        };
        let thread = thread::Builder::new().name("ovsdb".into()).spawn(work);
        let thread = thread.map_err(|error| format!("cannot start the thread that follows OVSDB ({error})"))?;
        Ok(Self { told: Some(told), board, thread: Some(thread) })
    }

    /// True when it can be told something without waiting.
    pub fn listens(&self) -> bool {
        self.told.as_ref().is_some_and(|told| !told.is_full())
    }

    /// Tells it something, unless it does not listen.
    pub fn tell(&self, told: Told) {
        if let Some(sender) = &self.told {
            let _ = sender.try_send(told);
        }
    }

    /// How it is.
    pub fn view(&self) -> ControllerView {
        self.board.lock().unwrap_or_else(PoisonError::into_inner).view(Instant::now())
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.told = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A transaction that must wait.
#[derive(Clone, Copy, Debug)]
struct Later {
    until: Instant,
    pause: Duration,
}

struct Work {
    settings: Settings,
    facts: Facts,
    ours: Ours,
    outside: Outside,
    server: Option<Server>,
    target: Target,
    board: Arc<Mutex<Board>>,

    connection: Option<(Connection, Session)>,
    connect_at: Instant,
    pause: Duration,
    heard: Instant,
    probed: bool,
    /// Connecting failed, and that was said.
    refused: bool,

    /// First and last change that has not been looked at.
    changed: Option<(Instant, Instant)>,
    /// What control has.
    in_force: Wanted,
    /// What the database wants; without what is kept of before.
    wanted: Wanted,
    /// What a lost database wanted, and until when that holds.
    kept: Option<(Wanted, Option<Instant>)>,
    is_stale: bool,

    under_way: Option<(Group, u64)>,
    later: HashMap<Group, Later>,
    last: HashMap<Group, u64>,
    unsaid: bool,
    statistics: HashMap<Uuid, Passed>,

    asked: Option<Ports>,
    look_at: Instant,
    count_at: Instant,
}

impl Work {
    fn new(
        settings: Settings,
        outside: Outside,
        server: Option<Server>,
        target: Target,
        board: Arc<Mutex<Board>>,
    ) -> Self {
        let now = Instant::now();
        Self {
            facts: settings.facts.clone(),
            ours: settings.ours.clone(),
            settings,
            outside,
            server,
            target,
            board,
            connection: None,
            connect_at: now,
            pause: PAUSE.0,
            heard: now,
            probed: false,
            refused: false,
            changed: None,
            in_force: Wanted::default(),
            wanted: Wanted::default(),
            kept: None,
            is_stale: false,
            under_way: None,
            later: HashMap::new(),
            last: HashMap::new(),
            unsaid: false,
            statistics: HashMap::new(),
            asked: None,
            look_at: now,
            count_at: now,
        }
    }

    /// Until nobody has anything to tell any more.
    fn run(mut self, ears: &Receiver<Told>) {
        let (silence, nobody) = (never::<Arrival>(), never());
        loop {
            self.turn(Instant::now());
            let wait = self.next_turn().saturating_duration_since(Instant::now());
            let arrivals = self.connection.as_ref().map_or(&silence, |(connection, _)| &connection.arrivals).clone();
            let asked = self.asked.as_ref().unwrap_or(&nobody).clone();
            select! {
                recv(ears) -> told => match told {
                    Ok(told) => self.told(told),
                    Err(_) => return,
                },
                recv(arrivals) -> arrival => {
                    self.arrived(arrival.unwrap_or_else(|_| Err("the reader ended".into())));
                    for arrival in arrivals.try_iter().take(AT_ONCE) {
                        self.arrived(arrival);
                    }
                }
                recv(asked) -> ports => self.ports(ports.ok()),
                default(wait) => {}
            }
        }
    }

    /// Everything that is due.
    fn turn(&mut self, now: Instant) {
        self.tend(now);
        if self.connection.is_none() && now >= self.connect_at {
            self.connect(now);
        }
        self.probe(now);
        if self.changed.is_some_and(|(first, last)| now >= (last + REST).min(first + RESTLESS)) {
            self.changed = None;
            self.look_at_database(now);
        }
        if self.kept.as_ref().is_some_and(|(_, until)| until.is_some_and(|until| now >= until)) {
            self.sweep(now);
        }
        if self.is_ready() && self.asked.is_none() && now >= self.look_at {
            self.look_at = now + LOOK;
            self.asked = Some((self.outside.ports)());
        }
        self.say(now);
        self.flush(now);
    }

    /// When [`Self::turn`] has something to do, if nothing happens before.
    fn next_turn(&self) -> Instant {
        let now = Instant::now();
        let mut at = now + Duration::from_secs(1);
        let mut no_later = |then: Instant| at = at.min(then);
        if self.connection.is_none() {
            no_later(self.connect_at);
        }
        if self.server.is_some() {
            no_later(now + TEND);
        }
        if let Some((first, last)) = self.changed {
            no_later((last + REST).min(first + RESTLESS));
        }
        if self.under_way.is_none() && self.unsaid {
            self.later.values().for_each(|later| no_later(later.until));
        }
        at
    }

    fn is_ready(&self) -> bool {
        self.connection.as_ref().is_some_and(|(_, session)| session.is_ready())
    }

    fn tend(&mut self, now: Instant) {
        match self.server.as_mut().map(|server| server.tend(now)) {
            Some(Err(why)) => {
                log::warn!("ovsdb: {why}");
                self.lost(why, now);
            }
            // A server that has just been started does not listen yet.
            Some(Ok(runs)) if !runs || !self.target.is_there() => self.connect_at = now + START,
            Some(Ok(_)) | None => {}
        }
    }

    fn connect(&mut self, now: Instant) {
        self.connect_at = now + self.pause;
        self.pause = (self.pause * 2).min(PAUSE.1);
        match Connection::open(&self.target) {
            Ok(connection) => {
                self.connection = Some((connection, Session::new()));
                (self.heard, self.probed) = (now, false);
                self.board().state("reading", now);
            }
            Err(why) => {
                if !std::mem::replace(&mut self.refused, true) {
                    log::warn!("ovsdb: {why} It is tried again until it works.");
                }
                self.board().failed(why);
            }
        }
    }

    /// The connection is gone. What the database wanted stays in force for a while.
    fn lost(&mut self, why: String, now: Instant) {
        let was_ready = self.is_ready();
        if self.connection.take().is_some() {
            let meanwhile = if was_ready { "; what it wanted stays in force meanwhile" } else { "" };
            log::warn!("ovsdb: {}: {why}{meanwhile}", self.target);
            self.board().state("lost", now);
        }
        self.board().failed(why);
        (self.under_way, self.changed, self.asked) = (None, None, None);
        self.later.clear();
        self.last.clear();
        self.statistics.clear();
        if was_ready {
            let until = self.settings.stale.map(|stale| now + stale);
            self.kept = Some((self.in_force.clone(), until));
            self.set_stale(!self.in_force.segments.is_empty());
        }
    }

    fn set_stale(&mut self, stale: bool) {
        if std::mem::replace(&mut self.is_stale, stale) != stale {
            (self.outside.tell)(Change { stale: Some(stale), ..Change::default() });
        }
        let until = self.kept.as_ref().and_then(|(_, until)| *until).filter(|_| stale);
        self.board().stale(stale, until);
    }

    /// Asks a silent server whether it lives.
    fn probe(&mut self, now: Instant) {
        let silent = now.saturating_duration_since(self.heard);
        match &mut self.connection {
            Some(_) if silent > 2 * SILENCE => self.lost("the server does not answer any more".into(), now),
            Some((_, session)) if silent > SILENCE && !self.probed => {
                session.probe();
                self.probed = true;
            }
            _ => {}
        }
    }

    fn arrived(&mut self, arrival: Arrival) {
        let now = Instant::now();
        (self.heard, self.probed) = (now, false);
        let Some((_, session)) = &mut self.connection else { return };
        match arrival.and_then(|message| session.receive(&message)) {
            Ok(News::Nothing) => {}
            Ok(News::Read) => {
                log::info!("ovsdb: connected to {} as {}", self.target, self.facts.name);
                (self.pause, self.refused) = (PAUSE.0, false);
                self.board().state("connected", now);
                self.read(now);
            }
            Ok(News::Changed) => {
                let first = self.changed.map_or(now, |(first, _)| first);
                self.changed = Some((first, now));
                self.unsaid = true;
            }
            Ok(News::Done(group, outcome)) => self.done(group, outcome, now),
            Err(why) => self.lost(why, now),
        }
    }

    /// A database was read for the first time in this conversation.
    fn read(&mut self, now: Instant) {
        let is_blank = self.derive().is_none();
        match (&mut self.kept, self.settings.stale) {
            // A new database: it is filled again piece by piece.
            (Some((_, until)), stale) if is_blank => *until = stale.map(|stale| now + stale),
            _ => self.kept = None,
        }
        self.unsaid = true;
        (self.look_at, self.count_at) = (now, now);
        self.look_at_database(now);
    }

    fn derive(&self) -> Option<Wanted> {
        let (_, session) = self.connection.as_ref().filter(|(_, session)| session.is_ready())?;
        Wanted::of(&session.replica, &self.facts)
    }

    /// Works out what the whole database wants, and tells control what differs.
    fn look_at_database(&mut self, now: Instant) {
        if !self.is_ready() {
            return;
        }
        self.wanted = self.derive().unwrap_or_default();
        let mut wanted = self.wanted.clone();
        if let Some((before, until)) = &self.kept {
            if until.is_none() && !wanted.segments.is_empty() {
                self.kept = None;
            } else {
                wanted.keep(before);
            }
        }
        self.put_in_force(wanted, now);
        self.set_stale(self.kept.is_some() && !self.in_force.segments.is_empty());
        self.unsaid = true;
        self.show();
    }

    /// What was kept is kept no longer.
    fn sweep(&mut self, now: Instant) {
        self.kept = None;
        let wanted = self.derive().unwrap_or_default();
        log::warn!("ovsdb: what a lost database wanted is forgotten now (control.ovsdb.stale)");
        self.put_in_force(wanted, now);
        self.set_stale(false);
        self.show();
    }

    fn put_in_force(&mut self, wanted: Wanted, now: Instant) {
        let segments = (self.in_force.overlay() != wanted.overlay()).then(|| wanted.overlay());
        let mut macs: Vec<_> = (wanted.macs.iter())
            .filter(|(key, vtep)| self.in_force.macs.get(key) != Some(vtep))
            .map(|(&(number, mac), &vtep)| (number, mac, Some(vtep.into())))
            .collect();
        let gone = self.in_force.macs.keys().filter(|key| !wanted.macs.contains_key(key));
        macs.extend(gone.map(|&(number, mac)| (number, mac, None)));
        let mut neighbours: Vec<_> = (wanted.neighbours.iter())
            .filter(|(key, mac)| self.in_force.neighbours.get(key) != Some(mac))
            .map(|(&(number, address), &mac)| (number, address, Some(mac)))
            .collect();
        let gone = self.in_force.neighbours.keys().filter(|key| !wanted.neighbours.contains_key(key));
        neighbours.extend(gone.map(|&(number, address)| (number, address, None)));
        self.ours.locals.retain(|(number, _)| wanted.segments.contains_key(number));
        self.in_force = wanted;
        if segments.is_none() && macs.is_empty() && neighbours.is_empty() {
            return;
        }
        self.board().changed(now);
        let mut pieces = macs.chunks(MACS);
        let first = pieces.next().unwrap_or_default().to_vec();
        (self.outside.tell)(Change { segments, macs: first, neighbours, stale: None });
        for piece in pieces {
            (self.outside.tell)(Change { macs: piece.to_vec(), ..Change::default() });
        }
    }

    fn told(&mut self, told: Told) {
        match told {
            Told::Facts(facts) => {
                self.facts = facts;
                let now = Instant::now();
                self.changed = Some((now, now));
            }
            Told::Feedback(Feedback { refused, afresh, locals, full }) => {
                if !afresh.is_empty() {
                    self.ours.locals.retain(|(number, _)| !afresh.contains(number));
                }
                for (number, mac, place) in locals {
                    match place {
                        Some(_) if self.in_force.segments.contains_key(&number) => {
                            self.ours.locals.insert((number, mac));
                        }
                        _ => drop(self.ours.locals.remove(&(number, mac))),
                    }
                }
                self.ours.full = full.unwrap_or(self.ours.full);
                if let Some(refused) = refused {
                    self.ours.refused = refused;
                    self.show();
                }
            }
        }
        self.unsaid = true;
    }

    /// Our ports, as `show ports` has them.
    fn ports(&mut self, answer: Option<Result<serde_json::Value, String>>) {
        self.asked = None;
        let Some(Ok(answer)) = answer else { return };
        let Ok(views) = serde_json::from_value::<Vec<PortView>>(answer) else { return };
        let now = Instant::now();
        self.ours.down = (self.facts.ports.iter())
            .filter(|(index, _)| views.get(*index).and_then(|port| port.link).is_some_and(|link| !link.up))
            .map(|(index, _)| *index)
            .collect();
        if let Some(period) = self.settings.statistics
            && now >= self.count_at
        {
            self.count_at = now + period;
            self.ours.passed = Some(super::status::passed(&self.facts, &views));
        }
        self.unsaid = true;
    }

    /// Sends the first group that has something to say.
    fn say(&mut self, now: Instant) {
        let Some((_, session)) = self.connection.as_mut().filter(|(_, session)| session.is_ready()) else { return };
        if self.under_way.is_some() || !self.unsaid {
            return;
        }
        let scene = Scene {
            replica: &session.replica,
            facts: &self.facts,
            wanted: &self.wanted,
            ours: &self.ours,
            told: &self.statistics,
        };
        let mut waiting = false;
        for group in Group::ALL {
            if self.later.get(&group).is_some_and(|later| now < later.until) {
                waiting = true;
                continue;
            }
            let transaction = publish(group, scene);
            if transaction.is_empty() {
                continue;
            }
            let mut hasher = DefaultHasher::new();
            serde_json::Value::from(transaction.operations()).to_string().hash(&mut hasher);
            let fingerprint = hasher.finish();
            if self.last.remove(&group) == Some(fingerprint) {
                // It was taken and changed nothing: do not say it over and over.
                wait(&mut self.later, group, now);
                waiting = true;
                continue;
            }
            session.transact(group, &transaction);
            self.under_way = Some((group, fingerprint));
            return;
        }
        self.unsaid = waiting;
        let published = (self.ours.locals.len(), self.wanted.remotes.len());
        self.board().published(self.facts.ports.len(), published.0, published.1);
    }

    fn done(&mut self, group: Group, outcome: Result<(), String>, now: Instant) {
        let Some((_, fingerprint)) = self.under_way.take() else { return };
        self.board().transaction(outcome.is_ok());
        match outcome {
            Ok(()) => {
                self.later.remove(&group);
                self.last.insert(group, fingerprint);
                if group == Group::Statistics
                    && let Some((_, session)) = &self.connection
                {
                    let (facts, wanted, ours) = (&self.facts, &self.wanted, &self.ours);
                    let scene = Scene { replica: &session.replica, facts, wanted, ours, told: &self.statistics };
                    let statistics = scene.told_statistics();
                    self.statistics = statistics;
                }
            }
            Err(why) => {
                log::debug!("ovsdb: {} refused: {why}", group.name());
                wait(&mut self.later, group, now);
                self.board().failed(format!("the database refused our {} ({why}); it is tried again", group.name()));
            }
        }
        self.unsaid = true;
    }

    fn flush(&mut self, now: Instant) {
        let Some((connection, session)) = &mut self.connection else { return };
        let bytes = session.take_out();
        if !bytes.is_empty()
            && let Err(why) = connection.send(&bytes)
        {
            self.lost(why, now);
        }
    }

    fn board(&self) -> std::sync::MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self) {
        let managers = self.connection.as_ref().map(|(_, session)| &session.replica);
        self.board().applied(&self.in_force, &self.ours.refused, &self.facts, managers);
    }
}

fn wait(later: &mut HashMap<Group, Later>, group: Group, now: Instant) {
    let pause = later.get(&group).map_or(RETRY.0, |later| (later.pause * 2).min(RETRY.1));
    later.insert(group, Later { until: now + pause, pause });
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::{UnixListener, UnixStream};

    use serde_json::{Value, json};

    use super::*;
    use crate::source::ovsdb::testing;

    /// A server in a test's hands.
    struct Fake(UnixStream, Vec<u8>);

    impl Fake {
        fn hears(&mut self) -> Value {
            loop {
                let mut stream = serde_json::Deserializer::from_slice(&self.1).into_iter::<Value>();
                if let Some(Ok(message)) = stream.next() {
                    let read = stream.byte_offset();
                    self.1.drain(..read);
                    return message;
                }
                let mut more = [0; 4096];
                let length = self.0.read(&mut more).expect("the follower speaks");
                assert!(length > 0, "the follower left");
                self.1.extend_from_slice(&more[..length]);
            }
        }

        fn says(&mut self, message: &Value) {
            self.0.write_all(message.to_string().as_bytes()).expect("the follower listens");
        }

        fn answers(&mut self, question: &Value, result: Value) {
            self.says(&json!({ "id": question["id"], "result": result, "error": null }));
        }
    }

    fn start(name: &str) -> (Follower, Fake, Receiver<Change>) {
        let path = std::env::temp_dir().join(format!("causeway-{name}-{}.sock", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).expect("a socket");
        let (tell, changes) = crossbeam::channel::unbounded();
        let settings = Settings {
            database: OvsdbDatabase::Unix(path.clone()),
            stale: None,
            statistics: None,
            facts: testing::facts(),
            ours: Ours::default(),
        };
        let outside = Outside { tell: Box::new(move |change| drop(tell.send(change))), ports: Box::new(never) };
        let follower = Follower::start(settings, outside).expect("a thread");
        let (stream, _) = listener.accept().expect("the follower comes");
        std::fs::remove_file(&path).expect("our file");
        let mut server = Fake(stream, Vec::new());
        let question = server.hears();
        assert_eq!(question["method"], "get_schema");
        server.answers(&question, testing::schema());
        let question = server.hears();
        assert_eq!(question["method"], "monitor");
        server.answers(&question, json!({}));
        (follower, server, changes)
    }

    /// (Encapsulation, address, key) of a locator is unique: who loses the race looks again and tries again.
    #[test]
    fn a_transaction_that_breaks_a_rule_is_tried_again() {
        let (follower, mut server, _changes) = start("retry");
        let broken = json!([{}, {"error": "constraint violation", "details": "twice"}]);
        let first = server.hears();
        assert!(first["params"].to_string().contains("Physical_Switch"), "{first}");
        server.answers(&first, broken);
        let second = server.hears();
        assert_eq!(first["params"], second["params"]);
        assert_eq!(follower.view().published.refused, 1);
        assert!(follower.view().error.expect("it is told").contains("constraint violation: twice"));
    }

    /// Three changes in a row, the last of which undoes the first: control hears of what is left of them, once.
    #[test]
    fn a_database_is_looked_at_when_it_has_come_to_rest() {
        let (_follower, mut server, changes) = start("rest");
        let first = server.hears();
        server.answers(&first, json!([{}]));
        let key = |key: Value| json!({"new": {"name": "ls", "tunnel_key": key}});
        let name = |name: &str| testing::row(name).to_string();
        let uuid = |name: &str| testing::row(name).json();
        let everything = json!({
            "Physical_Switch": {name("gw1"): {"new": {"name": "gw1", "tunnel_ips": "192.0.2.1", "ports": uuid("p1")}}},
            "Physical_Port": {name("p1"): {"new": {"name": "srv1", "vlan_bindings": ["map", [[100, uuid("ls")]]]}}},
            "Logical_Switch": {name("ls"): key(json!(1))},
        });
        let update = |rows: &Value| json!({"method": "update", "params": [null, rows], "id": null});
        let all: String = [
            everything,
            json!({"Logical_Switch": {name("ls"): key(json!(0))}}),
            json!({"Logical_Switch": {name("ls"): key(json!(7))}}),
        ]
        .iter()
        .map(|rows| update(rows).to_string())
        .collect();
        server.0.write_all(all.as_bytes()).expect("the follower listens");
        let change = changes.recv_timeout(Duration::from_secs(10)).expect("a change");
        let segments = change.segments.expect("segments");
        assert_eq!(segments.iter().map(|segment| segment.number.vni.value()).collect::<Vec<_>>(), [7]);
    }
}
