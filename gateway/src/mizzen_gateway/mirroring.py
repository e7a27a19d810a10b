"""Who gets copies of a route's requests? Its mirrors: unpaid, unawaited, and so many at once at most."""

import asyncio
from copy import copy

import structlog

from mizzen_gateway.engine.exchange import EngineFailureError
from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.protocols.call import Admission, Call
from mizzen_gateway.routing.table import wrong_protocol
from mizzen_gateway.routing.way import Leg

MOST_COPIES = 64
"""Under way at once; more are not made."""
COPY_SECONDS = 600.0
"""A copy that takes longer is given up."""
IDLE_SECONDS = 60.0

log = structlog.get_logger(__name__)


class Dropped:
    """An EngineSink that keeps nothing."""

    def on_head(self, status: int, headers: dict[bytes, bytes]) -> None:
        """Nobody reads it."""

    def on_body(self, data: bytes) -> None:
        """Nobody reads it."""


class Mirrors:
    """Sends copies. They are in no usage row; the load that is told counts them as under way."""

    def __init__(self, pool: EnginePool) -> None:
        self._pool = pool
        self._under_way: set[asyncio.Task[None]] = set()
        self.sent = 0
        self.left_out = 0
        """Copies that were not made: too many at once, a request that cannot be sent twice, replicas without room."""

    def send(self, legs: list[Leg], call: Call, cache_salt: str, output_cap: int | None, request_id: str) -> None:
        """Copy a request to each of `legs`; returns at once."""
        for leg in legs:
            if len(self._under_way) >= MOST_COPIES or not call.repeatable:
                self.left_out += 1
                continue
            # A copy of the call as well: what it learns of its model is none of the caller's.
            task = asyncio.create_task(self._copy(leg, copy(call), cache_salt, output_cap, request_id))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def close(self) -> None:
        """End those under way."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _copy(self, leg: Leg, call: Call, cache_salt: str, output_cap: int | None, request_id: str) -> None:
        try:
            async with asyncio.timeout(COPY_SECONDS):
                await self._ask(leg, call, cache_salt, output_cap, request_id)
        except (EngineFailureError, TimeoutError) as error:
            log.info("a mirrored request failed", deployment=leg.target.facts.key, error=str(error))

    async def _ask(self, leg: Leg, call: Call, cache_salt: str, output_cap: int | None, request_id: str) -> None:
        target = leg.target
        unfit = wrong_protocol(call.protocol, call.model, target.endpoint_set) or await call.check(target, self._pool)
        endpoint = None if unfit else target.choose(self._pool.now())
        facts = target.endpoint_set
        request = call.engine_request(Admission(facts.engine, facts.model_name, cache_salt, output_cap, request_id))
        address = None if endpoint is None else endpoint.grpc_address if request.grpc else endpoint.address
        # Copies never wait, and nobody waits for them.
        # What comes as it is sent comes once, or is held for its own request alone.
        if endpoint is None or address is None or request.stream is not None or not endpoint.gate.enters():
            self.left_out += 1
            return
        gate = endpoint.gate
        self.sent += 1
        counter = target.book.count(target.facts.key, endpoint.facts.revision)
        endpoint.in_flight += 1
        counter.in_flight += 1
        try:
            await self._pool.exchange(address, request, Dropped(), COPY_SECONDS, IDLE_SECONDS)
        except EngineFailureError:
            endpoint.broke(self._pool.now())
            raise
        finally:
            gate.leave()
            endpoint.in_flight -= 1
            counter.in_flight -= 1
