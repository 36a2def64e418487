"""Every page in both languages and sizes; states, progress, end of a session."""
import json

from appliance import Appliance, Refusal
from suite import PAGES, SIZES, Visit, check, config, test, with_draft


def every_page(env, lang, size):
    with Visit(env, with_draft(Appliance(config())), size, lang) as v:
        v.look("login")
        v.login("nva")
        v.ready()
        v.page.wait("document.querySelectorAll('.chart polyline')[0]"
                    " && document.querySelectorAll('.chart polyline')[0].getAttribute('points').includes(' ')",
                    "two points in the chart")
        for name in PAGES:
            v.open(name)
            if name == "help":
                v.page.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
            v.look(name)
        for name in ("policy/new", "policy/edit/r20", "policy/names"):
            v.open(name)
            v.page.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
            v.look(name.replace("/", "-"))
        v.open("accounts")
        v.page.run("[...document.querySelectorAll('button')].find((b) => b.textContent === t('totp.begin')).click()")
        v.page.wait("document.querySelector('.secret')", "the secret")
        v.look("accounts-totp")


@test
def pages_vi_1024x600(env):
    every_page(env, "vi", "1024x600")


@test
def pages_en_1024x600(env):
    every_page(env, "en", "1024x600")


@test
def pages_vi_390x844(env):
    every_page(env, "vi", "390x844")


@test
def pages_en_390x844(env):
    every_page(env, "en", "390x844")


@test
def pages_320(env):
    """A small phone: nothing is cut off."""
    with Visit(env, with_draft(Appliance(config())), "390x844") as v:
        v.page.size(320, 640)
        v.login("nva").ready()
        for name in PAGES + ("policy/new",):
            v.open(name)
            v.sound(name)


# Marks what can be used on a page and can take the focus; of radio buttons, the chosen one.
FIND = """[...document.querySelectorAll('a[href],button,input,select,textarea,summary')].filter((e) =>
    !e.disabled && e.checkVisibility({ visibilityProperty: true }) && !e.classList.contains('skip')
    && !(e.type === 'radio' && !e.checked)).map((e) => { e.dataset.here = 1; return 1; }).length"""
SEEN = """(() => { const e = document.activeElement; e.dataset.seen = 1;
    const s = getComputedStyle(e); return e === document.body || s.outlineStyle !== 'none'
    ? '' : e.tagName + ' ' + e.textContent.slice(0, 30); })()"""
MISSED = """[...document.querySelectorAll('[data-here]:not([data-seen])')].map((e) => e.tagName + ' '
    + (e.getAttribute('aria-label') || e.textContent).slice(0, 30)).join(', ')"""


@test
def keyboard_pages(env):
    """On every page everything that can be used is reached by Tab, and is seen to be."""
    with Visit(env, with_draft(Appliance(config()))) as v:
        v.login("nva").ready()
        for name in PAGES + ("policy/new", "policy/names"):
            v.open(name)
            v.page.run("document.querySelectorAll('details').forEach((d) => { d.open = true; });"
                       " document.activeElement.blur()")
            for _ in range(v.page.run(FIND) + 25):
                v.page.key("Tab")
                bare = v.page.run(SEEN)
                check(not bare, "%s: the focus is not seen on %s" % (name, bare))
            missed = v.page.run(MISSED)
            check(not missed, "%s: Tab does not reach %s" % (name, missed))


@test
def states(env):
    """Each state of the appliance has its word; nothing breaks without a policy."""
    for state, word in (("closed", "Đóng"), ("kept", "Giữ luật trước"), ("broken", "Lỗi")):
        a = Appliance(None if state == "closed" else config())
        a.state = state
        with Visit(env, a) as v:
            v.login().ready()
            v.page.wait_text(word)
            v.look("overview-" + state)
            for name in ("policy", "change", "network", "report") if state == "closed" else ():
                v.open(name)
                v.look(name + "-closed")


@test
def roles(env):
    """Who may not change sees no button for it and no page of it."""
    with Visit(env, with_draft(Appliance(config()))) as v:
        v.login("viewer").ready()
        check(not v.page.run("document.querySelector('nav a[href=\"#change\"]')"), "a viewer sees Change")
        v.open("policy")
        check("Thêm luật" not in v.page.text(), "a viewer sees the button to add a rule")
        v.open("accounts")
        check("Tạo tài khoản" not in v.page.text(), "a viewer may create accounts")
        v.sound("viewer")


@test
def progress(env):
    """What takes over two seconds says so and for how long."""
    a = Appliance(config())
    a.slow_s = 4
    with Visit(env, a) as v:
        v.login().ready()
        v.open("policy")
        v.page.run("document.querySelector('.rule .down').click()")
        v.page.wait("!document.getElementById('progress').hidden"
                    " && /lưu bản nháp – [2-9] giây/.test(document.getElementById('progress').textContent)",
                    "the progress bar")
        v.shot("progress")
        v.page.wait("document.getElementById('progress').hidden", "the end of the progress bar")
        v.sound("progress")


@test
def session_end(env):
    """A session that the device has ended is shown, and login leads back."""
    with Visit(env) as v:
        v.login().ready()
        v.open("network")
        v.appliance.sessions.clear()
        v.page.wait_text("Phiên làm việc đã kết thúc")
        v.look("session-ended")
        v.login()
        v.ready()
        check(v.page.run("location.hash") == "#network", "login does not lead back to the page")


