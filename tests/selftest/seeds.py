"""Violations to seed: (check, case, files, text that must be printed, history).

Bad text is put together from pieces, so that the checks do not find it here.
"""
import importlib.machinery
import importlib.util
import os

C_GOOD = """#include "lib/good.h"

/*
 * Add one to @n.
 */
int good_add(int n)
{
\treturn n + 1;
}
"""
H_GOOD = """#ifndef GOOD_H
#define GOOD_H

int good_add(int n);

#endif
"""
KCONFIG = """mainmenu "test"

config SIZE
\tint "Size of it (bytes)"
\trange 1 10
\tdefault 5
\thelp
\t  Costs one byte of memory each.
"""
MSG_DEF = """#ifdef MSG
/* Hello. */
MSG(HELLO, 1, a, b, 1, 200, 0, 100)
#endif
"""
DESIGN = """# Design

<!-- msg.def -->
| message | number | from | to | payload (bytes) | descriptors | rate (1/s) | meaning |
|---|---|---|---|---|---|---|---|
| HELLO | 1 | a | b | 1-200 | 0 | 100 | Hello. |
<!-- /msg.def -->
"""
API_DEF = """#ifdef API
API(A, GET, "/api/a", ANYONE, 5, 0, IDLE, a)
API(B, POST, "/api/b", ALL & ~VIEWER, 5, 100, JSON,
    b)
#endif
#ifdef FIELD
FIELD(B, name, STRING, true, 1, 9)
#endif
#ifdef ERROR
ERROR(BAD, "bad", 400)
#endif
"""
API_YAML = """roles: [viewer, soc-admin]
errors:
  bad: 400
endpoints:
  - path: /api/a   # words
    method: GET
    roles: [anyone]
    rate: 5
    activity: no
    body_max: 0
    answer:
      x: string

  - path: /api/b
    method: POST
    roles: [soc-admin]
    rate: 5
    body_max: 100
    body_type: json
    body:
      name: string(1-9) optional
    answer: document
"""
BOARD_RUN = "#!/bin/sh\n# --print\necho qemu -m 512\necho \"  -smp 2\"\n"
with open(os.path.join(os.path.dirname(__file__), "../../.clang-format"), encoding="utf-8") as style:
    FORMAT = style.read()
CLEAN = {
    ".clang-format": FORMAT,
    ".gitignore": "/out/\n",
    "Kconfig": KCONFIG,
    "Makefile": "SIZE := $(CONFIG_SIZE)\n",
    "README.md": "A small firewall.\n",
    "board/b/README.md": "```sh\nqemu -m 512 \\\n    -smp 2\n```\n",
    "board/b/run": BOARD_RUN,
    "data.json": "{\"a\": 1, \"b\": [2]}\n",
    "firmware/DESIGN.md": DESIGN,
    "firmware/include/msg.def": MSG_DEF,
    "firmware/lib/good.c": C_GOOD,
    "firmware/lib/good.h": H_GOOD,
    "tool.py": "print(1)\n",
    "tool.sh": "#!/bin/sh\necho \"$1\"\n",
}


def api(table=API_DEF, document=API_YAML):
    """A server's table and the document about it."""
    return {"firmware/mgmtd/api.def": table, "web-ui/api.yaml": document}


def c_file(body):
    return C_GOOD + "\n" + body


def web(page='<script src="/login.js" defer></script>', vi="a.b = một\n", en="a.b = one\n",
        code='t("a.b");\n', style="p { margin: 0; }\n"):
    """A small web interface."""
    files = {"web-ui/assets/%s.js" % n: "\n" for n in ("core", "api", "login", "net", "model", "words")}
    return {**files, "web-ui/pages/index.html": page + "\n", "web-ui/assets/style.css": style,
            "web-ui/assets/mark.svg": "<svg/>\n", "web-ui/assets/app/x.js": code,
            "web-ui/i18n/vi.txt": vi, "web-ui/i18n/en.txt": en, "web-ui/api.yaml": None}


LONG_FUNCTION = ("/*\n * Long.\n */\nint good_long(int n)\n{\n" + "\tn++;\n" * 62
                 + "\treturn n;\n}\n")
BLOB = "".join("%s" % c for c in ("QUJD" "abcd0123") * 10)
PEM = "-----BEGIN EC PRIVATE " + "KEY-----\n"
LIB = "firmware/lib/good.c"

