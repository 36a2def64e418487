"""What a rule can match, one attribute at a time, permit and deny; rule order; log."""
import time

import nflog
from province import HOST
from suite import BOTH, Fail, both, case, check, test

OPEN = {"from": ["any"], "to": ["any"], "action": "permit"}


def tcp4(src, dst, port=80, **more):
    return (src, dst, "tcp", port), dict(more, family=4)


def tcp6(src, dst, port=80, **more):
    return (src, dst, "tcp", port), dict(more, family=6)


def l4(kind, *args, family=4, src="lan1", dst="dc"):
    return (src, dst, kind, *args), {"family": family}


def two(src, dst, kind, *args):
    return [((src, dst, kind, *args), {"family": f}) for f in (4, 6)]


LAN1_6, LAN2_6, DC_6, SOC_6 = (HOST[n].ip6 for n in ("lan1", "lan2", "dc", "soc"))

# attribute: rule members, packets that match, packets that do not.
# lan0 and srv0 are both ports of zone lan here, so that `in` and `out` decide.
MATRIX = {
    "in": ({"from": ["lan"], "in": ["lan0"]},
           two("lan1", "dc", "tcp", 80), two("srv1", "dc", "tcp", 80)),
    "in_two": ({"from": ["lan", "mgmt"], "in": ["srv0", "mgmt0"]},
               two("srv1", "dc", "tcp", 80) + two("mgmt1", "dc", "tcp", 80),
               two("lan1", "dc", "tcp", 80)),
    "out": ({"to": ["lan"], "out": ["srv0"]},
            two("dc", "srv1", "tcp", 80), two("dc", "lan1", "tcp", 80)),
    "source4_host": ({"source": ["192.168.10.11"]},
                     [tcp4("lan1", "dc")], [tcp4("lan2", "dc"), tcp6("lan1", "dc")]),
    "source4_prefix": ({"source": ["192.168.10.0/28"]},
                       [tcp4("lan1", "dc"), tcp4("lan2", "dc")],
                       [tcp4("lansrv", "dc"), tcp6("lan1", "dc"), tcp4("srv1", "dc")]),
    "source4_range": ({"source": ["192.168.10.12-192.168.10.80"]},
                      [tcp4("lan2", "dc"), tcp4("lansrv", "dc")], [tcp4("lan1", "dc")]),
    "source6_host": ({"source": [LAN1_6]},
                     [tcp6("lan1", "dc")], [tcp6("lan2", "dc"), tcp4("lan1", "dc")]),
    "source6_prefix": ({"source": ["2001:2:0:10::10/124"]},
                       [tcp6("lan1", "dc"), tcp6("lan2", "dc")],
                       [tcp6("lansrv", "dc"), tcp6("srv1", "dc")]),
    "source6_range": ({"source": [f"{LAN2_6}-2001:2:0:10::80"]},
                      [tcp6("lan2", "dc"), tcp6("lansrv", "dc")], [tcp6("lan1", "dc")]),
    "source_list": ({"source": ["192.168.10.12", "192.168.10.64/26", LAN1_6]},
                    [tcp4("lan2", "dc"), tcp4("lansrv", "dc"), tcp6("lan1", "dc")],
                    [tcp4("lan1", "dc"), tcp6("lan2", "dc")]),
    "destination4_host": ({"destination": ["10.200.10.80"]},
                          [tcp4("lan1", "dc")],
                          [tcp4("lan1", "soc"), tcp6("lan1", "dc")]),
    "destination4_prefix": ({"destination": ["10.200.16.0/20"]},
                            [tcp4("lan1", "agency2"), tcp4("lan1", "soc")],
                            [tcp4("lan1", "dc")]),
    "destination4_range": ({"destination": ["10.200.10.81-10.200.30.9"]},
                           [tcp4("lan1", "agency2")],
                           [tcp4("lan1", "dc"), tcp4("lan1", "soc")]),
    "destination6_host": ({"destination": [DC_6]},
                          [tcp6("lan1", "dc")],
                          [tcp6("lan1", "soc"), tcp4("lan1", "dc")]),
    "destination6_prefix": ({"destination": ["2001:2:0:b20::/59"]},
                            [tcp6("lan1", "agency2"), tcp6("lan1", "soc")],
                            [tcp6("lan1", "dc")]),
    "destination6_range": ({"destination": [f"2001:2:0:b10::81-{SOC_6}"]},
                           [tcp6("lan1", "agency2"), tcp6("lan1", "soc")],
                           [tcp6("lan1", "dc")]),
    "object": ({"source": ["pcs"], "destination": ["far"]},
               [tcp4("lan1", "dc"), tcp6("lan2", "soc")],
               [tcp4("lansrv", "dc"), tcp4("lan1", "agency2"), tcp6("srv1", "soc")]),
    "tcp_port": ({"service": ["tcp/80"]}, two("lan1", "dc", "tcp", 80),
                 two("lan1", "dc", "tcp", 81) + two("lan1", "dc", "udp", 80) +
                 [l4("icmp", 8)]),
    "tcp_range": ({"service": ["tcp/8000-8010"]},
                  two("lan1", "dc", "tcp", 8000) + two("lan1", "dc", "tcp", 8010),
                  two("lan1", "dc", "tcp", 7999) + two("lan1", "dc", "tcp", 8011) +
                  two("lan1", "dc", "udp", 8005)),
    "tcp_list": ({"service": ["tcp/22", "tcp/100-200", "tcp/65535"]},
                 two("lan1", "dc", "tcp", 22) + two("lan1", "dc", "tcp", 150) +
                 two("lan1", "dc", "tcp", 65535),
                 two("lan1", "dc", "tcp", 23) + two("lan1", "dc", "tcp", 65534)),
    "tcp_any": ({"service": ["tcp/*"]},
                two("lan1", "dc", "tcp", 1) + two("lan1", "dc", "tcp", 65535),
                two("lan1", "dc", "udp", 1) + [l4("icmp", 8)]),
    "udp_port": ({"service": ["udp/53"]}, two("lan1", "dc", "udp", 53),
                 two("lan1", "dc", "udp", 54) + two("lan1", "dc", "tcp", 53)),
    "udp_range": ({"service": ["udp/5000-5001"]},
                  two("lan1", "dc", "udp", 5000) + two("lan1", "dc", "udp", 5001),
                  two("lan1", "dc", "udp", 4999) + two("lan1", "dc", "udp", 5002)),
    "udp_any": ({"service": ["udp/*"]}, two("lan1", "dc", "udp", 9),
                two("lan1", "dc", "tcp", 9) + [l4("icmp", 8)]),
    "named_service": ({"service": ["mixed"]},
                      two("lan1", "dc", "tcp", 443) + two("lan1", "dc", "udp", 123) +
                      [l4("icmp", 8), l4("icmp", 128, family=6)],
                      two("lan1", "dc", "tcp", 123) + two("lan1", "dc", "udp", 443)),
    "icmp_type": ({"service": ["icmp/8"]}, [l4("icmp", 8)],
                  [l4("udp", 8), l4("icmp", 128, family=6), l4("tcp", 8)]),
    "icmp_named": ({"service": ["icmp/13"]}, [l4("icmp", 13)],
                   [l4("icmp", 8), l4("udp", 13)]),
    "icmp_code": ({"service": ["icmp/8/3"]}, [l4("icmp", 8, 3)],
                  [l4("icmp", 8, 0), l4("icmp", 8, 4)]),
    "icmp_any": ({"service": ["icmp/*"]}, [l4("icmp", 8), l4("icmp", 8, 5)],
                 [l4("icmp", 128, family=6), l4("udp", 8)]),
    "icmpv6_type": ({"service": ["icmpv6/128"]}, [l4("icmp", 128, family=6)],
                    [l4("icmp", 8), l4("udp", 128, family=6)]),
    "icmpv6_named": ({"service": ["icmpv6/139"]}, [l4("icmp", 139, family=6)],
                     [l4("icmp", 128, family=6), l4("icmp", 8)]),
    "icmpv6_code": ({"service": ["icmpv6/128/7"]}, [l4("icmp", 128, 7, family=6)],
                    [l4("icmp", 128, 0, family=6)]),
    "protocol": ({"service": ["proto/47"]},
                 [l4("proto", 47), l4("proto", 47, family=6)],
                 [l4("proto", 89), l4("proto", 89, family=6), l4("tcp", 47)]),
    "all_together": ({"from": ["lan"], "to": ["tslcd"], "in": ["lan0"], "out": ["wan0"],
                      "source": ["192.168.10.11", LAN1_6],
                      "destination": ["10.200.10.80", DC_6], "service": ["tcp/80"]},
                     two("lan1", "dc", "tcp", 80),
                     two("lan2", "dc", "tcp", 80) + two("lan1", "soc", "tcp", 80) +
                     two("lan1", "dc", "tcp", 81) + two("lan1", "web", "tcp", 80)),
}
OBJECTS = {"pcs": ["192.168.10.11", "192.168.10.12", "pcs6"],
           "pcs6": ["2001:2:0:10::10/124"],
           "far": ["10.200.10.80", "2001:2:0:b30::10"]}
