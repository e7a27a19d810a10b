"""One caller's connection: requests in, answers out in order, deadlines, backpressure, and a caller that leaves."""

import asyncio
import fcntl
import sys
import termios
from collections import deque
from typing import TYPE_CHECKING, cast

import structlog

from mizzen_gateway.at_once import AtOnce
from mizzen_gateway.stages import Refusal
from mizzen_gateway.stopping import CUT
from mizzen_gateway.wire.body import BodyStream
from mizzen_gateway.wire.parser import RequestParser
from mizzen_gateway.wire.request import BadRequestError, Request
from mizzen_gateway.wire.response import Responder

if TYPE_CHECKING:
    from mizzen_gateway.wire.server import Server

NEVER = float("inf")
LINGER_SECONDS = 2.0
INTERNAL_ERROR = Refusal(
    500, "internal_error", "The gateway failed at this request; try again. If it stays, the cause is in its log."
)
OWN_ERROR = "an error of the gateway's own ended a request"
log = structlog.get_logger(__name__)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(asyncio.Protocol):
    """Costs one object and one parser until a request comes; from then on a task answers one after the other."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._limits = server.limits
        self._loop = server.loop
        self._parser = RequestParser(server.limits, self)
        self._waiting: deque[Request] = deque()
        self._task: asyncio.Task[None] | None = None
        self._more: AtOnce | None = None
        self._busy = False
        self._responder: Responder | None = None
        self._answering: Request | None = None
        self._incoming: Request | None = None
        self._reading_paused = False
        self._deaf = False
        self._stalled = False
        self._unread = 0
        self._held = 0
        self._sender = ""
        self._transport: asyncio.Transport
        self.deadline = NEVER
        """Loop time at which the server drops this connection."""

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A caller came."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=self._limits.write_buffer_bytes)
        self.deadline = self._loop.time() + self._limits.header_seconds
        self._server.joined(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        """The caller left: whatever is done for it stops now, and nothing that it sent is kept."""
        self.deadline = NEVER
        if self._held:
            self._let_go()
        self._server.left(self)
        self._parser.close()
        self._waiting.clear()
        self._responder = self._answering = self._incoming = None
        # A cancelled task keeps its error, and that all frames it came through, with the request in them; were it kept
        # here, they would keep each other until the collector comes by, which is seldom.
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    def eof_received(self) -> bool | None:
        """A caller that closes its sending side has left, too: the two cannot be told apart."""
        return None

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._deaf:
            return
        try:
            self._parser.feed(data)
        except BadRequestError as problem:
            self._deaf = True
            self.deadline = NEVER
            self._refuse_rest(problem.refusal)
        else:
            if self._parser.in_body:
                self._take_part(len(data))
        self._answer()

    def _take_part(self, size: int) -> None:
        """A part of a body came: it gives time by its size, but no more than one without any part may take."""
        limits = self._limits
        if not self._stalled:
            latest = self._loop.time() + limits.body_seconds
            self.deadline = min(self.deadline + size / limits.body_rate, max(latest, self.deadline))
        more = self._parser.held_bytes - self._held
        if more <= 0:
            return
        self._held += more
        refusal = self._server.receiving.grow(self._sender, more)
        if refusal is not None:
            self._deaf = True
            self.deadline = NEVER
            self._refuse_rest(refusal)

    def _let_go(self) -> None:
        """What was held of a body is whole, or not wanted."""
        self._server.receiving.shrink(self._sender, self._held)
        self._held = 0

    def pause_writing(self) -> None:
        """The caller reads more slowly than the engine writes."""
        self._stalled = True
        self._unread = unread(self._transport)
        self.deadline = self._loop.time() + self._limits.write_stall_seconds
        if self._responder is not None and self._responder.source is not None:
            self._responder.source.pause()

    def resume_writing(self) -> None:
        """The caller has caught up."""
        self._stalled = False
        self.deadline = NEVER
        if not self._busy:
            self._wait_for_more()
        if self._responder is not None and self._responder.source is not None:
            self._responder.source.resume()

    # Called by the parser.

    def header_began(self) -> None:
        """The clock of the header runs."""
        if not self._stalled and not self._reading_paused:
            self.deadline = self._loop.time() + self._limits.header_seconds

    def header_complete(self, request: Request, has_body: bool) -> None:
        """Ask whether the request may go on, before a byte of its body is kept."""
        try:
            self._server.handler.vet(request, self._transport)
        except Exception:  # outermost guard: llhttp would make a malformed request of it
            log.exception(OWN_ERROR, path=path_of(request))
            request.refusal, request.close_after = INTERNAL_ERROR, True
        if not has_body:
            return
        self._sender = "" if request.caller is None else request.caller.key_id
        if not self._stalled and not self._reading_paused:
            self.deadline = self._loop.time() + self._limits.body_seconds
        if request.streamed and request.refusal is None:
            self._open_body(request)
            return
        if b"expect" not in request.headers:
            return
        if request.refusal is not None:
            request.close_after = True
            raise BadRequestError(request.refusal)
        if not self._busy:
            self._transport.write(CONTINUE)

    def request_complete(self, request: Request) -> None:
        """Answer it, after those before it."""
        if not self._stalled:
            self.deadline = NEVER
        if self._held:
            self._let_go()
        request.received_at = self._loop.time()
        if request.stream is None:
            self._enqueue(request)
            return
        self._incoming = None
        request.stream.finish()
        if not self._busy:
            self._rest()

    # A body that is handed on as it comes.

    def _open_body(self, request: Request) -> None:
        if b"expect" in request.headers and not self._busy:
            self._transport.write(CONTINUE)
        request.stream = BodyStream(self)
        self._incoming = request
        self._enqueue(request)

    def pause_body(self) -> None:
        """Whoever reads the body is slower than the caller."""
        if not self._stalled:
            self.deadline = NEVER
        self._transport.pause_reading()

    def resume_body(self) -> None:
        """It has caught up."""
        if self._transport.is_closing() or self._reading_paused:
            return
        self._transport.resume_reading()
        if self._incoming is not None and not self._stalled:
            self.deadline = self._loop.time() + self._limits.body_seconds

    def _refuse_rest(self, refusal: Refusal) -> None:
        """What follows cannot be read: whoever reads the body under way says so, else a refusal of its own."""
        if self._held:
            self._parser.forget()
            self._let_go()
        request, self._incoming = self._incoming, None
        if request is None or request.stream is None:
            self._refuse_unparsed(refusal)
        elif request is self._answering or request in self._waiting:
            request.close_after = True
            request.stream.fail(refusal)
            if request is self._answering and self._responder is not None:
                self._responder.close_after()
        else:
            self._transport.abort()  # it was answered before

    # Answering.

    def _enqueue(self, request: Request) -> None:
        self._waiting.append(request)
        if not self._busy:
            self._busy = True
        elif not self._reading_paused and self._enough_waits:
            self._reading_paused = True
            self._transport.pause_reading()

    def _answer(self) -> None:
        """Let the task go on, where something waits and it does not run; once all that came is taken in."""
        if not self._waiting:
            return
        if self._task is None:
            self._task = self._loop.create_task(self._answer_waiting())
        elif self._more is not None:
            more, self._more = self._more, None
            more.come()

    @property
    def _enough_waits(self) -> bool:
        """Who sends ahead of the answers may do so within bounds."""
        limits = self._limits
        return (
            len(self._waiting) >= limits.pipelined
            or sum(len(one.body) for one in self._waiting) > limits.pipelined_bytes
        )

    def _refuse_unparsed(self, refusal: Refusal) -> None:
        target = self._parser.target
        path = target.partition(b"?")[0]
        self._enqueue(Request(b"", target, path, {}, False, True, refusal=refusal, close_after=True))

    async def _answer_waiting(self) -> None:
        try:
            while await self._answer_each():
                self._more = more = AtOnce(self._loop)
                await more
        except Exception:  # outermost guard: no error leaves a connection hanging, not even one of answering errors
            log.exception(OWN_ERROR, path="")
            self._transport.abort()

    async def _answer_each(self) -> bool:
        """Whether more may come."""
        while self._waiting:
            request = self._waiting.popleft()
            close = request.close_after or not request.keep_alive or self._server.draining
            responder = Responder(
                self._transport, self._server.date, request.method == b"HEAD", request.chunks_allowed, close
            )
            self._responder, self._answering = responder, request
            try:
                await self._server.handler.handle(request, responder)
            except Exception:  # outermost guard of one request: whatever went wrong, its caller is told
                log.exception(OWN_ERROR, path=path_of(request))
                responder.close_after()
                if not responder.done:
                    self._server.handler.refuse(request, responder, INTERNAL_ERROR)
            self._responder = self._answering = None
            if request.stream is not None:
                request.stream.close()
            if not responder.done or responder.closes:
                self._end(responder.done)
                return False
        self._busy = False
        self._rest()
        return True

    def _rest(self) -> None:
        """Nothing to do until the caller sends more."""
        if self._reading_paused:
            self._reading_paused = False
            self._transport.resume_reading()
        if self._server.closes_idle and self._parser.between:
            self._transport.close()
        elif not self._stalled:
            self._wait_for_more()

    def _wait_for_more(self) -> None:
        """The clock of what is to come runs; of what came while an answer was written, from now on."""
        limits = self._limits
        if self._parser.between:
            seconds = limits.idle_seconds
        else:
            seconds = limits.body_seconds if self._parser.in_body else limits.header_seconds
        self.deadline = self._loop.time() + seconds

    def _end(self, whole: bool) -> None:
        """Close. A caller still sending would lose the answer to a reset: what it sends is read for a while."""
        self._task, self._busy = None, False
        self._waiting.clear()
        if not whole or self._transport.is_closing():
            self._transport.close()
            return
        if self._deaf and self._transport.can_write_eof():
            self._transport.write_eof()
            self.deadline = self._loop.time() + LINGER_SECONDS
            return
        self._transport.close()

    # Called by the server.

    def expire(self) -> None:
        """The deadline has passed."""
        if self._stalled and not self._deaf and (left := unread(self._transport)) < self._unread:
            self._unread = left  # slowly, but it reads
            self.deadline = self._loop.time() + self._limits.write_stall_seconds
            return
        if self._stalled or self._deaf:
            self._transport.abort()
            return
        if self._parser.between:
            self._transport.close()
            return
        part = "Body" if self._parser.in_body else "Header"
        refusal = Refusal(408, "request_timeout", f"{part}: took too long to arrive; send the whole request at once.")
        self._deaf = True
        self._refuse_rest(refusal)
        self._answer()

    @property
    def idle(self) -> bool:
        """Nothing is being answered."""
        return not self._busy

    @property
    def stuck(self) -> bool:
        """The caller reads more slowly than its answer comes: whoever writes it is paused."""
        return self._stalled

    @property
    def held_bytes(self) -> int:
        """Bytes of answers that are held for the caller."""
        return self._transport.get_write_buffer_size()

    def drain(self) -> None:
        """The server stops: close now if nothing is under way and nothing may follow, else after the answer."""
        if not self._busy:
            if self._parser.between and self._server.closes_idle:
                self._transport.close()
        elif self._responder is not None and not self._responder.begun:
            self._responder.close_after()

    def cut(self) -> None:
        """The server's time is over: who waits for an answer, or for its rest, is told so; then the connection ends."""
        if self._task is None or not self._busy:
            self._transport.abort()
            return
        self._waiting.clear()
        if self._responder is not None and not self._responder.begun:
            self._responder.close_after()
        self._task.cancel(CUT)

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()


def path_of(request: Request) -> str:
    """For the log."""
    return request.path[:200].decode("latin-1")


def unread(transport: asyncio.Transport) -> int:
    """Bytes of answers that the caller has not taken: ours, and those that the system holds for it."""
    held = transport.get_write_buffer_size()
    sock = transport.get_extra_info("socket")
    try:
        queued = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
    except (OSError, ValueError):
        return held
    return held + int.from_bytes(queued, sys.byteorder)
