"""A real gateway in the test's own event loop, started from the feeds' copies on disk: no control plane is needed."""

import hmac
import os
import secrets
import string
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import orjson
from mizzen_crds.access import AccessSnapshot, KeyAccess, ProjectAccess
from mizzen_crds.access_signature import snapshot_line
from mizzen_gateway.metering.frames import ROWS, frames
from mizzen_gateway.settings import Settings, read_settings
from mizzen_gateway.wiring import Gateway
from support.free_ports import free_port
from support.plain_http import NOBODY

PEPPER = "pepper-of-tests"
BASE32 = "abcdefghijklmnopqrstuvwxyz234567"


@dataclass(frozen=True)
class Key:
    """A key as a caller holds it, and as the snapshot has it."""

    text: str
    access: KeyAccess

    @property
    def headers(self) -> dict[str, str]:
        """What a caller sends."""
        return {"Authorization": f"Bearer {self.text}"}


def make_key(project: str = "default", models: list[str] | None = None) -> Key:
    """A key of a project whose id is `prj_<name>`."""
    name = "".join(secrets.choice(BASE32) for _ in range(20))
    secret = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(43))
    digest = hmac.new(PEPPER.encode(), secret.encode(), "sha256").hexdigest()
    access = KeyAccess(id=f"key_{name}", digest=digest, project_id=f"prj_{project}", models=models)
    return Key(f"mzk_{name}_{secret}", access)


def make_snapshot(keys: list[Key], projects: tuple[str, ...] = ("default",), **fields: Any) -> AccessSnapshot:
    """A snapshot without limits, budgets and prices, unless given."""
    filled = {"limits": [], "budgets": [], "prices": [], **fields}
    return AccessSnapshot(
        version=1,
        organization_id="org_test",
        currency="EUR",
        projects=[ProjectAccess(id=f"prj_{name}", name=name, namespace=name) for name in projects],
        keys=[key.access for key in keys],
        **filled,
    )


def model_deployment(name: str, namespace: str = "default", **spec: Any) -> dict[str, Any]:
    """A ModelDeployment as the store has it."""
    filled = {"model": {"uri": "pvc://models/x"}, "engine": {"type": "Simulated"}, **spec}
    return {
        "apiVersion": "mizzen.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": filled,
    }


def endpoint_set(
    name: str,
    *addresses: tuple[str, int],
    namespace: str = "default",
    protocol: str = "OpenAI",
    engine: str = "Simulated",
    model_name: str | None = None,
    traffic: dict[str, int] | None = None,
    **endpoint: Any,
) -> dict[str, Any]:
    """Its EndpointSet: ready pods of revision r1, one for each address."""
    endpoints = [
        {"pod": f"{name}-{port}", "revision": "r1", "address": host, "port": port, "ready": True, **endpoint}
        for host, port in addresses
    ]
    return {
        "apiVersion": "mizzen.dev/v1alpha1",
        "kind": "EndpointSet",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "protocol": protocol,
            "engine": engine,
            "modelName": model_name or name,
            "endpoints": endpoints,
            "traffic": traffic or {"r1": 100},
        },
    }


@dataclass
class RunningGateway:
    """A gateway that listens."""

    gateway: Gateway
    settings: Settings

    @property
    def url(self) -> str:
        """Where callers go."""
        return f"http://127.0.0.1:{self.gateway.port}"

    @property
    def admin_url(self) -> str:
        """The port of those who run it."""
        return f"http://127.0.0.1:{self.gateway.admin_port}"

    def put(self, *documents: dict[str, Any]) -> None:
        """Change the store's objects, as the watch would."""
        for document in documents:
            self.gateway.objects.put(document)  # what a line of the watch does

    def rows(self) -> list[dict[str, Any]]:
        """Settled usage rows in the spool."""
        self.gateway.accounting.spool.flush()
        folder = self.gateway.accounting.spool.folder
        found = [record for number in folder.numbers() for record in frames(folder.read(number))]
        return [orjson.loads(record.payload) for record in found if record.kind in ROWS]


def gateway_environment(folder: Path, **more: str) -> dict[str, str]:
    """Variables of a gateway whose control plane is away."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "token").write_text("mzt_gateway_test")
    (folder / "pepper").write_text(PEPPER)
    return {
        "MIZZEN_CONTROLPLANE_URL": f"http://127.0.0.1:{free_port()}",
        "MIZZEN_TOKEN_FILE": str(folder / "token"),
        "MIZZEN_PEPPER_FILE": str(folder / "pepper"),
        "MIZZEN_DATA_DIR": str(folder / "data"),
        "MIZZEN_PORT": "0",
        "MIZZEN_ADMIN_PORT": "0",
        "MIZZEN_DRAIN_SECONDS": "1",
        **more,
    }


def write_access(data: Path, snapshot: AccessSnapshot) -> None:
    """The copy of the access feed in the gateway's data folder."""
    (data / "access.json").write_bytes(snapshot_line(PEPPER.encode(), snapshot))


def write_feeds(folder: Path, snapshot: AccessSnapshot, *documents: dict[str, Any]) -> None:
    """The copies that an earlier run would have left."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    write_access(data, snapshot)
    (data / "objects.json").write_bytes(orjson.dumps(list(documents)))


@asynccontextmanager
async def running_gateway(
    folder: Path, snapshot: AccessSnapshot, *documents: dict[str, Any], **environment: str
) -> AsyncIterator[RunningGateway]:
    """Start one; stop it at the end."""
    write_feeds(folder, snapshot, *documents)
    settings = read_settings(gateway_environment(folder, **environment))
    async with aiohttp.ClientSession() as session:
        gateway = Gateway(settings, session)
        await gateway.start()
        try:
            yield RunningGateway(gateway, settings)
        finally:
            gateway.accounting.shipper.drain = _no_ledger  # type: ignore[method-assign]  # nobody is there to ship to
            await gateway.stop()


async def _no_ledger(seconds: float) -> bool:
    return False


@contextmanager
def gateway_process(
    folder: Path, snapshot: AccessSnapshot, *documents: dict[str, Any], open_files: int = 0, **environment: str
) -> Iterator[str]:
    """A gateway as a process of its own, for clients that block; yields its URL. `open_files`: the most it may open."""
    write_feeds(folder, snapshot, *documents)
    port = free_port()
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MIZZEN_")},
        **gateway_environment(folder, MIZZEN_PORT=str(port), **environment),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*limited(open_files), sys.executable, "-m", "mizzen_gateway"], env=variables, stdout=log, stderr=log
        )
    try:
        wait_for_http(f"http://127.0.0.1:{port}/v2/health/ready", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def limited(open_files: int) -> list[str]:
    """Words before a command that bound what it may open; none for 0."""
    return ["prlimit", f"--nofile={open_files}"] if open_files else []


def wait_for_http(url: str, process: "subprocess.Popen[bytes]", seconds: float = 100.0) -> None:
    """Until `url` answers with 200."""
    deadline = time.monotonic() + seconds
    with httpx.Client(trust_env=False, verify=NOBODY) as client:
        while time.monotonic() < deadline:
            assert process.poll() is None, f"the program behind {url} ended with {process.returncode}"
            try:
                if client.get(url).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
    raise AssertionError(f"{url} did not answer in {seconds} s")
