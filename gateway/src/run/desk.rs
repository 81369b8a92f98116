//! The control loop: everything that happens comes to one desk, where [`Control`] decides, and goes out from it.
//!
//! The thread that sits here alone owns [`Control`] and the underlay's state. Workers never wait for it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::types::Idle;
use crossbeam::channel::{Receiver, Sender, select};
use gateway::complain;
use gateway::control::measures::Measures;
use gateway::control::overlay::{self, Controller};
use gateway::control::view::ProblemView;
use gateway::control::{Control, Event, Nanos, Resolution};
use gateway::frame::PortId;
use gateway::inform;
use gateway::link::Link;
use gateway::telemetry::metrics::Exporter;
use gateway::telemetry::{Lines, Request};

use super::answer::{Links, answer};
use super::around::Around;
use super::change::trigger::Wish;
use super::change::{Changes, Order, warn_of_routeless};
use super::controllers::Controllers;
use super::machine::Machine;
use super::pulse::{Change, Pulses};
use super::service::Service;
use super::state::Keeper;
use super::trace::Traces;
use super::underlay::Underlay;

/// What comes to the desk besides reports of cores and events of the kernel.
pub enum Message {
    /// Somebody asks on the socket.
    Ask(Request, Sender<Answer>),
    /// Somebody wants to follow something.
    Follow(Request, Lines, Sender<Result<(), String>>),
    /// Somebody wants all numbers.
    Measure(Sender<Measures>),
    /// A worker polls.
    Ready,
    /// A worker ended though nobody asked it to.
    Failed(String),
    /// A worker has something to say: it does not log itself.
    Trouble {
        /// Its core.
        core: u16,
        /// What is wrong.
        what: &'static str,
        /// What to do.
        cure: &'static str,
        /// In detail.
        error: String,
    },
    /// A controller wants something.
    Overlay(Controller, overlay::Change),
    /// Something about the configuration.
    Change(Order),
    /// The configuration is about to be read again.
    Reloading,
    /// It was; or it was looked at again. Why it is not what is in force, if so.
    Reloaded(Option<Box<ProblemView>>),
    /// Stop.
    Stop,
}

/// What the socket says.
pub type Answer = Result<serde_json::Value, String>;

/// Least pause between two looks at the report rings.
const PAUSE: Duration = Duration::from_millis(1);
/// The same while nothing happens and workers sleep too.
const LONG_PAUSE: Duration = Duration::from_millis(10);
/// How long after the last event the short pause stays.
const AWAKE: Nanos = 200_000_000;
/// Between two ticks.
const TICK: Nanos = 100_000_000;
/// Between two looks at links.
const LOOK: Nanos = 500_000_000;
/// How long after a start routes may come before it is said which are missing.
const ROADS: Nanos = 5_000_000_000;
/// Reports taken from a core at once.
const REPORTS: usize = 1024;
/// How long workers may take to count before an answer goes out with what is known.
const COUNTING: Nanos = 200_000_000;

/// The desk.
pub struct Desk<F> {
    /// What decides.
    pub control: Control,
    /// Linux.
    pub underlay: Underlay,
    /// By core.
    pub links: Vec<Link<F>>,
    /// What comes in.
    pub inbox: Receiver<Message>,
    /// The state of the ports' links.
    pub carriers: Links,
    /// What is in force, and what was.
    pub changes: Changes,
    /// To whom reads the configuration again when it should.
    pub trigger: Sender<Wish>,
    /// What else is known of devices and CPU.
    pub machine: Machine,
    /// The page of metrics.
    pub exporter: Exporter,
    /// What it says when all workers poll.
    pub motto: String,
    /// The moment from which time counts.
    pub start: Instant,
    /// Signs of life of the workers.
    pub pulses: Pulses,
    /// Who started us and wants to know how we are.
    pub service: Service,
    /// Who else has a say.
    pub controllers: Controllers,
    /// Who watches frames.
    pub traces: Traces,
    /// Which gateway this is.
    pub around: Around,
    /// Who keeps what outlives a restart.
    pub keeper: Option<Keeper>,
    /// MACs that moved to and fro when last looked at.
    pub restless: usize,
}

/// Questions that wait for counters.
#[derive(Default)]
struct Questions {
    next: Vec<Question>,
    asked: Vec<Question>,
    since: Nanos,
}

/// One of them.
enum Question {
    /// Asked on the socket.
    Ask(Box<Request>, Sender<Answer>),
    /// All numbers.
    Measure(Sender<Measures>),
}

