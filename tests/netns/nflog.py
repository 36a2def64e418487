"""Reader of one NFLOG group, over netlink."""
import os
import select
import socket
import struct

import ns

NETLINK_NETFILTER = 12
SUBSYS_ULOG = 4
MSG_PACKET, MSG_CONFIG = 0, 1
CFG_CMD, CFG_MODE, CFG_QTHRESH = 1, 2, 5
CMD_BIND, COPY_PACKET = 1, 2
ATTR_PAYLOAD, ATTR_PREFIX = 9, 10
NLM_REQUEST_ACK = 5


def _attr(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


class Reader:
    """Everything that goes to an NFLOG group of a namespace while it is open."""

    def __init__(self, namespace, group):
        self.sock = ns.sock(namespace, socket.AF_NETLINK, socket.SOCK_RAW,
                            NETLINK_NETFILTER)
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)    # SO_RCVBUFFORCE
        self.sock.bind((0, 0))
        self.group = group
        self._ask(_attr(CFG_CMD, struct.pack("B", CMD_BIND)))
        self._ask(_attr(CFG_MODE, struct.pack("!IBx", 0xffff, COPY_PACKET)))
        # one message is enough to be sent at once
        self._ask(_attr(CFG_QTHRESH, struct.pack("!I", 1)))

    def _ask(self, attrs):
        body = struct.pack("!BBH", 0, 0, self.group) + attrs
        head = struct.pack("=IHHII", 16 + len(body), SUBSYS_ULOG << 8 | MSG_CONFIG,
                           NLM_REQUEST_ACK, 1, 0)
        self.sock.send(head + body)
        answer = self.sock.recv(65536)
        err = -struct.unpack_from("=i", answer, 16)[0]
        if err:
            raise OSError(err, f"NFLOG group {self.group}: {os.strerror(err)}")

    def read(self, timeout=0.5):
        """[(prefix, packet)] of what has been logged.

        Waits until nothing has come for TIMEOUT seconds.
        """
        out = []
        while select.select([self.sock], [], [], timeout)[0]:
            out += self._parse(self.sock.recv(1 << 17))
        return out

    @staticmethod
    def _parse(data):
        out, at = [], 0
        while at + 20 <= len(data):
            size, kind = struct.unpack_from("=IH", data, at)
            if kind == SUBSYS_ULOG << 8 | MSG_PACKET:
                prefix, packet = "", b""
                a = at + 20
                while a + 4 <= at + size:
                    length, attr = struct.unpack_from("=HH", data, a)
                    if attr & 0x7fff == ATTR_PREFIX:
                        prefix = data[a + 4:a + length].rstrip(b"\0").decode()
                    elif attr & 0x7fff == ATTR_PAYLOAD:
                        packet = data[a + 4:a + length]
                    a += (length + 3) & ~3
                out.append((prefix, packet))
            at += (size + 3) & ~3
        return out

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()
