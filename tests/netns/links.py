"""VLANs and bridges as ports; what somebody changes on the appliance's links."""
import socket

import ns
import packets
import province
from ports import cables_back
from province import BY_ZONE, HOST, SEGMENTS
from suite import BOTH, Skip, both, check, next_port, test

OPEN = [{"from": ["lan"], "to": ["tslcd"], "action": "permit"}]
WEB_IN = [{"from": ["wireless"], "to": ["lan"], "service": ["tcp/80"], "action": "permit"}]
REST = ("lan", "tslcd", "internet", "server", "dmz")     # cables that no test here changes


def hardware(t, zone):
    """How the appliance finds the port on the cable of ZONE, on any board."""
    return {"mac": province.box_mac(t.lab.number, BY_ZONE[zone].index)}


def ports(t, *without):
    """The lab's ports by hardware address, some left out."""
    return [{"name": s.port, "match": hardware(t, s.zone), "zone": s.zone,
             "addresses": [s.v4, s.v6]} for s in SEGMENTS if s.zone not in without]


def station(zone, last=77):
    """(IPv4, IPv6) of a station that exists in tests only."""
    s = BY_ZONE[zone]
    return (s.v4.split("/")[0].rpartition(".")[0] + f".{last}",
            s.v6.split("/")[0].rpartition("::")[0] + f"::{last}")


def arrivals(t, sends, wanted):
    """Send {name: function(mark)}; {name: frame} of those that came out again.

    Waits for all names in WANTED, then until the other cables have answered.
    """
    t.cables.clear()
    marks = {}
    for name, send in sends.items():
        mark = packets.next_mark()
        marks[mark] = name
        send(mark)
    left = ns.deadline(10)
    out = {}
    while left():
        out = {marks[f.mark]: f for f in t.cables.log if f.mark in marks}
        if wanted <= out.keys():
            break
        t.cables.pump(min(0.5, left()))
    silent = t.cables.barrier(REST)
    check(not silent, f"cables without answer: {sorted(silent)}")
    return {marks[f.mark]: f for f in t.cables.log if f.mark in marks}


def tcp_to_lan(src, port):
    dst = HOST["lan1"].ip6 if ":" in src else HOST["lan1"].ip4
    return lambda mark: packets.tcp(src, dst, next_port(), port, mark)


# Bridges ----------------------------------------------------------------------

def bridged(t):
    """The cables of wireless and mgmt are one port, br0, in zone wireless."""
    s = BY_ZONE["wireless"]
    return ports(t, "wireless", "mgmt") + [
        {"name": "br0", "bridge": {"members": [hardware(t, "wireless"),
                                               hardware(t, "mgmt")]},
         "zone": "wireless", "addresses": [s.v4, s.v6]}]


def enforce_bridge(t):
    t.enforce(WEB_IN, ports=bridged(t))
    left = ns.deadline(20)
    while t.cables.barrier(REST + ("wireless",), timeout=0.5):
        check(left(), "the bridge does not answer")


def back(t):
    """Every cable is its own port again."""
    t.enforce(OPEN, ports=ports(t))
    cables_back(t)


@test("PF-21", boards=BOTH)
def test_bridge(t):
    """Two cables are one port: bridged without the firewall, routed by its rules."""
    t.enforce(OPEN, ports=ports(t))
    enforce_bridge(t)
    wifi, mgmt = t.cables["wireless"], t.cables["mgmt"]
    v4, v6 = station("wireless")

    def inside(mark):
        mgmt.send(packets.udp(v4, station("wireless", 78)[0], 4000, 4001, mark),
                  dst_mac=wifi.mac)

    def routed(cable, src, port):
        packet = tcp_to_lan(src, port)
        return lambda mark: cable.send(packet(mark), dst_mac=wifi.box_mac)

    sends = {"between the members": inside}
    for cable in (wifi, mgmt):
        for src in (v4, v6):
            for port in (80, 81):
                sends[f"{cable.zone} {src} to {port}"] = routed(cable, src, port)
    wanted = {name for name in sends if not name.endswith(" 81")}
    got = arrivals(t, sends, wanted)
    check(got.keys() == wanted, f"missing {sorted(wanted - got.keys())}, "
          f"surplus {sorted(got.keys() - wanted)}")
    check(got["between the members"].zone == "wireless", "bridged to the wrong cable")
    check(all(f.zone == "lan" for n, f in got.items() if "80" in n), "routed wrongly")
    back(t)


