"""Own rules for C: docstrings, banned calls, lengths, headers that stand alone."""
import re

from tree import functions, read_tsv, run, strip_c

MAX_FUNCTION = 60
MAX_FILE = 800
LENGTHS = "toolchain/check/lengths.tsv"

# A call that is never right here, and what to use in its place.
BANNED = {
    "strcpy": "sbuf_put or memcpy with a checked length",
    "stpcpy": "sbuf_put", "strcat": "sbuf_put", "strncat": "sbuf_put",
    "sprintf": "sbuf_putf or snprintf", "vsprintf": "vsnprintf",
    "system": "fork and exec with fixed arguments", "popen": "fork and exec",
    "getenv": "a fixed value or an argument", "secure_getenv": "an argument",
    "atoi": "span_to_u64", "atol": "span_to_u64", "atoll": "span_to_u64",
    "atof": "integers", "gets": "read with a length", "alloca": "a sized array",
    "strtok": "span_take_word", "tmpnam": "memfd_create or mkstemp",
    "mktemp": "mkstemp", "rand": "getrandom", "srand": "getrandom",
    "longjmp": "an error code", "strdupa": "strdup", "sleep": "poll on the event",
    "usleep": "poll on the event",
}


def docstring(tree):
    """Every exported function has a comment above it; its @names are parameters."""
    for f in tree.named(".c"):
        if not f.startswith(("firmware/", "toolchain/")):
            continue
        for fn in functions(tree.text(f)):
            if fn.name == "main":
                continue
            if fn.is_exported and not fn.doc:
                yield "%s:%d: %s() has no comment block above it" % (f, fn.first, fn.name)
            for name in re.findall(r"(?<![\w.])@(\w+)", fn.doc):
                if name not in fn.params:
                    yield "%s:%d: the comment of %s() names @%s, which is no parameter" % (
                        f, fn.first, fn.name, name)


def banned(tree):
    """Calls that style forbids."""
    words = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(BANNED))
    for f in tree.named(".c", ".h"):
        # programs of a PC have an environment, tests may jump out of a power cut
        excused = {"toolchain/": ("getenv",), "tests/": ("longjmp",)}.get(
            f.split("/")[0] + "/", ())
        for n, line in enumerate(strip_c(tree.text(f)).split("\n"), 1):
            for name in words.findall(line):
                if name in excused:
                    continue
                yield "%s:%d: %s() is banned; use %s" % (f, n, name, BANNED[name])


def length(tree):
    """Functions and files that grew too long; lengths.tsv holds the exceptions."""
    allowed = {}
    for n, (path, name, reason) in read_tsv(tree, LENGTHS, 3):
        if len(reason) < 20:
            yield "%s:%d: say why (at least a sentence)" % (LENGTHS, n)
        allowed[(path, name)] = n
    used = set()
    for f in tree.named(".c", ".h", ".py", ".sh", ".js") + tree.scripts(["sh", "bash"]):
        lines = tree.text(f).count("\n")
        if lines > MAX_FILE:
            used.add((f, "-"))
            if (f, "-") not in allowed:
                yield "%s: %d lines, at most %d" % (f, lines, MAX_FILE)
        if not f.endswith(".c"):
            continue
        for fn in functions(tree.text(f)):
            if fn.length <= MAX_FUNCTION:
                continue
            used.add((f, fn.name))
            if (f, fn.name) not in allowed:
                yield "%s:%d: %s() has %d lines, at most %d" % (
                    f, fn.first, fn.name, fn.length, MAX_FUNCTION)
    for key, n in allowed.items():
        if key not in used:
            yield "%s:%d: %s %s is short enough now, remove the line" % (LENGTHS, n, *key)


def header(tree):
    """Each header compiles alone, under the product's warnings."""
    for f in tree.named(".h"):
        if not f.startswith(("firmware/", "toolchain/", "tests/")):
            continue
        rc, out = run(["gcc", "-std=gnu11", "-fsyntax-only", *tree.cppflags, "-Itests/unit",
                       *tree.warn, "-x", "c", "-include", f, "/dev/null"], cwd=tree.top)
        if rc != 0:
            yield "%s: does not compile alone: %s" % (f, " ".join(out.split())[:300])
