//! DPDK, in types that cannot be misused: [`Eal`], [`Port`], [`MbufPool`], [`Mbuf`], [`DpdkDriver`].
//!
//! [`open`] makes all of it from a checked model. What keeps the C rules:
//!
//! - A frame ([`Mbuf`]) has one owner, which frees it or hands it to a device, never both.
//! - A queue belongs to one [`DpdkDriver`], and a driver to one thread at a time.
//! - A device is closed when nothing uses its queues; DPDK ends when nothing is left that needs it.
//!
//! This module and `dpdk-sys` are where the gateway is unsafe; each block names the rule and the type that upholds it.

mod clock;
mod device;
mod driver;
mod eal;
mod error;
mod host;
mod log;
mod mbuf;
mod pool;
mod port;
mod refusal;
mod shared;
pub mod telemetry;

use config::types::Model;

use device::Device;
use driver::{RxQueue, TxQueue};

pub use clock::{cycles, hertz};
pub use driver::DpdkDriver;
pub use eal::{Eal, EalOptions, WorkerThread};
pub use error::Error;
pub use mbuf::Mbuf;
pub use pool::{HEADROOM, MbufPool, PoolGauge};
pub use port::{HardwareStats, Link, Offloads, Port, PortInfo};

use crate::frame::PortId;

/// Everything that a model's devices became.
pub struct Dpdk {
    /// By port of the model: what it is, its link and its counters.
    pub ports: Vec<Port>,
    /// By worker of the model: its queues and its pool, to be moved to its thread.
    pub drivers: Vec<DpdkDriver>,
    /// By worker of the model: how many of its buffers are in use.
    pub pools: Vec<PoolGauge>,
    /// DPDK itself.
    pub eal: Eal,
}

/// Starts DPDK and every port of `model`, and deals out their queues: where a port has at least as many receive queues
/// as there are workers, queue `n` goes to worker `n` (and round again); the queues of other ports are dealt round all
/// workers. Every worker has a transmit queue on every port; where a device has too few, the workers that poll the port
/// come first.
///
/// Dropping all parts of the result closes the ports and ends DPDK.
///
/// # Errors
///
/// One sentence with its cure for whatever fails first: DPDK itself, a pool, or a device.
pub fn open(model: &Model) -> Result<Dpdk, Error> {
    let workers = &model.workers.cores;
    let devices: Vec<Device> = model.ports.iter().map(|port| Device::parse(&port.device, port.mtu)).collect();
    port::all_different(&model.ports, &devices)?;
    port::none_missing(&model.ports, &devices)?;
    let data_room = data_room(model, &devices);
    let eal = Eal::start(&EalOptions {
        workers: workers.clone(),
        huge_pages: model.memory.huge_pages,
        memory: memory(model, data_room),
        file_prefix: model.memory.file_prefix.clone(),
        shared: model.memory.shared,
        pci: devices.iter().filter(|device| device.pci).map(|device| device.arguments.clone()).collect(),
        single_file_segments: devices
            .iter()
            .any(|device| device.name.starts_with("net_vhost") || device.name.contains("virtio_user")),
    })?;

    let probed = model
        .ports
        .iter()
        .zip(&devices)
        .map(|(port, device)| port::probe(&eal, port, device, workers.len() as u16))
        .collect::<Result<Vec<_>, _>>()?;
    let owners = deal(probed.iter().map(|port| port.queues.0), workers.len());
    enough_buffers(model, &probed, &owners)?;

    let mut pools = Vec::with_capacity(workers.len());
    for (worker, &core) in workers.iter().enumerate() {
        let node = host::node_of_core(core);
        pools.push(pool::create(&eal.0, worker, model.memory.buffers, data_room, node)?);
    }
    let mut ports = Vec::with_capacity(probed.len());
    for (port, owners) in probed.into_iter().zip(&owners) {
        ports.push(port.start(&pools, |queue| owners[usize::from(queue)])?);
    }

    // Where some port needs frames in one piece, copying once is cheaper than cloning and then copying.
    let share = ports.iter().all(|port| port.info().offloads.multi_segment);
    let gauges = pools.iter().map(MbufPool::gauge).collect();
    let drivers = pools
        .into_iter()
        .enumerate()
        .map(|(worker, mut pool)| {
            pool.set_share(share);
            driver_of((worker, workers.len()), &ports, &devices, &owners, pool, &eal)
        })
        .collect();
    Ok(Dpdk { ports, drivers, pools: gauges, eal })
}

