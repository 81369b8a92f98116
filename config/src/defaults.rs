//! The default of every option, in one place: the checks, the schema and the reference page all read them from here.

/// First core beside core 0, which is left to the operating system.
pub(crate) const CORE: u16 = 1;
/// Frames taken from a queue at once.
pub(crate) const BURST: u16 = 32;
/// A flood list as long as we promise in one go.
pub(crate) const FLOOD_COPIES: u32 = 1024;
/// Longest sleep of an idle worker in microseconds, when it may sleep.
pub(crate) const IDLE_SLEEP: u32 = 100;
/// Data room of a buffer that carries frames of up to 2000 bytes.
pub(crate) const BUFFER_SIZE: u16 = 2048;
/// RFC 7348 section 5.
pub(crate) const VXLAN_PORT: u16 = 4789;
/// RFC 8926 section 3.3.
pub(crate) const GENEVE_PORT: u16 = 6081;
/// The dynamic ports, RFC 6335 section 6; RFC 7348 section 5 recommends them.
pub(crate) const SOURCE_PORTS: (u16, u16) = (49_152, 65_535);
/// VTEPs learned in segments that accept any sender.
pub(crate) const LEARNED_VTEPS: u32 = 1024;
/// Host frames per second and underlay port.
pub(crate) const HOST_RATE: u32 = 20_000;
/// Permissions of the socket: root and its group.
pub(crate) const API_MODE: u32 = 0o660;
/// Subjects of each kind with metrics of their own.
pub(crate) const METRICS_LIMIT: u32 = 1000;
/// MACs in each core's table.
pub(crate) const FDB_SIZE: u32 = 131_072;
/// Of ports with VLANs.
pub(crate) const MTU: u16 = 1500;
/// Of ports with the underlay, at least.
pub(crate) const UNDERLAY_MTU: u16 = 1600;
/// What an underlay port's MTU must have over that of the access ports: 14 + 4 bytes of inner Ethernet and tag, 40 of
/// IPv6, 8 of UDP, 8 of VXLAN or Geneve, and some for Geneve options.
pub(crate) const OVERHEAD: u16 = 100;
/// Of receive and transmit queues.
pub(crate) const DESCRIPTORS: u16 = 1024;
/// Seconds.
pub(crate) const AGEING: u32 = 300;
/// Learned MACs in a segment.
pub(crate) const LEARN_LIMIT: u32 = 8192;
/// Time to live of outer headers.
pub(crate) const TTL: u8 = 64;
/// DSCP of outer headers (CONFORMANCE OIP4).
pub(crate) const TOS: u8 = 0;

/// UDP port of the VXLAN devices that FRR sees.
pub(crate) const EVPN_PORT: u16 = 4790;
/// Seconds for which everything outlives a bgpd that is gone.
pub(crate) const EVPN_HOLD: u32 = 60;

/// Files of the embedded OVSDB server.
pub(crate) const OVSDB_DIRECTORY: &str = "/var/lib/causeway/ovsdb";
/// What a controller shows beside the switch's name.
pub(crate) const OVSDB_DESCRIPTION: &str = "Causeway VTEP gateway";
/// Seconds for which entries outlive their database.
pub(crate) const OVSDB_STALE: u32 = 300;
/// Seconds between two publications of statistics.
pub(crate) const OVSDB_STATISTICS: u32 = 10;

/// Seconds between two writings of the state file.
pub(crate) const STATE_EVERY: u32 = 10;

/// Packet buffers per worker: what all rings of all ports hold at once, and the flood copies and caches in between.
/// One less than a power of two is what DPDK's pools like best.
pub(crate) fn buffers(ports: &[crate::types::Port]) -> u32 {
    let rings: u32 = ports.iter().map(|port| u32::from(port.descriptors.0) + u32::from(port.descriptors.1)).sum();
    (rings + 4096).next_power_of_two() - 1
}

/// A data room for the largest frame: payload, Ethernet header, two tags, check sequence.
pub(crate) fn buffer_size(ports: &[crate::types::Port]) -> u16 {
    needed_buffer_size(ports).next_multiple_of(64).max(BUFFER_SIZE)
}

/// The least data room that carries every port's MTU.
pub(crate) fn needed_buffer_size(ports: &[crate::types::Port]) -> u16 {
    ports.iter().map(|port| port.mtu.saturating_add(14 + 8 + 4)).max().unwrap_or(0)
}
