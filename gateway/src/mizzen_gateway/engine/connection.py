"""One connection to an engine: one exchange at a time, no task of its own, body bytes handed on as they come."""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol, cast

import httptools

from mizzen_gateway.at_once import AtOnce
from mizzen_gateway.engine.dial import Dial
from mizzen_gateway.engine.exchange import EngineFailureError, EngineRequest, EngineSink

NEVER = float("inf")
JOIN_BELOW = 64 * 1024
LAST_CHUNK = b"0\r\n\r\n"
RESPONSE_HEADER_LIMIT = 200
READ_BYTES = 128 * 1024
"""At once: what an engine sent before it was paused is held for a caller that does not read."""
_READ = memoryview(bytearray(READ_BYTES))
"""Shared by all connections: what is read is parsed before anything else is."""


class Listener(Protocol):
    """Who wants to know when an engine begins to answer."""

    def engine_began(self) -> None:
        """The first byte of a response has come."""
        ...

    def goes_on_early(self) -> int:
        """The response goes to the caller before it is whole, for its length; gives the most tokens it can have."""
        ...


class EngineConnection(asyncio.BufferedProtocol):
    """Made and kept by the pool. Also a `Source` for backpressure: pause and resume reading."""

    def __init__(self, loop: asyncio.AbstractEventLoop, host: str, dial: Dial | None = None) -> None:
        """`dial`: of an upstream that is more than an address."""
        self._loop = loop
        self._host = host if dial is None else dial.authority
        self._dial = dial
        self._transport: asyncio.Transport
        self._parser: httptools.HttpResponseParser | None = None
        self._sink: EngineSink | None = None
        self._done: AtOnce | None = None
        self._headers: dict[bytes, bytes] = {}
        self._keep = False
        self._idle_limit = self._first_byte_limit = NEVER
        self._full: asyncio.Future[None] | None = None
        self._paused = False
        self._head_seen = self._whole = False
        self._problem: Exception | None = None
        self._pieces: list[bytes] = []
        self.began = False
        """A byte of the response under way has come."""
        self.first_byte_at: float | None = None
        """Loop time of the response's first byte."""
        self.listener: Listener | None = None
        """Hears of the first byte of the next exchange, once."""
        self.deadline = NEVER
        """Loop time at which the pool gives the exchange up."""
        self.idle_since = 0.0
        """Loop time since when it has nothing to do."""
        self.used = False
        """It has carried an exchange before; its end may come from the engine's keep-alive limit."""
        self.last = False
        """The engine is going away: no exchange may follow this one."""

    async def exchange(
        self, request: EngineRequest, sink: EngineSink, first_byte_seconds: float, idle_seconds: float
    ) -> None:
        """Send and hand the response to the sink; returns when it is whole. Raises EngineFailureError."""
        self._parser = httptools.HttpResponseParser(self)
        self._sink = sink
        self._headers, self._pieces = {}, []
        self.began = self._keep = self._head_seen = self._whole = False
        self.first_byte_at = self._problem = None
        self._done = AtOnce(self._loop)
        self._idle_limit = idle_seconds
        self._first_byte_limit = first_byte_seconds
        self.deadline = self._loop.time() + first_byte_seconds
        if self._dial is not None:
            request = self._dial.aim(request)
        head, body = request.encode(self._host)
        if len(body) < JOIN_BELOW:
            self._transport.write(b"".join((head, body)))
        else:
            self._transport.writelines([head, body])
        try:
            if request.stream is not None:
                await self._send(request.stream)
            await self._done
        except BaseException:
            self._transport.abort()
            raise
        finally:
            self.deadline = NEVER
            self._sink = self.listener = None
            self.used = True

    async def _send(self, pieces: AsyncIterator[bytes]) -> None:
        """A body in chunks, no faster than the engine takes it; stops where the engine has answered already."""
        assert self._done is not None
        self.deadline = NEVER  # the caller has deadlines of its own
        async for piece in pieces:
            if self._done.done():
                # What was not sent cannot follow an answer: another exchange needs another connection.
                self._keep = False
                return
            if piece:
                self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            if self._full is not None:
                self.deadline = self._loop.time() + self._idle_limit
                await self._full
                self.deadline = NEVER
        self._transport.write(LAST_CHUNK)
        self.deadline = self._loop.time() + self._first_byte_limit

    @property
    def reusable(self) -> bool:
        """The last exchange ended so that another may follow."""
        # One that is still paused, for a caller who did not read to the end, would hear nothing of the next.
        return self._keep and not self.last and not self._paused and not self._transport.is_closing()

    def pause(self) -> None:
        """The caller does not read: take no more bytes from the engine."""
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self.deadline = NEVER
            self._transport.pause_reading()

    def resume(self) -> None:
        """Go on."""
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self.deadline = self._loop.time() + self._idle_limit
            self._transport.resume_reading()

    def goes_on_early(self) -> int:
        """As the listener says."""
        return 0 if self.listener is None else self.listener.goes_on_early()

    def expire(self) -> None:
        """The deadline has passed."""
        self._fail(EngineFailureError("timeout", self.began, "no byte from the engine in time"))

    def fail(self, error: Exception) -> None:
        """End it; an exchange under way fails with that."""
        self._fail(error)

    def close(self) -> None:
        """End it; an exchange under way fails."""
        self._transport.close()

    def _fail(self, error: Exception) -> None:
        self._keep = False
        if self._done is not None and not self._done.done():
            self._done.set_exception(error)
        self._transport.abort()

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast("asyncio.Transport", transport)

    def pause_writing(self) -> None:
        """The engine takes no more for now."""
        self._full = self._loop.create_future()

    def resume_writing(self) -> None:
        """It does again."""
        if self._full is not None and not self._full.done():
            self._full.set_result(None)
        self._full = None

    def connection_lost(self, _exc: Exception | None) -> None:
        """The engine closed, or we did."""
        self._keep = False
        self.resume_writing()
        if self._done is not None and not self._done.done():
            if self._ends_with_connection():
                self._done.come()
            else:
                self._done.set_exception(EngineFailureError("broken", self.began, "engine closed the connection"))

    def _ends_with_connection(self) -> bool:
        """Without a length or chunks, the end of the connection is the end of the body (HTTP/1.0)."""
        framed = b"content-length" in self._headers or b"transfer-encoding" in self._headers
        return self._head_seen and self._problem is None and not framed

    def get_buffer(self, _sizehint: int) -> memoryview:
        """Where bytes are read to."""
        return _READ

    def buffer_updated(self, count: int) -> None:
        """They came."""
        self.data_received(_READ[:count])

    def data_received(self, data: memoryview | bytes) -> None:
        """Bytes came, of use until this returns."""
        if self._done is None or self._done.done() or self._parser is None:
            self._fail(EngineFailureError("malformed", True, "bytes that nobody asked for"))
            return
        now = self._loop.time()
        if not self.began:
            self.began = True
            self.first_byte_at = now
            if self.listener is not None:
                self.listener.engine_began()
        self.deadline = now + self._idle_limit
        problem: Exception | None = None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            problem = EngineFailureError("malformed", True, f"engine does not speak HTTP: {error}")
        problem = self._problem or self._hand_on() or problem
        if problem is not None and not self._whole:
            self._fail(problem)
        elif self._whole:
            if problem is not None:  # what follows a whole response is none of it, and nothing may follow that
                self._keep = False
                self._transport.abort()
            self._done.come()  # last, since the next exchange may begin within it

    def _hand_on(self) -> Exception | None:
        """What came at once goes on at once: events that came together cost the caller's side one write."""
        pieces = self._pieces
        if not pieces:
            return None
        self._pieces = []
        if self._sink is not None:
            try:
                self._sink.on_body(pieces[0] if len(pieces) == 1 else b"".join(pieces))
            except Exception as error:  # noqa: BLE001  # whatever a sink cannot do is raised where its exchange is awaited
                return error
        return None

    # Called by llhttp.

    def on_message_begin(self) -> None:
        """A response begins; a second one to one request must not touch the first."""
        if self._whole or self._done is None or self._done.done():
            self._problem = EngineFailureError("malformed", True, "more than one response to one request")
            raise self._problem

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header line."""
        if len(self._headers) >= RESPONSE_HEADER_LIMIT:
            self._problem = EngineFailureError("malformed", True, "too many header lines from the engine")
            raise self._problem
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        """The head is whole."""
        parser = self._parser
        assert parser is not None
        status = parser.get_status_code()
        if status < 200:
            self._headers = {}
            return
        self._head_seen = True
        self._keep = parser.should_keep_alive()
        if self._sink is not None:
            try:
                self._sink.on_head(status, self._headers)
            except Exception as error:  # llhttp swallows it: kept, and raised in data_received's place
                self._problem = error
                raise

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        self._pieces.append(data)

    def on_message_complete(self) -> None:
        """The response is whole."""
        problem = self._hand_on()
        if problem is not None:
            self._problem = problem
            raise problem
        self._whole = self._head_seen
