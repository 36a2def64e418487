"""The pages against the device's own web server (tests/http/http_serve): its parser,
sessions, accounts and calls, with a policyd that follows a script.
"""
import base64
import hashlib
import hmac
import json
import struct
import subprocess
import time
from contextlib import contextmanager

from appliance import Appliance
from suite import OUT, PAGES, Visit, check, config, test

SERVE = "out/tests/unit/http_serve"
WORD = "Tre-Xanh-" + "2026"
SEED = b"12345678901234567890"
FAKE_SIGNED = b"luytre-manifest 1\ntype config\nscope device/LT-0001\nversion 13\nissued 1\nexpires 2\n\n" \
    b"sig 00112233445566aa es256 AAAA\n\n"


def code(step=0):
    """The six digits of the test key now (RFC 6238)."""
    n = int(time.time()) // 30 + step
    digest = hmac.new(SEED, struct.pack(">Q", n), hashlib.sha1).digest()
    at = digest[-1] & 15
    return "%06d" % ((struct.unpack(">I", digest[at:at + 4])[0] & 0x7fffffff) % 1000000)


@contextmanager
def served():
    """The URL of a server with the pack and the test's policy."""
    a = Appliance(config())
    for name, data in (("config", a.bytes), ("counters", json.dumps(a.counters()).encode()),
                       ("controls", json.dumps(a.controls()).encode())):
        with open("%s/serve-%s.json" % (OUT, name), "wb") as f:
            f.write(data)
    p = subprocess.Popen([SERVE, "-p", "0", "-u", OUT + "/ui.pack", "-c", OUT + "/serve-config.json",
                          "-w", OUT + "/serve-counters.json", "-l", OUT + "/serve-controls.json"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        line = p.stdout.readline()
        check(line.startswith("port "), "http_serve says \"%s\"" % line.strip())
        yield "http://127.0.0.1:%s/" % line.split()[1]
    finally:
        p.stdin.close()
        p.wait(10)


@test
def device_pages(env):
    """Every page from the device's server, without a complaint."""
    with served() as url, Visit(env, url=url) as v:
        v.login("soc-admin", code(), WORD)
        v.ready()
        v.page.wait("document.querySelector('.chart')", "the chart")
        for name in PAGES + ("policy/new", "policy/names"):
            v.open(name)
            v.look("device-" + name.replace("/", "-"))
            check("lỗi" not in v.page.run("[...document.querySelectorAll('.notice.bad')].map((e) =>"
                                          " e.textContent).join()"), name + " shows an error")


@test
def device_walk(env):
    """Draft, download, upload, apply, confirm, roll back, logout on the device's server."""
    with served() as url, Visit(env, url=url) as v:
        v.login("operator", code(), WORD)
        v.ready()
        v.open("policy/edit/r10")
        v.page.tab_to_text("Bỏ ping")
        v.page.key("Enter")
        v.page.tab_to_text("Đưa vào bản nháp")
        v.page.key("Enter")
        v.page.wait_text("luật r10: cho phép tcp/80 từ lan")
        draft = v.page.run("fetch('/api/draft').then((r) => r.text())").encode()
        check(json.loads(draft)["serial"] > 12, "the draft's serial")
        signed = FAKE_SIGNED + draft
        for end in ("confirmed", "rolled back"):
            v.page.run("""upload.bytes = Uint8Array.from(atob(%s), (c) => c.charCodeAt(0));
                (applyBundle(document.querySelector('.step:last-child > div:last-child')), 0)"""
                       % json.dumps(base64.b64encode(signed).decode()))
            v.page.wait("document.querySelector('dialog')", "the question")
            v.page.key("Enter")
            v.page.wait_text("Chính sách đang chạy thử")
            v.look("device-trial")
            if end == "confirmed":
                v.page.tab_to_text("Xác nhận, giữ chính sách này")
                v.page.key("Enter")
                v.page.wait_text("được giữ, kể cả sau khi mất điện")
                v.open("change")
                serial = json.loads(v.page.run("fetch('/api/draft').then((r) => r.text())"))["serial"]
                v.page.tab_to_text("Nâng số phiên bản")
                v.page.key("Enter")
                v.page.wait("app.draft.cfg.serial === %d" % (serial + 1), "the next serial")
                v.open("change")
            else:
                v.page.tab_to_text("Quay về chính sách cũ")
                v.page.key("Enter")
                v.page.wait("document.querySelector('dialog')", "the question")
                v.page.key("Enter")
                v.page.wait_text("Đã quay về chính sách cũ")
        v.sound("after the walk")
        v.page.tab_to_text("Đăng xuất")
        v.page.key("Enter")
        v.page.wait("document.querySelector('dialog') || document.querySelector('.gate')", "the end")
        if v.page.run("Boolean(document.querySelector('dialog'))"):
            v.page.key("Enter")
        v.page.wait_text("Bạn đã đăng xuất")
        check(v.page.run("fetch('/api/status').then((r) => r.status)") == 401, "still logged in")


@test
def device_first_login(env):
    """Forced change of the first password, weak ones refused, on the device's server."""
    with served() as url, Visit(env, url=url) as v:
        v.login("new", None, WORD)
        v.page.wait_text("đặt mật khẩu của riêng mình")
        for new, answer in (("ngan", "chưa đủ mạnh"), ("Tre xanh tự bao giờ 2026!", None)):
            v.page.run("document.querySelectorAll('input').forEach((i) => { i.value = ''; });"
                       "document.querySelector('input').focus()")
            for text in (WORD, new, new):
                v.page.type(text)
                v.page.key("Tab")
            v.page.key("Enter")
            if answer:
                v.page.wait_text(answer)
        v.page.wait("document.querySelector('#main .page h1') || document.querySelector('.secret')",
                    "what comes next")
        v.sound("after the first password")
