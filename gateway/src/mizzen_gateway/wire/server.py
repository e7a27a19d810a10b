"""Listens, sweeps expired connections, drains."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterable
from itertools import islice
from typing import Protocol

from mizzen_gateway.stages import Refusal
from mizzen_gateway.stopping import LAST_WORDS_SECONDS
from mizzen_gateway.wire.connection import NEVER, Connection
from mizzen_gateway.wire.http_date import HttpDate
from mizzen_gateway.wire.limits import WireLimits
from mizzen_gateway.wire.receiving import Receiving
from mizzen_gateway.wire.request import Request
from mizzen_gateway.wire.response import Responder

SWEEP_SECONDS = 1.0
IDLE_SHARE = 0.08
"""Of the time of a drain."""
EVICTION_LOOKS = 64
BACKLOG = 4096
SHUTDOWN_SECONDS = 2.0
"""For a caller to agree that its TLS connection ends."""


class Handler(Protocol):
    """What a server serves."""

    def vet(self, request: Request, transport: asyncio.BaseTransport) -> None:
        """Called when the header is whole, with its connection: sets `caller` or `refusal`.

        A refused request's body is thrown away.
        """
        ...

    async def handle(self, request: Request, responder: Responder) -> None:
        """Answer. Cancelled when the caller leaves."""
        ...

    def refuse(self, request: Request, responder: Responder, refusal: Refusal) -> None:
        """`handle` raised: say no, or where the answer has begun, break it off."""
        ...


class Server:
    """One listener. One timer for all connections: a deadline each would cost more than the requests."""

    def __init__(self, handler: Handler, limits: WireLimits) -> None:
        self.handler = handler
        self.limits = limits
        self.loop = asyncio.get_running_loop()
        self.draining = False
        self.closes_idle = False
        """Draining, and callers had their time to hear of it with an answer."""
        self.date = HttpDate()
        self._connections: dict[Connection, None] = {}
        self.receiving = Receiving(limits)
        self.evicted = 0
        """Connections that made room for others."""
        self._empty = asyncio.Event()
        self._listener: asyncio.Server | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Begin; the port that was taken (of use where 0 was asked for). Raises OSError where it is in use."""
        handshake, shutdown = self._patience(tls)
        listener = await self.loop.create_server(
            self.connection,
            host,
            port,
            backlog=BACKLOG,
            ssl=tls,
            ssl_handshake_timeout=handshake,
            ssl_shutdown_timeout=shutdown,
        )
        return self._begin(listener)

    async def listen_on(self, inherited: socket.socket, tls: ssl.SSLContext | None = None) -> int:
        """The same on a socket that listens already."""
        handshake, shutdown = self._patience(tls)
        listener = await self.loop.create_server(
            self.connection,
            sock=inherited,
            backlog=BACKLOG,
            ssl=tls,
            ssl_handshake_timeout=handshake,
            ssl_shutdown_timeout=shutdown,
        )
        return self._begin(listener)

    def _patience(self, tls: ssl.SSLContext | None) -> tuple[float, float] | tuple[None, None]:
        """A connection is known here once its handshake is done: until then the event loop has to end it."""
        return (None, None) if tls is None else (self.limits.header_seconds, SHUTDOWN_SECONDS)

    def _begin(self, listener: asyncio.Server) -> int:
        self._listener = listener
        self._timer = self.loop.call_later(SWEEP_SECONDS, self._sweep)
        taken: int = listener.sockets[0].getsockname()[1]
        return taken

    def connection(self) -> Connection:
        """For the event loop: the protocol of one more connection."""
        return Connection(self)

    def joined(self, connection: Connection) -> None:
        """A connection began; where there are too many, the one that is idle longest makes room."""
        self._connections[connection] = None
        if 0 < self.limits.connections < len(self._connections):
            self._evict()

    def left(self, connection: Connection) -> None:
        """A connection ended."""
        self._connections.pop(connection, None)
        if self.draining and not self._connections:
            self._empty.set()

    def _evict(self) -> None:
        """The oldest of those whose caller we wait for; one of the oldest is looked at anew each time it is busy."""
        for connection in list(islice(self._connections, EVICTION_LOOKS)):
            del self._connections[connection]
            if connection.idle:
                self.evicted += 1
                connection.abort()
                return
            self._connections[connection] = None

    @property
    def connections(self) -> Iterable[Connection]:
        """Those that are open now, the one idle longest about first."""
        return self._connections.keys()

    @property
    def connection_count(self) -> int:
        """Connections now."""
        return len(self._connections)

    def _sweep(self) -> None:
        self.date.renew()
        now = self.loop.time()
        for connection in [one for one in self._connections if one.deadline < now]:
            connection.deadline = NEVER
            connection.expire()
        self._timer = self.loop.call_later(SWEEP_SECONDS, self._sweep)

    async def drain(self, seconds: float) -> None:
        """Take no new connection; let requests under way end, for `seconds` at most; then tell the rest of it.

        A connection that is kept open may carry a request at any moment: for a share of the time its next one is still
        answered, and told that it was the last; only then idle ones are closed.
        """
        self.draining = True
        if self._listener is not None:
            self._listener.close()
        self._begin_drain()
        for share in (IDLE_SHARE, 1 - IDLE_SHARE):
            await self._until_empty(seconds * share)
            self.closes_idle = True
            self._begin_drain()
        for connection in list(self._connections):
            connection.cut()
        await self._until_empty(LAST_WORDS_SECONDS)
        for connection in list(self._connections):
            connection.abort()
        if self._timer is not None:
            self._timer.cancel()

    async def _until_empty(self, seconds: float) -> None:
        """Until there is no connection, but no longer than that."""
        if self._connections:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._empty.wait()

    def _begin_drain(self) -> None:
        for connection in list(self._connections):
            connection.drain()
