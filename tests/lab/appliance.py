"""The appliance of a lab: power, console, shell, configuration.

Both boards are used through one class each with the same methods; tests do not
know which one they have.
"""
import base64
import contextlib
import ctypes
import hashlib
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import time

import ns
import signing
import topology
from ns import LabError
from province import ns_name

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
DEVCTL = "/usr/libexec/luytre/devctl"
TASKS = ("policyd", "webd")    # what a test may kill; svcd restarts it


class Console:
    """The appliance's console, followed through its log file."""

    IN_MODIFY = 2

    def __init__(self, file, alive):
        self.file = file
        self.alive = alive      # function: is the appliance running?
        self.at = 0             # where the next wait_for() begins to look
        self.inotify = ns.libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self.inotify < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        if ns.libc.inotify_add_watch(self.inotify, file.encode(), self.IN_MODIFY) < 0:
            raise OSError(ctypes.get_errno(), f"inotify_add_watch {file}")

    def text(self, start=0):
        """Everything the console has said since byte START; an event that stands behind
        the prompt of the serial menu begins a line of its own."""
        with open(self.file, "rb") as f:
            f.seek(start)
            text = f.read().decode("utf-8", "replace").replace("\r", "")
        return re.sub(r"(?<=[^\n])(?=luytre: \w+: )", "\n", text)

    def end(self):
        """Where the console stands now, for `since`."""
        return os.path.getsize(self.file)

    def tail(self, lines=15):
        return "\n".join("    | " + line for line in self.text().splitlines()[-lines:])

    def find(self, pattern, since=0):
        return re.search(pattern, self.text(since), re.M)

    def wait_for(self, pattern, timeout, since=None):
        """Wait for a line; returns the match, raises LabError with the tail."""
        since = self.at if since is None else since
        left = ns.deadline(timeout)
        while True:
            running = self.alive()      # asked before the text, or a last line is lost
            found = self.find(pattern, since)
            if found:
                return found
            if not running:
                raise LabError(f"the appliance ended while waiting for /{pattern}/; "
                               f"its console:\n{self.tail()}")
            if not left():
                raise LabError(f"no console line /{pattern}/ within {timeout:.0f} s; "
                               f"its console:\n{self.tail()}")
            select.select([self.inotify], [], [], min(1.0, left()))
            with contextlib.suppress(BlockingIOError):
                os.read(self.inotify, 65536)

    def close(self):
        os.close(self.inotify)


IFA_F_TENTATIVE = 0x40      # linux/if_addr.h


