//! From a configuration to a generator: what to send, and on which devices.

use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use config::types::{Encap, Flood, Model, Remote, Segment, Tag};
use gateway::load::Scene;

use super::figures::Figures;
use super::rig::{Cell, Rig};
use super::{Bench, Job, Refusal};

/// The generator's side of the cables.
#[cfg_attr(not(feature = "dpdk"), allow(dead_code))]
pub struct Devices {
    /// Towards the gateway's port with VLANs.
    pub servers: String,
    /// Towards the gateway's underlay.
    pub fabric: String,
    /// The generator's core.
    pub core: u16,
    /// Both are rings in memory.
    pub rings: bool,
}

/// Measures a gateway that runs elsewhere with the configuration `file`.
pub fn elsewhere(bench: &Bench, file: &Path, figures: &mut Figures, stop: &AtomicBool) -> Result<(), Refusal> {
    let model = config::load(file).map_err(|problems| format!("{problems}\n{} is not right", file.display()))?.model;
    let scene = scene(&model, bench.vni.as_deref())?;
    let jobs = match scene.encap {
        Encap::Vxlan => [Job::VlanVxlan, Job::VxlanVlan],
        Encap::Geneve => [Job::VlanGeneve, Job::GeneveVlan],
    };
    let jobs = if bench.jobs.is_empty() { jobs.to_vec() } else { bench.jobs.clone() };
    if let Some(job) = jobs.iter().find(|job| job.encap() != scene.encap) {
        return Err(format!("VNI {} has {} tunnels, so there is no {}; see --vni", scene.vni, scene.encap, job.name()));
    }
    let devices = Devices {
        servers: bench.servers.clone().unwrap_or_default(),
        fabric: bench.fabric.clone().unwrap_or_default(),
        core: bench.both_cores()?.0,
        rings: false,
    };
    let (vlan, vni) = (scene.vlan.map_or("untagged".into(), |vlan| format!("VLAN {vlan}")), scene.vni);
    figures.progress(&format!(
        "generator on core {}: a server in {vlan}, and the VTEP {} of VNI {vni} ({}) towards {}",
        devices.core, scene.vtep, scene.encap, scene.gateway
    ));
    let real = |device: &str| !device.starts_with("net_");
    let loss = if real(&devices.servers) && real(&devices.fabric) { 0.0 } else { 0.1 };
    with_generator(&devices, scene, stop, |rig| measure(rig, &bench.cells(&jobs, loss), figures))
}

/// Measures every cell, one after the other.
pub fn measure<D: gateway::driver::Driver>(
    rig: &mut Rig<'_, D>,
    cells: &[Cell],
    figures: &mut Figures,
) -> Result<(), Refusal> {
    rig.knock()?;
    for cell in cells {
        figures.progress(&format!("{}, {} bytes, {} MACs:", cell.job.name(), cell.size.name(), cell.macs));
        rig.teach(cell.job, cell.macs)?;
        rig.measure(cell, figures)?;
    }
    Ok(())
}

