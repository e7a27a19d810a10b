"""The watch over SQL: reads the log of changes, woken by the signal of each commit."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from mizzen_crds.store import ObjectEvent
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.cluster import repository
from mizzen_controlplane.cluster.models import ObjectChange
from mizzen_controlplane.kit.changes import OBJECTS, current_version
from mizzen_controlplane.kit.database import Database, reading
from mizzen_controlplane.kit.problem import Gone
from mizzen_controlplane.kit.stream import follow

_BLOCK: Final = 500


class SqlObjectWatch:
    """Follows the log of changes of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def check(self, _kinds: Sequence[str], after: int) -> None:
        """Raise Gone where `after` is older than the log, or from another life of the database."""
        async with reading(self._database) as session:
            await _newest_after(session, after)

    def watch(self, kinds: Sequence[str], after: int) -> AsyncIterator[ObjectEvent]:
        """Every change after `after`, in order, and a heartbeat each second."""
        reader = _Reader(self._database, kinds, after)
        return follow(self._database.signals, OBJECTS, reader.news, reader.heartbeat)


class _Reader:
    def __init__(self, database: Database, kinds: Sequence[str], after: int) -> None:
        self._database, self._kinds, self._cursor = database, kinds, after

    async def news(self) -> Sequence[ObjectEvent]:
        """Changes that the reader has not had. The newest version is read first: all up to it are committed."""
        async with reading(self._database) as session:
            newest = await _newest_after(session, self._cursor)
            if newest == self._cursor:
                return []
            changes = await repository.changes_between(session, self._kinds, self._cursor, newest, _BLOCK)
        self._cursor = changes[-1].resource_version if len(changes) == _BLOCK else newest
        return [_event(change) for change in changes]

    async def heartbeat(self) -> ObjectEvent:
        """A sign of life that moves the reader's position on."""
        return ObjectEvent(type="HEARTBEAT", resource_version=str(self._cursor))


async def _newest_after(session: AsyncSession, after: int) -> int:
    newest = await current_version(session, OBJECTS)
    if newest == after:
        return newest
    oldest = await repository.oldest_change(session)
    if after > newest or oldest is None or after < oldest - 1:
        raise Gone(
            f"Changes after resource version {after} are not kept any more (kept: {oldest} to {newest}). "
            "List again, then watch from the list's resource version.",
            code="resource_version_too_old",
        )
    return newest


def _event(change: ObjectChange) -> ObjectEvent:
    return ObjectEvent.model_validate(
        {"type": change.type, "resource_version": str(change.resource_version), "object": change.document}
    )
