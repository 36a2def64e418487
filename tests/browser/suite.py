"""What the tests share: the configuration, a logged-in page, the checks of a page."""
import json
import os

from appliance import Appliance
from cdp import Page, Problem

OUT = "out/browser"
SHOTS = OUT + "/shots"
SIZES = {"1024x600": (1024, 600), "390x844": (390, 844)}
PAGES = ("overview", "policy", "change", "network", "accounts", "report", "help")
LOGIN = {"officer": "mat khau cua can bo 1", "nva": "mat khau quan tri vien 2",
         "viewer": "mat khau chi de xem 3"}
TESTS = []


def test(function):
    """Mark a test; its name is browser/NAME."""
    TESTS.append(function)
    return function


def check(condition, text):
    if not condition:
        raise Problem(text)


def config(change=None):
    """Bytes of the appliance's policy: the golden one and the names an officer knows."""
    with open("tests/golden/province.json", encoding="utf-8") as f:
        c = json.load(f)
    c["profile"] = "2026-level1"
    c["management"] = {"port": "mgmt0", "sources": ["admin-pc"]}
    c["soc"] = {"addresses": ["10.200.30.10"]}
    c["objects"]["accounting-server"] = ["192.168.20.15"]
    c["objects"]["data-centre"] = ["10.200.10.90"]
    c["serial"] = 12
    if change:
        change(c)
    return (json.dumps(c, ensure_ascii=False, indent=1) + "\n").encode()


def with_draft(appliance):
    """Put a draft on the appliance as the editor would make it."""
    c = json.loads(appliance.bytes)
    c["serial"] += 1
    c["rules"].insert(7, {"id": "r90", "from": ["server"], "to": ["tslcd"], "source": ["accounting-server"],
                          "destination": ["data-centre"], "service": ["tcp/8443"], "action": "permit",
                          "comment": "phần mềm kế toán"})
    c["rules"][1]["service"] = ["web"]
    del c["rules"][4]
    appliance.draft = (json.dumps(c, ensure_ascii=False, indent=1) + "\n").encode()
    return appliance


class Visit:
    """One browser tab on one appliance in a state of its own."""

    def __init__(self, env, appliance=None, size="1024x600", lang="vi", url=None):
        """Without @url: the pages of @appliance."""
        self.env = env
        if not url:
            self.appliance = env.server.use(appliance or Appliance(config()))
            url = env.server.url
        self.page = Page(env.browser, *SIZES[size])
        self.size, self.lang = size, lang
        if lang != "vi":
            self.page.do("Page.addScriptToEvaluateOnNewDocument",
                         source="localStorage.setItem('lang', %s)" % json.dumps(lang))
        self.page.goto(url)
        self.page.wait("document.querySelector('form button')", "the login form")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.page.close()

    def login(self, name="officer", code=None, password=None):
        """By the form, as a person; ends on the first page."""
        self.page.run("document.querySelector('input').focus()")
        self.page.type(name)
        self.page.key("Tab")
        self.page.type(password or LOGIN.get(name, "dau tien 1"))
        self.page.key("Tab")
        if code:
            self.page.type(code)
        self.page.key("Enter")
        return self

    def open(self, name):
        self.page.run("document.querySelector('#main .page').dataset.old = 1; go(%s)" % json.dumps(name))
        self.page.wait("document.querySelector('#main .page:not([data-old]) h1')"
                       " && !document.querySelector('[aria-busy]')", "the page " + name)

    def ready(self):
        self.page.wait("document.querySelector('#main .page h1')"
                       " && !document.querySelector('[aria-busy]')", "the page")

    def sound(self, what):
        """No complaint, no missing text, nothing wider than the window."""
        found = self.page.complaints()
        check(not found, "%s: %s" % (what, "; ".join(found)))
        html = self.page.run("document.documentElement.outerHTML")
        check("⟦" not in html, "%s: missing text %s" % (what, html[html.find("⟦"):][:40]))
        check("undefined" not in self.page.text() and "NaN" not in self.page.text(),
              "%s: shows undefined or NaN" % what)
        wide = self.page.run("""[document.documentElement.scrollWidth, innerWidth,
            [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right
                > innerWidth + 1 && !e.closest('.scroll,pre')).map((e) => e.tagName + '.' + e.className)
                .slice(0, 4).join(' ')]""")
        check(wide[0] <= wide[1], "%s: %d wide in a window of %d: %s" % (what, *wide))

    def shot(self, name):
        self.page.screenshot(os.path.join(SHOTS, "%s-%s-%s.png" % (name, self.lang, self.size)))

    def look(self, name):
        self.sound("%s %s %s" % (name, self.lang, self.size))
        self.shot(name)
