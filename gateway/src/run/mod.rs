//! `causeway run`: builds the gateway from its parts, lets it run, and takes it down again.
//!
//! Every part takes itself away when it is dropped, so a start that fails half-way leaves nothing behind, and neither
//! does an end: first the workers, then what feeds them, then the twins, the devices, and last the socket.

mod act;
mod answer;
mod around;
mod change;
mod controllers;
mod crew;
mod desk;
mod door;
mod evpn;
pub mod host;
pub mod log;
mod machine;
pub mod parent;
mod pulse;
mod service;
pub mod signals;
mod state;
#[cfg(feature = "dpdk")]
mod telemetry;
mod trace;
mod twins;
mod underlay;
mod worker;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use config::types::Model;
use crossbeam::channel::{Sender, unbounded};
use gateway::complain;
use gateway::control::{Control, PortFacts};
use gateway::driver::Driver;
use gateway::frame::{Pool, PortId};
use gateway::inform;
use gateway::link::Link;
use gateway::rights;
use gateway::tables::Tables;
use gateway::telemetry::Server;
use gateway::telemetry::metrics::Exporter;

use self::answer::Links;
use self::around::Around;
use self::change::{Changes, trigger};
use self::controllers::Controllers;
use self::crew::Crew;
use self::desk::{Desk, Message};
use self::door::{Door, measure};
use self::machine::Machine;
use self::pulse::Pulses;
use self::service::Service;
use self::signals::{Watch, Wish};
use self::trace::Traces;
use self::twins::Carriers;
use self::underlay::Underlay;

