"""Who starts, watches and replaces the workers? One process that holds their sockets and answers the admin port.

SIGTERM and SIGINT drain all workers and end. SIGHUP replaces them: fresh ones take the sockets, and only once each is
ready do the old ones drain; no connection is refused meanwhile.
"""

import asyncio
import signal
import socket
from collections.abc import Coroutine
from typing import Any

import structlog

from mizzen_gateway.workers.metrics import Exposition, Series
from mizzen_gateway.workers.worker import Worker, start

READY_SECONDS = 60.0
"""For fresh workers to become ready, before they are given up and the old ones stay."""
STEADY_SECONDS = 10.0
"""A worker that lived for so long is started again at once."""
LONGEST_PAUSE_SECONDS = 30.0
POLL_SECONDS = 0.05
KILL_SECONDS = 15.0
"""Beyond the drain, before a worker that does not end is killed."""
CANNOT_START = 2

log = structlog.get_logger(__name__)


class Supervisor:
    """One generation of workers serves, one on each socket; an older one may still drain."""

    def __init__(self, listeners: list[socket.socket], drain_seconds: float) -> None:
        self._listeners = listeners
        self._drain_seconds = drain_seconds
        self._serving: list[Worker | None] = [None] * len(listeners)
        self._draining: set[Worker] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._reload = asyncio.Lock()
        self._last: dict[Worker, str] = {}
        self._gone: Series = {}
        self.stopping = asyncio.Event()
        self.exit_code = 0
        self.restarts = 0
        """Workers that ended by themselves and were started again."""
        self.reloads = 0
        """Generations that took over."""

    # Its life.

    async def run(self) -> int:
        """Until SIGTERM or SIGINT; the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._go(self.reload()))
        for place in range(len(self._listeners)):
            self._go(self._keep(place))
        await self.stopping.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(self._retire(worker) for worker in self.workers))
        return self.exit_code

    @property
    def workers(self) -> list[Worker]:
        """All whose processes run."""
        return [one for one in (*self._serving, *self._draining) if one is not None and one.alive]

    def _go(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep(self, place: int) -> None:
        """A worker on this socket, always."""
        failures = 0
        while True:
            worker = self._serving[place] = await start(self._listeners[place], waits=False)
            log.info("worker started", place=place, pid=worker.process.pid)
            worker, code = await self._until_ended(place)
            if code == CANNOT_START and not self.restarts and not self.reloads:
                self.exit_code = CANNOT_START  # its sentence is on standard error already
                self.stopping.set()
                return
            steady = asyncio.get_running_loop().time() - worker.began_at > STEADY_SECONDS
            failures = 0 if steady else failures + 1
            pause = 0.0 if failures <= 1 else min(LONGEST_PAUSE_SECONDS, 0.25 * 2.0**failures)
            log.error("worker ended; it is started again", place=place, code=code, after_seconds=pause)
            self.restarts += 1
            self._bury(worker)
            await asyncio.sleep(pause)

    async def _until_ended(self, place: int) -> tuple[Worker, int]:
        """The worker of this place that ended by itself, and how; one that was replaced counts no more."""
        while True:
            worker = self._serving[place]
            assert worker is not None
            code = await asyncio.shield(worker.ended)
            if self._serving[place] is worker:
                return worker, code

    # Replacing.

    async def reload(self) -> None:
        """Let fresh workers take over; where one of them does not become ready, all stays as it is."""
        async with self._reload:
            began = asyncio.get_running_loop().time()
            fresh = [await start(listener, waits=True) for listener in self._listeners]
            log.info("fresh workers started", pids=[one.process.pid for one in fresh])
            if not await self._all_ready(fresh):
                _tell_of_failure(fresh, round(asyncio.get_running_loop().time() - began, 1))
                await asyncio.gather(*(self._retire(one) for one in fresh))
                return
            old = [one for one in self._serving if one is not None]
            self._serving = list(fresh)
            self.reloads += 1
            log.info("fresh workers serve; the old ones drain")
            await asyncio.gather(*(self._retire(one) for one in old))

    async def _all_ready(self, fresh: list[Worker]) -> bool:
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not all([await one.ready() for one in fresh]):
                    if not all(one.alive for one in fresh):
                        return False
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            return False
        return True

    async def _retire(self, worker: Worker) -> None:
        self._draining.add(worker)
        worker.end()
        try:
            async with asyncio.timeout(self._drain_seconds + KILL_SECONDS):
                await asyncio.shield(worker.ended)
        except TimeoutError:
            log.warning("worker did not end; it is killed", pid=worker.process.pid)
            worker.end(signal.SIGKILL)
            await worker.ended
        self._draining.discard(worker)
        self._bury(worker)

    def _bury(self, worker: Worker) -> None:
        """Keep what it counted: a sum that falls looks like a restart of everything."""
        worker.close()
        text = self._last.pop(worker, "")
        if text:
            last = Exposition()
            last.add(text)
            for key, value in last.counted.items():
                self._gone[key] = self._gone.get(key, 0.0) + value

    # What is told.

    async def why_not_ready(self) -> str | None:
        """None when callers may be sent here: one worker is enough, for the others' connections wait for them."""
        if self.stopping.is_set():
            return "stopping: requests under way end, new ones go elsewhere"
        why = "no worker runs; see the log"
        for worker in self._serving:
            if worker is not None and worker.alive:
                try:
                    status, body = await worker.ask("/readyz")
                except (OSError, TimeoutError):
                    continue
                if status == 200:
                    return None
                why = body.decode().strip()
        return why

    async def metrics(self) -> bytes:
        """Of all workers together, those that are gone included."""
        together = Exposition()
        for worker in self.workers:
            try:
                _, body = await worker.ask("/metrics")
            except (OSError, TimeoutError):
                continue
            self._last[worker] = body.decode()
        for worker in self.workers:
            together.add(self._last.get(worker, ""))
        together.add_series(self._gone)
        return (together.text() + self._own()).encode()

    def _own(self) -> str:
        serving = sum(one is not None and one.alive for one in self._serving)
        return (
            "# TYPE mizzen_gateway_workers gauge\n"
            f'mizzen_gateway_workers{{state="serving"}} {serving}\n'
            f'mizzen_gateway_workers{{state="draining"}} {len(self._draining)}\n'
            "# TYPE mizzen_gateway_worker_restarts_total counter\n"
            f"mizzen_gateway_worker_restarts_total {self.restarts}\n"
        )


def _tell_of_failure(fresh: list[Worker], seconds: float) -> None:
    """Before they are told to end, so that whoever ended did so by itself."""
    codes = [one.ended.result() for one in fresh if not one.alive]
    if codes:  # what did not let it start is on standard error already
        log.error("a fresh worker ended before it was ready; the old ones stay", codes=codes, seconds=seconds)
    else:
        log.error("fresh workers did not become ready in time; the old ones stay", seconds=seconds)
