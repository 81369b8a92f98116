//! The thread that follows FRR: notifications in, changes out, local MACs put into the kernel.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use config::types::Vni;
use crossbeam::channel::{Receiver, Sender};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE, NetlinkPayload};
use netlink_packet_route::neighbour::NeighbourMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::constants::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

use super::codec::{self, Step};
use super::mirror::Mirror;
use super::shadow::{self, Shadow};
use super::{Said, Settings, Task};
use crate::complain;
use crate::inform;
use crate::rights::{self, Rights};
use crate::say::REPORT;
use crate::source::error::UnderlayError;
use crate::source::rtnl::{Rtnl, messages};

const KERNEL: Token = Token(0);
pub(super) const WAKE: Token = Token(1);

/// RTNLGRP_NEIGH, bit n-1 for group n (linux/rtnetlink.h).
const GROUPS: u32 = 1 << 2;

/// A burst of 50,000 MACs is two notifications each.
const RECEIVE_BUFFER: i32 = 16 << 20;

/// Datagrams taken, and steps done, before the other gets its turn.
const AT_ONCE: usize = 1024;

/// Between two attempts after the kernel refused something.
const RETRY: Duration = Duration::from_secs(1);

/// The thread's own.
pub(super) struct Worker {
    settings: Settings,
    poll: Poll,
    tell: Sender<Said>,
    notifications: Socket,
    kernel: Rtnl,
    buffer: Vec<u8>,
    mirror: Mirror,
    shadows: BTreeMap<Vni, Shadow>,
    wanted: BTreeMap<Vni, String>,
    /// VNIs that could not be set up are tried again then.
    retry: Option<Instant>,
    steps: VecDeque<Step>,
    /// Notifications were lost.
    lost: bool,
}

impl Worker {
    /// Moves the calling thread into FRR's namespace and opens netlink there.
    pub fn open(settings: Settings, poll: Poll, tell: Sender<Said>) -> Result<Self, UnderlayError> {
        settings.namespace.enter()?;
        rights::keep(Rights::NET_ADMIN);
        let refused = |error| UnderlayError::refused("follow FRR over netlink", error);
        let notifications = subscribe(&poll).map_err(refused)?;
        let mut kernel = Rtnl::open().map_err(refused)?;
        let swept = shadow::sweep(&mut kernel).map_err(refused)?;
        if swept > 0 {
            inform!("devices that an earlier gateway left for FRR were removed"; devices = swept);
        }
        let mirror = Mirror::new(settings.hold);
        Ok(Self {
            settings,
            poll,
            tell,
            notifications,
            kernel,
            buffer: Vec::with_capacity(64 << 10),
            mirror,
            shadows: BTreeMap::new(),
            wanted: BTreeMap::new(),
            retry: None,
            steps: VecDeque::new(),
            lost: false,
        })
    }

    /// Works until it is told to stop.
    pub fn work(mut self, tasks: &Receiver<Task>) {
        let mut events = Events::with_capacity(4);
        loop {
            for task in tasks.try_iter() {
                match task {
                    Task::Vnis(vnis) => {
                        self.wanted = vnis.into_iter().collect();
                        self.retry = Some(Instant::now());
                    }
                    Task::Locals { afresh, macs } => {
                        for vni in afresh {
                            let steps = self.mirror.afresh(vni);
                            self.steps.extend(steps);
                        }
                        for (vni, mac, here) in macs {
                            let step = self.mirror.local(vni, mac, here);
                            self.steps.extend(step);
                        }
                    }
                    Task::Stop => return self.remove_all(),
                }
            }
            let more = self.turn().unwrap_or_else(|error| {
                self.trouble(format!("following FRR over netlink failed ({error}); it is tried again"));
                self.lost = true;
                self.retry = Some(Instant::now() + RETRY);
                false
            });
            let change = self.mirror.change(Instant::now());
            if !change.is_empty() && self.tell.send(Said::Change(change)).is_err() {
                return self.remove_all();
            }
            let next = [self.retry, self.mirror.deadline()].into_iter().flatten().min();
            let now = Instant::now();
            let timeout = match more {
                true => Some(Duration::ZERO),
                // Rounded up: epoll counts whole milliseconds.
                false => next.map(|at| at.saturating_duration_since(now) + Duration::from_millis(1)),
            };
            if let Err(error) = self.poll.poll(&mut events, timeout)
                && error.kind() != io::ErrorKind::Interrupted
            {
                complain!(error, "netlink in FRR's namespace cannot be waited for", REPORT; controller = "evpn", error = error);
                std::thread::sleep(RETRY);
            }
        }
    }

