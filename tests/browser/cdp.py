"""A Chromium driven over its debugging pipe: no driver program, no package.

Messages are JSON ended by a NUL byte on descriptors 3 (to it) and 4 (from it).
"""
import base64
import collections
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

WAIT_S = 15
KEYS = {
    "Tab": (9, "Tab", ""), "Enter": (13, "Enter", "\r"), " ": (32, "Space", " "),
    "Escape": (27, "Escape", ""), "ArrowDown": (40, "ArrowDown", ""),
    "ArrowUp": (38, "ArrowUp", ""), "ArrowRight": (39, "ArrowRight", ""),
}
# Before any script of the page: collect what its policy refuses.
WATCH = """
window.__refused = [];
document.addEventListener("securitypolicyviolation",
    (e) => window.__refused.push(e.violatedDirective + " " + e.blockedURI));
"""


class Problem(Exception):
    """The browser, or what a test saw in it; the text is for people."""


class Browser:
    """One headless Chromium with its own profile."""

    def __init__(self):
        self.home = tempfile.mkdtemp(prefix="luytre-browser-")
        to_r, to_w = os.pipe()
        from_r, from_w = os.pipe()
        args = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-first-run", "--disable-background-networking", "--disable-component-update",
                "--disable-sync", "--ignore-certificate-errors", "--hide-scrollbars", "--lang=vi",
                "--force-color-profile=srgb", "--remote-debugging-pipe",
                "--user-data-dir=" + self.home, "about:blank"]
        with open(os.path.join(self.home, "log"), "wb") as log:
            self.process = subprocess.Popen(
                ["sh", "-c", 'exec "$@" 3<&%d 4>&%d' % (to_r, from_w), "sh", *args],
                pass_fds=(to_r, from_w), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "HOME": self.home})
        os.close(to_r)
        os.close(from_w)
        self.out, self.inp = to_w, from_r
        self.buffer, self.last = b"", 0
        self.events = collections.deque()
        self.send("Browser.getVersion", {})

    def close(self):
        try:
            self.send("Browser.close", {}, wait_s=5)
        except Problem:
            pass
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.out)
        os.close(self.inp)
        shutil.rmtree(self.home, ignore_errors=True)

    def _read(self, until):
        """The next message, None when the time is over."""
        while b"\0" not in self.buffer:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.inp], [], [], left)[0]:
                return None
            data = os.read(self.inp, 1 << 20)
            if not data:
                raise Problem("the browser has ended")
            self.buffer += data
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def send(self, method, params, session=None, wait_s=WAIT_S):
        """One command; its result."""
        self.last += 1
        message = {"id": self.last, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + wait_s
        while True:
            answer = self._read(until)
            if answer is None:
                raise Problem("no answer to %s within %d s" % (method, wait_s))
            if answer.get("id") == self.last:
                if "error" in answer:
                    raise Problem("%s: %s" % (method, answer["error"]["message"]))
                return answer["result"]
            if "method" in answer:
                self.events.append(answer)

    def event(self, name, wait_s=WAIT_S):
        """The parameters of the next event of this name; others stay."""
        until = time.monotonic() + wait_s
        while True:
            for e in list(self.events):
                if e["method"] == name:
                    self.events.remove(e)
                    return e["params"]
            message = self._read(until)
            if message is None:
                raise Problem("no event %s within %d s" % (name, wait_s))
            if "method" in message:
                self.events.append(message)


class Page:
    """One tab."""

    def __init__(self, browser, width=1024, height=600):
        self.b = browser
        self.context = browser.send("Target.createBrowserContext", {})["browserContextId"]
        target = browser.send("Target.createTarget",
                              {"url": "about:blank", "browserContextId": self.context})["targetId"]
        self.session = browser.send("Target.attachToTarget",
                                    {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self.do(domain + ".enable")
        self.do("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        self.size(width, height)
        self.keys = 0

    def do(self, method, **params):
        return self.b.send(method, params, self.session)

    def close(self):
        self.b.send("Target.disposeBrowserContext", {"browserContextId": self.context})

    def size(self, width, height):
        self.do("Emulation.setDeviceMetricsOverride", width=width, height=height,
                deviceScaleFactor=1, mobile=width < 600)

    def goto(self, url):
        self.do("Page.navigate", url=url)
        self.b.event("Page.loadEventFired")

    def run(self, code):
        """Value of an expression; promises are waited for."""
        r = self.do("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True,
                    userGesture=False)
        if "exceptionDetails" in r:
            d = r["exceptionDetails"]
            raise Problem("%s: %s" % (code[:80], d.get("exception", {}).get("description", d["text"])))
        return r["result"].get("value")

    def wait(self, condition, what=None, wait_s=WAIT_S):
        """Until an expression is true, looked at once a frame."""
        ok = self.run("""new Promise((done) => {
            const end = performance.now() + %d;
            const look = () => {
                let v = false;
                try { v = (%s); } catch (e) { v = false; }
                if (v) done(true);
                else if (performance.now() > end) done(false);
                else setTimeout(look, 30);
            };
            look();
        })""" % (wait_s * 1000 - 1000, condition))
        if not ok:
            raise Problem("waited %d s for %s; the page says: %s"
                          % (wait_s, what or condition, self.text()[:400]))

    def text(self):
        return self.run("document.body.innerText") or ""

    def wait_text(self, text):
        self.wait("document.body.innerText.includes(%s)" % json.dumps(text), "the text \"%s\"" % text)

    def key(self, name, shift=False):
        code, word, text = KEYS[name]
        p = {"key": name, "code": word, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        self.do("Input.dispatchKeyEvent", type="keyDown", text=text, **p)
        self.do("Input.dispatchKeyEvent", type="keyUp", **p)
        self.keys += 1

    def type(self, text):
        """Text into what has the focus, as an input method does."""
        self.do("Input.insertText", text=text)
        self.keys += len(text)

    def tab_to(self, condition, what, limit=120):
        """Press Tab until the focused element (named e) meets a condition."""
        test = "((e) => %s)(document.activeElement)" % condition
        for _ in range(limit):
            if self.run(test):
                return
            self.key("Tab")
        raise Problem("by Tab alone %s cannot be reached" % what)

    def tab_to_text(self, text):
        """Tab to a button or link with this text or label."""
        t = json.dumps(text)
        self.tab_to("e.matches('a,button,summary') && (e.textContent.trim() === %s"
                    " || e.getAttribute('aria-label') === %s)" % (t, t), "\"%s\"" % text)

    def tab_to_field(self, label):
        self.tab_to("e.id && document.querySelector('label[for=\"' + e.id + '\"]')"
                    " && document.querySelector('label[for=\"' + e.id + '\"]').textContent.trim() === %s"
                    % json.dumps(label), "the field \"%s\"" % label)

    def screenshot(self, path, full=True):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        r = self.do("Page.captureScreenshot", format="png", captureBeyondViewport=full)
        with open(path, "wb") as f:
            f.write(base64.b64decode(r["data"]))

    def complaints(self):
        """Errors that the page or the browser has reported since the last call. Answers
        of the API that are no success are not among them: the page shows those."""
        found = []
        self.run("0")
        for e in list(self.b.events):
            p = e["params"]
            if e.get("sessionId") != self.session:
                continue
            text = None
            if e["method"] == "Runtime.exceptionThrown":
                d = p["exceptionDetails"]
                text = d.get("exception", {}).get("description", d["text"])
            elif e["method"] == "Runtime.consoleAPICalled" and p["type"] in ("error", "warning", "assert"):
                text = " ".join(str(a.get("value", a.get("description"))) for a in p["args"])
            elif e["method"] == "Log.entryAdded" and p["entry"]["level"] in ("error", "warning"):
                entry = p["entry"]
                if not (entry["source"] == "network" and "/api/" in entry.get("url", "")):
                    text = entry["text"] + " " + entry.get("url", "")
            else:
                continue
            self.b.events.remove(e)
            if text:
                found.append(text)
        return found + ["refused by the policy: " + r for r in self.run("window.__refused || []")]
