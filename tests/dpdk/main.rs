//! The DPDK driver on virtual devices: no NIC, no huge pages.
//!
//! DPDK starts once in a process, so each test runs itself again as a process of its own.
#![cfg(feature = "dpdk")]

mod devices;
mod frames;
mod opening;
mod processes;

use std::path::{Path, PathBuf};
use std::process::Command;

use config::types::{Api, Controllers, HugePages, Idle, Memory, Model, Port, Reload, State, Vtep, Workers};
use gateway::dpdk::{self, Dpdk, DpdkDriver, Mbuf};
use gateway::driver::{BURST, Burst, Driver};
use gateway::frame::{Frame, Pool, PortId};

/// Says to a process which test it is to run.
const CASE: &str = "CAUSEWAY_DPDK_CASE";

/// The command that runs test `name` in a process of its own.
fn process(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a running program has a path"));
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]).env(CASE, name);
    command
}

/// Runs `body` in a process of its own, and sees that DPDK leaves nothing behind.
fn alone(name: &str, body: impl FnOnce()) {
    if std::env::var(CASE).is_ok_and(|case| case == name) {
        body();
        assert!(!runtime_directory(&format!("causeway-{}", std::process::id())).exists(), "DPDK left its directory");
        return;
    }
    let output = process(name).output().expect("the test runs again");
    let (printed, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{printed}\n{said}", output.status);
    assert!(printed.contains("1 passed"), "there is no test {name}");
}

fn runtime_directory(prefix: &str) -> PathBuf {
    Path::new("/var/run/dpdk").join(prefix)
}

/// A model with these devices and so many workers.
fn model(devices: &[&str], workers: u16) -> Model {
    let port = |(index, device): (usize, &&str)| Port {
        name: format!("p{index}"),
        device: (*device).to_owned(),
        mtu: 1500,
        rx_queues: None,
        descriptors: (512, 512),
        offload: true,
        mac_limit: None,
        underlay: None,
        attachments: Vec::new(),
        access_list: None,
    };
    Model {
        workers: Workers { cores: (0..workers).collect(), idle: Idle::Spin, burst: 32, flood_copies: 1024 },
        memory: Memory {
            huge_pages: HugePages::Off,
            buffers: 2048,
            buffer_size: 2048,
            file_prefix: None,
            shared: false,
        },
        vtep: Vtep {
            source_v4: None,
            source_v6: None,
            vxlan_port: 4789,
            geneve_port: 6081,
            source_ports: (49152, 65535),
            namespace: None,
            learned_vteps: 0,
            host_rate: 0,
        },
        api: Api::default(),
        reload: Reload::default(),
        state: State::default(),
        fdb_size: 1024,
        ports: devices.iter().enumerate().map(port).collect(),
        segments: Vec::new(),
        access_lists: Vec::new(),
        control: Controllers::default(),
        metrics: config::types::Metrics::default(),
    }
}

fn open(devices: &[&str], workers: u16) -> Dpdk {
    dpdk::open(&model(devices, workers)).unwrap_or_else(|error| panic!("{error}"))
}

/// `len` bytes that are different everywhere.
fn pattern(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|index| (index as u8).wrapping_mul(31).wrapping_add((index >> 8) as u8).wrapping_add(seed)).collect()
}

fn bytes(frame: &Mbuf) -> Vec<u8> {
    let mut all = frame.head().to_vec();
    frame.for_each_tail(|tail| all.extend_from_slice(tail));
    assert_eq!(all.len(), frame.len(), "the pieces add up to the frame");
    all
}

fn frame(driver: &mut DpdkDriver, bytes: &[u8]) -> Mbuf {
    driver.pool().frame(bytes).expect("the pool has a buffer")
}

fn receive(driver: &mut DpdkDriver) -> Burst<Mbuf> {
    let mut burst = Burst::new();
    for queue in 0..driver.rx_queues() {
        driver.rx(queue, BURST, &mut burst);
    }
    burst
}

const P0: PortId = PortId(0);

/// A directory that goes with its owner.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("causeway-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a scratch directory");
        Self(directory)
    }

    fn path(&self, file: &str) -> String {
        self.0.join(file).display().to_string()
    }

    fn write(&self, file: &str, bytes: &[u8]) -> String {
        std::fs::write(self.path(file), bytes).expect("the scratch file");
        self.path(file)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A capture file (little-endian, microseconds, Ethernet).
fn pcap(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65535, 1] {
        file.extend(word.to_le_bytes());
    }
    for frame in frames {
        for word in [0, 0, frame.len() as u32, frame.len() as u32] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    file
}

fn unpcap(mut file: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    file = &file[24..];
    while file.len() >= 16 {
        let len = u32::from_le_bytes(file[8..12].try_into().expect("four bytes")) as usize;
        frames.push(file[16..16 + len].to_vec());
        file = &file[16 + len..];
    }
    frames
}
