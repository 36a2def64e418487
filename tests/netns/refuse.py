"""Configurations that are not valid: refused with file, place, reason and fix."""
import json

from suite import BOTH, both, check, test

OPEN = [{"from": ["lan"], "to": ["tslcd"], "action": "permit"}]


def change(config, **members):
    return json.dumps(dict(config, **members), ensure_ascii=False).encode()


def rule(config, **members):
    return change(config, rules=[dict(config["rules"][0], **members)])


def port(config, index=0, **members):
    ports = [dict(p) for p in config["ports"]]
    ports[index].update(members)
    return change(config, ports=ports)


def text(config):
    return json.dumps(config, ensure_ascii=False)


# name: (function of a good configuration -> bytes, path, words of the reason)
TABLE = {
    "empty": (lambda c: b"", "$", "empty"),
    "not_json": (lambda c: b"<xml/>", "$", ""),
    "syntax": (lambda c: text(c).replace('"zone": "lan"', '"zone" "lan"').encode(),
               "$.ports[0]", ""),
    "cut_short": (lambda c: text(c).encode()[:-40], "$", ""),
    "trailing": (lambda c: text(c).encode() + b"{}", "$", ""),
    "unknown_key": (lambda c: rule(c, colour="red"), "$.rules[0].colour", "unknown key"),
    "unknown_top": (lambda c: change(c, extra=1), "$.extra", "unknown key"),
    "duplicate_key": (lambda c: text(c).replace('"serial":', '"serial": 1, "serial":')
                      .encode(), "$", "duplicate"),
    "no_prefix": (lambda c: port(c, addresses=["192.168.10.1"]),
                  "$.ports[0].addresses[0]", "no prefix length"),
    "overlap": (lambda c: port(c, 3, addresses=["192.168.10.129/25"]),
                "$.ports[3].addresses[0]", "overlaps"),
    "overlap6": (lambda c: port(c, 3, addresses=["2001:2:0:10:8000::1/65"]),
                 "$.ports[3].addresses[0]", "overlaps"),
    "missing_zone": (lambda c: rule(c, to=["moon"]), "$.rules[0].to[0]", "missing zone"),
    "missing_object": (lambda c: rule(c, source=["nobody"]), "$.rules[0].source[0]",
                       "neither an object nor an address"),
    "missing_port": (lambda c: rule(c, **{"in": ["eth9"]}), "$.rules[0].in[0]", "no port"),
    "bad_service": (lambda c: rule(c, service=["tcp/70000"]), "$.rules[0].service[0]",
                    "not a service"),
    "bad_action": (lambda c: rule(c, action="allow"), "$.rules[0].action", "not an action"),
    "bad_format": (lambda c: change(c, format="luytre-config 9"), "$.format", "format"),
    "no_serial": (lambda c: text({k: v for k, v in c.items() if k != "serial"}).encode(),
                  "$", "serial"),
    "serial_text": (lambda c: change(c, serial="7"), "$.serial", "serial"),
    "twice_id": (lambda c: change(c, rules=c["rules"] * 2), "$.rules[1].id", "twice"),
    "gateway": (lambda c: change(c, routes=[{"to": "10.9.0.0/16", "via": "10.8.0.1"}]),
                "$.routes[0].via", "no network of a port"),
    "host_bits": (lambda c: change(c, routes=[{"to": "10.9.0.1/16", "via": "10.200.1.1"}]),
                  "$.routes[0].to", "host bits"),
    "invalid_utf8": (lambda c: text(c).encode().replace("Mường".encode(), b"M\xc6ng"),
                     "$", "UTF-8"),
    "deep": (lambda c: b'{"format":' + b"[" * 100000 + b"]" * 100000 + b"}", "$",
             "nested deeper"),
    "ten_megabytes": (lambda c: text(c).encode() + b" " * (10 << 20), "$", "limit"),
    "null_byte": (lambda c: rule(c, comment="a\0b"), "$", ""),
    "control": (lambda c: rule(c, comment="a\x1b[31mb"), "$.rules[0].comment", "control"),
    "circle": (lambda c: change(c, objects={"a": ["b"], "b": ["a"]}, rules=[]), "$.objects",
               "contains itself"),
    "icmp_type": (lambda c: rule(c, service=["icmp/3"]), "$.rules[0].service",
                  "cannot be permitted"),
    "families": (lambda c: rule(c, source=["192.168.10.0/24"],
                                destination=["2001:2:0:b10::80"]), "$.rules[0]",
                 "different families"),
}


