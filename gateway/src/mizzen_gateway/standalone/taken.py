"""What of gateway.yaml does a gateway go by? All of it, worked out: only to be put into force.

It is made at the start, and for each change: by the gateway itself, or by a process of its own (`apart.py`).
"""

import os
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mizzen_crds.periods import Window

from mizzen_gateway.discovery.access_index import PAUSE_AFTER
from mizzen_gateway.settings import Settings
from mizzen_gateway.standalone.access import budgets_by_id, snapshot_of
from mizzen_gateway.standalone.config import GatewayFile
from mizzen_gateway.standalone.parts import Secret
from mizzen_gateway.standalone.reading import read_file
from mizzen_gateway.standalone.settings import settings_from

Stamp = tuple[int, int, int] | None
"""Of a file: it tells that the file has changed. None where there is none."""
Stamps = dict[str, Stamp]
"""By path."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that can be gone by."""

    file: GatewayFile
    """Without its projects, which may be many."""
    settings: Settings
    """That a gateway would begin with."""
    line: bytes
    """Access snapshot, as a line of the access feed."""
    budgets: list[tuple[str, int, Window]]
    """(id, amount, window) of each."""
    stamps: Stamps
    """Of the file and of those that it names, from before they were read."""


def taken(path: Path, version: int, pepper: bytes | None = None) -> Taken:
    """Read a file. Raises FileRefusedError or SecretMissingError.

    `pepper` is that of a gateway which runs already: it keeps the one that it began with.
    """
    folder = path.parent
    stamps = {str(path): stamp(str(path))}
    file = read_file(path)
    stamps |= {name: stamp(name) for name in map(str, secret_files(file, folder))}
    windows: dict[Window, Window] = {}
    snapshot = snapshot_of(file, folder, version, pepper=pepper)
    return Taken(
        file=file.model_copy(update={"projects": []}),
        settings=settings_from(file, path),
        line=b'{"type":"SNAPSHOT","version":%d,"snapshot":%b}' % (version, snapshot.model_dump_json().encode()),
        # Equal windows are one: what goes from process to process is as much smaller.
        budgets=[(budget, amount, windows.setdefault(each, each)) for budget, amount, each in budgets_by_id(file)],
        stamps=stamps,
    )


def secret_files(file: GatewayFile, folder: Path) -> Iterator[Path]:
    """Files beside it that it is made of."""
    secrets: list[Secret | None] = [file.pepper, *(one.api_key for one in file.upstreams)]
    secrets += [key.key for project in file.projects for key in project.keys]
    yield from (folder / secret.file for secret in secrets if secret is not None and secret.file is not None)
    yield from (folder / one.ca_file for one in file.upstreams if one.ca_file is not None)


def stamp(path: str) -> Stamp:
    """As it is now."""
    try:
        fact = os.stat(path)  # noqa: PTH116 - once a second for each file of a key: a Path takes ten times as long
    except OSError:
        return None
    return fact.st_mtime_ns, fact.st_ino, fact.st_size


def stamps_now(paths: Iterable[str]) -> Generator[None, None, Stamps]:
    """Of all of them; pauses often."""
    found: Stamps = {}
    for number, path in enumerate(paths):
        if number % PAUSE_AFTER == PAUSE_AFTER - 1:
            yield
        found[path] = stamp(path)
    return found
