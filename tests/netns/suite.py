"""Runner of the namespace tests, and what they share.

A test is a function `test_NAME(t)` in one of the files of MODULES, decorated
with @test("REQUIREMENT", ...).  It gets the lab as `t` and fails by raising.
One lab serves all tests of a run; each test begins by saying which
configuration it wants, so that their order does not matter.
"""
import argparse
import contextlib
import importlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import traceback

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../lab")]
sys.modules.setdefault("suite", sys.modules[__name__])

import lab as lab_module  # noqa: E402
import ns  # noqa: E402
import packets  # noqa: E402
import province  # noqa: E402
from province import HOST, ZONE_HOST  # noqa: E402

MODULES = ("closed", "console", "faults", "zones", "match", "hardening", "refuse", "ports",
           "nat", "signed", "limits", "selftest", "links", "tunnels", "leak", "state",
           "fragments", "sources", "icmp", "scan", "mgmt", "reports")
TESTS = []


class Fail(Exception):
    """The appliance did not do what it must."""


class Skip(Exception):
    """This machine cannot run the test; the text says why."""


def test(*requirements, boards=("host",)):
    """Mark a function as a test that proves REQUIREMENTS on BOARDS."""
    def mark(function):
        function.requirements = requirements
        function.boards = boards
        TESTS.append(function)
        return function
    return mark


BOTH = ("host", "qemu-arm64")


def check(condition, text):
    if not condition:
        raise Fail(text)


class Case:
    """One packet and whether the policy lets it cross."""

    def __init__(self, name, passes, zone, to, packet):
        self.name, self.passes, self.zone, self.to = name, passes, zone, to
        self.packet = packet    # function(port, mark) -> IP packet
        self.mark = self.source = None


_port = random.randrange(20000, 30000)


def next_port():
    """A source port (or ICMP id) that no packet of this run has had."""
    global _port
    _port = 20000 if _port >= 64000 else _port + 1
    return _port


def hosts(a, b, family):
    """Addresses of hosts A and B of one family."""
    return ((HOST[a].ip4, HOST[b].ip4) if family == 4 else (HOST[a].ip6, HOST[b].ip6))


def case(passes, src, dst, kind, *args, family=4, name=None, zone=None, to=None):
    """A Case between two hosts of the province.

    KIND: "tcp"/"udp" with a destination port, "icmp" with type and code (by the
    family also ICMPv6), "proto" with a protocol number.  ZONE and TO name the
    cables when the configuration has moved them.
    """
    s, d = hosts(src, dst, family)
    if kind in ("tcp", "udp"):
        build = {"tcp": packets.tcp, "udp": packets.udp}[kind]

        def make(port, mark):
            return build(s, d, port, args[0], mark)
    elif kind == "icmp":
        def make(port, mark):
            return packets.icmp(s, d, args[0], args[1] if len(args) > 1 else 0,
                                port.to_bytes(2, "big") + b"\0\1", mark)
    else:
        def make(port, mark):
            return packets.ip_packet(s, d, args[0], b"\0\0\x08\0" + mark)
    label = name or f"{src} > {dst} {kind}/{'/'.join(map(str, args))} v{family}"
    return Case(label, passes, zone or HOST[src].zone, to or HOST[dst].zone, make)


def both(passes, src, dst, kind, *args, **more):
    """The same case for IPv4 and IPv6."""
    return [case(passes, src, dst, kind, *args, family=f, **more) for f in (4, 6)]


