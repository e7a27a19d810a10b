"""SQL of credentials for imports."""

from sqlalchemy import func
from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from mizzen_controlplane.imports.credentials.models import ImportCredential

PAGE_FIELDS = {
    name: col(getattr(ImportCredential, name)) for name in ("id", "name", "created_at", "updated_at", "host", "kind")
}


def credentials_of(project_id: str) -> SelectOfScalar[ImportCredential]:
    """All of a project, for a page."""
    return select(ImportCredential).where(ImportCredential.project_id == project_id)


async def find_credential(
    session: AsyncSession, project_id: str, id_or_name: str, *, lock: bool = False
) -> ImportCredential | None:
    """One by id or name."""
    which = or_(ImportCredential.id == id_or_name, ImportCredential.name == id_or_name)
    statement = credentials_of(project_id).where(which)
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


async def count_credentials(session: AsyncSession, project_id: str) -> int:
    """How many a project has."""
    counted = select(func.count()).select_from(ImportCredential).where(ImportCredential.project_id == project_id)
    return (await session.exec(counted)).one()
