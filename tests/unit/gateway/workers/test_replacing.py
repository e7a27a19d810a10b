"""Fresh workers that do not take over: the log says whether they ended, or were given up."""

import os
import socket
import sys

import pytest
from mizzen_gateway.workers import supervisor, worker
from mizzen_gateway.workers.supervisor import Supervisor
from structlog.testing import capture_logs


async def failed_replacement() -> dict[str, object]:
    """What is logged of it."""
    with socket.create_server(("127.0.0.1", 0)) as listener, capture_logs() as lines:
        replacing = Supervisor([listener], drain_seconds=0.0)
        await replacing.reload()
    assert (replacing.reloads, replacing.workers) == (0, [])
    (said,) = [line for line in lines if line["log_level"] == "error"]
    return dict(said)


async def test_of_a_fresh_worker_that_ended_its_code_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "MAIN", "mizzen_gateway.nothing_of_that_name")
    said = await failed_replacement()
    assert said["event"] == "a fresh worker ended before it was ready; the old ones stay"
    assert said["codes"] == [1]
    assert float(str(said["seconds"])) < supervisor.READY_SECONDS


async def test_fresh_workers_that_say_nothing_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "MAIN", "support.silent_program")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.setattr(supervisor, "READY_SECONDS", 0.1)
    said = await failed_replacement()
    assert said["event"] == "fresh workers did not become ready in time; the old ones stay"
