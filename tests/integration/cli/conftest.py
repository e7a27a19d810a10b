"""One control plane for each worker, and a shell whose context file leads to it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.command_line import CommandLine, command_line
from support.controlplane import ControlPlane, sqlite_controlplane


@pytest.fixture(scope="session")
def controlplane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane."""
    with sqlite_controlplane(tmp_path_factory.mktemp("cp")) as plane:
        yield plane


@pytest.fixture(autouse=True)
def nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """No operator runs here: commands do not wait long for its look."""
    monkeypatch.setattr("mizzen_cli.commands.deployments.OBSERVED_SECONDS", 0.2)


@pytest.fixture
def mizzen(controlplane: ControlPlane, tmp_path: Path) -> CommandLine:
    """A shell with a project of its own, and no gateway."""
    shell = command_line(tmp_path, controlplane.url, "http://127.0.0.1:9", controlplane.tokens["admin"])
    return replace(shell, variables={**shell.variables, "MIZZEN_PROJECT": controlplane.new_project()})
