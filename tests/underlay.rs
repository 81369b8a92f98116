//! The Linux side of the underlay against a real kernel: twins, routes, neighbours and multicast groups in network
//! namespaces that each test makes and removes. The test plays the wire: it reads what the kernel sends through the twin
//! and writes what a peer would. Needs root and iproute2; without root each test says that it was skipped.

#[path = "underlay/groups.rs"]
mod groups;
#[path = "underlay/keeping.rs"]
mod keeping;
#[path = "underlay/live.rs"]
mod live;
#[path = "underlay/routes.rs"]
mod routes;
#[path = "underlay/twins.rs"]
mod twins;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use config::types::Mac;
use gateway::frame::PortId;
use gateway::source::error::UnderlayError;
use gateway::source::namespace::Namespace;
use gateway::source::netlink::{Follower, Hop, NextHop, Resolution, UnderlayEvent, UnderlayState};
use gateway::source::twin::{Twin, TwinOptions, TwinWriter};

/// Nothing that we wait for takes the kernel longer, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(10);

const UP0: PortId = PortId(0);
const UP1: PortId = PortId(1);
const TWIN_MAC: Mac = Mac([2, 0, 0, 0, 0, 0x11]);
const PEER_MAC: Mac = Mac([2, 0, 0, 0, 0, 0x99]);

/// A namespace of the test's own, removed when it ends, however it ends.
struct Net {
    name: String,
    child: bool,
}

/// Set in a child process that a test starts from itself: the name of the namespace.
const CHILD: &str = "CAUSEWAY_TEST_NAMESPACE";

fn root() -> bool {
    let root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !root {
        println!("skipped: needs root to make network namespaces and TAP devices");
    }
    root
}

impl Net {
    /// `None` (and a word why) without root.
    fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !root() {
            return None;
        }
        let name = format!("cwul-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let net = Self { name, child: false };
        run(Command::new("ip").args(["netns", "add", &net.name])).unwrap_or_else(|error| panic!("{error}"));
        net.ip("link set lo up");
        Some(net)
    }

    /// The parent's namespace in a child, a new one otherwise.
    fn child_or_new() -> Option<Self> {
        match std::env::var(CHILD) {
            Ok(name) => Some(Self { name, child: true }),
            Err(_) => Self::new(),
        }
    }

    fn is_child(&self) -> bool {
        self.child
    }

