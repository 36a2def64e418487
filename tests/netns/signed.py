"""Only what was signed for this device, by those who may, and newer than
everything before; and only as long as somebody confirms it."""
import array
import fcntl
import json
import mmap
import os
import socket
import struct
import subprocess
import sys

import signing
from suite import BOTH, both, check, test

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [os.path.join(HERE, "../evil")]

import forge  # noqa: E402

WEB = [{"from": ["lan"], "to": ["tslcd"], "service": ["tcp/80"], "action": "permit"}]
OPEN = [{"from": ["any"], "to": ["any"], "action": "permit"}]
SIGN = os.path.join(signing.TOP, "out/host/tools/sign")
F_SEAL_FUTURE_WRITE = 0x10
ALL_SEALS = (fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW |
             fcntl.F_SEAL_SEAL)


def web_only():
    return both(True, "lan1", "dc", "tcp", 80) + both(False, "dc", "lan1", "tcp", 80)


def payload_of(t, rules=None):
    config = t.config(OPEN if rules is None else rules)
    return json.dumps(config, ensure_ascii=False).encode(), config["serial"]


@test("UP-01", "UP-02", "UP-03", "UP-08", "CF-01", "CF-07", boards=BOTH)
def test_evil(t):
    """Every forgery of the attacker's kit is refused for its own reason."""
    t.enforce(WEB)
    before, status = t.box.ruleset_static(), t.box.status()
    payload, version = payload_of(t)
    wrong = []
    cases = forge.forgeries(payload, version, t.box.device)
    if t.short:
        cases = [c for c in cases if c[0] in
                 ("wrong_key", "one_signature", "same_key_twice", "other_device",
                  "expired", "swapped_payload", "crlf", "truncated_payload")]
    for name, data, why in cases:
        code, out = t.box.apply_file(data)
        if code != 1 or (why and f"why={why} " not in out) or "path=manifest" not in out:
            wrong.append(f"{name}: exit {code}, expected {why}: {out.strip()[:120]}")
        elif 'reason=""' in out or 'fix=""' in out:
            wrong.append(f"{name}: no reason or no fix: {out.strip()[:120]}")
    check(not wrong, " | ".join(wrong))
    check(t.box.ruleset_static() == before, "a forgery changed the rules")
    after = t.box.status()
    check({k: after[k] for k in ("serial", "sha256", "keyset")} ==
          {k: status[k] for k in ("serial", "sha256", "keyset")}, f"shown: {after}")
    t.expect(web_only())
    code, out = t.box.apply_file(signing.artifact(payload, version, t.box.device))
    check(code == 0, f"the same, signed properly: {out}")


@test("UP-08", "CF-07")
def test_document_disagrees(t):
    """Signed for this device, but the document inside is another's, or older."""
    t.enforce(WEB)
    for member, value, path in (("device", "LT-OTHER", "$.device"),
                                ("serial", 1, "$.serial")):
        config = dict(t.config(OPEN), **{member: value})
        data = signing.artifact(json.dumps(config).encode(), t.serial, t.box.device)
        code, out = t.box.apply_file(data)
        check(code == 1 and f"path={path}" in out, f"{member}: {code}: {out}")
    t.expect(web_only())


