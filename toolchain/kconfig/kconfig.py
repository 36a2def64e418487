#!/usr/bin/env python3
"""Build-time configuration of one board: reads Kconfig, writes out/BOARD/.

usage: kconfig.py --out DIR --board BOARD [--profile dev|release] COMMAND

  sync          bring DIR up to date: .config (made from the board's defconfig
                when it is missing), autoconf.h, config.mk
  defconfig     start again from board/BOARD/defconfig
  savedefconfig write what differs from the defaults to board/BOARD/defconfig
  menuconfig    edit DIR/.config in a terminal
  list          print the options as a Markdown table

autoconf.h defines every option, switched off or not: bool n is 0, so `#if
CONFIG_X` and `if (CONFIG_X)` work under -Wundef and a misspelt name is an
error. config.mk holds the same values for make; .config itself can be sourced
by a shell.
"""
import argparse
import hashlib
import os
import sys
import tempfile

import kconfiglib
from kconfiglib import BOOL, HEX, INT, STRING, Kconfig, Symbol

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def die(text):
    sys.exit("error: " + text)


def write_if_changed(path, text):
    """Replace @path by @text in one rename; leave it alone when equal."""
    try:
        with open(path, encoding="utf-8") as f:
            if f.read() == text:
                return
    except FileNotFoundError:
        pass
    fd, tmp = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".kconfig-")
    with os.fdopen(fd, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(tmp, 0o644)
    os.replace(tmp, path)


def load(args, path):
    """Read Kconfig and the values in @path; stop on any doubt."""
    os.environ["BOARD"] = args.board
    os.environ["PROFILE"] = args.profile
    os.chdir(TOP)
    try:
        kconf = Kconfig("Kconfig", warn_to_stderr=False)
        kconf.warn_assign_undef = True
        if path:
            kconf.load_config(path)
    except (kconfiglib.KconfigError, kconfiglib._KconfigIOError) as e:
        die(str(e).strip())
    return kconf


def refuse_warnings(kconf, path, fix):
    if kconf.warnings:
        die("%s:\n  %s\nfix: %s" % (path, "\n  ".join(kconf.warnings), fix))


def options(kconf):
    return [s for s in kconf.unique_defined_syms if s.orig_type in (BOOL, INT, HEX, STRING)]


def c_value(sym):
    if sym.orig_type == BOOL:
        return "1" if sym.tri_value else "0"
    if sym.orig_type == STRING:
        return '"%s"' % kconfiglib.escape(sym.str_value)
    return sym.str_value or "0"


def mk_value(sym):
    if sym.orig_type == BOOL:
        return "y" if sym.tri_value else ""
    return sym.str_value.replace("$", "$$").replace("#", "\\#")


def config_text(kconf):
    fd, tmp = tempfile.mkstemp(prefix="luytre-config-")
    os.close(fd)
    try:
        kconf.write_config(tmp, save_old=False, header="")
        with open(tmp, encoding="utf-8") as f:
            return f.read()
    finally:
        os.unlink(tmp)


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest() + "\n"


def read(path):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def write_outputs(args, kconf):
    os.makedirs(args.out, exist_ok=True)
    head = "Made by toolchain/kconfig from %s/.config: do not edit." % args.out
    lines = ["/* %s */" % head, "#ifndef LUYTRE_AUTOCONF_H", "#define LUYTRE_AUTOCONF_H"]
    lines += ["#define CONFIG_%s %s" % (s.name, c_value(s)) for s in options(kconf)]
    lines += ["#endif", ""]
    write_if_changed(args.out + "/autoconf.h", "\n".join(lines))
    lines = ["# " + head]
    lines += ["CONFIG_%s := %s" % (s.name, mk_value(s)) for s in options(kconf)]
    write_if_changed(args.out + "/config.mk", "\n".join(lines) + "\n")


def from_defconfig(args):
    kconf = load(args, args.defconfig)
    refuse_warnings(kconf, args.defconfig, "correct or remove the line")
    text = config_text(kconf)
    os.makedirs(args.out, exist_ok=True)
    write_if_changed(args.out + "/.config", text)
    write_if_changed(args.out + "/.config.stock", digest(text))
    return kconf


def cmd_sync(args):
    path = args.out + "/.config"
    text = read(path)
    stock = read(args.out + "/.config.stock")
    if not text or digest(text) == stock:
        kconf = from_defconfig(args)
    else:
        # Somebody chose these values: keep them, add new options, drop old ones.
        kconf = load(args, path)
        for w in kconf.warnings:
            print("[kconfig] " + w, file=sys.stderr)
        print("[kconfig] %s holds your own choices; `make %s_defconfig` forgets them"
              % (path, args.board), file=sys.stderr)
        write_if_changed(path, config_text(kconf))
    write_outputs(args, kconf)


def cmd_defconfig(args):
    write_outputs(args, from_defconfig(args))
    print("%s/.config written from %s" % (args.out, args.defconfig))


def cmd_savedefconfig(args):
    cmd_sync(args)
    kconf = load(args, args.out + "/.config")
    fd, tmp = tempfile.mkstemp(prefix="luytre-config-")
    os.close(fd)
    kconf.write_min_config(tmp, header="")
    text = "# Options of the board %s that differ from the defaults.\n" % args.board
    write_if_changed(args.defconfig, text + read(tmp))
    os.unlink(tmp)
    print("%s written" % args.defconfig)


def cmd_menuconfig(args):
    import menuconfig
    cmd_sync(args)
    path = args.out + "/.config"
    kconf = load(args, path)
    os.environ["KCONFIG_CONFIG"] = path
    os.environ["MENUCONFIG_STYLE"] = "default"
    menuconfig.menuconfig(kconf)
    cmd_sync(args)


def help_line(sym):
    for node in sym.nodes:
        if node.help:
            return " ".join(node.help.split())
    return ""


def cmd_list(args):
    kconf = load(args, None)
    print("| option | default | range | meaning |\n|---|---|---|---|")
    for sym in options(kconf):
        prompts = [n.prompt[0] for n in sym.nodes if isinstance(n.item, Symbol) and n.prompt]
        if prompts:
            ranges = ["%s-%s" % (lo.str_value, hi.str_value) for lo, hi, _ in sym.ranges]
            print("| %s | %s | %s | %s: %s |" % (sym.name, sym.str_value, " ".join(ranges),
                                                 prompts[0], help_line(sym)))


def main():
    ap = argparse.ArgumentParser(usage=__doc__)
    ap.add_argument("--out", required=True)
    ap.add_argument("--board", required=True)
    ap.add_argument("--profile", default="dev")
    ap.add_argument("command", choices=["sync", "defconfig", "savedefconfig", "menuconfig",
                                        "list"])
    args = ap.parse_args()
    boards = sorted(d for d in os.listdir(TOP + "/board")
                    if os.path.isfile(TOP + "/board/" + d + "/defconfig"))
    if args.board not in boards:
        die("BOARD=%s: no such board; choose one of: %s" % (args.board, " ".join(boards)))
    if args.profile not in ("dev", "release"):
        die("PROFILE=%s: choose dev or release" % args.profile)
    args.defconfig = "board/%s/defconfig" % args.board
    globals()["cmd_" + args.command](args)


if __name__ == "__main__":
    main()
