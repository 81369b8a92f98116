#!/usr/bin/env python3
"""Writes the golden files next to it.

The bytes come from scapy and from the RFCs, not from the gateway: what is expected was worked out by somebody else's code.
The tests need neither this script nor scapy. Run it after adding a case, then `UPDATE_GOLDEN=notation cargo test --test
golden`, which writes the readable line above each frame and nothing else.
"""

import ipaddress
import pathlib
import struct

from scapy.all import (ARP, ICMP, IP, IPv6, TCP, UDP, Dot1AD, Dot1Q, Ether, ICMPv6EchoRequest, ICMPv6ND_NA,
                       ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, ICMPv6PacketTooBig, IPv6ExtHdrDestOpt,
                       IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, Raw)

HERE = pathlib.Path(__file__).parent

# Who is who. The MAC of a port under test is 02:ca:fe:00:00:NN, NN its number in the configuration.
GATEWAY = "02:ca:fe:00:00:00"
HOP = "02:00:00:00:ff:01"
US, PEER, OTHER, THIRD = "10.0.0.11", "10.0.0.12", "10.0.0.13", "10.0.0.14"
US6, PEER6, OTHER6 = "2001:db8::11", "2001:db8::12", "2001:db8::13"
ANN, BOB, CLEO, DAN = (f"02:00:00:00:00:0{n}" for n in (1, 2, 3, 4))
ALL = "ff:ff:ff:ff:ff:ff"

# One source port in most cases, so that expected bytes do not hang on the gateway's hash function.
VTEP4 = "vtep: {source: 10.0.0.11, source_ports: [50000, 50000]}"
VTEP6 = 'vtep: {source: "2001:db8::11", source_ports: [50000, 50000]}'
BOTH = 'vtep: {source: [10.0.0.11, "2001:db8::11"], source_ports: [50000, 50000]}'
UP = '  - {name: up0, device: net_null0, mtu: 1600, underlay: {via: {mac: "02:00:00:00:ff:01"}}}'


def yaml(vnis, vtep=VTEP4, up=UP, ports=("{vlan: 10, vni: 10010}",)):
    """A configuration: the underlay on up0, then srv1, srv2 ... with these VLANs, then these VNIs."""
    lines = ["version: 1", vtep, "ports:", up]
    for number, vlans in enumerate(ports, 1):
        options = ""
        if isinstance(vlans, tuple):
            vlans, options = vlans
        lines.append(f"  - name: srv{number}")
        lines.append(f"    device: net_null{number}")
        lines += [f"    {line}" for line in options.splitlines()]
        lines.append("    vlans:")
        lines += [f"      - {binding}" for binding in vlans.split("; ")]
    lines.append("vnis:")
    lines += [f"  - {vni}" for vni in ([vnis] if isinstance(vnis, str) else vnis)]
    return lines


VX = "{vni: 10010, flood: {vteps: [10.0.0.12]}}"
VX6 = '{vni: 10010, flood: {vteps: ["2001:db8::12"]}}'
GN = "{vni: 10010, encap: geneve, flood: {vteps: [10.0.0.12]}}"
GN6 = '{vni: 10010, encap: geneve, flood: {vteps: ["2001:db8::12"]}}'
BASE = yaml(VX)


def tenant(src=ANN, dst=ALL, vlan=None, l3=None, size=20, vlan_type=Dot1Q, prio=0, dei=0):
    """A tenant's frame: by default a UDP packet in IPv4."""
    l3 = l3 if l3 is not None else ip4()
    frame = Ether(src=src, dst=dst)
    if vlan is not None:
        frame = frame / vlan_type(vlan=vlan, prio=prio, id=dei)
    return bytes(frame / l3 / Raw(bytes(i & 0xFF for i in range(size))))


def ip4(tos=0, ttl=33, **more):
    return IP(src="192.0.2.1", dst="192.0.2.2", tos=tos, ttl=ttl, id=7, **more) / UDP(sport=1000, dport=2000)


def ip6(tc=0, hlim=33):
    return IPv6(src="2001:db8:1::1", dst="2001:db8:1::2", tc=tc, hlim=hlim) / UDP(sport=1000, dport=2000)


def other(src=ANN, dst=ALL, vlan=None, ethertype=0x88B5, body=b"neither IP nor ARP", **more):
    """A frame that is not IP."""
    frame = Ether(src=src, dst=dst, type=ethertype)
    if vlan is not None:
        frame = Ether(src=src, dst=dst) / Dot1Q(vlan=vlan, type=ethertype, **more)
    return bytes(frame / Raw(body))


def vxlan(vni=10010, flags=0x08, reserved=0, last=0):
    return struct.pack("!II", flags << 24 | reserved, vni << 8 | last)


def geneve(vni=10010, options=b"", first=None, flags=0, proto=0x6558, last=0):
    first = len(options) // 4 if first is None else first
    return struct.pack("!BBHI", first, flags, proto, vni << 8 | last) + options


def option(kind, data=b"", cls=0x0102, words=None, reserved=0):
    words = len(data) // 4 if words is None else words
    return struct.pack("!HBB", cls, kind, reserved << 5 | words) + data


def tunnel(payload, src=US, dst=PEER, dport=4789, sport=50000, checksum=None, mac=(GATEWAY, HOP), vlan=None,
           ip=None, ulen=None, **fields):
    """An outer packet. Without `checksum` VXLAN over IPv4 carries zero, all else a right one."""
    six = ":" in src
    if checksum is None and not six and dport != 6081:
        checksum = 0
    frame = Ether(src=mac[0], dst=mac[1])
    if vlan is not None:
        frame = frame / Dot1Q(vlan=vlan)
    if ip is None:
        if six:
            ip = IPv6(src=src, dst=dst, hlim=fields.pop("ttl", 64), tc=fields.pop("tos", 0), **fields)
        else:
            defaults = dict(ttl=64, id=0, flags="DF")
            defaults.update(fields)
            ip = IP(src=src, dst=dst, **defaults)
    packet = bytes(frame / ip / UDP(sport=sport, dport=dport, chksum=checksum, len=ulen) / Raw(payload))
    return packet


def arriving(payload, src=PEER, dst=US, mac=(HOP, GATEWAY), sport=55555, **fields):
    """The same, from the peer to us."""
    return tunnel(payload, src=src, dst=dst, mac=mac, sport=sport, **fields)


def with_udp_checksum(frame, value, at=14 + 20):
    return frame[:at + 6] + struct.pack("!H", value) + frame[at + 8:]


def put(frame, at, data):
    return frame[:at] + data + frame[at + len(data):]


CASES = []


def case(name, sentence, covers, config, *steps, drops="", note=""):
    """steps: ("> srv1", bytes) and ("< up0", bytes) in order."""
    CASES.append((name, sentence, covers, config, steps, drops, note))


# ---------------------------------------------------------------- VXLAN

request = tenant(vlan=10)
bare = tenant()

case("vxlan_encapsulation", "A tagged broadcast leaves in VXLAN to the VTEP of the flood list, its tag removed.",
     "VX1 VX2 VX10 VX16 VX17 VX20 OIP1 OIP4 OIP9 OIP10 BUM1", BASE,
     ("> srv1", request), ("< up0", tunnel(vxlan() + bare)))

case("vxlan_decapsulation", "A frame from a VTEP reaches the port with the tag of the port, bit by bit as it was.",
     "VX11 VX16 VX19 VL1 OIP3", BASE,
     ("> up0", arriving(vxlan() + tenant(BOB, ANN))), ("< srv1", tenant(BOB, ANN, vlan=10)),
     note="Unknown to the gateway, so it is flooded to the only local member.")

case("vxlan_with_reserved_bits_set_is_accepted", "Reserved flags and fields are ignored on receipt.", "VX3", BASE,
     ("> up0", arriving(vxlan(flags=0xFF) + tenant(BOB))), ("< srv1", tenant(BOB, vlan=10)),
     ("> up0", arriving(vxlan(reserved=0xABCDEF) + tenant(BOB))), ("< srv1", tenant(BOB, vlan=10)),
     ("> up0", arriving(vxlan(last=0xFF) + tenant(BOB))), ("< srv1", tenant(BOB, vlan=10)))

case("vxlan_without_i_flag_is_dropped", "A packet whose I flag is clear carries no VNI.", "VX4 CTL5", BASE,
     ("> up0", arriving(vxlan(flags=0x00) + tenant(BOB))), ("> up0", arriving(vxlan(flags=0xF7) + tenant(BOB))),
     drops="bad-tunnel-header=2")

case("vxlan_vni_has_24_bits", "VNIs 1 and 16777215 work in both directions and are told apart.", "VX5 ISO1",
     yaml(["{vni: 1, flood: {vteps: [10.0.0.12]}}", "{vni: 16777215, flood: {vteps: [10.0.0.12]}}"],
          ports=("{vlan: 10, vni: 1}; {vlan: 20, vni: 16777215}",)),
     ("> srv1", tenant(vlan=10)), ("< up0", tunnel(vxlan(1) + bare)),
     ("> srv1", tenant(vlan=20)), ("< up0", tunnel(vxlan(0xFFFFFF) + bare)),
     ("> up0", arriving(vxlan(1) + tenant(BOB))), ("< srv1", tenant(BOB, vlan=10)),
     ("> up0", arriving(vxlan(0xFFFFFF) + tenant(BOB))), ("< srv1", tenant(BOB, vlan=20)))

case("unknown_vni_is_dropped", "A packet with a VNI that is not configured is dropped.", "VX6 CTL5", BASE,
     ("> up0", arriving(vxlan(10011) + tenant(BOB))), ("> up0", arriving(vxlan(10010 + 65536) + tenant(BOB))),
     drops="unknown-vni=2")

case("vxlan_port_is_configurable", "VXLAN uses the configured UDP port in both directions and no other.", "VX7",
     yaml(VX, vtep="vtep: {source: 10.0.0.11, source_ports: [50000, 50000], vxlan_port: 8472}"),
     ("> srv1", request), ("< up0", tunnel(vxlan() + bare, dport=8472, checksum=0)),
     ("> up0", arriving(vxlan() + tenant(BOB), dport=8472, checksum=0)), ("< srv1", tenant(BOB, vlan=10)),
     ("> up0", arriving(vxlan() + tenant(BOB), dport=4789)), drops="no-twin=1",
     note="On port 4789 it is just UDP to the host, and this underlay has no Linux twin.")

