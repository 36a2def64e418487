"""What no configuration can switch off: sources, options, fragments, redirects.

Each case is sent under "permit any to any", so that only the built-in rules can
stop it, and the counter of its reason must rise by exactly the packets sent.
"""
import re
import struct

import packets
import province
from province import HOST, SEGMENTS, ZONE_HOST
from suite import BOTH, Case, both, case, check, test

OPEN = [{"from": ["any"], "to": ["any"], "action": "permit"}]
LAN, DC, WEB = HOST["lan1"], HOST["dc"], HOST["web"]
SYSCTLS = {
    "net/ipv4/conf/*/rp_filter": "1", "net/ipv4/conf/*/accept_redirects": "0",
    "net/ipv4/conf/*/secure_redirects": "0", "net/ipv4/conf/*/send_redirects": "0",
    "net/ipv4/conf/*/accept_source_route": "0", "net/ipv4/conf/*/log_martians": "1",
    "net/ipv4/conf/*/arp_ignore": "1", "net/ipv6/conf/*/accept_redirects": "0",
    "net/ipv6/conf/*/accept_ra": "0", "net/ipv6/conf/*/accept_source_route": "-1",
    "net/netfilter/nf_conntrack_tcp_loose": "0",
    "net/netfilter/nf_conntrack_udp_timeout": "300",
    "net/netfilter/nf_conntrack_tcp_timeout_established": "7440",
    "net/netfilter/nf_conntrack_tcp_timeout_syn_sent": "240",
    "net/ipv4/ipfrag_high_thresh": "4194304",
    "net/netfilter/nf_conntrack_frag6_high_thresh": "4194304",
}


def address_bytes(text):
    return packets.packed(text)[1]


def reasons(t):
    """{reason: packets} of the built-in drops."""
    return {chain[5:]: n for chain, _, n in t.counters() if chain.startswith("drop_")}


def dropped(t, reason, zone, many, passing=()):
    """Send packets on ZONE's cable: none crosses, each is counted under REASON."""
    before = reasons(t)
    t.cables.clear()
    for packet in many:
        t.cables[zone].send(packet)
    for at, packet in passing:
        t.cables[at].send(packet)
    t.cables.barrier()
    now = reasons(t)
    marks = {packets.Seen(zone, packets.ether(b"\0" * 6, b"\0" * 6, p)).mark for p in many}
    crossed = [f for f in t.cables.log if f.mark and f.mark in marks and not f.is_error]
    check(not crossed, f"{reason}: {len(crossed)} of {len(many)} crossed: "
                       f"{'; '.join(map(str, crossed[:3]))}")
    # a late packet of an earlier test's connection, which is closed, is "invalid"
    rise = {k: now[k] - before.get(k, 0) for k in now
            if now[k] != before.get(k, 0) and (k != "invalid" or reason == "invalid")}
    check(rise == {reason: len(many)},
          f"counters rose by {rise}, expected {reason}: {len(many)}")


def udp(src, dst, family_port=4000):
    return packets.udp(src, dst, 33333, family_port, packets.next_mark())


@test("PF-10", "PF-33")
def test_sources4(t):
    """IPv4 sources and destinations that cannot be: dropped and counted."""
    t.enforce(OPEN)
    dropped(t, "bad-source", "lan", [udp(s, DC.ip4) for s in (
        "0.0.0.1", "127.0.0.1", "224.0.0.5", "239.1.1.1", "240.0.0.1", "250.1.1.1",
        "255.255.255.255", "192.168.10.255")])
    dropped(t, "bad-destination", "lan", [udp(LAN.ip4, d) for d in (
        "0.1.2.3", "127.0.0.1", "240.0.0.1", "255.255.255.254")])
    t.expect(both(True, "lan1", "dc", "udp", 4000))


@test("PF-11")
def test_sources6(t):
    """IPv6 sources and destinations that cannot be: dropped and counted."""
    t.enforce(OPEN)
    dropped(t, "bad-source", "lan", [udp(s, DC.ip6) for s in (
        "::", "::ffff:10.1.1.1", "fec0::1", "2001:db8::1", "4000::1", "fd00:1::1",
        "100::1")])
    # the kernel itself drops these two before any rule sees them
    t.expect([Case(f"source {s}", False, "lan", "tslcd",
                   lambda port, mark, s=s: packets.udp(s, DC.ip6, port, 4000, mark))
              for s in ("::1", "ff02::1")])
    dropped(t, "bad-destination", "lan", [udp(LAN.ip6, d) for d in (
        "::ffff:10.1.1.1", "fec0::1", "2001:db8::1", "4000::1", "fd00:1::1")])
    t.expect(both(True, "lan1", "dc", "udp", 4000))


