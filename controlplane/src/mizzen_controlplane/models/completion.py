"""How a file whose bytes are all here becomes content: held to its digest, moved to its place, noted as received."""

import asyncio
from collections.abc import Sequence

from mizzen_controlplane.kit.database import unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Problem, invalid_field
from mizzen_controlplane.models.blob_folder import blobs_lock, disk_full_as_problem, part_path, sha256_of
from mizzen_controlplane.models.gathering import Gathering, alone, hold_shared, writing
from mizzen_controlplane.models.models import ModelVersion, VersionFile
from mizzen_controlplane.models.repository import find_file


def gathering_of(plane: Plane, version: ModelVersion, file: VersionFile) -> Gathering:
    """Where the bytes of an unfinished upload are gathered."""
    return Gathering(part_path(plane.settings.data_dir, version.id, file.path), file.size)


async def complete(plane: Plane, version: ModelVersion, file: VersionFile) -> None:
    """Make a file whose bytes are all here content; raises Invalid, and forgets them, where its digest is another.

    Two who call it for the same file do it once. After a kill at any point the next call goes on.
    """
    gathering = gathering_of(plane, version, file)
    async with alone(gathering) as still_there:
        if still_there and gathering.whole:
            found = await asyncio.to_thread(sha256_of, gathering.part)
            if found != file.sha256:
                await asyncio.to_thread(gathering.drop)
                raise _tampered(file, found)
            with disk_full_as_problem():
                gathering.note(0, file.size)  # whoever finds it moved away knows that it was whole
            await _keep(plane, gathering, file)
            if not gathering.became_content:  # a bucket has a copy of it
                await _note_received(plane, version, file)
    if gathering.became_content and await plane.content.held([file.sha256]):
        await _note_received(plane, version, file)


async def _keep(plane: Plane, gathering: Gathering, file: VersionFile) -> None:
    """Nobody removes content meanwhile, and whoever looks afterwards whether it is used finds this version."""
    with blobs_lock(plane.settings.data_dir) as lock:
        await hold_shared(lock.fileno())
        await plane.content.keep(gathering.part, file.sha256)


async def complete_all(plane: Plane, version: ModelVersion, files: Sequence[VersionFile]) -> None:
    """Complete what is whole already: files of no bytes, and those of which a kill came between bytes and note."""
    for file in files:
        if file.received:
            continue
        gathering = gathering_of(plane, version, file)
        if file.size == 0:
            with disk_full_as_problem():
                async with writing(gathering):
                    pass
        if gathering.whole or gathering.became_content:
            await complete(plane, version, file)


async def _note_received(plane: Plane, version: ModelVersion, file: VersionFile) -> None:
    async with unit_of_work(plane.database) as session:
        stored = await find_file(session, version.id, file.path, lock=True)
        if stored is not None:
            stored.received = True
            session.add(stored)
    file.received = True


def _tampered(file: VersionFile, found: str) -> Problem:
    return invalid_field(
        "header:Upload-Offset",
        f"{file.path} arrived with sha256 {found}, but {file.sha256} was announced: it was changed or damaged on its "
        "way. It was dropped; upload it again from offset 0.",
        code="digest_mismatch",
    )
