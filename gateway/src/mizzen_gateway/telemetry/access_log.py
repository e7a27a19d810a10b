"""Who asked for what, and how did it end? One JSON line a request, where MIZZEN_ACCESS_LOG asks for it.

Lines say nothing of what was asked or answered. They go to standard output by a thread: who reads slowly holds up no
request.
"""

import os
import random
import threading
from collections import deque
from datetime import UTC, datetime
from typing import Any

import orjson

from mizzen_gateway.stages import Intent, Observer, Outcome, Refusal

WRITE_SECONDS = 0.1
STANDARD_OUTPUT = 1
WHOLE_BYTES = 4096
"""A pipe takes so many at once (PIPE_BUF): lines of several workers do not mix."""
MOST_WAITING = 20_000
"""Lines that wait to be written; more are dropped, and counted."""


class AccessLog:
    """An `Observer` before another one."""

    def __init__(self, behind: Observer, share: float, descriptor: int = STANDARD_OUTPUT) -> None:
        """`share` of the requests that end well; those that end in an error of the platform are all written."""
        self._behind = behind
        self._share = share
        self._descriptor = descriptor
        self._waiting: deque[dict[str, Any]] = deque()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._write_all, name="access log", daemon=True)
        self._thread.start()
        self.dropped = 0
        """Lines that could not be written, or not in time."""

    def ended(self, intent: Intent, outcome: Outcome) -> None:
        """An admitted request ended."""
        self._behind.ended(intent, outcome)
        if not self._wanted(outcome.status):
            return
        caller, usage = intent.caller, outcome.usage
        self._put(
            {
                "time": intent.started_at,
                "request_id": intent.request_id,
                "project": caller.project,
                "key": caller.key_id,
                "operation": intent.operation,
                "model": intent.model,
                "status": outcome.status,
                "code": outcome.code,
                "answered": outcome.answered,
                "duration_ms": round(outcome.duration_ms, 3),
                "first_byte_ms": None if outcome.ttft_ms is None else round(outcome.ttft_ms, 3),
                "input_tokens": usage.input_tokens,
                "cached_tokens": usage.cached_tokens,
                "output_tokens": usage.output_tokens,
                "revision": outcome.revision,
                "endpoints": [tried.endpoint for tried in outcome.attempts],
            }
        )

    def refused(self, route: str, refusal: Refusal) -> None:
        """A request was refused."""
        self._behind.refused(route, refusal)
        if self._wanted(refusal.status):
            self._put({"time": datetime.now(UTC), "route": route, "status": refusal.status, "code": refusal.code})

    def _wanted(self, status: int) -> bool:
        return status >= 500 or self._share >= 1.0 or random.random() < self._share  # noqa: S311 - a sample

    def _put(self, line: dict[str, Any]) -> None:
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(line)
        else:
            self.dropped += 1

    def close(self) -> None:
        """Write what waits, and end."""
        self._stopped.set()
        self._thread.join(1.0)

    def _write_all(self) -> None:
        while not self._stopped.wait(WRITE_SECONDS):
            self._write()
        self._write()

    def _write(self) -> None:
        held: list[bytes] = []
        while self._waiting:
            data = orjson.dumps(self._waiting.popleft(), option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)
            if held and sum(map(len, held)) + len(data) > WHOLE_BYTES:
                self._write_whole(held)
                held = []
            held.append(data)
        if held:
            self._write_whole(held)

    def _write_whole(self, lines: list[bytes]) -> None:
        data = b"".join(lines)
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:
            self.dropped += len(lines)
