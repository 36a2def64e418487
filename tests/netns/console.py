"""The serial menu: a technician at a terminal, in both languages, with noise."""
import base64
import contextlib
import ctypes
import os
import random
import re
import select
import socket
import subprocess
import tempfile
import termios
import tty

import ns
from suite import check, test

WEB = [{"from": ["lan"], "to": ["tslcd"], "service": ["tcp/80"], "action": "permit"}]
PASSWORD = "Một hai ba bốn 5"
NEXT = "Six seven eight 9"
NAME = "technician"
LOGIN = r"Account: $"
MENU_VI = r"Chọn số .*: $"
MENU_EN = r"Number .*: $"
WAIT_S = 20
PIDFD_GETFD = 438


class Line:
    """The technician's end of the serial line."""

    def __init__(self):
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave, termios.TCSANOW)
        self.path = os.ttyname(self.slave)
        os.set_blocking(self.master, False)
        self.text = b""

    def close(self):
        os.close(self.master)
        os.close(self.slave)

    def read(self, timeout):
        """What has come within TIMEOUT seconds, at least something, or nothing."""
        if not select.select([self.master], [], [], timeout)[0]:
            return b""
        with contextlib.suppress(BlockingIOError):
            return os.read(self.master, 65536)
        return b""

    def write(self, data):
        while data:
            select.select([], [self.master], [], WAIT_S)
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(self.master, data[:512]):]
            self.text += self.read(0)

    def expect(self, pattern, timeout=WAIT_S):
        """Wait for PATTERN; the match. What stood before its end is forgotten."""
        left = ns.deadline(timeout)
        while True:
            text = self.text.decode("utf-8", "replace").replace("\r", "")
            found = re.search(pattern, text)
            if found:
                self.text = text[found.end():].encode()
                return found
            if not left():
                raise ns.LabError(f"the console does not show /{pattern}/ but: "
                                  f"{text[-600:]!r}")
            self.text += self.read(left())

    def type(self, text, pattern, timeout=WAIT_S):
        self.text = b""
        self.write(text.encode() + b"\r")
        return self.expect(pattern, timeout)

    def calm(self, timeout=60):
        """Get a fresh login prompt after noise, as a person would: try again until the
        console answers. Noise may have tried to log in; then it reads nothing a while."""
        left = ns.deadline(timeout)
        while left():
            self.text = b""
            self.write(b"\x03zz-probe\r")
            with contextlib.suppress(ns.LabError):
                self.expect(r"zz-probe\n.*Password: $", 2)
                self.write(b"\x03")
                self.expect(LOGIN)
                return
        raise ns.LabError("the console does not come back after noise")

    def send_file(self, data, cut=None):
        """Send DATA with sb; CUT: the line breaks after so many bytes."""
        ours, theirs = socket.socketpair()
        with tempfile.TemporaryDirectory() as folder, ours:
            file = os.path.join(folder, "policy.signed")
            with open(file, "wb") as f:
                f.write(data)
            p = subprocess.Popen(["sb", "-k", file], stdin=theirs, stdout=theirs,
                                 stderr=subprocess.DEVNULL)
            theirs.close()
            try:
                self._pump(ours, cut)
            finally:
                if cut is not None:
                    p.kill()
                p.wait(timeout=WAIT_S)

    def _pump(self, sock, cut):
        sent, left = 0, ns.deadline(60)
        while left():
            ready = select.select([sock, self.master], [], [], left())[0]
            if self.master in ready:
                new = self.read(0)
                self.text += new
                # the sender may have gone already
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    sock.sendall(new)
            if sock in ready:
                try:
                    data = sock.recv(512)
                except ConnectionResetError:
                    return
                if not data:
                    return
                sent += len(data)
                if cut is not None and sent > cut:
                    return
                self.write(data)
        raise ns.LabError("the transfer does not end")


@contextlib.contextmanager
def technician(t):
    """A fresh appliance with a terminal at its console; first password changed."""
    line = Line()
    t.box.options = ["--console", line.path]
    try:
        t.fresh()
        first = line.expect(r"first-password account=technician password=(\S+)").group(1)
        # 10,000 bytes of a wrong speed, then the technician
        line.write(random.Random(1).randbytes(10000))
        line.calm()
        line.type(NAME, r"Password: $")
        line.type(first, r"Mật khẩu mới: $")
        line.type(PASSWORD, r"Nhập lại mật khẩu mới: $")
        line.type(PASSWORD, MENU_VI)
        yield line
    finally:
        t.box.power_off()
        t.box.options = []
        line.close()
        t.fresh()


def log_in(line, password, menu):
    line.type("", LOGIN)
    line.type(NAME, r"Password: $")
    return line.type(password, menu)


