"""Builders of pod manifests whose containers are small real programs, and waiting for what a shim reports."""

import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mizzen_cli.local.pod.sandbox import PodSettings
from mizzen_cli.local.pod.sandboxes import Sandboxes, SeenPod
from mizzen_cli.local.pod.state import PodState

SERVER = """
import http.server, os, pathlib, signal, sys
folder = pathlib.Path(os.environ["SWITCH_DIR"])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if (folder / self.path.strip("/")).exists() else 200)
        self.end_headers()
        self.wfile.write(os.environ.get("ANSWER", "ok").encode())
    def log_message(self, *args): pass
print("serving", flush=True)
if os.environ.get("IGNORE_TERM"): signal.signal(signal.SIGTERM, signal.SIG_IGN)
http.server.ThreadingHTTPServer((os.environ["POD_IP"], int(os.environ["HTTP_PORT"])), Handler).serve_forever()
"""
"""Answers 200 on every path, 503 on those that a file of that name in SWITCH_DIR turns off."""


def python_container(name: str, program: str, *, env: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    """A container that runs a Python program."""
    variables = [
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        *({"name": key, "value": value} for key, value in (env or {}).items()),
    ]
    mounts = [{"name": "switch", "mountPath": "/switch"}]
    command = [sys.executable, "-c", program]
    return {"name": name, "image": "test", "command": command, "env": variables, "volumeMounts": mounts, **fields}


def server_container(*, port: int = 8000, env: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    """A web server with quick probes."""
    probe = {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 0.05, "failureThreshold": 2}
    body = python_container(
        "server", SERVER, env={"HTTP_PORT": str(port), "SWITCH_DIR": "/switch", **(env or {})}, readinessProbe=probe
    )
    startup = {"httpGet": {"path": "/started", "port": "http"}, "periodSeconds": 0.05, "failureThreshold": 400}
    return body | {"ports": [{"name": "http", "containerPort": port}], "startupProbe": startup} | fields


def pod_manifest(
    *containers: dict[str, Any], init: tuple[dict[str, Any], ...] = (), grace: float = 5, name: str = "pod-a"
) -> dict[str, Any]:
    """A pod in namespace `default` with one folder, `switch`."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": uuid.uuid4().hex, "labels": {"app": "test"}},
        "spec": {
            "initContainers": list(init),
            "containers": list(containers),
            "volumes": [{"name": "switch", "emptyDir": {}}],
            "terminationGracePeriodSeconds": grace,
        },
    }


class PodBench:
    """Starts pods in a folder of its own and looks at them; `close` leaves no process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder_id = uuid.uuid4().hex
        self.token = root / "registry-token"
        self.token.write_text("mzt_registry_secret")
        self.sandboxes = Sandboxes(root / "pods", root / "kept")

    def start(self, manifest: dict[str, Any], **settings: Any) -> str:
        """Start a pod; returns its name."""
        values: dict[str, Any] = {"backoff_seconds": 0.1, "backoff_limit_seconds": 0.4, **settings}
        pod_settings = PodSettings(self.folder_id, str(self.root / "claims"), str(self.token), **values)
        self.sandboxes.launch(self.sandboxes.create(manifest, pod_settings))
        return str(manifest["metadata"]["name"])

    def seen(self, name: str = "pod-a") -> SeenPod:
        """The pod as it is seen now."""
        return next(each for each in self.sandboxes.seen() if each.pod.name == name)

    def wait(self, holds: Callable[[PodState], Any], name: str = "pod-a", seconds: float = 20) -> PodState:
        """Wait until the pod's state fulfils a condition."""
        state: PodState | None = None
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            state = self.seen(name).state
            if state and holds(state):
                return state
            _pause()
        log = self.sandboxes.sandbox("default", name).log("shim").read_text()
        raise AssertionError(f"not within {seconds} s; last seen: {state}; shim: {log}")

    def log(self, container: str, name: str = "pod-a") -> str:
        """A container's log."""
        return self.sandboxes.sandbox("default", name).log(container).read_text()

    def switch(self, path: str, *, off: bool, name: str = "pod-a") -> None:
        """Turn a path of the pod's server off or on."""
        file = self.sandboxes.sandbox("default", name).volume("switch") / path
        if off:
            file.touch()
        else:
            file.unlink()

    def stop(self, name: str = "pod-a") -> PodState:
        """End the pod gracefully and wait for it."""
        self.sandboxes.ask_to_stop(self.seen(name))
        return self.wait(lambda state: state.finished, name)

    def close(self) -> None:
        """Kill all that was started."""
        from mizzen_cli.local.pod.sandbox import FOLDER_MARKER
        from mizzen_cli.local.pod.sandboxes import kill_marked

        kill_marked(FOLDER_MARKER, self.folder_id)


def wait_until(holds: Callable[[], Any], seconds: float = 20, what: str = "the condition") -> Any:
    """Wait until a condition holds and return what it returned."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := holds():
            return value
        _pause()
    raise AssertionError(f"{what} did not hold within {seconds} s")


def _pause() -> None:
    time.sleep(0.02)
