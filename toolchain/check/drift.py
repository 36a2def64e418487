"""Documents and tables that must agree with the code."""
import os
import re

import kconfiglib

from tree import run, strip_c

DESIGN = "firmware/DESIGN.md"
MSG_DEF = "firmware/include/msg.def"
BEGIN, END = "<!-- msg.def -->", "<!-- /msg.def -->"


def msg_sets(body):
    """The sets of msg.def: {name: "task, task"}."""
    sets = {"ANY": "any"}
    for name, bits in re.findall(r"^SET\((\w+), ([^\n]*)\)$", body, re.M):
        sets[name] = ", ".join(re.findall(r"BIT\((\w+)\)", bits))
    return sets


def msg_table(tree):
    """The Markdown table of msg.def: what DESIGN.md must show."""
    rows = ["| message | number | from | to | payload (bytes) | descriptors | rate (1/s) | meaning |",
            "|---|---|---|---|---|---|---|---|"]
    comment = ""
    pattern = re.compile(r"/\*(.*?)\*/|^MSG\(([^)]*)\)", re.S | re.M)
    body = tree.text(MSG_DEF)
    sets = msg_sets(body)
    for m in pattern.finditer(body[body.index("#ifdef MSG"):]):
        if m.group(1) is not None:
            comment = " ".join(m.group(1).replace("*", " ").split())
            continue
        name, number, sender, receiver, low, high, fds, rate = [
            w.strip() for w in m.group(2).split(",")]
        size = low if low == high else low + "-" + high
        rows.append("| %s | %s | %s | %s | %s | %s | %s | %s |" % (
            name, number, sets.get(sender, sender), sets.get(receiver, receiver), size, fds,
            "-" if rate == "0" else rate, comment))
        comment = ""
    return "\n".join(rows)


def marked(text):
    if BEGIN not in text or END not in text:
        return None
    return text.split(BEGIN, 1)[1].split(END, 1)[0].strip()


def msg_doc(tree):
    """The message table of DESIGN.md is the one of msg.def."""
    if not tree.exists(MSG_DEF):
        return
    if not tree.exists(DESIGN):
        yield "%s is missing; it holds the table of %s" % (DESIGN, MSG_DEF)
        return
    now = marked(tree.text(DESIGN))
    if now is None:
        yield "%s: no %s ... %s around the message table" % (DESIGN, BEGIN, END)
    elif now != msg_table(tree):
        yield "%s: the message table differs from %s; mend: make docs" % (DESIGN, MSG_DEF)


def write_docs(tree):
    """Put the generated table into DESIGN.md."""
    text = tree.text(DESIGN)
    if marked(text) is None:
        raise SystemExit("error: %s: no %s ... %s" % (DESIGN, BEGIN, END))
    head, rest = text.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    with open(tree.path(DESIGN), "w", encoding="utf-8") as f:
        f.write("%s%s\n%s\n%s%s" % (head, BEGIN, msg_table(tree), END, tail))


def board_readme(tree):
    """A board's README shows what its `run` script executes."""
    for script in tree.files:
        m = re.fullmatch(r"board/([^/]+)/run", script)
        if not m:
            continue
        readme = "board/%s/README.md" % m.group(1)
        if not tree.exists(readme):
            yield "%s is missing; it shows the command of %s" % (readme, script)
            continue
        blocks = re.findall(r"```[a-z]*\n(.*?)```", tree.text(readme), re.S)
        shown = [" ".join(b.replace("\\\n", " ").split()) for b in blocks]
        source = tree.text(script)
        for name in re.findall(r"\$\(block ([\w-]+)", source):
            if "```sh %s\n" % name not in tree.text(readme):
                yield "%s: no code block \"sh %s\" for %s" % (readme, name, script)
        if "$(block " in source:
            continue        # executes what stands in the README
        if "--print" not in source:
            if not any(script in b for b in blocks + re.findall(r"^    .*", tree.text(readme),
                                                               re.M)):
                yield "%s: does not show how to start %s" % (readme, script)
            continue
        rc, out = run([tree.path(script), "--print"], cwd=tree.top)
        real = " ".join(out.replace("\\\n", " ").split())
        if rc != 0 or not real:
            yield "%s --print failed: %s" % (script, real[:200])
        elif real not in shown:
            yield "%s: no code block shows what %s executes: %s" % (readme, script, real[:300])


def symbols(tree):
    os.environ.update(BOARD="host", PROFILE="dev", srctree=tree.top)
    kconf = kconfiglib.Kconfig("Kconfig", warn=False)
    return kconf.unique_defined_syms


def kconfig_help(tree):
    """Each option has a help text; a number has its range and its unit."""
    if not tree.exists("Kconfig"):
        return
    for sym in symbols(tree):
        where = "Kconfig option " + sym.name
        prompts = [n.prompt[0] for n in sym.nodes if n.prompt]
        if not any(n.help for n in sym.nodes) and prompts:
            yield where + ": no help"
        if sym.orig_type in (kconfiglib.INT, kconfiglib.HEX):
            if not sym.ranges:
                yield where + ": no range"
            if not any(re.search(r"\(.+\)$", p) for p in prompts):
                yield where + ": the prompt ends without its unit, like (bytes)"
            text = " ".join(n.help or "" for n in sym.nodes)
            if not re.search(r"\b(memory|bytes|kB|MiB|RAM|flash|stack)\b", text):
                yield where + ": the help does not say what it costs in memory"


# Files that speak of the kernel's or U-Boot's own CONFIG_ names.
FOREIGN = re.compile(r"\.fragment$|^toolchain/(kernel|uboot|kconfig|check)/|/Kconfig$|^Kconfig$"
                     r"|\.md$|^tests/selftest/")


def kconfig_used(tree):
    """Each option that one can choose is used, and C uses only options that exist."""
    if not tree.exists("Kconfig"):
        return
    syms = symbols(tree)
    defined = {s.name for s in syms}
    chosen = {s.name for s in syms if any(n.prompt for n in s.nodes)}
    used = set()
    for f in tree.files:
        if FOREIGN.search(f) or tree.is_link(f):
            continue
        is_c = f.endswith((".c", ".h"))
        text = tree.text(f)
        for n, line in enumerate((strip_c(text) if is_c else text).split("\n"), 1):
            for name in re.findall(r"\bCONFIG_(\w+)", line):
                used.add(name)
                if is_c and name not in defined:
                    yield "%s:%d: CONFIG_%s is no option of Kconfig" % (f, n, name)
    for name in sorted(chosen - used):
        yield "Kconfig option %s is used by nothing" % name
