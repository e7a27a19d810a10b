"""Ten minutes of fuzzing: no bytes crash an edge of the gateway or break its promise.

Led by what the code does (atheris), where that installs; else by chance. What is found is kept in `tests/corpus/fuzz`.
"""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
from support.fuzz_corpus import grow, keep
from support.fuzz_targets import TARGETS

SECONDS = int(os.environ.get("MIZZEN_FUZZ_SECONDS", "600")) // len(TARGETS)
GROWS = os.environ.get("MIZZEN_FUZZ_GROWS") == "1"
"""What led further is kept, too."""
FUZZER = "atheris>=2.3,<4"
ROOT = Path(__file__).parents[2]


@cache
def command() -> list[str]:
    """How to fuzz here."""
    uv = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
    words = [uv, "run", "--frozen", "--no-sync", "--with", FUZZER, "python"]
    tried = subprocess.run([*words, "-c", "import atheris"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tried.returncode == 0:
        return [*words, "-m", "support.fuzz"]
    print(f"atheris does not install here, so bytes are made by chance: {tried.stderr.strip()[-300:]}")
    return [uv, "run", "--frozen", "--no-sync", "python", "-m", "support.fuzz_by_chance"]


@pytest.mark.parametrize("target", TARGETS)
def test_no_bytes_are_found_that_break_a_promise(target: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])}
    run = subprocess.run(
        [*command(), target, str(SECONDS), str(tmp_path)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    print(f"\n{target}:", *[line.strip() for line in run.stderr.splitlines() if "DONE" in line])
    found = [path.read_bytes() for path in sorted(tmp_path.glob("*-*")) if path.is_file()]
    names = ", ".join(str(keep(target, data).relative_to(ROOT)) for data in found)
    assert not found, f"{names}: each run of the tests replays it from now on; mend the gateway.\n{run.stderr[-3000:]}"
    assert run.returncode == 0, run.stderr[-3000:]
    if GROWS:
        found = [path.read_bytes() for path in tmp_path.glob("corpus/*")]
        count, arcs = grow(target, TARGETS[target], found)
        print(f"{target}: {count} of {len(found)} reach all {arcs} ways through the gateway's code")
