//! From what the pipeline did with a frame to what is said of it.

use config::types::{Mac, Tag};

use super::Walk;
use super::view::{
    ChosenHop, DestinationView, ExplainView, ExplainedDrop, FitView, FrameView, HeaderView, OutputView, SourceView,
    SpotView, StepView,
};
use crate::batch::{Aim, Arrival, Class};
use crate::control::ids::EndpointKey;
use crate::control::{Control, Nanos};
use crate::decode::{self, TunnelPorts};
use crate::frame::PortId;
use crate::tables::{EndpointId, FdbEntry, Origin, SegmentId, Template, Way};
use crate::verdict::DropReason;
use crate::wire::peek::peek;

/// Tags that a hint lists, at most.
const TAGS: usize = 8;

/// Everything that can be said of a walk.
pub fn tell(control: &Control, port: PortId, frame: &[u8], walk: &Walk, now: Nanos) -> ExplainView {
    let mut view = ExplainView {
        port: control.port_name(port).to_owned(),
        frame: control.view_frame(frame),
        output_count: (walk.sent.len() + walk.host.len()) as u64,
        drop_count: walk.losses.count.into(),
        ..ExplainView::default()
    };
    let mut outputs = control.outputs(walk);
    outputs.extend(walk.host.iter().map(|(port, bytes)| OutputView {
        port: control.port_name(*port).to_owned(),
        frame: control.view_frame(bytes),
        ..OutputView::default()
    }));
    view.outputs = outputs;
    let drops = walk.losses.first.iter();
    view.drops = drops.map(|&(reason, to)| control.view_loss(reason, to, port, frame, walk)).collect();
    view.verdict = verdict(walk, &view).into();
    match &walk.class {
        Class::Bridge(arrival) => control.tell_bridged(&mut view, arrival, walk, now),
        Class::Host { .. } => {
            let text = format!("on {}: it is the underlay's own traffic", view.port);
            step(&mut view, "arrive", text);
        }
        Class::Drop(_) => control.tell_refused(&mut view, walk),
    }
    control.tell_end(&mut view, walk);
    view
}

fn step(view: &mut ExplainView, step: &str, text: String) {
    view.steps.push(StepView { step: step.into(), text });
}

fn verdict(walk: &Walk, view: &ExplainView) -> &'static str {
    let known = view.outputs.iter().any(|output| output.to.is_some());
    match (&walk.class, walk.aim) {
        _ if view.output_count == 0 => "dropped",
        _ if walk.losses.count > 0 && !known && walk.host.is_empty() => "dropped",
        (Class::Bridge(_), Aim::Endpoint(_)) if known => "forwarded",
        (Class::Bridge(_), Aim::Group | Aim::Unknown) if known => "flooded",
        _ if walk.sent.is_empty() => "host",
        _ => "answered",
    }
}

impl Control {
    fn ports_of_tunnels(&self) -> TunnelPorts {
        TunnelPorts { vxlan: self.model.vtep.vxlan_port, geneve: self.model.vtep.geneve_port }
    }

    fn view_frame(&self, bytes: &[u8]) -> FrameView {
        let layers = decode::layers(bytes, self.ports_of_tunnels());
        FrameView {
            length: bytes.len() as u64,
            hex: decode::hex(bytes),
            headers: layers.into_iter().map(|layer| HeaderView { header: layer.short, detail: layer.more }).collect(),
        }
    }

    /// What an endpoint is called.
    pub(in crate::control) fn spot(&self, id: EndpointId) -> Option<SpotView> {
        self.naming.endpoints.key(id.0).map(|key| self.spot_of(key))
    }

    /// What an endpoint of this identity is called.
    pub(in crate::control) fn spot_of(&self, key: &EndpointKey) -> SpotView {
        match *key {
            EndpointKey::Attachment(port, tag, _) => {
                let port = self.port_name(port).to_owned();
                let place =
                    if tag == Tag::Untagged { format!("{port} untagged") } else { format!("{port} vlan {tag}") };
                SpotView { place, port: Some(port), vlan: Some(tag.to_string()), ..SpotView::default() }
            }
            EndpointKey::Tunnel(key) | EndpointKey::Group(key, _) => SpotView {
                place: key.to_string(),
                vtep: Some(key.remote.to_string()),
                encap: Some(key.encap.to_string()),
                ..SpotView::default()
            },
        }
    }

