"""Connections to engines, kept for the next request."""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from mizzen_gateway.engine.connection import EngineConnection
from mizzen_gateway.engine.dial import Dial
from mizzen_gateway.engine.exchange import EngineFailureError, EngineRequest, EngineSink

CONNECT_SECONDS = 2.0
KEEP_SECONDS = 4.0
"""Below the 5 s after which uvicorn, and so vLLM, closes an idle connection."""
IDLE_PER_ENDPOINT = 256
SWEEP_SECONDS = 0.25

if TYPE_CHECKING:
    from mizzen_gateway.engine.grpc_lines import GrpcExchange, GrpcLines

Address = tuple[str, int]
Connection: TypeAlias = "EngineConnection | GrpcExchange"
"""What one exchange is made on."""


class EnginePool:
    """Newest idle connection first, so that a burst's surplus grows old and is closed."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._idle: dict[Address, deque[EngineConnection]] = {}
        self._busy: dict[Connection, Address] = {}
        self._dials: Mapping[Address, Dial] = {}
        self._grpc: GrpcLines | None = None
        self._timer = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def now(self) -> float:
        """Loop time."""
        return self._loop.time()

    def take_dials(self, dials: Mapping[Address, Dial]) -> None:
        """From now on these addresses are names of upstreams; connections to those that changed end."""
        before, self._dials = self._dials, dials
        for address, dial in before.items():
            if dials.get(address) != dial:
                self.leave(address)

    def dial_of(self, address: Address) -> Dial | None:
        """How the upstream of that name is reached; None for what is an address."""
        return self._dials.get(address)

    def idle(self, address: Address) -> EngineConnection | None:
        """A connection that is kept open and has nothing to do."""
        idle = self._idle.get(address)
        while idle:
            connection = idle.pop()
            if connection.reusable:
                self._busy[connection] = address
                return connection
        return None

    async def acquire(self, address: Address) -> EngineConnection:
        """An idle connection or a new one. Raises EngineFailureError of kind connect."""
        return self.idle(address) or await self.connect(address)

    async def connect(self, address: Address) -> EngineConnection:
        """A new connection. Raises EngineFailureError of kind connect."""
        dial = self._dials.get(address)
        host, port = address if dial is None else (dial.host, dial.port)
        shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        tls = None if dial is None else dial.tls
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await self._loop.create_connection(
                    lambda: EngineConnection(self._loop, shown, dial), host, port, ssl=tls
                )
        except (OSError, TimeoutError) as error:
            why = str(error) or f"no answer within {CONNECT_SECONDS:g} s"
            raise EngineFailureError("connect", False, f"cannot connect to the engine at {shown}: {why}") from error
        self._busy[connection] = address
        return connection

    async def call(self, address: Address) -> "GrpcExchange":
        """One call to an engine's port for gRPC. Raises EngineFailureError of kind connect."""
        if self._grpc is None:
            from mizzen_gateway.engine.grpc_lines import GrpcLines  # here: gRPC takes 15 MB

            self._grpc = GrpcLines()
        found = await self._grpc.call(address, self._dials.get(address))
        self._busy[found] = address
        return found

    def release(self, address: Address, connection: Connection) -> None:
        """Give it back, in whatever state."""
        self._busy.pop(connection, None)
        if not isinstance(connection, EngineConnection) or not connection.reusable:
            connection.close()
            return
        idle = self._idle.setdefault(address, deque())
        if len(idle) >= IDLE_PER_ENDPOINT:
            connection.close()
            return
        connection.idle_since = self._loop.time()
        idle.append(connection)

    def leave(self, address: Address) -> None:
        """The engine there is going away: a connection that is kept open may hold its end up."""
        for connection in self._idle.pop(address, ()):
            connection.close()
        for busy, held in self._busy.items():
            if held == address:
                busy.last = True
        if self._grpc is not None:
            self._grpc.leave(address)

    async def exchange(
        self, address: Address, request: EngineRequest, sink: EngineSink, first_byte_seconds: float, idle_seconds: float
    ) -> None:
        """One exchange for the gateway's own purposes (metadata). Raises EngineFailureError."""
        connection: Connection = await (self.call(address) if request.grpc else self.acquire(address))
        try:
            await connection.exchange(request, sink, first_byte_seconds, idle_seconds)
        finally:
            self.release(address, connection)

    def _sweep(self) -> None:
        now = self._loop.time()
        for busy in [one for one in self._busy if one.deadline < now]:
            busy.expire()
        for address, idle in list(self._idle.items()):
            while idle and (idle[0].idle_since < now - KEEP_SECONDS or not idle[0].reusable):
                idle.popleft().close()
            if not idle:
                del self._idle[address]
        self._timer = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def close(self) -> None:
        """End all of them."""
        self._timer.cancel()
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()
        for busy in list(self._busy):
            busy.close()

    async def hang_up(self) -> None:
        """End those of gRPC, which takes a moment."""
        if self._grpc is not None:
            await self._grpc.close()
