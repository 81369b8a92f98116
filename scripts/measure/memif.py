"""The gateway between two processes: testpmd plays frames into a memif and takes what comes out of another."""

import os

import frames
from cells import JOBS, kept, summary, window
from contestants import SINK, Causeway, Contestant, Setup, Testpmd, wait_ready
from system import Trouble, huge_pages

JOB, MACS = "vlan-vxlan", 1000
# The part of a window for which both ends must have their cores.
QUIET = 0.95


class Player(Contestant):
    """testpmd on the helper's core: from a capture file into one memif, from the other one into nothing."""

    name = "testpmd"
    polling = Testpmd.polling

    def __init__(self, setup, memifs):
        super().__init__(setup)
        pages = ["--in-memory"] if setup.huge else ["--no-huge"]
        command = ["dpdk-testpmd", "--no-pci", *pages, "-m", str(setup.memory)]
        command += ["--file-prefix", f"{setup.label}-player", "--lcores", f"0@{setup.helper},1@{setup.helper}"]
        for device in (setup.played, memifs[0], memifs[1], SINK):
            command += ["--vdev", device]
        command += ["--", "-i", f"--total-num-mbufs={setup.buffers}", "--nb-cores=1", "--forward-mode=io"]
        self.start_program("player", command + ["--auto-start"], talk=True)
        self.main.wait_until(lambda: "testpmd>" in self.main.said(), 60, "ready")


def between_processes(options, folder):
    """Measures it; a result as those of the cells."""
    source = os.path.join(folder, "source.pcap")
    count, total = frames.write_pcap(source, frames.traffic(JOBS[JOB], "64", MACS))
    setup = Setup(folder, JOBS[JOB], MACS, source, count, options)
    result = {"contestant": "causeway", "job": JOB, "size": "64", "macs": MACS}
    try:
        with huge_pages(setup.memory * 2 + 128) as setup.huge:
            return result | {"huge": setup.huge} | through(setup, total / count, options)
    except (Trouble, OSError) as trouble:
        return result | {"why": str(trouble)}
    finally:
        os.unlink(source)


def through(setup, frame_bytes, options):
    """What the gateway passes."""
    started = []
    try:
        sockets = [f"net_memif{n},id={n},socket={setup.folder}/memif{n}.sock,socket-abstract=no,rsize=11" for n in (0, 1)]
        gateway = kept(started, Causeway, setup, [f"{end},role=server" for end in sockets])
        player = kept(started, Player, setup, [f"{end},role=client" for end in sockets])
        if not wait_ready(gateway, 30):
            raise Trouble("no frames came through the memif within 30 s")
        windows = quiet_windows(gateway, player, options)
    finally:
        for program in started:
            program.end()
    if not windows:
        why = f"others had a core for more than {1 - QUIET:.0%} of every window; measure on a machine with nothing else to do"
        return {"why": why}
    return {"frame_bytes": frame_bytes} | summary(windows, None, options.tsc_hz, frame_bytes)


def quiet_windows(gateway, player, options):
    """As many windows as were asked for in which both had their cores, out of six times as many at most.

    While one end has no core the other one polls empty rings: that is no rate of anybody.
    """
    windows = []
    for _ in range(6 * options.windows):
        played = player.cpu()
        taken = window(gateway, 0.1, options.seconds, others=[player])
        played = player.cpu() - played
        if min(taken.cpu, played) >= QUIET * taken.wall:
            windows.append(taken)
        if len(windows) == options.windows:
            break
    return windows
