//! The checked model: what a configuration file means once every rule has been applied.
//!
//! Only [`crate::check`](crate) makes these from YAML; the gateway takes them as proof and never checks again.
//! Lists are in the order of the file. References between parts are indices into the lists of [`Model`].

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::time::Duration;

pub use crate::access::{AccessList, AccessRule};
pub use crate::controllers::{Controllers, Evpn, FloodFallback, Ovsdb, OvsdbDatabase, Tls};
pub use crate::metrics::Metrics;
pub use crate::neighbours::{Neighbour, PathMtu};

/// A VXLAN or Geneve network identifier, 0 to 2^24-1 (RFC 7348 section 5, RFC 8926 section 3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vni(u32);

impl Vni {
    /// The largest VNI.
    pub const MAX: u32 = 0x00ff_ffff;

    /// `None` when `value` has more than 24 bits.
    pub const fn new(value: u32) -> Option<Self> {
        if value <= Self::MAX { Some(Self(value)) } else { None }
    }

    /// The number.
    pub const fn value(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Vni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A VLAN identifier, 1 to 4094 (IEEE 802.1Q section 9.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vid(u16);

impl Vid {
    /// `None` for 0 (priority tag), 4095 (reserved) and more.
    pub const fn new(value: u16) -> Option<Self> {
        if value >= 1 && value <= 4094 { Some(Self(value)) } else { None }
    }

    /// The number.
    pub const fn value(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Vid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An Ethernet address, bytes in wire order; read in each of the ways in which hosts and switches write it.
///
/// ```
/// use config::types::Mac;
/// for text in ["02:00:00:00:0a:05", "2:0:0:0:A:5", "02-00-00-00-0A-05", "0200.0000.0a05"] {
///     assert_eq!(text.parse(), Ok(Mac([2, 0, 0, 0, 10, 5])), "{text}");
/// }
/// for text in ["", "02:00:00:00:0a", "02:00:00:00:0a:05:06", "0200.0000", "200.0.a05", "+2:0:0:0:0:5", "020000000a05"] {
///     assert!(text.parse::<Mac>().is_err(), "{text}");
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// The group bit (IEEE 802, first bit on the wire): broadcast or multicast.
    pub const fn is_group(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// 00:00:00:00:00:00.
    pub const fn is_zero(self) -> bool {
        matches!(self.0, [0, 0, 0, 0, 0, 0])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl std::str::FromStr for Mac {
    type Err = String;

    /// Six hexadecimal bytes parted by colons or hyphens, or three groups of four digits parted by dots, as switches
    /// print them.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = digits(text, &[':', '-'], 1..=2, 6).or_else(|| digits(text, &['.'], 4..=4, 3));
        let number = number.ok_or_else(|| format!("'{text}' is not a MAC address: write it like 02:00:00:00:00:05"))?;
        let [_, _, bytes @ ..] = number.to_be_bytes();
        Ok(Self(bytes))
    }
}

/// So many groups of hexadecimal digits, 48 bits in all.
fn digits(text: &str, separators: &[char], width: RangeInclusive<usize>, groups: usize) -> Option<u64> {
    let mut number = 0;
    let mut left = groups;
    for group in text.split(separators) {
        left = left.checked_sub(1)?;
        if !width.contains(&group.len()) || !group.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        number = number << (48 / groups) | u64::from_str_radix(group, 16).ok()?;
    }
    (left == 0).then_some(number)
}

/// The two encapsulations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Encap {
    /// RFC 7348.
    Vxlan,
    /// RFC 8926.
    Geneve,
}

impl fmt::Display for Encap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
        })
    }
}

/// A whole configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Worker threads and memory.
    pub workers: Workers,
    /// Buffers and huge pages.
    pub memory: Memory,
    /// The gateway's own tunnel end.
    pub vtep: Vtep,
    /// Who may speak to the gateway.
    pub api: Api,
    /// What makes the gateway read its file again.
    pub reload: Reload,
    /// What outlives a restart.
    pub state: State,
    /// Size of each core's forwarding table, in MACs.
    pub fdb_size: u32,
    /// DPDK devices; the index is the port's number everywhere.
    pub ports: Vec<Port>,
    /// Segments (VNIs); the index is the segment's number in this model.
    pub segments: Vec<Segment>,
    /// Access lists, which ports, attachments and segments refer to by index.
    pub access_lists: Vec<AccessList>,
    /// Who else has a say: controllers.
    pub control: Controllers,
    /// Who may read metrics.
    pub metrics: Metrics,
}

/// Worker threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workers {
    /// One pinned worker per core, by the kernel's CPU number; at least one, each once.
    pub cores: Vec<u16>,
    /// What a worker does when its queues are empty.
    pub idle: Idle,
    /// Frames taken from a queue at once, 1 to 64.
    pub burst: u16,
    /// Copies of flooded frames made between two looks at the queues, 1 to 65536.
    pub flood_copies: u32,
}

/// What a worker does when its queues are empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// Poll on: lowest latency, a core at 100 %. For production.
    Spin,
    /// After a while without work sleep up to this long between polls. For laptops and CI.
    Sleep(Duration),
}

