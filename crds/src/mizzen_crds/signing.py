"""What does somebody sign who vouches for a version of a model? Shared by who signs and who verifies."""

import hashlib
from collections.abc import Iterable
from typing import Final, Protocol

STATEMENT: Final = "mizzen-model-version/1"
"""First line of what is signed: a signature made for anything else is none of a version."""


class DigestedFile(Protocol):
    """A file of a version."""

    @property
    def path(self) -> str:
        """Relative path, `/` between its parts."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    @property
    def sha256(self) -> str:
        """Hex digest of the content."""
        ...


def digest_of(files: Iterable[DigestedFile]) -> str:
    """Digest of a version: sha256 over the lines `<sha256>  <size>  <path>` plus newline, by path."""
    digest = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.path):
        digest.update(f"{file.sha256}  {file.size}  {file.path}\n".encode())
    return f"sha256:{digest.hexdigest()}"


def statement_of(model: str, format_name: str, digest: str) -> bytes:
    """What is signed with ed25519: four lines, each with its newline.

    It names the model and the format, so that content vouched for as one thing is not passed off as another; not the
    project and the number, which are not known where a model is built.
    """
    return f"{STATEMENT}\nmodel: {model}\nformat: {format_name}\ndigest: {digest}\n".encode()
