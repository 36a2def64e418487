"""Limits of rules: connections, rates, half-open connections, time; and the
idle times and floors of the configuration."""
import datetime
import os
import re
import time
import struct

import nflog
import ns
import packets
import walk
from province import HOST
from suite import BOTH, both, case, check, next_port, test

LAN1, LAN2, DC, SERVER = HOST["lan1"], HOST["lan2"], HOST["dc"], HOST["lansrv"]
SYN, ACK = 0x02, 0x10


def over_limit(t):
    return sum(n for chain, _, n in t.counters() if chain == "drop_over-limit")


def opened(t, src, dst, count, build=packets.tcp, zone="lan", to="tslcd", port=80):
    """Open COUNT connections from one source; how many crossed."""
    t.cables.clear()
    marks = [packets.next_mark() for _ in range(count)]
    for mark in marks:
        t.cables[zone].send(build(src, dst, next_port(), port, mark))
    t.cables.barrier((zone, to))
    return len({f.mark for f in t.cables.log if f.zone == to and f.mark in marks})


@test("PF-20", boards=BOTH)
def test_connections_of_a_source(t):
    """So many open at once of each source, and of all sources together."""
    rule = {"from": ["lan"], "to": ["tslcd"], "service": ["udp/4000"], "action": "permit",
            "limit": {"connections_per_source": 3, "connections": 5}}
    for src, dst, src2 in ((LAN1.ip4, DC.ip4, LAN2.ip4), (LAN1.ip6, DC.ip6, LAN2.ip6)):
        # a rule of another name counts anew
        limited = dict(rule, id=f"limited-{next_port()}")
        t.enforce([limited])
        before = over_limit(t)
        with nflog.Reader(t.box.box, 1) if t.board == "host" else _nobody() as log:
            got = opened(t, src, dst, 5, packets.udp, port=4000)
            check(got == 3, f"{got} of 5 connections crossed, expected 3")
            check(over_limit(t) - before == 2, "the counter did not rise by 2")
            if t.board == "host":
                names = [prefix for prefix, _ in log.read()]
                check(names.count("built-in over-limit") == 2, f"events: {names}")
        # another source has its own count; all of them together have one, too
        got = opened(t, src2, dst, 5, packets.udp, port=4000)
        check(got == 2, f"{got} of another source crossed, expected 2 (5 in all)")
        # an apply that leaves the limit as it is goes on counting
        code, out = t.box.apply(t.config([limited]))
        check(code == 0, out)
        got = opened(t, src, dst, 2, packets.udp, port=4000)
        check(got == 0, f"{got} crossed after an apply with the same limit")


class _nobody:
    def __enter__(self):
        return None

    def __exit__(self, *_):
        pass


@test("PF-20")
def test_new_of_a_source(t):
    """So many new ones a minute of each source; the established ones go on."""
    t.enforce([{"from": ["lan"], "to": ["tslcd"], "service": ["udp/4000"],
                "action": "permit", "limit": {"new_per_source": 4}}])
    for src, dst, src2 in ((LAN1.ip4, DC.ip4, LAN2.ip4), (LAN1.ip6, DC.ip6, LAN2.ip6)):
        got = opened(t, src, dst, 9, packets.udp, port=4000)
        check(got == 4, f"{got} of 9 crossed, expected 4")
        got = opened(t, src2, dst, 3, packets.udp, port=4000)
        check(got == 3, f"{got} of 3 of another source crossed")


@test("PF-20")
def test_sources_outside_are_networks(t):
    """Outside, all addresses of an IPv6 /64 are one source."""
    t.enforce([{"from": ["tslcd"], "to": ["lan"], "service": ["udp/4000"],
                "destination": [SERVER.ip4, SERVER.ip6],
                "action": "permit", "limit": {"new_per_source": 2}}])
    t.cables.clear()
    marks = [packets.next_mark() for _ in range(6)]
    for i, mark in enumerate(marks):
        net = 10 + i // 3
        t.cables["tslcd"].send(packets.udp(f"2001:2:0:b{net}::{i + 1}", SERVER.ip6,
                                           next_port(), 4000, mark))
    t.cables.barrier(("tslcd", "lan"))
    got = [marks.index(f.mark) for f in t.cables.log if f.zone == "lan" and f.mark in marks]
    check(sorted(got) == [0, 1, 3, 4], f"crossed: {got}")


