"""Power cuts and damage of the data partitions."""
import hashlib
import os
import random
import re
import threading
import time

import machine
from machine import CLOSED, ENFORCED, MIB, Machine, STAYS_CLOSED
from ns import LabError
from suite import check, measured, part

FORMAT_MARK = b"luytre: this partition was never formatted to the end\n\0"
BROKEN = r"svcd: (no-data|no-mount|degraded|died|failed)"
# Where the first boot is cut: the line to wait for, and milliseconds after it.
CUTS = ((r"svcd: boot ", 0), (r"svcd: watchdog ", 15), (r"svcd: watchdog ", 60),
        (r"svcd: watchdog ", 150), (r"svcd: format label=conf ", 40),
        (r"svcd: mounted target=/log ", 0))


def good_closed(m):
    """Boot and see an undamaged, closed board."""
    m.boot(STAYS_CLOSED)
    check(not m.lines(BROKEN), f"after the cut: {m.lines(BROKEN)}")
    check(len(m.lines(r"svcd: mounted target=/(conf|log) ")) == 2, "not both mounted")


def test_cut():
    """Plug pulled in the middle of the first boot: the next one is good."""
    for number, (line, after_ms) in enumerate(CUTS):
        with part(f"cut-first-boot-{number}"), Machine(f"cut{number}") as m:
            m.power_on()
            m.wait(line)
            time.sleep(after_ms / 1000)     # the moment itself is what is tested
            m.power_off()
            good_closed(m)
    with part("cut-format-marked"), Machine("cut-marked") as m:
        # A format that wrote its backups, but not its first superblock.
        for name in ("conf", "log"):
            m.write_part(name, b"\x53\xef", offset=8193 * 1024 + 0x38)
            m.write_part(name, FORMAT_MARK.ljust(512, b"\0"), offset=-512)
        good_closed(m)
        check(len(m.lines(r"svcd: format label=\w+ .*exit=0")) == 2, "not formatted")
        m.power_off()
        good_closed(m)
        check(not m.lines(r"svcd: format "), "formatted again")


def cut_in_apply(m, serial, after_s):
    """Give policyd configurations without end, cut the power; the last serial
    that was confirmed and the last that was begun."""
    done = [serial]
    begun = [serial]
    first = threading.Event()       # one was applied whole

    def apply():
        try:
            while True:
                begun[0] = m.version + 1    # never one that was used before
                m.enforce(machine.config(serial=begun[0]))
                done[0] = begun[0]
                first.set()
        except (LabError, OSError, ValueError, AttributeError):
            pass                    # the plug

    worker = threading.Thread(target=apply)
    worker.start()
    check(first.wait(60), "not one configuration was applied in a minute")
    time.sleep(after_s)             # the moment itself is what is tested
    os.killpg(m.pid, 9)
    worker.join(70)
    check(not worker.is_alive(), "the shell did not notice that the machine is gone")
    m.power_off()
    return done[0], begun[0]


def serial_of(m):
    return int(re.search(r"serial=(\d+)", m.lines(ENFORCED)[0]).group(1))


def test_apply():
    """A board with a configuration: boot, cuts in the middle of applying, repair."""
    chance = random.Random(2)
    with Machine("apply", net=True) as m:
        serial = 1
        with part("enforced-at-boot"):
            m.boot(STAYS_CLOSED)
            m.enforce(machine.config(serial=1))
            m.power_off()
            measured("start to enforced", m.boot(ENFORCED))
            check(serial_of(m) == 1, "another configuration")
            check(m.sysctl("net/ipv4/ip_forward") == "1", "forwarding is off")
            check(m.console.find(CLOSED).start() < m.console.find(ENFORCED).start(),
                  "was not closed before it opened")
        for number in range(3):
            with part(f"cut-apply-{number}"):
                last, begun = cut_in_apply(m, serial, 2 * chance.random())
                check(last > serial, f"no apply was done before the cut (serial {last})")
                measured("start to enforced", m.boot(ENFORCED))
                serial = serial_of(m)
                check(serial in (last, begun), f"serial {serial} in force; {last} was "
                      f"confirmed, {begun} begun")
        with part("repaired-error-flag"):
            m.power_off()
            m.debugfs("conf", "ssv state 2", "ssv free_blocks_count 7")
            m.boot(ENFORCED)
            check(m.lines(r"svcd: fsck target=/conf .*exit=1\b"), "no repair was said")
            check(serial_of(m) == serial, "another configuration after the repair")
        with part("repaired-superblock"):
            m.power_off()
            m.write_part("conf", bytes(1024), offset=1024)
            m.boot(ENFORCED)
            check(m.lines(r"svcd: fsck target=/conf .*exit=1\b"), "no repair was said")
            check(not m.lines("svcd: format "), "formatted a damaged partition")
            check(serial_of(m) == serial, "another configuration after the repair")
        with part("damaged-log-enforces"):
            m.power_off()
            m.write_part("log", chance.randbytes(m.place("log")[1]))
            m.boot(ENFORCED)
            check(m.lines(r"svcd: no-data target=/log .*reason=.*fix="), "not named")
        with part("damaged-conf-stays-closed"):
            m.power_off()
            m.write_part("conf", chance.randbytes(m.place("conf")[1] - MIB))
            before = hashlib.sha256(m.read_part("conf")).digest()
            m.boot(STAYS_CLOSED)
            check(m.lines(r"svcd: no-data target=/conf .*reason=.*fix="), "not named")
            check(not m.lines("svcd: format "), "formatted a damaged partition")
            check(m.sysctl("net/ipv4/ip_forward") == "0", "forwarding is on")
            m.power_off()
            check(hashlib.sha256(m.read_part("conf")).digest() == before,
                  "the damaged partition was written to")
