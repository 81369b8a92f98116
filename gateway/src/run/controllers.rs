//! Controllers at the desk: starts their followers, and carries words between them and control.

use config::types::{Model, Ovsdb};
use crossbeam::channel::{Sender, bounded};
use gateway::control::overlay::{Controller, Number};
use gateway::control::view::ControllerView;
use gateway::control::{Control, Nanos};
use gateway::source::ovsdb::follower::{Follower, Outside, Settings, Told};
use gateway::source::ovsdb::publish::Ours;
use gateway::source::ovsdb::wanted::Facts;
use gateway::telemetry::{Request, Show};

use super::desk::Message;
use super::evpn::Evpn;

/// Local MACs told at once.
const LOCALS: usize = 4096;

/// The controllers of the configuration.
#[derive(Default)]
pub struct Controllers {
    ovsdb: Option<(Follower, Facts)>,
    evpn: Option<Evpn>,
}

impl Controllers {
    /// Starts to follow those that `model` names.
    pub fn start(model: &Model, tell: &Sender<Message>) -> Result<Self, String> {
        let evpn = Evpn::start(model)?;
        let Some(ovsdb) = &model.control.ovsdb else { return Ok(Self { evpn, ovsdb: None }) };
        let facts = facts(model, ovsdb);
        let settings = Settings {
            database: ovsdb.database.clone(),
            stale: ovsdb.stale,
            statistics: ovsdb.statistics,
            facts: facts.clone(),
            ours: Ours {
                description: ovsdb.description.clone(),
                management: ovsdb.management_ips.clone(),
                managers: ovsdb.managers.clone(),
                ..Ours::default()
            },
        };
        let (changes, questions) = (tell.clone(), tell.clone());
        // Without a desk nobody needs to hear of it.
        let outside = Outside {
            tell: Box::new(move |change| drop(changes.send(Message::Overlay(Controller::Ovsdb, change)))),
            ports: Box::new(move || {
                let (reply, answer) = bounded(1);
                let request = Request::show(Show::Ports);
                let _ = questions.send(Message::Ask(request, reply));
                answer
            }),
        };
        Ok(Self { ovsdb: Some((Follower::start(settings, outside)?, facts)), evpn })
    }

    /// Takes in what those said that do not come to the desk by themselves. True when there was something.
    pub fn hear(&mut self, control: &mut Control, now: Nanos) -> bool {
        self.evpn.as_mut().is_some_and(|evpn| evpn.hear(control, now))
    }

    /// Tells controllers what control has for them.
    pub fn serve(&mut self, control: &mut Control) {
        if let Some(evpn) = &mut self.evpn {
            evpn.serve(control);
        }
        let Some((follower, _)) = &self.ovsdb else { return };
        while follower.listens() {
            let feedback = control.feedback(Controller::Ovsdb, LOCALS);
            if feedback.is_empty() {
                return;
            }
            follower.tell(Told::Feedback(feedback));
        }
    }

    /// Another configuration is in force.
    pub fn reloaded(&mut self, model: &Model) {
        if let Some(evpn) = &mut self.evpn {
            evpn.arrange(model);
        }
        let (Some((follower, facts)), Some(ovsdb)) = (&mut self.ovsdb, &model.control.ovsdb) else { return };
        let new = self::facts(model, ovsdb);
        if new != *facts {
            facts.clone_from(&new);
            follower.tell(Told::Facts(new));
        }
    }

    /// `show controllers`.
    pub fn view(&self, control: &Control, now: Nanos) -> Vec<ControllerView> {
        let ovsdb = self.ovsdb.iter().map(|(follower, _)| follower.view());
        ovsdb.chain(self.evpn.iter().map(|evpn| evpn.view(control, now))).collect()
    }
}

/// What is ours, as the database needs it.
fn facts(model: &Model, ovsdb: &Ovsdb) -> Facts {
    let attached = model.ports.iter().flat_map(|port| &port.attachments);
    let segments = attached.filter_map(|one| model.segments.get(one.segment));
    let numbers =
        segments.filter_map(|segment| Some(Number { encap: config::types::Encap::Vxlan, vni: segment.vxlan? }));
    Facts {
        name: ovsdb.physical_switch.clone().unwrap_or_else(host_name),
        v4: model.vtep.source_v4,
        v6: model.vtep.source_v6,
        ports: ovsdb.ports.iter().map(|&index| (index, model.ports[index].name.clone())).collect(),
        attached: numbers.collect(),
        fallback: ovsdb.flood_fallback,
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "causeway".into() } else { name.into() }
}
