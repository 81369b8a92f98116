//! Answers to `causeway show`: control's views, as values for scripts or as tables for people.

use gateway::control::explain::{self, Sample};
use gateway::control::view::{DeviceView, LinkView};
use gateway::control::{Control, DropFilter, FdbFilter, Nanos, find_reason};
use gateway::decode;
use gateway::frame::PortId;
use gateway::source::carrier::Beneath;
use gateway::tables::FdbKey;
use gateway::telemetry::{
    DropFilter as DropAsk, ExplainAsk, FDB_PAGE, FdbFilter as FdbAsk, PortFilter, Request, Show, Verb, VniFilter,
    VtepFilter, render,
};
use serde_json::{Value, json};

use super::around::{Around, health};
use super::controllers::Controllers;
use super::machine::Machine;

/// The state of the ports' links, by port.
pub struct Links {
    /// Up or down, and how fast.
    pub state: Box<dyn Fn(usize) -> Option<LinkView>>,
    /// All about the device.
    pub device: Box<dyn Fn(usize) -> Option<DeviceView>>,
    /// What is beneath a port whose driver does not look.
    pub beneath: Box<dyn Fn(usize) -> Option<Beneath>>,
}

impl Links {
    /// The state of a port's link; `None` where nobody knows.
    pub fn state(&self, port: usize) -> Option<LinkView> {
        (self.state)(port)
    }

    /// All devices.
    fn devices(&self, ports: usize) -> Vec<DeviceView> {
        (0..ports).filter_map(|port| (self.device)(port)).collect()
    }
}

/// What control says to a request.
pub fn answer(
    control: &mut Control,
    links: &Links,
    controllers: &Controllers,
    machine: &Machine,
    around: &Around,
    request: &Request,
    now: Nanos,
) -> Result<Value, String> {
    let text = request.text;
    let show = match &request.verb {
        Verb::Show(show) => show,
        Verb::Act(act) => return super::act::act(control, act),
        Verb::Follow(_) => return Err("what is followed has no single answer".into()),
    };
    Ok(match show {
        Show::Ports(asked) => ports(control, links, asked, text)?,
        Show::Vnis(asked) => vnis(control, asked, text)?,
        Show::Vteps(asked) => vteps(control, asked, text)?,
        Show::Links => {
            let devices = links.devices(control.model().ports.len());
            if text { render::links(&devices).into() } else { json!(devices) }
        }
        Show::NextHops => {
            let hops = control.view_next_hops();
            if text { render::next_hops(&hops).into() } else { json!(hops) }
        }
        Show::Config => match text {
            true => config::render(control.configured()).into(),
            false => json!(config::to_file(control.configured())),
        },
        Show::Health => {
            let health = health(control, links, controllers, around);
            if text { render::health(&health).into() } else { json!(health) }
        }
        Show::Version => {
            let version = around.version(control);
            if text { render::version(&version).into() } else { json!(version) }
        }
        Show::Fdb(asked) => fdb(control, asked, text, now)?,
        Show::Drops(asked) => drops(control, asked, text)?,
        Show::Explain(asked) => return explain(control, asked, &request.body, text, now),
        Show::Top { limit } => {
            let mut top = control.view_top(*limit, now);
            for (index, port) in top.ports.iter_mut().enumerate() {
                port.up = links.state(index).map(|link| link.up);
            }
            json!(top)
        }
        Show::Workers => {
            let mut workers = control.view_workers();
            for (worker, queues) in workers.iter_mut().zip(&machine.queues) {
                (worker.rx_queues, worker.tx_queues) = (queues.rx.clone(), queues.tx.clone());
            }
            if text { render::workers(&workers).into() } else { json!(workers) }
        }
        Show::Neighbours(asked) => {
            let vni = asked.vni.as_ref().map(|vni| control.find_vni(vni)).transpose()?;
            let neighbours = control.view_neighbours(vni.as_deref());
            if text { render::neighbours(&neighbours).into() } else { json!(neighbours) }
        }
        Show::Rules => {
            let rules = control.view_rules();
            if text { render::rules(&rules).into() } else { json!(rules) }
        }
        Show::Controllers => {
            let controllers = controllers.view(control, now);
            if text { render::controllers(&controllers).into() } else { json!(controllers) }
        }
    })
}

fn ports(control: &Control, links: &Links, asked: &PortFilter, text: bool) -> Result<Value, String> {
    let mut ports = control.view_ports();
    for (index, port) in ports.iter_mut().enumerate() {
        port.link = links.state(index);
    }
    if let Some(name) = &asked.port {
        ports = vec![ports.swap_remove(control.port_called(name)?)];
    }
    Ok(match (text, &asked.port) {
        (true, Some(_)) => ports.iter().map(render::port).collect::<String>().into(),
        (true, None) => render::ports(&ports).into(),
        (false, _) => json!(ports),
    })
}

