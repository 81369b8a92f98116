"""Prints the frames that a profile sends, one line of hexadecimal each, without TRex: with scapy alone.

    python3 scripts/trex/dry_run.py PROFILE COUNT [arguments of the profile]

Each of the profile's streams prints its first COUNT frames. The few classes of TRex that the profiles use are here in
their plainest form, with the field engine's counting and writing.
"""

import importlib
import sys
import types


class Kept:
    """Keeps what it was made with."""

    def __init__(self, **kept):
        self.__dict__.update(kept)


def frames(stream, count):
    """The first frames of a stream."""
    program = stream.packet.vm
    values = {var.name: (var.min_value, var.max_value, var.size) for var in program if hasattr(var, "min_value")}
    for number in range(count):
        data = bytearray(bytes(stream.packet.pkt))
        for write in program:
            if hasattr(write, "fv_name"):
                low, high, size = values[write.fv_name]
                value = low + number % (high - low + 1)
                data[write.pkt_offset : write.pkt_offset + size] = value.to_bytes(size, "big")
        yield data


def fake_trex():
    """A module in the place of TRex's."""
    import scapy.all as scapy  # only needed here, and not everywhere installed

    api = types.ModuleType("trex_stl_lib.api")
    for name in ("IP", "UDP", "Dot1Q", "Ether"):
        setattr(api, name, getattr(scapy, name))
    for name in ("STLPktBuilder", "STLStream", "STLTXCont", "STLVmFlowVar", "STLVmWrFlowVar"):
        setattr(api, name, type(name, (Kept,), {}))
    sys.modules["trex_stl_lib"] = types.ModuleType("trex_stl_lib")
    sys.modules["trex_stl_lib.api"] = api


def main():
    if len(sys.argv) < 3 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    try:
        fake_trex()
    except ImportError:
        sys.exit("Error: scapy is not installed: apt-get install python3-scapy")
    profile = importlib.import_module(sys.argv[1].removesuffix(".py"))
    for stream in profile.register().get_streams(direction=0, tunables=sys.argv[3:]):
        for frame in frames(stream, int(sys.argv[2])):
            print(frame.hex())


main()
