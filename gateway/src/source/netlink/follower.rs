//! The thread that follows the kernel: notifications say *that* something changed, dumps say *what* is.
//!
//! Links, addresses and routes are read anew when a notification touches them: the kernel drops IPv4 routes silently
//! when a link goes down, tells IPv6 multipath changes leg by leg, and nexthop objects change routes behind their back. A
//! dump is always right, and its pace follows its cost. Neighbours change often and each notification is complete, so
//! they are followed one by one. When notifications were lost (ENOBUFS) everything is read anew.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, unbounded};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use netlink_packet_core::{NLM_F_CREATE, NetlinkPayload};
use netlink_packet_route::neighbour::NeighbourMessage;
use netlink_packet_route::route::RouteMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::constants::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

use super::codec::{self, Entry, Twins};
use super::keeper::{Action, Wishes};
use super::state::{Neighbour, NextHop, UnderlayEvent};
use crate::complain;
use crate::frame::PortId;
use crate::inform;
use crate::rights::{self, Rights};
use crate::say::REPORT;
use crate::source::error::UnderlayError;
use crate::source::namespace::Namespace;
use crate::source::rtnl::{Rtnl, messages};

const KERNEL: Token = Token(0);
const WAKE: Token = Token(1);

/// RTNLGRP_LINK, NEIGH, IPV4_IFADDR, IPV4_ROUTE, IPV6_IFADDR, IPV6_ROUTE and NEXTHOP, bit n-1 for group n
/// (linux/rtnetlink.h).
const GROUPS: u32 = 1 | 1 << 2 | 1 << 4 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 31;

/// Message types that no codec of ours reads (linux/rtnetlink.h).
const RTM_NEWNEXTHOP: u16 = 104;
const RTM_DELNEXTHOP: u16 = 105;

/// Asked of the kernel for notifications; it grants at most net.core.rmem_max.
const RECEIVE_BUFFER: i32 = 4 << 20;

/// Between two dumps pass at least this, and four times what the last one took: a routing storm costs a fifth of a core
/// at most.
const DUMP_GAP: Duration = Duration::from_millis(20);

/// After the kernel refused something it is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// Datagrams of notifications taken at once.
const NOTIFICATIONS: usize = 1024;

/// Follows the kernel while it lives; dropping it ends the thread and lets go of the neighbours that it kept.
pub struct Follower {
    stop: Arc<AtomicBool>,
    keeper: Keeper,
    thread: Option<JoinHandle<()>>,
}

/// Says which next hops the kernel shall keep resolved. Cheap to clone; never blocks.
#[derive(Clone)]
pub struct Keeper {
    wake: Arc<Waker>,
    wanted: Sender<BTreeSet<NextHop>>,
}

