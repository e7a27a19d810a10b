"""SQL of files and batches."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from mizzen_controlplane.batches.models import READY, Batch, BatchLineResult, FilePiece, StoredFile
from mizzen_controlplane.identity.models import ApiKey
from mizzen_controlplane.kit.upsert import insert_into

UNFINISHED = ("validating", "in_progress", "finalizing", "cancelling")
"""Statuses from which a batch goes on."""


async def find_key(session: AsyncSession, project_id: str, key_id: str) -> ApiKey | None:
    """A key of the project."""
    statement = select(ApiKey).where(ApiKey.id == key_id, ApiKey.project_id == project_id)
    return (await session.exec(statement)).one_or_none()


async def find_file(session: AsyncSession, project_id: str, file_id: str, *, lock: bool = False) -> StoredFile | None:
    """A file of the project."""
    statement = select(StoredFile).where(StoredFile.id == file_id, StoredFile.project_id == project_id)
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


async def files_after(
    session: AsyncSession, project_id: str, purpose: str, after: str, limit: int, *, descending: bool, now: datetime
) -> Sequence[StoredFile]:
    """Whole files that have not expired, by age; `after` an id, empty for the first ones."""
    statement = select(StoredFile).where(
        StoredFile.project_id == project_id, StoredFile.state == READY, StoredFile.expires_at > now
    )
    if purpose:
        statement = statement.where(StoredFile.purpose == purpose)
    if after:
        statement = statement.where(StoredFile.id < after if descending else StoredFile.id > after)
    order = col(StoredFile.id).desc() if descending else col(StoredFile.id)
    return (await session.exec(statement.order_by(order).limit(limit))).all()


async def bytes_of_project(session: AsyncSession, project_id: str) -> int:
    """All that the project has kept, and is sending."""
    statement = select(func.coalesce(func.sum(StoredFile.size), 0)).where(StoredFile.project_id == project_id)
    return int((await session.exec(statement)).one())


async def put_piece(session: AsyncSession, piece: FilePiece) -> None:
    """Insert it, or put it in the place of one that was sent before."""
    values = piece.model_dump()
    statement = insert_into(session, FilePiece).values(values)
    changed = {name: values[name] for name in ("size", "lines", "sealed")}
    await session.exec(statement.on_conflict_do_update(index_elements=["file_id", "number"], set_=changed))


async def piece_sizes(session: AsyncSession, file_id: str) -> Sequence[tuple[int, int, int]]:
    """(number, bytes, lines) of each piece, in order."""
    statement = (
        select(FilePiece.number, FilePiece.size, FilePiece.lines)
        .where(FilePiece.file_id == file_id)
        .order_by(col(FilePiece.number))
    )
    return [(number, size, lines) for number, size, lines in (await session.exec(statement)).all()]


async def sealed_piece(session: AsyncSession, file_id: str, number: int) -> bytes | None:
    """The content of one piece."""
    of_file: SelectOfScalar[Any] = select(FilePiece.sealed).where(FilePiece.file_id == file_id)
    return (await session.exec(of_file.where(FilePiece.number == number))).one_or_none()


async def delete_file(session: AsyncSession, file: StoredFile) -> None:
    """With its content."""
    if file.source:
        batch_id, _, good = file.source.partition("/")
        await delete_results(session, batch_id, good=good == str(True))
    await session.exec(delete(FilePiece).where(col(FilePiece.file_id) == file.id))
    await session.exec(delete(StoredFile).where(col(StoredFile.id) == file.id))


async def expired_files(session: AsyncSession, now: datetime, at_most: int) -> Sequence[StoredFile]:
    """Files whose time is over, those never completed among them; not those that a batch still reads."""
    read = select(Batch.input_file_id).where(col(Batch.status).in_(UNFINISHED))
    statement = (
        select(StoredFile)
        .where(StoredFile.expires_at <= now, col(StoredFile.id).not_in(read))
        .order_by(col(StoredFile.expires_at))
    )
    return (await session.exec(statement.limit(at_most))).all()


async def readers_of(session: AsyncSession, file_id: str) -> Sequence[str]:
    """Batches that still read a file."""
    statement = select(Batch.id).where(Batch.input_file_id == file_id, col(Batch.status).in_(UNFINISHED))
    return (await session.exec(statement)).all()


async def find_batch(session: AsyncSession, project_id: str, batch_id: str, *, lock: bool = False) -> Batch | None:
    """A batch of the project."""
    statement = select(Batch).where(Batch.id == batch_id, Batch.project_id == project_id)
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


async def held_batch(session: AsyncSession, batch_id: str, *, lock: bool = False) -> Batch | None:
    """A batch of whichever project."""
    statement = select(Batch).where(Batch.id == batch_id)
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


async def batches_after(session: AsyncSession, project_id: str, after: str, limit: int) -> Sequence[Batch]:
    """The project's batches, newest first; `after` an id, empty for the first ones."""
    statement = select(Batch).where(Batch.project_id == project_id)
    if after:
        statement = statement.where(Batch.id < after)
    return (await session.exec(statement.order_by(col(Batch.id).desc()).limit(limit))).all()


async def count_unfinished(session: AsyncSession, project_id: str) -> int:
    """Batches of the project that have not ended."""
    statement = select(func.count()).where(Batch.project_id == project_id, col(Batch.status).in_(UNFINISHED))
    return int((await session.exec(statement)).one())


async def unfinished(session: AsyncSession) -> Sequence[Batch]:
    """Every batch that has not ended, oldest first."""
    return (await session.exec(select(Batch).where(col(Batch.status).in_(UNFINISHED)).order_by(col(Batch.id)))).all()


async def add_results(session: AsyncSession, rows: list[dict[str, Any]]) -> list[bool]:
    """Keep results of lines that have none yet; whether each that is new was good."""
    if not rows:
        return []
    statement = (
        insert_into(session, BatchLineResult)
        .on_conflict_do_nothing(index_elements=["batch_id", "number"])
        .returning(col(BatchLineResult.good))
    )
    return [bool(good) for (good,) in (await session.exec(statement, params=rows)).all()]


async def numbers_with_results(session: AsyncSession, batch_id: str, first: int, last: int) -> set[int]:
    """Of the lines from `first` to `last`, those that have a result."""
    number = col(BatchLineResult.number)
    statement = select(number).where(BatchLineResult.batch_id == batch_id, number >= first, number <= last)
    return set((await session.exec(statement)).all())


async def results_after(
    session: AsyncSession, batch_id: str, after: int, limit: int, *, good: bool
) -> Sequence[BatchLineResult]:
    """Results of one kind, by line."""
    statement = select(BatchLineResult).where(
        BatchLineResult.batch_id == batch_id, BatchLineResult.number > after, col(BatchLineResult.good).is_(good)
    )
    return (await session.exec(statement.order_by(col(BatchLineResult.number)).limit(limit))).all()


async def result_sizes(session: AsyncSession, batch_id: str, *, good: bool) -> tuple[int, int]:
    """How many results of one kind there are, and how many bytes they have together."""
    sums = select(func.count(), func.coalesce(func.sum(BatchLineResult.size), 0))
    statement = sums.where(BatchLineResult.batch_id == batch_id, col(BatchLineResult.good).is_(good))
    count, size = (await session.exec(statement)).one()
    return int(count), int(size)


async def delete_results(session: AsyncSession, batch_id: str, *, good: bool) -> None:
    """Of one kind."""
    statement = delete(BatchLineResult).where(col(BatchLineResult.batch_id) == batch_id)
    await session.exec(statement.where(col(BatchLineResult.good).is_(good)))
