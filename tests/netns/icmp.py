"""ICMP and ICMPv6: path MTU discovery works, no message ends a connection (PF-17),
every type has its place in the table of RFC 4890 (PF-18)."""
import contextlib
import select
import socket

import ns
import packets
from hardening import OPEN, dropped, reasons
from province import HOST
from state import Tcp, crosses, echo, mute, timeouts
from suite import BOTH, case, check, test
from walk import http_get

LAN, DC = HOST["lan1"], HOST["dc"]
CORE = {4: "10.200.1.1", 6: "2001:2:0:a1::1"}
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
SMALL_MTU = 1300
MTU_DISCOVER = {4: (socket.IPPROTO_IP, 10, 14), 6: (socket.IPPROTO_IPV6, 23, 24)}
# (type, codes): errors that cross with a known flow (RFC 4890 4.3.1, 4.3.2)
ERRORS = {4: ((3, range(16)), (11, range(2)), (12, range(3))),
          6: ((1, range(8)), (2, range(1)), (3, range(2)), (4, range(4)))}
# types of errors that never cross: source quench, redirect; private experimentation
BAD_ERRORS = {4: ((4, range(1)), (5, range(4)), (6, range(1))),
              6: ((0, range(1)), (5, range(1)), (99, range(1)), (100, range(1)),
                  (101, range(1)), (127, range(1)))}


def pair(family):
    return (LAN.ip4, DC.ip4) if family == 4 else (LAN.ip6, DC.ip6)


def error(family, kind, code, inner, src, dst):
    """An error message of SRC to DST about the packet INNER."""
    word = (1280).to_bytes(4, "big")
    if family == 4:
        word = b"\0\0" + (1280).to_bytes(2, "big")
    return packets.icmp(src, dst, kind, code, word, inner[:28 if family == 4 else 56])


def error_crosses(t, zone, packet):
    """Send an error on ZONE's cable; did one from its sender come out?"""
    src = packets.Seen(zone, packets.ether(bytes(6), bytes(6), packet)).src
    t.cables.clear()
    t.cables[zone].send(packet)
    t.cables.barrier(("lan", "tslcd"))
    return any(f.zone != zone and f.is_ip and f.src == src and f.is_error
               for f in t.cables.log)


def flow(t, family, port):
    """A UDP flow that the appliance knows: its first packet."""
    packet = packets.udp(*pair(family), port, 4000, packets.next_mark())
    check(crosses(t, "lan", packet), "the flow does not flow")
    return packet


@test("PF-17", "PF-18", boards=BOTH)
def test_errors(t):
    """Errors about a known flow cross, type and code; the same about an unknown one, and
    errors of the other types, do not."""
    t.enforce(OPEN)
    with mute(t, "lan1", "dc"):
        for family in (4, 6):
            known = flow(t, family, 44001)
            stranger = packets.udp(*pair(family), 44999, 4999, packets.next_mark())
            for kind, codes in ERRORS[family]:
                for code in codes if not t.short else list(codes)[:1]:
                    args = (CORE[family], pair(family)[0])
                    check(error_crosses(t, "tslcd", error(family, kind, code, known, *args)),
                          f"v{family} {kind}/{code} of a known flow was stopped")
                    check(not error_crosses(t, "tslcd",
                                            error(family, kind, code, stranger, *args)),
                          f"v{family} {kind}/{code} of an unknown flow crossed")
            for kind, codes in BAD_ERRORS[family]:
                for code in codes:
                    packet = error(family, kind, code, known, CORE[family], pair(family)[0])
                    check(not error_crosses(t, "tslcd", packet),
                          f"v{family} {kind}/{code} crossed")


@test("PF-17", boards=BOTH)
def test_no_error_kills(t):
    """No ICMP message, of the far end or of a router, ends a TCP or UDP state or takes
    from its time."""
    t.enforce(OPEN)
    with mute(t, "lan1", "dc"):
        for family in (4, 6):
            a, b = pair(family)
            c = Tcp(t, family, 44101).open()
            inner = {"tcp": c.make("lan", ACK), "udp": flow(t, family, 44101)}
            word = "ipv4" if family == 4 else "ipv6"
            check(crosses(t, "tslcd", packets.udp(b, a, 4000, 44101, packets.next_mark())),
                  "the answer was stopped")
            for proto, packet in inner.items():
                before = timeouts(t, word, proto) if not t.short else [0]
                for kind, codes in ERRORS[family] + BAD_ERRORS[family]:
                    for code in codes if not t.short else list(codes)[:1]:
                        for src in (CORE[family], b):
                            t.cables["tslcd"].send(error(family, kind, code, packet, src, a))
                t.cables.barrier(("lan", "tslcd"))
                after = timeouts(t, word, proto) if not t.short else [0]
                check(len(after) == len(before) and max(after) >= max(before) - 5,
                      f"v{family} {proto}: times {before} became {after}")
            c.say("tslcd", ACK | PSH)
            c.say("lan", ACK | PSH)
            check(crosses(t, "tslcd", packets.udp(b, a, 4000, 44101, packets.next_mark())),
                  f"v{family}: ICMP ended the UDP flow")


@contextlib.contextmanager
def small_mtu(t):
    """The way from core to the data centre takes small packets only."""
    ns.ip(t.ns("core"), [f"link set dc mtu {SMALL_MTU}"])
    try:
        yield
    finally:
        ns.ip(t.ns("core"), ["link set dc mtu 1500"])
        for family in ("-4", "-6"):
            ns.run(t.ns("lan1"), ["ip", family, "route", "flush", "cache"])


