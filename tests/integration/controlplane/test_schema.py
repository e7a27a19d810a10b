"""The schema: migrations make exactly the tables of the code, and a newer one is refused with a sentence."""

import asyncio
import subprocess
import sys

from mizzen_controlplane import schema
from mizzen_controlplane.kit.database import open_database, reading, unit_of_work
from sqlalchemy import text
from support.controlplane import ControlPlane


def refused_start(plane: ControlPlane) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mizzen_controlplane"], env=plane.variables(),
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


async def test_the_migrated_schema_is_that_of_the_code(controlplane: ControlPlane) -> None:
    database = open_database(controlplane.database_url)
    async with reading(database) as session:
        connection = await session.connection()
        assert await connection.run_sync(schema.differences) == []
    await database.close()


async def test_a_schema_of_a_newer_release_is_refused(stopped_controlplane: ControlPlane) -> None:
    database = open_database(stopped_controlplane.database_url)
    await schema.upgrade(database)
    async with unit_of_work(database) as session:
        connection = await session.connection()
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await database.close()
    started = await asyncio.to_thread(refused_start, stopped_controlplane)
    assert started.returncode == 2
    assert "The database has schema 9999" in started.stderr
    assert "Start that release, or restore the backup" in started.stderr
    assert "Traceback" not in started.stderr
