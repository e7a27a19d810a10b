"""How does access reach gateways? The newest snapshot at once after each change, a heartbeat each second."""

from collections.abc import AsyncIterator, Sequence

from mizzen_crds.access import AccessFeedLine, AccessSnapshot

from mizzen_controlplane.access.snapshot import build_snapshot
from mizzen_controlplane.kit.changes import ACCESS, current_version
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.stream import follow


async def snapshot_now(plane: Plane) -> AccessSnapshot:
    """The snapshot of this moment."""
    async with reading(plane.database) as session:
        return await build_snapshot(session, plane.organization_id, utc_now())


def access_feed(plane: Plane, after: int | None) -> AsyncIterator[AccessFeedLine]:
    """Lines for ever, for a reader that has the snapshot of version `after` (None: none)."""
    reader = _Reader(plane, after)
    return follow(plane.database.signals, ACCESS, reader.news, reader.heartbeat)


class _Reader:
    def __init__(self, plane: Plane, after: int | None) -> None:
        self._plane, self._version = plane, after

    async def news(self) -> Sequence[AccessFeedLine]:
        """The newest snapshot, where the reader has another one: also an older, after a restore from a backup."""
        async with reading(self._plane.database) as session:
            if await current_version(session, ACCESS) == self._version:
                return []
            snapshot = await build_snapshot(session, self._plane.organization_id, utc_now())
        self._version = snapshot.version
        return [AccessFeedLine(type="SNAPSHOT", version=snapshot.version, snapshot=snapshot)]

    async def heartbeat(self) -> AccessFeedLine:
        """A sign of life."""
        return AccessFeedLine(type="HEARTBEAT", version=self._version or 0)
