"""Cabling of the lab: bridges, routers, hosts and the appliance's namespace."""
import socket

import ns
import province
from province import HOSTS, NAMESPACES, ROUTERS, SEGMENTS, ns_name

# A host that answers at once: no duplicate address detection, no router
# discovery, nothing that a test has not asked for.
QUIET = {
    "net/ipv6/conf/all/accept_dad": 0,
    "net/ipv6/conf/default/accept_dad": 0,
    "net/ipv6/conf/default/dad_transmits": 0,
    "net/ipv6/conf/all/accept_ra": 0,
    "net/ipv6/conf/default/accept_ra": 0,
    "net/ipv6/conf/default/autoconf": 0,
    "net/ipv6/conf/default/router_solicitations": 0,
}
# A new namespace copies the host's IPv4 settings; a booting kernel has these.
KERNEL_DEFAULT = {
    "net/ipv4/ip_forward": 0,
    "net/ipv4/conf/default/forwarding": 0,
    "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/default/rp_filter": 0,
}
NO_IPV6 = {
    "net/ipv6/conf/all/disable_ipv6": 1,
    "net/ipv6/conf/default/disable_ipv6": 1,
}
NO_BRIDGE_FILTER = {
    "net/bridge/bridge-nf-call-iptables": 0,
    "net/bridge/bridge-nf-call-ip6tables": 0,
    "net/bridge/bridge-nf-call-arptables": 0,
}

# Called when the appliance's cables have been made, before it is switched on.
on_new_cables = []


def existing(lab):
    """The namespaces of this lab that exist."""
    return [ns_name(lab, n) for n in NAMESPACES if ns.exists(ns_name(lab, n))]


def _bridge(name):
    return [f"link add {name} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
            f"link set {name} up"]


def make_switch(lab):
    """Namespace sw: one bridge per segment."""
    sw = ns_name(lab, "sw")
    ns.sysctl(sw, NO_IPV6)
    ns.sysctl(sw, NO_BRIDGE_FILTER, optional=True)
    ns.ip(sw, [line for s in SEGMENTS for line in _bridge("br-" + s.name)])


def _station(lab, name, segment, v4, v6):
    """Cable eth0 of namespace NAME to a bridge; returns commands for NAME."""
    sw, me = ns_name(lab, "sw"), ns_name(lab, name)
    ns.ip(sw, [f"link add {name} type veth peer name eth0 netns {me}",
               f"link set {name} master br-{segment} up"])
    return ["link set lo up", "link set eth0 up", f"addr add {v4} dev eth0",
            f"addr add {v6} dev eth0 nodad"]


def make_routers(lab):
    """core and isp: routers on the far side of the two outside cables."""
    for r in ROUTERS:
        me = ns_name(lab, r.name)
        ns.sysctl(me, {**QUIET, "net/ipv4/ip_forward": 1,
                       "net/ipv6/conf/all/forwarding": 1,
                       "net/ipv6/conf/default/forwarding": 1,
                       "net/ipv4/conf/all/rp_filter": 0,
                       "net/ipv4/conf/default/rp_filter": 0})
        lines = _station(lab, r.name, r.segment, r.v4, r.v6)
        via4, via6 = (a.split("/")[0] for a in (province.BY_ZONE[r.segment].v4,
                                                province.BY_ZONE[r.segment].v6))
        for to in r.routes:
            lines.append(f"route add {to} via {via6 if ':' in to else via4}")
        ns.ip(me, lines)


def make_hosts(lab):
    """All stations, with their addresses and one default route."""
    for h in HOSTS:
        me = ns_name(lab, h.name)
        ns.sysctl(me, {**QUIET, **KERNEL_DEFAULT})
        if h.segment in ("core", "isp"):
            router = ns_name(lab, h.segment)
            len4, len6 = h.v4.split("/")[1], h.v6.split("/")[1]
            ns.ip(router, [
                f"link add {h.name} type veth peer name eth0 netns {me}",
                f"link set {h.name} up",
                f"addr add {h.gw4}/{len4} dev {h.name}",
                f"addr add {h.gw6}/{len6} dev {h.name} nodad"])
            lines = ["link set lo up", "link set eth0 up", f"addr add {h.v4} dev eth0",
                     f"addr add {h.v6} dev eth0 nodad"]
        else:
            lines = _station(lab, h.name, h.segment, h.v4, h.v6)
        ns.ip(me, lines + [f"route add default via {h.gw4}",
                           f"route add default via {h.gw6}"])


def make_box(lab, board):
    """The appliance's namespace and its seven cables, unplugged from any power.

    host:  the ports p0..p6 themselves, down
    QEMU:  taps t0..t6, each bridged to its cable; the ports are QEMU's NICs
    """
    sw, box = ns_name(lab, "sw"), ns_name(lab, "box")
    if board == "host":
        ns.sysctl(box, KERNEL_DEFAULT)
    else:
        ns.sysctl(box, NO_IPV6)
    ns.sysctl(box, NO_BRIDGE_FILTER, optional=True)
    switch, inner = [], []
    for s in SEGMENTS:
        mac = f" address {province.box_mac(lab, s.index)}" if board == "host" else ""
        switch += [f"link add {s.tap} type veth peer name p{s.index}{mac} netns {box}",
                   f"link set {s.tap} master br-{s.name} up"]
        if board != "host":
            inner += [f"tuntap add t{s.index} mode tap", *_bridge(f"q{s.index}"),
                      f"link set t{s.index} master q{s.index} up",
                      f"link set p{s.index} master q{s.index} up"]
    ns.ip(sw, switch)
    ns.ip(box, inner)
    for call in on_new_cables:
        call()


def unplug_box(lab):
    """Delete the appliance's namespace with all that its kernel knew."""
    sw, box = ns_name(lab, "sw"), ns_name(lab, "box")
    with ns.inside(sw):
        present = {name for _, name in socket.if_nameindex()}
    ns.ip(sw, [f"link del {s.tap}" for s in SEGMENTS if s.tap in present])
    ns.delete(box)


def make_all(lab, board):
    """All namespaces and cables; the caller has checked that none exists."""
    for name in NAMESPACES:
        ns.add(ns_name(lab, name))
    make_switch(lab)
    make_routers(lab)
    make_hosts(lab)
    make_box(lab, board)


def delete_all(lab):
    """Delete every namespace of this lab."""
    for name in existing(lab):
        ns.delete(name)
