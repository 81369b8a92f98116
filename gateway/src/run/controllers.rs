//! Controllers at the desk: starts their followers, and carries words between them and control.

use config::types::Model;
use crossbeam::channel::{Sender, bounded};
use gateway::control::overlay::{Controller, Number};
use gateway::control::view::ControllerView;
use gateway::control::{Control, Nanos};
use gateway::source::ovsdb::follower::{Follower, Options, Outside, Settings, Told};
use gateway::source::ovsdb::wanted::Facts;
use gateway::telemetry::{PortFilter, Request, Show};

use super::desk::Message;
use super::evpn::Evpn;

/// Local MACs told at once.
const LOCALS: usize = 4096;

/// The controllers of the configuration.
#[derive(Default)]
pub struct Controllers {
    ovsdb: Option<Ovsdb>,
    evpn: Option<Evpn>,
}

/// Who follows the database.
struct Ovsdb {
    follower: Follower,
    options: Options,
    /// It has not been told of its options yet.
    unsaid: bool,
}

impl Controllers {
    /// Starts to follow those that `model` names.
    pub fn start(model: &Model, tell: &Sender<Message>) -> Result<Self, String> {
        let evpn = Evpn::start(model)?;
        let Some(ovsdb) = &model.control.ovsdb else { return Ok(Self { evpn, ovsdb: None }) };
        let name = ovsdb.physical_switch.clone().unwrap_or_else(host_name);
        let options = options(model, ovsdb, &name);
        let settings = Settings { database: ovsdb.database.clone(), options: options.clone() };
        let (changes, questions) = (tell.clone(), tell.clone());
        // Without a desk nobody needs to hear of it.
        let outside = Outside {
            tell: Box::new(move |change| drop(changes.send(Message::Overlay(Controller::Ovsdb, change)))),
            ports: Box::new(move || {
                let (reply, answer) = bounded(1);
                let request = Request::show(Show::Ports(PortFilter::default()));
                let _ = questions.send(Message::Ask(request, reply));
                answer
            }),
        };
        let follower = Follower::start(settings, outside)?;
        Ok(Self { ovsdb: Some(Ovsdb { follower, options, unsaid: false }), evpn })
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
        let Some(Ovsdb { follower, options, unsaid }) = &mut self.ovsdb else { return };
        if *unsaid && follower.listens() {
            follower.tell(Told::Options(Box::new(options.clone())));
            *unsaid = false;
        }
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
        if let (Some(own), Some(ovsdb)) = (&mut self.ovsdb, &model.control.ovsdb) {
            let new = options(model, ovsdb, &own.options.facts.name);
            own.unsaid |= new != own.options;
            own.options = new;
        }
    }

    /// `show controllers`.
    pub fn view(&self, control: &Control, now: Nanos) -> Vec<ControllerView> {
        let ovsdb = self.ovsdb.iter().map(|own| own.follower.view());
        ovsdb.chain(self.evpn.iter().map(|evpn| evpn.view(control, now))).collect()
    }
}

/// What the follower needs of a configuration.
fn options(model: &Model, ovsdb: &config::types::Ovsdb, name: &str) -> Options {
    let attached = model.ports.iter().flat_map(|port| &port.attachments);
    let segments = attached.filter_map(|one| model.segments.get(one.segment));
    let numbers =
        segments.filter_map(|segment| Some(Number { encap: config::types::Encap::Vxlan, vni: segment.vxlan? }));
    let facts = Facts {
        name: name.to_owned(),
        v4: model.vtep.source_v4,
        v6: model.vtep.source_v6,
        ports: ovsdb.ports.iter().map(|&index| (index, model.ports[index].name.clone())).collect(),
        attached: numbers.collect(),
        fallback: ovsdb.flood_fallback,
    };
    Options {
        facts,
        stale: ovsdb.stale,
        statistics: ovsdb.statistics,
        description: ovsdb.description.clone(),
        management: ovsdb.management_ips.clone(),
        managers: ovsdb.managers.clone(),
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "causeway".into() } else { name.into() }
}
