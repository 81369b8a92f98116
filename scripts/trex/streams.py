"""What the profiles share: the tenant's frames, sizes, and the field engine's program.

Station `n` of the servers has the MAC 02:00 and n as four bytes, the one behind the VTEP 06:00 and n. The field engine
writes n into both MACs and makes a flow of its own of each n by its UDP ports, so no checksum changes on the way.
"""

import argparse

from trex_stl_lib.api import (
    IP,
    UDP,
    Dot1Q,
    Ether,
    STLPktBuilder,
    STLStream,
    STLTXCont,
    STLVmFlowVar,
    STLVmWrFlowVar,
)

FCS = 4
# Bytes with FCS and how often of twelve.
IMIX = [(64, 7), (594, 4), (1518, 1)]
SHORTEST = 64


def tunables(name, more):
    """The arguments after '-t' that every profile takes, and its own."""
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("--size", default="64", help="bytes of the tenant's frame with FCS, or imix [64]")
    parser.add_argument("--macs", type=int, default=1000, help="stations on each side, 1 to 1,000,000 [1000]")
    parser.add_argument("--pps", type=float, default=1.0, help="frames a second before -m multiplies them [1]")
    for option, default, text in more:
        parser.add_argument(option, type=type(default), default=default, help=f"{text} [{default}]")
    return parser


def checked(parser, words):
    """The arguments; what does not fit ends with a sentence."""
    options = parser.parse_args(words)
    if not 1 <= options.macs <= 1_000_000:
        parser.error(f"--macs {options.macs}: from 1 to 1,000,000")
    if options.size == "imix":
        options.sizes = IMIX
    elif options.size.isdigit() and SHORTEST <= int(options.size) <= 9216:
        options.sizes = [(int(options.size), 1)]
    else:
        parser.error(f"--size {options.size}: a number of bytes from {SHORTEST} to 9216, or imix")
    return options


def station(first, number=0):
    """The MAC of a station."""
    return f"{first:02x}:00:" + ":".join(f"{byte:02x}" for byte in number.to_bytes(4, "big"))


def tenant(source, destination, size, vlan=None):
    """A tenant's frame of `size` bytes with FCS, its tag counted, between the first stations of two sides."""
    head = Ether(src=station(source), dst=station(destination))
    if vlan is not None:
        head = head / Dot1Q(vlan=vlan)
    packet = head / IP(src="192.0.2.1", dst="192.0.2.2", id=1) / UDP(sport=1024, dport=2048, chksum=0)
    return packet / bytes(max(0, size - FCS - len(packet)))


def stream(packet, tenant_at, tagged, outer_udp_at, macs, pps):
    """A stream of one size that goes through all stations.

    `tenant_at` is where the tenant's frame begins in the packet, `outer_udp_at` where the outer UDP header does (None
    without one).
    """
    ports = tenant_at + (18 if tagged else 14) + 20
    program = [
        STLVmFlowVar(name="station", min_value=0, max_value=macs - 1, size=4, op="inc"),
        STLVmWrFlowVar(fv_name="station", pkt_offset=tenant_at + 2),
        STLVmWrFlowVar(fv_name="station", pkt_offset=tenant_at + 8),
        # Both ports in one: stations that follow each other differ in the lower one.
        STLVmFlowVar(name="ports", min_value=0x04000800, max_value=0x04000800 + macs - 1, size=4, op="inc"),
        STLVmWrFlowVar(fv_name="ports", pkt_offset=ports),
    ]
    if outer_udp_at is not None:
        flows = min(macs, 16384)
        program += [
            STLVmFlowVar(name="entropy", min_value=49152, max_value=49152 + flows - 1, size=2, op="inc"),
            STLVmWrFlowVar(fv_name="entropy", pkt_offset=outer_udp_at),
        ]
    return STLStream(packet=STLPktBuilder(pkt=packet, vm=program), mode=STLTXCont(pps=pps))
