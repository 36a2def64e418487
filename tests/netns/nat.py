"""Address translation: what leaves, what comes in, what it never does.

A translation permits nothing: rules see the inside addresses.  Frames keep their
mark, so that one and the same packet is found on both cables and its addresses
are compared, checksums included.
"""
import contextlib
import re

import ns
import packets
import province
from province import HOST
from suite import BOTH, check, next_port, test
from walk import http_get

LAN, DC, WEB, DMZ = HOST["lan1"], HOST["dc"], HOST["web"], HOST["dmz1"]
ATTACKER, SERVER = HOST["attacker"], HOST["lansrv"]
WAN4, WAN6 = "10.200.1.2", "2001:2:0:a1::2"         # own addresses toward TSLCD
NET4, NET6 = "198.18.0.2", "2001:2:0:a2::2"         # and toward Internet
CORE4, CORE6, ISP4, ISP6 = "10.200.1.1", "2001:2:0:a1::1", "198.18.0.1", "2001:2:0:a2::1"
OUT = {"from": ["lan"], "to": ["tslcd", "internet"], "action": "permit"}
MASQUERADE = {"id": "masq", "from": ["lan"], "to": ["internet"], "masquerade": True}
FOLLOW = 5.0


class Frame:
    """A captured packet, taken apart."""

    def __init__(self, seen):
        self.seen, self.src, self.dst = seen, seen.src, seen.dst
        self.sport, self.dport = (int.from_bytes(seen.payload[i:i + 2], "big")
                                  for i in (0, 2))
        self.packet = seen.frame[14:]


def sum_is_good(seen):
    """Whether IP and transport checksums of a captured frame are right."""
    body = seen.payload
    if seen.kind == 0x0800:
        body = body[:int.from_bytes(seen.frame[16:18], "big") - 20]
        if packets.checksum(seen.frame[14:34]) != 0:
            return False
        if seen.proto == packets.ICMP:
            return packets.checksum(body) == 0
    s, d = packets.packed(seen.src)[1], packets.packed(seen.dst)[1]
    pseudo = s + d + len(body).to_bytes(4, "big") + seen.proto.to_bytes(4, "big")
    return packets.checksum(pseudo + body) == 0


def mark_of(packet):
    return packets.Seen("", packets.ether(b"\0" * 6, b"\0" * 6, packet)).mark


def crosses(t, zone, packet, to):
    """Send PACKET on ZONE's cable; the Frame that comes out of TO."""
    t.cables.clear()
    t.cables[zone].send(packet)
    mark = mark_of(packet)
    seen = t.cables.wait_for(lambda f: f.zone == to and f.mark == mark, FOLLOW)
    check(seen, f"a packet from {zone} did not come out of {to}")
    check(sum_is_good(seen), f"wrong checksum: {seen}")
    return Frame(seen)


def stopped(t, zone, *many):
    """Send packets on ZONE's cable: none comes out anywhere."""
    t.cables.clear()
    for packet in many:
        t.cables[zone].send(packet)
    silent = t.cables.barrier()
    check(not silent, f"cables without answer: {silent}")
    marks = {mark_of(p) for p in many}
    out = [f for f in t.cables.log if f.mark in marks]
    check(not out, f"crossed: {'; '.join(map(str, out[:3]))}")


def udp(src, dst, sport, dport):
    return packets.udp(src, dst, sport, dport, packets.next_mark())


def tcp(src, dst, sport, dport, **more):
    return packets.tcp(src, dst, sport, dport, packets.next_mark(), **more)


def looks(frame, src, dst, dport=None, sport=None):
    """The frame has these addresses and ports."""
    got, want = [frame.src, frame.dst], [src, dst]
    if dport is not None:
        got.append(frame.dport)
        want.append(dport)
    if sport is not None:
        got.append(frame.sport)
        want.append(sport)
    check(got == want, f"came out as {got}, expected {want}")


