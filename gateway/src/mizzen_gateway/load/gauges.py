"""How much do other gateways ask of an engine? What its own gauges show beyond what this gateway has sent there.

For that alone: gauges of engines lag for seconds, so what this gateway has sent is counted here and not read there.
Routing weighs it, and the time of accelerators is shared out among them too.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from mizzen_gateway.engine.exchange import Collected, EngineFailureError, EngineRequest
from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.overload.gate import NO_LIMIT
from mizzen_gateway.routing.endpoint import EndpointState
from mizzen_gateway.routing.table import RouteTable

ASK_SECONDS = 2.0
PAGE_BYTES = 1024 * 1024
AT_ONCE = 8
NEWEST_SHARE = 0.3
"""Of an average that fades: a gauge is read now and then, and of another moment than the count beside it."""
GAUGES = {
    "vLLM": (b"vllm:num_requests_running", b"vllm:num_requests_waiting"),
    "Simulated": (b"vllm:num_requests_running", b"vllm:num_requests_waiting"),
}
"""By engine: gauges of its requests, on the port that it serves by."""


@dataclass(slots=True)
class Averages:
    """Of one endpoint."""

    shown: float = 0.0
    own: float = 0.0


class EngineGauges:
    """Reads them, and sets `EndpointState.others`."""

    def __init__(self, table: RouteTable, pool: EnginePool, seconds: float) -> None:
        """`seconds` between two readings."""
        self._table = table
        self._pool = pool
        self._seconds = seconds
        self._averages: dict[str, Averages] = {}

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            await asyncio.sleep(self._seconds)
            await self.read()

    async def read(self) -> None:
        """Once, all endpoints whose load by others makes a difference."""
        room = asyncio.Semaphore(AT_ONCE)
        asked = [
            (state, gauges)
            for target in self._table.targets()
            if (gauges := GAUGES.get(target.endpoint_set.engine)) is not None
            for state in _worth_a_look(target.endpoints(), target.facts.accelerators)
        ]
        pods = {state.facts.pod for state, _ in asked}
        for gone in self._averages.keys() - pods:
            del self._averages[gone]
        await asyncio.gather(*(self._read(state, gauges, room) for state, gauges in asked))

    async def _read(self, state: EndpointState, gauges: tuple[bytes, ...], room: asyncio.Semaphore) -> None:
        page = Collected(PAGE_BYTES)
        request = EngineRequest("/metrics", method="GET")
        try:
            async with room:
                await self._pool.exchange(state.address, request, page, ASK_SECONDS, ASK_SECONDS)
        except EngineFailureError:
            page.status = 0
        if page.status != 200:
            self._averages.pop(state.facts.pod, None)
            self._tell(state, 0.0)
            return
        fading = self._averages.setdefault(state.facts.pod, Averages())
        fading.shown += NEWEST_SHARE * (sum_of(page.body, gauges) - fading.shown)
        fading.own += NEWEST_SHARE * (state.in_flight - fading.own)
        self._tell(state, max(0.0, fading.shown - fading.own))

    def _tell(self, state: EndpointState, others: float) -> None:
        state.others = others
        state.time.share_with(others, self._pool.now())


def _worth_a_look(states: Iterable[EndpointState], accelerators: int) -> list[EndpointState]:
    """Those that are ready; a single one only where gateways divide its places, or the time of its accelerators."""
    ready = [state for state in states if state.facts.ready and not state.facts.terminating]
    return ready if len(ready) > 1 or accelerators else [state for state in ready if state.gate.limit < NO_LIMIT]


def sum_of(page: bytes, gauges: tuple[bytes, ...]) -> float:
    """All values of some gauges of a page in the text format of Prometheus."""
    total = 0.0
    for line in page.splitlines():
        if line.startswith(gauges):
            name, _, value = line.rpartition(b" ")
            if name.partition(b"{")[0] in gauges:
                try:
                    total += float(value)
                except ValueError:
                    continue
    return total
