"""Runner of the tests of the image, and what they share.

A test is a function `test_NAME()` in one of the files of MODULES, or a part of
one: a boot costs seconds, so a function may prove several things on one boot
and names each with `with part("NAME")`.
"""
import contextlib
import importlib
import os
import statistics
import sys
import time
import traceback

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path[:0] = [HERE]
sys.dont_write_bytecode = True
sys.modules.setdefault("suite", sys.modules[__name__])

import machine  # noqa: E402

MODULES = ("boot", "storage", "release")
BOOT_TABLE = os.path.join(machine.OUT, "boot.tsv")


class Fail(Exception):
    """The image did not do what it must."""


def check(condition, text):
    if not condition:
        raise Fail(text)


class Results:
    """What has been printed, and the times measured on the way."""

    module = None
    failed = passed = 0
    times = {}


def _print(result, name, reason=""):
    reason = " ".join(str(reason).split())[:400]
    print(f"{result} qemu/{Results.module}.{name} {reason}".rstrip(), flush=True)
    if result == "FAIL":
        Results.failed += 1
    else:
        Results.passed += 1


@contextlib.contextmanager
def part(name):
    """One test. A failure is reported and does not stop the parts after it."""
    try:
        yield
    except Exception as e:  # any failure of one test is its own
        if not isinstance(e, Fail):
            for line in traceback.format_exc().rstrip().splitlines():
                print(f"    {line}")
        _print("FAIL", name, f"{type(e).__name__}: {e}" if not isinstance(e, Fail) else e)
    else:
        _print("ok", name)


def measured(what, seconds):
    """Keep a boot time for the table of `make size`."""
    Results.times.setdefault(what, []).append(seconds)


def write_table():
    """The median of each kind of boot, in milliseconds."""
    with open(BOOT_TABLE + ".new", "w", encoding="ascii") as f:
        for what, values in sorted(Results.times.items()):
            f.write(f"{what}\t{1000 * statistics.median(values):.0f}\tms\n")
    os.rename(BOOT_TABLE + ".new", BOOT_TABLE)


def run_function(function):
    """Run one function; what breaks outside of its parts is a failure too."""
    begin = time.monotonic()
    try:
        function()
    except Exception as e:
        traceback.print_exc(file=sys.stdout)
        _print("FAIL", function.__name__.removeprefix("test_") + "-setup",
               f"{type(e).__name__}: {e}")
    print(f"    ({Results.module}.{function.__name__.removeprefix('test_')}: "
          f"{time.monotonic() - begin:.0f} s)", flush=True)


def main():
    names = sys.argv[1:]
    for file in (machine.OUT, machine.RELEASE):
        if not os.path.exists(os.path.join(file, "root.squashfs")):
            sys.exit(f"qemu: no image in {os.path.relpath(file, machine.TOP)}: "
                     f"make image, make image PROFILE=release")
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for key, function in list(vars(module).items()):
            label = f"{module_name}.{key.removeprefix('test_')}"
            if key.startswith("test_") and (not names or any(n in label for n in names)):
                Results.module = module_name
                run_function(function)
    if not names and Results.failed == 0:
        write_table()
    print(f"qemu: {Results.passed} passed, {Results.failed} failed")
    sys.exit(1 if Results.failed or not Results.passed else 0)


if __name__ == "__main__":
    main()
