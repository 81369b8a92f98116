//! The Linux twin of an underlay port: a TAP with the port's MAC that owns the underlay addresses.
//!
//! The data path writes host frames into it, and sends what comes out of it through the port. So ARP, ND, ICMP, IGMP and
//! every daemon (FRR, lldpd, sshd) work on a port that DPDK drives.
//!
//! The TAP is *not* persistent: the kernel removes it when its file is closed. So it goes away on every way out, a crash
//! and SIGKILL included, and a restart never meets a stale one. The price is that routes which an operator added by hand
//! go with it; daemons such as FRR put theirs back when it returns. An operator who wants more makes the device ahead
//! (`ip tuntap add dev up0 mode tap`): a TAP of the twin's name that nobody holds is adopted, and outlives us as its
//! maker wished.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use config::types::Mac;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use netlink_packet_route::link::InfoKind;
use rustix::io::Errno;
use tun::AbstractDevice;

use super::error::UnderlayError;
use super::membership::{self, Membership};
use super::namespace::Namespace;
use super::rtnl::Rtnl;
use super::{alter, setup};
use crate::complain;
use crate::say::REPORT;

/// Bytes that a frame may have beyond the MTU: Ethernet header and two VLAN tags.
pub const FRAME_OVERHEAD: usize = 14 + 2 * 4;

/// How long a gateway that is ending may take to let go of its TAP before the next one gives up.
const RELEASE: Duration = Duration::from_secs(1);

const FRAME: Token = Token(0);
const WAKE: Token = Token(1);

/// What a twin shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TwinOptions {
    /// Device name, 1 to 15 bytes.
    pub name: String,
    /// Where it lives. With a port that the kernel also sees (af_packet, TAP) another than the port's, or the kernel
    /// answers twice.
    pub namespace: Namespace,
    /// The port's MAC: peers know one address only.
    pub mac: Mac,
    /// Largest payload in bytes, Ethernet header and tags not counted.
    pub mtu: u16,
    /// Addresses with prefix lengths.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Default gateways, at most one per family.
    pub gateways: Vec<IpAddr>,
}

/// A twin. The device is gone when this is dropped (unless an operator made it persistent).
pub struct Twin {
    device: Arc<tun::Device>,
    index: u32,
    /// As it was opened.
    options: TwinOptions,
    /// As it is now.
    current: Mutex<TwinOptions>,
    stop: Arc<Stop>,
    groups: Mutex<HashMap<IpAddr, Weak<membership::Joined>>>,
}

/// Tells every reader to end, and hears from them.
#[derive(Default)]
struct Stop {
    stopped: AtomicBool,
    /// Somebody removed the device.
    gone: AtomicBool,
    wakers: Mutex<Vec<Arc<Waker>>>,
}

impl Twin {
    /// Makes the device and gives it all that `options` say; nothing is left behind when that fails.
    ///
    /// # Errors
    /// One sentence with the cure: no permission, no such namespace, the name or an address is taken, a gateway out of
    /// reach, IPv6 switched off.
    pub fn open(options: &TwinOptions) -> Result<Self, UnderlayError> {
        check_name(&options.name)?;
        let (device, index) = options.namespace.run(|| {
            let mut kernel = Rtnl::open().map_err(|error| UnderlayError::refused("open a netlink socket", error))?;
            let device = open_tap(&mut kernel, options)?;
            let index = device.tun_index().ok().and_then(|index| u32::try_from(index).ok());
            let index = index.ok_or_else(|| taken(options, "a device that vanished while it was opened"))?;
            setup::configure(&mut kernel, index, options)?;
            Ok((device, index))
        })?;
        Ok(Self {
            device: Arc::new(device),
            index,
            options: options.clone(),
            current: Mutex::new(options.clone()),
            stop: Arc::default(),
            groups: Mutex::default(),
        })
    }

    /// Device name.
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// Interface index in its namespace.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// True when somebody has removed the device.
    pub fn is_gone(&self) -> bool {
        self.stop.gone.load(Ordering::Relaxed)
    }

