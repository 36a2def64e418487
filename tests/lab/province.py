"""The province of the lab: one table of segments, hosts, addresses and services.

Everything else (namespaces, the configuration of the appliance, the README's
tables, the tests) is made from this table.
"""
import ipaddress
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Segment:
    """One cable of the appliance: port I of the box and a bridge in `sw`."""

    index: int
    name: str       # bridge br-NAME
    zone: str
    port: str       # the name that the configuration gives the port
    v4: str         # of the appliance
    v6: str

    @property
    def tap(self):
        """The switch's end of the cable to the appliance, in namespace sw."""
        return f"box{self.index}"


SEGMENTS = (
    Segment(0, "lan", "lan", "lan0", "192.168.10.1/24", "2001:2:0:10::1/64"),
    Segment(1, "tslcd", "tslcd", "wan0", "10.200.1.2/24", "2001:2:0:a1::2/64"),
    Segment(2, "internet", "internet", "wan1", "198.18.0.2/24", "2001:2:0:a2::2/64"),
    Segment(3, "server", "server", "srv0", "192.168.20.1/24", "2001:2:0:20::1/64"),
    Segment(4, "dmz", "dmz", "dmz0", "192.168.30.1/24", "2001:2:0:30::1/64"),
    Segment(5, "wireless", "wireless", "wifi0", "192.168.40.1/24", "2001:2:0:40::1/64"),
    Segment(6, "mgmt", "mgmt", "mgmt0", "192.168.50.1/24", "2001:2:0:50::1/64"),
)
BY_ZONE = {s.zone: s for s in SEGMENTS}
ZONES = tuple(BY_ZONE)
INSIDE = ("lan", "server", "dmz", "wireless", "mgmt")


@dataclass(frozen=True)
class Host:
    """One namespace with one interface, eth0."""

    name: str
    segment: str            # a segment, or the router it hangs on
    v4: str
    v6: str
    gw4: str
    gw6: str
    zone: str               # what the appliance takes it for
    title: str
    services: tuple = field(default=())

    @property
    def ip4(self):
        return self.v4.split("/")[0]

    @property
    def ip6(self):
        return self.v6.split("/")[0]


def _inside(name, zone, last, title, services=()):
    s = BY_ZONE[zone]
    gw4, gw6 = s.v4.split("/")[0], s.v6.split("/")[0]
    v4 = gw4.rpartition(".")[0] + f".{last}/24"
    v6 = gw6.rpartition("::")[0] + f"::{last}/64"
    return Host(name, s.name, v4, v6, gw4, gw6, zone, title, services)


def _behind(name, router, v4, v6, zone, title, services=()):
    gw4 = v4.rpartition(".")[0] + ".1"
    gw6 = v6.rpartition("::")[0] + "::1"
    return Host(name, router, v4 + "/24", v6 + "/64", gw4, gw6, zone, title, services)


HOSTS = (
    _inside("lan1", "lan", 11, "PC of an officer"),
    _inside("lan2", "lan", 12, "second PC"),
    _inside("lansrv", "lan", 80, "server of the agency on the LAN", ("web",)),
    _inside("srv1", "server", 11, "server of the agency in the server zone"),
    _inside("dmz1", "dmz", 11, "public server of the agency"),
    _inside("wifi1", "wireless", 11, "wireless client"),
    _inside("mgmt1", "mgmt", 11, "administrator's PC"),
    _behind("dc", "core", "10.200.10.80", "2001:2:0:b10::80", "tslcd",
            "data centre of the province", ("web",)),
    _behind("agency2", "core", "10.200.20.11", "2001:2:0:b20::11", "tslcd",
            "PC of another agency"),
    _behind("soc", "core", "10.200.30.10", "2001:2:0:b30::10", "tslcd",
            "security operations centre", ("web",)),
    _behind("attacker", "isp", "198.18.66.66", "2001:2:0:c66::66", "internet",
            "attacker on the Internet"),
    _behind("web", "isp", "198.18.80.80", "2001:2:0:c80::80", "internet",
            "web server on the Internet", ("web",)),
)
HOST = {h.name: h for h in HOSTS}


@dataclass(frozen=True)
class Router:
    """A router beyond the appliance: eth0 on a segment, one port per host."""

    name: str
    segment: str
    v4: str
    v6: str
    routes: tuple   # destinations that lie behind the appliance
    title: str


_AGENCY = ("192.168.0.0/16", "2001:2:0:10::/64", "2001:2:0:20::/64", "2001:2:0:30::/64",
           "2001:2:0:40::/64", "2001:2:0:50::/64")
ROUTERS = (
    Router("core", "tslcd", "10.200.1.1/24", "2001:2:0:a1::1/64",
           _AGENCY + ("198.18.0.0/16", "2001:2:0:a2::/64", "2001:2:0:c00::/56"),
           "core router of the data network"),
    Router("isp", "internet", "198.18.0.1/24", "2001:2:0:a2::1/64",
           _AGENCY + ("10.200.0.0/16", "2001:2:0:a1::/64", "2001:2:0:b00::/56"),
           "router of the Internet provider"),
)

NAMESPACES = ("sw", "box") + tuple(r.name for r in ROUTERS) + tuple(h.name for h in HOSTS)


