"""A remote VTEP: Geneve packets towards the gateway, with frames to stations behind its VLAN."""

import struct

from tunnel import Tunnel


def header(vni):
    """The Geneve header: no options, Ethernet inside, VNI (RFC 8926 section 3.4)."""
    return struct.pack("!BBHI", 0, 0, 0x6558, vni << 8)


def register():
    """What TRex asks for."""
    return Tunnel("geneve.py", 6081, header)
