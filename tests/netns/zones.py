"""Zones: every pair is closed until exactly its rule opens it."""
from province import HOST, INSIDE, SEGMENTS, ZONE_HOST, ZONES
from suite import BOTH, Fail, both, case, check, test

APART = {("internet", "tslcd"), ("tslcd", "internet")}
PERMIT_ALL = {"from": ["any"], "to": ["any"], "action": "permit"}


def pairs():
    return [(a, b) for a in ZONES for b in ZONES if a != b]


def matrix(open_pairs):
    """TCP and UDP cases for all 42 pairs of different zones, v4 and v6."""
    return [c for a, b in pairs() for kind in ("tcp", "udp")
            for c in both((a, b) in open_pairs, ZONE_HOST[a], ZONE_HOST[b], kind, 4000)]


@test("PF-21", "PF-01", boards=BOTH)
def test_pf21_default_deny(t):
    """No rule: none of the 42 zone pairs passes anything, v4 and v6."""
    t.enforce([])
    t.expect(matrix(set()))


@test("PF-21")
def test_pf21_each_pair(t):
    """One rule for one pair opens this pair and no other, 40 pairs in turn."""
    for a, b in pairs():
        if (a, b) in APART:
            continue
        t.enforce([{"from": [a], "to": [b], "action": "permit"}])
        try:
            t.expect(matrix({(a, b)}))
        except Fail as e:
            raise Fail(f"with only {a} > {b} permitted: {e}") from e


@test("PF-21")
def test_pf21_inside_one_zone(t):
    """Two ports of one zone are apart, too, until a rule joins the zone to itself."""
    for zone in ZONES:
        other = next(s for s in reversed(SEGMENTS) if s.zone != zone)
        ports = t.moved(**{other.port: zone})
        a, b = ZONE_HOST[zone], ZONE_HOST[other.zone]
        for passes, rules in ((False, []), (True, [{"from": [zone], "to": [zone],
                                                    "action": "permit"}])):
            t.enforce(rules, ports=ports)
            try:
                t.expect(both(passes, a, b, "tcp", 4000) + both(passes, b, a, "udp", 4000))
            except Fail as e:
                raise Fail(f"zone {zone} on two ports: {e}") from e


@test("PF-21", boards=BOTH)
def test_pf21_several_pairs(t):
    """Three pairs at once: these are open, the other 39 are not."""
    t.enforce([{"from": ["lan"], "to": ["tslcd", "internet"], "action": "permit"},
               {"from": ["mgmt"], "to": ["lan"], "action": "permit"}])
    t.expect(matrix({("lan", "tslcd"), ("lan", "internet"), ("mgmt", "lan")}))


def transit():
    """Internet <-> TSLCD, every protocol, from real hosts and from the routers."""
    out = []
    for a, b in (("attacker", "dc"), ("dc", "attacker"), ("web", "soc"),
                 ("agency2", "web")):
        for f in (4, 6):
            out += [case(False, a, b, "tcp", 80, family=f),
                    case(False, a, b, "udp", 53, family=f),
                    case(False, a, b, "icmp", 8 if f == 4 else 128, family=f),
                    case(False, a, b, "proto", 47, family=f)]
    return out


@test("PF-22", boards=BOTH)
def test_pf22_any_to_any(t):
    """Even under "permit any to any" nothing passes between Internet and TSLCD."""
    t.enforce([PERMIT_ALL])
    t.expect(transit() + [c for a, b in pairs() if (a, b) not in APART
                          for c in both(True, ZONE_HOST[a], ZONE_HOST[b], "tcp", 4001)])


@test("PF-22", boards=BOTH)
def test_pf22_rule_refused(t):
    """A rule that joins Internet and TSLCD is refused, named with reason and fix."""
    t.enforce([PERMIT_ALL])
    before = t.box.ruleset_static()
    for rule in ({"from": ["internet"], "to": ["tslcd"]},
                 {"from": ["tslcd"], "to": ["internet"]},
                 {"from": ["lan", "internet"], "to": ["server", "tslcd"]}):
        code, text = t.box.apply(t.config([PERMIT_ALL, dict(rule, action="permit")]))
        check(code == 1, f"{rule}: exit {code}, expected a refusal: {text}")
        for word in ("rules[1]", "internet", "tslcd", "fix="):
            check(word in text, f"{rule}: the refusal does not say {word}: {text}")
    check(t.box.ruleset_static() == before, "a refused rule changed the ruleset")
    t.expect(transit())


@test("PF-22")
def test_pf22_two_ports_swapped(t):
    """The ban follows the zone, not the port: cables exchanged, still apart."""
    t.enforce([PERMIT_ALL], ports=t.moved(lan0="internet", wan1="lan"))
    t.expect([c for kind in ("tcp", "udp")
              for pair in (("lan1", "dc"), ("dc", "lan1"))
              for c in both(False, *pair, kind, 4000)] +
             both(True, "attacker", "dc", "tcp", 4000))


@test("FC-01", "PF-21", boards=BOTH)
def test_replies_flow(t):
    """A permitted connection works in both directions; only its opener may open."""
    from walk import http_get
    t.enforce([{"from": ["lan"], "to": ["tslcd"], "service": ["tcp/80"],
                "action": "permit"}])
    for address in (HOST["dc"].ip4, HOST["dc"].ip6):
        status, body = http_get(t.ns("lan1"), address)
        check(status == 200 and body.startswith(b"dc "), f"{address}: {status} {body!r}")
    t.expect([c for z in INSIDE for c in both(False, "dc", ZONE_HOST[z], "tcp", 80)])
