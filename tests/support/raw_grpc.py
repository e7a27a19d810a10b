"""A caller that speaks HTTP/2 by hand: it can announce a message and never send all of it."""

import asyncio
import struct
from collections.abc import Sequence

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW = 0, 1, 3, 4, 6, 7, 8
ACK, END_HEADERS, END_STREAM = 1, 4, 1
INITIAL_WINDOW = 4
FRAME = 16_384
FIRST_WINDOW = 65_535


class RawCaller:
    """One connection."""

    def __init__(self) -> None:
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter
        self._reading: asyncio.Task[None] | None = None
        self._window = FIRST_WINDOW
        self._each = FIRST_WINDOW
        self._windows: dict[int, int] = {}
        self._more = asyncio.Event()
        self.sent: dict[int, int] = {}
        """Bytes of each stream that the server took."""
        self.ended: set[int] = set()
        """Streams that it has ended."""
        self.closed = asyncio.Event()
        """It has closed the connection."""

    async def connect(self, port: int, takes: int = FIRST_WINDOW) -> None:
        """Say hello, and how many bytes of each answer are taken."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        self._writer.write(PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW, takes)))
        self._reading = asyncio.create_task(self._read())

    def close(self) -> None:
        """Hang up."""
        if self._reading is not None:
            self._reading.cancel()
        self._writer.close()

    def call(self, stream: int, path: str, *headers: tuple[str, str]) -> None:
        """The header of one; streams are odd, and rise."""
        fixed = ((":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "x"), ("te", "trailers"))
        block = b"".join(literal(*one) for one in (*fixed, ("content-type", "application/grpc"), *headers))
        self._windows[stream], self.sent[stream] = self._each, 0
        self._writer.write(frame(HEADERS, END_HEADERS, stream, block))

    async def send_all_but_one_byte(self, stream: int, size: int, before: Sequence[bytes] = ()) -> None:
        """Of a message behind others that are whole, as far as the server takes it."""
        left = b"".join(struct.pack(">BI", 0, len(one)) + one for one in before)
        left += struct.pack(">BI", 0, size) + bytes(size - 1)
        while left and stream not in self.ended and not self.closed.is_set():
            room = min(self._window, self._windows[stream], FRAME, len(left))
            if room <= 0:
                self._more.clear()
                await self._more.wait()
                continue
            self._writer.write(frame(DATA, 0, stream, left[:room]))
            left = left[room:]
            self._window -= room
            self._windows[stream] -= room
            self.sent[stream] += room
            await self._writer.drain()

    async def _read(self) -> None:
        try:
            while True:
                head = await self._reader.readexactly(9)
                kind, flags, stream = head[3], head[4], int.from_bytes(head[5:]) & 0x7FFF_FFFF
                self._take(kind, flags, stream, await self._reader.readexactly(int.from_bytes(head[:3])))
                self._more.set()
        except (asyncio.IncompleteReadError, OSError):
            self.closed.set()
            self._more.set()

    def _take(self, kind: int, flags: int, stream: int, held: bytes) -> None:
        if kind == SETTINGS and not flags & ACK:
            for name, value in struct.iter_unpack(">HI", held):
                if name == INITIAL_WINDOW:
                    for one in self._windows:
                        self._windows[one] += value - self._each
                    self._each = value
            self._writer.write(frame(SETTINGS, ACK, 0, b""))
        elif kind == WINDOW and stream:
            self._windows[stream] += int.from_bytes(held)
        elif kind == WINDOW:
            self._window += int.from_bytes(held)
        elif kind == PING and not flags & ACK:
            self._writer.write(frame(PING, ACK, 0, held))
        elif kind == RESET or (kind in (DATA, HEADERS) and flags & END_STREAM):
            self.ended.add(stream)


def frame(kind: int, flags: int, stream: int, held: bytes) -> bytes:
    """With its head."""
    return struct.pack(">I", len(held))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + held


def literal(name: str, value: str) -> bytes:
    """A header in the plainest of HPACK's forms."""
    return b"\x00" + b"".join(bytes((len(one),)) + one for one in (name.encode(), value.encode()))
