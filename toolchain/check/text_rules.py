"""Own rules for every file: encoding, what may not be in a public tree."""
import ast
import hashlib
import json
import os
import re

from tree import Skip, read_tsv

ALLOWLIST = "toolchain/check/secrets-allowed.tsv"


def text(tree):
    """UTF-8, LF, ends with one newline, no blanks at the end of a line."""
    for f in tree.files:
        if tree.is_link(f):
            continue
        data = tree.bytes(f)
        if b"\0" in data:
            continue  # reported by the check "binary"
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as e:
            yield "%s: not UTF-8: %s" % (f, e)
            continue
        if b"\r" in data:
            yield "%s: has CR; lines end with LF" % f
        if data and not data.endswith(b"\n"):
            yield "%s: the last line has no newline" % f
        if data.startswith(b"\xef\xbb\xbf"):
            yield "%s: begins with a byte order mark" % f
        if f in ("LICENSE",) or "/corpus/" in f:
            continue
        for n, line in enumerate(data.split(b"\n"), 1):
            if line.endswith((b" ", b"\t")):
                yield "%s:%d: blank at the end of the line" % (f, n)


def binary(tree):
    """No binary file, no archive, no submodule."""
    kinds = (".o", ".a", ".so", ".bin", ".img", ".gz", ".xz", ".zst", ".zip", ".tar",
             ".deb", ".png", ".jpg", ".gif", ".ico", ".pdf", ".woff", ".woff2", ".pyc")
    for f in tree.files:
        if f == ".gitmodules":
            yield "%s: submodules are third-party source; use a Debian package" % f
        if tree.is_link(f):
            target = os.readlink(tree.path(f))
            if os.path.isabs(target):
                yield "%s: link to the absolute path %s" % (f, target)
            continue
        if b"\0" in tree.bytes(f) or f.endswith(kinds):
            yield "%s: binary file; build it, or keep it as text" % f


def third_party(tree):
    """Nobody else's source: no vendor folder, no foreign copyright line."""
    folder = re.compile(r"(^|/)(vendor|third[-_]?party|node_modules|external|deps)/|\.min\.js$")
    claim = re.compile(r"(copyright\s*(\(c\)|©|\d{4})|SPDX-License-Identifier)", re.I)
    for f in tree.files:
        if folder.search(f):
            yield "%s: third-party source; take it from a Debian package" % f
        if f == "LICENSE" or f.startswith("toolchain/check/") or tree.is_link(f):
            continue
        for n, line in enumerate(tree.text(f).split("\n"), 1):
            if claim.search(line) and "the Lũy Tre authors" not in line:
                yield "%s:%d: somebody's copyright line: %s" % (f, n, line.strip()[:80])


def machine(tree):
    """No path of a developer's machine, no host name of a package registry."""
    # Written in pieces so that this file does not find itself.
    path = re.compile(r"(?<![\w.$}/-])/(?:wor" r"k|roo" r"t|far" r"m|hom" r"e/[a-z]\w*"
                      r"|User" r"s/\w+)/")
    host = re.compile(r"\b(?:deb|snapshot|security|archive|ftp)\.(?:debia" r"n\.org|ubunt"
                      r"u\.com)|registry\.npm" r"js|pypi\.or" r"g|proxy\.golan" r"g"
                      r"|crates\.i" r"o\b|bash_job" r"s")
    for f in tree.files:
        if tree.is_link(f):
            continue
        for n, line in enumerate(tree.text(f).split("\n"), 1):
            m = path.search(line) or host.search(line)
            if m:
                yield "%s:%d: path or host of one machine: %s" % (f, n, m.group(0))


SECRETS = [
    ("private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE " r"KEY-----")),
    ("password hash", re.compile(r"\$(?:1|2[aby]|5|6|y)\$[./A-Za-z0-9$=,]{20,}")),
    ("password", re.compile(
        r"""(?i)\b\w*(?:passw(?:or)?d|passphrase|secret|api_?key|auth_?token|psk)\w*["']?\s*"""
        r"""[:=]\s*["']([^"'\s$<>{}%]{6,})["']""")),
    ("access token", re.compile(r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{30,}"
                                r"|glpat-[\w-]{20,}|xox[bap]-[\w-]{20,})")),
    ("long base64 text", re.compile(r"(?<![\w+/=-])(?=[A-Za-z0-9+/]*[a-z])(?=[A-Za-z0-9+/]*[A-Z])"
                                    r"(?=[A-Za-z0-9+/]*[0-9])[A-Za-z0-9+/]{100,}={0,2}")),
    ("long hexadecimal text", re.compile(r"\b[0-9a-fA-F]{120,}\b")),
    ("URL with credentials", re.compile(r"\b[a-z][a-z0-9+]*://[^/\s:@'\"]+:[^/\s:@'\"$<{]+@")),
]


def find_secrets(line):
    for kind, pattern in SECRETS:
        for m in pattern.finditer(line):
            yield kind, hashlib.sha256(m.group(0).encode()).hexdigest()[:16]


def secret(tree):
    """CF-12: no key, password or token, in the tree and in its whole history."""
    allowed, used = {}, set()
    for n, (digest, path, reason) in read_tsv(tree, ALLOWLIST, 3):
        allowed[digest] = n
        if len(reason) < 20:
            yield "%s:%d: say why this is no secret (%s)" % (ALLOWLIST, n, path)
    seen = set()
    for f in tree.files:
        if tree.is_link(f) or f == ALLOWLIST:
            continue
        for n, line in enumerate(tree.text(f).split("\n"), 1):
            for kind, digest in find_secrets(line):
                used.add(digest)
                if digest not in allowed:
                    seen.add(digest)
                    yield "%s:%d: %s (id %s)" % (f, n, kind, digest)
    rc, log = tree.git("log", "-p", "--all", "--no-color", "--no-ext-diff", "-U0",
                       "--format=commit %h%n%B")
    if rc != 0 and "does not have any commits" not in log:
        raise Skip("the history cannot be read: " + log.strip()[:200])
    commit = path = "?"
    for line in log.split("\n") if rc == 0 else []:
        if line.startswith("commit "):
            commit, path = line.split()[1], "message"
        elif line.startswith("+++ "):
            path = line[6:]
        for kind, digest in find_secrets(line):
            used.add(digest)
            if digest not in allowed and digest not in seen:
                seen.add(digest)
                yield "history: commit %s, %s: %s (id %s)" % (commit, path, kind, digest)
    for digest, n in allowed.items():
        if digest not in used:
            yield "%s:%d: %s is found nowhere, remove the line" % (ALLOWLIST, n, digest)


def no_duplicates(pairs):
    keys = [k for k, _ in pairs]
    for k in keys:
        if keys.count(k) > 1:
            raise ValueError("duplicate key \"%s\"" % k)
    return dict(pairs)


def json_valid(tree):
    """JSON files parse and repeat no key (files under .../bad/ are meant to fail)."""
    for f in tree.named(".json"):
        if "/bad/" in f or "/corpus/" in f:
            continue
        try:
            json.loads(tree.text(f), object_pairs_hook=no_duplicates)
        except ValueError as e:
            yield "%s: %s" % (f, e)


def python_valid(tree):
    """Python parses."""
    for f in sorted(set(tree.named(".py") + tree.scripts(["python3"]))):
        try:
            ast.parse(tree.text(f), f)
        except SyntaxError as e:
            yield "%s:%s: %s" % (f, e.lineno, e.msg)
