"""How gateways run batches: one holds each at a time, gets its open lines, hands in results; a line's first counts.

A gateway that is gone loses its hold after `HOLD`; whoever goes on sends no line again whose result is here.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from mizzen_crds.kept_batches import (
    MOST_RESULTS,
    BatchLeaseRequest,
    BatchLine,
    BatchLines,
    BatchOrder,
    BatchResults,
    BatchWork,
    LineResult,
)
from mizzen_crds.kept_files import LINE_BYTES

from mizzen_controlplane.batches import counts, repository
from mizzen_controlplane.batches.content import Sealer, sealer_of
from mizzen_controlplane.batches.models import Batch
from mizzen_controlplane.batches.stopping import CANCELLED, have_looked_after, reach, stop, why_stopped
from mizzen_controlplane.batches.validation import numbered
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import NotFound, TooLarge

HOLD: Final = timedelta(seconds=30)
RESULT_BYTES: Final = 2 * LINE_BYTES


async def lease(plane: Plane, asked: BatchLeaseRequest) -> BatchWork | None:
    """The oldest batch that nobody else holds, of the project of which fewest are held; None for none."""
    if not plane.secrets.content_keys:
        return None
    now = utc_now()
    async with reading(plane.database) as session:
        waiting = _in_turn(await repository.unfinished(session), asked, now)
    for batch_id in waiting:
        async with unit_of_work(plane.database) as session:
            batch = await repository.held_batch(session, batch_id, lock=True)
            if batch is None or not _free_for(batch, asked, now):
                continue
            batch.holder, batch.held_until = asked.holder, now + HOLD
            session.add(batch)
            return BatchWork(
                batch_id=batch.id,
                project_id=batch.project_id,
                key_id=batch.key_id,
                endpoint=batch.endpoint,
                expires_at=batch.expires_at,
            )
    return None


async def open_lines(plane: Plane, batch_id: str, after: int) -> BatchLines:
    """Lines behind `after` that have no result, those of one piece of the file at most."""
    async with reading(plane.database) as session:
        batch = await repository.held_batch(session, batch_id)
        if batch is None:
            raise NotFound(f"No such batch: {batch_id[:64]!r}", code="batch_not_found")
        first = 1
        for number, _, lines in await repository.piece_sizes(session, batch.input_file_id):
            last = first + lines - 1
            if last > after:
                done = await repository.numbers_with_results(session, batch_id, first, last)
                if len(done) < lines:
                    found = await _lines(plane, batch, number, first)
                    open_ = [line for line in found if line.number > after and line.number not in done]
                    return BatchLines(lines=open_, after=last, more=last < batch.total)
            first = last + 1
    return BatchLines(lines=[], after=batch.total, more=False)


async def take_results(plane: Plane, batch_id: str, body: BatchResults) -> BatchOrder:
    """Keep results and renew, or end, the holder's lease."""
    if len(body.results) > MOST_RESULTS:
        raise TooLarge(f"There are {len(body.results)} results, there may be {MOST_RESULTS}: send them in parts.")
    now = utc_now()
    async with unit_of_work(plane.database) as session:
        batch = await repository.held_batch(session, batch_id, lock=True)
        if batch is None or batch.status not in repository.UNFINISHED:
            return BatchOrder(go_on=False, abort=True)
        new = Counter(await repository.add_results(session, _rows(sealer_of(plane), batch, body.results)))
        batch.completed += new[True]
        batch.failed += new[False]
        session.add(batch)
        if batch.status == "in_progress":
            key = await repository.find_key(session, batch.project_id, batch.key_id)
            why = why_stopped(batch, key, now)
            if batch.completed + batch.failed >= batch.total:
                reach(session, batch, "finalizing")
            elif why:
                stop(session, batch, why)
        mine = batch.holder == body.holder
        if mine:
            batch.held_until = None if body.release else now + HOLD
            if body.release:
                have_looked_after(session)
    counts.lines_came(new[True], new[False])
    return BatchOrder(
        go_on=mine and batch.status == "in_progress",
        abort=not mine or batch.stopped_by not in {"", CANCELLED},
    )


def is_held(batch: Batch, now: datetime) -> bool:
    """Somebody runs it."""
    return batch.held_until is not None and batch.held_until > now


def _free_for(batch: Batch, asked: BatchLeaseRequest, now: datetime) -> bool:
    if batch.status != "in_progress" or batch.id in asked.running:
        return False
    return batch.holder == asked.holder or not is_held(batch, now)


def _in_turn(batches: Sequence[Batch], asked: BatchLeaseRequest, now: datetime) -> list[str]:
    held = Counter(batch.project_id for batch in batches if is_held(batch, now))
    waiting = [batch for batch in batches if _free_for(batch, asked, now)]
    return [batch.id for batch in sorted(waiting, key=lambda batch: (held[batch.project_id], batch.id))]


async def _lines(plane: Plane, batch: Batch, piece: int, first: int) -> list[BatchLine]:
    async with reading(plane.database) as session:
        sealed = await repository.sealed_piece(session, batch.input_file_id, piece)
    if sealed is None:
        return []
    text = sealer_of(plane).unseal(batch.project_id, batch.input_file_id, piece, sealed)
    return [BatchLine(number=number, text=line.decode()) for number, line in numbered(text, first)]


def _rows(sealer: Sealer, batch: Batch, results: Sequence[LineResult]) -> list[dict[str, Any]]:
    """In the order of their lines, so that two who hand in the same ones cannot lock each other out."""
    rows = []
    for result in sorted(results, key=lambda one: one.number):
        text = result.text.encode()
        if 1 <= result.number <= batch.total:
            rows.append(row_of(sealer, batch, result.number, text, good=result.good))
    return rows


def row_of(sealer: Sealer, batch: Batch, number: int, text: bytes, *, good: bool) -> dict[str, Any]:
    """A result as it is kept."""
    sealed = sealer.seal(batch.project_id, batch.id, number, text)
    return {"batch_id": batch.id, "number": number, "good": good, "size": len(text) + 1, "sealed": sealed}
