//! What a client's thread does for `plan`, `apply`, `confirm` and `rollback`, and [`super::trigger`] for a reload: reads,
//! compares, and orders from the desk.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::Loaded;
use config::types::Model;
use crossbeam::channel::{Sender, bounded};
use serde_json::json;

use super::report::Report;
use super::unfit::NotTaken;
use super::{Done, Look, Order};
use crate::run::desk::{Answer, Message};
use crate::run::door::ANSWERING;
use crate::run::plural;
use gateway::inform;

/// Where the desk can be reached.
#[derive(Clone)]
pub struct Orders(pub Sender<Message>);

impl Orders {
    /// What a file would change.
    pub fn plan(&self, file: &str, text: &str) -> Answer {
        let (_, report) = self.compare(parse(file, text)?)?;
        Ok(json!(report))
    }

    /// Puts a file in force.
    pub fn apply(&self, file: &str, text: &str, confirm: Option<u32>) -> Answer {
        let began = Instant::now();
        let (model, report) = self.compare(parse(file, text)?)?;
        if let Some(refusal) = report.refusal(file) {
            return Err(refusal);
        }
        let confirm = confirm.filter(|_| !report.changes.is_empty());
        self.take(model, confirm.map(|seconds| Duration::from_secs(seconds.into())))?;
        inform!(said(&report, confirm); file = file);
        let mut answer = json!(report);
        answer["confirm_s"] = json!(confirm);
        answer["took_ms"] = json!(began.elapsed().as_millis() as u64);
        Ok(answer)
    }

    /// Keeps what was applied.
    pub fn confirm(&self) -> Answer {
        self.order(Order::Confirm)??;
        inform!("the last change is confirmed"; command = "confirm");
        Ok(json!({}))
    }

    /// Goes back.
    pub fn rollback(&self) -> Answer {
        self.order(Order::Rollback)??;
        inform!("the last change was rolled back"; command = "rollback");
        Ok(json!({}))
    }

    /// Puts the gateway's own file in force as it is now.
    pub fn reload(&self, file: &Path) -> Result<Report, NotTaken> {
        let (model, report) = self.examine(file)?;
        self.take(model, None).map_err(NotTaken::Refused)?;
        inform!(said(&report, None); file = file.display());
        Ok(report)
    }

    /// Whether the gateway's own file, as it is now, could be put in force.
    pub fn examine(&self, file: &Path) -> Result<(Arc<Model>, Report), NotTaken> {
        if fs::metadata(file).is_ok_and(|data| !data.is_file()) {
            return Err(NotTaken::Refused(format!(
                "{} is a pipe, a device or a directory, and is not read again",
                file.display()
            )));
        }
        let loaded = config::load(file).map_err(NotTaken::Wrong)?;
        let (model, report) = self.compare(loaded).map_err(NotTaken::Refused)?;
        match report.needs_restart.is_empty() {
            true => Ok((model, report)),
            false => Err(NotTaken::Restart(Box::new(report))),
        }
    }

    fn compare(&self, loaded: Loaded) -> Result<(Arc<Model>, Report), String> {
        let Loaded { model, warnings, places } = loaded;
        let new = Arc::new(model);
        let Look { running, start, warnings: live } = self.order(|reply| Order::Look(Arc::clone(&new), reply))?;
        let report = Report::of(&running, &start, (&new, &places), warnings, live);
        Ok((new, report))
    }

    fn take(&self, model: Arc<Model>, confirm: Option<Duration>) -> Done {
        self.order(|reply| Order::Apply(model, confirm, reply))?
    }

    fn order<T>(&self, order: impl FnOnce(Sender<T>) -> Order) -> Result<T, String> {
        let (reply, answer) = bounded(1);
        self.0.send(Message::Change(order(reply))).map_err(|_| "the gateway is stopping".to_owned())?;
        let late =
            |_| "the gateway is starting, stopping or very busy; see with 'causeway plan' what is in force".into();
        answer.recv_timeout(ANSWERING).map_err(late)
    }
}

fn parse(file: &str, text: &str) -> Result<Loaded, String> {
    config::parse(file, text).map_err(|problems| format!("the file is refused:\n{problems}"))
}

fn said(report: &Report, confirm: Option<u32>) -> String {
    let count = report.changes.len();
    let kept = confirm.map_or(String::new(), |seconds| format!(", to be confirmed within {seconds} s"));
    match count {
        0 => "the configuration was read and changes nothing".into(),
        _ => format!("the configuration has changed in {count} place{}{kept}", plural(count)),
    }
}
