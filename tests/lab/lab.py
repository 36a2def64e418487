"""The lab: bring the small province up, show it, take it down.

usage: lab up|down|status|run [--board host|qemu-arm64] [--lab N]
              [--no-config] [--config FILE] [--once]
  up      namespaces, services, appliance; returns when the policy is enforced
          (with --no-config: when the appliance has said that it is closed)
  down    ends the lab's own processes, deletes its own namespaces
  status  what is up
  run     up, the demonstration, stay until Ctrl-C; --once: exit after it
"""
import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time

import appliance
import ns
import province
import topology
from ns import LabError
from province import HOSTS, ns_name

OUT = os.environ.get("LUYTRE_LAB_OUT", os.path.join(appliance.TOP, "out"))

NGINX = """\
daemon off;
master_process off;
error_log stderr warn;
pid {dir}/nginx.pid;
events {{ worker_connections 64; }}
http {{
	access_log {dir}/access.log;
	default_type text/plain;
	client_body_temp_path {dir}/tmp;
	proxy_temp_path {dir}/tmp;
	fastcgi_temp_path {dir}/tmp;
	uwsgi_temp_path {dir}/tmp;
	scgi_temp_path {dir}/tmp;
	server {{
		listen 80 reuseport;
		listen [::]:80 reuseport;
		location = / {{ return 200 "{name} $remote_addr\\n"; }}
		location /big {{ root {dir}/files; }}
	}}
}}
"""


class Lab:
    """One lab, number N, state in out/labN."""

    def __init__(self, number, board=None):
        self.number = number
        self.dir = os.path.join(OUT, f"lab{number}")
        self.state_file = os.path.join(self.dir, "state.json")
        self.state = self._read_state()
        self.board = self.state.get("board", board)
        self.box = None
        if self.board:
            self.box = appliance.make(self.board, number, os.path.join(self.dir, "box"))
            if "box" in self.state.get("processes", {}) and self.is_up():
                self.box.adopt(*self.state["processes"]["box"])

    def _read_state(self):
        try:
            with open(self.state_file, encoding="utf-8") as f:
                return json.load(f)
        except FileNotFoundError:
            return {}
        except ValueError as e:
            raise LabError(f"{self.state_file} is damaged ({e}): "
                           f"`lab down --lab {self.number}` removes the lab") from e

    def save(self):
        ns.write_json(self.state_file, self.state)

    def processes(self):
        """{name: (pid, start time)} of this lab's processes that live."""
        return {name: (pid, start) for name, (pid, start)
                in self.state.get("processes", {}).items()
                if ns.start_time(pid) == start}

    def is_up(self):
        return "box" in self.processes()

    def ns(self, name):
        return ns_name(self.number, name)

    # Up

    def prepare(self):
        """Make the empty lab; fails when there is one with this number."""
        found = topology.existing(self.number)
        if found or self.processes():
            raise LabError(
                f"lab {self.number} exists already ({len(found)} namespaces, board "
                f"{self.board}): `make lab-down LAB={self.number}` removes it, "
                f"`LAB={self.number + 1}` makes another beside it")
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(os.path.join(self.dir, "box"))
        self.state = {"board": self.board, "since": time.strftime("%F %T"),
                      "processes": {}}
        self.save()
        topology.make_all(self.number, self.board)

    def remember(self, name, pid):
        self.state["processes"][name] = [pid, ns.start_time(pid)]
        self.save()

    def start_services(self):
        """The web servers of the table; returns when all of them listen."""
        waiting = []
        for h in HOSTS:
            if "web" not in h.services:
                continue
            work = os.path.join(self.dir, h.name)
            os.makedirs(os.path.join(work, "tmp"))
            os.makedirs(os.path.join(work, "files"))
            conf = os.path.join(work, "nginx.conf")
            with open(conf, "w", encoding="ascii") as f:
                f.write(NGINX.format(dir=work, name=h.name))
            log = os.path.join(work, "nginx.log")
            p = ns.spawn(self.ns(h.name), ["nginx", "-p", work, "-c", conf, "-e", log], log)
            self.remember(h.name, p.pid)
            waiting.append((h, p, log))
        for h, p, log in waiting:
            self._wait_listening(h, p, log)

    def _wait_listening(self, host, process, log, timeout=20):
        left = ns.deadline(timeout)
        for address in (host.ip4, host.ip6):
            while not listening(self.ns(host.name), address, 80):
                if process.poll() is not None or not left():
                    with open(log, encoding="utf-8", errors="replace") as f:
                        raise LabError(f"nginx on {host.name} does not listen: "
                                       f"{f.read().strip()[-500:]}")
                try:
                    process.wait(0.02)
                except subprocess.TimeoutExpired:
                    pass

    def power_on(self):
        """Switch the appliance on and remember it."""
        self.box.power_on()
        self.remember("box", self.box.pid)

    def power_cycle(self):
        self.box.power_cycle()
        self.remember("box", self.box.pid)

    def up(self, config=None):
        """The whole way up; CONFIG None leaves the appliance closed."""
        self.prepare()
        self.start_services()
        self.power_on()
        self.box.wait_ready()
        if config is not None:
            self.box.enforce(config)
            self.box.console.wait_for(r"^luytre: policyd: enforced\b", 60, since=0)

    def default_config(self, **args):
        return province.config(self.board, self.number, management=province.MANAGEMENT,
                               **args)

    # Down

    def down(self):
        """End our processes, delete our namespaces; True when there was a lab."""
        found = topology.existing(self.number)
        living = self.processes()
        for name in sorted(living, key=lambda n: n == "box"):
            ns.end(*living[name])
        topology.delete_all(self.number)
        if self.state:
            self.state["processes"] = {}
            self.save()
            os.rename(self.state_file, self.state_file + ".last")
        return bool(found or living)


