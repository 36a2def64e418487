"""One emulated board: power, console, shell, QMP, its disk.

Everything runs in the build root's own namespaces, so the taps that a machine
with network needs are made here and vanish with the run.
"""
import contextlib
import json
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lab")]

import appliance  # noqa: E402
import ns  # noqa: E402
import province  # noqa: E402
from ns import LabError  # noqa: E402

TOP = os.path.realpath(os.path.join(HERE, "../.."))
OUT = os.path.join(TOP, "out/qemu-arm64")
RELEASE = os.path.join(TOP, "out/qemu-arm64-release")
RUN = os.path.join(TOP, "out/run/qemu")
MIB = 1 << 20
DISK_MIB = 512
# Whole lines: the console is followed while it is being written.
CLOSED = r"^luytre: policyd: closed\b.*\n"
STAYS_CLOSED = r"^luytre: svcd: ready task=policyd state=closed\b.*\n"
ENFORCED = r"^luytre: policyd: enforced\b.*\n"
BOOT = r"^luytre: svcd: boot\b.*\n"


def make_taps():
    """The seven ports' cables, ending nowhere."""
    there = {name for _, name in socket.if_nameindex()}
    for i in range(7):
        if f"t{i}" not in there:
            subprocess.run(["ip", "tuntap", "add", f"t{i}", "mode", "tap"], check=True)
        subprocess.run(["ip", "link", "set", f"t{i}", "up"], check=True)


def make_disk(file, root=OUT, conf=None):
    """A disk image with the root file system of ROOT; CONF is a dictionary
    {path below /conf: bytes}, None leaves the data partitions blank."""
    argv = ["toolchain/image/disk", "--out", file, "--size-mib", str(DISK_MIB),
            "--root", os.path.join(root, "root.squashfs")]
    folder = file + ".conf"
    if conf is not None:
        for path, data in conf.items():
            place = os.path.join(folder, path)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with open(place, "wb") as f:
                f.write(data)
        argv += ["--conf", folder]
    try:
        subprocess.run(argv, cwd=TOP, check=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def config(serial=1, **members):
    """The lab's configuration as bytes, without its SOC: nobody is on these cables."""
    members.setdefault("rules", province.RULES)
    return json.dumps(province.config("qemu-arm64", serial=serial, **members),
                      ensure_ascii=False).encode()


class Qmp:
    """QEMU's control socket."""

    def __init__(self, directory):
        self.sock = socket.socket(socket.AF_UNIX)
        with appliance._chdir(directory):
            self.sock.connect("qmp.sock")
        self.file = self.sock.makefile("rb")
        self.events = []
        self.file.readline()        # greeting
        self.command("qmp_capabilities")

    def _next(self):
        line = self.file.readline()
        if not line:
            raise LabError("QEMU closed its control socket")
        return json.loads(line)

    def command(self, name, **arguments):
        """Run one QMP command; its result."""
        words = {"execute": name}
        if arguments:
            words["arguments"] = arguments
        self.sock.sendall(json.dumps(words).encode() + b"\n")
        while True:
            got = self._next()
            if "event" in got:
                self.events.append(got)
            elif "error" in got:
                raise LabError(f"QMP {name}: {got['error']['desc']}")
            else:
                return got["return"]

    def wait_event(self, name, timeout):
        """The next event NAME, None when there is none within TIMEOUT seconds."""
        left = ns.deadline(timeout)
        while True:
            for i, event in enumerate(self.events):
                if event["event"] == name:
                    return self.events.pop(i)
            # What the last answer brought along was read with it, line by line.
            if not select.select([self.sock], [], [], left())[0]:
                return None
            self.events.append(self._next())

    def close(self):
        self.file.close()
        self.sock.close()


class Machine(appliance.QemuAppliance):
    """The board as tests use it: `with Machine("name") as m`."""

    ready_s = 120

    def __init__(self, name, conf=None, root=OUT, net=False):
        super().__init__(0, os.path.join(RUN, name))
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        self.name, self.net = name, net
        self.disk = os.path.join(self.dir, "disk.img")
        self.qmp_link = None
        make_disk(self.disk, root, conf)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.power_off()
        if self.console:
            self.console.close()
            self.console = None
        if kind is None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.disk)

    def power_on(self):
        """Start QEMU; does not wait for anything."""
        if self.net:
            make_taps()
        argv = ["board/qemu-arm64/run", "--run-dir", os.path.relpath(self.dir, TOP),
                "--disk", os.path.relpath(self.disk, TOP), "--serial", self.device]
        open(os.path.join(self.dir, "serial.log"), "wb").close()
        with open(os.path.join(self.dir, "run.log"), "ab") as log:
            self.powered_at = time.monotonic()
            p = subprocess.Popen(argv + ([] if self.net else ["--no-net"]), cwd=TOP,
                                 stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                 start_new_session=True)
        self.pid, self.started = p.pid, ns.start_time(p.pid)
        self.attach()

    def power_off(self):
        """Pull the plug."""
        if self.qmp_link:
            self.qmp_link.close()
            self.qmp_link = None
        super().power_off()

    def wait(self, pattern, timeout=None, since=0):
        return self.console.wait_for(pattern, timeout or self.ready_s, since=since)

    def boot(self, pattern=CLOSED):
        """Power on and wait for a line: seconds from QEMU's start to it."""
        self.power_on()
        self.wait(pattern)
        return time.monotonic() - self.powered_at

    def lines(self, pattern, since=0):
        """All console lines with PATTERN in them."""
        return [line for line in self.console.text(since).splitlines(keepends=True)
                if re.search(pattern, line)]

    def qmp(self):
        if not self.qmp_link:
            self.qmp_link = Qmp(self.dir)
        return self.qmp_link

    def serial_input(self):
        """A socket whose bytes arrive at the serial console."""
        sock = socket.socket(socket.AF_UNIX)
        with appliance._chdir(self.dir):
            sock.connect("serial.sock")
        return sock

    # The disk, while the machine is off

    def place(self, name):
        """(offset, length) in bytes of a partition."""
        at, places = 0, {}
        with open(os.path.join(TOP, "board/common/partitions"), encoding="utf-8") as f:
            for line in f:
                words = line.split("#")[0].split()
                if len(words) < 2:
                    continue
                size = DISK_MIB - at - 1 if words[1] == "rest" else int(words[1])
                places[words[0]] = (at * MIB, size * MIB)
                at += size
        return places[name]

    def read_part(self, name):
        at, size = self.place(name)
        with open(self.disk, "rb") as f:
            f.seek(at)
            return f.read(size)

    def write_part(self, name, data, offset=0):
        """Overwrite a partition from OFFSET; from its end when negative."""
        at, size = self.place(name)
        if offset < 0:
            offset += size
        if offset + len(data) > size:
            raise LabError(f"{len(data)} bytes at {offset} do not fit into {name}")
        with open(self.disk, "r+b") as f:
            f.seek(at + offset)
            f.write(data)

    def debugfs(self, name, *commands):
        """Change the file system of a partition with debugfs."""
        copy = os.path.join(self.dir, "part.img")
        with open(copy, "wb") as f:
            f.write(self.read_part(name))
        for command in commands:
            subprocess.run(["debugfs", "-w", "-R", command, copy], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(copy, "rb") as f:
            self.write_part(name, f.read())
        os.unlink(copy)
