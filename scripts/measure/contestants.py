"""Who is measured: the gateway, DPDK's testpmd and Open vSwitch, each on the same two devices.

One device plays a capture file for ever (net_pcap with infinite_rx), the other one drops what it is given (net_null).
Each contestant polls both with one core. What it counts is asked of itself.
"""

import json
import os
import pathlib
import re
import socket
import time

import frames
from system import Program, Trouble, ask, cpu_seconds, run

SINK = "net_null1,no-rx=1"


class Setup:
    """What all contestants of a cell share."""

    def __init__(self, folder, job, macs, source, count, options):
        self.folder, self.job, self.macs, self.source = pathlib.Path(folder), job, macs, source
        self.core, self.helper, self.binary = options.core, options.helper, options.binary
        # Packet memory in huge pages: whoever starts the contestants finds out whether there are enough.
        self.huge = False
        # The frames that are played lie in buffers of the device's own, and some more are under way.
        self.buffers = 16383
        while self.buffers < count + 8192:
            self.buffers = self.buffers * 2 + 1
        # MiB of packet memory that each contestant takes.
        self.memory = self.buffers * 3 // 1024 + 128

    @property
    def label(self):
        """What this cell's programs are told apart by."""
        return f"{self.folder.parent.name}-{self.folder.name}"

    @property
    def played(self):
        return f"net_pcap0,rx_pcap={self.source},infinite_rx=1"


class Contestant:
    """A program under measurement."""

    polling = None  # name of the thread that polls

    def __init__(self, setup):
        self.setup = setup
        self.programs = []
        self._thread = None

    def start_program(self, name, command, **more):
        program = Program(name, command, self.setup.folder / f"{name}.log", **more)
        self.programs.append(program)
        return program

    @property
    def main(self):
        return self.programs[-1]

    @property
    def thread(self):
        """The number of the thread that polls."""
        if self._thread is None:
            self._thread = self.main.thread(self.polling)
            if self._thread is None:
                raise Trouble(f"{self.main.name} has no thread that polls")
        return self._thread

    def cpu(self):
        return cpu_seconds(self.main.pid, self.thread)

    def count(self):
        """Frames received from the source and frames given to the sink so far."""
        raise NotImplementedError

    def rest(self):
        self.main.rest()

    def go_on(self):
        self.main.go_on()

    def end(self):
        for program in reversed(self.programs):
            program.end()


class Causeway(Contestant):
    """The gateway's release binary."""

    name = "causeway"
    polling = r"worker-\d+"

    def __init__(self, setup, devices=None, cores=None):
        super().__init__(setup)
        self.socket = setup.folder / "causeway.sock"
        file = setup.folder / "causeway.yaml"
        file.write_text(configuration(setup, devices or (setup.played, SINK), cores or [setup.core]))
        self.start_program("causeway", [setup.binary, "run", "-c", str(file), "--socket", str(self.socket)])
        self.main.wait_until(lambda: "forwarding:" in self.main.said(), 60, "forwarding")

    def ready(self):
        """Every source is learned."""
        answer = json.loads(ask(self.socket, '{"show":"vnis"}'))["ok"]
        return sum(row["macs"] for row in answer) >= 2 * self.setup.macs

    def count(self):
        # What 'causeway show ports --json' prints, without the time that starting a program takes.
        answer = json.loads(ask(self.socket, '{"show":"ports"}'))["ok"]
        ports = {port["name"]: port for port in answer}
        return ports["source"]["rx"]["frames"], ports["sink"]["tx"]["frames"]


def configuration(setup, devices, cores):
    """The gateway's configuration for a cell, with the device that frames come from and the one that they leave by."""
    job, (source, sink) = setup.job, devices
    server = f"vlans: [{{vlan: {frames.VLAN}, vni: {frames.VNI}}}]"
    underlay = f"mtu: 1600\n    underlay: {{via: {{mac: \"{frames.NEXT_HOP}\"}}}}"
    ends = (underlay, server) if job.decap else (server, underlay)
    place = "port: sink" if job.decap else f"vtep: {frames.THEIRS}"
    stations = "\n".join(
        f'      - {{mac: "{frames.mac("destination", number)}", {place}}}' for number in range(setup.macs)
    )
    size = max(131072, 1 << (4 * setup.macs - 1).bit_length())
    return f"""\
version: 1
workers: {{cores: {cores}, idle: spin}}
memory: {{huge_pages: {"require" if setup.huge else "off"}, buffers: {setup.buffers}}}
vtep: {{source: [{frames.OURS}]}}
fdb: {{size: {size}}}
ports:
  - name: source
    device: "{source}"
    {ends[0]}
  - name: sink
    device: "{sink}"
    {ends[1]}
vnis:
  - vni: {frames.VNI}
    encap: {job.encap}
    flood: {{vteps: [{frames.THEIRS}]}}
    learning: {{limit: {max(8192, 2 * setup.macs)}, ageing: 3600}}
    checksum: {{ipv4: false}}
    static:
{stations}
"""