    fn tell_bridged(&self, view: &mut ExplainView, arrival: &Arrival, walk: &Walk, now: Nanos) {
        view.vni = self.segment(arrival.segment()).map(|segment| segment.name.clone());
        view.from = self.spot(arrival.from());
        let vni = self.vni_text(arrival.segment());
        let text = match (&view.from, arrival.strip) {
            (Some(from), 0) => format!("on {}, an attachment of {vni}", from.place),
            (Some(from), strip) => {
                format!("from VTEP {} in {vni}: {strip} bytes of outer headers come off", from.place)
            }
            (None, strip) => {
                format!(
                    "from a VTEP that nobody listed, in {vni}, which accepts any: {strip} bytes of outer headers come off"
                )
            }
        };
        step(view, "arrive", text);
        let source = self.source(arrival, walk);
        step(view, "learn", self.source_text(&source, arrival, view.from.as_ref()));
        view.source = Some(source);
        let destination = self.destination(arrival, walk, now);
        step(view, "look up", destination_text(&destination, arrival, walk));
        view.destination = Some(destination);
    }

    fn tell_refused(&self, view: &mut ExplainView, walk: &Walk) {
        let (segment, from) = walk.whose;
        view.from = self.spot(from);
        view.vni = segment.and_then(|id| self.segment(id)).map(|segment| segment.name.clone());
        let vni = segment.map_or(String::new(), |id| format!(", in {}", self.vni_text(id)));
        let text = match &view.from {
            Some(SpotView { place, vtep: Some(_), .. }) => format!("on {}, from VTEP {place}{vni}", view.port),
            Some(SpotView { place, .. }) => format!("on {place}{vni}"),
            None => format!("on {}{vni}", view.port),
        };
        step(view, "arrive", text);
    }

    fn vni_text(&self, id: SegmentId) -> String {
        let Some(segment) = self.segment(id) else { return "a VNI that has gone".into() };
        let number = segment.vxlan.or(segment.geneve).map(|vni| vni.value().to_string());
        match number {
            Some(number) if number != segment.name => format!("VNI {} ({number})", segment.name),
            _ => format!("VNI {}", segment.name),
        }
    }

    fn source(&self, arrival: &Arrival, walk: &Walk) -> SourceView {
        let [before, _] = walk.known;
        let here = |entry: FdbEntry| entry.place() == arrival.whence.place();
        let outcome = match (before, walk.source_after) {
            (Some(entry), _) if here(entry) => "known",
            (Some(_), Some(after)) if here(after) => "moved",
            (Some(_), _) => "held",
            (None, Some(_)) => "learned",
            (None, None) => "ignored",
        };
        SourceView {
            mac: Mac(arrival.source.mac()).to_string(),
            outcome: outcome.into(),
            place: before.and_then(|entry| self.spot(entry.endpoint())),
            origin: before.map(|entry| origin(entry.origin()).into()),
        }
    }

    fn source_text(&self, source: &SourceView, arrival: &Arrival, from: Option<&SpotView>) -> String {
        let mac = &source.mac;
        let place = source.place.as_ref().map_or("elsewhere", |place| &place.place);
        let origin = source.origin.as_deref().unwrap_or("learned");
        match source.outcome.as_str() {
            "known" => format!("source {mac} is known here ({origin})"),
            "moved" => format!("source {mac} moves here from {place}"),
            "held" if origin != "learned" => {
                format!("source {mac} stays at {place}: a frame moves no {origin} entry")
            }
            "held" => format!("source {mac} stays at {place}: {}", self.why_not(arrival, from)),
            "learned" => format!("source {mac} is new and is learned here"),
            _ => format!("source {mac} is not learned: {}", self.why_not(arrival, from)),
        }
    }

