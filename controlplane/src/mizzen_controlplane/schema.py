"""How the database gets its tables, and why a start is refused when it has those of a newer release."""

from sqlmodel import SQLModel

from mizzen_controlplane.kit.changes import COUNTERS
from mizzen_controlplane.kit.database import Database, unit_of_work
from mizzen_controlplane.kit.tables import Counter


class SchemaError(Exception):
    """The database's schema is not one that this release can use; the text says what to do."""


async def upgrade(database: Database) -> None:
    """Bring the schema to what this release knows."""
    async with unit_of_work(database) as session:
        connection = await session.connection()
        await connection.run_sync(SQLModel.metadata.create_all)
        for name in COUNTERS:
            if await session.get(Counter, name) is None:
                session.add(Counter(name=name, value=0))
