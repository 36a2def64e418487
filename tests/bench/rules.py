"""What a packet costs under policies of 10, 200 and 2,000 rules: `make bench-rules`.

usage: rules.py [--rounds N]

All configurations live at once, each in a namespace of its own; a round measures
each of them in turn, so that whatever else the machine does hits all alike. The
generator's CPU time is that of the whole path (its veth pair and the firewall run
in its system calls; behind the firewall is a tun interface without reader). Ratios
are medians of the ratios of each round. Only ratios mean something: nanoseconds
are this machine's.

"tax" is what a firewall costs over plain forwarding. Lũy Tre's rules are loaded by
policyd's own compiler, transaction and read-back (policyd_load).
"""
import argparse
import os
import statistics
import struct
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import policies  # noqa: E402
from netns import Namespace  # noqa: E402

FLOOD = "out/tests/bench/flood"
LOAD = "out/tests/unit/policyd_load"
ROUNDS = 40
LIMIT_S = 600
SIZES = (10, 200, 2000)
FLOWS = 1000            # established flows
PACKETS = 60000         # of established flows, a measurement
NEW = 5000              # new flows, a measurement: each one packet


WHY = """
Why a target is missed: ours looks at every packet before connection tracking (the
chains fragments and guard: fragments, impossible addresses, options, the route back
to the source) and at isolated zones before the state; fw4 and conntrack alone do
none of that. "ours-guard" is ours with these two chains emptied. The targets are
those of a rule set without such checks; ours here has no NAT, fw4+nat masquerades.
A 10-rule policy is compared in place, 200 and 2,000 rules are looked up in maps."""


