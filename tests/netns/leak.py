"""FC-04: the policy is exchanged again and again under a steady flow.

Three policies take turns. What each of them permits stands in other rules, sets
and maps than in the others, and what only a mixture of two of them would permit
is part of the probe. Nothing is confirmed in between: each new policy replaces
the one on trial.
"""
import json
import os

import ns
import nflog
import packets
import signing
import stream
from province import HOST
from signed import ALL_SEALS, memfd, send_fd
from suite import check, test

RATE = 10000            # forbidden packets a second
FLOW_RATE = 100         # packets a second of each permitted flow
FRESH_PORTS = 20000     # the flow that is always new: one source port a packet
BETWEEN = 100           # forbidden packets at least during and after each apply
LAN, DC, SOC, WEB = (HOST[n] for n in ("lan1", "dc", "soc", "web"))
LOGGED = "logged-new"
ART_CONFIG = 1


def pad(count, port):
    """Rules of the same zone pair that match none of our packets."""
    return [{"from": ["lan"], "to": ["tslcd"], "service": [f"tcp/{port + i}"],
             "destination": [f"10.201.{i // 250}.{i % 250 + 1}", "10.202.0.0/24"],
             "action": "permit"} for i in range(count)]


def policies():
    """Three policies: 4000, 4001 of dc and 4100 of soc always pass; to dc 5000 passes
    never, to soc 5001 never, 6000-6009 never; all else differs."""
    two = {"from": ["lan"], "to": ["tslcd"], "action": "permit"}
    back = {"from": ["internet", "tslcd"], "to": ["any"], "action": "drop"}
    new = dict(two, id=LOGGED, service=["udp/4100"], log=True)
    dc, soc = [DC.ip4, DC.ip6], [SOC.ip4, SOC.ip6]
    others = ["10.200.20.11", "2001:2:0:b20::11"]
    return [
        [dict(two, destination=dc + others, service=["udp/4000", "udp/4001"]),
         dict(two, destination=soc, service=["udp/5000"]),
         dict(new, destination=soc), back],
        pad(20, 7000) +
        [dict(two, source=[LAN.ip4, LAN.ip6], destination=dc,
              service=["udp/3999-4002"]),
         dict(new, destination=soc + others),
         dict(two, destination=dc, service=["udp/5001"])],
        [dict(two, destination=["10.200.10.0/25", "10.200.30.0/24", "10.200.20.11",
                                "2001:2:0:b10::/64", "2001:2:0:b30::/64"],
              service=["udp/6000-6003", "udp/6005-6009", "tcp/6000-6003", "tcp/6005-6009"],
              action="drop"),
         dict(two, destination=dc, service=["udp/5000", "tcp/5000"], action="drop")] +
        pad(5, 8000) +
        [dict(two, destination=soc, service=["udp/5001-5002", "tcp/5001-5002"],
              action="drop"),
         dict(new, destination=["10.200.30.0/24", "2001:2:0:b30::/64"]),
         dict(two, destination=["dc-web", "soc"]), back]]


def forbidden(t):
    """The probe: {mark: name} and one Burst a cable."""
    names, bursts = {}, []
    ways = {"lan": [("lan1", "dc", (5000, 6000, 6009)), ("lan1", "soc", (5001, 6005)),
                    ("lan1", "web", (4000,)), ("lan1", "srv1", (4001,))],
            "tslcd": [("dc", "lan1", (4000, 5001)), ("dc", "attacker", (4000,))],
            "internet": [("attacker", "lan1", (4000,)), ("attacker", "dc", (4000, 5001))]}
    for zone, targets in ways.items():
        cable, frames = t.cables[zone], []
        for src, dst, ports in targets:
            a, b = HOST[src], HOST[dst]
            for port in ports:
                for s, d in ((a.ip4, b.ip4), (a.ip6, b.ip6)):
                    for build in (packets.udp, packets.tcp):
                        for sport in range(30000, 30008):
                            mark = packets.next_mark()
                            names[mark] = f"{src} > {dst} {build.__name__}/{port}"
                            frames.append(packets.ether(cable.box_mac, cable.mac, build(
                                s, d, sport, port, mark)))
        bursts.append(stream.Burst(cable, frames))
    return names, bursts