SERVICES = {"mixed": ["tcp/443", "udp/123", "icmp/8", "icmpv6/128"]}


def run_attribute(t, name):
    """One attribute as permit before the default deny, then as drop before a permit."""
    members, hit, miss = MATRIX[name]
    base = {"from": ["any"], "to": ["any"], **members}
    for action, rules in (("permit", [dict(base, action="permit")]),
                          ("drop", [dict(base, action="drop"), OPEN])):
        t.enforce(rules, ports=t.moved(srv0="lan"), objects=OBJECTS, services=SERVICES)
        passes = action == "permit"
        try:
            t.expect([case(passes, *args, **more) for args, more in hit] +
                     [case(not passes, *args, **more) for args, more in miss])
        except Fail as e:
            raise Fail(f"as {action}: {e}") from e


def make_attribute_test(name, boards):
    def one(t):
        run_attribute(t, name)
    one.__name__ = f"test_pf02_{name}"
    one.__module__ = __name__
    test("PF-02", boards=boards)(one)


for _name in MATRIX:
    make_attribute_test(_name, BOTH if _name in ("all_together", "named_service",
                                                 "source_list") else ("host",))


@test("PF-02")
def test_pf02_log(t):
    """`log` true tells NFLOG group 1 rule id and packet; false and absent do not."""
    def rules(action):
        return [{"id": f"on-{action}", "service": ["tcp/1001"], "log": True},
                {"id": f"off-{action}", "service": ["tcp/1002"], "log": False},
                {"id": f"none-{action}", "service": ["tcp/1003"]}]
    for action in ("permit", "drop"):
        t.enforce([{"from": ["lan"], "to": ["tslcd"], **r, "action": action}
                   for r in rules(action)])
        with nflog.Reader(t.box.box, 1) as log:
            t.expect([c for port in (1001, 1002, 1003) for c in
                      both(action == "permit", "lan1", "dc", "tcp", port)])
            seen = [s for s in log.read() if not s[0].startswith("built-in")]
        check(len(seen) == 2, f"{action}: 2 packets were to be logged, {len(seen)} were")
        for prefix, packet in seen:
            check(f"on-{action}" in prefix, f"the log prefix \"{prefix}\" does not name "
                                            f"the rule on-{action}")
            check(packet[0] >> 4 in (4, 6), "the log holds no IP packet")


