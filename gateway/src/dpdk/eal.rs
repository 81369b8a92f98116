//! DPDK's environment (EAL): started once, ended when the last thing that needs it is gone.

use std::ffi::{CString, c_char};
use std::fs::{self, File, TryLockError};
use std::marker::PhantomData;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use config::types::HugePages;
use dpdk_sys as sys;

use super::error::Error;
use super::{host, log, shared};
use crate::complain;

/// How EAL is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EalOptions {
    /// Cores of the workers, by the kernel's numbers: EAL's own threads stay off them.
    pub workers: Vec<u16>,
    /// Huge pages or not.
    pub huge_pages: HugePages,
    /// MiB for buffers and devices.
    pub memory: u32,
    /// DPDK's file prefix; `None` makes one from the process id.
    pub file_prefix: Option<String>,
    /// Other DPDK processes may use packet memory too; needs huge pages.
    pub shared: bool,
    /// PCI devices (address and arguments) that DPDK may touch; without any the PCI bus is left alone.
    pub pci: Vec<String>,
    /// Keep memory in few files, as vhost-user devices need it.
    pub single_file_segments: bool,
}

/// DPDK, running. Clones are handles to the same.
///
/// DPDK ends when the last handle, port, driver, pool handle and registered thread are gone: devices are closed,
/// memory is given back and the runtime directory `/var/run/dpdk/PREFIX` removed.
#[derive(Clone)]
pub struct Eal(pub(super) Arc<Running>);

/// Whether EAL was ever started in this process.
static STARTED: AtomicBool = AtomicBool::new(false);

impl Eal {
    /// Starts DPDK (`rte_eal_init`), at most once in the life of a process.
    ///
    /// The calling thread, and the threads that it starts later, are kept off the workers' cores (where others are
    /// left); workers pin themselves.
    ///
    /// # Errors
    ///
    /// When it was started before, the file prefix belongs to a running gateway, huge pages are required but not free,
    /// or DPDK refuses.
    pub fn start(options: &EalOptions) -> Result<Self, Error> {
        if STARTED.load(Ordering::Relaxed) {
            return Err(Error::AlreadyStarted);
        }
        let prefix = options.file_prefix.clone().unwrap_or_else(|| format!("{OWN_PREFIX}{}", std::process::id()));
        let huge_pages = use_huge_pages(options)?;
        let directory = RuntimeDirectory::claim(&prefix)?;
        directory.has_room(files(options, huge_pages))?;
        let shared = options.shared && huge_pages;
        let pages = shared.then(|| shared::Pages::of(&prefix)).transpose()?;
        if STARTED.swap(true, Ordering::SeqCst) {
            return Err(Error::AlreadyStarted);
        }

        let cores = host::leave_cores(&options.workers);
        let arguments = arguments(options, &prefix, &cores, huge_pages);
        ::log::debug!(target: "dpdk", "starting with {}", arguments.join(" "));
        log::capture();
        log::forget();
        // DPDK keeps pointers into the arguments, so they live for ever.
        let mut pointers: Vec<*mut c_char> = arguments
            .into_iter()
            .map(|argument| CString::new(argument.replace('\0', "")).expect("no zero byte is left").into_raw())
            .collect();
        let count = pointers.len() as i32;
        pointers.push(std::ptr::null_mut());
        let pointers = Box::leak(pointers.into_boxed_slice());
        // SAFETY: `rte_eal_init` is called once in a process, which STARTED sees to, with an argv as C has it.
        if unsafe { sys::rte_eal_init(count, pointers.as_mut_ptr()) } < 0 {
            // SAFETY: reads a thread-local number.
            let number = unsafe { sys::cw_errno() };
            let reason = log::complaints(&log::errno_text(number));
            return Err(Error::Start { reason, unprivileged: !host::is_root() });
        }
        let running =
            Running { huge_pages, pools: Mutex::new(Vec::new()), pools_made: AtomicU32::new(0), pages, directory };
        if shared && !shared::offer_captures() {
            return Err(Error::Captures { reason: log::complaints("it says no more") });
        }
        Ok(Self(Arc::new(running)))
    }

    /// True when packet memory is in huge pages.
    pub fn huge_pages(&self) -> bool {
        self.0.huge_pages
    }

    /// DPDK's runtime directory, where its telemetry socket is.
    pub fn runtime_directory(&self) -> &Path {
        &self.0.directory.path
    }

    /// Buffers of all pools that are in use, see [`super::PoolGauge::in_use`].
    pub fn buffers_in_use(&self) -> u64 {
        self.0.buffers_in_use()
    }