def syns(frames, dst):
    """Sources and ports of the SYNs toward DST among captured frames."""
    return {(f.src, f.payload[:2]) for f in frames
            if f.is_ip and f.proto == packets.TCP and f.dst == dst and
            f.payload[13] & (SYN | ACK) == SYN}


@test("PF-16")
def test_half_open(t):
    """Past the limit no SYN reaches the target, and real clients still do."""
    limit = 20
    rules = [{"id": "web", "from": ["tslcd"], "to": ["lan"],
                "destination": [SERVER.ip4, SERVER.ip6], "service": ["tcp/80"],
                "action": "permit", "limit": {"half_open": limit}}]
    t.enforce(rules)
    code, out = walk.http_get(t.ns("dc"), SERVER.ip4)
    check(code == 200, f"before the flood: {code} {out}")
    for family, dst, make in (
            (4, SERVER.ip4, lambda i: f"10.200.{100 + i // 250}.{1 + i % 250}"),
            (6, SERVER.ip6, lambda i: f"2001:2:0:b{50 + i % 40}::{i:x}")):
        t.enforce([dict(rules[0], id=f"web{family}")])  # counters and meters begin anew
        with nflog.Reader(t.box.box, 1) as log:
            t.cables.clear()
            for i in range(2000):
                t.cables["tslcd"].send(packets.tcp(make(i), dst, 1024 + i, 80, b""))
                if i % 100 == 99:
                    t.cables.pump(0)
            t.cables.barrier(("tslcd", "lan"))
            reached = syns([f for f in t.cables.log if f.zone == "lan"], dst)
            # the bucket fills again, one every three seconds
            check(0 < len(reached) <= limit + 10,
                  f"v{family}: {len(reached)} SYNs of 2000 reached the target")
            names = {prefix for prefix, _ in log.read()}
            check("built-in half-open" in names, f"v{family}: events {names}")
        counted = [n for chain, line, n in t.counters() if chain == "half_open"]
        check(counted and counted[0] >= 1900,
              f"v{family}: counted {counted}")
        good = 0
        for i in range(20):
            t.cables["tslcd"].send(packets.tcp(make(5000 + i), dst, 1024 + i, 80, b""))
            try:
                status, _ = walk.http_get(t.ns("dc"), dst, timeout=10)
                good += status == 200
            except OSError:
                pass
        check(good >= 18, f"v{family}: {good} of 20 real clients got through")
    # the proof must be right: an ACK that answers nothing goes nowhere
    t.cables.clear()
    mark = packets.next_mark()
    t.cables["tslcd"].send(packets.tcp("10.200.99.9", SERVER.ip4, 5555, 80, mark,
                                       flags=ACK, seq=2, ack=77))
    # and what the rule does not permit is not answered either
    t.cables["tslcd"].send(packets.tcp("10.200.99.9", SERVER.ip4, 5556, 81, mark))
    t.cables.barrier(("tslcd", "lan"))
    check(not [f for f in t.cables.log if f.mark == mark and f.zone == "lan"],
          "a forged proof crossed")
    check(not [f for f in t.cables.log if f.is_ip and f.zone == "tslcd" and
               f.dst == "10.200.99.9"], "a forged proof, or another port, was answered")


@test("PF-16")
def test_half_open_keeps_the_order(t):
    """An earlier drop also decides on what waits for its proof."""
    t.enforce([{"id": "no", "from": ["tslcd"], "to": ["lan"], "source": [DC.ip4],
                "action": "drop"},
               {"id": "web", "from": ["tslcd"], "to": ["lan"],
                "destination": [SERVER.ip4], "service": ["tcp/80"],
                "action": "permit", "limit": {"half_open": 1}}])
    t.cables.clear()
    for i in range(5):
        t.cables["tslcd"].send(packets.tcp(DC.ip4, SERVER.ip4, 6000 + i, 80, b""))
        t.cables["tslcd"].send(packets.tcp("10.200.44.4", SERVER.ip4, 6000 + i, 80, b""))
    t.cables.barrier(("tslcd", "lan"))
    answered = {f.dst for f in t.cables.log if f.is_ip and f.zone == "tslcd" and
                f.proto == packets.TCP}
    check(answered == {"10.200.44.4"}, f"answered: {answered}")


