"""The self-test of a trial: who got through before must get through after."""
import ns
import packets
from province import HOST
from suite import BOTH, both, check, test

WEB = [{"from": ["lan"], "to": ["tslcd"], "service": ["tcp/80"], "action": "permit"}]
OPEN = [{"from": ["lan"], "to": ["tslcd"], "action": "permit"}]
MANAGEMENT = {"port": "mgmt0", "sources": [HOST["mgmt1"].ip4]}
SOC = {"addresses": [HOST["soc"].ip4]}


def cable(t, name, up):
    """Pull or plug a cable on the switch's side."""
    ns.ip(t.ns("sw"), [f"link set {name} {'up' if up else 'down'}"])


def asked(t, rules, **members):
    return t.config(rules, management=MANAGEMENT, soc=SOC, **members)


@test("CF-05", boards=BOTH)
def test_reachable(t):
    """Both ways are there: said so, and the confirmation is taken."""
    t.ensure_running()
    code, out = t.box.apply(asked(t, WEB))
    check(code == 0 and "management=reachable soc=reachable" in out, f"{code}: {out}")
    code, out = t.box.confirm(out)
    check(code == 0, f"confirm: {code}: {out}")
    status = t.box.status()
    check(status["management"] == status["soc"] == "reachable", f"{status}")


@test("CF-05")
def test_soc_lost(t):
    """A configuration that loses the SOC cannot be confirmed, and goes back."""
    t.enforce(WEB, management=MANAGEMENT, soc=SOC)
    serial = t.box.status()["serial"]
    since = t.box.console.end()
    # the gateway of the data network is mistyped
    routes = [{"to": "10.200.0.0/16", "via": "10.200.1.77"}]
    code, out = t.box.apply(asked(t, OPEN, routes=routes, confirm_window=20))
    check(code == 0 and "soc=unreachable" in out, f"{code}: {out}")
    code, text = t.box.confirm(out)
    check(code == 1 and "10.200.1.77" in text and "does not answer" in text,
          f"confirm: {code}: {text}")
    t.box.console.wait_for(rf"^luytre: policyd: rolled-back .*to={serial}\b", 60, since)
    t.box.console.wait_for(rf"^luytre: policyd: enforced serial={serial}\b.*\n", 30, since)
    t.box.wait_addresses()
    check(t.box.status()["soc"] == "reachable", f"{t.box.status()}")
    t.expect(both(True, "lan1", "dc", "tcp", 80))


@test("CF-05")
def test_no_route_to_soc(t):
    """A document that has no way to the SOC is refused at once."""
    t.enforce(WEB)
    code, out = t.box.apply(asked(t, WEB, routes=[]))
    check(code == 1 and "path=$.soc.addresses[0]" in out, f"{code}: {out}")


@test("CF-05")
def test_management_lost(t):
    """The management port moves to where no cable is: not confirmed."""
    t.enforce(WEB, management=MANAGEMENT)
    cable(t, "box5", False)
    try:
        moved = {"port": "wifi0", "sources": [HOST["mgmt1"].ip4]}
        code, out = t.box.apply(t.config(OPEN, management=moved))
        check(code == 0 and "management=unreachable" in out, f"{code}: {out}")
        code, text = t.box.confirm(out)
        check(code == 1 and "wifi0" in text and "no link" in text, f"{code}: {text}")
        cable(t, "box5", True)
        code, text = t.box.confirm(out)
        check(code == 0, f"the cable is plugged: {code}: {text}")
    finally:
        cable(t, "box5", True)


@test("CF-05")
def test_broken_before(t):
    """What was broken before may stay broken: or nothing could be repaired."""
    t.enforce(WEB, management=MANAGEMENT, soc=SOC)
    cable(t, "box1", False)
    try:
        t.enforce(OPEN, management=MANAGEMENT, soc=SOC)
        code, out = t.box.apply(asked(t, WEB))
        check(code == 0 and "soc=unreachable" in out, f"{code}: {out}")
        code, text = t.box.confirm(out)
        check(code == 0, f"it was unreachable before: {code}: {text}")
    except ns.LabError as e:
        check("was reachable before" in str(e), str(e))
    finally:
        cable(t, "box1", True)


def answers(t, address):
    """Whether the appliance answers an echo from the LAN at ADDRESS."""
    t.cables.clear()
    mark = packets.next_mark()
    kind = 128 if ":" in address else 8
    src = HOST["lan1"].ip6 if ":" in address else HOST["lan1"].ip4
    t.cables["lan"].send(packets.icmp(src, address, kind, 0, b"\0\7\0\1", mark))
    t.cables.barrier(("lan",))
    return any(f.mark == mark and not f.is_error and f.dst == src for f in t.cables.log
               if f.is_ip)


@test("CF-05", boards=BOTH)
def test_old_addresses_stay(t):
    """On trial the appliance is found under the old and the new address."""
    t.enforce(WEB)
    old4, old6 = "192.168.10.1", "2001:2:0:10::1"
    new4, new6 = "192.168.10.254", "2001:2:0:10::fe"
    ports = t.moved()
    ports[0]["addresses"] = [new4 + "/24", new6 + "/64"]
    code, out = t.box.apply(t.config(WEB, ports=ports))
    check(code == 0, f"{code}: {out}")
    t.box.wait_addresses()
    seen = {a: answers(t, a) for a in (old4, new4, old6, new6)}
    check(all(seen.values()), f"on trial: {seen}")
    if t.board == "host":       # policyd may die meanwhile
        t.box.kill("policyd")
        check(answers(t, old4), "the old address went with policyd")
    code, text = t.box.confirm(out)
    check(code == 0, f"{code}: {text}")
    seen = {a: answers(t, a) for a in (old4, new4, old6, new6)}
    check(seen == {old4: False, new4: True, old6: False, new6: True}, f"confirmed: {seen}")
    code, out = t.box.apply(t.config(WEB))
    check(code == 0, f"{code}: {out}")
    code, text = t.box.shell("/usr/libexec/luytre/devctl rollback 2>&1")
    check(code == 0, f"{code}: {text}")
    t.box.wait_addresses()
    seen = {a: answers(t, a) for a in (old4, new4)}
    check(seen == {old4: False, new4: True}, f"rolled back: {seen}")
