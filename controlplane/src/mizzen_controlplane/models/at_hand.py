"""How a version's files come to lie on this machine while they are checked: where they are, or brought for so long."""

import asyncio
import hashlib
import secrets
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import NotFound
from mizzen_controlplane.models.blob_folder import disk_full, disk_full_as_problem, free_bytes, uploads_dir
from mizzen_controlplane.models.completion import gathering_of
from mizzen_controlplane.models.models import ModelVersion, VersionFile


@asynccontextmanager
async def at_hand(
    plane: Plane, version: ModelVersion, files: Sequence[VersionFile]
) -> AsyncIterator[Mapping[str, Path]]:
    """Path in the version -> where its content can be read; content of a bucket is brought, and taken away again."""
    lying = {file.path: _lies_at(plane, version, file) for file in files}
    missing = [file for file in files if lying[file.path] is None]
    if sum(file.size for file in missing) > free_bytes(plane.settings.data_dir):
        raise disk_full()
    folder = (
        uploads_dir(plane.settings.data_dir) / version.id / f"brought-{secrets.token_hex(8)}"
    )  # others may check the same
    try:
        for file in missing:
            lying[file.path] = await _bring(plane, file, folder / hashlib.sha256(file.path.encode()).hexdigest())
        yield {path: found for path, found in lying.items() if found is not None}
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _lies_at(plane: Plane, version: ModelVersion, file: VersionFile) -> Path | None:
    kept = plane.content.path_of(file.sha256)
    if kept is not None:
        return kept
    gathered = gathering_of(plane, version, file).part  # what was just uploaded is still here
    return gathered if gathered.exists() else None


async def _bring(plane: Plane, file: VersionFile, target: Path) -> Path:
    with disk_full_as_problem():
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as stream:
            try:
                async for chunk in plane.content.read(file.sha256, 0, file.size):
                    await asyncio.to_thread(stream.write, chunk)
            except NotFound:
                await asyncio.to_thread(target.unlink)  # the check says which file cannot be read
    return target
