//! Another configuration while frames flow: planned, applied, confirmed, rolled back.
//!
//! [`Changes`] is the desk's part: what is in force, what was before, and whether the last change still waits for its
//! confirmation. [`ask`] is what a client's thread does: it reads and compares files, so that the desk does not wait for
//! that. [`trigger`] reads the gateway's own file again when it is told to or sees it change, and remembers when the file
//! is not what is in force.

pub mod ask;
mod report;
pub mod trigger;
mod unfit;

use std::sync::Arc;
use std::time::Duration;

use config::types::Model;
use crossbeam::channel::Sender;
use gateway::complain;
use gateway::control::{Control, Nanos, next_hops_of};

use super::underlay::Underlay;

/// Configurations that can be gone back to, at most.
const HISTORY: usize = 8;
/// When a rollback that nobody asked for fails it is tried again after this long.
const AGAIN: Nanos = 5_000_000_000;

/// What comes to the desk about configurations.
pub enum Order {
    /// What is in force, and what is to be said about another one besides what its file tells?
    Look(Arc<Model>, Sender<Look>),
    /// Put this in force; roll it back after so long unless it is confirmed.
    Apply(Arc<Model>, Option<Duration>, Sender<Done>),
    /// Keep what was applied.
    Confirm(Sender<Done>),
    /// Go back to what was in force before.
    Rollback(Sender<Done>),
}

/// Done, or a sentence why not.
pub type Done = Result<(), String>;

/// What the desk knows about a configuration that somebody wants.
pub struct Look {
    /// In force now.
    pub running: Arc<Model>,
    /// In force at the start.
    pub start: Arc<Model>,
    /// Worth a second look.
    pub warnings: Vec<String>,
}

/// What is in force and what was.
pub struct Changes {
    /// What the devices and the workers were started with.
    start: Arc<Model>,
    running: Arc<Model>,
    /// What was in force before, the newest last.
    history: Vec<Arc<Model>>,
    /// When the last change is rolled back, unless it is confirmed.
    deadline: Option<Nanos>,
}

impl Changes {
    /// Nothing has changed yet.
    pub fn new(running: Arc<Model>) -> Self {
        Self { start: Arc::clone(&running), running, history: Vec::new(), deadline: None }
    }

    /// The file's configuration that is in force.
    pub fn running(&self) -> &Arc<Model> {
        &self.running
    }

    /// True while the last change waits for its confirmation.
    pub fn waits(&self) -> bool {
        self.deadline.is_some()
    }

    /// Does what is ordered; who ordered it may have gone meanwhile.
    pub fn handle(&mut self, order: Order, control: &mut Control, underlay: &mut Underlay, now: Nanos) {
        match order {
            Order::Look(new, reply) => {
                let warnings = routeless(&new, underlay);
                drop(reply.send(Look { running: Arc::clone(&self.running), start: Arc::clone(&self.start), warnings }));
            }
            Order::Apply(new, confirm, reply) => {
                drop(reply.send(self.apply(new, confirm, control, underlay, now)));
            }
            Order::Confirm(reply) => drop(reply.send(self.confirm())),
            Order::Rollback(reply) => drop(reply.send(self.rollback(control, underlay, now))),
        }
    }

    fn apply(
        &mut self,
        new: Arc<Model>,
        confirm: Option<Duration>,
        control: &mut Control,
        underlay: &mut Underlay,
        now: Nanos,
    ) -> Done {
        if let Some(deadline) = self.deadline {
            let left = deadline.saturating_sub(now) / 1_000_000_000;
            return Err(format!(
                "the change before waits for its confirmation ({left} s are left); say 'causeway confirm' or \
                 'causeway rollback' first"
            ));
        }
        if new == self.running {
            return Ok(());
        }
        take(&new, control, underlay, now)?;
        if self.history.len() == HISTORY {
            self.history.remove(0);
        }
        self.history.push(std::mem::replace(&mut self.running, new));
        self.deadline = confirm.map(|time| now.saturating_add(time.as_nanos() as Nanos));
        Ok(())
    }

    fn confirm(&mut self) -> Done {
        match self.deadline.take() {
            Some(_) => Ok(()),
            None => Err("nothing waits for a confirmation: it was confirmed or rolled back before".into()),
        }
    }

    fn rollback(&mut self, control: &mut Control, underlay: &mut Underlay, now: Nanos) -> Done {
        let Some(before) = self.history.last() else {
            return Err("there is nothing to roll back to: the configuration is the one of the start, or as far back \
                        as is remembered"
                .into());
        };
        take(before, control, underlay, now)?;
        self.deadline = None;
        if let Some(before) = self.history.pop() {
            self.running = before;
        }
        Ok(())
    }

    /// Rolls back what nobody confirmed in time.
    pub fn tick(&mut self, control: &mut Control, underlay: &mut Underlay, now: Nanos) {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        match self.rollback(control, underlay, now) {
            Ok(()) => complain!(
                warn,
                "the last change was not confirmed in time, and the configuration before it is in force again",
                "apply the file again and confirm, or put the file itself back, which is as it was";
                steps_left = self.history.len()
            ),
            Err(refusal) => {
                complain!(
                    error,
                    "the last change was not confirmed in time and cannot be rolled back",
                    "it is tried again; 'causeway rollback' says whether it works by now";
                    error = refusal
                );
                self.deadline = Some(now.saturating_add(AGAIN));
            }
        }
    }
}

/// Puts a configuration in force, or leaves everything as it is: first at the twins, which the kernel may refuse to change.
fn take(new: &Arc<Model>, control: &mut Control, underlay: &mut Underlay, now: Nanos) -> Done {
    control.would_take(new).map_err(|refusal| refusal.to_string())?;
    let stays = |error| format!("{error}. Nothing has changed: the configuration before stays in force");
    underlay.change(control.configured(), new).map_err(stays)?;
    control.reload(Arc::clone(new), now).map_err(|refusal| refusal.to_string())
}

const NO_ROUTE: &str = "no route leads to it, and it gets no frames";
const NO_ROUTE_CURE: &str = "add a route, or wait until the routing daemon has one ('causeway show vteps')";

/// VTEPs that the kernel knows no way to.
fn routeless(model: &Model, underlay: &Underlay) -> Vec<String> {
    let lost = underlay.routeless(next_hops_of(model));
    lost.into_iter().map(|vtep| format!("VTEP {vtep}: {NO_ROUTE}; {NO_ROUTE_CURE}")).collect()
}

/// VTEPs without a route that are named in the log; there may be thousands of them.
const NAMED: usize = 5;

/// Says which VTEPs cannot be reached, some time after a start.
pub fn warn_of_routeless(model: &Model, underlay: &Underlay) {
    let lost = underlay.routeless(next_hops_of(model));
    for vtep in lost.iter().take(NAMED) {
        complain!(warn, NO_ROUTE, NO_ROUTE_CURE; vtep = vtep);
    }
    if lost.len() > NAMED {
        let cure = "see 'causeway show vteps', which lists them";
        complain!(warn, "no route leads to more VTEPs", cure; vteps = lost.len() - NAMED);
    }
}
