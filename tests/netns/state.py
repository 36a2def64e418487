"""Connection state: what fits no connection is judged by the rules again (PF-04,
PF-06), and connections live as long as they must and no longer (PF-07).

The far ends are mute: every packet of a connection is one of ours.
"""
import contextlib
import re

import ns
import packets
from hardening import dropped
from province import HOST
from suite import BOTH, check, test

LAN, DC, WEB = HOST["lan1"], HOST["dc"], HOST["web"]
RULE = [{"from": ["lan"], "to": ["tslcd"], "source": ["lan-net"],
         "service": ["tcp/81", "udp/81", "ping"], "action": "permit"}]
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
MUTE = """table inet mute {
 chain in { type filter hook input priority 0; policy drop;
  icmpv6 type { 133, 134, 135, 136, 137 } accept; }
 chain out { type filter hook output priority 0; policy drop;
  icmpv6 type { 133, 134, 135, 136, 137 } accept; }
}"""


@contextlib.contextmanager
def mute(t, *names):
    """Hosts that answer nothing but ARP and neighbour discovery."""
    for n in names:
        ns.run(t.ns(n), ["nft", "-f", "-"], text_in=MUTE)
    try:
        yield
    finally:
        for n in names:
            ns.run(t.ns(n), ["nft", "delete", "table", "inet", "mute"])


def crosses(t, zone, packet):
    """Send one packet on ZONE's cable: does it come out somewhere?"""
    t.cables.clear()
    t.cables[zone].send(packet)
    t.cables.barrier(("lan", "tslcd"))
    mark = packets.Seen(zone, packets.ether(b"\0" * 6, b"\0" * 6, packet)).mark
    assert mark
    return any(f.mark == mark and f.zone != zone for f in t.cables.log)


class Tcp:
    """One connection from lan1 to dc that is spoken by hand."""

    def __init__(self, t, family, sport):
        self.t, self.sport = t, sport
        self.a, self.b = (LAN.ip4, DC.ip4) if family == 4 else (LAN.ip6, DC.ip6)
        self.seq = {"lan": 1000, "tslcd": 500000}

    def make(self, zone, flags, **change):
        """A segment from the end on ZONE's side, with CHANGE made to it."""
        other = "tslcd" if zone == "lan" else "lan"
        v = {"src": self.a, "dst": self.b, "sport": self.sport, "dport": 81}
        if zone != "lan":
            v = {"src": self.b, "dst": self.a, "sport": 81, "dport": self.sport}
        v.update(seq=self.seq[zone], ack=self.seq[other] if flags & ACK else 0, flags=flags)
        v.update(change)
        return packets.tcp(v["src"], v["dst"], v["sport"], v["dport"], packets.next_mark(),
                           flags=v["flags"], seq=v["seq"], ack=v["ack"])

    def say(self, zone, flags):
        """Send the next segment of the connection; it must cross."""
        packet = self.make(zone, flags)
        self.seq[zone] += 8 + (flags & (SYN | FIN) != 0)
        check(crosses(self.t, zone, packet), f"{self.b}: flags {flags:02x} from {zone} "
                                             "of a good connection was stopped")

    def acknowledge(self, zone):
        """A bare acknowledgement of everything."""
        bare = packets.tcp(*((self.a, self.b, self.sport, 81) if zone == "lan" else
                             (self.b, self.a, 81, self.sport)), b"", ACK, self.seq[zone],
                           self.seq["tslcd" if zone == "lan" else "lan"])
        self.t.cables[zone].send(bare)
        self.t.cables.barrier(("lan", "tslcd"))

    def open(self):
        self.say("lan", SYN)
        self.say("tslcd", SYN | ACK)
        self.say("lan", ACK)
        self.say("tslcd", ACK | PSH)
        self.say("lan", ACK | PSH)
        return self


def each(t, sport):
    """An open connection of each family."""
    return [Tcp(t, f, sport).open() for f in (4, 6)]


@test("PF-04", boards=BOTH)
def test_tcp_one_by_one(t):
    """A tracked connection: address, port, sequence and flags changed one by one."""
    t.enforce(RULE)
    with mute(t, "lan1", "dc"):
        for c in each(t, 43001):
            v6 = ":" in c.a
            other = "2001:2:0:10::12" if v6 else "192.168.10.12"
            far = HOST["soc"].ip6 if v6 else HOST["soc"].ip4
            changes = {
                "source": ("lan", ACK, {"src": other}),
                "destination": ("lan", ACK, {"dst": far}),
                "source port": ("lan", ACK, {"sport": 43999}),
                "destination port": ("lan", ACK, {"dport": 82}),
                "answer from another": ("tslcd", ACK, {"src": far}),
                "answer to another port": ("tslcd", ACK, {"dport": 43999}),
                "sequence far ahead": ("lan", ACK, {"seq": c.seq["lan"] + 200000}),
                "acknowledges the unsent": ("lan", ACK, {"ack": c.seq["tslcd"] + 90000}),
                "reset far ahead": ("tslcd", RST, {"seq": c.seq["tslcd"] + 200000}),
                "no flag": ("lan", 0, {}),
                "FIN alone": ("lan", FIN, {}),
                "SYN FIN": ("lan", SYN | FIN, {}),
                "SYN RST": ("lan", SYN | RST, {}),
                "FIN RST": ("lan", FIN | RST | ACK, {}),
                "all flags": ("lan", 0x3f, {}),
                "Xmas": ("tslcd", FIN | PSH | URG, {}),
                "SYN from the server": ("tslcd", SYN, {}),
            }
            made = {name: (zone, c.make(zone, flags, **change))
                    for name, (zone, flags, change) in changes.items()}
            if t.short:     # counters are slow to read on an emulated board
                for zone in ("lan", "tslcd"):
                    dropped(t, "invalid", zone, [p for z, p in made.values() if z == zone])
                made = {}
            for name, (zone, packet) in made.items():
                try:
                    dropped(t, "invalid", zone, [packet])
                except Exception as e:
                    raise type(e)(f"{name}, {c.b}: {e}") from e
            c.say("lan", ACK | PSH)     # and the connection lives on
            c.say("tslcd", ACK | PSH)


