"""SQL of organizations, projects and API keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row
from sqlalchemy import select as sa_select
from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from mizzen_controlplane.identity.models import ApiKey, KeyUse, Organization, Project
from mizzen_controlplane.kit.place import Reach
from mizzen_controlplane.kit.upsert import insert_into


@dataclass(frozen=True, slots=True)
class ChosenKeys:
    """Which keys; all that is said must hold."""

    labels: Mapping[str, str]
    created_before: datetime | None
    last_used_before: datetime | None


async def organization(session: AsyncSession, organization_id: str) -> Organization:
    """The organization."""
    return (await session.exec(select(Organization).where(Organization.id == organization_id))).one()


async def only_organization(session: AsyncSession) -> Organization | None:
    """The organization of this installation, if it was made already."""
    return (await session.exec(select(Organization).order_by(col(Organization.id)).limit(1))).one_or_none()


async def find_project(
    session: AsyncSession, organization_id: str, id_or_name: str, *, lock: bool = False
) -> Project | None:
    """A project by id or name; `lock` holds its row until the transaction ends."""
    statement = select(Project).where(
        Project.organization_id == organization_id, or_(Project.id == id_or_name, Project.name == id_or_name)
    )
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


async def project_of_namespace(session: AsyncSession, namespace: str) -> Project | None:
    """The project whose workloads live in `namespace`."""
    return (await session.exec(select(Project).where(Project.namespace == namespace))).one_or_none()


async def all_projects(session: AsyncSession) -> Sequence[Project]:
    """Every project, by id."""
    return (await session.exec(select(Project).order_by(col(Project.id)))).all()


def _live() -> tuple[ColumnElement[bool], ...]:
    archived = select(Project.id).where(col(Project.archived_at).is_not(None))
    return col(ApiKey.revoked_at).is_(None), col(ApiKey.project_id).not_in(archived)


async def live_keys(session: AsyncSession) -> Sequence[ApiKey]:
    """Every key that is not revoked, of no archived project, by id; those that expired are among them."""
    return (await session.exec(select(ApiKey).where(*_live()).order_by(col(ApiKey.id)))).all()


KEY_OF_ACCESS: tuple[Any, ...] = (
    ApiKey.id,
    ApiKey.digest,
    ApiKey.previous_digest,
    ApiKey.previous_expires_at,
    ApiKey.project_id,
    ApiKey.expires_at,
    ApiKey.models,
    ApiKey.priority,
    ApiKey.routes,
    ApiKey.operations,
    ApiKey.ip_ranges,
    ApiKey.created_by,
)
"""Columns of a key that gateways are told, in the order of `live_key_rows`."""


async def live_key_rows(session: AsyncSession, after: str, most: int) -> Sequence[Row[Any]]:
    """The next live keys, by id: columns alone, since an object for each of 100,000 takes seconds."""
    live = (*_live(), col(ApiKey.id) > after)
    connection = await session.connection()
    return (await connection.execute(sa_select(*KEY_OF_ACCESS).where(*live).order_by(col(ApiKey.id)).limit(most))).all()


async def live_key_rows_of(session: AsyncSession, ids: Sequence[str]) -> Sequence[Row[Any]]:
    """Those of these keys that are live."""
    live = (*_live(), col(ApiKey.id).in_(ids))
    connection = await session.connection()
    return (await connection.execute(sa_select(*KEY_OF_ACCESS).where(*live))).all()


async def find_key(session: AsyncSession, project_id: str, id_or_name: str, *, lock: bool = False) -> ApiKey | None:
    """A key of the project by id or name."""
    statement = select(ApiKey).where(
        ApiKey.project_id == project_id, or_(ApiKey.id == id_or_name, ApiKey.name == id_or_name)
    )
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


async def ids_of_owner(session: AsyncSession, project_id: str, owner_id: str) -> frozenset[str]:
    """Ids of the keys that a person or a service account has made in the project, revoked ones too."""
    makers = (f"person:{owner_id}", f"service-account:{owner_id}")
    statement = select(ApiKey.id).where(ApiKey.project_id == project_id, col(ApiKey.created_by).in_(makers))
    return frozenset((await session.exec(statement)).all())


async def note_uses(session: AsyncSession, uses: Mapping[str, datetime]) -> None:
    """Keys were used then; what is known to be later stays."""
    statement = insert_into(session, KeyUse)
    newer = statement.on_conflict_do_update(
        index_elements=["key_id"],
        set_={"last_used_at": statement.excluded.last_used_at},
        where=col(KeyUse.last_used_at) < statement.excluded.last_used_at,
    )
    rows = [{"key_id": key, "last_used_at": uses[key]} for key in sorted(uses)]
    await (await session.connection()).execute(newer, rows)


async def uses_of(session: AsyncSession, keys: Sequence[str]) -> dict[str, datetime]:
    """When these keys were last used; one that never was is not in it."""
    found = await session.exec(select(KeyUse.key_id, KeyUse.last_used_at).where(col(KeyUse.key_id).in_(keys)))
    return dict(found.all())


async def keys_to_revoke(session: AsyncSession, project_id: str, chosen: ChosenKeys, most: int) -> Sequence[ApiKey]:
    """The project's keys that are not revoked and that all criteria hold for, by id, locked."""
    statement = select(ApiKey).where(ApiKey.project_id == project_id, col(ApiKey.revoked_at).is_(None))
    for label, value in chosen.labels.items():
        statement = statement.where(col(ApiKey.labels)[label].as_string() == value)
    if chosen.created_before is not None:
        statement = statement.where(ApiKey.created_at < chosen.created_before)
    if chosen.last_used_before is not None:
        used = select(KeyUse.key_id).where(KeyUse.last_used_at >= chosen.last_used_before)
        # A key that is younger than that had no time to be used.
        statement = statement.where(ApiKey.created_at < chosen.last_used_before, col(ApiKey.id).not_in(used))
    return (await session.exec(statement.order_by(col(ApiKey.id)).limit(most).with_for_update())).all()


def projects_of(organization_id: str, reach: Reach, *, archived: bool = False) -> SelectOfScalar[Project]:
    """The organization's projects within reach, those that are archived or those that are not, for a page."""
    named = col(Project.id).in_(sorted(reach.projects))
    kept = col(Project.archived_at).is_not(None) if archived else col(Project.archived_at).is_(None)
    return select(Project).where(
        Project.organization_id == organization_id, kept, ~named if reach.everywhere else named
    )


def keys_of(project_id: str) -> SelectOfScalar[ApiKey]:
    """All keys of the project, for a page."""
    return select(ApiKey).where(ApiKey.project_id == project_id)