@test("PF-02")
def test_pf02_reject(t):
    """`reject` answers inside zones (reset, unreachable) and never the outside."""
    t.enforce([{"from": ["any"], "to": ["any"], "action": "reject"}])
    cases = [c for a, b in (("lan1", "dc"), ("dc", "lan1"), ("attacker", "lan1"))
             for kind in ("tcp", "udp") for c in both(False, a, b, kind, 4000)]
    t.expect(cases)
    for zone, least in (("lan", 4), ("tslcd", 0), ("internet", 0)):
        answers = [f for f in t.cables.log if f.zone == zone and not f.own_talk]
        check(len(answers) == least, f"{len(answers)} answers to {zone}, expected {least}: "
                                     f"{'; '.join(map(str, answers[:4]))}")


ORDER = {
    # name: (first, second): members of two rules over the same packets
    "equal": ({"destination": ["10.200.10.80", DC_6], "service": ["tcp/80"]},
              {"destination": ["10.200.10.80", DC_6], "service": ["tcp/80"]}),
    "subset_address": ({"destination": ["10.200.10.80", DC_6]}, {}),
    "subset_port": ({"service": ["tcp/80"]}, {"service": ["tcp/1-1000"]}),
    "subset_zone": ({"from": ["lan"], "to": ["tslcd"]}, {"from": ["any"], "to": ["any"]}),
    "subset_all": ({"source": ["192.168.10.11", LAN1_6], "service": ["tcp/80"]},
                   {"source": ["192.168.10.0/24", "2001:2:0:10::/64"]}),
    "overlap": ({"source": ["192.168.10.0/24", "2001:2:0:10::/64"]},
                {"destination": ["10.200.0.0/16", "2001:2:0:b00::/56"]}),
}


