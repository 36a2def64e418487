"""Which interface is which port: bus path, MAC, name; what is unknown stays down."""
import re

import ns
import packets
import province
from province import HOST, SEGMENTS, ZONES, ZONE_HOST
from suite import BOTH, both, check, test

OPEN = [{"from": ["lan"], "to": ["tslcd"], "action": "permit"}]


def by_mac(t):
    """The `ports` member with hardware addresses."""
    ports = province.ports(t.board)
    for p, s in zip(ports, SEGMENTS):
        p["match"] = {"mac": province.box_mac(t.lab.number, s.index)}
    return ports


def crosses(t, passes=True):
    t.expect(both(passes, "lan1", "dc", "tcp", 80))


def cables_back(t):
    """Ports that were down need their carrier first: ask until all answer."""
    silent = set(ZONES)
    left = ns.deadline(20)
    while silent and left():
        silent = t.cables.barrier(timeout=0.5)
    check(not silent, f"cables without answer: {sorted(silent)}")


@test("PF-21", boards=BOTH)
def test_by_mac(t):
    """Ports are found by hardware address."""
    t.enforce(OPEN, ports=by_mac(t))
    crosses(t)


@test("PF-21", boards=BOTH)
def test_unknown_stays_down(t):
    """An interface that no port names is taken down; its cable is dead."""
    ports = [p for p in province.ports(t.board) if p["name"] != "dmz0"]
    rules = OPEN + [{"from": ["any"], "to": ["any"], "action": "permit"}]
    t.enforce(rules, ports=ports)
    mark = packets.next_mark()
    t.cables["lan"].send(packets.udp(HOST["lan1"].ip4, HOST["dc"].ip4, 33000, 4000, mark))
    check(t.cables.wait_for(lambda f: f.zone == "tslcd" and f.mark == mark, 5),
          "the other ports do not forward")
    silent = t.cables.barrier(timeout=1.0)
    check(silent == {"dmz"}, f"cables without answer: {sorted(silent)}, expected dmz")
    t.enforce(OPEN)
    cables_back(t)


@test("PF-21", boards=BOTH)
def test_missing_hardware(t):
    """A port whose hardware is not there: refused, what was in force stays."""
    t.enforce(OPEN)
    before = t.box.ruleset_static()
    ports = province.ports(t.board)
    ports[4]["match"] = {"mac": "02:00:00:00:00:99"}
    code, text = t.box.apply(t.config(OPEN, ports=ports))
    check(code == 1 and "dmz0" in text and "fix=" in text, f"exit {code}: {text}")
    check(t.box.ruleset_static() == before, "a refused configuration changed the rules")
    check(not t.cables.barrier(), "a refused configuration took a port down")
    crosses(t)


@test("PF-21")
def test_swapped(t):
    """Two ports exchange their hardware: names, zones and addresses follow."""
    ports = by_mac(t)
    ports[0]["match"], ports[3]["match"] = ports[3]["match"], ports[0]["match"]
    t.enforce(OPEN, ports=ports)
    # lan's addresses are on the cable of zone server now
    silent = t.cables.barrier(("lan", "server"), timeout=1.0)
    check(silent == {"lan", "server"}, f"only {sorted(silent)} are silent")
    t.enforce(OPEN, ports=by_mac(t))
    cables_back(t)
    crosses(t)


@test("PF-21")
def test_new_interface(t):
    """An interface that appears while the policy is in force joins nothing."""
    t.enforce([{"from": ["any"], "to": ["any"], "action": "permit"}])
    ns.ip(t.box.box, ["link add stray type veth peer name stray2", "link set stray up",
                      "addr add 203.0.113.1/24 dev stray"])
    try:
        since = t.box.console.end()
        found = t.box.console.wait_for(r"^luytre: policyd: differs .*stray", 25, since=since)
        t.box.console.wait_for(r"^luytre: policyd: enforced .*how=repaired", 10, since=since)
        check(found, "nothing said about the interface")
        state = ns.run(t.box.box, ["ip", "-br", "link", "show", "stray"]).stdout
        check("DOWN" in state, f"the unknown interface is up: {state}")
    finally:
        ns.ip(t.box.box, ["link del stray"])
    crosses(t)


@test("FC-02", "FC-03")
def test_hardware_comes_back(t):
    """A card that fails shuts the box; when it is back, the policy is, too."""
    t.enforce(OPEN)
    other = t.ns("lan1")
    since = t.box.console.end()
    ns.run(t.box.box, ["ip", "link", "set", "wifi0", "netns", other])
    try:
        t.box.console.wait_for(r"^luytre: policyd: differs .*", 25, since=since)
        t.box.console.wait_for(r"^luytre: policyd: (closed|broken) .*", 25, since=since)
        check(t.box.sysctl("net/ipv4/ip_forward") == "0", "forwarding is on")
    finally:
        ns.run(other, ["ip", "link", "set", "wifi0", "netns", t.box.box])
    t.box.console.wait_for(r"^luytre: policyd: enforced .*how=applied", 60, since=since)
    t.box.wait_addresses()
    crosses(t)


@test("FC-03")
def test_rules_tampered(t):
    """Somebody deletes our rules: noticed and put back; foreign tables stay."""
    t.enforce(OPEN)
    good = t.box.ruleset_static()
    ns.run(t.box.box, ["nft", "add", "table", "ip", "foreign"])
    try:
        since = t.box.console.end()
        ns.run(t.box.box, ["nft", "flush", "chain", "inet", "luytre", "forward"])
        t.box.console.wait_for(r"^luytre: policyd: differs .*the kernel's rules", 25, since=since)
        t.box.console.wait_for(r"^luytre: policyd: enforced .*how=repaired", 10, since=since)
        now = t.box.ruleset_static()
        check("table ip foreign" in now, "the foreign table is gone")
        check(now.replace("table ip foreign {\n}\n", "") == good, "the rules are not back")
    finally:
        ns.run(t.box.box, ["nft", "delete", "table", "ip", "foreign"])
    t.expect([c for z in ZONES if z not in ("lan", "tslcd")
              for c in both(False, ZONE_HOST[z], "dc", "tcp", 80)])
    crosses(t)


@test("FC-03")
def test_set_tampered(t):
    """Somebody changes the content of a set whose name stays: put back, too."""
    t.enforce(OPEN)
    good = t.box.ruleset_static()
    name = re.search(r"set (isolated_\w+) ", good).group(1)
    since = t.box.console.end()
    ns.run(t.box.box, ["nft", "delete", "element", "inet", "luytre", name,
                       '{ "wan0" . "wan1" }'])
    t.box.console.wait_for(r"^luytre: policyd: differs .*the kernel's rules", 25, since=since)
    t.box.console.wait_for(r"^luytre: policyd: enforced .*how=repaired", 10, since=since)
    check(t.box.ruleset_static() == good, "the rules are not back")
    crosses(t)
