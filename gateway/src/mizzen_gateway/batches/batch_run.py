"""How is one batch run? Its open lines go out in the gaps, and results are handed in as they come, until it is over."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import structlog
from mizzen_crds.kept_batches import BatchWork, LineResult

from mizzen_gateway.batches.line import BatchTrace, Later, Line, Pipeline
from mizzen_gateway.batches.work import BatchPlane, PlaneAwayError
from mizzen_gateway.stages import Caller

LOOK_AT_KEY_SECONDS = 0.2
"""Between two looks whether the key still opens anything; results are handed in as they come."""
RENEW_SECONDS = 2.0
"""A lease is renewed, and news of the batch heard, so often at least."""
SILENCE_SECONDS = 25.0
"""Without an answer of the control plane for so long no line is sent: somebody else may hold the batch soon."""
AWAY_SECONDS = 1.0
"""Between two tries where the control plane does not answer."""
LOOK_SECONDS = 0.05
"""Between two looks for a gap."""
HANDED_IN_AT_ONCE, LETTERS_AT_ONCE = 200, 1_000_000
"""Results handed in by one call, and their letters: the control plane takes 8 MiB, and JSON within JSON doubles."""
FEWEST_LINES = 32
"""Held here, before more are asked for."""
log = structlog.get_logger(__name__)


class Gaps(Protocol):
    """Where there is room for a line."""

    def has(self, caller: Caller, model: str) -> bool:
        """Now."""
        ...


class Trace(BatchTrace, Protocol):
    """The span of this run."""

    def ended(self, completed: int, failed: int) -> None:
        """It is over, with results of so many lines."""
        ...


class BatchRun:
    """One batch while this gateway holds it."""

    def __init__(
        self,
        work: BatchWork,
        plane: BatchPlane,
        pipeline: Pipeline,
        gaps: Gaps,
        caller_of: Callable[[str], Caller | None],
        slots: asyncio.Semaphore,
        trace: Trace | None = None,
    ) -> None:
        """`caller_of` is asked for the key before each line; `slots` bounds lines under way, of all batches here."""
        self._work = work
        self._trace = trace
        self._completed = self._failed = 0
        self._plane = plane
        self._pipeline = pipeline
        self._gaps = gaps
        self._caller_of = caller_of
        self._slots = slots
        self._loop = asyncio.get_running_loop()
        self._lines: deque[Line] = deque()
        self._after = 0
        self._more = True
        self._not_before = 0.0
        self._results: deque[LineResult] = deque()
        self._news = asyncio.Event()
        self._under_way: set[asyncio.Task[None]] = set()
        self._stopping = self._aborted = False
        self._heard_at = self._loop.time()

    @property
    def batch_id(self) -> str:
        """Which one."""
        return self._work.batch_id

    @property
    def sends(self) -> bool:
        """More lines may follow."""
        return not self._stopping

    def stop(self) -> None:
        """Send no more lines; those under way end."""
        self._stopping = True

    def abort(self, why: str | None = None) -> None:
        """Those under way end now, too; `why` as of a cancellation."""
        self._stopping = self._aborted = True
        for task in self._under_way:
            task.cancel(why)

    async def run(self) -> None:
        """Until there is nothing left to do, or somebody says stop; then the batch is given back."""
        handing_in = asyncio.create_task(self._keep_handing_in(), name="batch results")
        try:
            await self._send_all()
        finally:
            await asyncio.gather(*self._under_way, return_exceptions=True)
            handing_in.cancel()
            await asyncio.gather(handing_in, return_exceptions=True)
            if self._trace is not None:
                self._trace.ended(self._completed, self._failed)
            await self._give_back()

    async def _send_all(self) -> None:
        while not self._stopping:
            if len(self._lines) < FEWEST_LINES and self._more:
                await self._fetch()
            if self._lines:
                await self._send_one()
            elif self._under_way:  # what could not be sent comes back
                await asyncio.wait(self._under_way, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
            elif not self._more:
                return

    async def _fetch(self) -> None:
        try:
            found = await self._plane.lines(self._work.batch_id, self._after)
        except PlaneAwayError as error:
            log.warning("lines of a batch wait for the control plane", error=str(error))
            await asyncio.sleep(AWAY_SECONDS)
            return
        self._after, self._more = found.after, found.more
        self._lines.extend(Line(self._work.batch_id, line) for line in found.lines)

    async def _send_one(self) -> None:
        line = self._lines[0]
        caller = self._caller_of(self._work.key_id)
        while caller is not None and not self._stopping and not self._may_send(caller, line):
            await asyncio.sleep(LOOK_SECONDS)
            caller = self._caller_of(self._work.key_id)
        if caller is None:
            self.abort()  # its key was revoked, or has expired: the control plane says how the batch ends
        if caller is None or self._stopping:
            return
        self._lines.popleft()
        await self._slots.acquire()
        task = asyncio.create_task(self._ask(line, caller))
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        await asyncio.sleep(0)  # so that the next look for a gap sees it

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._slots.release()  # also where it was cancelled before its first step

    def _may_send(self, caller: Caller, line: Line) -> bool:
        now = self._loop.time()
        if now < self._not_before or now - self._heard_at > SILENCE_SECONDS or self._slots.locked():
            return False
        return self._gaps.has(caller, line.model)

    async def _ask(self, line: Line, caller: Caller) -> None:
        result = await line.ask(self._pipeline, caller, self._trace)
        if isinstance(result, Later):
            self._not_before = max(self._not_before, self._loop.time() + result.seconds)
            self._lines.append(line)
        else:
            self._completed += result.good
            self._failed += not result.good
            self._results.append(result)
            self._news.set()

    async def _keep_handing_in(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AT_KEY_SECONDS):
                    await self._news.wait()
            self._news.clear()
            if self._caller_of(self._work.key_id) is None:
                self.abort()
            if self._results or self._loop.time() - self._heard_at >= RENEW_SECONDS:
                await self._hand_in()

    async def _hand_in(self, *, release: bool = False) -> None:
        results = together(self._results)
        try:
            order = await asyncio.shield(self._plane.hand_in(self._work.batch_id, results, release=release))
        except PlaneAwayError as error:
            self._results.extendleft(reversed(results))
            log.warning("results of a batch wait for the control plane", error=str(error))
            await asyncio.sleep(AWAY_SECONDS)
            return
        except asyncio.CancelledError:
            self._results.extendleft(reversed(results))  # handed in twice does no harm
            raise
        self._heard_at = self._loop.time()
        if order.abort:
            self.abort()
        elif not order.go_on:
            self.stop()

    async def _give_back(self) -> None:
        """Every result is handed in first: a line without one would be sent, and paid, again."""
        while self._results and not (self._aborted and self._loop.time() - self._heard_at > SILENCE_SECONDS):
            await self._hand_in()
        await self._hand_in(release=True)


def together(results: deque[LineResult]) -> list[LineResult]:
    """Take out of them what one call hands in; one at least, if there is one."""
    taken, letters = list[LineResult](), 0
    while results and len(taken) < HANDED_IN_AT_ONCE:
        letters += len(results[0].text)
        if taken and letters > LETTERS_AT_ONCE:
            break
        taken.append(results.popleft())
    return taken
