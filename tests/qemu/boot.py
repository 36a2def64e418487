"""First boot, kernel facts, supervision, console and watchdog: one machine."""
import os
import random
import select
import re

import machine
from machine import BOOT, CLOSED, Machine
from suite import check, measured, part

WATCHDOG_S = 30
POLICYD_UID = 901
CAP_NET_ADMIN = 1 << 12
BAD_LINES = r"luytre: svcd: (died|failed|fatal|no-|killing|bad-|degraded)|Kernel panic|Oops"
# One rule of every kind that the product needs of nf_tables; only checked.
NFT_PROBE = """table inet probe {
 flowtable f { hook ingress priority 0; devices = { lo }; }
 set nets { type ipv4_addr; flags interval; auto-merge; elements = { 192.0.2.0/24 } }
 set met { type ipv6_addr; flags dynamic,timeout; timeout 10s; size 16; }
 counter c { }
 quota q { over 1 mbytes }
 chain forwarded { type filter hook forward priority 0; policy drop;
  ct state established,related accept
  ip saddr @nets tcp dport 80 flow add @f
  ct count over 20 drop
  add @met { ip6 saddr limit rate over 10/second } drop
  limit rate 5/second log group 5
  fib saddr . iif oif missing drop
  meta l4proto tcp reject with tcp reset
  reject with icmpx admin-prohibited
  meta secpath exists accept
  socket transparent 1 accept
  numgen random mod 2 0 counter name c
  jhash ip saddr mod 2 0 accept
 }
 chain early { type filter hook prerouting priority raw; tcp flags syn notrack; }
 chain redirected { type nat hook prerouting priority dstnat; tcp dport 81 redirect to :82; }
 chain masked { type nat hook postrouting priority srcnat; oifname "x" masquerade; }
 chain halfopen { type filter hook input priority 0; ct state invalid synproxy mss 1460; }
}
table netdev guard { chain in { type filter hook ingress device lo priority 0;
  ip saddr 192.0.2.1 drop; }
}
table bridge b { chain f { type filter hook forward priority 0;
  reject with icmp admin-prohibited
 }
}
"""


def shell_fails(m, command, what):
    code, out = m.shell(command + " 2>&1")
    check(code != 0, f"{what}: \"{command}\" worked: {out.strip()}")


def boot_closed(m):
    """The order of the first boot, and that it ends closed."""
    measured("start to closed, formatting", m.boot())
    text = m.console.text()
    wanted = (r"svcd: boot profile=dev kernel=6\.12\.",
              rf"svcd: watchdog state=armed period={WATCHDOG_S}s",
              r"svcd: format label=conf .*exit=0", r"svcd: mounted target=/conf ",
              r"svcd: format label=log .*exit=0", r"svcd: mounted target=/log ",
              r"svcd: started task=policyd ", r"policyd: closed ")
    at = 0
    for line in wanted:
        found = re.compile(line).search(text, at)
        check(found, f"the console lacks /{line}/ at its place")
        at = found.end()
    check(not re.search(BAD_LINES, text), f"bad line: {m.lines(BAD_LINES)}")
    for key in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        check(m.sysctl(f"net/{key}") == "0", f"net/{key} is not 0 without a policy")
    rules = m.ruleset()
    check(re.search(r"hook forward [^}]*policy drop", rules), f"nothing drops: {rules}")


def kernel_facts(m):
    with part("kernel-no-modules"):
        shell_fails(m, "test -e /proc/modules", "modules")
        m.put("/tmp/no.ko", b"\x7fELF")
        check(not re.search("=m$", kernel_config(), re.M), "kernel.config has modules")
        check("CONFIG_MODULES=y" not in kernel_config(), "kernel.config allows modules")
    with part("kernel-nf-tables"):
        m.put("/run/probe.nft", NFT_PROBE.encode())
        m.shell_ok("nft -c -f /run/probe.nft 2>&1")
    with part("kernel-read-only-root"):
        mounts = m.shell_ok("cat /proc/mounts")
        check(re.search(r"^\S+ / squashfs ro\b", mounts, re.M), f"root: {mounts}")
        shell_fails(m, "touch /usr/x", "write below /usr")
        m.shell("mount -o remount,rw / 2>&1")
        shell_fails(m, "touch /usr/x", "write below /usr after a remount")
        for place in ("/conf", "/log", "/run", "/tmp"):
            check(re.search(rf"^\S+ {place} \S+ rw,nosuid,nodev,noexec\b", mounts, re.M),
                  f"{place} is not nosuid,nodev,noexec: {mounts}")
    with part("kernel-no-side-doors"):
        for file in ("/dev/mem", "/dev/kmem", "/dev/port", "/proc/kcore",
                     "/proc/sysrq-trigger", "/sys/kernel/debug/tracing",
                     "/proc/config.gz", "/proc/sys/kernel/modprobe"):
            shell_fails(m, f"test -e {file}", "side door")
        check("[integrity]" in m.shell_ok(
            "mount -t securityfs none /sys/kernel/security 2>/dev/null; "
            "cat /sys/kernel/security/lockdown"), "the kernel is not locked down")
        shell_fails(m, "test -e /proc/self/ns/user", "user namespaces")
    with part("kernel-panic-restarts"):
        check(m.sysctl("kernel/panic") == "5", "kernel.panic is not 5")
        check(m.sysctl("kernel/panic_on_oops") == "1", "kernel.panic_on_oops is not 1")


