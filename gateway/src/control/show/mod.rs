//! Control's answers to `show`: what is configured, what is in force, what the cores counted when last asked.

mod drops;
mod fdb;
mod hops;
mod rules;
mod vteps;

use config::types::{Accept, Attachment, Flood, Model, Port};
use hdrhistogram::Histogram;

pub use self::drops::DropFilter;
pub use self::fdb::{FdbFilter, MacOrigin, MacPrefix};
use super::Control;
use super::view::{
    AttachmentView, MemberView, PortView, RemoteView, StageView, TallyView, UnderlayView, VniView, WorkerView,
};
use crate::costs::{Costs, EVERY, Stage};
use crate::counters::{Counters, Flow, Tally};
use crate::driver::BURST;
use crate::frame::PortId;
use crate::tables::{EndpointId, SegmentId};

impl Control {
    /// The counters of all cores together, when last asked ([`super::Event::Count`]).
    pub fn counters(&self) -> Counters {
        let tables = &self.plan.tables;
        let mut sum = Counters::new(tables.ports.len(), tables.segments.len(), tables.endpoints.len());
        self.before.iter().for_each(|before| sum.merge(before));
        self.cores.iter().for_each(|core| sum.merge(&core.counters));
        sum
    }

    /// The same since the operator cleared them: what `show` tells.
    pub fn counters_shown(&self) -> Counters {
        let tables = &self.plan.tables;
        let mut sum = Counters::new(tables.ports.len(), tables.segments.len(), tables.endpoints.len());
        // What was before a restart is before the last time that they were cleared.
        let cleared = self.cores.iter().any(|core| core.cleared.is_some());
        self.before.iter().filter(|_| !cleared).for_each(|before| sum.merge(before));
        self.cores.iter().for_each(|core| sum.merge(&core.shown()));
        sum
    }

    /// True when every core's counters are in that were asked for.
    pub fn has_counters(&self) -> bool {
        self.cores.iter().all(|core| core.stopped || !core.asked && core.spare.is_some())
    }

    /// The operator's name of a port.
    pub(in crate::control) fn port_name(&self, port: PortId) -> &str {
        self.model.ports.get(port.index()).map_or("?", |port| &port.name)
    }

    /// `show ports`.
    pub fn view_ports(&self) -> Vec<PortView> {
        let counters = self.counters_shown();
        let ports = self.model.ports.iter().enumerate();
        ports.map(|(index, port)| self.view_port(PortId(index as u8), port, &counters)).collect()
    }

    fn view_port(&self, id: PortId, port: &Port, counters: &Counters) -> PortView {
        let counted = &counters.ports[id.index()];
        let attachments = port.attachments.iter().zip(&self.plan.attachments[id.index()]);
        PortView {
            name: port.name.clone(),
            device: port.device.clone(),
            mac: self.facts[id.index()].mac.to_string(),
            mtu: self.plan.tables.ports[id.index()].mtu,
            link: None,
            underlay: port.underlay.as_ref().map(|underlay| UnderlayView {
                vlan: underlay.vlan.map(|vlan| vlan.value()),
                twin: underlay.twin.clone(),
                addresses: underlay.addresses.iter().map(|(address, len)| format!("{address}/{len}")).collect(),
                via: underlay.via.map(|mac| mac.to_string()),
            }),
            attachments: attachments.map(|(attachment, &id)| self.view_attachment(attachment, id, counters)).collect(),
            macs: u64::from(self.fdb.limits().at_port(id)),
            mac_limit: port.mac_limit,
            rx: counted.rx.into(),
            tx: counted.tx.into(),
            to_host: counted.to_host.into(),
            from_host: counted.from_host.into(),
            dropped: counted.drops.iter().sum(),
            answered: counted.answered,
            told: counted.told,
        }
    }

    fn view_attachment(&self, attachment: &Attachment, id: EndpointId, counters: &Counters) -> AttachmentView {
        let Flow { rx, tx } = counters.endpoints[id.index()];
        AttachmentView {
            vlan: attachment.tag.to_string(),
            vni: self.model.segments[attachment.segment].name.clone(),
            rx: rx.into(),
            tx: tx.into(),
            macs: u64::from(self.fdb.limits().at_endpoint(id)),
            learning: self.plan.tables.endpoints[id.index()].learns,
        }
    }

