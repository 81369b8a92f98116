"""What is measured: jobs, sizes and numbers of MACs, window by window, everyone in turn."""

import dataclasses
import os
import statistics
import time

import frames
from contestants import Causeway, Ovs, Setup, Testpmd, wait_ready
from system import Trouble, huge_pages, run

LEAST = 0.05
MODES = ["rxonly", "io", "macswap"]


@dataclasses.dataclass(frozen=True)
class Job:
    """A direction and an encapsulation."""

    name: str
    encap: str
    decap: bool


JOBS = {
    job.name: job
    for job in [
        Job("vlan-vxlan", "vxlan", False),
        Job("vxlan-vlan", "vxlan", True),
        Job("vlan-geneve", "geneve", False),
        Job("geneve-vlan", "geneve", True),
    ]
}


@dataclasses.dataclass
class Window:
    """One measured stretch of time."""

    received: int
    sent: int
    cpu: float
    wall: float


def window(contestant, settle, seconds, others=()):
    """Lets a contestant run alone (but for `others`) for a while and counts."""
    for other in others:
        other.go_on()
    contestant.go_on()
    time.sleep(settle)
    cpu, begin = contestant.cpu(), time.monotonic()
    received, sent = contestant.count()
    time.sleep(seconds)
    cpu, wall = contestant.cpu() - cpu, time.monotonic() - begin
    more, gone = contestant.count()
    contestant.rest()
    for other in others:
        other.rest()
    return Window(more - received, gone - sent, cpu, wall)


def measure(cell, options, folder, namespace):
    """One cell: a list of results, one for each contestant; those that cannot run say why."""
    job, size, macs = JOBS[cell[0]], cell[1], cell[2]
    source = os.path.join(folder, "source.pcap")
    count, total = frames.write_pcap(source, frames.traffic(job, size, macs))
    setup = Setup(folder, job, macs, source, count, options)
    # All stand beside each other, so that their windows can be interleaved.
    with huge_pages(setup.memory * (1 + options.testpmd + options.ovs) + 128) as setup.huge:
        return side_by_side(setup, (size, total / count), options, namespace)


def side_by_side(setup, frame, options, namespace):
    """The contestants of a cell, window by window. `frame` is a size and the mean number of bytes."""
    job, macs, (size, frame_bytes) = setup.job, setup.macs, frame
    results, runners, started, notes = [], [], [], {}

    def result(name, **more):
        entry = {"job": job.name, "size": size, "macs": macs, "frame_bytes": frame_bytes, "huge": setup.huge}
        results.append(entry | {"contestant": name} | more)

    def begin(name, make):
        try:
            contestant = make()
        except (Trouble, OSError) as trouble:
            result(name, why=str(trouble))
            return None
        return contestant

    try:
        causeway = begin("causeway", lambda: kept(started, Causeway, setup))
        if causeway:
            if not wait_ready(causeway, 30):
                result("causeway", why="not every source was learned within 30 s")
            else:
                runners.append(("causeway", causeway, None))
            causeway.rest()
        if options.testpmd:
            testpmd = begin("testpmd", lambda: kept(started, Testpmd, setup))
            if testpmd:
                testpmd.rest()
                runners += [(f"testpmd {mode}", testpmd, mode) for mode in MODES]
        if options.ovs:
            run("ip", "netns", "add", namespace)
            run("ip", "-n", namespace, "link", "set", "lo", "up")
            ovs = begin("ovs", lambda: kept(started, Ovs, setup, namespace))
            if ovs:
                # Its table grows by some thousand flows a second, and only while it keeps up.
                complete = wait_ready(ovs, 180)
                ovs.rest()
                runners.append(("ovs", ovs, None))
                if not complete:
                    notes["ovs"] = "its flow table did not hold every pair after 180 s"
        samples = {name: [] for name, _, _ in runners}
        for turn in range(options.windows + 1):
            # Everyone comes first as often as the others; the first round only warms up.
            for name, contestant, mode in runners[turn % len(runners):] + runners[: turn % len(runners)]:
                if mode:
                    contestant.go_on()
                    contestant.forward(mode)
                taken = window(contestant, 0.1, options.seconds if turn else 0.2)
                if turn:
                    samples[name].append(taken)
        for name, contestant, mode in runners:
            note = {"note": notes[name]} if name in notes else {}
            result(name, **summary(samples[name], mode, options.tsc_hz, frame_bytes), **note)
    finally:
        for contestant in reversed(started):
            contestant.end()
        if options.ovs:
            try:
                run("ip", "netns", "del", namespace)
            except Trouble:
                pass
        os.unlink(setup.source)
    return results


def kept(started, kind, *arguments):
    """A contestant that is taken down with the others, even when its start fails half-way."""
    contestant = kind.__new__(kind)
    started.append(contestant)
    contestant.__init__(*arguments)
    return contestant


def summary(windows, mode, tsc_hz, frame_bytes):
    """Medians and spreads of a contestant's windows. Rates are by CPU time of the core that polls."""
    # A window in which others had the core nearly all of the time says nothing.
    windows = [w for w in windows if w.cpu >= LEAST * w.wall]
    if not windows:
        return {"why": f"it had its core for less than {LEAST:.0%} of every window: too much else runs here"}
    rates = [(w.received if mode == "rxonly" else w.sent) / w.cpu for w in windows]
    rate = statistics.median(rates)
    if rate <= 0:
        return {"why": "no frame reached the other device"}
    received, sent = sum(w.received for w in windows), sum(w.sent for w in windows)
    lost = 0.0 if mode == "rxonly" else max(0.0, 1 - sent / received)
    return {
        "mpps": rate / 1e6,
        "mpps_min": min(rates) / 1e6,
        "mpps_max": max(rates) / 1e6,
        "gbps_in": rate * (frame_bytes + frames.FCS) * 8 / 1e9,
        "ns": 1e9 / rate,
        "cycles": tsc_hz / rate,
        "lost": lost,
        "cpu_share": sum(w.cpu for w in windows) / sum(w.wall for w in windows),
        "windows": [dataclasses.asdict(w) for w in windows],
    }