class Appliance:
    """What both boards have in common."""

    board = None
    console_name = None
    ready_s = 30            # limit from power-on to "closed" or "enforced"

    def __init__(self, lab, directory):
        self.lab = lab
        self.dir = directory
        self.box = ns_name(lab, "box")
        self.pid = self.started = self.console = None
        self.powered_at = None
        self.options = []       # more arguments for the board's `run`
        self.device = f"LT-LAB-{lab}"
        self.version = 0        # highest version that was signed
        self.last_signed = None

    # Power

    def command(self):
        """The program that is the appliance, in the foreground."""
        run = os.path.join(TOP, "board", self.board, "run")
        return [run, "--run-dir", self.dir, "--serial", self.device, *self.options]

    def power_on(self):
        """Start the appliance; does not wait for anything."""
        os.makedirs(self.dir, exist_ok=True)
        file = os.path.join(self.dir, self.console_name)
        open(file, "wb").close()
        self.powered_at = time.monotonic()
        p = ns.spawn(self.box, self.command(), os.path.join(self.dir, "run.log"))
        self.pid, self.started = p.pid, ns.start_time(p.pid)
        self.attach()

    def adopt(self, pid, started):
        """Take over an appliance that another process has started."""
        self.pid, self.started = pid, started
        self.attach()

    def attach(self):
        if self.console:
            self.console.close()
        self.console = Console(os.path.join(self.dir, self.console_name), self.alive)

    def alive(self):
        if self.pid is None or self.started is None:
            return False
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        return ns.start_time(self.pid) == self.started

    def power_off(self):
        """Pull the plug: no shutdown, no goodbye."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                if self.alive():
                    os.killpg(self.pid, signal.SIGKILL)
            if not ns.wait_gone(self.pid, 10):
                raise LabError(f"the appliance (process {self.pid}) does not end")
        self.pid = self.started = None

    def power_cycle(self):
        """Off, a kernel that knows nothing, on again with the same storage."""
        self.power_off()
        topology.unplug_box(self.lab)
        ns.add(self.box)
        topology.make_box(self.lab, self.board)
        self.power_on()

    def erase(self):
        """Forget the stored configuration (only while switched off)."""
        raise NotImplementedError

    def wait_ready(self, state="closed|enforced"):
        """Wait for policyd to say STATE after power-on; the match."""
        return self.console.wait_for(rf"^luytre: policyd: ({state})\b.*$", self.ready_s,
                                     since=0)

    # Talk

    def shell(self, command, text_in=None, timeout=30):
        """Run a shell command on the appliance: (exit code, output)."""
        raise NotImplementedError

    def shell_ok(self, command, **args):
        code, out = self.shell(command, **args)
        if code != 0:
            raise LabError(f"on the appliance: {command}: exit {code}: {out.strip()}")
        return out

    def put(self, file, data):
        """Write DATA (bytes) to FILE on the appliance."""
        raise NotImplementedError

    def sign(self, config):
        """A configuration (dict, text or bytes) as a signed artifact; its version is
        the document's serial, or the next one when it has none."""
        if isinstance(config, dict):
            config = json.dumps(config, ensure_ascii=False)
        if isinstance(config, str):
            config = config.encode()
        version = signing.serial_of(config) or self.version + 1
        self.version = max(self.version, version)
        self.last_signed = signing.artifact(config, version, self.device)
        return self.last_signed

    def apply_file(self, data):
        """Give bytes to policyd as they are: (exit code, text)."""
        self.put("/run/lab-config", data)
        return self.shell(f"{DEVCTL} apply /run/lab-config 2>&1", timeout=60)

    def apply(self, config):
        """Sign a configuration and give it to policyd: (exit code, text)."""
        return self.apply_file(self.sign(config))

    def confirm(self, text):
        """Confirm the trial whose code is in TEXT, the answer of apply()."""
        code = re.search(r"\bconfirm=(\d+)", text)
        if not code:
            raise LabError(f"no confirmation code in: {text.strip()}")
        return self.shell(f"{DEVCTL} confirm {code.group(1)} 2>&1")

    def enforce(self, config):
        """Apply and confirm a configuration; raises LabError if it is not accepted."""
        code, text = self.apply(config)
        if code == 0 and "confirm=" in text:
            code, text = self.confirm(text)
        if code != 0:
            raise LabError(f"configuration not accepted (exit {code}): {text.strip()}")

    def wait_addresses(self, timeout=20):
        """Wait until the appliance knows that its IPv6 addresses are unique (RFC 4862
        5.4); before that it resolves no neighbour, so IPv6 does not cross."""
        left = ns.deadline(timeout)
        while any(int(line.split()[4], 16) & IFA_F_TENTATIVE for line in
                  self.shell_ok("cat /proc/net/if_inet6").splitlines()):
            if not left():
                raise LabError("the appliance's IPv6 addresses stay tentative")

    def status(self):
        """`devctl status` as a dictionary."""
        out = self.shell_ok(f"{DEVCTL} status")
        return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)

    def ruleset(self):
        """`nft list ruleset` of the appliance, as text."""
        raise NotImplementedError

    def ruleset_static(self):
        """The ruleset without what traffic changes (counters, meters), sets and chains in
        the order of their names."""
        text = re.sub(r"counter packets \d+ bytes \d+", "counter", self.ruleset())
        text = re.sub(r"(packets|used) \d+( bytes \d+)?", r"\1", text)
        blocks = re.compile(r"^\t(?:set|map|chain) .*?^\t\}\n", re.M | re.S)
        return "".join(sorted(blocks.findall(text))) + blocks.sub("", text)

    def task_pid(self, task):
        """Pid of a task as its own shell sees it; None when it does not run."""
        code, out = self.shell(f"pidof {task}")
        return int(out.split()[0]) if code == 0 else None

    def kill(self, task, timeout=20):
        """kill -9 one task and wait until svcd has started it again."""
        since = self.console.end()
        self.shell_ok(f"kill -9 {self.task_pid(task)}")
        self.console.wait_for(rf"^luytre: svcd: died task={task}\b", timeout, since=since)
        self.console.wait_for(rf"^luytre: svcd: started task={task}\b", timeout,
                              since=since)
        if task == "policyd":
            self.console.wait_for(r"^luytre: policyd: (enforced|closed)\b.*\n", timeout,
                                  since=since)
        if task == "webd":
            self.console.wait_for(r"^luytre: webd: ready\b", timeout, since=since)

    def sysctl(self, key):
        """A sysctl (slashes) as the appliance has it."""
        return self.shell_ok(f"cat /proc/sys/{key}").strip()


