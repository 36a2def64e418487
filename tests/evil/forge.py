"""The attacker's kit: every way to bring a configuration that was not signed
for this device, now, by those who may. Each forgery has its reason (MAN_WHY_*
of firmware/lib/manifest.h), and the device must name exactly that one.

forgeries(payload, version, device) gives [(name, bytes, reason)] for a payload
that is good when signed properly with VERSION.
"""
import os
import re
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.realpath(__file__)), "../lab")]

import signing  # noqa: E402
from signing import KEYS, OFFICERS, artifact, key_id, manifest, openssl, sig_line, spki  # noqa: E402

STRANGERS = os.path.join(signing.TOP, "out/keys/strangers")


PAYLOAD_MAX = 1 << 20   # CONFIG_CFG_MAX_BYTES


def strangers():
    """Two keys that nobody trusts."""
    os.makedirs(STRANGERS, exist_ok=True)
    for name in ("eve", "mallory"):
        file = f"{STRANGERS}/{name}.key"
        if not os.path.exists(file):
            openssl("genpkey", "-algorithm", "EC", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-out", file)
    return ("eve", "mallory")


def stranger_line(signed, name, as_officer=None):
    """A signature of a stranger, under his own name or under an officer's."""
    line = sig_line(signed, name, STRANGERS)
    if as_officer:
        line = line.replace(key_id(name, STRANGERS).encode(),
                            key_id(as_officer, KEYS).encode())
    return line


def noncanonical(line):
    """The same signature bytes in another spelling of base64."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    text = line.rstrip(b"\n")
    pad = len(text) - len(text.rstrip(b"="))
    if pad == 0:
        return text + b"====\n"     # padding that does not belong there
    last = alphabet.index(text[-pad - 1])
    return text[:-pad - 1] + alphabet[last | 1:(last | 1) + 1] + b"=" * pad + b"\n"


def build(signed, lines, payload):
    return signed + b"".join(lines) + b"\n" + payload


def forgeries(payload, version, device):
    signed = manifest(payload, version, device)
    lines = [sig_line(signed, k) for k in OFFICERS]
    good = build(signed, lines, payload)
    eve, mallory = strangers()
    out = [("wrong_key", build(signed, [stranger_line(signed, eve),
                                        stranger_line(signed, mallory)], payload),
            "THRESHOLD"),
           ("stolen_name", build(signed, [lines[0], stranger_line(signed, eve, "soc-1")],
                                 payload), "SIG_BAD"),
           ("wrong_role", artifact(payload, version, device,
                                   keys=("firmware-1", "firmware-2")), "THRESHOLD"),
           ("root_is_no_officer", artifact(payload, version, device,
                                           keys=("root-1", "root-2", "root-3")),
            "THRESHOLD"),
           ("unsigned", build(signed, [], payload), "THRESHOLD"),
           ("one_signature", build(signed, lines[:1], payload), "THRESHOLD"),
           ("same_key_twice", build(signed, lines[:1] * 2, payload), "THRESHOLD"),
           ("same_key_again", build(signed, [lines[0], sig_line(signed, OFFICERS[0])],
                                    payload), "THRESHOLD"),
           ("other_algorithm", build(signed, [line.replace(b" es256 ", b" es384 ")
                                              for line in lines], payload),
            "SIG_KEY_ALG"),
           ("broken_signature", build(signed, [lines[0], re.sub(
               rb"(es256 .{20}).", lambda m: m[1] + (b"B" if m[0][-1:] != b"B" else b"C"),
               lines[1])], payload), "SIG_BAD"),
           ("noncanonical_base64", build(signed, [lines[0], noncanonical(lines[1])],
                                         payload), "SIG_BASE64"),
           ("many_signatures", build(signed, lines * 9, payload), "SIG_MANY")]
    # signed properly, but not for here and now
    for name, fields, why in (
            ("other_device", {"scope": "device/LT-OTHER"}, "SCOPE_OTHER"),
            ("whole_fleet", {"scope": "fleet/all"}, "SCOPE_KIND"),
            ("everybody", {"scope": "*"}, "SCOPE_KIND"),
            ("any_board", {"scope": "board/host"}, "SCOPE_KIND"),
            ("other_purpose", {"type": "firmware"}, "TYPE"),
            ("expired", {"issued": 1500000000, "expires": 1600000000}, "EXPIRED"),
            ("future_keyset", {"keyset": 2}, "KEYSET_NEWER"),
            ("wrong_hash", {"payload": f"{len(payload)} {'0' * 64}"}, "PAYLOAD"),
            ("huge_payload", {"payload": f"2000000 {'0' * 64}"}, "PAYLOAD_LIMIT"),
            ("leading_zero", {"version": f"0{version}"}, "VALUE"),
            ("negative", {"version": "-1"}, "VALUE"),
            ("upper_case_hash", {"payload": f"{len(payload)} {'A' * 64}"}, "VALUE"),
            ("bad_scope", {"scope": "device/../x"}, "VALUE")):
        out.append((name, artifact(payload, version, device, fields=fields), why))
    big = payload + b" " * (PAYLOAD_MAX + 1 - len(payload))
    out.append(("oversize", artifact(big, version, device), "PAYLOAD_LIMIT"))
    if version > 1:
        out.append(("old_serial", artifact(payload, version - 1, device), "VERSION"))
    # the text itself
    text = signed.decode()
    for name, changed, why in (
            ("crlf", text.replace("\n", "\r\n"), "CR"),
            ("bom", "\ufeff" + text, "BOM"),
            ("nul", text.replace("type config", "type config\0"), "NUL"),
            ("not_ascii", text.replace("type config", "type cònfig"), "CHARACTER"),
            ("tab", text.replace("type config", "type\tconfig"), "CHARACTER"),
            ("duplicate_field", text.replace("type config\n", "type config\n" * 2),
             "FIELD_TWICE"),
            ("unknown_field", text.replace("version ", "colour red\nversion "),
             "FIELD_UNKNOWN"),
            ("other_order", text.replace(f"scope device/{device}\n", "").replace(
                "issued ", f"scope device/{device}\nissued "), None),
            ("missing_field", re.sub(r"expires \d+\n", "", text), "FIELD_MISSING"),
            ("forbidden_field", text.replace("issued ", "base 1\nissued "),
             "FIELD_FORBIDDEN"),
            ("other_format", text.replace("manifest 1", "manifest 2"), "DOMAIN"),
            ("long_line", text.replace("type config", "type " + "x" * 2000),
             "LINE_LONG")):
        data = changed.encode()
        out.append((name, build(data, [sig_line(data, k) for k in OFFICERS], payload), why))
    # what a carrier can do to a good one
    out += [("swapped_payload", build(signed, lines, payload.replace(b"permit", b"reject")),
             "PAYLOAD"),
            ("trailing", good + b"\n", "TRAILING"),
            ("truncated_payload", good[:-1], "TRUNCATED"),
            ("truncated_signature", signed + lines[0] + lines[1][:-10], "TRUNCATED"),
            ("truncated_text", signed[:-20], "TRUNCATED"),
            ("no_payload", signed + b"".join(lines), "PAYLOAD_MISSING"),
            ("changed_version", good.replace(f"version {version}\n".encode(),
                                             f"version {version + 7}\n".encode(), 1),
             "SIG_BAD"),
            ("plain_json", payload, "UNSIGNED")]
    assert spki(OFFICERS[0]) != spki(OFFICERS[1])
    return out