    /// Largest frame that goes in or out, in bytes without FCS.
    pub fn largest_frame(&self) -> usize {
        usize::from(self.options.mtu) + FRAME_OVERHEAD
    }

    /// Frames that the kernel sends. One reader is enough; several share the frames among them.
    ///
    /// # Errors
    /// No file descriptor is left.
    pub fn reader(&self) -> io::Result<TwinReader> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        poll.registry().register(&mut SourceFd(&self.device.as_raw_fd()), FRAME, Interest::READABLE)?;
        self.stop.wakers.lock().unwrap_or_else(PoisonError::into_inner).push(waker);
        let device = Arc::downgrade(&self.device);
        Ok(TwinReader { device, poll, events: Events::with_capacity(2), stop: self.stop.clone() })
    }

    /// Frames for the kernel.
    pub fn writer(&self) -> TwinWriter {
        TwinWriter { device: Arc::downgrade(&self.device) }
    }

    /// Tells the kernel whether the port has carrier, so that routing daemons see a cable that is pulled. A new twin has
    /// carrier.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn set_carrier(&self, on: bool) -> Result<(), UnderlayError> {
        let refused = |error| UnderlayError::refused(format!("set the carrier of {}", self.options.name), error);
        self.options.namespace.run(|| {
            let mut kernel = Rtnl::open().map_err(refused)?;
            setup::set_carrier(&mut kernel, self.index, on).map_err(refused)
        })
    }

    /// Gives it other addresses, gateways and another MTU, at most the one that it was opened with, while it is in use.
    /// Where that fails it is put back as it was, as far as that goes.
    ///
    /// # Errors
    /// As for [`Twin::open`].
    pub fn change(&self, addresses: &[(IpAddr, u8)], gateways: &[IpAddr], mtu: u16) -> Result<(), UnderlayError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let new = TwinOptions {
            addresses: addresses.to_vec(),
            gateways: gateways.to_vec(),
            mtu: mtu.min(self.options.mtu),
            ..current.clone()
        };
        if new == *current {
            return Ok(());
        }
        self.options.namespace.run(|| {
            let mut kernel = Rtnl::open().map_err(|error| UnderlayError::refused("open a netlink socket", error))?;
            alter::alter(&mut kernel, self.index, &current, &new).inspect_err(|_| {
                if let Err(error) = alter::alter(&mut kernel, self.index, &new, &current) {
                    complain!(
                        error,
                        "a twin is neither as before nor as configured",
                        "restart the gateway, or set its addresses, routes and MTU with 'ip'";
                        twin = self.options.name, error = error
                    );
                }
            })
        })?;
        *current = new;
        Ok(())
    }

    /// Joins a multicast group: the kernel reports it (IGMPv3, MLDv2), answers queries, and leaves when the last
    /// membership of the group is dropped. Segments that share a group share the membership.
    ///
    /// # Errors
    /// Not a multicast group, or what the kernel says.
    pub fn join(&self, group: IpAddr) -> Result<Membership, UnderlayError> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(joined) = groups.get(&group).and_then(Weak::upgrade) {
            return Ok(Membership::shared(joined));
        }
        groups.retain(|_, joined| joined.strong_count() > 0);
        let joined = Arc::new(membership::join(&self.options.namespace, self.index, &self.options.name, group)?);
        groups.insert(group, Arc::downgrade(&joined));
        Ok(Membership::shared(joined))
    }

    /// Ends every [`TwinReader::read`], now and in future.
    pub fn stop(&self) {
        self.stop.stopped.store(true, Ordering::Release);
        for waker in self.stop.wakers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if let Err(error) = waker.wake() {
                complain!(error, "who reads a twin cannot be woken", REPORT; twin = self.options.name, error = error);
            }
        }
    }
}

