"""Gateway, control plane and PostgreSQL are killed at every point of metering: one row an answer, and no drift."""

import random
from pathlib import Path

import pytest
from support.metering_kills import POINTS, matrix, try_points
from support.postgres import killable_postgres


@pytest.mark.timeout(1200)
async def test_every_answer_has_one_row_wherever_a_process_dies(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    with killable_postgres() as postgres:
        async with matrix(tmp_path, postgres.server.new_database(), seed, postgres) as made:
            print(await try_points(made, POINTS))
            assert len(made.kills) == len(POINTS)
