"""Rules of rate limits: each write is one transaction with its audit event and a new version of access."""

from mizzen_crds.access import LimitMetric
from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.access.counted_over import Asked, Parent, parent_of, target_of
from mizzen_controlplane.kit.auth import Subject
from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.kit.database import reading, unit_of_work
from mizzen_controlplane.kit.etag import require_match
from mizzen_controlplane.kit.ids import new_id
from mizzen_controlplane.kit.pages import PageQuery, page_of
from mizzen_controlplane.kit.plane import Plane
from mizzen_controlplane.kit.problem import NotFound
from mizzen_controlplane.kit.schema_floor import raise_floor
from mizzen_controlplane.limits import held, repository
from mizzen_controlplane.limits.entries import Kind, add_row, alter_row, drop_row
from mizzen_controlplane.limits.first_kinds import known_since, known_to_first_release
from mizzen_controlplane.limits.measures import measure_of, measured_changes
from mizzen_controlplane.limits.models import Limit
from mizzen_controlplane.limits.ownership import take_up
from mizzen_controlplane.limits.schemas import LimitCreate, LimitPatch

LIMITS = Kind(
    "limit",
    frozenset(
        {"scope", "scope_id", "model", "metric", "amount", "window_seconds", "enforcement", "on_store_loss", "labels"}
    ),
)


async def list_limits(plane: Plane, project: str | None, page: PageQuery) -> tuple[list[Limit], str]:
    """One page of a project's limits, or of the organization's for None."""
    async with reading(plane.database) as session:
        parent = await parent_of(session, plane, project)
        statement = repository.limits_of(parent.id)
        return await page_of(
            session, statement, page, repository.PAGE_FIELDS, plane.secrets.page_key, scope=f"limits {parent.id}"
        )


async def get_limit(plane: Plane, project: str | None, limit: str) -> Limit:
    """One limit; raises NotFound."""
    async with reading(plane.database) as session:
        parent = await parent_of(session, plane, project)
        return _found(await repository.find_limit(session, parent.id, limit), limit)


async def create_limit(plane: Plane, subject: Subject, project: str | None, body: LimitCreate) -> Limit:
    """Make a limit; raises Invalid for one that could never match."""
    async with unit_of_work(plane.database) as session:
        return await add_limit(session, subject, await parent_of(session, plane, project), body)


async def patch_limit(
    plane: Plane, subject: Subject, project: str | None, limit: str, body: LimitPatch, if_match: str | None
) -> Limit:
    """Change a limit; raises Conflict for one that a Project object owns."""
    held.refuse_unheld_patch(body)
    async with unit_of_work(plane.database) as session:
        parent = await parent_of(session, plane, project)
        row = _found(await repository.find_limit(session, parent.id, limit, lock=True), limit)
        require_match(if_match, row)
        await take_up(session, row, "limits")
        changes = measured_changes(LimitMetric(row.metric), body.model_dump(mode="json", exclude_unset=True))
        await alter_row(session, subject, LIMITS, parent, row, changes)
        return row


async def delete_limit(plane: Plane, subject: Subject, project: str | None, limit: str, if_match: str | None) -> None:
    """Remove a limit; raises Conflict for one that a Project object owns."""
    async with unit_of_work(plane.database) as session:
        parent = await parent_of(session, plane, project)
        row = _found(await repository.find_limit(session, parent.id, limit, lock=True), limit)
        require_match(if_match, row)
        await take_up(session, row, "limits")
        await drop_row(session, subject, LIMITS, parent, row)


async def add_limit(
    session: AsyncSession, subject: Subject, parent: Parent, body: LimitCreate, owner: str = ""
) -> Limit:
    """Make a limit in this transaction; raises Invalid for one that could never match, Conflict for a taken name."""
    measure = measure_of(body)
    target = await target_of(session, parent, Asked(body.scope, body.key, body.model, body.owner), utc_now())
    held.refuse_unheld_limit(body, target.scope)
    limit = Limit(
        id=new_id("lim"),
        parent_id=parent.id,
        scope_id=target.scope_id,
        **body.model_dump(mode="json", exclude={"scope", "key", "owner", "amount", "cost", "window_seconds"}),
        amount=measure.amount,
        window_seconds=measure.window_seconds,
        scope=target.scope.value,
        owner=owner,
    )
    if not known_to_first_release(body.metric, target.scope):
        await raise_floor(session, known_since(target.scope))
    await add_row(session, subject, LIMITS, parent, limit)
    return limit


def _found(row: Limit | None, asked: str) -> Limit:
    if row is None:
        raise NotFound(f"There is no limit {asked[:64]!r} here.", code="limit_not_found")
    return row
