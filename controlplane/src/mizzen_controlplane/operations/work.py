"""What does a kind of operation say of itself? How it is worked on, how it tells progress, when it is tried again."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.operations.models import Operation


@dataclass(slots=True)
class Report:
    """How far the work is; the worker writes it down every other second."""

    stage: str = ""
    done_bytes: int = 0
    total_bytes: int | None = None

    def as_progress(self) -> dict[str, Any]:
        """For the row."""
        return asdict(self)


class TryLaterError(Exception):
    """It cannot be done now, and may be later: what was done stays, and it goes on from there after `wait`."""

    def __init__(self, reason: str, wait: timedelta, code: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait
        self.code = code


Run = Callable[[Plane, Operation, Report], Awaitable[dict[str, Any]]]
"""Does the work from where an earlier attempt stopped, and returns the result. Raises Problem where it fails for good,
TryLaterError where another attempt may help. Cancelled when the operation is, or when the process ends."""
Tidy = Callable[[Plane, Operation], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Work:
    """A kind of operation."""

    run: Run
    tidy: Tidy | None = None
    """Removes what attempts left lying about; called before the end is written, whatever the end is."""
