"""A machine that is not as Mizzen needs it: one sentence with the remedy, and nothing half started."""

import multiprocessing
import os
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from mizzen_cli.errors import CommandError, ExitCode
from mizzen_cli.local.data_folder import open_data_folder
from mizzen_cli.local.json_file import read_json, write_json
from mizzen_cli.local.lifecycle import UpOptions, up
from support import doubling_model
from support.installation import Installation

NOBODY = 65534


def mizzen(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mizzen_cli.main", *arguments],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def up_as_nobody(folder: Path, said: Connection) -> None:
    """In a process of its own. Root may write everywhere, so it becomes somebody else first."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    try:
        up(UpOptions(folder / "data", timeout_seconds=5.0, context_file=folder / "config.yaml"), lambda _: None)
        said.send((0, "it started"))
    except CommandError as error:
        said.send((int(error.code), str(error)))


def test_a_data_folder_that_another_user_owns_is_refused_with_the_remedy(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=up_as_nobody, args=(tmp_path, there))
    child.start()
    code, sentence = here.recv() if here.poll(30) else (None, "no answer")
    child.join(10)
    tmp_path.chmod(0o755)
    assert code == ExitCode.USAGE
    assert f"data folder {tmp_path / 'data'} cannot be written (Permission denied" in sentence
    assert "--data-dir" in sentence
    assert not list(tmp_path.iterdir())


def test_the_command_refuses_a_data_folder_of_a_newer_version_and_touches_nothing(tmp_path: Path) -> None:
    open_data_folder(tmp_path / "data", create=True)
    marker = tmp_path / "data" / "mizzen.json"
    write_json(marker, {**read_json(marker), "layout": 99})
    before = sorted(tmp_path.rglob("*"))
    done = mizzen("up", "--data-dir", str(tmp_path / "data"), MIZZEN_CONFIG=str(tmp_path / "config.yaml"))
    assert done.returncode == ExitCode.USAGE
    assert "layout version 99" in done.stderr
    assert "--data-dir" in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_without_a_way_to_the_package_index_the_deployment_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = {
        "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
        "UV_HTTP_RETRIES": "0",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    for name in [name for name in os.environ if name.startswith("UV_")]:
        monkeypatch.delenv(name)
    for name, value in nowhere.items():
        monkeypatch.setenv(name, value)
    installation = Installation(tmp_path)
    try:
        installation.up()
        doubling_model.push_version(installation, "champion", "one")
        doubling_model.deploy(installation, "champion")

        def told() -> bool:
            condition = installation.condition(doubling_model.MODEL, "WorkloadAvailable")
            return condition.get("reason") == "EnvironmentMissing" and "mizzen engines install" in condition["message"]

        installation.wait(told, "the missing environment as a condition")
        message = installation.condition(doubling_model.MODEL, "WorkloadAvailable")["message"]
        assert "UV_DEFAULT_INDEX" in message
        assert installation.all_ready()
        by_hand = mizzen("engines", "install", "triton")
        assert by_hand.returncode == 1
        assert "could not be made" in by_hand.stderr
        assert "mizzen engines install triton" in by_hand.stderr
        assert "Traceback" not in by_hand.stderr
    finally:
        installation.close()