@test("PF-04")
def test_tcp_handshake(t):
    """During the handshake only the next segment fits; mid-stream nothing does."""
    t.enforce(RULE)
    with mute(t, "lan1", "dc"):
        for family in (4, 6):
            c = Tcp(t, family, 43101)
            dropped(t, "invalid", "lan", [c.make("lan", ACK), c.make("lan", SYN | ACK),
                                          c.make("lan", ACK | PSH), c.make("lan", RST)])
            dropped(t, "invalid", "tslcd", [c.make("tslcd", SYN | ACK),
                                            c.make("tslcd", ACK)])
            c.say("lan", SYN)
            far = c.seq["lan"] + 90000
            dropped(t, "invalid", "tslcd", [c.make("tslcd", SYN | ACK, ack=far),
                                            c.make("tslcd", FIN | ACK),
                                            c.make("tslcd", SYN | FIN | ACK)])
            c.say("tslcd", SYN | ACK)
            dropped(t, "invalid", "lan", [c.make("lan", ACK, ack=c.seq["tslcd"] + 90000),
                                          c.make("lan", SYN | RST)])
            c.say("lan", ACK)


def again(t, c, what):
    """Packets of what was connection C: they are nobody's, whatever they say."""
    for zone, flags in (("lan", ACK | PSH), ("tslcd", ACK | PSH), ("lan", FIN | ACK),
                        ("tslcd", FIN | ACK), ("tslcd", SYN | ACK)):
        check(not crosses(t, zone, c.make(zone, flags)),
              f"{what}, {c.b}: flags {flags:02x} from {zone} crossed")


@test("PF-04", boards=BOTH)
def test_tcp_closed(t):
    """Right after its end, by FIN or by RST, a connection is none any more; the same
    addresses and ports are judged by the rules, both ways."""
    t.enforce(RULE)
    with mute(t, "lan1", "dc"):
        for c in each(t, 43201):
            c.say("lan", FIN | ACK)
            c.say("tslcd", FIN | ACK)
            c.say("lan", ACK)
            again(t, c, "closed by FIN")
            check(not crosses(t, "tslcd", c.make("tslcd", SYN, ack=0)),
                  "after FIN a SYN of the server crossed")
            c.seq = {"lan": 9000000, "tslcd": 8000000}
            c.open()
        for zone in ("lan", "tslcd"):
            for c in each(t, 43202 if zone == "lan" else 43203):
                c.say(zone, RST | ACK)
                again(t, c, f"reset from {zone}")
                c.seq = {"lan": 9000000, "tslcd": 8000000}
                c.open()


def conntrack(t, *words):
    """Run conntrack on the appliance; its output."""
    return ns.run(t.box.box, ["conntrack", *words], check=False).stdout


def expire(t, proto, *words):
    """Let the flows of PROTO time out now: their timeout becomes one second."""
    for family in ("ipv4", "ipv6"):
        conntrack(t, "-U", "-f", family, "-p", proto, *words, "--timeout", "1")
    left = ns.deadline(10)
    while any(proto in conntrack(t, "-L", "-f", f, "-p", proto, *words)
              for f in ("ipv4", "ipv6")):
        check(left(), f"{proto} flows do not time out")


@test("PF-04", "PF-06")
def test_timed_out(t):
    """After its idle time a flow is judged by the rules again: TCP, UDP, echo."""
    t.enforce(RULE)
    with mute(t, "lan1", "dc"):
        tcp = each(t, 43301)
        expire(t, "tcp", "--dport", "81")
        for c in tcp:
            again(t, c, "timed out")
        for a, b in ((LAN.ip4, DC.ip4), (LAN.ip6, DC.ip6)):
            check(crosses(t, "lan", packets.udp(a, b, 43301, 81, packets.next_mark())) and
                  crosses(t, "tslcd", packets.udp(b, a, 81, 43301, packets.next_mark())),
                  "the UDP flow does not flow")
            check(crosses(t, "lan", echo(a, b, 8, 77)) and
                  crosses(t, "tslcd", echo(b, a, 0, 77)), "echo does not flow")
        for proto in ("udp", "icmp", "icmpv6"):
            expire(t, proto)
        for a, b in ((LAN.ip4, DC.ip4), (LAN.ip6, DC.ip6)):
            check(not crosses(t, "tslcd", packets.udp(b, a, 81, 43301, packets.next_mark())),
                  f"an answer of a timed out UDP flow crossed, {b}")
            check(not crosses(t, "tslcd", echo(b, a, 0, 77)),
                  f"an answer of a timed out echo crossed, {b}")
            check(crosses(t, "lan", packets.udp(a, b, 43301, 81, packets.next_mark())),
                  f"the rule no longer permits, {b}")


