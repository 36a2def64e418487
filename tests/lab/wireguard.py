"""The other end of a WireGuard tunnel, in the tests themselves.

The machines that run the tests need no WireGuard in their kernel: a Peer makes
and reads the datagrams, a test carries them over a cable of the lab.  Sources:
the WireGuard white paper (sections 5.4.2 to 5.4.6), RFC 7748 for X25519,
RFC 8439 for ChaCha20-Poly1305.  Not for anything but tests: nothing here runs
in constant time.
"""
import base64
import hashlib
import hmac
import os
import struct
import time

PRIME = 2 ** 255 - 19
ZERO = bytes(32)


# X25519 -------------------------------------------------------------------

def x25519(scalar, point):
    """Curve25519 (RFC 7748 section 5)."""
    k = bytearray(scalar)
    k[0] &= 248
    k[31] = k[31] & 127 | 64
    k = int.from_bytes(k, "little")
    u = int.from_bytes(point, "little") & (2 ** 255 - 1)
    x2, z2, x3, z3, swap = 1, 0, u, 1, 0
    for t in reversed(range(255)):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b = x2 + z2, x2 - z2
        aa, bb = a * a % PRIME, b * b % PRIME
        e = aa - bb
        da, cb = (x3 - z3) * a % PRIME, (x3 + z3) * b % PRIME
        x3, z3 = (da + cb) ** 2 % PRIME, u * (da - cb) ** 2 % PRIME
        x2, z2 = aa * bb % PRIME, e * (aa + 121665 * e) % PRIME
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, PRIME - 2, PRIME) % PRIME).to_bytes(32, "little")


def public(private):
    return x25519(private, (9).to_bytes(32, "little"))


# ChaCha20-Poly1305 ----------------------------------------------------------

def _quarter(s, a, b, c, d):
    for x, y, z, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = s[x] + s[y] & 0xffffffff
        v = s[z] ^ s[x]
        s[z] = (v << n | v >> 32 - n) & 0xffffffff