def permitted(t):
    """Flows that every policy lets pass: kept, answered, always new; v4 and v6."""
    out = []
    for a, b, c in ((LAN.ip4, DC.ip4, SOC.ip4), (LAN.ip6, DC.ip6, SOC.ip6)):
        lan, dc = t.cables["lan"], t.cables["tslcd"]
        out += [stream.Flow(f"kept to {b}", lan, "tslcd", lambda _, data, a=a, b=b:
                            packets.udp(a, b, 41000, 4000, data)),
                stream.Flow(f"answered to {b}", lan, "tslcd", lambda _, data, a=a, b=b:
                            packets.udp(a, b, 41001, 4001, data)),
                stream.Flow(f"answer of {b}", dc, "lan", lambda _, data, a=a, b=b:
                            packets.udp(b, a, 4001, 41001, data)),
                stream.Flow(f"new to {c}", lan, "tslcd", lambda n, data, a=a, c=c:
                            packets.udp(a, c, 42000 + n % FRESH_PORTS, 4100, data))]
    return out


def received(t):
    """Packets that the appliance's ports have received."""
    with ns.inside(t.box.box), open("/proc/net/dev", encoding="ascii") as f:
        return sum(int(line.split(":")[1].split()[1]) for line in f
                   if ":" in line and line.split(":")[0].strip() != "lo")


class Watch:
    """What has come out of the appliance."""

    def __init__(self, t, flow, names):
        self.t, self.flow, self.names = t, flow, names
        self.leaked = []

    def look(self):
        """Take and judge what the cables hold; keeps nothing but leaks."""
        for f in self.flow.take(self.t.cables.log):
            if f.mark in self.names:
                self.leaked.append(f"{self.names[f.mark]} came out of {f.zone}")
        self.t.cables.log = []

    def judge(self, applies):
        check(not self.leaked, f"{len(self.leaked)} forbidden packets crossed in "
                               f"{applies} applies: {'; '.join(self.leaked[:4])}")
        for f in self.flow.flows:
            lost = f.sent - f.tally.next + f.tally.lost
            check(lost == 0 and f.tally.odd == 0, f"{f.name}: {lost} of {f.sent} lost, "
                  f"{f.tally.odd} out of order in {applies} applies")


def change(t, rules):
    """Sign and apply without a confirmation."""
    config = t.config(rules)
    payload = json.dumps(config, ensure_ascii=False).encode()
    fd = memfd(signing.artifact(payload, config["serial"], t.box.device), ALL_SEALS)
    try:
        code, text = send_fd(t, fd, ART_CONFIG)
    finally:
        os.close(fd)
    check(code == 0 and "confirm=" in text, f"apply: {code}: {text}")


def check_probe(t, flow, names, bursts):
    """What was stopped was stopped by the policy: without one each packet crosses."""
    t.enforce([{"from": ["any"], "to": ["any"], "action": "permit"}])
    watch = Watch(t, flow, names)
    for b in bursts:
        b.at = 0
        while b.send(b.count) and b.at:
            pass
    t.cables.barrier()
    watch.look()
    want = sum("attacker > dc" not in n and "dc > attacker" not in n
               for n in names.values())
    check(len(watch.leaked) == want, f"of {want} good probes {len(watch.leaked)} crossed")


@test("FC-04")
def test_applies(t):
    """Many applies under 10,000 forbidden packets a second: none of them crosses, no
    packet of a permitted flow is lost, old or new, and each new one is logged."""
    turns = policies()
    t.enforce(turns[0])
    t.box.version = t.serial
    names, bursts = forbidden(t)
    flow = stream.Stream(bursts, RATE, permitted(t), FLOW_RATE)
    watch = Watch(t, flow, names)
    for f in flow.flows:        # neighbours are known before the first is counted
        f.cable.send(f.make(0, b"LT-warm-up"))
        t.cables.barrier()
    t.cables.clear()
    before, logged = received(t), 0
    with nflog.Reader(t.box.box, 1) as log:
        flow.start()
        try:
            for i in range(t.applies):
                change(t, turns[(i + 1) % len(turns)])
                flow.wait_sent(BETWEEN)
                t.cables.pump()
                watch.look()
                logged += sum(LOGGED in s[0] for s in log.read(0))
                if i % 100 == 99:
                    t.note(f"{i + 1} applies, {flow.sent} forbidden packets sent")
        finally:
            flow.stop()
        t.cables.barrier()
        watch.look()
        logged += sum(LOGGED in s[0] for s in log.read())
    check(not t.cables.lost(), "the capture lost frames")
    watch.judge(t.applies)
    new = sum(min(f.sent, FRESH_PORTS) for f in flow.flows if f.name.startswith("new "))
    check(logged == new, f"{new} new flows, the rule logged {logged}")
    arrived = received(t) - before
    check(arrived >= flow.sent, f"{flow.sent} sent, the ports received {arrived}")
    check_probe(t, flow, names, bursts)
    good = sum(f.sent for f in flow.flows)
    t.note(f"{t.applies} applies in {flow.seconds:.1f} s, {flow.sent} forbidden packets "
           f"({flow.sent / flow.seconds:.0f}/s): 0 crossed; {good} permitted, "
           f"{new} of them new flows: 0 lost")