def listening(namespace, address, port):
    """Whether something accepts on ADDRESS:PORT inside NAMESPACE."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with ns.sock(namespace, family, socket.SOCK_STREAM) as s:
        s.settimeout(1)
        return s.connect_ex((address, port)) == 0


def first_free(start):
    """The lowest lab number from START on that nobody uses."""
    for n in range(start, 250):
        if not topology.existing(n):
            return n
    raise LabError(f"no free lab number between {start} and 249")


def read_config(lab, file):
    """The configuration to apply: FILE, or the lab's own, kept in the lab's folder."""
    if file:
        with open(file, "rb") as f:
            return f.read()
    config = lab.default_config()
    ns.write_json(os.path.join(lab.dir, "config.json"), config)
    return config


def attach_help(lab):
    """How to get at the lab, as lines of text."""
    n, d = lab.number, os.path.relpath(lab.dir, appliance.TOP)
    lines = []
    if lab.board == "host":
        lines.append(f"console   tail -f {d}/box/console.log")
    else:
        lines.append(f"console   toolchain/env/enter --lab socat -,raw,echo=0,escape=0x1d "
                     f"{d}/box/serial.sock")
        lines.append(f"          (leave with Ctrl-]; outside the build root: the same socat,"
                     f" or tail -f {d}/box/serial.log)")
    lines += [
        f"look in   ip netns exec lt{n}-lan1 ping -c1 10.200.10.80   (any host of the lab)",
        (f"          toolchain/env/enter --lab ip netns exec lt{n}-box nft list ruleset"
         if lab.board == "host" else
         f"          tests/lab/lab shell --lab {n} nft list ruleset"),
    ]
    return lines


def cmd_up(lab, args):
    if not args.no_config and args.config:
        open(args.config, "rb").close()
    start = time.monotonic()
    print(f"[lab {lab.number}] namespaces, services, board {lab.board} ...", flush=True)
    try:
        lab.up()
        if not args.no_config:
            lab.box.enforce(read_config(lab, args.config))
    except BaseException:
        lab.down()
        raise
    state = "closed, no configuration" if args.no_config else "policy enforced"
    print(f"[lab {lab.number}] up in {time.monotonic() - start:.1f} s: {state}")
    for line in attach_help(lab):
        print("  " + line)
    print(f"  stop      make lab-down LAB={lab.number}")
    return 0


def cmd_down(lab, _args):
    if lab.down():
        print(f"[lab {lab.number}] down")
    else:
        print(f"[lab {lab.number}] was not up")
    return 0


def cmd_status(lab, _args):
    found = topology.existing(lab.number)
    if not found and not lab.processes():
        print(f"[lab {lab.number}] not up")
        return 1
    print(f"[lab {lab.number}] board {lab.board}, since {lab.state.get('since', '?')}")
    print(f"  namespaces {len(found)} of {len(province.NAMESPACES)}")
    for name, (pid, _) in sorted(lab.processes().items()):
        print(f"  process    {name:10} pid {pid}")
    if lab.is_up():
        for key, value in lab.box.status().items():
            print(f"  appliance  {key}={value}")
    return 0


def cmd_shell(lab, args):
    if not lab.is_up():
        raise LabError(f"lab {lab.number} is not up: `make lab LAB={lab.number}`")
    code, out = lab.box.shell(" ".join(args.words) or "cat /proc/version")
    sys.stdout.write(out if out.endswith("\n") else out + "\n")
    return code


def cmd_apply(lab, args):
    """Give a signed artifact to the appliance as a person would: nothing is signed
    here, nothing is confirmed."""
    if not lab.is_up():
        raise LabError(f"lab {lab.number} is not up: `make lab LAB={lab.number}`")
    if len(args.words) != 1:
        raise LabError("apply: name one file, made with `sign config`")
    with open(args.words[0], "rb") as f:
        code, out = lab.box.apply_file(f.read())
    sys.stdout.write(out)
    return code


def cmd_order(lab, args):
    """Give a signed order of the SOC to the appliance."""
    if not lab.is_up():
        raise LabError(f"lab {lab.number} is not up: `make lab LAB={lab.number}`")
    if len(args.words) != 1:
        raise LabError("order: name one file, made with `sign order`")
    with open(args.words[0], "rb") as f:
        lab.box.put("/run/lab-order", f.read())
    code, out = lab.box.shell("/usr/libexec/luytre/devctl order /run/lab-order 2>&1")
    sys.stdout.write(out)
    return code


def cmd_run(lab, args):
    import walk
    return walk.main(lab, once=args.once)


def main():
    p = argparse.ArgumentParser(prog="lab", usage=__doc__.split("usage: ")[1])
    p.add_argument("what", choices=("up", "down", "status", "run", "shell", "apply",
                                    "order"))
    p.add_argument("--board", default=os.environ.get("BOARD") or "qemu-arm64")
    p.add_argument("--lab", type=int, default=0)
    p.add_argument("--no-config", action="store_true")
    p.add_argument("--config")
    p.add_argument("--once", action="store_true")
    p.add_argument("words", nargs="*")
    args = p.parse_intermixed_args()
    if not 0 <= args.lab <= 249:
        raise LabError(f"LAB={args.lab}: lab numbers go from 0 to 249")
    lab = Lab(args.lab, args.board)
    return {"up": cmd_up, "down": cmd_down, "status": cmd_status, "run": cmd_run,
            "shell": cmd_shell, "apply": cmd_apply,
            "order": cmd_order}[args.what](lab, args)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as e:
        sys.exit(f"lab: {e}")
    except KeyboardInterrupt:
        sys.exit(130)
