"""Signed artifacts for tests: the text by hand, signatures by plain openssl.

Nothing here uses the product's own code, so that what the appliance accepts is
what FORMAT.manifest.md says. The keys are those of `make test-keys`.
"""
import base64
import functools
import hashlib
import json
import os
import subprocess

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
KEYS = os.path.join(TOP, "out/keys")
ISSUED = 1790000000     # the same artifact again must be the same bytes
EXPIRES = 4000000000
OFFICERS = ("officer", "soc-1")


def openssl(*words, data=None):
    return subprocess.run(("openssl",) + words, input=data, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout


@functools.lru_cache(maxsize=None)
def spki(name, folder=KEYS):
    """SubjectPublicKeyInfo (DER) of a key file NAME.key."""
    return openssl("pkey", "-in", f"{folder}/{name}.key", "-pubout", "-outform", "DER")


def key_id(name, folder=KEYS):
    return hashlib.sha256(spki(name, folder)).hexdigest()[:16]


def sig_line(signed, name, folder=KEYS, as_name=None):
    """One es256 signature line over SIGNED; AS_NAME: named as another key."""
    der = openssl("dgst", "-sha256", "-sign", f"{folder}/{name}.key", data=signed)
    who = key_id(as_name or name, folder)
    return f"sig {who} es256 {base64.b64encode(der).decode()}\n".encode()


def manifest(payload, version, device, fields=None):
    """The signed bytes of a config manifest; FIELDS replaces single fields."""
    values = {"type": "config", "scope": f"device/{device}", "version": version,
              "issued": ISSUED, "expires": EXPIRES, "keyset": 1,
              "payload": f"{len(payload)} {hashlib.sha256(payload).hexdigest()}"}
    values.update(fields or {})
    return ("luytre-manifest 1\n" +
            "".join(f"{k} {v}\n" for k, v in values.items()) + "\n").encode()


def artifact(payload, version, device, keys=OFFICERS, fields=None):
    """A whole signed configuration."""
    signed = manifest(payload, version, device, fields)
    return signed + b"".join(sig_line(signed, k) for k in keys) + b"\n" + payload


def serial_of(payload):
    """The serial in a configuration, None when there is no good one."""
    try:
        serial = json.loads(payload).get("serial")
    except (ValueError, AttributeError, RecursionError):
        return None
    return serial if isinstance(serial, int) and serial > 0 else None


def store(data, version, device):
    """Files of a store (FORMAT.store.md) that holds one confirmed configuration."""
    digest = hashlib.sha256(data).hexdigest()
    signed = hashlib.sha256(data[:data.index(b"\n\n") + 2]).hexdigest()
    index = (f"luytre-store 1\ngeneration 1\n"
             f"floor config device/{device} 1 {version} {signed}\n"
             f"config active {digest} {len(data)} 1\n").encode()
    index += f"sum {hashlib.sha256(index).hexdigest()}\n".encode()
    return {"policy/index": index, f"policy/o-{digest}": data}