@test("PF-13", boards=BOTH)
def test_own_source(t):
    """The appliance's own addresses as source: dropped on each port."""
    t.enforce(OPEN)
    for s in SEGMENTS:
        dropped(t, "own-source", s.zone, [
            udp(s.v4.split("/")[0], DC.ip4 if s.zone != "tslcd" else LAN.ip4),
            udp(s.v6.split("/")[0], DC.ip6 if s.zone != "tslcd" else LAN.ip6)])


@test("PF-15", boards=BOTH)
def test_spoofed(t):
    """A source is believed only on the port that leads back to it, with two uplinks."""
    t.enforce(OPEN)
    hosts = {z: HOST[n] for z, n in ZONE_HOST.items()}
    for zone in hosts:
        others = [h for z, h in hosts.items() if z != zone]
        to = hosts["server"] if zone != "server" else hosts["lan"]
        many = [udp(o.ip4, to.ip4) for o in others] + [udp(o.ip6, to.ip6) for o in others]
        dropped(t, "spoofed-source", zone, many)
    t.expect([c for a, b in (("lan1", "web"), ("lan1", "dc"), ("web", "lan1"),
                             ("dc", "lan1"), ("attacker", "dmz1"), ("soc", "srv1"))
              for c in both(True, a, b, "udp", 4000)])


def with_options(options):
    """An IPv4 packet with these options."""
    p = bytearray(udp(LAN.ip4, DC.ip4))
    options += bytes(-len(options) % 4)
    head = bytearray(p[:20]) + options
    head[0] = 0x40 | len(head) // 4
    head[2:4] = struct.pack("!H", len(p) + len(options))
    head[10:12] = b"\0\0"
    head[10:12] = struct.pack("!H", packets.checksum(bytes(head)))
    return bytes(head + p[20:])


def with_routing(kind):
    """An IPv6 packet with a routing header of this type."""
    p = udp(LAN.ip6, DC.ip6)
    ext = bytes((p[6], 2, kind, 1)) + bytes(4) + address_bytes("2001:2:0:b20::11")
    head = bytearray(p[:40])
    head[6] = 43
    head[4:6] = struct.pack("!H", len(p) - 40 + len(ext))
    return bytes(head) + ext + p[40:]


@test("PF-12")
def test_options(t):
    """Source routes, record route, routing header type 0: dropped and counted."""
    t.enforce(OPEN)
    address = address_bytes(HOST["agency2"].ip4)
    dropped(t, "route-option", "lan", [
        with_options(bytes((131, 7, 4)) + address), with_options(bytes((137, 7, 4)) + address),
        with_options(bytes((7, 7, 4, 0, 0, 0, 0))), with_routing(0)])
    harmless = with_options(b"\x94\x04\0\0")      # router alert
    t.cables[("lan")].send(harmless)
    mark = packets.Seen("lan", packets.ether(b"\0" * 6, b"\0" * 6, harmless)).mark
    t.cables.barrier()
    check(t.cables.wait_for(lambda f: f.zone == "tslcd" and f.mark in (mark, None) and
                            f.src == LAN.ip4, 2), "a packet with router alert did not cross")


@test("PF-14", boards=BOTH)
def test_link_local(t):
    """Link-local addresses never cross."""
    t.enforce(OPEN)
    for packet in (udp("fe80::1", DC.ip6), udp(LAN.ip6, "fe80::99"),
                   udp(LAN.ip4, "169.254.1.1")):
        t.cables.clear()
        t.cables["lan"].send(packet)
        t.cables.barrier()
        mark = packets.Seen("lan", packets.ether(b"\0" * 6, b"\0" * 6, packet)).mark
        check(not [f for f in t.cables.log if f.mark == mark and not f.is_error],
              "a link-local packet crossed")
    dropped(t, "spoofed-source", "lan", [udp("169.254.1.1", DC.ip4)])


def fragment4(offset, more, body, ident=7):
    p = bytearray(packets.ip_packet(LAN.ip4, DC.ip4, 17, body, ident=ident))
    p[6:8] = struct.pack("!H", (0x2000 if more else 0) | offset)
    p[10:12] = b"\0\0"
    p[10:12] = struct.pack("!H", packets.checksum(bytes(p[:20])))
    return bytes(p)