@test("PF-21", boards=BOTH)
def test_bridge_is_quiet(t):
    """A bridge has the first member's address; members have none and do not speak."""
    t.enforce(OPEN, ports=ports(t))
    t.cables.clear()
    enforce_bridge(t)
    box = t.box
    mac = box.shell_ok("cat /sys/class/net/br0/address").strip()
    check(mac == province.box_mac(t.lab.number, BY_ZONE["wireless"].index),
          f"the bridge has the address {mac}")
    for file in ("stp_state", "multicast_snooping"):
        on = box.shell_ok(f"cat /sys/class/net/br0/bridge/{file} 2>/dev/null || echo 0")
        check(on.strip() == "0", f"{file} is {on}")
    members = box.shell_ok("ls /sys/class/net/br0/brif").split()
    check(sorted(members) == ["mgmt0", "wifi0"], f"members {members}")
    inet6 = box.shell_ok("cat /proc/net/if_inet6").split()
    check("br0" in inet6 and not set(members) & set(inet6), f"addresses: {inet6}")
    t.cables.pump(0.2)
    bpdu = [f for f in t.cables.log if f.frame[:5] == b"\x01\x80\xc2\0\0"]
    check(not bpdu, f"{len(bpdu)} frames of the spanning tree protocol")
    back(t)
    check(box.shell("ls /sys/class/net/br0")[0] != 0, "the bridge is still there")


@test("FC-03", boards=BOTH)
def test_bridge_survives(t):
    """A new policyd adopts the bridge; after a power cut it is made again."""
    t.enforce(OPEN, ports=ports(t))
    enforce_bridge(t)
    index = t.box.shell_ok("cat /sys/class/net/br0/ifindex")
    since = t.box.console.end()
    t.box.kill("policyd")
    check(t.box.console.find(r"^luytre: policyd: enforced .*how=adopted", since),
          "not adopted")
    check(t.box.shell_ok("cat /sys/class/net/br0/ifindex") == index, "made anew")
    t.lab.power_cycle()
    t.box.wait_ready("enforced")
    check(t.box.shell_ok("ls /sys/class/net/br0/brif").split(), "no members")
    back(t)


# What somebody changes --------------------------------------------------------

def tamper(t, lines, reason):
    """Run `ip` commands on the appliance; policyd must say REASON and repair."""
    since = t.box.console.end()
    if t.board == "host":
        ns.ip(t.box.box, lines)
    else:
        t.box.shell_ok("; ".join(f"busybox ip {line}" for line in lines))
    t.box.console.wait_for(rf"^luytre: policyd: differs .*{reason}", 25, since=since)
    t.box.console.wait_for(r"^luytre: policyd: enforced .*how=repaired", 10, since=since)


def listing(t, *words):
    return ns.run(t.box.box, ["ip", *words]).stdout


@test("FC-03")
def test_addresses_and_routes_tampered(t):
    """Addresses and routes that somebody adds or removes are put back, and said so."""
    t.enforce(OPEN)
    lan = BY_ZONE["lan"]
    tamper(t, ["addr add 203.0.113.5/24 dev lan0", "route del 10.200.0.0/16"],
           "lan0 has the address 203.0.113.5/24")
    check("203.0.113.5" not in listing(t, "addr", "show", "lan0"), "the address stays")
    check("10.200.0.0/16" in listing(t, "route"), "the route is not back")
    tamper(t, [f"addr del {lan.v6} dev lan0"], f"lan0 lacks the address {lan.v6}")
    check(lan.v6 in listing(t, "-6", "addr", "show", "lan0"), "the address is not back")
    tamper(t, ["route add 203.0.113.0/24 via 198.18.0.1 proto 76"],
           "the route 203.0.113.0/24 via 198.18.0.1 is not configured")
    check("203.0.113.0" not in listing(t, "route"), "the route stays")
    tamper(t, ["route del ::/0"], "the route ::/0 via .* is missing")
    tamper(t, ["addr add 203.0.113.9/32 dev lo"], "lo has the address 203.0.113.9/32")
    t.box.wait_addresses()
    t.expect(both(True, "lan1", "dc", "tcp", 80) + both(False, "dc", "lan1", "tcp", 80))


