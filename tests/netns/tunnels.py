"""WireGuard tunnels that end on the appliance, and the zone `tunnel`."""
import base64
import re

import links
import ns
import packets
import province
import wireguard
from province import BY_ZONE, HOST, ZONES, ZONE_HOST
from suite import BOTH, Skip, both, check, next_port, test

PEER_KEY = "8e/yHC3Thl7shuz1BL8E3fLZ5wdbSpURzpbZGnGWIVI="
PORT = 51820
END = HOST["soc"].ip4               # where the peer is
OTHER = HOST["agency2"].ip4         # beside it
BOX = BY_ZONE["tslcd"].v4.split("/")[0]


def tunnel(key=PEER_KEY, **members):
    """A port wg0 in zone tunnel, with one peer at the host soc."""
    return {"name": "wg0", "zone": "tunnel", "addresses": ["10.8.0.1/24"],
            "wireguard": dict({"listen": PORT, "peers": [
                {"public_key": key, "endpoint": f"{END}:{PORT}", "keepalive": 1,
                 "allowed": ["10.9.0.0/16", "2001:2:9::/48"]}]}, **members)}


def with_tunnel(t, *args, **members):
    return province.ports(t.board) + [tunnel(*args, **members)]


def public_key(t):
    key = t.box.status().get("wireguard.wg0", "")
    check(re.fullmatch("[A-Za-z0-9+/]{43}=", key), f"no public key in the status: {key!r}")
    return key


def count(t, chain, words):
    """Packets counted by the rules of CHAIN whose text has WORDS."""
    return sum(n for c, line, n in t.counters() if c == chain and words in line)


@test("PF-32")
def test_unknown_to_kernel(t):
    """A kernel without WireGuard: the port is named, what was in force stays."""
    if links.kernel_makes(t, "probe", "type", "wireguard"):
        raise Skip("this kernel has WireGuard")
    links.refused(t, links.ports(t) + [tunnel()], "wg0", "cannot make WireGuard")


@test("PF-21", boards=BOTH)
def test_zone(t):
    """The zone tunnel is closed to and from every other zone until a rule opens it."""
    moved = t.moved(wifi0="tunnel")
    host = ZONE_HOST["wireless"]
    others = [z for z in ZONES if z != "wireless"]

    def cases(opened):
        return [c for z in others for kind in ("tcp", "udp")
                for c in both(("tunnel", z) in opened, host, ZONE_HOST[z], kind, 4000) +
                both((z, "tunnel") in opened, ZONE_HOST[z], host, kind, 4000)]

    t.enforce([], ports=moved)
    t.expect(cases(set()))
    for pair in (("tunnel", "lan"), ("internet", "tunnel"), ("tunnel", "tslcd")):
        t.enforce([{"from": [pair[0]], "to": [pair[1]], "action": "permit"}], ports=moved)
        t.expect(cases({pair}))


@test("PF-32", boards=("qemu-arm64",))
def test_key(t):
    """The private key is made on the device, kept, and never shown."""
    t.enforce(links.OPEN, ports=with_tunnel(t))
    key = public_key(t)
    mode = t.box.shell_ok("ls -l /conf/policy/wireguard-wg0").split()[0]
    check(mode.startswith("-rw-------"), f"the private key has mode {mode}")
    private = t.box.shell_ok("cat /conf/policy/wireguard-wg0").strip()
    raw = base64.b64decode(private)
    check(len(raw) == 32 and not raw[0] & 7 and raw[31] >> 6 == 1, "not a clamped key")
    check(private not in t.box.shell_ok("devctl status 2>/dev/null || "
                                        "/usr/libexec/luytre/devctl status"),
          "the status shows the private key")
    check(private not in t.box.console.text(), "the console shows the private key")
    index = t.box.shell_ok("cat /sys/class/net/wg0/ifindex")
    t.enforce([], ports=with_tunnel(t))
    check(public_key(t) == key, "another key after an apply")
    check(t.box.shell_ok("cat /sys/class/net/wg0/ifindex") == index, "made anew")
    since = t.box.console.end()
    t.box.kill("policyd")
    check(t.box.console.find(r"^luytre: policyd: enforced .*how=adopted", since),
          "not adopted")
    check(public_key(t) == key, "another key after a restart of policyd")
    t.lab.power_cycle()
    t.box.wait_ready("enforced")
    check(public_key(t) == key, "another key after a power cut")
    t.enforce(links.OPEN)
    check("wireguard.wg0" not in t.box.status(), "the tunnel is still in the status")
    check(t.box.shell("ls /sys/class/net/wg0")[0] != 0, "the tunnel is still there")


