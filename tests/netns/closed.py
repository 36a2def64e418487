"""Closed before open, and the same after a death: FC-01, FC-03, PF-01."""
import os
import re
import signal

import appliance
import ns
import packets
import walk
from province import HOST, INSIDE, SEGMENTS, ZONE_HOST, ZONES
from suite import BOTH, check, test

WEB = [{"from": ["lan"], "to": ["tslcd"], "destination": ["dc-web"],
        "service": ["tcp/80"], "action": "permit"}]


def flows(t):
    """Probes both ways: on host between all zones, in QEMU the eight of the walk."""
    if t.short:
        return walk.probes()
    out = []
    for a in ZONES:
        for b in ZONES:
            if a == b:
                continue
            for f in (4, 6):
                src, dst = HOST[ZONE_HOST[a]], HOST[ZONE_HOST[b]]
                pair = (src.ip4, dst.ip4) if f == 4 else (src.ip6, dst.ip6)
                out.append(packets.probe_udp(*pair, 4000))
                out.append(packets.probe_tcp(*pair, 80,
                                             permitted=(a, b) == ("lan", "tslcd")))
    return out


def accepted(t):
    """What the forwarding rules have accepted, by their own counters."""
    return sum(n for chain, line, n in t.counters()
               if chain not in ("input", "output", "guard", "fragments") and " accept" in line)


@test("FC-01", boards=BOTH)
def test_fc01_power_on(t):
    """A steady flow from power-on: nothing crosses before the policy, then only
    what it permits, and exactly what the counters of the kernel say."""
    t.box.power_off()
    t.box.erase()
    t.cables.clear()
    flow = packets.Flow(t.cables, flows(t), 0.01 if t.short else 0.05)
    flow.start()
    try:
        t.lab.power_cycle()
        t.box.wait_ready("closed")
        flow.wait_rounds(30)
        check(t.box.sysctl("net/ipv4/ip_forward") == "0", "IPv4 forwarding is on")
        check(t.box.sysctl("net/ipv6/conf/all/forwarding") == "0", "IPv6 forwarding is on")
        t.cables.pump(0.2)
        before = packets.crossing(t.cables.log)
        check(not before, f"before the policy {len(before)} packets crossed: "
                          f"{'; '.join(map(str, before[:3]))}")
        check(len(flow.sent) > 30 * len(flow.probes), "the flow did not flow")
        t.box.enforce(t.config(WEB))
        # IPv6 begins when the appliance's addresses are known to be unique
        for family in (0x0800, 0x86dd):
            check(t.cables.wait_for(lambda f, k=family: f.zone == "tslcd" and f.kind == k
                                    and f.mark in flow.sent, 20),
                  f"after the policy nothing of type {family:04x} crosses")
    finally:
        flow.stop()
    judge_leaks(t, flow, t.cables.log)
    counted_before, crossed_before = reading(t)
    flow = packets.Flow(t.cables, flows(t), 0.01 if t.short else 0.05)
    flow.start()
    try:
        flow.wait_rounds(30)
    finally:
        flow.stop()
    counted, crossed = reading(t)
    counted -= counted_before
    crossed -= crossed_before
    judge_leaks(t, flow, t.cables.log)
    arrived = len(flow.crossed(t.cables.log))
    lost = flow.count(True) - arrived
    check(lost == 0, f"{lost} permitted packets did not cross")
    check(not t.cables.lost(), "the capture lost frames")
    check(counted == crossed, f"{crossed} packets crossed, the accepting rules "
                              f"counted {counted}")
    t.note(f"{len(flow.sent)} sent, {arrived} of them and {crossed - arrived} "
           f"answers crossed = {counted} counted")


def reading(t):
    """What the accepting rules have counted and how many packets the cables have
    seen crossing, read at a moment when nothing was under way: a host may answer
    a second time long after the flow has ended."""
    for _ in range(50):
        counted = accepted(t)
        t.cables.barrier(("lan", "tslcd"))
        crossed = len(packets.crossing(t.cables.log))
        if accepted(t) == counted:
            return counted, crossed
    raise ns.LabError("packets cross without an end")


def judge_leaks(t, flow, frames):
    wrong = [flow.sent[m].name for m in flow.crossed(frames) if not flow.sent[m].permitted]
    check(not wrong, f"{len(wrong)} forbidden packets crossed: {wrong[:3]}")


@test("FC-01", boards=BOTH)
def test_fc01_power_cut(t):
    """With a stored policy, too: nothing forbidden crosses from power-on on."""
    t.enforce(WEB)
    t.box.power_off()
    t.cables.clear()
    flow = packets.Flow(t.cables, flows(t), 0.01 if t.short else 0.05)
    flow.start()
    try:
        t.lab.power_cycle()
        t.box.wait_ready("enforced")
        flow.wait_rounds(30)
    finally:
        flow.stop()
    t.cables.barrier()
    crossed = flow.crossed(t.cables.log)
    wrong = [flow.sent[m].name for m in crossed if not flow.sent[m].permitted]
    check(not wrong, f"{len(wrong)} forbidden packets crossed: {wrong[:3]}")
    check(crossed, "the stored policy lets nothing pass")