case("source_port_from_the_nic_hash", "The hash that a NIC gives spreads source ports over 49152 to 65535.", "VX8 VX9",
     yaml(VX, vtep="vtep: {source: 10.0.0.11}"),
     ("> srv1 hash=00000000", request), ("< up0", tunnel(vxlan() + bare, sport=49152)),
     ("> srv1 hash=80000000", request), ("< up0", tunnel(vxlan() + bare, sport=57344)),
     ("> srv1 hash=ffffffff", request), ("< up0", tunnel(vxlan() + bare, sport=65535)))

def summed(payload, src=PEER, dst=US, sport=55555, dport=4789):
    """The right UDP checksum over IPv4."""
    packet = bytes(IP(src=src, dst=dst) / UDP(sport=sport, dport=dport) / Raw(payload))
    return struct.unpack("!H", packet[26:28])[0]


CHECKED = yaml("{vni: 10010, flood: {vteps: [10.0.0.12]}, checksum: {ipv4: true}}")
even, odd = vxlan() + tenant(size=20), vxlan() + tenant(size=21)
case("vxlan_udp_checksum_when_configured", "A UDP checksum that is sent is right, for even and odd lengths.", "VX12",
     CHECKED,
     ("> srv1", tenant(vlan=10, size=20)), ("< up0", tunnel(even, checksum=summed(even, US, PEER, 50000))),
     ("> srv1", tenant(vlan=10, size=21)), ("< up0", tunnel(odd, checksum=summed(odd, US, PEER, 50000))))

inner = vxlan() + tenant(BOB, size=21)
case("vxlan_udp_checksum_is_verified", "A right UDP checksum is accepted, a wrong one dropped.", "VX13 CTL5", BASE,
     ("> up0", arriving(inner, checksum=summed(inner))), ("< srv1", tenant(BOB, vlan=10, size=21)),
     ("> up0", arriving(inner, checksum=summed(inner) ^ 0x0100)), drops="bad-udp-checksum=1")

case("the_nic_may_have_verified_the_checksum", "What the NIC said of a UDP checksum is believed.", "VX13", BASE,
     ("> up0 udp=good", arriving(inner, checksum=0x1234)), ("< srv1", tenant(BOB, vlan=10, size=21)),
     ("> up0 udp=bad", arriving(inner, checksum=summed(inner))), drops="bad-udp-checksum=1")

V6 = yaml(VX6, vtep=VTEP6)
case("vxlan_over_ipv6", "Over IPv6 a frame leaves with a right UDP checksum and comes back.", "VX14 VX20", V6,
     ("> srv1", request), ("< up0", tunnel(vxlan() + bare, src=US6, dst=PEER6)),
     ("> srv1", tenant(vlan=10, size=21)), ("< up0", tunnel(vxlan() + tenant(size=21), src=US6, dst=PEER6)),
     ("> up0", arriving(vxlan() + tenant(BOB, ANN), src=PEER6, dst=US6)), ("< srv1", tenant(BOB, ANN, vlan=10)))

case("zero_checksum_over_ipv6_is_refused", "Over IPv6 a zero UDP checksum is dropped by default, a wrong one always.",
     "VX15 VX13", V6,
     ("> up0", arriving(inner, src=PEER6, dst=US6, checksum=0)),
     ("> up0", arriving(inner, src=PEER6, dst=US6, checksum=0x1234)), drops="bad-udp-checksum=1 zero-udp-checksum=1")

case("zero_checksum_over_ipv6_when_configured", "Over IPv6 zero is sent and accepted when the operator says so.",
     "VX14 VX15",
     yaml('{vni: 10010, flood: {vteps: ["2001:db8::12"]}, checksum: {ipv6: false, accept_zero_ipv6: true}}', vtep=VTEP6),
     ("> srv1", request), ("< up0", tunnel(vxlan() + bare, src=US6, dst=PEER6, checksum=0)),
     ("> up0", arriving(vxlan() + tenant(BOB, ANN), src=PEER6, dst=US6, checksum=0)),
     ("< srv1", tenant(BOB, ANN, vlan=10)))

case("only_packets_to_the_vtep_are_decapsulated", "Another MAC, another address: not for us, nothing is delivered.",
     "VX21", BASE,
     ("> up0", arriving(vxlan() + tenant(BOB), mac=(HOP, "02:ca:fe:00:00:77"))),
     ("> up0", arriving(vxlan() + tenant(BOB), dst="10.0.0.99")),
     ("> up0", arriving(vxlan() + tenant(BOB), mac=(HOP, ALL))),
     ("> up0", arriving(vxlan() + tenant(BOB), dst="239.1.1.1", mac=(HOP, "01:00:5e:01:01:01"))),
     drops="not-for-us=4", note="The third is addressed to everybody's MAC but to our IP address (RFC 1122 section 3.3.6).")

TAGGED_UP = '  - {name: up0, device: net_null0, mtu: 1600, underlay: {vlan: 100, via: {mac: "02:00:00:00:ff:01"}}}'
UV = yaml(VX, up=TAGGED_UP)
case("underlay_with_a_vlan", "An underlay with a VLAN sends and takes tunnel packets in that VLAN only.", "VX22", UV,
     ("> srv1", request), ("< up0", tunnel(vxlan() + bare, vlan=100)),
     ("> up0", arriving(vxlan() + tenant(BOB, ANN), vlan=100)), ("< srv1", tenant(BOB, ANN, vlan=10)),
     ("> up0", arriving(vxlan() + tenant(BOB, ANN), vlan=101)), ("> up0", arriving(vxlan() + tenant(BOB, ANN))),
     drops="unknown-vlan=1 untagged-not-allowed=1")

UV6 = yaml(VX6, vtep=VTEP6, up=TAGGED_UP)
case("underlay_with_a_vlan_over_ipv6", "The same over IPv6.", "VX22", UV6,
     ("> srv1", request), ("< up0", tunnel(vxlan() + bare, src=US6, dst=PEER6, vlan=100)),
     ("> up0", arriving(vxlan() + tenant(BOB, ANN), src=PEER6, dst=US6, vlan=100)),
     ("< srv1", tenant(BOB, ANN, vlan=10)))

case("inner_tag_from_a_tunnel_is_dropped", "A decapsulated frame with a VLAN tag is discarded.", "VX18", BASE,
     ("> up0", arriving(vxlan() + tenant(BOB, vlan=7))),
     ("> up0", arriving(vxlan() + tenant(BOB, vlan=7, vlan_type=Dot1AD))), drops="inner-vlan=2")

PASS = yaml("{vni: 10010, flood: {vteps: [10.0.0.12]}, inner_vlan: pass}")
case("inner_tag_passes_when_configured", "With inner_vlan: pass a customer's tag travels through both ways.",
     "VX17 VX18 VL10 VL11", PASS,
     ("> srv1", bytes(Ether(src=ANN, dst=ALL) / Dot1Q(vlan=10) / Dot1Q(vlan=7, prio=3) / ip4())),
     ("< up0", tunnel(vxlan() + bytes(Ether(src=ANN, dst=ALL) / Dot1Q(vlan=7, prio=3) / ip4()))),
     ("> up0", arriving(vxlan() + tenant(BOB, vlan=7))),
     ("< srv1", bytes(Ether(src=BOB, dst=ALL) / Dot1Q(vlan=10) / Ether(tenant(BOB, vlan=7)).payload)))

case("frames_that_are_not_ip", "Whatever the ethertype, a frame passes bit by bit: 802.3 lengths, odd sizes, no payload.",
     "VX19 MAL6 ECN4", BASE,
     ("> srv1", other(vlan=10)), ("< up0", tunnel(vxlan() + other())),
     ("> srv1", other(vlan=10, ethertype=0x0003, body=b"\x42\x42\x03")),
     ("< up0", tunnel(vxlan() + other(ethertype=0x0003, body=b"\x42\x42\x03"))),
     ("> srv1", other(vlan=10, body=b"")), ("< up0", tunnel(vxlan() + other(body=b""))),
     ("> up0", arriving(vxlan() + other(BOB, ANN, body=b"x"), tos=3)), ("< srv1", other(BOB, ANN, vlan=10, body=b"x")))

# ---------------------------------------------------------------- Geneve

GBASE = yaml(GN)
gframe = geneve() + tenant(BOB, ANN)


def garriving(payload, **fields):
    fields.setdefault("dport", 6081)
    return arriving(payload, **fields)


case("geneve_encapsulation", "A tagged broadcast leaves in Geneve with a UDP checksum over IPv4.",
     "GN1 GN4 GN6 GN11 GN13 OIP1", GBASE,
     ("> srv1", request), ("< up0", tunnel(geneve() + bare, dport=6081)),
     ("> srv1", tenant(vlan=10, size=21)), ("< up0", tunnel(geneve() + tenant(size=21), dport=6081)))

case("geneve_over_ipv6", "The same over IPv6, and back.", "GN1 GN13", yaml(GN6, vtep=VTEP6),
     ("> srv1", request), ("< up0", tunnel(geneve() + bare, src=US6, dst=PEER6, dport=6081)),
     ("> up0", garriving(gframe, src=PEER6, dst=US6)), ("< srv1", tenant(BOB, ANN, vlan=10)))

case("geneve_decapsulation", "A Geneve packet is delivered, with its checksum right or zero.", "GN14 GN15", GBASE,
     ("> up0", garriving(gframe)), ("< srv1", tenant(BOB, ANN, vlan=10)),
     ("> up0", garriving(gframe, checksum=0)), ("< srv1", tenant(BOB, ANN, vlan=10)),
     ("> up0", garriving(gframe, checksum=0x1234)), drops="bad-udp-checksum=1")

case("geneve_zero_checksum_over_ipv6", "Over IPv6 a zero checksum is refused by default.", "GN15", yaml(GN6, vtep=VTEP6),
     ("> up0", garriving(gframe, src=PEER6, dst=US6, checksum=0)), drops="zero-udp-checksum=1")

case("geneve_of_another_version", "Another version is dropped.", "GN2", GBASE,
     ("> up0", garriving(geneve(first=0x40) + tenant(BOB))), ("> up0", garriving(geneve(first=0xC0) + tenant(BOB))),
     drops="bad-tunnel-header=2")

case("geneve_options_that_reach_too_far",
     "Options beyond the packet, or options that leave no whole Ethernet header, are dropped.", "GN3 MAL1", GBASE,
     ("> up0", garriving(geneve(first=63) + tenant(BOB))),
     ("> up0", garriving(geneve(options=option(1, bytes(40))) + tenant(BOB)[:13])),
     ("> up0", garriving(geneve(first=1))),
     drops="bad-tunnel-header=2 inner-runt=1")