@test("PF-32", boards=("qemu-arm64",))
def test_udp_port(t):
    """The tunnel's UDP port is open to the peer's address, and to nobody else."""
    t.enforce(links.OPEN, ports=with_tunnel(t))
    tslcd, internet = t.cables["tslcd"], t.cables["internet"]
    t.cables.clear()
    start = t.cables.wait_for(lambda f: f.is_ip and f.proto == packets.UDP and
                              f.dst == END and f.payload[8:12] == b"\1\0\0\0", 20)
    check(start and start.zone == "tslcd", "no handshake leaves toward the peer")
    ports = int.from_bytes(start.payload[:2], "big"), int.from_bytes(start.payload[2:4], "big")
    check(ports == (PORT, PORT) and len(start.payload) == 8 + 148, f"{start}")

    def send(cable, src, dst_port):
        before = count(t, "input", "built-in tunnel wg0")
        cable.send(packets.udp(src, BOX, next_port(), dst_port, packets.next_mark()))
        silent = t.cables.barrier(("tslcd", "internet", "lan"))
        check(not silent, f"cables without answer: {silent}")
        return count(t, "input", "built-in tunnel wg0") - before

    check(send(tslcd, END, PORT) == 1, "the peer's datagram was not let in")
    check(send(tslcd, END, PORT + 1) == 0, "another UDP port was let in")
    check(send(tslcd, OTHER, PORT) == 0, "another address was let in")
    check(send(internet, HOST["attacker"].ip4, PORT) == 0, "the Internet was let in")
    t.enforce(links.OPEN, ports=with_tunnel(t, roaming=True))
    check(send(tslcd, OTHER, PORT) == 1, "roaming: another address was not let in")
    check(send(t.cables["lan"], HOST["lan1"].ip4, PORT) == 0, "roaming: the LAN was let in")


class Tunnel:
    """The lab's end of wg0: an address behind the cable of tslcd."""

    def __init__(self, t):
        self.t = t
        self.cable = t.cables["tslcd"]
        self.peer = wireguard.Peer()

    def connect(self):
        """Open the connection to the device, which has this peer already."""
        self.peer.theirs = base64.b64decode(public_key(self.t))
        left = ns.deadline(20)
        while left():
            self.t.cables.clear()
            self.send_datagram(self.peer.initiation())
            if self.t.cables.wait_for(lambda f: self.is_ours(f) and
                                      self.peer.response(f.payload[8:]), min(5, left())):
                self.send(b"")      # the device sends once we have shown our key
                return
        check(False, "the device does not answer the handshake")

    def send_datagram(self, data):
        self.cable.send(packets.udp(END, BOX, PORT, PORT, data))

    def send(self, packet):
        self.send_datagram(self.peer.wrap(packet))

    @staticmethod
    def is_ours(f):
        return f.zone == "tslcd" and f.is_ip and f.proto == packets.UDP and f.dst == END

    def received(self):
        """The packets that came out of the tunnel so far."""
        self.t.cables.pump(0.2)
        out = [self.peer.unwrap(f.payload[8:]) for f in self.t.cables.log
               if self.is_ours(f)]
        return [p for p in out if p]


