"""Text that wants to be more than text: comments, names and agencies with markup,
scripts, other directions of writing, and much of it."""
from appliance import Appliance, Refusal
from suite import PAGES, Visit, check, config, test

MARKUP = '<img src=x onerror="window.__pwned=1"><script>window.__pwned=1</script>'
OTHERS = ("\u202egnp.exe\u202c مرحبا", "Ủy ban nhân dân xã Mường Khương – Phòng Kế toán, Ngân sách",
          "a" * 200, "{n} ⟨x⟩ &amp; ${1} \u2028")


def hostile(c):
    c["agency"] = MARKUP + OTHERS[1]
    for i, r in enumerate(c["rules"]):
        r["comment"] = (MARKUP, *OTHERS)[i % 5]
    c["objects"]["__proto__"] = ["192.168.20.77"]
    c["objects"]["constructor"] = ["192.168.20.78"]
    c["rules"][2]["destination"] = ["__proto__", "constructor", "agency-server"]


@test
def markup_is_text(env):
    a = Appliance(config(hostile))
    a.draft = config(lambda c: (hostile(c), c.update(serial=13, agency=MARKUP + "x"),
                                c["rules"][0].update(comment=MARKUP + "nháp")))
    a.add("<b>x", "viewer", "x")
    for size in ("1024x600", "390x844"):
        with Visit(env, a, size) as v:
            v.login("nva").ready()
            for name in PAGES + ("policy/new", "policy/edit/r30", "policy/names"):
                v.open(name)
                v.page.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
                v.look("hostile-" + name.replace("/", "-"))
                check(not v.page.run("window.__pwned || document.querySelectorAll("
                                     "'#root script, #root img[src=x], #root b').length"),
                      "%s: markup of a text became part of the page" % name)
            v.open("change")
            v.open("network")
            v.open("policy")
            check("‹U+202E›gnp.exe" in v.page.text(), "a character that turns the direction is not shown")
            v.open("change")
            check(MARKUP + "nháp" in v.page.text(), "the comment is not shown as it is")


@test
def markup_in_errors(env):
    a = Appliance(config())
    a.fail["/api/counters"] = Refusal(500, "internal", MARKUP)
    with Visit(env, a) as v:
        v.login().ready()
        v.page.wait_text("<img src=x")
        check(not v.page.run("window.__pwned"), "markup of an error ran")
        v.sound("error with markup")


@test
def markup_in_address(env):
    """What stands behind # chooses a page and nothing else."""
    with Visit(env) as v:
        v.login().ready()
        for name in ("policy/edit/%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E", "constructor", "__proto__/x",
                     "policy/edit/%E0%A4%A"):
            v.open(name)
            check(not v.page.run("document.querySelector('#root img[src=x]')"), name + " became markup")
        v.sound("strange addresses")


@test
def policy_forbids(env):
    """The server's policy stops inline code and other hosts even if a page had some."""
    with Visit(env) as v:
        v.page.run("""(() => { const s = document.createElement('script'); s.textContent = 'window.__pwned=1';
            document.body.append(s); const i = document.createElement('img');
            i.src = 'https://127.0.0.2/x.png'; document.body.append(i); })()""")
        v.page.wait("window.__refused.length >= 2", "two refusals")
        check(not v.page.run("window.__pwned"), "an inline script ran")
        v.page.complaints()


@test
def before_login(env):
    """Without a session only the public part is served, and it names nothing."""
    with Visit(env) as v:
        got = v.page.run("""Promise.all(['/app.js', '/vi.json', '/en.json', '/api/status', '/api/config'].map(
            (p) => fetch(p).then((r) => r.status)))""")
        check(got == [401] * 5, "served before login: %s" % got)
        text = v.page.run("document.documentElement.outerHTML")
        for word in ("LT-MUONG-KHUONG", "Mường Khương", "qemu"):
            check(word not in text, "the login page names %s" % word)
