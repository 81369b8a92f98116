//! DPDK's own capture tool at a running gateway whose packet memory is shared.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::bench::{Bench, NEXT_HOP};
use crate::bytes::{BROADCAST, mac, probe, vlan};
use crate::config::Config;
use crate::lab::{self, Lab};

const PAGES: &str = "/proc/sys/vm/nr_hugepages";
/// More than this gateway takes: others that run meanwhile may take some.
const SPARE: u64 = 256;

/// Huge pages and a file system for them, until this is dropped.
struct Pages {
    before: u64,
    mounted: Option<PathBuf>,
}

impl Pages {
    /// `None` where the kernel gives none.
    fn take(lab: &Lab) -> Option<Self> {
        let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
        let before = number(PAGES)?;
        fs::write(PAGES, (before + SPARE).to_string()).ok()?;
        let mut pages = Self { before, mounted: None };
        if number("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")? < SPARE / 2 {
            return None;
        }
        if !fs::read_to_string("/proc/self/mounts").ok()?.contains(" hugetlbfs ") {
            let place = lab.directory.join("huge");
            fs::create_dir_all(&place).ok()?;
            if !lab::succeeds(&format!("mount -t hugetlbfs nodev {}", place.display())) {
                return None;
            }
            pages.mounted = Some(place);
        }
        Some(pages)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if let Some(place) = &self.mounted {
            lab::succeeds(&format!("umount {}", place.display()));
        }
        let _ = fs::write(PAGES, self.before.to_string());
    }
}

#[test]
fn dpdk_dumpcap_reads_the_ports_of_a_gateway_that_shares_its_memory() {
    let Some(lab) = Lab::of_wires() else { return };
    if !lab::installed("dpdk-dumpcap") {
        return lab::skip("dpdk-dumpcap is not installed");
    }
    let Some(pages) = Pages::take(&lab) else { return lab::skip("this kernel gives no huge pages of 2 MiB") };
    let config = Config::new(&lab)
        .memory("{huge_pages: require, shared: true, buffers: 4095}")
        .underlay_wire(NEXT_HOP)
        .access("srv1", "{vlan: 10, vni: 5001}")
        .vni("vni: 5001, flood: {vteps: [10.0.0.12]}");
    let bench = Bench::start(&lab, &config);
    let (server, prefix) = (lab.wire("srv1"), format!("causeway-{}", bench.gateway.id()));
    let frame = vlan(&probe(BROADCAST, mac(1), 100, 1), 10);
    for (device, what) in [("net_af_packet1", "VLAN 10"), ("net_af_packet0", "VXLAN VNI 5001")] {
        let file = lab.directory.join(format!("{device}.pcapng"));
        let mut capture = Command::new("dpdk-dumpcap")
            .args([&format!("--file-prefix={prefix}"), "-i", device, "-c", "1", "-w"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("dpdk-dumpcap starts");
        lab::until("it has caught a frame", || {
            server.send(&frame);
            capture.try_wait().expect("a child").is_some()
        });
        let port = if device == "net_af_packet1" { "srv1" } else { "up0" };
        let file = file.to_str().expect("UTF-8");
        let said = bench.gateway.causeway(&["explain", "--port", port, "--pcap", file]);
        assert!(said.contains(what) && said.contains("02:00:00:00:ee:01 > ff:ff:ff:ff:ff:ff"), "{device}: {said}");
    }
    drop(bench);
    let left = pages.mounted.as_deref().map_or(0, |place: &Path| fs::read_dir(place).map_or(0, Iterator::count));
    assert_eq!(left, 0, "no page stays behind");
    assert!(!Path::new("/var/run/dpdk").join(&prefix).exists());
}
