"""Environments of engines: made once, whole or not at all, and a remedy where the package index is out of reach."""

import asyncio
import subprocess
import zipfile
from pathlib import Path

import pytest
from mizzen_cli.local.environments import EnvironmentMissingError, Environments
from mizzen_crds.v1alpha1.serving_runtime import LocalEnvironment

METADATA = "Metadata-Version: 2.1\nName: tiny-engine\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
PREPARE = "import os, pathlib; pathlib.Path(os.environ['MIZZEN_ENVIRONMENT_DIR'], 'prepared').write_text('yes')"


def tiny_engine(folder: Path) -> LocalEnvironment:
    """A runtime's section whose package is a wheel on this disk, with a command."""
    wheel = folder / "tiny_engine-1.0-py3-none-any.whl"
    info = "tiny_engine-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny_engine.py", "def main(): print('tiny engine')\n")
        archive.writestr(f"{info}/METADATA", METADATA)
        archive.writestr(f"{info}/WHEEL", WHEEL)
        archive.writestr(f"{info}/entry_points.txt", "[console_scripts]\ntiny-engine = tiny_engine:main\n")
        archive.writestr(f"{info}/RECORD", "")
    return LocalEnvironment(packages=[f"tiny-engine @ file://{wheel}"], prepare=["python", "-c", PREPARE])


def output_of(command: Path) -> str:
    """What a command prints."""
    return subprocess.run([command], capture_output=True, text=True, check=True).stdout


async def test_two_makers_make_one_environment_whose_commands_run_after_its_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    local = tiny_engine(tmp_path)
    lines: list[str] = []
    makers = [Environments(tmp_path / "cache") for _ in range(2)]
    paths = await asyncio.gather(*(each.make("tiny", local, lines.append) for each in makers))
    assert paths[0] == paths[1]
    assert sum(line.startswith("making") for line in lines) == 1
    assert (paths[0] / "prepared").read_text() == "yes"
    assert output_of(paths[0] / "bin" / "tiny-engine") == "tiny engine\n"


async def test_without_an_index_the_remedy_is_named_and_nothing_half_made_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    local = LocalEnvironment(packages=["numpy==2.0.0"])
    environments = Environments(tmp_path / "cache")
    with pytest.raises(EnvironmentMissingError, match=r"UV_INDEX_URL.*mizzen engines install tiny"):
        await environments.make("tiny", local, lambda _: None)
    assert not environments.ready(local)
