"""How many bytes has the system received on a connection? Linux tells of each (sock_diag); elsewhere nobody knows.

gRPC's library holds what has come of a message until it is whole, and says nothing of it: the system is asked instead.
"""

import ipaddress
import socket
import struct
from collections.abc import Iterator
from urllib.parse import unquote

FAMILY = 4
"""NETLINK_SOCK_DIAG."""
BY_FAMILY = 20
"""SOCK_DIAG_BY_FAMILY, of questions and of answers."""
REQUEST, DUMP = 1, 0x300
OPEN = frozenset({1, 8})
"""States: established, or closed by the peer alone. Once it has ended the listener itself is found in its place."""
INFO = 2
"""INET_DIAG_INFO: tcp_info follows."""
HEAD, ANSWER = struct.Struct("=IHHII"), struct.Struct("=BBBB2s2s16s16sI8s20x")
ATTRIBUTE = struct.Struct("=HH")
BYTES_RECEIVED = 128
"""Where tcp_info has it."""
ANY = b"\xff" * 8
SECONDS = 1.0
LARGEST = 1 << 16


class Received:
    """Of connections to one port."""

    def __init__(self) -> None:
        self.port = 0
        self._locals: dict[str, bytes] = {}
        """Where peers are connected to, the last of them."""
        self._socket: socket.socket | None = None
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, FAMILY)
            self._socket.settimeout(SECONDS)
        except (AttributeError, OSError):
            self.close()

    def of(self, peer: str) -> int | None:
        """Bytes, ever; `peer` as gRPC writes it. None where nobody can tell, or the connection is gone."""
        address = parsed(peer)
        if self._socket is None or address is None:
            return None
        family, host, port = address
        try:
            local = self._locals.get(host)
            known = None if local is None else self._exact(family, local, host, port)
            return self._search(family, host, port) if known is None else known
        except (OSError, struct.error):
            return None

    def close(self) -> None:
        """Ask no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _exact(self, family: int, local: bytes, host: str, port: int) -> int | None:
        remote = socket.inet_pton(family, host).ljust(16, b"\0")
        for _, _, received in self._ask(family, REQUEST, local, remote, port):
            return received
        return None

    def _search(self, family: int, host: str, port: int) -> int | None:
        """The address that it came to is not known yet: look through those of the two ports."""
        wanted = socket.inet_pton(family, host).ljust(16, b"\0")
        mapped = b"\0" * 10 + b"\xff\xff" + wanted[:4]
        found = None
        families = (family,) if family == socket.AF_INET6 else (family, socket.AF_INET6)
        for one in families:
            for local, remote, received in self._ask(one, REQUEST | DUMP, bytes(16), bytes(16), port):
                if remote == wanted or (one != family and remote == mapped):
                    self._locals[host] = local if remote == wanted else local[12:].ljust(16, b"\0")
                    found = received
            if found is not None:
                break
        return found

    def _ask(
        self, family: int, flags: int, local: bytes, remote: bytes, port: int
    ) -> Iterator[tuple[bytes, bytes, int | None]]:
        assert self._socket is not None
        ports = struct.pack(">HH", self.port, port)
        body = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 1 << (INFO - 1), 0, sum(1 << one for one in OPEN))
        body += ports + local + remote + bytes(4) + ANY
        self._socket.send(HEAD.pack(HEAD.size + len(body), BY_FAMILY, flags, 0, 0) + body)
        while True:
            data, offset = self._socket.recv(LARGEST), 0
            while offset < len(data):
                size, kind, _, _, _ = HEAD.unpack_from(data, offset)
                if kind != BY_FAMILY:
                    return
                yield told(data, offset + HEAD.size, offset + size)
                offset += (size + 3) & ~3
            if flags == REQUEST:
                return


def told(data: bytes, start: int, end: int) -> tuple[bytes, bytes, int | None]:
    """Local and remote address of an answer, and how many bytes have come; None for a connection that has ended."""
    _, state, _, _, _, _, local, remote, _, _ = ANSWER.unpack_from(data, start)
    received, place = None, start + ANSWER.size
    while state in OPEN and place + ATTRIBUTE.size <= end:
        size, kind = ATTRIBUTE.unpack_from(data, place)
        if kind == INFO and size >= ATTRIBUTE.size + BYTES_RECEIVED + 8:
            (received,) = struct.unpack_from("=Q", data, place + ATTRIBUTE.size + BYTES_RECEIVED)
        place += max((size + 3) & ~3, ATTRIBUTE.size)
    return local, remote, received


def parsed(peer: str) -> tuple[int, str, int] | None:
    """Family, address and port of `ipv4:a.b.c.d:port` or `ipv6:[...]:port`; None for what is none of both."""
    kind, _, rest = unquote(peer).partition(":")
    host, _, port = rest.rpartition(":")
    host = host.strip("[]").partition("%")[0]
    try:
        family = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}[kind]
        return family, str(ipaddress.ip_address(host)), int(port)
    except (KeyError, ValueError):
        return None
