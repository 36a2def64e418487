"""Checks by programs of the build root: clang-format, clang-tidy, cppcheck..."""
import concurrent.futures
import hashlib
import os
import re
import sys

from tree import run

HERE = os.path.dirname(os.path.abspath(__file__))


def parallel(function, items):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        for found in pool.map(function, items):
            yield from found


def clang_format(tree):
    """.clang-format decides."""
    def one(f):
        rc, out = run(["clang-format", "--dry-run", "--Werror", f], cwd=tree.top)
        if rc != 0:
            lines = sorted({int(n) for n in re.findall(r":(\d+):\d+: error", out)})
            yield "%s: lines %s; mend: clang-format -i %s" % (
                f, " ".join(map(str, lines[:8])), f)
    yield from parallel(one, tree.named(".c", ".h"))


def clang_tidy(tree):
    """bugprone, cert, misc and analyzer checks without the noise (clang-tidy.yaml)."""
    config = os.path.join(HERE, "clang-tidy.yaml")
    common = hashlib.sha256()
    with open(config, "rb") as f:
        common.update(f.read())
    common.update(" ".join(tree.cppflags).encode())
    common.update(run(["clang-tidy", "--version"])[1].encode())
    headers = tree.named(".h", ".def")
    auto = [f for f in tree.cppflags if f.endswith("autoconf.h") and tree.exists(f)]
    for f in headers + auto:
        common.update(f.encode() + b"\0" + tree.bytes(f))
    stamps = tree.path("out/check/tidy")
    os.makedirs(stamps, exist_ok=True)

    def one(f):
        key = common.copy()
        key.update(f.encode() + b"\0" + tree.bytes(f))
        stamp = os.path.join(stamps, key.hexdigest())
        if os.path.exists(stamp):
            return
        rc, out = run(["clang-tidy", "--quiet", "--config-file=" + config, f, "--",
                       "-std=gnu11", *tree.cppflags, "-Itests/unit"], cwd=tree.top)
        found = [s for s in out.split("\n") if re.search(r": (warning|error): ", s)]
        for s in found:
            yield s.replace(tree.top + "/", "")
        if rc != 0 and not found:
            yield "%s: clang-tidy ended with %d: %s" % (f, rc, out.strip()[:200])
        if rc == 0 and not found:
            with open(stamp, "w", encoding="utf-8"):
                pass
    yield from parallel(one, tree.named(".c"))


def cppcheck(tree):
    """cppcheck without style remarks."""
    files = tree.named(".c")
    if not files:
        return
    build = tree.path("out/check/cppcheck")
    os.makedirs(build, exist_ok=True)
    flags = [f for f in tree.cppflags if f.startswith(("-I", "-D"))]
    rc, out = run(["cppcheck", "--quiet", "--std=c11", "--enable=warning,performance,portability",
                   "--inline-suppr", "--suppress=missingInclude",
                   "--suppressions-list=" + os.path.join(HERE, "cppcheck.txt"),
                   "--cppcheck-build-dir=" + build, "--error-exitcode=1",
                   "--include=" + auto_header(tree), "-j", str(os.cpu_count() or 2),
                   "--template={file}:{line}: {message} [{id}]", *flags, *files],
                  cwd=tree.top)
    if rc != 0:
        yield from [s for s in out.split("\n") if re.search(r"\[\w+\]$", s)] or [out[:300]]


def web_ui(tree):
    """Texts of the web interface in both languages, markup, size (toolchain/uipack)."""
    if not tree.exists("web-ui/pages/index.html"):
        return
    pack = os.path.join(HERE, "..", "uipack", "uipack")
    rc, out = run([sys.executable, pack, "--check", "--tree", tree.top])
    if rc != 0:
        yield from [s.replace("error: ", "", 1) for s in out.split("\n") if s.strip()]


def auto_header(tree):
    return next((f for f in tree.cppflags if f.endswith("autoconf.h")), "/dev/null")


def codespell(tree):
    """Spelling, with the words of codespell.txt allowed."""
    files = [f for f in tree.files if f != "LICENSE" and "/i18n/" not in f
             and "/corpus/" not in f and not f.endswith(("codespell.txt", ".listing", ".netlink"))
             and not tree.is_link(f)]
    ignore = os.path.join(HERE, "codespell.txt")
    rc, out = run(["codespell", "--ignore-words=" + ignore, *files], cwd=tree.top)
    if rc != 0:
        yield from [s for s in out.split("\n") if s.strip()]


def shellcheck(tree):
    """Every shell script; `a && b || c` and '$x' in single quotes are meant here."""
    for f in sorted(set(tree.scripts(["sh", "bash"]) + tree.named(".sh"))):
        rc, out = run(["shellcheck", "-x", "--format=gcc", "--exclude=SC2015,SC2016", f], cwd=tree.top)
        if rc != 0:
            yield from [s for s in out.split("\n") if s.strip()]
