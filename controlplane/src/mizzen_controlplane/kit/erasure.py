"""Who has to forget something when a person is erased? Each domain that keeps personal data says so here.

An eraser runs in the transaction of the erasure. It removes or blanks what the domain holds of the person and returns
how many rows that were; ids stay, so that invoices and events go on to point at something.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

Eraser = Callable[[AsyncSession, str], Awaitable[int]]
"""Takes the session and the id of the person."""

ERASERS: Final[dict[str, Eraser]] = {}
"""What it erases, in a word -> how."""


def erases(what: str) -> Callable[[Eraser], Eraser]:
    """Register an eraser: `@erases("sessions")`."""

    def registered(eraser: Eraser) -> Eraser:
        assert what not in ERASERS, f"two erasers of {what}"
        ERASERS[what] = eraser
        return eraser

    return registered
