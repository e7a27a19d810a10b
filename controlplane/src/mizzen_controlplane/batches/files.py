"""The rules of files: sent in pieces, sealed, whole or not there, a tenant's own, and gone when their time is over."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from mizzen_crds.kept_files import LINE_BYTES, PIECE_BYTES, SHORTEST_SECONDS, FileBegin, FileEnd, FileList, FileObject

from mizzen_controlplane.batches import repository
from mizzen_controlplane.batches.callers import caller_or_401
from mizzen_controlplane.batches.content import Sealer, sealer_of
from mizzen_controlplane.batches.models import READY, UPLOADING, FilePiece, StoredFile
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import BadRequest, Conflict, NotFound, TooLarge, invalid_field

BATCH: Final = "batch"
UPLOAD_LIFETIME: Final = timedelta(hours=1)
"""How long an upload may take before what came of it is removed."""
MOST_LISTED: Final = 10_000
RESULTS_AT_ONCE: Final = 100
_FILENAME: Final = 255


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose files: a project, by one of its keys."""

    project_id: str
    key_id: str


async def begin(plane: Plane, owner: Owner, body: FileBegin) -> StoredFile:
    """Make room for a file."""
    sealer_of(plane)
    now = utc_now()
    async with unit_of_work(plane.database) as session:
        await caller_or_401(session, owner.project_id, owner.key_id)
        _within_quota(plane, await repository.bytes_of_project(session, owner.project_id))
        file = StoredFile(
            id=new_id("file"), project_id=owner.project_id, key_id=owner.key_id, purpose=BATCH,
            filename=body.filename[:_FILENAME] or "file", state=UPLOADING, created_at=now,
            expires_at=now + UPLOAD_LIFETIME,
        )  # fmt: skip
        session.add(file)
    return file


async def put_piece(plane: Plane, owner: Owner, file_id: str, number: int, text: bytes) -> None:
    """Keep a piece; one that is sent again takes the place of the first."""
    if not 0 < len(text) <= PIECE_BYTES + LINE_BYTES:
        raise TooLarge(f"piece {number} has {len(text)} bytes, it may have {PIECE_BYTES + LINE_BYTES}")
    sealed = sealer_of(plane).seal(owner.project_id, file_id, number, text)
    piece = FilePiece(file_id=file_id, number=number, size=len(text), lines=lines_in(text), sealed=sealed)
    async with unit_of_work(plane.database) as session:
        file = _found(await repository.find_file(session, owner.project_id, file_id, lock=True), file_id)
        if file.state != UPLOADING:
            raise Conflict(f"File {file_id} is whole already.", code="file_complete")
        await repository.put_piece(session, piece)
        file.size = sum(size for _, size, _ in await repository.piece_sizes(session, file_id))
        session.add(file)
        _within_size(plane, file)
        await session.flush()
        _within_quota(plane, await repository.bytes_of_project(session, owner.project_id))


async def complete(plane: Plane, owner: Owner, file_id: str, body: FileEnd) -> StoredFile:
    """All its pieces are here: from now on it can be used."""
    async with unit_of_work(plane.database) as session:
        file = _found(await repository.find_file(session, owner.project_id, file_id, lock=True), file_id)
        sizes = await repository.piece_sizes(session, file_id)
        if [number for number, _, _ in sizes] != list(range(body.pieces)):
            raise Conflict(
                f"File {file_id}: {len(sizes)} pieces came, {body.pieces} were sent; send it again.",
                code="file_incomplete",
            )
        file.size, file.lines = sum(size for _, size, _ in sizes), sum(lines for _, _, lines in sizes)
        if not file.lines:
            raise invalid_field("/file", "file: is empty; send a line of JSON for each request", code="empty_file")
        file.state = READY
        seconds = kept_seconds(plane, body.expires_seconds, "/expires_after/seconds")
        file.expires_at = file.created_at + timedelta(seconds=seconds)
        session.add(file)
    return file


async def get(plane: Plane, owner: Owner, file_id: str) -> StoredFile:
    """One; raises NotFound, also for another tenant's."""
    async with reading(plane.database) as session:
        file = _found(await repository.find_file(session, owner.project_id, file_id), file_id)
    if file.state != READY or file.expires_at <= utc_now():
        raise missing(file_id)
    return file


