"""Network namespaces of the lab: make, enter, delete, run programs inside.

The build root sees the host's /run/netns through a private mount, so a
namespace made here would stay invisible to the host.  Namespaces are therefore
mounted twice: in the mount namespace of the host (that of the process named by
LUYTRE_HOST_PID, the calling script) and in our own.
"""
import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import time

NETNS_DIR = "/run/netns"
CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MNT_DETACH = 2
libc = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """Something a person must know; the text says what and how to go on."""


def mount_bind(source, target):
    """Bind SOURCE on TARGET, both paths."""
    if libc.mount(source.encode(), target.encode(), None, MS_BIND, None) != 0:
        err = ctypes.get_errno()
        raise OSError(err, f"mount {source} on {target}: {os.strerror(err)}")


def umount(target):
    """Take away a mount; quiet when there is none."""
    libc.umount2(target.encode(), MNT_DETACH)


def path(name):
    return f"{NETNS_DIR}/{name}"


def exists(name):
    return os.path.exists(path(name))


def _host_do(function):
    """Run FUNCTION() in a child inside the host's mount namespace.

    Returns (pid, release): the child has done its work and stays until
    release() is called, so that its namespaces can be taken over.
    """
    host = os.environ.get("LUYTRE_HOST_PID")
    if not host:
        raise LabError("LUYTRE_HOST_PID is not set: start the lab with tests/lab/lab")
    ready_r, ready_w = os.pipe()
    go_r, go_w = os.pipe()
    pid = os.fork()
    if pid == 0:
        text = b"ok"
        try:
            os.close(go_w)
            fd = os.open(f"/proc/{host}/ns/mnt", os.O_RDONLY)
            os.setns(fd, CLONE_NEWNS)
            function()
        except BaseException as e:  # reported by the parent
            text = str(e).encode()
        os.write(ready_w, text)
        os.read(go_r, 1)
        os._exit(0)
    os.close(ready_w)
    os.close(go_r)

    def release():
        os.close(go_w)
        os.waitpid(pid, 0)

    text = os.read(ready_r, 1000).decode()
    os.close(ready_r)
    if text != "ok":
        release()
        raise LabError(text or "the helper in the host's mount namespace died")
    return pid, release


def add(name):
    """Make the namespace NAME; fails when it exists."""
    target = path(name)

    def make():
        os.makedirs(NETNS_DIR, exist_ok=True)
        os.close(os.open(target, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o444))
        try:
            os.unshare(CLONE_NEWNET)
            mount_bind("/proc/self/ns/net", target)
        except OSError:
            os.unlink(target)
            raise

    pid, release = _host_do(make)
    try:
        mount_bind(f"/proc/{pid}/ns/net", target)
    finally:
        release()


def delete(name):
    """Delete the namespace NAME; quiet when it does not exist."""
    if not exists(name):
        return
    target = path(name)

    def remove():
        umount(target)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(target)

    umount(target)
    _host_do(remove)[1]()


_cpus = os.sched_getaffinity(0)
_own = os.open("/proc/self/ns/net", os.O_RDONLY)


@contextlib.contextmanager
def inside(name):
    """The calling thread works in namespace NAME (None: where it started)."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    fd = _own if name is None else os.open(path(name), os.O_RDONLY)
    try:
        os.setns(fd, CLONE_NEWNET)
        yield
    finally:
        os.setns(before, CLONE_NEWNET)
        os.close(before)
        if fd != _own:
            os.close(fd)


def sock(name, *args):
    """A socket that lives in namespace NAME."""
    with inside(name):
        return socket.socket(*args)


def run(name, argv, check=True, text_in=None, timeout=60):
    """Run ARGV in namespace NAME; returns the finished process with its output."""
    with inside(name):
        p = subprocess.run(argv, input=text_in, capture_output=True, text=True,
                           timeout=timeout, check=False)
    if check and p.returncode != 0:
        raise LabError(f"{name}: {' '.join(argv)}: exit {p.returncode}: "
                       f"{(p.stderr or p.stdout).strip()}")
    return p


def ip(name, lines):
    """Run `ip` commands (one a line) in namespace NAME."""
    if lines:
        run(name, ["ip", "-batch", "-"], text_in="\n".join(lines) + "\n")


def sysctl(name, values, optional=False):
    """Write {key: value} below /proc/sys of namespace NAME."""
    with inside(name):
        for key, value in values.items():
            file = "/proc/sys/" + key
            if optional and not os.path.exists(file):
                continue
            with open(file, "w", encoding="ascii") as f:
                f.write(str(value))


def sysctl_get(name, key):
    """Read one sysctl (slashes, below /proc/sys) in namespace NAME."""
    with inside(name), open("/proc/sys/" + key, encoding="ascii") as f:
        return f.read().strip()


# Processes -----------------------------------------------------------------

def start_time(pid):
    """Start time of a process in clock ticks; None when it is gone or a zombie.

    Together with the pid it names one process for ever.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            fields = f.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def spawn(name, argv, log, env=None, cwd=None):
    """Start a background program in NAME, in a session of its own."""
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, _cpus)      # packets.Cables keeps us on one processor
    try:
        with open(log, "ab") as out, inside(name):
            return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out,
                                    stderr=out, start_new_session=True, env=env, cwd=cwd)
    finally:
        os.sched_setaffinity(0, cpus)


def wait_gone(pid, timeout):
    """Wait until PID has ended; True when it has."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        gone = bool(select.select([fd], [], [], timeout)[0])
    finally:
        os.close(fd)
    if gone:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    return gone


def end(pid, started, grace=5):
    """End one process group that spawn() made: TERM, then KILL."""
    if start_time(pid) != started or started is None:
        return
    for sig, timeout in ((signal.SIGTERM, grace), (signal.SIGKILL, 10)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, sig)
        if wait_gone(pid, timeout):
            break
    else:
        raise LabError(f"process {pid} does not end")
    with contextlib.suppress(ProcessLookupError):  # members that outlived the leader
        os.killpg(pid, signal.SIGKILL)


def write_json(file, value):
    """Replace FILE by VALUE as JSON, whole or not at all."""
    with open(file + ".new", "w", encoding="utf-8") as f:
        json.dump(value, f, indent=1, ensure_ascii=False)
        f.write("\n")
    os.replace(file + ".new", file)


def deadline(seconds):
    """A function that gives the seconds left, never below 0."""
    stop = time.monotonic() + seconds
    return lambda: max(0.0, stop - time.monotonic())
