"""Fragments that are good for nothing (PF-08): overlapping, never completed, and a
flood of first ones; the appliance's memory for them is bounded."""
import itertools
import re
import struct

import ns
import packets
from hardening import OPEN, dropped
from province import HOST
from suite import both, check, test

LAN, DC = HOST["lan1"], HOST["dc"]
FLOOD = 50000           # first fragments of each family
PIECE = 1200            # bytes of each
LIMIT = 4 << 20         # bytes: ipfrag_high_thresh, nf_conntrack_frag6_high_thresh
SAMPLE = 500            # how many datagrams of the flood are completed afterwards
DATAGRAM = 1 << 16      # by so much at most the kernel goes over the limit
LIE = b"\xee\x11\xee\x22\xee\x33\xee\x44"
_ident = itertools.count(0x1000)


def pair(family):
    return (LAN.ip4, DC.ip4) if family == 4 else (LAN.ip6, DC.ip6)


def fragment(family, ident, offset, more, body):
    """One fragment of a UDP datagram; OFFSET in bytes."""
    a, b = pair(family)
    if family == 6:
        ext = struct.pack("!BBHI", 17, 0, offset | more, ident)
        return packets.ip_packet(a, b, 44, ext + body)
    p = bytearray(packets.ip_packet(a, b, 17, body, ident=ident & 0xffff))
    p[6:8] = struct.pack("!H", (0x2000 if more else 0) | offset // 8)
    p[10:12] = b"\0\0"
    p[10:12] = struct.pack("!H", packets.checksum(bytes(p[:20])))
    return bytes(p)


def datagram(family, size):
    """Transport header and payload of a marked UDP datagram, SIZE bytes, and its mark."""
    mark = packets.next_mark()
    whole = packets.udp(*pair(family), 34000, 4000, mark + bytes(size - 8 - len(mark)))
    return whole[20 if family == 4 else 40:], mark


def crossed(t, marks):
    """How many of the marked datagrams came out, whole or in pieces."""
    t.cables.barrier(("lan", "tslcd"))
    return len({f.mark for f in t.cables.log if f.zone == "tslcd" and f.mark in marks})


@test("PF-08")
def test_overlap(t):
    """Pieces that overlap are thrown away with their datagram, in each arrangement; one
    that lies in another is thrown away alone. What comes second is never believed."""
    t.enforce(OPEN)
    shapes = {      # (from, to) of each piece in bytes, of 1,600; the second one lies
        "tail over head": ((0, 808), (800, 1600)),
        "head over tail": ((800, 1600), (0, 808)),
        "around": ((400, 600), (0, 1200), (1200, 1600)),
        "by one byte group": ((0, 1000), (992, 1600)),
        "inside": ((0, 800), (400, 600), (800, 1600)),
        "header again": ((0, 800), (0, 400), (800, 1600)),
        "tail again": ((800, 1600), (1200, 1600), (0, 800)),
    }
    for family in (4, 6):
        for name, pieces in shapes.items():
            body, mark = datagram(family, 1600)
            ident = next(_ident)
            t.cables.clear()
            for i, (start, end) in enumerate(pieces):
                data = body[start:end] if i != 1 else body[start:start + 16] + \
                    LIE * ((end - start - 16) // len(LIE))
                t.cables["lan"].send(fragment(family, ident, start, int(end < 1600), data))
            got = crossed(t, {mark})
            lies = [f for f in t.cables.log if LIE in f.frame]
            check(not lies, f"{name}, v{family}: the second piece crossed")
            check(got == 0 or name in ("inside", "header again", "tail again"),
                  f"{name}, v{family}: the datagram crossed")
        for pieces in (((0, 800), (800, 1600)), ((800, 1600), (0, 800))):
            body, mark = datagram(family, 1600)
            ident = next(_ident)
            t.cables.clear()
            for start, end in pieces:
                t.cables["lan"].send(fragment(family, ident, start, int(end < 1600),
                                              body[start:end]))
            check(crossed(t, {mark}) == 1, f"a good datagram v{family} was stopped")


@test("PF-08")
def test_never_completed(t):
    """A first piece, a middle one, a last one alone: nothing comes out."""
    t.enforce(OPEN)
    for family in (4, 6):
        for pieces in (((0, 800),), ((800, 1600),), ((400, 800),), ((0, 800), (808, 1600)),
                       ((0, 400), (800, 1600))):
            body, mark = datagram(family, 1600)
            ident = next(_ident)
            t.cables.clear()
            for start, end in pieces:
                t.cables["lan"].send(fragment(family, ident, start, int(end < 1600),
                                              body[start:end]))
            check(crossed(t, {mark}) == 0, f"a part crossed: {pieces}, v{family}")
            out = [f for f in t.cables.log if f.zone == "tslcd" and f.src in pair(family)]
            check(not out, f"out of a part came {out[:1]}")


def counted(t, name):
    """Packets that the built-in rule NAME of chain `fragments` has counted."""
    return sum(n for chain, line, n in t.counters()
               if chain == "fragments" and f"built-in {name}\"" in line)


def frag_memory(t):
    """Bytes that IPv4 fragments hold on the appliance now."""
    with ns.inside(t.box.box), open("/proc/thread-self/net/sockstat", encoding="ascii") as f:
        return int(re.search(r"^FRAG: inuse \d+ memory (\d+)", f.read(), re.M)[1])


@test("PF-08")
def test_flood(t):
    """100,000 first pieces whose rest never comes: every one is counted, they hold no
    more memory than allowed, everything else goes on, and the limits are read back."""
    t.enforce(OPEN)
    for key in ("ipv4/ipfrag_high_thresh", "ipv6/ip6frag_high_thresh",
                "netfilter/nf_conntrack_frag6_high_thresh"):
        value = t.box.sysctl(f"net/{key}")
        check(value == str(LIMIT), f"{key} is {value}")
    for family in (4, 6):
        before = counted(t, "fragment")
        body, _ = datagram(family, PIECE + 16)
        first = next(_ident) << 17
        for i in range(FLOOD):
            t.cables["lan"].send(fragment(family, first + i, 0, 1, body[:PIECE]))
            if i % 10000 == 9999:
                t.cables.barrier(("lan",))
                t.expect(both(True, "lan1", "dc", "udp", 4000) +
                         both(True, "lan1", "dc", "tcp", 80))
        memory = frag_memory(t)
        check(memory <= LIMIT + DATAGRAM, f"fragments hold {memory} bytes, allowed are {LIMIT}")
        rise = counted(t, "fragment") - before
        check(rise == FLOOD, f"v{family}: {rise} of {FLOOD} fragments counted")
        # what is held is what can still be completed: few of them (IPv6 has no other
        # place to read it)
        t.cables.clear()
        for i in range(0, FLOOD, FLOOD // SAMPLE):
            t.cables["lan"].send(fragment(family, first + i, PIECE, 0, body[PIECE:]))
        t.cables.barrier(("lan", "tslcd"))
        whole = sum(f.zone == "tslcd" and f.src == pair(family)[0] and f.is_ip
                    for f in t.cables.log)
        most = SAMPLE * LIMIT / (FLOOD * PIECE) * 4     # pieces of one datagram: up to 3
        check(whole <= most, f"v{family}: {whole} of {SAMPLE} datagrams were held, "
                             f"{LIMIT} bytes are {most:.0f}")
        t.note(f"v{family}: {whole} of {SAMPLE} could still be completed, "
               f"{memory} bytes of IPv4 pieces held")


@test("PF-08")
def test_oversize_tiny(t):
    """The edges: the shortest first piece and the last offset that pass, and one less
    or more, are told apart."""
    t.enforce(OPEN)
    body, _ = datagram(4, 1600)
    for family, least in ((4, 48), (6, 80)):
        body, _ = datagram(family, 1600)
        dropped(t, "fragment-tiny", "lan", [fragment(family, next(_ident), 0, 1,
                                                     body[:least - 8])])
        before = counted(t, "fragment")
        t.cables["lan"].send(fragment(family, next(_ident), 0, 1, body[:least]))
        t.cables.barrier(("lan",))
        check(counted(t, "fragment") == before + 1, f"v{family}: {least} bytes are tiny")
        dropped(t, "fragment-oversize", "lan", [fragment(family, next(_ident), 8005 * 8, 0,
                                                         body[:800])])
        before = counted(t, "fragment")
        t.cables["lan"].send(fragment(family, next(_ident), 8004 * 8, 0, body[:800]))
        t.cables.barrier(("lan",))
        check(counted(t, "fragment") == before + 1, f"v{family}: offset 8004 is oversize")