def fragment6(offset, more, body, ident=7):
    ext = struct.pack("!BBHI", 17, 0, offset << 3 | more, ident)
    return packets.ip_packet(LAN.ip6, DC.ip6, 44, ext + body)


@test("PF-08")
def test_fragments(t):
    """Tiny and oversize fragments are dropped and counted; good ones pass."""
    t.enforce(OPEN)
    dropped(t, "fragment-tiny", "lan", [fragment4(0, 1, bytes(24)), fragment6(0, 1, bytes(8))])
    dropped(t, "fragment-oversize", "lan", [fragment4(8189, 0, bytes(800)),
                                            fragment6(8189, 0, bytes(800))])
    whole = packets.udp(LAN.ip4, DC.ip4, 33333, 4000, packets.next_mark() + bytes(992))
    t.cables.clear()
    t.cables["lan"].send(fragment4(0, 1, whole[20:20 + 504], ident=99))
    t.cables["lan"].send(fragment4(63, 0, whole[20 + 504:], ident=99))
    check(t.cables.wait_for(lambda f: f.zone == "tslcd" and f.src == LAN.ip4 and f.is_ip, 3),
          "a datagram in two good fragments did not cross")


@test("PF-04")
def test_tcp_state(t):
    """TCP that fits no connection is dropped and counted, whatever the rules say."""
    t.enforce(OPEN)
    for flags in (0x10, 0x12, 0x11, 0x01, 0x00, 0x29, 0x03, 0x06, 0x3f):
        dropped(t, "invalid", "lan", [
            packets.tcp(a, b, 34567, 80, packets.next_mark(), flags=flags, seq=1000, ack=2000)
            for a, b in ((LAN.ip4, DC.ip4), (LAN.ip6, DC.ip6))])
    t.expect(both(True, "lan1", "dc", "tcp", 80))


def error4(kind, code, inner, src):
    return packets.icmp(src, LAN.ip4, kind, code, b"\0\0\x05\0", inner[:28])


@test("PF-17", "PF-18")
def test_icmp(t):
    """Errors of known flows cross, unrelated ones and forbidden types do not."""
    t.enforce(OPEN)
    mark = packets.next_mark()
    flow = packets.udp(LAN.ip4, DC.ip4, 41000, 4000, mark)
    t.cables["lan"].send(flow)
    t.cables.barrier()
    t.cables.clear()
    core = "10.200.1.1"
    t.cables["tslcd"].send(error4(3, 4, flow, core))
    check(t.cables.wait_for(lambda f: f.zone == "lan" and f.src == core and f.is_ip, 3),
          "\"fragmentation needed\" of a known flow did not cross")
    stranger = packets.udp(LAN.ip4, DC.ip4, 41999, 4999, packets.next_mark())
    for kind, inner in ((3, stranger), (5, flow), (4, flow)):
        t.cables.clear()
        t.cables["tslcd"].send(error4(kind, 4 if kind == 3 else 1, inner, core))
        t.cables.barrier()
        check(not [f for f in t.cables.log if f.zone == "lan" and f.src == core and f.is_ip],
              f"ICMP type {kind} crossed")
    # of all 256 types only an echo request opens something under "permit any"
    t.expect([case(k == 128, "lan1", "dc", "icmp", k, family=6) for k in range(256)])
    t.expect([case(k == 8, "lan1", "dc", "icmp", k) for k in range(256)])
    t.enforce([dict(OPEN[0], service=["icmp/13", "icmpv6/139"])])
    t.expect([case(k == 139, "lan1", "dc", "icmp", k, family=6) for k in (128, 139, 140)] +
             [case(k == 13, "lan1", "dc", "icmp", k) for k in (8, 13, 15, 17)])


@test("PF-32")
def test_tunnels(t):
    """Tunnels need a rule that names them."""
    kinds = [("proto", 4), ("proto", 41), ("proto", 47), ("proto", 97), ("udp", 3544)]
    t.enforce(OPEN)
    t.expect([c for k in kinds for c in both(False, "lan1", "dc", *k)])
    t.enforce([dict(OPEN[0], service=["proto/4", "proto/41", "proto/47", "proto/97",
                                      "udp/3544"])])
    t.expect([c for k in kinds for c in both(True, "lan1", "dc", *k)])


@test("PF-33", boards=BOTH)
def test_sysctls(t):
    """What policyd sets is set, for all, default and every port."""
    t.enforce(OPEN)
    ports = ["all", "default"] + [p["name"] for p in province.ports(t.board)]
    for key, value in SYSCTLS.items():
        for port in ports if "*" in key else [None]:
            path = key.replace("*", port or "")
            got = t.box.sysctl(path)
            check(got == value, f"{path} is {got}, expected {value}")