def flows(t, name):
    """Flows that the translation with this id has had."""
    return sum(n for chain, line, n in t.counters()
               if chain in ("dstnat", "srcnat") and f'comment "{name}"' in line)


def dropped(t, reason):
    """Packets that a built-in reason has dropped."""
    return sum(n for chain, _, n in t.counters() if chain == f"drop_{reason}")


def outward(t, src, dst, to, seen_as, dport=4000):
    """A UDP flow from the LAN: what leaves, and the answer back. The outside port."""
    sport = next_port()
    f = crosses(t, "lan", udp(src, dst, sport, dport), to)
    looks(f, seen_as, dst, dport)
    back = crosses(t, to, udp(dst, seen_as, dport, f.sport), "lan")
    looks(back, dst, src, sport, dport)
    return sport, f.sport


@contextlib.contextmanager
def second_address(t, host, *addresses):
    """A host of the LAN with more addresses."""
    ns.ip(t.ns(host), [f"addr add {a} dev eth0{' nodad' if ':' in a else ''}"
                       for a in addresses])
    try:
        yield
    finally:
        ns.ip(t.ns(host), [f"addr del {a} dev eth0" for a in addresses])


def ports_with(t, name, *addresses):
    """The lab's ports; port NAME has more addresses."""
    ports = province.ports(t.board)
    for p in ports:
        if p["name"] == name:
            p["addresses"] = p["addresses"] + list(addresses)
    return ports


@test("PF-28", boards=BOTH)
def test_masquerade(t):
    """Masquerade, IPv4 and IPv6: only where it is written; strangers stay out."""
    t.enforce([OUT], nat={"source": [MASQUERADE]})
    for src, dst, own, other in ((LAN.ip4, WEB.ip4, NET4, DC.ip4),
                                 (LAN.ip6, WEB.ip6, NET6, DC.ip6)):
        _, outside = outward(t, src, dst, "internet", own)
        outward(t, src, other, "tslcd", src)        # not translated
        stranger = ATTACKER.ip4 if "." in src else ATTACKER.ip6
        stopped(t, "internet", udp(stranger, own, 4000, outside),
                udp(dst, own, 4001, outside), udp(dst, own, 4000, 9),
                tcp(dst, own, 4000, 80))
    check(flows(t, "masq") == 2, f"2 flows were translated, counted {flows(t, 'masq')}")
    for address, own in ((WEB.ip4, NET4), (WEB.ip6, NET6)):
        status, body = http_get(t.ns("lan1"), address)
        check(status == 200 and own in body.decode(), f"{address}: {status} {body!r}")


@test("PF-28")
def test_source_address(t):
    """Fixed addresses, own and routed, and a range; the first match decides."""
    nat = {"source": [
        {"id": "dns", "from": ["lan"], "to": ["tslcd"], "service": ["udp/53"],
         "address": WAN4},
        {"id": "one", "from": ["lan"], "to": ["tslcd"], "source": [LAN.ip4],
         "address": "10.200.99.9"},
        {"id": "pool", "from": ["lan"], "to": ["tslcd"],
         "destination": ["10.200.0.0/16"], "address": "10.200.99.16-10.200.99.19"},
        {"id": "one6", "from": ["lan"], "to": ["tslcd"], "address": "2001:2:0:b99::9"}]}
    t.enforce([OUT], nat=nat)
    outward(t, LAN.ip4, DC.ip4, "tslcd", WAN4, 53)
    outward(t, LAN.ip4, DC.ip4, "tslcd", "10.200.99.9")
    outward(t, LAN.ip6, DC.ip6, "tslcd", "2001:2:0:b99::9")
    seen = {crosses(t, "lan", udp(HOST["lan2"].ip4, DC.ip4, next_port(), 4000 + i),
                    "tslcd").src for i in range(8)}
    check(len(seen) == 1 and seen <= {f"10.200.99.{n}" for n in range(16, 20)},
          f"one host left as {seen}")
    outward(t, LAN.ip4, WEB.ip4, "internet", LAN.ip4)
    check(flows(t, "dns") == 1 and flows(t, "one") == 1 and flows(t, "one6") == 1 and
          flows(t, "pool") == 8, "the counters by id are wrong")
    # what only a translation answers for is own, too: nobody else sends with it
    before = dropped(t, "own-source")
    stopped(t, "tslcd", udp("10.200.99.9", LAN.ip4, 1, 4000),
            udp("10.200.99.17", LAN.ip4, 1, 4000), udp("2001:2:0:b99::9", LAN.ip6, 1, 4000))
    check(dropped(t, "own-source") == before + 3, "forged sources were not counted")


