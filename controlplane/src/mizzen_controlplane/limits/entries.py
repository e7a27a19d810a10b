"""How is a limit or a budget made, changed, removed? At once with its audit event and a new version of access."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlmodel.ext.asyncio.session import AsyncSession

from mizzen_controlplane.access.counted_over import Parent
from mizzen_controlplane.audit.record import record
from mizzen_controlplane.kit.changes import next_access_version
from mizzen_controlplane.kit.database import flush_or
from mizzen_controlplane.kit.problem import Conflict
from mizzen_controlplane.kit.subject import Subject
from mizzen_controlplane.kit.tables import ResourceRow


@dataclass(frozen=True, slots=True)
class Kind:
    """Limits, or budgets."""

    name: str
    """limit or budget."""
    audited: frozenset[str]
    """Columns that an audit event shows; a change of no other is a change."""

    def shown(self, row: ResourceRow) -> dict[str, object]:
        """What an audit event shows of a row."""
        return row.model_dump(mode="json", include=set(self.audited))


async def add_row(session: AsyncSession, subject: Subject, kind: Kind, parent: Parent, row: ResourceRow) -> None:
    """Make it; raises Conflict for a name that is taken."""
    session.add(row)
    taken = f"A {kind.name} named {row.name!r} exists here already: choose another name, or change or delete that one."
    await flush_or(session, Conflict(taken, code="name_taken"))
    record(
        session, subject, f"{kind.name}s.create", row.id, name=row.name, project_id=parent.project_id,
        after=kind.shown(row),
    )  # fmt: skip
    await next_access_version(session)


async def alter_row(
    session: AsyncSession, subject: Subject, kind: Kind, parent: Parent, row: ResourceRow, changes: Mapping[str, object]
) -> None:
    """Change columns; what changes nothing is no new version of access. What a month has spent stays."""
    before = kind.shown(row)
    for name, value in changes.items():
        setattr(row, name, value)
    if kind.shown(row) == before:
        return
    row.touch()
    record(
        session, subject, f"{kind.name}s.update", row.id, name=row.name, project_id=parent.project_id,
        before=before, after=kind.shown(row),
    )  # fmt: skip
    await next_access_version(session)


async def drop_row(session: AsyncSession, subject: Subject, kind: Kind, parent: Parent, row: ResourceRow) -> None:
    """Remove it, and what it counted; its name is free at once."""
    await session.delete(row)
    await session.flush()
    record(
        session, subject, f"{kind.name}s.delete", row.id, name=row.name, project_id=parent.project_id,
        before=kind.shown(row),
    )  # fmt: skip
    await next_access_version(session)