def send_fd(t, fd, kind=1):
    """ART_PUT with any descriptor, past devctl: (error code, text)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.connect(f"/proc/{t.box._svcd()}/root/run/luytre/dev.sock")
        s.settimeout(30)
        s.sendmsg([struct.pack("<HHI", 2, 1, 1) + bytes([kind])],
                  [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
        answer = s.recv(8192)
    return struct.unpack_from("<i", answer, 8)[0], answer[20:].decode()


def memfd(data, seals):
    fd = os.memfd_create("evil", os.MFD_ALLOW_SEALING)
    os.write(fd, data)
    if seals:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


@test("UP-01", "CF-01")
def test_memfd(t):
    """What can still change after it was checked is not even read."""
    t.enforce(WEB)
    payload, version = payload_of(t)
    good = signing.artifact(payload, version, t.box.device)
    before = t.box.ruleset_static()
    fds = [memfd(good, 0), memfd(good, ALL_SEALS & ~fcntl.F_SEAL_WRITE),
           memfd(good, ALL_SEALS & ~fcntl.F_SEAL_SEAL),
           memfd(good, ALL_SEALS & ~fcntl.F_SEAL_SHRINK)]
    # sealed, but a mapping of before can still write: the forbidden one, F_SEAL_WRITE,
    # cannot be had with such a mapping, FUTURE_WRITE can
    late = memfd(good, 0)
    view = mmap.mmap(late, len(good))
    fcntl.fcntl(late, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW |
                F_SEAL_FUTURE_WRITE | fcntl.F_SEAL_SEAL)
    fds.append(late)
    plain = os.open(os.path.join(t.work, "plain"), os.O_RDWR | os.O_CREAT, 0o600)
    os.write(plain, good)
    fds.append(plain)
    for i, fd in enumerate(fds):
        code, text = send_fd(t, fd)
        check(code == -14 and "not sealed" in text, f"descriptor {i}: {code} {text}")
        os.close(fd)
    view.close()
    check(t.box.ruleset_static() == before, "the rules changed")
    fd = memfd(good, ALL_SEALS)
    code, text = send_fd(t, fd, kind=2)
    check(code != 0 and "why=THRESHOLD" in text, f"as a keyset: {code} {text}")
    code, text = send_fd(t, fd)
    os.close(fd)
    check(code == 0, f"sealed: {code} {text}")


def apply_only(t, rules, **members):
    """Apply without confirming; the answer."""
    t.ensure_running()
    code, out = t.box.apply(t.config(rules, **members))
    check(code == 0 and "confirm=" in out and "within=" in out, f"{code}: {out}")
    return out


@test("CF-05", boards=BOTH)
def test_not_confirmed(t):
    """Nobody confirms: the previous configuration returns by itself."""
    t.enforce(WEB)
    serial = t.box.status()["serial"]
    since = t.box.console.end()
    apply_only(t, OPEN, confirm_window=10)
    check(int(t.box.status()["trial_left"]) <= 10, "no trial shown")
    t.box.console.wait_for(rf"^luytre: policyd: rolled-back .*to={serial}\b", 60, since)
    t.box.console.wait_for(rf"^luytre: policyd: enforced serial={serial}\b.*\n", 30, since)
    t.box.wait_addresses()
    check(t.box.status()["serial"] == serial, "the status still names the new one")
    check("trial_left" not in t.box.status(), "the trial goes on")
    t.expect(web_only())
    # what was refused stays refused: the floor did not come down with it
    code, out = t.box.apply(dict(t.config(OPEN), serial=t.serial - 1))
    check(code == 1 and "why=VERSION" in out, f"the same serial again: {code}: {out}")


@test("CF-05", boards=BOTH)
def test_confirmed(t):
    """A wrong code does nothing, the right one ends the trial for good."""
    t.enforce(OPEN)
    out = apply_only(t, WEB, confirm_window=10)
    code, text = t.box.shell("/usr/libexec/luytre/devctl confirm 00000 2>&1")
    check(code == 1 and "wrong code" in text, f"wrong code: {code}: {text}")
    since = t.box.console.end()
    code, text = t.box.confirm(out)
    check(code == 0, f"right code: {code}: {text}")
    code, text = t.box.confirm(out)
    check(code == 1 and "no configuration waits" in text, f"twice: {code}: {text}")
    check("trial_left" not in t.box.status(), "the trial goes on")
    t.lab.power_cycle()
    t.box.wait_ready("enforced")
    t.box.wait_addresses()
    check(not t.box.console.find("rolled-back", since), "it was rolled back")
    t.expect(web_only())


def order(t, body, version, keys=("soc-1", "soc-2"), device=None):
    """An order by hand and plain openssl: (exit code, answer)."""
    signed = (f"luytre-manifest 1\ntype command\nscope device/{device or t.box.device}\n"
              f"version {version}\nissued {signing.ISSUED}\nexpires {signing.EXPIRES}\n"
              f"keyset 1\nbody\n{body}\n\n").encode()
    t.box.put("/run/order", signed + b"".join(signing.sig_line(signed, k) for k in keys))
    return t.box.shell("/usr/libexec/luytre/devctl order /run/order 2>&1")


@test("CF-05", "CF-14", "UP-02")
def test_confirmed_by_soc(t):
    """The SOC's order ends the trial: two signers, this configuration, once."""
    t.fresh()
    t.enforce(OPEN)
    config = t.config(WEB)
    code, out = t.box.apply(config)
    check(code == 0 and "confirm=" in out, f"{code}: {out}")
    status = t.box.status()
    good = f"confirm config {status['serial']} {status['sha256']}"
    other = f"confirm config {status['serial']} {'0' * 64}"
    for body, version, keys, device, why in (
            (good, 1, ("soc-1",), None, "why=THRESHOLD"),
            (good, 1, ("soc-1", "soc-1"), None, "why=THRESHOLD"),
            (good, 1, ("officer", "soc-1"), None, "why=THRESHOLD"),
            (good, 1, ("soc-1", "soc-2"), "LT-OTHER", "why=SCOPE_OTHER"),
            (other, 1, ("soc-1", "soc-2"), None, "another configuration"),
            ("wipe everything", 1, ("soc-1", "soc-2"), None, "no order that"),
            (good + "\n" + good, 1, ("soc-1", "soc-2"), None, "no order that")):
        code, out = order(t, body, version, keys, device)
        check(code == 1 and why in out, f"{body[:30]} {keys}: {code}: {out}")
    check("trial_left" in t.box.status(), "a bad order ended the trial")
    code, out = order(t, good, 5)
    check(code == 0, f"good order: {code}: {out}")
    check("trial_left" not in t.box.status(), "the trial goes on")
    code, out = order(t, good, 4)
    check(code == 1 and "why=VERSION" in out, f"an older order: {code}: {out}")
    t.lab.power_cycle()
    t.box.wait_ready("enforced")
    t.box.wait_addresses()
    t.expect(web_only())
    # the tool makes the same order
    code, out = t.box.apply(t.config(OPEN))
    folder = os.path.relpath(t.work, signing.TOP)
    with open(os.path.join(t.work, "config.signed"), "wb") as f:
        f.write(t.box.last_signed)
    sign("order", "confirm", f"{folder}/config.signed", "--out", f"{folder}/order", "--key",
         "out/keys/soc-1.key", "--key", "out/keys/soc-2.key")
    with open(os.path.join(t.work, "order"), "rb") as f:
        t.box.put("/run/order", f.read())
    code, out = t.box.shell("/usr/libexec/luytre/devctl order /run/order 2>&1")
    check(code == 0 and "trial_left" not in t.box.status(), f"made by sign: {code}: {out}")


