"""Measures the gateway beside its peers; scripts/bench prepares the machine and starts this."""

import argparse
import datetime
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile

import report
from cells import JOBS, measure
from latency import latency
from memif import between_processes
from system import Trouble, machine, run, tsc_hz
from workers import two_against_one

TOP = pathlib.Path(__file__).resolve().parents[2]


def main():
    options = arguments()
    signal.signal(signal.SIGTERM, stopped)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("Error: this needs two cores, one that polls and one for the rest; this machine lets it have one")
    options.core, options.helper = cores[-1], cores[0]
    options.tsc_hz = tsc_hz()
    if not options.tsc_hz:
        sys.exit("Error: /proc/cpuinfo tells no bogomips, so cycles cannot be counted here")
    chosen = plan(options)
    gaps = {}
    options.testpmd = available(gaps, "testpmd", "dpdk-testpmd", "dpdk")
    options.ovs = available(gaps, "ovs", "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk", "openvswitch-switch-dpdk")
    if os.geteuid():
        sys.exit("Error: measuring needs root (devices, huge pages, a network namespace): run 'sudo scripts/bench'")
    folder = tempfile.mkdtemp(prefix=f"causeway-bench-{os.getpid()}-")
    namespace = f"cwbench-{os.getpid()}"
    document = {
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
        "machine": machine() | {"cores": len(cores)},
        "method": {"windows": options.windows, "seconds": options.seconds},
        "results": [],
        "not_measured": gaps,
    }
    try:
        for number, cell in enumerate(chosen):
            say(f"[{number + 1}/{len(chosen)}] {report.WORDS[cell[0]]}, {report.frame_name(cell[1])}, "
                f"{report.count(cell[2])} MACs")
            inside = os.path.join(folder, str(number))
            os.mkdir(inside)
            try:
                results = measure(cell, options, inside, namespace)
            except KeyboardInterrupt:
                left = [f"{job} {report.frame_name(size)} {report.count(macs)}" for job, size, macs in chosen[number:]]
                gaps["the rest"] = f"the run was stopped before {', '.join(left)}, memif and latency"
                break
            document["results"] += results
            for entry in results:
                say(f"    {line(entry)}")
        if options.memif and options.testpmd and "the rest" not in gaps:
            say("[memif] testpmd on one core, the gateway on another")
            inside = os.path.join(folder, "memif")
            os.mkdir(inside)
            document["memif"] = between_processes(options, inside)
            say(f"    {line(document['memif'])}")
        if options.latency and "the rest" not in gaps:
            say("[latency] causeway bench over memif")
            document["latency"] = latency(options)
        if len(cores) < 3:
            gaps["2 workers against 1"] = f"needs 3 cores, one of them for the rest; this machine has {len(cores)}"
        elif "the rest" not in gaps:
            say("[workers] two against one")
            inside = os.path.join(folder, "workers")
            os.mkdir(inside)
            document["workers"] = two_against_one(options, inside, cores[-2:])
            say(f"    {report.workers_line(document)}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        # DPDK's programs leave these behind.
        for left in pathlib.Path("/var/run/dpdk").glob(f"{pathlib.Path(folder).name}-*"):
            shutil.rmtree(left, ignore_errors=True)
    finish(options, document)


def stopped(*_):
    """Ends the run, and what it has started. 'timeout' signals twice: the second one must not cut that short."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", add_help=False)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--job", action="append", choices=[*JOBS])
    parser.add_argument("--size", action="append", choices=["64", "512", "1518", "imix"])
    parser.add_argument("--macs", action="append", type=int)
    parser.add_argument("--windows", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--no-memif", dest="memif", action="store_false")
    parser.add_argument("--no-latency", dest="latency", action="store_false")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--svg", type=pathlib.Path)
    parser.add_argument("--readme", action="store_true")
    options = parser.parse_args()
    options.windows = options.windows or (3 if options.quick else 7)
    options.seconds = options.seconds or (0.3 if options.quick else 0.5)
    return options


def plan(options):
    """The cells to measure."""
    if options.job or options.size or options.macs:
        jobs, sizes = options.job or [*JOBS], options.size or ["64"]
        return [(job, size, macs) for job in jobs for size in sizes for macs in options.macs or [1000]]
    if options.quick:
        return [("vlan-vxlan", "64", 1000), ("vxlan-vlan", "64", 1000)]
    if options.full:
        small = [(job, "64", macs) for job in JOBS for macs in (1, 1000, 100_000)]
        return small + [(job, "imix", 1000) for job in JOBS]
    # How cost grows is shown for VXLAN; Geneve and a mix of sizes at one number of MACs.
    # What takes longest comes last: whoever stops the run has the rest.
    every = [(job, "64", 1000) for job in JOBS]
    imix = [(job, "imix", 1000) for job in ("vlan-vxlan", "vxlan-vlan")]
    return every + imix + [(job, "64", macs) for macs in (1, 100_000) for job in ("vlan-vxlan", "vxlan-vlan")]


def available(gaps, name, program, package):
    if shutil.which(program):
        return True
    gaps[name] = f"not installed: apt-get install {package}"
    return False


def commit():
    try:
        name = run("git", "-C", str(TOP), "rev-parse", "--short", "HEAD").strip()
        changed = run("git", "-C", str(TOP), "status", "--porcelain", "--untracked-files=no", "--", "gateway", "config")
        return f"{name} with changes" if changed.strip() else name
    except (OSError, Trouble):
        return "unknown"


def line(entry):
    if "why" in entry:
        return f"{entry['contestant']:<16} not measured: {entry['why']}"
    text = f"{entry['contestant']:<16} {report.rate(entry):>22} Mpps  {entry['cycles']:6.0f} cycles  {entry['ns']:6.1f} ns"
    if entry["lost"] > 0.005:
        text += f"  {entry['lost']:.1%} lost"
    if entry["cpu_share"] < 0.9:
        text += f"  (had the core for {entry['cpu_share']:.0%} of the time)"
    return text + (f"  ({entry['note']})" if "note" in entry else "")


def finish(options, document):
    print()
    print(report.markdown(document))
    print(report.method(document))
    picture = report.drawing(document["results"])
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n")
        say(f"figures: {options.json}")
    if options.svg:
        if picture:
            options.svg.write_text(picture)
            say(f"drawing: {options.svg}")
        else:
            say("no drawing: it takes 64 B frames with at least two numbers of MACs")
    if options.readme:
        if picture:
            (TOP / "docs").mkdir(exist_ok=True)
            (TOP / "docs/cost.svg").write_text(picture)
        readme = TOP / "README.md"
        readme.write_text(report.readme(readme.read_text(), document, "docs/cost.svg" if picture else None))
        say("README.md and docs/cost.svg are made anew")


def say(text):
    print(text, flush=True)


try:
    main()
except Trouble as trouble:
    sys.exit(f"Error: {trouble}")
except BrokenPipeError:
    sys.exit(1)
except KeyboardInterrupt:
    sys.exit(130)
