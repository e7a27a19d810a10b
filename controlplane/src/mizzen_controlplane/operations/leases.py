"""Who works on an operation? One worker, while its lease lasts; what a worker without one writes is refused."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.record import Trace, record_trace
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import COMMIT_GUARD, Database, reading, unit_of_work
from mizzen_controlplane.operations import repository
from mizzen_controlplane.operations.models import Operation
from mizzen_controlplane.operations.schemas import OperationState

HOLD: Final = timedelta(seconds=30)
MOST_ATTEMPTS: Final = 10
"""Begun so often without an end, the work itself is what brings replicas down, or its source never comes back."""


class LeaseLostError(Exception):
    """Another worker has the operation now: whatever this one was about to write is not written."""


class Standing(Enum):
    """What a worker hears when it tells how far it is."""

    GO_ON = "go on"
    CANCEL = "cancel"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the work ended, or why it is tried again."""

    state: OperationState
    result: Mapping[str, Any] | None = None
    code: str = ""
    reason: str = ""
    wait: timedelta = timedelta(0)
    """For QUEUED: until it is tried again."""


async def take(database: Database, holder: str, kinds: Collection[str]) -> Operation | None:
    """The oldest operation that nobody works on; `holder` does from now on. None for none."""
    now = utc_now()
    async with reading(database) as session:
        if not await repository.any_free(session, kinds, now):
            return None  # no writing transaction for a look
    async with unit_of_work(database) as session:
        row = await repository.take_free(session, kinds, now)
        if row is None:
            return None
        row.state, row.holder, row.held_until = OperationState.RUNNING, holder, now + HOLD
        row.attempts += 1
        row.started_at = row.started_at or now
        row.touch()
        return row


async def renew(database: Database, operation_id: str, holder: str, progress: Mapping[str, Any]) -> Standing:
    """Keep the lease for `HOLD` more and tell how far the work is."""
    async with unit_of_work(database) as session:
        row = await repository.held_by(session, operation_id, holder)
        if row is None:
            return Standing.LOST
        row.held_until = utc_now() + HOLD
        if progress:
            row.progress = dict(progress)
        return Standing.CANCEL if row.cancel_asked else Standing.GO_ON


async def give_back(
    database: Database, operation_id: str, holder: str, outcome: Outcome, progress: Mapping[str, Any]
) -> bool:
    """Write the outcome and let go; False where the lease was lost, and nothing is written."""
    async with unit_of_work(database) as session:
        row = await repository.held_by(session, operation_id, holder)
        if row is None:
            return False
        _settle(row, outcome, utc_now())
        if progress:
            row.progress = dict(progress)
        if row.ended_at is not None:
            trace = Trace(
                row.created_by, "operations.end", row.id, row.target, row.project_id, row.state.lower(),
                after={"state": row.state, "code": row.code, "reason": row.reason, "result": row.result},
            )  # fmt: skip
            record_trace(session, trace)
        return True


def _settle(row: Operation, outcome: Outcome, now: datetime) -> None:
    if outcome.state == OperationState.QUEUED and row.attempts >= MOST_ATTEMPTS and outcome.reason:
        outcome = Outcome(
            OperationState.FAILED,
            code=outcome.code or "given_up",
            reason=f"Given up after {row.attempts} attempts: {outcome.reason}",
        )
    row.state, row.code, row.reason = outcome.state, outcome.code[:64], outcome.reason[:4000]
    row.holder, row.held_until = "", None
    row.touch()
    if outcome.state == OperationState.QUEUED:
        row.not_before = now + outcome.wait
        row.attempts -= 0 if outcome.reason else 1  # a replica that stops did not try in vain
        return
    row.ended_at, row.result = now, dict(outcome.result or {})


@contextmanager
def fenced(operation_id: str, holder: str) -> Iterator[None]:
    """Inside, every writing transaction of this task commits only while `holder` has the operation."""

    async def confirm(session: AsyncSession) -> None:
        if not await repository.still_held(session, operation_id, holder):
            raise LeaseLostError(operation_id)

    token = COMMIT_GUARD.set(confirm)
    try:
        yield
    finally:
        COMMIT_GUARD.reset(token)
