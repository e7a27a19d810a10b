"""How is an engine asked over gRPC? One message goes, any number come: for models that answer several times.

One connection for each engine, for all of its calls at once; it ends when nobody has asked for a while.
"""

import asyncio
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import grpc

from mizzen_gateway.engine.connection import NEVER, Listener
from mizzen_gateway.engine.dial import Dial
from mizzen_gateway.engine.exchange import EngineFailureError, EngineRequest, EngineSink

Address = tuple[str, int]
CONNECT_SECONDS = 2.0
LARGEST_MESSAGE = 256 * 1024 * 1024
KEEP_MS = 4000
"""As long as connections of HTTP are kept: an engine that vanished without a word is not asked for longer."""
OPTIONS = (
    ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    ("grpc.max_send_message_length", -1),
    ("grpc.client_idle_timeout_ms", KEEP_MS),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
)
TOO_LARGE = "larger than max"
"""What the library says of a message beyond its limit, by the code that an engine without room has too."""
STATUSES = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNIMPLEMENTED: 500,
}
"""What an engine says before its first message; all else is a connection that broke."""
METADATA_NAME = re.compile(r"(?!grpc-)[a-z0-9_.-]+(?<!-bin)")
METADATA_VALUE = re.compile(r"[ -~]*")


class Line:
    """The connection to one engine."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.calls = 0
        """Under way."""
        self.left = False
        """No further call may begin."""

    async def connected(self) -> bool:
        """Wait until it stands."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                while (state := self.channel.get_state(try_to_connect=True)) is not grpc.ChannelConnectivity.READY:
                    if state in (grpc.ChannelConnectivity.TRANSIENT_FAILURE, grpc.ChannelConnectivity.SHUTDOWN):
                        return False
                    await self.channel.wait_for_state_change(state)
        except TimeoutError:
            return False
        return True


Ended = Callable[[Line], None]
Method: TypeAlias = "grpc.aio.UnaryStreamMultiCallable[bytes, bytes]"


