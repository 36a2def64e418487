"""Impossible sources are told, and what looks like one but is needed works:
DHCP, duplicate address detection, neighbour discovery, MLD, unique local addresses
(PF-10, PF-11, PF-13, PF-14)."""
import struct

import nflog
import packets
import province
from hardening import OPEN, address_bytes, dropped, reasons, udp
from province import HOST, SEGMENTS
from suite import BOTH, Case, check, test

LAN, DC, SRV = HOST["lan1"], HOST["dc"], HOST["srv1"]
STATION = "fe80::5e"    # a neighbour on each cable
LOG_GROUP = 1


def solicited(address):
    """Solicited-node multicast address and its MAC (RFC 4291 2.7.1)."""
    low = address_bytes(address)[13:]
    return (f"ff02::1:ff{low[0]:02x}:{low[1]:02x}{low[2]:02x}", b"\x33\x33\xff" + low)


def count_of(t, chain, name):
    return sum(n for c, line, n in t.counters() if c == chain and f'built-in {name}"' in line)


@test("PF-10", "PF-11", "PF-13")
def test_logged(t):
    """Each of these drops is an event: reason and packet go to the log group."""
    t.enforce(OPEN)
    lan = SEGMENTS[0]
    cases = [("bad-source", udp(s, DC.ip4)) for s in
             ("0.0.0.1", "127.0.0.1", "224.0.0.5", "250.1.1.1", "192.168.10.255")]
    cases += [("bad-destination", udp(LAN.ip4, d)) for d in ("0.1.2.3", "240.0.0.1")]
    cases += [("bad-source", udp(s, DC.ip6)) for s in
              ("fec0::1", "::ffff:10.1.1.1", "2001:db8::1", "4000::1", "fd00:1::1")]
    cases += [("bad-destination", udp(LAN.ip6, "fec0::1"))]
    cases += [("own-source", udp(lan.v4.split("/")[0], DC.ip4)),
              ("own-source", udp(lan.v6.split("/")[0], DC.ip6)),
              ("spoofed-source", udp(SRV.ip4, DC.ip4)), ("spoofed-source", udp(SRV.ip6, DC.ip6)),
              ("link-local", udp(LAN.ip6, "fe80::99"))]
    for reason, packet in cases:
        with nflog.Reader(t.box.box, LOG_GROUP) as log:
            t.cables["lan"].send(packet)
            t.cables.barrier(("lan",))
            seen = log.read(0.05)
        mine = [prefix for prefix, data in seen if data[-8:] == packet[-8:]]
        check(len(mine) == 1 and f"built-in {reason}" in mine[0],
              f"{reason} from {packets.Seen('lan', packets.ether(bytes(6), bytes(6), packet)).src}"
              f": the log says {mine}")


def dhcp_request(port=67):
    return packets.udp("0.0.0.0", "255.255.255.255", 68, port,
                       b"\1\1\6\0" + packets.next_mark() + bytes(228))


@test("PF-10", boards=BOTH)
def test_dhcp(t):
    """A client without an address reaches a DHCP server on the appliance's link: its
    request passes the guard to input and never crosses; the same to another port, or
    to somebody, is a bad source."""
    t.enforce(OPEN)
    for zone in ("lan", "wireless") if not t.short else ("lan",):
        before, bad = count_of(t, "guard", "dhcp-request"), reasons(t)
        denied = count_of(t, "input", "default-deny")
        request = dhcp_request()
        t.cables.clear()
        t.cables[zone].send(request, dst_mac=b"\xff" * 6)
        t.cables.barrier()
        check(count_of(t, "guard", "dhcp-request") == before + 1 and reasons(t) == bad,
              f"{zone}: the guard stopped a DHCP request")
        check(count_of(t, "input", "default-deny") == denied + 1,
              f"{zone}: a DHCP request did not get to input")
        check(not [f for f in t.cables.log if f.mark and f.mark in request], "it crossed")
    dropped(t, "bad-source", "lan", [dhcp_request(68), udp("0.0.0.0", DC.ip4)])


def neighbour(kind, src, target, dst, hop_limit=255, lladdr=None):
    """Neighbour solicitation (135) or advertisement (136) for TARGET."""
    option = b"" if lladdr is None else bytes((1 if kind == 135 else 2, 1)) + lladdr
    p = bytearray(packets.icmp(src, dst, kind, 0, bytes(4), address_bytes(target) + option))
    p[7] = hop_limit
    return bytes(p)


@test("PF-11", "PF-14", boards=BOTH)
def test_neighbour_discovery(t):
    """On every port: the appliance answers a neighbour and defends its address against
    duplicate address detection; a solicitation that came over a router it ignores."""
    t.enforce(OPEN)
    for s in SEGMENTS:
        cable, own = t.cables[s.zone], s.v6.split("/")[0]
        group, mac = solicited(own)

        def answers(packet, cable=cable, mac=mac, zone=s.zone, own=own):
            t.cables.clear()
            cable.send(packet, dst_mac=mac)
            t.cables.barrier((zone,))
            return [f for f in t.cables.log if f.zone == zone and f.kind == 0x86dd and
                    f.proto == packets.ICMPV6 and f.payload[0] == 136 and
                    f.payload[8:24] == address_bytes(own)]

        good = answers(neighbour(135, STATION, own, group, lladdr=cable.mac))
        check(good and good[0].frame[21] == 255, f"{s.zone}: no answer to a solicitation")
        check(not answers(neighbour(135, STATION, own, group, 254, cable.mac)),
              f"{s.zone}: a forged solicitation (hop limit 254) was answered")
        bad = reasons(t) if not t.short else None
        duplicate = answers(neighbour(135, "::", own, group))
        check(duplicate and duplicate[0].dst == "ff02::1",
              f"{s.zone}: its address is not defended")
        check(t.short or reasons(t) == bad, f"{s.zone}: duplicate address detection was dropped")
        check(not answers(neighbour(135, "::", own, group, 64)),
              f"{s.zone}: forged duplicate address detection was answered")


