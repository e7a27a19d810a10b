"""Gateways as processes of their own, which share limits; any of them may be killed."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from mizzen_crds.access import AccessSnapshot
from support.free_ports import free_port
from support.gateway import gateway_environment, wait_for_http, write_feeds
from support.plain_http import NOBODY


@dataclass
class FleetGateway:
    """One process."""

    url: str
    admin_url: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def metric(self, name: str) -> float:
        """A sample without labels of its metrics page."""
        page = httpx.get(f"{self.admin_url}/metrics", trust_env=False, verify=NOBODY).text
        return float(next(line.split()[1] for line in page.splitlines() if line.startswith(f"{name} ")))

    def wait_for_store(self, seconds: float = 30) -> None:
        """Until its store of limits answers."""
        deadline = time.monotonic() + seconds
        while self.metric("mizzen_gateway_limits_store_up") != 1:
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)


@asynccontextmanager
async def gateway_fleet(
    folder: Path, count: int, snapshot: AccessSnapshot, *documents: dict[str, Any], **environment: str
) -> AsyncIterator[list[FleetGateway]]:
    """So many gateways, ready, each with its store of limits connected."""
    fleet: list[FleetGateway] = []
    try:
        names = [f"gateway-{number}" for number in range(count)]
        fleet += [_start(folder / name, name, snapshot, documents, environment) for name in names]
        for gateway in fleet:
            await asyncio.to_thread(wait_for_http, f"{gateway.url}/v2/health/ready", gateway.process, 60.0)
            await asyncio.to_thread(gateway.wait_for_store)
        yield fleet
    finally:
        for gateway in fleet:
            gateway.process.terminate()
        for gateway in fleet:
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(gateway.process.wait, 15)
            gateway.kill()


def _start(
    folder: Path,
    name: str,
    snapshot: AccessSnapshot,
    documents: tuple[dict[str, Any], ...],
    environment: dict[str, str],
) -> FleetGateway:
    write_feeds(folder, snapshot, *documents)
    port, admin_port = free_port(), free_port()
    mine = {"MIZZEN_PORT": str(port), "MIZZEN_ADMIN_PORT": str(admin_port), "MIZZEN_GATEWAY_NAME": name}
    variables = {
        **{key: value for key, value in os.environ.items() if not key.startswith("MIZZEN_")},
        **gateway_environment(folder, **{**mine, **environment}),
    }
    log = folder / "log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "mizzen_gateway"], env=variables, stdout=written, stderr=written
        )
    return FleetGateway(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin_port}", process, log)
