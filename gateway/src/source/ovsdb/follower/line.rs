//! The line to the server: the connection, who keeps it up, and the server itself when it is embedded.

use std::time::{Duration, Instant};

use config::types::OvsdbDatabase;
use crossbeam::channel::Receiver;

use super::super::connection::{Arrival, Connection, Target};
use super::super::replica::Replica;
use super::super::server::Server;
use super::super::session::{News, Session};
use crate::complain;

/// A server that says nothing for this long is asked whether it lives; and after as long again it is given up.
const SILENCE: Duration = Duration::from_secs(5);
/// First pause before connecting anew, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(8));
/// Between two looks at an embedded server.
const TEND: Duration = Duration::from_millis(200);
/// How long a server may take to start before it is looked at again.
const START: Duration = Duration::from_millis(20);

/// The line.
pub struct Line {
    target: Target,
    server: Option<Server>,
    connection: Option<(Connection, Session)>,
    connect_at: Instant,
    pause: Duration,
    heard: Instant,
    probed: bool,
    /// Connecting failed, and that was said.
    refused: bool,
}

impl Line {
    /// To a database; nothing is done yet.
    pub fn new(database: &OvsdbDatabase, now: Instant) -> Self {
        let (target, server) = match database {
            OvsdbDatabase::Unix(path) => (Target::Unix(path.clone()), None),
            OvsdbDatabase::Tcp(address, port) => (Target::Tcp(*address, *port), None),
            OvsdbDatabase::Embedded { directory, tls } => {
                let server = Server::new(directory.clone(), tls.clone());
                (server.target(), Some(server))
            }
        };
        Self {
            target,
            server,
            connection: None,
            connect_at: now,
            pause: PAUSE.0,
            heard: now,
            probed: false,
            refused: false,
        }
    }

    /// Where the database is.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// What arrives, while there is a connection.
    pub fn arrivals(&self) -> Option<&Receiver<Arrival>> {
        self.connection.as_ref().map(|(connection, _)| &connection.arrivals)
    }

    /// The conversation, once the database is read.
    pub fn session(&mut self) -> Option<&mut Session> {
        self.connection.as_mut().map(|(_, session)| session).filter(|session| session.is_ready())
    }

    /// The database, once it is read.
    pub fn replica(&self) -> Option<&Replica> {
        self.connection.as_ref().filter(|(_, session)| session.is_ready()).map(|(_, session)| &session.replica)
    }

    /// True once the database is read.
    pub fn is_ready(&self) -> bool {
        self.replica().is_some()
    }

    /// Sees that an embedded server runs.
    ///
    /// # Errors
    ///
    /// Why it does not; then there is no connection either.
    pub fn tend(&mut self, now: Instant) -> Result<(), String> {
        let Some(server) = &mut self.server else { return Ok(()) };
        let runs = server.tend(now);
        // A server that has just been started does not listen yet.
        if runs != Ok(true) || !self.target.is_there() {
            self.connect_at = now + START;
        }
        runs.map(drop)
    }

    /// Connects when it is time to; says what came of it.
    pub fn connect(&mut self, now: Instant) -> Option<Result<(), String>> {
        if self.connection.is_some() || now < self.connect_at {
            return None;
        }
        self.connect_at = now + self.pause;
        self.pause = (self.pause * 2).min(PAUSE.1);
        let outcome = Connection::open(&self.target).map(|connection| {
            self.connection = Some((connection, Session::new()));
            (self.heard, self.probed) = (now, false);
        });
        if let Err(why) = &outcome
            && !std::mem::replace(&mut self.refused, true)
        {
            complain!(
                warn,
                "the database cannot be reached, and is tried again until it works",
                "see that its server runs and that control.ovsdb.database is right";
                controller = "ovsdb", error = why
            );
        }
        Some(outcome)
    }

    /// Asks a silent server whether it lives.
    ///
    /// # Errors
    ///
    /// When it did not answer that either.
    pub fn probe(&mut self, now: Instant) -> Result<(), String> {
        let silent = now.saturating_duration_since(self.heard);
        match &mut self.connection {
            Some(_) if silent > 2 * SILENCE => Err("the server does not answer any more".into()),
            Some((_, session)) if silent > SILENCE && !self.probed => {
                session.probe();
                self.probed = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Takes in what arrived.
    ///
    /// # Errors
    ///
    /// When there is no going on with this connection.
    pub fn take(&mut self, arrival: Arrival, now: Instant) -> Result<News, String> {
        (self.heard, self.probed) = (now, false);
        let Some((_, session)) = &mut self.connection else { return Ok(News::Nothing) };
        let news = arrival.and_then(|message| session.receive(&message))?;
        if news == News::Read {
            (self.pause, self.refused) = (PAUSE.0, false);
        }
        Ok(news)
    }

    /// Sends what is to be sent.
    ///
    /// # Errors
    ///
    /// When the server does not take it.
    pub fn flush(&mut self) -> Result<(), String> {
        let Some((connection, session)) = &mut self.connection else { return Ok(()) };
        let bytes = session.take_out();
        if bytes.is_empty() { Ok(()) } else { connection.send(&bytes) }
    }

    /// Ends the connection; true when there was one.
    pub fn hang_up(&mut self) -> bool {
        self.connection.take().is_some()
    }

    /// When there is something to do, if nothing arrives before.
    pub fn next_turn(&self, now: Instant) -> Option<Instant> {
        let connect = self.connection.is_none().then_some(self.connect_at);
        let tend = self.server.is_some().then(|| now + TEND);
        connect.into_iter().chain(tend).min()
    }
}
