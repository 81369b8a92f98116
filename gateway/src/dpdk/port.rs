//! Ports: devices probed, set up, started, and closed when nobody uses them any more.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Arc;

use config::types::{Mac, Port as PortConfig, Tag};
use dpdk_sys as sys;

use super::device::Device;
use super::eal::Eal;
use super::error::Error;
use super::log;
use super::pool::MbufPool;
use super::refusal::{self, Refusal};

/// net_tap passes its queues over a message with room for this many pairs; DPDK 22.11 ends the process on more.
const TAP_QUEUES: u16 = 4;
/// Bytes of an Ethernet header, two tags and the checksum, which a driver may count as part of a frame.
const L2: u32 = 26;

/// What a port became once it was set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortInfo {
    /// The operator's name.
    pub name: String,
    /// The device as DPDK was asked for it.
    pub device: String,
    /// DPDK's driver.
    pub driver: String,
    /// Its address.
    pub mac: Mac,
    /// Largest payload that passes, in bytes (the Ethernet header and tags not counted).
    pub mtu: u16,
    /// Why `mtu` is not what was asked for, or what to know about it.
    pub mtu_note: Option<String>,
    /// Receive queues.
    pub rx_queues: u16,
    /// Transmit queues; [`crate::driver::Driver::has_tx`] says which workers have one.
    pub tx_queues: u16,
    /// What the device does for us.
    pub offloads: Offloads,
    /// Its NUMA node, where the host says.
    pub node: Option<u16>,
}

/// What a device does for us, as negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Offloads {
    /// It checks IPv4 header checksums.
    pub rx_ipv4_checksum: bool,
    /// It checks UDP checksums.
    pub rx_udp_checksum: bool,
    /// It takes the outer 802.1Q tag off.
    pub vlan_strip: bool,
    /// It gives the hash that it spreads flows by.
    pub rss_hash: bool,
    /// It receives frames longer than a buffer, in several pieces.
    pub scatter: bool,
    /// It fills in the IPv4 header checksum ([`crate::frame::TxOffload::ipv4_checksum_at`]).
    pub tx_ipv4_checksum: bool,
    /// It inserts an 802.1Q tag ([`crate::frame::TxOffload::insert`]).
    pub vlan_insert: bool,
    /// It transmits frames of several pieces. Where it does not, the driver makes them one before it offers them.
    pub multi_segment: bool,
}

/// A link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Frames pass.
    pub up: bool,
    /// Both directions at once.
    pub full_duplex: bool,
    /// Mbit/s; `None` when the device does not say.
    pub speed: Option<u32>,
}

/// What the device counted since it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct HardwareStats {
    /// Frames received.
    pub rx_frames: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Frames lost because the receive queues were full.
    pub rx_missed: u64,
    /// Frames received with errors.
    pub rx_errors: u64,
    /// Frames lost because the pool was empty.
    pub rx_no_buffer: u64,
    /// Frames transmitted.
    pub tx_frames: u64,
    /// Bytes transmitted.
    pub tx_bytes: u64,
    /// Frames that the device could not transmit.
    pub tx_errors: u64,
}

/// A started port: what it is, its link and its counters, from any thread. Closed when the last handle and the last
/// driver with one of its queues are gone.
#[derive(Clone)]
pub struct Port {
    info: Arc<PortInfo>,
    open: Arc<Open>,
}

impl Port {
    /// What the port is.
    pub fn info(&self) -> &PortInfo {
        &self.info
    }

    /// Its link now. Wraps `rte_eth_link_get_nowait`; a device that cannot say is down.
    pub fn link(&self) -> Link {
        let mut link = sys::cw_link { up: false, full_duplex: false, speed: 0 };
        // SAFETY: the port is open and `link` is written by the call; reading a link is allowed beside traffic.
        unsafe { sys::cw_link_state(self.open.id, &mut link) };
        Link { up: link.up, full_duplex: link.full_duplex, speed: (link.speed != 0).then_some(link.speed) }
    }

