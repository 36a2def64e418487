"""An appliance for the browser tests: serves the real pack of the interface under
the real security header fields, and answers the API of web-ui/api.yaml from a state
that a test may set (closed, on trial, slow ...). The device's own server is tested
in tests/http; here it is the pages that are under test.

What a signed file may do is decided by the real signing tool.
"""
import hashlib
import http.server
import json
import os
import re
import secrets
import ssl
import struct
import subprocess
import tempfile
import threading
import time

SIGN = "out/host/tools/sign"
KEYSET = "out/keys/keyset-1"
TYPES = {1: "text/html; charset=utf-8", 2: "text/css; charset=utf-8", 3: "text/javascript; charset=utf-8",
         4: "application/json", 5: "image/svg+xml"}
REPLY_C = "firmware/mgmtd/http_reply.c"
FIRST = "dau tien 1"
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def read_pack(path):
    """{name: (type, is public, gzip bytes)} of a pack."""
    with open(path, "rb") as f:
        blob = f.read()
    assert blob[:8] == b"LUYTREUI", "no pack"
    count = struct.unpack_from("<I", blob, 12)[0]
    at, out = 16, {}
    for _ in range(count):
        n, kind, flags, size = struct.unpack_from("<HBBI", blob, at)
        digest = blob[at + 8:at + 40]
        name = blob[at + 40:at + 40 + n].decode("ascii")
        data = blob[at + 40 + n:at + 40 + n + size]
        assert hashlib.sha256(data).digest() == digest, name
        out[name] = (kind, bool(flags & 1), data)
        at += 40 + n + size
    assert at == len(blob), "something follows the last entry"
    return out


def read_api(path):
    """[(method, path, roles)] of api.yaml."""
    out = []
    with open(path, encoding="utf-8") as f:
        for block in f.read().split("\n  - path: ")[1:]:
            method = re.search(r"^    method: (\w+)", block, re.M).group(1)
            roles = re.search(r"^    roles: \[(.*)\]", block, re.M).group(1).split(", ")
            out.append((method, block.split("\n", 1)[0].strip(), roles))
    return out


class Refusal(Exception):
    def __init__(self, status, code, detail=""):
        super().__init__(code)
        self.status, self.code, self.detail = status, code, detail


