"""The release image: nothing of development is in it, nothing unsigned counts."""
import os
import re
import select
import socket

import appliance
import machine
import signing
from machine import ENFORCED, Machine, STAYS_CLOSED
from suite import check, measured, part

# What a release image must not carry, as a file or a link.
FORBIDDEN = ("sh", "bash", "busybox", "devctl", "nft", "ip", "login", "getty", "nc", "vi")


def test_files():
    with part("no-shell-no-tools"):
        with open(os.path.join(machine.RELEASE, "root.files"), encoding="utf-8") as f:
            names = [line.split(maxsplit=1)[1].strip() for line in f]
        check("/usr/libexec/luytre/svcd" in names, "the listing is not of an image")
        found = [n for n in names if os.path.basename(n) in FORBIDDEN]
        check(not found, f"in the release image: {found}")
    with part("no-development-code"):
        for name in ("svcd", "policyd"):
            with open(os.path.join(machine.RELEASE, "sbin", name), "rb") as f:
                check(b"/run/luytre/dev.sock" not in f.read(),
                      f"{name} knows the development socket")


def test_unsigned():
    """Somebody wrote an unsigned configuration into the flash: refused, closed."""
    for name, keys in (("unsigned-refused", ()), ("half-signed-refused", ("officer",))):
        data = signing.artifact(machine.config(serial=1), 1, "LT-LAB-0", keys=keys)
        conf = signing.store(data, 1, "LT-LAB-0")
        with part(name), \
                Machine(name, conf=conf, root=machine.RELEASE, net=True) as m:
            m.boot(STAYS_CLOSED)
            check(m.lines("svcd: boot profile=release "), "not the release profile")
            refused = m.lines(r"policyd: refused ")
            check(refused and re.search(r"why=THRESHOLD reason=.*fix=", refused[0]),
                  f"not refused with reason and fix: {refused}")
            check(not m.lines(r"policyd: enforced"), "an unsigned policy is in force")


def test_boot():
    """A signed configuration lies in /conf: enforced; and nobody can get in."""
    data = signing.artifact(machine.config(serial=1), 1, "LT-LAB-0")
    conf = signing.store(data, 1, "LT-LAB-0")
    with Machine("release", conf=conf, root=machine.RELEASE, net=True) as m:
        with part("signed-enforced"):
            measured("start to enforced, release", m.boot(ENFORCED))
            check(m.lines("svcd: boot profile=release "), "not the release profile")
            check(not m.lines(r"policyd: refused "), "refused")
        with part("second-console-silent"):
            with socket.socket(socket.AF_UNIX) as sock, appliance._chdir(m.dir):
                sock.connect("dev.sock")
                sock.sendall(b"\n\nid\n")
                check(not select.select([sock], [], [], 3)[0],
                      "something answers on the second console")
            check(not m.lines("task=shell"), "there is a shell task")
        with part("serial-silent"), m.serial_input() as line:
            serial_silent(m, line)


def serial_silent(m, line):
    """No account was made by the flashing tool: the console says so, and that is all
    that anybody gets out of it."""
    check(m.lines(r'event task=consoled text="accounts file=missing"'),
          "consoled does not say that there is no account")
    m.wait(r"No account: the device was not prepared", since=0)
    since = m.console.end()
    line.sendall(b"\r\n\r\nroot\r\nid\r\ntechnician\r\ntechnician\r\n1\r\n\x03")
    select.select([line], [], [], 3)
    for text in m.console.text(since).replace("\r", "").splitlines():
        known = ("Account", "account", "tai khoan", "Thiet bi", "Device of", "Moi lan",
                 "Every login", "mat ma", "Civil crypt", "Tai khoan")
        check(not text.strip() or any(k in text for k in known),
              f"the console answers: {text!r}")
