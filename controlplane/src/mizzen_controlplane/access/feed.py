"""How does access reach gateways? What has changed at once after each change, a heartbeat each second."""

from collections.abc import AsyncIterator, Sequence

from mizzen_crds.access import AccessFeedLine, AccessSnapshot

from mizzen_controlplane.access.feed_text import texts_of
from mizzen_controlplane.access.snapshot import build_snapshot
from mizzen_controlplane.kit.changes import ACCESS, current_version, raise_access_version
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.stream import follow


async def snapshot_now(plane: Plane) -> AccessSnapshot:
    """The snapshot of this moment."""
    async with reading(plane.database) as session:
        return await build_snapshot(session, plane.organization_id, utc_now())


def access_feed(plane: Plane, after: int | None, *, deltas: bool = False) -> AsyncIterator[bytes]:
    """Lines for ever, for a reader that has the snapshot of version `after` (None: none); deltas where it takes any."""
    reader = _Reader(plane, after, deltas=deltas)
    return follow(plane.database.signals, ACCESS, reader.news, reader.heartbeat)


class _Reader:
    def __init__(self, plane: Plane, after: int | None, *, deltas: bool) -> None:
        self._plane, self._version, self._deltas = plane, after, deltas

    async def news(self) -> Sequence[bytes]:
        """What is new, where the reader has another version."""
        async with reading(self._plane.database) as session:
            version = await current_version(session, ACCESS)
        if version == self._version:
            return []
        found = None
        if self._deltas and self._version:
            if self._version > version:
                # The database comes from a backup. Readers that ask for deltas never go back: versions go on.
                async with unit_of_work(self._plane.database) as session:
                    await raise_access_version(session, self._version)
            else:
                found = await texts_of(self._plane).since(self._version)
        self._version, line = found or await texts_of(self._plane).whole()
        return [line]

    async def heartbeat(self) -> bytes:
        """A sign of life."""
        return AccessFeedLine(type="HEARTBEAT", version=self._version or 0).model_dump_json().encode() + b"\n"
