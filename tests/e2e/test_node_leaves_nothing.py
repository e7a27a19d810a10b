"""However a run ends, nothing of its node stays: no process, mount, link, control group, firewall rule or file."""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from support.cluster.objects import wait_until
from support.cluster.real_node import cgroups, removal
from support.cluster.real_node.node import Node
from support.cluster.real_node.record import PREFIX

_ROOT = Path(__file__).resolve().parents[2]
_ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{_ROOT / 'tests'}:{_ROOT / 'tools'}"}
_SECONDS = 120
_RUN = """
import json, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job is started deaf to it
from support.cluster.real_node.node import start_node
from support.cluster.real_node.pods import web
with start_node() as node:
    node.objects.create(web("server", "hello"))
    node.wait_running("server")
    print(json.dumps([node.name, str(node.cluster.folder.path)]), flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True)
class Run:
    """Another process that runs a node with a pod."""

    process: subprocess.Popen[str]
    name: str
    cluster: Path

    def kill(self) -> None:
        """`kill -9`."""
        self.process.kill()
        self.process.wait()

    def kill_with_guardian(self) -> None:
        """Both, so that nobody is left who would clean up."""
        for guardian in self.guardians():
            guardian.kill()
        self.kill()

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(_SECONDS)

    def guardians(self) -> list[psutil.Process]:
        """Whoever waits for its end."""
        own = psutil.Process(self.process.pid).children()
        return [each for each in own if each.cmdline()[-1:] == [self.name]]

    def left(self) -> list[str]:
        """What is still there."""
        folder = [f"folder {self.cluster}"] if self.cluster.exists() else []
        return [*removal.leftovers(self.name, self.cluster.name), *folder]


@contextmanager
def _another_run() -> Iterator[Run]:
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_ENVIRONMENT
    )
    assert process.stdin
    assert process.stdout
    try:
        name, cluster = json.loads(process.stdout.readline())
        yield Run(process, name, Path(cluster))
    finally:
        process.stdin.close()
        process.wait(_SECONDS)
        process.stdout.close()


def _down() -> subprocess.CompletedProcess[str]:
    """What `make e2e-down` runs."""
    command = [sys.executable, "-m", "support.cluster.real_node.removal"]
    alone = {**os.environ, "PYTHONPATH": str(_ROOT / "tests")}
    return subprocess.run(command, capture_output=True, text=True, env=alone, check=False)


@pytest.mark.parametrize("end", [Run.interrupt, Run.kill], ids=["ctrl-c", "kill -9"])
def test_a_run_that_ends_at_once_leaves_nothing(end: Callable[[Run], None]) -> None:
    rules, forwards = removal.firewall(), removal.forwards()
    with _another_run() as run:
        assert any("containerd" in line for line in run.left())
        end(run)
        wait_until(lambda: not run.left(), _SECONDS, lambda: "\n".join(run.left()))
    assert removal.firewall() == rules
    assert removal.forwards() == forwards


def _kinds(lines: list[str]) -> set[str]:
    return {line.split(" ")[0] for line in lines}


def test_the_kernel_ends_all_but_files_and_groups_and_down_removes_those() -> None:
    with _another_run() as run:
        run.kill_with_guardian()
        wait_until(lambda: _kinds(run.left()) == {"control", "folder"}, _SECONDS, lambda: "\n".join(run.left()))
        done = _down()
        assert f"{run.name}: removed" in done.stdout
        assert not run.left(), done.stdout


def test_down_finds_what_lost_its_record() -> None:
    name = f"{PREFIX}{secrets.token_hex(3)}"
    cgroups.make(name)
    assert _kinds(removal.leftovers(PREFIX[:-1])) >= {"control"}
    assert f"{name}: removed" in _down().stdout
    assert not removal.leftovers(name)


def test_down_leaves_a_running_node_alone_and_the_check_sees_all_its_kinds_of_things(node: Node) -> None:
    told = _down().stdout
    assert f"{node.name}: process {os.getpid()} runs it, left alone" in told
    assert node.name not in told.replace(f"{node.name}: process", "")
    assert _kinds(removal.leftovers(node.name)) == {"process", "control", "network", "folder", "mount"}
    node.wait_ready()