/// MiB of memory that [`open`] takes for `model`: huge pages, where they are used.
pub fn memory_needed(model: &Model) -> u32 {
    let devices: Vec<Device> = model.ports.iter().map(|port| Device::parse(&port.device, port.mtu)).collect();
    memory(model, data_room(model, &devices))
}

/// Bytes of each buffer, headroom counted: what the operator said, or what a device needs.
fn data_room(model: &Model, devices: &[Device]) -> u16 {
    let configured = u32::from(model.memory.buffer_size) + u32::from(pool::HEADROOM);
    let needed = devices.iter().map(|device| device.buffer_size() + dpdk_sys::CW_HEADROOM).max().unwrap_or(0);
    configured.max(needed).min(u32::from(u16::MAX)) as u16
}

/// MiB for the pools, the devices' rings and DPDK's own tables.
fn memory(model: &Model, data_room: u16) -> u32 {
    let pools = pool::footprint(model.memory.buffers, data_room) * model.workers.cores.len() as u64;
    let rings = model.ports.len() as u64 * (4 << 20);
    (pools.div_ceil(1 << 20) + rings.div_ceil(1 << 20) + 64) as u32
}

/// The worker of each receive queue of each port.
fn deal(queues: impl Iterator<Item = u16>, workers: usize) -> Vec<Vec<usize>> {
    let mut next = 0;
    queues
        .map(|queues| {
            let queues = usize::from(queues);
            let first = if queues >= workers { 0 } else { next };
            if queues < workers {
                next += queues;
            }
            (first..first + queues).map(|queue| queue % workers).collect()
        })
        .collect()
}

/// Refuses a model whose receive queues would hold all buffers of a worker.
fn enough_buffers(model: &Model, probed: &[port::Probed<'_>], owners: &[Vec<usize>]) -> Result<(), Error> {
    for worker in 0..model.workers.cores.len() {
        let held: u32 = probed
            .iter()
            .zip(owners)
            .map(|(port, owners)| owners.iter().filter(|&&owner| owner == worker).count() as u32 * port.held_by_queue())
            .sum();
        let needed = held + 2 * crate::driver::BURST as u32;
        if model.memory.buffers < needed {
            return Err(Error::TooFewBuffers { buffers: model.memory.buffers, needed });
        }
    }
    Ok(())
}

/// The driver of one of all workers.
fn driver_of(
    (worker, workers): (usize, usize),
    ports: &[Port],
    devices: &[Device],
    owners: &[Vec<usize>],
    pool: MbufPool,
    eal: &Eal,
) -> DpdkDriver {
    let mut rx = Vec::new();
    let mut tx = Vec::new();
    for (index, (port, (device, owners))) in ports.iter().zip(devices.iter().zip(owners)).enumerate() {
        for (queue, _) in owners.iter().enumerate().filter(|(_, owner)| **owner == worker) {
            rx.push(RxQueue {
                port: PortId(index as u8),
                open: port.open().clone(),
                queue: queue as u16,
                forwarded: device.is("net_ring"),
            });
        }
        // Counted from the worker that polls the port's first queue, so that a port with one queue each way stays on
        // one worker.
        let queue = (worker + workers - owners[0]) % workers;
        tx.push((queue < usize::from(port.info().tx_queues)).then(|| TxQueue {
            open: port.open().clone(),
            queue: queue as u16,
            multi_segment: port.info().offloads.multi_segment,
        }));
    }
    DpdkDriver { rx, tx, pool, eal: eal.clone() }
}

#[cfg(test)]
mod tests {
    use super::deal;

    #[test]
    fn queues_of_a_port_that_spreads_flows_go_to_the_workers_in_order() {
        assert_eq!(deal([4, 4].into_iter(), 4), [[0, 1, 2, 3], [0, 1, 2, 3]]);
    }

    #[test]
    fn ports_with_one_queue_are_dealt_round_the_workers() {
        assert_eq!(deal([1, 1, 1].into_iter(), 2), [[0], [1], [0]]);
    }

    #[test]
    fn a_port_with_more_queues_than_workers_is_polled_on_all() {
        assert_eq!(deal([3].into_iter(), 2), [[0, 1, 0]]);
    }
}
