//! Every fate of a frame, by name.

/// Makes the enum, its texts and its number of members from one list.
macro_rules! drop_reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $label:literal, $cure:literal;)+) => {
        /// Why a frame was dropped: one name, one sentence, one counter.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum DropReason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl DropReason {
            /// All reasons, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The name in counters, JSON and metrics.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)+ }
            }

            /// What it means, as a sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc,)+),)+ }
            }

            /// What an operator does about it.
            pub const fn cure(self) -> &'static str {
                match self { $(Self::$name => $cure,)+ }
            }
        }
    };
}

drop_reasons! {
    /// The frame is shorter than an Ethernet header with its tags.
    Runt = "runt", "Look for a failing cable, transceiver or driver.";
    /// The headers do not lie in the first buffer piece.
    Split = "split", "Raise memory.buffer_size, or turn off header split on the NIC.";
    /// The frame carries a VLAN that the port does not map.
    UnknownVlan = "unknown-vlan", "Add the VLAN to the port's 'vlans', or remove it from the server's trunk.";
    /// An untagged frame came to a port that maps tagged VLANs only.
    UntaggedNotAllowed = "untagged-not-allowed", "Add {vlan: untagged, vni: ...} to the port.";
    /// VID 4095 is reserved by IEEE 802.1Q.
    ReservedVlan = "reserved-vlan", "Find the sender: no device may use VID 4095.";
    /// The source MAC is a group address or zero.
    BadSourceMac = "bad-source-mac", "Find the sender: its driver or a forged frame.";
    /// A link-local frame (01:80:c2:00:00:0x) on an access port is not bridged.
    LinkLocal = "link-local", "Nothing: spanning tree, LACP and the like end at the port.";
    /// An underlay frame that is not for the gateway's MAC.
    NotForUs = "not-for-us", "Nothing, as long as it is rare: the switch floods.";
    /// An outer IP header that is cut, has a wrong version or lengths that lie.
    BadIpHeader = "bad-ip-header", "Find the sender or the hop that damages packets.";
    /// The outer IPv4 header checksum is wrong.
    BadIpChecksum = "bad-ip-checksum", "Find the hop that damages packets.";
    /// A tunnel packet with outer IP options or extension headers.
    IpOptions = "ip-options", "Find out why the underlay adds IP options.";
    /// A fragment of a tunnel packet: a VTEP does not reassemble (RFC 7348 section 4.3).
    OuterFragment = "outer-fragment", "Raise the MTU between the VTEPs so that nothing fragments.";
    /// The outer source address cannot be a host's (multicast, loopback, zero, broadcast, our own).
    BadOuterSource = "bad-outer-source", "Look for a loop or a forged packet in the underlay.";
    /// The outer UDP header is cut or its length lies.
    BadUdpHeader = "bad-udp-header", "Find the sender.";
    /// The outer UDP checksum is wrong.
    BadUdpChecksum = "bad-udp-checksum", "Find the hop that damages packets; on virtual devices turn off the sender's checksum offload.";
    /// A zero UDP checksum over IPv6 that the segment does not allow.
    ZeroUdpChecksum = "zero-udp-checksum", "Set zero_checksum_v6_accept on the VNI, or let the peer compute checksums.";
    /// The tunnel header is cut or invalid (VXLAN without the I flag, Geneve version or lengths).
    BadTunnelHeader = "bad-tunnel-header", "See which peer sends it: it speaks another protocol on this UDP port.";
    /// A Geneve packet with a critical option that we do not know (RFC 8926 section 3.4).
    CriticalOption = "critical-option", "Stop the peer from sending that option to this gateway.";
    /// A Geneve control (OAM) packet: never forwarded.
    Oam = "oam", "Nothing: the gateway takes part in no OAM.";
    /// A Geneve packet whose payload is not Ethernet.
    NotEthernet = "not-ethernet", "Set the peer's tunnel to Ethernet (protocol type 0x6558).";
    /// A tunnel packet with a VNI that is not configured.
    UnknownVni = "unknown-vni", "Add the VNI, or take this gateway out of the peer's flood list.";
    /// A tunnel packet from a VTEP that the segment does not know.
    UnknownVtep = "unknown-vtep", "Add the VTEP to the VNI's flood list, or set accept: any.";
    /// The inner frame is shorter than an Ethernet header.
    InnerRunt = "inner-runt", "Find the sender.";
    /// An inner VLAN tag that the segment does not pass (RFC 7348 section 6.1).
    InnerVlan = "inner-vlan", "Set inner_vlan: pass on the VNI, or let the peer strip tags.";
    /// The outer ECN says congestion but the inner packet cannot (RFC 6040 section 4.2).
    EcnCongestion = "ecn-congestion", "The underlay is congested and the tenant does not speak ECN.";
    /// The destination is where the frame came from, or in the same split-horizon group.
    SplitHorizon = "split-horizon", "Nothing, as long as it is rare: the destination is reached without us.";
    /// A flood had nowhere to go.
    NoDestination = "no-destination", "Add VTEPs to the VNI's flood list or attach another port.";
    /// Unknown unicast in a segment that does not flood it.
    UnknownUnicast = "unknown-unicast", "Add a static MAC, or set flood_unknown: true on the VNI.";
    /// A rule of an access list denies the frame.
    Denied = "denied", "See which rule in 'causeway show rules'; change the list if the frame should pass.";
    /// A fragment so cut that an access list could not see its ports (RFC 1858).
    TinyFragment = "tiny-fragment", "Find the sender: no ordinary host cuts a packet within its TCP or UDP header.";
    /// The encapsulated frame does not fit the underlay MTU.
    UnderlayMtu = "underlay-mtu", "Raise the underlay MTU, or lower the servers' MTU by 50 (IPv4) or 70 (IPv6) bytes and more for options.";
    /// The frame does not fit the MTU of the port it leaves through.
    PortMtu = "port-mtu", "Raise the port's mtu.";
    /// The VTEP has no route or its next hop does not resolve.
    NoNextHop = "no-next-hop", "Check routes and neighbours: 'causeway show vteps'.";
    /// There was no headroom for the outer header.
    NoHeadroom = "no-headroom", "Report it: buffers are sized so that this cannot happen.";
    /// The buffer pool was empty when a copy was needed.
    NoBuffer = "no-buffer", "Raise memory.buffers.";
    /// More flood copies were waiting than the bound allows.
    FloodBacklog = "flood-backlog", "Look for a broadcast storm, or shorten flood lists.";
    /// The transmit queue was full for a whole lap.
    TxFull = "tx-full", "The port is slower than its load: more queues, more descriptors or a faster link.";
    /// The ring to the worker that owns the port's transmit queue was full.
    HandoffFull = "handoff-full", "Spread receive queues over the workers that own the port.";
    /// More frames for the host than the policer or the twin's ring allow.
    HostPoliced = "host-policed", "Raise vtep.host_rate, or find who floods the underlay address.";
    /// A frame for the host on a port that has no Linux twin.
    NoTwin = "no-twin", "Give the underlay addresses (a twin) if the kernel should answer.";
    /// A frame still held when the worker stopped.
    Stopped = "stopped", "Nothing: the gateway was shut down.";
}