    /// The test `name` again, in a process of its own, behind the command `prefix`.
    fn child(&self, name: &str, prefix: &[&str]) -> Child {
        let exe = std::env::current_exe().unwrap();
        let words: Vec<_> = prefix.iter().map(std::ffi::OsStr::new).chain([exe.as_os_str()]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(["--exact", name, "--nocapture"]).env(CHILD, &self.name);
        command.stdout(Stdio::null()).spawn().unwrap()
    }

    fn options(&self, name: &str) -> TwinOptions {
        TwinOptions { namespace: Namespace::new(Some(&self.name)), ..own_options(name) }
    }

    /// `ip -n NAMESPACE arguments`: what it prints; nothing for a `show` of what is not there.
    fn ip(&self, arguments: &str) -> String {
        let mut command = Command::new("ip");
        command.args(["-n", &self.name]).args(arguments.split_whitespace());
        match run(&mut command) {
            Ok(shown) => shown,
            Err(_) if arguments.contains("show") => String::new(),
            Err(error) => panic!("{error}"),
        }
    }

    fn batch(&self, lines: &str) {
        use std::io::Write as _;
        let mut command = Command::new("ip");
        let mut child = command.args(["-n", &self.name, "-batch", "-"]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    fn sysctl(&self, path: &str) -> String {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, "cat", &format!("/proc/sys/{path}")]);
        run(&mut command).unwrap().trim().to_owned()
    }

    /// The kernel removes a TAP with its last file. Another test that starts a program at this moment has copies of all
    /// our files until that program runs, so the end may come a little later than the close.
    fn until_gone(&self, device: &str) {
        self.until("the device to be gone", || self.ip(&format!("-o link show {device}")).is_empty());
    }

    /// For what the kernel does not announce to us.
    fn until(&self, what: &str, mut done: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done() {
            assert!(Instant::now() < deadline, "waited in vain for {what}");
            thread::yield_now();
        }
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        if !self.child
            && let Err(error) = run(Command::new("ip").args(["netns", "del", &self.name]))
        {
            eprintln!("{error}");
        }
    }
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

fn own_options(name: &str) -> TwinOptions {
    TwinOptions {
        name: name.into(),
        namespace: Namespace::new(None),
        mac: TWIN_MAC,
        mtu: 1500,
        addresses: Vec::new(),
        gateways: Vec::new(),
    }
}

fn join_within(thread: JoinHandle<()>, patience: Duration) {
    let (done, ended) = channel();
    thread::spawn(move || done.send(thread.join()));
    ended.recv_timeout(patience).expect("the thread to end").expect("the thread to end well");
}

/// A twin, and the test at the other end of its cable.
struct Wire {
    twin: Twin,
    writer: TwinWriter,
    frames: Receiver<Vec<u8>>,
}

impl Wire {
    fn new(net: &Net, name: &str, addresses: &[&str]) -> Self {
        let addresses = addresses.iter().map(|address| address.split_once('/').unwrap());
        let addresses = addresses.map(|(address, length)| (ip(address), length.parse().unwrap())).collect();
        let twin = Twin::open(&TwinOptions { addresses, ..net.options(name) }).unwrap();
        let (mut reader, writer) = (twin.reader().unwrap(), twin.writer());
        let (sender, frames) = channel();
        let mut buffer = vec![0; twin.largest_frame()];
        // Ends with the twin.
        thread::spawn(move || {
            while let Ok(Some(length)) = reader.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { twin, writer, frames }
    }

    /// The next frame from the kernel that `wanted` accepts.
    fn expect(&self, what: &str, wanted: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.frames.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(frame) if wanted(&frame) => return frame,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => panic!("waited in vain for: {what}"),
                Err(RecvTimeoutError::Disconnected) => panic!("the twin ended while waiting for: {what}"),
            }
        }
    }

    fn send(&self, to: Mac, ethertype: u16, payload: &[u8]) {
        let frame = [&to.0[..], &PEER_MAC.0, &ethertype.to_be_bytes(), payload].concat();
        self.writer.write(&frame).unwrap();
    }

    fn arp_request(&self, from: &str, target: &str) {
        self.send(Mac([0xff; 6]), 0x0806, &arp_body(1, from, Mac::default(), target));
    }

    fn arp_reply(&self, from: &str, to: &str) {
        self.send(TWIN_MAC, 0x0806, &arp_body(2, from, TWIN_MAC, to));
    }

    fn neighbour_solicitation(&self, from: IpAddr, target: IpAddr) {
        let body = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &octets(target), &[1, 1], &PEER_MAC.0].concat();
        self.send(TWIN_MAC, 0x86dd, &ipv6(from, target, 58, 255, &icmp6(from, target, &body)));
    }

    fn neighbour_advertisement(&self, from: IpAddr, to: IpAddr) {
        let body = [&[136, 0, 0, 0, 0x60, 0, 0, 0][..], &octets(from), &[2, 1], &PEER_MAC.0].concat();
        self.send(TWIN_MAC, 0x86dd, &ipv6(from, to, 58, 255, &icmp6(from, to, &body)));
    }
}

/// A follower, and the state that control would have.
struct Follow {
    follower: Follower,
    events: crossbeam::channel::Receiver<UnderlayEvent>,
    state: UnderlayState,
}

impl Follow {
    fn new(net: &Net, twins: &[&str]) -> Self {
        let ports = twins.iter().enumerate().map(|(index, name)| (PortId(index as u8), (*name).to_owned()));
        let (follower, events) = Follower::open(&Namespace::new(Some(&net.name)), ports).unwrap();
        Self { follower, events, state: UnderlayState::new() }
    }

    /// After all events that have come so far.
    fn state(&mut self) -> &UnderlayState {
        while let Ok(event) = self.events.try_recv() {
            self.state.apply(event);
        }
        &self.state
    }

    fn until(&mut self, what: &str, done: impl Fn(&UnderlayState) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(&self.state) {
            let event = self.events.recv_deadline(deadline);
            self.state.apply(event.unwrap_or_else(|_| panic!("waited in vain for {what}: {:?}", self.state)));
        }
    }

    fn resolves(&mut self, address: &str, expected: Resolution) {
        let address = ip(address);
        self.until(&format!("{address} -> {expected:?}"), |state| state.resolve(address) == expected);
    }