impl Follower {
    /// Starts to follow `namespace`, where the twins of `ports` have these names (a twin may appear later, or vanish and
    /// come back). When it returns, the channel holds the first links, addresses, routes and neighbours.
    ///
    /// # Errors
    /// The namespace may not be entered, or the kernel refuses netlink.
    pub fn open(
        namespace: &Namespace,
        ports: impl IntoIterator<Item = (PortId, String)>,
    ) -> Result<(Self, Receiver<UnderlayEvent>), UnderlayError> {
        let (tell, events) = unbounded();
        let (wanted, wishes) = unbounded();
        let poll = Poll::new().map_err(|error| UnderlayError::refused("make an epoll instance", error))?;
        let wake =
            Waker::new(poll.registry(), WAKE).map_err(|error| UnderlayError::refused("make an eventfd", error))?;
        let keeper = Keeper { wake: Arc::new(wake), wanted };
        let stop = Arc::new(AtomicBool::new(false));
        let mut view = View::new(ports, tell);

        let (ready, opened) = unbounded();
        let (namespace, stopped) = (namespace.clone(), stop.clone());
        let thread = thread::Builder::new().name("underlay".into()).spawn(move || {
            let kernel = namespace.enter().and_then(|()| {
                let mut kernel = Kernel::open(poll.registry()).map_err(refused)?;
                view.read(&mut kernel.requests, Stale::ALL).map_err(refused)?;
                // It is where it has to be; what it still does is to ask for neighbours.
                rights::keep(Rights::NET_ADMIN);
                Ok(kernel)
            });
            match kernel {
                Ok(kernel) => {
                    // Nobody waits only if our opener was torn down, and then `stop` follows.
                    let _ = ready.send(Ok(()));
                    follow(poll, kernel, view, &wishes, &stopped);
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        });
        let thread = thread.map_err(|error| UnderlayError::refused("start a thread", error))?;
        let follower = Self { stop, keeper, thread: Some(thread) };
        match opened.recv() {
            Ok(Ok(())) => Ok((follower, events)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(refused(io::Error::other("its thread ended"))),
        }
    }

    /// A handle to say which next hops to keep resolved.
    pub fn keeper(&self) -> Keeper {
        self.keeper.clone()
    }
}

fn refused(error: io::Error) -> UnderlayError {
    UnderlayError::refused("follow routes and neighbours over netlink", error)
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.keeper.wake();
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported on stderr already.
            let _ = thread.join();
        }
    }
}

impl Keeper {
    /// From now on the kernel keeps these resolved, and those that were wanted before and no longer are, not. The same
    /// set again changes nothing. An entry that the operator set (permanent, noarp) is honoured and never touched.
    pub fn want(&self, next_hops: BTreeSet<NextHop>) {
        // The thread is gone only after the follower, and then nobody wants anything.
        let _ = self.wanted.send(next_hops);
        self.wake();
    }

    fn wake(&self) {
        if let Err(error) = self.wake.wake() {
            complain!(error, "who follows routes and neighbours cannot be woken", REPORT; error = error);
        }
    }
}

/// The thread's life after its first reading.
fn follow(mut poll: Poll, mut kernel: Kernel, mut view: View, wanted: &Receiver<BTreeSet<NextHop>>, stop: &AtomicBool) {
    let mut events = Events::with_capacity(4);
    let (mut stale, mut wishes) = (Stale::default(), Wishes::default());
    let (mut next_dump, mut next_ask) = (Instant::now(), Instant::now());
    while !stop.load(Ordering::Acquire) && view.listened_to() {
        if let Some(latest) = wanted.try_iter().last() {
            wishes.want(latest);
            next_ask = Instant::now();
        }
        match turn(&mut kernel, &mut view, &mut stale, &mut wishes, &mut next_dump, &mut next_ask) {
            Ok(timeout) => wait(&mut poll, &mut events, timeout),
            Err(error) => {
                complain!(error, "netlink failed and is opened anew", "if it goes on, restart the gateway"; error = error);
                view.tell(UnderlayEvent::Lost(error.to_string()));
                wait(&mut poll, &mut events, Some(RETRY));
                // The old socket leaves the poll by being closed.
                match Kernel::open(poll.registry()) {
                    Ok(opened) => kernel = opened,
                    Err(error) => log::debug!("netlink still fails: {error}"),
                }
                stale = Stale::ALL;
            }
        }
    }
    wishes.want(BTreeSet::new());
    ask(&mut kernel.requests, &mut view, &mut wishes);
}

/// One round: takes notifications, reads what is stale, asks for what is wanted. Returns for how long there is nothing
/// more to do unless something happens.
fn turn(
    kernel: &mut Kernel,
    view: &mut View,
    stale: &mut Stale,
    wishes: &mut Wishes,
    next_dump: &mut Instant,
    next_ask: &mut Instant,
) -> io::Result<Option<Duration>> {
    let more = kernel.notifications(view, stale)?;
    let now = Instant::now();
    if stale.any() && now >= *next_dump {
        view.read(&mut kernel.requests, std::mem::take(stale))?;
        let end = Instant::now();
        *next_dump = end + DUMP_GAP.max(4 * (end - now));
    }
    let mut refused = false;
    if now >= *next_ask {
        refused = ask(&mut kernel.requests, view, wishes);
        if refused {
            *next_ask = Instant::now() + RETRY;
        }
    }
    if more {
        return Ok(Some(Duration::ZERO));
    }
    let waits = [stale.any().then_some(*next_dump), (refused || now < *next_ask).then_some(*next_ask)];
    Ok(waits.into_iter().flatten().min().map(|at| at.saturating_duration_since(Instant::now())))
}

/// Asks the kernel for what is wanted; true when it refused something, such as a neighbour behind a link that is down.
fn ask(requests: &mut Rtnl, view: &mut View, wishes: &mut Wishes) -> bool {
    view.vanished.drain(..).for_each(|next_hop| wishes.vanished(next_hop));
    let mut refused = false;
    for action in wishes.actions(&view.entries) {
        let (Action::Keep((port, address)) | Action::Remove((port, address))) = action;
        let Some(interface) = view.interface(port) else {
            refused = true;
            continue;
        };
        let answer = match action {
            Action::Keep(_) => requests.request(codec::keep_neighbour(interface, address), NLM_F_CREATE),
            Action::Remove(_) => requests.request(codec::remove_neighbour(interface, address), 0),
        };
        match answer {
            Ok(_) => wishes.done(action),
            // Gone already.
            Err(error) if error.kind() == io::ErrorKind::NotFound => wishes.done(action),
            Err(error) => {
                log::debug!("neighbour {address}: {error}");
                refused = true;
            }
        }
    }
    refused
}

fn wait(poll: &mut Poll, events: &mut Events, timeout: Option<Duration>) {
    // Rounded up: epoll counts whole milliseconds, and waking too early would only spin.
    let timeout = timeout.map(|timeout| if timeout.is_zero() { timeout } else { timeout + Duration::from_millis(1) });
    if let Err(error) = poll.poll(events, timeout)
        && error.kind() != io::ErrorKind::Interrupted
    {
        complain!(error, "netlink cannot be waited for", REPORT; error = error);
        thread::sleep(RETRY);
    }
}

/// Which of our knowledge is no longer sure.
#[derive(Clone, Copy, Debug, Default)]
struct Stale {
    links: bool,
    addresses: bool,
    routes: bool,
    neighbours: bool,
}

impl Stale {
    const ALL: Self = Self { links: true, addresses: true, routes: true, neighbours: true };

