"""Looks for bytes that break a target without atheris: `python -m support.fuzz_by_chance TARGET SECONDS FOLDER`.

As `support.fuzz`, where atheris cannot be installed: hypothesis makes bytes of good ones, and what breaks a promise is
the shortest that it finds. Nothing tells it what the code does.
"""

import hashlib
import random
import sys
import time
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.fuzz_corpus import kept
from support.fuzz_mutations import changed
from support.fuzz_targets import TARGETS, seeds

ROUND = 2000
FOUND = 77
"""Exit code, as libFuzzer's."""


def main(target: str, seconds: int, folder: Path) -> int:
    """Exit code: 0 where nothing was found."""
    good, call = [*seeds(target), *kept(target)], TARGETS[target]
    executed, last, ends = 0, b"", time.monotonic() + seconds

    @settings(max_examples=ROUND, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(seed=st.integers(0, 2**32), noise=st.binary(max_size=60))
    def attempt(seed: int, noise: bytes) -> None:
        nonlocal executed, last
        chance = random.Random(seed)
        for last in (changed(chance.choice(good), chance), noise):
            executed += 1
            call(last)

    try:
        while time.monotonic() < ends:
            attempt()
    except Exception as error:  # noqa: BLE001 -- whatever a target raises is what was looked for
        (folder / f"crash-{hashlib.sha256(last).hexdigest()[:12]}").write_bytes(last)
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return FOUND
    print(f"#{executed} DONE by chance", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
