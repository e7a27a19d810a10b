"""The rules of batches: who may make one of what, what callers see of it, and how they stop it."""

from datetime import timedelta
from typing import Final, get_args

from mizzen_crds.kept_batches import (
    ENDPOINTS,
    WINDOW,
    WINDOW_SECONDS,
    BatchCreate,
    BatchFault,
    BatchFaults,
    BatchList,
    BatchObject,
    BatchStatus,
    RequestCounts,
)

from mizzen_controlplane.batches import repository
from mizzen_controlplane.batches.callers import caller_or_401
from mizzen_controlplane.batches.content import sealer_of
from mizzen_controlplane.batches.files import BATCH, Owner, kept_seconds, missing
from mizzen_controlplane.batches.models import READY, Batch, StoredFile
from mizzen_controlplane.batches.stopping import CANCELLED, reach, stop
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, NotFound, TooLarge, invalid_field

MOST_UNFINISHED: Final = 20
"""Batches of one project."""
MOST_LISTED: Final = 100
_PAIRS, _NAME, _VALUE = 16, 64, 512


async def create(plane: Plane, owner: Owner, body: BatchCreate) -> Batch:
    """Make one; its lines are looked at before any is sent."""
    sealer_of(plane)
    _check(body)
    seconds = kept_seconds(plane, body.output_expires_seconds, "/output_expires_after/seconds")
    now = utc_now()
    async with unit_of_work(plane.database) as session:
        await caller_or_401(session, owner.project_id, owner.key_id)
        _usable(await repository.find_file(session, owner.project_id, body.input_file_id, lock=True), body)
        if await repository.count_unfinished(session, owner.project_id) >= MOST_UNFINISHED:
            raise TooLarge(
                f"The project has {MOST_UNFINISHED} batches that have not ended, and may have no more: wait for one, "
                "or cancel it.",
                code="too_many_batches",
            )
        batch = Batch(
            id=new_id("batch"), project_id=owner.project_id, key_id=owner.key_id, input_file_id=body.input_file_id,
            endpoint=body.endpoint, status="validating", created_at=now,
            expires_at=now + timedelta(seconds=WINDOW_SECONDS), details=body.metadata, output_seconds=seconds,
        )  # fmt: skip
        session.add(batch)
        reach(session, batch, "validating")
    return batch


async def get(plane: Plane, owner: Owner, batch_id: str) -> Batch:
    """One; raises NotFound, also for another tenant's."""
    async with reading(plane.database) as session:
        return _found(await repository.find_batch(session, owner.project_id, batch_id), batch_id)


async def listed(plane: Plane, owner: Owner, after: str, limit: int) -> BatchList:
    """One page, newest first."""
    if not 1 <= limit <= MOST_LISTED:
        raise invalid_field("query:limit", f"limit: must be from 1 to {MOST_LISTED}")
    async with reading(plane.database) as session:
        found = await repository.batches_after(session, owner.project_id, after, limit + 1)
    data = [view(batch) for batch in found[:limit]]
    return BatchList(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=len(found) > limit,
    )


async def cancel(plane: Plane, owner: Owner, batch_id: str) -> Batch:
    """Send no more of its lines; those under way end, and what was answered stays."""
    async with unit_of_work(plane.database) as session:
        batch = _found(await repository.find_batch(session, owner.project_id, batch_id, lock=True), batch_id)
        if batch.status not in {"validating", "in_progress", "cancelling"}:
            raise Conflict(f"Batch {batch.id} is {batch.status}: there is nothing left to cancel.", code="batch_ended")
        if batch.status != "cancelling":
            stop(session, batch, CANCELLED)
    return batch


def view(batch: Batch) -> BatchObject:
    """On the wire."""
    faults = [BatchFault.model_validate(one) for one in batch.faults]
    moments = {f"{status}_at": moment for status, moment in batch.moments.items() if status != "validating"}
    status: BatchStatus = next(one for one in get_args(BatchStatus) if one == batch.status)
    return BatchObject(
        id=batch.id,
        endpoint=batch.endpoint,
        errors=BatchFaults(data=faults) if faults else None,
        input_file_id=batch.input_file_id,
        completion_window=WINDOW,
        status=status,
        output_file_id=batch.output_file_id,
        error_file_id=batch.error_file_id,
        created_at=int(batch.created_at.timestamp()),
        expires_at=int(batch.expires_at.timestamp()),
        request_counts=RequestCounts(total=batch.total, completed=batch.completed, failed=batch.failed),
        metadata=batch.details,
        **moments,
    )


def _check(body: BatchCreate) -> None:
    if body.endpoint not in ENDPOINTS:
        raise invalid_field("/endpoint", f"endpoint: must be one of {', '.join(ENDPOINTS)}")
    if body.completion_window != WINDOW:
        raise invalid_field("/completion_window", f"completion_window: must be '{WINDOW}'")
    pairs = body.metadata or {}
    if len(pairs) > _PAIRS or any(len(name) > _NAME or len(value) > _VALUE for name, value in pairs.items()):
        raise invalid_field(
            "/metadata", f"metadata: may have {_PAIRS} pairs, of {_NAME} characters a name and {_VALUE} a value"
        )


def _usable(file: StoredFile | None, body: BatchCreate) -> StoredFile:
    if file is None or file.state != READY or file.expires_at <= utc_now():
        raise missing(body.input_file_id)
    if file.purpose != BATCH:
        raise invalid_field(
            "/input_file_id", f"input_file_id: the file's purpose is {file.purpose}; send one for a batch"
        )
    return file


def _found(batch: Batch | None, batch_id: str) -> Batch:
    if batch is None:
        raise NotFound(f"No such batch: {batch_id[:64]!r} is not there, or not your project's.", code="batch_not_found")
    return batch
