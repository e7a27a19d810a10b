"""The answering side of a connection: a whole response, or a stream with backpressure."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol, runtime_checkable

from mizzen_gateway.stages import Refusal
from mizzen_gateway.wire.http_date import HttpDate

HeaderList = tuple[tuple[str, str], ...]

STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
LINE_END = "\r\n"
LAST_CHUNK = b"0\r\n\r\n"
JOIN_BELOW = 64 * 1024
"""Bytes up to which copying head and body together is cheaper than a second write."""


class Source(Protocol):
    """Where a stream comes from: paused while the caller does not read."""

    def pause(self) -> None:
        """Stop reading."""
        ...

    def resume(self) -> None:
        """Go on."""
        ...


@runtime_checkable
class EarlySource(Protocol):
    """One that wants to know when what should be sent whole is too long for that."""

    def goes_on_early(self) -> int:
        """It is. Gives the most tokens that it can have."""
        ...


class Responder:
    """Writes the answer to one request. Made anew for each request."""

    __slots__ = (
        "_chunked",
        "_close",
        "_date",
        "_head_only",
        "_held",
        "_transport",
        "bytes_out",
        "done",
        "source",
        "started",
        "waiting",
    )

    def __init__(
        self, transport: asyncio.Transport, date: HttpDate, head_only: bool, chunks_allowed: bool, close: bool
    ) -> None:
        self._transport = transport
        self._date = date
        self._head_only = head_only
        self._chunked = chunks_allowed
        self._close = close or not chunks_allowed
        self._held = b""
        self.source: Source | None = None
        """Set by whoever streams; the connection pauses and resumes it."""
        self.started = False
        """A byte was written: the answer cannot be changed any more."""
        self.done = False
        """The answer is whole."""
        self.bytes_out = 0
        self.waiting: Callable[[Refusal], bytes] | None = None
        """Set while nothing but heartbeats was written: how a refusal looks in the stream that has begun."""

    @property
    def closes(self) -> bool:
        """The connection ends after this answer."""
        return self._close

    @property
    def begun(self) -> bool:
        """The head is made, or has gone out with heartbeats: what it says of the connection stands."""
        return self.started or self.waiting is not None

    def close_after(self) -> None:
        """End the connection after this answer."""
        self._close = True

    def _head(self, status: int, headers: HeaderList, framing: str) -> bytes:
        lines = LINE_END.join(map(": ".join, headers))
        ending = "connection: close\r\n\r\n" if self._close else LINE_END
        head = f"{self._date.line}{lines}{LINE_END if lines else ''}{framing}{ending}"
        return STATUS_LINES[status] + head.encode("latin-1")

    def send(self, status: int, headers: HeaderList, body: bytes) -> None:
        """A whole answer."""
        head = self._head(status, headers, f"content-length: {len(body)}\r\n")
        self.started = self.done = True
        self.bytes_out = len(body)
        if self._head_only:
            self._transport.write(head)
        elif len(body) < JOIN_BELOW:
            self._transport.write(head + body)
        else:
            self._transport.writelines([head, body])

    def send_pieces(self, status: int, headers: HeaderList, pieces: list[bytes]) -> None:
        """A whole answer that lies in memory in pieces: a long one is not put together first."""
        size = sum(map(len, pieces))
        if self._head_only or size < JOIN_BELOW:
            self.send(status, headers, b"".join(pieces))
            return
        head = self._head(status, headers, f"content-length: {size}\r\n")
        self.started = self.done = True
        self.bytes_out = size
        self._transport.writelines([head, *pieces])

    def start(self, status: int, headers: HeaderList) -> None:
        """Begin a stream; its head goes out with its first bytes, or did with those of heartbeats."""
        if self.waiting is not None:
            self.waiting = None
            self.started = True
            return
        if not self._chunked:
            self._close = True
        framing = "transfer-encoding: chunked\r\n" if self._chunked else ""
        self._held = self._head(status, headers, framing)
        self.started = True

    def goes_on_early(self) -> int:
        """Tell the source that an answer that should be sent whole begins before it is, for its length.

        Gives the most tokens that it can have. Raises BadRequestError where it must not begin.
        """
        return self.source.goes_on_early() if isinstance(self.source, EarlySource) else 0

    def keep_waiting(self, headers: HeaderList, heartbeat: bytes, last_words: Callable[[Refusal], bytes]) -> None:
        """A sign of life in a stream whose answer has not begun. From the first one on its status is 200."""
        if self.waiting is None:
            self.start(200, headers)
            self.started = False
            self.waiting = last_words
        self.write(heartbeat)

    def give_up_waiting(self, refusal: Refusal) -> None:
        """The answer will never begin: one event says so, and the stream ends. Only while `waiting`."""
        assert self.waiting is not None
        words, self.waiting = self.waiting(refusal), None
        self.started = True
        self.write(words)
        self.finish()

    def write(self, data: bytes) -> None:
        """Bytes of a stream."""
        if not data:
            return
        self.bytes_out += len(data)
        framed = b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data
        if self._held:
            framed, self._held = self._held + framed, b""
        self._transport.write(framed)

    def finish(self) -> None:
        """The stream ended well."""
        self.done = True
        self._transport.write(self._held + (LAST_CHUNK if self._chunked else b""))
        self._held = b""

    def break_off(self) -> None:
        """The stream ends where it stands: no last chunk, so that nobody takes it for whole."""
        self.done = True
        self._close = True
        if self._held:
            self._transport.write(self._held)
            self._held = b""
