"""`make run`: the demonstration on one screen, then the lab stays up."""
import contextlib
import http.client
import json
import os
import re
import select
import signal
import socket
import time

import ns
import packets
import province
import signing
from lab import attach_help
from ns import LabError
from province import HOST

COLUMNS = (33, 17, 19)
NAMES = {"host": "host (daemons in a namespace)", "qemu-arm64": "qemu-arm64 (real image)"}


class Walk:
    """Counts and prints the steps."""

    def __init__(self, lab):
        self.lab = lab
        self.box = lab.box
        self.number = 0
        self.failed = 0
        self.facts = []

    def step(self, tried, expected, action):
        """One line: ACTION() returns (good, what was seen)."""
        self.number += 1
        head = f"{self.number:2} {tried:{COLUMNS[0]}} {expected:{COLUMNS[1]}} "
        print(head, end="", flush=True)
        try:
            good, seen = action()
            more = ""
        except (LabError, OSError) as e:
            good, seen, more = False, "error, see below", str(e)
        self.failed += not good
        print(f"{seen:{COLUMNS[2]}} {'OK' if good else 'FAILED'}", flush=True)
        if more:
            print(f"   {more}", flush=True)
        return good


def http_get(namespace, address, path="/", timeout=5):
    """(status, body) of one request made inside NAMESPACE."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with ns.sock(namespace, family, socket.SOCK_STREAM) as s:
        s.settimeout(timeout)
        s.connect((address, 80))
        host = f"[{address}]" if ":" in address else address
        s.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        answer = http.client.HTTPResponse(s)
        answer.begin()
        return answer.status, answer.read()


def connect_all(lab, attempts, timeout):
    """Try all (from, address, port) at once: the set of those that got an answer.

    An answer is a connection or a refusal by the far end: either one shows that
    packets crossed in both directions.
    """
    socks = {}
    answered = set()
    for who, address, port in attempts:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        s = ns.sock(lab.ns(who), family, socket.SOCK_STREAM)
        s.setblocking(False)
        s.connect_ex((address, port))
        socks[s] = (who, address, port)
    left = ns.deadline(timeout)
    waiting = list(socks)
    while waiting and left():
        for s in select.select([], waiting, [], left())[1]:
            waiting.remove(s)
            err = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if err in (0, 111):     # connected, or refused by the far end
                answered.add(socks[s])
    for s in socks:
        s.close()
    return answered


def probes():
    """The steady flow of the walk: later permitted and never permitted, v4 and v6."""
    lan, dc, inet = HOST["lan1"], HOST["dc"], HOST["attacker"]
    tcp, udp = packets.probe_tcp, packets.probe_udp
    return [
        tcp(lan.ip4, dc.ip4, 80, permitted=True),
        tcp(lan.ip6, dc.ip6, 80, permitted=True),
        udp(dc.ip4, lan.ip4, 4000),
        udp(dc.ip6, lan.ip6, 4000),
        udp(inet.ip4, lan.ip4, 4000),
        udp(inet.ip6, lan.ip6, 4000),
        tcp(inet.ip4, dc.ip4, 80),
        tcp(inet.ip6, dc.ip6, 80),
    ]


def refused_from(walk, names, targets):
    """Step: hosts NAMES try targets (address, port); nobody may get an answer."""
    lab = walk.lab
    attempts = [(n, a, p) for n in names for a, p in targets if n != a]
    got = connect_all(lab, attempts, 1.5)
    return not got, f"{len(got)} of {len(attempts)} answered"


def step_closed(walk, cables):
    """From power-on without a configuration: nothing crosses."""
    flow = packets.Flow(cables, probes())
    flow.start()
    try:
        walk.lab.power_on()
        walk.box.wait_ready("closed")
        walk.facts.append(("closed rules in the kernel",
                           time.monotonic() - walk.box.powered_at))
        flow.wait_rounds(100)
    finally:
        flow.stop()
    cables.pump(0.2)
    seen = packets.crossing(cables.log)
    return (not seen and not cables.lost() and flow.sent,
            f"{len(seen)} of {len(flow.sent)} cross")


def step_apply(walk, config):
    start = time.monotonic()
    walk.box.enforce(config)
    took = time.monotonic() - start
    s = walk.box.status()
    return (s.get("serial") == str(config["serial"]),
            f"serial {s.get('serial', '?')}, {took:.1f} s")


def step_web(walk, address):
    status, body = http_get(walk.lab.ns("lan1"), address)
    return (status == 200 and body.startswith(b"dc "),
            f"HTTP {status}, {body.decode().split()[0]}")


def step_replies(walk):
    """A large download: every byte of it is a reply."""
    size = 1 << 20
    big = os.path.join(walk.lab.dir, "dc", "files", "big")
    with open(big, "wb") as f:
        f.write(os.urandom(1 << 16) * (size >> 16))
    got = sum(len(http_get(walk.lab.ns("lan1"), a, "/big", 30)[1])
              for a in (HOST["dc"].ip4, HOST["dc"].ip6))
    return got == 2 * size, f"{got / (1 << 20):.1f} MiB came"


def step_kill(walk, cables):
    """Kill policyd under a steady flow; judge the packets sent meanwhile."""
    cables.clear()
    flow = packets.Flow(cables, probes())
    flow.start()
    try:
        flow.wait_rounds(50)
        walk.box.kill("policyd")
        flow.wait_rounds(50)
    finally:
        flow.stop()
    expected = {m for m, p in flow.sent.items() if p.permitted}
    cables.barrier(("lan", "tslcd", "internet"))
    seen = set(flow.crossed(cables.log))
    lost, leaked = len(expected - seen), len(seen - expected)
    return (not lost and not leaked and not cables.lost() and expected,
            f"{lost} lost, {leaked} leaked")


def step_readable(walk):
    text = walk.box.ruleset()
    ids = [r["id"] for r in province.RULES]
    found = [i for i in ids if re.search(rf'comment "{i}\b', text)]
    return len(found) == len(ids), f"{len(found)} of {len(ids)} rule ids"


def step_refuse(walk):
    """An invalid configuration: refused with path, reason, fix; nothing changes."""
    before = walk.box.ruleset_static()
    rules = [dict(province.RULES[0], to=["moon"])]
    code, text = walk.box.apply(walk.lab.default_config(serial=9, rules=rules))
    walk.refusal = " ".join(text.split())
    same = walk.box.ruleset_static() == before
    good = code == 1 and "rules[0].to[0]" in text and "reason" in text and "fix" in text
    if not same:
        return False, "the rules changed"
    return good, "path, reason, fix" if good else f"exit {code}"


def step_unsigned(walk):
    """The attacker's plain configuration, and one with a single signature."""
    before = walk.box.status()["sha256"]
    config = walk.lab.default_config(serial=10, rules=[
        {"id": "open", "from": ["any"], "to": ["any"], "action": "permit"}])
    text = json.dumps(config).encode()
    plain, _ = walk.box.apply_file(text)
    one, _ = walk.box.apply_file(signing.artifact(text, 10, walk.box.device, ("officer",)))
    same = walk.box.status()["sha256"] == before
    return plain == 1 and one == 1 and same, "both refused" if same else "it changed"