    /// What the device counted. Wraps `rte_eth_stats_get`; all zero for a device that does not count.
    pub fn stats(&self) -> HardwareStats {
        let mut stats = MaybeUninit::<sys::rte_eth_stats>::zeroed();
        // SAFETY: the port is open, the structure is written by the call and is plain numbers, for which zero is valid.
        let stats = unsafe {
            sys::rte_eth_stats_get(self.open.id, stats.as_mut_ptr());
            stats.assume_init()
        };
        HardwareStats {
            rx_frames: stats.ipackets,
            rx_bytes: stats.ibytes,
            rx_missed: stats.imissed,
            rx_errors: stats.ierrors,
            rx_no_buffer: stats.rx_nombuf,
            tx_frames: stats.opackets,
            tx_bytes: stats.obytes,
            tx_errors: stats.oerrors,
        }
    }

    pub(super) fn open(&self) -> &Arc<Open> {
        &self.open
    }
}

/// A probed device, closed when dropped.
pub(super) struct Open {
    pub(super) id: u16,
    /// Devices go before DPDK does.
    _eal: Eal,
}

impl Drop for Open {
    fn drop(&mut self) {
        // SAFETY: the device was probed and whoever used its queues held this value. Stopping a device that never
        // started does nothing; closing frees the buffers in its queues, whose pools live as long as EAL.
        unsafe {
            sys::rte_eth_dev_stop(self.id);
            sys::rte_eth_dev_close(self.id);
        }
    }
}

/// A device found, its queues not yet set up.
pub(super) struct Probed<'a> {
    config: &'a PortConfig,
    device: &'a Device,
    open: Arc<Open>,
    can: sys::rte_eth_dev_info,
    /// Receive and transmit queues that it will have.
    pub(super) queues: (u16, u16),
    /// Descriptors of a receive and of a transmit queue.
    descriptors: (u16, u16),
}

/// Finds a device. Wraps `rte_dev_probe`.
pub(super) fn probe<'a>(
    eal: &Eal,
    config: &'a PortConfig,
    device: &'a Device,
    workers: u16,
) -> Result<Probed<'a>, Error> {
    let fails = |reason, cure| failure(config, reason, cure);
    let no_zero = |text: &str| CString::new(text).map_err(|_| fails("has a zero byte in its name".into(), "remove it"));
    let (name, arguments) = (no_zero(&device.name)?, no_zero(&device.arguments)?);

    // A PCI device was probed when DPDK started; if that failed, this says why.
    let mut id = 0;
    // SAFETY: a C string and a place for the number.
    let known = unsafe { sys::rte_eth_dev_get_port_by_name(name.as_ptr(), &mut id) } == 0;
    if !known {
        log::forget();
        // SAFETY: EAL runs, the argument is a C string that the call copies.
        let rc = log::quietly(|| unsafe { sys::rte_dev_probe(arguments.as_ptr()) });
        // SAFETY: as above.
        if rc != 0 || unsafe { sys::rte_eth_dev_get_port_by_name(name.as_ptr(), &mut id) } != 0 {
            return Err(refused(config, refusal::understood(device)));
        }
    }
    let open = Arc::new(Open { id, _eal: eal.clone() });

    let mut can = MaybeUninit::<sys::rte_eth_dev_info>::zeroed();
    // SAFETY: the device is open; the call fills the structure, for which zero (null pointers, numbers) is valid.
    let (rc, can) = unsafe {
        let rc = sys::rte_eth_dev_info_get(id, can.as_mut_ptr());
        (rc, can.assume_init())
    };
    if rc != 0 {
        let why = log::complaints(&log::errno_text(rc));
        return Err(fails(format!("does not say what it can do ({why})"), "use another driver"));
    }
    let queues = queues(config, device, &can, workers)?;
    Ok(Probed { config, device, open, can, queues, descriptors: config.descriptors })
}

