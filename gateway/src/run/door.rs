//! What the socket leads to: each question goes to who answers it, and does not wait for ever.

use std::time::Duration;

use crossbeam::channel::{Sender, bounded};
use gateway::control::measures::Measures;
use gateway::telemetry::{Act, Lines, Request, Verb};

use super::change::ask::Orders;
use super::change::trigger;
use super::desk::{Answer, Message};
use super::log;

/// How long an answer on the socket may take.
pub const ANSWERING: Duration = Duration::from_secs(20);
/// How long a reload may take until who asked for it is sent away.
const RELOADING: Duration = Duration::from_secs(25);
/// How long numbers for metrics may take.
const MEASURING: Duration = Duration::from_secs(5);

/// What the socket leads to.
pub struct Door {
    /// To the desk.
    pub tell: Sender<Message>,
    /// To the thread that reads the file again.
    pub trigger: Sender<trigger::Wish>,
}

impl gateway::telemetry::Answer for Door {
    fn answer(&self, request: Request) -> Answer {
        match request.verb {
            Verb::Act(Act::Reload) => self.reload(),
            _ => ask(&self.tell, request),
        }
    }

    fn follow(&self, request: Request, lines: Lines) -> Result<(), String> {
        let (reply, answer) = bounded(1);
        self.tell.send(Message::Follow(request, lines, reply)).map_err(|_| "the gateway is stopping".to_owned())?;
        answer
            .recv_timeout(ANSWERING)
            .map_err(|_| "the gateway is starting, stopping or very busy; try again".to_owned())?
    }
}

impl Door {
    fn reload(&self) -> Answer {
        let (reply, answer) = bounded(1);
        self.trigger.send(trigger::Wish::Ask(reply)).map_err(|_| "the gateway is stopping".to_owned())?;
        let late =
            |_| Err("the gateway still reads its file; its log and 'causeway show health' say what comes of it".into());
        answer.recv_timeout(RELOADING).unwrap_or_else(late)
    }
}

/// Brings a question to the desk and the answer back.
fn ask(tell: &Sender<Message>, request: Request) -> Answer {
    let orders = Orders(tell.clone());
    match &request.verb {
        Verb::Act(Act::Plan { file }) => return orders.plan(file, &request.body),
        Verb::Act(Act::Apply { file, confirm_s }) => return orders.apply(file, &request.body, *confirm_s),
        Verb::Act(Act::Confirm) => return orders.confirm(),
        Verb::Act(Act::Rollback) => return orders.rollback(),
        Verb::Act(Act::LogLevel { level }) => return log::set(level).map(|()| serde_json::json!({"level": level})),
        _ => {}
    }
    let (reply, answer) = bounded(1);
    tell.send(Message::Ask(request, reply)).map_err(|_| "the gateway is stopping".to_owned())?;
    answer
        .recv_timeout(ANSWERING)
        .map_err(|_| "the gateway is starting, stopping or very busy; try again".to_owned())?
}

/// Asks the desk for all numbers.
pub fn measure(tell: &Sender<Message>) -> Result<Measures, String> {
    let (reply, measures) = bounded(1);
    let sent = tell.send(Message::Measure(reply));
    let late = |_| "the gateway is starting, stopping or very busy; try again".to_owned();
    sent.map_err(|_| "the gateway is stopping".to_owned()).and_then(|()| measures.recv_timeout(MEASURING).map_err(late))
}