@test("CF-12", "FC-02", boards=BOTH)
def test_table(t):
    """Each mistake is named with place, reason and fix; nothing changes."""
    t.enforce(OPEN)
    before, serial = t.box.ruleset_static(), t.box.status()["serial"]
    names = list(TABLE)
    if t.short:
        names = ["syntax", "unknown_key", "no_prefix", "invalid_utf8", "missing_zone"]
    wrong = []
    for name in names:
        build, path, reason = TABLE[name]
        data = build(t.config(OPEN))
        # what is empty or too long to be a configuration cannot be signed as one
        send = t.box.apply if 0 < len(data) <= 1 << 20 else t.box.apply_file
        code, out = send(data)
        line = out.strip()
        if code != 1 or "refused file=/run/lab-config" not in line:
            wrong.append(f"{name}: exit {code}: {line[:150]}")
        elif f"path={path}" not in line or reason.lower() not in line.lower():
            wrong.append(f"{name}: expected {path} and \"{reason}\": {line[:250]}")
        elif 'reason="' not in line or 'fix="' not in line or 'fix=""' in line:
            wrong.append(f"{name}: no reason or no fix: {line[:250]}")
    check(not wrong, " | ".join(wrong))
    check(t.box.ruleset_static() == before, "a refused configuration changed the rules")
    check(t.box.status()["serial"] == serial, "a refused configuration changed the serial")
    t.expect(both(True, "lan1", "dc", "tcp", 80) + both(False, "dc", "lan1", "tcp", 80))


@test("FC-02", boards=BOTH)
def test_serials(t):
    """An older or equal serial with other content is refused; the same bytes pass."""
    t.enforce(OPEN)
    same = t.config(OPEN)
    t.box.enforce(same)
    code, out = t.box.apply(same)
    check(code == 0 and "accepted before" in out, f"the same bytes: {code}: {out}")
    code, out = t.box.apply(dict(same, rules=[]))
    check(code == 1 and "why=VERSION" in out, f"equal serial, other rules: {code}: {out}")
    code, out = t.box.apply(dict(same, serial=same["serial"] - 1))
    check(code == 1 and "why=VERSION" in out, f"older serial: {code}: {out}")
    t.expect(both(True, "lan1", "dc", "tcp", 80))


@test("FC-02")
def test_two_at_once(t):
    """Two configurations at the same time: one after the other, one of them wins."""
    t.ensure_running()
    t.enforce(OPEN)
    a, b = t.config(OPEN), t.config([])
    t.box.put("/run/a", t.box.sign(a))
    t.box.put("/run/b", t.box.sign(b))
    code, out = t.box.shell("devctl=/usr/libexec/luytre/devctl; $devctl apply /run/a "
                            "& p=$!; $devctl apply /run/b; q=$?; wait $p; echo $? $q")
    codes = out.strip().splitlines()[-1].split()
    check(code == 0 and codes[1] == "0" and codes[0] in ("0", "1"),
          f"exit codes {codes}: {out}")
    check(t.box.status()["serial"] == str(b["serial"]), "the higher serial did not win")
    check(t.box.confirm(out[out.index(f"serial={b['serial']} "):])[0] == 0, "not confirmed")
    t.expect(both(False, "lan1", "dc", "tcp", 80))
