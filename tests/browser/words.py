"""The sentences of the difference are those of the signing tool, letter for letter."""
import json
import os
import subprocess

from appliance import SIGN
from suite import OUT, Visit, check, config, test, with_draft
from appliance import Appliance

PAIRS = (("closed", "province"), ("province", "level3"), ("level3", "edge"), ("edge", "nat"), ("nat", "maps"),
         ("maps", "province"))


def tool(old, new, lang):
    args = [SIGN, "--lang", lang, "inspect", new] + (["--previous", old] if old else [])
    p = subprocess.run(args, capture_output=True, text=True)
    check(p.returncode == 0, "sign inspect: " + p.stderr)
    return p.stdout.rstrip("\n").split("\n")


def same(line):
    """The table's standard size is known to the build only."""
    return not line.strip().startswith(("+ bảng kết nối", "+ connection table", "~ before: connection table",
                                        "~ now:    connection table", "~ trước: bảng kết nối",
                                        "~ nay:   bảng kết nối"))


@test
def words_of_the_tool(env):
    draft = with_draft(Appliance(config())).draft
    with open(OUT + "/old.json", "wb") as f:
        f.write(config())
    with open(OUT + "/new.json", "wb") as f:
        f.write(draft)
    pairs = [("tests/golden/%s.json" % a, "tests/golden/%s.json" % b) for a, b in PAIRS]
    pairs.append((OUT + "/old.json", OUT + "/new.json"))
    with Visit(env) as v:
        v.login("nva").ready()
        for lang in ("vi", "en"):
            v.page.run("useLanguage('%s')" % lang)
            for old, new in pairs:
                old = old if os.path.exists(old) else None
                texts = [json.dumps(open(f, encoding="utf-8").read()) if f else "null" for f in (old, new)]
                mine = v.page.run("differenceLines(difference(JSON.parse(%s), JSON.parse(%s)))" % tuple(texts))
                mine = [x for x in mine if same(x)]
                theirs = [x for x in tool(old, new, lang) if same(x)]
                for a, b in zip(mine[:-1], theirs[:-1]):
                    check(a == b, "%s to %s (%s): the page says \"%s\", the tool \"%s\"" % (old, new, lang, a, b))
                check(len(mine) == len(theirs), "%s to %s: %d lines, the tool has %d"
                      % (old, new, len(mine), len(theirs)))
