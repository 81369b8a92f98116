"""Test frames, and the files from which net_pcap plays them.

A station pair is one source behind the VLAN and one destination behind the remote VTEP (or the other way round). Every
pair has addresses and UDP ports of its own, and its frames come in an order that no prefetcher guesses.
"""

import random
import struct

VLAN = 10
VNI = 5001
OURS, THEIRS = "10.0.0.11", "10.0.0.12"
# What DPDK's net_pcap gives to the first device of a process: the underlay's MAC of everyone who is measured.
PORT_MAC = "02:70:63:61:70:00"
NEXT_HOP = "02:aa:00:00:00:12"
UDP_PORT = {"vxlan": 4789, "geneve": 6081}
OUTER = 50  # bytes: Ethernet, IPv4, UDP, VXLAN or Geneve without options
# Bytes of a frame on the wire, and how often it comes: the simple IMIX.
SIZES = {"64": [(64, 1)], "imix": [(64, 7), (594, 4), (1518, 1)], "512": [(512, 1)], "1518": [(1518, 1)]}
FCS = 4


def mac(side, number):
    """Address of station `number`: 'source' or 'destination'."""
    first = 0x02 if side == "source" else 0x06
    return f"{first:02x}:00:" + ":".join(f"{byte:02x}" for byte in number.to_bytes(4, "big"))


def raw_mac(text):
    return bytes.fromhex(text.replace(":", ""))


def raw_ip(text):
    return bytes(int(part) for part in text.split("."))


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4_udp(source, destination, ports, payload):
    """An IPv4 packet with a UDP datagram; the UDP checksum is left out, as IPv4 allows."""
    length = 28 + len(payload)
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length, 1, 0x4000, 64, 17, 0, source, destination)
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return head + struct.pack("!HHHH", *ports, length - 20, 0) + payload


def inner(number, length, tagged):
    """The tenant's frame of a pair: `length` bytes without FCS, its tag counted."""
    head = raw_mac(mac("destination", number)) + raw_mac(mac("source", number))
    if tagged:
        head += struct.pack("!HH", 0x8100, VLAN)
    payload = bytes(max(0, length - len(head) - 2 - 28))
    addresses = (struct.pack("!I", 0xC0000000 + number), struct.pack("!I", 0xC6000000 + number))
    ports = (1024 + number % 50000, 2048 + number // 50000)
    frame = head + struct.pack("!H", 0x0800) + ipv4_udp(*addresses, ports, payload)
    return frame.ljust(length, b"\0")


def tunnelled(encap, number, length):
    """The tenant's frame of a pair as the remote VTEP sends it."""
    frame = inner(number, length, tagged=False)
    if encap == "vxlan":
        header = struct.pack("!II", 0x08000000, VNI << 8)
    else:
        header = struct.pack("!HHI", 0, 0x6558, VNI << 8)
    ports = (49152 + number % 16384, UDP_PORT[encap])
    packet = ipv4_udp(raw_ip(THEIRS), raw_ip(OURS), ports, header + frame)
    return raw_mac(PORT_MAC) + raw_mac(NEXT_HOP) + struct.pack("!H", 0x0800) + packet


def traffic(job, size, pairs):
    """All frames of a job, in the order in which they are played."""
    chance = random.Random(1)
    lengths = [length - FCS for length, times in SIZES[size] for _ in range(times)]
    # Few pairs are repeated, so that every size comes in its share.
    numbers = list(range(pairs)) * max(1, -(-len(lengths) * 8 // pairs))
    chance.shuffle(numbers)
    for place, number in enumerate(numbers):
        length = lengths[place % len(lengths)]
        if job.decap:
            yield tunnelled(job.encap, number, length)
        else:
            yield inner(number, length, tagged=True)


def write_pcap(path, frames):
    """Writes a capture file; returns how many frames it holds and their bytes together."""
    count, total = 0, 0
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for frame in frames:
            file.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)
            count, total = count + 1, total + len(frame)
    return count, total