case("geneve_reserved_bits_are_ignored", "Reserved bits of header and options are ignored.", "GN4", GBASE,
     ("> up0", garriving(geneve(flags=0x3F, last=0xFF) + tenant(BOB, ANN))), ("< srv1", tenant(BOB, ANN, vlan=10)),
     ("> up0", garriving(geneve(options=option(1, bytes(4), reserved=7)) + tenant(BOB, ANN))),
     ("< srv1", tenant(BOB, ANN, vlan=10)))

case("geneve_vni_has_24_bits", "VNIs 1 and 16777215 work in both directions.", "GN5",
     yaml(["{vni: 1, encap: geneve, flood: {vteps: [10.0.0.12]}}",
           "{vni: 16777215, encap: geneve, flood: {vteps: [10.0.0.12]}}"],
          ports=("{vlan: 10, vni: 1}; {vlan: 20, vni: 16777215}",)),
     ("> srv1", tenant(vlan=10)), ("< up0", tunnel(geneve(1) + bare, dport=6081)),
     ("> srv1", tenant(vlan=20)), ("< up0", tunnel(geneve(0xFFFFFF) + bare, dport=6081)),
     ("> up0", garriving(geneve(0xFFFFFF) + tenant(BOB, ANN))), ("< srv1", tenant(BOB, ANN, vlan=20)))

case("geneve_of_another_protocol", "Only protocol type 0x6558 is taken for Ethernet.", "GN6", GBASE,
     ("> up0", garriving(geneve(proto=0x0800) + tenant(BOB))), ("> up0", garriving(geneve(proto=0x6559) + tenant(BOB))),
     drops="not-ethernet=2")

case("geneve_unknown_options_are_skipped", "Options that are not critical are skipped, up to 252 bytes of them.", "GN7",
     GBASE,
     ("> up0", garriving(geneve(options=option(1)) + tenant(BOB, ANN))), ("< srv1", tenant(BOB, ANN, vlan=10)),
     ("> up0", garriving(geneve(options=option(1, bytes(124)) + option(0x7F, bytes(116)) + option(3))
                         + tenant(BOB, ANN))), ("< srv1", tenant(BOB, ANN, vlan=10)))

case("geneve_critical_options_are_dropped", "An unknown critical option drops the packet, announced by the C bit or not.",
     "GN8", GBASE,
     ("> up0", garriving(geneve(options=option(0x81, bytes(4)), flags=0x40) + tenant(BOB))),
     ("> up0", garriving(geneve(options=option(1) + option(0x81, bytes(4))) + tenant(BOB))),
     ("> up0", garriving(geneve(flags=0x40) + tenant(BOB))),
     drops="critical-option=3")

case("geneve_options_that_do_not_add_up", "An option that is longer than all options together makes the packet invalid.",
     "GN9 MAL3", GBASE,
     ("> up0", garriving(geneve(options=option(1, bytes(4), words=2)) + tenant(BOB))),
     ("> up0", garriving(geneve(options=option(1) + option(2, words=31)) + tenant(BOB))),
     drops="bad-tunnel-header=2")

case("geneve_control_packets_are_not_forwarded", "The payload of an OAM packet goes nowhere.", "GN10", GBASE,
     ("> up0", garriving(geneve(flags=0x80) + tenant(BOB))), ("> up0", garriving(geneve(flags=0xC0) + tenant(BOB))),
     drops="oam=2")

case("geneve_port_is_configurable", "Geneve uses the configured UDP port in both directions.", "GN11",
     yaml(GN, vtep="vtep: {source: 10.0.0.11, source_ports: [50000, 50000], geneve_port: 6082}"),
     ("> srv1", request), ("< up0", tunnel(geneve() + bare, dport=6082, checksum=
                                           summed(geneve() + bare, US, PEER, 50000, 6082))),
     ("> up0", garriving(gframe, dport=6082)), ("< srv1", tenant(BOB, ANN, vlan=10)))

case("geneve_static_options_are_sent", "Options of the segment are sent, C set when one is critical.", "GN1 GN4",
     yaml(['{vni: 10010, encap: geneve, flood: {vteps: [10.0.0.12]}, options: [{class: 0x0102, type: 0x01, data: "00112233"}]}',
           '{vni: 10020, encap: geneve, flood: {vteps: [10.0.0.12]}, options: [{class: 0x0102, type: 0x81}]}'],
          ports=("{vlan: 10, vni: 10010}; {vlan: 20, vni: 10020}",)),
     ("> srv1", request),
     ("< up0", tunnel(geneve(options=option(1, bytes.fromhex("00112233"))) + bare, dport=6081)),
     ("> srv1", tenant(vlan=20)),
     ("< up0", tunnel(geneve(10020, options=option(0x81), flags=0x40) + bare, dport=6081)))

case("headers_on_each_others_port", "A VXLAN header on Geneve's port, and the other way round, is not accepted.", "GN16",
     yaml([VX, "{vni: 10020, encap: geneve, flood: {vteps: [10.0.0.12]}}"],
          ports=("{vlan: 10, vni: 10010}; {vlan: 20, vni: 10020}",)),
     ("> up0", garriving(vxlan() + tenant(BOB))), ("> up0", arriving(geneve(10020) + tenant(BOB))),
     ("> up0", garriving(geneve(10010) + tenant(BOB))), ("> up0", arriving(vxlan(10020) + tenant(BOB))),
     drops="bad-tunnel-header=1 not-ethernet=1 unknown-vni=2",
     note="Read as Geneve, the VXLAN header has protocol type 0.")

# ---------------------------------------------------------------- outer IP

case("df_unset", "With df: unset packets may be fragmented and carry a new identification each.", "OIP1",
     yaml("{vni: 10010, flood: {vteps: [10.0.0.12]}, df: unset}"),
     ("> srv1", request), ("< up0", tunnel(vxlan() + bare, flags=0, id=1)),
     ("> srv1", request), ("< up0", tunnel(vxlan() + bare, flags=0, id=2)))

case("df_inherit", "With df: inherit the outer DF is that of the inner IPv4 packet, set for all else.", "OIP1",
     yaml("{vni: 10010, flood: {vteps: [10.0.0.12]}, df: inherit}"),
     ("> srv1", tenant(vlan=10, l3=ip4(flags="DF"))), ("< up0", tunnel(vxlan() + tenant(l3=ip4(flags="DF")))),
     ("> srv1", request), ("< up0", tunnel(vxlan() + bare, flags=0, id=1)),
     ("> srv1", tenant(vlan=10, l3=ip6())), ("< up0", tunnel(vxlan() + tenant(l3=ip6()))),
     ("> srv1", other(vlan=10)), ("< up0", tunnel(vxlan() + other())))

case("ttl_is_configured", "The outer TTL is the configured one, whatever the inner; the inner one stays.", "OIP2 OIP3",
     yaml("{vni: 10010, flood: {vteps: [10.0.0.12]}, ttl: 17}"),
     ("> srv1", tenant(vlan=10, l3=ip4(ttl=1))), ("< up0", tunnel(vxlan() + tenant(l3=ip4(ttl=1)), ttl=17)))

case("ttl_inherit", "With ttl: inherit the outer TTL is the inner one, 64 for what is not IP.", "OIP2 OIP3",
     yaml("{vni: 10010, flood: {vteps: [10.0.0.12]}, ttl: inherit}"),
     ("> srv1", tenant(vlan=10, l3=ip4(ttl=9))), ("< up0", tunnel(vxlan() + tenant(l3=ip4(ttl=9)), ttl=9)),
     ("> srv1", tenant(vlan=10, l3=ip6(hlim=8))), ("< up0", tunnel(vxlan() + tenant(l3=ip6(hlim=8)), ttl=8)),
     ("> srv1", other(vlan=10)), ("< up0", tunnel(vxlan() + other(), ttl=64)))

case("tos_is_configured", "The outer DSCP is the configured one; ECN is the inner packet's all the same.", "OIP4 ECN1",
     yaml("{vni: 10010, flood: {vteps: [10.0.0.12]}, tos: 184}"),
     ("> srv1", request), ("< up0", tunnel(vxlan() + bare, tos=184)),
     ("> srv1", tenant(vlan=10, l3=ip4(tos=0x29))), ("< up0", tunnel(vxlan() + tenant(l3=ip4(tos=0x29)), tos=185)),
     ("> srv1", other(vlan=10)), ("< up0", tunnel(vxlan() + other(), tos=184)))

case("tos_inherit", "With tos: inherit the DSCP of IPv4 and IPv6 is copied; what is not IP gets 0.", "OIP5 ECN1",
     yaml("{vni: 10010, flood: {vteps: [10.0.0.12]}, tos: inherit}"),
     ("> srv1", tenant(vlan=10, l3=ip4(tos=0xB9))), ("< up0", tunnel(vxlan() + tenant(l3=ip4(tos=0xB9)), tos=0xB9)),
     ("> srv1", tenant(vlan=10, l3=ip6(tc=0x2A))), ("< up0", tunnel(vxlan() + tenant(l3=ip6(tc=0x2A)), tos=0x2A)),
     ("> srv1", other(vlan=10)), ("< up0", tunnel(vxlan() + other())))

case("tos_inherit_over_ipv6", "The same towards an IPv6 VTEP: the traffic class.", "OIP5 ECN1",
     yaml('{vni: 10010, flood: {vteps: ["2001:db8::12"]}, tos: inherit}', vtep=VTEP6),
     ("> srv1", tenant(vlan=10, l3=ip4(tos=0xB9))),
     ("< up0", tunnel(vxlan() + tenant(l3=ip4(tos=0xB9)), src=US6, dst=PEER6, tos=0xB9)))

case("outer_dscp_is_not_copied_inside", "Decapsulation leaves the inner DSCP alone.", "OIP6", BASE,
     ("> up0", arriving(vxlan() + tenant(BOB, ANN, l3=ip4(tos=0x28)), tos=0xB8)),
     ("< srv1", tenant(BOB, ANN, vlan=10, l3=ip4(tos=0x28))))

case("outer_fragments_are_dropped", "Fragments of tunnel packets, first, middle or last, are never decapsulated.", "OIP7",
     BASE,
     ("> up0", arriving(vxlan() + tenant(BOB), flags="MF")), ("> up0", arriving(vxlan() + tenant(BOB), flags="MF", frag=10)),
     ("> up0", arriving(vxlan() + tenant(BOB), flags=0, frag=10)), drops="outer-fragment=3")

fragment6 = bytes([17, 0, 0, 1, 0, 0, 0, 9])
udp6 = bytes(IPv6(src=PEER6, dst=US6) / UDP(sport=55555, dport=4789) / Raw(vxlan() + tenant(BOB)))[40:]


