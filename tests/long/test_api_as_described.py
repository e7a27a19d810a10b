"""Many cases of every operation, well-formed and not, by chance: no failure, and nothing that the document leaves out.

MIZZEN_SEED repeats a run.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from schemathesis.generation import GenerationMode
from support.api_walk import some_seed, walk
from support.postgres import Postgres, running_postgres

CASES = 40


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server."""
    with running_postgres() as server:
        yield server


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_operation_answers_what_its_document_does_not_tell(kind: str, tmp_path: Path, postgres: Postgres) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'controlplane.db'}" if kind == "sqlite" else postgres.new_database()
    with walk(tmp_path, url) as walked:
        walked.run(some_seed(os.environ.get("MIZZEN_SEED")), CASES, (GenerationMode.POSITIVE, GenerationMode.NEGATIVE))
    print(walked.told())
    assert walked.found == {}
