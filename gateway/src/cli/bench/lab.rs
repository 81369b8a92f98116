//! A gateway of our own, as a process of its own, with two memifs between it and the generator.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use config::types::Encap;
use gateway::load::{Scene, Side};
use gateway::telemetry::{DropFilter, PortFilter, Request, Show, ask};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::figures::Figures;
use super::plan::{self, Devices};
use super::{Bench, Job, Refusal};

/// How long the gateway may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(60);
const VLAN: u16 = 10;
const VNI: u32 = 5001;

/// Measures gateways of our own: one for each tunnel and number of MACs.
pub fn here(bench: &Bench, figures: &mut Figures, stop: &AtomicBool) -> Result<(), Refusal> {
    let (generator, worker) = bench.both_cores()?;
    if generator == worker {
        return Err("the generator and the gateway need a core each; a machine with one core cannot measure".into());
    }
    let default = [Job::VlanVxlan, Job::VxlanVlan];
    let jobs = if bench.jobs.is_empty() { &default[..] } else { &bench.jobs };
    let most = bench.macs.iter().copied().max().unwrap_or(1);
    let mut lab = Lab::new()?;
    let devices = Devices {
        servers: lab.memif(Side::Servers, "server"),
        fabric: lab.memif(Side::Fabric, "server"),
        core: generator,
        rings: true,
    };
    figures.progress(&format!("generator on core {generator}, gateway on core {worker}, memif between them"));
    plan::with_generator(&devices, scene(Encap::Vxlan), stop, |rig| {
        for encap in [Encap::Vxlan, Encap::Geneve] {
            let jobs: Vec<Job> = jobs.iter().copied().filter(|job| job.encap() == encap).collect();
            if jobs.is_empty() {
                continue;
            }
            lab.start(encap, worker, most, stop)?;
            *rig.generator.scene_mut() = scene(encap);
            rig.worker = lab.worker();
            plan::measure(rig, &bench.cells(&jobs, 0.1), figures).map_err(|refusal| lab.explain(refusal))?;
            lab.stop();
        }
        Ok(())
    })
}

/// What the gateway is configured for.
fn scene(encap: Encap) -> Scene {
    Scene {
        vlan: Some(VLAN),
        underlay_vlan: None,
        vni: VNI,
        encap,
        udp_port: if encap == Encap::Vxlan { 4789 } else { 6081 },
        gateway: [10, 0, 0, 11].into(),
        vtep: [10, 0, 0, 12].into(),
        gateway_mac: [0; 6],
        vtep_mac: [0x02, 0xaa, 0, 0, 0, 0x12],
    }
}

/// A folder, and the gateway that lives in it; both go when this is dropped.
struct Lab {
    folder: PathBuf,
    gateway: Option<Child>,
    cores: CpuSet,
}