@test("FC-03")
def test_bridge_tampered(t):
    """A member taken out, an address on a member, a bridge deleted: put back."""
    t.enforce(OPEN, ports=ports(t))
    enforce_bridge(t)
    tamper(t, ["link set mgmt0 nomaster"], "port br0 has other members")
    check("br0" in listing(t, "link", "show", "mgmt0"), "not joined again")
    tamper(t, ["addr add 203.0.113.5/24 dev mgmt0"], "mgmt0 has the address")
    tamper(t, ["link del br0"], "port br0 is missing")
    check("wifi0" in listing(t, "link", "show", "master", "br0"), "no members")
    ns.ip(t.box.box, ["link add foreign type bridge"])
    try:
        tamper(t, ["link set foreign up"], "foreign is up but in no zone")
        check("foreign" in listing(t, "link"), "what is not ours was deleted")
    finally:
        ns.ip(t.box.box, ["link del foreign"])
    enforce_bridge(t)
    back(t)


@test("PF-21")
def test_bridge_name_taken(t):
    """An interface of somebody else with the bridge's name is set aside, down."""
    t.enforce(OPEN, ports=ports(t))
    ns.ip(t.box.box, ["link add br0 type bridge"])
    enforce_bridge(t)
    off = [line for line in listing(t, "-br", "link", "show", "type", "bridge").splitlines()
           if line.startswith("off")]
    check(len(off) == 1 and "UP" not in off[0], f"bridges: {off}")
    ns.ip(t.box.box, [f"link del {off[0].split()[0]}"])
    back(t)


# VLANs ------------------------------------------------------------------------

def trunk(t):
    """The cable of mgmt carries VLAN 20 (zone mgmt) and 30 (zone wireless), tagged."""
    s = BY_ZONE["mgmt"]
    return ports(t, "mgmt") + [
        {"name": "trunk0", "match": hardware(t, "mgmt")},
        {"name": "vlan20", "vlan": {"of": "trunk0", "id": 20}, "zone": "mgmt",
         "addresses": [s.v4, s.v6]},
        {"name": "vlan30", "vlan": {"of": "trunk0", "id": 30}, "zone": "wireless",
         "addresses": ["192.168.60.1/24"]}]


def refused(t, members, name, words):
    """A configuration that this kernel cannot make: named, and all stays as it was."""
    t.enforce(OPEN, ports=ports(t))
    before, serial = t.box.ruleset_static(), t.box.status()["serial"]
    code, text = t.box.apply(t.config(OPEN, ports=members))
    check(code == 1 and name in text and words in text and "fix=" in text,
          f"exit {code}: {text}")
    check(t.box.ruleset_static() == before, "a refused configuration changed the rules")
    check(t.box.status()["serial"] == serial, "a refused configuration is in force")
    check(not t.cables.barrier(), "a refused configuration took a port down")
    t.expect(both(True, "lan1", "dc", "tcp", 80) + both(False, "dc", "lan1", "tcp", 80))


def kernel_makes(t, *words):
    """Does this machine's kernel make such an interface?"""
    sw = t.ns("sw")
    p = ns.run(sw, ["ip", "link", "add", *words], check=False)
    if p.returncode == 0:
        ns.ip(sw, ["link del probe"])
    return p.returncode == 0


@test("FC-02")
def test_vlan_unknown_to_kernel(t):
    """A kernel without VLANs: the port is named, what was in force stays."""
    if kernel_makes(t, "link", "box0", "name", "probe", "type", "vlan", "id", "9"):
        raise Skip("this kernel has VLANs")
    refused(t, trunk(t), "vlan20", "cannot make VLANs")


def ask_tagged(t, vlan, timeout=20):
    """Does the gateway of VLAN 20 answer ARP in VLAN? True or False."""
    cable = t.cables["mgmt"]
    gw, me = BY_ZONE["mgmt"].v4.split("/")[0], station("mgmt")[0]
    left = ns.deadline(timeout)
    t.cables.clear()
    while left():
        cable.send(packets.arp(1, cable.mac, me, bytes(6), gw), 0x0806, b"\xff" * 6,
                   vlan=vlan)
        if t.cables.wait_for(lambda f: f.zone == "mgmt" and f.kind == 0x0806 and
                             f.vlan == vlan and f.frame[20:22] == b"\0\2", min(1, left())):
            return True
    return False


def resolve(t, address, vlan):
    """Answer the appliance's ARP request for ADDRESS in VLAN."""
    cable = t.cables["mgmt"]
    wanted = socket.inet_aton(address)
    ask = t.cables.wait_for(lambda f: f.zone == "mgmt" and f.kind == 0x0806 and
                            f.frame[20:22] == b"\0\1" and f.frame[38:42] == wanted, 10)
    check(ask, f"nobody asks for {address}")
    check(ask.vlan == vlan, f"asked in VLAN {ask.vlan}, not {vlan}")
    gw = BY_ZONE["mgmt"].v4.split("/")[0]
    cable.send(packets.arp(2, cable.mac, address, ask.frame[22:28], gw), 0x0806,
               ask.frame[6:12], vlan=vlan)


