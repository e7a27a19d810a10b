"""What happens to files and batches by itself: batches go on to their end, files go when their time is over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from mizzen_controlplane.batches import counts, repository
from mizzen_controlplane.batches.ending import look_after
from mizzen_controlplane.batches.stopping import TOPIC
from mizzen_controlplane.kit.background import in_background
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Problem

EACH: Final = 2.0
"""Seconds between two looks, where no signal comes first."""
AT_ONCE: Final = 20
"""Files removed in one look; the rest follows in the next."""
log = structlog.get_logger(__name__)


async def remove_expired(plane: Plane, now: datetime) -> int:
    """Remove files whose time is over; how many they were, `AT_ONCE` at most."""
    async with reading(plane.database) as session:
        expired = await repository.expired_files(session, now, AT_ONCE)
    for file in expired:  # one transaction each: on SQLite all other writers wait for it
        async with unit_of_work(plane.database) as session:
            await repository.delete_file(session, file)
    return len(expired)


async def take_batches_on(plane: Plane, now: datetime) -> None:
    """Take each batch as far as it goes without a gateway."""
    async with reading(plane.database) as session:
        batches = await repository.unfinished(session)
    counts.told_of(batches, now)
    for batch in batches:
        try:
            await look_after(plane, batch, now)
        except Problem as problem:  # its key is gone, or its content was changed: the others go on
            log.warning("a batch cannot go on", batch=batch.id, code=problem.problem_code)


@asynccontextmanager
async def content_kept(plane: Plane) -> AsyncIterator[None]:
    """Look after files and batches while the control plane runs."""
    async with in_background(_look_after_all(plane), "files and batches"):
        yield


async def _look_after_all(plane: Plane) -> None:
    with plane.database.signals.listening(TOPIC) as woken:
        while True:
            woken.clear()
            try:
                now = utc_now()
                await take_batches_on(plane, now)
                await remove_expired(plane, now)
            except SQLAlchemyError as error:
                log.warning("files and batches were not looked after", error=type(error).__name__)
            with suppress(TimeoutError):
                async with asyncio.timeout(EACH):
                    await woken.wait()