    /// `show vnis`.
    pub fn view_vnis(&self) -> Vec<VniView> {
        let counters = self.counters_shown();
        let mut members = members(&self.model).into_iter();
        let segments = self.model.segments.iter().zip(&self.plan.segments).enumerate();
        segments
            .map(|(index, (segment, &id))| {
                let (macs, learned) = self.fdb.limits().in_segment(id);
                let Flow { rx, tx } = counters.segments[id.index()];
                let (flood_vteps, flood_group) = match &segment.flood {
                    Flood::Vteps(remotes) => (remotes.iter().map(RemoteView::from).collect(), None),
                    Flood::Group { group, .. } => (Vec::new(), Some(group.to_string())),
                };
                VniView {
                    name: segment.name.clone(),
                    vxlan: segment.vxlan.map(|vni| vni.value()),
                    geneve: segment.geneve.map(|vni| vni.value()),
                    controller: self.owner(index).map(|owner| owner.name().into()),
                    ports: members.next().unwrap_or_default(),
                    flood_vteps,
                    flood_group,
                    flood_unknown: segment.flood_unknown,
                    accept: if segment.accept == Accept::Any { "any" } else { "flood-list" }.into(),
                    learning: self.learning(segment.learning.enabled, id).into(),
                    ageing: segment.learning.ageing.map(|ageing| ageing.as_secs()),
                    limit: segment.learning.limit,
                    macs: u64::from(macs),
                    learned: u64::from(learned),
                    rx: rx.into(),
                    tx: tx.into(),
                }
            })
            .collect()
    }

    fn learning(&self, enabled: bool, id: SegmentId) -> &'static str {
        match (enabled, self.fdb.limits().segment_is_full(id)) {
            (false, _) => "off",
            (true, false) => "on",
            (true, true) => "full",
        }
    }

    /// `show workers`.
    pub fn view_workers(&self) -> Vec<WorkerView> {
        let view = |index: usize| {
            let core = &self.cores[index];
            let counters = &*core.shown();
            let sum = |of: fn(&crate::counters::PortCounters) -> Tally| {
                let mut sum = Tally::default();
                counters.ports.iter().for_each(|port| sum.merge(of(port)));
                TallyView::from(sum)
            };
            let bursts = sizes(&counters.bursts);
            let costs = &counters.costs;
            let busy_cycles = costs.busy_cycles * u64::from(EVERY);
            WorkerView {
                core: core.cpu,
                turns: counters.turns,
                busy: share(counters.busy_turns, counters.turns),
                rx: sum(|port| port.rx),
                tx: sum(|port| port.tx),
                bursts: bursts.len(),
                burst_mean: bursts.mean(),
                burst_p50: bursts.value_at_quantile(0.50) as u16,
                burst_p99: bursts.value_at_quantile(0.99) as u16,
                replicated: counters.replicated,
                handed_over: counters.handed_over,
                taken_over: counters.taken_over,
                learned: counters.learned,
                unreported: counters.unreported,
                dropped: counters.ports.iter().flat_map(|port| port.drops).sum(),
                load: (costs.total_cycles != 0).then(|| share(busy_cycles, costs.total_cycles).min(1.0)),
                busy_cycles,
                idle_cycles: costs.total_cycles.saturating_sub(busy_cycles),
                stages: stages(costs),
                sampled_frames: costs.frames,
                interrupted: costs.interrupted,
                rx_queues: Vec::new(),
                tx_queues: Vec::new(),
                backlog: self.backlog(index),
            }
        };
        (0..self.cores.len()).map(view).collect()
    }
}

/// What each stage costs a frame.
fn stages(costs: &Costs) -> Vec<StageView> {
    let view = |&stage: &Stage| {
        let cycles = costs.stages[stage as usize];
        StageView { stage: stage.label().into(), cycles_per_frame: share(cycles, costs.frames), cycles }
    };
    if costs.frames == 0 { Vec::new() } else { Stage::ALL.iter().map(view).collect() }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The sizes of the bursts with frames, as a histogram that is exact up to the largest burst.
fn sizes(bursts: &[u64]) -> Histogram<u64> {
    let mut sizes = Histogram::new_with_max(2 * BURST as u64, 3).expect("the bounds are constants and valid");
    for (size, &count) in (0..).zip(bursts).skip(1) {
        sizes.saturating_record_n(size, count);
    }
    sizes
}

/// The local members of every segment.
fn members(model: &Model) -> Vec<Vec<MemberView>> {
    let mut members = vec![Vec::new(); model.segments.len()];
    for port in &model.ports {
        for attachment in &port.attachments {
            let member = MemberView { port: port.name.clone(), vlan: attachment.tag.to_string() };
            members[attachment.segment].push(member);
        }
    }
    members
}

impl From<&config::types::Remote> for RemoteView {
    fn from(remote: &config::types::Remote) -> Self {
        Self {
            vtep: remote.address.to_string(),
            encap: remote.encap.to_string(),
            own_vni: remote.vni.map(|vni| vni.value()),
        }
    }
}