def site(**members):
    """Destination translations of a site in the DMZ, both families."""
    return [dict({"id": f"site{n}", "from": ["internet"], "address": [own],
                  "service": ["tcp/80", "udp/80"], "to_address": to, "to_port": 8080},
                 **members) for n, own, to in ((4, NET4, DMZ.ip4), (6, NET6, DMZ.ip6))]


INTO = {"from": ["internet"], "to": ["dmz"], "service": ["tcp/8080", "udp/8080"],
        "action": "permit"}


@test("PF-28", boards=BOTH)
def test_destination(t):
    """DNAT with another port: TCP and UDP, both families, answers and counters."""
    t.enforce([INTO], nat={"destination": site()})
    for who, own, to, n in ((ATTACKER.ip4, NET4, DMZ.ip4, 4), (ATTACKER.ip6, NET6, DMZ.ip6, 6)):
        sport = next_port()
        looks(crosses(t, "internet", udp(who, own, sport, 80), "dmz"), who, to, 8080, sport)
        looks(crosses(t, "dmz", udp(to, who, 8080, sport), "internet"), own, who, sport, 80)
        looks(crosses(t, "internet", tcp(who, own, sport, 80), "dmz"), who, to, 8080, sport)
        # the host itself refuses the connection: its answer is translated
        check(t.cables.wait_for(lambda f: f.zone == "internet" and f.src == own and
                                f.dst == who and f.proto == packets.TCP, FOLLOW),
              f"no answer of {to} from {own}")
        # other ports meet the appliance's own default deny, the inside stays closed
        stopped(t, "internet", udp(who, own, sport, 8080), tcp(who, own, sport, 443),
                udp(who, to, sport, 80), tcp(who, own, sport, 22))
        stopped(t, "tslcd", udp(DC.ip4 if n == 4 else DC.ip6, own, sport, 80))
        check(flows(t, f"site{n}") == 2, f"site{n} counts {flows(t, f'site{n}')} flows, not 2")


@test("PF-28")
def test_destination_permits_nothing(t):
    """DNAT without a rule for the inside address does not cross."""
    outside = [dict(INTO, to=["any"], service=["tcp/80", "udp/80"], destination=[NET4, NET6]),
               {"from": ["internet"], "to": ["dmz"], "destination": [HOST["srv1"].ip4],
                "action": "permit"}]
    for rules in ([], outside):
        t.enforce(rules, nat={"destination": site()})
        stopped(t, "internet", *[make(who, own, next_port(), 80) for make in (udp, tcp)
                                 for who, own in ((ATTACKER.ip4, NET4), (ATTACKER.ip6, NET6))])