def six(next_header, body):
    return bytes(Ether(src=HOP, dst=GATEWAY) / IPv6(src=PEER6, dst=US6, nh=next_header, hlim=64) / Raw(body))


case("outer_fragments_over_ipv6_are_dropped", "The same with IPv6's fragment header.", "OIP7", V6,
     ("> up0", six(44, fragment6 + udp6)), drops="outer-fragment=1")

options4 = bytes(Ether(src=HOP, dst=GATEWAY) / IP(src=PEER, dst=US, id=0, options=[("NOP"), ("NOP"), ("NOP"), ("EOL")])
                 / UDP(sport=55555, dport=4789, chksum=0) / Raw(vxlan() + tenant(BOB)))
case("outer_ip_options_are_dropped", "A tunnel packet with IP options is dropped by name.", "OIP8", BASE,
     ("> up0", options4), drops="ip-options=1")

hop_by_hop = bytes([17, 0, 1, 4, 0, 0, 0, 0])
case("outer_extension_headers_are_dropped", "A tunnel packet behind IPv6 extension headers is dropped by name.", "OIP8", V6,
     ("> up0", six(0, hop_by_hop + udp6)), ("> up0", six(60, bytes([0]) + hop_by_hop[1:] + hop_by_hop + udp6)),
     drops="ip-options=2")

case("wrong_ip_checksum_is_dropped", "A wrong outer IPv4 header checksum drops the packet.", "OIP10", BASE,
     ("> up0", arriving(vxlan() + tenant(BOB), chksum=0x1234)),
     ("> up0 ip=bad", arriving(vxlan() + tenant(BOB))), drops="bad-ip-checksum=2")

case("impossible_sources_are_dropped", "Sources that no host can have are dropped and teach nothing.", "OIP11 MAL10",
     yaml("{vni: 10010, flood: {vteps: [10.0.0.12]}, accept: any}"),
     *[("> up0", arriving(vxlan() + tenant(BOB), src=source))
       for source in ("239.1.1.1", "127.0.0.1", "0.0.0.0", "255.255.255.255", US)],
     ("> srv1", tenant(ANN, BOB, vlan=10)), ("< up0", tunnel(vxlan() + tenant(ANN, BOB))),
     drops="bad-outer-source=5", note="The last frame shows that BOB is still unknown: it is flooded.")

case("impossible_sources_over_ipv6_are_dropped", "The same over IPv6.", "OIP11 MAL10",
     yaml('{vni: 10010, flood: {vteps: ["2001:db8::12"]}, accept: any}', vtep=VTEP6),
     *[("> up0", arriving(vxlan() + tenant(BOB), src=source, dst=US6)) for source in ("ff02::1", "::1", "::", US6)],
     drops="bad-outer-source=4")

# ---------------------------------------------------------------- ECN

steps = []
for ecn in range(4):
    steps += [("> srv1", tenant(vlan=10, l3=ip4(tos=ecn))), ("< up0", tunnel(vxlan() + tenant(l3=ip4(tos=ecn)), tos=ecn)),
              ("> srv1", tenant(vlan=10, l3=ip6(tc=ecn))), ("< up0", tunnel(vxlan() + tenant(l3=ip6(tc=ecn)), tos=ecn))]
case("ecn_on_encapsulation", "The inner ECN field is copied out, congestion included.", "ECN1", BASE, *steps)

# RFC 6040 figure 4: rows inner, columns outer, in the order Not-ECT, ECT(1), ECT(0), CE; None is drop.
FIGURE4 = {0: (0, 0, 0, None), 1: (1, 1, 1, 3), 2: (2, 1, 2, 3), 3: (3, 3, 3, 3)}
for name, make, words in (("ecn_on_decapsulation", lambda ecn: dict(l3=ip4(tos=0xB8 | ecn)), "IPv4"),
                          ("ecn_on_decapsulation_of_ipv6", lambda ecn: dict(l3=ip6(tc=0xB8 | ecn)), "IPv6")):
    steps = []
    for inside, row in FIGURE4.items():
        for outside, result in enumerate(row):
            steps.append(("> up0", arriving(vxlan() + tenant(BOB, ANN, **make(inside)), tos=outside)))
            if result is not None:
                steps.append(("< srv1", tenant(BOB, ANN, vlan=10, **make(result))))
    case(name, f"Inner and outer ECN are combined by figure 4 of RFC 6040, for {words} inside.", "ECN2 ECN3", BASE, *steps,
         drops="ecn-congestion=1")

# ---------------------------------------------------------------- the VLAN side

case("untagged_member", "An untagged member carries untagged frames both ways.", "VL2",
     yaml(VX, ports=("{vlan: untagged, vni: 10010}",)),
     ("> srv1", bare), ("< up0", tunnel(vxlan() + bare)),
     ("> up0", arriving(vxlan() + tenant(BOB, ANN))), ("< srv1", tenant(BOB, ANN)))

case("local_members_with_other_tags", "Between local members a frame takes on each member's tagging.", "VL3 VL8 L2a BUM1",
     yaml("{vni: 10010}", ports=("{vlan: 10, vni: 10010}", "{vlan: 20, vni: 10010}", "{vlan: untagged, vni: 10010}")),
     ("> srv1", request), ("< srv2", tenant(vlan=20)), ("< srv3", bare),
     ("> srv2", tenant(BOB, ANN, vlan=20)), ("< srv1", tenant(BOB, ANN, vlan=10)),
     ("> srv3", tenant(CLEO, BOB)), ("< srv2", tenant(CLEO, BOB, vlan=20)))

case("several_segments_on_one_port", "Native and tagged VLANs of one port lead to several segments without mixing.",
     "VL4 ISO1 BUM4",
     yaml(["{vni: 10010, flood: {vteps: [10.0.0.12]}}", "{vni: 10020, flood: {vteps: [10.0.0.13]}}",
           "{vni: 10030, flood: {vteps: [10.0.0.12, 10.0.0.13]}}"],
          ports=("{vlan: 10, vni: 10010}; {vlan: 20, vni: 10020}; {vlan: untagged, vni: 10030}",)),
     ("> srv1", tenant(vlan=10)), ("< up0", tunnel(vxlan(10010) + bare)),
     ("> srv1", tenant(vlan=20)), ("< up0", tunnel(vxlan(10020) + bare, dst=OTHER)),
     ("> srv1", bare), ("< up0", tunnel(vxlan(10030) + bare)), ("< up0", tunnel(vxlan(10030) + bare, dst=OTHER)),
     ("> up0", arriving(vxlan(10020) + tenant(BOB), src=OTHER)), ("< srv1", tenant(BOB, vlan=20)))

case("vlans_that_are_not_configured", "Frames of other VLANs are dropped, tagged ones on untagged-only ports too.", "VL5",
     yaml(VX, ports=("{vlan: 10, vni: 10010}", "{vlan: untagged, vni: 10010}")),
     ("> srv1", tenant(vlan=11)), ("> srv2", tenant(vlan=10)),
     ("> srv1", tenant(vlan=10, vlan_type=Dot1AD)), drops="unknown-vlan=3")

case("untagged_on_a_tagged_port", "Untagged frames on a tagged-only port and VID 4095 are dropped.", "VL6", BASE,
     ("> srv1", bare), ("> srv1", tenant(vlan=4095)), drops="reserved-vlan=1 untagged-not-allowed=1")

case("priority_tags", "A priority tag counts as untagged and is removed; a tagged-only port drops it.", "VL7",
     yaml(VX, ports=("{vlan: untagged, vni: 10010}", "{vlan: 10, vni: 10010}")),
     ("> srv1", tenant(vlan=0, prio=5)), ("< srv2", tenant(vlan=10, prio=5)), ("< up0", tunnel(vxlan() + bare)),
     ("> srv2", tenant(vlan=0, prio=5)), drops="untagged-not-allowed=1")

case("pcp_between_tagged_members", "PCP and DEI are kept between tagged members, or written as configured.", "VL9",
     yaml(VX, ports=("{vlan: 10, vni: 10010}", "{vlan: 20, vni: 10010}", "{vlan: 30, vni: 10010, pcp: 2}")),
     ("> srv1", tenant(vlan=10, prio=6, dei=1)), ("< srv2", tenant(vlan=20, prio=6, dei=1)),
     ("< srv3", tenant(vlan=30, prio=2)), ("< up0", tunnel(vxlan() + bare)),
     ("> up0", arriving(vxlan() + tenant(BOB))), ("< srv1", tenant(BOB, vlan=10)), ("< srv2", tenant(BOB, vlan=20)),
     ("< srv3", tenant(BOB, vlan=30, prio=2)))

case("second_tag_is_not_tunnelled", "A second tag is not tunnelled unless configured.", "VL10 VX17", BASE,
     ("> srv1", bytes(Ether(src=ANN, dst=ALL) / Dot1Q(vlan=10) / Dot1Q(vlan=7) / ip4())), drops="inner-vlan=1")

QINQ = yaml(["{vni: 10010, flood: {vteps: [10.0.0.12]}}", "{vni: 10020, flood: {vteps: [10.0.0.12]}}",
             "{vni: 10030, flood: {vteps: [10.0.0.12]}}"],
            ports=("{outer: 300, inner: 7, vni: 10010}; {outer: 300, inner: 8, tpid: 802.1q, vni: 10020}; {vlan: 301, vni: 10030}",))


def two(outer, inner, outer_type=Dot1AD, src=ANN, dst=ALL, prio=0):
    return bytes(Ether(src=src, dst=dst) / outer_type(vlan=outer, prio=prio) / Dot1Q(vlan=inner) / ip4()
                 / Raw(bytes(range(20))))


case("qinq", "Two tags map to a segment; 802.1ad and 802.1Q outer tags of one VID are different.", "VL11 VL5", QINQ,
     ("> srv1", two(300, 7)), ("< up0", tunnel(vxlan(10010) + bare)),
     ("> srv1", two(300, 8, Dot1Q)), ("< up0", tunnel(vxlan(10020) + bare)),
     ("> up0", arriving(vxlan(10010) + tenant(BOB))), ("< srv1", two(300, 7, src=BOB)),
     ("> up0", arriving(vxlan(10020) + tenant(BOB))), ("< srv1", two(300, 8, Dot1Q, src=BOB)),
     ("> srv1", two(300, 7, Dot1Q)), ("> srv1", two(300, 8)), ("> srv1", two(300, 9)),
     ("> srv1", tenant(vlan=300, vlan_type=Dot1AD)), drops="unknown-vlan=4")

# ---------------------------------------------------------------- bridging

