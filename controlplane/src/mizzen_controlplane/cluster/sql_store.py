"""The DeploymentStore over SQL: present objects and a log of changes, ordered by a locked counter."""

import uuid
from typing import Any, Final

from mizzen_crds.store import ObjectList
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.cluster import repository
from mizzen_controlplane.cluster.expectations import other_object, require_expected
from mizzen_controlplane.cluster.models import ObjectChange, StoredObject
from mizzen_controlplane.cluster.objects import (
    Document,
    ObjectKey,
    Wanted,
    created,
    replaced,
    with_status,
    with_version,
)
from mizzen_controlplane.cluster.store import Happened
from mizzen_controlplane.kit.changes import OBJECTS, current_version, next_version
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import flush_or
from mizzen_controlplane.kit.problem import Conflict, NotFound

CHANGES_KEPT: Final = 10_000
"""A reader that falls behind by more lists again."""
_TRIM_EVERY: Final = 256


class SqlDeploymentStore:
    """A DeploymentStore inside one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get(self, key: ObjectKey) -> Document | None:
        """The object."""
        row = await repository.find_object(self._session, key)
        return row.document if row else None

    async def list_objects(self, kind: str, namespace: str | None) -> ObjectList:
        """Objects of a kind. The version is read first: a watch from it may repeat a change, never miss one."""
        version = await current_version(self._session, OBJECTS)
        items = await repository.objects_of(self._session, kind, namespace)
        return ObjectList(resource_version=str(version), items=items)

    async def apply(self, key: ObjectKey, wanted: Wanted) -> Document:
        """Create or replace."""
        row = await repository.find_object(self._session, key, lock=True)
        require_expected(key, row.document if row else None, wanted)
        now = utc_now()
        if row is None:
            return await self._create(key, created(key, wanted, str(uuid.uuid4()), now))
        changed = replaced(row.document, wanted, now)
        return await self._write(row, changed) if changed else row.document

    async def write_status(self, key: ObjectKey, uid: str, status: dict[str, Any]) -> Document:
        """Replace the status."""
        row = await repository.find_object(self._session, key, lock=True)
        if row is None:
            raise NotFound(f"There is no {key}: it was deleted, so there is nothing to report on.")
        if row.uid != uid:
            raise other_object(key, row.uid, uid)
        changed = with_status(row.document, status)
        return await self._write(row, changed) if changed else row.document

    async def delete(self, key: ObjectKey, uid: str) -> Document | None:
        """Remove the object."""
        row = await repository.find_object(self._session, key, lock=True)
        if row is None:
            return None
        if uid and row.uid != uid:
            raise other_object(key, row.uid, uid)
        await self._session.delete(row)
        return await self._log("DELETED", row.document)

    async def happened(self, key: ObjectKey, limit: int) -> list[Happened]:
        """What happened to an object, newest first."""
        rows = await repository.occurrences_of(self._session, key, limit)
        return [Happened(row.type, row.reason, row.message, row.first_seen, row.last_seen, row.count) for row in rows]

    async def _create(self, key: ObjectKey, document: Document) -> Document:
        row = StoredObject(
            kind=key.kind,
            namespace=key.namespace,
            name=key.name,
            uid=document["metadata"]["uid"],
            document=document,
        )
        self._session.add(row)
        await flush_or(
            self._session,
            Conflict(f"{key} was created by someone else at this moment. Repeat the write.", code="created_meanwhile"),
        )
        row.document = await self._log("ADDED", document)
        return row.document

    async def _write(self, row: StoredObject, document: Document) -> Document:
        row.document = await self._log("MODIFIED", document)
        return row.document

    async def _log(self, change: str, document: Document) -> Document:
        version = await next_version(self._session, OBJECTS)
        versioned = with_version(document, version)
        self._session.add(
            ObjectChange(resource_version=version, type=change, kind=document["kind"], document=versioned)
        )
        if version % _TRIM_EVERY == 0:
            await repository.trim_changes(self._session, version - CHANGES_KEPT)
        return versioned
