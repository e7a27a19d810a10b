"""What does a node leave on this machine while it runs, and who runs it? One folder and one name for all of it.

The name is that of its network link, its control group and its folder, so that whatever is left can be told by it. The
record is written before anything is made; whoever removes reads it, long after the run may have been killed.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

ROOT = Path("/var/tmp/mizzen-nodes")
PREFIX = "mzn-"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where root finds programs."""
_FILE = "record.json"


@dataclass(frozen=True)
class Being:
    """A process, told from a later one with the same number by when it started."""

    pid: int
    started: str

    @property
    def lives(self) -> bool:
        """It has not ended, and it is the same one."""
        return self.started != "" and started(self.pid) == self.started


@dataclass(frozen=True)
class Record:
    """A node as it must be known to remove it."""

    name: str
    owner: Being
    holder: Being | None = None
    """First process of the node's namespaces; when it ends, the kernel ends all that is in them."""

    @property
    def folder(self) -> Path:
        """All its files."""
        return ROOT / self.name

    def write(self) -> None:
        """Keep it; a reader sees the old or the new one."""
        fresh = self.folder / f"{_FILE}.new"
        fresh.write_text(json.dumps(asdict(self)))
        fresh.replace(self.folder / _FILE)

    def with_holder(self, pid: int) -> "Record":
        """The same with the first process, written."""
        known = replace(self, holder=being(pid))
        known.write()
        return known


def new() -> Record:
    """A record with a fresh name, owned by this process, written."""
    with locked():
        record = Record(PREFIX + secrets.token_hex(3), being(os.getpid()))
        record.folder.mkdir(parents=True)
        record.write()
    return record


def read(folder: Path) -> Record:
    """The record of a folder; one without a living owner where it has none, as a kill may leave it."""
    try:
        found = json.loads((folder / _FILE).read_text())
    except FileNotFoundError:
        return Record(folder.name, Being(0, ""))
    holder = found["holder"]
    return Record(found["name"], Being(**found["owner"]), Being(**holder) if holder else None)


def every() -> list[Record]:
    """All nodes of this machine, whoever runs them."""
    return [read(folder) for folder in sorted(ROOT.glob(f"{PREFIX}*"))]


@contextmanager
def locked() -> Iterator[None]:
    """One at a time on this machine: names and addresses are chosen here."""
    folder = os.open(ROOT.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def being(pid: int) -> Being:
    """The process that has this number now."""
    return Being(pid, started(pid))


def started(pid: int) -> str:
    """When a process started, with the boot that it started in; empty where none runs under that number."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    fields = stat.rpartition(")")[2].split()
    ended = fields[0] in "ZX"
    return "" if ended else f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}/{fields[19]}"