    /// Why no new MAC is learned.
    fn why_not(&self, arrival: &Arrival, from: Option<&SpotView>) -> &'static str {
        let enabled = self.segment(arrival.segment()).is_some_and(|segment| segment.learning.enabled);
        let open = |id: EndpointId| self.plan.tables.endpoints.get(id.index()).is_some_and(|endpoint| endpoint.learns);
        match from {
            _ if !enabled => "learning is off in this VNI",
            None => "its VTEP is not known yet",
            _ if self.fdb.limits().segment_is_full(arrival.segment()) => "the VNI's limit of MACs is reached",
            _ if !open(arrival.from()) => "the limit of MACs is reached here",
            _ => "nothing is learned from it",
        }
    }

    fn destination(&self, arrival: &Arrival, walk: &Walk, now: Nanos) -> DestinationView {
        let mut view = DestinationView {
            mac: Mac(arrival.destination.mac()).to_string(),
            kind: if arrival.to_group() { "group" } else { "unknown" }.into(),
            ..DestinationView::default()
        };
        let Aim::Endpoint(to) = walk.aim else { return view };
        view.kind = "known".into();
        view.place = self.spot(to);
        let record = self.fdb.record(arrival.destination);
        view.origin = Some(origin(record.map_or(Origin::Fresh, |record| record.origin)).into());
        let learned = record.filter(|record| record.origin == Origin::Learned);
        view.age = learned.map(|record| now.saturating_sub(record.seen) / 1_000_000_000);
        view
    }

    /// The frames for ports, each with where it goes.
    fn outputs(&self, walk: &Walk) -> Vec<OutputView> {
        let mut left = self.reached(walk);
        let outputs = walk.sent.iter().map(|(port, bytes)| {
            let place = left.iter().position(|&id| self.leads(id, *port, bytes));
            let to = place.map(|place| left.remove(place));
            OutputView {
                port: self.port_name(*port).to_owned(),
                to: to.and_then(|id| self.spot(id)),
                next_hop: to.and_then(|id| self.chosen(id, *port, bytes)),
                mtu: to.and_then(|id| self.fit(id, *port, bytes)),
                frame: self.view_frame(bytes),
            }
        });
        outputs.collect()
    }

    /// True when a frame that left looks as one for this endpoint does.
    fn leads(&self, id: EndpointId, port: PortId, bytes: &[u8]) -> bool {
        match self.plan.tables.endpoints.get(id.index()).map(|endpoint| &endpoint.way) {
            Some(Way::Attachment(attachment)) => {
                let len = usize::from(attachment.tags_len);
                let tags = attachment.tags[..len].chunks(4);
                let worn = bytes.get(12..12 + len).unwrap_or_default().chunks(4);
                let same = |(tag, worn): (&[u8], &[u8])| {
                    tag[..2] == worn[..2] && tag[2] == worn[2] & 0x0f && tag[3] == worn[3]
                };
                attachment.port == port && tags.len() == worn.len() && tags.zip(worn).all(same)
            }
            Some(Way::Tunnel(tunnel)) => tunnel.hops.iter().any(|hop| wears(hop, port, bytes)),
            _ => false,
        }
    }

    fn hop(&self, id: EndpointId, port: PortId, bytes: &[u8]) -> Option<(usize, usize, &Template)> {
        let Way::Tunnel(tunnel) = &self.plan.tables.endpoints.get(id.index())?.way else { return None };
        let place = tunnel.hops.iter().position(|hop| wears(hop, port, bytes))?;
        Some((place, tunnel.hops.len(), &tunnel.hops[place]))
    }

    fn chosen(&self, id: EndpointId, port: PortId, bytes: &[u8]) -> Option<ChosenHop> {
        let (place, of, hop) = self.hop(id, port, bytes)?;
        let mac = Mac(*hop.header().first_chunk()?);
        let EndpointKey::Tunnel(key) = *self.naming.endpoints.key(id.0)? else {
            return Some(ChosenHop { mac: mac.to_string(), gateway: None, number: 1, of: 1 });
        };
        let hops = self.known_hops(key);
        let known = hops.iter().find(|known| known.port == port && known.mac == Some(mac));
        let gateway = known.and_then(|hop| hop.gateway).map(|gateway| gateway.to_string());
        Some(ChosenHop { mac: mac.to_string(), gateway, number: place as u64 + 1, of: of as u64 })
    }

    fn fit(&self, id: EndpointId, port: PortId, bytes: &[u8]) -> Option<FitView> {
        match &self.plan.tables.endpoints.get(id.index())?.way {
            Way::Attachment(attachment) => {
                let size = bytes.len() - 14 - usize::from(attachment.tags_len);
                Some(FitView { size: size as u64, limit: attachment.mtu.into() })
            }
            Way::Tunnel(_) => {
                let (_, _, hop) = self.hop(id, port, bytes)?;
                Some(FitView { size: (bytes.len() - usize::from(hop.l3)) as u64, limit: hop.mtu.into() })
            }
            Way::Vacant => None,
        }
    }

    fn view_loss(&self, reason: DropReason, to: EndpointId, port: PortId, frame: &[u8], walk: &Walk) -> ExplainedDrop {
        ExplainedDrop {
            reason: reason.label().into(),
            meaning: reason.meaning().trim().into(),
            cure: reason.cure().into(),
            hint: self.hint(reason, to, port, frame, walk),
            to: self.spot(to),
        }
    }

    /// What more can be said of a drop than its reason.
    fn hint(&self, reason: DropReason, to: EndpointId, port: PortId, frame: &[u8], walk: &Walk) -> Option<String> {
        let seen = || peek(frame, self.model.vtep.vxlan_port, self.model.vtep.geneve_port);
        match reason {
            DropReason::UnknownVlan | DropReason::UntaggedNotAllowed => {
                let tags =
                    self.model.ports[port.index()].attachments.iter().map(|attachment| attachment.tag.to_string());
                let all: Vec<String> = tags.collect();
                let more = if all.len() > TAGS { ", …" } else { "" };
                let shown = all[..all.len().min(TAGS)].join(", ");
                let shown = if shown.is_empty() { "none".into() } else { shown };
                Some(format!("port {} maps: {shown}{more}", self.port_name(port)))
            }
            DropReason::UnknownVni => {
                seen().map(|seen| format!("{} VNI {} from {}", seen.encap, seen.vni, seen.source))
            }
            DropReason::UnknownVtep => seen()
                .map(|seen| format!("{} is not in the flood list of VNI {} ({})", seen.source, seen.vni, seen.encap)),
            DropReason::NoNextHop => match *self.naming.endpoints.key(to.0)? {
                EndpointKey::Tunnel(key) => self.state(key, &self.known_hops(key)).1,
                _ => None,
            },
            DropReason::UnderlayMtu => {
                let Way::Tunnel(tunnel) = &self.plan.tables.endpoints.get(to.index())?.way else { return None };
                let limit = tunnel.hops.iter().map(|hop| hop.mtu).min()?;
                let Class::Bridge(arrival) = &walk.class else { return None };
                let outer = usize::from(tunnel.hops.first()?.len - tunnel.hops.first()?.l3);
                let options = self.plan.tables.segments.get(arrival.segment().index())?.options_len;
                let options = if tunnel.encap == config::types::Encap::Geneve { usize::from(options) } else { 0 };
                let kept = frame.len() - usize::from(arrival.tags) - usize::from(arrival.strip);
                Some(format!(
                    "the outer packet would have {} bytes, the underlay takes {limit}",
                    kept + outer + options
                ))
            }
            DropReason::PortMtu => {
                let Way::Attachment(attachment) = &self.plan.tables.endpoints.get(to.index())?.way else { return None };
                Some(format!("port {} takes {} bytes of payload", self.port_name(attachment.port), attachment.mtu))
            }
            DropReason::SplitHorizon => {
                let place = self.spot(to)?.place;
                Some(format!("the destination is at {place}, the side that the frame came from"))
            }
            _ => None,
        }
    }

    fn tell_end(&self, view: &mut ExplainView, walk: &Walk) {
        match view.verdict.as_str() {
            "forwarded" => {
                if let Some(output) = view.outputs.first() {
                    let text = way_text(output);
                    step(view, "forward", text);
                }
            }
            "flooded" => {
                let count = view.output_count;
                let copies = if count == 1 { "1 copy leaves".into() } else { format!("{count} copies leave") };
                step(view, "flood", copies);
            }
            "host" => step(view, "host", format!("the Linux twin of port {} takes it", view.port)),
            "answered" => {
                let text = "the gateway answers in the place of the one who was asked";
                step(view, "answer", text.into());
            }
            _ => {}
        }
        let told = view.outputs.iter().any(|output| output.to.is_none());
        if told && view.drop_count > 0 && view.verdict != "host" {
            step(view, "answer", "the sender is told what would fit".into());
        }
        if walk.losses.count > 0
            && view.verdict == "dropped"
            && let Some(drop) = view.drops.first()
        {
            let text = drop_text(drop);
            step(view, "drop", text);
        } else if walk.losses.count > 0 {
            let count = walk.losses.count;
            step(view, "drop", format!("{count} {} dropped", if count == 1 { "copy is" } else { "copies are" }));
        }
    }
}

