"""Two workers against one, each with a queue of its own to poll."""

import os

import frames
from cells import JOBS, Window, kept, summary, window
from contestants import SINK, Causeway, Setup, wait_ready
from system import Trouble, cpu_seconds, huge_pages

JOB, MACS = "vlan-vxlan", 1000


class Crew(Causeway):
    """A gateway with several workers; its CPU time is the mean of theirs."""

    def __init__(self, setup, cores):
        self.cores = cores
        source = "net_pcap0," + ",".join(f"rx_pcap={setup.source}" for _ in cores) + ",infinite_rx=1"
        super().__init__(setup, [source, SINK], cores)

    def cpu(self):
        threads = [self.main.thread(f"worker-{core}") for core in self.cores]
        if None in threads:
            raise Trouble("a worker is missing")
        return sum(cpu_seconds(self.main.pid, thread) for thread in threads) / len(threads)


def two_against_one(options, folder, cores):
    """Measures it; what one does, what two do, and how many times as much that is."""
    source = os.path.join(folder, "source.pcap")
    count, total = frames.write_pcap(source, frames.traffic(JOBS[JOB], "64", MACS))
    setups = []
    for number in (1, 2):
        inside = os.path.join(folder, str(number))
        os.mkdir(inside)
        setups.append(Setup(inside, JOBS[JOB], MACS, source, count, options))
    result = {"job": JOB, "size": "64", "macs": MACS}
    try:
        # Each worker has a pool of its own.
        with huge_pages(setups[0].memory * 3 + 128) as huge:
            for setup in setups:
                setup.huge = huge
            return result | compare(setups, cores, total / count, options)
    except (Trouble, OSError) as trouble:
        return result | {"why": str(trouble)}
    finally:
        os.unlink(source)


def compare(setups, cores, frame_bytes, options):
    """Windows of one and of two workers in turn."""
    crews = []
    try:
        for number, setup in enumerate(setups, 1):
            crew = kept(crews, Crew, setup, cores[:number])
            if not wait_ready(crew, 30):
                raise Trouble("not every source was learned within 30 s")
            crew.rest()
        samples: list[list[Window]] = [[], []]
        for turn in range(options.windows):
            for number in (0, 1) if turn % 2 else (1, 0):
                samples[number].append(window(crews[number], 0.1, options.seconds))
    finally:
        for crew in crews:
            crew.end()
    one, two = (summary(windows, None, options.tsc_hz, frame_bytes) for windows in samples)
    if "why" in one or "why" in two:
        raise Trouble("no frame reached the other device")
    return {"one": one, "two": two, "times": two["mpps"] / one["mpps"]}