@test("AC-01", "AC-15")
def test_technician(t):
    """First login, status, a signed file by YMODEM, confirmation, in Vietnamese; then
    in English a broken transfer, a pasted file, a roll back."""
    with technician(t) as line:
        line.type("1", "Trạng thái +: đóng, không cho gói tin nào qua")
        line.expect(MENU_VI)
        data = t.box.sign(t.config(WEB))
        line.type("3", "YMODEM")
        line.send_file(data)
        code = line.expect(r"ĐANG CHẠY THỬ.*: (\d+)", 60).group(1)
        line.expect(MENU_VI)
        serial = t.box.status()["serial"]
        check(serial == str(t.serial), f"serial {serial} is in force, not {t.serial}")
        line.type("5", "Mã xác nhận: $")
        line.type("1" + code[1:] if code[0] != "1" else "2" + code[1:], "Bị từ chối")
        line.expect(MENU_VI)
        line.type("5", "Mã xác nhận: $")
        line.type(code, "Xong: ")
        line.expect(MENU_VI)
        check("trial_left" not in t.box.status(), "still on trial")
        line.type("2", "Kết quả: ")
        line.expect(MENU_VI)
        line.type("0", LOGIN)
        t.box.console.wait_for(r'event task=consoled text="logout account=technician', 20,
                               since=0)

        log_in(line, PASSWORD, MENU_VI)
        line.type("8", MENU_EN)
        data = t.box.sign(t.config(WEB))
        line.type("3", "YMODEM")
        line.send_file(data, cut=len(data) // 2)
        line.expect("The file was not received", 120)
        line.expect(MENU_EN)
        line.type("4", "END LUYTRE FILE")
        line.write(b"-----BEGIN LUYTRE FILE-----\r\n" + base64.encodebytes(data) +
                   b"-----END LUYTRE FILE-----\r\n")
        line.expect(r"ON TRIAL.*: \d+", 60)
        line.expect(MENU_EN)
        line.type("6", r"\(y = yes, n = no\): $")
        line.type("y", "Done: ")
        line.expect(MENU_EN)
        check(t.box.status()["serial"] == serial, "the roll back did not happen")
        line.type("4", "END LUYTRE FILE")
        line.write(b"-----BEGIN LUYTRE FILE-----\r\n" + base64.encodebytes(data[:-9]) +
                   b"-----END LUYTRE FILE-----\r\n")
        line.expect(r"Refused: |not a signed file")
        line.expect(MENU_EN)
        line.type("0", LOGIN)


@test("AC-04", "AC-15")
def test_wrong_password(t):
    """Wrong passwords and unknown names are answered alike, said on the console, and
    lock nobody out."""
    with technician(t) as line:
        line.type("0", LOGIN)
        answers = set()
        for name in (NAME, "nobody", "ghost"):
            line.type(name, r"Password: $")
            answers.add(line.type("wrong", r"Checking(?s:.*)try again\.\n").group(0))
            line.expect(LOGIN, 60)
        check(len(answers) == 1, f"answers differ: {answers}")
        t.box.console.wait_for(r'text="login-failed account=technician failures=1"', 20,
                               since=0)
        line.type(NAME, r"Password: $")
        line.type(PASSWORD, MENU_VI)


@test("FC-03")
def test_links(t):
    """consoled dies, policyd dies: each time their link works again."""
    with technician(t) as line:
        line.type("1", "Trạng thái")
        line.expect(MENU_VI)
        for task in ("policyd", "policyd", "consoled", "policyd", "consoled"):
            line.text = b""
            t.box.kill(task)
            if task == "consoled":
                line.expect(LOGIN)
                log_in(line, PASSWORD, MENU_VI)
            line.type("1", "Trạng thái +: đóng")
            line.expect(MENU_VI)
        line.type("7", "Mật khẩu hiện tại: $")
        line.type(PASSWORD, r"Mật khẩu mới: $")
        line.type(NEXT, r"Nhập lại mật khẩu mới: $")
        line.type(NEXT, MENU_VI)
        line.text = b""
        t.box.kill("consoled")
        line.expect(LOGIN)
        log_in(line, NEXT, MENU_VI)


def link_of(pid, skip):
    """A copy of the highest socket of process PID that is not in SKIP."""
    call = ctypes.CDLL(None, use_errno=True).syscall
    fds = [int(n) for n in os.listdir(f"/proc/{pid}/fd") if int(n) not in skip and
           os.readlink(f"/proc/{pid}/fd/{n}").startswith("socket:")]
    with open(os.pidfd_open(pid), "rb", buffering=0) as p:
        fd = call(PIDFD_GETFD, p.fileno(), max(fds), 0)
    check(fd >= 0, f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
    return socket.socket(fileno=fd)


@test("FC-03")
def test_bad_peer(t):
    """Garbage from consoled: dropped and counted by policyd, consoled is restarted,
    policyd goes on."""
    with technician(t) as line:
        policyd = t.box.task_pid("policyd")
        since = t.box.console.end()
        line.text = b""
        with link_of(t.box.outer_pid("consoled"), (0, 1, 2, 3)) as link:
            for _ in range(8):
                link.send(b"garbage!" * 4)
        for pattern in ("policyd: bad-message from=consoled count=8",
                        "svcd: bad-peer task=consoled says=policyd",
                        "svcd: died task=consoled", "svcd: ready task=consoled"):
            t.box.console.wait_for(pattern, 20, since=since)
        line.expect(LOGIN)
        log_in(line, PASSWORD, MENU_VI)
        line.type("1", "Trạng thái +: đóng")
        check(t.box.task_pid("policyd") == policyd, "policyd has died")


@test("AC-15")
def test_restart(t):
    """A restart is asked twice and then happens."""
    with technician(t) as line:
        line.type("10", r"\(c = có, k = không\): $")
        line.type("c", r"\(c = có, k = không\): $")
        line.type("k", MENU_VI)
        line.type("10", r"\(c = có, k = không\): $")
        line.type("c", r"\(c = có, k = không\): $")
        line.write(b"c\r")
        t.box.console.wait_for(r"svcd: stopping for=restart", 20, since=0)
