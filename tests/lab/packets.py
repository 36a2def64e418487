"""Frames on the appliance's cables: build, send, capture.

A Cable is one raw socket on the switch's end of a cable (namespace sw,
interface boxI).  What it receives is what the appliance sent; what it sends is
what the appliance receives.  Frames are built by hand because the tests send
many of them.
"""
import ctypes
import errno
import itertools
import os
import select
import socket
import struct
import threading

import ns
import province
import topology

ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_STATISTICS = 6
PACKET_AUXDATA = 8
TP_STATUS_VLAN_VALID = 0x10     # linux/if_packet.h
PACKET_IGNORE_OUTGOING = 23
SO_RCVBUFFORCE = 33

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
MARK = b"LTm"           # first bytes of the payload of every probe
_serial = itertools.count(1)


def next_mark():
    """A payload that names one probe, eight bytes."""
    return MARK + struct.pack("!IB", next(_serial) & 0xffffffff, 0)


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def checksum(data):
    """Internet checksum."""
    if len(data) & 1:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packed(address):
    """(family, bytes) of an address given as text."""
    if ":" in address:
        return 6, socket.inet_pton(socket.AF_INET6, address)
    return 4, socket.inet_pton(socket.AF_INET, address)


def ip_packet(src, dst, proto, body, ttl=64, ident=0):
    """An IPv4 or IPv6 packet, by the family of the addresses; no options."""
    fam, s = packed(src)
    fam2, d = packed(dst)
    assert fam == fam2, (src, dst)
    if fam == 6:
        return struct.pack("!IHBB", 6 << 28, len(body), proto, ttl) + s + d + body
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), ident, 0x4000, ttl, proto, 0)
    head += s + d
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def _l4_sum(src, dst, proto, body):
    s, d = packed(src)[1], packed(dst)[1]
    return checksum(s + d + struct.pack("!II", len(body), proto) + body)


def udp(src, dst, sport, dport, payload=b""):
    body = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
    c = _l4_sum(src, dst, UDP, body) or 0xffff
    return ip_packet(src, dst, UDP, body[:6] + struct.pack("!H", c) + body[8:])


def tcp(src, dst, sport, dport, payload=b"", flags=0x02, seq=1, ack=0):
    body = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 0x50, flags, 8192, 0, 0)
    body += payload
    c = _l4_sum(src, dst, TCP, body)
    return ip_packet(src, dst, TCP, body[:16] + struct.pack("!H", c) + body[18:])


def icmp(src, dst, kind, code=0, rest=b"\0\0\0\0", payload=b""):
    """ICMP or ICMPv6, by the family of the addresses; REST is the second word."""
    body = struct.pack("!BBH", kind, code, 0) + rest + payload
    if ":" in src:
        c = _l4_sum(src, dst, ICMPV6, body)
        return ip_packet(src, dst, ICMPV6, body[:2] + struct.pack("!H", c) + body[4:])
    c = checksum(body)
    return ip_packet(src, dst, ICMP, body[:2] + struct.pack("!H", c) + body[4:])


def arp(op, sender_mac, sender, target_mac, target):
    return struct.pack("!HHBBH", 1, 0x0800, 6, 4, op) + sender_mac + \
        socket.inet_aton(sender) + target_mac + socket.inet_aton(target)


def ether(dst_mac, src_mac, packet, kind=None):
    if kind is None:
        kind = 0x86dd if packet[0] >> 4 == 6 else 0x0800
    return dst_mac + src_mac + struct.pack("!H", kind) + packet


def tagged(frame, vlan):
    """FRAME with the 802.1Q tag of VLAN."""
    return frame[:12] + struct.pack("!HH", 0x8100, vlan) + frame[12:]


