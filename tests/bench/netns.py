"""Network namespaces without names: they end with the process that made them."""
import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import subprocess

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
NETLINK_NETFILTER = 12
CTNETLINK_DELETE = 1 << 8 | 2
NLM_F_REQUEST_ACK = 0x1 | 0x4
libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """One network namespace, held by a descriptor."""

    def __init__(self):
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            os.unshare(CLONE_NEWNET)
            self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        finally:
            os.setns(before, CLONE_NEWNET)
            os.close(before)

    @contextlib.contextmanager
    def inside(self):
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            os.setns(self.fd, CLONE_NEWNET)
            yield
        finally:
            os.setns(before, CLONE_NEWNET)
            os.close(before)

    def run(self, argv, text_in=None, timeout=120):
        """Run a program inside; its output. An exit code other than 0 is an error."""
        with self.inside():
            p = subprocess.run(argv, input=text_in, capture_output=True, text=True,
                               timeout=timeout, check=False)
        if p.returncode:
            raise RuntimeError(f"{' '.join(argv)}: exit {p.returncode}: {p.stderr.strip()}")
        return p.stdout

    def ip(self, *lines):
        self.run(["ip", "-batch", "-"], text_in="\n".join(lines) + "\n")

    def sysctl(self, key, value):
        with self.inside(), open("/proc/sys/" + key, "w", encoding="ascii") as f:
            f.write(str(value))

    def tun(self, name):
        """A tun interface nobody reads: what is sent there is gone. Its descriptor."""
        with self.inside():
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(),
                                                   IFF_TUN | IFF_NO_PI))
        return fd

    def sent(self, name):
        """Packets that were handed to interface NAME."""
        with self.inside(), open("/proc/thread-self/net/dev", encoding="ascii") as f:
            for line in f:
                word, _, rest = line.partition(":")
                if word.strip() == name:
                    fields = rest.split()
                    return int(fields[9]) + int(fields[11])
        raise RuntimeError(f"no interface {name}")

    def forget_flows(self):
        """Empty the connection table."""
        body = struct.pack("BBH", socket.AF_UNSPEC, 0, 0)
        head = struct.pack("=IHHII", 16 + len(body), CTNETLINK_DELETE, NLM_F_REQUEST_ACK,
                           1, 0)
        with self.inside():
            s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        with s:
            s.settimeout(30)
            s.send(head + body)
            answer = s.recv(4096)
        error = struct.unpack_from("=i", answer, 16)[0]
        if error:
            raise OSError(-error, "emptying the connection table")