@test("PF-28")
def test_destination_range(t):
    """Ports that move by the same distance, and a routed outside network."""
    nat = {"destination": [
        {"id": "shift", "from": ["internet"], "address": ["198.18.77.8/30"],
         "service": ["udp/1000-1003"], "to_address": DMZ.ip4, "to_port": "8080-8083"},
        {"id": "same", "from": ["internet"], "address": ["198.18.77.8"],
         "service": ["udp/2000-2999"], "to_address": DMZ.ip4}]}
    t.enforce([{"from": ["internet"], "to": ["dmz"], "action": "permit"}], nat=nat)
    for i in range(4):
        looks(crosses(t, "internet", udp(ATTACKER.ip4, f"198.18.77.{8 + i}", next_port(),
                                         1000 + i), "dmz"), ATTACKER.ip4, DMZ.ip4, 8080 + i)
    looks(crosses(t, "internet", udp(ATTACKER.ip4, "198.18.77.8", next_port(), 2345), "dmz"),
          ATTACKER.ip4, DMZ.ip4, 2345)
    # not translated, it is routed back to where it came from: no rule permits that
    stopped(t, "internet", udp(ATTACKER.ip4, "198.18.77.8", next_port(), 1004),
            udp(ATTACKER.ip4, "198.18.77.12", next_port(), 1000))


PREFIX = [{"id": "p4", "zone": "tslcd", "inside": "192.168.10.0/24",
           "outside": "10.200.99.0/24"},
          {"id": "p6", "zone": "tslcd", "inside": "2001:2:0:10::/64",
           "outside": "2001:2:0:b99::/64"}]


@test("PF-28", boards=BOTH)
def test_prefix(t):
    """1:1 translation of a prefix, both ways, both families; stateful."""
    t.enforce([OUT, {"from": ["tslcd"], "to": ["lan"], "service": ["udp/4000"],
                     "destination": [LAN.ip4, LAN.ip6], "action": "permit"}],
              nat={"prefix": PREFIX})
    for src, dst, seen_as, lan2 in ((LAN.ip4, DC.ip4, "10.200.99.11", "10.200.99.12"),
                                    (LAN.ip6, DC.ip6, "2001:2:0:b99::11", "2001:2:0:b99::12")):
        outward(t, src, dst, "tslcd", seen_as)
        sport = next_port()
        f = crosses(t, "tslcd", udp(dst, seen_as, sport, 4000), "lan")
        looks(f, dst, src, 4000, sport)
        looks(crosses(t, "lan", udp(src, dst, 4000, sport), "tslcd"), seen_as, dst, sport, 4000)
        # the rule names lan1 by its inside address: lan2 and other ports stay closed
        stopped(t, "tslcd", udp(dst, lan2, next_port(), 4000),
                udp(dst, seen_as, next_port(), 4001), tcp(dst, seen_as, next_port(), 80))
        web = WEB.ip4 if "." in src else WEB.ip6
        outward(t, src, web, "internet", src)       # the other side sees it as it is
    check(flows(t, "p4") >= 2 and flows(t, "p6") >= 2, "the counters by id do not count")


@test("PF-28")
def test_overlap(t):
    """10.0.0.0/8 on both sides: refused when equal, translated, never mis-routed."""
    routes = [r for r in province.ROUTES if not r["to"].startswith("10.")] + [
        {"to": "10.0.0.0/8", "via": CORE4}]
    for address in ("10.0.0.1/8", "10.200.1.129/25"):
        config = t.config([OUT], routes=routes, ports=ports_with(t, "lan0", address))
        code, text = t.box.apply(config)
        check(code == 1 and "overlaps" in text and "nat.prefix" in text,
              f"LAN {address}: exit {code}: {text}")
    both_ways = [OUT, {"from": ["tslcd"], "to": ["lan"], "action": "permit"}]
    ports = ports_with(t, "lan0", "10.1.2.1/24")
    local, far, hidden = "10.1.2.11", "10.9.9.9", "10.1.2.50"
    with second_address(t, "lan1", local + "/24"):
        for nat, seen_as in (({}, local),
                             ({"prefix": [{"id": "p", "zone": "tslcd",
                                           "inside": "10.1.2.0/24",
                                           "outside": "10.200.99.0/24"}]}, "10.200.99.11")):
            t.enforce(both_ways, routes=routes, ports=ports, nat=nat)
            outward(t, local, far, "tslcd", seen_as)
            looks(crosses(t, "tslcd", udp(far, seen_as, 5000, 4000), "lan"), far, local)
            # the hidden part of the far side: neither there nor here by mistake
            before = dropped(t, "spoofed-source")
            stopped(t, "tslcd", udp(hidden, local, 1, 4000), udp(hidden, seen_as, 1, 4000))
            check(dropped(t, "spoofed-source") == before + 2,
                  "a source of the hidden part was not counted as spoofed")
            packet = udp(LAN.ip4, hidden, next_port(), 4000)
            t.cables.clear()
            t.cables["lan"].send(packet)
            t.cables.barrier()
            out = [f for f in t.cables.log if f.mark == mark_of(packet)]
            check(not out, f"a packet to the local network left: {out}")