class Seen:
    """One captured frame, looked at lazily; FRAME is without its VLAN tag."""

    __slots__ = ("zone", "frame", "vlan")

    def __init__(self, zone, frame, vlan=None):
        self.zone = zone
        self.frame = frame
        self.vlan = vlan        # number of the 802.1Q tag it had, None for none

    @property
    def kind(self):
        return self.frame[12] << 8 | self.frame[13]

    @property
    def is_ip(self):
        return self.kind in (0x0800, 0x86dd)

    @property
    def proto(self):
        """Number of the layer above IP (no extension headers expected)."""
        if self.kind == 0x0800:
            return self.frame[23]
        return self.frame[20] if self.kind == 0x86dd else None

    @property
    def payload(self):
        """Bytes above IP."""
        if self.kind == 0x0800:
            return self.frame[14 + 4 * (self.frame[14] & 15):]
        return self.frame[54:]

    @property
    def src(self):
        f = self.frame
        if self.kind == 0x0800:
            return socket.inet_ntop(socket.AF_INET, f[26:30])
        return socket.inet_ntop(socket.AF_INET6, f[22:38])

    @property
    def dst(self):
        f = self.frame
        if self.kind == 0x0800:
            return socket.inet_ntop(socket.AF_INET, f[30:34])
        return socket.inet_ntop(socket.AF_INET6, f[38:54])

    @property
    def own_talk(self):
        """Neighbour discovery, MLD and ARP: the appliance speaking for itself."""
        if self.kind == 0x86dd:
            if self.proto == 0:     # hop-by-hop: MLD reports
                return self.frame[54] == ICMPV6
            return self.proto == ICMPV6 and self.payload[0] in (
                133, 134, 135, 136, 143)
        return not self.is_ip

    @property
    def is_error(self):
        """An ICMP or ICMPv6 error message: it quotes another packet."""
        p = self.payload
        return (self.proto == ICMP and p[:1] and p[0] in (3, 4, 5, 11, 12)) or \
            (self.proto == ICMPV6 and p[:1] and p[0] < 128)

    @property
    def mark(self):
        """The probe that this frame is, or None; an ICMP error about it is not it."""
        if self.is_error:
            return None
        at = self.frame.find(MARK, 34)
        return self.frame[at:at + 8] if at >= 0 else None

    def __str__(self):
        if not self.is_ip:
            return f"{self.zone}: ethertype {self.kind:04x}"
        p = self.payload
        ports = ""
        if self.proto in (TCP, UDP) and len(p) >= 4:
            ports = " %u>%u" % struct.unpack("!HH", p[:4])
        elif self.proto in (ICMP, ICMPV6) and p:
            ports = f" type {p[0]}/{p[1]}"
        return f"{self.zone}: {self.src} > {self.dst} proto {self.proto}{ports}"