def stamp(seconds):
    """A time from now, as a configuration writes it, in Vietnam's zone."""
    zone = datetime.timezone(datetime.timedelta(hours=7))
    return (datetime.datetime.now(zone) + datetime.timedelta(seconds=seconds)).isoformat(
        timespec="seconds")


@test("DT-08", boards=BOTH)
def test_valid_until(t):
    """A temporary permit ends by itself, with the flows that it let through."""
    rule = {"id": "scan", "from": ["tslcd"], "to": ["lan"], "service": ["udp/4000"],
            "action": "permit"}
    t.enforce([dict(rule, valid_until=stamp(-5))])
    t.expect(both(False, "dc", "lan1", "udp", 4000))
    check(not re.search(r'comment "scan"', t.box.ruleset()), "the ended rule is compiled")
    since = t.box.console.end()
    t.enforce([dict(rule, valid_until=stamp(25 if t.board == "host" else 90))])
    sport = next_port()

    def flows(reply):
        mark = packets.next_mark()
        t.cables.clear()
        if reply:
            t.cables["lan"].send(packets.udp(LAN1.ip4, DC.ip4, 4000, sport, mark))
        else:
            t.cables["tslcd"].send(packets.udp(DC.ip4, LAN1.ip4, sport, 4000, mark))
        t.cables.barrier(("lan", "tslcd"))
        return any(f.mark == mark and f.zone == ("tslcd" if reply else "lan")
                   for f in t.cables.log)

    check(flows(False) and flows(True), "the temporary rule does not permit")
    t.box.console.wait_for(r"^luytre: policyd: rules-ended .*\n", 150, since)
    t.box.console.wait_for(r"^luytre: policyd: enforced .*how=rules-ended.*\n", 30, since)
    check(not flows(True), "a flow of the ended rule goes on")
    check(not flows(False), "the ended rule still permits")


@test("DT-08")
def test_valid_until_while_off(t):
    """A temporary rule whose end passes while the power is off is over at the start."""
    rule = {"id": "scan", "from": ["tslcd"], "to": ["lan"], "service": ["udp/4000"],
            "action": "permit"}
    end = stamp(6)
    t.enforce([dict(rule, valid_until=end)])
    t.expect(both(True, "dc", "lan1", "udp", 4000))
    t.box.power_off()
    timer = os.timerfd_create(time.CLOCK_REALTIME)
    os.timerfd_settime(timer, flags=os.TFD_TIMER_ABSTIME,
                       initial=datetime.datetime.fromisoformat(end).timestamp() + 0.1)
    os.read(timer, 8)
    os.close(timer)
    t.lab.power_cycle()
    t.box.wait_ready("enforced")
    t.box.wait_addresses()
    check(not re.search(r'comment "scan"', t.box.ruleset()), "the ended rule is compiled")
    t.expect(both(False, "dc", "lan1", "udp", 4000))


@test("DT-08", boards=("qemu-arm64",))
def test_clock_jumps(t):
    """The clock jumps forward: the rule ends. It jumps back: the rule stays ended; a
    clock before the time of signing keeps a temporary permit off."""
    rule = {"id": "scan", "from": ["tslcd"], "to": ["lan"], "service": ["udp/4000"],
            "action": "permit"}
    t.enforce([dict(rule, valid_until=stamp(7200))])
    t.expect([case(True, "dc", "lan1", "udp", 4000)])
    now = int(t.box.shell_ok("date +%s"))
    since = t.box.console.end()
    try:
        t.box.shell_ok(f"date -s @{now + 7300} >/dev/null")
        t.box.console.wait_for(r"^luytre: policyd: enforced .*how=rules-ended.*\n", 60, since)
        t.expect([case(False, "dc", "lan1", "udp", 4000)])
        t.box.shell_ok(f"date -s @{now + 60} >/dev/null")
        t.enforce([dict(rule, valid_until=stamp(7200))])
        t.expect([case(False, "dc", "lan1", "udp", 4000)])
    finally:
        t.box.shell(f"date -s @{now + 120} >/dev/null")