@test("PF-03", boards=BOTH)
def test_pf03_first_match(t):
    """Equal, subset and overlapping rules in both orders: the first one decides."""
    base = {"from": ["lan"], "to": ["tslcd"]}
    for name, (a, b) in ORDER.items():
        for first, second in ((a, b), (b, a)):
            for action, other in (("permit", "drop"), ("drop", "permit")):
                t.enforce([{**base, **first, "action": action},
                           {**base, **second, "action": other}])
                try:
                    t.expect(both(action == "permit", "lan1", "dc", "tcp", 80))
                except Fail as e:
                    raise Fail(f"{name}, {first} {action} before {second}: {e}") from e


@test("PF-03")
def test_pf03_rest_of_superset(t):
    """A subset rule takes its packets only; the superset behind it has the rest."""
    t.enforce([{"from": ["lan"], "to": ["tslcd"], "destination": ["dc-web"],
                "service": ["tcp/80"], "action": "drop"},
               {"from": ["lan"], "to": ["tslcd"], "action": "permit"}])
    t.expect(both(False, "lan1", "dc", "tcp", 80) + both(True, "lan1", "dc", "tcp", 81) +
             both(True, "lan1", "soc", "tcp", 80) + both(True, "lan1", "dc", "udp", 80))


@test("PF-03")
def test_pf03_many_rules(t):
    """Among 200 rules that alternate drop and permit the first hit decides."""
    rules = []
    for i in range(200):
        low = 1000 + (i // 2) * 10
        rules.append({"from": ["lan"], "to": ["tslcd"],
                      "service": [f"tcp/{low}-{low + 9}" if i % 2 else f"tcp/{low + 3}"],
                      "action": "permit" if i % 2 else "drop"})
    t.enforce(rules)
    t.expect([c for low in range(1000, 2000, 90) for port, passes in
              ((low // 10 * 10 + 2, True), (low // 10 * 10 + 3, False))
              for c in both(passes, "lan1", "dc", "tcp", port)])


def host_rules():
    """(rules, cases): 4 hosts by 4 servers in a hash map, three actions, twice."""
    rules, cases = [], []
    actions = ("permit", "drop", "reject", "permit")
    pcs, servers = ("lan1", "lan2", "lansrv"), ("dc", "soc", "agency2")
    for i, (pc, server) in enumerate((a, b) for a in pcs for b in servers):
        action = actions[i % 4]
        rules.append({"id": f"host{i}", "source": [HOST[pc].ip4, HOST[pc].ip6],
                      "destination": [HOST[server].ip4, HOST[server].ip6],
                      "service": ["tcp/80", "udp/81"], "action": action})
        for kind, port in (("tcp", 80), ("udp", 81)):
            cases += [(f"host{i}", c) for c in both(action == "permit", pc, server, kind,
                                                   port)]
    # the same keys once more: never reached
    rules += [dict(r, id="again-" + r["id"],
                   action="drop" if r["action"] == "permit" else "permit") for r in rules]
    return rules, cases


def range_rules():
    """(rules, cases): port ranges beside each other in a map of ranges."""
    rules, cases = [], []
    for i in range(6):
        lo, action = 3000 + 10 * i, "drop" if i % 2 else "permit"
        rules.append({"id": f"range{i}", "source": ["192.168.10.0/24", "2001:2:0:10::/64"],
                      "service": [f"tcp/{lo}-{lo + 9}"], "action": action})
        for port in (lo, lo + 9):
            cases += [(f"range{i}", c) for c in both(action == "permit", "lan1", "dc",
                                                    "tcp", port)]
    return rules, cases


def whole_rules():
    """(rules, cases): rules without services, which leave tunnels to later rules."""
    rules, cases = [], []
    for i, pc in enumerate(("lan1", "lan2", "lansrv", "lan1")):
        server = ("dc", "soc", "agency2", "agency2")[i]
        rules.append({"id": f"whole{i}", "source": [HOST[pc].ip4, HOST[pc].ip6],
                      "destination": [HOST[server].ip4, HOST[server].ip6],
                      "action": "permit"})
        cases += [(f"whole{i}", c) for kind, *args in (("tcp", 9), ("udp", 9))
                  for c in both(True, pc, server, kind, *args)]
        cases += [("rest", c) for c in both(False, pc, server, "proto", 47)]
        cases += [("rest", c) for c in both(False, pc, server, "udp", 3544)]
    return rules, cases


@test("PF-02", "PF-03", boards=BOTH)
def test_pf03_maps(t):
    """Rules that stand in maps: hosts, ranges, whole; each counts its own packets."""
    groups = [host_rules(), range_rules(), whole_rules()]
    rules = [r for g in groups for r in g[0]] + [{"id": "rest", "action": "drop"}]
    cases = [c for g in groups for c in g[1]]
    t.enforce([{"from": ["lan"], "to": ["tslcd"], **r} for r in rules])
    check(t.box.ruleset().count(" vmap @map_") >= 6, "the rules do not stand in maps")
    t.expect([c for _, c in cases])
    counters = t.counters()
    for rule in rules:
        want = sum(1 for ident, _ in cases if ident == rule["id"])
        have = sum(n for _, text, n in counters if f"comment \"{rule['id']}\"" in text)
        check(have == want, f"rule {rule['id']} counted {have} packets, not {want}")


def stage_count(t, chain):
    """How many kernel rules a zone pair's chain has."""
    text = t.box.ruleset()
    return text[text.index(f"chain {chain} {{"):].split("}", 1)[0].count("comment ")


@test("PF-03")
def test_pf03_full_policy(t):
    """2,000 rules of one zone pair: in force, first and last decide, a few lookups."""
    base = {"from": ["lan"], "to": ["tslcd"], "source": ["192.168.10.0/24",
                                                         "2001:2:0:10::/64"]}
    rules = [{**base, "destination": [f"10.200.{i // 250}.{i % 250 + 1}",
                                      f"2001:2:0:b00::{i + 1:x}"],
              "service": [f"tcp/{i + 1}"], "action": "permit"} for i in range(1998)]
    rules.insert(0, {**base, "destination": [HOST["dc"].ip4, DC_6],
                     "service": ["tcp/5000"], "action": "permit"})
    rules.append({**base, "destination": [HOST["soc"].ip4, SOC_6],
                  "service": ["udp/5001"], "action": "permit"})
    began = time.monotonic()
    t.enforce(rules)
    took = time.monotonic() - began
    t.expect(both(True, "lan1", "dc", "tcp", 5000) + both(True, "lan1", "soc", "udp", 5001) +
             both(False, "lan1", "soc", "tcp", 5000) + both(False, "lan1", "dc", "udp", 5001))
    stages = stage_count(t, "lan_to_tslcd")
    check(stages <= 10, f"a packet walks {stages} kernel rules")
    status = t.box.shell_ok(f"cat /proc/{t.box.task_pid('policyd')}/status")
    peak = [line for line in status.splitlines() if line.startswith("VmHWM")]
    t.note(f"signed, applied, read back, confirmed in {took:.1f} s; {stages} stages; "
           f"policyd {' '.join(peak)}")