    /// Wishes for next hops behind the first twin.
    fn want(&self, next_hops: &[&str]) {
        let wanted: BTreeSet<NextHop> = next_hops.iter().map(|address| (UP0, ip(address))).collect();
        self.follower.keeper().want(wanted);
    }
}

fn hop(port: PortId, gateway: &str, mac: Option<u8>) -> Hop {
    Hop { port, mac: mac.map(|last| Mac([2, 0, 0, 0, 0, last])), gateway: ip(gateway), weight: 1 }
}

fn one(hop: Hop) -> Resolution {
    Resolution::Hops(vec![hop])
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn v4(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

/// 2001:db8:0:`network`::`host`
fn v6(network: u8, host: u16) -> IpAddr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, network.into(), 0, 0, 0, host).into()
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn ethertype(frame: &[u8]) -> u16 {
    u16::from_be_bytes([frame[12], frame[13]])
}

/// Internet checksum (RFC 1071) over the parts one after the other, each of even length but the last.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let sum: u32 = words.map(|word| u32::from(word[0]) << 8 | word.get(1).map_or(0, |low| u32::from(*low))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

/// RFC 826 for Ethernet and IPv4, from the peer.
fn arp_body(operation: u8, from: &str, to_mac: Mac, to: &str) -> Vec<u8> {
    let fixed = [0, 1, 8, 0, 6, 4, 0, operation];
    [&fixed[..], &PEER_MAC.0, &v4(from).octets(), &to_mac.0, &v4(to).octets()].concat()
}

/// Operation, sender and target.
fn arp(frame: &[u8]) -> Option<(u8, Ipv4Addr, Ipv4Addr)> {
    let address = |at: usize| Some(Ipv4Addr::from(*frame.get(at..)?.first_chunk()?));
    (ethertype(frame) == 0x0806).then_some(())?;
    Some((frame[21], address(28)?, address(38)?))
}

fn ipv4(from: &str, to: &str, protocol: u8, ttl: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let header_words = (5 + options.len() / 4) as u8;
    let total = (20 + options.len() + payload.len()) as u16;
    let mut header = vec![0x40 | header_words, 0, 0, 0, 0, 0, 0, 0, ttl, protocol, 0, 0];
    header[2..4].copy_from_slice(&total.to_be_bytes());
    header.extend(v4(from).octets());
    header.extend(v4(to).octets());
    header.extend(options);
    let sum = checksum(&[&header]).to_be_bytes();
    header[10..12].copy_from_slice(&sum);
    [&header, payload].concat()
}

fn echo(kind: u8, data: &[u8]) -> Vec<u8> {
    let mut body = [&[kind, 0, 0, 0, 0, 1, 0, 1], data].concat();
    let sum = checksum(&[&body]).to_be_bytes();
    body[2..4].copy_from_slice(&sum);
    body
}

fn ipv6(from: IpAddr, to: IpAddr, next: u8, hop_limit: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16).to_be_bytes();
    [&[0x60, 0, 0, 0, length[0], length[1], next, hop_limit][..], &octets(from), &octets(to), payload].concat()
}

/// Fills in the checksum (RFC 4443 section 2.3).
fn icmp6(from: IpAddr, to: IpAddr, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    let length = (body.len() as u32).to_be_bytes();
    let sum = checksum(&[&octets(from), &octets(to), &length, &[0, 0, 0, 58], &body]).to_be_bytes();
    body[2..4].copy_from_slice(&sum);
    body
}

/// Type and destination of an ICMPv6 message without extension headers.
fn icmpv6(frame: &[u8]) -> Option<(u8, IpAddr)> {
    (ethertype(frame) == 0x86dd && frame[20] == 58).then_some(())?;
    let to: [u8; 16] = *frame.get(14 + 24..)?.first_chunk()?;
    Some((*frame.get(54)?, Ipv6Addr::from(to).into()))
}

/// Type and group of each record of an IGMPv3 report (RFC 3376 section 4.2) behind an IPv4 header with router alert.
fn igmp(frame: &[u8]) -> Vec<(u8, Ipv4Addr)> {
    let report = ethertype(frame) == 0x0800 && frame[14 + 9] == 2 && frame.get(38) == Some(&0x22);
    let record = |rest: &[u8]| Some((rest[0], Ipv4Addr::from(*rest.get(4..)?.first_chunk()?)));
    let records = frame.get(46..).filter(|_| report).unwrap_or_default();
    records.chunks(8).filter_map(record).collect()
}

/// Type and group of each record of an MLDv2 report (RFC 3810 section 5.2) behind a hop-by-hop header.
fn mld(frame: &[u8]) -> Vec<(u8, Ipv6Addr)> {
    let report = ethertype(frame) == 0x86dd && frame[20] == 0 && frame.get(62) == Some(&143);
    let record = |rest: &[u8]| Some((rest[0], Ipv6Addr::from(*rest.get(4..)?.first_chunk::<16>()?)));
    let records = frame.get(70..).filter(|_| report).unwrap_or_default();
    records.chunks(20).filter_map(record).collect()
}
