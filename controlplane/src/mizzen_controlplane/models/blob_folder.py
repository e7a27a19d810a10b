"""Where artifacts lie on disk: content under its digest in blobs/sha256/, and unfinished uploads in uploads/."""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mizzen_controlplane.kit.problem import InsufficientStorage
from mizzen_controlplane.kit.settings import SettingsError

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_CHUNK = 1 << 20


def prepare_folder(data_dir: Path) -> None:
    """Make the folders; raises SettingsError where the data folder cannot be written."""
    try:
        for folder in (blobs_dir(data_dir), uploads_dir(data_dir)):
            folder.mkdir(parents=True, exist_ok=True)
        probe = data_dir / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise SettingsError(
            f"The data folder {data_dir} cannot be written ({error.strerror}). Give this user the right to write "
            "there, or set MIZZEN_DATA_DIR to another folder."
        ) from error


def blobs_dir(data_dir: Path) -> Path:
    """Folder of finished content."""
    return data_dir / "blobs" / "sha256"


def uploads_dir(data_dir: Path) -> Path:
    """Folder of unfinished uploads."""
    return data_dir / "uploads"


def blob_path(data_dir: Path, sha256: str) -> Path:
    """Where content with this digest lies."""
    return blobs_dir(data_dir) / sha256[:2] / sha256


def part_path(data_dir: Path, version_id: str, path: str) -> Path:
    """Where the bytes of an unfinished upload are gathered."""
    return uploads_dir(data_dir) / version_id / (hashlib.sha256(path.encode()).hexdigest() + ".part")


@contextmanager
def disk_full_as_problem() -> Iterator[None]:
    """Answer 507 where the disk is full: what was received stays, and the upload goes on from there."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise disk_full() from error
        raise


def disk_full() -> InsufficientStorage:
    """The refusal."""
    return InsufficientStorage(
        "No space is left on the volume of MIZZEN_DATA_DIR. What was uploaded is kept: free space or enlarge the "
        "volume, then go on with the upload.",
        code="disk_full",
    )


def free_bytes(data_dir: Path) -> int:
    """Space left on the volume."""
    return shutil.disk_usage(data_dir).free


def sha256_of(path: Path) -> str:
    """Digest of a file's content. Blocks: call it in a thread."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def keep(data_dir: Path, part: Path, sha256: str) -> None:
    """Make a whole upload whose digest is `sha256` content, durably; hold the lock shared. Blocks."""
    target = blob_path(data_dir, sha256)
    with disk_full_as_problem():
        target.parent.mkdir(parents=True, exist_ok=True)
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.chmod(0o440)
        part.replace(target)
        _sync_folder(target.parent)


def blobs_lock(data_dir: Path) -> BinaryIO:
    """The lock of the contents, not held yet; closing lets go. Held shared to add one, alone to remove some."""
    return (data_dir / "blobs" / "lock").open("ab")


def drop(data_dir: Path, digests: Iterable[str]) -> None:
    """Remove content; hold the lock alone since before it was looked up that nothing uses it. Blocks."""
    for sha256 in digests:
        blob_path(data_dir, sha256).unlink(missing_ok=True)


def forget_uploads(data_dir: Path, version_id: str) -> None:
    """Remove what is left of a version's uploads."""
    shutil.rmtree(uploads_dir(data_dir) / version_id, ignore_errors=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
