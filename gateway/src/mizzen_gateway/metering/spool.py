"""How is a record kept so that no crash loses it? Appended to a segment by one write, before anything depends on it.

What was written survives the process; what was synced survives the machine. Intents, and rows of answers that come
whole, are written at once, and take the settle records that wait along; settle records alone wait a few milliseconds
for company. A disk that is full closes the gate: nothing is served unmetered. Records that could not be written are
kept in memory and tried again.
"""

import asyncio
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import structlog

from mizzen_gateway.metering.frames import ANSWER, INTENT, LEFT, SETTLE, frame
from mizzen_gateway.metering.recovery import read_leftovers
from mizzen_gateway.metering.segments import Cursor, SegmentFolder
from mizzen_gateway.stages import Refusal

PROBE_BYTES = 64 * 1024
"""A disk counts as healed when so much can be written."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SpoolSettings:
    """Bounds of the spool."""

    group_seconds: float = 0.005
    """How long a settle record waits for company."""
    fsync_seconds: float = 0.1
    """How much a power cut can lose; 0 syncs never."""
    segment_bytes: int = 8 * 1024 * 1024
    """Size from which a new segment is begun."""
    max_bytes: int = 2 * 1024 * 1024 * 1024
    """Size of all segments from which on nothing is admitted: the ledger was away for too long."""


class Spool:
    """Appends records; says what there is to ship. One per process and folder."""

    def __init__(self, folder: Path, settings: SpoolSettings | None = None) -> None:
        """Open the folder and book what the last run left unfinished; OSError where the folder cannot be used."""
        self.settings = settings or SpoolSettings()
        self.folder = SegmentFolder(folder)
        leftovers = read_leftovers(self.folder)
        self.cursor = leftovers.cursor
        self.costs_left: Counter[str] = leftovers.costs
        """What the ledger had not charged at the start, by budget id, in pico."""
        self.failures = 0
        """Writes that failed."""
        self.written = asyncio.Event()
        """Set when there may be something to ship."""
        self._open: dict[str, bytes] = {}
        self._pending: list[bytes] = [frame(SETTLE, row) for row in leftovers.unfinished]
        self._timer: asyncio.TimerHandle | None = None
        self._error: OSError | None = None
        self._retired: list[int] = []
        self._unsynced = False
        self._doubtful = False
        """The last record is of an answer that leaves after it."""
        self._segment = leftovers.next_segment
        self._size = 0
        self._old_bytes = self.folder.total_bytes()
        self._descriptor = self.folder.create(self._segment)
        if self._flush() and leftovers.uncertain is not None:
            # Only now: its row stands in the new segment. Should this process die in between, the ledger knows the two
            # for one.
            self.folder.cut(leftovers.uncertain)
            self._old_bytes = self.folder.total_bytes() - self._size
        if leftovers.unfinished or leftovers.torn_bytes:
            log.info("spool recovered", unfinished=len(leftovers.unfinished), torn_bytes=leftovers.torn_bytes)

    @property
    def end(self) -> Cursor:
        """Where the next record goes."""
        return Cursor(self._segment, self._size)

    @property
    def size_bytes(self) -> int:
        """Bytes on disk."""
        return self._old_bytes + self._size

    @property
    def open_intents(self) -> int:
        """Requests that are under way."""
        return len(self._open)

    def closed(self) -> Refusal | None:
        """Whether nothing may be admitted, and why: the disk takes no records, or there are too many of them."""
        if self._error is not None:
            reason = f"the disk of its spool takes nothing ({os.strerror(self._error.errno or 0)}): free space at it"
        elif self._old_bytes + self._size >= self.settings.max_bytes:
            reason = (
                f"its spool has reached {self.settings.max_bytes} bytes (MIZZEN_SPOOL_MAX_BYTES): "
                "see that the control plane runs and can be reached"
            )
        else:
            return None
        message = f"This gateway cannot record usage, and serves nothing unmetered: {reason}."
        return Refusal(503, "quota_unavailable", message, (("retry-after", "2"),))

    def intend(self, request_id: str, row: bytes) -> Refusal | None:
        """Write an intent now. `row` is booked if nothing else is ever heard of the request."""
        record = frame(INTENT, row)
        self._pending.append(record)
        if self._flush():
            self._open[request_id] = record
            return None
        # Nothing was promised yet: what cannot be written is withdrawn, settle records before it stay.
        self._pending.remove(record)
        return self.closed()

    def book(self, row: bytes) -> Refusal | None:
        """Write the row of a request now, before the first byte of its answer, which comes whole."""
        record = frame(ANSWER, row)
        self._pending.append(record)
        if self._flush():
            self._doubtful = True
            return None
        self._pending.remove(record)
        return self.closed()

    def settle(self, request_id: str, row: bytes) -> None:
        """Write the row of a request within `group_seconds`. Never fails: it waits in memory where the disk is full."""
        self._open.pop(request_id, None)
        self._pending.append(frame(SETTLE, row))
        if self._timer is None and self._error is None:
            self._timer = asyncio.get_running_loop().call_later(self.settings.group_seconds, self.flush)

    async def advance(self, cursor: Cursor) -> None:
        """All before the cursor is in the ledger: remember it, and remove the segments that are done."""
        if self.cursor.segment < cursor.segment:
            done = range(self.cursor.segment, cursor.segment)
            # A long file takes milliseconds to go, for which requests would wait.
            removed = await asyncio.get_running_loop().run_in_executor(None, self.folder.remove, done)
            self._old_bytes -= removed
        self.cursor = cursor
        try:
            self.folder.save_cursor(cursor)
        except OSError as error:  # an old cursor costs repetition, which the ledger sees through
            log.warning("cursor of the spool not kept", error=str(error))

    async def run(self) -> None:
        """Sync, and heal after a full disk, until cancelled."""
        pause = self.settings.fsync_seconds or 0.25
        while True:
            await asyncio.sleep(pause)
            if self._error is not None:
                self.heal()
            try:
                await self.sync()
            except OSError as error:
                self._fail(error)

    async def sync(self) -> None:
        """Make durable what was written. Whatever was booked has left by now, which the spool says, too."""
        if self._doubtful:
            self._pending.append(frame(LEFT, b""))
            self._flush()
        retired, self._retired = self._retired, []
        synced = [self._descriptor] if self.settings.fsync_seconds and self._unsynced else []
        if synced or retired:
            self._unsynced = False
            sync = bool(self.settings.fsync_seconds)
            await asyncio.get_running_loop().run_in_executor(None, _sync_and_let_go, synced, retired, sync)

    async def close(self) -> None:
        """Write, sync and let go."""
        self.flush()
        await self.sync()
        os.close(self._descriptor)
        self.folder.close()

    def flush(self) -> None:
        """Write now what waits for company."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._pending:
            self._flush()

    def _flush(self) -> bool:
        """Write all that waits by one write. False where the disk did not take it."""
        if not self._pending:
            return True
        data = b"".join(self._pending)
        try:
            if self._size and self._size + len(data) > self.settings.segment_bytes:
                self._begin_segment()
            # Each segment begins with the requests under way, so that the one before can be removed.
            self._append(data if self._size else b"".join([*self._open.values(), data]))
        except OSError as error:
            self._fail(error)
            return False
        self._pending.clear()
        self._error = None
        self._unsynced = True
        self._doubtful = False
        self.written.set()
        return True

    def _append(self, data: bytes) -> None:
        """All of it or nothing: after a short write the file is cut back."""
        try:
            count = os.write(self._descriptor, data)
            while count < len(data):
                count += os.write(self._descriptor, data[count:])
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(data)

    def _begin_segment(self) -> None:
        descriptor = self.folder.create(self._segment + 1)
        self._retired.append(self._descriptor)
        self._old_bytes += self._size
        self._descriptor, self._segment, self._size = descriptor, self._segment + 1, 0

    def _fail(self, error: OSError) -> None:
        self.failures += 1
        if self._error is None:
            log.error("spool takes no records; requests are refused until it does", error=str(error))
        self._error = error

    def heal(self) -> None:
        """Try whether the disk takes something again, and write what waits."""
        try:
            os.write(self._descriptor, bytes(PROBE_BYTES))
        except OSError as error:
            self._error = error
            return
        finally:
            os.ftruncate(self._descriptor, self._size)
        if self._flush():
            self._error = None
            log.info("spool takes records again")


def _sync_and_let_go(kept: list[int], retired: list[int], sync: bool) -> None:
    """In a thread: a file that is removed already goes with its last descriptor, which takes time, too."""
    for descriptor in retired:
        try:
            if sync:
                os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
    for descriptor in kept:
        os.fdatasync(descriptor)