/// Memory for packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Huge pages or not.
    pub huge_pages: HugePages,
    /// Packet buffers per worker.
    pub buffers: u32,
    /// Data room of a buffer in bytes, headroom (256) not counted.
    pub buffer_size: u16,
    /// DPDK's file prefix; `None` makes one from the process id. Several gateways on one host need different ones.
    pub file_prefix: Option<String>,
    /// Other DPDK processes may use it too (`dpdk-dumpcap`).
    pub shared: bool,
}

/// Whether packet memory comes from huge pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HugePages {
    /// When the host has enough free ones, otherwise ordinary pages with a warning.
    Auto,
    /// Or refuse to start.
    Require,
    /// Never.
    Off,
}

/// The socket on which the gateway answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// Its group, by name or number; `None` leaves that of the process.
    pub group: Option<String>,
    /// Its permission bits, as chmod(2) has them. The owner can always read and write.
    pub mode: u32,
}

impl Default for Api {
    /// For the owner and the group of the process.
    fn default() -> Self {
        Self { group: None, mode: crate::defaults::API_MODE }
    }
}

/// What makes the gateway read its file again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reload {
    /// SIGHUP.
    pub signal: bool,
    /// A change of the file.
    pub watch: bool,
}

impl Default for Reload {
    /// When told to.
    fn default() -> Self {
        Self { signal: true, watch: false }
    }
}

/// What outlives a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Where the state file is kept; `None` is where the service manager says.
    pub directory: Option<std::path::PathBuf>,
    /// Time between two writings; `None` never.
    pub every: Option<Duration>,
}

impl Default for State {
    /// Where the service manager says.
    fn default() -> Self {
        Self { directory: None, every: Some(Duration::from_secs(crate::defaults::STATE_EVERY.into())) }
    }
}

/// The gateway's own tunnel end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vtep {
    /// Source of IPv4 tunnels.
    pub source_v4: Option<Ipv4Addr>,
    /// Source of IPv6 tunnels.
    pub source_v6: Option<Ipv6Addr>,
    /// UDP destination port of VXLAN, sent and accepted.
    pub vxlan_port: u16,
    /// UDP destination port of Geneve, sent and accepted.
    pub geneve_port: u16,
    /// Outer UDP source ports, first and last (entropy from the inner flow).
    pub source_ports: (u16, u16),
    /// Network namespace (a name below /run/netns, or a path) for the Linux twins; `None` is our own.
    pub namespace: Option<String>,
    /// With decapsulation policy `any`: how many VTEPs that nobody listed may be learned.
    pub learned_vteps: u32,
    /// Host frames (ARP, BGP, ...) accepted per second and underlay port, then dropped as policed.
    pub host_rate: u32,
}

/// One DPDK device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The operator's name.
    pub name: String,
    /// A PCI address or a vdev string such as `net_af_packet0,iface=veth0`.
    pub device: String,
    /// Largest frame payload in bytes (the Ethernet header and tags not counted).
    pub mtu: u16,
    /// Receive queues: `None` is one per worker where the device spreads flows (RSS), else one.
    pub rx_queues: Option<u16>,
    /// Descriptors of a receive and of a transmit queue.
    pub descriptors: (u16, u16),
    /// Use the device's offloads where it has them.
    pub offload: bool,
    /// Limit of MACs learned on this port.
    pub mac_limit: Option<u32>,
    /// The underlay on this port.
    pub underlay: Option<Underlay>,
    /// VLANs bound to segments.
    pub attachments: Vec<Attachment>,
    /// Access list for frames that come in on its attachments: index into [`Model::access_lists`].
    pub access_list: Option<usize>,
}

/// The underlay side of a port: its Linux twin, or static next hops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Underlay {
    /// 802.1Q tag of the underlay on this port; `None` is untagged.
    pub vlan: Option<Vid>,
    /// Name of the Linux twin; `None` when static next hops need no kernel.
    pub twin: Option<String>,
    /// Addresses of the twin with prefix lengths.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Default gateways, at most one per family.
    pub gateways: Vec<IpAddr>,
    /// Static next hop for every VTEP behind this port: no twin, no netlink.
    pub via: Option<Mac>,
}

/// A set of tags of a port bound to a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Which frames.
    pub tag: Tag,
    /// Index into [`Model::segments`].
    pub segment: usize,
    /// Priority (PCP) written on frames that leave here; `None` keeps what the frame had, 0 when it had none.
    pub pcp: Option<u8>,
    /// Limit of MACs learned here.
    pub mac_limit: Option<u32>,
    /// Access list for frames that come in: index into [`Model::access_lists`].
    pub access_list: Option<usize>,
}

