"""A whole installation on this machine, in a folder and on ports of its own, and simulated deployments in it."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from mizzen_cli.context import Context, read_context
from mizzen_cli.local.data_folder import DataFolder, open_data_folder
from mizzen_cli.local.lifecycle import UpOptions, UpResult, down, status, up
from mizzen_cli.local.pod.sandbox import FOLDER_MARKER
from mizzen_cli.local.pod.sandboxes import Sandboxes, SeenPod, kill_marked
from mizzen_cli.local.ports import Ports, free_port
from mizzen_cli.local.process_identity import marked_processes
from mizzen_cli.local.supervisor_state import read_ports, read_state, write_ports
from support.plain_http import NOBODY

READY_SECONDS = 45.0


class Installation:
    """`mizzen up` for tests. `close` leaves nothing, whatever the test did."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.context_file = root / "config.yaml"
        numbers: set[int] = set()
        while len(numbers) < 4:
            numbers.add(free_port(numbers))
        self._ports = Ports(*numbers)
        self.options = UpOptions(
            root / "data", self._ports.controlplane, self._ports.gateway, context_file=self.context_file
        )

    def up(self) -> UpResult:
        """Start, or adopt. The internal ports too are its own, as other tests have installations at the same time."""
        folder = open_data_folder(self.options.data_dir, create=True)
        assert folder is not None, "created"
        if read_ports(folder) is None:
            write_ports(folder, self._ports)
        return up(self.options, lambda _: None)

    def down(self) -> bool:
        """Stop everything."""
        return down(self.options.data_dir, lambda _: None)

    def close(self) -> None:
        """Stop everything, by force where it has to be."""
        try:
            self.down()
        finally:
            kill_marked(FOLDER_MARKER, self.folder.id)

    @property
    def folder(self) -> DataFolder:
        """The data folder."""
        folder = open_data_folder(self.options.data_dir)
        assert folder is not None
        return folder

    @property
    def context(self) -> Context:
        """Where to reach it."""
        context = read_context(self.context_file)
        assert context is not None
        return context

    def api(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One call of the REST API as the administrator."""
        headers = {"Authorization": f"Bearer {self.context.token}"}
        url = self.context.controlplane_url
        with httpx.Client(base_url=url, headers=headers, trust_env=False, verify=NOBODY) as client:
            return client.request(method, f"/api/v1/projects/default/{path}", **options)

    def deploy(self, name: str, *args: str, replicas: int = 1, **spec: Any) -> None:
        """Apply a deployment of the simulated engine."""
        engine = {"type": "Simulated", "args": list(args)}
        manifest = {
            "apiVersion": "mizzen.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {"name": name},
            "spec": {
                "model": {"uri": f"hf://simulated/{name}"},
                "engine": engine,
                "replicas": replicas,
                "lifecycle": {"drainSeconds": 0},
                **spec,
            },
        }
        answer = self.api("PUT", f"deployments/{name}", json=manifest)
        assert answer.status_code < 300, answer.text

    def deployment(self, name: str) -> dict[str, Any]:
        """A deployment's manifest with its status; empty where it is gone."""
        answer = self.api("GET", f"deployments/{name}")
        return dict(answer.json()["manifest"]) if answer.status_code == 200 else {}

    def condition(self, name: str, kind: str) -> dict[str, Any]:
        """One condition of a deployment."""
        every = self.deployment(name).get("status", {}).get("conditions", [])
        return next((each for each in every if each["type"] == kind), {})

    def reasons(self, name: str) -> set[str]:
        """Reasons of all conditions of a deployment."""
        return {each["reason"] for each in self.deployment(name).get("status", {}).get("conditions", [])}

    def ready(self, name: str) -> bool:
        """The deployment is ready, for its present spec."""
        manifest = self.deployment(name)
        current = manifest["status"].get("observedGeneration") == manifest["metadata"]["generation"]
        return current and self.condition(name, "Ready").get("status") == "True"

    def pods(self, name: str) -> list[SeenPod]:
        """Pods of a deployment."""
        every = Sandboxes(self.folder.pods, self.folder.logs / "pods").seen()
        return [each for each in every if each.pod.labels.get("mizzen.dev/deployment") == name]

    def ready_pods(self, name: str) -> list[SeenPod]:
        """Those that are ready and whose shim lives."""
        return [each for each in self.pods(name) if each.state and each.state.ready and not each.lost]

    def pid(self, program: str) -> int:
        """Number of a running program."""
        process = read_state(self.folder).program(program).process
        assert process is not None
        return process.pid

    def all_ready(self) -> bool:
        """Every program answers."""
        seen = status(self.options.data_dir)
        return seen is not None and seen.ready

    def processes(self) -> set[int]:
        """Every process that the installation started."""
        return {each.pid for each in marked_processes(FOLDER_MARKER, self.folder.id)}

    def wait(self, holds: Callable[[], Any], what: str, seconds: float = READY_SECONDS) -> Any:
        """Wait for a condition; tells the ends of the logs when it does not come."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if value := holds():
                    return value
            except (httpx.TransportError, KeyError):
                pass
            _pause()
        self.tell()
        raise AssertionError(f"{what}: not within {seconds} s")

    def tell(self) -> None:
        """Print the ends of the logs."""
        for log in sorted(self.folder.logs.glob("*.log")):
            sys.stderr.write(f"== {log.name}\n{os.linesep.join(log.read_text().splitlines()[-15:])}\n")


def _pause() -> None:
    time.sleep(0.05)
