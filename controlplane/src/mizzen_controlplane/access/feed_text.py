"""What stands in the lines of the access feed? Snapshots and deltas as signed text, made once for all gateways.

A snapshot of 100,000 keys is made from columns, a few thousand rows at a time, so that other requests have their turn;
objects for all of them would take ten times as long.
"""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any, Final

import orjson
from mizzen_crds.access import Priority
from mizzen_crds.access_signature import signed_line, signing_key
from sqlalchemy import Row
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.access.snapshot import build_without_keys, owners_counted
from mizzen_controlplane.identity.models import scope_of_owner
from mizzen_controlplane.identity.repository import live_key_rows, live_key_rows_of
from mizzen_controlplane.kit.changes import ACCESS, current_version, keys_changed_after
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading_one_moment
from mizzen_controlplane.kit.plane import Plane

ROWS_AT_ONCE: Final = 2_000
IDS_AT_ONCE: Final = 500
LATEST_DELTAS: Final = 64
"""Kept: gateways ask for the same ones at the same moment."""
FIELDS: Final = (
    "id", "digest", "previous_digest", "previous_expires_at", "project_id", "expires_at", "models", "priority",
    "routes", "operations", "ip_ranges", "created_by",
)  # fmt: skip
"""Of a key, in the order of its columns; who made it is told as its owner, where limits count over that."""
NARROWING: Final = ("routes", "operations", "ip_ranges")
STANDARD: Final = Priority.STANDARD.value


class FeedTexts:
    """The newest lines. One for each process."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._key = signing_key(plane.secrets.pepper)
        self._making = asyncio.Lock()
        self._whole: tuple[int, bytes] = (-1, b"")
        self._deltas: dict[tuple[int, int], bytes] = {}

    async def whole(self) -> tuple[int, bytes]:
        """Version and line of the newest snapshot."""
        async with self._making, reading_one_moment(self._plane.database) as session:
            if await current_version(session, ACCESS) != self._whole[0]:
                self._whole = await self._make(session)
            return self._whole

    async def since(self, after: int) -> tuple[int, bytes] | None:
        """Version and line of what has changed since; None where only a snapshot tells."""
        async with reading_one_moment(self._plane.database) as session:
            version = await current_version(session, ACCESS)
            line = self._deltas.get((after, version))
            if line is None:
                changed = await keys_changed_after(session, after, version)
                if changed is None:
                    return None
                line = await self._delta(session, after, version, sorted(changed))
                while len(self._deltas) >= LATEST_DELTAS:
                    del self._deltas[next(iter(self._deltas))]
                self._deltas[after, version] = line
        return version, line

    async def _make(self, session: AsyncSession) -> tuple[int, bytes]:
        rest = await build_without_keys(session, self._plane.organization_id, utc_now())
        owners = {one.scope_id for one in rest.owner_limits} | {one.scope_id for one in rest.owner_budgets}
        keys, narrow, last = list[bytes](), list[bytes](), ""
        while rows := await live_key_rows(session, last, ROWS_AT_ONCE):
            for row in rows:
                key = told(row, owners)
                (narrow if any(name in key for name in NARROWING) else keys).append(orjson.dumps(key))
            last = rows[-1][0]
            await asyncio.sleep(0)
        opening = rest.model_dump_json(exclude={"keys", "further_keys"}).encode()[:-1]
        text = b'%b,"keys":[%b],"further_keys":[%b]}' % (opening, b",".join(keys), b",".join(narrow))
        return rest.version, await asyncio.to_thread(signed_line, self._key, "SNAPSHOT", rest.version, text)

    async def _delta(self, session: AsyncSession, after: int, version: int, ids: Sequence[str]) -> bytes:
        live: list[dict[str, Any]] = []
        owners = await owners_counted(session)
        for at in range(0, len(ids), IDS_AT_ONCE):
            live.extend(told(row, owners) for row in await live_key_rows_of(session, ids[at : at + IDS_AT_ONCE]))
        gone = sorted(set(ids) - {key["id"] for key in live})
        text = orjson.dumps({"after": after, "version": version, "keys": live, "removed_keys": gone})
        return signed_line(self._key, "DELTA", version, text)


def told(row: Row[Any], owners: Collection[str]) -> dict[str, Any]:
    """A `KeyAccess`, without what is as by default; `owners` are those that limits or budgets count over."""
    key = {name: value for name, value in zip(FIELDS, row, strict=True) if value is not None}
    owner = scope_of_owner(key["project_id"], key.pop("created_by"))
    if owner in owners:
        key["owner"] = owner
    if key["priority"] == STANDARD:
        del key["priority"]
    return key


def texts_of(plane: Plane) -> FeedTexts:
    """Those of this process."""
    found: FeedTexts = plane.kept.setdefault("access feed", None) or FeedTexts(plane)
    plane.kept["access feed"] = found
    return found
