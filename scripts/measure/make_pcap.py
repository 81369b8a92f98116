"""Writes the frames of a job to a capture file and prints how many: make_pcap.py JOB SIZE MACS FILE [GATEWAY-MAC]"""

import re
import sys

import frames
from cells import JOBS


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    job, size, macs, path = sys.argv[1:5]
    gateway = sys.argv[5] if len(sys.argv) > 5 else ""
    if job not in JOBS:
        sys.exit(f"Error: there is no job '{job}'; one of {', '.join(JOBS)}")
    if size not in frames.SIZES:
        sys.exit(f"Error: there is no size '{size}'; one of {', '.join(frames.SIZES)}")
    if not macs.isdigit() or not 1 <= int(macs) <= 1_000_000:
        sys.exit(f"Error: '{macs}' MACs: from 1 to 1000000")
    if JOBS[job].decap and not re.fullmatch(r"([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}", gateway):
        sys.exit(f"Error: {job} needs --gateway-mac, the MAC of the gateway's underlay port ('causeway show ports')")
    if gateway:
        frames.PORT_MAC = gateway
    print(frames.write_pcap(path, frames.traffic(JOBS[job], size, int(macs)))[0])


main()
