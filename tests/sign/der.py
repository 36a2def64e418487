"""DER as nested lists [tag, content]: take a CMS signature apart, change one thing,
put it together again, signed anew where the signature should still fit."""
import signing

OID_CONTENT_TYPE = bytes.fromhex("06092a864886f70d010903")
OID_MESSAGE_DIGEST = bytes.fromhex("06092a864886f70d010904")
OID_SIGNING_CERT = bytes.fromhex("060b2a864886f70d010910022f")     # version 2
OID_DATA = bytes.fromhex("06092a864886f70d010701")
OID_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")


def parse(data):
    """All values in DATA, one after the other; constructed ones as lists."""
    out, at = [], 0
    while at < len(data):
        tag, n = data[at], data[at + 1]
        at += 2
        if n & 0x80:
            size = n & 0x7f
            n = int.from_bytes(data[at:at + size], "big")
            at += size
        body = data[at:at + n]
        at += n
        out.append([tag, parse(body) if tag & 0x20 else body])
    return out


def length(n):
    if n < 0x80:
        return bytes((n,))
    body = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes((0x80 | len(body),)) + body


def encode(node):
    """Bytes of a node; raw bytes stand for themselves."""
    if isinstance(node, bytes):
        return node
    tag, body = node
    if isinstance(body, list):
        body = b"".join(encode(n) for n in body)
    return bytes((tag,)) + length(len(body)) + body


class Cms:
    """A detached SignedData with one signer, open for changes."""

    def __init__(self, data):
        self.top = parse(data)[0]
        self.signed = self.top[1][1][1][0]                  # SignedData
        self.signers = self.signed[1][-1]                   # SET OF SignerInfo
        self.signer = self.signers[1][0]
        self.encap = self.signed[1][2]
        self.attrs = next(n for n in self.signer[1] if n[0] == 0xa0)

    def attr(self, oid):
        return next(a for a in self.attrs[1] if encode(a[1][0]) == oid)

    def sign(self, key, folder):
        """Sign the attributes as they are now, sorted as DER wants it."""
        self.attrs[1].sort(key=encode)
        covered = bytearray(encode(self.attrs))
        covered[0] = 0x31                                   # RFC 5652 5.4
        self.signer[1][-1] = [4, signing.openssl("dgst", "-sha256", "-sign",
                                                 f"{folder}/{key}.key", data=bytes(covered))]
        return self

    def bytes(self):
        return encode(self.top)


def indefinite(node):
    """The same value with an indefinite length: BER, not DER."""
    return bytes((node[0], 0x80)) + b"".join(encode(n) for n in node[1]) + b"\0\0"


def long_length(node):
    """The same value with a length that is longer than it must be."""
    body = encode([node[0], node[1]])
    head = 2 if body[1] < 0x80 else 2 + (body[1] & 0x7f)
    return bytes((node[0], 0x84)) + (len(body) - head).to_bytes(4, "big") + body[head:]


def forgeries(good, sign):
    """{name: bytes} made of the signature GOOD; SIGN(cms) signs a changed one again, so
    that only what was changed is wrong with it."""
    out = {}

    def made(name, change, again=True):
        c = Cms(good)
        change(c)
        out[name] = (sign(c) if again else c).bytes()

    def add(attr):
        return lambda c: c.attrs[1].append(parse(encode(c.attr(attr)))[0])

    def drop(attr):
        return lambda c: c.attrs[1].remove(c.attr(attr))

    def value(attr, new):
        def change(c):
            c.attr(attr)[1][1][1] = new(c.attr(attr)[1][1][1])
        return change

    def flipped(values):
        data = encode(values[0])
        return [data[:-1] + bytes((data[-1] ^ 1,))]

    for word, attr in (("content_type", OID_CONTENT_TYPE), ("digest", OID_MESSAGE_DIGEST),
                       ("signing_cert", OID_SIGNING_CERT)):
        made(f"twice_{word}", add(attr))
        made(f"no_{word}", drop(attr))
        made(f"two_values_{word}", value(attr, lambda v: v + v))
        made(f"no_value_{word}", value(attr, lambda v: []))
        made(f"altered_{word}", value(attr, flipped), again=False)
    made("other_digest", value(OID_MESSAGE_DIGEST, flipped))
    made("other_content_type", value(OID_CONTENT_TYPE, lambda v: [OID_SIGNED_DATA]))

    def other_cert(c):
        ids = c.attr(OID_SIGNING_CERT)[1][1][1][0]          # SigningCertificateV2
        node = ids[1][0][1][0][1]                           # ESSCertIDv2
        at = next(i for i, n in enumerate(node) if n[0] == 4)
        node[at][1] = bytes((node[at][1][0] ^ 1,)) + node[at][1][1:]
    made("other_signing_cert", other_cert)

    def replace(find, how):
        def change(c):
            parent, i = find(c)
            parent[i] = how(parent[i])
        return change
    places = {"signed_data": lambda c: (c.top[1][1][1], 0),
              "signer": lambda c: (c.signers[1], 0),
              "signers": lambda c: (c.signed[1], len(c.signed[1]) - 1),
              "attributes": lambda c: (c.signer[1], c.signer[1].index(c.attrs)),
              "content": lambda c: (c.signed[1], 2)}
    for word, find in places.items():
        made(f"ber_{word}", replace(find, indefinite), again=False)
        made(f"long_length_{word}", replace(find, long_length), again=False)
        made(f"huge_length_{word}", replace(find, lambda n: bytes((n[0], 0x84)) +
                                            b"\x7f\xff\xff\xff" + encode(n)[2:]), again=False)
        made(f"more_in_{word}", replace(find, lambda n: [n[0], n[1] + [[2, b"\1"]]]),
             again=False)
    made("zero_signers", lambda c: c.signers[1].clear(), again=False)
    made("same_signer_twice", lambda c: c.signers[1].append(c.signer), again=False)
    made("no_certificate", lambda c: c.signed[1].pop(3), again=False)
    made("content_inside", lambda c: c.encap[1].append([0xa0, [[4, b"{}"]]]), again=False)
    nested = [4, b""]
    for _ in range(2000):
        nested = [0x30, encode(nested)]
    made("nested", replace(places["content"], lambda n: encode(nested)), again=False)
    return out
