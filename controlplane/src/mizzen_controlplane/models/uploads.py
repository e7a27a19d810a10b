"""Resumable uploads: bytes are appended where the file ends now, or come as parts in any order and side by side."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mizzen_controlplane.kit.database import reading
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, Invalid, NotFound, TooLarge, invalid_field
from mizzen_controlplane.models.arriving_body import pour, unless_stalled
from mizzen_controlplane.models.blob_folder import disk_full_as_problem
from mizzen_controlplane.models.completion import complete, gathering_of
from mizzen_controlplane.models.gathering import Gathering, held_at_once, writing
from mizzen_controlplane.models.models import ModelVersion, VersionFile
from mizzen_controlplane.models.part_layout import begins_with, part_bytes, part_length
from mizzen_controlplane.models.repository import find_file
from mizzen_controlplane.models.schemas import ByteRange, UploadView, VersionState
from mizzen_controlplane.models.scope import model_or_404, version_or_404


async def find_upload(
    plane: Plane, project_ref: str, model_ref: str, number: int, path: str
) -> tuple[ModelVersion, VersionFile]:
    """The version and its file; raises NotFound."""
    async with reading(plane.database) as session:
        _project, model = await model_or_404(session, plane, project_ref, model_ref)
        version = await version_or_404(session, model, number)
        file = await find_file(session, version.id, path)
    if file is None:
        raise NotFound(
            f"Version {number} announced no file {path!r}. Every file is announced when the version is made.",
            code="file_not_found",
        )
    return version, file


def offset_of(plane: Plane, version: ModelVersion, file: VersionFile) -> int:
    """How many bytes of `file` are here from its start on."""
    return file.size if file.received else begins_with(gathering_of(plane, version, file).ranges())


def view(plane: Plane, version: ModelVersion, file: VersionFile) -> UploadView:
    """Which bytes of `file` are here."""
    ranges = [(0, file.size)] if file.received else gathering_of(plane, version, file).ranges()
    return UploadView(
        path=file.path,
        size=file.size,
        received=file.received,
        part_bytes=part_bytes(file.size),
        ranges=[ByteRange(first=first, end=end) for first, end in ranges if end > first],
    )


async def append(
    plane: Plane, version: ModelVersion, file: VersionFile, offset: int, body: AsyncIterator[bytes]
) -> int:
    """Append `body` at `offset`; returns the offset after it. At the last byte the digest is checked.

    What arrived before an error stays: the next attempt goes on from there.
    """
    _refuse_complete(plane, version, file)
    gathering = gathering_of(plane, version, file)
    async with _alone_now(gathering) as descriptor:
        here = begins_with(gathering.ranges())
        if offset != here:
            raise Conflict(
                f"Upload-Offset is {offset}, but {here} bytes of {file.path} are here. Go on from {here}.",
                code="wrong_offset", headers={"Upload-Offset": str(here)},
            )  # fmt: skip
        chunks = unless_stalled(body, file.path, plane.settings.upload_stall_seconds)
        journal = gathering.journal.exists()
        async for written in pour(descriptor, here, chunks, file.size - here, lambda: too_long(file)):
            if journal:
                gathering.note(here, here + written)
            here += written
    if gathering.whole:
        await complete(plane, version, file)
    return here


async def put_part(
    plane: Plane, version: ModelVersion, file: VersionFile, offset: int, length: int | None, body: AsyncIterator[bytes]
) -> None:
    """Keep the part at `offset`, whole; parts come in any order. At the last one the digest is checked."""
    _refuse_complete(plane, version, file)
    expected = _expected_length(file, offset, length)
    gathering = gathering_of(plane, version, file)
    chunks = unless_stalled(body, file.path, plane.settings.upload_stall_seconds)
    here = offset
    with disk_full_as_problem():
        async with writing(gathering) as descriptor:
            async for written in pour(descriptor, offset, chunks, expected, lambda: _wrong_length(file, expected)):
                here += written
            if here != offset + expected:
                raise _wrong_length(file, expected)
            gathering.note(offset, here)
    if gathering.whole:
        await complete(plane, version, file)


@asynccontextmanager
async def _alone_now(gathering: Gathering) -> AsyncIterator[int]:
    with disk_full_as_problem(), held_at_once(gathering) as descriptor:
        if descriptor is None:
            raise Conflict(
                "Another request is uploading this file now. Go on in a second, from the offset that is told then.",
                code="upload_in_progress",
                headers={"Retry-After": "1"},
            )
        yield descriptor


def _refuse_complete(plane: Plane, version: ModelVersion, file: VersionFile) -> None:
    if version.state != VersionState.PENDING or file.received:
        raise Conflict(
            f"{file.path} is complete already. Go on with the next file, or finalize.", code="file_complete",
            headers={"Upload-Offset": str(offset_of(plane, version, file))},
        )  # fmt: skip


def _expected_length(file: VersionFile, offset: int, length: int | None) -> int:
    expected = part_length(file.size, offset)
    if not expected:
        raise invalid_field(
            "query:offset",
            f"No part of {file.path} begins at {offset}: it has {file.size} bytes, and parts begin at each multiple of "
            f"{part_bytes(file.size)}.",
            code="no_such_part",
        )
    if length is not None and length != expected:
        raise _wrong_length(file, expected)
    return expected


def _wrong_length(file: VersionFile, expected: int) -> Invalid:
    return invalid_field(
        "header:Content-Length",
        f"This part of {file.path} has {expected} bytes, and another number was sent. Send the part again, whole.",
        code="wrong_part_length",
    )


def too_long(file: VersionFile) -> TooLarge:
    """The refusal of more bytes than were announced."""
    return TooLarge(
        f"{file.path} was announced with {file.size} bytes and more were sent. Announce a new version with the right "
        "size.",
        code="file_too_long",
    )
