"""SQL of operations."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, update
from sqlmodel import and_, col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from mizzen_controlplane.kit.clock import utc_now
from mizzen_controlplane.operations.models import Operation
from mizzen_controlplane.operations.schemas import ENDED, OperationState

PAGE_FIELDS = {
    "id": col(Operation.id),
    "kind": col(Operation.kind),
    "state": col(Operation.state),
    "created_at": col(Operation.created_at),
}


def operations_of(project_id: str) -> SelectOfScalar[Operation]:
    """All of a project, for a page."""
    return select(Operation).where(Operation.project_id == project_id)


async def find_operation(session: AsyncSession, project_id: str, operation_id: str) -> Operation | None:
    """One of a project."""
    return (await session.exec(operations_of(project_id).where(Operation.id == operation_id))).one_or_none()


async def ask_for_end(session: AsyncSession, operation_id: str, revision: int | None) -> bool:
    """Note that its end is asked for; False where it has ended, or is no longer of that `revision`."""
    statement = update(Operation).where(col(Operation.id) == operation_id, col(Operation.state).not_in(ENDED))
    if revision is not None:
        statement = statement.where(col(Operation.revision) == revision)
    changed = statement.values(cancel_asked=True, revision=col(Operation.revision) + 1, updated_at=utc_now()).returning(
        col(Operation.id)
    )
    connection = await session.connection()
    return (await connection.execute(changed)).first() is not None


def _free(kinds: Collection[str], now: datetime) -> ColumnElement[bool]:
    waiting = and_(col(Operation.state) == OperationState.QUEUED, col(Operation.not_before) <= now)
    left = and_(col(Operation.state) == OperationState.RUNNING, col(Operation.held_until) < now)
    return and_(col(Operation.kind).in_(sorted(kinds)), or_(waiting, left))


async def any_free(session: AsyncSession, kinds: Collection[str], now: datetime) -> bool:
    """Whether there is something to take."""
    return (await session.exec(select(Operation.id).where(_free(kinds, now)).limit(1))).first() is not None


async def take_free(session: AsyncSession, kinds: Collection[str], now: datetime) -> Operation | None:
    """The oldest that nobody works on, its row locked; one that another replica is taking just now is passed over."""
    statement = select(Operation).where(_free(kinds, now)).order_by(col(Operation.not_before), col(Operation.id))
    return (await session.exec(statement.limit(1).with_for_update(skip_locked=True))).first()


async def held_by(session: AsyncSession, operation_id: str, holder: str) -> Operation | None:
    """The operation, its row locked, while `holder` works on it."""
    statement = select(Operation).where(
        Operation.id == operation_id, Operation.holder == holder, Operation.state == OperationState.RUNNING
    )
    return (await session.exec(statement.with_for_update())).one_or_none()


async def still_held(session: AsyncSession, operation_id: str, holder: str) -> bool:
    """Hold the row until this transaction ends, if `holder` works on it; a write, so that nobody takes it meanwhile."""
    statement = (
        update(Operation)
        .where(
            col(Operation.id) == operation_id,
            col(Operation.holder) == holder,
            col(Operation.state) == OperationState.RUNNING,
        )
        .values(holder=holder)
        .returning(col(Operation.id))
    )
    connection = await session.connection()
    found = await connection.execute(statement)
    return found.first() is not None
