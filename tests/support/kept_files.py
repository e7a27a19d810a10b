"""A project with a key that keeps files, in a plane without its process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mizzen_controlplane.batches import files
from mizzen_controlplane.batches.files import Owner
from mizzen_controlplane.batches.models import StoredFile
from mizzen_controlplane.identity import keys, projects
from mizzen_controlplane.identity.schemas import KeyCreate, ProjectCreate
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.subject import Subject
from mizzen_crds.kept_files import FileBegin, FileEnd
from support.embedded_plane import embedded_plane

KEY = b"k" * 32
ADMIN = Subject("admin", frozenset())


@asynccontextmanager
async def keeping_plane(folder: Path, **settings: Any) -> AsyncIterator[tuple[Plane, Owner]]:
    """A plane that keeps files, and somebody to keep them for."""
    async with embedded_plane(folder, content_keys=(KEY,), **settings) as plane:
        yield plane, await new_owner(plane, "team-a")


async def new_owner(plane: Plane, project: str) -> Owner:
    """A project of its own."""
    made = await projects.create(plane, ADMIN, ProjectCreate(name=project))
    key, _ = await keys.create(plane, ADMIN, project, KeyCreate(name="caller"))
    return Owner(made.id, key.id)


async def kept(plane: Plane, owner: Owner, *pieces: bytes, seconds: int | None = None) -> StoredFile:
    """A whole file."""
    begun = await files.begin(plane, owner, FileBegin(filename="requests.jsonl"))
    for number, piece in enumerate(pieces):
        await files.put_piece(plane, owner, begun.id, number, piece)
    return await files.complete(plane, owner, begun.id, FileEnd(pieces=len(pieces), expires_seconds=seconds))


async def read(plane: Plane, owner: Owner, file_id: str) -> bytes:
    """Its content."""
    found = await files.get(plane, owner, file_id)
    return b"".join([piece async for piece in files.content(plane, found)])
