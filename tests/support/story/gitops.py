"""A Git repository that the engine of Argo CD applies: commits are pushed to a bare one, the agent has a checkout."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from cluster.build import built
from support.cluster.objects import Object, wait_until
from support.cluster.process import Process
from support.cluster.real_node.node import Node

_PERSON = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.com", "-c", "commit.gpgsign=false")
_PORT = 9001
_RESYNC_SECONDS = 3
_SYNCED = "RESOURCE"
"""Begins the table that the agent prints after each sync."""


@dataclass(frozen=True)
class Repository:
    """A person's clone, the bare repository between, and the checkout that is applied."""

    folder: Path

    def commit(self, **manifests: Object | None) -> None:
        """Commit and push files of these names; None removes one. Then the checkout follows, as a webhook makes it."""
        for name, manifest in manifests.items():
            file = self.folder / "mine" / "deploy" / f"{name}.yaml"
            if manifest is None:
                file.unlink()
            else:
                file.parent.mkdir(exist_ok=True)
                file.write_text(yaml.safe_dump(manifest))
        self._git("mine", "add", "--all")
        self._git("mine", *_PERSON, "commit", "--message", f"change {', '.join(manifests)}")
        self._git("mine", "push", "--quiet", "origin", "HEAD:main")
        self._git("applied", "pull", "--quiet", "origin", "main")

    def prepare(self) -> None:
        """Make all three."""
        self._git("", "init", "--quiet", "--bare", "--initial-branch=main", "origin.git")
        for clone in ("mine", "applied"):
            self._git("", "clone", "--quiet", "origin.git", clone)

    def _git(self, where: str, *command: str) -> None:
        done = subprocess.run(["git", *command], cwd=self.folder / where, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"git {' '.join(command)}: {done.stderr}"


@dataclass(frozen=True)
class Agent:
    """Argo CD's engine, which looks every few seconds, prunes and reverts."""

    process: Process

    def syncs(self) -> int:
        """How often it has held the cluster to the repository."""
        return self.process.log.read_text().count(f"\n{_SYNCED}")

    def wait_syncs(self, more: int) -> None:
        """Return once it has done so that many times again."""
        before = self.syncs()
        wait_until(lambda: self.syncs() >= before + more, 120, lambda: self.process.last_lines(40))


@contextmanager
def agent(node: Node, repository: Repository, namespace: str) -> Iterator[Agent]:
    """It runs inside the node, since it listens on every address that it finds."""
    command = [str(built("agent")["agent"]), str(repository.folder / "applied"), "--path", "deploy"]
    command += ["--kubeconfig", str(node.cluster.kubeconfig), "--default-namespace", namespace, "--namespaced"]
    command += ["--port", str(_PORT), "--resync-seconds", str(_RESYNC_SECONDS)]
    process = node.inside.program("agent", command)
    process.start()
    try:
        yield Agent(process)
    finally:
        process.kill()


def managers(manifest: Object) -> str:
    """Who wrote what of an object, for a failed assertion."""
    return json.dumps([(each["manager"], each["operation"]) for each in manifest["metadata"].get("managedFields", [])])
