"""A fast stream of packets for long tests: constant rate, bounded memory.

Two kinds of packets go out of one thread. Forbidden ones lie ready in one
buffer and leave by sendmmsg(); each has a mark of its own, so that one that
crosses tells which it was. Permitted ones carry a number that goes up by one
with each packet of their flow; the receiver keeps one Tally a flow.
"""
import ctypes
import struct
import threading
import time

import ns
import packets

BATCH = 1024        # the kernel's limit for one sendmmsg()
TICK_S = 0.005
NUMBER = b"LTn"     # first bytes of a numbered payload: NUMBER, flow, number


def numbered(flow, number):
    """Payload of packet NUMBER of flow FLOW (0-255)."""
    return NUMBER + struct.pack("!BI", flow, number)


class Burst:
    """Ready-made frames of one cable that are sent round and round."""

    def __init__(self, cable, frames):
        assert 0 < len(frames) <= BATCH
        self.cable = cable
        self.count = len(frames)
        self.keep = [ctypes.create_string_buffer(f, len(f)) for f in frames]
        self.iov = (packets._Iovec * self.count)()
        self.msg = (packets._Mmsghdr * self.count)()
        for i, b in enumerate(self.keep):
            self.iov[i].base = ctypes.addressof(b)
            self.iov[i].len = len(b)
            self.msg[i].hdr.iov = ctypes.pointer(self.iov[i])
            self.msg[i].hdr.iovlen = 1
        self.at = 0

    def send(self, want):
        """Send up to WANT frames; how many the kernel took."""
        want = min(want, self.count - self.at)
        start = ctypes.addressof(self.msg) + self.at * ctypes.sizeof(packets._Mmsghdr)
        n = ns.libc.sendmmsg(self.cable.fileno(), ctypes.c_void_p(start), want, 0)
        if n < 0:
            err = ctypes.get_errno()
            if err not in (11, 105):    # EAGAIN, ENOBUFS: the next round tries again
                raise OSError(err, "sendmmsg")
            return 0
        self.at = (self.at + n) % self.count
        return n


class Tally:
    """What has arrived of one numbered flow: each number once, in order."""

    def __init__(self):
        self.next = 0       # number expected now
        self.lost = 0
        self.odd = 0        # again, or after a later one

    def take(self, number):
        if number < self.next:
            self.odd += 1
        else:
            self.lost += number - self.next
            self.next = number + 1


class Flow:
    """One permitted flow: MAKE(number, payload) builds its packets."""

    def __init__(self, name, cable, to, make):
        self.name, self.cable, self.to, self.make = name, cable, to, make
        self.sent = 0
        self.tally = Tally()


class Stream(threading.Thread):
    """Sends BURSTS at RATE packets a second together, and each of FLOWS at FLOW_RATE."""

    def __init__(self, bursts, rate, flows, flow_rate):
        super().__init__(daemon=True)
        self.bursts, self.rate = bursts, rate
        self.flows, self.flow_rate = flows, flow_rate
        self.sent = 0               # of the bursts
        self.ended = threading.Event()
        self.moved = threading.Condition()
        self.seconds = 0.0

    def run(self):
        start = time.monotonic()
        turn = 0
        while not self.ended.wait(TICK_S):
            now = time.monotonic() - start
            due = int(now * self.rate) - self.sent
            while due > 0:
                n = self.bursts[turn % len(self.bursts)].send(due)
                turn += 1
                self.sent += n
                due -= n or due
            for number, f in enumerate(self.flows):
                while f.sent < int(now * self.flow_rate):
                    packet = f.make(f.sent, numbered(number, f.sent))
                    if not f.cable.send(packet):
                        raise ns.LabError(f"{f.name}: the cable has gone")
                    f.sent += 1
            with self.moved:
                self.moved.notify_all()
        self.seconds = time.monotonic() - start

    def wait_sent(self, count, timeout=30):
        """Wait until COUNT more packets of the bursts have been sent."""
        goal = self.sent + count
        with self.moved:
            if not self.moved.wait_for(lambda: self.sent >= goal, timeout):
                raise ns.LabError(f"the stream stands still at packet {self.sent}")

    def stop(self):
        self.ended.set()
        self.join()

    def take(self, frames):
        """Tally the numbered ones of captured frames; the rest is returned."""
        rest = []
        for f in frames:
            at = f.frame.find(NUMBER, 34)
            if at < 0 or f.is_error:
                rest.append(f)
                continue
            number, count = struct.unpack_from("!BI", f.frame, at + len(NUMBER))
            flow = self.flows[number]
            if f.zone != flow.to:
                rest.append(f)
            else:
                flow.tally.take(count)
        return rest