@test("PF-28")
def test_prefix_ula(t):
    """Unique local addresses leave translated or not at all."""
    inside, outside = "fd00:10::11", "2001:2:0:b99::11"
    ports = ports_with(t, "lan0", "fd00:10::1/64")
    rules = [OUT, {"from": ["tslcd"], "to": ["lan"], "service": ["udp/4000"],
                   "action": "permit"}]
    prefix = [{"id": "ula", "zone": "tslcd", "inside": "fd00:10::/64",
               "outside": "2001:2:0:b99::/64"}]
    with second_address(t, "lan1", inside + "/64"):
        t.enforce(rules, ports=ports)
        stopped(t, "lan", udp(inside, DC.ip6, next_port(), 4000))
        t.enforce(rules, ports=ports, nat={"prefix": prefix})
        outward(t, inside, DC.ip6, "tslcd", outside)
        looks(crosses(t, "tslcd", udp(DC.ip6, outside, 5000, 4000), "lan"), DC.ip6, inside)
        before = dropped(t, "ula-outside")
        stopped(t, "lan", udp(inside, WEB.ip6, next_port(), 4000))
        stopped(t, "tslcd", udp(DC.ip6, inside, next_port(), 4000))
        check(dropped(t, "ula-outside") == before + 2, "ula-outside did not count 2")
        outward(t, LAN.ip6, WEB.ip6, "internet", LAN.ip6)


def error_about(packet, src, dst):
    """Port unreachable about PACKET, from SRC to DST."""
    if ":" in src:
        return packets.icmp(src, dst, 1, 4, bytes(4), packet[:200])
    return packets.icmp(src, dst, 3, 3, bytes(4), packet[:28])


def quoted(t, zone, src, dst, family):
    """The packet inside the ICMP error that came out of ZONE from SRC to DST."""
    seen = t.cables.wait_for(lambda f: f.zone == zone and f.is_ip and f.is_error and
                             f.src == src and f.dst == dst, FOLLOW)
    check(seen, f"no ICMP error from {src} to {dst} came out of {zone}")
    check(sum_is_good(seen), f"wrong checksum: {seen}")
    inner = seen.payload[8:]
    inner = inner[:40 + 8] if family == 6 else inner[:20 + 8]
    return Frame(packets.Seen(zone, packets.ether(b"\0" * 6, b"\0" * 6, inner)))


@test("PF-17", "PF-28")
def test_icmp_errors(t):
    """Errors about translated flows are translated, outside and inside of them."""
    t.enforce([OUT, INTO], nat={"source": [MASQUERADE], "destination": site()})
    for src, dst, own, isp, n in ((LAN.ip4, WEB.ip4, NET4, ISP4, 4),
                                  (LAN.ip6, WEB.ip6, NET6, ISP6, 6)):
        sport = next_port()
        f = crosses(t, "lan", udp(src, dst, sport, 4000), "internet")
        t.cables.clear()
        t.cables["internet"].send(error_about(f.packet, isp, own))
        looks(quoted(t, "lan", isp, src, n), src, dst, 4000, sport)
        # one about a flow that is none is dropped
        t.cables.clear()
        t.cables["internet"].send(error_about(udp(own, dst, f.sport ^ 1, 4000), isp, own))
        t.cables.barrier()
        check(not [g for g in t.cables.log if g.zone == "lan" and g.src == isp and g.is_ip],
              "an ICMP error about no flow crossed")
        who, to = (ATTACKER.ip4, DMZ.ip4) if n == 4 else (ATTACKER.ip6, DMZ.ip6)
        sport = next_port()
        f = crosses(t, "internet", udp(who, own, sport, 80), "dmz")
        t.cables.clear()
        t.cables["dmz"].send(error_about(f.packet, to, who))
        looks(quoted(t, "internet", own, who, n), who, own, 80, sport)


