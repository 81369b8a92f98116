//! What can go wrong with DPDK, each as one sentence with its cure.

use std::fmt;

/// Why DPDK, a device or a pool could not be set up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// EAL starts once in the life of a process.
    AlreadyStarted,
    /// Another running gateway owns the file prefix.
    FilePrefixTaken {
        /// The prefix.
        prefix: String,
    },
    /// The runtime directory of the prefix cannot be made or locked.
    RuntimeDirectory {
        /// Its path.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The file system of the runtime directory is full: DPDK maps its files there, and the kernel would end it with SIGBUS.
    RuntimeDirectoryFull {
        /// Its path.
        path: String,
        /// KiB that DPDK writes.
        needed: u64,
        /// KiB that are free.
        free: u64,
    },
    /// `memory.huge_pages: require`, but too few are free.
    HugePages {
        /// MiB that the configuration needs.
        needed: u64,
        /// MiB that are free.
        free: u64,
    },
    /// Memory is to be shared, which needs a file system that is not mounted.
    NoHugetlbfs,
    /// DPDK cannot copy frames for other processes.
    Captures {
        /// What DPDK said.
        reason: String,
    },
    /// `rte_eal_init` refused.
    Start {
        /// What DPDK said.
        reason: String,
        /// True when the process is not root.
        unprivileged: bool,
    },
    /// A pool cannot be made.
    Pool {
        /// The worker that it was for.
        worker: usize,
        /// MiB that it takes.
        needed: u64,
        /// What DPDK said.
        reason: String,
    },
    /// Fewer buffers than the receive queues of a worker hold.
    TooFewBuffers {
        /// Buffers configured.
        buffers: u32,
        /// Buffers that are needed at least.
        needed: u32,
    },
    /// A device cannot be opened or set up.
    Device {
        /// The operator's name of the port.
        port: String,
        /// The device as configured.
        device: String,
        /// What failed, with what DPDK said.
        reason: String,
        /// What to do.
        cure: String,
    },
    /// A thread cannot be made known to DPDK.
    Thread {
        /// What DPDK said.
        reason: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyStarted => {
                f.write_str("DPDK was started before in this process and starts only once: start a new process")
            }
            Self::FilePrefixTaken { prefix } => write!(
                f,
                "another gateway runs with the DPDK file prefix '{prefix}': stop it, or give this one another \
                 memory.file_prefix"
            ),
            Self::RuntimeDirectory { path, reason } => {
                write!(f, "DPDK's runtime directory {path} cannot be used ({reason}): run causeway as root")
            }
            Self::RuntimeDirectoryFull { path, needed, free } => write!(
                f,
                "DPDK's runtime directory {path} has {free} KiB free, and {needed} are needed: make room in its file system"
            ),
            Self::HugePages { needed, free } => write!(
                f,
                "memory.huge_pages is 'require' and {needed} MiB are needed, but {free} MiB of huge pages are free: \
                 reserve more (echo {} > /proc/sys/vm/nr_hugepages), or set memory.huge_pages: auto",
                needed.div_ceil(2)
            ),
            Self::NoHugetlbfs => f.write_str(
                "memory.shared needs a hugetlbfs: 'mkdir -p /dev/hugepages && mount -t hugetlbfs nodev /dev/hugepages', \
                 or remove memory.shared",
            ),
            Self::Captures { reason } => {
                write!(f, "DPDK cannot share frames with other processes ({reason}): remove memory.shared")
            }
            Self::Start { reason, unprivileged: true } => {
                write!(f, "DPDK does not start ({reason}): run causeway as root")
            }
            Self::Start { reason, unprivileged: false } => {
                write!(f, "DPDK does not start ({reason}): RUST_LOG=dpdk=debug shows all that it logs")
            }
            Self::Pool { worker, needed, reason } => write!(
                f,
                "the buffer pool of worker {worker} ({needed} MiB) cannot be made ({reason}): lower memory.buffers, or \
                 reserve more huge pages"
            ),
            Self::TooFewBuffers { buffers, needed } => write!(
                f,
                "memory.buffers is {buffers}, but the receive queues of one worker hold {needed}: raise \
                 memory.buffers, or lower the ports' descriptors"
            ),
            Self::Device { port, device, reason, cure } => {
                write!(f, "port '{port}': device '{device}' {reason}: {cure}")
            }
            Self::Thread { reason } => {
                write!(f, "a worker thread cannot be made known to DPDK ({reason}): use fewer workers")
            }
        }
    }
}

impl std::error::Error for Error {}
