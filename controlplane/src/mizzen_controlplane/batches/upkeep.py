"""What happens to files by itself: they are removed when their time is over, whether or not anyone asks for them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from mizzen_controlplane.batches import repository
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.plane import Plane

EACH: Final = 5.0
"""Seconds between two looks."""
AT_ONCE: Final = 20
"""Files removed in one look; the rest follows at once."""
log = structlog.get_logger(__name__)


async def remove_expired(plane: Plane, now: datetime) -> int:
    """Remove files whose time is over; how many they were, `AT_ONCE` at most."""
    async with reading(plane.database) as session:
        expired = await repository.expired_files(session, now, AT_ONCE)
    for file in expired:  # one transaction each: on SQLite all other writers wait for it
        async with unit_of_work(plane.database) as session:
            await repository.delete_file(session, file.id)
    return len(expired)


@asynccontextmanager
async def files_kept(plane: Plane) -> AsyncIterator[None]:
    """Look after files while the control plane runs."""
    task = asyncio.create_task(_look_after(plane), name="files")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _look_after(plane: Plane) -> None:
    while True:
        removed = 0
        try:
            removed = await remove_expired(plane, utc_now())
        except SQLAlchemyError as error:
            log.warning("files were not looked after", error=type(error).__name__)
        if removed < AT_ONCE:
            await asyncio.sleep(EACH)
