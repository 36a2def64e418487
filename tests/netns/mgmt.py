"""The management plane: who reaches the web interface, who does not, and what an
attacker on the management network can do to others (AC-18)."""
import contextlib
import hashlib
import os
import re
import socket
import ssl
import subprocess

import ns
import packets
from province import BY_ZONE, HOST, ZONE_HOST, ZONES
from suite import BOTH, check, next_port, test

ADMIN = HOST["mgmt1"]
MANAGEMENT = {"port": "mgmt0", "sources": [ADMIN.ip4, ADMIN.ip6]}
NETWORK = {"port": "mgmt0", "sources": ["192.168.50.0/24", "2001:2:0:50::/64"]}
OWN = {4: BY_ZONE["mgmt"].v4.split("/")[0], 6: BY_ZONE["mgmt"].v6.split("/")[0]}
WEBD = {4: "169.254.77.2", 6: "fd6c:7974:7265:77::2"}   # firmware/include/mgmt_net.h
OTHER = "192.168.50.66"     # somebody else on the management network
REQUEST = b"GET / HTTP/1.1\r\nHost: luytre\r\n\r\n"
SYN_ACK = 0x12


def client(t, family=4, source=None, timeout=20):
    """A TCP connection of the administrator's PC to the web interface."""
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    s = ns.sock(t.ns("mgmt1"), kind, socket.SOCK_STREAM)
    s.settimeout(timeout)
    if source:
        s.bind((source, 0))
    s.connect((OWN[family], 443))
    return s


