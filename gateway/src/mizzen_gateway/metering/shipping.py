"""How do rows reach the ledger? In batches, tried again until acknowledged; the ledger takes each row exactly once.

A row that the ledger will never take is put aside in `refused.jsonl`, is logged, and counts in a metric, so that it
holds up no other. A batch that it does not take as a whole is halved until the row at fault stands alone.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import aiohttp
import orjson
import structlog
from mizzen_crds.usage import RefusedEvent

from mizzen_gateway.metering.costs import costs_of
from mizzen_gateway.metering.frames import ROWS, frames
from mizzen_gateway.metering.ledger import BatchRefusedError
from mizzen_gateway.metering.segments import Cursor
from mizzen_gateway.metering.spool import Spool
from mizzen_gateway.record import record

BATCH_ROWS = 1000
"""Rows of one batch, as the ledger's route allows."""
SLICE_ROWS = 50
"""Rows looked at in one go, some 0.2 ms: in between the event loop sees to requests."""
READ_BYTES = 4 << 20
"""Bytes of the spool read at once; more than the longest record."""
GATHER_SECONDS = 0.25
"""How long rows gather before a batch is sent: a batch costs the ledger some milliseconds, a row some microseconds."""
BACKOFF_SECONDS = 5.0
"""Longest pause between tries."""

log = structlog.get_logger(__name__)


@record
class Batch:
    """What goes to the ledger together."""

    rows: list[bytes]
    costs: dict[str, int]
    """By budget id, in its unit."""
    end: Cursor
    """Where the next one begins."""


class UsageSink(Protocol):
    """The ledger, as this file needs it."""

    async def ship(self, rows: list[bytes]) -> list[RefusedEvent]:
        """All rows are in the ledger afterwards but for those returned; BatchRefusedError where it is the batch."""
        ...


class Shipper:
    """Ships the spool, from its cursor on."""

    def __init__(self, spool: Spool, sink: UsageSink, acknowledge: Callable[[dict[str, int]], None]) -> None:
        """`acknowledge` is told what the ledger has charged, by budget id, in pico."""
        self._spool = spool
        self._sink = sink
        self._acknowledge = acknowledge
        self.shipped = 0
        """Rows that the ledger has acknowledged."""
        self.refused = 0
        """Rows that the ledger will never take."""
        self.failures = 0
        """Tries in a row that failed."""
        self._waiting_since: float | None = None

    async def run(self) -> None:
        """Ship until cancelled."""
        while True:
            await self._spool.written.wait()
            self._spool.written.clear()
            await asyncio.sleep(GATHER_SECONDS)
            await self._ship_until(self._spool.end)

    async def drain(self, seconds: float) -> bool:
        """Ship what there is, for at most so long; whether nothing is left."""
        try:
            async with asyncio.timeout(seconds):
                while self._spool.cursor < self._spool.end:
                    await self._ship_until(self._spool.end)
        except TimeoutError:
            return False
        return True

    def oldest_seconds(self) -> float:
        """Age of the oldest row that the ledger lacks, 0 for none."""
        return 0.0 if self._waiting_since is None else time.time() - self._waiting_since

    async def _ship_until(self, end: Cursor) -> None:
        """Ship what was there when the round began: what comes meanwhile gathers for the next one."""
        while self._spool.cursor < end:
            batch = await self._next_batch()
            self._waiting_since = _started_at(batch.rows[0]) if batch.rows else None
            if batch.rows:
                await self._ship_until_taken(batch)
            await self._spool.advance(batch.end)
        self._waiting_since = None

    async def _next_batch(self) -> Batch:
        """Rows from the cursor on, of one segment."""
        spool, cursor = self._spool, self._spool.cursor
        end = spool.end
        size = READ_BYTES if cursor.segment < end.segment else min(READ_BYTES, end.offset - cursor.offset)
        try:
            data = spool.folder.read(cursor.segment, cursor.offset, size)
        except FileNotFoundError:
            return Batch([], {}, Cursor(self._following(cursor.segment), 0))
        rows, costs, read = await _rows_of(data)
        if read:
            return Batch(rows, costs, Cursor(cursor.segment, cursor.offset + read))
        # Nothing whole is left here: the segment is done, but for a torn tail that no one can read.
        return Batch([], {}, Cursor(self._following(cursor.segment), 0) if cursor.segment < end.segment else end)

    def _following(self, segment: int) -> int:
        later = [number for number in self._spool.folder.numbers() if number > segment]
        return min(later, default=self._spool.end.segment)

    async def _ship_until_taken(self, batch: Batch) -> None:
        rows = batch.rows
        while True:
            try:
                await self._ship(rows)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                self.failures += 1
                if self.failures == 1:
                    log.warning("usage not taken by the ledger; it is kept", rows=len(rows), error=type(error).__name__)
                pause = min(BACKOFF_SECONDS, 0.1 * 2 ** min(self.failures, 6))
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            else:
                self.failures = 0
                self._acknowledge(batch.costs)
                return

    async def _ship(self, rows: list[bytes]) -> None:
        try:
            refused = await self._sink.ship(rows)
        except BatchRefusedError as error:
            if len(rows) == 1:
                self._put_aside(rows[0], f"status {error}")
                return
            half = len(rows) // 2
            await self._ship(rows[:half])
            await self._ship(rows[half:])
            return
        self.shipped += len(rows) - len(refused)
        if refused:
            reasons = {(event.project_id, event.request_id): f"{event.code}: {event.detail}" for event in refused}
            for row in rows:
                reason = reasons.get(_named(row))
                if reason is not None:
                    self._put_aside(row, reason)

    def _put_aside(self, row: bytes, reason: str) -> None:
        self.refused += 1
        log.error("row refused by the ledger", request_id=orjson.loads(row).get("request_id"), reason=reason)
        with (self._spool.folder.folder / "refused.jsonl").open("ab") as file:
            file.write(row + b"\n")


async def _rows_of(data: bytes) -> tuple[list[bytes], dict[str, int], int]:
    """Rows of one batch, what they cost, and how many bytes they and what lies between them take."""
    rows: list[bytes] = []
    costs: Counter[str] = Counter()
    read = looked_at = 0
    for found in frames(data):
        read = found.end
        if found.kind in ROWS:
            rows.append(found.payload)
            if len(rows) - looked_at == SLICE_ROWS:
                costs.update(costs_of(rows[looked_at:]))
                looked_at = len(rows)
                if looked_at == BATCH_ROWS:
                    break
                await asyncio.sleep(0)
    costs.update(costs_of(rows[looked_at:]))
    return rows, costs, read


def _started_at(row: bytes) -> float:
    return datetime.fromisoformat(orjson.loads(row)["started_at"]).timestamp()


def _named(row: bytes) -> tuple[str, str]:
    event = orjson.loads(row)
    return event["project_id"], event["request_id"]
