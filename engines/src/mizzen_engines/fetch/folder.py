"""What does the model's folder know of itself? Which artifact is complete in it, and which parts a killed fetch left.

Parts lie in a folder of their own under a name made of path and digest, so that a part is never continued with
other content. A lock held by the living process keeps two fetches on a shared volume apart, and ends with the process.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mizzen_engines.fetch.digest import artifact_digest, sha256_of
from mizzen_engines.fetch.source import RemoteFile

COMPLETE = ".mizzen-complete.json"
PARTS = ".mizzen-parts"
LOCK = ".mizzen-lock"


@dataclass(frozen=True)
class PlacedFile:
    """A file in its place, as it was when its digest was checked."""

    path: str
    size: int
    sha256: str
    modified_ns: int


class ModelFolder:
    """The folder that weights are fetched into."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Wait for another fetch into the same folder, then keep others out."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / LOCK).open("a") as lock:  # what its holder tells stays
            fcntl.flock(lock, fcntl.LOCK_EX)
            lock.truncate(0)
            yield

    def tell_waiting(self, done: int, total: int | None) -> None:
        """Tell those who wait for the lock how far its holder is: their start comes forward with it."""
        with contextlib.suppress(OSError):
            (self.root / LOCK).write_text(f"{done} {total or ''}")

    def told_by_holder(self) -> tuple[int, int | None] | None:
        """Return how far the holder of the lock is, in bytes; None where it does not say."""
        try:
            done, _, total = (self.root / LOCK).read_text().partition(" ")
            return int(done), int(total) if total else None
        except (OSError, ValueError):
            return None

    def part(self, uri: str, file: RemoteFile) -> Path:
        """Where the file's bytes are gathered."""
        content = file.sha256 or f"{uri}\n{file.size}\n{file.mark}"
        return self.root / PARTS / hashlib.sha256(f"{file.path}\n{content}".encode()).hexdigest()

    def place(self, part: Path, path: str, sha256: str) -> PlacedFile:
        """Move a checked part to its place."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        _to_disk(part)
        part.replace(target)
        state = target.stat()
        return PlacedFile(path, state.st_size, sha256, state.st_mtime_ns)

    def already(self, file: RemoteFile, count: Callable[[int], None] | None = None) -> PlacedFile | None:
        """The file, where an earlier, unfinished fetch has placed it; its digest is computed anew.

        `count` is told how many bytes more were read.
        """
        target = self.root / file.path
        if not file.sha256 or not target.is_file() or target.stat().st_size != file.size:
            return None
        if sha256_of(target, count) != file.sha256:
            return None
        return PlacedFile(file.path, target.stat().st_size, file.sha256, target.stat().st_mtime_ns)

    def finish(self, uri: str, files: list[PlacedFile]) -> None:
        """Say that the artifact is complete, and forget the parts. Only from here on does `complete_digest` answer."""
        note = {"uri": uri, "digest": digest_of(files), "files": [vars(file) for file in files]}
        draft = self.root / f"{COMPLETE}.part"
        draft.write_text(json.dumps(note))
        _to_disk(draft)
        draft.replace(self.root / COMPLETE)
        shutil.rmtree(self.root / PARTS, ignore_errors=True)

    def complete_digest(self, uri: str) -> str:
        """Digest of the artifact that is complete here for `uri`; empty where none is, or where a file has changed."""
        try:
            note = json.loads((self.root / COMPLETE).read_text())
            files = [PlacedFile(**entry) for entry in note["files"]]
            whole = note["uri"] == uri and all(self._unchanged(file) for file in files)
            return str(note["digest"]) if whole else ""
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def clear(self) -> None:
        """Take out what belongs to another artifact; parts stay, for they are named by content."""
        (self.root / COMPLETE).unlink(missing_ok=True)

    def take_out_others(self, files: list[PlacedFile]) -> None:
        """Delete files that an older artifact left in the folder."""
        kept = {file.path for file in files}
        for path in self.root.rglob("*"):
            relative = path.relative_to(self.root)
            ours = relative.parts[0].startswith(".mizzen") or relative.as_posix() in kept
            if path.is_file() and not ours:
                path.unlink()

    def _unchanged(self, file: PlacedFile) -> bool:
        state = (self.root / file.path).stat()
        return state.st_size == file.size and state.st_mtime_ns == file.modified_ns


def digest_of(files: list[PlacedFile]) -> str:
    """Digest of the artifact that the files make."""
    return artifact_digest((file.path, file.size, file.sha256) for file in files)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