class Cable:
    """A raw socket on one cable of the appliance."""

    def __init__(self, lab, segment):
        self.segment = segment
        self.zone = segment.zone
        self.box_mac = mac_bytes(province.box_mac(lab, segment.index))
        # A station of the tests on this cable, beside the real hosts.
        self.mac = b"\x02\x4c\x54" + bytes((lab, 0xfe, segment.index))
        self.lab = lab
        self.lost = 0
        self.sock = self._open()

    def _open(self):
        with ns.inside(province.ns_name(self.lab, "sw")):
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
            sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
            sock.bind((self.segment.tap, ETH_P_ALL))
        sock.setblocking(False)
        return sock

    def rebind(self):
        """The cable was made anew: go on with the new one; what the old one still had."""
        rest = self.read()
        old, self.sock = self.sock, self._open()
        old.close()
        return rest

    def fileno(self):
        return self.sock.fileno()

    def send(self, packet, kind=None, dst_mac=None, vlan=None):
        """Send one IP packet (or other, with KIND) to the appliance, in a VLAN or not.

        False when there is no cable at the moment: the frame was not sent.
        """
        frame = ether(dst_mac or self.box_mac, self.mac, packet, kind)
        if vlan is not None:
            frame = tagged(frame, vlan)
        while True:
            try:
                self.sock.send(frame)
                return True
            except BlockingIOError:
                select.select([], [self.sock], [], 1)
            except OSError as e:
                if e.errno == errno.ENOBUFS:
                    select.select([], [], [], 0.005)
                    continue
                if e.errno not in (errno.ENXIO, errno.ENODEV, errno.ENETDOWN, errno.EBADF):
                    raise
                return False

    def _receive(self):
        """(frame, VLAN): the kernel takes the tag out of what a socket gets."""
        frame, extra, _, _ = self.sock.recvmsg(65536, 64)
        for level, kind, data in extra:
            if (level, kind) != (SOL_PACKET, PACKET_AUXDATA) or len(data) < 20:
                continue
            if struct.unpack("I", data[:4])[0] & TP_STATUS_VLAN_VALID:
                return frame, struct.unpack("H", data[16:18])[0] & 0xfff
        if frame[12:14] == b"\x81\0":
            return frame[:12] + frame[16:], struct.unpack("!H", frame[14:16])[0] & 0xfff
        return frame, None

    def read(self):
        """All frames that the appliance has sent since the last call."""
        out = []
        while True:
            try:
                out.append(Seen(self.zone, *self._receive()))
            except BlockingIOError:
                break
            except OSError as e:
                if e.errno != errno.ENETDOWN:   # told once when the cable goes
                    raise
        drops = struct.unpack("II", self.sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
        self.lost += drops
        return out

    def close(self):
        self.sock.close()


class Cables:
    """All seven cables, watched together."""

    def __init__(self, lab):
        self.lab = lab
        self.by_zone = {s.zone: Cable(lab, s) for s in province.SEGMENTS}
        self.log = []
        # One processor keeps the order of frames over all queues of the kernel.
        topology.on_new_cables.append(self.rebind)
        self.cpus = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(self.cpus)})

    def __getitem__(self, zone):
        return self.by_zone[zone]

    def rebind(self):
        """The appliance's namespace and its cables were made anew."""
        for c in self.by_zone.values():
            self.log += c.rebind()

    def close(self):
        topology.on_new_cables.remove(self.rebind)
        os.sched_setaffinity(0, self.cpus)
        for c in self.by_zone.values():
            c.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def pump(self, timeout=0.0):
        """Take what has arrived into self.log; waits up to TIMEOUT for a frame."""
        ready = select.select(list(self.by_zone.values()), [], [], timeout)[0]
        new = [f for c in ready for f in c.read()]
        self.log += new
        return new

    def clear(self):
        """Forget everything captured so far."""
        self.pump()
        self.log = []

    def lost(self):
        """Frames that a capture socket had no room for."""
        return sum(c.lost for c in self.by_zone.values())

    def wait_for(self, wanted, timeout):
        """Pump until WANTED(frame) has been true once; the frame or None."""
        for f in self.log:
            if wanted(f):
                return f
        left = ns.deadline(timeout)
        while left():
            for f in self.pump(left()):
                if wanted(f):
                    return f
        return None

    def barrier(self, zones=None, timeout=5.0):
        """Wait until the appliance has worked off all frames sent so far.

        An ARP request goes in behind them on each cable; the appliance answers
        it after it has handled the frames before it, and the answer leaves
        behind whatever was forwarded to that cable.  Two rounds, because a
        frame that came in on the last cable may leave on the first one.
        Returns the zones whose cable did not answer in time.
        """
        missing = set()
        for _ in range(2):
            missing = set(zones or self.by_zone)
            for z in missing:
                c = self.by_zone[z]
                gw = c.segment.v4.split("/")[0]
                me = gw.rpartition(".")[0] + ".253"
                c.send(arp(1, c.mac, me, bytes(6), gw), 0x0806, b"\xff" * 6)
            left = ns.deadline(timeout)
            while missing and left():
                for f in self.pump(left()):
                    if f.kind == 0x0806 and f.frame[20:22] == b"\0\2" and \
                            f.frame[32:38] == self.by_zone[f.zone].mac:
                        missing.discard(f.zone)
            if missing:
                break
        return missing




def crossing(frames):
    """Of captured frames those that are not the appliance speaking for itself."""
    return [f for f in frames if not f.own_talk]


# A steady flow ----------------------------------------------------------------

class Probe:
    """One kind of packet that tests send again and again, each time marked anew."""

    def __init__(self, name, zone, to, make, permitted=False):
        self.name = name
        self.zone = zone        # cable it is sent on
        self.to = to            # zone it should come out of
        self.make = make        # function(port, mark) -> IP packet
        self.permitted = permitted


def probe_udp(src, dst, dport, **args):
    """A UDP probe between two hosts of the province."""
    return _probe("udp", udp, src, dst, dport, **args)


def probe_tcp(src, dst, dport, **args):
    """A TCP SYN probe between two hosts of the province."""
    return _probe("tcp", tcp, src, dst, dport, **args)


def _probe(word, build, src, dst, dport, **args):
    def make(port, mark):
        return build(src, dst, port, dport, mark)
    return Probe(f"{src} > {dst} {word}/{dport}", province.zone_of(src),
                 province.zone_of(dst), make, **args)


