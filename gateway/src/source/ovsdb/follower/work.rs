//! What is due is done, in turns, on the follower's thread.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, never, select};

use super::super::connection::Arrival;
use super::super::publish::{Group, Ours, Scene};
use super::super::session::News;
use super::super::status::{Board, passed};
use super::super::wanted::Wanted;
use super::force::Force;
use super::line::Line;
use super::speech::Speech;
use super::{Options, Outside, Ports, Told};
use crate::complain;
use crate::control::overlay::{Change, Feedback};
use crate::control::view::PortView;
use crate::inform;

/// A database at rest for this long is looked at as a whole: controllers change one thing in several transactions.
const REST: Duration = Duration::from_millis(20);
/// One that never rests is looked at all the same.
const RESTLESS: Duration = Duration::from_millis(200);
/// Between two looks at our ports.
const LOOK: Duration = Duration::from_secs(2);
/// Messages of the server taken in before all else.
const AT_ONCE: usize = 256;

/// The follower's thread.
pub struct Work {
    options: Options,
    outside: Outside,
    board: Arc<Mutex<Board>>,
    line: Line,
    force: Force,
    ours: Ours,
    speech: Speech,
    /// First and last change that has not been looked at.
    changed: Option<(Instant, Instant)>,
    asked: Option<Ports>,
    look_at: Instant,
    count_at: Instant,
}

impl Work {
    /// Ready to begin.
    pub fn new(options: Options, outside: Outside, line: Line, board: Arc<Mutex<Board>>) -> Self {
        let now = Instant::now();
        Self {
            ours: ours(&options, Ours::default()),
            options,
            outside,
            board,
            line,
            force: Force::default(),
            speech: Speech::default(),
            changed: None,
            asked: None,
            look_at: now,
            count_at: now,
        }
    }

