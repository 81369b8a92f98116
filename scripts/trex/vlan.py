"""A server's port: frames with a VLAN tag (or none) towards stations behind the VTEP."""

from streams import checked, stream, tenant, tunables


class Vlan:
    """The profile."""

    def get_streams(self, direction=0, tunables=(), **_):  # TRex calls it so
        """One stream for each size."""
        options = checked(arguments(), list(tunables))
        tag = options.vlan if options.vlan > 0 else None
        return [
            stream(tenant(0x02, 0x06, size, tag), 0, tag is not None, None, options.macs, options.pps * share)
            for size, share in options.sizes
        ]


def arguments():
    """The profile's arguments."""
    return tunables("vlan.py", [("--vlan", 10, "the VLAN, 0 for untagged frames")])


def register():
    """What TRex asks for."""
    return Vlan()