@test
def idle_end(env):
    """Without input the session ends in the browser and on the device."""
    a = Appliance(config())
    a.idle_s = 5
    with Visit(env, a) as v:
        v.login().ready()
        v.page.wait("document.querySelector('#idle button')", "the warning before the end")
        v.shot("idle-warning")
        v.page.wait_text("không có thao tác")
        check(("POST", "/api/logout") in a.asked, "the device was not told of the end")
        check(not a.sessions, "the session lives on")


@test
def logout(env):
    with Visit(env) as v:
        v.login().ready()
        v.page.tab_to_text("Đăng xuất")
        v.page.key("Enter")
        v.page.wait_text("Bạn đã đăng xuất")
        check(not v.appliance.sessions, "the session lives on")
        kept = v.page.run("JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage),"
                          " document.cookie])")
        check(json.loads(kept) == [[], [], ""], "kept in the browser: " + kept)


@test
def login_wrong(env):
    """A refusal names what may be wrong and what to do; the password is gone."""
    with Visit(env) as v:
        v.page.type("officer")
        v.page.key("Tab")
        v.page.type("sai roi")
        v.page.key("Enter")
        v.page.wait_text("Đăng nhập không thành công")
        check("Caps Lock" in v.page.text(), "no word of what to do")
        check(v.page.run("document.querySelector('input[type=password]').value") == "", "the password stays")
        v.look("login-wrong")


@test
def first_login(env):
    """A first password is changed, then the second factor set up, before anything else."""
    a = Appliance(config())
    a.add("moi", "soc-admin", "dau tien 1", "password")
    with Visit(env, a) as v:
        v.login("moi")
        v.page.wait_text("đặt mật khẩu của riêng mình")
        v.look("password-first")
        for text in ("dau tien 1", "ngan", "ngan"):
            v.page.type(text)
            v.page.key("Tab")
        v.page.key("Enter")
        v.page.wait_text("chưa đủ mạnh")
        v.page.run("document.querySelectorAll('input').forEach((i) => { i.value = ''; });"
                   "document.querySelector('input').focus()")
        for text in ("dau tien 1", "Tre xanh tu bao gio 2026", "Tre xanh tu bao gio 2026"):
            v.page.type(text)
            v.page.key("Tab")
        v.page.key("Enter")
        v.page.wait_text("Ứng dụng xác thực")
        v.look("totp-first")
        v.page.type("123456")
        v.page.key("Enter")
        v.ready()
        check(a.accounts["moi"]["totp"], "no second factor")
        v.sound("after the first login")


@test
def field_errors(env):
    """Wrong entries are named at the field, with the fix, and nothing is kept."""
    with Visit(env) as v:
        v.login().ready()
        v.open("policy/new")
        v.page.tab_to_text("Đưa vào bản nháp")
        v.page.key("Enter")
        v.page.wait_text("chưa có vùng")
        inputs = "[...document.querySelectorAll('input[list]')]"
        for i, text, answer in ((0, "192.168.20.300", "không phải tên có sẵn"),
                                (1, "10.200.10.80/24", "hãy viết 10.200.10.0/24"),
                                (2, "70000", "không phải dịch vụ")):
            v.page.run("%s[%d].focus()" % (inputs, i))
            v.page.type(text)
            v.page.key("Enter")
            v.page.wait_text(answer)
        v.look("field-errors")
        v.open("policy/names")
        v.page.tab_to_text("Thêm tên máy")
        v.page.key("Enter")
        v.page.wait("document.activeElement.matches('.sub input')", "the form")
        v.page.type("máy chủ")
        v.page.key("Tab")
        v.page.type("192.168.20.15")
        v.page.tab_to_text("Lưu vào bản nháp")
        v.page.key("Enter")
        v.page.wait_text("chữ không dấu")
        check(v.appliance.draft is None, "a wrong entry became a draft")


@test
def refused_apply(env):
    """What the device refuses is shown with its reason and what to do."""
    a = with_draft(Appliance(config()))
    a.fail["/api/apply"] = Refusal(409, "refused", "path=manifest line=9 why=THRESHOLD reason=\"too few"
                                   " signatures\" fix=\"let another signer sign\"")
    with Visit(env, a) as v:
        v.login().ready()
        v.open("change")
        v.page.run("upload.bytes = new Uint8Array(3);"
                   " (applyBundle(document.querySelector('.step:last-child > div:last-child')), 0)")
        v.page.wait("document.querySelector('dialog')", "the question")
        v.page.key("Enter")
        v.page.wait_text("too few signatures")
        check("Chính sách đang chạy không thay đổi" in v.page.text(), "no word of what is in force")
        v.look("apply-refused")


@test
def report_print(env):
    """The report on paper: no buttons, no navigation, both sides of A4 kept."""
    with Visit(env) as v:
        v.login("nva").ready()
        v.open("report")
        v.page.do("Emulation.setEmulatedMedia", media="print")
        hidden = v.page.run("['nav', '.who', '.screen-only'].every((s) => getComputedStyle("
                            "document.querySelector(s)).display === 'none')")
        check(hidden, "navigation or buttons are printed")
        pdf = v.page.do("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)["data"]
        check(len(pdf) > 10000, "the print is empty")
        v.shot("report-print")


@test
def search_rules(env):
    with Visit(env) as v:
        v.login().ready()
        v.open("policy")
        all_rules = v.page.run("document.querySelectorAll('ol.rules > li').length")
        v.page.tab_to_field("Tìm trong các luật")
        v.page.type("10.200.10.80 80")
        v.page.wait("document.querySelectorAll('ol.rules > li').length === 1", "one rule")
        check(all_rules == 8, "%d rules are shown, not 8" % all_rules)
