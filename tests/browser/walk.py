"""The officer's walk: "allow the accounting server to reach the data centre on port
8443", from login to confirmed, by keyboard alone, following what the pages say.
Signing happens outside, with the real tool; policyd's parser judges the draft.
"""
import glob
import json
import os
import shutil
import subprocess
import time

from appliance import SIGN, Appliance
from suite import LOGIN, OUT, Visit, check, config, test

DOWNLOADS = OUT + "/downloads"
FILES = OUT + "/signing"


def sign(draft, previous):
    """Officer and SOC sign the downloaded file; the path of the signed one."""
    shutil.rmtree(FILES, ignore_errors=True)
    os.makedirs(FILES)
    with open(FILES + "/previous.json", "wb") as f:
        f.write(previous)
    out = FILES + "/new.signed"
    for args in (["config", draft, "--previous", FILES + "/previous.json", "--out", out,
                  "--key", "out/keys/officer.key", "--yes"],
                 ["add", out, "--previous", FILES + "/previous.json", "--key", "out/keys/soc-1.key", "--yes"]):
        p = subprocess.run([SIGN, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        check(p.returncode == 0, "sign %s: %s" % (args[0], (p.stderr or p.stdout)[-300:]))
    return os.path.abspath(out)


class Officer:
    """Presses keys and counts what a person does: each choice and each entry is a step."""

    def __init__(self, visit):
        self.v, self.page, self.steps = visit, visit.page, 0

    def enter(self, label, text):
        self.page.tab_to_field(label)
        self.page.type(text)
        self.steps += 1

    def press(self, text, key="Enter"):
        self.page.tab_to_text(text)
        self.page.key(key)
        self.steps += 1

    def dialog(self, text):
        self.page.wait("document.querySelector('dialog[open]')", "the question")
        self.press(text)

    def choose_file(self, path):
        self.page.do("Page.setInterceptFileChooserDialog", enabled=True)
        self.page.tab_to_text("Chọn tệp … Tệp đã ký (.signed)")
        self.page.key("Enter")
        chosen = self.page.b.event("Page.fileChooserOpened")
        self.page.do("DOM.setFileInputFiles", files=[path], backendNodeId=chosen["backendNodeId"])
        self.steps += 1


def add_rule(o):
    o.press("Chính sách")
    o.v.ready()
    o.press("Thêm luật")
    o.v.ready()
    o.press("+ accounting-server")
    o.page.tab_to("e.closest('fieldset.card') && e.closest('fieldset.card').querySelector('legend')"
                  ".textContent === 'Đến đâu?'", "\"Đến đâu?\"")
    o.press("+ data-centre")
    o.enter("Số cổng hoặc tên dịch vụ", "8443")
    o.page.key("Enter")
    o.enter("Lý do (ghi chú)", "Phần mềm kế toán, công văn 12")
    o.page.wait_text("Cho phép accounting-server (192.168.20.15) ở vùng Máy chủ nội bộ (server) dùng tcp/8443"
                     " tới data-centre (10.200.10.90) ở vùng Mạng TSLCD (tslcd).")
    o.v.look("walk-1-rule")
    o.press("Đưa vào bản nháp")
    o.v.ready()
    o.page.wait_text("luật r90: cho phép tcp/8443 từ server (192.168.20.15) đến tslcd (10.200.10.90)"
                     " [Phần mềm kế toán, công văn 12]")


def download(o, env):
    shutil.rmtree(DOWNLOADS, ignore_errors=True)
    os.makedirs(DOWNLOADS)
    env.browser.send("Browser.setDownloadBehavior", {
        "behavior": "allow", "downloadPath": os.path.abspath(DOWNLOADS), "eventsEnabled": True,
        "browserContextId": o.page.context})
    o.press("Tải tệp về")
    while env.browser.event("Browser.downloadProgress")["state"] != "completed":
        pass
    files = glob.glob(DOWNLOADS + "/*")
    check([os.path.basename(f) for f in files] == ["LT-MUONG-KHUONG-01-13.json"], "downloaded: %s" % files)
    return files[0]


@test
def officer_walk(env):
    a = Appliance(config())
    before = a.bytes
    with Visit(env, a) as v:
        start = time.monotonic()
        o = Officer(v)
        o.enter("Tên tài khoản", "officer")
        o.enter("Mật khẩu", LOGIN["officer"])
        o.page.key("Enter")
        v.ready()
        add_rule(o)
        v.look("walk-2-change")
        file = download(o, env)
        with open(file, "rb") as f:
            draft = f.read()
        check(draft == a.draft, "the downloaded bytes are not the draft's")
        p = subprocess.run(["out/host/sbin/policyd", "-n", file], capture_output=True, text=True)
        check(p.returncode == 0, "policyd refuses the draft: " + p.stderr + p.stdout)
        o.choose_file(sign(file, before))
        o.page.wait_text("đúng từng byte")
        v.look("walk-3-signed")
        o.press("Áp dụng chính sách")
        o.dialog("Áp dụng chính sách")
        o.page.wait_text("Chính sách đang chạy thử")
        v.ready()
        v.look("walk-4-trial")
        o.press("Xác nhận, giữ chính sách này")
        o.page.wait_text("Chính sách phiên bản 13 được giữ")
        v.look("walk-5-confirmed")
        env.notes.append("officer's walk: %d steps, %d keys, %.0f s in the browser"
                         % (o.steps, o.page.keys, time.monotonic() - start))
        check(a.bytes == draft and not a.trial_end, "the policy is not confirmed")
        check(a.draft is None, "the draft is still there")
        rules = [r["id"] for r in json.loads(draft)["rules"]]
        check(rules[-1] == "r90", "the rule stands at %s" % rules)


@test
def walk_roll_back(env):
    """On trial by somebody else: the code is asked for, and the way back works."""
    a = Appliance(config())
    a.previous, a.trial_end, a.code = config(), time.monotonic() + 200, "ABC123"
    a.bytes = config(lambda c: c.update(serial=13))
    with Visit(env, a, "390x844") as v:
        v.login().ready()
        v.page.wait_text("Chạy thử")
        v.look("overview-trial")
        v.open("change")
        o = Officer(v)
        o.enter("Mã xác nhận", "WRONG1")
        o.press("Xác nhận, giữ chính sách này")
        v.page.wait_text("Mã không đúng")
        v.look("trial-wrong-code")
        o.press("Quay về chính sách cũ")
        o.dialog("Quay về chính sách cũ")
        v.page.wait_text("Chính sách phiên bản 12 đang chạy")
        v.sound("rolled back")
        check(not a.trial_end, "the trial goes on")


@test
def walk_times_out(env):
    """Nobody confirms: the page shows that the policy before is back."""
    a = Appliance(config())
    a.previous, a.trial_end, a.code = config(), time.monotonic() + 4, "ABC123"
    a.bytes = config(lambda c: c.update(serial=13))
    with Visit(env, a) as v:
        v.login().ready()
        v.open("change")
        v.page.wait_text("Không có bản nháp")
        v.sound("after the trial")


@test
def edit_rules(env):
    """Change, move, remove; names; each step is a draft that policyd takes."""
    a = Appliance(config())
    with Visit(env, a) as v:
        o = Officer(v)
        v.login().ready()
        v.open("policy/names")
        o.press("Thêm tên máy")
        v.page.wait("document.activeElement.matches('.sub input')", "the form")
        v.page.type("may-in")
        v.page.key("Tab")
        v.page.type("192.168.10.40\n192.168.10.41")
        o.press("Lưu vào bản nháp")
        v.page.wait("[...document.querySelectorAll('tbody th')].some((x) => x.textContent === 'may-in')",
                    "the new name")
        v.open("policy/edit/r30")
        v.page.tab_to_text("Bỏ agency-server")
        v.page.key("Enter")
        o.press("Đưa vào bản nháp")
        v.page.wait_text("Những gì thay đổi")
        v.open("policy")
        o.press("Đưa xuống r10")
        v.page.wait("document.querySelector('ol.rules > li').dataset.id === 'r20'", "r20 first")
        o.press("Xóa r50")
        o.dialog("Xóa")
        v.page.wait("!document.querySelector('[data-id=r50]')", "r50 gone")
        v.sound("edited")
        v.shot("policy-edited")
        c = json.loads(a.draft)
        check([r["id"] for r in c["rules"]] == ["r20", "r10", "r30", "r40", "r60", "r70", "r80"],
              "order: %s" % [r["id"] for r in c["rules"]])
        check("destination" not in c["rules"][2] and c["serial"] == 13, "r30 or the serial is wrong")
        with open(OUT + "/draft.json", "wb") as f:
            f.write(a.draft)
        p = subprocess.run(["out/host/sbin/policyd", "-n", OUT + "/draft.json"], capture_output=True, text=True)
        check(p.returncode == 0, "policyd refuses the draft: " + p.stderr + p.stdout)
        v.open("change")
        v.page.wait_text("thứ tự luật thay đổi: r10")
        v.look("change-many")