@test("PF-28")
def test_hairpin(t):
    """LAN hosts reach the LAN's server by its outside address (RFC 4787 REQ-9)."""
    nat = {"destination": [
        {"id": f"in{n}", "from": ["internet", "lan"], "address": [own], "service": ["tcp/80"],
         "to_address": to}
        for n, own, to in ((4, NET4, SERVER.ip4), (6, NET6, SERVER.ip6))]}
    rules = [{"from": ["internet", "lan"], "to": ["lan"], "destination": [SERVER.ip4, SERVER.ip6],
              "service": ["tcp/80"], "action": "permit"}]
    code, text = t.box.apply(t.config(rules, nat=nat))
    check(code == 1 and "$.nat.destination[0].from" in text and "nat.source" in text,
          f"hairpin without its source entry: exit {code}: {text}")
    nat["source"] = [{"id": "hairpin", "from": ["lan"], "to": ["lan"], "masquerade": True,
                      "destination": [SERVER.ip4, SERVER.ip6]}]
    t.enforce(rules, nat=nat)
    for own, port in ((NET4, province.BY_ZONE["lan"].v4), (NET6, province.BY_ZONE["lan"].v6)):
        status, body = http_get(t.ns("lan1"), own)
        check(status == 200 and body.startswith(b"lansrv ") and
              port.split("/")[0] in body.decode(), f"{own}: {status} {body!r}")
        status, body = http_get(t.ns("attacker"), own)
        check(status == 200 and body.startswith(b"lansrv "), f"{own}: {status} {body!r}")
    check(flows(t, "hairpin") == 2, "the hairpin flows were not counted")


@test("FC-04", "PF-28")
def test_removal_cuts(t):
    """A flow whose translation is not that of the new policy ends; others go on."""
    families = ((LAN.ip4, WEB.ip4, DC.ip4, NET4), (LAN.ip6, WEB.ip6, DC.ip6, NET6))
    t.enforce([OUT, INTO], nat={"source": [MASQUERADE], "destination": site()})
    old = {src: (outward(t, src, web, "internet", own), outward(t, src, dc, "tslcd", src))
           for src, web, dc, own in families}
    into = {}
    for who, own, to in ((ATTACKER.ip4, NET4, DMZ.ip4), (ATTACKER.ip6, NET6, DMZ.ip6)):
        into[who] = next_port()
        crosses(t, "internet", udp(who, own, into[who], 80), "dmz")
        looks(crosses(t, "dmz", udp(to, who, 8080, into[who]), "internet"), own, who)
    # unchanged: everything goes on
    t.enforce([OUT, INTO], nat={"source": [MASQUERADE], "destination": site()})
    for src, web, dc, own in families:
        looks(crosses(t, "internet", udp(web, own, 4000, old[src][0][1]), "lan"), web, src)
    looks(crosses(t, "dmz", udp(DMZ.ip4, ATTACKER.ip4, 8080, into[ATTACKER.ip4]), "internet"),
          NET4, ATTACKER.ip4)
    # another target, no masquerade
    t.enforce([OUT, INTO], nat={"destination": site(to_port=8081)})
    for src, web, dc, own in families:
        (sport, outside), (dc_port, _) = old[src]
        stopped(t, "internet", udp(web, own, 4000, outside))
        looks(crosses(t, "lan", udp(src, web, sport, 4000), "internet"), src, web, 4000, sport)
        looks(crosses(t, "tslcd", udp(dc, src, 4000, dc_port), "lan"), dc, src)
    stopped(t, "dmz", udp(DMZ.ip4, ATTACKER.ip4, 8080, into[ATTACKER.ip4]),
            udp(DMZ.ip6, ATTACKER.ip6, 8080, into[ATTACKER.ip6]))
    # a translation that is new takes the flow that had none
    t.enforce([OUT], nat={"source": [MASQUERADE]})
    for src, web, _, own in families:
        looks(crosses(t, "lan", udp(src, web, old[src][0][0], 4000), "internet"), own, web, 4000)
    t.enforce([OUT])
    check(not re.search(r"chain (dstnat|srcnat|leave)", t.box.ruleset()),
          "chains of translation stay without one")


