"""What hinders a start is said in one sentence with the remedy, and the exit code is 2."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.controlplane import ControlPlane


def refused(plane: ControlPlane, **environment: str) -> str:
    started = subprocess.run(
        [sys.executable, "-m", "mizzen_controlplane"], env={**plane.variables(), **environment},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert started.returncode == 2, started.stderr
    assert len(started.stderr.strip().splitlines()) == 1, started.stderr
    return started.stderr


@pytest.fixture
def unstarted(tmp_path: Path) -> ControlPlane:
    return ControlPlane(tmp_path, f"sqlite+aiosqlite:///{tmp_path / 'controlplane.db'}")


def test_a_port_in_use_is_named_with_the_remedy(unstarted: ControlPlane) -> None:
    with socket.create_server(("127.0.0.1", unstarted.port)):
        said = refused(unstarted)
    assert f"Port {unstarted.port} on 127.0.0.1 is already in use" in said
    assert "MIZZEN_PORT" in said


def test_a_data_folder_that_cannot_be_written_is_named(unstarted: ControlPlane, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    said = refused(unstarted, MIZZEN_DATA_DIR=str(tmp_path / "file" / "data"))
    assert "data folder" in said
    assert "MIZZEN_DATA_DIR" in said


@pytest.mark.parametrize(
    ("variable", "value", "part"),
    [
        ("MIZZEN_SECRETS_DIR", "/nowhere", "/nowhere/admin cannot be read"),
        ("MIZZEN_PORT", "http", "MIZZEN_PORT is 'http'"),
        ("MIZZEN_CURRENCY", "euro", "ISO 4217"),
    ],
)
def test_a_wrong_variable_is_named(unstarted: ControlPlane, variable: str, value: str, part: str) -> None:
    assert part in refused(unstarted, **{variable: value})


def test_sigterm_ends_open_feeds_and_then_the_process(unstarted: ControlPlane) -> None:
    with unstarted as plane, plane.client("gateway") as gateway:
        assert plane.process is not None
        with gateway.stream("GET", "/internal/v1/access/watch", params={"after": 0}) as feed:
            lines = feed.iter_lines()
            assert "SNAPSHOT" in next(lines)
            os.kill(plane.process.pid, signal.SIGTERM)
            for line in lines:
                assert "type" in line
        assert plane.process.wait(20) in (0, -signal.SIGTERM)
        assert "Traceback" not in plane.log
        assert "Cancel" not in plane.log