impl Drop for Twin {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The kernel's side of the twin: what it sends.
pub struct TwinReader {
    device: Weak<tun::Device>,
    poll: Poll,
    events: Events,
    stop: Arc<Stop>,
}

impl TwinReader {
    /// Waits for a frame, puts it into `buffer` (an Ethernet frame without FCS; what does not fit is cut off, so give
    /// [`Twin::largest_frame`] bytes) and returns its length in bytes. `None` once the twin was stopped or dropped.
    ///
    /// # Errors
    /// Somebody removed the device.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            if self.stop.stopped.load(Ordering::Acquire) {
                return Ok(None);
            }
            let Some(device) = self.device.upgrade() else { return Ok(None) };
            match device.recv(buffer) {
                Ok(length) => return Ok(Some(length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.stop.gone.store(true, Ordering::Relaxed);
                    return Err(error);
                }
            }
            // While waiting, the twin's owner alone holds the device, so that dropping the twin closes it.
            drop(device);
            match self.poll.poll(&mut self.events, None) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
    }
}

/// Our side of the twin: what the kernel receives. Cheap to clone.
#[derive(Clone)]
pub struct TwinWriter {
    device: Weak<tun::Device>,
}

impl TwinWriter {
    /// Hands an Ethernet frame without FCS to the kernel; never blocks.
    ///
    /// # Errors
    /// The kernel did not take the frame: the twin is down (EIO) or gone, the frame is shorter than an Ethernet header,
    /// or there is no memory. Nothing to retry.
    pub fn write(&self, frame: &[u8]) -> io::Result<()> {
        let device = self.device.upgrade().ok_or(io::ErrorKind::NotConnected)?;
        device.send(frame).map(drop)
    }
}

/// What the kernel would refuse with a bare "invalid argument", or expand (`%d`).
fn check_name(name: &str) -> Result<(), UnderlayError> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match (1..=15).contains(&name.len()) && name.bytes().all(good) && name != "." && name != ".." {
        true => Ok(()),
        false => Err(UnderlayError::BadName { name: name.into() }),
    }
}

fn taken(options: &TwinOptions, by: impl Into<String>) -> UnderlayError {
    let (name, namespace) = (options.name.clone(), options.namespace.to_string());
    UnderlayError::NameTaken { name, namespace, by: by.into() }
}

/// Makes the TAP, or adopts one that nobody holds.
fn open_tap(kernel: &mut Rtnl, options: &TwinOptions) -> Result<tun::Device, UnderlayError> {
    let doing = || format!("open the TAP {}", options.name);
    let existing = setup::device(kernel, &options.name).map_err(|error| UnderlayError::refused(doing(), error))?;
    match &existing {
        None | Some((_, InfoKind::Tun)) => {}
        Some((_, InfoKind::Other(kind))) if kind == "device" => return Err(taken(options, "another device")),
        Some((_, kind)) => return Err(taken(options, format!("a device of type {kind}"))),
    }
    let mut configuration = tun::Configuration::default();
    configuration.tun_name(&options.name).layer(tun::Layer::L2);
    // The crate would set up addresses over ioctls; that is ours to do.
    configuration.platform_config(|platform| {
        platform.ensure_root_privileges(false);
    });
    let deadline = Instant::now() + RELEASE;
    let device = loop {
        let busy = match tun::create(&configuration) {
            Ok(device) => break device,
            Err(tun::Error::Io(error)) => match (error.raw_os_error().map(Errno::from_raw_os_error), &existing) {
                (Some(Errno::BUSY), _) => taken(options, "a TAP that another process holds"),
                (Some(Errno::INVAL), Some(_)) => return Err(taken(options, "a TUN, or a TAP with several queues")),
                (Some(Errno::NOENT | Errno::NODEV | Errno::NXIO), _) => return Err(UnderlayError::NoTun),
                _ => return Err(UnderlayError::refused(doing(), error)),
            },
            Err(error) => return Err(UnderlayError::refused(doing(), io::Error::other(error.to_string()))),
        };
        if Instant::now() >= deadline {
            return Err(busy);
        }
        thread::sleep(Duration::from_millis(10));
    };
    device.set_nonblock().map_err(|error| UnderlayError::refused(doing(), error))?;
    Ok(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_names_are_those_that_linux_takes() {
        for good in ["up0", "a", "uplink-1.100", "fifteen-letters"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "sixteen-letters!", "tap%d", "a b", "a/b", "häuser"] {
            assert!(matches!(check_name(bad), Err(UnderlayError::BadName { .. })), "{bad}");
        }
    }
}
