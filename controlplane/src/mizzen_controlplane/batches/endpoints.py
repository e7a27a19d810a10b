"""Routes of files, for gateways: each says whose project and which key it was asked by."""

from typing import Annotated

from fastapi import Depends, Path, Query, Request
from fastapi.responses import StreamingResponse
from mizzen_crds.kept_files import FileBegin, FileDeleted, FileEnd, FileList, FileObject

from mizzen_controlplane.batches import files
from mizzen_controlplane.batches.files import Owner
from mizzen_controlplane.kit.auth import Allow, Permission
from mizzen_controlplane.kit.plane import ThePlane
from mizzen_controlplane.kit.routing import api_router

router = api_router("batches")
FILES = "/internal/v1/projects/{project}/files"
KEEPS = Depends(Allow(Permission.CONTENT_KEEP))
Name = Annotated[str, Path(max_length=64)]


def owner_of(project: Name, key_id: Annotated[str, Query(max_length=64)]) -> Owner:
    """Whom a gateway asks for."""
    return Owner(project, key_id)


Owned = Annotated[Owner, Depends(owner_of)]


@router.post(FILES, dependencies=[KEEPS], status_code=201)
async def begin_file(plane: ThePlane, owner: Owned, body: FileBegin) -> FileObject:
    """Begin a file; its content follows in pieces."""
    return files.view(await files.begin(plane, owner, body))


@router.put(FILES + "/{file}/pieces/{number}", dependencies=[KEEPS], status_code=204)
async def put_piece(
    plane: ThePlane, owner: Owned, file: Name, number: Annotated[int, Path(ge=0, le=100_000)], request: Request
) -> None:
    """Send a piece, which ends where a line does; it may be sent again."""
    await files.put_piece(plane, owner, file, number, await request.body())


@router.post(FILES + "/{file}:complete", dependencies=[KEEPS])
async def complete_file(plane: ThePlane, owner: Owned, file: Name, body: FileEnd) -> FileObject:
    """All pieces were sent."""
    return files.view(await files.complete(plane, owner, file, body))


@router.get(FILES, dependencies=[KEEPS])
async def list_files(
    plane: ThePlane,
    owner: Owned,
    purpose: Annotated[str, Query(max_length=32)] = "",
    after: Annotated[str, Query(max_length=64)] = "",
    limit: int = files.MOST_LISTED,
    order: str = "desc",
) -> FileList:
    """The project's files."""
    return await files.listed(plane, owner, purpose, after, limit, descending=files.descends(order))


@router.get(FILES + "/{file}", dependencies=[KEEPS])
async def get_file(plane: ThePlane, owner: Owned, file: Name) -> FileObject:
    """One file."""
    return files.view(await files.get(plane, owner, file))


@router.get(FILES + "/{file}/content", dependencies=[KEEPS], response_class=StreamingResponse)
async def get_content(plane: ThePlane, owner: Owned, file: Name) -> StreamingResponse:
    """What is in it."""
    found = await files.get(plane, owner, file)
    headers = {"Content-Length": str(found.size), "Cache-Control": "no-store"}
    return StreamingResponse(files.content(plane, found), media_type="application/jsonl", headers=headers)


@router.delete(FILES + "/{file}", dependencies=[KEEPS])
async def delete_file(plane: ThePlane, owner: Owned, file: Name) -> FileDeleted:
    """Remove it and its content."""
    await files.delete(plane, owner, file)
    return FileDeleted(id=file)