fn vnis(control: &Control, asked: &VniFilter, text: bool) -> Result<Value, String> {
    let mut vnis = control.view_vnis();
    if let Some(name) = &asked.vni {
        vnis = vec![vnis.swap_remove(control.vni_called(name)?)];
    }
    Ok(match (text, &asked.vni) {
        (true, Some(_)) => vnis.iter().map(render::vni).collect::<String>().into(),
        (true, None) => render::vnis(&vnis).into(),
        (false, _) => json!(vnis),
    })
}

fn vteps(control: &Control, asked: &VtepFilter, text: bool) -> Result<Value, String> {
    let mut vteps = control.view_vteps();
    if let Some(address) = asked.vtep {
        let address = control.find_vtep(address)?.to_string();
        vteps.retain(|vtep| vtep.vtep == address);
    }
    Ok(match (text, asked.vtep) {
        (true, Some(_)) => vteps.iter().map(render::vtep).collect::<Vec<_>>().join("\n").into(),
        (true, None) => render::vteps(&vteps).into(),
        (false, _) => json!(vteps),
    })
}

fn fdb(control: &Control, asked: &FdbAsk, text: bool, now: Nanos) -> Result<Value, String> {
    let filter = filter(control, asked)?;
    if asked.count {
        let (_, macs) = control.page_fdb(&filter, None, 0, now);
        return Ok(if text { render::count_of_macs(macs).into() } else { json!({ "macs": macs }) });
    }
    let after = asked.after.as_ref().map(|place| fdb_place(control, place)).transpose()?;
    let limit = asked.limit.unwrap_or(FDB_PAGE).min(FDB_PAGE);
    let (rows, total) = control.page_fdb(&filter, after, limit, now);
    Ok(if text { render::fdb(&rows, total).into() } else { json!(rows) })
}

fn drops(control: &Control, asked: &DropAsk, text: bool) -> Result<Value, String> {
    let filter = DropFilter {
        reason: asked.reason.as_deref().map(find_reason).transpose()?,
        port: asked.port.as_ref().map(|port| control.find_port(port)).transpose()?,
        vni: asked.vni.as_ref().map(|vni| control.find_vni(vni)).transpose()?,
        vtep: asked.vtep.map(|vtep| control.find_vtep(vtep)).transpose()?,
        last: asked.last.unwrap_or(0),
    };
    // Scripts want to read a zero; people want to read what happened.
    let drops = control.view_drops_of(&filter, !text);
    Ok(if text { render::drops(&drops).into() } else { json!(drops) })
}

/// What becomes of a frame: the one whose digits are in `body`, or one as asked.
fn explain(control: &mut Control, asked: &ExplainAsk, body: &str, text: bool, now: Nanos) -> Result<Value, String> {
    let port = PortId(control.port_called(&asked.port)? as u8);
    let frame = match (body.trim(), &asked.dst) {
        ("", None) => {
            return Err("say where the frame goes with --dst, or give a whole one with --frame or --pcap".into());
        }
        ("", Some(destination)) => {
            let source = asked.src.as_ref().map(|mac| mac.parse()).transpose()?;
            let size = asked.size.unwrap_or_default();
            if size > explain::LONGEST {
                return Err(format!("{size} bytes are too many; the largest frame has {}", explain::LONGEST));
            }
            let sample = Sample { vlan: asked.vlan.clone(), destination: destination.parse()?, source, size };
            control.sample(port, &sample)?
        }
        (digits, _) => decode::bytes(digits)?,
    };
    if frame.len() > explain::LONGEST {
        return Err(format!("the frame has {} bytes; the largest one has {}", frame.len(), explain::LONGEST));
    }
    let view = control.explain(port, &frame, now);
    Ok(if text { gateway::telemetry::explain::explain(&view).into() } else { json!(view) })
}

/// Which MACs are meant, in control's words.
pub fn filter(control: &Control, asked: &FdbAsk) -> Result<FdbFilter, String> {
    let mac = asked.mac.as_ref().map(|mac| mac.parse()).transpose()?;
    let begins = asked.begins.as_ref().map(|begins| begins.parse()).transpose()?;
    let vni = asked.vni.as_ref().map(|vni| control.find_vni(vni)).transpose()?;
    let port = asked.port.as_ref().map(|port| control.find_port(port)).transpose()?;
    let vtep = asked.vtep.map(|vtep| control.find_vtep(vtep)).transpose()?;
    Ok(FdbFilter { vni, port, vtep, mac, begins, origin: asked.origin })
}

/// The row that a page begins behind: `VNI/MAC`.
fn fdb_place(control: &Control, place: &str) -> Result<FdbKey, String> {
    let row = place.split_once('/').and_then(|(vni, mac)| control.fdb_key(vni, mac.parse().ok()?));
    row.ok_or_else(|| {
        format!("'{place}' is no place to go on from: its VNI has gone, or it is not VNI/MAC; begin anew")
    })
}
