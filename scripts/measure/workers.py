"""Two workers against one, each with a queue of its own to poll."""

import os

import frames
from cells import JOBS, Window, kept, summary, window
from contestants import SINK, Causeway, Setup, wait_ready
from system import Trouble, cpu_seconds

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
    result = {"job": JOB, "size": "64", "macs": MACS}
    source = os.path.join(folder, "source.pcap")
    count, total = frames.write_pcap(source, frames.traffic(JOBS[JOB], "64", MACS))
    started = []
    try:
        crews = []
        for number in (1, 2):
            inside = os.path.join(folder, str(number))
            os.mkdir(inside)
            setup = Setup(inside, JOBS[JOB], MACS, source, count, cores[0], options.helper, options.huge, options.binary)
            crews.append(kept(started, Crew, setup, cores[:number]))
            if not wait_ready(crews[-1], 30):
                raise Trouble("not every source was learned within 30 s")
            crews[-1].rest()
        samples: list[list[Window]] = [[], []]
        for turn in range(options.windows):
            for number in (0, 1) if turn % 2 else (1, 0):
                samples[number].append(window(crews[number], 0.1, options.seconds))
        one, two = (summary(windows, None, options.tsc_hz, total / count) for windows in samples)
        if "why" in one or "why" in two:
            raise Trouble("no frame reached the other device")
        return result | {"one": one, "two": two, "times": two["mpps"] / one["mpps"]}
    except (Trouble, OSError) as trouble:
        return result | {"why": str(trouble)}
    finally:
        for crew in started:
            crew.end()
        os.unlink(source)