class HostAppliance(Appliance):
    """Board host: the daemons in a namespace of this machine."""

    board = "host"
    console_name = "console.log"

    def __init__(self, lab, directory):
        super().__init__(lab, directory)
        self.init = None

    def _svcd(self):
        """Pid (ours) of the appliance's PID 1."""
        if self.init and ns.start_time(self.init[0]) == self.init[1]:
            return self.init[0]
        todo = [self.pid]
        while todo:
            pid = todo.pop()
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
                    nspid = re.search(r"^NSpid:(.*)$", f.read(), re.M).group(1).split()
                if len(nspid) > 1 and nspid[-1] == "1":
                    self.init = (pid, ns.start_time(pid))
                    return pid
                with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
                    todo += [int(p) for p in f.read().split()]
        raise LabError(f"the appliance has no PID 1; its console:\n{self.console.tail()}")

    def _enter(self, argv):
        return ["nsenter", "-t", str(self._svcd()), "-m", "-p", "-n", "-r", "-w", "--", *argv]

    def shell(self, command, text_in=None, timeout=30):
        path = "PATH=/usr/sbin:/usr/bin:/usr/libexec/luytre"
        p = subprocess.run(self._enter(["env", path, "sh", "-c", command]), input=text_in, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           timeout=timeout, check=False, errors="replace")
        return p.returncode, p.stdout

    def put(self, file, data):
        subprocess.run(self._enter(["sh", "-c", f"cat >{file}"]), input=data, check=True,
                       timeout=30)

    def ruleset(self):
        return ns.run(self.box, ["nft", "-n", "list", "ruleset"]).stdout

    def outer_pid(self, task):
        """Pid of a task as this machine sees it; None when it does not run."""
        init = self._svcd()
        with open(f"/proc/{init}/task/{init}/children", encoding="ascii") as f:
            for pid in f.read().split():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    with open(f"/proc/{pid}/comm", encoding="ascii") as c:
                        if c.read().strip() == task:
                            return int(pid)
        return None

    def task_pid(self, task):
        pid = self.outer_pid(task)
        if pid is None:
            return None
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open(f"/proc/{pid}/status", encoding="ascii") as s:
                inner = re.search(r"^NSpid:(.*)$", s.read(), re.M)
            return int(inner.group(1).split()[-1])
        return None

    def sysctl(self, key):
        return ns.sysctl_get(self.box, key)

    def erase(self):
        shutil.rmtree(os.path.join(self.dir, "conf"), ignore_errors=True)


class QemuAppliance(Appliance):
    """Board qemu-arm64: the real image in an emulated machine."""

    board = "qemu-arm64"
    console_name = "serial.log"
    ready_s = 180

    def __init__(self, lab, directory):
        super().__init__(lab, directory)
        self.link = None
        self.count = 0

    def command(self):
        return super().command() + ["--disk", os.path.join(self.dir, "disk.img"),
                                    "--lab", str(self.lab)]

    def power_off(self):
        if self.link:
            self.link.close()
            self.link = None
        super().power_off()

    def _connect(self):
        """The development shell on hvc0, without echo and prompt."""
        self.link = socket.socket(socket.AF_UNIX)
        with _chdir(self.dir):      # a socket's path is at most 107 bytes long
            self.link.connect("dev.sock")
        self.link.sendall(b"\n")
        self._talk("stty -echo -onlcr 2>/dev/null; PS1=; PS2=; set +m", 20)

    def _talk(self, command, timeout):
        self.count += 1
        name = f"luytre{os.getpid()}x{self.count}"
        self.link.sendall(f"{command}\nprintf '\\n@%s %d@\\n' {name} $?\n".encode())
        got = b""
        left = ns.deadline(timeout)
        pattern = re.compile(rb"\n@%s (\d+)@" % name.encode())
        while True:
            if not left() or not select.select([self.link], [], [], left())[0]:
                raise LabError(f"the appliance's shell does not answer to: {command[:80]}")
            new = self.link.recv(65536)
            if not new:
                raise LabError("the appliance's shell has gone away")
            got += new
            found = pattern.search(got.replace(b"\r", b""))
            if found:
                text = got.replace(b"\r", b"")[:found.start()]
                return int(found.group(1)), text.decode("utf-8", "replace")

    def shell(self, command, text_in=None, timeout=60):
        if text_in is not None:
            self.put("/run/lab-input", text_in.encode())
            command = f"( {command} ) </run/lab-input"
        if not self.link:
            self._connect()
        return self._talk(command, timeout)

    def put(self, file, data):
        if not self.link:
            self._connect()
        lines = base64.encodebytes(data).decode()
        code, out = self._talk(f"base64 -d >{file} <<'LAB_END'\n{lines}LAB_END", 60)
        if code != 0:
            raise LabError(f"cannot write {file} on the appliance: {out.strip()}")

    def ruleset(self):
        """Read until it is whole: QEMU's console drops what its reader does not take."""
        self.shell_ok("nft -n list ruleset >/run/lab-ruleset")
        for _ in range(10):
            out = self.shell_ok("cat /run/lab-ruleset; busybox sha256sum </run/lab-ruleset")
            text, _, end = out.rstrip().rpartition("\n")
            text += "\n"
            if end.split()[:1] == [hashlib.sha256(text.encode()).hexdigest()]:
                return text
        raise LabError("the ruleset does not come through the console whole")

    def erase(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.dir, "disk.img"))


@contextlib.contextmanager
def _chdir(directory):
    before = os.getcwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)


def make(board, lab, directory):
    """The appliance class of BOARD."""
    for kind in (HostAppliance, QemuAppliance):
        if kind.board == board:
            return kind(lab, directory)
    raise LabError(f"BOARD={board}: the lab knows the boards host and qemu-arm64")
