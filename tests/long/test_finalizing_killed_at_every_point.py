"""A control plane that dies at every step of finalizing: nothing is half done, and numbers have no gap."""

from pathlib import Path

import pytest
from support.killed_finalizations import POINTS, mistakes_after_kills
from support.postgres import running_postgres


@pytest.mark.parametrize("database", ["SQLite", "PostgreSQL"])
def test_numbers_have_no_gap_wherever_finalizing_is_killed(tmp_path: Path, database: str) -> None:
    if database == "SQLite":
        found = mistakes_after_kills(tmp_path, f"sqlite+aiosqlite:///{tmp_path / 'controlplane.db'}", POINTS)
    else:
        with running_postgres() as server:
            found = mistakes_after_kills(tmp_path, server.new_database(), POINTS)
    print(f"{len(POINTS)} points tried on {database}")
    assert found == []
