"""Processes, CPU time, huge pages and what the machine is."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import time


class Trouble(Exception):
    """Something cannot be measured; the text says why and what to do."""


class Program:
    """A program of the run: its output in a file, stopped and continued, ended with the run."""

    def __init__(self, name, command, log, environment=None, talk=False):
        self.name, self.log = name, log
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                # Even SIGKILL of this run leaves nobody polling.
                ["setpriv", "--pdeathsig", "KILL", "--", *command],
                stdin=subprocess.PIPE if talk else subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        self.pid = self.process.pid

    def said(self):
        return self.log.read_text(errors="replace")

    def tell(self, line):
        """A line on its standard input."""
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def wait_until(self, done, seconds, what):
        """Waits for a condition that the program brings about."""
        deadline = time.monotonic() + seconds
        while not done():
            if self.process.poll() is not None:
                raise Trouble(f"{self.name} ended: {last_lines(self.said())}")
            if time.monotonic() > deadline:
                raise Trouble(f"{self.name}: not {what} within {seconds} s: {last_lines(self.said())}")
            time.sleep(0.05)

    def rest(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()

    def thread(self, pattern):
        """The number of its thread with such a name."""
        for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
            if re.fullmatch(pattern, (task / "comm").read_text().strip()):
                return int(task.name)
        return None


def last_lines(text, count=4):
    return " | ".join(text.strip().splitlines()[-count:])


def cpu_seconds(pid, thread):
    """CPU time that a thread has had, in seconds."""
    return int(pathlib.Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0]) / 1e9


def ask(path, line, kind=socket.SOCK_STREAM):
    """One line to a Unix socket, one answer back."""
    with socket.socket(socket.AF_UNIX, kind) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        if kind == socket.SOCK_SEQPACKET:
            connection.recv(65536)  # DPDK greets
            connection.send(line.encode())
            return connection.recv(1 << 20).decode()
        connection.sendall(line.encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            part = connection.recv(1 << 16)
            if not part:
                break
            answer += part
        return answer.decode()


def run(*command):
    """A short command; its output."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Trouble(f"'{' '.join(command)}' failed: {last_lines(done.stdout + done.stderr)}")
    return done.stdout


@contextlib.contextmanager
def huge_pages(mebibytes):
    """True while so much memory in 2 MB pages is free for who starts now; what was taken for it goes back at the end."""
    total = pathlib.Path("/proc/sys/vm/nr_hugepages")
    pages = -(-mebibytes // 2)
    before = None
    try:
        if total.exists() and free_huge_pages() < pages:
            before = int(total.read_text())
            total.write_text(f"{before + pages - free_huge_pages()}\n")
    except OSError:
        before = None  # The kernel does not let us.
    try:
        yield free_huge_pages() >= pages
    finally:
        if before is not None:
            try:
                total.write_text(f"{before}\n")
            except OSError:
                pass


def free_huge_pages():
    found = re.search(r"HugePages_Free:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())
    return int(found[1]) if found else 0


def machine():
    """What was measured on."""
    info = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*:\s*(.+)", info)
    kernel = os.uname().release.split("-")[0]
    virtual = "hypervisor" in info
    return {
        "cpu": model[1].strip() if model else "unknown",
        "tsc_mhz": round(tsc_hz() / 1e6),
        "virtual": virtual,
        "kernel": kernel,
        "dpdk": version("pkg-config", "--modversion", "libdpdk"),
        "ovs": version("ovs-vsctl", "--version"),
    }


def version(*command):
    try:
        lines = run(*command).strip().splitlines()
    except (OSError, Trouble):
        return None
    return lines[0].split()[-1] if lines else None


def tsc_hz():
    """Ticks of the time stamp counter in a second, by which cycles are counted."""
    info = pathlib.Path("/proc/cpuinfo").read_text()
    bogus = re.search(r"bogomips\s*:\s*([\d.]+)", info)
    # The kernel takes its delay loop from the counter, at two turns a tick.
    return float(bogus[1]) * 1e6 / 2 if bogus else 0.0
