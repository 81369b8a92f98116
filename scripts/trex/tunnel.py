"""What profiles of remote VTEPs share: the outer packet towards the gateway, and their arguments."""

from streams import checked, stream, tenant, tunables
from trex_stl_lib.api import IP, UDP, Ether


class Tunnel:
    """A profile: the tunnel's UDP port, and a function from a VNI to the header behind UDP, of eight bytes."""

    def __init__(self, name, port, header):
        self.name, self.port, self.header = name, port, header

    def get_streams(self, direction=0, tunables=(), **_):  # TRex calls it so
        """One stream for each size."""
        options = checked(self.arguments(), list(tunables))
        outer = (
            Ether(src=options.vtep_mac, dst=options.gateway_mac)
            / IP(src=options.vtep, dst=options.gateway, id=1, flags="DF", ttl=64)
            / UDP(sport=49152, dport=options.port, chksum=0)
        )
        return [
            stream(
                outer / (self.header(options.vni) + bytes(tenant(0x06, 0x02, size))),
                len(outer) + 8,
                False,
                14 + 20,
                options.macs,
                options.pps * share,
            )
            for size, share in options.sizes
        ]

    def arguments(self):
        """The profile's arguments."""
        return tunables(
            self.name,
            [
                ("--vni", 5001, "the VNI"),
                ("--gateway", "10.0.0.11", "the gateway's tunnel address"),
                ("--vtep", "10.0.0.12", "the VTEP that TRex plays"),
                ("--gateway-mac", "02:00:00:00:00:11", "MAC of the gateway's underlay port ('causeway show ports')"),
                ("--vtep-mac", "02:aa:00:00:00:12", "the VTEP's MAC"),
                ("--port", self.port, "UDP port of the tunnel"),
            ],
        )