@test("PF-21", boards=("qemu-arm64",))
def test_vlan(t):
    """Tagged frames are in the zone of their VLAN; untagged and other tags cross nowhere."""
    t.enforce([{"from": ["mgmt"], "to": ["lan"], "service": ["tcp/80"],
                "action": "permit"},
               {"from": ["lan"], "to": ["mgmt"], "action": "permit"}], ports=trunk(t))
    check(ask_tagged(t, 20), "the gateway does not answer in its VLAN")
    cable = t.cables["mgmt"]
    src = station("mgmt")[0]

    def send(vlan, source, port):
        packet = tcp_to_lan(source, port)
        return lambda mark: cable.send(packet(mark), vlan=vlan)

    sends = {"20 to 80": send(20, src, 80), "20 to 81": send(20, src, 81),
             "untagged to 80": send(None, src, 80), "21 to 80": send(21, src, 80),
             "30 to 80": send(30, "192.168.60.77", 80),
             "20 spoofed": send(20, "192.168.60.77", 80)}
    got = arrivals(t, sends, {"20 to 80"})
    check(got.keys() == {"20 to 80"}, f"crossed: {sorted(got)}")
    # and out again, with the tag
    t.cables.clear()
    mark = packets.next_mark()
    t.cables["lan"].send(packets.udp(HOST["lan1"].ip4, src, next_port(), 4000, mark))
    resolve(t, src, 20)
    out = t.cables.wait_for(lambda f: f.mark == mark and f.zone == "mgmt", 10)
    check(out and out.vlan == 20, f"came out in VLAN {out.vlan if out else 'none'}")
    check(not ask_tagged(t, None, 2), "an untagged ARP request was answered")
    back(t)
    check(t.box.shell("ls /sys/class/net/vlan20")[0] != 0, "the VLAN is still there")


@test("FC-03", boards=("qemu-arm64",))
def test_vlan_changes(t):
    """Another number, a new policyd, a power cut: the VLAN is what is configured."""
    rules = [{"from": ["mgmt"], "to": ["lan"], "action": "permit"}]
    t.enforce(rules, ports=trunk(t))
    check(ask_tagged(t, 20), "VLAN 20 does not answer")
    members = trunk(t)
    members[-2]["vlan"]["id"] = 40
    t.enforce(rules, ports=members)
    check(ask_tagged(t, 40), "VLAN 40 does not answer")
    check(not ask_tagged(t, 20, 2), "VLAN 20 still answers")
    since = t.box.console.end()
    t.box.kill("policyd")
    check(t.box.console.find(r"^luytre: policyd: enforced .*how=adopted", since),
          "not adopted")
    t.lab.power_cycle()
    t.box.wait_ready("enforced")
    check(ask_tagged(t, 40), "VLAN 40 does not answer after a power cut")
    back(t)


@test("FC-03", boards=("qemu-arm64",))
def test_vlan_tampered(t):
    """A VLAN that somebody takes down, deletes or adds: put back, the new one is down."""
    t.enforce(OPEN, ports=trunk(t))
    tamper(t, ["link set vlan20 down"], "port vlan20 is named vlan20 and is down")
    tamper(t, ["link del vlan20"], "port vlan20 is missing")
    check(ask_tagged(t, 20), "VLAN 20 does not answer")
    tamper(t, ["link add link trunk0 name stray type vlan id 99", "link set stray up"],
           "stray is up but in no zone")
    flags = int(t.box.shell_ok("cat /sys/class/net/stray/flags"), 16)
    check(not flags & 1, "the unknown VLAN is up")
    tamper(t, ["link set trunk0 down"], "port trunk0 is named trunk0 and is down")
    flags = int(t.box.shell_ok("cat /sys/class/net/stray/flags"), 16)
    check(not flags & 1, "the unknown VLAN came up with its port")
    check(ask_tagged(t, 20), "VLAN 20 does not answer")
    t.box.shell_ok("busybox ip link del stray")
    back(t)


@test("PF-21", boards=("qemu-arm64",))
def test_vlan_on_bridge(t):
    """A VLAN on a bridge is reached through each member."""
    s = BY_ZONE["mgmt"]
    members = bridged(t) + [{"name": "vlan20", "vlan": {"of": "br0", "id": 20},
                             "zone": "mgmt", "addresses": [s.v4, s.v6]}]
    t.enforce(OPEN, ports=members)
    check(ask_tagged(t, 20), "the gateway does not answer in its VLAN")
    back(t)