    /// Makes the calling thread known to DPDK (`rte_thread_register`), which gives it a cache of its own in each pool.
    /// A worker does so after it has pinned itself and before it takes a frame; without it everything works, slower. Where
    /// memory is shared it stays without: DPDK knows either threads of ours or other processes.
    ///
    /// # Errors
    ///
    /// When DPDK has no number left for a thread (`RTE_MAX_LCORE`).
    pub fn register_thread(&self) -> Result<WorkerThread, Error> {
        log::forget();
        if self.0.pages.is_some() {
            return Ok(WorkerThread { _running: self.0.clone(), known: false, _here: PhantomData });
        }
        // SAFETY: may be called from any thread once EAL runs, which `self` proves; a second call on the same thread
        // does nothing.
        if unsafe { sys::rte_thread_register() } != 0 {
            // SAFETY: reads a thread-local number.
            let number = unsafe { sys::cw_errno() };
            return Err(Error::Thread { reason: log::complaints(&log::errno_text(number)) });
        }
        Ok(WorkerThread { _running: self.0.clone(), known: true, _here: PhantomData })
    }
}

/// A thread that DPDK knows, until this is dropped (`rte_thread_unregister`). Stays on its thread.
pub struct WorkerThread {
    _running: Arc<Running>,
    /// DPDK has a number for it.
    known: bool,
    /// Not `Send`: the thread that registers is the one that unregisters.
    _here: PhantomData<*const ()>,
}

impl Drop for WorkerThread {
    fn drop(&mut self) {
        if self.known {
            // SAFETY: EAL still runs, because `_running` is dropped after this.
            unsafe { sys::rte_thread_unregister() };
        }
    }
}

/// EAL from start to end.
pub(super) struct Running {
    huge_pages: bool,
    pools: Mutex<Vec<PoolPointer>>,
    pools_made: AtomicU32,
    /// Where memory is shared: its files, which go when DPDK has ended.
    pages: Option<shared::Pages>,
    directory: RuntimeDirectory,
}

/// A pool, which lives as long as EAL.
struct PoolPointer(NonNull<sys::rte_mempool>);

// SAFETY: only used for counting, which any thread may do.
unsafe impl Send for PoolPointer {}

impl Running {
    /// A number that no pool before had.
    pub(super) fn next_pool(&self) -> u32 {
        self.pools_made.fetch_add(1, Ordering::Relaxed)
    }

    /// Remembers a pool.
    pub(super) fn adopt(&self, pool: NonNull<sys::rte_mempool>) {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner).push(PoolPointer(pool));
    }

    fn buffers_in_use(&self) -> u64 {
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: pools are freed by `rte_eal_cleanup` only, which runs when `self` is dropped.
        pools.iter().map(|pool| u64::from(unsafe { sys::rte_mempool_in_use_count(pool.0.as_ptr()) })).sum()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ports, pool handles and registered threads held `self`, so all are gone, and no thread has a pool cache that
        // it could still be filling. What may be left is frames that somebody put away; as long as there are any, the
        // memory that they are in stays until the process ends.
        if self.pages.is_some() {
            shared::end_captures();
        }
        let left = self.buffers_in_use();
        if left == 0 {
            // SAFETY: EAL was started once, this is its end, and nothing that points into its memory is left.
            unsafe { sys::rte_eal_cleanup() };
        } else {
            ::log::debug!(target: "dpdk", "{left} frames outlive DPDK; its memory stays until the process ends");
        }
    }
}

/// What the runtime directory of a process without a configured prefix begins with.
const OWN_PREFIX: &str = "causeway-";
/// Held locked while a gateway runs with a prefix.
const LOCK: &str = "causeway.lock";

/// `/var/run/dpdk/PREFIX`: ours while the lock file in it is locked, removed at the end.
struct RuntimeDirectory {
    path: PathBuf,
    _lock: File,
}

impl RuntimeDirectory {
    fn claim(prefix: &str) -> Result<Self, Error> {
        let base = host::runtime_base();
        sweep(&base);
        let path = base.join(prefix);
        let unusable = |error: std::io::Error| Error::RuntimeDirectory {
            path: path.display().to_string(),
            reason: error.to_string(),
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(unusable)?;
        let lock = File::options().create(true).truncate(false).write(true).open(path.join(LOCK)).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::FilePrefixTaken { prefix: prefix.to_owned() }),
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }
}

impl RuntimeDirectory {
    /// That DPDK can write its files there. It maps them: where the file system is full it would not fail but be killed.
    fn has_room(&self, needed: u64) -> Result<(), Error> {
        // Where nobody knows, DPDK may try.
        let free = rustix::fs::statvfs(&self.path).map_or(u64::MAX, |file| file.f_bavail * file.f_frsize / 1024);
        match free >= needed {
            true => Ok(()),
            false => Err(Error::RuntimeDirectoryFull { path: self.path.display().to_string(), needed, free }),
        }
    }
}