class Bench:
    """The lab as tests see it."""

    def __init__(self, lab):
        self.lab = lab
        self.board = lab.board
        self.box = lab.box
        self.cables = None
        self.serial = 0
        self.short = False
        self.applies = 60       # of the test that exchanges policies under load
        self.work = os.path.join(lab.dir, "work")
        os.makedirs(self.work, exist_ok=True)

    def ns(self, name):
        return self.lab.ns(name)

    def note(self, text):
        print(f"    {text}", flush=True)

    # Configurations

    def config(self, rules, **members):
        """A configuration with these rules and a serial that was not used yet."""
        self.serial += 1
        rules = [dict({"id": f"t{i + 1}"}, **r) for i, r in enumerate(rules)]
        return province.config(self.board, self.lab.number, serial=self.serial,
                               rules=rules, **members)

    def enforce(self, rules, **members):
        """Bring a policy into force; the appliance must accept it."""
        self.ensure_running()
        self.box.enforce(self.config(rules, **members))
        self.box.wait_addresses()

    def moved(self, **zones):
        """`ports` with other zones: moved(srv0="lan")."""
        ports = province.ports(self.board)
        for p in ports:
            p["zone"] = zones.get(p["name"], p["zone"])
        return ports

    def ensure_running(self):
        """Switch the appliance on if a test has left it off."""
        if not self.box.alive():
            self.lab.power_cycle()
            self.box.wait_ready()

    def fresh(self):
        """Off, storage erased, on again: an appliance out of its box, closed."""
        self.box.power_off()
        self.box.erase()
        self.lab.power_cycle()
        self.box.wait_ready("closed")

    # Packets

    def expect(self, cases, timeout=5.0):
        """Send all CASES; those and only those that may cross must cross."""
        cables = self.cables
        cables.clear()
        by_mark = {}
        for c in cases:
            c.mark = packets.next_mark()
            packet = c.packet(next_port(), c.mark)
            c.source = packet[12:16] if packet[0] >> 4 == 4 else packet[8:24]
            by_mark[c.mark] = c
            cables[c.zone].send(packet)
        arrived, wrong = {}, []

        def take(frames):
            for f in frames:
                c = by_mark.get(f.mark)
                if c is None:
                    continue
                at = 26 if f.kind == 0x0800 else 22
                if f.frame[at:at + len(c.source)] != c.source:
                    continue        # an answer that quotes the mark
                arrived[c.mark] = f
                if f.zone != c.to:
                    wrong.append(f"{c.name} came out of {f.zone}")

        want = {c.mark for c in cases if c.passes}
        left = ns.deadline(timeout)
        while want - arrived.keys() and left():
            take(cables.pump(left()))
        silent = cables.barrier()
        take(cables.log)
        check(not silent, f"cables without answer: {', '.join(sorted(silent))}")
        check(not cables.lost(), "the capture lost frames")
        wrong += [f"{c.name} was stopped" for c in cases
                  if c.passes and c.mark not in arrived]
        wrong += [f"{c.name} crossed" for c in cases
                  if not c.passes and c.mark in arrived]
        if wrong:
            more = f" (and {len(wrong) - 5} more)" if len(wrong) > 5 else ""
            raise Fail(f"{len(wrong)} of {len(cases)}: " + "; ".join(wrong[:5]) + more)

    def counters(self):
        """[(chain, rule text, packets)] of `inet luytre`, rules with a counter."""
        out, chain = [], None
        for line in self.box.ruleset().splitlines():
            line = line.strip()
            if line.startswith("table "):
                chain, ours = None, line.startswith("table inet luytre")
            elif line.startswith("chain ") and ours:
                chain = line.split()[1]
            elif chain and (found := re.search(r"counter packets (\d+)", line)):
                out.append((chain, line, int(found.group(1))))
        return out


def requirement_list():
    """For `suite.py --list`: test id and requirement ids."""
    for f in TESTS:
        print(f"{name_of(f)}\t{','.join(f.requirements)}\t{','.join(f.boards)}")


def name_of(function):
    return f"{function.__module__}.{function.__name__[5:]}"


def run_one(t, function):
    """(result, reason) of one test."""
    try:
        if t.board not in function.boards:
            return "skip", f"not for board {t.board}"
        function(t)
        return "ok", ""
    except Skip as e:
        return "skip", str(e)
    except (Fail, ns.LabError) as e:
        return "FAIL", str(e)
    except subprocess.SubprocessError as e:
        return "FAIL", f"{type(e).__name__}: {e}"
    except Exception:  # a mistake of the test itself
        traceback.print_exc(file=sys.stdout)
        return "FAIL", f"the test itself broke: {traceback.format_exc().splitlines()[-1]}"


def main():
    p = argparse.ArgumentParser(prog="tests/netns/run")
    p.add_argument("--board", default="host", choices=("host", "qemu-arm64"))
    p.add_argument("--short", action="store_true")
    p.add_argument("--keep", action="store_true")
    p.add_argument("--list", action="store_true")
    p.add_argument("--applies", type=int, default=60)
    p.add_argument("names", nargs="*")
    args = p.parse_args()
    for m in MODULES:
        importlib.import_module(m)
    if args.list:
        return requirement_list()
    stage = "netns" if args.board == "host" else "qemu"
    chosen = [f for f in TESTS
              if not args.names or any(n in name_of(f) for n in args.names)]
    if args.short or args.board != "host":
        chosen = [f for f in chosen if "qemu-arm64" in f.boards]
    if not chosen:
        sys.exit(f"tests/netns/run: no test is called like {' '.join(args.names)}")

    lab = lab_module.Lab(lab_module.first_free(20), args.board)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    count = {"ok": 0, "FAIL": 0, "skip": 0}
    try:
        start = time.monotonic()
        lab.prepare()
        lab.start_services()
        lab.power_on()
        lab.box.wait_ready()
        t = Bench(lab)
        t.short = args.short or args.board != "host"
        t.applies = args.applies
        print(f"[{stage}] lab {lab.number} ready in {time.monotonic() - start:.1f} s, "
              f"{len(chosen)} tests", flush=True)
        for f in chosen:
            start = time.monotonic()
            with packets.Cables(lab.number) as t.cables:
                result, reason = run_one(t, f)
            count[result] += 1
            reason = " ".join(reason.split())
            print(f"{result} {stage}/{name_of(f)} {reason}".rstrip(), flush=True)
            t.note(f"{time.monotonic() - start:.1f} s, {', '.join(f.requirements)}")
    except ns.LabError as e:
        count["FAIL"] += 1
        print(f"FAIL {stage}/lab {' '.join(str(e).split())}")
    finally:
        if args.keep and count["FAIL"]:
            print(f"[{stage}] lab {lab.number} is kept: tests/lab/lab down "
                  f"--lab {lab.number}")
        else:
            lab.down()
            if not count["FAIL"]:
                with contextlib.suppress(OSError):
                    import shutil
                    shutil.rmtree(lab.dir)
    print(f"{stage}: {count['ok']} passed, {count['FAIL']} failed, "
          f"{count['skip']} skipped")
    return 1 if count["FAIL"] else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