case("bad_source_addresses", "Group and zero source addresses are dropped, from ports and from tunnels.", "L2e L2c", BASE,
     ("> srv1", tenant("03:00:00:00:00:01", vlan=10)), ("> srv1", tenant("00:00:00:00:00:00", vlan=10)),
     ("> up0", arriving(vxlan() + tenant("ff:ff:ff:ff:ff:ff"))),
     ("> up0", arriving(vxlan() + tenant("00:00:00:00:00:00"))), drops="bad-source-mac=4")

case("link_local_groups_are_not_relayed", "01:80:c2:00:00:00 to 0f are not bridged either way; 10 is.", "L2m", BASE,
     ("> srv1", tenant(dst="01:80:c2:00:00:00", vlan=10)), ("> srv1", tenant(dst="01:80:c2:00:00:0f", vlan=10)),
     ("> up0", arriving(vxlan() + tenant(BOB, "01:80:c2:00:00:0e"))),
     ("> srv1", tenant(dst="01:80:c2:00:00:10", vlan=10)),
     ("< up0", tunnel(vxlan() + tenant(dst="01:80:c2:00:00:10"))), drops="link-local=3")

case("learning_from_ports_and_tunnels", "Unknown floods, known goes to one place, and back.", "L2a L2b L2d",
     yaml("{vni: 10010, flood: {vteps: [10.0.0.12, 10.0.0.13]}}", ports=("{vlan: 10, vni: 10010}", "{vlan: 10, vni: 10010}")),
     ("> srv1", tenant(ANN, BOB, vlan=10)), ("< srv2", tenant(ANN, BOB, vlan=10)),
     ("< up0", tunnel(vxlan() + tenant(ANN, BOB))), ("< up0", tunnel(vxlan() + tenant(ANN, BOB), dst=OTHER)),
     ("> up0", arriving(vxlan() + tenant(BOB, ANN), src=OTHER)), ("< srv1", tenant(BOB, ANN, vlan=10)),
     ("> srv1", tenant(ANN, BOB, vlan=10)), ("< up0", tunnel(vxlan() + tenant(ANN, BOB), dst=OTHER)),
     ("> up0", arriving(vxlan() + tenant(BOB, ANN), src=PEER)), ("< srv1", tenant(BOB, ANN, vlan=10)),
     ("> srv1", tenant(ANN, BOB, vlan=10)), ("< up0", tunnel(vxlan() + tenant(ANN, BOB), dst=PEER)),
     ("> srv2", tenant(BOB, ANN, vlan=10)), ("< srv1", tenant(BOB, ANN, vlan=10)),
     ("> srv1", tenant(ANN, BOB, vlan=10)), ("< srv2", tenant(ANN, BOB, vlan=10)))

STATICS = yaml('{vni: 10010, flood: {vteps: [10.0.0.12, 10.0.0.13]}, static: [{mac: "02:00:00:00:00:02", vtep: 10.0.0.13}, '
               '{mac: "02:00:00:00:00:01", port: srv1, vlan: 10}]}',
               ports=("{vlan: 10, vni: 10010}", "{vlan: 20, vni: 10010}"))
case("static_macs_stay", "Frames from elsewhere do not move a static MAC.", "L2f", STATICS,
     ("> srv2", tenant(CLEO, BOB, vlan=20)), ("< up0", tunnel(vxlan() + tenant(CLEO, BOB), dst=OTHER)),
     ("> srv2", tenant(BOB, CLEO, vlan=20)), ("> up0", arriving(vxlan() + tenant(ANN, CLEO))), ("< srv2", tenant(ANN, CLEO, vlan=20)),
     ("> srv2", tenant(CLEO, BOB, vlan=20)), ("< up0", tunnel(vxlan() + tenant(CLEO, BOB), dst=OTHER)),
     ("> srv2", tenant(CLEO, ANN, vlan=20)), ("< srv1", tenant(CLEO, ANN, vlan=10)), drops="split-horizon=1",
     note="BOB's forged frame to CLEO has nowhere to go: CLEO is on the port that it came from.")

case("no_tunnel_to_tunnel", "What came from a tunnel never leaves into a tunnel, flooded or known.", "L2g",
     yaml('{vni: 10010, flood: {vteps: [10.0.0.12, 10.0.0.13]}, static: [{mac: "02:00:00:00:00:03", vtep: 10.0.0.13}]}'),
     ("> up0", arriving(vxlan() + tenant(BOB))), ("< srv1", tenant(BOB, vlan=10)),
     ("> up0", arriving(vxlan() + tenant(BOB, CLEO))), drops="split-horizon=1")

case("no_way_back", "A frame is never sent back to the member that it came from.", "L2h",
     yaml(VX, ports=("{vlan: 10, vni: 10010}; {vlan: 20, vni: 10010}",)),
     ("> srv1", tenant(ANN, vlan=10)), ("< srv1", tenant(ANN, vlan=20)), ("< up0", tunnel(vxlan() + tenant(ANN))),
     ("> srv1", tenant(BOB, ANN, vlan=10)), drops="split-horizon=1",
     note="Two VLANs of one port are two members: from one to the other is allowed.")

case("learning_off", "With learning disabled nothing is learned.", "L2i",
     yaml("{vni: 10010, flood: {vteps: [10.0.0.12]}, learning: {enabled: false}}",
          ports=("{vlan: 10, vni: 10010}", "{vlan: 10, vni: 10010}")),
     ("> srv1", tenant(ANN, BOB, vlan=10)), ("< srv2", tenant(ANN, BOB, vlan=10)), ("< up0", tunnel(vxlan() + tenant(ANN, BOB))),
     ("> srv2", tenant(BOB, ANN, vlan=10)), ("< srv1", tenant(BOB, ANN, vlan=10)), ("< up0", tunnel(vxlan() + tenant(BOB, ANN))))

case("unknown_unicast_not_flooded", "With flood_unknown: false unknown unicast is dropped, broadcast still floods.", "L2j",
     yaml("{vni: 10010, flood: {vteps: [10.0.0.12]}, flood_unknown: false}"),
     ("> srv1", tenant(ANN, BOB, vlan=10)), ("> srv1", tenant(ANN, vlan=10)), ("< up0", tunnel(vxlan() + tenant(ANN))),
     ("> srv1", tenant(ANN, "01:00:5e:01:02:03", vlan=10)), ("< up0", tunnel(vxlan() + tenant(ANN, "01:00:5e:01:02:03"))),
     drops="unknown-unicast=1")

large = vxlan() + tenant(size=200)
case("head_end_replication", "Exactly one copy for each VTEP of the list and each other local member.", "BUM1 MTU5 VX10 GN13",
     yaml('{vni: 10010, flood: {vteps: [10.0.0.12, 10.0.0.13, {vtep: "2001:db8::12"}, {vtep: 10.0.0.14, encap: geneve}]}, geneve_vni: 10099}',
          vtep=BOTH, ports=("{vlan: 10, vni: 10010}", "{vlan: 20, vni: 10010}")),
     ("> srv1", tenant(vlan=10, size=200)), ("< srv2", tenant(vlan=20, size=200)),
     ("< up0", tunnel(large)), ("< up0", tunnel(large, dst=OTHER)),
     ("< up0", tunnel(large, src=US6, dst=PEER6)),
     ("< up0", tunnel(geneve(10099) + tenant(size=200), dst=THIRD, dport=6081)),
     note="Each encapsulation keeps its own rule over IPv4: no UDP checksum in VXLAN, one in Geneve.")

GROUP_MAC = "01:00:5e:01:01:01"
GROUP = yaml(["{vni: 10010, flood: {group: 239.1.1.1}, ttl: 5}", "{vni: 10020, flood: {group: 239.1.1.1}}"],
             ports=("{vlan: 10, vni: 10010}; {vlan: 20, vni: 10020}",))
case("multicast_group", "A flood is one copy to the group; copies sent to it are decapsulated and teach the sender.",
     "BUM5 BUM6 BUM8", GROUP,
     ("> srv1", request), ("< up0", tunnel(vxlan() + bare, dst="239.1.1.1", mac=(GATEWAY, GROUP_MAC), ttl=5)),
     ("> srv1", tenant(vlan=20)), ("< up0", tunnel(vxlan(10020) + bare, dst="239.1.1.1", mac=(GATEWAY, GROUP_MAC))),
     ("> up0", arriving(vxlan() + tenant(BOB), dst="239.1.1.1", mac=(HOP, GROUP_MAC))), ("< srv1", tenant(BOB, vlan=10)),
     ("> up0", arriving(vxlan() + tenant(BOB), dst="239.1.1.1", mac=(HOP, GROUP_MAC))), ("< srv1", tenant(BOB, vlan=10)),
     ("> srv1", tenant(ANN, BOB, vlan=10)), ("< up0", tunnel(vxlan() + tenant(ANN, BOB), ttl=5)),
     ("> up0", arriving(vxlan() + tenant(BOB), dst="239.1.1.2", mac=(HOP, "01:00:5e:01:01:02"))),
     drops="not-for-us=1", note="The sender is not listed anywhere: from its second frame on it is known.")

case("multicast_group_over_ipv6", "The same with an IPv6 group.", "BUM5 BUM6",
     yaml('{vni: 10010, flood: {group: "ff05::1:1"}}', vtep=VTEP6),
     ("> srv1", request), ("< up0", tunnel(vxlan() + bare, src=US6, dst="ff05::1:1", mac=(GATEWAY, "33:33:00:01:00:01"))),
     ("> up0", arriving(vxlan() + tenant(BOB), src=PEER6, dst="ff05::1:1", mac=(HOP, "33:33:00:01:00:01"))),
     ("< srv1", tenant(BOB, vlan=10)))

arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + bytes.fromhex("020000000001c0000201000000000000c0000202")
case("arp_is_an_ordinary_frame", "ARP requests and replies of tenants are bridged like all else; we answer none.", "SUP9",
     BASE,
     ("> srv1", other(vlan=10, ethertype=0x0806, body=arp)), ("< up0", tunnel(vxlan() + other(ethertype=0x0806, body=arp))),
     ("> up0", arriving(vxlan() + other(BOB, ethertype=0x0806, body=arp))), ("< srv1", other(BOB, vlan=10, ethertype=0x0806, body=arp)),
     ("> srv1", other(ANN, BOB, vlan=10, ethertype=0x0806, body=arp)),
     ("< up0", tunnel(vxlan() + other(ANN, BOB, ethertype=0x0806, body=arp))))

# ---------------------------------------------------------------- isolation

