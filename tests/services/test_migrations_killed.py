"""A start that is killed in the middle of a migration, and two that migrate at once: nothing is half done, and the next
start finishes."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copytree

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from mizzen_controlplane import schema
from mizzen_controlplane.kit.changes import COUNTERS
from mizzen_controlplane.kit.database import open_database, reading
from sqlalchemy import inspect, text
from support.postgres import Postgres, running_postgres
from support.until import until

CONFIG = Config()
CONFIG.set_main_option("script_location", str(schema.MIGRATIONS))
HEAD = str(ScriptDirectory.from_config(CONFIG).get_current_head())
NEXT = """
import time
from pathlib import Path
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "9999", {head!r}, None, None
lives_with = {head!r}
def upgrade():
    with op.batch_alter_table("project") as project:
        project.add_column(sa.Column("motto", sa.String(length=64), nullable=False, server_default=""))
        project.alter_column("name", type_=sa.String(length=200))
    op.execute("UPDATE counter SET value = value + 1000")
    Path({folder!r}, "half").touch()
    while Path({folder!r}, "hold").exists():
        time.sleep(0.02)
    op.create_table("novelty", sa.Column("id", sa.Integer(), primary_key=True))
"""
START = """
import asyncio, sys
from pathlib import Path
from mizzen_controlplane import schema
from mizzen_controlplane.kit.database import open_database
async def start(url, folder, told):
    schema.MIGRATIONS = Path(folder, "migrations")
    Path(folder, told).touch()
    database = open_database(url)
    await schema.upgrade(database)
    await database.close()
asyncio.run(start(*sys.argv[1:]))
"""


@dataclass(frozen=True)
class NextRelease:
    """A release with one more migration, which stops in its middle for as long as `hold` is there."""

    url: str
    folder: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, told: str) -> subprocess.Popen[bytes]:
        """A process that upgrades; the file `told` appears right before it begins."""
        self.started.append(subprocess.Popen([sys.executable, "-c", START, self.url, str(self.folder), told]))
        return self.started[-1]

    async def there(self, name: str) -> None:
        """Until a process has come so far."""
        await until(lambda: (self.folder / name).exists(), seconds=60, every=0.02)

    async def found(self) -> tuple[list[str], bool, bool, dict[str, int]]:
        """Revisions, whether the column and the table of the migration are there, and the counters."""
        database = open_database(self.url)
        async with reading(database) as session:
            connection = await session.connection()
            columns, has_table = await connection.run_sync(
                lambda sync: (
                    {column["name"] for column in inspect(sync).get_columns("project")},
                    inspect(sync).has_table("novelty"),
                )
            )
            revisions = [row[0] for row in await connection.execute(text("SELECT version_num FROM alembic_version"))]
            counted = await connection.execute(text("SELECT name, value FROM counter"))
            counters = {str(row[0]): int(row[1]) for row in counted}
        await database.close()
        return revisions, "motto" in columns, has_table, counters


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def release(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NextRelease]:
    """The next release, and an empty database."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'controlplane.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").new_database()
    copytree(schema.MIGRATIONS, tmp_path / "migrations")
    (tmp_path / "migrations" / "versions" / "9999_next.py").write_text(NEXT.format(head=HEAD, folder=str(tmp_path)))
    (tmp_path / "hold").touch()
    release = NextRelease(url, tmp_path)
    yield release
    for process in release.started:
        process.kill()
        process.wait()


async def test_a_start_killed_in_the_middle_of_a_migration_changes_nothing_and_the_next_one_finishes_it(
    release: NextRelease,
) -> None:
    database = open_database(release.url)
    await schema.upgrade(database)
    await database.close()
    before = await release.found()
    assert before == ([HEAD], False, False, dict.fromkeys(COUNTERS, 0))
    killed = release.start("first")
    await release.there("half")
    killed.kill()
    killed.wait()
    assert await release.found() == before
    (release.folder / "hold").unlink()
    assert release.start("second").wait(timeout=60) == 0
    assert await release.found() == (["9999"], True, True, dict.fromkeys(COUNTERS, 1000))


async def test_two_that_start_on_an_empty_database_at_once_upgrade_it_once(release: NextRelease) -> None:
    first = release.start("first")
    await release.there("half")
    second = release.start("second")
    await release.there("second")
    (release.folder / "hold").unlink()
    assert (first.wait(timeout=60), second.wait(timeout=60)) == (0, 0)
    assert await release.found() == (["9999"], True, True, dict.fromkeys(COUNTERS, 0))


async def test_one_that_is_killed_leaves_its_turn_to_the_one_that_waits(release: NextRelease) -> None:
    first = release.start("first")
    await release.there("half")
    second = release.start("second")
    await release.there("second")
    first.kill()
    (release.folder / "hold").unlink()
    assert second.wait(timeout=60) == 0
    assert await release.found() == (["9999"], True, True, dict.fromkeys(COUNTERS, 0))
