"""How does the gateway talk to Redis or Valkey? One connection, many calls on the way, answers in their order.

A few commands are all that is needed, so that a call costs some microseconds here; a general client costs a tenth of a
millisecond.
"""

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass
from typing import Self, cast
from urllib.parse import parse_qs, unquote, urlsplit

from mizzen_gateway.limits.shared_server import StoreUnreachableError

ANSWER_SECONDS = 1.0
"""A server that keeps a call waiting for longer is taken for lost."""
WATCH_SECONDS = 0.25
CONNECT_SECONDS = 2.0
END = b"\r\n"


class ServerSaidError(Exception):
    """The server refused a command; the message is its own."""


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where the server is."""

    host: str
    port: int
    database: int
    user: str
    password: str
    tls: bool
    authority: str
    """Path of a PEM file; empty for those that the system trusts."""

    @classmethod
    def of(cls, url: str) -> Self:
        """Of `redis[s]://[user:password@]host[:port][/database][?ca=file]`; raises ValueError."""
        parts = urlsplit(url)
        if not parts.hostname:
            raise ValueError("names no host")
        path = parts.path.strip("/")
        return cls(
            host=parts.hostname,
            port=parts.port or 6379,
            database=int(path) if path else 0,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            tls=parts.scheme in ("rediss", "valkeys"),
            authority=(parse_qs(parts.query).get("ca") or [""])[0],
        )


def command(*arguments: bytes) -> bytes:
    """A command as it is sent."""
    return b"*%d\r\n%b" % (len(arguments), words(*arguments))


def words(*arguments: bytes) -> bytes:
    """A part of a command."""
    return b"".join([b"$%d\r\n%b\r\n" % (len(argument), argument) for argument in arguments])


class RedisConnection(asyncio.Protocol):
    """One connection; once lost it stays so."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[tuple[asyncio.Future[bytes], float]] = deque()
        self._held = b""
        self._watch: asyncio.TimerHandle | None = None
        self._suspected: asyncio.Future[bytes] | None = None
        self.lost = asyncio.Event()

    @classmethod
    async def open(cls, address: RedisAddress) -> Self:
        """Connect and sign in; raises StoreUnreachableError."""
        context = ssl.create_default_context(cafile=address.authority or None) if address.tls else None
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await loop.create_connection(lambda: cls(loop), address.host, address.port, ssl=context)
                if address.password:
                    names = (address.user.encode(),) if address.user else ()
                    await connection.call(command(b"AUTH", *names, address.password.encode()))
                if address.database:
                    await connection.call(command(b"SELECT", b"%d" % address.database))
        except (OSError, TimeoutError, ServerSaidError) as error:
            raise StoreUnreachableError(str(error) or f"no answer within {CONNECT_SECONDS:g} s") from error
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is no subclass

    def call(self, sent: bytes) -> "asyncio.Future[bytes]":
        """Send a command; the answer, or StoreUnreachableError or ServerSaidError."""
        answer: asyncio.Future[bytes] = self._loop.create_future()
        if self._transport is None or self.lost.is_set():
            answer.set_exception(StoreUnreachableError("the connection is lost"))
            return answer
        self._waiting.append((answer, self._loop.time()))
        self._transport.write(sent)
        if self._watch is None:
            self._watch = self._loop.call_later(WATCH_SECONDS, self._look)
        return answer

    def data_received(self, data: bytes) -> None:
        """Answers, in the order of the calls."""
        if self._held:
            data, self._held = self._held + data, b""
        start = 0
        while start < len(data):
            end = data.find(END, start)
            if end < 0:
                break
            kind, value, following = data[start], data[start + 1 : end], end + 2
            if kind == 36 and value != b"-1":  # $: so many bytes follow
                following += int(value) + 2
                if following > len(data):
                    break
                value = data[end + 2 : following - 2]
            self._answer(kind, value)
            start = following
        self._held = data[start:]

    def connection_lost(self, _error: Exception | None) -> None:
        """Nobody will answer any more."""
        self.lost.set()
        if self._watch is not None:
            self._watch.cancel()
        while self._waiting:
            answer, _ = self._waiting.popleft()
            if not answer.done():
                answer.set_exception(StoreUnreachableError("the server closed the connection or was silent"))

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    def _answer(self, kind: int, value: bytes) -> None:
        answer, _ = self._waiting.popleft()
        if answer.done():
            return
        if kind == 45:  # -: an error
            answer.set_exception(ServerSaidError(value.decode("utf-8", "replace")))
        else:
            answer.set_result(value)

    def _look(self) -> None:
        """Hang up on a server that is silent."""
        self._watch = None
        if not self._waiting:
            return
        oldest, sent_at = self._waiting[0]
        if self._loop.time() - sent_at > ANSWER_SECONDS:
            if self._suspected is oldest:
                self.close()
                return
            self._suspected = oldest  # this process may have been too busy to read: look once more
        self._watch = self._loop.call_later(WATCH_SECONDS, self._look)
