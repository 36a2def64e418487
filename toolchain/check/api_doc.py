"""web-ui/api.yaml and the server's table firmware/mgmtd/api.def say the same."""
import re

YAML = "web-ui/api.yaml"
DEF = "firmware/mgmtd/api.def"


def value(text):
    text = text.split(" #")[0].strip()
    if text.startswith("["):
        return [w.strip() for w in text.strip("[]").split(",")]
    return int(text) if text.isdigit() else text


def read_yaml(text):
    """(roles, {error: status}, {"METHOD path": {key: value}}) of the regular subset."""
    top, errors, calls, call, inner, section = {}, {}, {}, None, None, None
    for line in text.split("\n"):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        depth = len(line) - len(line.lstrip())
        key, _, rest = line.strip().lstrip("- ").partition(":")
        if depth == 0:
            section = key
            top[key] = value(rest)
        elif section == "errors":
            errors[key] = value(rest)
        elif depth == 2:
            call = {"path": value(rest), "body": {}}
            calls[len(calls)] = call
        elif depth == 4:
            inner = key
            call[key] = value(rest) if value(rest) != "" else {}
        elif depth == 6 and inner in ("body", "answer"):
            call[inner][key] = value(rest)
    return top.get("roles", []), errors, {
        "%s %s" % (c.get("method"), c["path"]): c for c in calls.values()}


def rows(text, name):
    """Arguments of each NAME(...) of a .def file."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    for m in re.finditer(r"^%s\((.*?)\)$" % name, text, re.S | re.M):
        yield [w.strip() for w in m.group(1).split(",")]


def read_roles(text, names):
    """What api.def writes as roles, in the words of api.yaml."""
    if text in ("ANYONE", "SESSION"):
        return [text.lower()]
    without = re.findall(r"~(\w+)", text)
    words = re.findall(r"\w+", text)
    known = {n.upper().replace("-", "_"): n for n in names}
    chosen = set(known) if "ALL" in words else set(words)
    return [n for n in names if n.upper().replace("-", "_") in chosen - set(without)]


def read_def(table, names):
    calls, ids = {}, {}
    for ident, method, path, roles, rate, body_max, flags, _ in rows(table, "API"):
        words = flags.split(" | ")
        call = {"path": path.strip('"'), "method": method, "roles": read_roles(roles, names),
                "rate": int(rate), "body_max": int(body_max), "body": {}}
        call["body_type"] = next((w.lower() for w in words if w in ("JSON", "BYTES")), None)
        call["activity"] = "no" if "IDLE" in words else None
        ids[ident] = calls["%s %s" % (method, call["path"])] = call
    for ident, name, kind, optional, low, high in rows(table, "FIELD"):
        text = {"STRING": "string(%s-%s)", "NUMBER": "number(%s-%s)"}.get(kind, "bool")
        ids[ident]["body"][name] = (text % (low, high) if "%" in text else text) + (
            " optional" if optional == "true" else "")
    errors = {name.strip('"'): int(status) for _, name, status in rows(table, "ERROR")}
    return errors, calls


def api_doc(tree):
    """api.yaml lists every call and error of the server, and nothing else."""
    if not tree.exists(DEF):
        return
    if not tree.exists(YAML):
        yield "%s is missing; it describes the calls of %s" % (YAML, DEF)
        return
    names, errors, calls = read_yaml(tree.text(YAML))
    server_errors, server = read_def(tree.text(DEF), names)
    for key in sorted(set(calls) ^ set(server)):
        yield "%s: %s is only here" % (YAML if key in calls else DEF, key)
    for key in sorted(set(errors.items()) ^ set(server_errors.items())):
        yield "%s: error %s %d is only here" % (
            YAML if key in errors.items() else DEF, key[0], key[1])
    for key in sorted(set(calls) & set(server)):
        for what in ("roles", "rate", "activity", "body_max", "body_type", "body"):
            if calls[key].get(what) != server[key][what]:
                yield "%s: %s: %s is %s, in %s it is %s" % (
                    YAML, key, what, calls[key].get(what), DEF, server[key][what])
        if not calls[key].get("answer"):
            yield "%s: %s has no answer" % (YAML, key)
