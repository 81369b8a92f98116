"""A remote VTEP: VXLAN packets towards the gateway, with frames to stations behind its VLAN."""

import struct

from tunnel import Tunnel


def header(vni):
    """The VXLAN header: flags and VNI (RFC 7348 section 5)."""
    return struct.pack("!II", 0x08000000, vni << 8)


def register():
    """What TRex asks for."""
    return Tunnel("vxlan.py", 4789, header)
