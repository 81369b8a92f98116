//! The thread that follows the database and speaks for us in it. Control hears of changes, and tells what becomes of them.
//!
//! Three parts share the work: `line` has the connection (and the server, when it is embedded), `force` knows what of
//! the database is in force, and `speech` says in the database what is ours. In `work` they take turns.

mod force;
mod line;
mod speech;
#[cfg(test)]
mod tests;
mod work;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use config::types::OvsdbDatabase;
use crossbeam::channel::{Receiver, Sender, bounded};

use self::line::Line;
use self::work::Work;
use super::status::Board;
use super::wanted::Facts;
use crate::control::overlay::{Change, Feedback};
use crate::control::view::ControllerView;
use crate::rights;

/// Messages from control that wait. Beyond them control keeps what it has to say, joined.
const WAITING: usize = 64;

/// What the follower is told.
#[derive(Debug)]
pub enum Told {
    /// Control's answer to what the database wants, and local MACs.
    Feedback(Feedback),
    /// Another configuration is in force.
    Options(Box<Options>),
}

/// What the follower is set up with and keeps until it ends.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the database is.
    pub database: OvsdbDatabase,
    /// What may change meanwhile.
    pub options: Options,
}

/// What may change while the follower works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What is ours. Its name stays.
    pub facts: Facts,
    /// How long entries outlive the database; `None` for ever.
    pub stale: Option<Duration>,
    /// Between two publications of statistics; `None` never.
    pub statistics: Option<Duration>,
    /// What a controller shows beside the name.
    pub description: String,
    /// Management addresses.
    pub management: Vec<IpAddr>,
    /// The controllers to connect to; `None` leaves that alone.
    pub managers: Option<Vec<String>>,
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
        let Settings { database, options } = settings;
        let now = Instant::now();
        let line = Line::new(&database, now);
        let board = Arc::new(Mutex::new(Board::new(&options.facts.name, &line.target().to_string(), now)));
        let shared = Arc::clone(&board);
        let work = move || {
            // An ovsdb-server that it starts needs none either.
            rights::keep(rights::NONE);
            Work::new(options, outside, line, shared).run(&ears)
        };
        let thread = thread::Builder::new().name("ovsdb".into()).spawn(work);
        let thread = thread.map_err(|error| format!("cannot start the thread that follows OVSDB ({error})"))?;
        Ok(Self { told: Some(told), board, thread: Some(thread) })
    }

    /// True when it can be told something without waiting.
    pub fn listens(&self) -> bool {
        self.told.as_ref().is_some_and(|told| !told.is_full())
    }

    /// Tells it something, unless it does not listen: ask [`Self::listens`] before.
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
