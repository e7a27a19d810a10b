"""The rules of service accounts: disabled, one opens nothing; deleted, neither tokens nor bindings of it are left."""

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.authorization.bindings import require_all_that_it_holds
from mizzen_controlplane.authorization.repository import delete_bindings_of
from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.database import flush_or, reading, unit_of_work
from mizzen_controlplane.kit.etag import require_match
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.pages import PageQuery, page_of
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, NotFound
from mizzen_controlplane.kit.wire import resource_fields
from mizzen_controlplane.service_accounts import repository
from mizzen_controlplane.service_accounts.models import ServiceAccount
from mizzen_controlplane.service_accounts.schemas import ServiceAccountCreate, ServiceAccountPatch, ServiceAccountView
from mizzen_controlplane.service_accounts.subjects import principal_of, subject_of

FIELDS = {
    name: getattr(ServiceAccount, name) for name in ("id", "name", "created_at", "updated_at", "disabled", "created_by")
}
Seen = tuple[ServiceAccount, ServiceAccountView]


def view(row: ServiceAccount, project: Project) -> ServiceAccountView:
    """On the wire."""
    own = row.model_dump(include={"description", "disabled", "created_by"})
    return ServiceAccountView.model_validate(
        {**resource_fields(row), **own, "project": project.name, "principal": principal_of(row)}
    )


async def create(plane: Plane, subject: Subject, project_ref: str, body: ServiceAccountCreate) -> Seen:
    """Make one, without any role; raises Conflict where the name is taken."""
    async with unit_of_work(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        row = ServiceAccount(
            id=new_id("sva"), name=body.name, project_id=project.id, description=body.description, labels=body.labels,
            created_by=subject.name,
        )  # fmt: skip
        session.add(row)
        taken = f"The project has a service account named {body.name!r} already. Choose another name, or use that one."
        await flush_or(session, Conflict(taken, code="name_taken"))
        _recorded(session, subject, "service-accounts.create", row, None)
    return row, view(row, project)


async def page(plane: Plane, project_ref: str, asked: PageQuery) -> tuple[list[ServiceAccountView], str]:
    """One page of a project's service accounts, oldest first."""
    async with reading(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        rows, token = await page_of(
            session, repository.accounts_of(project.id), asked, FIELDS, plane.secrets.page_key,
            default_order="created_at asc", scope=f"service-accounts {project.id}",
        )  # fmt: skip
    return [view(row, project) for row in rows], token


async def get(plane: Plane, project_ref: str, ref: str) -> Seen:
    """One; raises NotFound."""
    async with reading(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        row = await account_or_404(session, project, ref)
        return row, view(row, project)


async def change(
    plane: Plane, subject: Subject, project_ref: str, ref: str, body: ServiceAccountPatch, if_match: str | None
) -> Seen:
    """Describe, label, disable or enable it; raises Forbidden for who enables more than they hold."""
    async with unit_of_work(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        row = await account_or_404(session, project, ref, lock=True)
        require_match(if_match, row)
        if row.disabled and body.disabled is False:
            await require_all_that_it_holds(session, plane, subject, subject_of(row))
        before = row.model_dump()
        for name, value in body.model_dump(exclude_none=True).items():
            setattr(row, name, value)
        if row.model_dump() != before:
            row.touch()
            _recorded(session, subject, "service-accounts.change", row, before)
        return row, view(row, project)


async def delete(plane: Plane, subject: Subject, project_ref: str, ref: str, if_match: str | None) -> None:
    """Remove it with its tokens and bindings; raises NotFound."""
    async with unit_of_work(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        row = await account_or_404(session, project, ref, lock=True)
        require_match(if_match, row)
        await repository.delete_tokens_of(session, row.id)
        await delete_bindings_of(session, principal_of(row))
        await session.delete(row)
        record(
            session, subject, "service-accounts.delete", row.id, name=row.name, project_id=row.project_id,
            before=row.model_dump(),
        )  # fmt: skip


async def account_or_404(session: AsyncSession, project: Project, ref: str, *, lock: bool = False) -> ServiceAccount:
    """The project's service account; raises NotFound."""
    row = await repository.find_account(session, project.id, ref, lock=lock)
    if row is None:
        raise NotFound(
            f"The project {project.name!r} has no service account {ref!r}.", code="service_account_not_found"
        )
    return row


def _recorded(
    session: AsyncSession, subject: Subject, action: str, row: ServiceAccount, before: dict[str, object] | None
) -> None:
    record(
        session, subject, action, row.id, name=row.name, project_id=row.project_id, before=before,
        after=row.model_dump(),
    )  # fmt: skip