class Appliance:
    """State and answers; one instance a test."""

    def __init__(self, config):
        self.bytes = config
        self.previous = None
        self.draft = None
        self.state = "enforced"
        self.trial_end, self.code = 0, ""
        self.highest = json.loads(config)["serial"] if config else 0
        self.slow_s = 0
        self.fail = {}
        self.idle_s = 600
        self.accounts = {}
        self.sessions = {}
        self.start = time.monotonic()
        self.asked = []
        self.add("officer", "operator", "mat khau cua can bo 1")
        self.add("nva", "soc-admin", "mat khau quan tri vien 2")
        self.add("viewer", "viewer", "mat khau chi de xem 3")

    def add(self, name, role, password, must="nothing"):
        self.accounts[name] = {"name": name, "role": role, "password": password, "must": must,
                               "totp": False, "disabled": False, "last": 0}

    # policy ----------------------------------------------------------------

    def now(self):
        if self.trial_end and time.monotonic() > self.trial_end:
            self.back()
        return json.loads(self.bytes) if self.bytes else None

    def back(self):
        self.bytes, self.previous, self.trial_end = self.previous, None, 0

    def status(self):
        c = self.now()
        out = {"state": self.state if c else "closed", "kernel_rules": 123, "generation": 7,
               "uptime_s": int(time.monotonic() - self.start) + 93784, "tunnels": [],
               "management": "reachable", "soc": "reachable", "connections": 1834,
               "connections_max": 65536, "keyset": 1, "device_serial": "LT-MUONG-KHUONG-01"}
        if c:
            out.update(serial=c["serial"], sha256=hashlib.sha256(self.bytes).hexdigest(),
                       device=c["device"], agency=c["agency"], rules=len(c["rules"]),
                       ports=len(c["ports"]), profile=c.get("profile", "none"))
        if self.trial_end:
            out["trial_left"] = max(1, int(self.trial_end - time.monotonic()))
        return out

    def counters(self):
        t = int((time.monotonic() - self.start) * 40)
        rules = [{"id": r["id"], "packets": 900 * (i + 1) + t * (i % 3 + 1), "bytes": 71000 * (i + 1) + t * 900}
                 for i, r in enumerate((self.now() or {"rules": []})["rules"][:-1])]
        return {"generation": 7, "rules": rules, "built_in": [
            {"reason": "default-deny", "packets": 5120 + t // 3, "bytes": 307200},
            {"reason": "spoofed-source", "packets": 17, "bytes": 1020},
            {"reason": "isolated", "packets": 3, "bytes": 180},
            {"reason": "invalid", "packets": 0, "bytes": 0}]}

    def controls(self):
        c = self.now() or {}
        wants = {"outside_service": "met", "outside_log": "met", "mgmt_sources": "met", "zones": "met",
                 "limits": "not-met", "inside_service": "partly"}
        with open("firmware/policyd/profile.def", encoding="utf-8") as f:
            rows = re.findall(r'CONTROL\((\w+), .*?"([^"]*)",\s*"([^"]*)",\s*"([^"]*)",\s*"((?:\\.|[^"\\])*)"\)',
                              f.read(), re.S)
        return {"profile": c.get("profile", "none"), "controls": [
            {"name": n, "source": s, "en": en, "vi": vi, "fix": fix, "want": "must" if n in (
                "outside_service", "mgmt_internet", "outside_log") else "show",
             "met": wants.get(n, "met"), "rule": "r60" if n == "limits" else None}
            for n, s, en, vi, fix in rows]}

    def apply(self, body):
        with tempfile.NamedTemporaryFile(suffix=".signed") as f:
            f.write(body)
            f.flush()
            p = subprocess.run([SIGN, "verify", f.name, "--keyset", KEYSET], capture_output=True,
                               text=True, env={"LUYTRE_LANG": "en", "PATH": "/usr/bin:/bin"})
        if p.returncode != 0:
            raise Refusal(409, "refused", "reason=\"%s\"" % p.stderr.strip()[-200:].replace(f.name, "file"))
        payload = body[body.index(b"\n\n", body.index(b"\n\n") + 2) + 2:]
        c = json.loads(payload)
        if c["serial"] <= self.highest:
            raise Refusal(409, "refused", "path=manifest.version why=VERSION reason=\"the version is not above"
                          " the highest one\" fix=\"raise serial and version\"")
        self.previous, self.bytes, self.highest = self.bytes, payload, c["serial"]
        self.code = "%06X" % secrets.randbelow(1 << 24)
        self.trial_end = time.monotonic() + c.get("confirm_window", 300)
        return {"version": c["serial"], "text": "on-trial confirm=" + self.code, "confirm": self.code}

    # calls -----------------------------------------------------------------

    def session_of(self, cookie):
        m = re.search(r"__Host-luytre=(\w+)", cookie or "")
        return self.sessions.get(m.group(1)) if m else None

    def greeting(self, s):
        a = self.accounts[s["name"]]
        may = [] if a["must"] != "nothing" else [
            "%s %s" % (m, p) for m, p, roles in API if a["role"] in roles or "session" in roles]
        return {"name": a["name"], "role": a["role"], "must": a["must"], "csrf": s["csrf"],
                "password_days": 171, "password_warning": False, "idle_s": self.idle_s,
                "absolute_s": 28800, "may": may}

    def call(self, method, path, body, cookie, csrf):
        """(answer or bytes, cookie to set or None)."""
        self.asked.append((method, path))
        roles = next((r for m, p, r in API if (m, p) == (method, path)), None)
        if roles is None:
            raise Refusal(404, "not-found")
        s = self.session_of(cookie)
        if path == "/api/login":
            return self.login(json.loads(body))
        if "anyone" not in roles:
            self.may(s, method, roles, csrf)
        if path in self.fail:
            raise self.fail[path]
        if self.slow_s and path in ("/api/apply", "/api/draft") and method == "POST":
            time.sleep(self.slow_s)
        name = "do_" + re.sub(r"\W", "_", path[5:]) + "_" + method.lower()
        if not hasattr(self, name):
            raise Refusal(501, "not-implemented")
        return getattr(self, name)(s, body), None

    def may(self, s, method, roles, csrf):
        if not s:
            raise Refusal(401, "not-logged-in")
        if method != "GET" and csrf != s["csrf"]:
            raise Refusal(403, "csrf")
        if "session" in roles:
            return
        a = self.accounts[s["name"]]
        if a["must"] != "nothing":
            raise Refusal(403, "must-change-password" if a["must"] == "password" else "must-enrol")
        if a["role"] not in roles:
            raise Refusal(403, "denied")

    def login(self, b):
        a = self.accounts.get(b["name"])
        if not a or a["password"] != b["password"] or (a["totp"] and b.get("code") != "123456"):
            raise Refusal(401, "login-failed")
        key = secrets.token_hex(16)
        a["last"] = int(time.time())
        self.sessions[key] = {"name": a["name"], "csrf": secrets.token_hex(16), "id": len(self.sessions) + 1,
                              "at": time.monotonic(), "key": key}
        return self.greeting(self.sessions[key]), key

    def do_health_get(self, s, body):
        return {"health": "ok"}

    def do_banner_get(self, s, body):
        return {"vi": "Hệ thống dành cho người được phép sử dụng. Thiết bị dùng mật mã dân sự, không dùng để"
                " bảo vệ bí mật nhà nước.",
                "en": "For authorised persons only. Civil cryptography; not for state secrets."}

    def do_session_get(self, s, body):
        return self.greeting(s)

    def do_logout_post(self, s, body):
        del self.sessions[s["key"]]
        return {"done": True}

    def do_password_post(self, s, body):
        b, a = json.loads(body), self.accounts[s["name"]]
        if a["password"] != b["old"]:
            raise Refusal(401, "login-failed")
        if len(b["new"]) < 14:
            raise Refusal(400, "weak-password", "at least 14 characters")
        a["password"] = b["new"]
        a["must"] = "totp" if a["role"] == "soc-admin" and not a["totp"] else "nothing"
        s["csrf"] = secrets.token_hex(16)
        return {"must": a["must"], "csrf": s["csrf"]}

    def do_totp_begin_post(self, s, body):
        return {"secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
                "uri": "otpauth://totp/LuyTre:" + s["name"] + "?" + "sec" + "ret=JBSWY3DPEHPK3PXP&digits=6"}

    def do_totp_confirm_post(self, s, body):
        if json.loads(body)["code"] != "123456":
            raise Refusal(400, "bad-code")
        self.accounts[s["name"]].update(totp=True, must="nothing")
        return {"must": "nothing"}

    def do_status_get(self, s, body):
        return self.status()

    def do_config_get(self, s, body):
        if not self.now():
            raise Refusal(404, "not-found")
        return self.bytes

    def do_counters_get(self, s, body):
        return self.counters()

    def do_controls_get(self, s, body):
        return self.controls()

    def do_draft_get(self, s, body):
        if self.draft is None:
            raise Refusal(404, "not-found")
        return self.draft

    def do_draft_post(self, s, body):
        self.draft = body
        return {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}

    def do_draft_delete(self, s, body):
        self.draft = None
        return {"done": True}

    def do_apply_post(self, s, body):
        return self.apply(body)

    def do_confirm_post(self, s, body):
        if not self.trial_end or json.loads(body)["code"] != self.code:
            raise Refusal(400, "bad-code")
        self.previous, self.trial_end = None, 0
        return {"text": "confirmed"}

    def do_rollback_post(self, s, body):
        if not self.trial_end:
            raise Refusal(409, "refused", "no trial")
        self.back()
        return {"text": "rolled-back"}

    def do_accounts_get(self, s, body):
        return {"accounts": [{"name": a["name"], "role": a["role"], "disabled": a["disabled"],
                              "must": a["must"], "totp": a["totp"], "last_login_s": a["last"] or None,
                              "password_days": 171, "locked_sources": 0} for a in self.accounts.values()]}

    def do_account_create_post(self, s, body):
        b = json.loads(body)
        if b["name"] in self.accounts:
            raise Refusal(409, "exists")
        self.add(b["name"], b["role"], FIRST, "password")
        return {"name": b["name"], "password": FIRST}

    def do_sessions_get(self, s, body):
        return {"uptime_s": 93784, "sessions": [
            {"id": x["id"], "name": x["name"], "role": self.accounts[x["name"]]["role"],
             "source": "192.168.50.11", "age_s": int(time.monotonic() - x["at"]), "idle_s": 0,
             "own": x is s} for x in self.sessions.values()]}


API = []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    appliance = None
    assets = {}

    def log_message(self, *args):
        pass

    def reply(self, status, data, kind, extra=()):
        self.send_response(status)
        for k, v in [*SECURITY.items(), ("Content-Type", kind), ("Content-Length", str(len(data))), *extra]:
            self.send_header(k, v)
        self.end_headers()
        self.wfile.write(data)

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        cookie = self.headers.get("Cookie")
        if not self.path.startswith("/api/"):
            name = "/index.html" if self.path == "/" else self.path
            kind, is_public, data = self.assets.get(name, (0, True, b""))
            if not kind or not (is_public or self.appliance.session_of(cookie)):
                return self.reply(404 if not kind else 401, b"", "text/plain")
            return self.reply(200, data, TYPES[kind], [("Content-Encoding", "gzip"),
                                                       ("Cache-Control", "no-cache")])
        try:
            out, key = self.appliance.call(self.command, self.path, body, cookie, self.headers.get("X-CSRF"))
            status = 200
        except Refusal as e:
            status, out, key = e.status, {"error": e.code, "detail": e.detail}, None
        data = out if isinstance(out, bytes) else json.dumps(out, ensure_ascii=False).encode()
        extra = [("Cache-Control", "no-store")]
        if key:
            extra.append(("Set-Cookie", "__Host-luytre=%s; Path=/; Secure; HttpOnly; SameSite=Strict" % key))
        return self.reply(status, data, "application/json", extra)

    do_GET = do_POST = do_DELETE = answer


class Server:
    """HTTPS on a free port of the loopback address, with a certificate of its own."""

    def __init__(self, pack, folder):
        API[:] = read_api("web-ui/api.yaml")
        os.makedirs(folder, exist_ok=True)
        key, cert = os.path.join(folder, "key.pem"), os.path.join(folder, "cert.pem")
        if not os.path.exists(cert):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert, "-days", "3650",
                            "-subj", "/CN=luytre"], check=True, capture_output=True)
        handler = type("H", (Handler,), {"assets": read_pack(pack)})
        self.handler = handler
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *args: None  # a browser that hangs up is no error
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        self.url = "https://127.0.0.1:%d/" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def use(self, appliance):
        self.handler.appliance = appliance
        return appliance

    def close(self):
        self.server.shutdown()
        self.server.server_close()
