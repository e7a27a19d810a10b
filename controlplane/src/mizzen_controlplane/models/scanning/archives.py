"""What would an archive do to whoever unpacks it? Bombs, paths that lead out, links, devices, untrue sizes."""

import errno
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from typing import IO, Final

from mizzen_controlplane.models.scanning.findings import Findings

MOST_ENTRIES: Final = 10_000
MOST_RATIO: Final = 200
BOMB_BYTES: Final = 10 * 1024 * 1024
"""Below it no ratio is a bomb: zeros compress well."""
MOST_DEPTH: Final = 3
READ_BYTES: Final = 64 * 1024 * 1024
"""Of one entry, into memory."""
Look = Callable[[str, bytes, int], None]
"""Looks at an entry: its name, its first READ_BYTES, and how deep it lies."""


def scan_zip(file: str, stream: IO[bytes], depth: int, found: Findings, look: Look) -> None:
    """Add what is wrong with a zip, and have its entries looked at."""
    if _too_deep(file, depth, found):
        return
    try:
        with zipfile.ZipFile(stream) as archive:
            entries = archive.infolist()
            if _too_many(file, len(entries), found) or _bomb_of_zip(file, entries, _length(stream), found):
                return
            for entry in entries:
                _zip_entry(file, archive, entry, depth, found, look)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OverflowError) as error:
        _broken(file, error, found)
    except OSError as error:
        # A directory that points before the file's begin; a disk that fails says something else.
        if error.errno != errno.EINVAL:
            raise
        _broken(file, error, found)


def _broken(file: str, error: Exception, found: Findings) -> None:
    found.add(file, "archive-broken", "high", f"the archive cannot be read whole ({type(error).__name__})")


def _bomb_of_zip(file: str, entries: list[zipfile.ZipInfo], length: int, found: Findings) -> bool:
    packed = sum(entry.compress_size for entry in entries)
    if packed > length:
        found.add(file, "archive-bomb", "critical", f"its entries overlap: they claim {packed} of its {length} bytes")
        return True
    return _bomb(file, sum(entry.file_size for entry in entries), length, found)


def _zip_entry(
    file: str, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, depth: int, found: Findings, look: Look
) -> None:
    name = f"{file}!{entry.filename}"
    _path(name, entry.orig_filename, found)
    if stat.S_ISLNK(entry.external_attr >> 16):
        found.add(name, "symlink", "critical", "the archive holds a symbolic link")
        return
    if entry.flag_bits & 1:
        found.add(name, "archive-encrypted", "high", "the entry is encrypted, so nobody can look at it")
        return
    if entry.is_dir() or _bomb(name, entry.file_size, entry.compress_size, found):
        return
    with archive.open(entry) as opened:
        look(name, opened.read(READ_BYTES), depth + 1)


def scan_tar(file: str, stream: IO[bytes], depth: int, found: Findings, look: Look) -> None:
    """Add what is wrong with a tar, packed or not, and have its entries looked at."""
    if _too_deep(file, depth, found):
        return
    length, total = _length(stream), 0
    try:
        with tarfile.open(fileobj=stream, mode="r|*") as archive:
            for count, entry in enumerate(archive):
                total += entry.size
                if _too_many(file, count, found) or _bomb(file, total, length, found):
                    return
                _tar_entry(file, archive, entry, depth, found, look)
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, OverflowError) as error:
        found.add(file, "archive-broken", "high", f"the archive cannot be read whole ({type(error).__name__})")


def _tar_entry(
    file: str, archive: tarfile.TarFile, entry: tarfile.TarInfo, depth: int, found: Findings, look: Look
) -> None:
    name = f"{file}!{entry.name}"
    _path(name, entry.name, found)
    if entry.issym() or entry.islnk():
        found.add(name, "symlink", "critical", f"the archive holds a link to {entry.linkname}")
    elif entry.isfile():
        opened = archive.extractfile(entry)
        if opened is not None:
            look(name, opened.read(READ_BYTES), depth + 1)
    elif not entry.isdir():
        found.add(name, "device", "critical", "the archive holds a device or a pipe")


def _path(name: str, path: str, found: Findings) -> None:
    parts = path.replace("\\", "/").split("/")
    if path.startswith(("/", "\\")) or ".." in parts or path[1:2] == ":":
        found.add(name, "path-traversal", "critical", "the entry's path leads out of the folder that it is unpacked to")


def _bomb(name: str, unpacked: int, packed: int, found: Findings) -> bool:
    if unpacked <= BOMB_BYTES or unpacked <= MOST_RATIO * max(packed, 1):
        return False
    found.add(name, "archive-bomb", "critical", f"{packed} bytes unpack to {unpacked}; {MOST_RATIO} times is the most")
    return True


def _too_many(file: str, count: int, found: Findings) -> bool:
    if count > MOST_ENTRIES:
        found.add(file, "archive-bomb", "high", f"it has over {MOST_ENTRIES} entries, so it was not looked into")
    return count > MOST_ENTRIES


def _too_deep(file: str, depth: int, found: Findings) -> bool:
    if depth >= MOST_DEPTH:
        found.add(file, "archive-deep", "high", f"archives lie in archives, over {MOST_DEPTH} deep")
    return depth >= MOST_DEPTH


def _length(stream: IO[bytes]) -> int:
    here = stream.tell()
    length = stream.seek(0, 2)
    stream.seek(here)
    return length
