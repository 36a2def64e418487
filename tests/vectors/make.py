#!/usr/bin/env python3
"""How the vectors of this folder were made. They are kept as data; the private
keys are gone. Nothing of the product takes part: keys and signatures are
openssl's, SoftHSM's (through PKCS#11) and Chromium's.

usage: make.py keys|keyset|assemble WORK    (see make.mjs, which calls it)
"""
import base64
import hashlib
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
ISSUED, EXPIRES = 1790000000, 4000000000
PAYLOAD = b'{"note": "a payload for test vectors"}\n'
RP_ID = "sign.soc.example.gov.vn"
SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
OPENSSL_KEYS = {"root-1": "P-256", "root-2": "P-384", "openssl-es256": "P-256",
                "openssl-es384": "P-384", "openssl-ps256-2048": 2048,
                "openssl-ps256-4096": 4096}
TOKEN_KEYS = {"softhsm-es256": "EC:prime256v1", "softhsm-es384": "EC:secp384r1",
              "softhsm-ps256": "rsa:3072"}
BROWSER_KEYS = ("chromium-webcrypto", "chromium-webauthn")


def run(*words, data=None, env=None):
    return subprocess.run(words, input=data, check=True, stdout=subprocess.PIPE,
                          env=env).stdout


def alg_of(name):
    if name == "chromium-webauthn":
        return "webauthn-es256"
    if "ps256" in name:
        return "ps256"
    return "es384" if "es384" in name or name == "root-2" else "es256"


def token_env(work):
    with open(f"{work}/softhsm.conf", "w", encoding="ascii") as f:
        f.write(f"directories.tokendir = {work}/tokens\n")
    os.makedirs(f"{work}/tokens", exist_ok=True)
    return dict(os.environ, SOFTHSM2_CONF=f"{work}/softhsm.conf")


def pkcs11(work, *words):
    return run("pkcs11-tool", "--module", SOFTHSM, "--token-label", "vectors", "--pin",
               "1234", *words, env=token_env(work))


def make_keys(work):
    for name, kind in OPENSSL_KEYS.items():
        more = ["-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{kind}"] \
            if isinstance(kind, int) else \
            ["-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{kind}"]
        run("openssl", "genpkey", *more, "-out", f"{work}/{name}.key")
        with open(f"{work}/{name}.spki", "wb") as f:
            f.write(run("openssl", "pkey", "-in", f"{work}/{name}.key", "-pubout",
                        "-outform", "DER"))
    run("softhsm2-util", "--init-token", "--free", "--label", "vectors", "--pin", "1234",
        "--so-pin", "12345678", env=token_env(work))
    for number, (name, kind) in enumerate(TOKEN_KEYS.items()):
        pkcs11(work, "--login", "--keypairgen", "--key-type", kind, "--label", name,
               "--id", f"0{number + 1}")
        der = pkcs11(work, "--read-object", "--type", "pubkey", "--label", name)
        with open(f"{work}/{name}.spki", "wb") as f:
            f.write(run("openssl", "pkey", "-pubin", "-inform", "DER", "-pubout",
                        "-outform", "DER", data=der))


def spki(work, name):
    with open(f"{work}/{name}.spki", "rb") as f:
        return f.read()


def key_id(work, name):
    return hashlib.sha256(spki(work, name)).hexdigest()[:16]


def openssl_sign(work, name, signed):
    more = ["-sha384" if alg_of(name) == "es384" else "-sha256"]
    if alg_of(name) == "ps256":
        more += ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"]
    return run("openssl", "dgst", *more, "-sign", f"{work}/{name}.key", data=signed)


def token_sign(work, name, signed):
    """By openssl's PKCS#11 provider; the key never leaves the token."""
    with open(f"{work}/openssl.cnf", "w", encoding="ascii") as f:
        f.write(f"""openssl_conf = init
[init]
providers = list
[list]
default = plain
pkcs11 = token
[plain]
activate = 1
[token]
module = /usr/lib/x86_64-linux-gnu/ossl-modules/pkcs11.so
pkcs11-module-path = {SOFTHSM}
pkcs11-module-quirks = no-deinit no-operation-state
activate = 1
""")
    more = ["-sha384" if alg_of(name) == "es384" else "-sha256"]
    if alg_of(name) == "ps256":
        more += ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"]
    url = f"pkcs11:token=vectors;object={name};type=private;pin-value=1234"
    return run("openssl", "dgst", *more, "-sign", url, data=signed,
               env=dict(token_env(work), OPENSSL_CONF=f"{work}/openssl.cnf"))


def line(work, name, *parts):
    text = " ".join(base64.b64encode(p).decode() for p in parts)
    return f"sig {key_id(work, name)} {alg_of(name)} {text}\n".encode()


def head(kind, scope):
    return (f"luytre-manifest 1\ntype {kind}\nscope {scope}\nversion 1\nissued {ISSUED}\n"
            f"expires {EXPIRES}\nkeyset 1\n")


def make_keyset(work):
    signers = list(OPENSSL_KEYS)[2:] + list(TOKEN_KEYS) + list(BROWSER_KEYS)
    text = head("keyset", "*") + "body\n"
    for name in ["root-1", "root-2"] + signers:
        rp = f" {RP_ID}" if name == "chromium-webauthn" else ""
        text += f"key {alg_of(name)} {base64.b64encode(spki(work, name)).decode()}{rp}\n"
    text += "role root 2 1 " + " ".join(key_id(work, n) for n in ("root-1", "root-2"))
    text += "\nrole config 1 1 " + " ".join(key_id(work, n) for n in signers) + "\n\n"
    signed = text.encode()
    out = signed + b"".join(line(work, n, openssl_sign(work, n, signed))
                            for n in ("root-1", "root-2"))
    with open(f"{HERE}/keyset", "wb") as f:
        f.write(out)
    with open(f"{work}/signed", "wb") as f:
        f.write((head("config", "device/LT-VECTOR") + f"payload {len(PAYLOAD)} "
                 f"{hashlib.sha256(PAYLOAD).hexdigest()}\n\n").encode())


def assemble(work):
    with open(f"{work}/signed", "rb") as f:
        signed = f.read()
    lines = {n: line(work, n, openssl_sign(work, n, signed))
             for n in list(OPENSSL_KEYS)[2:]}
    lines.update({n: line(work, n, token_sign(work, n, signed)) for n in TOKEN_KEYS})
    for n in BROWSER_KEYS:
        parts = []
        for part in ("auth", "client", "sig") if n.endswith("webauthn") else ("sig",):
            with open(f"{work}/{n}.{part}", "rb") as f:
                parts.append(f.read())
        lines[n] = line(work, n, *parts)
    for n, text in lines.items():
        with open(f"{HERE}/{n}.config", "wb") as f:
            f.write(signed + text + b"\n" + PAYLOAD)


if __name__ == "__main__":
    {"keys": make_keys, "keyset": make_keyset, "assemble": assemble}[sys.argv[1]](sys.argv[2])