@test("PF-17")
def test_path_mtu(t):
    """A hop with a small MTU: the sender learns it through the appliance, UDP and TCP."""
    t.enforce([{"from": ["lan"], "to": ["tslcd"], "service": ["tcp/80", "udp/4000"],
                "action": "permit"}])
    with small_mtu(t):
        for family in (4, 6):
            level, discover, mtu = MTU_DISCOVER[family]
            kind = socket.AF_INET if family == 4 else socket.AF_INET6
            with ns.sock(t.ns("lan1"), kind, socket.SOCK_DGRAM) as s:
                s.setsockopt(level, discover, 2)    # DO: never in pieces
                s.connect((pair(family)[1], 4000))
                s.send(bytes(1400))
                left = ns.deadline(5)
                while s.getsockopt(level, mtu) != SMALL_MTU and left():
                    select.select([s], [], [], 0.05)
                    with contextlib.suppress(OSError):
                        s.recv(1, socket.MSG_DONTWAIT)
                got = s.getsockopt(level, mtu)
                check(got == SMALL_MTU, f"v{family}: the path MTU is {got} for lan1")
    for family in (4, 6):
        with small_mtu(t):
            status, body = http_get(t.ns("lan1"), pair(family)[1], path="/" + "x" * 4000)
            check(status in (200, 404, 414), f"v{family}: a long request: {status} {body!r}")


# RFC 4890 4.3, for transit: what a new packet of each ICMPv6 type may do
PASS, STATE, NEVER, NAMED = "permitted", "with its flow", "never", "when a rule names it"
TABLE6 = {k: "policy" for k in range(256)}
TABLE6 |= {k: STATE for k in (1, 2, 3, 4, 129)}
TABLE6 |= {128: PASS, 139: NAMED, 140: NEVER}
TABLE6 |= {k: NEVER for k in (*range(130, 139), 100, 101, 127, 141, 142, 143, 148, 149, 151,
                              152, 153, 200, 201, 255)}
TABLE4 = {k: "policy" for k in range(256)}
TABLE4 |= {k: STATE for k in (0, 3, 11, 12)}
TABLE4 |= {8: PASS, 13: NAMED, 15: NAMED, 17: NAMED, 14: STATE, 16: STATE, 18: STATE}
TABLE4 |= {k: NEVER for k in (4, 5, 9, 10)}


@test("PF-18")
def test_table(t):
    """All 256 types of both families as new packets, under "permit any", under "permit
    ICMP" and under a rule that names what can be named."""
    any_icmp = [dict(OPEN[0], service=["icmp/*", "icmpv6/*"])]
    for rules in (OPEN, any_icmp):
        t.enforce(rules)
        t.expect([case(TABLE6[k] == PASS, "lan1", "dc", "icmp", k, family=6)
                  for k in range(256)])
        t.expect([case(TABLE4[k] == PASS, "lan1", "dc", "icmp", k) for k in range(256)])
    named = [f"icmpv6/{k}" for k in (128, 139)] + [f"icmp/{k}" for k in (8, 13, 15, 17)]
    t.enforce([dict(OPEN[0], service=named)])
    t.expect([case(TABLE6[k] in (PASS, NAMED), "lan1", "dc", "icmp", k, family=6)
              for k in range(256)])
    t.expect([case(TABLE4[k] in (PASS, NAMED), "lan1", "dc", "icmp", k)
              for k in range(256)])


@test("PF-18")
def test_named(t):
    """What a rule may name: types that open something. Each other one is refused, with
    the reason, or stays closed."""
    opened = {"icmp": set(), "icmpv6": set()}
    for proto, family in (("icmp", 4), ("icmpv6", 6)):
        table = TABLE4 if family == 4 else TABLE6
        for k in range(256):
            if table[k] == "policy" and k % 16:
                continue        # one of 16 of the unassigned ones
            code, text = t.box.apply(t.config([dict(OPEN[0], service=[f"{proto}/{k}"])]))
            if code == 0:
                opened[proto].add(k)
                t.expect([case(table[k] in (PASS, NAMED), "lan1", "dc", "icmp", k,
                               family=family)])
            else:
                check("cannot be permitted" in text and "fix=" in text, f"{proto}/{k}: {text}")
                check(table[k] not in (PASS, NAMED), f"{proto}/{k} cannot be named")
    t.note(f"rules may name {opened}")


@test("PF-18")
def test_drops_counted(t):
    """A type that never crosses is counted as such, an error of no flow as invalid."""
    t.enforce(OPEN)
    for family in (4, 6):
        table = TABLE4 if family == 4 else TABLE6
        a, b = pair(family)
        before = reasons(t)
        many = [packets.icmp(a, b, k, 0, bytes(4), packets.next_mark() + bytes(16))
                for k in range(256) if table[k] == NEVER]
        for p in many:
            t.cables["lan"].send(p)
        t.cables.barrier()
        now = reasons(t)
        rise = sum(now[k] - before.get(k, 0) for k in ("icmp-never", "invalid"))
        check(rise == len(many), f"v{family}: {rise} of {len(many)} counted")
        stranger = packets.udp(a, b, 44998, 4998, packets.next_mark())
        dropped(t, "invalid", "tslcd", [error(family, *e, stranger, CORE[family], a)
                                        for e in (((3, 3), (11, 0)) if family == 4 else
                                                  ((1, 4), (3, 0)))])
    with mute(t, "lan1", "dc"):
        check(not crosses(t, "tslcd", echo(DC.ip4, LAN.ip4, 0, 4711)), "an echo of nobody")