TWO = yaml(["{vni: 10010, flood: {vteps: [10.0.0.12]}}", "{vni: 10020, flood: {vteps: [10.0.0.13]}}"],
           ports=("{vlan: 10, vni: 10010}; {vlan: 20, vni: 10020}", "{vlan: 10, vni: 10020}; {vlan: 20, vni: 10010}"))
case("segments_do_not_mix", "Frames, MACs and VTEPs of one VNI do not exist in the other.", "ISO1 ISO2 ISO3 VL8", TWO,
     ("> srv1", tenant(ANN, vlan=10)), ("< srv2", tenant(ANN, vlan=20)), ("< up0", tunnel(vxlan(10010) + tenant(ANN))),
     ("> srv1", tenant(ANN, vlan=20)), ("< srv2", tenant(ANN, vlan=10)), ("< up0", tunnel(vxlan(10020) + tenant(ANN), dst=OTHER)),
     ("> srv2", tenant(BOB, ANN, vlan=20)), ("< srv1", tenant(BOB, ANN, vlan=10)),
     ("> srv2", tenant(BOB, ANN, vlan=10)), ("< srv1", tenant(BOB, ANN, vlan=20)),
     ("> up0", arriving(vxlan(10010) + tenant(CLEO, ANN), src=OTHER)), drops="unknown-vtep=1",
     note="10.0.0.13 is a VTEP of VNI 10020 only.")

case("one_number_two_encapsulations", "The same VNI over VXLAN and Geneve names two segments.", "ISO4",
     yaml(["{vni: 10010, flood: {vteps: [10.0.0.12]}}", "{vni: 10010, encap: geneve, flood: {vteps: [10.0.0.12]}}"],
          ports=("{vlan: 10, vni: 10010, encap: vxlan}; {vlan: 20, vni: 10010, encap: geneve}",)),
     ("> srv1", tenant(vlan=10)), ("< up0", tunnel(vxlan() + bare)),
     ("> srv1", tenant(vlan=20)), ("< up0", tunnel(geneve() + bare, dport=6081)),
     ("> up0", arriving(vxlan() + tenant(BOB))), ("< srv1", tenant(BOB, vlan=10)),
     ("> up0", garriving(geneve() + tenant(BOB))), ("< srv1", tenant(BOB, vlan=20)))

case("unlisted_vtep_is_refused", "A segment with a flood list takes packets from those VTEPs only.", "ISO3 L2b", BASE,
     ("> up0", arriving(vxlan() + tenant(BOB), src="10.0.0.66")), drops="unknown-vtep=1")

case("unlisted_vtep_is_learned_when_any_is_accepted", "With accept: any a new VTEP is learned with its MACs.", "L2b",
     yaml("{vni: 10010, flood: {vteps: [10.0.0.12]}, accept: any}"),
     ("> up0", arriving(vxlan() + tenant(BOB), src="10.0.0.66")), ("< srv1", tenant(BOB, vlan=10)),
     ("> up0", arriving(vxlan() + tenant(BOB), src="10.0.0.66")), ("< srv1", tenant(BOB, vlan=10)),
     ("> srv1", tenant(ANN, BOB, vlan=10)), ("< up0", tunnel(vxlan() + tenant(ANN, BOB), dst="10.0.0.66")))

# ---------------------------------------------------------------- MTU

SMALL_UP = '  - {name: up0, device: net_null0, mtu: 200, underlay: {via: {mac: "02:00:00:00:ff:01"}}}'
fits = 200 - 20 - 8 - 8 - 14 - 28
case("underlay_mtu", "A packet as large as the underlay's MTU passes; one byte more is dropped, local copies are not.",
     "MTU1 MTU2 OIP9",
     yaml(VX, up=SMALL_UP, ports=("{vlan: 10, vni: 10010}", "{vlan: 20, vni: 10010}")),
     ("> srv1", tenant(vlan=10, size=fits)), ("< srv2", tenant(vlan=20, size=fits)), ("< up0", tunnel(vxlan() + tenant(size=fits))),
     ("> srv1", tenant(vlan=10, size=fits + 1)), ("< srv2", tenant(vlan=20, size=fits + 1)), drops="underlay-mtu=1")

case("port_mtu", "A decapsulated frame larger than a port's MTU is dropped there only.", "MTU4",
     yaml(VX, ports=(("{vlan: 10, vni: 10010}", "mtu: 100"), ("{vlan: 20, vni: 10010}", "mtu: 101"))),
     ("> up0", arriving(vxlan() + tenant(BOB, size=72))), ("< srv1", tenant(BOB, vlan=10, size=72)), ("< srv2", tenant(BOB, vlan=20, size=72)),
     ("> up0", arriving(vxlan() + tenant(BOB, size=73))), ("< srv2", tenant(BOB, vlan=20, size=73)), drops="port-mtu=1")

# ---------------------------------------------------------------- hostile input

case("tunnel_packets_without_an_ethernet_header", "Fewer than 14 bytes inside yield nothing, at every length.", "MAL1 MAL6",
     BASE, *[("> up0", arriving(vxlan() + tenant(BOB)[:length])) for length in range(14)],
     ("> up0", arriving(vxlan() + tenant(BOB)[:14])), ("< srv1", bytes.fromhex("ffffffffffff020000000002810000" "0a0800")),
     drops="inner-runt=14", note="14 bytes are a whole frame and are delivered as they are.")

case("tunnel_headers_cut", "A VXLAN or UDP header that is cut yields nothing.", "MAL1 MAL2", BASE,
     *[("> up0", arriving(vxlan()[:length])) for length in range(8)],
     ("> up0", arriving(vxlan())[:14 + 20 + 4]), drops="bad-ip-header=1 bad-tunnel-header=8")

whole = arriving(vxlan() + tenant(BOB))
case("frames_cut_short", "A frame cut anywhere while its headers promise more yields nothing.", "MAL2", BASE,
     *[("> up0", whole[:length]) for length in (0, 1, 13, 14, 15, 33, 34, 41, 42, 49, 50, 63, 64, len(whole) - 1)],
     drops="bad-ip-header=11 runt=3")

case("udp_lengths_that_lie", "A UDP length that differs from the IP length is dropped.", "MAL3", BASE,
     *[("> up0", arriving(vxlan() + tenant(BOB), ulen=length)) for length in (0, 7, 8, 77, 79, 65535)],
     drops="bad-udp-header=6")

case("padding_is_not_delivered", "Bytes after the outer packet are padding.", "MAL4", BASE,
     ("> up0", whole + b"padding!"), ("< srv1", tenant(BOB, vlan=10)),
     ("> up0", arriving(vxlan() + other(BOB, ANN, body=b"short")) + bytes(20)), ("< srv1", other(BOB, ANN, vlan=10, body=b"short")))

whole6 = arriving(vxlan() + tenant(BOB), src=PEER6, dst=US6)
case("ip_headers_that_lie", "IPv4 version, header length and total length are checked.", "MAL5", BASE,
     ("> up0", put(whole, 14, b"\x55")), ("> up0", put(whole, 14, b"\x44")),
     ("> up0", put(whole, 16, b"\xff\xff")), ("> up0", put(whole, 16, b"\x00\x13")), ("> up0", put(whole, 16, b"\x00\x00")),
     drops="bad-ip-header=5")

case("ipv6_headers_that_lie", "IPv6 version and payload length are checked.", "MAL5", V6,
     ("> up0", put(whole6, 14, b"\x50")), ("> up0", put(whole6, 18, b"\xff\xff")), drops="bad-ip-header=2")

case("tunnel_in_a_tunnel", "A tunnel packet inside a tunnel is a tenant's frame: one level is removed.", "MAL8", BASE,
     ("> up0", arriving(vxlan() + arriving(vxlan() + tenant(BOB), mac=(CLEO, ANN)))),
     ("< srv1", arriving(vxlan() + tenant(BOB), mac=(CLEO, ANN), vlan=10)))

case("our_own_packets_come_back", "The gateway's own packets, looped back, are not forwarded.", "MAL10", BASE,
     ("> srv1", request), ("< up0", tunnel(vxlan() + bare)), ("> up0", tunnel(vxlan() + bare)),
     ("> up0", tunnel(vxlan() + bare, mac=(GATEWAY, GATEWAY))), drops="not-for-us=2")

case("tunnel_packets_from_an_access_port", "A tunnel packet from a tenant is an ordinary frame, never decapsulated.", "CTL6",
     yaml(VX, ports=("{vlan: 10, vni: 10010}", "{vlan: 20, vni: 10010}")),
     ("> srv1", arriving(vxlan() + tenant(BOB), mac=(ANN, GATEWAY), vlan=10)),
     ("< srv2", arriving(vxlan() + tenant(BOB), mac=(ANN, GATEWAY), vlan=20)),
     ("< up0", tunnel(vxlan() + arriving(vxlan() + tenant(BOB), mac=(ANN, GATEWAY)), tos=0)))


# ---------------------------------------------------------------- ARP and neighbour suppression

def tagged(frame, vlan=10, prio=0):
    """The frame with a tag, as it comes from or goes to a port."""
    return frame[:12] + struct.pack("!HH", 0x8100, prio << 13 | vlan) + frame[12:]


def arp(op=1, src=ANN, dst=ALL, sha=None, spa="192.0.2.1", tha="00:00:00:00:00:00", tpa="192.0.2.5", **fields):
    return bytes(Ether(src=src, dst=dst) / ARP(op=op, hwsrc=sha or src, psrc=spa, hwdst=tha, pdst=tpa, **fields))


def flooded(frame):
    """What a frame from VLAN 10 of srv1 becomes when it is flooded: to VLAN 20 of srv2 and into the tunnel."""
    return ("> srv1", tagged(frame)), ("< srv2", tagged(frame, 20)), ("< up0", tunnel(vxlan() + frame))


def each(*steps):
    return [step for group in steps for step in group]


EVE, HER6 = "02:00:00:00:00:05", "2001:db8:1::5"
ROUTER, ITS6 = "02:00:00:00:00:0f", "2001:db8:1::f"
TWO_PORTS = ("{vlan: 10, vni: 10010}", "{vlan: 20, vni: 10010}")
KNOWN = ('{vni: 10010, flood: {vteps: [10.0.0.12]}, neigh_suppress: true, static: [{mac: "02:00:00:00:00:05", vtep: 10.0.0.12, '
         'ip: [192.0.2.5, "2001:db8:1::5"]}], neighbours: [{ip: "2001:db8:1::f", mac: "02:00:00:00:00:0f", router: true}, '
         '{ip: 192.0.2.1, mac: "02:00:00:00:00:01"}]}')
SUPPRESS = yaml(KNOWN, ports=TWO_PORTS)
answer = arp(2, src=EVE, dst=ANN, spa="192.0.2.5", tha=ANN, tpa="192.0.2.1")

