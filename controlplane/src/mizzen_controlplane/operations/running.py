"""How does a replica work on operations? A few side by side; each renews its lease until the work has ended."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from mizzen_controlplane.kit.background import in_background
from mizzen_controlplane.kit.ended_task import ended
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Problem
from mizzen_controlplane.operations.leases import (
    MOST_ATTEMPTS,
    LeaseLostError,
    Outcome,
    Standing,
    fenced,
    give_back,
    renew,
    take,
)
from mizzen_controlplane.operations.models import Operation
from mizzen_controlplane.operations.schemas import OperationState
from mizzen_controlplane.operations.service import TOPIC
from mizzen_controlplane.operations.work import Report, TryLaterError, Work

SIDE_BY_SIDE: Final = 2
"""Operations that one replica works on at once."""
EACH: Final = 2.0
"""Seconds between two looks for work, where no signal comes first, and between two renewals."""
log = structlog.get_logger(__name__)


def running(works: Mapping[str, Work]) -> Callable[[Plane], AbstractAsyncContextManager[None]]:
    """The background that works on operations of these kinds while the control plane runs."""

    @asynccontextmanager
    async def background(plane: Plane) -> AsyncIterator[None]:
        async with in_background(_work_on_all(plane, works), "operations"):
            yield

    return background


async def _work_on_all(plane: Plane, works: Mapping[str, Work]) -> None:
    async with asyncio.TaskGroup() as workers:
        for _ in range(SIDE_BY_SIDE):
            workers.create_task(_worker(plane, works))


async def _worker(plane: Plane, works: Mapping[str, Work]) -> None:
    holder = new_id("wrk")
    with plane.database.signals.listening(TOPIC) as woken:
        while True:
            woken.clear()
            try:
                if await work_on_next(plane, works, holder):
                    continue
            except (SQLAlchemyError, OSError) as error:  # the lease runs out, and somebody goes on
                log.warning("operations were not worked on", error=type(error).__name__)
            with suppress(TimeoutError):
                async with asyncio.timeout(EACH):
                    await woken.wait()


async def work_on_next(plane: Plane, works: Mapping[str, Work], holder: str) -> bool:
    """Take an operation and bring it to its end, or as far as it goes; False where there is none."""
    operation = await take(plane.database, holder, works)
    if operation is None:
        return False
    log.info("an operation is worked on", operation=operation.id, kind=operation.kind, attempt=operation.attempts)
    await _Attempt(plane, works[operation.kind], operation, holder).run()
    return True


class _Attempt:
    """One attempt at one operation."""

    def __init__(self, plane: Plane, work: Work, operation: Operation, holder: str) -> None:
        self._plane, self._work, self._operation, self._holder = plane, work, operation, holder
        self._report = Report(**operation.progress)

    async def run(self) -> None:
        task = asyncio.create_task(self._done(), name=self._operation.id)
        try:
            outcome = await self._watched(task)
        except asyncio.CancelledError:  # the process ends: another replica goes on at once
            await ended(task)
            await self._give_back(Outcome(OperationState.QUEUED))
            raise
        if outcome is None:
            log.warning("an operation was taken over", operation=self._operation.id)
            return
        if outcome.state != OperationState.QUEUED and self._work.tidy is not None:
            await self._work.tidy(self._plane, self._operation)
        await self._give_back(outcome)

    async def _watched(self, task: "asyncio.Task[Outcome]") -> Outcome | None:
        """The outcome, the lease renewed meanwhile; None where it was lost."""
        standing = Standing.CANCEL if self._operation.cancel_asked else Standing.GO_ON
        with self._plane.database.signals.listening(TOPIC) as woken:
            while standing is Standing.GO_ON:
                waiting = asyncio.create_task(woken.wait())
                await asyncio.wait({task, waiting}, timeout=EACH, return_when=asyncio.FIRST_COMPLETED)
                await ended(waiting)
                woken.clear()
                if task.done():
                    break
                standing = await self._renewed()
        if standing is Standing.GO_ON:
            with suppress(LeaseLostError):
                return task.result()
            return None
        task.cancel()
        await asyncio.wait((task,))
        return Outcome(OperationState.CANCELLED) if standing is Standing.CANCEL else None

    async def _renewed(self) -> Standing:
        try:
            return await renew(self._plane.database, self._operation.id, self._holder, self._report.as_progress())
        except (SQLAlchemyError, OSError) as error:  # the database is away: what was not renewed, the fence refuses
            log.warning("a lease was not renewed", operation=self._operation.id, error=type(error).__name__)
            return Standing.GO_ON

    async def _done(self) -> Outcome:
        if self._operation.attempts > MOST_ATTEMPTS:
            reason = f"It was begun {MOST_ATTEMPTS} times, and each time its replica went away. Look at their logs."
            return Outcome(OperationState.FAILED, code="given_up", reason=reason)
        with fenced(self._operation.id, self._holder):
            try:
                result = await self._work.run(self._plane, self._operation, self._report)
            except Problem as problem:
                return Outcome(OperationState.FAILED, code=problem.problem_code, reason=problem.detail)
            except TryLaterError as error:
                return Outcome(OperationState.QUEUED, code=error.code, reason=error.reason, wait=error.wait)
            except (LeaseLostError, SQLAlchemyError):
                raise
            except Exception as error:  # outermost guard: a worker that ends takes all later operations with it
                log.exception("an operation failed", operation=self._operation.id)
                reason = f"The work failed in a way that nobody foresaw ({type(error).__name__}); the log has more."
                return Outcome(OperationState.FAILED, code="internal_error", reason=reason)
            return Outcome(OperationState.SUCCEEDED, result=result)

    async def _give_back(self, outcome: Outcome) -> None:
        report = self._report.as_progress()
        if not await give_back(self._plane.database, self._operation.id, self._holder, outcome, report):
            log.warning("the end of an operation was not written: it was taken over", operation=self._operation.id)
