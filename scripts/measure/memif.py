"""The gateway between two processes: testpmd plays frames into a memif and takes what comes out of another."""

import os

import frames
from cells import JOBS, kept, summary, window
from contestants import SINK, Causeway, Contestant, Setup, wait_ready
from system import Trouble, huge_pages

JOB, MACS = "vlan-vxlan", 1000


class Player(Contestant):
    """testpmd on the helper's core: from a capture file into one memif, from the other one into nothing."""

    name = "testpmd"

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
        windows = [window(gateway, 0.1, options.seconds, others=[player]) for _ in range(options.windows)]
    finally:
        for program in started:
            program.end()
    measured = summary(windows, None, options.tsc_hz, frame_bytes)
    share = measured.get("cpu_share", 0.0)
    if share < 0.95 and "mpps" in measured:
        # While one end has no core the other one polls empty rings: that is no rate of anybody.
        why = f"the gateway had its core for {share:.0%} of the time only; measure on a machine with nothing else to do"
        return {"why": why, "windows": measured["windows"]}
    return {"frame_bytes": frame_bytes} | measured
