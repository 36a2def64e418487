"""What a scanner finds: exactly what the configuration declares (PF-01, PF-24,
PF-25), and what the appliance says by itself on the data network (PF-23)."""
import re
import struct
import subprocess
import xml.etree.ElementTree as tree

import ns
import packets
from hardening import OPEN, udp
from province import BY_ZONE, HOST, INSIDE, RULES, SEGMENTS, ZONE_HOST, ZONES
from state import mute
from suite import BOTH, check, test

LAN, DC = HOST["lan1"], HOST["dc"]
TCP_PORTS = [80, 443, 8000, 8001, 8002, 8003, 50000]
UDP_PORTS = [53, 5000, 5001]
SERVICES = ["tcp/80", "tcp/443", "tcp/8000-8003", "tcp/50000", "udp/53", "udp/5000-5001"]
TO_DC = [{"from": ["lan"], "to": ["tslcd"], "source": ["lan-net"],
          "destination": ["dc-web"], "service": SERVICES, "action": "permit"}]
FAST = ("-Pn", "-n", "--max-retries", "0", "--min-rate", "20000", "-T5", "-oX", "-")
SERVICES_OF_ROUTERS = (53, 67, 69, 123, 161, 500, 520, 521, 546, 547, 1900, 4500, 5351, 5353)
DHCP_PORTS = {67, 68, 546, 547}


