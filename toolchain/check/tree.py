"""What the checks look at: the files of one tree, and C without its comments."""
import os
import re
import subprocess


class Skip(Exception):
    """A check that cannot run here; the text says why."""


def run(args, cwd=None, data=None):
    """Run a tool; return (exit code, output), errors included."""
    p = subprocess.run(args, cwd=cwd, input=data, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT)
    return p.returncode, p.stdout.decode("utf-8", "replace")


class Tree:
    """A working tree: tracked files and new ones that are not ignored."""

    def __init__(self, top, cppflags="", warn=""):
        self.top = os.path.abspath(top)
        self.cppflags = cppflags.split()
        self.warn = warn.split()
        self.files = sorted(self._list())

    def _list(self):
        rc, out = self.git("ls-files", "-z", "-co", "--exclude-standard")
        if rc != 0:
            raise SystemExit("error: %s is not a git working tree: %s" % (self.top, out))
        return [f for f in set(out.split("\0")) if f and os.path.lexists(self.path(f))]

    def git(self, *args):
        # The tree may belong to another user than the one of the build root.
        return run(["git", "-c", "safe.directory=*", "-C", self.top] + list(args))

    def path(self, name):
        return os.path.join(self.top, name)

    def exists(self, name):
        return os.path.exists(self.path(name))

    def bytes(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def text(self, name):
        return self.bytes(name).decode("utf-8", "replace")

    def named(self, *suffixes):
        return [f for f in self.files if f.endswith(suffixes) and not self.is_link(f)]

    def is_link(self, name):
        return os.path.islink(self.path(name))

    def scripts(self, words):
        """Files whose first line is #! with one of the interpreters."""
        found = []
        for f in self.files:
            if self.is_link(f) or not os.path.isfile(self.path(f)):
                continue
            first = self.bytes(f)[:80].split(b"\n", 1)[0].decode("ascii", "replace")
            if first.startswith("#!") and re.split(r"[/ ]", first.strip())[-1] in words:
                found.append(f)
        return found


TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def strip_c(text, keep_strings=False):
    """C text with comments (and strings) blanked; lines keep their numbers."""

    def blank(m):
        s = m.group(0)
        if s[0] in "\"'" and keep_strings:
            return s
        return re.sub(r"[^\n]", " ", s)

    return TOKEN.sub(blank, text)


class Function:
    """One function definition: its name, declaration, docstring and lines."""

    def __init__(self, name, decl, doc, first, last):
        self.name, self.decl, self.doc = name, decl, doc
        self.first, self.last = first, last

    @property
    def length(self):
        return self.last - self.first + 1

    @property
    def is_exported(self):
        return not re.search(r"\bstatic\b", self.decl)

    @property
    def params(self):
        inner = self.decl[self.decl.index("(") + 1:self.decl.rindex(")")]
        return set(re.findall(r"[A-Za-z_]\w*", inner))


def functions(text):
    """Function definitions of a formatted C file (brace in column 0)."""
    code = strip_c(text).split("\n")
    raw = text.split("\n")
    found = []
    for i, line in enumerate(code):
        if line != "{":
            continue
        top = i
        while top > 0 and code[top - 1].strip() and code[top - 1][0] not in "}#":
            top -= 1
        decl = "\n".join(code[top:i])
        m = re.search(r"(\w+)\s*\(", decl)
        if not m or "=" in decl.split("(")[0]:
            continue
        end = next((j for j in range(i, len(code)) if code[j].startswith("}")), i)
        doc = ""
        if top > 0 and raw[top - 1].rstrip().endswith("*/"):
            begin = top - 1
            while begin > 0 and "/*" not in raw[begin]:
                begin -= 1
            doc = "\n".join(raw[begin:top])
        found.append(Function(m.group(1), decl, doc, i + 1, end + 1))
    return found


def read_tsv(tree, name, columns):
    """Rows of a tab-separated file with a header line; [] when it is missing."""
    if not tree.exists(name):
        return []
    rows = []
    for n, line in enumerate(tree.text(name).split("\n"), 1):
        if not line or line.startswith("#") or n == 1:
            continue
        cells = line.split("\t")
        if len(cells) != columns:
            raise SystemExit("error: %s:%d: %d columns, wanted %d"
                             % (name, n, len(cells), columns))
        rows.append((n, cells))
    return rows
