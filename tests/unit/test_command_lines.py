"""What the programs say to a command line: they help, tell their version, and start for nothing else."""

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

DOCUMENTS = {
    "operator": "docs/reference/operator-settings.md",
    "controlplane": "docs/reference/between-programs.md",
    "gateway": "docs/reference/gateway.md",
}
ROOT = Path(__file__).parents[2]


def start(program: str, argument: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The program with one argument, and an environment in which it could not serve."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "COLUMNS": "200"}
    command = [sys.executable, "-m", f"mizzen_{program}", argument]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("program", DOCUMENTS)
def test_help_says_what_it_is_and_where_its_settings_are_listed(program: str, tmp_path: Path) -> None:
    ended = start(program, "--help", tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"python -m mizzen_{program}" in ended.stdout
    assert "of Mizzen: " in ended.stdout
    assert f"set by environment variables: {DOCUMENTS[program]} lists them" in ended.stdout
    assert re.search("`MIZZEN_[A-Z_]+`", (ROOT / DOCUMENTS[program]).read_text())


@pytest.mark.parametrize("program", DOCUMENTS)
def test_the_version_is_that_of_the_package(program: str, tmp_path: Path) -> None:
    ended = start(program, "--version", tmp_path)
    name = f"mizzen-{program}"
    assert (ended.returncode, ended.stdout) == (0, f"{name} {version(name)}\n")


@pytest.mark.parametrize("program", DOCUMENTS)
def test_an_argument_that_it_does_not_know_is_refused(program: str, tmp_path: Path) -> None:
    ended = start(program, "--port=1", tmp_path)
    assert ended.returncode == 2
    assert "--port=1" in ended.stderr