    /// One round; true when there is more to do at once.
    fn turn(&mut self) -> io::Result<bool> {
        if self.retry.is_some_and(|at| at <= Instant::now()) {
            self.retry = None;
            self.arrange();
        }
        let mut more = self.listen()?;
        if std::mem::take(&mut self.lost) {
            self.read()?;
        }
        for _ in 0..AT_ONCE {
            let Some(step) = self.steps.pop_front() else { break };
            self.take(step);
        }
        more |= !self.steps.is_empty();
        Ok(more)
    }

    /// Makes the devices of VNIs that are wanted and removes the others.
    fn arrange(&mut self) {
        let gone: Vec<Vni> = self.shadows.keys().copied().filter(|vni| !self.wanted.contains_key(vni)).collect();
        for vni in gone {
            if let Some(shadow) = self.shadows.remove(&vni) {
                shadow.remove(&mut self.kernel);
                self.mirror.remove(vni);
            }
        }
        let mut failed = None;
        for (&vni, name) in &self.wanted {
            if self.shadows.contains_key(&vni) {
                continue;
            }
            match Shadow::make(&mut self.kernel, vni, self.settings.local, self.settings.udp_port) {
                Ok(shadow) => {
                    self.mirror.add(vni, name, shadow.devices());
                    self.shadows.insert(vni, shadow);
                }
                Err(error) => failed = Some(format!("VNI {vni} takes no part yet: {error}")),
            }
        }
        if let Some(why) = failed {
            self.trouble(why);
            self.retry = Some(Instant::now() + RETRY);
        }
        // FRR may have put something in between the making of a device and its entry in the mirror.
        self.lost = true;
    }

    /// Takes in what the kernel has told; true when there is more.
    fn listen(&mut self) -> io::Result<bool> {
        for _ in 0..AT_ONCE {
            self.buffer.clear();
            match self.notifications.recv(&mut self.buffer, 0) {
                Ok(_) => {
                    for message in messages(&self.buffer) {
                        if let NetlinkPayload::InnerMessage(message) = message.payload {
                            hear(&mut self.mirror, &message);
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOBUFS.raw_os_error()) => {
                    inform!("notifications of netlink were lost, everything is read again"; controller = "evpn");
                    self.lost = true;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Reads all tables, and puts in again what the kernel lacks.
    fn read(&mut self) -> io::Result<()> {
        self.mirror.forget();
        for family in [AddressFamily::Bridge, AddressFamily::Inet, AddressFamily::Inet6] {
            let mut message = NeighbourMessage::default();
            message.header.family = family;
            for message in self.kernel.dump(RouteNetlinkMessage::GetNeighbour(message))? {
                hear(&mut self.mirror, &message);
            }
        }
        self.steps.extend(self.mirror.missing());
        Ok(())
    }

    fn take(&mut self, step: Step) {
        let (Step::Put(vni, mac) | Step::Remove(vni, mac)) = step;
        let Some(shadow) = self.shadows.get(&vni) else { return };
        let flags = if matches!(step, Step::Put(..)) { NLM_F_CREATE | NLM_F_REPLACE } else { 0 };
        match self.kernel.request(codec::request(step, shadow.port), flags) {
            Ok(_) => {}
            // FRR was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.trouble(format!("VNI {vni}: FRR does not hear of {mac}: {error}")),
        }
    }

    fn trouble(&self, why: String) {
        // Whoever listened has gone; the next task is to stop.
        let _ = self.tell.send(Said::Trouble(why));
    }

    fn remove_all(mut self) {
        for shadow in std::mem::take(&mut self.shadows).into_values() {
            shadow.remove(&mut self.kernel);
        }
    }
}

fn hear(mirror: &mut Mirror, message: &RouteNetlinkMessage) {
    let (message, gone) = match message {
        RouteNetlinkMessage::NewNeighbour(message) => (message, false),
        RouteNetlinkMessage::DelNeighbour(message) => (message, true),
        _ => return,
    };
    if let Some(heard) = codec::heard(message, gone, |index| mirror.device(index)) {
        mirror.hear(&heard);
    }
}

fn subscribe(poll: &Poll) -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind(&SocketAddr::new(0, GROUPS))?;
    socket.set_non_blocking(true)?;
    socket.set_rx_buf_sz(RECEIVE_BUFFER)?;
    poll.registry().register(&mut SourceFd(&socket.as_raw_fd()), KERNEL, Interest::READABLE)?;
    Ok(socket)
}