impl<F> Desk<F> {
    /// Works until somebody asks to stop, or a worker fails.
    ///
    /// # Errors
    ///
    /// What the worker said.
    pub fn work(&mut self) -> Result<(), String> {
        let (mut ticked, mut looked, mut happened, mut ready) = (0, 0, 0, 0);
        let mut roads = Nanos::MAX;
        let mut questions = Questions::default();
        let mut link_up = vec![true; self.control.model().ports.len()];
        // Whoever waits for the gateway to be ready finds it there.
        self.look_around();
        let spins = self.control.model().workers.idle == Idle::Spin;
        loop {
            let awake = spins || self.now().saturating_sub(happened) < AWAKE;
            let mut message = None;
            let mut resolved = Vec::new();
            select! {
                recv(self.inbox) -> received => message = Some(received.unwrap_or(Message::Stop)),
                recv(self.underlay.events) -> event => match event {
                    Ok(event) => resolved = self.underlay.apply(event),
                    Err(_) => return Err("the thread that follows the kernel ended; please report it".into()),
                },
                default(if awake { PAUSE } else { LONG_PAUSE }) => {}
            }
            let now = self.now();
            match message {
                Some(Message::Ask(request, reply)) => questions.next.push(Question::Ask(Box::new(request), reply)),
                Some(Message::Measure(reply)) => questions.next.push(Question::Measure(reply)),
                Some(Message::Follow(request, lines, reply)) => {
                    let _ = reply.send(self.traces.begin(&mut self.control, &request, lines, now));
                }
                Some(Message::Ready) => {
                    ready += 1;
                    if ready == self.links.len() {
                        inform!(format_args!("forwarding: {}", self.motto); pid = std::process::id());
                        self.service.ready(&self.status());
                        roads = now + ROADS;
                        if let Some(keeper) = &mut self.keeper {
                            keeper.ready();
                        }
                    }
                }
                Some(Message::Failed(why)) => return Err(why),
                Some(Message::Trouble { core, what, cure, error }) => {
                    complain!(error, what, cure; core = core, error = error);
                }
                Some(Message::Overlay(controller, change)) => {
                    self.control.overlay(controller, change, now);
                    happened = now;
                }
                Some(Message::Change(order)) => self.change(Some(order), now),
                Some(Message::Reloading) => self.service.reloading(),
                Some(Message::Reloaded(problem)) => {
                    self.around.file_problem = problem;
                    self.service.ready(&self.status());
                }
                Some(Message::Stop) => return Ok(()),
                None => {}
            }
            if self.round(resolved, &mut questions, now) {
                happened = now;
            }
            if now.saturating_sub(ticked) >= TICK {
                ticked = now;
                self.control.handle(Event::Tick, now);
                self.change(None, now);
            }
            if self.pulses.stuck().next().is_none() {
                self.service.feed(now);
            }
            if now.saturating_sub(looked) >= LOOK {
                looked = now;
                self.look(&mut link_up);
                self.feel();
                self.watch_movers();
                self.underlay.retry();
                self.look_around();
            }
            if now >= roads {
                roads = Nanos::MAX;
                warn_of_routeless(self.control.model(), &self.underlay);
            }
        }
    }

    /// Reports in, decisions, updates out. True when there was something to do.
    fn round(&mut self, resolved: Vec<(IpAddr, Resolution)>, questions: &mut Questions, now: Nanos) -> bool {
        let mut busy = !resolved.is_empty();
        if busy {
            self.control.handle(Event::NextHops(resolved), now);
        }
        for (core, link) in self.links.iter().enumerate() {
            for _ in 0..REPORTS {
                let Some(report) = link.reports.take() else { break };
                busy = true;
                self.control.handle(Event::Report { core, report }, now);
            }
        }
        busy |= self.controllers.hear(&mut self.control, now);
        self.serve(questions, now);
        busy |= self.traces.pass_on(&mut self.control, now);
        if let Some(keeper) = &mut self.keeper {
            keeper.tick(&mut self.control, now);
        }
        self.settle(now);
        for (core, link) in self.links.iter().enumerate() {
            busy |= self.control.feed(core, &link.updates) > 0;
        }
        busy
    }

    /// Does what control wants done outside, until it wants nothing more.
    fn settle(&mut self, now: Nanos) {
        let effects = self.control.settle(now);
        if let Some(vteps) = effects.next_hops {
            let resolved = self.underlay.want(vteps);
            self.control.handle(Event::NextHops(resolved), now);
        }
        if let Some(groups) = effects.groups {
            self.underlay.join(&groups);
        }
        self.controllers.serve(&mut self.control);
    }

    /// Answers questions once every core has counted for them.
    fn serve(&mut self, questions: &mut Questions, now: Nanos) {
        self.around.stuck = self.pulses.stuck().map(|(core, _)| core).collect();
        if self.control.has_counters() || now.saturating_sub(questions.since) > COUNTING {
            for question in questions.asked.drain(..) {
                // Who asked may have gone.
                match question {
                    Question::Ask(request, reply) => {
                        let Self { control, carriers, controllers, machine, around, .. } = self;
                        drop(reply.send(answer(control, carriers, controllers, machine, around, &request, now)));
                    }
                    Question::Measure(reply) => drop(reply.send(self.measure())),
                }
            }
        }
        if questions.asked.is_empty() && !questions.next.is_empty() {
            questions.asked = std::mem::take(&mut questions.next);
            questions.since = now;
            self.control.handle(Event::Count, now);
        }
    }