class Testpmd(Contestant):
    """DPDK's own test program in one of its modes: what the devices themselves allow."""

    polling = r"(rte|lcore)-worker-?\d+"

    def __init__(self, setup):
        super().__init__(setup)
        self.mode = None
        self.prefix = f"{setup.label}-testpmd"
        pages = ["--in-memory"] if setup.huge else ["--no-huge"]
        # Line by line, so that its answers can be waited for.
        command = ["stdbuf", "-oL", "dpdk-testpmd", "--no-pci", *pages, "-m", str(setup.memory)]
        command += ["--file-prefix", self.prefix, "--lcores", f"0@{setup.helper},1@{setup.core}"]
        command += ["--vdev", setup.played, "--vdev", SINK, "--", "-i", f"--total-num-mbufs={setup.buffers}", "--nb-cores=1"]
        self.start_program("testpmd", command, talk=True)
        self.main.wait_until(lambda: "testpmd>" in self.main.said(), 60, "ready")

    def forward(self, mode):
        """Changes the mode; the next window is that mode's."""
        if mode != self.mode:
            for line in (["stop"] if self.mode else []) + [f"set fwd {mode}", "start"]:
                self.main.tell(line)
            self.mode = mode
            said = f"Set {mode} packet forwarding mode"
            self.main.wait_until(lambda: said in self.main.said(), 10, f"in mode {mode}")

    def count(self):
        numbers = [self.statistics(port) for port in (0, 1)]
        return numbers[0]["ipackets"], numbers[1]["opackets"]

    def statistics(self, port):
        telemetry = f"/var/run/dpdk/{self.prefix}/dpdk_telemetry.v2"
        return json.loads(ask(telemetry, f"/ethdev/stats,{port}", socket.SOCK_SEQPACKET))["/ethdev/stats"]

    def end(self):
        if self.main.process.poll() is None:
            self.main.go_on()
            try:
                self.main.tell("stop\nquit")
                self.main.process.wait(10)
            except Exception:  # It ends by signal then.
                pass
        super().end()