SEEDS = [
    ("format", "spaces", {LIB: C_GOOD.replace("\treturn", "    return")}, LIB),
    ("text", "latin1", {"a.md": b"caf\xe9\n"}, "a.md: not UTF-8"),
    ("text", "crlf", {"a.md": b"x\r\n"}, "a.md: has CR"),
    ("text", "no-newline", {"a.md": "x"}, "a.md: the last line"),
    ("text", "blank-at-end", {"a.md": "x \n"}, "a.md:1: blank"),
    ("binary", "nul", {"a.txt": b"a\0b\n"}, "a.txt: binary"),
    ("binary", "archive", {"a.gz": "not even packed\n"}, "a.gz: binary"),
    ("binary", "submodule", {".gitmodules": "[submodule]\n"}, ".gitmodules"),
    ("third-party", "vendor-folder", {"firmware/vendor/x.c": C_GOOD}, "firmware/vendor/x.c"),
    ("third-party", "copyright", {LIB: "/* Copyrigh" "t (c) 2001 Somebody */\n" + C_GOOD},
     LIB + ":1"),
    ("machine", "root-path", {"a.sh": "#!/bin/sh\ncat /roo" "t/x\n"}, "a.sh:2"),
    ("machine", "home-path", {"a.md": "see /hom" "e/minh/x\n"}, "a.md:1"),
    ("machine", "registry", {"a.md": "http://deb.debia" "n.org/debian\n"}, "a.md:1"),
    ("secret", "private-key", {"key.txt": PEM}, "key.txt:1: private key"),
    ("secret", "password", {"a.py": "passwor" "d = \"hunter2hunter2\"\n"}, "a.py:1: password"),
    ("secret", "password-hash", {"shadow": "x:$6" "$abcdefgh$0123456789abcdefghij:\n"},
     "shadow:1: password hash"),
    ("secret", "base64", {"a.txt": BLOB + "\n"}, "a.txt:1: long base64"),
    ("secret", "hex", {"a.txt": "0a" * 70 + "\n"}, "a.txt:1: long hex"),
    ("secret", "token", {"a.txt": "AKI" "A" + "ABCDEFGH12345678\n"}, "a.txt:1: access token"),
    ("secret", "url", {"a.txt": "https://user:pw" "@example.vn/\n"}, "a.txt:1: URL"),
    ("secret", "history", {}, "history: commit", {"key.txt": PEM}),
    ("secret", "stale-exception", {"toolchain/check/secrets-allowed.tsv":
                                   "id\twhere\treason\n0123\tx\tthis is nothing but a test\n"},
     "0123 is found nowhere"),
    ("json", "comma", {"a.json": "{\"a\": 1,}\n"}, "a.json"),
    ("json", "duplicate-key", {"a.json": "{\"a\": 1, \"a\": 2}\n"}, "duplicate key"),
    ("python", "syntax", {"a.py": "def f(:\n"}, "a.py:1"),
    ("docstring", "missing", {LIB: c_file("int good_sub(int n)\n{\n\treturn n - 1;\n}\n")},
     "good_sub() has no comment"),
    ("docstring", "missing-after-blank", {LIB: c_file(
        "/* Not about it. */\n\nint good_sub(int n)\n{\n\treturn n - 1;\n}\n")},
     "good_sub() has no comment"),
    ("docstring", "stale-name", {LIB: C_GOOD.replace("@n", "@count")}, "names @count"),
    ("banned", "strcpy", {LIB: C_GOOD.replace("n + 1", "(int)(long)strcpy(0, 0)")},
     LIB + ":8: strcpy()"),
    ("banned", "system-split", {LIB: C_GOOD.replace("n + 1", "system (\"x\")")}, "system()"),
    ("banned", "getenv", {LIB: C_GOOD.replace("n + 1", "!getenv(\"x\")")}, "getenv()"),
    ("banned", "in-header", {"firmware/lib/good.h": H_GOOD.replace(
        "int good_add(int n);", "#define X(a) atoi(a)")}, "atoi()"),
    ("length", "function", {LIB: c_file(LONG_FUNCTION)}, "good_long() has"),
    ("length", "file", {LIB: C_GOOD + "/* */\n" * 800}, "at most 800"),
    ("length", "stale-exception", {"toolchain/check/lengths.tsv":
                                   "path\tfunction\treason\nx.c\tf\tthis is nothing but a test\n"},
     "short enough now"),
    ("length", "exception-without-reason", {
        LIB: c_file(LONG_FUNCTION), "toolchain/check/lengths.tsv":
        "path\tfunction\treason\n" + LIB + "\tgood_long\tlong\n"}, "say why"),
    ("header", "not-alone", {"firmware/lib/bad.h": "size_t bad(void);\n"}, "firmware/lib/bad.h"),
    ("msg-doc", "number", {"firmware/DESIGN.md": DESIGN.replace("| 1 |", "| 2 |")}, "differs"),
    ("msg-doc", "new-message", {"firmware/include/msg.def": MSG_DEF.replace(
        "#endif", "MSG(BYE, 2, b, a, 0, 0, 0, 0)\n#endif")}, "differs"),
    ("msg-doc", "no-table", {"firmware/DESIGN.md": "# Design\n"}, "no <!-- msg.def -->"),
    ("api-doc", "no-file", api(document=None), "web-ui/api.yaml is missing"),
    ("api-doc", "only-server", api(API_DEF.replace(
        "#ifdef FIELD", "API(C, GET, \"/api/c\", ALL, 1, 0, 0, c)\n#ifdef FIELD")),
     "api.def: GET /api/c is only here"),
    ("api-doc", "only-yaml", api(API_DEF.replace(
        "API(A, GET, \"/api/a\", ANYONE, 5, 0, IDLE, a)\n", "")),
     "api.yaml: GET /api/a is only here"),
    ("api-doc", "role", api(document=API_YAML.replace("[soc-admin]", "[viewer]")),
     "POST /api/b: roles"),
    ("api-doc", "rate", api(document=API_YAML.replace("rate: 5", "rate: 6")), "rate is 6"),
    ("api-doc", "size", api(document=API_YAML.replace("100", "101")), "body_max is 101"),
    ("api-doc", "activity", api(document=API_YAML.replace("    activity: no\n", "")),
     "activity is None"),
    ("api-doc", "field", api(document=API_YAML.replace("(1-9)", "(1-8)")), "body is"),
    ("api-doc", "error", api(document=API_YAML.replace("bad: 400", "bad: 401")),
     "error bad 40"),
    ("api-doc", "answer", api(document=API_YAML.replace("    answer: document\n", "")),
     "POST /api/b has no answer"),
    ("board-readme", "other-command", {"board/b/README.md": "```sh\nqemu -m 256 -smp 2\n```\n"},
     "board/b/README.md: no code block"),
    ("board-readme", "no-block", {"board/b/run": "#!/bin/sh\ncommand=$(block qemu)\n$command\n"},
     "board/b/README.md: no code block \"sh qemu\""),
    ("board-readme", "not-shown", {"board/b/run": "#!/bin/sh\nqemu\n"}, "does not show how"),
    ("board-readme", "no-readme", {"board/b/README.md": None}, "board/b/README.md is missing"),
    ("kconfig-help", "no-help", {"Kconfig": KCONFIG.split("\thelp")[0]}, "SIZE: no help"),
    ("kconfig-help", "no-range", {"Kconfig": KCONFIG.replace("\trange 1 10\n", "")},
     "SIZE: no range"),
    ("kconfig-help", "no-unit", {"Kconfig": KCONFIG.replace(" (bytes)", "")}, "SIZE: the prompt"),
    ("kconfig-help", "no-cost", {"Kconfig": KCONFIG.replace("byte of memory", "coin")},
     "SIZE: the help does not"),
    ("kconfig-used", "unused", {"Makefile": "all:\n"}, "SIZE is used by nothing"),
    ("kconfig-used", "unknown", {LIB: C_GOOD.replace("n + 1", "n + CONFIG_SIZEE")},
     LIB + ":8: CONFIG_SIZEE"),
    ("web-ui", "missing-in-english", web(en="# none\n"), "the key a.b is missing"),
    ("web-ui", "no-text", web(code='t("a.b"); t("a.c");\n'), "there is no text a.c"),
    ("web-ui", "unused", web(vi="a.b = một\na.z = hai\n", en="a.b = one\na.z = two\n"),
     "a.z is used nowhere"),
    ("web-ui", "holes-differ", web(vi="a.b = {n} dòng\n"), "the {words} differ"),
    ("web-ui", "inline", web(page="<script>x</script>"), "inline script"),
    ("web-ui", "elsewhere", web(page='<img src="https://x.test/a.png">'), "not of this appliance"),
    ("web-ui", "markup-from-text", web(code='t("a.b"); e.innerHTML = x;\n'), "innerHTML"),
    ("web-ui", "browser-storage", web(code='t("a.b"); localStorage.setItem("token", x);\n'), "only the language"),
    ("web-ui", "too-large", web(style="/* %s */\n" % "".join(
        "%x" % (pow(7, i, 1000003) % 16) for i in range(260000))), "the limit is"),
    ("codespell", "typo", {"README.md": "It will recei" "eve packets.\n"}, "README.md:1"),
    ("shellcheck", "unquoted", {"tool.sh": "#!/bin/sh\nrm $1\n"}, "tool.sh:2"),
    ("shellcheck", "no-suffix", {"tool": "#!/bin/bash\nif [ $x = 1 ]; then echo; fi\n"}, "tool:2"),
    ("cppcheck", "overflow", {LIB: c_file(
        "/*\n * Bad.\n */\nint good_bad(void)\n{\n\tint a[2] = {0, 0};\n\n\treturn a[2];\n}\n")},
     "arrayIndexOutOfBounds"),
    ("clang-tidy", "suspicious-sizeof", {LIB: "#include <string.h>\n" + c_file(
        "/*\n * Bad.\n */\nvoid good_bad(char *p)\n{\n\tmemset(p, 0, sizeof(p));\n}\n")},
     "warning:"),
    ("clang-tidy", "null", {LIB: c_file(
        "/*\n * Bad.\n */\nint good_bad(int n)\n{\n\tint *p = 0;\n\n\treturn n > 3 ? *p : 0;\n}\n")},
     "core.NullDereference"),
]


