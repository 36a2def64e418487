"""FC-02: when rules, sets, addresses or the store fail, nothing is forwarded."""
import contextlib
import os
import re
import shutil

import appliance
import packets
import walk
from suite import BOTH, both, check, test

WEB = [{"from": ["lan"], "to": ["tslcd"], "destination": ["dc-web"],
        "service": ["tcp/80"], "action": "permit"}]
SHIM = os.path.join(appliance.TOP, "out/tests/faultnl.so")
WRAPPER = """#!/bin/sh
FAULT={fault} LD_PRELOAD=/usr/libexec/luytre/faultnl.so
export FAULT LD_PRELOAD
exec /usr/libexec/luytre/policyd.real "$@"
"""


@contextlib.contextmanager
def spoiled(t, fault):
    """Board host with a policyd that has this fault; afterwards the good one."""
    sbin = os.path.join(t.work, "sbin")
    shutil.rmtree(sbin, ignore_errors=True)
    shutil.copytree(os.path.join(appliance.TOP, "out/host/sbin"), sbin)
    os.rename(os.path.join(sbin, "policyd"), os.path.join(sbin, "policyd.real"))
    shutil.copy(SHIM, sbin)
    with open(os.path.join(sbin, "policyd"), "w", encoding="ascii") as f:
        f.write(WRAPPER.format(fault=fault))
    os.chmod(os.path.join(sbin, "policyd"), 0o755)
    t.box.power_off()
    t.box.options = ["--sbin", sbin]
    try:
        yield
    finally:
        t.box.power_off()
        t.box.options = []


def boot_and_watch(t, pattern):
    """Power on under a flow; wait for a console line; nothing may have crossed."""
    t.cables.clear()
    flow = packets.Flow(t.cables, walk.probes())
    flow.start()
    try:
        t.lab.power_cycle()
        line = t.box.console.wait_for(pattern, 30, since=0).group(0)
        flow.wait_rounds(30)
    finally:
        flow.stop()
    check(t.box.sysctl("net/ipv4/ip_forward") == "0", "IPv4 forwarding is on")
    check(t.box.sysctl("net/ipv6/conf/all/forwarding") == "0", "IPv6 forwarding is on")
    t.cables.pump(0.2)
    seen = packets.crossing(t.cables.log)
    check(not seen, f"{len(seen)} packets crossed: {'; '.join(map(str, seen[:3]))}")
    check(flow.sent, "the flow did not flow")
    t.note(line)
    return line


# fault: what the console must say. The first transaction loads the closed rules, the
# second one adds the sets of the stored policy, the third one its rules.
AT_CLOSED = {"batch-enomem:1": "broken .*memory", "batch-rule:1": "broken .*kernel refused",
             "dump:4": "broken .*"}
AT_POLICY = {"batch-enomem:2": "refused .*memory", "batch-enomem:3": "refused .*memory",
             "batch-rule:3": "refused .*kernel refused",
             "batch-set:3": "refused .*kernel refused", "addr:3": "refused .*address",
             "route:2": "refused .*route", "link:4": "refused .*"}


@test("FC-02")
def test_fc02_closed_fails(t):
    """Even the closed rules do not load: nothing crosses, the console says why."""
    for fault, words in AT_CLOSED.items():
        t.enforce(WEB)
        with spoiled(t, fault):
            boot_and_watch(t, rf"^luytre: policyd: {words}.*$")


@test("FC-02")
def test_fc02_policy_fails(t):
    """The stored policy does not load: nothing crosses, the console says why."""
    for fault, words in AT_POLICY.items():
        t.enforce(WEB)
        with spoiled(t, fault):
            line = boot_and_watch(t, rf"^luytre: policyd: {words}.*$")
            check("reason=" in line and "fix=" in line, f"{fault}: {line}")


@test("FC-02")
def test_fc02_update_fails(t):
    """A new policy fails half way: the previous one is in force, whole."""
    # 4 adds sets, 5 exchanges the rules, 6 deletes the old sets
    for fault in ("batch-enomem:4", "batch-enomem:5", "batch-rule:5", "batch-set:5",
                  "batch-enomem:6", "route:5"):
        t.enforce(WEB)
        with spoiled(t, fault):
            t.lab.power_cycle()
            t.box.wait_ready("enforced")
            before = t.box.ruleset_static()
            code, out = t.box.apply(t.config([{"from": ["any"], "to": ["any"],
                                               "action": "permit"}]))
            check(code == 1 and "reason=" in out, f"{fault}: exit {code}: {out}")
            check(t.box.ruleset_static() == before, f"{fault}: the rules changed")
            t.expect(both(True, "lan1", "dc", "tcp", 80) +
                     both(False, "dc", "lan1", "tcp", 80) +
                     both(False, "attacker", "lan1", "tcp", 80))


def stored(t, part):
    """File of the store: the index, or the artifact in force."""
    folder = os.path.join(t.box.dir, "conf/policy")
    index = os.path.join(folder, "index")
    if part == "index":
        return index
    with open(index, encoding="ascii") as f:
        name = re.search(r"^config active (\w+) ", f.read(), re.M).group(1)
    return os.path.join(folder, f"o-{name}")