class Config:
    """One firewall between the generator's veth pair and a tun interface."""

    def __init__(self, name, index, generator):
        self.name = name
        self.ns = Namespace()
        self.port = f"g{index}"
        self.mac = f"02:00:00:00:01:{index:02x}"
        self.generator = generator
        self.cost = {}
        generator.ip(f"link add {self.port} type veth peer name {policies.LAN} "
                     f"address {self.mac} netns /proc/{os.getpid()}/fd/{self.ns.fd}",
                     f"link set {self.port} up")
        self.tun = self.ns.tun(policies.WAN)
        for key in ("all", "default", policies.LAN, policies.WAN):
            self.ns.sysctl(f"net/ipv4/conf/{key}/rp_filter", 0)
            self.ns.sysctl(f"net/ipv6/conf/{key}/disable_ipv6", 1)
        self.ns.sysctl("net/ipv4/ip_forward", 1)
        hosts = (f"neigh add {address(i)} lladdr 02:00:00:00:00:01 dev {policies.LAN}"
                 for i in range(FLOWS // 50))
        self.ns.ip("link set lo up", f"addr add {policies.LAN_ADDR} dev {policies.LAN}",
                   f"addr add {policies.WAN_ADDR} dev {policies.WAN}",
                   f"link set {policies.LAN} up", f"link set {policies.WAN} txqueuelen 1 up",
                   f"route add default via {policies.WAN_NEXT} dev {policies.WAN}", *hosts)

    def load_nft(self, text):
        self.ns.run(["nft", "-f", "-"], text_in=text)

    def load_luytre(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
            f.write(text)
            f.flush()
            return self.ns.run([LOAD, f.name]).strip()

    def send(self, flows, first, count):
        """CPU nanoseconds a packet; every packet must have crossed."""
        before = self.ns.sent(policies.WAN)
        out = self.generator.run([FLOOD, self.port, self.mac, policies.SOURCE, policies.DEST,
                                  str(policies.PORT), str(flows), str(first), str(count)])
        packets, cpu = (int(word) for word in out.split())
        crossed = self.ns.sent(policies.WAN) - before
        if abs(crossed - packets) > 1 + packets // 1000:    # one waits in the tun
            raise RuntimeError(f"{self.name}: {crossed} of {packets} packets crossed")
        return cpu / packets

    def establish(self):
        """Open the flows and answer each: from now on they are established."""
        self.send(FLOWS, 0, FLOWS)
        for i in range(FLOWS):
            os.write(self.tun, reply(i))

    def measure(self, what):
        if what == "established":
            cost = self.send(FLOWS, 0, PACKETS)
        else:
            self.ns.forget_flows()
            cost = self.send(NEW, 0, NEW)
            self.ns.forget_flows()
        self.cost.setdefault(what, []).append(cost)


def address(host):
    """Address of the generator's host number HOST."""
    a = [int(b) for b in policies.SOURCE.split(".")]
    n = a[2] * 256 + a[3] + host
    return f"{a[0]}.{a[1]}.{n // 256}.{n % 256}"


def reply(flow):
    """The answer to flow number FLOW as flood.c counts them, IPv4 and UDP."""
    src = bytes(int(b) for b in policies.DEST.split("."))
    dst = bytes(int(b) for b in address(flow // 50).split("."))
    udp = struct.pack(">HHHH", policies.PORT, 10000 + flow % 50, 12, 0) + b"pong"
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + src + dst
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xffff) + (total >> 16)
    total = (total & 0xffff) + (total >> 16)
    return head[:10] + struct.pack(">H", ~total & 0xffff) + head[12:] + udp


def make_all():
    generator = Namespace()
    configs = {}

    def new(name):
        configs[name] = Config(name, len(configs), generator)
        return configs[name]

    new("none")
    new("conntrack").load_nft(policies.CONNTRACK)
    for n in SIZES:
        print(f"[bench] loaded ours {n}: "
              f"{new(f'ours {n}').load_luytre(policies.luytre(n))}", flush=True)
        new(f"fw4 {n}").load_nft(policies.fw4(n, False))
    new("fw4+nat 10").load_nft(policies.fw4(10, True))
    # only to show what the checks before connection tracking cost
    new("ours-guard").load_luytre(policies.luytre(10))
    for chain in ("fragments", "guard"):
        configs["ours-guard"].ns.run(["nft", "flush", "chain", "inet", "luytre", chain])
    return configs


def check_last_rule(configs):
    """The measured packets were counted by the last rule of every policy."""
    for n in SIZES:
        for name, command in (
                (f"ours {n}", ["nft", "list", "chain", "inet", "luytre", f"r_rule{n}"]),
                (f"fw4 {n}", ["nft", "list", "chain", "inet", "fw4", "forward_lan"])):
            ns = configs[name].ns
            if name.startswith("ours") and f"chain r_rule{n} " not in ns.run(
                    ["nft", "list", "ruleset"]):
                command[-1] = "lan_to_internet"     # few rules are compared in place
            lines = [line for line in ns.run(command).splitlines()
                     if f"rule{n}\"" in line and "counter packets" in line]
            if len(lines) != 1 or "counter packets 0 " in lines[0]:
                raise RuntimeError(f"{name}: the last rule did not count: {lines}")


class Table:
    """Medians of what the rounds have measured."""

    def __init__(self, configs, what):
        self.rounds = list(zip(*(configs[n].cost[what] for n in configs)))
        self.names = list(configs)

    def column(self, name):
        i = self.names.index(name)
        return [r[i] for r in self.rounds]

    def ns(self, name):
        return statistics.median(self.column(name))

    def ratio(self, a, b):
        return statistics.median(x / y for x, y in zip(self.column(a), self.column(b)))

    def tax(self, name):
        return statistics.median(x - y for x, y in zip(self.column(name),
                                                       self.column("none")))

    def tax_ratio(self, a, b):
        return statistics.median((x - n) / (y - n) for x, y, n in
                                 zip(self.column(a), self.column(b), self.column("none"))
                                 if y > n)


def print_costs(t, title):
    print(f"\n{title}")
    print(f"  {'':12} {'ns/packet':>9} {'/ none':>7} {'tax ns':>7} {'/ fw4 same':>10}")
    for name in t.names:
        peer = name.replace("ours", "fw4")
        against = (f"{t.ratio(name, peer):10.2f}" if peer != name and peer in t.names
                   else "")
        print(f"  {name:12} {t.ns(name):9.0f} {t.ratio(name, 'none'):7.2f} "
              f"{t.tax(name):7.0f} {against}")


def print_targets(old, new):
    """The ratios that are claimed, each beside its target."""
    rows = [
        ("established: tax of ours / conntrack alone", old.tax_ratio("ours 2000",
                                                                     "conntrack"), 1.05),
        ("established: tax without guard / conntrack alone", old.tax_ratio("ours-guard",
                                                                           "conntrack"),
         None),
        ("established: tax of ours / fw4 without NAT", old.tax_ratio("ours 2000",
                                                                     "fw4 2000"), None),
        ("established: tax of ours / fw4 with NAT", old.tax_ratio("ours 2000",
                                                                  "fw4+nat 10"), 0.60),
        ("established: ours 2,000 rules / 10", old.ratio("ours 2000", "ours 10"), 1.05),
        ("established: fw4 2,000 rules / 10", old.ratio("fw4 2000", "fw4 10"), None),
        ("new flow: ours 2,000 rules / 10", new.ratio("ours 2000", "ours 10"), 1.15),
        ("new flow: ours 2,000 rules / 200", new.ratio("ours 2000", "ours 200"), 1.05),
        ("new flow: fw4 2,000 rules / 10", new.ratio("fw4 2000", "fw4 10"), None),
        ("new flow, 2,000 rules: ours / fw4", new.ratio("ours 2000", "fw4 2000"), None),
        ("new flow, 200 rules: ours / fw4", new.ratio("ours 200", "fw4 200"), None),
        ("new flow, 10 rules: ours / fw4", new.ratio("ours 10", "fw4 10"), None),
    ]
    print(f"\n  {'ratio (median of rounds)':49} {'measured':>8}  target")
    for name, value, target in rows:
        mark = "" if target is None else (f"<= {target:.2f}  " +
                                          ("met" if value <= target else "MISSED"))
        print(f"  {name:49} {value:8.2f}  {mark}")
    print(WHY)


def main():
    ap = argparse.ArgumentParser(usage=__doc__)
    ap.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = ap.parse_args().rounds
    stop = time.monotonic() + LIMIT_S
    configs = make_all()
    for what in ("established", "new"):
        for c in configs.values():
            c.establish() if what == "established" else c.ns.forget_flows()
            c.send(FLOWS, 0, FLOWS)     # warm
        for i in range(rounds):
            if time.monotonic() > stop:
                sys.exit(f"bench: stopped after {LIMIT_S} s: ask for fewer rounds")
            for c in configs.values():
                c.measure(what)
            print(f"[bench] {what}: round {i + 1} of {rounds}", file=sys.stderr, flush=True)
    check_last_rule(configs)
    old, new = Table(configs, "established"), Table(configs, "new")
    print_costs(old, "Packets of established flows (no NAT but in fw4+nat)")
    print_costs(new, "First packets of new flows, decided by the last rule")
    print_targets(old, new)


if __name__ == "__main__":
    main()