case("arp_suppression", "A broadcast request for a known address is answered once and flooded nowhere.", "SUP1 SUP2", SUPPRESS,
     ("> srv1", tagged(arp())), ("< srv1", tagged(answer)),
     ("> srv1", tagged(arp(), prio=5)), ("< srv1", tagged(answer, prio=5)),
     ("> srv1", tagged(arp() + bytes(14) + b"padding")), ("< srv1", tagged(answer + bytes(14) + b"padd")),
     *each(flooded(arp(tpa="192.0.2.6"))),
     note="The tags of the answer are those of the request. What is longer than the least frame is cut.")

case("arp_suppression_leaves_the_rest_alone",
     "Replies, unicast requests, announcements and probes are forwarded like any frame.", "SUP3 SUP5", SUPPRESS,
     *each(flooded(arp(2, tha=ANN, tpa="192.0.2.1")), flooded(arp(2, spa="192.0.2.5", tha=BOB, tpa="192.0.2.2"))),
     ("> srv1", tagged(arp(dst=EVE))), ("< up0", tunnel(vxlan() + arp(dst=EVE))),
     *each(flooded(arp(spa="192.0.2.1", tpa="192.0.2.1")), flooded(arp(spa="192.0.2.5", tpa="192.0.2.5")),
           flooded(arp(spa="0.0.0.0")), flooded(arp(spa="0.0.0.0", tpa="192.0.2.6"))),
     ("> srv1", tagged(arp(tpa="192.0.2.1", spa="192.0.2.9"))), ("< srv2", tagged(arp(tpa="192.0.2.1", spa="192.0.2.9"), 20)),
     ("< up0", tunnel(vxlan() + arp(tpa="192.0.2.1", spa="192.0.2.9"))),
     ("> srv2", tagged(arp(src=BOB, spa="192.0.2.2", tpa="192.0.2.1"), 20)),
     ("< srv2", tagged(arp(2, src=ANN, dst=BOB, spa="192.0.2.1", tha=BOB, tpa="192.0.2.2"), 20)),
     note="A station that asks for its own address is not answered in its own name; others who ask for it are.")

case("arp_suppression_without_learning", "Whoever asks for an address of its own is not answered in its own name.", "SUP5",
     yaml(KNOWN.replace("neigh_suppress: true", "neigh_suppress: true, learning: {enabled: false}"), ports=TWO_PORTS),
     *each(flooded(arp(spa="192.0.2.9", tpa="192.0.2.1"))), ("> srv1", tagged(arp())), ("< srv1", tagged(answer)))

case("requests_from_tunnels_are_not_answered", "What comes from a tunnel goes on to the ports.", "SUP4", SUPPRESS,
     ("> up0", arriving(vxlan() + arp(src=BOB, spa="192.0.2.2", tpa="192.0.2.1"))),
     ("< srv1", tagged(arp(src=BOB, spa="192.0.2.2", tpa="192.0.2.1"))),
     ("< srv2", tagged(arp(src=BOB, spa="192.0.2.2", tpa="192.0.2.1"), 20)))


def solicit(target=HER6, src=ANN, sip="2001:db8:1::1", dst=None, dip=None, options=None, hlim=255, code=0, **fields):
    last = ipaddress.ip_address(target).packed[-3:]
    dip = dip or str(ipaddress.ip_address(bytes.fromhex("ff0200000000000000000001ff") + last))
    dst = dst or "33:33:" + ":".join(f"{byte:02x}" for byte in ipaddress.ip_address(dip).packed[-4:])
    options = ICMPv6NDOptSrcLLAddr(lladdr=src) if options is None else options
    return bytes(Ether(src=src, dst=dst) / IPv6(src=sip, dst=dip, hlim=hlim) / ICMPv6ND_NS(tgt=target, code=code, **fields)
                 / options)


def advertise(target=HER6, mac=EVE, router=0, dst=ANN, dip="2001:db8:1::1"):
    return bytes(Ether(src=mac, dst=dst) / IPv6(src=target, dst=dip, hlim=255)
                 / ICMPv6ND_NA(tgt=target, R=router, S=1, O=1) / ICMPv6NDOptDstLLAddr(lladdr=mac))


nonce = Raw(bytes([14, 1, 1, 2, 3, 4, 5, 6]))
case("neighbour_suppression", "A solicitation for a known address is answered with a valid advertisement.", "SUP6 SUP2", SUPPRESS,
     ("> srv1", tagged(solicit())), ("< srv1", tagged(advertise())),
     ("> srv1", tagged(solicit(ITS6))), ("< srv1", tagged(advertise(ITS6, ROUTER, router=1))),
     ("> srv1", tagged(solicit(options=ICMPv6NDOptSrcLLAddr(lladdr=ANN) / nonce))), ("< srv1", tagged(advertise())),
     *each(flooded(solicit("2001:db8:1::6"))),
     note="Hop limit 255, solicited, the target's link-layer address; the router flag where the operator says so.")

refused = [
    solicit(hlim=64), solicit(code=1), solicit(cksum=0x1234), solicit(options=b""), solicit(options=nonce),
    solicit(options=Raw(bytes([1, 0]) + bytes(6))), solicit(options=Raw(bytes([1, 2]) + bytes(6))),
    solicit(options=ICMPv6NDOptSrcLLAddr(lladdr=BOB)), solicit("ff02::5", dip="ff02::1:ff00:5"),
    solicit(dip="ff02::1"), solicit(sip="::", options=b""), solicit(sip="ff02::9"),
    bytes(Ether(src=ANN, dst="33:33:ff:00:00:05") / IPv6(src="2001:db8:1::1", dst="ff02::1:ff00:5", hlim=255)
          / IPv6ExtHdrFragment() / Raw(solicit()[54:])),
    solicit()[:-1],
]
case("malformed_solicitations_are_not_answered", "What RFC 4861 section 7.1.1 refuses gets no answer; it goes on like any frame.",
     "SUP7 SUP5", SUPPRESS, *each(*[flooded(frame) for frame in refused]),
     note="Among them one that detects duplicates: whoever has the address answers himself.")

refused = [arp(hwtype=6), arp(ptype=0x86DD), arp(hwlen=8), arp(plen=16), arp(op=3), arp(sha=BOB), arp()[:-1],
           arp(spa="127.0.0.1"), arp(spa="224.0.0.1"), arp(spa="255.255.255.255"), arp(dst="01:00:5e:00:00:01")]
case("malformed_requests_are_not_answered", "Malformed ARP gets no answer; it goes on like any frame.", "SUP7", SUPPRESS,
     *each(*[flooded(frame) for frame in refused]))

# ---------------------------------------------------------------- Path MTU

SMALL = '  - {name: up0, device: net_null0, mtu: 1400, underlay: {via: {mac: "02:00:00:00:ff:01"}}}'
PEERS = ('{{vni: 10010, encap: {0}, flood: {{vteps: [10.0.0.12]}}, static: [{{mac: "02:00:00:00:00:02", vtep: {1}}}]{2}}}')
FROM, TO, FROM6, TO6 = "192.0.2.1", "192.0.2.2", "2001:db8:1::1", "2001:db8:1::2"


def big4(size=1400, flags="DF", src=FROM, dst=TO, l4=None, frag=0, **more):
    packet = IP(src=src, dst=dst, id=7, flags=flags, frag=frag, **more) / (l4 or UDP(sport=1000, dport=2000))
    return bytes(Ether(src=ANN, dst=BOB) / packet / Raw(bytes(i & 0xFF for i in range(size))))


def big6(size=1400, src=FROM6, dst=TO6, l4=None):
    packet = IPv6(src=src, dst=dst) / (l4 or UDP(sport=1000, dport=2000))
    return bytes(Ether(src=ANN, dst=BOB) / packet / Raw(bytes(i & 0xFF for i in range(size))))


def needs4(about, mtu, src=TO):
    """Fragmentation needed about a frame: at most 576 bytes of packet."""
    return bytes(Ether(src=BOB, dst=ANN) / IP(src=src, dst=FROM, tos=0xC0, id=0, ttl=64)
                 / ICMP(type=3, code=4, nexthopmtu=mtu) / Raw(about[14:14 + 576 - 28]))


def needs6(about, mtu, src=TO6):
    return bytes(Ether(src=BOB, dst=ANN) / IPv6(src=src, dst=FROM6, hlim=64) / ICMPv6PacketTooBig(mtu=mtu)
                 / Raw(about[14:14 + 1280 - 48]))


case("path_mtu", "The sender of a packet that does not fit the underlay hears the size that would.", "MTU3 MTU1 MTU2",
     yaml(PEERS.format("vxlan", "10.0.0.12", ""), up=SMALL),
     ("> srv1", tagged(big4(1322))), ("< up0", tunnel(vxlan() + big4(1322))),
     ("> srv1", tagged(big4(1323), prio=3)), ("< srv1", tagged(needs4(big4(1323), 1350), prio=3)),
     ("> srv1", tagged(big6())), ("< srv1", tagged(needs6(big6(), 1350))),
     ("> srv1", tagged(big4(l4=TCP(sport=1, dport=2)))), ("< srv1", tagged(needs4(big4(l4=TCP(sport=1, dport=2)), 1350))),
     ("> srv1", tagged(big4(l4=ICMP(type=8)))), ("< srv1", tagged(needs4(big4(l4=ICMP(type=8)), 1350))),
     ("> srv1", tagged(big6(l4=ICMPv6EchoRequest()))), ("< srv1", tagged(needs6(big6(l4=ICMPv6EchoRequest()), 1350))),
     drops="underlay-mtu=5", note="50 bytes less than the underlay's 1400: Ethernet 14, IPv4 20, UDP 8, VXLAN 8.")

GENEVE_OPTION = '{class: 0x0102, type: 1, data: "00000000"}'
case("path_mtu_follows_the_encapsulation", "The size counts IPv6 and Geneve options, and the VNI may say who speaks.", "MTU3",
     yaml(PEERS.format("geneve", '"2001:db8::12"', ', options: [%s], path_mtu: {source: [192.0.2.254, "2001:db8:1::fe"]}'
                       % GENEVE_OPTION).replace("[10.0.0.12]", '["2001:db8::12"]'), up=SMALL, vtep=VTEP6),
     ("> srv1", tagged(big4())), ("< srv1", tagged(needs4(big4(), 1322, "192.0.2.254"))),
     ("> srv1", tagged(big6())), ("< srv1", tagged(needs6(big6(), 1322, "2001:db8:1::fe"))),
     drops="underlay-mtu=2")