@test("CF-05", boards=BOTH)
def test_power_cut_on_trial(t):
    """The power goes off before the confirmation: the previous one returns."""
    t.enforce(WEB)
    serial = t.box.status()["serial"]
    apply_only(t, OPEN)
    t.lab.power_cycle()
    t.box.wait_ready("enforced")
    t.box.wait_addresses()
    check(t.box.status()["serial"] == serial, f"in force: {t.box.status()}")
    check(t.box.console.find(r"policyd: rolled-back .*power went off"), "not said")
    t.expect(web_only())


@test("CF-05")
def test_rollback(t):
    """A person ends the trial; without one before it the box closes."""
    t.enforce(WEB)
    apply_only(t, OPEN)
    out = apply_only(t, [])     # a second one: still back to what was confirmed
    check("confirm=" in out, out)
    code, out = t.box.shell("/usr/libexec/luytre/devctl rollback 2>&1")
    check(code == 0 and "state=enforced" in out, f"{code}: {out}")
    t.box.wait_addresses()
    t.expect(web_only())
    code, out = t.box.shell("/usr/libexec/luytre/devctl rollback 2>&1")
    check(code == 1 and "no configuration is on trial" in out, f"again: {code}: {out}")
    t.fresh()
    apply_only(t, OPEN)
    code, out = t.box.shell("/usr/libexec/luytre/devctl rollback 2>&1")
    check(code == 0 and "state=closed" in out, f"first one: {code}: {out}")
    check(t.box.sysctl("net/ipv4/ip_forward") == "0", "forwarding is on")
    t.lab.power_cycle()
    t.box.wait_ready("closed")


