"""One policy in three forms: Lũy Tre's document, an nft file built as OpenWrt's
fw4 builds its own, and for comparison nothing but connection tracking.

Rule I is of kind I % 5; all addresses differ. The last rule is the one that the
measured packets match: UDP from 10.1.64.0/18 to 203.0.113.5 port 4000.
"""
import json

LAN, WAN = "lan0", "wan0"
LAN_ADDR, WAN_ADDR, WAN_NEXT = "10.1.0.1/16", "198.18.0.2/24", "198.18.0.1"
SOURCE, DEST, PORT = "10.1.64.1", "203.0.113.5", 4000
LAST = {"src": "10.1.64.0/18", "dst": DEST + "/32", "proto": "udp", "ports": str(PORT),
        "action": "permit"}


def rule(i):
    """Rule number I: addresses in CIDR or None, protocol, port or LO-HI, action."""
    host, net = f"10.1.{i % 50}.{i // 50 + 1}/32", f"10.1.{i % 60}.0/24"
    server = f"203.0.{114 + i // 250}.{i % 250 + 1}/32"
    kind = i % 5
    action = "drop" if i % 10 == 9 else "permit"
    if kind == 0:
        return {"src": host, "dst": server, "proto": "tcp", "ports": "443", "action": action}
    if kind == 1:
        return {"src": net, "dst": server, "proto": "udp", "ports": str(5000 + i),
                "action": action}
    if kind == 2:
        return {"src": None, "dst": server, "proto": "tcp", "ports": "8443",
                "action": action}
    if kind == 3:
        return {"src": net, "dst": f"198.{51 + i // 250}.{i % 250}.0/24", "proto": "tcp",
                "ports": f"{10000 + i}-{10100 + i}", "action": action}
    return {"src": host, "dst": None, "proto": "tcp", "ports": str(20000 + i),
            "action": action}


def rules(count):
    return [rule(i) for i in range(count - 1)] + [LAST]


def luytre(count):
    """The document of Lũy Tre."""
    out = []
    for i, r in enumerate(rules(count)):
        one = {"id": f"rule{i + 1}", "from": ["lan"], "to": ["internet"]}
        if r["src"]:
            one["source"] = [r["src"]]
        if r["dst"]:
            one["destination"] = [r["dst"]]
        one["service"] = [f"{r['proto']}/{r['ports']}"]
        one["action"] = r["action"]
        out.append(one)
    return json.dumps({
        "format": "luytre-config 1", "serial": 1, "device": "BENCH", "agency": "bench",
        "ports": [{"name": LAN, "match": {"name": LAN}, "zone": "lan",
                   "addresses": [LAN_ADDR]},
                  {"name": WAN, "match": {"name": WAN}, "zone": "internet",
                   "addresses": [WAN_ADDR]}],
        "routes": [{"to": "0.0.0.0/0", "via": WAN_NEXT}], "rules": out})


CONNTRACK = """\
table inet bare {
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		ct state new accept
	}
}
"""

# The chains and their order as OpenWrt's firewall4 prints them for two zones.
FW4 = """\
table inet fw4 {
	chain input {
		type filter hook input priority filter; policy drop;
		iif "lo" accept comment "!fw4: Accept traffic from loopback"
		ct state vmap { established : accept, related : accept } comment "!fw4: Handle inbound flows"
		iifname "lan0" jump input_lan comment "!fw4: Handle lan IPv4/IPv6 input traffic"
		iifname "wan0" jump input_wan comment "!fw4: Handle wan IPv4/IPv6 input traffic"
		jump handle_reject
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state vmap { established : accept, related : accept } comment "!fw4: Handle forwarded flows"
		iifname "lan0" jump forward_lan comment "!fw4: Handle lan IPv4/IPv6 forward traffic"
		iifname "wan0" jump forward_wan comment "!fw4: Handle wan IPv4/IPv6 forward traffic"
		jump handle_reject
	}
	chain output {
		type filter hook output priority filter; policy accept;
		oif "lo" accept comment "!fw4: Accept traffic towards loopback"
		ct state vmap { established : accept, related : accept } comment "!fw4: Handle outbound flows"
		oifname "lan0" jump output_lan comment "!fw4: Handle lan IPv4/IPv6 output traffic"
		oifname "wan0" jump output_wan comment "!fw4: Handle wan IPv4/IPv6 output traffic"
	}
	chain prerouting {
		type filter hook prerouting priority filter; policy accept;
	}
	chain handle_reject {
		meta l4proto tcp reject with tcp reset comment "!fw4: Reject TCP traffic"
		reject with icmpx type port-unreachable comment "!fw4: Reject any other traffic"
	}
	chain input_lan { jump accept_from_lan; }
	chain output_lan { jump accept_to_lan; }
	chain input_wan { jump drop_from_wan; }
	chain output_wan { jump accept_to_wan; }
	chain forward_lan {
%(rules)s
		jump drop_to_wan
	}
	chain forward_wan { jump drop_to_lan; }
	chain accept_from_lan { iifname "lan0" counter accept; }
	chain accept_to_lan { oifname "lan0" counter accept; }
	chain drop_to_lan { oifname "lan0" counter drop; }
	chain drop_from_wan { iifname "wan0" counter drop; }
	chain drop_to_wan { oifname "wan0" counter drop; }
	chain accept_to_wan {
		meta nfproto ipv4 oifname "wan0" ct state invalid counter drop comment "!fw4: Prevent NAT leakage"
		oifname "wan0" counter accept comment "!fw4: accept wan IPv4/IPv6 traffic"
	}
%(nat)s
	chain raw_prerouting { type filter hook prerouting priority raw; policy accept; }
	chain raw_output { type filter hook output priority raw; policy accept; }
	chain mangle_prerouting { type filter hook prerouting priority mangle; policy accept; }
	chain mangle_postrouting { type filter hook postrouting priority mangle; policy accept; }
	chain mangle_input { type filter hook input priority mangle; policy accept; }
	chain mangle_output { type route hook output priority mangle; policy accept; }
	chain mangle_forward { type filter hook forward priority mangle; policy accept; }
}
"""

FW4_NAT = """\
	chain dstnat { type nat hook prerouting priority dstnat; policy accept; }
	chain srcnat {
		type nat hook postrouting priority srcnat; policy accept;
		oifname "wan0" jump srcnat_wan comment "!fw4: Handle wan IPv4/IPv6 srcnat traffic"
	}
	chain srcnat_wan { meta nfproto ipv4 masquerade comment "!fw4: Masquerade IPv4 wan traffic"; }
"""


def fw4(count, with_nat):
    """An nft file of the same meaning, one rule a rule."""
    lines = []
    for i, r in enumerate(rules(count)):
        match = f"ip saddr {r['src']} " if r["src"] else ""
        match += f"ip daddr {r['dst']} " if r["dst"] else ""
        to = "accept_to_wan" if r["action"] == "permit" else "drop_to_wan"
        lines.append(f"\t\t{match}{r['proto']} dport {r['ports']} counter jump {to} "
                     f"comment \"!fw4: rule{i + 1}\"")
    return FW4 % {"rules": "\n".join(lines), "nat": FW4_NAT if with_nat else ""}
