"""How soon is a refusal there, and what is answered meanwhile? Real programs: a gateway and two simulated engines.

The load generator is this process. Where it is too busy, or comes too late because others are, the run is invalid.
"""

import asyncio
import gc
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
from overload_scene import BATCH, CAPACITY, ENGINES, PATIENCE_SECONDS, STEP_SECONDS, TOKENS
from result_file import Result
from support.gateway import endpoint_set, gateway_process, make_key, make_snapshot, model_deployment
from support.simulated_engine import simulated_engine

KEY = make_key()
BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": TOKENS, "ignore_eos": True}
BUSIEST, LATEST = 0.8, 0.05
"""Of a core, and of seconds behind its time at the 99th percentile: a load generator beyond these measures itself."""
LEARNING, MEASURED = 25.0, 20.0
"""Seconds of load before and while it is measured."""
TIMES = 5
REFUSED_WITHIN = 0.1
"""Seconds, at the 99th percentile."""


class InvalidRunError(Exception):
    """The run says nothing about what was to be measured."""


class Callers:
    """What those of one load saw."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self.answered: list[float] = []
        self.refused: list[float] = []
        """Seconds until the answer, and until the refusal."""
        self.gave_up = 0
        self.late: list[float] = []
        """Seconds by which callers came later than they should have."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def come(self, rate: float, seconds: float, chance: Random) -> None:
        """By chance, `rate` a second; those who are under way at the end are not counted."""
        loop = asyncio.get_running_loop()
        at = loop.time()
        ends = at + seconds
        while at < ends:
            at += chance.expovariate(rate)
            await asyncio.sleep(max(0.0, at - loop.time()))
            self.late.append(loop.time() - at)
            task = asyncio.create_task(self.ask())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def take_turns(self, count: int, seconds: float) -> None:
        """As many at once, each asking again when it was answered."""

        async def one() -> None:
            while True:
                await self.ask()

        tasks = [asyncio.create_task(one()) for _ in range(count)]
        await asyncio.sleep(seconds)
        await ended(tasks)

    async def leave(self) -> None:
        """Whoever waits."""
        await ended(list(self._tasks))

    async def ask(self) -> None:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), self._session.post(self._url, json=BODY) as answer:
                await answer.read()
        except TimeoutError:
            self.gave_up += 1
            return
        took = time.perf_counter() - began
        if answer.status == 200:
            self.answered.append(took)
        elif answer.status in {429, 503} and "retry-after" in answer.headers:
            self.refused.append(took)
        else:
            raise RuntimeError(f"answered {answer.status}")


async def ended(tasks: "list[asyncio.Task[None]]") -> None:
    """Cancel them; an error of one of them is raised."""
    for task in tasks:
        task.cancel()
    for found in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(found, Exception):
            raise found


@contextmanager
def gateways() -> Iterator[dict[str, str]]:
    """URLs of a gateway that holds back and of one that does not, each with two engines of its own."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mizzen-overload-")))
        flags = ["--decode-ms", str(STEP_SECONDS * 1000), "--batch-limit", str(BATCH), "--queue-limit", "100000"]
        flags += ["--prefill-tokens-per-second", "1e9"]
        found = {}
        for name in ("measured", "off"):
            engines = [stack.enter_context(simulated_engine("m", *flags)) for _ in range(ENGINES)]
            objects = [model_deployment("m"), endpoint_set("m", *engines)]
            running = gateway_process(folder / name, make_snapshot([KEY]), *objects, MIZZEN_OVERLOAD=name)
            found[name] = stack.enter_context(running) + "/v1/chat/completions"
        yield found


@asynccontextmanager
async def callers_of(url: str) -> AsyncIterator[Callers]:
    """Fresh ones, on connections of their own."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(headers=KEY.headers, connector=connector) as session:
        callers = Callers(session, url)
        try:
            yield callers
        finally:
            await callers.leave()


async def capacity_of(url: str) -> float:
    """Answers a second, with as many callers at once as the engines' batches hold twice."""
    async with callers_of(url) as callers:
        await callers.take_turns(2 * ENGINES * BATCH, 3.0)
        before, began = len(callers.answered), time.perf_counter()
        await callers.take_turns(2 * ENGINES * BATCH, MEASURED / 2)
        return (len(callers.answered) - before) / (time.perf_counter() - began)


async def under_load(url: str, chance: Random) -> tuple[float, list[float], float, float]:
    """Answers a second, times to refusals; the share of a core that the generator took, and how late it was."""
    async with callers_of(url) as callers:
        await callers.come(TIMES * CAPACITY, LEARNING, chance)
        answered, refused, warmed_up = len(callers.answered), len(callers.refused), len(callers.late)
        began, cpu = time.perf_counter(), time.process_time()
        await callers.come(TIMES * CAPACITY, MEASURED, chance)
        seconds = time.perf_counter() - began
        share = (time.process_time() - cpu) / seconds
        late = at(sorted(callers.late[warmed_up:]), 0.99)
        return (len(callers.answered) - answered) / seconds, sorted(callers.refused[refused:]), share, late


def at(ordered: list[float], share: float) -> float:
    """A percentile."""
    return ordered[int(share * (len(ordered) - 1))] if ordered else float("nan")


async def _measured(seed: int) -> list[Result]:
    gc.freeze()
    gc.disable()  # a look through thousands of waiting callers takes 0.5 s, in which none comes
    with gateways() as urls:
        capacity = await capacity_of(urls["off"])
        found: dict[str, Any] = {name: await under_load(url, Random(seed)) for name, url in urls.items()}
    busiest = max(one[2] for one in found.values())
    latest = found["measured"][3]  # without the gate patience is what counts, and that is seconds
    if busiest > BUSIEST or latest > LATEST or capacity < 0.8 * CAPACITY:
        raise InvalidRunError(
            f"the load generator took {busiest:.2f} of a core and was {latest:.3f} s late, and the engines gave"
            f" {capacity:.0f} of {CAPACITY:.0f} answers a second: the machine has something else to do"
        )
    on, off = found["measured"], found["off"]
    name = f"real programs at {TIMES} x capacity"
    return [
        Result("real programs, capacity of the engines", round(capacity, 1), "1/s"),
        Result(f"{name}, goodput", round(on[0] / capacity, 4), "ratio", goal=0.9, comparison=">="),
        Result(f"{name}, goodput, off", round(off[0] / capacity, 4), "ratio", peer="off"),
        Result(f"{name}, time to a refusal, p50", round(at(on[1], 0.5), 4), "s"),
        Result(f"{name}, time to a refusal, p99", round(at(on[1], 0.99), 4), "s", goal=REFUSED_WITHIN),
        Result(f"{name}, time to a refusal, longest", round(at(on[1], 1.0), 4), "s"),
        Result(f"{name}, refused", len(on[1]), "count"),
        Result(f"{name}, share of a core of the generator", round(busiest, 3), "ratio", goal=BUSIEST),
        Result(f"{name}, the generator late by, p99", round(latest, 4), "s", goal=LATEST),
        Result(f"{name}, the generator late by, p99, off", round(off[3], 4), "s", peer="off"),
    ]


def measured_on_real_programs() -> list[Result]:
    """All of it. InvalidRunError where the machine is too busy."""
    return asyncio.run(_measured(int(os.environ.get("SEED", "20260101"))))