    fn any(self) -> bool {
        self.links || self.addresses || self.routes || self.neighbours
    }
}

/// The two connections: one for notifications, one for requests.
struct Kernel {
    notifications: Socket,
    requests: Rtnl,
    buffer: Vec<u8>,
}

impl Kernel {
    fn open(registry: &mio::Registry) -> io::Result<Self> {
        let mut notifications = Socket::new(NETLINK_ROUTE)?;
        notifications.bind(&SocketAddr::new(0, GROUPS))?;
        notifications.set_non_blocking(true)?;
        notifications.set_rx_buf_sz(RECEIVE_BUFFER)?;
        registry.register(&mut SourceFd(&notifications.as_raw_fd()), KERNEL, Interest::READABLE)?;
        Ok(Self { notifications, requests: Rtnl::open()?, buffer: Vec::with_capacity(64 << 10) })
    }

    /// Takes in what the kernel has told since; true when there is more.
    fn notifications(&mut self, view: &mut View, stale: &mut Stale) -> io::Result<bool> {
        for _ in 0..NOTIFICATIONS {
            self.buffer.clear();
            match self.notifications.recv(&mut self.buffer, 0) {
                Ok(_) => view.notice(&self.buffer, stale),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOBUFS.raw_os_error()) => {
                    inform!("notifications of netlink were lost, everything is read again"; follower = "underlay");
                    *stale = Stale::ALL;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

/// What has been read, and told.
struct View {
    names: HashMap<String, PortId>,
    twins: Twins,
    entries: HashMap<NextHop, Entry>,
    /// Entries that the kernel has dropped since somebody looked.
    vanished: Vec<NextHop>,
    told: Told,
    tell: Sender<UnderlayEvent>,
    listened_to: bool,
}

/// The last event of each kind, so that none is told twice.
#[derive(Default)]
struct Told {
    links: Option<UnderlayEvent>,
    addresses: Option<UnderlayEvent>,
    routes: Option<UnderlayEvent>,
}

impl View {
    fn new(ports: impl IntoIterator<Item = (PortId, String)>, tell: Sender<UnderlayEvent>) -> Self {
        let names = ports.into_iter().map(|(port, name)| (name, port)).collect();
        Self {
            names,
            twins: Twins::new(),
            entries: HashMap::new(),
            vanished: Vec::new(),
            told: Told::default(),
            tell,
            listened_to: true,
        }
    }

    fn listened_to(&self) -> bool {
        self.listened_to
    }

    fn tell(&mut self, event: UnderlayEvent) {
        self.listened_to &= self.tell.send(event).is_ok();
    }

    fn interface(&self, port: PortId) -> Option<u32> {
        self.twins.iter().find(|(_, twin)| **twin == port).map(|(interface, _)| *interface)
    }

    /// A datagram of notifications.
    fn notice(&mut self, datagram: &[u8], stale: &mut Stale) {
        for message in messages(datagram) {
            let NetlinkPayload::InnerMessage(message) = message.payload else { continue };
            match message {
                RouteNetlinkMessage::NewLink(link) | RouteNetlinkMessage::DelLink(link) => {
                    let named = codec::link(&link).is_some_and(|(name, ..)| self.names.contains_key(name));
                    if named || self.twins.contains_key(&link.header.index) {
                        stale.links = true;
                        stale.routes = true;
                    }
                }
                RouteNetlinkMessage::NewAddress(address) | RouteNetlinkMessage::DelAddress(address) => {
                    stale.addresses = true;
                    stale.routes |= self.twins.contains_key(&address.header.index);
                }
                RouteNetlinkMessage::NewRoute(_) | RouteNetlinkMessage::DelRoute(_) => stale.routes = true,
                RouteNetlinkMessage::NewNeighbour(neighbour) => self.neighbour(&neighbour, false),
                RouteNetlinkMessage::DelNeighbour(neighbour) => self.neighbour(&neighbour, true),
                _ => {}
            }
        }
        stale.routes |= kinds(datagram).any(|kind| matches!(kind, RTM_NEWNEXTHOP | RTM_DELNEXTHOP));
    }

    fn neighbour(&mut self, message: &NeighbourMessage, gone: bool) {
        if let Some((next_hop, entry)) = codec::neighbour(message, &self.twins) {
            self.entry(next_hop, (!gone).then_some(entry));
        }
    }

    /// An entry of the kernel's as it is now; tells when its MAC is another.
    fn entry(&mut self, next_hop: NextHop, entry: Option<Entry>) {
        let before = match entry {
            Some(entry) => self.entries.insert(next_hop, entry),
            None => {
                self.vanished.push(next_hop);
                self.entries.remove(&next_hop)
            }
        };
        let mac = entry.and_then(|entry| entry.mac);
        if before.and_then(|entry| entry.mac) != mac {
            let (port, address) = next_hop;
            self.tell(UnderlayEvent::Neighbour(Neighbour { port, address, mac }));
        }
    }

    /// Reads what is stale, in the order in which one depends on the other.
    fn read(&mut self, kernel: &mut Rtnl, mut stale: Stale) -> io::Result<()> {
        if stale.links && self.read_links(kernel)? {
            stale = Stale::ALL;
        }
        if stale.addresses {
            self.read_addresses(kernel)?;
        }
        if stale.routes {
            self.read_routes(kernel)?;
        }
        if stale.neighbours {
            self.read_neighbours(kernel)?;
        }
        Ok(())
    }

    /// True when a twin has another interface than before.
    fn read_links(&mut self, kernel: &mut Rtnl) -> io::Result<bool> {
        let (mut twins, mut up) = (Twins::new(), BTreeSet::new());
        for message in kernel.dump(RouteNetlinkMessage::GetLink(Default::default()))? {
            let RouteNetlinkMessage::NewLink(message) = message else { continue };
            let Some((name, interface, is_up)) = codec::link(&message) else { continue };
            let Some(port) = self.names.get(name).copied() else { continue };
            twins.insert(interface, port);
            if is_up {
                up.insert(port);
            }
        }
        let moved = self.twins != twins;
        self.twins = twins;
        tell_change(UnderlayEvent::Links(up), |told| &mut told.links, self);
        Ok(moved)
    }

    fn read_addresses(&mut self, kernel: &mut Rtnl) -> io::Result<()> {
        let messages = kernel.dump(RouteNetlinkMessage::GetAddress(Default::default()))?;
        let addresses = messages.iter().filter_map(|message| match message {
            RouteNetlinkMessage::NewAddress(message) => codec::address(message, &self.twins),
            _ => None,
        });
        let addresses = addresses.collect();
        tell_change(UnderlayEvent::Addresses(addresses), |told| &mut told.addresses, self);
        Ok(())
    }

    fn read_routes(&mut self, kernel: &mut Rtnl) -> io::Result<()> {
        let mut routes = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut message = RouteMessage::default();
            message.header.address_family = family;
            for message in kernel.dump(RouteNetlinkMessage::GetRoute(message))? {
                let RouteNetlinkMessage::NewRoute(message) = message else { continue };
                routes.extend(codec::route(&message, &self.twins));
            }
        }
        tell_change(UnderlayEvent::Routes(routes), |told| &mut told.routes, self);
        Ok(())
    }

    fn read_neighbours(&mut self, kernel: &mut Rtnl) -> io::Result<()> {
        let mut entries = HashMap::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut message = NeighbourMessage::default();
            message.header.family = family;
            for message in kernel.dump(RouteNetlinkMessage::GetNeighbour(message))? {
                let RouteNetlinkMessage::NewNeighbour(message) = message else { continue };
                entries.extend(codec::neighbour(&message, &self.twins));
            }
        }
        let gone: Vec<(PortId, IpAddr)> =
            self.entries.keys().filter(|next_hop| !entries.contains_key(next_hop)).copied().collect();
        for next_hop in gone {
            self.entry(next_hop, None);
        }
        for (next_hop, entry) in entries {
            self.entry(next_hop, Some(entry));
        }
        Ok(())
    }
}

/// Tells `event` unless it says what the last of its kind said.
fn tell_change(event: UnderlayEvent, last: impl Fn(&mut Told) -> &mut Option<UnderlayEvent>, view: &mut View) {
    let told = last(&mut view.told);
    if told.as_ref() != Some(&event) {
        *told = Some(event.clone());
        view.tell(event);
    }
}

/// The message types in a datagram.
fn kinds(datagram: &[u8]) -> impl Iterator<Item = u16> {
    crate::source::rtnl::split(datagram)
        .filter_map(|message| Some(u16::from_ne_bytes(*message.get(4..)?.first_chunk()?)))
}

#[cfg(test)]
mod tests {
    use config::types::Mac;

    use super::*;

    /// What happens after notifications were lost, on the loopback of whoever runs the test: any user may read.
    #[test]
    fn reading_everything_again_finds_what_was_missed_and_tells_nothing_twice() {
        let (tell, events) = unbounded();
        let mut view = View::new([(PortId(0), "lo".to_owned())], tell);
        let mut kernel = Rtnl::open().unwrap();
        view.read(&mut kernel, Stale::ALL).unwrap();
        let first: Vec<_> = events.try_iter().collect();
        assert!(matches!(
            first[..],
            [UnderlayEvent::Links(_), UnderlayEvent::Addresses(_), UnderlayEvent::Routes(_), ..]
        ));
        assert_eq!(view.interface(PortId(0)), Some(1));

        let next_hop = (PortId(0), IpAddr::from([192, 0, 2, 99]));
        let entry = Entry { mac: Some(Mac([2, 0, 0, 0, 0, 9])), fixed: false, managed: true, idle: false };
        view.entry(next_hop, Some(entry));
        assert_eq!(events.try_iter().count(), 1);
        view.read(&mut kernel, Stale::ALL).unwrap();
        let gone = Neighbour { port: next_hop.0, address: next_hop.1, mac: None };
        assert_eq!(events.try_iter().collect::<Vec<_>>(), [UnderlayEvent::Neighbour(gone)]);
        assert_eq!(view.vanished, [next_hop]);
    }
}
