"""A control plane and a gateway as processes of their own, that a test kills and starts; engines stay the test's."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from support.controlplane import ControlPlane
from support.free_ports import free_port
from support.gateway import endpoint_set, model_deployment
from support.plain_http import NOBODY
from support.until import until


@dataclass
class Serving:
    """A project, served by one gateway."""

    plane: ControlPlane
    folder: Path
    project: str = "default"
    port: int = field(default_factory=free_port)
    admin_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    program: tuple[str, ...] = ("mizzen_gateway",)
    """Modules after `python -m`, with arguments."""

    @property
    def url(self) -> str:
        """Where callers go."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What the gateway has logged."""
        return (self.folder / "gateway.log").read_text()

    async def start(self, **environment: str) -> None:
        """Start the gateway and wait until it is ready."""
        self.launch(**environment)
        await until(lambda: self._ready(), 60, every=0.05)

    def launch(self, **environment: str) -> None:
        """Start the gateway."""
        variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith("MIZZEN_")},
            "MIZZEN_CONTROLPLANE_URL": self.plane.url,
            "MIZZEN_TOKEN_FILE": str(self.plane.secrets_dir / "gateway"),
            "MIZZEN_PEPPER_FILE": str(self.plane.secrets_dir / "pepper"),
            "MIZZEN_DATA_DIR": str(self.folder / "gateway"),
            "MIZZEN_GATEWAY_NAME": "gw-test",
            "MIZZEN_PORT": str(self.port),
            "MIZZEN_ADMIN_PORT": str(self.admin_port),
            **environment,
        }
        with (self.folder / "gateway.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.program], env=variables, stdout=log, stderr=log
            )

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop the gateway: SIGTERM drains, SIGKILL is a crash."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def metric(self, name: str) -> float:
        """Value of a metric without labels."""
        text = httpx.get(f"http://127.0.0.1:{self.admin_port}/metrics", trust_env=False, verify=NOBODY).text
        [value] = [line.split()[-1] for line in text.splitlines() if line.startswith(name + " ")]
        return float(value)

    def serve(self, name: str, address: tuple[str, int]) -> None:
        """Put a deployment and its one endpoint into the store, as the runner does."""
        with self.plane.client("runner") as client:
            documents = model_deployment(name, self.project), endpoint_set(name, address, namespace=self.project)
            for document in documents:
                path = f"/internal/v1/objects/{document['kind']}/{self.project}/{name}"
                answer = client.put(path, params={"field_manager": "test"}, json=document)
                assert answer.status_code < 300, answer.text

    def make(self, path: str, **body: Any) -> dict[str, Any]:
        """POST as the administrator."""
        with self.plane.client() as client:
            answer = client.post(f"/api/v1/{path}", json=body)
        assert answer.status_code < 300, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def new_key(self, name: str = "caller") -> str:
        """The text of a new key."""
        made = self.make(f"projects/{self.project}/keys", name=name)
        return next(value for value in made.values() if isinstance(value, str) and value.startswith("mzk_"))

    def rows(self) -> list[dict[str, Any]]:
        """Every request in the ledger."""
        found: list[dict[str, Any]] = []
        token = ""
        with self.plane.client() as client:
            while True:
                asked = {"page_size": "500", **({"page_token": token} if token else {})}
                page = client.get(f"/api/v1/projects/{self.project}/requests", params=asked).json()
                found += page["items"]
                token = page.get("next_page_token") or ""
                if not token:
                    return found

    def _ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        try:
            url = f"http://127.0.0.1:{self.admin_port}/readyz"
            return httpx.get(url, trust_env=False, verify=NOBODY).status_code == 200
        except httpx.TransportError:
            return False
