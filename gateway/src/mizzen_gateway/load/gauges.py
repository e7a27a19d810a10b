"""How much do other gateways ask of an engine? What its own numbers show beyond what this gateway has sent there.

For that alone: gauges of engines lag for seconds, so what this gateway has sent is counted here and not read there.
Routing weighs it, and the time of accelerators is shared out among them too.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from mizzen_gateway.engine.exchange import Collected, EngineFailureError, EngineRequest
from mizzen_gateway.engine.pool import EnginePool
from mizzen_gateway.load.company import Company, Tally, spent_on_requests
from mizzen_gateway.overload.gate import NO_LIMIT
from mizzen_gateway.routing.deployment import EndpointSetFacts
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
MOST = 1e9
"""Requests that a gauge may show."""
TRITON = "Triton"
"""Has no gauges there, but statistics."""


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
        self._company: dict[str, Company] = {}

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            await asyncio.sleep(self._seconds)
            await self.read()

    async def read(self) -> None:
        """Once, all endpoints whose load by others makes a difference."""
        room = asyncio.Semaphore(AT_ONCE)
        asked = [
            (state, target.endpoint_set)
            for target in self._table.targets()
            if target.endpoint_set.engine in GAUGES
            or (target.endpoint_set.engine == TRITON and target.facts.accelerators)
            for state in _worth_a_look(target.endpoints(), target.facts.accelerators)
        ]
        pods = {state.facts.pod for state, _ in asked}
        for kept in (self._averages, self._company):
            for gone in kept.keys() - pods:
                del kept[gone]
        await asyncio.gather(*(self._read(state, facts, room) for state, facts in asked))

    async def _read(self, state: EndpointState, facts: EndpointSetFacts, room: asyncio.Semaphore) -> None:
        gauges = GAUGES.get(facts.engine)
        path = "/metrics" if gauges is not None else f"/v2/models/{quote(facts.model_name, safe='')}/stats"
        page = Collected(PAGE_BYTES)
        request = EngineRequest(path, method="GET")
        others: float | None = None
        try:
            async with room:
                await self._pool.exchange(state.address, request, page, ASK_SECONDS, ASK_SECONDS)
        except EngineFailureError:
            page.status = 0
        if page.status == 200:
            body = page.body
            others = self._by_statistics(state, body) if gauges is None else self._by_gauges(state, body, gauges)
        if others is None:
            self._averages.pop(state.facts.pod, None)
            self._company.pop(state.facts.pod, None)
        state.others = others or 0.0
        state.time.share_with(state.others, self._pool.now())

    def _by_gauges(self, state: EndpointState, page: bytes, gauges: tuple[bytes, ...]) -> float:
        fading = self._averages.setdefault(state.facts.pod, Averages())
        fading.shown += NEWEST_SHARE * (sum_of(page, gauges) - fading.shown)
        fading.own += NEWEST_SHARE * (state.in_flight - fading.own)
        return max(0.0, fading.shown - fading.own)

    def _by_statistics(self, state: EndpointState, page: bytes) -> float | None:
        """Of replicas with accelerators alone: of others nobody keeps how long requests were under way."""
        told = spent_on_requests(page)
        if told is None:
            return None
        now = self._pool.now()
        company = self._company.setdefault(state.facts.pod, Company())
        return company.note(Tally(now, *told, *state.time.asked(now)))


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
                    shown = float(value)
                except ValueError:
                    continue
                # An average would never be rid of what is no number.
                total += shown if 0.0 <= shown < MOST else 0.0
    return total
