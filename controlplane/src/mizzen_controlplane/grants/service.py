"""Rules of grants: each write is one transaction with its audit event and a new version of access."""

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.grants import repository
from mizzen_controlplane.grants.models import Grant
from mizzen_controlplane.grants.schemas import GrantCreate
from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.identity.repository import find_project
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.changes import next_access_version
from mizzen_controlplane.kit.database import flush_or, reading, unit_of_work
from mizzen_controlplane.kit.etag import require_match
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.pages import PageQuery, page_of
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, NotFound, invalid_field


async def list_grants(plane: Plane, project_ref: str, page: PageQuery) -> tuple[Project, list[Grant], str]:
    """One page of what a project was granted."""
    async with reading(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        statement = repository.grants_of(project.id)
        rows, token = await page_of(
            session, statement, page, repository.PAGE_FIELDS, plane.secrets.page_key, scope=f"grants {project.id}"
        )
        return project, rows, token


async def get_grant(plane: Plane, project_ref: str, grant: str) -> tuple[Project, Grant]:
    """One grant; raises NotFound."""
    async with reading(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        return project, _found(await repository.find_grant(session, project.id, grant), grant)


async def create_grant(plane: Plane, subject: Subject, project_ref: str, body: GrantCreate) -> tuple[Project, Grant]:
    """Grant a model of another project; raises Invalid where there is no such project."""
    owner_name = body.model.partition("/")[0]
    async with unit_of_work(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        owner = await find_project(session, plane.organization_id, owner_name)
        if owner is None or owner.name != owner_name:
            raise invalid_field("/model", f"There is no project {owner_name!r}: give owner-project/served-name")
        if owner.id == project.id:
            raise invalid_field("/model", "A project's own models need no grant: give another project's")
        grant = Grant(id=new_id("grt"), name=body.model, labels=body.labels, project_id=project.id, owner_id=owner.id)
        session.add(grant)
        taken = f"The project has a grant for {body.model!r} already; nothing needs to be done."
        await flush_or(session, Conflict(taken, code="name_taken"))
        record(
            session, subject, "grants.create", grant.id, name=grant.name, project_id=project.id, after=_audited(grant)
        )
        await next_access_version(session)
        return project, grant


async def delete_grant(plane: Plane, subject: Subject, project_ref: str, grant: str, if_match: str | None) -> None:
    """Take a grant back: gateways refuse the model within a second."""
    async with unit_of_work(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        row = _found(await repository.find_grant(session, project.id, grant, lock=True), grant)
        require_match(if_match, row)
        await session.delete(row)
        record(session, subject, "grants.delete", row.id, name=row.name, project_id=project.id, before=_audited(row))
        await next_access_version(session)


def _found(row: Grant | None, asked: str) -> Grant:
    if row is None:
        raise NotFound(f"There is no grant {asked[:128]!r} here.", code="grant_not_found")
    return row


def _audited(row: Grant) -> dict[str, object]:
    return {"model": row.name, "owner_id": row.owner_id, "labels": row.labels}
