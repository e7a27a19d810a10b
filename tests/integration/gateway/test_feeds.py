"""A gateway beside a real control plane: what it learns from it, and how it goes on without it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
from mizzen_gateway.settings import read_settings
from mizzen_gateway.wiring import Gateway
from support.controlplane import ControlPlane, sqlite_controlplane
from support.gateway import endpoint_set, model_deployment
from support.scripted_engine import Exchange, completion, scripted_engine
from support.until import until

ASK = {"model": "chat", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with sqlite_controlplane(tmp_path_factory.mktemp("plane")) as found:
        yield found


def put(plane: ControlPlane, document: dict[str, Any]) -> None:
    metadata = document["metadata"]
    path = f"/internal/v1/objects/{document['kind']}/{metadata['namespace']}/{metadata['name']}"
    with plane.client("runner") as client:
        answer = client.put(path, params={"field_manager": "test"}, json=document)
    assert answer.status_code < 300, answer.text


def drop(plane: ControlPlane, document: dict[str, Any]) -> None:
    metadata = document["metadata"]
    with plane.client("runner") as client:
        client.delete(f"/internal/v1/objects/{document['kind']}/{metadata['namespace']}/{metadata['name']}")


def new_key(plane: ControlPlane, project: str) -> tuple[str, str]:
    """Its id and its secret."""
    with plane.client() as client:
        answer = client.post(f"/api/v1/projects/{project}/keys", json={"name": "test"})
    assert answer.status_code == 201, answer.text
    made = answer.json()
    return made["id"], made["secret"]


@asynccontextmanager
async def gateway_of(plane: ControlPlane, folder: Path) -> AsyncIterator[Gateway]:
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
        }
    )
    async with aiohttp.ClientSession(headers={"authorization": f"Bearer {settings.token}"}) as session:
        gateway = Gateway(settings, session)
        await gateway.start()
        try:
            yield gateway
        finally:
            await gateway.stop()


async def status_of(gateway: Gateway, secret: str) -> int:
    async with httpx.AsyncClient(trust_env=False, headers={"Authorization": f"Bearer {secret}"}) as client:
        url = f"http://127.0.0.1:{gateway.port}/v1/chat/completions"
        return (await client.post(url, json=ASK)).status_code


async def well(exchange: Exchange) -> None:
    await exchange.send_json(completion("chat"))


async def test_a_request_is_served_and_its_row_reaches_the_ledger(plane: ControlPlane, tmp_path: Path) -> None:
    project = plane.new_project()
    _, secret = new_key(plane, project)
    async with scripted_engine(well) as engine, gateway_of(plane, tmp_path / "gw-ledger") as gateway:
        put(plane, model_deployment("chat", project))
        put(plane, endpoint_set("chat", engine.address, namespace=project))
        await until(lambda: gateway.why_not_ready() is None)
        await until(lambda: (project, "chat") in gateway.table and any_ready(gateway, project))
        assert await status_of(gateway, secret) == 200
        await until(lambda: gateway.accounting.shipper.shipped == 1)


def any_ready(gateway: Gateway, namespace: str) -> bool:
    return gateway.table.target((namespace, "chat")).any_ready


async def test_a_revoked_key_is_refused_within_a_second(plane: ControlPlane, tmp_path: Path) -> None:
    project = plane.new_project()
    key_id, secret = new_key(plane, project)
    async with scripted_engine(well) as engine, gateway_of(plane, tmp_path / "gw-revoke") as gateway:
        put(plane, model_deployment("chat", project))
        put(plane, endpoint_set("chat", engine.address, namespace=project))
        await until(lambda: gateway.why_not_ready() is None and (project, "chat") in gateway.table)
        await until(lambda: any_ready(gateway, project))
        assert await status_of(gateway, secret) == 200
        with plane.client() as client:
            revoked = client.post(f"/api/v1/projects/{project}/keys/{key_id}:revoke")
        assert revoked.status_code < 300, revoked.text
        index = gateway.accounting.state
        await until(lambda: index.index is not None and key_id.removeprefix("key_") not in str(index.index.keys), 1.0)
        assert await status_of(gateway, secret) == 401


async def test_deleted_deployments_are_forgotten(plane: ControlPlane, tmp_path: Path) -> None:
    project = plane.new_project()
    deployment = model_deployment("chat", project)
    put(plane, deployment)
    async with gateway_of(plane, tmp_path / "gw-delete") as gateway:
        await until(lambda: (project, "chat") in gateway.table)
        drop(plane, deployment)
        await until(lambda: (project, "chat") not in gateway.table)


async def test_a_gateway_restarts_and_serves_while_the_control_plane_is_away(tmp_path: Path) -> None:
    with sqlite_controlplane(tmp_path / "plane") as plane:
        project = plane.new_project()
        _, secret = new_key(plane, project)
        async with scripted_engine(well) as engine:
            put(plane, model_deployment("chat", project))
            put(plane, endpoint_set("chat", engine.address, namespace=project))
            folder = tmp_path / "gateway"
            async with gateway_of(plane, folder) as gateway:
                await until(lambda: gateway.why_not_ready() is None and (folder / "objects.json").exists())
                await until(lambda: secret and (folder / "access.json").exists())
            plane.kill()
            async with gateway_of(plane, folder) as gateway:
                assert gateway.why_not_ready() is None
                assert await status_of(gateway, secret) == 200
                plane.start()
                await until(lambda: gateway.accounting.shipper.shipped == 1, 20)