class Flow(threading.Thread):
    """Sends every probe once per interval until stop(); knows what it has sent."""

    def __init__(self, cables, probes, interval_s=0.01):
        super().__init__(daemon=True)
        self.cables = cables
        self.probes = probes
        self.interval_s = interval_s
        self.sent = {}          # mark -> probe
        self.ended = threading.Event()
        self.rounds = 0
        self.progress = threading.Condition()

    def run(self):
        port = 20000
        while not self.ended.wait(self.interval_s):
            port = 20000 if port >= 60000 else port + 1
            for p in self.probes:
                mark = next_mark()
                self.sent[mark] = p
                if not self.cables[p.zone].send(p.make(port, mark)):
                    del self.sent[mark]
            with self.progress:
                self.rounds += 1
                self.progress.notify_all()

    def wait_rounds(self, count, timeout=30):
        """Wait until COUNT more rounds have been sent."""
        goal = self.rounds + count
        with self.progress:
            if not self.progress.wait_for(lambda: self.rounds >= goal, timeout):
                raise ns.LabError(f"the steady flow stands still at round {self.rounds}")

    def stop(self):
        self.ended.set()
        self.join()

    def count(self, permitted):
        return sum(p.permitted == permitted for p in self.sent.values())

    def crossed(self, frames):
        """{mark: frame} of our packets among captured frames."""
        return {f.mark: f for f in frames if f.mark in self.sent}


# A sweep over all ports -------------------------------------------------------

class _Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]


class _Msghdr(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint),
                ("iov", ctypes.POINTER(_Iovec)), ("iovlen", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t),
                ("flags", ctypes.c_int)]


class _Mmsghdr(ctypes.Structure):
    _fields_ = [("hdr", _Msghdr), ("len", ctypes.c_uint)]


class Sweep:
    """One packet to each of the 65,535 ports of an address, sent fast.

    All frames lie in one buffer.  The sequence number (TCP) or the first word
    of the payload (UDP) is the complement of the port, so that every frame of a
    sweep has the same checksum and only the header changes between sweeps.
    """

    PORTS = 65535
    BATCH = 1024    # the kernel's limit for one sendmmsg()

    def __init__(self, proto, family):
        self.proto, self.family = proto, family
        self.l4 = 14 + (20 if family == 4 else 40)
        self.size = self.l4 + (20 if proto == TCP else 10)
        self.buf = bytearray(self.size * self.PORTS)
        self.image = (ctypes.c_char * len(self.buf)).from_buffer(self.buf)
        base = ctypes.addressof(self.image)
        self.iov = (_Iovec * self.PORTS)()
        self.msg = (_Mmsghdr * self.PORTS)()
        for i in range(self.PORTS):
            self.iov[i].base = base + i * self.size
            self.iov[i].len = self.size
            self.msg[i].hdr.iov = ctypes.pointer(self.iov[i])
            self.msg[i].hdr.iovlen = 1
        port = range(1, self.PORTS + 1)
        word = self.l4 + (6 if proto == TCP else 8)     # low half of seq, or payload
        self._column(self.l4 + 2, bytes(p >> 8 for p in port))
        self._column(self.l4 + 3, bytes(p & 255 for p in port))
        self._column(word, bytes((0xffff - p) >> 8 for p in port))
        self._column(word + 1, bytes((0xffff - p) & 255 for p in port))
        self.varying = {self.l4 + 2, self.l4 + 3, word, word + 1}

    def _column(self, offset, values):
        self.buf[offset::self.size] = values

    def send(self, cable, src, dst, sport):
        """Send the sweep from SRC to DST on CABLE; returns the frames sent."""
        make = tcp if self.proto == TCP else udp
        args = {"seq": 0xfffe} if self.proto == TCP else {"payload": b"\xff\xfe"}
        frame = ether(cable.box_mac, cable.mac, make(src, dst, sport, 1, **args))
        assert len(frame) == self.size
        for i, byte in enumerate(frame):
            if i not in self.varying:
                self._column(i, bytes((byte,)) * self.PORTS)
        done = 0
        step = ctypes.sizeof(_Mmsghdr)
        start = ctypes.addressof(self.msg)
        while done < self.PORTS:
            n = ns.libc.sendmmsg(cable.fileno(), ctypes.c_void_p(start + done * step),
                                 min(self.BATCH, self.PORTS - done), 0)
            if n > 0:
                done += n
                continue
            err = ctypes.get_errno()
            if err not in (11, 105):    # EAGAIN, ENOBUFS
                raise OSError(err, os.strerror(err))
            select.select([], [cable], [], 1)
        return done
