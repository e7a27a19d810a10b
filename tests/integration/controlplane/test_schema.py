"""The schema: migrations make exactly the tables of the code, and a newer one is refused where this release could
not use it."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from mizzen_controlplane import schema
from mizzen_controlplane.kit.database import open_database, reading, unit_of_work
from sqlalchemy import text
from support.controlplane import ControlPlane

CONFIG = Config()
CONFIG.set_main_option("script_location", str(schema.MIGRATIONS))
SCRIPTS = ScriptDirectory.from_config(CONFIG)
HEAD = str(SCRIPTS.get_current_head())


def refused_start(plane: ControlPlane) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mizzen_controlplane"], env=plane.variables(),
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


async def refused_upgrade(plane: ControlPlane) -> str:
    """What a start would say of it."""
    database = open_database(plane.database_url)
    with pytest.raises(schema.SchemaError) as refused:
        await schema.upgrade(database)
    await database.close()
    return str(refused.value)


async def test_the_migrated_schema_is_that_of_the_code(controlplane: ControlPlane) -> None:
    database = open_database(controlplane.database_url)
    async with reading(database) as session:
        connection = await session.connection()
        assert await connection.run_sync(schema.differences) == []
    await database.close()


NEXT_RELEASE = """
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "9999", {head!r}, None, None
lives_with = {floor!r}
def upgrade():
    op.add_column("project", sa.Column("motto", sa.String(length=64), nullable=True))
    op.create_table("novelty", sa.Column("id", sa.Integer(), primary_key=True))
"""


async def upgraded_by_the_next_release(
    plane: ControlPlane, folder: Path, patch: pytest.MonkeyPatch, floor: str
) -> None:
    """The database as a release with one more migration leaves it, which says who can live with that."""
    migrations = folder / "migrations"
    shutil.copytree(schema.MIGRATIONS, migrations)
    (migrations / "versions" / "9999_next.py").write_text(NEXT_RELEASE.format(head=HEAD, floor=floor))
    with patch.context() as patched:
        patched.setattr(schema, "MIGRATIONS", migrations)
        database = open_database(plane.database_url)
        await schema.upgrade(database)
        await database.close()


async def test_a_release_starts_on_the_schema_of_the_next_one_where_that_says_so(
    stopped_controlplane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await upgraded_by_the_next_release(stopped_controlplane, tmp_path, monkeypatch, HEAD)
    with stopped_controlplane as running:  # a pod that is rolled back
        project = running.new_project()
        with running.client() as admin:
            limit = {"name": "fair", "metric": "requests", "amount": 60}
            assert admin.post(f"/api/v1/projects/{project}/limits", json=limit).status_code == 201
    database = open_database(stopped_controlplane.database_url)
    await schema.upgrade(database)  # one that restarts
    async with reading(database) as session:
        connection = await session.connection()
        assert (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar_one() == "9999"
        assert (await connection.execute(text("SELECT revision FROM schema_floor"))).scalar_one() == HEAD
    await database.close()


async def test_a_schema_that_takes_something_away_is_refused_by_the_release_before(
    stopped_controlplane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await upgraded_by_the_next_release(stopped_controlplane, tmp_path, monkeypatch, "9999")
    refusal = await refused_upgrade(stopped_controlplane)
    assert "The database has schema 9999" in refusal
    assert "only releases that know 9999 can use it" in refusal
    assert "or restore the backup" in refusal


async def test_a_start_on_a_schema_that_is_refused_ends_with_its_code_and_the_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane = ControlPlane(tmp_path / "cp", f"sqlite+aiosqlite:///{tmp_path / 'controlplane.db'}")
    await upgraded_by_the_next_release(plane, tmp_path, monkeypatch, "9999")
    started = await asyncio.to_thread(refused_start, plane)
    assert started.returncode == 2
    assert "The database has schema 9999" in started.stderr
    assert "Traceback" not in started.stderr


def test_every_migration_says_who_can_live_with_it_and_the_floor_never_sinks() -> None:
    floors = [script.module.lives_with for script in SCRIPTS.walk_revisions()]
    assert set(floors) <= {script.revision for script in SCRIPTS.walk_revisions()}
    assert floors == sorted(floors, reverse=True), "newest first"


async def test_a_schema_without_a_floor_is_refused_when_it_is_unknown(stopped_controlplane: ControlPlane) -> None:
    database = open_database(stopped_controlplane.database_url)
    await schema.upgrade(database)
    async with unit_of_work(database) as session:
        connection = await session.connection()
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        await connection.execute(text("DROP TABLE schema_floor"))
    await database.close()
    assert "The database has schema 9999" in await refused_upgrade(stopped_controlplane)
