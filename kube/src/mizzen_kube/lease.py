"""Which of several replicas may write? The one that holds a Lease, and only while nobody else can have taken it.

The holder stops `margin` seconds before a rival may take over, by a clock that also counts suspended time; a rival
waits from the moment it saw the last renewal, by its own clock. Nobody compares times of day, so that a clock set back
or forward on one machine changes nothing.
"""

import asyncio
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from mizzen_kube.api import Api
from mizzen_kube.errors import AlreadyExistsError, ApiError, ConflictError, FencedError, NotFoundError
from mizzen_kube.resources import LEASES

FIELD_MANAGER = "mizzen-lease"
Manifest = dict[str, Any]
log = structlog.get_logger(__name__)


class LeaseLostError(FencedError):
    """This process does not hold the lease; nothing was sent."""


@dataclass(frozen=True)
class Term:
    """How long a lease lasts, in seconds. A dead holder is followed within `duration` + `look` and one request."""

    duration: float = 15.0
    renew: float = 3.0
    margin: float = 5.0
    """What a request may take to arrive, and clocks may differ in pace, before a rival writes."""
    look: float = 2.0
    """How often a rival looks."""

    @property
    def attempt(self) -> float:
        """How long one try may take, so that a holder has two before it must stop."""
        return (self.duration - self.margin) / 2

    def __post_init__(self) -> None:
        """Refuse a term in which a holder could not renew in time."""
        if self.duration < 1 or self.renew >= self.duration - self.margin:
            raise ValueError(
                f"a lease of {self.duration} s with a margin of {self.margin} s cannot be renewed each {self.renew} s; "
                "make renew smaller than duration - margin, and duration at least 1 s"
            )


TERM = Term()


def running_time() -> float:
    """Return seconds of a clock that nobody sets, and that counts while the machine is suspended."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # macOS counts suspended time in the latter
    return time.clock_gettime(clock)


def time_of_day() -> datetime:
    """Return what the lease shows to people; nothing is decided by it."""
    return datetime.now(UTC)


class Lease:
    """A replica's claim to be the one that writes."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        name: str,
        identity: str,
        *,
        term: Term = TERM,
        clock: Callable[[], float] = running_time,
        wall: Callable[[], datetime] = time_of_day,
    ) -> None:
        """`api` without a fence. `identity` is told apart from an earlier process of that name by a random end."""
        self.identity = f"{identity}_{uuid.uuid4().hex[:12]}"
        self._api = api
        self._namespace, self._name = namespace, name
        self._term = term
        self._clock, self._wall = clock, wall
        self._record: Manifest | None = None
        self._seen_at = 0.0
        self._knew_one = False
        self._until = float("-inf")
        self._taken = asyncio.Event()

    def held(self) -> bool:
        """Say whether this process may write now."""
        return self._clock() < self._until

    def fence(self) -> None:
        """Raise LeaseLostError where this process may not write now; for `Api.fenced`."""
        if not self.held():
            raise LeaseLostError(
                f"Lease {self._namespace}/{self._name}: not held by {self.identity}; nothing was written. "
                "The holder carries on"
            )

    async def wait_held(self) -> None:
        """Return once this process holds the lease."""
        while not self.held():
            self._taken.clear()
            await self._taken.wait()

    async def wait_lost(self) -> None:
        """Return once this process does not hold the lease (any more)."""
        while (left := self._until - self._clock()) > 0:  # noqa: ASYNC110 - time passes, and nobody signals it
            await asyncio.sleep(min(left, self._term.renew))

    async def run(self) -> None:
        """Take the lease when it is free, keep it, take it again after a loss; until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._term.attempt):
                    await self._turn()
                pause = self._pause()
            except (ApiError, TimeoutError) as error:
                pause = max(self._term.look / 2, getattr(error, "retry_after", None) or 0.0)
                log.warning("lease not reached", lease=self._name, held=self.held(), error=str(error) or "no answer")
            await asyncio.sleep(pause * random.uniform(1.0, 1.1))  # noqa: S311 - spreads load, no secret

    async def release(self) -> None:
        """Let a rival take over at once. Call it when nothing of this process writes any more and `run` has ended."""
        self._until = float("-inf")
        if self._record is None or not self._is_mine(self._record):
            return
        freed = self._written(self._record, holder="", seconds=1)
        try:
            async with asyncio.timeout(self._term.attempt):
                self._record = await self._api.replace(freed, field_manager=FIELD_MANAGER)
        except (ApiError, TimeoutError) as error:
            log.info("lease not released; it runs out", lease=self._name, error=str(error) or "no answer")

    async def _turn(self) -> None:
        if self._record is None or not self._is_mine(self._record):
            await self._look()
        if self._record is None:
            if self._may_create():
                await self._claim(self._api.create, self._written(self._fresh(), self.identity))
        elif self._is_mine(self._record) or self._is_free(self._record):
            await self._claim(self._api.replace, self._written(self._record, self.identity))

    async def _look(self) -> None:
        before = _version_of(self._record)
        try:
            found: Manifest | None = await self._api.get(LEASES, self._name, self._namespace)
        except NotFoundError:
            found = None
        if _version_of(found) != before:
            self._seen_at = self._clock()  # after the answer: the holder counts from before it asked
        if found is not None:
            self._knew_one = True
            if not self._is_mine(found):
                self._until = float("-inf")
        self._record = found

    async def _claim(self, write: Callable[..., Any], record: Manifest) -> None:
        was_held, began = self.held(), self._clock()
        try:
            self._record = await write(record, field_manager=FIELD_MANAGER)
        except (ConflictError, AlreadyExistsError, NotFoundError):
            await self._look()  # somebody was faster, or only touched it; the next turn knows
            return
        self._until = began + self._term.duration - self._term.margin
        self._taken.set()
        if not was_held:
            log.info("lease taken", lease=self._name, identity=self.identity)

    def _is_mine(self, record: Manifest) -> bool:
        return bool(record["spec"].get("holderIdentity") == self.identity)

    def _is_free(self, record: Manifest) -> bool:
        spec = record["spec"]
        if not spec.get("holderIdentity"):
            return True
        lasts = max(float(spec.get("leaseDurationSeconds") or 0), self._term.duration)
        return self._clock() >= self._seen_at + lasts

    def _may_create(self) -> bool:
        """A lease that somebody deleted may still be held by one who has not noticed."""
        return self.held() or not self._knew_one or self._clock() >= self._seen_at + self._term.duration

    def _pause(self) -> float:
        if self.held():
            return self._term.renew
        if self._record is not None and self._is_mine(self._record):
            return self._term.look / 2
        free_in = self._seen_at + self._term.duration - self._clock()
        return max(min(self._term.look, free_in), 0.05)

    def _fresh(self) -> Manifest:
        metadata = {"namespace": self._namespace, "name": self._name}
        return {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata, "spec": {}}

    def _written(self, record: Manifest, holder: str, seconds: float | None = None) -> Manifest:
        old = record["spec"]
        now = self._wall().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        same = old.get("holderIdentity") == holder
        spec = {
            **old,
            "holderIdentity": holder,
            "leaseDurationSeconds": int(-(-(seconds or self._term.duration) // 1)),
            "renewTime": now,
            "acquireTime": old.get("acquireTime", now) if same else now,
            "leaseTransitions": int(old.get("leaseTransitions", 0)) + (0 if same or not holder else 1),
        }
        return {**record, "spec": spec}


def _version_of(record: Manifest | None) -> str | None:
    return str(record["metadata"]["resourceVersion"]) if record else None
