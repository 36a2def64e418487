"""The documents that policyd makes for its peers: what is enforced, counted, met."""
import json
import os
import socket
import struct

from suite import both, check, test

CONFIG, COUNTERS, CONTROLS = 1, 2, 3
REPORT_GET, REPORT = 20, 21
RULES = [{"from": ["lan"], "to": ["tslcd"], "service": ["tcp/80"], "action": "permit"},
         {"from": ["lan"], "to": ["tslcd"], "service": ["tcp/81"], "action": "drop"}]


def ask(t, kind):
    """(error code, bytes of the document, may it be written)"""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.connect(f"/proc/{t.box._svcd()}/root/run/luytre/dev.sock")
        s.settimeout(30)
        s.sendall(struct.pack("<HHI", REPORT_GET, 1, 7) + bytes([kind]))
        body, fds, _, _ = socket.recv_fds(s, 8192, 4)
    kind, length, seq, code = struct.unpack("<HHIi", body)
    check((kind, length, seq, len(fds)) == (REPORT, 4, 7, 1), f"{body!r} {fds}")
    with open(fds[0], "r+b", buffering=0) as f:
        f.seek(0)
        data = f.read()
        try:
            os.pwrite(f.fileno(), b"x", 0)
            is_open = True
        except OSError:
            is_open = False
    return code, data, is_open


def report(t, kind):
    code, data, is_open = ask(t, kind)
    check(code == 0 and not is_open, f"kind {kind}: code {code}, writable: {is_open}")
    return json.loads(data)


def packets(document, group, key, name):
    return sum(r["packets"] for r in document[group] if r[key] == name)


@test()
def test_counters(t):
    """Rules count the flows they decide, built-in reasons what they drop."""
    t.enforce(RULES)
    before = report(t, COUNTERS)
    check([r["id"] for r in before["rules"]] == ["t1", "t2"], f"{before}")
    t.expect(both(True, "lan1", "dc", "tcp", 80) + both(False, "lan1", "dc", "tcp", 81)
             + both(False, "lan1", "dc", "tcp", 82))
    after = report(t, COUNTERS)
    for group, key, name in (("rules", "id", "t1"), ("rules", "id", "t2"),
                             ("built_in", "reason", "default-deny")):
        more = packets(after, group, key, name) - packets(before, group, key, name)
        check(more >= 2, f"{name}: {more} more packets in {after}")


@test("AC-14")
def test_configuration_and_controls(t):
    """The configuration in force and its profile's controls; nothing when closed."""
    t.enforce(RULES)
    config = report(t, CONFIG)
    check([r["id"] for r in config["rules"]] == ["t1", "t2"]
          and config["serial"] == t.serial, f"{config}")
    controls = report(t, CONTROLS)
    check({"profile", "controls"} == set(controls), f"{controls}")
    for c in controls["controls"]:
        check(c["met"] in ("met", "partly", "not-met") and c["vi"] and c["fix"], f"{c}")
    t.fresh()
    code, data, _ = ask(t, CONFIG)
    check(code != 0 and data == b"", f"closed: {code}, {data[:100]}")