def start_nmap(t, host, address, *words):
    """nmap in the namespace of HOST, running."""
    v6 = ("-6",) if ":" in address else ()
    with ns.inside(t.ns(host)):
        return subprocess.Popen(["nmap", *FAST, *v6, *words, address],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def found(process):
    """{(protocol, port): state} of what nmap took for an answer: open, closed. How
    many ports it has tried as second value."""
    out, errors = process.communicate(timeout=240)
    check(process.returncode == 0, f"nmap: {errors.strip()}")
    root = tree.fromstring(out)
    tried = sum(int(s.get("numservices")) for s in root.iter("scaninfo"))
    states, silent = {}, 0
    for p in root.iter("port"):
        state = p.find("state").get("state")
        if state in ("open", "closed", "unfiltered"):
            states[p.get("protocol"), int(p.get("portid"))] = state
        else:
            silent += 1
    for extra in root.iter("extraports"):
        check(extra.get("state") in ("filtered", "open|filtered"),
              f"{extra.get('count')} ports are {extra.get('state')}")
        silent += int(extra.get("count"))
    check(silent + len(states) == tried, f"{silent} + {len(states)} of {tried} ports")
    return states, tried


def own(zone, family):
    s = BY_ZONE[zone]
    return (s.v4 if family == 4 else s.v6).split("/")[0]


@test("PF-01", "PF-25")
def test_nmap_appliance(t):
    """nmap from each zone against the appliance's address there and its others, under the
    lab's own policy: no port answers, TCP all 65,535 and UDP, v4 and v6."""
    t.enforce(RULES)
    for zone in ZONES:
        scans = []
        for family in (4, 6):
            host = ZONE_HOST[zone]
            scans += [start_nmap(t, host, own(zone, family), "-sS", "-p-"),
                      start_nmap(t, host, own(zone, family), "-sU", "--top-ports", "200")]
            other = "lan" if zone != "lan" else "server"
            scans.append(start_nmap(t, host, own(other, family), "-sS", "--top-ports", "1000"))
        tried = 0
        for scan in scans:
            states, count = found(scan)
            check(not states, f"from {zone}: {states}")
            tried += count
        check(tried == 2 * (65535 + 200 + 1000), f"{tried} ports tried")


@test("PF-01", "PF-24")
def test_nmap_through(t):
    """nmap through the appliance: the ports of the rule and no other, TCP and UDP."""
    t.enforce(TO_DC)
    for family in (4, 6):
        address = DC.ip4 if family == 4 else DC.ip6
        tcp = start_nmap(t, "lan1", address, "-sS", "-p-")
        states, tried = found(tcp)
        check(tried == 65535 and {p for _, p in states} == set(TCP_PORTS),
              f"v{family}: of {tried} TCP ports answered {states}")
        check(states["tcp", 80] == "open", f"v{family}: the web server is {states['tcp', 80]}")
        for host in ("lan2", "wifi1", "srv1", "attacker"):
            states, _ = found(start_nmap(t, host, address, "-sS", "--top-ports", "1000"))
            want = {p for p in (80, 443, 8000, 8001, 8002, 50000)} if host == "lan2" else set()
            check({p for _, p in states} <= want and bool(states) == bool(want),
                  f"v{family} from {host}: {states}")


@test("PF-24")
def test_egress(t):
    """Each of the 65,535 TCP and UDP ports of the data centre and of a host beside it:
    what crosses is the service list of the rule, from its zone alone."""
    t.enforce(TO_DC)
    with mute(t, "lan1", "dc", "soc"):
        sweep_all(t)


def sweep_all(t):
    """The sweeps of test_egress, judged."""
    zones = [z for z in ZONES if z != "tslcd"]
    for proto, ports in ((packets.TCP, TCP_PORTS), (packets.UDP, UDP_PORTS)):
        for family in (4, 6):
            sweep = packets.Sweep(proto, family)
            for zone in zones:
                me, soc = HOST[ZONE_HOST[zone]], HOST["soc"]
                src, dst, beside = ((me.ip4, DC.ip4, soc.ip4) if family == 4 else
                                    (me.ip6, DC.ip6, soc.ip6))
                t.cables.clear()
                sweep.send(t.cables[zone], src, dst, 40000)
                sweep.send(t.cables[zone], src, beside, 40000)
                t.cables.barrier((zone, "tslcd"))
                seen = [f for f in t.cables.log if f.zone == "tslcd" and f.src == src]
                got = sorted(struct.unpack("!H", f.payload[2:4])[0] for f in seen)
                want = sorted(ports) if zone == "lan" else []
                check(got == want and all(f.dst == dst for f in seen),
                      f"{zone}, protocol {proto}, v{family}: {got[:9]} crossed")
                check(not t.cables.lost(), "the capture lost frames")


def questions(src, dst):
    """What scanners and amplifiers ask a router."""
    dns = b"\x12\x34\1\0\0\1\0\0\0\0\0\0\2vn\0\0\xff\0\1" + packets.next_mark()
    out = [packets.udp(src, dst, 40000, port, body) for port in SERVICES_OF_ROUTERS for body in
           (dns, b"\x17\0\3\x2a" + bytes(4) + packets.next_mark(), b"M-SEARCH * HTTP/1.1\r\n\r\n")]
    out += [packets.udp(src, dst, port, port, dns) for port in (68, 53, 123, 546)]
    out += [packets.tcp(src, dst, 40000, port, packets.next_mark(), flags=f)
            for port in (22, 23, 53, 80, 179, 443, 830, 8080, 8443) for f in (2, 16, 4, 1, 0)]
    kinds = (8, 10, 13, 15, 17) if ":" not in src else (128, 130, 133, 139)
    out += [packets.icmp(src, dst, k, 0, bytes(4), packets.next_mark() + bytes(32))
            for k in kinds]
    return out + [packets.ip_packet(src, dst, proto, bytes(40))
                  for proto in (2, 4, 41, 47, 50, 51, 88, 89, 103, 112, 132)]


@test("PF-25", boards=BOTH)
def test_no_service(t):
    """Internet and the data network ask the appliance for DNS, NTP, DHCP, management,
    routing, echo and what else amplifies; by unicast, broadcast and multicast: not one
    packet comes back."""
    t.enforce(OPEN)
    for zone, router in (("internet", "198.18.0.1"), ("tslcd", "10.200.1.1")):
        seg = BY_ZONE[zone]
        src6 = "2001:2:0:a2::1" if zone == "internet" else "2001:2:0:a1::1"
        t.cables.clear()
        cable = t.cables[zone]
        broadcast = own(zone, 4).rpartition(".")[0] + ".255"
        for dst, mac in ((own(zone, 4), None), (own("lan", 4), None),
                         (broadcast, b"\xff" * 6), ("255.255.255.255", b"\xff" * 6),
                         ("224.0.0.1", b"\1\0\x5e\0\0\1"), ("224.0.0.5", b"\1\0\x5e\0\0\5")):
            for packet in questions(router, dst):
                cable.send(packet, dst_mac=mac)
        for dst, mac in ((own(zone, 6), None), (own("lan", 6), None),
                         ("ff02::1", b"\x33\x33\0\0\0\1"), ("ff02::2", b"\x33\x33\0\0\0\2")):
            for packet in questions(src6, dst):
                cable.send(packet, dst_mac=mac)
        t.cables.barrier()
        said = [f for f in packets.crossing(t.cables.log) if f.zone == zone]
        check(not said, f"{zone} ({seg.port}) got {len(said)} answers: "
                        f"{'; '.join(map(str, said[:3]))}")


def dying(src, to):
    """A packet whose time to live ends at the appliance."""
    p = bytearray(udp(src, to))
    if ":" in src:
        p[7] = 1
        return bytes(p)
    p[8], p[10:12] = 1, b"\0\0"
    p[10:12] = struct.pack("!H", packets.checksum(bytes(p[:20])))
    return bytes(p)


def answers(t, zone, packet):
    """What the appliance says on ZONE's cable to a packet from there."""
    t.cables.clear()
    t.cables[zone].send(packet)
    t.cables.barrier((zone,))
    return [f for f in packets.crossing(t.cables.log) if f.zone == zone]


@test("PF-25", "PF-01", boards=BOTH)
def test_traceroute(t):
    """A time to live that ends here: silence toward the outside, whatever the rules say;
    one error to the inside, and to the outside about a flow that the rules let through."""
    for rules in ([], OPEN):
        t.enforce(rules)
        for zone, hosts in (("internet", ("attacker", "srv1")), ("tslcd", ("dc", "srv1")),
                            ("lan", ("lan1", "srv1"))):
            a, b = (HOST[h] for h in hosts)
            for src, dst in ((a.ip4, b.ip4), (a.ip6, b.ip6)):
                said = answers(t, zone, dying(src, dst))
                check(len(said) == (zone == "lan") and all(f.is_error for f in said),
                      f"{zone}, rules {rules}: {len(said)} answers to {src}")
    with mute(t, "dc", "lan1"):
        for src, dst in ((DC.ip4, LAN.ip4), (DC.ip6, LAN.ip6)):
            t.cables["lan"].send(packets.udp(dst, src, 4000, 33333, packets.next_mark()))
            # the way to the data network's router is known from here on
            check(t.cables.wait_for(lambda f, src=src: f.zone == "tslcd" and f.is_ip and
                                    f.dst == src, 5), f"nothing crosses to {src}")
            said = answers(t, "tslcd", dying(src, dst))
            check(len(said) == 1 and said[0].is_error, f"{src}: {len(said)} answers")


def strange(t, frame):
    """Why a frame must not leave toward the data network, or None."""
    v4, v6 = own("tslcd", 4), own("tslcd", 6)
    inside = re.compile(r"192\.168\.(10|20|30|40|50)\.|2001:2:0:(10|20|30|40|50)::")
    if frame.kind == 0x0806:
        sender = ".".join(str(b) for b in frame.frame[28:32])
        return None if sender in (v4, "0.0.0.0") else f"ARP as {sender}"
    if not frame.is_ip:
        return f"ethertype {frame.kind:04x}"
    if frame.kind == 0x86dd and frame.proto == 0:
        return None if frame.frame[54] == 58 and frame.frame[62] in (131, 132, 143) else "hop-by-hop"
    if frame.proto == packets.ICMPV6 and frame.payload[0] in (133, 134, 137):
        return f"router discovery or redirect, type {frame.payload[0]}"
    if frame.proto == packets.ICMPV6 and frame.payload[0] in (135, 136):
        good = frame.src in (v6, "::") or frame.src.startswith("fe80::")
        return None if good else f"neighbour discovery as {frame.src}"
    if frame.proto == packets.UDP and DHCP_PORTS & set(struct.unpack("!HH", frame.payload[:4])):
        return "DHCP"
    if frame.proto not in (packets.TCP, packets.UDP, packets.ICMP, packets.ICMPV6):
        return f"protocol {frame.proto}"
    if not (inside.match(frame.src) or frame.src in (v4, v6)):
        return f"source {frame.src}"
    return None


@test("PF-23", boards=BOTH)
def test_data_network_port(t):
    """From power-on over applies and traffic to a restart of policyd, all that leaves
    toward the data network: permitted packets of assigned addresses, ARP and neighbour
    discovery for the own ones. No DHCP, router discovery, routing protocol, LLDP; and
    what comes of these is not believed."""
    t.fresh()
    t.cables.clear()
    t.lab.power_cycle()
    t.box.wait_ready("closed")
    t.enforce(OPEN)
    code, before = t.box.shell("ip route; ip -6 route; ip addr")
    check(code == 0, before)
    ra = packets.icmp("fe80::1", "ff02::1", 134, 0, b"\x40\0\x07\x08", bytes(8) +
                      b"\3\4\x40\xc0" + struct.pack("!III", 86400, 86400, 0) +
                      packets.packed("2001:2:0:eeee::")[1])
    ra = ra[:7] + b"\xff" + ra[8:]
    t.cables["tslcd"].send(ra, dst_mac=b"\x33\x33\0\0\0\1")
    t.cables["tslcd"].send(bytes(60), 0x88cc, b"\1\x80\xc2\0\0\x0e")
    for zone in INSIDE:
        host = HOST[ZONE_HOST[zone]]
        for src, dst in ((host.ip4, DC.ip4), (host.ip6, DC.ip6), (host.ip4, "10.200.1.2"),
                         ("10.9.9.9", DC.ip4), ("2001:2:0:77::1", DC.ip6)):
            t.cables[zone].send(udp(src, dst))
            t.cables[zone].send(packets.tcp(src, dst, 40001, 80, packets.next_mark()))
    t.enforce(RULES)
    if not t.short:
        t.box.kill("policyd")
    t.cables.barrier()
    wrong = [(strange(t, f), f) for f in t.cables.log if f.zone == "tslcd"]
    wrong = [f"{why}: {f}" for why, f in wrong if why]
    check(not wrong, f"{len(wrong)} frames: {'; '.join(wrong[:4])}")
    check(any(f.mark for f in t.cables.log if f.zone == "tslcd"), "no permitted packet left")
    check(any(f.kind == 0x0806 for f in t.cables.log if f.zone == "tslcd"), "no ARP left")
    code, after = t.box.shell("ip route; ip -6 route; ip addr")
    check(code == 0 and "eeee" not in after and "proto ra" not in after,
          f"a router advertisement was believed: {after}")
    check(len(SEGMENTS) == 7, "a new segment: add it to strange()")