/// What a gateway with this model takes and sends, in one of its VNIs.
fn scene(model: &Model, wanted: Option<&str>) -> Result<Scene, Refusal> {
    let fits = |segment: &Segment| {
        let number = |vni: Option<config::types::Vni>| vni.map(|vni| vni.value().to_string());
        wanted.is_none_or(|wanted| {
            segment.name == wanted
                || number(segment.vxlan).as_deref() == Some(wanted)
                || number(segment.geneve).as_deref() == Some(wanted)
        })
    };
    let mut found = None;
    for (index, segment) in model.segments.iter().enumerate().filter(|(_, segment)| fits(segment)) {
        let tags = model.ports.iter().flat_map(|port| &port.attachments).filter(|a| a.segment == index);
        let tag = tags.map(|attachment| attachment.tag).find(|tag| !matches!(tag, Tag::QinQ { .. }));
        let remote = match &segment.flood {
            Flood::Vteps(vteps) => vteps.iter().copied().find(|remote| source(model, remote).is_some()),
            Flood::Group { .. } => None,
        };
        if let (Some(tag), Some(remote)) = (tag, remote) {
            found = Some((segment, tag, remote));
            break;
        }
    }
    let Some((segment, tag, remote)) = found else {
        return Err(match wanted {
            Some(vni) => format!("VNI '{vni}' has no VLAN (with one tag or none) together with a VTEP to flood to"),
            None => {
                "no VNI has a VLAN (with one tag or none) together with a VTEP to flood to; name one with --vni".into()
            }
        });
    };
    let underlay = model.ports.iter().find_map(|port| port.underlay.as_ref());
    let (vni, udp_port) = match remote.encap {
        Encap::Vxlan => (segment.vxlan, model.vtep.vxlan_port),
        Encap::Geneve => (segment.geneve, model.vtep.geneve_port),
    };
    Ok(Scene {
        vlan: match tag {
            Tag::Vlan(vid) => Some(vid.value()),
            _ => None,
        },
        underlay_vlan: underlay.and_then(|underlay| underlay.vlan).map(|vid| vid.value()),
        vni: vni.map_or(0, |vni| vni.value()),
        encap: remote.encap,
        udp_port,
        gateway: source(model, &remote).expect("it was looked for above"),
        vtep: remote.address,
        gateway_mac: [0; 6],
        vtep_mac: underlay.and_then(|underlay| underlay.via).map_or([0x02, 0xaa, 0, 0, 0, 0x12], |mac| mac.0),
    })
}

/// The gateway's tunnel address towards a VTEP.
fn source(model: &Model, remote: &Remote) -> Option<IpAddr> {
    match remote.address {
        IpAddr::V4(_) => model.vtep.source_v4.map(IpAddr::V4),
        IpAddr::V6(_) => model.vtep.source_v6.map(IpAddr::V6),
    }
}

/// Opens the devices on a thread of the generator's core and lets `work` use them there.
#[cfg(feature = "dpdk")]
pub fn with_generator(
    devices: &Devices,
    scene: Scene,
    stop: &AtomicBool,
    work: impl FnOnce(&mut Rig<'_, gateway::dpdk::DpdkDriver>) -> Result<(), Refusal> + Send,
) -> Result<(), Refusal> {
    let model = generators_model(devices)?;
    // The thread that starts DPDK leaves the generator's core to the generator.
    let mut opened = gateway::dpdk::open(&model).map_err(|error| error.to_string())?;
    let driver = opened.drivers.pop().ok_or("DPDK gave no queues")?;
    let core = usize::from(devices.core);
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if !core_affinity::set_for_current(core_affinity::CoreId { id: core }) {
                return Err(format!("the generator could not be pinned to core {core}; give others with --cores"));
            }
            let _known = opened.eal.register_thread().map_err(|error| error.to_string())?;
            let generator = gateway::load::Generator::new(driver, scene);
            work(&mut Rig { generator, stop, rings: devices.rings, start: std::time::Instant::now(), worker: None })
        });
        thread.join().unwrap_or_else(|_| Err("the generator panicked; please report it".into()))
    })
}

/// A build without DPDK has no devices.
#[cfg(not(feature = "dpdk"))]
pub fn with_generator(
    _: &Devices,
    _: Scene,
    _: &AtomicBool,
    _: impl FnOnce(&mut Rig<'_, gateway::sim::SimDriver>) -> Result<(), Refusal> + Send,
) -> Result<(), Refusal> {
    Err("this causeway was built without DPDK and cannot measure; build it with the feature 'dpdk'".into())
}

/// The generator's devices as a model: DPDK is opened from one, and its rules hold for these devices too.
#[cfg(feature = "dpdk")]
fn generators_model(devices: &Devices) -> Result<Model, Refusal> {
    let text = format!(
        "version: 1\n\
         workers: {{cores: [{}]}}\n\
         memory: {{buffers: 16383}}\n\
         ports:\n\
         \x20 - {{name: servers, device: '{}', vlans: [{{vlan: 1, vni: 1}}]}}\n\
         \x20 - {{name: fabric, device: '{}', mtu: 1700, vlans: [{{vlan: 2, vni: 1}}]}}\n\
         vnis: [{{vni: 1}}]\n",
        devices.core, devices.servers, devices.fabric
    );
    let loaded = config::parse("--servers, --fabric", &text);
    loaded.map(|loaded| loaded.model).map_err(|problems| format!("{problems}\nthe devices are not right"))
}