def secure(s):
    """TLS over a connection; the certificate is compared by the callers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(s)


def page(t, family=4):
    """(first line of the answer, the server's certificate)."""
    with secure(client(t, family)) as s:
        s.sendall(REQUEST)
        text = b""
        while b"\r\n" not in text:
            more = s.recv(4096)
            check(more, f"v{family}: the connection ended after {len(text)} bytes")
            text += more
        return text.split(b"\r\n")[0].decode(), s.getpeercert(binary_form=True)


def served(t, what, family=4):
    line, _ = page(t, family)
    check(line.startswith("HTTP/1.1 "), f"{what}: {line}")


def ask(t, zone, src, dst, port=443):
    """Send one SYN; when it returns, the appliance's kernel is done with it."""
    t.cables.clear()
    t.cables[zone].send(packets.tcp(src, dst, next_port(), port))
    t.cables.barrier((zone,))


def answered(t, zone, src, dst):
    """The TCP flags of the answer to ask(), None for none."""
    f = t.cables.wait_for(lambda f: f.zone == zone and f.src == dst and f.dst == src
                          and len(f.payload) > 13, 5)
    return f.payload[13] if f else None


def count(t, chain):
    """Packets counted by the management plane's rules in a chain."""
    return sum(n for c, rule, n in t.counters()
               if c == chain and "built-in management" in rule)


def dropped(t):
    return count(t, "drop_management")


def taken(t):
    """What has gone to webd."""
    return count(t, "dstnat"), count(t, "forward")


def chains(t):
    """The rules without what they count."""
    return [line for line in t.box.ruleset_static().splitlines()
            if "chain" in line or "comment" in line]


@test("AC-18", boards=BOTH)
def test_reach(t):
    """From the management zone, IPv4 and IPv6; the certificate is the console's."""
    t.enforce([], management=MANAGEMENT)
    said = t.box.console.find(r"^luytre: webd: ready fingerprint=([0-9A-F:]+)")
    check(said, "the console shows no fingerprint")
    for family in (4, 6):
        line, cert = page(t, family)
        check(line.startswith("HTTP/1.1 "), f"v{family}: {line}")
        digest = hashlib.sha256(cert).hexdigest().upper()
        check(said.group(1).replace(":", "") == digest, f"v{family}: another certificate")


@test("AC-18")
def test_others(t):
    """No other zone reaches it, on no address of the appliance, and nobody its inner
    address; all of it under rules that permit everything."""
    everything = [{"from": ["any"], "to": ["any"], "action": "permit"}]
    t.enforce(everything, management=NETWORK)
    for zone in ZONES:
        host = HOST[ZONE_HOST[zone]]
        for family, src in ((4, host.ip4), (6, host.ip6)):
            own = (BY_ZONE[zone].v4 if family == 4 else BY_ZONE[zone].v6).split("/")[0]
            before, went = dropped(t), taken(t)
            for dst in {own, OWN[family], WEBD[family]} - ({own} if zone == "mgmt" else set()):
                ask(t, zone, src, dst)
            ask(t, zone, src, OWN[family], 80)
            check(taken(t) == went, f"a packet of {src} in zone {zone} went to webd")
            check(dropped(t) == before + 1, f"{zone} v{family}: not counted as management")
    served(t, "the administrator")


@test("AC-18")
def test_unlisted(t):
    """On the management network, but not listed; then listed: the same packet."""
    t.enforce([], management={"port": "mgmt0", "sources": [OTHER]})
    for family, src in ((4, ADMIN.ip4), (6, ADMIN.ip6)):
        went = taken(t)
        ask(t, "mgmt", src, OWN[family])
        check(taken(t) == went, f"{src} reaches webd unlisted")
    t.enforce([], management=MANAGEMENT)
    for family, src in ((4, ADMIN.ip4), (6, ADMIN.ip6)):
        ask(t, "mgmt", src, OWN[family])
        flags = answered(t, "mgmt", src, OWN[family])
        check(flags == SYN_ACK, f"the answer to {src} has flags {flags}")


@test("AC-18", "AC-16")
def test_no_listener(t):
    """ss -ltnup shows nothing, in the appliance's namespace and in webd's."""
    t.enforce([], management=MANAGEMENT)
    pid = outer_pid(t, "webd")
    for where, out in (("box", ns.run(t.box.box, ["ss", "-Hltnup"]).stdout),
                       ("webd", in_namespace(pid, ["ss", "-Hltnup"]))):
        check(not out.strip(), f"{where}: {out}")
    links = in_namespace(pid, ["ip", "-br", "link"])
    check(len(links.splitlines()) == 1 and links.startswith("lo") and "DOWN" in links,
          f"webd's namespace has {links}")


@test("AC-18", "AC-16", boards=BOTH)
def test_alone(t):
    """webd has no rights, no files, and a system call filter."""
    t.enforce([], management=MANAGEMENT)
    status = t.box.shell_ok(f"cat /proc/{t.box.task_pid('webd')}/status")
    for key, want in (("Uid", "902 902 902 902"), ("Gid", "902 902 902 902"),
                      ("Groups", ""), ("NoNewPrivs", "1"), ("Seccomp", "2"),
                      ("CapInh", "0" * 16), ("CapPrm", "0" * 16), ("CapEff", "0" * 16),
                      ("CapBnd", "0" * 16), ("CapAmb", "0" * 16)):
        found = re.search(rf"^{key}:(.*)$", status, re.M)
        check(found and found.group(1).split() == want.split(), f"{key}: {found}")
    if t.board == "host":
        pid = outer_pid(t, "webd")
        check(not os.listdir(f"/proc/{pid}/root"), "its root folder is not empty")
        check(os.readlink(f"/proc/{pid}/ns/net") != os.readlink(f"/proc/{t.box._svcd()}/ns/net"),
              "it shares the appliance's network namespace")
        memory = re.search(r"^VmRSS:\s+(\d+) kB", status, re.M)
        t.note(f"webd's memory: {memory.group(1)} kB")
        check(int(memory.group(1)) < 8192, "webd takes over 8 MB")


@test("AC-18", "FC-03")
def test_killed(t):
    """kill -9: the rules stay, it comes back with the same key."""
    t.enforce([], management=MANAGEMENT)
    _, cert = page(t)
    rules = chains(t)
    t.box.kill("webd")
    check(page(t)[1] == cert, "it came back with another certificate")
    check(chains(t) == rules, "the rules are not what they were")


@test("AC-18", "CF-05")
def test_removed(t):
    """Without "management" the interface is gone, and open connections with it."""
    t.enforce([], management=MANAGEMENT)
    with secure(client(t)):
        since = t.box.console.end()
        t.enforce([])
        line = t.box.console.wait_for(r"^luytre: policyd: enforced .* cut=(\d+)", 20, since)
        check(int(line.group(1)) >= 1, f"nothing was cut: {line.group(0)}")
    went = taken(t)
    ask(t, "mgmt", ADMIN.ip4, OWN[4])
    check(taken(t) == went, "it is still reached")
    out = ns.run(t.box.box, ["ip", "-br", "addr", "show", "web0"]).stdout
    check("DOWN" in out, f"the link to webd: {out}")
    t.enforce([], management=MANAGEMENT)
    served(t, "after management came back")


@test("AC-18")
def test_syn_flood(t):
    """SYNs of one source do not keep another one out."""
    t.enforce([], management=NETWORK)
    for burst in range(10):
        for i in range(300):
            port = 1024 + (burst * 300 + i) % 60000
            t.cables["mgmt"].send(packets.tcp(OTHER, OWN[4], port, 443, seq=i))
        served(t, f"after {300 * (burst + 1)} SYNs")
        served(t, f"after {300 * (burst + 1)} SYNs", 6)


@contextlib.contextmanager
def second_address(t, address):
    ns.ip(t.ns("mgmt1"), [f"addr add {address}/24 dev eth0"])
    try:
        yield
    finally:
        ns.ip(t.ns("mgmt1"), [f"addr del {address}/24 dev eth0"])


@test("AC-18", "AC-13")
def test_slowloris(t):
    """One source opens all it can and says little: silent, in the middle of the
    handshake, in the middle of a request. Another one is served."""
    t.enforce([], management=NETWORK)
    with second_address(t, OTHER), contextlib.ExitStack() as open_ones:
        for kind in range(3):
            for _ in range(15):
                try:
                    s = client(t, source=OTHER, timeout=2)
                    if kind == 1:
                        s.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
                    elif kind == 2:
                        s = secure(s)
                        s.sendall(REQUEST[:20])
                    open_ones.enter_context(s)
                except OSError:
                    break       # over the limit of one source
            served(t, f"slow kind {kind}")
            served(t, f"slow kind {kind}", 6)


@test("AC-18", "AC-13")
def test_garbage(t):
    """What is no TLS is closed, and costs nobody else anything."""
    t.enforce([], management=NETWORK)
    for text in (REQUEST, b"\0" * 600, b"\x16\x03\x01\xff\xff" + b"a" * 2000,
                 b"\x80\x2e\x01\x00\x02" + b"\0" * 40, b"\x17\x03\x03\x00\x10" + b"x" * 16,
                 b"\x15\x03\x03\x00\x02\x02\x28", b"\x14\x03\x03\x00\x01\x01" * 40):
        with client(t) as s:
            s.sendall(text)
            s.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionError):
                while s.recv(4096):
                    pass
    served(t, "after garbage")
    check(not t.box.console.find(r"^luytre: svcd: died task=webd signal=31"),
          "a forbidden system call")


