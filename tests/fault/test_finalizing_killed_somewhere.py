"""A control plane that dies at a step of finalizing, by chance; `tests/long` tries every one, on both databases."""

import random
from pathlib import Path

from support.killed_finalizations import POINTS, mistakes_after_kills


def test_nothing_is_half_done_where_finalizing_is_killed(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    point = random.Random(seed).choice(POINTS)
    assert mistakes_after_kills(tmp_path, f"sqlite+aiosqlite:///{tmp_path / 'controlplane.db'}", [point]) == []