class GrpcLines:
    """Of one gateway; at most one to each endpoint."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lines: dict[Address, Line] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def call(self, address: Address, dial: Dial | None) -> "GrpcExchange":
        """A call that may begin. Raises EngineFailureError of kind connect."""
        line = self._lines.get(address)
        if line is None:
            line = self._lines[address] = Line(channel_to(address, dial))
        line.calls += 1
        stands = False
        try:
            stands = await line.connected()
        finally:
            if not stands:
                self._ended(line)
        if not stands:
            if self._lines.get(address) is line:  # the next one begins anew, without this one's pause
                self.leave(address)
            raise EngineFailureError(
                "connect", False, f"cannot connect to the engine at {shown(address, dial)} by gRPC"
            )
        return GrpcExchange(self._loop, line, () if dial is None else dial.headers, self._ended)

    def leave(self, address: Address) -> None:
        """The engine there is going away: its connection ends with its last call."""
        line = self._lines.pop(address, None)
        if line is not None:
            line.left = True
            self._close(line)

    async def close(self) -> None:
        """End all of them."""
        for address in list(self._lines):
            line = self._lines.pop(address)
            line.left, line.calls = True, 0
            self._close(line)
        await asyncio.gather(*self._closing)

    def _ended(self, line: Line) -> None:
        line.calls -= 1
        self._close(line)

    def _close(self, line: Line) -> None:
        if line.left and line.calls == 0:
            task = self._loop.create_task(line.channel.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


class GrpcExchange:
    """One call. What a connection of HTTP is to its exchange, this is to its only one."""

    used = False
    reusable = False

    def __init__(
        self, loop: asyncio.AbstractEventLoop, line: Line, headers: tuple[tuple[str, str], ...], ended: "Ended"
    ) -> None:
        """`headers` go with it, beside the request's; `ended` hears of its end, once."""
        self._loop = loop
        self._line = line
        self._headers = headers
        self._ended: Ended | None = ended
        self._call: grpc.aio.UnaryStreamCall[bytes, bytes] | None = None
        self._full: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self._idle_limit = NEVER
        self._began = False
        self.first_byte_at: float | None = None
        """Loop time of its first message."""
        self.listener: Listener | None = None
        """Hears of that, once."""
        self.deadline = NEVER
        """Loop time at which the pool gives it up."""
        self.last = True
        """As every call is."""
        self.idle_since = 0.0

    async def exchange(
        self, request: EngineRequest, sink: EngineSink, first_byte_seconds: float, idle_seconds: float
    ) -> None:
        """Send one message, and hand each one that comes to the sink as a piece. Raises EngineFailureError."""
        self._idle_limit = idle_seconds
        self.deadline = self._loop.time() + first_byte_seconds
        method: Method = self._line.channel.unary_stream(request.path)
        metadata = [*self._headers, *filter(fits_metadata, request.headers)]
        self._call = call = method(request.whole, metadata=metadata)
        try:
            async for message in call:
                self._begins(sink)
                sink.on_body(message)
                if self._full is not None:
                    await self._full
            self._begins(sink)  # without any message it was none
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._error is not None and (task is None or not task.cancelling()):
                raise self._error from None
            raise
        except grpc.aio.AioRpcError as error:
            self._fails(error, sink)
        finally:
            self.deadline = NEVER
            self.listener = None
            call.cancel()

    def _begins(self, sink: EngineSink) -> None:
        now = self._loop.time()
        if not self._began:
            self._began = True
            self.first_byte_at = now
            if self.listener is not None:
                self.listener.engine_began()
            sink.on_head(200, {})
        self.deadline = now + self._idle_limit

    def _fails(self, error: grpc.aio.AioRpcError, sink: EngineSink) -> None:
        code = error.code()
        status = STATUSES.get(code)
        if status == 429 and TOO_LARGE in (error.details() or ""):
            raise EngineFailureError("malformed", self._began, f"a message larger than {LARGEST_MESSAGE} bytes")
        if self._began or status is None:
            raise EngineFailureError("broken", self._began, f"engine ended its call: {code.name}") from error
        sink.on_head(status, {})

    def pause(self) -> None:
        """The caller does not read: take no more messages from the engine."""
        if self._full is None:
            self._full = self._loop.create_future()
            self.deadline = NEVER

    def resume(self) -> None:
        """Go on."""
        full, self._full = self._full, None
        if full is not None and not full.done():
            self.deadline = self._loop.time() + self._idle_limit
            full.set_result(None)

    def expire(self) -> None:
        """The deadline has passed."""
        self.fail(EngineFailureError("timeout", self._began, "no message from the engine in time"))

    def fail(self, error: Exception) -> None:
        """End it with that."""
        self._error = error
        if self._full is not None and not self._full.done():
            self._full.set_exception(error)
        if self._call is not None:
            self._call.cancel()

    def close(self) -> None:
        """It is over; where it is not, it fails."""
        self._error = self._error or EngineFailureError("broken", self._began, "the gateway ends")
        if self._call is not None:
            self._call.cancel()
        ended, self._ended = self._ended, None
        if ended is not None:
            ended(self._line)


def channel_to(address: Address, dial: Dial | None) -> grpc.aio.Channel:
    """Not yet connected."""
    place = shown(address, dial)
    if dial is None or dial.trusted is None:
        return grpc.aio.insecure_channel(place, OPTIONS)
    trusted = dial.trusted.encode() or system_authorities()
    return grpc.aio.secure_channel(place, grpc.ssl_channel_credentials(trusted), OPTIONS)


def system_authorities() -> bytes | None:
    """Those that the system trusts, which the library does not ask for; None where it names no file."""
    file = ssl.get_default_verify_paths().cafile
    return None if file is None else Path(file).read_bytes()


def shown(address: Address, dial: Dial | None) -> str:
    """host:port."""
    host, port = address if dial is None else (dial.host, dial.port)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def fits_metadata(header: tuple[str, str]) -> bool:
    """A header of HTTP that gRPC can carry as well."""
    name, value = header
    return METADATA_NAME.fullmatch(name) is not None and METADATA_VALUE.fullmatch(value) is not None
