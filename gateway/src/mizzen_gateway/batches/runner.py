"""Who runs batches? Each gateway process, in the gaps that other callers leave: a few batches, a few lines at once."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog
from mizzen_crds.kept_batches import BatchWork

from mizzen_gateway.batches.batch_run import BatchRun, Gaps, Trace
from mizzen_gateway.batches.line import Pipeline
from mizzen_gateway.batches.work import BatchPlane, PlaneAwayError
from mizzen_gateway.ended_task import ended
from mizzen_gateway.stages import Caller
from mizzen_gateway.stopping import CUT

BATCHES_AT_ONCE = 4
POLL_SECONDS = 1.0
AWAY_SECONDS = 10.0
"""Between two tries where the control plane does not answer, or knows no batches."""
log = structlog.get_logger(__name__)


class Tracer(Protocol):
    """Makes spans."""

    def batch(self, work: BatchWork) -> Trace:
        """Of a run of a batch, from now on."""
        ...


class BatchRunner:
    """Takes batches while it has a place free."""

    def __init__(
        self,
        plane: BatchPlane,
        pipeline: Pipeline,
        gaps: Gaps,
        caller_of: Callable[[str], Caller | None],
        lines_at_once: int,
        tracer: Tracer | None = None,
    ) -> None:
        """As of BatchRun; `lines_at_once` 0 for a gateway that runs none; `tracer` where spans are wanted."""
        self._tracer = tracer
        self._plane = plane
        self._pipeline = pipeline
        self._gaps = gaps
        self._caller_of = caller_of
        self._lines_at_once = lines_at_once
        self._slots = asyncio.Semaphore(max(1, lines_at_once))
        self._runs: dict[asyncio.Task[None], BatchRun] = {}
        self._taking: asyncio.Task[None] | None = None

    @property
    def runs(self) -> tuple[BatchRun, ...]:
        """Those under way here."""
        return tuple(self._runs.values())

    def start(self) -> None:
        """Begin to take batches."""
        if self._lines_at_once:
            self._taking = asyncio.create_task(self._keep_taking(), name="batches")

    async def stop(self, seconds: float) -> None:
        """Take no more; lines under way get so long. What they are answered is kept, the batches are given back."""
        await ended(self._taking)
        for run in self.runs:
            run.stop()
        if self._runs:
            await asyncio.wait(self._runs, timeout=seconds)
        for run in self.runs:
            run.abort(CUT)
        await asyncio.gather(*self._runs, return_exceptions=True)

    async def _keep_taking(self) -> None:
        while True:
            rest = POLL_SECONDS
            if len(self._runs) < BATCHES_AT_ONCE:
                try:
                    rest = 0.0 if await self._take() else POLL_SECONDS
                except PlaneAwayError:
                    rest = AWAY_SECONDS
            await asyncio.sleep(rest)

    async def _take(self) -> bool:
        work = await self._plane.lease([run.batch_id for run in self.runs])
        if work is None:
            return False
        trace = None if self._tracer is None else self._tracer.batch(work)
        run = BatchRun(work, self._plane, self._pipeline, self._gaps, self._caller_of, self._slots, trace)
        task = asyncio.create_task(self._run(run), name="batch")
        self._runs[task] = run
        task.add_done_callback(self._runs.pop)
        return True

    async def _run(self, run: BatchRun) -> None:
        try:
            await run.run()
        except Exception:  # outermost guard of one batch: somebody goes on with it when its lease is over
            log.exception("an error of the gateway's own ended its run of a batch")