/// How many queues a port gets.
fn queues(
    config: &PortConfig,
    device: &Device,
    can: &sys::rte_eth_dev_info,
    workers: u16,
) -> Result<(u16, u16), Error> {
    let most = if device.is("net_tap") { TAP_QUEUES } else { u16::MAX };
    let (most_rx, most_tx) = (can.max_rx_queues.min(most), can.max_tx_queues.min(most));
    let rx = match config.rx_queues {
        Some(wanted) if wanted > most_rx => {
            let reason = format!("has {most_rx} receive queues at most, not {wanted}");
            return Err(failure(config, reason, "lower the port's rx_queues"));
        }
        Some(wanted) => wanted,
        None if device.has_fixed_queues() => most_rx,
        // A ring for each: what worker n sends comes in on queue n.
        None if device.is("net_ring") || can.flow_type_rss_offloads != 0 => workers.min(most_rx),
        None => most_rx.min(1),
    };
    let tx = workers.min(most_tx);
    if rx == 0 || tx == 0 {
        let reason = format!("has {rx} receive and {tx} transmit queues");
        return Err(failure(config, reason, "a port needs one of each: add them to the device's arguments"));
    }
    Ok((rx, tx))
}

impl Probed<'_> {
    /// Buffers that a receive queue holds while it waits.
    pub(super) fn held_by_queue(&self) -> u32 {
        if self.device.copies() { 0 } else { u32::from(self.descriptors.0) }
    }

    /// Sets the device up and starts it; receive queue `n` fills buffers of `pools[owner(n)]`.
    pub(super) fn start(mut self, pools: &[MbufPool], owner: impl Fn(u16) -> usize) -> Result<Port, Error> {
        let id = self.open.id;
        // SAFETY: the pools are alive.
        let room = u32::from(unsafe { sys::cw_data_room(pools[0].as_ptr()) }) - sys::CW_HEADROOM;
        let offloads = self.configure(room)?;
        let (mtu, mtu_note) = self.set_mtu(room, offloads);

        let (rx_descriptors, tx_descriptors) = self.descriptors;
        // SAFETY: the device is open. -1 (no node) becomes SOCKET_ID_ANY, which is what DPDK means by it.
        let node = unsafe { sys::rte_eth_dev_socket_id(id) };
        for queue in 0..self.queues.0 {
            let pool = pools[owner(queue)].as_ptr();
            // SAFETY: the device is configured with more queues than `queue`; a null configuration asks for the
            // driver's own; the pool lives as long as EAL.
            let rc = unsafe { sys::rte_eth_rx_queue_setup(id, queue, rx_descriptors, node as u32, ptr::null(), pool) };
            self.done(rc, || format!("does not set up receive queue {queue}"))?;
        }
        for queue in 0..self.queues.1 {
            // SAFETY: as above.
            let rc = unsafe { sys::rte_eth_tx_queue_setup(id, queue, tx_descriptors, node as u32, ptr::null()) };
            self.done(rc, || format!("does not set up transmit queue {queue}"))?;
        }
        log::forget();
        // SAFETY: every queue is set up.
        self.done(unsafe { sys::rte_eth_dev_start(id) }, || "does not start".into())?;
        // SAFETY: the device runs. Virtual devices without an address filter refuse, and need neither.
        unsafe {
            sys::rte_eth_promiscuous_enable(id);
            sys::rte_eth_allmulticast_enable(id);
        }

        let info = PortInfo {
            name: self.config.name.clone(),
            device: self.device.arguments.clone(),
            driver: self.driver(),
            mac: self.mac(),
            mtu,
            mtu_note,
            rx_queues: self.queues.0,
            tx_queues: self.queues.1,
            offloads,
            node: u16::try_from(node).ok(),
        };
        Ok(Port { info: Arc::new(info), open: self.open })
    }

    /// `rte_eth_dev_configure` with what the device and the configuration both want; `room` is a buffer's for data.
    fn configure(&mut self, room: u32) -> Result<Offloads, Error> {
        let wanted = self.config.offload;
        let can_rx = |bit| self.can.rx_offload_capa & bit != 0;
        let can_tx = |bit| self.can.tx_offload_capa & bit != 0;
        // A driver that strips tags does not say which ethertype it took off; a port with QinQ must know.
        let needs_ethertype = self.config.attachments.iter().any(|a| matches!(a.tag, Tag::QinQ { .. }));
        let rss = self.queues.0 > 1 && self.can.flow_type_rss_offloads & sys::CW_RSS_FLOWS != 0;
        let offloads = Offloads {
            rx_ipv4_checksum: wanted && can_rx(sys::CW_RX_OFFLOAD_IPV4_CKSUM),
            rx_udp_checksum: wanted && can_rx(sys::CW_RX_OFFLOAD_UDP_CKSUM),
            vlan_strip: wanted && !needs_ethertype && can_rx(sys::CW_RX_OFFLOAD_VLAN_STRIP),
            rss_hash: wanted && rss && can_rx(sys::CW_RX_OFFLOAD_RSS_HASH),
            scatter: u32::from(self.config.mtu) + L2 > room && can_rx(sys::CW_RX_OFFLOAD_SCATTER),
            // Only what hardware does: virtual drivers do these in software, slower than we do, and refuse shared
            // buffers (rte_vlan_insert).
            tx_ipv4_checksum: wanted && self.device.pci && can_tx(sys::CW_TX_OFFLOAD_IPV4_CKSUM),
            vlan_insert: wanted
                && self.device.pci
                && !self.driver().contains("virtio")
                && can_tx(sys::CW_TX_OFFLOAD_VLAN_INSERT),
            multi_segment: can_tx(sys::CW_TX_OFFLOAD_MULTI_SEGS) || self.device.is_boundless(),
        };
        let bits = |list: &[(bool, u64)]| list.iter().filter(|(on, _)| *on).fold(0, |bits, (_, bit)| bits | bit);

        // SAFETY: the structure is plain numbers and null pointers, for which zero is valid and means "the default".
        let mut conf: sys::rte_eth_conf = unsafe { MaybeUninit::zeroed().assume_init() };
        conf.rxmode.offloads = bits(&[
            (offloads.rx_ipv4_checksum, sys::CW_RX_OFFLOAD_IPV4_CKSUM),
            (offloads.rx_udp_checksum, sys::CW_RX_OFFLOAD_UDP_CKSUM),
            (offloads.vlan_strip, sys::CW_RX_OFFLOAD_VLAN_STRIP),
            (offloads.rss_hash, sys::CW_RX_OFFLOAD_RSS_HASH),
            (offloads.scatter, sys::CW_RX_OFFLOAD_SCATTER),
        ]);
        // Never MBUF_FAST_FREE: it promises one pool and no shared buffers, and floods share.
        conf.txmode.offloads = bits(&[
            (offloads.tx_ipv4_checksum, sys::CW_TX_OFFLOAD_IPV4_CKSUM),
            (offloads.vlan_insert, sys::CW_TX_OFFLOAD_VLAN_INSERT),
            (can_tx(sys::CW_TX_OFFLOAD_MULTI_SEGS), sys::CW_TX_OFFLOAD_MULTI_SEGS),
        ]);
        if rss {
            conf.rxmode.mq_mode = sys::RTE_ETH_MQ_RX_RSS;
            conf.rx_adv_conf.rss_conf.rss_hf = self.can.flow_type_rss_offloads & sys::CW_RSS_FLOWS;
        }
        log::forget();
        let (id, (rx, tx)) = (self.open.id, self.queues);
        // SAFETY: the device is open and not started; the call copies the configuration.
        self.done(unsafe { sys::rte_eth_dev_configure(id, rx, tx, &conf) }, || "refuses its configuration".into())?;
        let (rx, tx) = (&mut self.descriptors.0, &mut self.descriptors.1);
        // SAFETY: the device is open; the call brings both numbers into the device's limits.
        let rc = unsafe { sys::rte_eth_dev_adjust_nb_rx_tx_desc(id, rx, tx) };
        self.done(rc, || "refuses its descriptors".into())?;
        Ok(offloads)
    }

    /// Asks for the MTU and says what really passes: several drivers refuse to be asked and carry large frames anyway.
    fn set_mtu(&self, room: u32, offloads: Offloads) -> (u16, Option<String>) {
        let (id, mut asked) = (self.open.id, self.config.mtu);
        let mut note = None;
        if u32::from(asked) + L2 > room && !offloads.scatter && !self.device.copies() {
            asked = (room - L2) as u16;
            note = Some(format!(
                "frames of up to {asked} bytes pass, not {}: the device fills one buffer a frame, so raise \
                 memory.buffer_size",
                self.config.mtu
            ));
        }
        let mut now = 0;
        // SAFETY: the device is open and configured; the call writes the number.
        let known = unsafe { sys::rte_eth_dev_get_mtu(id, &mut now) } == 0;
        if known && now == asked {
            return (asked, note);
        }
        // SAFETY: as above.
        let refused = log::quietly(|| unsafe { sys::rte_eth_dev_set_mtu(id, asked) });
        if refused == 0 {
            return (asked, note);
        }
        let mut why = format!("the driver says {}", log::errno_text(refused));
        let limit = if let Some(rings) = self.device.ring_mtu() {
            let interface = self.device.argument("iface");
            let most = interface.and_then(super::host::interface_mtu).unwrap_or(u32::MAX);
            if let (Some(interface), true) = (interface, most < rings) {
                why = format!("interface {interface} takes no more");
            }
            rings.min(most)
        } else if self.device.is_boundless() {
            u32::MAX
        } else {
            u32::from(if known { now } else { 1500 })
        };
        match u16::try_from(limit).ok().filter(|&limit| limit < asked) {
            Some(limit) => (limit, Some(format!("frames of up to {limit} bytes pass, not {asked}: {why}"))),
            None => {
                let carries = || format!("the driver does not set the MTU, but carries such frames ({why})");
                (asked, note.or_else(|| Some(carries())))
            }
        }
    }

    /// The driver's name.
    fn driver(&self) -> String {
        if self.can.driver_name.is_null() {
            return "unknown".into();
        }
        // SAFETY: not null, then it is the C string of a loaded driver.
        unsafe { CStr::from_ptr(self.can.driver_name) }.to_string_lossy().into_owned()
    }

    fn mac(&self) -> Mac {
        // SAFETY: six bytes, for which zero is valid.
        let mut address: sys::rte_ether_addr = unsafe { MaybeUninit::zeroed().assume_init() };
        // SAFETY: the device is open; the call writes the address.
        unsafe { sys::rte_eth_macaddr_get(self.open.id, &mut address) };
        Mac(address.addr_bytes)
    }

    /// Turns a return code into an error that says what the device does not do.
    fn done(&self, rc: i32, what: impl Fn() -> String) -> Result<(), Error> {
        if rc == 0 {
            return Ok(());
        }
        let why = log::complaints(&log::errno_text(rc));
        Err(failure(
            self.config,
            format!("{} ({why})", what()),
            "check the device's arguments and the port's queues, descriptors and mtu",
        ))
    }
}

/// Refuses a device that two ports name: DPDK would give both the same.
pub(super) fn all_different(ports: &[PortConfig], devices: &[Device]) -> Result<(), Error> {
    for (index, device) in devices.iter().enumerate() {
        if let Some(other) = devices[..index].iter().position(|other| other.name == device.name) {
            let reason = format!("is the device of port '{}' too", ports[other].name);
            let cure = if device.pci { "use another device" } else { "give one of them another number" };
            return Err(failure(&ports[index], reason, cure));
        }
    }
    Ok(())
}

/// Refuses a device that is not there, before DPDK starts and says so in words of its own.
pub(super) fn none_missing(ports: &[PortConfig], devices: &[Device]) -> Result<(), Error> {
    let mut missing = ports.iter().zip(devices).filter_map(|(port, device)| Some((port, refusal::foreseen(device)?)));
    missing.next().map_or(Ok(()), |(port, why)| Err(refused(port, why)))
}

fn failure(config: &PortConfig, reason: String, cure: &str) -> Error {
    refused(config, Refusal { reason, cure: cure.into() })
}

fn refused(config: &PortConfig, Refusal { reason, cure }: Refusal) -> Error {
    Error::Device { port: config.name.clone(), device: config.device.clone(), reason, cure }
}
