"""A seeded sample of the crash matrix; `make test-long` runs the whole of it."""

import random

import pytest
from support.crash_cluster import crash_matrix

SAMPLE = 24


@pytest.mark.timeout(600)
def test_a_sample_of_kill_points_ends_as_if_nothing_had_happened() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    with crash_matrix() as matrix:
        every = list(matrix.points())
        reached = matrix.run(random.Random(seed).sample(every, SAMPLE))
    print(f"killed at {len(reached)} points of {len(every)}; all ended alike:", *map(str, reached), sep="\n  ")
    assert len(reached) >= SAMPLE / 2, "hardly any point was reached, so hardly anything was tried"
