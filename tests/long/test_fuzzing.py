"""Ten minutes of fuzzing, led by what the code does: no bytes crash an edge of the gateway or break its promise."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.fuzz_targets import TARGETS

SECONDS = int(os.environ.get("MIZZEN_FUZZ_SECONDS", "600")) // len(TARGETS)
FUZZER = "atheris>=2.3,<4"
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("target", TARGETS)
def test_no_bytes_are_found_that_break_a_promise(target: str, tmp_path: Path) -> None:
    uv = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
    words = [uv, "run", "--frozen", "--no-sync", "--with", FUZZER, "python", "-m", "support.fuzz"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])}
    run = subprocess.run(
        [*words, target, str(SECONDS), str(tmp_path)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    found = {path.name: path.read_bytes() for path in tmp_path.glob("*-*") if path.is_file()}
    print("\n".join(line for line in run.stderr.splitlines() if line.startswith("stat::number_of_executed")))
    assert found == {}, run.stderr[-3000:]
    assert run.returncode == 0, run.stderr[-3000:]