def judge(t, flow, since, what):
    """Every permitted packet sent since SINCE crossed, no other one did."""
    want = {m for m, p in flow.sent.items() if p.permitted and m not in since}
    t.cables.barrier(("lan", "tslcd", "internet"))
    seen = set(flow.crossed(t.cables.log)) - since
    check(want, "the flow did not flow")
    check(not want - seen, f"{what}: {len(want - seen)} permitted packets were lost")
    check(not seen - want, f"{what}: {len(seen - want)} forbidden packets crossed")


@test("FC-03", boards=BOTH)
def test_fc03_kill_each(t):
    """kill -9 of each daemon under a steady flow changes no decision."""
    t.enforce(WEB)
    rules = t.box.ruleset_static()
    for task in appliance.TASKS:
        t.cables.clear()
        flow = packets.Flow(t.cables, walk.probes())
        flow.start()
        try:
            flow.wait_rounds(30)
            t.box.kill(task)
            flow.wait_rounds(30)
        finally:
            flow.stop()
        judge(t, flow, set(), f"kill -9 {task}")
    check(t.box.ruleset_static() == rules, "the rules are not what they were")


@test("FC-03")
def test_fc03_kill_init(t):
    """Even without PID 1 and all daemons the kernel goes on enforcing."""
    t.enforce(WEB)
    t.cables.clear()
    flow = packets.Flow(t.cables, walk.probes())
    flow.start()
    try:
        flow.wait_rounds(30)
        pid, started = t.box._svcd(), ns.start_time(t.box._svcd())
        os.kill(pid, signal.SIGKILL)
        check(ns.wait_gone(pid, 10) or ns.start_time(pid) != started, "svcd lives on")
        flow.wait_rounds(30)
    finally:
        flow.stop()
    judge(t, flow, set(), "kill -9 svcd")


@test("PF-01")
def test_pf01_sweep(t):
    """Empty policy: all 65,535 TCP and UDP ports, from each zone to each other zone
    and to the appliance, v4 and v6: nothing crosses, nothing on it answers."""
    t.enforce([])
    sweeps = {(p, f): packets.Sweep(p, f) for p in (packets.TCP, packets.UDP)
              for f in (4, 6)}
    for zone in ZONES:
        me = HOST[ZONE_HOST[zone]]
        mine = next(s for s in SEGMENTS if s.zone == zone)
        for (_, family), sweep in sweeps.items():
            src = me.ip4 if family == 4 else me.ip6
            own = (mine.v4 if family == 4 else mine.v6).split("/")[0]
            targets = [own] + [(HOST[ZONE_HOST[z]].ip4 if family == 4 else
                                HOST[ZONE_HOST[z]].ip6) for z in ZONES if z != zone]
            for dst in targets:
                sweep.send(t.cables[zone], src, dst, 40000)
        t.cables.barrier()
        seen = [f for f in packets.crossing(t.cables.log)
                if f.proto in (packets.TCP, packets.UDP) or f.is_error]
        check(not seen, f"from {zone}: {len(seen)} packets came out: "
                        f"{'; '.join(map(str, seen[:3]))}")
        check(not t.cables.lost(), "the capture lost frames")
        t.cables.clear()


@test("PF-01", boards=BOTH)
def test_pf01_echo(t):
    """The one thing that answers: ping, to inside zones only."""
    t.enforce([])
    for s in SEGMENTS:
        me = HOST[ZONE_HOST[s.zone]]
        for family, kind, reply in ((4, 8, 0), (6, 128, 129)):
            src = me.ip4 if family == 4 else me.ip6
            own = (s.v4 if family == 4 else s.v6).split("/")[0]
            mark = packets.next_mark()
            t.cables.clear()
            t.cables[s.zone].send(packets.icmp(src, own, kind, 0, b"\0\x07\0\1", mark))
            t.cables.barrier((s.zone,))
            got = [f for f in t.cables.log if f.mark == mark]
            check(bool(got) == (s.zone in INSIDE),
                  f"ping v{family} from {s.zone}: {len(got)} answers (type {reply})")


@test("FC-03", boards=BOTH)
def test_fc03_restart_adopts(t):
    """A policyd that comes back finds its policy and writes nothing."""
    t.enforce(WEB)
    since = t.box.console.end()
    t.box.kill("policyd")
    line = t.box.console.wait_for(r"^luytre: policyd: enforced .*$", 20, since=since)
    check(re.search(r"how=adopted", line.group(0)), f"not adopted: {line.group(0)}")
