"""How the database gets its tables, and why a start is refused when it has those of a newer release."""

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

import mizzen_controlplane.domains  # noqa: F401 - every table must be known here
from mizzen_controlplane.kit.changes import COUNTERS
from mizzen_controlplane.kit.database import Database, unit_of_work
from mizzen_controlplane.kit.settings import SettingsError
from mizzen_controlplane.kit.tables import Counter

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x6D697A7A  # any number of our own: replicas that start at once upgrade one after the other


class SchemaError(SettingsError):
    """The database's schema is not one that this release can use; the text says what to do."""


async def upgrade(database: Database) -> None:
    """Bring the schema to what this release knows, all in one transaction; raises SchemaError."""
    try:
        async with unit_of_work(database) as session:
            connection = await session.connection()
            if not database.is_sqlite:
                await connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK})
            await connection.run_sync(_upgrade)
            for name in COUNTERS:
                if await session.get(Counter, name) is None:
                    session.add(Counter(name=name, value=0))
    except (DBAPIError, OSError) as error:
        reason = str(error.orig if isinstance(error, DBAPIError) else error).splitlines()[0]
        raise SchemaError(
            f"The database cannot be opened or upgraded ({reason}). Check MIZZEN_DATABASE_URL, that the server answers "
            "and that its disk is not full; nothing was changed."
        ) from error


def differences(connection: Connection) -> list[object]:
    """What the migrated schema lacks of the tables in the code, or has beyond them."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, SQLModel.metadata))


def configuration(connection: Connection) -> Config:
    """Alembic's, on an open connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    config = configuration(connection)
    _refuse_newer(connection, ScriptDirectory.from_config(config))
    command.upgrade(config, "head")


def _refuse_newer(connection: Connection, scripts: ScriptDirectory) -> None:
    if not inspect(connection).has_table("alembic_version"):
        return
    known = {script.revision for script in scripts.walk_revisions()}
    for (found,) in connection.execute(text("SELECT version_num FROM alembic_version")):
        if found not in known:
            raise SchemaError(
                f"The database has schema {found}, and this release knows up to {scripts.get_current_head()}: a newer "
                "release has upgraded it. Start that release, or restore the backup from before the upgrade."
            )
