"""Who asked for what, and how did it end? One JSON line a request, where MIZZEN_ACCESS_LOG asks for it.

Lines say nothing of what was asked or answered. They go to standard output by a thread: who reads slowly holds up no
request.
"""

import os
import random
import threading
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any

import orjson

from mizzen_gateway.stages import Caller, Intent, Outcome, Refusal

WRITE_SECONDS = 0.1
STANDARD_OUTPUT = 1
WHOLE_BYTES = 4096
"""A pipe takes so many at once (PIPE_BUF): lines of several workers do not mix."""
MOST_WAITING = 20_000
"""Lines that wait to be written; more are dropped, and counted."""
LEFT = 499
"""The caller has left: what was settled knows more."""
LONGEST_MODEL = 128
NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:")


class Line:
    """Of one request, which may ask several deployments: written when it is over and all that it asked is settled."""

    __slots__ = (
        "_began", "_endpoints", "_intent", "_log", "_open", "_outcome", "_refusal", "_request_id", "_route", "_seconds",
        "_time", "_tokens", "caller", "key", "model",
    )  # fmt: skip

    def __init__(self, log: "AccessLog", route: str, caller: Caller | None) -> None:
        self._log, self._route = log, route
        self.caller = caller
        self.key = "" if caller is None else caller.key_id
        """Id; of a key that is not good too."""
        self.model = ""
        """As the caller wrote it, until more is known."""
        self._time, self._began = datetime.now(UTC), time.perf_counter()
        self._seconds: float | None = None
        self._open = 0
        self._request_id = ""
        self._intent: Intent | None = None
        self._outcome: Outcome | None = None
        self._refusal: Refusal | None = None
        self._tokens = [0, 0, 0]
        self._endpoints: list[str] = []

    def leg_begins(self, intent: Intent) -> None:
        """A deployment is asked; what the last one did is how the request ended."""
        self._open += 1
        self._intent = intent
        self._request_id = self._request_id or intent.request_id

    def leg_ended(self, intent: Intent, outcome: Outcome) -> None:
        """It is settled, maybe after the request was over."""
        self._open -= 1
        usage = outcome.usage
        told = (usage.input_tokens, usage.cached_tokens, usage.output_tokens)
        self._tokens = [sum(both) for both in zip(self._tokens, told, strict=True)]
        self._endpoints += [tried.endpoint for tried in outcome.attempts]
        if intent is self._intent:
            self._outcome = outcome
        self._write_if_done()

    def over(self, refusal: Refusal | None) -> None:
        """The caller has its answer, or has left; a second call does nothing."""
        if self._seconds is None:
            self._seconds, self._refusal = time.perf_counter() - self._began, refusal
            self._write_if_done()

    def _write_if_done(self) -> None:
        if self._seconds is None or self._open:
            return
        status, code, answered = 200, "", self._refusal is None
        outcome, intent = self._outcome, self._intent
        if outcome is not None:
            status, code, answered = outcome.status, outcome.code, outcome.answered
        if (self._refusal is not None and self._refusal.status != LEFT) or outcome is None:
            status = 200 if self._refusal is None else self._refusal.status
            code = "" if self._refusal is None else self._refusal.code
        if not self._log.wanted(status):
            return
        first = None if outcome is None else outcome.ttft_ms
        self._log.put(
            {
                "time": self._time,
                "request_id": self._request_id,
                "route": self._route,
                "project": "" if self.caller is None else self.caller.project,
                "key": self.key,
                "operation": "" if intent is None else intent.operation,
                "model": named(self.model) if intent is None else intent.model,
                "status": status,
                "code": code,
                "answered": answered,
                "duration_ms": round(self._seconds * 1000, 3),
                "first_byte_ms": None if first is None else round(first, 3),
                "input_tokens": self._tokens[0],
                "cached_tokens": self._tokens[1],
                "output_tokens": self._tokens[2],
                "revision": "" if outcome is None else outcome.revision,
                "endpoints": self._endpoints,
            }
        )


def named(model: str) -> str:
    """What a caller wrote for a model, where it could be a name."""
    return model if len(model) <= LONGEST_MODEL and NAME.issuperset(model) else ""


class AccessLog:
    """Writes lines."""

    def __init__(self, share: float, descriptor: int = STANDARD_OUTPUT) -> None:
        """`share` of the requests that end well; those that end in an error of the platform are all written."""
        self._share = share
        self._descriptor = descriptor
        self._waiting: deque[dict[str, Any]] = deque()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._write_all, name="access log", daemon=True)
        self._thread.start()
        self.dropped = 0
        """Lines that could not be written, or not in time."""

    def begin(self, route: str, caller: Caller | None) -> Line:
        """The line of a request; `route` is a template, `caller` is None where the key is not good."""
        return Line(self, route, caller)

    def wanted(self, status: int) -> bool:
        """A request that ended so is written."""
        return status >= 500 or self._share >= 1.0 or random.random() < self._share  # noqa: S311 - a sample

    def put(self, line: dict[str, Any]) -> None:
        """Write it, soon."""
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
