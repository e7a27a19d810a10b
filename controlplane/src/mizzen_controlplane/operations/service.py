"""The rules of operations for those who ask: begun with an audit event, listed, cancelled once."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.audit.record import record
from mizzen_controlplane.identity.models import Project
from mizzen_controlplane.identity.scope import project_or_404
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.database import before_commit, reading, unit_of_work
from mizzen_controlplane.kit.etag import require_match
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.pages import PageQuery, page_of
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import Conflict, NotFound, PreconditionFailed
from mizzen_controlplane.kit.wire import resource_fields
from mizzen_controlplane.operations.models import Operation
from mizzen_controlplane.operations.repository import PAGE_FIELDS, ask_for_end, find_operation, operations_of
from mizzen_controlplane.operations.schemas import ENDED, OperationState, OperationView

TOPIC: Final = "operations"
"""Woken where there is something to take, or to stop."""


def view(project: Project, row: Operation) -> OperationView:
    """On the wire."""
    own = row.model_dump(include=set(OperationView.model_fields) - {"project"})
    return OperationView.model_validate({**own, **resource_fields(row), "project": project.name})


def begin(
    session: AsyncSession, subject: Subject, project: Project, kind: str, target: str, arguments: Mapping[str, Any]
) -> Operation:
    """Queue work in this transaction; a replica takes it once that is committed."""
    made = new_id("op")
    row = Operation(
        id=made, name=made, project_id=project.id, kind=kind, state=OperationState.QUEUED, target=target,
        arguments=dict(arguments), created_by=subject.name,
    )  # fmt: skip
    session.add(row)
    session.info.setdefault("topics", set()).add(TOPIC)
    record(session, subject, "operations.create", row.id, name=target, project_id=project.id, after=_audited(row))
    return row


async def get(plane: Plane, project_ref: str, operation_id: str) -> tuple[Project, Operation]:
    """One; raises NotFound."""
    async with reading(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        return project, _found(await find_operation(session, project.id, operation_id), operation_id)


async def page(plane: Plane, project_ref: str, asked: PageQuery) -> tuple[Project, list[Operation], str]:
    """One page of a project's, newest first."""
    async with reading(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        rows, token = await page_of(
            session, operations_of(project.id), asked, PAGE_FIELDS, plane.secrets.page_key,
            default_order="id desc", scope=f"operations {project.id}",
        )  # fmt: skip
        return project, rows, token


async def cancel(
    plane: Plane, subject: Subject, project_ref: str, operation_id: str, if_match: str | None
) -> tuple[Project, Operation]:
    """Ask for its end; once more changes nothing. Raises Conflict where it has come to another end."""
    async with unit_of_work(plane.database) as session:
        project = await project_or_404(session, plane, project_ref)
        row = _found(await find_operation(session, project.id, operation_id), operation_id)
        require_match(if_match, row)
        if row.state in ENDED and row.state != OperationState.CANCELLED:
            raise Conflict(f"The operation has {row.state} already; nothing is left to cancel.", code="operation_ended")
        if row.cancel_asked:
            return project, row
        session.info.setdefault("topics", set()).add(TOPIC)
        record(
            session, subject, "operations.cancel", row.id, name=row.target, project_id=project.id,
            before={"cancel_asked": False}, after={"cancel_asked": True},
        )  # fmt: skip
        # Behind the chain's lock, as in the worker's own transactions: the two never wait for each other.
        before_commit(session, "operation", partial(_ask_for_end, row.id, row.revision if if_match else None))
    return await get(plane, project_ref, operation_id)


async def _ask_for_end(operation_id: str, revision: int | None, session: AsyncSession) -> None:
    if not await ask_for_end(session, operation_id, revision):
        raise PreconditionFailed("The operation went on just now. Read it again, then repeat the change.")


def _found(row: Operation | None, asked: str) -> Operation:
    if row is None:
        raise NotFound(f"There is no operation {asked[:64]!r} in this project.", code="operation_not_found")
    return row


def _audited(row: Operation) -> dict[str, Any]:
    return row.model_dump(include={"kind", "state", "target", "arguments", "cancel_asked"})