@test("FC-02")
def test_fc02_stored_file(t):
    """A damaged store: closed, named with reason and fix."""
    damages = (("cut", lambda b: b[:len(b) // 2]), ("empty", lambda b: b""),
               ("zeros", lambda b: bytes(len(b))), ("huge", lambda b: b + bytes(10 << 20)),
               ("bit", lambda b: b[:99] + bytes([b[99] ^ 1]) + b[100:]))
    for part, event in (("artifact", "refused"), ("index", "no-trust")):
        for name, damage in damages:
            t.enforce(WEB)
            file = stored(t, part)
            t.box.power_off()
            with open(file, "rb") as f:
                data = f.read()
            with open(file, "wb") as f:
                f.write(damage(data))
            line = boot_and_watch(t, rf"^luytre: policyd: {event} .*$")
            check("reason=" in line and "fix=" in line, f"{part} {name}: {line}")
            with open(file, "rb") as f:
                check(f.read() == damage(data), f"{part} {name}: written over")
            t.box.power_off()
            t.box.erase()


@test("FC-02")
def test_fc02_not_stored(t):
    """The flash takes no more: the new policy is taken back, the old one holds."""
    t.enforce(WEB)
    index = stored(t, "index")
    folder = os.path.dirname(index)
    before, rules = open(index, "rb").read(), t.box.ruleset_static()
    os.chown(folder, 0, 0)
    try:
        code, out = t.box.apply(t.config([{"from": ["any"], "to": ["any"],
                                           "action": "permit"}]))
    finally:
        os.chown(folder, 901, 901)
    check(code == 1 and "not stored" in out, f"exit {code}: {out}")
    check(open(index, "rb").read() == before, "the stored file changed")
    check(t.box.ruleset_static() == rules, "the rules are not the stored ones")
    t.expect(both(True, "lan1", "dc", "tcp", 80) + both(False, "dc", "lan1", "tcp", 80))


@test("FC-02", "CF-05")
def test_fc02_end_of_trial_not_stored(t):
    """The old policy returns, the flash does not take it: nobody confirms the new one
    any more, and the next one is on a trial of its own."""
    t.enforce(WEB)
    serial = t.box.status()["serial"]
    folder = os.path.dirname(stored(t, "index"))
    anything = [{"from": ["any"], "to": ["any"], "action": "permit"}]
    code, out = t.box.apply(t.config(anything))
    check(code == 0 and "confirm=" in out, f"exit {code}: {out}")
    os.chmod(folder, 0o500)
    try:
        since = t.box.console.end()
        t.box.shell(f"{appliance.DEVCTL} rollback 2>&1")
        t.box.console.wait_for(r"^luytre: policyd: not-stored .*\n", 20, since)
        status = t.box.status()
        check(status["serial"] == serial and "trial_left" not in status, f"{status}")
        late, text = t.box.confirm(out)
        check(late == 1 and "no configuration waits" in text, f"confirmed: {text}")
    finally:
        os.chmod(folder, 0o700)
    code, out = t.box.apply(t.config(anything))
    check(code == 0 and "confirm=" in out, f"exit {code}: {out}")
    t.box.shell_ok(f"{appliance.DEVCTL} status")
    check("trial_left" in t.box.status(), "the next one is not on trial")
    code, out = t.box.shell(f"{appliance.DEVCTL} rollback 2>&1")
    check(code == 0 and f"serial={serial}" in out, f"exit {code}: {out}")
    t.box.wait_addresses()
    t.expect(both(True, "lan1", "dc", "tcp", 80) + both(False, "dc", "lan1", "tcp", 80))


@test("FC-02", "CF-05", "FC-03")
def test_fc02_previous_not_readable(t):
    """The store cannot be read when a trial ends: the old policy returns from memory."""
    t.enforce(WEB)
    serial = t.box.status()["serial"]
    folder = os.path.dirname(stored(t, "index"))
    code, out = t.box.apply(t.config([{"from": ["any"], "to": ["any"],
                                       "action": "permit"}]))
    check(code == 0 and "confirm=" in out, f"exit {code}: {out}")
    os.chown(folder, 0, 0)
    try:
        code, out = t.box.shell(f"{appliance.DEVCTL} rollback 2>&1")
        check(code == 0 and f"serial={serial} state=enforced" in out, f"{code}: {out}")
    finally:
        os.chown(folder, 901, 901)
    t.box.wait_addresses()
    t.expect(both(True, "lan1", "dc", "tcp", 80) + both(False, "dc", "lan1", "tcp", 80))


@test("FC-02", boards=BOTH)
def test_fc02_no_file(t):
    """No configuration at all: closed, and nothing else."""
    t.fresh()
    check(t.box.status()["state"] == "closed", "not closed")
    t.cables.clear()
    flow = packets.Flow(t.cables, walk.probes())
    flow.start()
    try:
        flow.wait_rounds(30)
    finally:
        flow.stop()
    t.cables.pump(0.3)
    check(not packets.crossing(t.cables.log), "packets crossed a closed appliance")