@test("FC-03", "PF-28")
def test_restart(t):
    """A policyd that comes back finds its translations equal; flows go on."""
    nat = {"source": [MASQUERADE, {"id": "pool", "from": ["lan"], "to": ["tslcd"],
                                   "service": ["tcp/*", "icmp/8"],
                                   "address": "10.200.98.1-10.200.98.9"}],
           "prefix": PREFIX,
           "destination": site() + [
               {"id": "shift", "from": ["internet"], "address": [NET4],
                "service": ["udp/1000-1003"], "to_address": DMZ.ip4, "to_port": "8080-8083"}]}
    t.enforce([OUT, INTO], nat=nat)
    _, outside = outward(t, LAN.ip4, WEB.ip4, "internet", NET4)
    before, generation = t.box.ruleset_static(), t.box.status()["generation"]
    t.box.kill("policyd")
    check(t.box.status()["generation"] == generation, "the rules were written again")
    check(t.box.ruleset_static() == before, "the ruleset is another one")
    looks(crosses(t, "internet", udp(WEB.ip4, NET4, 4000, outside), "lan"), WEB.ip4, LAN.ip4)


@test("PF-22", boards=BOTH)
def test_never_joins(t):
    """No translation joins Internet and TSLCD: refused, or dropped as isolated."""
    permit = {"from": ["any"], "to": ["any"], "action": "permit"}
    t.enforce([permit])
    for nat, path in (
            ({"destination": [{"id": "d", "from": ["internet"], "address": [NET4],
                               "service": ["tcp/80"], "to_address": DC.ip4}]},
             "$.nat.destination[0].to_address"),
            ({"source": [{"id": "s", "from": ["tslcd"], "to": ["internet"],
                          "masquerade": True}]}, "$.nat.source[0]"),
            ({"prefix": [{"id": "p", "zone": "internet", "inside": "10.200.10.0/24",
                          "outside": "198.18.99.0/24"}]}, "$.nat.prefix[0].inside")):
        code, text = t.box.apply(t.config([permit], nat=nat))
        check(code == 1 and path in text and "fix=" in text, f"{path}: exit {code}: {text}")
    t.enforce([permit], nat={
        "source": [dict(MASQUERADE, **{"from": ["any"]}),
                   {"id": "m2", "from": ["any"], "to": ["tslcd"], "masquerade": True}],
        "destination": [
            {"id": "d4", "from": ["any"], "address": [NET4], "service": ["udp/80"],
             "to_address": DC.ip4},
            {"id": "d6", "from": ["any"], "address": [NET6], "service": ["udp/80"],
             "to_address": DC.ip6}]})
    for who, own, dc, pc, wan in ((ATTACKER.ip4, NET4, DC.ip4, LAN.ip4, WAN4),
                                  (ATTACKER.ip6, NET6, DC.ip6, LAN.ip6, WAN6)):
        stopped(t, "internet", udp(who, own, next_port(), 80), udp(who, dc, next_port(), 80))
        stopped(t, "tslcd", udp(dc, who, next_port(), 80), udp(dc, wan, next_port(), 80))
        looks(crosses(t, "lan", udp(pc, own, next_port(), 80), "tslcd"), wan, dc, 80)
