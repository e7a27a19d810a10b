"""How the control plane has files scanned: by a process forked for each scan, which may die without harm."""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.models.scanning.findings import Finding
from mizzen_controlplane.models.scanning.workshop import CPU_SECONDS, MEMORY_BYTES, WALL_SECONDS

MOST_ANSWER_BYTES: Final = 8 << 20
UNFINISHED: Final = Finding(
    "",
    "scan-unfinished",
    "critical",
    f"the scan did not end within its limits ({MEMORY_BYTES >> 20} MiB, {CPU_SECONDS} s of processor, {WALL_SECONDS} s)"
    " or broke off; what it reads is hostile or damaged",
)


@dataclass(frozen=True, slots=True)
class Scanned:
    """What came of a scan."""

    findings: tuple[Finding, ...]
    left_out: int = 0


class Scanner:
    """The workshop's owner: starts it at the first scan, and again when it has died."""

    def __init__(self) -> None:
        self._workshop: subprocess.Popen[bytes] | None = None
        self._asking: socket.socket | None = None

    def close(self) -> None:
        """End the workshop; scans under way end by themselves."""
        if self._asking is not None:
            self._asking.close()
        if self._workshop is not None:
            self._workshop.wait()
        self._asking = self._workshop = None

    async def scan(self, files: Mapping[str, tuple[Path, int]], *, allow_code: bool) -> Scanned:
        """Have files (path -> content and announced size) scanned."""
        job = json.dumps(
            {"files": [[path, str(content), size] for path, (content, size) in files.items()], "allow_code": allow_code}
        ).encode()
        answer = await self._asked(job)
        try:
            read = json.loads(answer)
            return Scanned(tuple(Finding(**one) for one in read["findings"]), int(read["left_out"]))
        except (ValueError, KeyError, TypeError):
            return Scanned((UNFINISHED,))

    async def _asked(self, job: bytes) -> bytes:
        mine, theirs = socket.socketpair()
        with theirs:
            self._send(theirs.fileno())
        reader, writer = await asyncio.open_connection(sock=mine, limit=MOST_ANSWER_BYTES)
        try:
            async with asyncio.timeout(WALL_SECONDS + 10):
                writer.write(job)
                writer.write_eof()
                return await reader.read(-1)
        except (TimeoutError, OSError):
            return b""
        finally:
            writer.close()

    def _send(self, end: int) -> None:
        for _attempt in range(2):
            if self._workshop is None or self._asking is None or self._workshop.poll() is not None:
                self.close()
                self._start()
            assert self._asking is not None
            try:
                socket.send_fds(self._asking, [b"."], [end])
            except OSError:
                self.close()
            else:
                return

    def _start(self) -> None:
        self._asking, its = socket.socketpair()
        with its:
            self._workshop = subprocess.Popen(
                [sys.executable, "-m", "mizzen_controlplane.models.scanning.workshop"],
                stdin=its.fileno(), stdout=subprocess.DEVNULL, env={"PATH": ""}, cwd="/",
            )  # fmt: skip


_SCANNERS: dict[int, Scanner] = {}


def scanner_of(plane: Plane) -> Scanner:
    """The scanner of this process's plane."""
    return _SCANNERS.setdefault(id(plane), Scanner())


@asynccontextmanager
async def scanner_closed(plane: Plane) -> AsyncIterator[None]:
    """Ends the workshop when the plane does."""
    try:
        yield
    finally:
        scanner = _SCANNERS.pop(id(plane), None)
        if scanner is not None:
            await asyncio.to_thread(scanner.close)
