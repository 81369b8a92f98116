#!/usr/bin/env python3
"""Writes the golden files next to it.

The bytes come from scapy and from the RFCs, not from the gateway: what is expected was worked out by somebody else's code.
The tests need neither this script nor scapy. Run it after adding a case, then `UPDATE_GOLDEN=notation cargo test --test
golden`, which writes the readable line above each frame and nothing else.
"""

import pathlib
import struct

from scapy.all import IP, IPv6, UDP, Dot1AD, Dot1Q, Ether, Raw

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