def step_lost(walk):
    """A mistyped gateway: nobody can confirm it, and the old policy returns."""
    serial = walk.box.status()["serial"]
    since = walk.box.console.end()
    routes = [dict(r, via="10.200.1.77") if r["to"] == "10.200.0.0/16" else r
              for r in province.ROUTES]
    soc = {"addresses": [HOST["soc"].ip4]}
    config = walk.lab.default_config(serial=11, routes=routes, soc=soc, confirm_window=10)
    start = time.monotonic()
    code, text = walk.box.apply(config)
    if code != 0 or "soc=unreachable" not in text:
        return False, f"exit {code}"
    refused, why = walk.box.confirm(text)
    walk.loss = " ".join(why.split())
    walk.box.console.wait_for(rf"^luytre: policyd: rolled-back .*to={serial}\b", 60, since)
    walk.box.wait_addresses()
    return (refused == 1 and walk.box.status()["serial"] == serial,
            f"back after {time.monotonic() - start:.0f} s")


def step_cycle(walk, cables):
    """Power cut: the stored policy comes back by itself, nothing leaks before."""
    cables.clear()
    flow = packets.Flow(cables, probes())
    walk.box.power_off()
    flow.start()
    try:
        walk.lab.power_cycle()
        walk.box.wait_ready("enforced")
        boot = time.monotonic() - walk.box.powered_at
        flow.wait_rounds(50)
    finally:
        flow.stop()
    walk.facts.append(("power-on to policy enforced", boot))
    cables.barrier(("lan", "tslcd", "internet"))
    crossed = flow.crossed(cables.log)
    leaked = sum(not flow.sent[m].permitted for m in crossed)
    return (leaked == 0 and len(crossed) > 0,
            f"{boot:.1f} s, {leaked} leaked")