@test("PF-33", boards=BOTH)
def test_arp(t):
    """ARP answers only for own addresses on that very port."""
    t.enforce(OPEN)
    for s in SEGMENTS:
        own = s.v4.split("/")[0]
        asked = [o.v4.split("/")[0] for o in SEGMENTS] + [own.rpartition(".")[0] + ".77"]
        t.cables.clear()
        cable = t.cables[s.zone]
        me = own.rpartition(".")[0] + ".253"
        for target in asked:
            cable.send(packets.arp(1, cable.mac, me, bytes(6), target), 0x0806, b"\xff" * 6)
        t.cables.barrier((s.zone,))
        said = {f.frame[28:32] for f in t.cables.log
                if f.zone == s.zone and f.kind == 0x0806 and f.frame[20:22] == b"\0\2"}
        check(said == {address_bytes(own)}, f"{s.zone}: answered for "
              f"{['.'.join(map(str, a)) for a in said]}, expected {own} alone")


@test("PF-33")
def test_redirects(t):
    """No redirect is sent for a detour, none that comes is believed."""
    routes = province.ROUTES + [{"to": "10.77.0.0/16", "via": HOST["lan2"].ip4},
                                {"to": "2001:2:0:77::/64", "via": HOST["lan2"].ip6}]
    t.enforce(OPEN, routes=routes)
    t.cables.clear()
    for packet in (udp(LAN.ip4, "10.77.0.1"), udp(LAN.ip6, "2001:2:0:77::1")):
        t.cables["lan"].send(packet)
    t.cables.barrier(("lan",))
    t.cables.wait_for(lambda f: f.mark and f.zone == "lan" and ":" in str(f.src), 2)
    said = [f for f in t.cables.log if f.is_ip and
            (f.proto, f.payload[:1]) in ((1, b"\x05"), (58, b"\x89"))]
    check(not said, f"redirects were sent: {'; '.join(map(str, said[:2]))}")
    lie4 = packets.icmp("10.200.1.1", "10.200.1.2", 5, 1, address_bytes("10.200.1.99"),
                        udp("10.200.1.2", DC.ip4)[:28])
    lie6 = packets.icmp("fe80::1", "2001:2:0:a1::2", 137, 0,
                        bytes(4) + address_bytes("fe80::99") + address_bytes(DC.ip6))
    for lie in (lie4, lie6):
        t.cables["tslcd"].send(lie)
    t.expect(both(True, "lan1", "dc", "udp", 4000))
    code, out = t.box.shell("ip route get 10.200.10.80; ip -6 route get 2001:2:0:b10::80")
    check(code == 0 and not re.search(r"10\.200\.1\.99|fe80::99", out),
          f"a redirect was believed: {out}")


@test("FC-04", boards=BOTH)
def test_flows_cut(t):
    """A flow that the new policy does not permit ends at once; others go on."""
    web = {"from": ["lan"], "to": ["tslcd"], "service": ["udp/4000", "udp/4001"],
           "action": "permit"}
    t.enforce([web])

    def crosses(port, sport, family):
        mark = packets.next_mark()
        a, b = (LAN.ip4, DC.ip4) if family == 4 else (LAN.ip6, DC.ip6)
        t.cables.clear()
        t.cables["lan"].send(packets.udp(a, b, sport, port, mark))
        t.cables.barrier(("lan", "tslcd"))
        return any(f.mark == mark and f.zone == "tslcd" for f in t.cables.log)

    def answers(port, sport, family):
        mark = packets.next_mark()
        a, b = (LAN.ip4, DC.ip4) if family == 4 else (LAN.ip6, DC.ip6)
        t.cables.clear()
        t.cables["tslcd"].send(packets.udp(b, a, port, sport, mark))
        t.cables.barrier(("lan", "tslcd"))
        return any(f.mark == mark and f.zone == "lan" for f in t.cables.log)

    for family in (4, 6):
        for port in (4000, 4001):
            check(crosses(port, 42000 + port, family) and
                  answers(port, 42000 + port, family), f"udp/{port} v{family} does not flow")
    t.enforce([dict(web, service=["udp/4001"])])
    for family in (4, 6):
        check(not answers(4000, 46000, family), f"an answer of the cut flow v{family} crossed")
        check(not crosses(4000, 46000, family), f"the cut flow v{family} goes on")
        check(answers(4001, 46001, family) and crosses(4001, 46001, family),
              f"the permitted flow v{family} was cut")