    /// Until nobody has anything to tell any more.
    pub fn run(mut self, ears: &Receiver<Told>) {
        let (silence, nobody) = (never::<Arrival>(), never());
        loop {
            self.turn(Instant::now());
            let wait = self.next_turn().saturating_duration_since(Instant::now());
            let arrivals = self.line.arrivals().unwrap_or(&silence).clone();
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
        if self.changed.is_some_and(|(first, last)| now >= (last + REST).min(first + RESTLESS)) {
            self.changed = None;
            self.look_at_database(now);
        }
        if self.force.is_overdue(now) {
            complain!(
                warn,
                "what a lost database wanted is forgotten now (control.ovsdb.stale)",
                "bring its server back";
                controller = "ovsdb", target = self.line.target()
            );
            let wanted = self.derive();
            let changes = self.force.sweep(wanted);
            self.tell(changes, now);
        }
        if self.line.is_ready() && self.asked.is_none() && now >= self.look_at {
            self.look_at = now + LOOK;
            self.asked = Some((self.outside.ports)());
        }
        self.say(now);
        if let Err(why) = self.line.flush() {
            self.lost(why, now);
        }
    }

    /// When [`Self::turn`] has something to do, if nothing happens before.
    fn next_turn(&self) -> Instant {
        let now = Instant::now();
        let rest = self.changed.map(|(first, last)| (last + REST).min(first + RESTLESS));
        let all = [self.line.next_turn(now), rest, self.speech.next_turn()];
        all.into_iter().flatten().fold(now + Duration::from_secs(1), Instant::min)
    }

    /// The server and the connection to it.
    fn tend(&mut self, now: Instant) {
        if let Err(why) = self.line.tend(now) {
            complain!(
                warn,
                "the embedded ovsdb-server does not run, and is started again",
                "see that ovsdb-server works and control.ovsdb.directory can be written";
                controller = "ovsdb", error = why
            );
            self.lost(why, now);
        }
        match self.line.connect(now) {
            Some(Ok(())) => self.board().state("reading", now),
            Some(Err(why)) => self.board().failed(why),
            None => {}
        }
        if let Err(why) = self.line.probe(now) {
            self.lost(why, now);
        }
    }

    /// The connection is gone. What the database wanted stays in force for a while.
    fn lost(&mut self, why: String, now: Instant) {
        let was_ready = self.line.is_ready();
        if self.line.hang_up() {
            let what = match was_ready {
                true => "the database is lost, and what it wanted stays in force meanwhile",
                false => "the database is lost before it was read",
            };
            let target = self.line.target();
            complain!(warn, what, "see that its server runs"; controller = "ovsdb", target = target, error = why);
            self.board().state("lost", now);
        }
        self.board().failed(why);
        (self.changed, self.asked) = (None, None);
        self.speech = Speech::default();
        self.ours.told.clear();
        if was_ready {
            let changes = self.force.lost(self.options.stale, now);
            self.tell(changes, now);
        }
    }

    fn arrived(&mut self, arrival: Arrival) {
        let now = Instant::now();
        match self.line.take(arrival, now) {
            Ok(News::Nothing) => {}
            Ok(News::Read) => {
                let (target, switch) = (self.line.target(), &self.options.facts.name);
                inform!("connected to the database"; controller = "ovsdb", target = target, switch = switch);
                self.board().state("connected", now);
                let wanted = self.derive();
                self.force.read(wanted.is_none(), self.options.stale, now);
                (self.look_at, self.count_at) = (now, now);
                self.look_at_database(now);
            }
            Ok(News::Changed) => {
                let first = self.changed.map_or(now, |(first, _)| first);
                self.changed = Some((first, now));
                self.speech.unsaid = true;
            }
            Ok(News::Done(group, outcome)) => self.done(group, outcome, now),
            Err(why) => self.lost(why, now),
        }
    }

    fn derive(&self) -> Option<Wanted> {
        Wanted::of(self.line.replica()?, &self.options.facts)
    }

    /// Works out what the whole database wants, and tells control what differs.
    fn look_at_database(&mut self, now: Instant) {
        if self.line.is_ready() {
            let wanted = self.derive();
            let changes = self.force.want(wanted.unwrap_or_default());
            self.tell(changes, now);
        }
    }

    fn tell(&mut self, changes: Vec<Change>, now: Instant) {
        let in_force = &self.force.in_force;
        self.ours.locals.retain(|(number, _)| in_force.segments.contains_key(number));
        self.speech.unsaid = true;
        if changes.iter().any(|change| change.stale.is_none()) {
            self.board().changed(now);
        }
        changes.into_iter().for_each(&self.outside.tell);
        self.show();
    }

    fn told(&mut self, told: Told) {
        match told {
            Told::Options(options) => self.reloaded(*options, Instant::now()),
            Told::Feedback(feedback) => self.hears(feedback),
        }
        self.speech.unsaid = true;
    }

    fn reloaded(&mut self, options: Options, now: Instant) {
        self.ours = ours(&options, std::mem::take(&mut self.ours));
        if options.stale != self.options.stale {
            self.force.expire(options.stale, now);
        }
        self.count_at = now;
        self.options = options;
        self.changed = self.changed.or(Some((now, now)));
        self.show();
    }

    fn hears(&mut self, feedback: Feedback) {
        let Feedback { refused, afresh, locals, full } = feedback;
        if !afresh.is_empty() {
            self.ours.locals.retain(|(number, _)| !afresh.contains(number));
        }
        for (number, mac, place) in locals {
            match place {
                Some(_) if self.force.in_force.segments.contains_key(&number) => {
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

    /// Our ports, as `show ports` has them.
    fn ports(&mut self, answer: Option<Result<serde_json::Value, String>>) {
        self.asked = None;
        let Some(Ok(answer)) = answer else { return };
        let Ok(views) = serde_json::from_value::<Vec<PortView>>(answer) else { return };
        let now = Instant::now();
        let is_down = |index: usize| views.get(index).and_then(|port| port.link).is_some_and(|link| !link.up);
        let ports = self.options.facts.ports.iter().map(|(index, _)| *index);
        let down: BTreeSet<usize> = ports.filter(|&index| is_down(index)).collect();
        self.speech.unsaid |= down != self.ours.down;
        self.ours.down = down;
        match self.options.statistics {
            Some(period) if now >= self.count_at => {
                self.count_at = now + period;
                self.ours.passed = Some(passed(&self.options.facts, &views));
                self.speech.unsaid = true;
            }
            Some(_) => {}
            None => self.ours.passed = None,
        }
    }

    /// Sends what is next to be said.
    fn say(&mut self, now: Instant) {
        let Some(session) = self.line.session() else { return };
        let scene = Scene {
            replica: &session.replica,
            facts: &self.options.facts,
            wanted: &self.force.wanted,
            ours: &self.ours,
        };
        match self.speech.next(scene, now) {
            Some((group, transaction)) => session.transact(group, &transaction),
            None if self.speech.is_silent() => {
                let (ports, macs) = (self.options.facts.ports.len(), self.ours.locals.len());
                let tunnels = self.force.wanted.remotes.len();
                self.board().published(ports, macs, tunnels);
            }
            None => {}
        }
    }

    fn done(&mut self, group: Group, outcome: Result<(), String>, now: Instant) {
        self.board().transaction(outcome.is_ok());
        if let Err(why) = &outcome {
            log::debug!("ovsdb: {} refused: {why}", group.name());
            self.board().failed(format!("the database refused our {} ({why}); it is tried again", group.name()));
        }
        self.speech.done(group, outcome.is_ok(), now);
        if group == Group::Statistics
            && outcome.is_ok()
            && let Some(replica) = self.line.replica()
        {
            let (facts, wanted, ours) = (&self.options.facts, &self.force.wanted, &self.ours);
            let told = Scene { replica, facts, wanted, ours }.told_statistics();
            self.ours.told = told;
        }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self) {
        let Force { in_force, .. } = &self.force;
        let mut board = self.board();
        board.applied(in_force, &self.ours.refused, &self.options.facts, self.line.replica());
        board.stale(self.force.is_stale(), self.force.until());
    }
}

/// What we say, with the parts of it that are configured.
fn ours(options: &Options, rest: Ours) -> Ours {
    let Options { description, management, managers, .. } = options.clone();
    Ours { description, management, managers, ..rest }
}
