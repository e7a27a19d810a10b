"""SQL of files."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from mizzen_controlplane.batches.models import READY, FilePiece, StoredFile
from mizzen_controlplane.identity.models import ApiKey
from mizzen_controlplane.kit.upsert import insert_into


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


async def delete_file(session: AsyncSession, file_id: str) -> None:
    """With its content."""
    await session.exec(delete(FilePiece).where(col(FilePiece.file_id) == file_id))
    await session.exec(delete(StoredFile).where(col(StoredFile.id) == file_id))


async def expired_files(session: AsyncSession, now: datetime, at_most: int) -> Sequence[StoredFile]:
    """Files whose time is over, those never completed among them."""
    statement = select(StoredFile).where(StoredFile.expires_at <= now).order_by(col(StoredFile.expires_at))
    return (await session.exec(statement.limit(at_most))).all()