impl Lab {
    fn new() -> Result<Self, Refusal> {
        let folder = std::env::temp_dir().join(format!("causeway-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|error| format!("cannot make {} ({error})", folder.display()))?;
        let cores = sched_getaffinity(None).map_err(|error| format!("cannot read which cores are ours ({error})"))?;
        Ok(Self { folder, gateway: None, cores })
    }

    /// The device of a side, for one of its two ends.
    fn memif(&self, side: Side, role: &str) -> String {
        let number = if side == Side::Servers { 0 } else { 1 };
        let socket = self.folder.join(format!("memif{number}.sock"));
        format!("net_memif{number},role={role},id={number},socket={},socket-abstract=no,rsize=11", socket.display())
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("gateway.sock")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("gateway.log")
    }

    /// Starts a gateway and waits until it answers.
    fn start(&mut self, encap: Encap, core: u16, macs: u32, stop: &AtomicBool) -> Result<(), Refusal> {
        let file = self.folder.join("gateway.yaml");
        let failed = |what: &Path, error: std::io::Error| format!("cannot write {} ({error})", what.display());
        fs::write(&file, self.configuration(encap, core, macs)).map_err(|error| failed(&file, error))?;
        let log = fs::File::create(self.log()).map_err(|error| failed(&self.log(), error))?;
        let program = std::env::current_exe().map_err(|error| format!("cannot find this program ({error})"))?;
        let mut command = Command::new(program);
        command
            .args(["run", "--log", "warn", "-c"])
            .arg(&file)
            .arg("--socket")
            .arg(self.socket())
            .arg("--parent")
            .arg(std::process::id().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            // Ctrl-C is for us: the gateway is stopped in its turn.
            .process_group(0);
        let gateway =
            self.on_all_cores(|| command.spawn()).map_err(|error| format!("cannot start the gateway ({error})"))?;
        let gateway = self.gateway.insert(gateway);
        let until = Instant::now() + PATIENCE;
        let question = Request::show(Show::Ports(PortFilter::default()));
        let socket = self.folder.join("gateway.sock");
        while ask(&socket, &question).is_err() {
            if gateway.try_wait().is_ok_and(|ended| ended.is_some()) || Instant::now() > until {
                let said = fs::read_to_string(self.folder.join("gateway.log")).unwrap_or_default();
                return Err(format!("the gateway did not start: {}", said.trim()));
            }
            if stop.load(Ordering::Relaxed) {
                return Err("stopped before the end".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Does something on the cores that this program began with: a child inherits those of the thread that starts it, and
    /// the generator's thread has only its own.
    fn on_all_cores<T>(&self, work: impl FnOnce() -> T) -> T {
        let own = sched_getaffinity(None);
        let _ = sched_setaffinity(None, &self.cores);
        let done = work();
        if let Ok(own) = own {
            let _ = sched_setaffinity(None, &own);
        }
        done
    }

    /// Where the kernel tells how long the gateway's worker has waited for its core.
    fn worker(&self) -> Option<PathBuf> {
        let tasks = PathBuf::from(format!("/proc/{}/task", self.gateway.as_ref()?.id()));
        let works =
            |task: &PathBuf| fs::read_to_string(task.join("comm")).is_ok_and(|name| name.starts_with("worker-"));
        let mut threads = fs::read_dir(tasks).ok()?.flatten().map(|task| task.path());
        threads.find(works).map(|task| task.join("schedstat"))
    }

    fn configuration(&self, encap: Encap, core: u16, macs: u32) -> String {
        let (servers, fabric) = (self.memif(Side::Servers, "client"), self.memif(Side::Fabric, "client"));
        let room = (macs * 4).next_power_of_two().max(131_072);
        format!(
            "version: 1\n\
             workers: {{cores: [{core}], idle: spin}}\n\
             memory: {{buffers: 16383}}\n\
             vtep: {{source: 10.0.0.11}}\n\
             fdb: {{size: {room}}}\n\
             ports:\n\
             \x20 - {{name: servers, device: \"{servers}\", vlans: [{{vlan: {VLAN}, vni: {VNI}}}]}}\n\
             \x20 - name: fabric\n\
             \x20   device: \"{fabric}\"\n\
             \x20   underlay: {{via: {{mac: \"02:aa:00:00:00:12\"}}}}\n\
             vnis:\n\
             \x20 - vni: {VNI}\n\
             \x20   encap: {encap}\n\
             \x20   flood: {{vteps: [10.0.0.12]}}\n\
             \x20   learning: {{limit: {room}}}\n"
        )
    }

    /// What went wrong, with what the gateway dropped meanwhile.
    fn explain(&self, refusal: Refusal) -> Refusal {
        match ask(&self.socket(), &Request::show(Show::Drops(DropFilter::default())).text(true)) {
            Ok(serde_json::Value::String(drops)) if refusal.contains("show drops") => {
                format!("{refusal}\nthe gateway says: {}", drops.trim())
            }
            _ => refusal,
        }
    }

    /// Ends the gateway, if one runs.
    fn stop(&mut self) {
        let Some(mut gateway) = self.gateway.take() else { return };
        let asked = rustix::process::Pid::from_child(&gateway);
        let _ = rustix::process::kill_process(asked, rustix::process::Signal::TERM);
        let until = Instant::now() + Duration::from_secs(5);
        while gateway.try_wait().is_ok_and(|ended| ended.is_none()) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = gateway.kill();
        let _ = gateway.wait();
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