@test("AC-18")
def test_no_way_out(t):
    """webd answers only: what it would open is dropped and counted, to the outside, to
    the inside and to the appliance."""
    t.enforce([{"from": ["any"], "to": ["any"], "action": "permit"}], management=NETWORK)
    before = dropped(t)
    sent = 0
    for dst in (HOST["attacker"].ip4, HOST["lan1"].ip4, ADMIN.ip4, HOST["dc"].ip4):
        inject(t, packets.tcp(WEBD[4], dst, 443, 8080))
        sent += 1
    for dst in (HOST["attacker"].ip6, HOST["lan1"].ip6, ADMIN.ip6, HOST["dc"].ip6):
        inject(t, packets.tcp(WEBD[6], dst, 443, 8080))
        sent += 1
    check(dropped(t) == before + sent, f"{dropped(t) - before} of {sent} were dropped")


def outer_pid(t, task):
    """Our number of a task of the appliance on board host."""
    init = t.box._svcd()
    with open(f"/proc/{init}/task/{init}/children", encoding="ascii") as f:
        for pid in f.read().split():
            with open(f"/proc/{pid}/comm", encoding="ascii") as c:
                if c.read().strip() == task:
                    return int(pid)
    raise ns.LabError(f"{task} does not run")


def in_namespace(pid, argv):
    p = subprocess.run(["nsenter", "-t", str(pid), "-n", "--", *argv], check=True,
                       stdout=subprocess.PIPE, text=True, timeout=30)
    return p.stdout


def inject(t, packet):
    """Let the packet come out of webd's TUN, as if webd had sent it: through a copy of
    webd's own descriptor."""
    pid = os.pidfd_open(outer_pid(t, "webd"))
    try:
        fd = ns.libc.syscall(438, pid, 5, 0)    # pidfd_getfd, FDS_TUN
        check(fd >= 0, "no copy of the TUN")
        try:
            os.write(fd, packet)
        finally:
            os.close(fd)
    finally:
        os.close(pid)