def mld_query(hop_limit=1):
    """General query (RFC 3810 5.1) with a router alert, answered at once."""
    body = struct.pack("!BBHHH", 130, 0, 0, 1, 0) + bytes(16) + struct.pack("!BBH", 2, 60, 0)
    src, dst = address_bytes(STATION), address_bytes("ff02::1")
    total = packets.checksum(src + dst + struct.pack("!II", len(body), 58) + body)
    body = body[:2] + struct.pack("!H", total) + body[4:]
    p = bytearray(packets.ip_packet(STATION, "ff02::1", 0, b"\x3a\0\5\2\0\0\1\0" + body))
    p[7] = hop_limit
    return bytes(p)


@test("PF-14")
def test_mld(t):
    """A multicast listener query of the link is answered; one from afar is not."""
    t.enforce(OPEN)
    before = count_of(t, "input", "mld")
    t.cables["lan"].send(mld_query(64), dst_mac=b"\x33\x33\0\0\0\1")
    t.cables.barrier(("lan",))
    check(count_of(t, "input", "mld") == before, "a query with hop limit 64 was accepted")
    t.cables.clear()
    t.cables["lan"].send(mld_query(), dst_mac=b"\x33\x33\0\0\0\1")
    t.cables.barrier(("lan",))
    check(count_of(t, "input", "mld") == before + 1, "a query of the link was stopped")
    report = t.cables.wait_for(lambda f: f.zone == "lan" and f.kind == 0x86dd and
                               f.proto == 0 and f.frame[62] == 143, 5)
    check(report and report.frame[21] == 1, "no report came")


@test("PF-14", "PF-11")
def test_never_cross(t):
    """Neighbour discovery and MLD never cross, whatever the rules and the hop limit."""
    kinds = (*range(130, 138), 141, 142, 143, 148, 149, 151, 152, 153)
    for rules in (OPEN, [dict(OPEN[0], service=["icmpv6/*"])]):
        t.enforce(rules)
        for kind in kinds:
            for hop in (255, 64, 2):
                p = bytearray(packets.icmp(LAN.ip6, DC.ip6, kind, 0, bytes(4),
                                           packets.next_mark() + bytes(16)))
                p[7] = hop
                t.cables.clear()
                t.cables["lan"].send(bytes(p))
                t.cables.barrier(("lan", "tslcd"))
                check(not [f for f in t.cables.log if f.zone == "tslcd" and f.mark and
                           f.mark in bytes(p)], f"type {kind}, hop limit {hop} crossed")
    for kind in kinds:
        code, text = t.box.apply(t.config([dict(OPEN[0], service=[f"icmpv6/{kind}"])]))
        check(code == 1 and "$.rules[0].service" in text, f"type {kind}: {code}: {text}")


@test("PF-11")
def test_unique_local(t):
    """Unique local prefixes that the configuration has work between inside zones, and
    nowhere else; others are bad."""
    ports = province.ports(t.board)
    ports[0] = dict(ports[0], addresses=ports[0]["addresses"] + ["fd12:0:0:10::1/64"])
    routes = province.ROUTES + [{"to": "fd12:0:0:99::/64", "via": SRV.ip6},
                                {"to": "fd12:0:0:b0::/64", "via": "2001:2:0:a1::1"},
                                {"to": "fd12:0:0:c0::/64", "via": "2001:2:0:a2::1"}]
    t.enforce(OPEN, ports=ports, routes=routes)
    ways = [("lan", "server", "fd12:0:0:10::11", "fd12:0:0:99::11", True),
            ("lan", "server", "fd12:0:0:10::11", SRV.ip6, True),
            ("lan", "server", LAN.ip6, "fd12:0:0:99::11", True),
            ("lan", "tslcd", "fd12:0:0:10::11", DC.ip6, False),
            ("lan", "tslcd", LAN.ip6, "fd12:0:0:b0::1", False),
            ("tslcd", "server", "fd12:0:0:b0::1", SRV.ip6, False),
            ("tslcd", "server", DC.ip6, "fd12:0:0:99::11", False),
            ("internet", "server", "fd12:0:0:c0::1", SRV.ip6, False),
            ("lan", "internet", "fd12:0:0:10::11", "2001:2:0:c80::80", False)]
    t.expect([Case(f"{s} > {d}", ok, zone, to, lambda port, mark, s=s, d=d:
                   packets.udp(s, d, port, 4000, mark)) for zone, to, s, d, ok in ways])
    for zone, _, s, d, ok in ways:
        if not ok:
            dropped(t, "ula-outside", zone, [udp(s, d)])
    dropped(t, "bad-source", "lan", [udp("fd13::1", SRV.ip6)])
    dropped(t, "bad-destination", "lan", [udp(LAN.ip6, "fd13::1")])
