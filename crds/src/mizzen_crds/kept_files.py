"""Files that callers keep in the control plane, in the form in which the OpenAI API tells them."""

from typing import Literal

from mizzen_crds.wire import Message

PIECE_BYTES = 1024 * 1024
"""A file travels in pieces of about that size, each of which ends where a line does."""
LINE_BYTES = 4 * 1024 * 1024
"""Longest line of a file."""
SHORTEST_SECONDS = 3600
LONGEST_SECONDS = 30 * 86_400
"""How long a caller may have a file kept; the control plane may be set to less."""


class FileBegin(Message):
    """Body of `POST /internal/v1/projects/{project}/files`."""

    filename: str
    """As the caller called it; at most 255 characters."""


class FileEnd(Message):
    """Body of `POST /internal/v1/projects/{project}/files/{file}:complete`."""

    pieces: int
    """How many were sent, numbered from 0."""
    expires_seconds: int | None = None
    """How long it is kept, from its creation on; None: as long as it may be."""


class FileObject(Message):
    """A file."""

    id: str
    """file_..."""
    object: Literal["file"] = "file"
    bytes: int
    """Size."""
    created_at: int
    """Seconds since the epoch."""
    expires_at: int
    """When its content is removed, in seconds since the epoch."""
    filename: str
    purpose: str
    """batch: lines of requests; batch_output: lines of answers."""
    status: Literal["uploaded", "processed"] = "processed"
    """processed: it is whole."""
    status_details: str | None = None


class FileList(Message):
    """Files, one page."""

    object: Literal["list"] = "list"
    data: list[FileObject]
    first_id: str | None = None
    last_id: str | None = None
    has_more: bool = False


class FileDeleted(Message):
    """Answer to a deletion."""

    id: str
    object: Literal["file"] = "file"
    deleted: bool = True
