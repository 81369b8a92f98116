//! Memory for packets: huge, near, and left alone by the kernel.

use config::types::{HugePages, Model};

use super::findings::Findings;
use super::machine::Machine;

const HUGE: &str = "/sys/kernel/mm/hugepages";

pub fn look(machine: &Machine, model: Option<&Model>, findings: &mut Findings) {
    huge_pages(machine, model, findings);
    transparent(machine, findings);
    merging(machine, findings);
    balancing(machine, findings);
}

/// MiB that the gateway takes.
fn needed(model: &Model) -> Option<u64> {
    #[cfg(feature = "dpdk")]
    return Some(u64::from(gateway::dpdk::memory_needed(model)));
    #[cfg(not(feature = "dpdk"))]
    return None.filter(|_: &u64| !model.ports.is_empty());
}

/// MiB in a folder of sizes: all, and free.
fn pages(machine: &Machine, folder: &str) -> (u64, u64) {
    let mut sum = (0, 0);
    for name in machine.names(folder) {
        let kib = name.strip_prefix("hugepages-").and_then(|name| name.strip_suffix("kB")?.parse::<u64>().ok());
        let count = |what| machine.number::<u64>(&format!("{folder}/{name}/{what}")).unwrap_or(0);
        let kib = kib.unwrap_or(0);
        sum.0 += kib * count("nr_hugepages") / 1024;
        sum.1 += kib * count("free_hugepages") / 1024;
    }
    sum
}

fn huge_pages(machine: &Machine, model: Option<&Model>, findings: &mut Findings) {
    const CHECK: &str = "huge-pages";
    let (all, free) = pages(machine, HUGE);
    let needed = model.and_then(needed);
    let policy = model.map_or(HugePages::Auto, |model| model.memory.huge_pages);
    if policy == HugePages::Off {
        let cure = "memory: {huge_pages: auto}, and reserve some";
        return findings.slows(
            CHECK,
            "the configuration switches them off: small pages cost a TLB miss on many frames",
            cure,
        );
    }
    let short = needed.is_some_and(|needed| all < needed) || all == 0;
    if !short {
        if needed.is_some_and(|needed| free < needed) {
            let finding = format!("{free} of {all} MiB are free and {} are needed", needed.unwrap_or(0));
            return findings.note(CHECK, finding, "nothing, where a gateway that runs now has taken them");
        }
        findings.good(CHECK, format!("{free} of {all} MiB are free{}", of_needed(needed)));
        return near(machine, model, findings);
    }
    let missing = needed.unwrap_or(1024).max(2).div_ceil(2);
    let finding = format!("{all} MiB are reserved{}; small pages cost a TLB miss on many frames", of_needed(needed));
    let cure = format!(
        "echo {missing} > /proc/sys/vm/nr_hugepages; for good, boot with default_hugepagesz=1G hugepagesz=1G hugepages={}",
        needed.unwrap_or(1024).div_ceil(1024)
    );
    match policy {
        HugePages::Require => findings.stops(CHECK, finding, cure),
        _ => findings.slows(CHECK, finding, cure),
    }
}

fn of_needed(needed: Option<u64>) -> String {
    needed.map_or(String::new(), |needed| format!(", {needed} MiB are needed"))
}

/// Every node with workers has pages of its own.
fn near(machine: &Machine, model: Option<&Model>, findings: &mut Findings) {
    let cores = model.map(|model| model.workers.cores.as_slice()).unwrap_or_default();
    let mut nodes: Vec<u16> = cores.iter().filter_map(|&core| machine.node_of_core(core)).collect();
    nodes.sort_unstable();
    nodes.dedup();
    for node in nodes {
        let folder = format!("/sys/devices/system/node/node{node}/hugepages");
        if machine.has(&folder) && pages(machine, &folder).0 == 0 {
            findings.slows(
                "huge-pages",
                format!("node {node} has workers and no huge pages: their packets lie in another node's memory"),
                format!("echo 1024 > {folder}/hugepages-2048kB/nr_hugepages"),
            );
        }
    }
}

fn transparent(machine: &Machine, findings: &mut Findings) {
    const CHECK: &str = "thp";
    const FILE: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
    let Some(text) = machine.text(FILE) else { return };
    match text.contains("[always]") {
        true => findings.note(
            CHECK,
            "transparent huge pages are made for everybody: khugepaged copies memory about and stops its owners meanwhile",
            format!("echo madvise > {FILE}"),
        ),
        false => findings.good(CHECK, "transparent huge pages only where they are asked for"),
    }
}

fn merging(machine: &Machine, findings: &mut Findings) {
    const CHECK: &str = "ksm";
    match machine.number::<u32>("/sys/kernel/mm/ksm/run") {
        Some(1) => findings.slows(
            CHECK,
            "KSM compares all memory and empties caches on the way",
            "echo 0 > /sys/kernel/mm/ksm/run; systemctl disable --now ksmtuned",
        ),
        Some(_) => findings.good(CHECK, "KSM does not run"),
        None => {}
    }
}

fn balancing(machine: &Machine, findings: &mut Findings) {
    const CHECK: &str = "numa-balance";
    match machine.number::<u32>("/proc/sys/kernel/numa_balancing") {
        Some(1) => findings.slows(
            CHECK,
            "the kernel unmaps memory to see who uses it, and each worker that touches it stops for a page fault",
            "sysctl kernel.numa_balancing=0",
        ),
        Some(_) => findings.good(CHECK, "memory stays where it is"),
        None => {}
    }
}
