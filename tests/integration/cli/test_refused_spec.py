"""A spec that the operator refuses: `mizzen apply` says so at once, and never with what was said of an older spec."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from mizzen_cli.errors import ExitCode
from support.command_line import CommandLine
from support.controlplane import ControlPlane
from support.until import until

MANIFEST = """
apiVersion: mizzen.dev/v1alpha1
kind: ModelDeployment
metadata: {name: chat}
spec:
  model: {uri: "hf://simulated/chat"}
  engine: {type: Simulated, args: [%s]}
"""
REFUSED = ("False", "ArgNotAllowed", "spec.engine.args[0]: --%s is not allowed.")
WORKS = ("True", "Available", "1 of 1 replica is ready.")


@dataclass(frozen=True)
class Operator:
    """Who writes the status of `chat`, when a test says so."""

    client: httpx.Client
    project: str

    def _path(self) -> str:
        return f"/internal/v1/objects/ModelDeployment/{self.project}/chat"

    def _generation(self) -> int:
        found = self.client.get(self._path())
        return int(found.json()["metadata"]["generation"]) if found.status_code == 200 else 0

    def say(self, generation: int, ready: tuple[str, str, str]) -> None:
        """Look at the spec of that generation, once it is there."""
        asyncio.run(until(lambda: self._generation() >= generation, 20))
        status, reason, message = ready
        said: list[dict[str, Any]] = [{"type": "Ready", "status": status}]
        if status == "False":
            said.append({"type": "Stalled", "status": "True"})
        when = {"lastTransitionTime": "2030-01-01T00:00:00Z", "observedGeneration": generation}
        conditions = [{**one, **when, "reason": reason, "message": message} for one in said]
        body = {
            "uid": self.client.get(self._path()).json()["metadata"]["uid"],
            "status": {"observedGeneration": generation, "conditions": conditions},
        }
        self.client.put(f"{self._path()}/status", json=body).raise_for_status()


@pytest.fixture
def operator(controlplane: ControlPlane, mizzen: CommandLine) -> Iterator[Operator]:
    """The operator of the shell's project."""
    with controlplane.client("runner") as client:
        yield Operator(client, mizzen.variables["MIZZEN_PROJECT"])


@contextmanager
def meanwhile(operator: Operator, generation: int, ready: tuple[str, str, str]) -> Iterator[None]:
    """The operator looks at the spec while a command runs."""
    with ThreadPoolExecutor(1) as thread:
        said = thread.submit(operator.say, generation, ready)
        yield
        said.result()


def refused(argument: str) -> tuple[str, str, str]:
    """Such a refusal."""
    status, reason, message = REFUSED
    return status, reason, message % argument


@pytest.mark.parametrize("wait", ["--wait", "--no-wait"])
def test_a_spec_that_is_refused_ends_apply_with_the_reason(mizzen: CommandLine, operator: Operator, wait: str) -> None:
    mizzen("apply", "-f", "-", "--timeout", 0, stdin=MANIFEST % "")
    operator.say(1, WORKS)
    with meanwhile(operator, 2, refused("nonsense")):
        said = mizzen("apply", "-f", "-", wait, stdin=MANIFEST % "--nonsense", code=ExitCode.REFUSED)
    assert "chat: ArgNotAllowed: spec.engine.args[0]: --nonsense is not allowed." in said.err
    assert "Available" not in said.err + said.out


@pytest.mark.parametrize("wait", ["--wait", "--no-wait"])
def test_a_spec_that_mends_a_refused_one_is_not_held_against_the_old_refusal(
    mizzen: CommandLine, operator: Operator, wait: str
) -> None:
    mizzen("apply", "-f", "-", "--timeout", 0, stdin=MANIFEST % "--nonsense")
    operator.say(1, refused("nonsense"))
    with meanwhile(operator, 2, WORKS):
        said = mizzen("apply", "-f", "-", wait, stdin=MANIFEST % "")
    assert said.out.splitlines()[1].split()[:3] == ["chat", "True", "Available"]
    assert "ArgNotAllowed" not in said.err


def test_a_spec_that_nobody_looks_at_is_said_to_be_so(mizzen: CommandLine) -> None:
    said = mizzen("apply", "-f", "-", "--timeout", 0, stdin=MANIFEST % "")
    assert "chat: not looked at yet" in said.err
