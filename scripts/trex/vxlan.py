"""A remote VTEP: VXLAN packets towards the gateway, with frames to stations behind its VLAN."""

import struct

from streams import checked, stream, tenant, tunables
from trex_stl_lib.api import IP, UDP, Ether


class Vxlan:
    """The profile."""

    def get_streams(self, direction=0, tunables=(), **_):  # TRex calls it so
        """One stream for each size."""
        options = checked(arguments(), list(tunables))
        outer = (
            Ether(src=options.vtep_mac, dst=options.gateway_mac)
            / IP(src=options.vtep, dst=options.gateway, id=1, flags="DF", ttl=64)
            / UDP(sport=49152, dport=options.port, chksum=0)
        )
        return [
            stream(
                outer / (header(options.vni) + bytes(tenant(0x06, 0x02, size))),
                len(outer) + 8,
                False,
                14 + 20,
                options.macs,
                options.pps * share,
            )
            for size, share in options.sizes
        ]


def header(vni):
    """The VXLAN header: flags and VNI (RFC 7348 section 5)."""
    return struct.pack("!II", 0x08000000, vni << 8)


def arguments():
    """The profile's arguments."""
    return tunables(
        "vxlan.py",
        [
            ("--vni", 5001, "the VNI"),
            ("--gateway", "10.0.0.11", "the gateway's tunnel address"),
            ("--vtep", "10.0.0.12", "the VTEP that TRex plays"),
            ("--gateway-mac", "02:00:00:00:00:11", "MAC of the gateway's underlay port ('causeway show ports')"),
            ("--vtep-mac", "02:aa:00:00:00:12", "the VTEP's MAC"),
            ("--port", 4789, "UDP port of the tunnel"),
        ],
    )


def register():
    """What TRex asks for."""
    return Vxlan()