/// The tags of an attachment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tag {
    /// No tag, or a priority tag (VID 0).
    Untagged,
    /// One 802.1Q tag.
    Vlan(Vid),
    /// Two tags; the outer is 802.1ad (0x88a8) or 802.1Q (0x8100) as said.
    QinQ {
        /// Outer (service) VID.
        outer: Vid,
        /// Inner (customer) VID.
        inner: Vid,
        /// True: the outer TPID is 0x88a8, else 0x8100.
        service: bool,
    },
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untagged => f.write_str("untagged"),
            Self::Vlan(vid) => vid.fmt(f),
            Self::QinQ { outer, inner, .. } => write!(f, "{outer}.{inner}"),
        }
    }
}

/// A segment: one broadcast domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The operator's name; by default the VNI (with the encapsulation where that alone is ambiguous).
    pub name: String,
    /// Number on VXLAN tunnels; `None` when the segment has none.
    pub vxlan: Option<Vni>,
    /// Number on Geneve tunnels; `None` when the segment has none.
    pub geneve: Option<Vni>,
    /// The encapsulation of VTEPs for which none is said.
    pub encap: Encap,
    /// VXLAN and Geneve peers are two split-horizon groups: frames pass between the fabrics.
    pub stitch: bool,
    /// Where broadcast, unknown unicast and multicast go besides the local attachments.
    pub flood: Flood,
    /// Unknown unicast is flooded (else dropped).
    pub flood_unknown: bool,
    /// Which senders are decapsulated.
    pub accept: Accept,
    /// MAC learning.
    pub learning: Learning,
    /// MACs that nothing overwrites.
    pub statics: Vec<StaticMac>,
    /// VTEPs that a controller names besides the flood list: behind them are MACs. A file has none.
    pub known: Vec<Remote>,
    /// An inner VLAN tag passes (else stripped on encapsulation of the outer only, and dropped on decapsulation).
    pub inner_vlan_pass: bool,
    /// Requests for known addresses are answered instead of flooded (ARP and neighbour suppression).
    pub suppress: bool,
    /// Who has which address, from the operator.
    pub neighbours: Vec<Neighbour>,
    /// What senders hear of packets that do not fit the underlay.
    pub path_mtu: PathMtu,
    /// Access list for all frames that come in, from tunnels too: index into [`Model::access_lists`].
    pub access_list: Option<usize>,
    /// Outer header fields.
    pub outer: Outer,
}

/// Flood destinations in the overlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flood {
    /// Head-end replication: a copy to each.
    Vteps(Vec<Remote>),
    /// One copy to an underlay multicast group, joined through the kernel on the port with this index.
    Group {
        /// The group address.
        group: IpAddr,
        /// Index into [`Model::ports`] of the underlay port.
        port: usize,
    },
}

/// A remote tunnel end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Remote {
    /// Its address.
    pub address: IpAddr,
    /// Its encapsulation.
    pub encap: Encap,
    /// The number that it has for the segment; `None` is the segment's own.
    pub vni: Option<Vni>,
}

/// Decapsulation policy (CONFORMANCE L2b, and ISO3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accept {
    /// Only VTEPs that the segment knows: its flood list, its static MACs, its controller.
    Known,
    /// Any sender; unlisted ones are learned.
    Any,
}

/// MAC learning in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learning {
    /// Off: only static and controller entries.
    pub enabled: bool,
    /// From tunnels too: not where a controller tells what is behind VTEPs.
    pub tunnels: bool,
    /// Learned MACs without a frame for this long are forgotten; `None` never.
    pub ageing: Option<Duration>,
    /// Most learned MACs in the segment.
    pub limit: u32,
}

/// A MAC given by the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticMac {
    /// The address (never a group address).
    pub mac: Mac,
    /// Where it is.
    pub place: Place,
}

/// Where a static MAC is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Behind a remote VTEP.
    Vtep(Remote),
    /// On a port: indices into [`Model::ports`] and [`Port::attachments`].
    Port {
        /// Port index.
        port: usize,
        /// Attachment index within the port.
        attachment: usize,
    },
}

/// What a segment writes into outer headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outer {
    /// Time to live or hop limit, 1 to 255; also of multicast.
    pub ttl: Inherit,
    /// DSCP in the upper six bits (ECN is always that of the inner frame, RFC 6040).
    pub tos: Inherit,
    /// Don't-fragment bit over IPv4.
    pub df: Df,
    /// UDP checksum over IPv4; `None` is each encapsulation's rule: zero for VXLAN (RFC 7348), computed for Geneve
    /// (RFC 8926).
    pub checksum_v4: Option<bool>,
    /// UDP checksum over IPv6.
    pub checksum_v6: bool,
    /// Accept a zero UDP checksum over IPv6 (RFC 6935).
    pub zero_checksum_v6_accept: bool,
    /// Static Geneve options in wire format, a multiple of 4 bytes, at most 252.
    pub geneve_options: Vec<u8>,
}

/// A fixed value, or that of the inner IP header (not IP: 0 for TOS, 64 for TTL).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inherit {
    /// This value.
    Fixed(u8),
    /// The inner packet's.
    Inner,
}

/// The don't-fragment bit of the outer IPv4 header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Df {
    /// Always set.
    Set,
    /// Never set.
    Unset,
    /// The inner IPv4 packet's; set for others.
    Inner,
}
