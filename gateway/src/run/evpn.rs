//! EVPN at the desk: what FRR says goes to control, and what control says in return goes to FRR.

use std::collections::BTreeSet;

use config::types::{Model, Vni};
use crossbeam::channel::Receiver;
use gateway::complain;
use gateway::control::overlay::{Change, Controller, Feedback, OverlayFlood, Refusal};
use gateway::control::view::{AppliedView, ControllerView, PublishedView, RejectedView};
use gateway::control::{Control, Nanos};
use gateway::source::evpn::{Evpn as Follower, Said, Settings};
use gateway::source::namespace::Namespace;

/// Local MACs that FRR hears of at once.
const LOCALS: usize = 4096;

/// Who follows FRR, and how it stands.
pub struct Evpn {
    follower: Follower,
    said: Receiver<Said>,
    namespace: Namespace,
    wanted: Vec<(Vni, String)>,
    /// Other VTEPs that take part.
    vteps: usize,
    neighbours: i64,
    published: u64,
    stale: bool,
    changed: Option<Nanos>,
    trouble: Option<String>,
    refused: Vec<Refusal>,
}

impl Evpn {
    /// Starts to follow FRR where `model` asks for it.
    pub fn start(model: &Model) -> Result<Option<Self>, String> {
        let (Some(evpn), Some(local)) = (&model.control.evpn, model.vtep.source_v4) else { return Ok(None) };
        let namespace = Namespace::new(evpn.namespace.as_deref().or(model.vtep.namespace.as_deref()));
        let settings = Settings {
            namespace: namespace.clone(),
            local,
            udp_port: evpn.udp_port,
            hold: evpn.hold.unwrap_or_default(),
        };
        let (follower, said) = Follower::open(settings).map_err(|error| format!("control.evpn: {error}"))?;
        let mut evpn = Self {
            follower,
            said,
            namespace,
            wanted: Vec::new(),
            vteps: 0,
            neighbours: 0,
            published: 0,
            stale: false,
            changed: None,
            trouble: None,
            refused: Vec::new(),
        };
        evpn.arrange(model);
        Ok(Some(evpn))
    }

    /// The VNIs that take part are those of `model`.
    pub fn arrange(&mut self, model: &Model) {
        let segments = model.control.evpn.iter().flat_map(|evpn| &evpn.segments);
        let segments = segments.filter_map(|&index| model.segments.get(index));
        let wanted: Vec<_> = segments.filter_map(|segment| Some((segment.vxlan?, segment.name.clone()))).collect();
        if wanted != self.wanted {
            self.follower.want(wanted.clone());
            self.wanted = wanted;
            // The next trouble is another.
            self.trouble = None;
        }
    }

    /// Takes in what FRR said. True when there was something.
    pub fn hear(&mut self, control: &mut Control, now: Nanos) -> bool {
        let mut heard = false;
        while let Ok(said) = self.said.try_recv() {
            heard = true;
            match said {
                Said::Change(change) => {
                    self.note(&change, now);
                    control.overlay(Controller::Evpn, change, now);
                }
                Said::Trouble(why) => {
                    // The same is tried, and fails, once a second.
                    if self.trouble.as_ref() != Some(&why) {
                        complain!(
                            warn,
                            "FRR cannot be followed as it should, and it is tried again",
                            "see 'causeway show controllers'";
                            controller = "evpn", error = why
                        );
                    }
                    self.trouble = Some(why);
                }
            }
        }
        heard
    }

    fn note(&mut self, change: &Change, now: Nanos) {
        self.changed = Some(now);
        self.stale = change.stale.unwrap_or(self.stale);
        self.neighbours += change.neighbours.iter().map(|(.., mac)| if mac.is_some() { 1 } else { -1 }).sum::<i64>();
        if let Some(segments) = &change.segments {
            let flood = segments.iter().flat_map(|segment| match &segment.flood {
                OverlayFlood::All(vteps) | OverlayFlood::OneOf(vteps) => vteps,
            });
            self.vteps = flood.collect::<BTreeSet<_>>().len();
        }
    }

    /// Passes on what control says in return.
    pub fn serve(&mut self, control: &mut Control) {
        let feedback = control.feedback(Controller::Evpn, LOCALS);
        if feedback.is_empty() {
            return;
        }
        let Feedback { refused, locals, full, .. } = &feedback;
        if let Some(refused) = refused {
            for Refusal { number, why, .. } in refused {
                let cure = "change the VNI in the configuration or in FRR";
                complain!(warn, "a VNI of FRR is not followed", cure; controller = "evpn", vni = number, error = why);
            }
            self.refused.clone_from(refused);
        }
        if *full == Some(true) {
            complain!(
                warn,
                "the forwarding table is too small for all remote MACs, and the rest is flooded",
                "raise fdb.size and restart";
                controller = "evpn", macs = control.known_macs()
            );
        }
        self.published += locals.iter().filter(|(.., place)| place.is_some()).count() as u64;
        self.follower.tell(&feedback);
    }

    /// A line of `show controllers`.
    pub fn view(&self, control: &Control, now: Nanos) -> ControllerView {
        let seconds = |then: Nanos| now.saturating_sub(then) / 1_000_000_000;
        let state = match (self.stale, self.vteps) {
            (true, _) => "lost",
            (false, 0) => "waiting",
            (false, _) => "connected",
        };
        let rejected = self.refused.iter().map(|refusal| RejectedView {
            table: "VNI".into(),
            row: refusal.number.to_string(),
            reason: refusal.why.clone(),
        });
        ControllerView {
            name: Controller::Evpn.name().into(),
            target: format!("FRR in {}", self.namespace),
            state: state.into(),
            since: self.changed.map_or(0, seconds),
            error: self.trouble.clone(),
            last_change: self.changed.map(seconds),
            stale: self.stale,
            applied: AppliedView {
                segments: self.wanted.len() as u64,
                bindings: 0,
                macs: control.remote_macs(Controller::Evpn) as u64,
                vteps: self.vteps as u64,
                neighbours: self.neighbours.try_into().unwrap_or(0),
            },
            published: PublishedView { macs: self.published, ..PublishedView::default() },
            rejected: rejected.collect(),
            rejected_rows: self.refused.len() as u64,
            ..ControllerView::default()
        }
    }
}
