"""What is the digest of a whole artifact? SHA-256 over one line for each file: its digest, its size, its path."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

READ_BYTES = 1024 * 1024


def artifact_digest(files: Iterable[tuple[str, int, str]]) -> str:
    """`sha256:...` of files given as (path, size, sha256), in any order."""
    lines = [f"{sha256}  {size}  {path}\n" for path, size, sha256 in sorted(files)]
    return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()


def sha256_of(path: Path, count: Callable[[int], None] | None = None) -> str:
    """Hex digest of a file's content. `count` is told how many bytes more were read."""
    running = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            running.update(chunk)
            if count is not None:
                count(len(chunk))
    return running.hexdigest()