@test("PF-07", "AC-14")
def test_timeouts(t):
    """Idle times come from the configuration and never fall below the RFCs."""
    t.enforce([], timeouts={"udp": 180, "tcp_established": 10000})
    base = "net/netfilter/nf_conntrack_"
    for key, value in (("udp_timeout", "180"), ("udp_timeout_stream", "180"),
                       ("tcp_timeout_established", "10000"),
                       ("tcp_timeout_fin_wait", "240")):
        check(t.box.sysctl(base + key) == value, f"{key}: {t.box.sysctl(base + key)}")
    for key, low in (("udp", 119), ("tcp_established", 7439), ("tcp_transitory", 239)):
        code, out = t.box.apply(t.config([], timeouts={key: low}))
        check(code == 1 and f"path=$.timeouts.{key}" in out and "RFC" in out,
              f"{key}: {code}: {out}")
    t.enforce([])
    check(t.box.sysctl(base + "udp_timeout") == "300", "the standard value did not return")


@test("AC-14")
def test_level_profile(t):
    """A configuration below its level is refused with the clause; `-np` lists all."""
    open_in = [{"from": ["tslcd"], "to": ["lan"], "action": "permit"}]
    code, out = t.box.apply(t.config(open_in, profile="2026-level2"))
    check(code == 1 and "path=$.rules[0]" in out and "4.12.2.4" in out, f"{code}: {out}")
    t.enforce(open_in)
    narrow = [{"from": ["tslcd"], "to": ["lan"], "destination": [SERVER.ip4], "log": True,
               "service": ["tcp/80"], "action": "permit"}]
    management = {"port": "mgmt0", "sources": [HOST["mgmt1"].ip4]}
    t.enforce(narrow, profile="2026-level2", management=management)
    check(t.box.status()["profile"] == "2026-level2", f"{t.box.status()}")
    code, out = t.box.apply(t.config(narrow, profile="2026-level3", management=management))
    check(code == 1 and "5.12.2.4e" in out, f"{code}: {out}")


def open_tcp(t, src, dst, ports):
    """Open connections from the LAN to the data network by hand, both ends."""
    for zone, make in (
            ("lan", lambda p: packets.tcp(src, dst, p, 4000, flags=SYN, seq=1)),
            ("tslcd", lambda p: packets.tcp(dst, src, 4000, p, flags=SYN | ACK, seq=100,
                                            ack=2)),
            ("lan", lambda p: packets.tcp(src, dst, p, 4000, flags=ACK, seq=2, ack=101))):
        for port in ports:
            t.cables[zone].send(make(port))
        t.cables.barrier(("lan", "tslcd"))


@test("PF-30", boards=("qemu-arm64",))
def test_table_full(t):
    """A full connection table refuses new flows and says so; old ones go on."""
    t.enforce([])       # whatever flowed is cut: the table is empty
    rule = {"from": ["lan"], "to": ["tslcd"], "action": "permit",
            "service": ["udp/4000", "tcp/4000"]}
    t.enforce([rule], limits={"connections": 1024})
    check(t.box.sysctl("net/netfilter/nf_conntrack_max") == "1024", "the limit is not set")
    since = t.box.console.end()
    # nobody has these addresses, so nobody resets; what is open cannot be displaced
    # (IPS_ASSURED), what is not yet gives way to newer ones
    a, b = "192.168.10.99", "10.200.10.99"
    for batch in range(5):
        t.cables.clear()
        open_tcp(t, a, b, [1024 + batch * 200 + i for i in range(200)])
    for port in range(3000, 3040):      # the last places one by one
        open_tcp(t, a, b, [port])
    t.box.console.wait_for(r"^luytre: policyd: table-full connections=\d+ max=1024 "
                           r"refused=[1-9]\d*\n", 60, since)
    t.expect([case(False, "lan1", "dc", "udp", 4000), case(False, "lan1", "dc", "tcp", 4000)])

    def crosses(zone, to, packet, mark):
        t.cables.clear()
        t.cables[zone].send(packet)
        t.cables.barrier(("lan", "tslcd"))
        return any(f.mark == mark and f.zone == to for f in t.cables.log)

    for port in (1024, 1500, 2000):
        mark = packets.next_mark()
        check(crosses("lan", "tslcd", packets.tcp(a, b, port, 4000, mark, flags=0x18, seq=2,
                                                  ack=101), mark),
              f"the open connection from port {port} does not go on")
    check(int(t.box.status()["refused"]) > 0, f"status: {t.box.status()}")
