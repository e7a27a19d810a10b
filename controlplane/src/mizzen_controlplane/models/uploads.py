"""Resumable uploads: bytes are appended at the offset that the server names; a whole file is held to its digest."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from starlette.requests import ClientDisconnect

from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import (
    Conflict,
    NotFound,
    Problem,
    RequestTimeout,
    TooLarge,
    invalid_field,
)
from mizzen_controlplane.models.blob_folder import (
    disk_full_as_problem,
    keep,
    locked_part,
    part_path,
    received_bytes,
    sha256_of,
)
from mizzen_controlplane.models.models import ModelVersion, VersionFile
from mizzen_controlplane.models.repository import find_file
from mizzen_controlplane.models.schemas import VersionState
from mizzen_controlplane.models.scope import model_or_404, version_or_404

_WRITE_BYTES = 1 << 20


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
    """How many bytes of `file` are here."""
    if file.received:
        return file.size
    return received_bytes(part_path(plane.settings.data_dir, version.id, file.path))


async def append(
    plane: Plane, version: ModelVersion, file: VersionFile, offset: int, body: AsyncIterator[bytes]
) -> int:
    """Append `body` at `offset`; returns the offset after it. At the last byte the digest is checked.

    What arrived before an error stays: the next attempt goes on from there.
    """
    if version.state != VersionState.PENDING or file.received:
        raise Conflict(
            f"{file.path} is complete already. Go on with the next file, or finalize.", code="file_complete",
            headers={"Upload-Offset": str(offset_of(plane, version, file))},
        )  # fmt: skip
    part = part_path(plane.settings.data_dir, version.id, file.path)
    with locked_part(part) as stream:
        here = received_bytes(part)
        if offset != here:
            raise Conflict(
                f"Upload-Offset is {offset}, but {here} bytes of {file.path} are here. Go on from {here}.",
                code="wrong_offset", headers={"Upload-Offset": str(here)},
            )  # fmt: skip
        here = await _write(stream, file, here, _unless_stalled(body, file, plane.settings.upload_stall_seconds))
        if here == file.size:
            await _complete(plane, version, file, part)
        return here


async def _write(stream: BinaryIO, file: VersionFile, here: int, body: AsyncIterator[bytes]) -> int:
    held = bytearray()
    try:
        async for chunk in body:
            if here + len(held) + len(chunk) > file.size:
                raise too_long(file)
            held += chunk
            if len(held) >= _WRITE_BYTES:
                here += await _flush(stream, held)
    except (ClientDisconnect, RequestTimeout):
        await _flush(stream, held)  # the caller is gone, but what it sent counts
        raise
    return here + await _flush(stream, held)


async def _unless_stalled(body: AsyncIterator[bytes], file: VersionFile, seconds: float) -> AsyncIterator[bytes]:
    """The body as it arrives; raises RequestTimeout once nothing has come for `seconds`."""
    while True:
        try:
            async with asyncio.timeout(seconds):
                chunk = await anext(body)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise RequestTimeout(
                f"No byte of {file.path} came for {seconds:g} s (MIZZEN_UPLOAD_STALL_SECONDS). What was received is "
                "kept: go on from there.",
                code="upload_stalled",
                headers={"Connection": "close"},
            ) from error
        yield chunk


async def _flush(stream: BinaryIO, held: bytearray) -> int:
    """Write all of `held` and empty it; a disk that fills up keeps what went in."""
    written = 0
    with disk_full_as_problem():
        while written < len(held):
            written += await asyncio.to_thread(stream.write, bytes(held[written:]))
    held.clear()
    return written


def too_long(file: VersionFile) -> TooLarge:
    """The refusal of more bytes than were announced."""
    return TooLarge(
        f"{file.path} was announced with {file.size} bytes and more were sent. Announce a new version with the right "
        "size.",
        code="file_too_long",
    )


async def _complete(plane: Plane, version: ModelVersion, file: VersionFile, part: Path) -> None:
    found = await asyncio.to_thread(sha256_of, part)
    if found != file.sha256:
        await asyncio.to_thread(part.unlink)
        raise _tampered(file, found)
    await asyncio.to_thread(keep, plane.settings.data_dir, part, file.sha256)
    async with unit_of_work(plane.database) as session:
        stored = await find_file(session, version.id, file.path, lock=True)
        if stored is not None:
            stored.received = True
            session.add(stored)


def _tampered(file: VersionFile, found: str) -> Problem:
    return invalid_field(
        "header:Upload-Offset",
        f"{file.path} arrived with sha256 {found}, but {file.sha256} was announced: it was changed or damaged on its "
        "way. It was dropped; upload it again from offset 0.",
        code="digest_mismatch",
    )


async def adopt_empty_files(plane: Plane, version: ModelVersion, files: list[VersionFile]) -> None:
    """Files of no bytes need no upload: complete them."""
    for file in files:
        if file.size == 0 and not file.received:
            part = part_path(plane.settings.data_dir, version.id, file.path)
            with locked_part(part):
                await _complete(plane, version, file, part)
            file.received = True