def matrix_seeds(path):
    """(case, files, stages, wanted exit code, text that must be printed)."""
    spec = importlib.util.spec_from_loader(
        "matrix", importlib.machinery.SourceFileLoader("matrix", path))
    matrix = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(matrix)
    ids = matrix.wanted_ids()
    table = "tests/requirements.tsv"

    def rows(**special):
        lines = ["\t".join(matrix.HEADER)]
        for i in ids:
            lines.append("\t".join(special.get(i.replace("-", "_"),
                                               (i, "0", "It works.", "-", "open"))))
        return "\n".join(lines) + "\n"

    def proven(tests):
        return {table: rows(FC_01=("FC-01", "0", "It works.", tests, "proven")),
                "tests/netns/a.sh": "echo ok netns/fc-01.v4\necho ok netns/fc-01.v6\n"}

    def ran(files, text):
        return {**files, "out/test-results/netns.tsv": text}

    both = "netns/fc-01.v4\tok\t\nnetns/fc-01.v6\tok\t\n"
    broken = "netns/fc-01.v4\tok\t\nnetns/fc-01.v6\tFAIL\tleaks\n"
    skipped = "netns/fc-01.v4\tskip\tno namespaces\n"
    one = proven("netns/fc-01.v4")
    return [
        ("all-open", {table: rows()}, [], 0, "ok matrix/table"),
        ("missing-row", {table: rows().replace("\nCF-12\t", "\nCF-99\t")}, [], 1,
         "CF-12 stands 0 times"),
        ("double-row", {table: rows() + "\t".join(("FC-01", "0", "x", "-", "open")) + "\n"}, [], 1,
         "FC-01 stands 2 times"),
        ("missing-test", proven("netns/fc-77.v4"), [], 1, "netns/fc-77.v4 does not exist"),
        ("exists", one, [], 0, "ok matrix/FC-01"),
        ("did-not-run", one, ["netns"], 1, "netns/fc-01.v4 did not run"),
        ("ran", ran(one, both), ["netns"], 0, "ok matrix/FC-01"),
        ("failed", ran(proven("netns/fc-01.v6"), broken), ["netns"], 1, "netns/fc-01.v6 failed"),
        ("star-failed", ran(proven("netns/fc-01.*"), broken), ["netns"], 1, "fc-01.v6 failed"),
        ("star-ran", ran(proven("netns/fc-01.*"), both), ["netns"], 0, "ok matrix/FC-01"),
        ("star-did-not-run", ran(proven("netns/fc-01.*"), "netns/x\tok\t\n"), ["netns"], 1,
         "did not run"),
        ("skipped", ran(one, skipped), ["netns"], 0, "skip matrix/FC-01"),
        ("proven-by-nothing", proven("-"), [], 1, "proven by no test"),
        ("unknown-state", {table: rows(FC_01=("FC-01", "0", "x", "-", "done"))}, [], 1,
         "neither open nor proven"),
    ]
