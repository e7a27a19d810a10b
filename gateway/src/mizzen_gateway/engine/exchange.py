"""What the gateway asks an engine, what it gets, and the ways that it fails."""

from collections.abc import AsyncIterator
from typing import Literal, Protocol

from mizzen_gateway.record import record

FailureKind = Literal["connect", "broken", "timeout", "malformed", "unavailable", "overloaded", "outrun"]


@record
class EngineRequest:
    """A request to an engine. Nothing of the caller's header gets here but what is named."""

    path: str
    """Path and query."""
    body: bytes = b""
    """Body."""
    headers: tuple[tuple[str, str], ...] = ()
    """Beside host and content-length."""
    method: str = "POST"
    """Method."""
    stream: AsyncIterator[bytes] | None = None
    """A body that comes piece by piece, instead of `body`. It can be sent once."""
    tail: memoryview | None = None
    """What follows `body`, where it is long: sent from where it lies."""
    grpc: bool = False
    """One message, to the method `path` of the engine's port for gRPC."""

    @property
    def whole(self) -> bytes:
        """Body and tail in one piece."""
        return self.body if self.tail is None else b"".join((self.body, self.tail))

    def encode(self, host: str) -> list[bytes | memoryview]:
        """Bytes for the wire, in pieces; of a stream the head alone."""
        lines = "\r\n".join(map(": ".join, self.headers))
        lines = f"{lines}\r\n" if lines else ""
        if self.stream is not None:
            head = f"{self.method} {self.path} HTTP/1.1\r\nhost: {host}\r\n{lines}transfer-encoding: chunked\r\n\r\n"
            return [head.encode("latin-1"), b""]
        size = len(self.body) + (0 if self.tail is None else len(self.tail))
        head = f"{self.method} {self.path} HTTP/1.1\r\nhost: {host}\r\n{lines}content-length: {size}\r\n\r\n"
        if self.tail is None:
            return [head.encode("latin-1"), self.body]
        return [head.encode("latin-1") + self.body, self.tail]


class EngineSink(Protocol):
    """Takes an engine's response as it comes."""

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """Status and headers, by lower-case name."""
        ...

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        ...


class EngineFailureError(Exception):
    """An engine gave no whole response."""

    def __init__(self, kind: FailureKind, began: bool, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        """connect: never reached; broken: closed before the end; timeout: no byte for too long; malformed: not HTTP;
        unavailable: answered 502, 503 or 504; overloaded: answered 429; outrun: another one, asked beside it, began
        to answer first."""
        self.began = began
        """A byte of the response had come."""


class Collected:
    """An EngineSink that keeps a whole response, up to a limit."""

    __slots__ = ("_limit", "_pieces", "_size", "headers", "status")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._pieces: list[bytes] = []
        self.status = 0
        self.headers: dict[bytes, bytes] = {}

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """Keep them."""
        self.status, self.headers = status, headers

    def on_body(self, data: bytes) -> None:
        """Keep it; raises EngineFailureError past the limit."""
        self._size += len(data)
        if self._size > self._limit:
            raise EngineFailureError("malformed", True, f"response larger than {self._limit} bytes")
        self._pieces.append(data)

    @property
    def pieces(self) -> list[bytes]:
        """All of it, as it came."""
        return self._pieces

    @property
    def body(self) -> bytes:
        """All of it."""
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)


class Beginning(Collected):
    """An EngineSink that keeps the beginning of a response, up to a limit: why it was refused stands there."""

    __slots__ = ()

    def on_body(self, data: bytes) -> None:
        """Keep it while there is room."""
        room = self._limit - self._size
        if room > 0:
            super().on_body(data[:room])
