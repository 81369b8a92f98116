//! What DPDK needs to know of the Linux below it: cores, NUMA nodes, huge pages, interfaces.

use std::ffi::CString;
use std::fs;
use std::path::PathBuf;

/// True for the super-user.
pub(super) fn is_root() -> bool {
    // SAFETY: `geteuid` has no conditions.
    unsafe { libc::geteuid() == 0 }
}

/// Where DPDK makes the runtime directory of each file prefix.
pub(super) fn runtime_base() -> PathBuf {
    // The order is DPDK's (eal_create_runtime_dir).
    let base = std::env::var_os("RUNTIME_DIRECTORY")
        .or_else(|| is_root().then(|| "/var/run".into()))
        .or_else(|| std::env::var_os("XDG_RUNTIME_DIR"))
        .unwrap_or_else(|| "/tmp".into());
    PathBuf::from(base).join("dpdk")
}

/// Takes the calling thread off the `workers`' cores, where others are left to it, and returns its cores.
pub(super) fn leave_cores(workers: &[u16]) -> Vec<u16> {
    let bits = size_of::<libc::cpu_set_t>() * 8;
    // SAFETY: a `cpu_set_t` of zeros is an empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: 0 is the calling thread, and the size is that of the set.
    if unsafe { libc::sched_getaffinity(0, size_of_val(&set), &mut set) } != 0 {
        return vec![0];
    }
    // SAFETY: `core` is below the number of bits of the set.
    let all: Vec<u16> =
        (0..bits).filter(|&core| unsafe { libc::CPU_ISSET(core, &set) }).map(|core| core as u16).collect();
    let others: Vec<u16> = all.iter().copied().filter(|core| !workers.contains(core)).collect();
    if others.is_empty() {
        return all;
    }
    for &core in workers.iter().filter(|&&core| usize::from(core) < bits) {
        // SAFETY: as above.
        unsafe { libc::CPU_CLR(usize::from(core), &mut set) };
    }
    // SAFETY: as for sched_getaffinity. A failure leaves the thread where it is, which only costs speed.
    unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) };
    others
}

/// The NUMA node of a core; `None` when the host does not say.
pub(super) fn node_of_core(core: u16) -> Option<u16> {
    fs::read_dir(format!("/sys/devices/system/cpu/cpu{core}")).ok()?.flatten().find_map(|entry| {
        let name = entry.file_name();
        name.to_str()?.strip_prefix("node")?.parse().ok()
    })
}

/// MiB of huge pages, of all sizes and nodes, that nobody uses.
pub(super) fn free_huge_mib() -> u64 {
    let sizes = fs::read_dir("/sys/kernel/mm/hugepages").into_iter().flatten().flatten();
    let kib = sizes.filter_map(|entry| {
        let name = entry.file_name();
        let size: u64 = name.to_str()?.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
        let free: u64 = fs::read_to_string(entry.path().join("free_hugepages")).ok()?.trim().parse().ok()?;
        Some(size * free)
    });
    kib.sum::<u64>() / 1024
}

/// True when our network namespace has a Linux interface of this name.
pub(super) fn has_interface(name: &str) -> bool {
    // SAFETY: a C string; the call reads it and returns a number.
    CString::new(name).is_ok_and(|name| unsafe { libc::if_nametoindex(name.as_ptr()) } != 0)
}

/// The MTU of a Linux interface of our network namespace.
pub(super) fn interface_mtu(interface: &str) -> Option<u32> {
    fs::read_to_string(format!("/sys/class/net/{interface}/mtu")).ok()?.trim().parse().ok()
}
