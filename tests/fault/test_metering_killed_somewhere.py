"""A sample of the points at which metering may be interrupted: one of the gateway's. `tests/long` tries all of them."""

import random
from pathlib import Path

from support.metering_kills import POINTS, matrix, try_points


async def test_every_answer_has_one_row_though_the_gateway_dies_somewhere(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    point = random.Random(seed).choice([point for point in POINTS if point.victim == "gateway"])
    async with matrix(tmp_path, f"sqlite+aiosqlite:///{tmp_path / 'controlplane.db'}", seed) as made:
        print(await try_points(made, [point]))
        assert len(made.kills) == 1