class Ovs(Contestant):
    """Open vSwitch with its DPDK datapath: a bridge with the VLAN's port and a tunnel, and one for the underlay."""

    name = "ovs"
    polling = r"pmd-c\d+.*"
    DAEMON = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"

    def __init__(self, setup, namespace):
        super().__init__(setup)
        self.namespace, self.rpc = namespace, None
        self.bridge_of = ("phy", "int") if setup.job.decap else ("int", "phy")
        here = self.here = setup.folder
        environment = {"OVS_RUNDIR": str(here), "OVS_DBDIR": str(here), "OVS_LOGDIR": str(here)}
        run("ovsdb-tool", "create", str(here / "ovs.db"), "/usr/share/openvswitch/vswitch.ovsschema")
        database = ["ovsdb-server", str(here / "ovs.db"), f"--unixctl={here}/db.ctl", f"--remote=punix:{here}/db.sock"]
        self.start_program("ovsdb-server", self.inside(database), environment=environment)
        self.main.wait_until((here / "db.sock").exists, 20, "listening")
        self.vsctl("--no-wait", "init")
        pages = "" if setup.huge else f"--no-huge --legacy-mem -m {self.memory}"
        options = {
            "dpdk-init": "true",
            "dpdk-extra": f"--no-pci --file-prefix {setup.label}-ovs {pages}",
            "pmd-cpu-mask": hex(1 << setup.core),
            "dpdk-lcore-mask": hex(1 << setup.helper),
            # Flows must outlive the pauses between windows, and all of them find room.
            "max-idle": "3600000",
            "flow-limit": "1000000",
        }
        if setup.huge:
            options |= {"dpdk-socket-mem": str(self.memory), "dpdk-socket-limit": str(self.memory)}
        settings = [f'other_config:{key}="{value}"' for key, value in options.items()]
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".", *settings)
        daemon = [self.DAEMON, f"unix:{here}/db.sock", f"--unixctl={here}/switch.ctl"]
        self.start_program("ovs-vswitchd", self.inside(daemon), environment=environment)
        self.main.wait_until((here / "switch.ctl").exists, 30, "listening")
        self.configure()

    @property
    def memory(self):
        """MiB: its pool has a power of two buffers of 3 KiB."""
        return (self.setup.buffers + 1) * 3 // 1024 + 100

    def inside(self, command):
        return ["nsenter", f"--net=/run/netns/{self.namespace}", "--", *command]

    def vsctl(self, *words):
        run("ovs-vsctl", "--timeout=60", f"--db=unix:{self.here}/db.sock", *words)

    def configure(self):
        job = self.setup.job
        for bridge in ("phy", "int"):
            self.vsctl("add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev",
                       "other_config:mac-table-size=1000000", "other_config:mac-aging-time=3600")
        self.vsctl("set", "bridge", "phy", f'other_config:hwaddr="{frames.PORT_MAC}"')
        run("ip", "-n", self.namespace, "addr", "add", f"{frames.OURS}/24", "dev", "phy")
        run("ip", "-n", self.namespace, "link", "set", "phy", "up")
        source, sink = self.bridge_of
        tags = {"int": [f"trunks={frames.VLAN}"], "phy": []}
        self.vsctl("add-port", "int", "tunnel", f"tag={frames.VLAN}", "--", "set", "interface", "tunnel",
                   f"type={job.encap}", f"options:remote_ip={frames.THEIRS}", f"options:key={frames.VNI}")
        self.vsctl("add-port", sink, "sink", *tags[sink], "--", "set", "interface", "sink", "type=dpdk",
                   f'options:dpdk-devargs="{SINK}"', "mtu_request=1600")
        self.appctl("tnl/neigh/set", "phy", frames.THEIRS, frames.NEXT_HOP)
        if not job.decap:
            self.appctl("fdb/add", "phy", "sink", "0", frames.NEXT_HOP)
        exit_port = "sink" if job.decap else "tunnel"
        for number in range(self.setup.macs):
            self.appctl("fdb/add", "int", exit_port, str(frames.VLAN), frames.mac("destination", number))
        # Last, because frames come from here on.
        self.vsctl("add-port", source, "source", *tags[source], "--", "set", "interface", "source", "type=dpdk",
                   f'options:dpdk-devargs="{self.setup.played}"')
        state = run("ovs-vsctl", f"--db=unix:{self.here}/db.sock", "get", "interface", "source", "error").strip()
        if state != "[]":
            raise Trouble(f"Open vSwitch does not take the device: {state}")

    def appctl(self, method, *words):
        """As ovs-appctl asks, over one connection."""
        if self.rpc is None:
            self.rpc = socket.socket(socket.AF_UNIX)
            self.rpc.settimeout(30)
            self.rpc.connect(str(self.here / "switch.ctl"))
        self.rpc.sendall(json.dumps({"id": 0, "method": method, "params": list(words)}).encode())
        text = b""
        while True:
            part = self.rpc.recv(1 << 20)
            if not part:
                raise Trouble("Open vSwitch ended")
            text += part
            try:
                answer = json.loads(text)
                break
            except ValueError:
                continue
        if answer.get("error"):
            raise Trouble(f"Open vSwitch refuses {method}: {answer['error']}")
        return answer["result"]

    # A pause of the whole program would look to it as if looking after its flows took as long, and it would throw them
    # away. So only the thread that polls stands back, behind everyone else on its core.
    def rest(self):
        os.sched_setscheduler(self.thread, os.SCHED_IDLE, os.sched_param(0))

    def go_on(self):
        os.sched_setscheduler(self.thread, os.SCHED_OTHER, os.sched_param(0))

    def ready(self):
        """Every pair has its flow."""
        found = re.search(r"flows: (\d+)", self.appctl("dpctl/show"))
        return bool(found) and int(found[1]) >= self.setup.macs

    def count(self):
        text = self.appctl("dpctl/show", "-s")
        ports = dict(re.findall(r"port \d+: (\S+) \(.*?\)\n(.*?)(?=\n  port|\Z)", text, re.S))
        received = re.search(r"RX packets:(\d+)", ports["source"])
        sent = re.search(r"TX packets:(\d+)", ports["sink"])
        return int(received[1]), int(sent[1])

    def end(self):
        if self.rpc:
            self.rpc.close()
        super().end()


def wait_ready(contestant, seconds):
    """Lets a contestant learn; true when it has all that it will need."""
    deadline = time.monotonic() + seconds
    while not contestant.ready():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True