case("path_mtu_off", "With tell: false nobody is told.", "MTU3 MTU2",
     yaml(PEERS.format("vxlan", "10.0.0.12", ", path_mtu: {tell: false}"), up=SMALL),
     ("> srv1", tagged(big4())), ("> srv1", tagged(big6())), drops="underlay-mtu=2")

silent = [
    big4(flags=0), big4(frag=1), big4(src="0.0.0.0"), big4(src="127.0.0.1"), big4(src="224.1.1.1"),
    big4(src="255.255.255.255"), big4(dst="224.1.1.1"), big4(dst="255.255.255.255"), big4(chksum=0x1234), big4(len=5000),
    *[big4(l4=ICMP(type=kind)) for kind in (3, 4, 5, 11, 12)],
    big6(src="::"), big6(src="ff02::1"), big6(dst="ff0e::1"), big6(l4=ICMPv6PacketTooBig()), big6(l4=IPv6ExtHdrFragment(offset=9)),
    bytes(Ether(src=ANN, dst=BOB, type=0x88B5) / Raw(bytes(1400))),
]
case("path_mtu_errors_that_must_not_be_sent", "No error about errors, groups, later fragments, sources that are no station.",
     "MTU3", yaml(PEERS.format("vxlan", "10.0.0.12", ""), up=SMALL),
     *[("> srv1", tagged(frame)) for frame in silent],
     ("> srv1", tagged(big4().replace(bytes.fromhex("020000000002"), bytes.fromhex("01005e000002"), 1))),
     drops=f"underlay-mtu={len(silent) + 1}",
     note="RFC 1122 section 3.2.2, RFC 1812 section 4.3.2.7, RFC 4443 section 2.4 e.")

case("path_mtu_of_a_flood", "Of a flooded packet the sender hears once, however many VTEPs it does not fit to.", "MTU3 BUM1",
     yaml("{vni: 10010, flood: {vteps: [10.0.0.12, 10.0.0.13, 10.0.0.14]}}", up=SMALL, ports=TWO_PORTS),
     ("> srv1", tagged(big4())), ("< srv2", tagged(big4(), 20)), ("< srv1", tagged(needs4(big4(), 1350))),
     drops="underlay-mtu=3", note="Unknown unicast; a packet to a group is about nobody.")

# ---------------------------------------------------------------- Access lists

def lists(rules, vni="", port="", binding=""):
    """BASE with an access list 'a' of these rules, applied where one of the three says so."""
    config = yaml("{vni: 10010, flood: {vteps: [10.0.0.12]}%s}" % vni,
                  ports=(("{vlan: 10, vni: 10010%s}; {vlan: 11, vni: 10010}" % binding, port),) if port
                  else ("{vlan: 10, vni: 10010%s}; {vlan: 11, vni: 10010}" % binding,))
    return config + ["access_lists:", "  - name: a", "    rules:"] + [f"      - {rule}" for rule in rules]


def to_tunnel(*frames):
    return each(*[(("> srv1", tagged(frame)), ("< srv1", tagged(frame, 11)), ("< up0", tunnel(vxlan() + frame)))
                  for frame in frames])


def denied(*frames):
    return [("> srv1", tagged(frame)) for frame in frames]


def l4(header, src=FROM, dst=TO, smac=ANN, **more):
    return bytes(Ether(src=smac, dst=ALL) / IP(src=src, dst=dst, id=7, **more) / header / Raw(b"some bytes of payload"))


def l4six(header, src=FROM6, dst=TO6, ext=None):
    packet = IPv6(src=src, dst=dst)
    packet = packet / ext / header if ext is not None else packet / header
    return bytes(Ether(src=ANN, dst=ALL) / packet / Raw(b"some bytes of payload"))


tcp = lambda dport=80, sport=4000: TCP(sport=sport, dport=dport)
udp = lambda dport=53, sport=4000: UDP(sport=sport, dport=dport)

case("access_list_matches", "A deny rule drops the frames that it matches, and no others.", "ACL1",
     lists(["{action: deny, source_mac: \"02:aa:00:00:00:00/ff:ff:00:00:00:00\"}",
            "{action: deny, destination_mac: \"01:00:5e:00:00:09\"}", "{action: deny, ethertype: 0x88cc}",
            "{action: deny, source: 10.1.0.0/16}", "{action: deny, destination: \"2001:db8:bad::/48\"}",
            "{action: deny, protocol: icmp}", "{action: deny, protocol: tcp, destination_port: 20-23}",
            "{action: deny, source: 192.0.2.1, destination: 192.0.2.2, protocol: udp, source_port: 68, destination_port: 67}"],
           binding=", access_list: a"),
     *denied(l4(tcp(), smac="02:aa:01:02:03:04"), tenant(dst="01:00:5e:00:00:09"), other(ethertype=0x88CC),
             l4(tcp(), src="10.1.255.255"), l4six(tcp(), dst="2001:db8:bad::1"), l4(ICMP()), l4(tcp(20)), l4(tcp(23)),
             l4six(tcp(22)), l4six(tcp(22), ext=IPv6ExtHdrHopByHop()), l4six(tcp(22), ext=IPv6ExtHdrDestOpt()),
             l4(udp(67, 68))),
     *to_tunnel(l4(tcp(), smac="02:ab:01:02:03:04"), tenant(dst="01:00:5e:00:00:0a"), other(ethertype=0x88CD),
                l4(tcp(), src="10.2.0.0"), l4six(tcp(), dst="2001:db8:bae::1"), l4(tcp(19)), l4(tcp(24)), l4(udp(22)),
                l4six(tcp(21), ext=IPv6ExtHdrHopByHop(), dst=TO6)[:40], l4(udp(67, 69)), l4(udp(67, 68), dst="192.0.2.3")),
     drops="denied=12", note="The list is that of VLAN 10; VLAN 11 of the same VNI has none.")

case("access_list_first_match_decides", "The first rule that matches decides; what none matches passes.", "ACL2",
     lists(["{action: permit, source: 10.0.0.5}", "{action: deny, source: 10.0.0.0/24}", "{action: permit, source: 10.0.0.6}"],
           port="access_list: a"),
     *to_tunnel(l4(udp(), src="10.0.0.5")), *denied(l4(udp(), src="10.0.0.6"), l4(udp(), src="10.0.0.7")),
     *to_tunnel(l4(udp(), src="10.0.1.5")), drops="denied=2", note="This one is the port's.")

case("access_list_of_a_vni_holds_for_tunnels_too", "The list of a VNI is for frames from ports and from tunnels.", "ACL1 ACL2",
     lists(["{action: permit, protocol: tcp, destination_port: 80}", "{action: permit, ethertype: arp}", "{action: deny}"],
           vni=", access_list: a"),
     *to_tunnel(l4(tcp())), *denied(l4(tcp(81))),
     ("> up0", arriving(vxlan() + l4(tcp(80), smac=BOB))), ("< srv1", tagged(l4(tcp(80), smac=BOB))),
     ("< srv1", tagged(l4(tcp(80), smac=BOB), 11)),
     ("> up0", arriving(vxlan() + l4(udp(), smac=BOB))), ("> up0", arriving(vxlan() + l4six(tcp(443)))),
     *to_tunnel(arp()), drops="denied=3")

tiny = bytes(Ether(src=ANN, dst=ALL) / IP(src=FROM, dst=TO, id=9, flags="MF", proto=6) / bytes(tcp(23))[:8])
first = bytes(Ether(src=ANN, dst=ALL) / IP(src=FROM, dst=TO, id=9, flags="MF", proto=6) / bytes(tcp(23)) / Raw(bytes(12)))
looks = bytes(tcp(23))
later = lambda offset, more=0: bytes(Ether(src=ANN, dst=ALL) / IP(src=FROM, dst=TO, id=9, frag=offset, flags=more, proto=6)
                                     / Raw(looks + bytes(12)))
tiny6 = bytes(Ether(src=ANN, dst=ALL) / IPv6(src=FROM6, dst=TO6) / IPv6ExtHdrFragment(nh=6, m=1) / Raw(looks[:8]))
later6 = bytes(Ether(src=ANN, dst=ALL) / IPv6(src=FROM6, dst=TO6) / IPv6ExtHdrFragment(nh=6, offset=4) / Raw(looks))
hidden6 = bytes(Ether(src=ANN, dst=ALL) / IPv6(src=FROM6, dst=TO6) / IPv6ExtHdrFragment(nh=60, m=1) / Raw(bytes([6, 4]) + bytes(6)))
case("access_list_and_fragments", "Port rules see the ports of first fragments, never data of later ones.", "ACL3",
     lists(["{action: deny, protocol: tcp, destination_port: 23}"], binding=", access_list: a"),
     *denied(first), *to_tunnel(later(4), later(2, "MF"), later6), *denied(tiny, later(1), tiny6, hidden6),
     drops="denied=1 tiny-fragment=4",
     note="Fragments that hide their ports, or could write over the first one's flags, are dropped (RFC 1858).")

case("access_list_of_later_fragments", "A rule can be about later fragments alone.", "ACL3",
     lists(["{action: deny, fragments: true, source: 192.0.2.0/24}"], binding=", access_list: a"),
     *denied(later(4), later(1)), *to_tunnel(first, tiny, later6), drops="denied=2",
     note="Without a rule about ports nothing is hidden from the list.")

case("denied_frames_do_not_teach", "A frame that is denied neither teaches nor moves a MAC.", "ACL1 L2c",
     lists(["{action: deny, source: 10.0.0.0/8}"], binding=", access_list: a"),
     *denied(l4(udp(), src="10.9.9.9")),
     ("> up0", arriving(vxlan() + tenant(BOB, ANN))), ("< srv1", tagged(tenant(BOB, ANN))), ("< srv1", tagged(tenant(BOB, ANN), 11)),
     drops="denied=1")


def hexdump(data):
    lines = []
    for at in range(0, max(len(data), 1), 16):
        part = data[at:at + 16]
        lines.append(f"  {at:04x}  " + " ".join(f"{byte:02x}" for byte in part))
    return [line.rstrip() for line in lines]


def write(name, sentence, covers, config, steps, drops, note):
    lines = [sentence] + ([note] if note else []) + [f"covers {covers}", "", "config"]
    lines += [f"  {line}" for line in config] + [""]
    for head, data in steps:
        lines += [head] + hexdump(data) + [""]
    lines.append(f"drops {drops}" if drops else "drops none")
    (HERE / f"{name}.txt").write_text("\n".join(lines) + "\n")


for old in HERE.glob("*.txt"):
    old.unlink()
for each in CASES:
    write(*each)
print(f"{len(CASES)} cases")