/// True when a frame wears this header: the next hop, the port and the outer addresses.
fn wears(hop: &Template, port: PortId, bytes: &[u8]) -> bool {
    let l3 = usize::from(hop.l3);
    let addresses = if hop.v6 { l3 + 8..l3 + 40 } else { l3 + 12..l3 + 20 };
    let udp = usize::from(hop.len) - 14;
    let same = |range: std::ops::Range<usize>| bytes.get(range.clone()) == hop.header().get(range);
    hop.port == port && same(0..l3) && same(addresses) && same(udp..udp + 2)
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Static => "static",
        Origin::Controller => "controller",
        Origin::Learned | Origin::Fresh => "learned",
    }
}

fn destination_text(view: &DestinationView, arrival: &Arrival, walk: &Walk) -> String {
    let mac = &view.mac;
    match (&view.place, walk.aim) {
        (Some(place), _) => {
            let origin = view.origin.as_deref().unwrap_or("learned");
            let age = view.age.map_or(String::new(), |age| format!(", used {age} s ago"));
            format!("destination {mac} is at {} ({origin}{age})", place.place)
        }
        _ if arrival.to_group() => format!("destination {mac} is a group: everywhere in the VNI"),
        _ => format!("destination {mac} is not known in this VNI"),
    }
}

fn way_text(output: &OutputView) -> String {
    let port = &output.port;
    let fits = output.mtu.as_ref().map_or(String::new(), |fit| match &output.next_hop {
        Some(_) => format!("; outer packet {} bytes, fits {}", fit.size, fit.limit),
        None => format!("; payload {} bytes, fits {}", fit.size, fit.limit),
    });
    match (&output.to, &output.next_hop) {
        (Some(to), Some(hop)) => {
            let gateway = hop.gateway.as_ref().map_or(String::new(), |gateway| format!(" ({gateway})"));
            let of =
                if hop.of > 1 { format!(", {} of {}, chosen by the flow", hop.number, hop.of) } else { String::new() };
            format!("to VTEP {} through {port}, next hop {}{gateway}{of}{fits}", to.place, hop.mac)
        }
        (Some(to), None) => format!("to {}{fits}", to.place),
        _ => format!("through {port}"),
    }
}

fn drop_text(drop: &ExplainedDrop) -> String {
    let hint = drop.hint.as_ref().map_or(String::new(), |hint| format!(" Here: {hint}."));
    format!("{}: {}{hint} {}", drop.reason, drop.meaning, drop.cure)
}
