"""What the control plane does for a batch itself: look at its lines before, and put its results together after.

Each step may be done by several replicas at once, and begun again after a crash: the last transaction decides.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import orjson
from mizzen_crds.kept_batches import MOST_RESULTS, BatchFault

from mizzen_controlplane.batches import counts, repository
from mizzen_controlplane.batches.content import Sealer, sealer_of
from mizzen_controlplane.batches.models import READY, Batch, StoredFile
from mizzen_controlplane.batches.stopping import CANCELLED, ENDS, KEY_REVOKED, TOLD, reach, stop, why_stopped
from mizzen_controlplane.batches.validation import Validation, numbered
from mizzen_controlplane.batches.work import is_held, row_of
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.plane import Plane

OUTPUT = "batch_output"
ANSWERS, ERRORS = "output", "error"


async def look_after(plane: Plane, batch: Batch, now: datetime) -> None:
    """Take a batch as far as it goes without a gateway."""
    if batch.status == "validating":
        await _validate(plane, batch)
    elif batch.status == "in_progress":
        await _stop_where_due(plane, batch, now)
    elif _nothing_comes(batch, now):
        await _end(plane, batch)


def _nothing_comes(batch: Batch, now: datetime) -> bool:
    """Every line has a result, or nobody is there to hand in more."""
    return batch.status in {"finalizing", "cancelling"} and (not batch.stopped_by or not is_held(batch, now))


async def _validate(plane: Plane, batch: Batch) -> None:
    validation = Validation(batch.endpoint, plane.settings.batch_max_lines)
    async for _, piece in _pieces(plane, sealer_of(plane), batch):
        if not await asyncio.to_thread(validation.look_at, piece):
            break
    async with unit_of_work(plane.database) as session:
        held = await repository.held_batch(session, batch.id, lock=True)
        if held is None or held.status != "validating":
            return
        held.total = validation.lines
        held.faults = [fault.model_dump() for fault in validation.faults]
        reach(session, held, "failed" if held.faults else "in_progress")
    if validation.faults:
        counts.ended("failed")


async def _stop_where_due(plane: Plane, batch: Batch, now: datetime) -> None:
    async with reading(plane.database) as session:
        key = await repository.find_key(session, batch.project_id, batch.key_id)
    why = why_stopped(batch, key, now)
    if not why:
        return
    async with unit_of_work(plane.database) as session:
        held = await repository.held_batch(session, batch.id, lock=True)
        if held is not None and held.status == "in_progress":
            stop(session, held, why)


async def _end(plane: Plane, batch: Batch) -> None:
    if batch.stopped_by:
        await _tell_of_the_rest(plane, batch)
    async with unit_of_work(plane.database) as session:
        held = await repository.held_batch(session, batch.id, lock=True)
        if held is None or not _nothing_comes(held, utc_now()):
            return
        for kind, good in ((ANSWERS, True), (ERRORS, False)):
            count, size = await repository.result_sizes(session, batch.id, good=good)
            if count:
                file = _file_of(held, kind, size, count, good=good)
                session.add(file)
                if good:
                    held.output_file_id = file.id
                else:
                    held.error_file_id = file.id
        if held.stopped_by == KEY_REVOKED:
            code, message = TOLD[KEY_REVOKED]
            held.faults = [BatchFault(code=code, message=message).model_dump()]
        reach(session, held, ENDS[held.stopped_by])
    counts.ended(held.status)


def _file_of(batch: Batch, kind: str, size: int, lines: int, *, good: bool) -> StoredFile:
    now = utc_now()
    return StoredFile(
        id=new_id("file"), project_id=batch.project_id, key_id=batch.key_id, purpose=OUTPUT,
        filename=f"{batch.id}_{kind}.jsonl", state=READY, size=size, lines=lines, created_at=now,
        expires_at=now + timedelta(seconds=batch.output_seconds or 0), source=f"{batch.id}/{good}",
    )  # fmt: skip


async def _tell_of_the_rest(plane: Plane, batch: Batch) -> None:
    """Each line that was not sent gets an error that says why."""
    sealer = sealer_of(plane)
    code, message = TOLD[batch.stopped_by or CANCELLED]
    async for first, piece in _pieces(plane, sealer, batch):
        lines = list(numbered(piece, first))
        last = first + len(lines) - 1
        async with reading(plane.database) as session:
            done = await repository.numbers_with_results(session, batch.id, first, last)
        open_ = [(number, line) for number, line in lines if number not in done and number <= batch.total]
        for start in range(0, len(open_), MOST_RESULTS):
            rows = [
                row_of(sealer, batch, number, _unsent(batch, number, line, code, message), good=False)
                for number, line in open_[start : start + MOST_RESULTS]
            ]
            async with unit_of_work(plane.database) as session:
                new = await repository.add_results(session, rows)
            counts.lines_stay_unsent(len(new))


def _unsent(batch: Batch, number: int, line: bytes, code: str, message: str) -> bytes:
    return orjson.dumps(
        {
            "id": f"{batch.id}_{number}",
            "custom_id": orjson.loads(line)["custom_id"],
            "response": None,
            "error": {"code": code, "message": message},
        }
    )


async def _pieces(plane: Plane, sealer: Sealer, batch: Batch) -> AsyncIterator[tuple[int, bytes]]:
    """Of its input file: number of the first line, and text."""
    async with reading(plane.database) as session:
        sizes = await repository.piece_sizes(session, batch.input_file_id)
    first = 1
    for number, _, lines in sizes:
        async with reading(plane.database) as session:
            sealed = await repository.sealed_piece(session, batch.input_file_id, number)
        if sealed is not None:
            yield first, sealer.unseal(batch.project_id, batch.input_file_id, number, sealed)
        first += lines
