"""Has this been asked before? Answers of routes that want them kept, by all that could make an answer another one.

Kept in this process alone, within bounds of size and time; never for another tenant or another state of the route.
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from mizzen_gateway.routing.route import CacheFacts
from mizzen_gateway.stages import Headers
from mizzen_gateway.wire.response import HeaderList, Responder

MOST_BYTES = 64 * 1024 * 1024
"""Of all answers; the one used longest ago goes first."""
LARGEST_BYTES = 1024 * 1024
"""Of one answer; larger ones are not kept."""
GENERATES = frozenset({"chat.completions", "completions", "responses"})
FOLLOWS_FROM_ITS_INPUT = frozenset({"embeddings", "rerank", "score", "classify"})
WITHOUT_EFFECT = frozenset(
    {
        "metadata",
        "model",
        "prompt_cache_key",
        "safety_identifier",
        "service_tier",
        "session_id",
        "store",
        "stream",
        "user",
    }
)
"""Fields that change nothing of an answer; the model is the route's, and in the key by what answers for it."""
OF_RESPONSES = frozenset({"model", "stream"})
"""The same where an answer repeats what it was asked."""
CUT_SHORT = (b'"finish_reason":"length"', b'"finish_reason": "length"', b'"incomplete"')


@dataclass(frozen=True, slots=True)
class Keep:
    """What the cache has to do with a request."""

    key: bytes
    found: tuple[bytes, int] | None
    """A kept answer, and its age in seconds."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer."""

    body: bytes
    at: float
    """Loop time."""


class KeepingResponder(Responder):
    """Passes one whole answer on, and keeps it."""

    __slots__ = ("_to", "kept")

    def __init__(self, to: Responder) -> None:
        self._to = to
        self.started = self.done = False
        self.waiting = None
        self.kept: bytes | None = None

    def send(self, status: int, headers: HeaderList, body: bytes) -> None:
        """A whole answer."""
        if status == 200 and len(body) <= LARGEST_BYTES:
            self.kept = body
        self.started = self.done = True
        self._to.send(status, headers, body)

    def send_pieces(self, status: int, headers: HeaderList, pieces: list[bytes]) -> None:
        """In one piece, as it is kept."""
        self.send(status, headers, b"".join(pieces))

    def goes_on_early(self) -> int:
        """Of the other one's source."""
        return self._to.goes_on_early()

    def start(self, status: int, headers: HeaderList) -> None:
        """An answer that is too long to be held is too long to be kept."""
        self.started = True
        self._to.start(status, headers)

    def write(self, data: bytes) -> None:
        """A piece of it."""
        self._to.write(data)

    def finish(self) -> None:
        """Its end."""
        self.done = True
        self._to.finish()

    def break_off(self) -> None:
        """It will have none."""
        self.done = True
        self._to.break_off()


class ResponseCache:
    """Of all routes of one gateway."""

    def __init__(
        self, clock: Callable[[], float], most_bytes: int = MOST_BYTES, varies: tuple[bytes, ...] = ()
    ) -> None:
        """`clock` gives loop time; `varies` are the headers of callers that engines get."""
        self._clock = clock
        self.varies = varies
        self._most_bytes = most_bytes
        self._kept: dict[bytes, Kept] = {}
        self.bytes = 0
        self.hits = 0

    def find(self, key: bytes, lifetime_seconds: float, oldest: float = float("inf")) -> tuple[bytes, int] | None:
        """An answer, and its age in whole seconds; None where there is none that is young enough, `oldest` for one
        caller."""
        found = self._kept.pop(key, None)
        if found is None:
            return None
        age = self._clock() - found.at
        if age >= lifetime_seconds:
            self.bytes -= len(found.body)
            return None
        self._kept[key] = found
        if age >= oldest:
            return None
        self.hits += 1
        return found.body, int(age)

    def put(self, key: bytes, body: bytes) -> None:
        """Keep an answer."""
        before = self._kept.pop(key, None)
        self.bytes += len(body) - (len(before.body) if before is not None else 0)
        self._kept[key] = Kept(body, self._clock())
        while self.bytes > self._most_bytes:
            oldest = next(iter(self._kept))
            self.bytes -= len(self._kept.pop(oldest).body)


def key_of(
    rules: CacheFacts, operation: str, project_id: str, varying: object, body: bytes, answers_for_it: object
) -> bytes | None:
    """The key of a request; None where it must not be answered from what was kept, nor be kept.

    `varying` is what engines get of its headers; `answers_for_it` the route's rule, and the deployment with its
    revisions: any change of them begins anew.
    """
    if operation not in GENERATES and operation not in FOLLOWS_FROM_ITS_INPUT:
        return None
    document: dict[str, Any] = orjson.loads(body)
    if document.get("stream") or (operation in GENERATES and not rules.sampled and document.get("temperature") != 0):
        return None
    left_out = OF_RESPONSES if operation == "responses" else WITHOUT_EFFECT
    asked = {name: value for name, value in document.items() if value is not None and name not in left_out}
    digest = blake2b(digest_size=24)
    for part in (project_id, operation, repr(varying), str(hash(answers_for_it))):
        digest.update(part.encode() + b"\0")
    digest.update(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS))
    return digest.digest()


def oldest_wanted(headers: Headers) -> float | None:
    """Seconds that a kept answer may be old for this caller (RFC 9111, 5.2.1); None where nothing may be kept."""
    oldest = float("inf")
    for directive in headers.get(b"cache-control", b"").lower().split(b","):
        name, _, value = directive.strip().partition(b"=")
        if name == b"no-store":
            return None
        if name == b"no-cache":
            oldest = 0.0
        elif name == b"max-age" and value.isdigit():
            oldest = min(oldest, float(value[:9]))
    return oldest


def cut_short(body: bytes, output_cap: int | None) -> bool:
    """An answer that a budget has ended is nobody else's."""
    return output_cap is not None and any(mark in body for mark in CUT_SHORT)
