"""What is in a backup of an installation on this machine, and how is it made while the installation runs?

One tar file, readable by its owner alone: a copy of the database as of one moment, the secrets, the artifacts, and last
a list with the SHA-256 of each. Artifacts come after the database: what it names was there before it was copied, and
content never changes under its name.
"""

import hashlib
import io
import os
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, Final

import orjson

from mizzen_cli.errors import CommandError, ExitCode
from mizzen_cli.local.data_folder import DataFolder

FORM: Final = 1
"""Rises when an older Mizzen could not restore the file."""
LIST: Final = "backup.json"
DATABASE: Final = "controlplane/mizzen.db"


@dataclass(frozen=True)
class Contents:
    """What a backup holds."""

    form: int
    mizzen: str
    """Version of the release that made it."""
    schema: str
    """Revision of the database's tables."""
    made_at: str
    files: dict[str, str]
    """Path in the data folder -> SHA-256."""


class _Summed(io.RawIOBase):
    """A file that is read once, and its digest when it has been."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        part = self._stream.read(size)
        self.sha256.update(part)
        return part


def back_up(folder: DataFolder, target: Path) -> Contents:
    """Write a backup of `folder`, which may be in use, to `target`. It appears there whole or not at all.

    Raises CommandError where there is nothing to save, the copy is damaged, or the target cannot be written.
    """
    database = folder.root / DATABASE
    if not database.exists():
        raise CommandError(f"{folder.root} has no database yet. Start with `mizzen up`.", ExitCode.NOT_FOUND)
    if target.exists():
        raise CommandError(f"{target} exists. Choose another name, or remove it.", ExitCode.USAGE)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with tempfile.TemporaryDirectory(dir=folder.run) as place:
            copied = Path(place) / "mizzen.db"
            schema = copy_of(database, copied)
            descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                contents = _write(stream, {DATABASE: copied, **dict(_kept(folder))}, schema)
                stream.flush()
                os.fsync(stream.fileno())
        draft.replace(target)
    except OSError as error:
        raise CommandError(
            f"the backup {target} was not written ({error.strerror}: {error.filename or target}); what runs goes on"
        ) from error
    finally:
        draft.unlink(missing_ok=True)
    return contents


def copy_of(database: Path, target: Path) -> str:
    """Copy a database that may be written to meanwhile, and check the copy; the revision of its tables."""
    with closing(sqlite3.connect(database, timeout=30)) as source, closing(sqlite3.connect(target)) as copied:
        source.backup(copied)
        return checked(copied, database)


def checked(connection: sqlite3.Connection, named: Path) -> str:
    """The revision of its tables; raises CommandError for a damaged database."""
    try:
        (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError as error:
        found, revision = str(error), ""
    if found != "ok":
        raise CommandError(f"the database {named} is damaged: {found}. Restore the newest backup from before.")
    return str(revision)


def _kept(folder: DataFolder) -> Iterator[tuple[str, Path]]:
    """Secrets, and finished artifacts. What is not here is made anew: pods, logs, uploads that are under way."""
    for place in (folder.secrets, folder.controlplane / "blobs" / "sha256"):
        for path in sorted(place.rglob("*")):
            if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
                yield path.relative_to(folder.root).as_posix(), path


def _write(stream: IO[bytes], files: dict[str, Path], schema: str) -> Contents:
    sums: dict[str, str] = {}
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, path in files.items():
            try:
                opened = path.open("rb")
            except FileNotFoundError:  # removed as garbage since it was listed
                continue
            with opened:
                entry = archive.gettarinfo(arcname=name, fileobj=opened)
                entry.mode, entry.uid, entry.gid, entry.uname, entry.gname = 0o600, 0, 0, "", ""
                summed = _Summed(opened)
                archive.addfile(entry, summed)
                sums[name] = summed.sha256.hexdigest()
        made_at = datetime.now(UTC).isoformat(timespec="seconds")
        contents = Contents(FORM, version("mizzen-cli"), schema, made_at, sums)
        text = orjson.dumps(contents, option=orjson.OPT_INDENT_2)
        entry = tarfile.TarInfo(LIST)
        entry.size, entry.mode = len(text), 0o600
        archive.addfile(entry, io.BytesIO(text))
    return contents
