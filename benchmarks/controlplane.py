"""What does the control plane take? Rows of every file `controlplane_<topic>.py` here, on SQLite and on PostgreSQL.

A topic's file has `async def rows(stage: Stage) -> list[Result]`, which is called once for each database, and takes its
names through `stage.named`. ONLY=access,money runs these topics alone and puts their rows into the kept result; QUICK=1
is small and keeps nothing; CHECK=1 exits 1 when a goal is missed.
"""

import asyncio
import os
import sys
import tempfile
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

from controlplane_stage import Stage
from result_file import Result, print_table, replace_results, write_results
from support.postgres import running_postgres

NAME = "controlplane"
NOT_TOPICS = {"controlplane", "controlplane_stage"}
SEED = 20260101


def topics() -> list[str]:
    """Names of the modules that have rows, those of ONLY where that is set."""
    found = sorted(path.stem for path in Path(__file__).parent.glob("controlplane_*.py"))
    wanted = {f"controlplane_{one.strip()}" for one in os.environ.get("ONLY", "").split(",") if one.strip()}
    unknown = wanted - set(found)
    if unknown:
        sys.exit(f"ONLY: there is no benchmarks/{sorted(unknown)[0]}.py")
    return [one for one in found if one not in NOT_TOPICS and (not wanted or one in wanted)]


async def measured(folder: Path) -> list[Result]:
    """All rows."""
    results: list[Result] = []
    quick = os.environ.get("QUICK") == "1"
    with running_postgres() as server:
        for topic in topics():
            for kind in ("SQLite", "PostgreSQL"):
                place = folder / topic / kind
                place.mkdir(parents=True)
                stage = Stage(kind, server, place, rounds=3, quick=quick, seed=SEED)
                results += await import_module(topic).rows(stage)
    return results


def main() -> int:
    """Run, print, write; exit code."""
    started_at = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="mizzen-bench-", ignore_cleanup_errors=True) as folder:
        results = asyncio.run(measured(Path(folder)))
    print_table(results)
    if os.environ.get("QUICK") == "1":
        print("QUICK: nothing is kept")
    elif not (os.environ.get("ONLY") and replace_results(NAME, results, started_at=started_at)):
        packages = ["mizzen-controlplane", "mizzen-gateway", "sqlalchemy", "asyncpg", "aiosqlite"]
        path = write_results(NAME, results, seed=SEED, started_at=started_at, packages=packages)
        print(f"written to {path}")
    missed = [result.name for result in results if not result.holds]
    return 1 if missed and os.environ.get("CHECK") == "1" else 0


if __name__ == "__main__":
    sys.exit(main())