/// `causeway 0.1.0 (dpdk 22.11.11)`; the build script writes the part after the name.
pub const VERSION: &str = match option_env!("CAUSEWAY_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};

/// How long the workers may take to end.
const PATIENCE: Duration = Duration::from_millis(800);

/// Forwards as `file` says until told to stop; answers on `socket`.
pub fn run(file: &Path, socket: &Path) -> Result<(), String> {
    let model = load(file)?.model;
    host::check(&model)?;
    host::raise_descriptors(&model);
    // Before there is a second thread: each starts with the rights of the one that made it.
    rights::keep(rights::for_start(&model));
    let (tell, inbox) = unbounded();
    let trigger = trigger::start(file, model.reload.clone(), tell.clone())?;
    let _signals = {
        let (tell, trigger) = (tell.clone(), trigger.clone());
        Watch::start(move |wish| match wish {
            Wish::Stop => drop(tell.send(Message::Stop)),
            Wish::Reload => drop(trigger.send(trigger::Wish::Signal)),
        })?
    };
    let _server = {
        let door = Door { tell: tell.clone(), trigger: trigger.clone() };
        Server::open(socket, &host::access(&model.api)?, door)?
    };
    let start = Start { file: file.to_owned(), model, tell, inbox, trigger, socket: socket.to_owned() };
    devices::forward(start)
}

/// Warnings about a configuration that are named in the log; there may be one for each of thousands of VNIs.
const WARNINGS: usize = 20;

/// Reads the configuration; its problems go to standard error.
fn load(file: &Path) -> Result<config::Loaded, String> {
    let loaded = config::load(file).map_err(|problems| {
        eprintln!("{problems}");
        refusal(file, &problems)
    })?;
    warn_of(file, &loaded.warnings);
    Ok(loaded)
}

/// Tells the log what is odd about a file.
fn warn_of(file: &Path, warnings: &[config::Problem]) {
    for warning in warnings.iter().take(WARNINGS) {
        let config::Problem { file, line, column, path, rule, cure, .. } = warning;
        let at = format_args!("{file}:{line}:{column}");
        complain!(warn, format_args!("the configuration is odd: {rule}"), cure; at = at, path = path);
    }
    if warnings.len() > WARNINGS {
        let more: usize = warnings[WARNINGS..].iter().map(config::Problem::stands_for).sum();
        complain!(warn, "more of the configuration is odd", "see 'causeway check'"; file = file.display(), warnings = more);
    }
}

/// That a file is refused, in one line.
fn refusal(file: &Path, problems: &config::Problems) -> String {
    let errors = problems.errors();
    format!("{} is refused for {errors} error{}", file.display(), plural(errors))
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// What is ready before a device is opened.
struct Start {
    file: std::path::PathBuf,
    model: Model,
    tell: Sender<Message>,
    inbox: crossbeam::channel::Receiver<Message>,
    trigger: Sender<trigger::Wish>,
    socket: std::path::PathBuf,
}

/// What opening the devices gives.
struct Devices<D: Driver, P> {
    /// By port.
    facts: Vec<PortFacts>,
    /// By worker.
    drivers: Vec<D>,
    /// By worker: more handles to its pool, for the frames of the twins.
    pools: Vec<P>,
    links: Links,
    machine: Machine,
}

/// Lets a gateway run on its devices. `enter` is what each worker does on its thread before all else.
fn forward<D, P, G>(
    start: Start,
    devices: Devices<D, P>,
    enter: impl Fn() -> Result<G, String> + Clone + Send + 'static,
) -> Result<(), String>
where
    D: Driver + 'static,
    P: Pool<Frame = D::Frame> + Clone + Send + 'static,
{
    let Start { file, model, tell, inbox, trigger, socket } = start;
    let Devices { facts, drivers, pools, links: carriers, machine } = devices;
    let clock = Instant::now();
    let underlay = Underlay::open(&model, &facts)?;
    let model = Arc::new(model);
    let mut control = Control::new(Arc::clone(&model), facts);
    let keeper = state::start(&model, &socket, &mut control);
    let rings: Vec<Link<D::Frame>> = drivers.iter().map(|_| Link::new()).collect();

    let has_tx: Vec<Vec<bool>> = drivers
        .iter()
        .map(|driver| (0..model.ports.len()).map(|port| driver.has_tx(PortId(port as u8))).collect())
        .collect();
    let twin_threads = carry(&underlay, &rings, &has_tx, &pools)?;

    let entries: Arc<[_]> = control.entries().collect();
    let tables: Arc<Tables> = Arc::from(control.tables());
    if entries.len() > model.fdb_size as usize {
        let (macs, room) = (entries.len(), model.fdb_size);
        return Err(format!("{macs} static MACs do not fit into a forwarding table of {room}; raise fdb.size"));
    }
    let pulses = Pulses::new(&model.workers.cores);
    let crew = Crew {
        model: &model,
        tables: &tables,
        entries: &entries,
        start: clock,
        cycles: machine.clock,
        pulses: &pulses,
        tell: &tell,
    };
    let (workers, mut failed) = crew.start(drivers, &has_tx, &rings, enter);
    drop(entries);
    drop(tables);

    let motto = motto(&model);
    let around = Around { file, start: clock, stuck: Vec::new(), file_problem: None, problems: Vec::new() };
    let changes = Changes::new(Arc::clone(&model));
    let service = Service::of_environment();
    rights::keep(rights::for_running(&model));
    let controllers = match &failed {
        None => Controllers::start(&model, &tell),
        Some(_) => Ok(Controllers::default()),
    };
    let controllers = controllers.unwrap_or_else(|why| {
        failed = Some(why);
        Controllers::default()
    });
    let exporter = Exporter::new(move || measure(&tell));
    let mut desk = Desk {
        control,
        underlay,
        links: rings,
        inbox,
        carriers,
        machine,
        exporter,
        changes,
        trigger,
        motto,
        start: clock,
        pulses,
        service,
        controllers,
        traces: Traces::new(clock),
        around,
        keeper,
        restless: 0,
    };
    let worked = failed.map_or_else(|| desk.work(), Err);
    inform!("stopping"; uptime_s = desk.start.elapsed().as_secs());
    desk.service.stopping();
    drop(std::mem::take(&mut desk.controllers));
    let stopped = desk.stop(|| workers.iter().all(JoinHandle::is_finished), PATIENCE);
    drop(twin_threads);
    if !stopped {
        // Its devices cannot be closed under it; the end of the process does that.
        return Err(worked.err().unwrap_or_else(|| "a worker did not stop in time; please report it".into()));
    }
    if let Some(keeper) = desk.keeper.take() {
        keeper.finish(&mut desk.control);
    }
    balance(&desk.control);
    worked
}

/// Threads between the twins and the cores that transmit on their ports.
fn carry<P: Pool + Clone + Send + 'static>(
    underlay: &Underlay,
    rings: &[Link<P::Frame>],
    has_tx: &[Vec<bool>],
    pools: &[P],
) -> Result<Carriers, String> {
    let mut carriers = Carriers::new();
    let writers: Vec<_> = underlay.twins().map(|(port, twin)| (port, twin.writer())).collect();
    if writers.is_empty() {
        return Ok(carriers);
    }
    for (port, twin) in underlay.twins() {
        let core = has_tx.iter().position(|has_tx| has_tx[port.index()]).unwrap_or(0);
        carriers.read(port, twin, pools[core].clone(), rings[core].from_host.clone())?;
    }
    carriers.write(writers, rings.iter().map(|link| link.to_host.clone()).collect())?;
    Ok(carriers)
}

fn motto(model: &Model) -> String {
    let (ports, vnis, workers) = (model.ports.len(), model.segments.len(), model.workers.cores.len());
    format!("{ports} port{}, {vnis} VNI{}, {workers} worker{}", plural(ports), plural(vnis), plural(workers))
}

/// Says what became of all frames.
fn balance(control: &Control) {
    let counters = control.counters();
    let (mut rx, mut tx, mut dropped) = (0, 0, 0);
    for port in &counters.ports {
        rx += port.rx.frames;
        tx += port.tx.frames;
        dropped += port.drops.iter().sum::<u64>();
    }
    inform!("stopped"; received = rx, transmitted = tx, dropped = dropped);
}

#[cfg(feature = "dpdk")]
mod devices {
    //! The devices of DPDK.

    use std::rc::Rc;

    use gateway::control::PortFacts;
    use gateway::control::measures::DeviceLosses;
    use gateway::control::view::{DeviceView, LinkView, QueueView};
    use gateway::dpdk;
    use gateway::driver::Driver;
    use gateway::source::carrier::Carriers;

    use super::machine::{Clock, Machine, Queues};
    use super::{Devices, Links, Start};

    /// Opens the devices and forwards.
    pub fn forward(start: Start) -> Result<(), String> {
        let mut opened = dpdk::open(&start.model).map_err(|error| error.to_string())?;
        let asked = start.model.ports.iter().map(|port| port.mtu);
        let facts = opened.ports.iter().zip(asked).map(|(port, mtu)| facts(port, mtu)).collect();
        let ports = opened.ports.clone();
        let same = ports.clone();
        let carriers = Rc::new(Carriers::new(&start.model));
        let (also, beneath) = (Rc::clone(&carriers), Rc::clone(&carriers));
        let links = Links {
            state: Box::new(move |port| {
                let link = ports.get(port)?.link();
                Some(LinkView { up: link.up && carriers.is_up(port).unwrap_or(true), speed_mbps: link.speed })
            }),
            device: Box::new(move |port| {
                let view = same.get(port).map(device)?;
                Some(DeviceView { up: view.up && also.is_up(port).unwrap_or(true), ..view })
            }),
            beneath: Box::new(move |port| beneath.beneath(port)),
        };
        let pools = opened.drivers.iter_mut().map(|driver| driver.pool().clone()).collect();
        let machine = machine(&opened, &start.model);
        let eal = opened.eal.clone();
        let ask = start.tell.clone();
        let teller =
            move |command: &str, name: &str| super::telemetry::tell(&super::measure(&ask).ok()?, command, name);
        let _telling = dpdk::telemetry::Telling::start(&eal, super::telemetry::COMMANDS, Box::new(teller));
        let enter = move || eal.register_thread().map_err(|error| error.to_string());
        super::forward(start, Devices { facts, drivers: opened.drivers, pools, links, machine }, enter)
    }

    /// What the devices can tell later.
    fn machine(opened: &dpdk::Dpdk, model: &config::types::Model) -> Machine {
        let (ports, pools) = (opened.ports.clone(), opened.pools.clone());
        let name = |port: usize| model.ports[port].name.clone();
        let queues = opened.drivers.iter().map(|driver| Queues {
            rx: driver.queues().map(|(port, queue)| QueueView { port: name(port.index()), queue }).collect(),
            tx: driver.tx_queues().map(|(port, queue)| QueueView { port: name(port.index()), queue }).collect(),
        });
        Machine {
            losses: Box::new(move |port| {
                let stats = ports.get(port)?.stats();
                Some(DeviceLosses {
                    missed: stats.rx_missed,
                    errors: stats.rx_errors,
                    no_buffer: stats.rx_no_buffer,
                    tx_errors: stats.tx_errors,
                })
            }),
            buffers_in_use: Box::new(move || Some(pools.iter().map(|pool| u64::from(pool.in_use())).sum())),
            queues: queues.collect(),
            clock: Some(Clock { cycles: dpdk::cycles, hertz: dpdk::hertz() }),
            started: Machine::now(),
        }
    }

    /// All about a port's device, as it is now.
    fn device(port: &dpdk::Port) -> DeviceView {
        let (info, link, stats) = (port.info(), port.link(), port.stats());
        let offloads = &info.offloads;
        let all = [
            (offloads.rx_ipv4_checksum, "rx-ip-checksum"),
            (offloads.rx_udp_checksum, "rx-udp-checksum"),
            (offloads.vlan_strip, "rx-vlan"),
            (offloads.rss_hash, "rss-hash"),
            (offloads.scatter, "scatter"),
            (offloads.tx_ipv4_checksum, "tx-ip-checksum"),
            (offloads.vlan_insert, "tx-vlan"),
            (offloads.multi_segment, "multi-segment"),
        ];
        DeviceView {
            port: info.name.clone(),
            device: info.device.clone(),
            driver: info.driver.clone(),
            mac: info.mac.to_string(),
            up: link.up,
            speed_mbps: link.speed,
            full_duplex: link.full_duplex,
            mtu: info.mtu,
            numa_node: info.node,
            rx_queues: info.rx_queues,
            tx_queues: info.tx_queues,
            offloads: all.into_iter().filter(|(does, _)| *does).map(|(_, name)| name.into()).collect(),
            rx_missed: stats.rx_missed,
            rx_errors: stats.rx_errors,
            rx_no_buffer: stats.rx_no_buffer,
            tx_errors: stats.tx_errors,
        }
    }

    /// What control needs to know of a port that was asked for this MTU.
    fn facts(port: &dpdk::Port, asked: u16) -> PortFacts {
        let info = port.info();
        if let Some(note) = &info.mtu_note {
            match info.mtu < asked {
                true => {
                    let cure = "raise the MTU of the interface or the device, or set the port's mtu to what it takes";
                    gateway::complain!(warn, "a device takes a smaller MTU than is asked for", cure; port = info.name, error = note);
                }
                false => ::log::debug!("port {}: {note}", info.name),
            }
        }
        PortFacts {
            mac: info.mac,
            mtu: info.mtu,
            tx_ip_checksum: info.offloads.tx_ipv4_checksum,
            tx_vlan: info.offloads.vlan_insert,
        }
    }
}

#[cfg(not(feature = "dpdk"))]
mod devices {
    //! A build without DPDK checks and shows, and cannot run.

    /// Says so.
    pub fn forward(_: super::Start) -> Result<(), String> {
        Err("this causeway was built without DPDK and cannot run; build it with the feature 'dpdk'".into())
    }
}