def echo(src, dst, kind, ident):
    """Echo request (8) or answer (0) of either family."""
    kind = {8: 128, 0: 129}[kind] if ":" in src else kind
    return packets.icmp(src, dst, kind, 0, ident.to_bytes(2, "big") + b"\0\1",
                        packets.next_mark())


@test("PF-06", boards=BOTH)
def test_udp_and_echo(t):
    """An answer fits by both addresses and both ports, an echo answer by its id."""
    t.enforce(RULE)
    with mute(t, "lan1", "dc"):
        for v6 in (False, True):
            (a, b, a2, b2) = ((LAN.ip6, DC.ip6, HOST["lan2"].ip6, HOST["soc"].ip6) if v6 else
                              (LAN.ip4, DC.ip4, HOST["lan2"].ip4, HOST["soc"].ip4))

            def udp(*ends):
                return packets.udp(*ends, packets.next_mark())
            check(crosses(t, "lan", udp(a, b, 43401, 81)), "the request was stopped")
            check(crosses(t, "lan", echo(a, b, 8, 555)), "the echo request was stopped")
            wrong = {"source": udp(b2, a, 81, 43401), "destination": udp(b, a2, 81, 43401),
                     "source port": udp(b, a, 82, 43401),
                     "destination port": udp(b, a, 81, 43402),
                     "echo source": echo(b2, a, 0, 555), "echo to another": echo(b, a2, 0, 555),
                     "echo id": echo(b, a, 0, 556), "echo request back": echo(b, a, 8, 555)}
            for name, packet in wrong.items():
                check(not crosses(t, "tslcd", packet), f"another {name} crossed, {b}")
            check(crosses(t, "tslcd", udp(b, a, 81, 43401)), f"the answer was stopped, {b}")
            check(crosses(t, "tslcd", echo(b, a, 0, 555)), f"the echo was stopped, {b}")


# what the kernel must have given a flow: at least this, and this to configure
TIMES = {"udp": 300, "tcp": 7440, "icmp": 60, "icmpv6": 60, "transitory": 240}


def timeouts(t, family, proto, state=""):
    """Seconds that the kernel gives the flows of a protocol (in a TCP state)."""
    text = conntrack(t, "-L", "-f", family, "-p", proto)
    return [int(m[1]) for m in re.finditer(rf"^{proto}\s+\d+ (\d+) {state}.*src=", text,
                                           re.M)]


@test("PF-06", "PF-07")
def test_idle_times(t):
    """The kernel gives each flow the idle time that RFC 4787, 5382 and 6092 ask for:
    read from the flows themselves, both directions seen or one."""
    t.enforce(RULE)
    with mute(t, "lan1", "dc"):
        conntrack(t, "-F")
        for family, a, b in (("ipv4", LAN.ip4, DC.ip4), ("ipv6", LAN.ip6, DC.ip6)):
            c = Tcp(t, 6 if ":" in a else 4, 43501)
            seen = []

            def now(proto, want, state="", family=family, seen=seen):
                got = timeouts(t, family, proto, state)
                check(len(got) == 1 and want - 3 <= got[0] <= want,
                      f"{family} {proto} {state}: {got} s, expected {want}")
                seen.append(state or proto)
            crosses(t, "lan", packets.udp(a, b, 43501, 81, packets.next_mark()))
            now("udp", TIMES["udp"])
            crosses(t, "tslcd", packets.udp(b, a, 81, 43501, packets.next_mark()))
            now("udp", TIMES["udp"])
            crosses(t, "lan", echo(a, b, 8, 9))
            now("icmpv6" if ":" in a else "icmp", TIMES["icmp"])
            for zone, flags, state, want in (
                    ("lan", SYN, "SYN_SENT", "transitory"),
                    ("tslcd", SYN | ACK, "SYN_RECV", "transitory"),
                    ("lan", ACK, "ESTABLISHED", "tcp"),
                    ("lan", FIN | ACK, "FIN_WAIT", "transitory"),
                    ("tslcd", ACK, "CLOSE_WAIT", "transitory"),
                    ("tslcd", FIN | ACK, "LAST_ACK", "transitory")):
                c.say(zone, flags)
                if state == "ESTABLISHED":
                    c.acknowledge("tslcd")
                now("tcp", TIMES[want], state)
            check(len(seen) == 9, f"seen {seen}")