def kernel_config():
    with open(os.path.join(machine.OUT, "kernel/kernel.config"), encoding="utf-8") as f:
        return f.read()


def supervision(m):
    with part("policyd-rights"):
        status = m.shell_ok(f"cat /proc/{m.task_pid('policyd')}/status")
        for line in (rf"Uid:\t{POLICYD_UID}\t{POLICYD_UID}\t{POLICYD_UID}\b",
                     rf"CapPrm:\t{CAP_NET_ADMIN:016x}", rf"CapBnd:\t{CAP_NET_ADMIN:016x}",
                     r"NoNewPrivs:\t1"):
            check(re.search("^" + line, status, re.M), f"no /{line}/ in {status}")
    with part("pid1-unkillable"):
        since = m.console.end()
        for signal in ("KILL", "STOP", "SEGV", "HUP"):
            m.shell(f"kill -{signal} 1")
        m.kill("policyd")       # svcd still reaps and starts
        check(not m.lines("boot|stopping", since), "a signal ended PID 1")
    with part("policyd-killed"):
        before, pid = m.ruleset_static(), m.task_pid("policyd")
        m.kill("policyd")
        check(m.task_pid("policyd") not in (None, pid), "no new policyd")
        check(m.ruleset_static() == before, "the rules in the kernel have changed")


def feed(line, data):
    """Send bytes to the serial line, and take what it answers meanwhile: a terminal
    that does not read would stop the board's output."""
    while data:
        readable, writable, _ = select.select([line], [line], [], 60)
        check(readable or writable, f"the line takes no more, {len(data)} bytes are left")
        if readable:
            line.recv(65536)
        if writable:
            data = data[line.send(data[:1024]):]


def console_noise(m):
    """Bytes on the serial line: nothing stops, nothing comes back as an echo."""
    chance = random.Random(1)
    since = m.console.end()
    forged = b"\r\nluytre: policyd: enforced serial=666 rules=1\r\n"
    with m.serial_input() as line:
        line.settimeout(20)
        for data in (bytes(range(256)), b"\x13", b"\x03\x1a\x1c\x04\x00", b"A" * 65536,
                     forged, chance.randbytes(4096), b"\x1b[2J\x1bc", b"\x13\x13"):
            feed(line, data)
    # The last byte has gone in when the board answers on its other console; nobody
    # stops its output any more.
    m.kill("policyd")
    m.wait(CLOSED, since=since)
    check(not m.lines("serial=666", since), "the line echoes: anyone can forge a message")
    effect = m.lines(r"svcd: (boot|stopping|bad-|fatal)", since)
    check(not effect, f"noise had an effect: {effect}")
    code, out = m.shell("echo alive")
    check(code == 0 and "alive" in out, "the shell on the other console is gone")


def watchdog(m):
    """Fed for longer than its period; resets a board whose PID 1 hangs."""
    with part("watchdog-fed"):
        up_s = float(m.shell_ok("cat /proc/uptime").split()[0])
        event = m.qmp().wait_event("WATCHDOG", max(1, WATCHDOG_S + 10 - up_s))
        check(event is None, "the watchdog expired although svcd runs")
        check(len(m.lines(BOOT)) == 1, "the board has restarted")
    m.shell_ok("echo kept >/conf/marker && echo kept >/log/marker && sync")
    with part("watchdog-resets-hung-pid1"):
        since = m.console.end()
        m.shell_ok("mkdir /sys/fs/cgroup/hang && cd /sys/fs/cgroup/hang && "
                   "echo 1 >cgroup.procs && echo 1 >cgroup.freeze")
        event = m.qmp().wait_event("WATCHDOG", 2 * WATCHDOG_S + 10)
        check(event, "PID 1 hangs and the watchdog does not expire")
        check(event["data"]["action"] == "reset", f"the watchdog does {event['data']}")
        m.wait(BOOT, since=since)
        m.wait(CLOSED, since=since)
    return since


def test_first():
    """Everything that one blank machine can show, in one power-on."""
    with Machine("first") as m:
        with part("closed"):
            boot_closed(m)
        kernel_facts(m)
        supervision(m)
        with part("console-noise"):
            console_noise(m)
        since = watchdog(m)
        with part("blank-formatted-once"):
            check(not m.lines("svcd: (format|fsck|unfinished)", since),
                  f"second boot: {m.lines('svcd: (format|fsck)', since)}")
            m.link = None       # the shell of before the reset
            check(m.shell_ok("cat /conf/marker /log/marker").split() == ["kept"] * 2,
                  "what was stored is gone")
            m.power_off()
            measured("start to closed", m.boot())
            check(not m.lines("svcd: (format|unfinished)"), "formatted again")
            check(m.shell_ok("cat /conf/marker").strip() == "kept", "stored file is gone")
