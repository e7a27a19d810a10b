"""Sharing: a model is called from another project where its owner offers it and an administrator grants it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from mizzen_gateway.wiring import Gateway
from support.controlplane import ControlPlane, sqlite_controlplane
from support.gateway import endpoint_set, model_deployment
from support.gateway_of_plane import gateway_of, new_key, put, status_of
from support.scripted_engine import Exchange, completion, scripted_engine
from support.until import until


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with sqlite_controlplane(tmp_path_factory.mktemp("plane")) as found:
        yield found


async def well(exchange: Exchange) -> None:
    await exchange.send_json(completion("chat"))


def offer(owner: str, *projects: str) -> dict[str, Any]:
    access = {"visibility": "Shared", "allowedProjects": list(projects)} if projects else {"visibility": "Project"}
    return model_deployment("chat", owner, access=access)


def grant(plane: ControlPlane, project: str, model: str) -> None:
    with plane.client() as client:
        answer = client.post(f"/api/v1/projects/{project}/grants", json={"model": model})
    assert answer.status_code == 201, answer.text


def take_back(plane: ControlPlane, project: str, model: str) -> None:
    with plane.client() as client:
        assert client.delete(f"/api/v1/projects/{project}/grants/{model}").status_code == 204


async def until_taken_up(plane: ControlPlane, gateway: Gateway) -> None:
    """Until the gateway has the newest access."""
    with plane.client("gateway") as client:
        version = client.get("/internal/v1/access/snapshot").json()["version"]
    state = gateway.accounting.state
    await until(lambda: state.index is not None and state.index.version >= version)


async def listed(gateway: Gateway, secret: str) -> list[str]:
    async with httpx.AsyncClient(trust_env=False, headers={"Authorization": f"Bearer {secret}"}) as client:
        answer = await client.get(f"http://127.0.0.1:{gateway.port}/v1/models")
    return [model["id"] for model in answer.json()["data"]]


async def test_a_shared_model_is_called_while_it_is_both_offered_and_granted(
    plane: ControlPlane, tmp_path: Path
) -> None:
    owner, guest = plane.new_project(), plane.new_project()
    _, secret = new_key(plane, guest)
    model = f"{owner}/chat"
    async with scripted_engine(well) as engine, gateway_of(plane, tmp_path / "gateway") as gateway:
        put(plane, offer(owner, guest))
        put(plane, endpoint_set("chat", engine.address, namespace=owner))
        await until(lambda: gateway.why_not_ready() is None and (owner, "chat") in gateway.table)
        await until(lambda: gateway.table.target((owner, "chat")).any_ready)
        assert (await status_of(gateway, secret, model), await listed(gateway, secret)) == (404, [])

        grant(plane, guest, model)
        await until_taken_up(plane, gateway)
        assert (await status_of(gateway, secret, model), await listed(gateway, secret)) == (200, [model])
        assert await status_of(gateway, secret, "chat") == 404

        put(plane, offer(owner))
        await until(lambda: not gateway.table.target((owner, "chat")).facts.shared_with)
        assert (await status_of(gateway, secret, model), await listed(gateway, secret)) == (404, [])

        put(plane, offer(owner, guest))
        await until(lambda: bool(gateway.table.target((owner, "chat")).facts.shared_with))
        assert await status_of(gateway, secret, model) == 200
        take_back(plane, guest, model)
        await until_taken_up(plane, gateway)
        assert await status_of(gateway, secret, model) == 404
        await until(lambda: gateway.accounting.shipper.shipped == 2)

    with plane.client() as client:
        usage = client.get(f"/api/v1/projects/{guest}/usage", params={"group_by": "model"}).json()
    assert [(row["model"], row["requests"]) for row in usage["items"]] == [(model, 2)]