def demonstrate(lab):
    """All steps; the number of failed ones."""
    walk = Walk(lab)
    lan, dc = HOST["lan1"], HOST["dc"]
    inside = [(HOST["lansrv"].ip4, 80), (HOST["lansrv"].ip6, 80), (lan.ip4, 22),
              (lan.ip6, 22)]
    transit_out = [(HOST["web"].ip4, 80), (HOST["web"].ip6, 80)]
    transit_in = [(dc.ip4, 80), (dc.ip6, 80)]

    lab.prepare()
    lab.start_services()
    print(f"\nLũy Tre, board {NAMES[lab.board]}, lab {lab.number}\n")
    print(f"   {'tried':{COLUMNS[0]}} {'expected':{COLUMNS[1]}} {'seen':{COLUMNS[2]}}")
    with packets.Cables(lab.number) as cables:
        walk.step("power on; flow 8 ways, no policy", "0 packets cross",
                  lambda: step_closed(walk, cables))
        if not lab.is_up() or walk.failed:
            return walk
        if not walk.step("apply the agency's policy", "enforced",
                         lambda: step_apply(walk, lab.default_config())):
            return walk
        for name, address in (("IPv4", dc.ip4), ("IPv6", dc.ip6)):
            walk.step(f"LAN -> data centre web, {name}", "HTTP 200",
                      lambda a=address: step_web(walk, a))
        walk.step("replies: download, IPv4 and IPv6", "2.0 MiB come",
                  lambda: step_replies(walk))
        walk.step("data network -> LAN, IPv4+IPv6", "0 answered",
                  lambda: refused_from(walk, ("dc", "agency2", "soc"), inside))
        walk.step("Internet -> LAN, IPv4+IPv6", "0 answered",
                  lambda: refused_from(walk, ("attacker", "web"), inside))
        walk.step("Internet -> data network", "0 answered",
                  lambda: refused_from(walk, ("attacker", "web"), transit_in))
        walk.step("data network -> Internet", "0 answered",
                  lambda: refused_from(walk, ("dc", "agency2"), transit_out))
        walk.step("kill -9 policyd under traffic", "nothing changes",
                  lambda: step_kill(walk, cables))
        walk.step("nft list ruleset on the box", "rule ids readable",
                  lambda: step_readable(walk))
        walk.step("apply an invalid configuration", "refused, why",
                  lambda: step_refuse(walk))
        walk.step("unsigned, and signed by one alone", "both refused",
                  lambda: step_unsigned(walk))
        walk.step("signed, but the SOC is lost", "policy returns",
                  lambda: step_lost(walk))
        walk.step("power cut and back, flow 8 ways", "policy by itself",
                  lambda: step_cycle(walk, cables))
    return walk


def summary(walk):
    good = walk.number - walk.failed
    print()
    if getattr(walk, "refusal", ""):
        print(f"   the refusal: {walk.refusal[:200]}")
    if getattr(walk, "loss", ""):
        print(f"   not confirmed: {walk.loss[:200]}")
    for what, seconds in walk.facts:
        print(f"   {what}: {seconds:.1f} s")
    verdict_vi = "thiết bị chặn và cho qua đúng chính sách" if not walk.failed else \
        "CÓ BƯỚC KHÔNG ĐẠT, xem ở trên"
    verdict_en = "the appliance stops and passes what the policy says" \
        if not walk.failed else "THERE ARE FAILURES, see above"
    print(f"\nKết quả: {good}/{walk.number} bước đạt: {verdict_vi}.")
    print(f"Result:  {good}/{walk.number} steps good: {verdict_en}.", flush=True)


def stay(lab):
    """Keep the lab until Ctrl-C, or until the appliance ends by itself."""
    print("\nThe lab stays up.")
    for line in attach_help(lab):
        print("  " + line)
    print(f"  stop      Ctrl-C here, or make lab-down LAB={lab.number}", flush=True)
    fd = os.pidfd_open(lab.box.pid)
    select.select([fd], [], [])
    print("the appliance has ended; its console:\n" + lab.box.console.tail())
    return 1


def main(lab, once):
    """Entry of `lab run`; the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    made = False
    try:
        if lab.is_up():
            raise LabError(f"lab {lab.number} is up already: "
                           f"`make lab-down LAB={lab.number}` or another LAB=N")
        made = True
        walk = demonstrate(lab)
        summary(walk)
        if once or not lab.is_up():
            return 1 if walk.failed else 0
        with contextlib.suppress(KeyboardInterrupt):
            return stay(lab)
        print()
        return 1 if walk.failed else 0
    finally:
        if made:
            lab.down()
            print(f"[lab {lab.number}] down")