@test("PF-32", boards=("qemu-arm64",))
def test_decapsulated(t):
    """What comes out of a tunnel meets the rules of its zone, both ways."""
    wireguard.check_vectors()
    tun = Tunnel(t)
    rules = [{"from": ["tunnel"], "to": ["lan"], "service": ["tcp/80"],
              "action": "permit"},
             {"from": ["lan"], "to": ["tunnel"], "service": ["udp/4000"],
              "action": "permit"}]
    t.enforce(rules, ports=with_tunnel(t, tun.peer.key))
    tun.connect()
    lan4, lan6, dc = HOST["lan1"].ip4, HOST["lan1"].ip6, HOST["dc"].ip4
    inner = {"v4 to 80": ("10.9.1.1", lan4, 80), "v4 to 81": ("10.9.1.1", lan4, 81),
             "v6 to 80": ("2001:2:9::1", lan6, 80), "v6 to 81": ("2001:2:9::1", lan6, 81),
             "other zone": ("10.9.1.1", dc, 80), "not allowed": ("10.7.0.1", lan4, 80),
             "spoofed LAN": ("192.168.10.12", lan4, 80)}
    t.cables.clear()
    marks = {}
    for name, (src, dst, port) in inner.items():
        mark = packets.next_mark()
        marks[mark] = name
        tun.send(packets.tcp(src, dst, next_port(), port, mark))
    want = {"v4 to 80", "v6 to 80"}
    left = ns.deadline(10)
    while not want <= {marks.get(f.mark) for f in t.cables.log} and left():
        t.cables.pump(min(0.5, left()))
    check(not t.cables.barrier(), "cables without answer")
    got = {marks[f.mark]: f.zone for f in t.cables.log if f.mark in marks}
    check(got == {name: "lan" for name in want}, f"crossed: {got}")
    # the other way: permitted ones come out of the tunnel, only there
    t.cables.clear()
    marks = {}
    for port in (4000, 4001):
        marks[port] = packets.next_mark()
        t.cables["lan"].send(packets.udp(lan4, "10.9.1.1", next_port(), port, marks[port]))
    left = ns.deadline(10)
    while left() and not any(marks[4000] in p for p in tun.received()):
        pass
    check(not t.cables.barrier(), "cables without answer")
    out = tun.received()
    check(any(marks[4000] in p for p in out), "the permitted one is not in the tunnel")
    check(not any(marks[4001] in p for p in out), "the other one is in the tunnel")
    check(not any(f.mark in marks.values() for f in t.cables.log), "in clear on a cable")
    t.enforce(links.OPEN)


@test("FC-03", boards=("qemu-arm64",))
def test_tampered(t):
    """A tunnel that somebody deletes or takes down is back, with the same key."""
    t.enforce(links.OPEN, ports=with_tunnel(t))
    key = public_key(t)
    links.tamper(t, ["link del wg0"], "port wg0 is missing")
    check(public_key(t) == key, "another key")
    links.tamper(t, ["link set wg0 down"], "port wg0 is named wg0 and is down")
    links.tamper(t, ["route del 10.9.0.0/16"], "the route 10.9.0.0/16 via wg0 is missing")
    t.enforce(links.OPEN)


@test("PF-32", boards=("qemu-arm64",))
def test_networks(t):
    """The peer's networks are routed into the tunnel; from elsewhere they are spoofed."""
    any_to_any = [{"from": ["any"], "to": ["any"], "action": "permit"}]
    t.enforce(any_to_any, ports=with_tunnel(t))
    route = t.box.shell_ok("cat /proc/net/route")
    check(re.search(r"^wg0\s+0000090A\s", route, re.M), f"no route: {route}")
    t.cables.clear()
    marks = {}
    for name, zone, src, dst in (
            ("into the tunnel", "lan", HOST["lan1"].ip4, "10.9.1.1"),
            ("spoofed from tslcd", "tslcd", "10.9.1.1", HOST["lan1"].ip4),
            ("spoofed from internet", "internet", "10.8.0.9", HOST["lan1"].ip4),
            ("beside it", "tslcd", OTHER, HOST["lan1"].ip4)):
        mark = packets.next_mark()
        marks[mark] = name
        t.cables[zone].send(packets.udp(src, dst, next_port(), 4000, mark))
    t.cables.wait_for(lambda f: marks.get(f.mark) == "beside it", 10)
    check(not t.cables.barrier(), "cables without answer")
    out = sorted({marks[f.mark] for f in t.cables.log if f.mark in marks})
    check(out == ["beside it"], f"in clear on a cable: {out}")
    t.enforce(links.OPEN)