async def listed(plane: Plane, owner: Owner, purpose: str, after: str, limit: int, *, descending: bool) -> FileList:
    """One page."""
    if not 1 <= limit <= MOST_LISTED:
        raise invalid_field("query:limit", f"limit: must be from 1 to {MOST_LISTED}")
    async with reading(plane.database) as session:
        found = await repository.files_after(
            session, owner.project_id, purpose, after, limit + 1, descending=descending, now=utc_now()
        )
    data = [view(file) for file in found[:limit]]
    return FileList(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
        has_more=len(found) > limit,
    )


async def delete(plane: Plane, owner: Owner, file_id: str) -> None:
    """Remove it and its content."""
    async with unit_of_work(plane.database) as session:
        file = _found(await repository.find_file(session, owner.project_id, file_id, lock=True), file_id)
        readers = await repository.readers_of(session, file_id)
        if readers:
            raise Conflict(
                f"Batch {readers[0]} still reads file {file_id[:64]}: cancel it first, or wait until it has ended.",
                code="file_in_use",
            )
        await repository.delete_file(session, file)


async def content(plane: Plane, file: StoredFile) -> AsyncIterator[bytes]:
    """What is in it, piece by piece."""
    sealer = sealer_of(plane)
    if file.source:
        async for lines in _results(plane, sealer, file):
            yield lines
        return
    async with reading(plane.database) as session:
        sizes = await repository.piece_sizes(session, file.id)
    for number, _, _ in sizes:
        async with reading(plane.database) as session:
            sealed = await repository.sealed_piece(session, file.id, number)
        if sealed is None:
            return  # deleted meanwhile: what was sent is too short, and says so
        yield sealer.unseal(file.project_id, file.id, number, sealed)


async def _results(plane: Plane, sealer: Sealer, file: StoredFile) -> AsyncIterator[bytes]:
    batch_id, _, good = file.source.partition("/")
    after = 0
    while True:
        async with reading(plane.database) as session:
            rows = await repository.results_after(session, batch_id, after, RESULTS_AT_ONCE, good=good == str(True))
        if not rows:
            return
        after = rows[-1].number
        yield b"".join(sealer.unseal(file.project_id, batch_id, row.number, row.sealed) + b"\n" for row in rows)


def view(file: StoredFile) -> FileObject:
    """On the wire."""
    return FileObject(
        id=file.id,
        bytes=file.size,
        created_at=int(file.created_at.timestamp()),
        expires_at=int(file.expires_at.timestamp()),
        filename=file.filename,
        purpose=file.purpose,
        status="processed" if file.state == READY else "uploaded",
    )


def lines_in(text: bytes) -> int:
    """Lines that are not empty."""
    return sum(1 for line in text.split(b"\n") if line.strip())


def descends(order: str) -> bool:
    """The order that a list is asked in; raises BadRequest."""
    if order not in {"asc", "desc"}:
        raise BadRequest("order: must be asc or desc", code="invalid_parameter")
    return order == "desc"


def kept_seconds(plane: Plane, asked: int | None, pointer: str) -> int:
    """How long a file is kept; raises Invalid where that is less or more than it may be."""
    most = plane.settings.files_days * 86_400
    if asked is None:
        return most
    if not SHORTEST_SECONDS <= asked <= most:
        raise invalid_field(
            pointer,
            f"{pointer.strip('/').replace('/', '.')}: must be from {SHORTEST_SECONDS} to {most} (MIZZEN_FILES_DAYS)",
        )
    return asked


def _within_size(plane: Plane, file: StoredFile) -> None:
    most = plane.settings.files_max_bytes
    if file.size > most:
        raise TooLarge(
            f"file: larger than the limit of {most} bytes (MIZZEN_FILES_MAX_BYTES); send its lines in several files.",
            code="file_too_large",
        )


def _within_quota(plane: Plane, held: int) -> None:
    most = plane.settings.files_project_bytes
    if held > most:
        raise TooLarge(
            f"The project's files together are larger than the limit of {most} bytes (MIZZEN_FILES_PROJECT_BYTES); "
            "delete some that are not needed any more.",
            code="files_quota_exceeded",
        )


def _found(file: StoredFile | None, file_id: str) -> StoredFile:
    if file is None:
        raise missing(file_id)
    return file


def missing(file_id: str) -> NotFound:
    """404, for another tenant's too."""
    return NotFound(f"No such file: {file_id[:64]!r} is not there, or not your project's.", code="file_not_found")