/// KiB of the files that DPDK maps in its runtime directory: what describes its memory, 48 bytes a page, and the rest.
fn files(options: &EalOptions, huge_pages: bool) -> u64 {
    match (huge_pages, options.shared) {
        (true, false) => 64,
        (true, true) => 8 * 1024,
        (false, _) => 512 + u64::from(options.memory) * (256 * 48) / 1024,
    }
}

impl Drop for RuntimeDirectory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
        // The directory above is shared with other DPDK programs; it goes only when it is empty.
        if let Some(base) = self.path.parent() {
            let _ = fs::remove_dir(base);
        }
    }
}

/// Removes the directories of gateways that were killed: named after a process that is gone, their lock free.
fn sweep(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(process) = name.to_str().and_then(|name| name.strip_prefix(OWN_PREFIX)) else { continue };
        if process.parse::<u32>().is_err() || Path::new("/proc").join(process).exists() {
            continue;
        }
        let free = File::open(entry.path().join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
        if free {
            let _ = fs::remove_dir_all(entry.path());
            shared::remove(&format!("{OWN_PREFIX}{process}"));
        }
    }
}

/// Whether to use huge pages on this host.
fn use_huge_pages(options: &EalOptions) -> Result<bool, Error> {
    let needed = u64::from(options.memory);
    if options.huge_pages == HugePages::Off {
        return Ok(false);
    }
    let free = host::free_huge_mib();
    match options.huge_pages {
        _ if free >= needed => Ok(true),
        HugePages::Require => Err(Error::HugePages { needed, free }),
        _ => {
            let cure = format!("do 'echo {} > /proc/sys/vm/nr_hugepages' and restart", needed.div_ceil(2));
            complain!(warn, "packet memory is in ordinary pages, which is slower", cure; needed_mib = needed, free_mib = free);
            Ok(false)
        }
    }
}

/// The command line of `rte_eal_init`.
fn arguments(options: &EalOptions, prefix: &str, cores: &[u16], huge_pages: bool) -> Vec<String> {
    let cores = cores.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
    let mut arguments: Vec<String> = ["causeway", "--lcores", &format!("0@({cores})"), "--file-prefix", prefix]
        .into_iter()
        .map(str::to_owned)
        .collect();
    if huge_pages {
        // Memory is taken as pools ask for it, on the node that they ask for, and leaves no files behind.
        if !options.shared {
            arguments.push("--in-memory".into());
        }
        if options.single_file_segments {
            arguments.push("--single-file-segments".into());
        }
    } else {
        arguments.extend(["--no-huge".into(), "-m".into(), options.memory.to_string()]);
    }
    if options.pci.is_empty() {
        arguments.push("--no-pci".into());
    }
    for device in &options.pci {
        arguments.extend(["-a".into(), device.clone()]);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> EalOptions {
        EalOptions {
            workers: vec![1],
            huge_pages: HugePages::Off,
            memory: 64,
            file_prefix: None,
            shared: false,
            pci: Vec::new(),
            single_file_segments: false,
        }
    }

    #[test]
    fn without_pci_devices_the_pci_bus_is_left_alone() {
        let line = arguments(&options(), "x", &[0, 2], false).join(" ");
        assert_eq!(line, "causeway --lcores 0@(0,2) --file-prefix x --no-huge -m 64 --no-pci");
    }

    #[test]
    fn pci_devices_are_allowed_by_name() {
        let options = EalOptions { pci: vec!["0000:03:00.0".into()], ..options() };
        let line = arguments(&options, "x", &[0], true).join(" ");
        assert_eq!(line, "causeway --lcores 0@(0) --file-prefix x --in-memory -a 0000:03:00.0");
    }

    /// What DPDK 22.11 was seen to write: 1,656 KiB for 120 MiB.
    #[test]
    fn room_for_the_files_of_ordinary_pages_grows_with_the_memory() {
        let options = EalOptions { memory: 120, ..options() };
        assert!((1_656..3_000).contains(&files(&options, false)));
        assert_eq!(files(&options, true), 64, "in huge pages that are nobody else's it is not in files");
    }

    #[test]
    fn shared_memory_is_in_files() {
        let options = EalOptions { shared: true, ..options() };
        let line = arguments(&options, "x", &[0], true).join(" ");
        assert_eq!(line, "causeway --lcores 0@(0) --file-prefix x --no-pci");
    }
}
