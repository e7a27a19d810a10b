"""A gateway beside a real control plane: what both are given, and how the gateway is asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import httpx
from mizzen_gateway.settings import read_settings
from mizzen_gateway.wiring import Gateway
from support.controlplane import ControlPlane
from support.plain_http import NOBODY

ASK = {"model": "chat", "messages": [{"role": "user", "content": "hi"}]}


def put(plane: ControlPlane, document: dict[str, Any]) -> None:
    """Write an object into the store, as the runner does."""
    metadata = document["metadata"]
    path = f"/internal/v1/objects/{document['kind']}/{metadata['namespace']}/{metadata['name']}"
    with plane.client("runner") as client:
        answer = client.put(path, params={"field_manager": "test"}, json=document)
    assert answer.status_code < 300, answer.text


def drop(plane: ControlPlane, document: dict[str, Any]) -> None:
    """Delete an object of the store."""
    metadata = document["metadata"]
    with plane.client("runner") as client:
        client.delete(f"/internal/v1/objects/{document['kind']}/{metadata['namespace']}/{metadata['name']}")


def new_key(plane: ControlPlane, project: str, name: str = "test") -> tuple[str, str]:
    """Its id and its secret."""
    with plane.client() as client:
        answer = client.post(f"/api/v1/projects/{project}/keys", json={"name": name})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    return made["id"], made["secret"]


@asynccontextmanager
async def gateway_of(plane: ControlPlane, folder: Path, **environment: str) -> AsyncIterator[Gateway]:
    """A gateway that follows the control plane; its data are kept in the folder."""
    settings = read_settings(
        {
            "MIZZEN_CONTROLPLANE_URL": plane.url,
            "MIZZEN_TOKEN_FILE": str(plane.secrets_dir / "gateway"),
            "MIZZEN_PEPPER_FILE": str(plane.secrets_dir / "pepper"),
            "MIZZEN_DATA_DIR": str(folder),
            "MIZZEN_PORT": "0",
            "MIZZEN_ADMIN_PORT": "0",
            "MIZZEN_DRAIN_SECONDS": "1",
            "MIZZEN_GATEWAY_NAME": folder.name,
            **environment,
        }
    )
    async with aiohttp.ClientSession(
        headers={"authorization": f"Bearer {settings.token_file.read_text().strip()}"}
    ) as session:
        gateway = Gateway(settings, session)
        await gateway.start()
        try:
            yield gateway
        finally:
            await gateway.stop()


async def status_of(gateway: Gateway, secret: str, model: str = "chat") -> int:
    """Status of a chat request."""
    headers = {"Authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(trust_env=False, headers=headers, verify=NOBODY) as client:
        url = f"http://127.0.0.1:{gateway.port}/v1/chat/completions"
        return (await client.post(url, json={**ASK, "model": model})).status_code
