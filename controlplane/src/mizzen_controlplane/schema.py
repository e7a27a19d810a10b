"""How the database gets its tables, and when a start is refused because a newer release has changed them.

Every migration says in `lives_with` the oldest revision whose release can work with the tables after it: one that only
adds what older code may leave out (expand) keeps the floor, one that takes something away (contract) raises it. The
floor of the newest is kept in the database, for a release that does not know that migration: a pod that restarts in the
middle of an upgrade, or one that is rolled back to. What is kept later may raise it (`kit/schema_floor.py`): it never
falls.
"""

from pathlib import Path

import structlog
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, delete, insert, inspect, select, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel, col

import mizzen_controlplane.domains  # noqa: F401 - every table must be known here
from mizzen_controlplane.kit.changes import COUNTERS
from mizzen_controlplane.kit.database import Database, unit_of_work
from mizzen_controlplane.kit.settings import SettingsError
from mizzen_controlplane.kit.tables import Counter, SchemaFloor

log = structlog.get_logger(__name__)
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


def known_revisions() -> set[str]:
    """Every revision of the tables that this release can bring up to date."""
    return {script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}


def configuration(connection: Connection) -> Config:
    """Alembic's, on an open connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    config = configuration(connection)
    scripts = ScriptDirectory.from_config(config)
    if _is_newer(connection, scripts):
        return  # its tables are a newer release's, and this one can work with them
    command.upgrade(config, "head")
    _write_floor(connection, scripts)


def _is_newer(connection: Connection, scripts: ScriptDirectory) -> bool:
    """Whether a newer release has upgraded it; raises SchemaError where this one cannot live with that."""
    inspector = inspect(connection)
    if not inspector.has_table("alembic_version"):
        return False
    known = {script.revision for script in scripts.walk_revisions()}
    found = [name for (name,) in connection.execute(text("SELECT version_num FROM alembic_version"))]
    unknown = [name for name in found if name not in known]
    if not unknown:
        return False
    floor = _floor(connection) if inspector.has_table("schema_floor") else None
    if floor in known:
        log.warning("the database has the schema of a newer release", schema=unknown[0], oldest_that_can_use_it=floor)
        return True
    raise SchemaError(
        f"The database has schema {unknown[0]}, and this release knows up to {scripts.get_current_head()}: a newer "
        f"release has upgraded it, and only releases that know {floor or unknown[0]} can use it since. Start such a "
        "release, or restore the backup from before the upgrade."
    )


def _floor(connection: Connection) -> str | None:
    return connection.execute(select(col(SchemaFloor.revision))).scalar_one_or_none()


def _write_floor(connection: Connection, scripts: ScriptDirectory) -> None:
    head = scripts.get_revision("head")
    wanted, found = str(head.module.lives_with), _floor(connection)
    if found is None or found < wanted:
        connection.execute(delete(SchemaFloor))
        connection.execute(insert(SchemaFloor).values(id=1, revision=wanted))