    /// All numbers, as many as metrics may have.
    fn measure(&self) -> Measures {
        let mut measures = self.control.measure(self.control.model().metrics.limit as usize);
        self.machine.complete(&mut measures, &self.carriers);
        measures.controllers = self.controllers.view(&self.control, self.now());
        measures
    }

    /// Has the page of metrics where the configuration wants it, as soon as that can be, and hears what ails the parts
    /// around control.
    fn look_around(&mut self) {
        self.exporter.listen(self.control.model().metrics.listen);
        let twins = self.underlay.twins().filter(|(_, twin)| twin.is_gone());
        let twins = twins.map(|(port, twin)| ProblemView {
            subject: "twin".into(),
            name: twin.name().into(),
            problem: format!("it was removed, and port {} is cut off", self.control.model().ports[port.index()].name),
            cure: "restart the gateway, which makes it anew".into(),
        });
        let state = self.keeper.as_ref().and_then(Keeper::problem);
        self.around.problems = twins.chain(self.exporter.problem()).chain(state).collect();
    }

    /// Tells the kernel of cables that were pulled or put back.
    fn look(&mut self, up: &mut [bool]) {
        for (port, up) in up.iter_mut().enumerate() {
            let Some(now) = self.carriers.state(port) else { continue };
            if *up != now.up {
                *up = now.up;
                let name = &self.control.model().ports[port].name;
                inform!(format_args!("the link is {}", if now.up { "up" } else { "down" }); port = name);
                self.underlay.set_carrier(PortId(port as u8), now.up);
            }
        }
    }

    /// Tells who has stopped, and who moves again.
    fn feel(&mut self) {
        let seconds = |nanos: Nanos| format!("{:.1}", nanos as f64 / 1e9);
        let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let used = used.tv_sec as Nanos * 1_000_000_000 + used.tv_nsec as Nanos;
        for change in self.pulses.look(self.now(), used) {
            let status = match change {
                Change::Stuck { core, silent } => {
                    complain!(
                        error,
                        "a worker does not move and frames wait",
                        "if it stays so restart the gateway, and please report it with this log";
                        core = core, seconds = seconds(silent)
                    );
                    format!("the worker of core {core} does not move")
                }
                Change::Moves { core, stood } => {
                    complain!(
                        warn,
                        "a worker that stood still moves again",
                        "see that nothing else runs on its core";
                        core = core, seconds = seconds(stood)
                    );
                    self.status()
                }
                Change::Paused { stood } => {
                    complain!(
                        warn,
                        "the gateway stood still, and frames that came meanwhile are late or lost",
                        "see what stopped it: a signal, a debugger, a machine that was paused, or others on its cores";
                        seconds = seconds(stood)
                    );
                    continue;
                }
            };
            self.service.status(&status);
        }
    }

    /// Tells of MACs that begin to move to and fro, and of the end of it.
    fn watch_movers(&mut self) {
        let restless = self.control.restless();
        let before = std::mem::replace(&mut self.restless, restless.len());
        match restless.first() {
            Some(ProblemView { name, problem, cure, .. }) if before == 0 => {
                complain!(warn, "a MAC moves to and fro", cure; mac = name, error = problem, macs = restless.len());
            }
            None if before > 0 => inform!("no MAC moves to and fro any more"; macs_before = before),
            _ => {}
        }
    }

    /// Does what is ordered about the configuration (or rolls back what was not confirmed in time), and tells those whom
    /// another configuration concerns.
    fn change(&mut self, order: Option<Order>, now: Nanos) {
        let Self { changes, control, underlay, .. } = self;
        let before = Arc::clone(changes.running());
        let waited = changes.waits();
        match order {
            Some(order) => changes.handle(order, control, underlay, now),
            None => changes.tick(control, underlay, now),
        }
        if !Arc::ptr_eq(&before, self.changes.running()) {
            self.controllers.reloaded(self.control.configured());
        }
        // What was refused because of a change that waited may be taken now.
        if !Arc::ptr_eq(&before, self.changes.running()) || waited != self.changes.waits() {
            let _ = self.trigger.send(Wish::Settings(self.control.configured().reload.clone()));
        }
    }

    /// Asks the workers to stop and waits until `stopped`, for a bounded time. False when that was in vain.
    pub fn stop(&mut self, stopped: impl Fn() -> bool, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut questions = Questions::default();
        self.control.handle(Event::Stop, self.now());
        while !stopped() {
            if Instant::now() > deadline {
                return false;
            }
            self.round(Vec::new(), &mut questions, self.now());
            std::thread::sleep(Duration::from_micros(200));
        }
        self.round(Vec::new(), &mut questions, self.now());
        true
    }

    /// What the service manager shows.
    fn status(&self) -> String {
        let besides = match &self.around.file_problem {
            Some(_) => "; its file is not in force, see 'causeway show health'",
            None => "",
        };
        format!("forwarding: {}{besides}", self.motto)
    }

    fn now(&self) -> Nanos {
        self.start.elapsed().as_nanos() as Nanos
    }
}