def ns_name(lab, name):
    """Namespace of NAME in lab number LAB."""
    return f"lt{lab}-{name}"


def box_mac(lab, index):
    """Hardware address of port INDEX of the appliance."""
    return f"02:4c:54:{lab:02x}:00:{index:02x}"


# The one representative of each zone that tests speak to and from.
ZONE_HOST = {"lan": "lan1", "server": "srv1", "dmz": "dmz1", "wireless": "wifi1",
             "mgmt": "mgmt1", "tslcd": "dc", "internet": "attacker"}


# The configuration of the appliance ------------------------------------------

# virtio-mmio transports of `-M virt`: the order of the board's NICs is fixed in
# board/qemu-arm64/run; port I is the platform device BUS_BASE + I * 0x200.
QEMU_BUS = tuple(f"platform/a00{0x2c00 + 0x200 * i:04x}.virtio_mmio" for i in range(7))

OBJECTS = {
    "lan-net": ["192.168.10.0/24", "2001:2:0:10::/64"],
    "server-net": ["192.168.20.0/24", "2001:2:0:20::/64"],
    "dc-web": ["10.200.10.80", "2001:2:0:b10::80"],
    "soc": ["10.200.30.10", "2001:2:0:b30::10"],
    "agency-server": ["192.168.20.11", "2001:2:0:20::11"],
    "public-server": ["192.168.30.11", "2001:2:0:30::11"],
    "admin-pc": ["192.168.50.11", "2001:2:0:50::11"],
}

SERVICES = {
    "web": ["tcp/80", "tcp/443"],
    "http": ["tcp/80"],
    "dns": ["udp/53", "tcp/53"],
    "ping": ["icmp/8", "icmpv6/128"],
    "ssh": ["tcp/22"],
    "syslog": ["tcp/6514"],
}

MANAGEMENT = {"port": "mgmt0", "sources": ["admin-pc"]}

RULES = [
    {"id": "r10", "from": ["lan"], "to": ["tslcd"], "source": ["lan-net"],
     "destination": ["dc-web"], "service": ["http", "ping"], "action": "permit",
     "comment": "LAN to the data centre's web service"},
    {"id": "r20", "from": ["lan"], "to": ["internet"], "source": ["lan-net"],
     "service": ["web", "dns"], "action": "permit", "log": True,
     "comment": "LAN to the web and DNS"},
    {"id": "r30", "from": ["lan"], "to": ["server"], "source": ["lan-net"],
     "destination": ["agency-server"], "service": ["web"], "action": "permit",
     "comment": "LAN to the agency's server"},
    {"id": "r40", "from": ["mgmt"], "to": ["lan", "server", "dmz"],
     "source": ["admin-pc"], "service": ["ping", "ssh"], "action": "permit", "log": True,
     "comment": "administrator to inside hosts"},
    {"id": "r50", "from": ["wireless"], "to": ["internet"], "service": ["web", "dns"],
     "action": "permit", "comment": "wireless guests to the web only"},
    {"id": "r60", "from": ["internet"], "to": ["dmz"], "destination": ["public-server"],
     "service": ["web"], "action": "permit", "log": True,
     "comment": "public site of the agency"},
    {"id": "r70", "from": ["server"], "to": ["tslcd"], "source": ["server-net"],
     "destination": ["soc"], "service": ["syslog"], "action": "permit",
     "comment": "server events to the SOC"},
    {"id": "r80", "from": ["tslcd", "internet"], "to": list(INSIDE), "action": "drop",
     "log": True, "comment": "what comes from outside uninvited is dropped and seen"},
]

ROUTES = [
    {"to": "10.200.0.0/16", "via": "10.200.1.1"},
    {"to": "2001:2:0:b00::/56", "via": "2001:2:0:a1::1"},
    {"to": "0.0.0.0/0", "via": "198.18.0.1"},
    {"to": "::/0", "via": "2001:2:0:a2::1"},
]


def ports(board):
    """The `ports` member of a configuration for BOARD."""
    out = []
    for s in SEGMENTS:
        if board == "host":
            match = {"name": f"p{s.index}"}
        else:
            match = {"bus": QEMU_BUS[s.index]}
        out.append({"name": s.port, "match": match, "zone": s.zone,
                    "addresses": [s.v4, s.v6]})
    return out


def config(board, lab=0, serial=1, rules=None, **members):
    """A whole configuration; RULES and other members replace those of the lab."""
    out = {
        "format": "luytre-config 1",
        "serial": serial,
        "device": f"LT-LAB-{lab}",
        "agency": "UBND xã Mường Khương",
        "ports": ports(board),
        "routes": ROUTES,
        "objects": OBJECTS,
        "services": SERVICES,
        "rules": RULES if rules is None else rules,
    }
    out.update(members)
    return out


def zone_of(address):
    """Zone in which the appliance sees ADDRESS: the attached nets, then routes."""
    a = ipaddress.ip_address(address)
    for s in SEGMENTS:
        if a in ipaddress.ip_interface(s.v4).network or \
                a in ipaddress.ip_interface(s.v6).network:
            return s.zone
    for h in HOSTS:
        if a in ipaddress.ip_interface(h.v4).network or \
                a in ipaddress.ip_interface(h.v6).network:
            return h.zone
    return "internet"