@test("CF-05", "FC-03")
def test_policyd_dies_on_trial(t):
    """policyd killed during the trial: the trial goes on, and ends in time."""
    t.enforce(WEB)
    serial = t.box.status()["serial"]
    apply_only(t, OPEN, confirm_window=15)
    since = t.box.console.end()
    t.box.kill("policyd")
    check(t.box.status()["serial"] != serial, "the trial ended with policyd")
    check("trial_left" in t.box.status(), "the trial is forgotten")
    t.box.console.wait_for(rf"^luytre: policyd: rolled-back .*to={serial}\b.*\n", 60, since)
    t.box.wait_addresses()
    t.expect(web_only())


def sign(*words):
    subprocess.run([SIGN, "--lang", "en", *words], check=True, stdout=subprocess.PIPE,
                   cwd=signing.TOP)


def next_keyset(t, change, keys):
    """Keyset 2 of the lab with CHANGE made to its plan, signed by KEYS."""
    folder = os.path.relpath(t.work, signing.TOP)
    with open(os.path.join(signing.KEYS, "plan"), encoding="utf-8") as f:
        plan = f.read()
    # keys are named from beside the plan
    plan = plan.replace("version 1", "version 2").replace(
        ".key.pub", ".pub")
    for name in sorted(os.listdir(signing.KEYS)):
        if name.endswith(".key.pub"):
            with open(os.path.join(signing.KEYS, name), "rb") as f, \
                    open(os.path.join(t.work, name.replace(".key", "")), "wb") as g:
                g.write(f.read())
    with open(os.path.join(t.work, "plan"), "w", encoding="utf-8") as f:
        f.write(change(plan))
    sign("keyset", f"{folder}/plan", "--out", f"{folder}/keyset-2")
    for k in keys:
        sign("add", f"{folder}/keyset-2", "--key", f"out/keys/{k}.key", "--yes")
    with open(os.path.join(t.work, "keyset-2"), "rb") as f:
        return f.read()


def put_keyset(t, data):
    t.box.put("/run/keyset", data)
    return t.box.shell("/usr/libexec/luytre/devctl keyset /run/keyset 2>&1")


def without_officer(plan):
    """The officer's key was lost: revoked, and the role's epoch raised."""
    return plan.replace("role config 2 1 officer soc-1 soc-2",
                        "role config 2 2 soc-1 soc-2").replace(
                            "key officer officer.pub\n", "")


@test("UP-02", "UP-03", "CF-14")
def test_keyset_chain(t):
    """A revoked key is useless at once, also after a restart and a power cut."""
    t.fresh()
    t.enforce(WEB)
    for keys in (("root-1",), ("soc-1", "soc-2"), ("root-1", "root-1")):
        try:
            data = next_keyset(t, without_officer, keys)
        except subprocess.CalledProcessError:
            check(keys[0] == keys[-1] and len(keys) == 2, f"sign refused {keys}")
            continue
        code, out = put_keyset(t, data)
        check(code == 1 and "why=THRESHOLD" in out, f"{keys}: {code}: {out}")
    data = next_keyset(t, without_officer, ("root-2", "root-3"))
    code, out = put_keyset(t, data)
    check(code == 0, f"keyset 2: {code}: {out}")
    code, out = put_keyset(t, data)
    check(code == 0, f"keyset 2 again: {code}: {out}")
    for restart in (lambda: None, lambda: t.box.kill("policyd"), t.lab.power_cycle):
        restart()
        t.box.wait_ready("enforced")
        check(t.box.status()["keyset"] == "2", f"keyset {t.box.status()['keyset']}")
        code, out = t.box.apply(t.config(OPEN))
        check(code == 1 and "why=THRESHOLD" in out, f"the officer's key: {code}: {out}")
    t.box.wait_addresses()
    t.expect(web_only())
    # the epoch was raised: an attacker's huge version cannot freeze the device
    payload, version = payload_of(t, WEB)
    for keyset, code, word in (("1", 1, "why=KEYSET_OLDER"), ("2", 0, "confirm=")):
        got, out = t.box.apply_file(signing.artifact(
            payload, version, t.box.device, ("soc-1", "soc-2"), {"keyset": keyset}))
        check(got == code and word in out, f"the remaining keys: {got}: {out}")
    t.fresh()