def _block(key, counter, nonce):
    start = list(struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key) +
                 (counter,) + struct.unpack("<3I", nonce))
    s = start[:]
    for _ in range(10):
        for i in range(4):
            _quarter(s, i, i + 4, i + 8, i + 12)
        for i in range(4):
            _quarter(s, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<16I", *(a + b & 0xffffffff for a, b in zip(s, start)))


def _stream(key, nonce, data):
    out = bytearray()
    for i in range(0, len(data), 64):
        pad = _block(key, 1 + i // 64, nonce)
        out += bytes(a ^ b for a, b in zip(data[i:i + 64], pad))
    return bytes(out)


def _tag(key, nonce, data, extra):
    def padded(x):
        return x + bytes(-len(x) % 16)
    one = _block(key, 0, nonce)
    r = int.from_bytes(one[:16], "little") & 0x0ffffffc0ffffffc0ffffffc0fffffff
    text = padded(extra) + padded(data) + struct.pack("<QQ", len(extra), len(data))
    total = 0
    for i in range(0, len(text), 16):
        total = (total + int.from_bytes(text[i:i + 16] + b"\1", "little")) * r
        total %= 2 ** 130 - 5
    total += int.from_bytes(one[16:32], "little")
    return (total & (2 ** 128 - 1)).to_bytes(16, "little")


def seal(key, nonce, data, extra):
    """RFC 8439 section 2.8; NONCE has 12 bytes."""
    data = _stream(key, nonce, data)
    return data + _tag(key, nonce, data, extra)


def unseal(key, nonce, data, extra):
    """The text of seal(); ValueError when it is not authentic."""
    data, tag = data[:-16], data[-16:]
    if _tag(key, nonce, data, extra) != tag:
        raise ValueError("not authentic")
    return _stream(key, nonce, data)


# The handshake ----------------------------------------------------------------

CONSTRUCTION = b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"
IDENTIFIER = b"WireGuard v1 zx2c4 Jason@zx2c4.com"
INITIATION, RESPONSE, TRANSPORT = 1, 2, 4


def _hash(*parts):
    return hashlib.blake2s(b"".join(parts)).digest()


def _hmac(key, data):
    return hmac.new(key, data, hashlib.blake2s).digest()


def _derive(chain, data, count):
    """The first COUNT outputs of KDF_n."""
    secret, out = _hmac(chain, data), [b""]
    for i in range(count):
        out.append(_hmac(secret, out[-1] + bytes([i + 1])))
    return out[1:]


def _nonce(counter):
    return bytes(4) + struct.pack("<Q", counter)


def _mac1(receiver, message):
    key = _hash(b"mac1----", receiver)
    return hashlib.blake2s(message, key=key, digest_size=16).digest()


class Peer:
    """One end that opens the connection; THEIRS is the device's public key (base64)."""

    def __init__(self, theirs=None):
        self.private = os.urandom(32)
        self.public = public(self.private)
        self.theirs = base64.b64decode(theirs) if theirs else None
        self.index = int.from_bytes(os.urandom(4), "little")
        self.chain = self.hash = self.ephemeral = None
        self.their_index = self.send_key = self.receive_key = None
        self.counter = 0

    @property
    def key(self):
        """Public key, as a configuration has it."""
        return base64.b64encode(self.public).decode()

    def _mix(self, data):
        self.hash = _hash(self.hash, data)

    def initiation(self):
        """The first datagram, 148 bytes."""
        self.ephemeral = os.urandom(32)
        mine = public(self.ephemeral)
        self.chain = _hash(CONSTRUCTION)
        self.hash = _hash(self.chain, IDENTIFIER)
        self._mix(self.theirs)
        self.chain, = _derive(self.chain, mine, 1)
        self._mix(mine)
        self.chain, key = _derive(self.chain, x25519(self.ephemeral, self.theirs), 2)
        static = seal(key, _nonce(0), self.public, self.hash)
        self._mix(static)
        self.chain, key = _derive(self.chain, x25519(self.private, self.theirs), 2)
        now = time.time_ns()
        stamp = seal(key, _nonce(0), struct.pack(">QI", 2 ** 62 + 10 + now // 10 ** 9,
                                                 now % 10 ** 9), self.hash)
        self._mix(stamp)
        message = struct.pack("<II", INITIATION, self.index) + mine + static + stamp
        return message + _mac1(self.theirs, message) + bytes(16)

    def response(self, data):
        """Take the device's answer; False when it is none to us."""
        if len(data) != 92 or struct.unpack("<I", data[:4])[0] != RESPONSE or \
                struct.unpack("<I", data[8:12])[0] != self.index:
            return False
        theirs = data[12:44]
        if data[60:76] != _mac1(self.public, data[:60]):
            raise ValueError("the answer has a wrong mac1")
        self.chain, = _derive(self.chain, theirs, 1)
        self._mix(theirs)
        self.chain, = _derive(self.chain, x25519(self.ephemeral, theirs), 1)
        self.chain, = _derive(self.chain, x25519(self.private, theirs), 1)
        self.chain, temp, key = _derive(self.chain, ZERO, 3)
        self._mix(temp)
        if unseal(key, _nonce(0), data[44:60], self.hash) != b"":
            raise ValueError("the answer carries something")
        self.their_index = struct.unpack("<I", data[4:8])[0]
        self.send_key, self.receive_key = _derive(self.chain, b"", 2)
        self.counter = 0
        return True

    def wrap(self, packet):
        """An IP packet as a datagram; b"" is a keepalive."""
        counter, self.counter = self.counter, self.counter + 1
        packet += bytes(-len(packet) % 16)
        return struct.pack("<IIQ", TRANSPORT, self.their_index, counter) + \
            seal(self.send_key, _nonce(counter), packet, b"")

    def unwrap(self, data):
        """The (padded) IP packet in a datagram for us, None when it is none."""
        if len(data) < 32 or struct.unpack("<II", data[:8]) != (TRANSPORT, self.index):
            return None
        counter, = struct.unpack("<Q", data[8:16])
        return unseal(self.receive_key, _nonce(counter), data[16:], b"")


def check_vectors():
    """The examples of the two RFCs; AssertionError when this file is wrong."""
    scalar = bytes.fromhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
    point = bytes.fromhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
    assert x25519(scalar, point).hex() == \
        "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"
    text = (b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip "
            b"for the future, sunscreen would be it.")
    key, nonce = bytes(range(0x80, 0xa0)), bytes.fromhex("070000004041424344454647")
    sealed = seal(key, nonce, text, bytes.fromhex("50515253c0c1c2c3c4c5c6c7"))
    assert sealed[-16:].hex() == "1ae10b594f09e26a7e902ecbd0600691"
    assert unseal(key, nonce, sealed, bytes.fromhex("50515253c0c1c2c3c4c5c6c7")) == text
